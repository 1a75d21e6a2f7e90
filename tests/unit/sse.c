/* SPDX-License-Identifier: Apache-2.0
 *
 * sse - the event-stream reader, by tests/cases/http/sse.cases (the form is described there).
 */
#include "tap.h"
#include "http/sse.h"

#define TEXT (1 << 20)

struct sse_case {
    char name[200];
    size_t max;
    struct nk_buf input, want;
    size_t pending;
};

/* "\e" is the empty string. */
static void unescape(const char *s, size_t n, struct nk_buf *out)
{
    static const char from[] = "rnt\\", to[] = "\r\n\t\\";
    for (size_t i = 0; i < n; i++) {
        const char *at = s[i] == '\\' && i + 1 < n ? strchr(from, s[i + 1]) : NULL;
        unsigned v;
        if (at)
            nk_buf_add_char(out, to[at - from]), i++;
        else if (s[i] == '\\' && sscanf(s + i, "\\x%2x", &v) == 1)
            nk_buf_add_char(out, (char)v), i += 3;
        else if (s[i] == '\\' && s[i + 1] == 'e')
            i++;
        else
            nk_buf_add_char(out, s[i]);
    }
}

static void say(struct nk_str s, struct nk_buf *out)
{
    if (s.n > 1000)
        nk_buf_printf(out, "(%zu bytes)", s.n);
    else if (s.p)
        nk_buf_add(out, s);
    else
        nk_buf_add_char(out, '-');
}

static bool transcript(const struct sse_case *c, const unsigned char *cut, struct nk_buf *out)
{
    struct nk_sse s;
    nk_sse_init(&s, c->max);
    size_t from = 0, raw = 0, n = c->input.n;
    int rc = NK_EAGAIN;
    for (size_t i = 0; i < n && rc == NK_EAGAIN; i++) {
        if (i + 1 < n && !cut[i])
            continue;
        struct nk_fault f = {0};
        struct nk_sse_event e;
        rc = nk_sse_feed(&s, nk_str_sub(nk_buf_str(&c->input), from, i + 1), &f);
        from = i + 1;
        if (from == n)
            nk_sse_end(&s);
        while (!rc && !(rc = nk_sse_next(&s, &e, &f))) {
            if (memcmp(e.raw.p, c->input.p + raw, e.raw.n))
                nk_buf_add(out, NK_STR("raw bytes differ\n"));
            raw += e.raw.n;
            nk_buf_add(out, NK_STR("event "));
            say(e.event, out);
            nk_buf_add_char(out, ' ');
            say(e.data, out);
            nk_buf_add_char(out, '\n');
        }
    }
    if (rc != NK_EAGAIN)
        nk_buf_printf(out, "%s\n", nk_error_name(rc));
    bool ok = rc != NK_EAGAIN || (nk_sse_pending(&s) == c->pending && raw + c->pending == n);
    nk_sse_free(&s);
    return ok;
}

static bool same(const struct sse_case *c, const unsigned char *cut, const char *how)
{
    struct nk_buf out;
    nk_buf_init(&out, TEXT);
    bool ok = transcript(c, cut, &out);
    ok = ok && nk_str_eq(nk_buf_str(&out), nk_buf_str(&c->want));
    if (!ok)
        printf("# %s: got\n%.*s# want\n%.*s", how, NK_FMT(nk_buf_str(&out)),
               NK_FMT(nk_buf_str(&c->want)));
    nk_buf_free(&out);
    return ok;
}

static void run_case(struct sse_case *c)
{
    size_t n = c->input.n;
    unsigned char *cut = calloc(1, n + 1);
    bool ok = same(c, cut, "whole");
    for (size_t i = 0; ok && i + 1 < n && n < 4096; i++) {
        cut[i] = 1;
        ok = same(c, cut, "two pieces");
        cut[i] = 0;
    }
    for (int round = 0; ok && round < 30; round++) {
        for (size_t i = 0; i < n; i++)
            cut[i] = rand() % (round + 2) == 0;
        ok = same(c, cut, "random pieces");
    }
    memset(cut, 1, n);
    ok = ok && same(c, cut, "byte by byte");
    tap_ok(ok, "%s", c->name);
    free(cut);
    nk_buf_free(&c->input);
    nk_buf_free(&c->want);
}

static void case_line(struct sse_case *c, const char *line, size_t n)
{
    unsigned v;
    if (line[0] == '>' || line[0] == '+') {
        if (n > 2)
            unescape(line + 2, n - 2, &c->input);
        if (line[0] == '>')
            nk_buf_add_char(&c->input, '\n');
    } else if (sscanf(line, "= pending %u", &v) == 1) {
        c->pending = v;
    } else if (line[0] == '=') {
        unescape(line + 2, n - 2, &c->want);
        nk_buf_add_char(&c->want, '\n');
    } else if (sscanf(line, "fill %u", &v) == 1) {
        while (v--)
            nk_buf_add_char(&c->input, 'a');
    } else if (sscanf(line, "max %u", &v) == 1) {
        c->max = v;
    } else {
        tap_ok(false, "case file: what is \"%.*s\"?", (int)n, line);
    }
}

/* A CR at the end of what has come waits for its successor, unless there is none. */
static void waiting_cr(void)
{
    struct nk_sse s;
    struct nk_sse_event e;
    struct nk_fault f = {0};
    nk_sse_init(&s, 100);
    TAP_CHECK(nk_sse_feed(&s, NK_STR("data: a\r\n\r"), &f) == 0);
    TAP_CHECK(nk_sse_next(&s, &e, &f) == NK_EAGAIN && nk_sse_pending(&s) == 10);
    TAP_CHECK(nk_sse_feed(&s, NK_STR("\n"), &f) == 0);
    TAP_CHECK(nk_sse_next(&s, &e, &f) == 0 && e.raw.n == 11 && nk_sse_pending(&s) == 0);
    TAP_CHECK(nk_sse_feed(&s, NK_STR("data: b\r\r"), &f) == 0);
    TAP_CHECK(nk_sse_next(&s, &e, &f) == NK_EAGAIN);
    nk_sse_end(&s);
    TAP_CHECK(nk_sse_next(&s, &e, &f) == 0 && nk_str_eq(e.data, NK_STR("b")));
    TAP_CHECK(nk_sse_next(&s, &e, &f) == NK_EAGAIN && f.code == 0);
    char *big = calloc(1, NK_SSE_FEED_MAX + 1);
    TAP_CHECK(nk_sse_feed(&s, (struct nk_str){big, NK_SSE_FEED_MAX + 1}, &f) == NK_ELIMIT &&
              f.code);
    free(big);
    nk_sse_free(&s);
}

int main(void)
{
    srand(3);
    FILE *in = fopen("tests/cases/http/sse.cases", "r");
    if (!tap_ok(in != NULL, "open sse.cases"))
        return tap_done();
    struct sse_case c = {.max = 0};
    char line[1024];
    while (fgets(line, sizeof line, in)) {
        size_t n = strcspn(line, "\n");
        if (line[0] == '#' || n == 0)
            continue;
        if (!strncmp(line, "case ", 5)) {
            if (c.max)
                run_case(&c);
            c = (struct sse_case){.max = 65536};
            nk_buf_init(&c.input, TEXT);
            nk_buf_init(&c.want, TEXT);
            snprintf(c.name, sizeof c.name, "%.*s", (int)n - 5, line + 5);
        } else {
            case_line(&c, line, n);
        }
    }
    run_case(&c);
    fclose(in);
    waiting_cr();
    return tap_done();
}
