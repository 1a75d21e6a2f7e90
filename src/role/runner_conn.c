/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_conn.c - a courier's connection, HTTP/1.1 on a Unix socket. It carries one request after the other; while one is
 * answered, all that can come is the end, which is how a courier says that its client has left. Connections are
 * closed when the batch is over, so that nobody who walks a list meets a closed one.
 */
#include "role/runner.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    CONNS_MAX = 8192,
    ARENA_MAX = 1 << 20,
    HEAD_BYTES = 65536,
    HEADERS = 100,
    ALIVE_US = 15000000,
    ROOM = 2 << 20, /* beyond one message of the largest size */
};

static const uint64_t body_most = (uint64_t)64 << 20;
static const struct nk_str json = {"application/json", 16}, events = {"text/event-stream", 17};

static void run_free(struct nk_later *l)
{
    free(NK_OF(l, struct conn, later));
}

/* The next use has a maximum of its own. */
static void free_buf(struct nk_buf *b)
{
    nk_buf_free(b);
    *b = (struct nk_buf){0};
}

static void is_gone(struct conn *c)
{
    c->gone = true;
    c->runner->stirred = true;
}

void conn_close(struct conn *c)
{
    struct runner *r = c->runner;
    relay_cancel(c);
    if (c->prev)
        c->prev->next = c->next;
    else
        r->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    r->conn_count--;
    (void)!nk_loop_watch(r->loop, &c->watch, 0);
    nk_loop_disarm(r->loop, &c->timer);
    nk_sock_close(&c->sock);
    nk_buf_free(&c->body);
    nk_buf_free(&c->out);
    nk_arena_free(&c->arena);
    c->later.run = run_free;
    nk_loop_later(r->loop, &c->later);
    if (!r->draining && nk_loop_watch(r->loop, &r->listener, EPOLLIN))
        nk_loop_stop(r->loop, 1);
}

void conn_sweep(struct runner *r)
{
    for (struct conn *c = r->conns, *next; c; c = next) {
        next = c->next;
        bool idle = c->state == CONN_READING && !c->parser;
        if (c->gone || (r->draining && idle))
            conn_close(c);
    }
}

static void watch(struct conn *c)
{
    uint32_t wanted = EPOLLIN | (c->out.n ? (uint32_t)EPOLLOUT : 0);
    if (nk_loop_watch(c->runner->loop, &c->watch, wanted))
        is_gone(c);
}

/* The answer is out: the next request, or the end. */
static void finish(struct conn *c)
{
    if (c->close_after) {
        is_gone(c);
        return;
    }
    free_buf(&c->body);
    nk_arena_reset(&c->arena);
    c->parser = NULL;
    c->streams = false;
    c->state = CONN_READING;
    c->runner->stirred = true;
}

static void flush(struct conn *c)
{
    size_t before = c->out.n;
    while (c->out.n && !c->gone) {
        struct iovec v = {c->out.p, c->out.n};
        ssize_t n = nk_sock_write(&c->sock, &v, 1);
        if (n == NK_EAGAIN)
            break;
        if (n < 0)
            is_gone(c);
        else
            nk_buf_drop(&c->out, (size_t)n);
    }
    if (c->out.error)
        is_gone(c);
    if (c->gone)
        return;
    watch(c);
    if (before > RUNNER_HIGH && c->out.n <= RUNNER_HIGH && c->session)
        session_resume(c->session);
    if (c->out.n == 0)
        free_buf(&c->out);
    if (c->out.n == 0 && c->state == CONN_ENDING)
        finish(c);
}

/* Answers
 * ------------------------------------------------------------------------------------------ */

static void out_init(struct conn *c, size_t more)
{
    if (!c->out.max)
        nk_buf_init(&c->out, more + ROOM);
}

static void put_head(struct conn *c, int status, struct nk_str type, int64_t size,
                     struct nk_str session)
{
    struct nk_http_header headers[3];
    struct nk_http_head h = {.status = status,
                             .headers = headers,
                             .content_length = size,
                             .chunked = size < 0,
                             .keep_alive = !c->close_after};
    if (type.p)
        nk_http_add(&h, NK_STR("content-type"), type);
    if (size < 0)
        nk_http_add(&h, NK_STR("cache-control"), NK_STR("no-store"));
    if (session.p)
        nk_http_add(&h, NK_STR("mcp-session-id"), session);
    if (nk_http_write_response(&h, &c->out))
        c->out.error = NK_EINVAL;
}

void conn_answer(struct conn *c, int status, struct nk_str body, struct nk_str session)
{
    out_init(c, body.n);
    nk_loop_disarm(c->runner->loop, &c->timer);
    c->close_after |= c->runner->draining;
    put_head(c, status, body.n ? json : (struct nk_str){NULL, 0}, (int64_t)body.n, session);
    nk_buf_add(&c->out, body);
    c->state = CONN_ENDING;
    c->session = NULL;
    flush(c);
}

void conn_refuse(struct conn *c, int status, const char *why)
{
    struct nk_buf b;
    nk_buf_init(&b, 4096);
    nk_mcp_put_error(&b, c->id, status >= 500 ? NK_MCP_FAILED : NK_MCP_INVALID_REQUEST, nk_str(why),
                     (struct nk_str){NULL, 0});
    if (c->streams) {
        conn_event(c, nk_buf_str(&b));
        conn_stream_end(c);
    } else {
        conn_answer(c, status, nk_buf_str(&b), (struct nk_str){NULL, 0});
    }
    nk_buf_free(&b);
}

/* Says that the stream lives; and begins that of a request whose answer takes long. */
static void alive(struct nk_timer *t)
{
    struct conn *c = NK_OF(t, struct conn, timer);
    if (!c->streams) {
        conn_stream_begin(c);
        return;
    }
    if (c->out.n == 0) {
        out_init(c, 0);
        nk_http_write_chunk(NK_STR(":\n\n"), &c->out);
        flush(c);
    }
    if (nk_loop_arm(c->runner->loop, t, ALIVE_US))
        is_gone(c);
}

void conn_stream_begin(struct conn *c)
{
    const struct session *s = c->session;
    bool is_new = !s->once && !s->answered;
    out_init(c, (size_t)s->server->process.message_bytes * 2);
    c->streams = true;
    put_head(c, 200, events, -1,
             is_new ? (struct nk_str){s->id, RUNNER_ID} : (struct nk_str){NULL, 0});
    if (nk_loop_arm(c->runner->loop, &c->timer, ALIVE_US))
        is_gone(c);
    flush(c);
}

void conn_event(struct conn *c, struct nk_str message)
{
    struct nk_str parts[] = {NK_STR("event: message\ndata: "), message, NK_STR("\n\n")};
    struct nk_buf b;
    if (!c->streams)
        conn_stream_begin(c);
    out_init(c, (size_t)c->session->server->process.message_bytes * 2);
    nk_buf_init(&b, message.n + 64);
    for (size_t i = 0; i < NK_COUNT(parts); i++)
        nk_buf_add(&b, parts[i]);
    if (b.error)
        is_gone(c);
    nk_http_write_chunk(nk_buf_str(&b), &c->out);
    nk_buf_free(&b);
    flush(c);
}

void conn_stream_end(struct conn *c)
{
    out_init(c, 0);
    nk_loop_disarm(c->runner->loop, &c->timer);
    nk_http_write_last_chunk(&c->out);
    c->close_after |= c->runner->draining;
    c->state = CONN_ENDING;
    c->session = NULL;
    flush(c);
}

/* Requests
 * ----------------------------------------------------------------------------------------- */

static void on_body(struct conn *c, struct nk_str piece)
{
    if (!c->body.max)
        nk_buf_init(&c->body, runner_body_max(c->runner, nk_http_parser_head(c->parser)) + 1);
    nk_buf_add(&c->body, piece);
    if (c->body.error) {
        c->close_after = true;
        conn_refuse(c, 413, "the message is larger than process.message_bytes");
    }
}

static void feed(struct conn *c, struct nk_str in)
{
    static const struct nk_http_limits limits = {HEAD_BYTES, HEADERS, body_most};
    struct nk_fault f = {0};
    while (c->state == CONN_READING && !c->gone) {
        enum nk_http_event event;
        if (!c->parser && in.n == 0)
            return;
        if (!c->parser)
            c->parser = nk_http_parser_new(&c->arena, true, &limits);
        if (!c->parser || nk_http_parse(c->parser, &in, &event, &f)) {
            is_gone(c); /* no courier of ours */
            return;
        }
        if (event == NK_HTTP_MORE)
            return;
        if (event == NK_HTTP_BODY)
            on_body(c, nk_http_parser_body(c->parser));
        if (event != NK_HTTP_END)
            continue;
        c->close_after |= !nk_http_parser_head(c->parser)->keep_alive;
        c->id = c->progress = (struct nk_str){NULL, 0};
        runner_route(c);
    }
    if (in.n)
        is_gone(c);
}

static void on_ready(struct nk_watch *w, uint32_t ready)
{
    struct conn *c = NK_OF(w, struct conn, watch);
    struct nk_fault f = {0};
    if (c->gone)
        return;
    if (ready & EPOLLOUT)
        flush(c);
    if (!(ready & (EPOLLIN | EPOLLHUP | EPOLLERR)) || c->gone)
        return;
    ssize_t n = nk_sock_read(&c->sock, c->runner->read, RUNNER_READ, &f);
    if (n == NK_EAGAIN)
        return;
    if (n <= 0 || c->state != CONN_READING)
        is_gone(c);
    else
        feed(c, (struct nk_str){c->runner->read, (size_t)n});
}

static bool is_ours(const struct runner *r, int fd)
{
    struct ucred who;
    socklen_t n = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == r->user;
}

void conn_accept(struct nk_watch *w, uint32_t ready)
{
    struct runner *r = NK_OF(w, struct runner, listener);
    (void)ready;
    if (r->conn_count >= CONNS_MAX) { /* until one is closed */
        (void)!nk_loop_watch(r->loop, w, 0);
        return;
    }
    int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct conn *c = fd >= 0 && is_ours(r, fd) ? calloc(1, sizeof *c) : NULL;
    if (!c || nk_sock_open(&c->sock, fd, NULL, NULL)) {
        if (fd >= 0)
            close(fd);
        free(c);
        return;
    }
    c->runner = r;
    c->watch = (struct nk_watch){.fd = fd, .ready = on_ready};
    c->timer.fire = alive;
    nk_arena_init(&c->arena, ARENA_MAX);
    c->next = r->conns;
    if (r->conns)
        r->conns->prev = c;
    r->conns = c;
    r->conn_count++;
    watch(c);
}
