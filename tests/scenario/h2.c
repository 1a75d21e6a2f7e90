/* SPDX-License-Identifier: Apache-2.0
 *
 * h2.c - the client of a scenario over HTTP/2 in cleartext with prior knowledge: one connection for
 * each request, as over HTTP/1.1.
 */
#include "scenario/h2.h"

#include <poll.h>
#include <sys/socket.h>
#include "http/h2.h"

enum { HEADERS = 32, STEP = 64 << 10 };

static struct {
    struct nk_h2 *machine;
    struct nk_arena arena; /* of the answer's head */
    struct nk_str left;    /* of the request's body */
    struct sighting *seen;
    bool done;
    int fd;
} me;

static void on_head(void *owner, void *call, uint32_t stream, const struct nk_http_head *head)
{
    (void)owner, (void)call, (void)stream;
    me.seen->status = head->status;
    scenario_put_headers(head, &me.seen->head);
}

static void on_body(void *owner, void *call, uint32_t stream, struct nk_str bytes)
{
    (void)owner, (void)call;
    nk_buf_add(&me.seen->body, bytes);
    nk_h2_consumed(me.machine, stream, bytes.n);
}

static void on_end(void *owner, void *call, uint32_t stream)
{
    (void)owner, (void)call, (void)stream;
    me.seen->complete = me.done = true;
}

static void on_refused(void *owner, void *call, uint32_t stream, int error, const char *why)
{
    (void)owner, (void)call, (void)stream, (void)error;
    nk_buf_printf(&me.seen->body, "MALFORMED ANSWER: %s", why);
    me.done = true;
}

static ptrdiff_t on_take(void *owner, void *call, uint32_t stream, char *p, size_t max, bool *end)
{
    (void)owner, (void)call, (void)stream;
    size_t n = me.left.n < max ? me.left.n : max;
    memcpy(p, me.left.p, n);
    me.left = nk_str_sub(me.left, n, me.left.n);
    *end = me.left.n == 0;
    return (ptrdiff_t)n;
}

static void on_gone(void *owner, void *call, uint32_t stream, enum nk_h2_code code, const char *why)
{
    (void)owner, (void)call, (void)stream, (void)why;
    if (code != NK_H2_NO_ERROR && !me.seen->complete)
        me.seen->cut = true;
    me.done = true;
}

static const struct nk_h2_handler handler = {.head = on_head,
                                             .body = on_body,
                                             .end = on_end,
                                             .refused = on_refused,
                                             .take = on_take,
                                             .gone = on_gone};

/* Sends what there is; what the gate does not take any more is no matter of ours. */
static void pump(void)
{
    struct nk_buf out;
    nk_buf_init(&out, 32 << 20);
    while (nk_h2_has_output(me.machine)) {
        nk_buf_clear(&out);
        if (nk_h2_output(me.machine, &out, STEP) || out.n == 0)
            break;
        for (size_t at = 0; at < out.n;) {
            ssize_t n = send(me.fd, out.p + at, out.n - at, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            at += (size_t)n;
        }
    }
    nk_buf_free(&out);
}

void h2_close(void)
{
    if (!me.machine)
        return;
    me.done = true;
    nk_h2_free(me.machine);
    me.machine = NULL;
    nk_arena_free(&me.arena);
}

/* "Name: value" lines behind those that every request has. */
static size_t read_headers(struct nk_http_header *h, size_t n, struct nk_str lines)
{
    while (lines.n && n < HEADERS) {
        struct nk_str line = nk_str_cut(&lines, '\n');
        line.n -= line.n && line.p[line.n - 1] == '\r';
        struct nk_str name = nk_str_cut(&line, ':');
        h[n++] = (struct nk_http_header){name, nk_str_trim(line)};
    }
    return n;
}

const char *h2_ask(struct scenario *s, struct sighting *seen, int fd,
                   const struct scenario_key *key, struct nk_str method, struct nk_str target,
                   struct nk_str headers, struct nk_str body)
{
    struct nk_h2_limits lim;
    struct nk_http_header h[HEADERS] = {{NK_STR("Host"), NK_STR("nakoso")}};
    struct nk_http_head head = {.method = method, .target = target, .headers = h};
    uint32_t stream;
    size_t n = 1;
    if (key)
        h[n++] = (struct nk_http_header){NK_STR("Authorization"),
                                         nk_arena_printf(&s->arena, "Bearer %s", key->secret)};
    head.header_count = read_headers(h, n, headers);
    head.content_length = body.p ? (int64_t)body.n : -1;
    nk_h2_limits_default(&lim);
    me.seen = seen;
    me.fd = fd;
    me.left = body.p ? nk_arena_copy(&s->arena, body) : (struct nk_str){"", 0};
    me.done = false;
    nk_arena_init(&me.arena, 1 << 20);
    me.machine = nk_h2_new(false, &lim, &handler, NULL);
    if (!me.machine ||
        nk_h2_request(me.machine, "http", &head, body.n > 0, &me.arena, NULL, &stream))
        return "the request cannot be made in HTTP/2";
    pump();
    return NULL;
}

bool h2_take(struct sighting *seen, int patience, bool *done)
{
    char bytes[65536];
    struct pollfd w = {.fd = me.fd, .events = POLLIN};
    struct nk_fault f = {0};
    if (poll(&w, 1, patience) <= 0)
        return false;
    ssize_t n = recv(me.fd, bytes, sizeof bytes, 0);
    if (n <= 0) {
        me.done = true;
        seen->cut = !seen->complete;
    } else if (nk_h2_feed(me.machine, (struct nk_str){bytes, (size_t)n}, 0, &f)) {
        nk_buf_printf(&seen->body, "MALFORMED ANSWER: %s", f.message);
        me.done = true;
    } else {
        pump();
    }
    *done = me.done;
    return true;
}
