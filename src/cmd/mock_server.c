/* SPDX-License-Identifier: Apache-2.0
 *
 * mock_server.c - connections of `nakoso mock`: each reads a request, waits as long as the plan
 * says, sends the prepared answer whole or event by event, and reads the next request. One at a
 * time: what is pipelined waits in `in`.
 */
#include "cmd/mock_server.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>
#include "edge/sock.h"

enum {
    ARENA_MAX = 256 << 20,
    IN_MAX = 64 << 20,
    OUT_MAX = 256 << 20,
    READ_SIZE = 65536,
    ACCEPT_BATCH = 64,
};

enum phase { READING, WAITING, SENDING, OVER };

struct conn {
    struct nk_watch watch;
    struct nk_timer timer;
    struct nk_later later;
    struct nk_sock sock;
    struct nk_mock_server *server;
    struct nk_arena arena;
    struct nk_http_parser *parser;
    struct nk_buf in, body, out;
    enum phase phase;
    struct nk_mock_answer answer;
    size_t sent;  /* bytes of out */
    size_t parts; /* of answer.ends that may be sent now */
    bool keep_alive;
};

static void conn_free(struct nk_later *later)
{
    struct conn *c = NK_OF(later, struct conn, later);
    nk_buf_free(&c->in);
    nk_buf_free(&c->body);
    nk_buf_free(&c->out);
    nk_arena_free(&c->arena);
    free(c);
}

static void conn_close(struct conn *c)
{
    if (c->phase == OVER)
        return;
    c->phase = OVER;
    nk_loop_disarm(c->server->loop, &c->timer);
    (void)!nk_loop_watch(c->server->loop, &c->watch, 0);
    nk_sock_close(&c->sock);
    c->later.run = conn_free;
    nk_loop_later(c->server->loop, &c->later);
}

/* The client went away before its answer was whole. */
static void conn_left(struct conn *c)
{
    size_t events = 0;
    for (size_t i = 1; i < c->answer.end_count && c->answer.ends[i] <= c->sent; i++)
        events++;
    if (c->phase == WAITING || c->phase == SENDING)
        nk_mock_log_left(c->server, c->answer.number, events);
    conn_close(c);
}

static int request_start(struct conn *c)
{
    const struct nk_http_limits lim = {65536, 200, IN_MAX};
    nk_arena_reset(&c->arena);
    nk_buf_clear(&c->body);
    nk_buf_clear(&c->out);
    c->sent = 0;
    c->parser = nk_http_parser_new(&c->arena, true, &lim);
    c->phase = READING;
    return c->parser ? 0 : NK_ENOMEM;
}

/* How many bytes of the answer may be sent by now. */
static size_t allowed(const struct conn *c)
{
    const struct nk_mock_answer *a = &c->answer;
    bool paced = a->plan.pace_us > 0 || a->plan.drop_after >= 0;
    if (!paced || a->end_count == 0)
        return c->out.n;
    size_t part = c->parts;
    if (a->plan.drop_after >= 0 && part > (size_t)a->plan.drop_after)
        part = (size_t)a->plan.drop_after;
    return part < a->end_count ? a->ends[part] : c->out.n;
}

static bool is_dropped(const struct conn *c)
{
    int64_t after = c->answer.plan.drop_after;
    return after >= 0 && (size_t)after + 1 < c->answer.end_count && c->parts >= (size_t)after;
}

/* All that may be sent now is sent: the next event is due later, or the answer is over. */
static int part_sent(struct conn *c)
{
    if (is_dropped(c)) {
        conn_close(c);
        return 0;
    }
    if (c->sent < c->out.n)
        return nk_loop_arm(c->server->loop, &c->timer, c->answer.plan.pace_us);
    if (!c->keep_alive) {
        conn_close(c);
        return 0;
    }
    return request_start(c);
}

static int conn_send(struct conn *c)
{
    while (c->phase == SENDING) {
        size_t end = allowed(c);
        if (c->sent == end)
            return part_sent(c);
        struct iovec v = {c->out.p + c->sent, end - c->sent};
        ssize_t n = nk_sock_write(&c->sock, &v, 1);
        if (n == NK_EAGAIN)
            return nk_loop_watch(c->server->loop, &c->watch, EPOLLIN | EPOLLOUT);
        if (n < 0)
            return NK_EIO;
        c->sent += (size_t)n;
    }
    return 0;
}

static int conn_send_and_watch(struct conn *c)
{
    int r = conn_send(c);
    if (!r && c->phase != OVER && c->sent == allowed(c))
        r = nk_loop_watch(c->server->loop, &c->watch, EPOLLIN);
    return r;
}

static int prepare(struct conn *c, struct nk_mock_ask *ask)
{
    const struct nk_json_limits lim = {IN_MAX, 64, 1 << 20};
    struct nk_fault f = {0};
    struct nk_mock_script *script = c->server->script;
    int r = c->body.n ? nk_json_parse(&lim, nk_buf_str(&c->body), &c->arena, &ask->body, &f) : 0;
    if (!r)
        r = nk_mock_read(ask, &c->arena, &f);
    c->answer.plan = r ? nk_mock_default() : nk_mock_decide(script, ask, &c->arena);
    if (r) {
        c->answer.plan.manner = NK_MOCK_ERROR;
        c->answer.plan.status = 400;
        c->answer.plan.message = nk_arena_printf(&c->arena, "%s at byte %zu", f.message, f.offset);
    }
    return nk_mock_answer(script, ask, &c->answer);
}

static int request_end(struct conn *c)
{
    struct nk_mock_ask ask = {.head = nk_http_parser_head(c->parser)};
    struct nk_mock_answer *a = &c->answer;
    c->server->requests++;
    c->keep_alive = ask.head->keep_alive;
    *a = (struct nk_mock_answer){.out = &c->out, .arena = &c->arena, .number = c->server->requests};
    ask.endpoint = nk_proto_match(ask.head, &c->arena, &ask.dialect, &ask.segment);
    nk_mock_log(c->server, &ask, nk_buf_str(&c->body));
    int r = prepare(c, &ask);
    if (r || a->plan.manner == NK_MOCK_CLOSES)
        return NK_EIO;
    c->phase = WAITING;
    c->parts = 1;
    if (a->plan.manner == NK_MOCK_SILENT)
        return 0;
    if (a->plan.delay_us)
        return nk_loop_arm(c->server->loop, &c->timer, a->plan.delay_us);
    c->phase = SENDING;
    return conn_send_and_watch(c);
}

static int request_continue(struct conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec v = {(void *)(uintptr_t)text, sizeof text - 1};
    return nk_sock_write(&c->sock, &v, 1) == (ssize_t)(sizeof text - 1) ? 0 : NK_EIO;
}

/* Reads requests out of `in` until one must be answered later or bytes run out. */
static int conn_parse(struct conn *c)
{
    enum nk_http_event event = NK_HTTP_BODY;
    while (c->phase == READING && event != NK_HTTP_MORE) {
        struct nk_str rest = nk_buf_str(&c->in);
        struct nk_fault f = {0};
        int r = nk_http_parse(c->parser, &rest, &event, &f);
        if (!r && event == NK_HTTP_BODY)
            nk_buf_add(&c->body, nk_http_parser_body(c->parser));
        nk_buf_drop(&c->in, c->in.n - rest.n);
        if (!r && event == NK_HTTP_HEAD && nk_http_parser_head(c->parser)->expect_continue)
            r = request_continue(c);
        if (!r && event == NK_HTTP_END)
            r = request_end(c);
        if (r || c->body.error)
            return NK_EIO;
    }
    return 0;
}

static int conn_read(struct conn *c)
{
    struct nk_fault f = {0};
    char *to = nk_buf_reserve(&c->in, READ_SIZE);
    ssize_t n = to ? nk_sock_read(&c->sock, to, READ_SIZE, &f) : NK_ELIMIT;
    if (n == NK_EAGAIN)
        return 0;
    if (n <= 0)
        return NK_EIO;
    c->in.n += (size_t)n;
    return conn_parse(c);
}

static void conn_ready(struct nk_watch *w, uint32_t events)
{
    struct conn *c = NK_OF(w, struct conn, watch);
    int r = 0;
    if (c->phase == OVER)
        return;
    if (events & EPOLLOUT)
        r = conn_send_and_watch(c);
    if (!r && c->phase == READING)
        r = conn_parse(c);
    if (!r && c->phase != OVER && (events & ~(uint32_t)EPOLLOUT))
        r = conn_read(c);
    if (r)
        conn_left(c);
}

static void conn_due(struct nk_timer *t)
{
    struct conn *c = NK_OF(t, struct conn, timer);
    if (c->phase == OVER)
        return;
    if (c->phase == SENDING)
        c->parts++;
    c->phase = SENDING;
    int r = conn_send_and_watch(c);
    if (!r && c->phase == READING)
        r = conn_parse(c);
    if (r)
        conn_left(c);
}

static void conn_new(struct nk_mock_server *s, int fd)
{
    int on = 1;
    struct conn *c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    /* A Unix socket has no such option; that it fails there does not matter. */
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c->server = s;
    c->watch = (struct nk_watch){.fd = fd, .ready = conn_ready};
    c->timer.fire = conn_due;
    nk_arena_init(&c->arena, ARENA_MAX);
    nk_buf_init(&c->in, IN_MAX);
    nk_buf_init(&c->body, IN_MAX);
    nk_buf_init(&c->out, OUT_MAX);
    if (nk_sock_open(&c->sock, fd, NULL, NULL) || request_start(c) ||
        nk_loop_watch(s->loop, &c->watch, EPOLLIN))
        conn_close(c);
}

static void listener_ready(struct nk_watch *w, uint32_t events)
{
    struct nk_mock_server *s = NK_OF(w, struct nk_mock_server, listener);
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        conn_new(s, fd);
    }
}

int nk_mock_serve(struct nk_mock_server *s)
{
    s->listener.ready = listener_ready;
    if (nk_loop_watch(s->loop, &s->listener, EPOLLIN))
        return NK_EIO;
    return nk_loop_run(s->loop);
}
