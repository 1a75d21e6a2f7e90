/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_conn.c - a client's connection: accept, read, cut into requests, feed the transaction,
 * close. All sockets are watched edge-triggered once and for all, so a request costs no epoll_ctl;
 * `readable` and `writable` remember what the last edge said. Deadlines are lazy: a state change
 * only writes `deadline_us`, the timer moves itself when it fires too early.
 */
#include "role/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum {
    ACCEPT_BATCH = 64,
    ACCEPT_AGAIN_US = 100000,
    REST_MAX = GATE_READ_SIZE,
    SPARE_MAX = 64,
    REQUEST_BLOCK = 16 << 10
};

static struct nk_event event_of(struct gate_conn *c, enum nk_event_type type)
{
    return (struct nk_event){.type = type, .unix_ms = nk_loop_unix_ms(c->gate->loop)};
}

static void step(struct gate_conn *c, const struct nk_event *e)
{
    gate_effects(c, nk_gate_step(c->req->txn, e));
}

static void conn_later(struct nk_later *l)
{
    free(NK_OF(l, struct gate_conn, later));
}

/* A few requests are kept with one block of their arena: most requests need no more than that. */
static void request_give_back(struct gate *g, struct gate_request *r)
{
    if (g->spare_count >= SPARE_MAX) {
        nk_arena_free(&r->arena);
        free(r);
        return;
    }
    nk_arena_reset(&r->arena);
    r->next_spare = g->spare;
    g->spare = r;
    g->spare_count++;
}

static struct gate_request *request_take(struct gate *g, size_t ceiling)
{
    struct gate_request *r = g->spare;
    if (!r) {
        r = calloc(1, sizeof *r);
        if (r)
            nk_arena_init_sized(&r->arena, ceiling, REQUEST_BLOCK);
        return r;
    }
    g->spare = r->next_spare;
    g->spare_count--;
    *r = (struct gate_request){.arena = r->arena};
    r->arena.ceiling = ceiling;
    return r;
}

void gate_request_done(struct gate_conn *c)
{
    struct gate_request *r = c->req;
    if (!r)
        return;
    c->req = NULL;
    gate_call_forget(c);
    if (r->txn) {
        c->gate->in_flight--;
        nk_stats_sub(&c->gate->stats, NK_STAT_REQUESTS_IN_FLIGHT, 1);
        nk_txn_free(r->txn);
    }
    request_give_back(c->gate, r);
}

static void unlink_conn(struct gate_conn *c)
{
    struct gate *g = c->gate;
    if (c->prev)
        c->prev->next = c->next;
    else
        g->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    g->conn_count--;
    nk_stats_set(&g->stats, NK_STAT_CONNECTIONS, g->conn_count);
}

/* Listeners rest while all connections that the configuration allows are taken. */
static void listen_again(struct gate *g)
{
    if (!g->accepting_stopped || g->draining)
        return;
    g->accepting_stopped = false;
    for (size_t i = 0; i < g->listener_count; i++)
        if (nk_loop_watch(g->loop, &g->listeners[i].watch, EPOLLIN))
            g->accepting_stopped = true;
}

void gate_conn_bury(struct gate_conn *c)
{
    if (!c->dirty && !c->blocked && !c->paused)
        nk_loop_later(c->gate->loop, &c->later);
}

void gate_conn_close(struct gate_conn *c)
{
    struct gate *g = c->gate;
    if (c->state == CONN_DEAD)
        return;
    if (c->req && c->req->txn && !c->answered) {
        struct nk_event e = event_of(c, NK_EV_CLIENT_GONE);
        step(c, &e);
    }
    c->state = CONN_DEAD;
    /* Records that still wait keep the request: see gate_unblock_all. */
    if (c->req && !c->req->record_count)
        gate_request_done(c);
    nk_loop_disarm(g->loop, &c->timer);
    int rc = nk_loop_watch(g->loop, &c->watch, 0);
    NK_MUST(rc == 0);
    nk_sock_close(&c->sock);
    nk_buf_free(&c->out);
    nk_buf_free(&c->rest);
    unlink_conn(c);
    gate_conn_bury(c);
    listen_again(g);
    if (g->draining && g->conn_count == 0)
        nk_loop_stop(g->loop, 0);
}

void gate_conn_deadline(struct gate_conn *c, int64_t after_ms)
{
    c->deadline_us = after_ms ? nk_loop_now(c->gate->loop) + after_ms * 1000 : 0;
    if (c->deadline_us && (c->timer.due_us == 0 || c->timer.due_us > c->deadline_us) &&
        nk_loop_arm(c->gate->loop, &c->timer, after_ms * 1000)) {
        c->out.error = NK_ENOMEM; /* closed when it is flushed: the caller still works on it */
        gate_mark_dirty(c);
    }
}

/* The framing or a limit refused the client: an answer, and no further request on this connection.
 */
static void refuse_bytes(struct gate_conn *c, int code, const char *why)
{
    struct nk_event e = event_of(c, NK_EV_BAD_REQUEST);
    e.fail = code;
    e.bytes = nk_str(why);
    c->req->close_after = true;
    if (c->req->txn)
        step(c, &e);
    else
        gate_conn_close(c);
}

static void on_deadline(struct nk_timer *timer)
{
    struct gate_conn *c = NK_OF(timer, struct gate_conn, timer);
    struct gate *g = c->gate;
    int64_t now = nk_loop_now(g->loop);
    if (c->deadline_us == 0)
        return;
    if (c->deadline_us > now) {
        if (nk_loop_arm(g->loop, &c->timer, c->deadline_us - now))
            gate_conn_close(c);
        return;
    }
    if (c->state != CONN_IDLE && c->state != CONN_LINGER)
        nk_stats_add(&g->stats, NK_STAT_CLIENT_TIMEOUTS, 1);
    if (c->state == CONN_HEAD || c->state == CONN_BODY) {
        gate_conn_deadline(c, g->setup->config.limits.write_timeout);
        refuse_bytes(c, NK_EEXPIRED,
                     c->state == CONN_HEAD ? "See limits.header_timeout."
                                           : "See limits.body_timeout.");
        return;
    }
    if (c->state == CONN_BUSY && c->req && c->req->slot != GATE_NO_SLOT && c->out.n == 0)
        gate_call_timeout(c);
    else
        gate_conn_close(c);
}

/* Enough for the copies and tapes of one request and one answer of the configured sizes. */
static size_t arena_ceiling(const struct nk_config_limits *lim)
{
    return (size_t)((4 << 20) + 2 * lim->body_bytes + 64 * lim->json_values + 4 * lim->head_bytes);
}

static int request_new(struct gate_conn *c)
{
    struct gate *g = c->gate;
    const struct nk_config_limits *lim = &g->setup->config.limits;
    struct nk_http_limits http = {.max_head_bytes = (uint32_t)lim->head_bytes,
                                  .max_headers = (uint32_t)lim->headers,
                                  .max_body_bytes = INT64_MAX}; /* the core's to refuse */
    struct gate_request *r = request_take(g, arena_ceiling(lim));
    if (!r)
        return NK_ENOMEM;
    r->slot = GATE_NO_SLOT;
    r->started_us = nk_loop_now(g->loop);
    r->parser = nk_http_parser_new(&r->arena, true, &http);
    if (r->parser && !c->admin) {
        struct nk_gate_env env = {.instance = g->start->instance,
                                  .number = g->requests++,
                                  .in_flight = g->in_flight,
                                  .audit_full = gate_audit_full(g)};
        gate_telemetry_begin(g, &env);
        r->txn = nk_txn_new(&r->arena, g->setup, &env);
    }
    if (!r->parser || (!c->admin && !r->txn)) {
        request_give_back(g, r);
        return NK_ENOMEM;
    }
    c->req = r;
    c->state = CONN_HEAD;
    if (r->txn) {
        g->in_flight++;
        nk_stats_add(&g->stats, NK_STAT_REQUESTS_IN_FLIGHT, 1);
    }
    gate_conn_deadline(c, lim->header_timeout);
    return 0;
}

static void on_head(struct gate_conn *c)
{
    const struct nk_http_head *head = nk_http_parser_head(c->req->parser);
    c->req->close_after |= !head->keep_alive || c->gate->draining;
    if (c->admin) {
        gate_admin_answer(c, head);
        return;
    }
    c->state = CONN_BODY;
    gate_conn_deadline(c, c->gate->setup->config.limits.body_timeout);
    struct nk_event e = event_of(c, NK_EV_REQUEST);
    e.head = head;
    step(c, &e);
    if (c->state == CONN_BODY && head->expect_continue) {
        nk_buf_add(&c->out, NK_STR("HTTP/1.1 100 Continue\r\n\r\n"));
        gate_mark_dirty(c);
    }
}

static void on_body(struct gate_conn *c)
{
    struct nk_event e = event_of(c, NK_EV_BODY);
    e.bytes = nk_http_parser_body(c->req->parser);
    step(c, &e);
}

static void on_end(struct gate_conn *c)
{
    struct nk_event e = event_of(c, NK_EV_REQUEST_END);
    c->req->body_complete = true;
    c->req->decided_us = nk_loop_now(c->gate->loop);
    c->state = CONN_BUSY;
    gate_conn_deadline(c, 0);
    gate_telemetry_judging(c);
    step(c, &e);
}

/* Takes bytes of one request; what lies behind it stays in *in. */
static void feed(struct gate_conn *c, struct nk_str *in)
{
    struct nk_fault f = {0};
    while (c->state == CONN_HEAD || c->state == CONN_BODY) {
        enum nk_http_event event;
        int rc = nk_http_parse(c->req->parser, in, &event, &f);
        if (rc) {
            refuse_bytes(c, rc, f.message);
            return;
        }
        if (event == NK_HTTP_MORE)
            return;
        if (event == NK_HTTP_HEAD)
            on_head(c);
        else if (event == NK_HTTP_BODY)
            on_body(c);
        else
            on_end(c);
    }
}

static void take(struct gate_conn *c, struct nk_str in)
{
    nk_stats_add(&c->gate->stats, NK_STAT_BYTES_IN, in.n);
    while (in.n && c->state <= CONN_BODY) {
        if (c->state == CONN_IDLE && request_new(c)) {
            gate_conn_close(c);
            return;
        }
        feed(c, &in);
    }
    /* Bytes behind a complete request wait their turn, even when its answer is complete already;
     * behind one that ends the connection nobody will read them. */
    bool ends = c->req ? !c->req->body_complete : c->close_after_flush;
    if (in.n && c->state == CONN_BUSY && !ends) {
        nk_buf_init(&c->rest, REST_MAX);
        nk_buf_add(&c->rest, in);
        if (c->rest.error)
            gate_conn_close(c);
    }
}

/* Bytes that wait behind the last request, or from the socket: > 0, 0 at the end, or NK_EAGAIN ….
 */
static ssize_t more_input(struct gate_conn *c, struct nk_fault *f)
{
    char *buffer = c->gate->read_buffer;
    if (c->rest.n) {
        size_t n = c->rest.n;
        memcpy(buffer, c->rest.p, n);
        nk_buf_free(&c->rest);
        return (ssize_t)n;
    }
    if (!c->readable && !nk_sock_has_buffered(&c->sock))
        return NK_EAGAIN;
    ssize_t n = nk_sock_read(&c->sock, buffer, GATE_READ_SIZE, f);
    /* A short read has emptied the socket; the next bytes bring a new edge. */
    if (n == NK_EAGAIN || (n > 0 && n < GATE_READ_SIZE && !c->sock.ssl))
        c->readable = false;
    return n;
}

void gate_conn_run(struct gate_conn *c)
{
    struct nk_fault f = {0};
    while (c->state <= CONN_BODY || c->state == CONN_LINGER) {
        if (gate_pause(c))
            break;
        ssize_t n = more_input(c, &f);
        if (n == NK_EAGAIN)
            break;
        if (n <= 0) {
            gate_conn_close(c);
            return;
        }
        if (c->state != CONN_LINGER)
            take(c, (struct nk_str){c->gate->read_buffer, (size_t)n});
    }
    if (c->gone)
        gate_conn_close(c);
}

static void on_ready(struct nk_watch *w, uint32_t events)
{
    struct gate_conn *c = NK_OF(w, struct gate_conn, watch);
    if (c->state == CONN_DEAD)
        return;
    if (events & EPOLLOUT)
        c->writable = true;
    if (events & EPOLLIN || (events & EPOLLOUT && c->sock.want_write))
        c->readable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        c->gone = true;
        c->readable = true;
    }
    if (events & EPOLLOUT && c->out.n)
        gate_mark_dirty(c);
    gate_conn_run(c);
}

static struct gate_conn *conn_new(struct gate *g, int fd, const struct gate_listener *l)
{
    struct gate_conn *c = calloc(1, sizeof *c);
    if (!c || nk_sock_open(&c->sock, fd, l->tls, NULL)) {
        close(fd);
        free(c);
        return NULL;
    }
    c->gate = g;
    c->admin = l->admin;
    c->writable = true;
    c->watch = (struct nk_watch){.fd = fd, .ready = on_ready};
    c->timer.fire = on_deadline;
    c->later.run = conn_later;
    const struct nk_config_limits *lim = &g->setup->config.limits;
    nk_buf_init(&c->out, (size_t)(2 * lim->reply_bytes + lim->stream_window + lim->head_bytes));
    c->next = g->conns;
    if (g->conns)
        g->conns->prev = c;
    g->conns = c;
    g->conn_count++;
    return c;
}

static void accept_again(struct nk_timer *t)
{
    listen_again(NK_OF(t, struct gate, accept_timer));
}

/* Until a connection closes. */
static void stop_listening(struct gate *g)
{
    g->accepting_stopped = true;
    for (size_t i = 0; i < g->listener_count; i++)
        if (nk_loop_watch(g->loop, &g->listeners[i].watch, 0))
            return;
}

/* Nothing is free in the system. For a moment: there may be no connection that will close. */
static void rest_from_listening(struct gate *g)
{
    stop_listening(g);
    g->accept_timer.fire = accept_again;
    if (nk_loop_arm(g->loop, &g->accept_timer, ACCEPT_AGAIN_US))
        nk_loop_stop(g->loop, 1);
}

void gate_conn_accept(struct nk_watch *w, uint32_t events)
{
    struct gate_listener *l = NK_OF(w, struct gate_listener, watch);
    struct gate *g = l->gate;
    (void)events;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        if ((int64_t)g->conn_count >= g->setup->config.limits.connections) {
            nk_stats_add(&g->stats, NK_STAT_CONNECTIONS_REFUSED, 1);
            stop_listening(g);
            return;
        }
        int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                rest_from_listening(g);
            return;
        }
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct gate_conn *c = conn_new(g, fd, l);
        if (!c)
            return;
        nk_stats_add(&g->stats, NK_STAT_CONNECTIONS_ACCEPTED, 1);
        nk_stats_set(&g->stats, NK_STAT_CONNECTIONS, g->conn_count);
        if (nk_loop_watch(g->loop, &c->watch, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET))
            gate_conn_close(c);
        else
            gate_conn_deadline(c, g->setup->config.limits.header_timeout);
    }
}
