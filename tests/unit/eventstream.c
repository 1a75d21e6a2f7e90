/* SPDX-License-Identifier: Apache-2.0
 *
 * eventstream - AWS event-stream framing by tests/cases/proto/eventstream.cases. With the argument "echo" it is the
 * other end of tests/sdk/eventstream.mjs: for each message of standard input (u32 of its length before it) one line,
 * the message as it is written again in hexadecimal, or the error's name.
 */
#include "base/encode.h"
#include "proto/eventstream.h"
#include "cases.h"
#include "tap.h"

enum { MAX = 1 << 20 };

static const char *const types[] = {"true", "false", "byte",   "short",     "int",
                                    "long", "bytes", "string", "timestamp", "uuid"};

static void say(const struct nk_eventstream_message *m, struct nk_buf *out)
{
    for (size_t i = 0; i < m->header_count; i++) {
        const struct nk_eventstream_header *h = &m->headers[i];
        nk_buf_printf(out, "%s%.*s=%s", i ? " " : "", NK_FMT(h->name), types[h->type]);
        if (h->type == NK_EVENTSTREAM_STRING)
            nk_buf_printf(out, ":%.*s", NK_FMT(h->value));
        else if (h->type == NK_EVENTSTREAM_BYTES || h->type == NK_EVENTSTREAM_UUID)
            nk_buf_add_char(out, ':'), nk_buf_add_hex(out, h->value.p, h->value.n);
        else if (h->type > NK_EVENTSTREAM_FALSE)
            nk_buf_printf(out, ":%lld", (long long)h->number);
    }
    if (m->payload.n)
        nk_buf_printf(out, " / %.*s", NK_FMT(m->payload));
}

/* Feeds pieces of `size` bytes; the first message's transcript and bytes, or the error's name. */
static int read_one(struct nk_str in, size_t size, struct nk_buf *said, struct nk_buf *again)
{
    struct nk_eventstream s;
    struct nk_eventstream_message m = {0};
    struct nk_fault f = {0};
    int rc = NK_EAGAIN;
    nk_eventstream_init(&s, MAX);
    for (size_t at = 0; at < in.n && rc == NK_EAGAIN; at += size) {
        rc = nk_eventstream_feed(&s, nk_str_sub(in, at, at + size), &f);
        if (!rc)
            rc = nk_eventstream_next(&s, &m, &f);
    }
    if (rc)
        nk_buf_add(said, nk_str(nk_error_name(rc)));
    else
        say(&m, said);
    if (!rc)
        rc = nk_eventstream_put(&m, again);
    bool whole = rc || nk_eventstream_pending(&s) == 0;
    nk_eventstream_free(&s);
    return rc || whole ? rc : NK_ECONFLICT;
}

static void run(const struct case_line *c, void *ctx)
{
    struct nk_buf in, said, again;
    (void)ctx;
    nk_buf_init(&in, MAX);
    for (size_t i = 0; i + 1 < c->n; i += 2) {
        unsigned char byte;
        tap_failed += nk_hex_decode((struct nk_str){c->input + i, 2}, &byte, 1) != 0;
        nk_buf_add_char(&in, (char)byte);
    }
    for (size_t size = 1; size <= in.n; size = size == 1 ? in.n : size + in.n) {
        nk_buf_init(&said, MAX);
        nk_buf_init(&again, MAX);
        int rc = read_one(nk_buf_str(&in), size, &said, &again);
        bool good = nk_str_eq(nk_buf_str(&said), nk_str(c->expect)) &&
                    (rc || nk_str_eq(nk_buf_str(&again), nk_buf_str(&in)));
        tap_ok(good, "%s:%d in pieces of %zu: %s", c->file, c->line, size, c->expect);
        if (!good)
            printf("# found: %.*s\n", NK_FMT(nk_buf_str(&said)));
        nk_buf_free(&said);
        nk_buf_free(&again);
    }
    nk_buf_free(&in);
}

static void bits(void)
{
    struct nk_buf m, said, again;
    int taken = 0;
    nk_buf_init(&m, MAX);
    nk_eventstream_put_event(NK_STR("chunk"), NK_STR("{\"bytes\":\"aGVsbG8=\"}"), &m);
    for (size_t i = 0; i < m.n * 8; i++) {
        nk_buf_init(&said, MAX);
        nk_buf_init(&again, MAX);
        m.p[i / 8] = (char)(m.p[i / 8] ^ 1 << i % 8);
        taken += read_one(nk_buf_str(&m), m.n, &said, &again) == 0;
        m.p[i / 8] = (char)(m.p[i / 8] ^ 1 << i % 8);
        nk_buf_free(&said);
        nk_buf_free(&again);
    }
    tap_ok(m.n > 0 && taken == 0, "a message with any one bit wrong is refused: %d of %zu", taken,
           m.n * 8);
    nk_buf_free(&m);
}

static void refusals(void)
{
    static char wide[NK_EVENTSTREAM_VALUE + 1];
    const struct nk_str text = NK_STR("x"), none = {NULL, 0};
    const struct {
        const char *what;
        struct nk_eventstream_header h[2];
        size_t n;
    } bad[] = {
        {"a name of no bytes", {{.name = none, .type = NK_EVENTSTREAM_TRUE}}, 1},
        {"a name of 256 bytes", {{.name = {wide, 256}, .type = NK_EVENTSTREAM_TRUE}}, 1},
        {"a byte of 128", {{.name = text, .type = NK_EVENTSTREAM_BYTE, .number = 128}}, 1},
        {"a short of -32769", {{.name = text, .type = NK_EVENTSTREAM_SHORT, .number = -32769}}, 1},
        {"a UUID of 15 bytes",
         {{.name = text, .type = NK_EVENTSTREAM_UUID, .value = {wide, 15}}},
         1},
        {"a value of 32768 bytes",
         {{.name = text, .type = NK_EVENTSTREAM_BYTES, .value = {wide, sizeof wide}}},
         1},
        {"a string that is not UTF-8",
         {{.name = text, .type = NK_EVENTSTREAM_STRING, .value = {"\xff", 1}}},
         1},
        {"two headers of one name",
         {{.name = text, .type = NK_EVENTSTREAM_TRUE}, {.name = text, .type = NK_EVENTSTREAM_TRUE}},
         2},
    };
    struct nk_buf out;
    memset(wide, 'a', sizeof wide);
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        nk_buf_init(&out, MAX);
        int rc = nk_eventstream_put(&(struct nk_eventstream_message){bad[i].h, bad[i].n, {NULL, 0}},
                                    &out);
        tap_ok(rc == NK_EINVAL && out.n == 0, "not written: %s", bad[i].what);
        nk_buf_free(&out);
    }
    nk_buf_init(&out, 40);
    nk_eventstream_put_event(NK_STR("chunk"), NK_STR("{}"), &out);
    tap_ok(out.error == NK_ELIMIT, "a message over the buffer's maximum is its error");
    nk_buf_free(&out);
}

static int echo(void)
{
    static char bytes[MAX];
    unsigned char size[4];
    while (fread(size, 1, sizeof size, stdin) == sizeof size) {
        size_t n = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];
        struct nk_buf said, again, hex;
        if (n > MAX || fread(bytes, 1, n, stdin) != n)
            return 1;
        nk_buf_init(&said, MAX);
        nk_buf_init(&again, MAX);
        nk_buf_init(&hex, 2 * MAX);
        int rc = read_one((struct nk_str){bytes, n}, n, &said, &again);
        nk_buf_add_hex(&hex, again.p, again.n);
        printf("%.*s\n", NK_FMT(rc ? nk_str(nk_error_name(rc)) : nk_buf_str(&hex)));
        nk_buf_free(&said);
        nk_buf_free(&again);
        nk_buf_free(&hex);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "echo") == 0)
        return echo();
    tap_ok(cases_read("tests/cases/proto/eventstream.cases", run, NULL) > 20, "cases");
    bits();
    refusals();
    return tap_done();
}
