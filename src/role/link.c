/* SPDX-License-Identifier: Apache-2.0
 *
 * link.c - connections to upstreams. An idle one stays watched: whatever comes on it, be it the end
 * or a byte that nobody asked for, ends it. Closing is immediate; the memory goes when the running
 * batch is over.
 *
 * Bytes that nobody asked for: the next call on that connection would take them for its answer, and leave
 * its own to the one behind it. They are seen on an idle connection; when they come just as it is used again,
 * nothing tells them from the answer. So an endpoint that was seen to do it gets a connection for each call
 * for a while.
 */
#include "role/courier.h"

#include <stdlib.h>
#include <unistd.h>
#include "edge/log.h"

enum { FRESH_US = 250000, DISTRUST_S = 600 };

static void on_ready(struct nk_watch *w, uint32_t events);
static void on_idle(struct nk_timer *t);

static void run_free(struct nk_later *l)
{
    free(NK_OF(l, struct link, later));
}

void link_offer(struct link *l)
{
    nk_sock_resume(&l->sock, &l->up->session);
    /* Without memory to offer it, HTTP/1.1 is what is offered. */
    if (l->mux && l->sock.ssl)
        (void)!nk_sock_offer_h2(&l->sock, l->up->http2 == MUX_ON);
}

static struct link *link_new(struct endpoint *up, int fd)
{
    struct courier *c = up->config->c;
    struct link *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    *l = (struct link){.c = c, .up = up, .epoch = up->epoch, .connecting = true};
    l->watch = (struct nk_watch){.fd = fd, .ready = on_ready};
    l->timer.fire = on_idle;
    l->later.run = run_free;
    bool tunnel = up->is_proxied && up->tls;
    l->mux = up->http2 ? calloc(1, sizeof *l->mux) : NULL;
    if ((up->http2 && !l->mux) ||
        nk_sock_open(&l->sock, fd, tunnel ? NULL : up->tls, up->server_name) ||
        (tunnel && !link_proxy_begin(l))) {
        free(l->mux);
        free(l);
        return NULL;
    }
    link_offer(l);
    up->config->refs++;
    nk_stats_add(&c->stats, NK_STAT_UPSTREAM_OPENED, 1);
    nk_stats_add(&c->stats, NK_STAT_UPSTREAM_CONNECTIONS, 1);
    return l;
}

struct link *link_connect(struct endpoint *up, const struct nk_address *to)
{
    int fd = egress_connect(&up->config->egress, &up->ask, to, &up->refusal);
    if (fd < 0)
        return NULL;
    struct link *l = link_new(up, fd);
    if (l)
        l->peer = *to;
    else
        close(fd);
    return l;
}

static void unpool(struct link *l)
{
    struct endpoint *up = l->up;
    if (l->next)
        l->next->prev = l->prev;
    if (l->prev)
        l->prev->next = l->next;
    else
        up->pool = l->next;
    l->next = l->prev = NULL;
    up->pool_count--;
}

void link_close(struct link *l)
{
    NK_MUST(!l->closed);
    l->closed = true;
    l->x = NULL;
    (void)!nk_loop_watch(l->c->loop, &l->watch, 0);
    nk_loop_disarm(l->c->loop, &l->timer);
    nk_sock_close(&l->sock);
    link_proxy_end(l);
    if (l->mux)
        mux_free(l);
    nk_stats_sub(&l->c->stats, NK_STAT_UPSTREAM_CONNECTIONS, 1);
    courier_config_drop(l->up->config);
    nk_loop_later(l->c->loop, &l->later);
}

static void close_idle(struct link *l)
{
    unpool(l);
    link_close(l);
}

size_t link_close_pool(struct endpoint *up)
{
    size_t n = mux_close_idle(up, false);
    for (; up->pool; n++)
        close_idle(up->pool);
    return n;
}

bool link_is_current(struct link *l)
{
    const struct nk_addresses *now = &l->up->addresses;
    if (l->epoch == l->up->epoch)
        return true;
    for (size_t i = 0; i < now->count; i++)
        if (nk_address_eq(&now->at[i], &l->peer)) {
            l->epoch = l->up->epoch;
            return true;
        }
    return false;
}

void link_close_departed(struct endpoint *up)
{
    (void)mux_close_idle(up, true);
    for (struct link *l = up->pool, *next; l; l = next) {
        next = l->next;
        if (!link_is_current(l))
            close_idle(l);
    }
}

/* The timer of a pooled link stays as it is while the link is used and kept again: it may come too
 * early, and then looks when the time is over. */
static void on_idle(struct nk_timer *t)
{
    struct link *l = NK_OF(t, struct link, timer);
    int64_t left = l->keep_until - nk_loop_now(l->c->loop);
    if (l->mux)
        mux_tick(l);
    else if (!l->x && (left <= 0 || nk_loop_arm(l->c->loop, t, left)))
        close_idle(l);
}

/* The link is idle for so long at most; false: no memory. */
static bool keep_for(struct link *l, int64_t keep_us)
{
    int64_t now = nk_loop_now(l->c->loop);
    l->kept_us = now;
    l->keep_until = now + keep_us;
    bool armed = l->timer.due_us && l->timer.due_us <= l->keep_until;
    return armed || nk_loop_arm(l->c->loop, &l->timer, keep_us) == 0;
}

void link_distrust(struct endpoint *up)
{
    int64_t now = nk_loop_now(up->config->c->loop);
    if (now >= up->trusted_at)
        nk_log(
            NK_LOG_WARNING, "upstream.unasked",
            "%.*s sent what nobody had asked for; for %d minutes none of its connections is used "
            "twice",
            NK_FMT(up->origin.host_header), DISTRUST_S / 60);
    up->trusted_at = now + DISTRUST_S * INT64_C(1000000);
}

/* A 408 (Request Timeout) is what some servers say before they close a connection that was idle. */
static bool is_farewell(struct nk_str s)
{
    return nk_str_starts(s, NK_STR("HTTP/1.")) && nk_str_eq(nk_str_sub(s, 8, 12), NK_STR(" 408"));
}

/* Is an idle connection still one? Under TLS the server may have sent a session ticket. */
static bool is_alive(struct link *l)
{
    char bytes[16];
    struct nk_fault f = {0};
    l->unread = false;
    ssize_t n = nk_sock_read(&l->sock, bytes, sizeof bytes, &f);
    if (n > 0 && !is_farewell((struct nk_str){bytes, (size_t)n}))
        link_distrust(l->up);
    return n == NK_EAGAIN && !l->sock.want_write;
}

static void on_ready(struct nk_watch *w, uint32_t events)
{
    struct link *l = NK_OF(w, struct link, watch);
    if (l->tunnel && !link_proxy_ready(l, events))
        return;
    if (l->mux)
        mux_ready(l, events);
    else if (l->x)
        exchange_ready(l, events);
    else if (!is_alive(l))
        close_idle(l);
}

struct link *link_take(struct endpoint *up)
{
    while (up->pool) {
        struct link *l = up->pool;
        unpool(l);
        /* The end may have come in this very batch; but servers end what has been idle for long, so a
         * link that was used a moment ago is not worth a system call. */
        int64_t now = nk_loop_now(l->c->loop);
        bool fresh = !l->unread && now - l->kept_us < FRESH_US;
        if (now >= up->trusted_at && (fresh || is_alive(l))) {
            l->reused = true;
            return l;
        }
        link_close(l);
    }
    return NULL;
}

void link_keep(struct link *l, int64_t keep_us)
{
    struct endpoint *up = l->up;
    l->x = NULL;
    if (up->config != up->config->c->current || up->pool_count >= up->pool_max || keep_us <= 0 ||
        nk_loop_now(l->c->loop) < up->trusted_at || !link_is_current(l) || !keep_for(l, keep_us)) {
        link_close(l);
        return;
    }
    l->prev = NULL;
    l->next = up->pool;
    if (up->pool)
        up->pool->prev = l;
    up->pool = l;
    up->pool_count++;
    link_watch(l);
}

bool link_is_connecting(const struct link *l)
{
    return l->connecting && !(l->tunnel && link_proxy_is_asked(l));
}

/* Asks epoll for what the link can go on with, and for nothing else: a paused link is not watched
 * at all, since the end of a connection is reported whether asked for or not. A plain one is told of
 * each arrival once (an edge): that spares the kernel a look at it after each answer. What a reader
 * may have left there is for link_look_again. */
void link_watch(struct link *l)
{
    const struct exchange *x = l->x;
    uint32_t events = l->mux ? mux_events(l) : EPOLLIN;
    if (x) {
        bool unsent = x->sent < x->out.n;
        bool write = link_is_connecting(l) || l->sock.want_write || (unsent && !l->needs_read);
        events = (x->paused ? 0 : (uint32_t)EPOLLIN) | (write ? (uint32_t)EPOLLOUT : 0);
    }
    if (events && !l->mux && !l->up->tls)
        events |= EPOLLET | EPOLLRDHUP;
    if (nk_loop_watch(l->c->loop, &l->watch, events) && x)
        exchange_fail(l->x, NK_WIRE_FAIL_BUSY, "cannot watch a connection");
}

void link_look_again(struct link *l)
{
    if (!(l->watch.events & EPOLLET) || !l->unread ||
        nk_loop_watch_anew(l->c->loop, &l->watch) == 0)
        return;
    if (l->x)
        exchange_fail(l->x, NK_WIRE_FAIL_BUSY, "cannot watch a connection");
    else
        close_idle(l);
}
