/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_conn.c - a client's connection as a socket: accept, readiness, close. What its bytes mean is
 * its framing's (gate_h1.c, gate_h2.c). All sockets are watched edge-triggered once and for all, so a request
 * costs no epoll_ctl; `readable` and `writable` remember what the last edge said.
 */
#include "role/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum {
    ACCEPT_BATCH = 64,
    ACCEPT_AGAIN_US = 100000,
    DRAIN_IDLE_MS = 1500,
    OPERATORS = 16, /* connections beyond the limit for those who ask how it is */
};

static void conn_later(struct nk_later *l)
{
    free(NK_OF(l, struct gate_conn, later));
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
    if (c->shaking)
        return; /* gate_shake_go will */
    c->later = (struct nk_later){.run = conn_later};
    nk_loop_later(c->gate->loop, &c->later);
}

void gate_conn_close(struct gate_conn *c)
{
    struct gate *g = c->gate;
    if (c->stream.state == STREAM_DEAD)
        return;
    c->framing->close(c);
    int rc = nk_loop_watch(g->loop, &c->watch, 0);
    NK_MUST(rc == 0);
    nk_sock_close(&c->sock);
    unlink_conn(c);
    gate_stream_bury(&c->stream);
    listen_again(g);
    if (g->draining && g->conn_count == 0)
        nk_loop_stop(g->loop, 0);
}

/* While we leave, a client that is between requests gets a moment: it may have sent the next one. */
int64_t gate_conn_patience(const struct gate *g)
{
    int64_t idle = g->setup->config.limits.idle_timeout;
    return g->draining && idle > DRAIN_IDLE_MS ? DRAIN_IDLE_MS : idle;
}

static void on_ready(struct nk_watch *w, uint32_t events)
{
    struct gate_conn *c = NK_OF(w, struct gate_conn, watch);
    if (c->stream.state == STREAM_DEAD)
        return;
    if (events & EPOLLOUT)
        c->writable = true;
    if (events & EPOLLIN || (events & EPOLLOUT && c->sock.want_write))
        c->readable = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        c->gone = true;
        c->readable = true;
    }
    if (events & EPOLLOUT && c->stream.out.n)
        gate_mark_dirty(&c->stream);
    if (!gate_shake_waits(c))
        c->framing->run(c);
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
    c->framing = &gate_h1;
    c->admin = l->admin;
    c->fresh = l->http2;
    c->writable = true;
    c->watch = (struct nk_watch){.fd = fd, .ready = on_ready};
    gate_stream_init(&c->stream, c);
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
static void stop_listening(struct gate *g, bool for_operators)
{
    g->accepting_stopped = true;
    for (size_t i = 0; i < g->listener_count; i++)
        if ((for_operators || !g->listeners[i].admin) &&
            nk_loop_watch(g->loop, &g->listeners[i].watch, 0))
            return;
}

/* Clients that take all connections must not hide the gate from its operators. */
static bool is_full(struct gate *g, const struct gate_listener *l)
{
    int64_t most = g->setup->config.limits.connections + (l->admin ? OPERATORS : 0);
    if ((int64_t)g->conn_count < most)
        return false;
    nk_stats_add(&g->stats, NK_STAT_CONNECTIONS_REFUSED, 1);
    stop_listening(g, l->admin);
    return true;
}

/* Nothing is free in the system. For a moment: there may be no connection that will close. */
static void rest_from_listening(struct gate *g)
{
    stop_listening(g, true);
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
        if (is_full(g, l))
            return;
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
            gate_stream_deadline(&c->stream, l->tls ? g->setup->config.limits.handshake_timeout
                                                    : g->setup->config.limits.header_timeout);
    }
}
