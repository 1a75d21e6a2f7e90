/* SPDX-License-Identifier: Apache-2.0
 *
 * mux.c - exchanges over HTTP/2 (RFC 9113). nk_h2 has the protocol; here are its link and its riders.
 *
 * Flow control is the credit of the gate: the peer's window of a stream is never larger than what the
 * ring takes for it, and it is opened again only as the gate grants more. So a slow client stops its own
 * stream, whose window runs dry, and no other. When the ring itself is full nothing is read from the
 * link at all, so no more than one read waits here.
 *
 * What nk_h2 tells during a feed is only noted; it goes on when the feed is over, all of one exchange
 * as one piece. A stream that the server refused (REFUSED_STREAM, or above the last one of a GOAWAY)
 * was not acted on (RFC 9113, section 8.7): it is asked again once, then elsewhere. A reset, or the
 * end of the connection, is a failure as over HTTP/1.1. An exchange that ends early resets its
 * stream; the link stays.
 */
#include "role/courier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    RIDERS_MAX = 100,
    WINDOW = NK_WIRE_FIRST_CREDIT,
    OUT_MAX = 1 << 20,
    OUT_PIECE = 65536,
    MEMORY_MAX = 4 << 20, /* HPACK tables and a hundred streams */
};
static const int64_t keep_us = 30000000, tick_us = 15000000;

static void settle(struct link *l);
static void tend(struct link *l);

static void touch(struct exchange *x)
{
    struct mux *m = x->link->mux;
    if (x->ride.touched)
        return;
    x->ride.touched = true;
    x->ride.next_touched = m->touched;
    m->touched = x;
}

/* What nk_h2 tells ------------------------------------------------------------------------------ */

static int no_request(void *owner, uint32_t stream, struct nk_arena **arena, void **call)
{
    (void)owner, (void)stream, (void)arena, (void)call;
    return NK_EUNSUPPORTED;
}

static void on_head(void *owner, void *call, uint32_t stream, const struct nk_http_head *head)
{
    struct exchange *x = call;
    (void)owner, (void)stream;
    x->ride.head = *head;
    x->ride.has_head = true;
    x->answered = true;
    touch(x);
}

static void on_body(void *owner, void *call, uint32_t stream, struct nk_str bytes)
{
    struct exchange *x = call;
    struct ride *r = &x->ride;
    (void)owner;
    r->seen += bytes.n;
    r->unused += bytes.n;
    nk_buf_add(&r->held, bytes);
    if (r->held.error || r->seen > x->max_body) {
        nk_h2_reset(x->link->mux->h2, stream, NK_H2_CANCEL);
        r->stream = 0;
        r->why = r->held.error ? "no memory for the answer" : "the answer is too large";
    }
    touch(x);
}

static void on_end(void *owner, void *call, uint32_t stream)
{
    struct exchange *x = call;
    (void)owner, (void)stream;
    x->ride.end = true;
    touch(x);
}

/* The text of a handler lives as long as its call. */
static const char *keep(struct exchange *x, const char *why)
{
    struct nk_str copy = nk_arena_copy(&x->arena, nk_str(why));
    return copy.p ? copy.p : "the stream failed";
}

static void on_refused(void *owner, void *call, uint32_t stream, int error, const char *why)
{
    struct exchange *x = call;
    (void)owner, (void)error;
    nk_h2_reset(x->link->mux->h2, stream, NK_H2_PROTOCOL_ERROR);
    x->ride.stream = 0;
    x->ride.why = keep(x, why);
    x->ride.code = NK_H2_PROTOCOL_ERROR;
    touch(x);
}

static ptrdiff_t on_take(void *owner, void *call, uint32_t stream, char *p, size_t max, bool *end)
{
    struct exchange *x = call;
    size_t left = x->out.n - x->sent, n = left < max ? left : max;
    (void)owner, (void)stream;
    if (n)
        memcpy(p, x->out.p + x->sent, n);
    x->sent += n;
    *end = x->complete && x->sent == x->out.n;
    if (n || *end)
        exchange_sent(x);
    return (ptrdiff_t)n;
}

static void on_gone(void *owner, void *call, uint32_t stream, enum nk_h2_code code, const char *why)
{
    struct exchange *x = call;
    (void)owner, (void)stream;
    x->ride.stream = 0;
    if (x->ride.end)
        return;
    x->ride.why = keep(x, why);
    x->ride.code = code;
    touch(x);
}

static const struct nk_h2_handler handler = {no_request, on_head, on_body, on_end,
                                             on_refused, on_take, on_gone};

/* Riders --------------------------------------------------------------------------------------- */

static void unwait(struct mux *m, struct ride *r)
{
    if (r->waits)
        m->waiting--;
    r->waits = false;
}

/* Takes it out of the lists; nothing is said to the peer. */
static void unseat(struct exchange *x)
{
    struct mux *m = x->link->mux;
    struct ride *r = &x->ride;
    unwait(m, r);
    *r->at = r->next;
    if (r->next)
        r->next->ride.at = r->at;
    for (struct exchange **at = &m->touched; *at; at = &(*at)->ride.next_touched)
        if (*at == x) {
            *at = r->next_touched;
            break;
        }
    r->touched = false;
    m->rider_count--;
    x->link = NULL;
}

static void seat(struct link *l, struct exchange *x)
{
    struct mux *m = l->mux;
    struct ride *r = &x->ride;
    nk_buf_free(&r->held);
    *r = (struct ride){.next = m->riders,
                       .at = &m->riders,
                       .since_us = nk_loop_now(l->c->loop),
                       .reused = l->established};
    nk_buf_init(&r->held, WINDOW + COURIER_READ);
    if (r->next)
        r->next->ride.at = &r->next;
    m->riders = x;
    m->rider_count++;
    x->link = l;
}

void mux_forget(struct exchange *x)
{
    if (!x->ride.since_us)
        return;
    nk_buf_free(&x->ride.held);
    x->ride = (struct ride){0};
}

static void unlist(struct link *l)
{
    struct endpoint *up = l->up;
    if (l->next)
        l->next->prev = l->prev;
    if (l->prev)
        l->prev->next = l->next;
    else if (up->muxes == l)
        up->muxes = l->next;
    l->next = l->prev = NULL;
}

static void end(struct link *l)
{
    unlist(l);
    link_close(l);
}

void mux_free(struct link *l)
{
    nk_h2_free(l->mux->h2);
    nk_buf_free(&l->mux->out);
    free(l->mux);
    l->mux = NULL;
}

/* Nobody rides: the link waits for the next one, or ends. */
static void idle(struct link *l)
{
    const struct mux *m = l->mux;
    bool keep = m->h2 && nk_h2_may_request(m->h2) && !m->leaving && link_is_current(l) &&
                l->up->config == l->c->current && l->up->pool_max;
    l->kept_us = nk_loop_now(l->c->loop);
    if (!keep)
        end(l);
}

void mux_leave(struct exchange *x)
{
    struct link *l = x->link;
    struct mux *m = l->mux;
    uint32_t stream = x->ride.stream;
    /* It waited in vain, and nothing was heard at all meanwhile: the link may be dead. */
    if (!x->ride.has_head && m->heard_us <= x->ride.since_us &&
        nk_loop_now(l->c->loop) >= x->deadline)
        m->leaving = true;
    unseat(x);
    x->ride.stream = 0;
    if (m->h2 && stream)
        nk_h2_reset(m->h2, stream, NK_H2_CANCEL);
    tend(l);
}

/* Asks for the exchange on the link. False: the link takes no more. */
static bool submit(struct link *l, struct exchange *x)
{
    struct mux *m = l->mux;
    struct nk_http_head head;
    int rc = x->kind->head(x, &head);
    bool has_body = !rc && head.content_length > 0;
    if (!rc)
        rc = nk_h2_request(m->h2, l->up->origin.tls ? "https" : "http", &head, has_body, &x->arena,
                           x, &x->ride.stream);
    if (rc == NK_EFULL)
        return false;
    if (rc)
        exchange_fail(x, rc == NK_EINVAL ? NK_WIRE_FAIL_PROTOCOL : NK_WIRE_FAIL_BUSY,
                      rc == NK_EINVAL ? "a call that cannot be sent" : "no memory for the request");
    else if (!has_body)
        exchange_sent(x);
    return true;
}

/* Could one more ride on it? */
static bool has_room(struct link *l)
{
    const struct mux *m = l->mux;
    return !m->leaving && m->rider_count < RIDERS_MAX && (!m->h2 || nk_h2_may_request(m->h2)) &&
           link_is_current(l);
}

bool mux_board(struct exchange *x)
{
    struct link *l = x->up->muxes;
    while (l && !has_room(l))
        l = l->next;
    if (!l)
        return false;
    struct mux *m = l->mux;
    bool busy = m->busy, taken = true;
    m->busy = true;
    seat(l, x);
    if (m->h2)
        taken = submit(l, x);
    if (!taken) {
        m->leaving = true;
        unseat(x);
    }
    m->busy = busy;
    tend(l);
    return taken;
}

void mux_begin(struct link *l, struct exchange *x)
{
    struct endpoint *up = l->up;
    nk_buf_init(&l->mux->out, OUT_MAX);
    l->mux->code = NK_WIRE_FAIL_PROTOCOL;
    l->next = up->muxes;
    if (up->muxes)
        up->muxes->prev = l;
    up->muxes = l;
    seat(l, x);
    /* Without memory for a timer: the riders' own times have to do. */
    (void)!nk_loop_arm(l->c->loop, &l->timer, tick_us);
}

/* What came goes on ---------------------------------------------------------------------------- */

/* Opens the peer's window again, as far as what it may send then will be taken. */
static void grant(struct exchange *x, size_t credit)
{
    struct ride *r = &x->ride;
    size_t keep = credit < WINDOW ? WINDOW - credit : 0;
    if (!x->link || !r->stream || r->unused <= keep)
        return;
    nk_h2_consumed(x->link->mux->h2, r->stream, r->unused - keep);
    r->unused = keep;
}

static bool has_news(const struct exchange *x)
{
    const struct ride *r = &x->ride;
    return r->has_head && (!x->begun || r->held.n || r->end);
}

static void wait_for_room(struct exchange *x)
{
    struct ride *r = &x->ride;
    x->paused = true;
    if (!x->link)
        return;
    if (r->end) {
        mux_leave(x); /* the answer is whole: it needs its link no more */
    } else if (!r->waits) {
        r->waits = true;
        x->link->mux->waiting++;
    }
}

/* Says the next piece of what came. False: the exchange is over, or has to wait. */
static bool say_piece(struct exchange *x)
{
    struct ride *r = &x->ride;
    size_t most = x->kind->allow(x);
    if (!most && !x->over)
        wait_for_room(x);
    if (!most || x->over)
        return false;
    size_t n = r->held.n < most ? r->held.n : most;
    n = n < COURIER_READ ? n : COURIER_READ;
    bool first = !x->begun, end = r->end && n == r->held.n;
    if (first)
        exchange_begun(x);
    if (end && x->link)
        mux_leave(x);
    x->kind->answer(x, first ? &r->head : NULL, nk_str_sub(nk_buf_str(&r->held), 0, n), end);
    if (x->over)
        return false;
    if (end) {
        exchange_finish(x);
        return false;
    }
    nk_buf_drop(&r->held, n);
    grant(x, most - n);
    return true;
}

/* All that came for one exchange. It may be over then, or be tried elsewhere. */
static void deliver(struct exchange *x)
{
    struct ride *r = &x->ride;
    if (r->has_head && !r->judged) {
        r->judged = true;
        if (attempt_judge(x, &r->head))
            return;
    }
    while (has_news(x))
        if (!say_piece(x))
            return;
    x->paused = false;
    if (x->link)
        unwait(x->link->mux, r);
    if (x->begun)
        exchange_heard(x);
}

/* The stream ended before the answer did. */
static void fail_ride(struct exchange *x)
{
    const struct ride *r = &x->ride;
    const struct link *l = x->link;
    bool refused = r->code == NK_H2_REFUSED_STREAM;
    bool again = !x->begun && !x->resent &&
                 (refused || (r->reused && !x->answered && (!x->delivered || x->safe)));
    enum handed had = refused || !l->established    ? HANDED_NOTHING
                      : x->delivered || x->answered ? HANDED_WHOLE
                                                    : HANDED_PART;
    bool unconnected = !l->established && x->address + 1 < x->up->addresses.count;
    int code = l->mux->code;
    const char *why = r->why;
    mux_leave(x);
    if (unconnected)
        exchange_next_address(x);
    else if (again)
        exchange_resend(x);
    else
        attempt_fail(x, had, code, why);
}

/* Everybody to whom something happened; no memory of theirs is freed before the batch is over. */
static void settle(struct link *l)
{
    struct mux *m = l->mux;
    struct exchange *x;
    while ((x = m->touched) != NULL) {
        m->touched = x->ride.next_touched;
        x->ride.touched = false;
        deliver(x);
        if (!x->over && x->link == l && x->ride.why)
            fail_ride(x);
    }
}

/* The link --------------------------------------------------------------------------------------- */

/* The connection is over. */
void mux_lose(struct link *l, int code, const char *why)
{
    struct mux *m = l->mux;
    struct nk_h2 *h2 = m->h2;
    m->leaving = true;
    m->busy = true;
    m->code = code;
    m->h2 = NULL;
    nk_h2_free(h2);
    for (struct exchange *x = m->riders; x; x = x->ride.next) {
        x->ride.why = x->ride.why ? x->ride.why : why;
        touch(x);
    }
    settle(l);
    NK_MUST(!m->rider_count);
    end(l);
}

static void flush(struct link *l)
{
    struct mux *m = l->mux;
    while (m->h2 && (m->out.n || nk_h2_has_output(m->h2))) {
        m->busy = true;
        int rc = m->out.n ? 0 : nk_h2_output(m->h2, &m->out, OUT_PIECE);
        settle(l);
        m->busy = false;
        if (rc) {
            mux_lose(l, NK_WIRE_FAIL_BUSY, "no memory for the request");
            return;
        }
        if (!m->out.n)
            return;
        struct iovec iov = {m->out.p, m->out.n};
        ssize_t n = nk_sock_write(&l->sock, &iov, 1);
        l->needs_read = n == NK_EAGAIN && !l->sock.want_write;
        if (n == NK_EAGAIN)
            return;
        if (n < 0) {
            mux_lose(l, NK_WIRE_FAIL_PROTOCOL, "the connection broke while the request was sent");
            return;
        }
        nk_stats_add(&l->c->stats, NK_STAT_UPSTREAM_BYTES_OUT, (uint64_t)n);
        nk_buf_drop(&m->out, (size_t)n);
    }
}

/* What has to follow whatever happened: frames go out, a link without riders waits or ends. */
static void tend(struct link *l)
{
    if (l->closed || l->mux->busy)
        return;
    flush(l);
    if (!l->closed && !l->mux->rider_count)
        idle(l);
    if (!l->closed)
        link_watch(l);
}

static void receive(struct link *l)
{
    struct mux *m = l->mux;
    do {
        struct nk_fault f = {0};
        if (m->waiting)
            return;
        ssize_t n = nk_sock_read(&l->sock, l->c->read, COURIER_READ, &f);
        if (n == NK_EAGAIN)
            return;
        if (n <= 0) {
            mux_lose(l, n == NK_ECRYPTO ? NK_WIRE_FAIL_TLS : NK_WIRE_FAIL_PROTOCOL,
                     n == NK_ECRYPTO ? f.message : "the connection ended without an answer");
            return;
        }
        m->heard_us = nk_loop_now(l->c->loop);
        m->busy = true;
        int rc = nk_h2_feed(m->h2, (struct nk_str){l->c->read, (size_t)n}, m->heard_us / 1000, &f);
        settle(l);
        m->busy = false;
        if (rc) {
            flush(l); /* tells the peer what it did */
            if (!l->closed)
                mux_lose(l, NK_WIRE_FAIL_PROTOCOL, f.message);
            return;
        }
    } while (!l->closed && nk_sock_has_buffered(&l->sock));
}

/* Now and then: is it still needed, and is anybody there? Silence is usual, since models think; but
 * a peer that does not even answer a PING is gone, and would hold all calls that come. */
void mux_tick(struct link *l)
{
    struct mux *m = l->mux;
    int64_t now = nk_loop_now(l->c->loop);
    bool silent = m->h2 && m->rider_count && !m->waiting && now - m->heard_us >= tick_us;
    if (!m->rider_count && now - l->kept_us >= keep_us) {
        end(l);
        return;
    }
    if (silent && nk_h2_awaits_pong(m->h2)) {
        mux_lose(l, NK_WIRE_FAIL_PROTOCOL, "the connection is dead");
        return;
    }
    if (silent)
        nk_h2_ping(m->h2);
    if (nk_loop_arm(l->c->loop, &l->timer, tick_us))
        m->leaving = true;
    tend(l);
}

/* The server chose HTTP/1.1: the first one has the link, the others make their own. */
static void speak_http1(struct link *l)
{
    struct mux *m = l->mux;
    struct exchange *first = m->riders;
    l->up->http2 = MUX_OFF;
    m->busy = true;
    unlist(l);
    while (m->riders && m->riders->ride.next) {
        struct exchange *x = m->riders->ride.next;
        unseat(x);
        exchange_connect(x);
    }
    if (first)
        unseat(first);
    nk_loop_disarm(l->c->loop, &l->timer);
    mux_free(l);
    if (first)
        exchange_on_http1(first, l);
    else
        link_close(l);
}

static bool speak_http2(struct link *l)
{
    struct mux *m = l->mux;
    struct nk_h2_limits lim;
    nk_h2_limits_default(&lim);
    lim.max_head_bytes = COURIER_HEAD;
    lim.max_headers = COURIER_HEADERS;
    lim.stream_window = WINDOW;
    lim.connection_window = RIDERS_MAX * WINDOW;
    lim.max_memory = MEMORY_MAX;
    lim.max_queued = OUT_MAX / 2;
    m->h2 = nk_h2_new(false, &lim, &handler, l);
    if (!m->h2) {
        mux_lose(l, NK_WIRE_FAIL_BUSY, "no memory for a connection");
        return false;
    }
    m->busy = true;
    for (struct exchange *x = m->riders, *next; x; x = next) {
        next = x->ride.next;
        if (!submit(l, x)) {
            unseat(x);
            exchange_connect(x);
        }
    }
    m->busy = false;
    return true;
}

/* True: the protocol is known, and it is HTTP/2. */
static bool speak(struct link *l)
{
    struct nk_fault f = {0};
    int rc = nk_sock_handshake(&l->sock, &f);
    if (rc == NK_EAGAIN) {
        link_watch(l);
        return false;
    }
    if (rc) {
        mux_lose(l, rc == NK_ECRYPTO ? NK_WIRE_FAIL_TLS : NK_WIRE_FAIL_CONNECT,
                 rc == NK_ECRYPTO ? f.message : "the connection broke in the handshake");
        return false;
    }
    if (!l->sock.ssl || nk_str_eq(nk_sock_alpn(&l->sock), NK_STR("h2")))
        return speak_http2(l);
    if (l->up->http2 == MUX_ON)
        mux_lose(l, NK_WIRE_FAIL_TLS, "the server does not speak HTTP/2 (http2: on)");
    else
        speak_http1(l);
    return false;
}

void mux_ready(struct link *l, uint32_t events)
{
    if (l->connecting && (events & (EPOLLERR | EPOLLHUP))) {
        char byte;
        const char *why = recv(l->sock.fd, &byte, 1, MSG_PEEK) < 0 ? strerror(errno) : "refused";
        mux_lose(l, NK_WIRE_FAIL_CONNECT, why);
        return;
    }
    l->connecting = false;
    if (!l->mux->h2 && !speak(l))
        return;
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        receive(l);
    tend(l);
}

uint32_t mux_events(const struct link *l)
{
    const struct mux *m = l->mux;
    bool write = link_is_connecting(l) || l->sock.want_write || (m->out.n && !l->needs_read);
    return (m->waiting ? 0 : (uint32_t)EPOLLIN) | (write ? (uint32_t)EPOLLOUT : 0);
}

void mux_more(struct exchange *x)
{
    struct link *l = x->link;
    if (x->ride.stream)
        nk_h2_resume(l->mux->h2, x->ride.stream);
    tend(l);
}

void mux_resume(struct exchange *x)
{
    struct link *l = x->link;
    bool full = l && l->mux->waiting, busy = l && l->mux->busy;
    if (l)
        l->mux->busy = true;
    deliver(x);
    if (!x->over && x->link && x->link == l) {
        grant(x, x->kind->allow(x));
        if (x->ride.why)
            fail_ride(x);
    }
    if (!l)
        return;
    l->mux->busy = busy;
    if (full && !l->mux->waiting && !busy && nk_sock_has_buffered(&l->sock))
        receive(l);
    tend(l);
}

size_t mux_close_idle(struct endpoint *up, bool departed)
{
    size_t n = 0;
    for (struct link *l = up->muxes, *next; l; l = next) {
        next = l->next;
        if (l->mux->rider_count || l->mux->busy || (departed && link_is_current(l)))
            continue;
        end(l);
        n++;
    }
    return n;
}
