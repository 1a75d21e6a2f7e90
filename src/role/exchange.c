/* SPDX-License-Identifier: Apache-2.0
 *
 * exchange.c - one request and its answer, at one endpoint; attempt.c has the rule of what comes
 * after a failure.
 *
 * The rule of the kept connection. It may be closed by the server at the moment it is used again.
 * Then the request is sent once more, on a new connection, if the connection ended without a byte
 * of an answer and
 *
 *     - the request had not been handed to the kernel completely (its length was announced, so no
 *       server can have acted on it), or
 *     - its method is safe (GET, HEAD, OPTIONS: RFC 9110, section 9.2.2).
 *
 * Time limits: connect (name, connection, handshake) until bytes of the request are taken; idle
 * while it is being sent; first byte from then on, until the answer's head is whole; idle between
 * reads, not counting pauses that this side makes; and one for all of it. The timer is armed for
 * the earliest of them and looks at `deadline` when it fires.
 */
#include "role/courier.h"

#include <errno.h>
#include <string.h>

/* Shorter than what servers usually allow (60 s and more); one that closes earlier is noticed. */
static const int64_t pool_keep_us = 30000000;

/* Interim answers and the head together; a server that sends more has no answer. */
enum { BEFORE_MAX = 4 * COURIER_HEAD, JOIN_MAX = 16 << 10 };

static void connect_next(struct exchange *x);
static void flush(struct exchange *x);
static void broken(struct exchange *x, const char *why);

static void set_deadline(struct exchange *x, int64_t after_us)
{
    int64_t now = nk_loop_now(x->c->loop);
    x->deadline = now + after_us < x->end_by ? now + after_us : x->end_by;
    if (x->timer.due_us && x->timer.due_us <= x->deadline)
        return;
    if (nk_loop_arm(x->c->loop, &x->timer, x->deadline - now))
        exchange_fail(x, NK_WIRE_FAIL_BUSY, "no memory for a timer");
}

/* What remains of the time for a connection when addresses remain to be tried; otherwise 0. */
static int64_t left_to_connect(const struct exchange *x)
{
    int64_t left = x->connect_by - nk_loop_now(x->c->loop);
    return x->address + 1 < x->up->addresses.count && left > 0 ? left : 0;
}

/* How much of the request the endpoint may have. */
static enum handed handed(const struct exchange *x)
{
    if (!x->link || !x->link->established)
        return HANDED_NOTHING;
    return x->delivered || x->answered ? HANDED_WHOLE : HANDED_PART;
}

void exchange_lose(struct exchange *x, int code, const char *why)
{
    enum handed had = handed(x);
    exchange_leave_link(x);
    attempt_fail(x, had, code, why);
}

void exchange_leave_link(struct exchange *x)
{
    struct link *l = x->link;
    if (l && l->mux) {
        mux_leave(x);
    } else if (l) {
        x->link = NULL;
        link_close(l);
    }
}

static void on_timer(struct nk_timer *t)
{
    struct exchange *x = NK_OF(t, struct exchange, timer);
    int64_t now = nk_loop_now(x->c->loop), left = x->deadline - now;
    if (x->paused)
        left = x->to->idle_us;
    if (now >= x->end_by)
        exchange_fail(x, NK_WIRE_FAIL_TOO_LONG, "the exchange was not over in time");
    else if (left > 0)
        set_deadline(x, left);
    else if (x->link && !x->link->established && left_to_connect(x) > 0)
        broken(x, "no connection in time");
    else if (!x->link || !x->link->established)
        exchange_lose(x, NK_WIRE_FAIL_NO_CONNECTION, "no connection in time");
    else if (x->begun)
        exchange_lose(x, NK_WIRE_FAIL_STALLED, "the answer stopped");
    else if (!x->delivered)
        exchange_lose(x, NK_WIRE_FAIL_STALLED, "the request was not taken");
    else
        exchange_lose(x, NK_WIRE_FAIL_TIMEOUT, "no answer in time");
}

/* Leaves everything but the link; the kind's free gets the memory back. */
void exchange_finish(struct exchange *x)
{
    NK_MUST(!x->over);
    x->over = true;
    x->link = NULL;
    attempt_leave(x);
    nk_loop_disarm(x->c->loop, &x->timer);
    nk_buf_free(&x->out);
    mux_forget(x);
    courier_config_drop(x->to->config);
    x->later.run = x->kind->free;
    nk_loop_later(x->c->loop, &x->later);
}

void exchange_cancel(struct exchange *x)
{
    exchange_leave_link(x);
    exchange_finish(x);
}

void exchange_fail(struct exchange *x, int code, const char *why)
{
    if (x->over)
        return;
    attempt_tell(x, why);
    x->kind->fail(x, code, why);
    if (!x->over)
        exchange_cancel(x);
}

/* The connection ended or broke. */
static void broken(struct exchange *x, const char *why)
{
    struct link *l = x->link;
    bool again = l->reused && !x->answered && !x->resent && (!x->delivered || x->safe);
    if (!again && (l->established || x->address + 1 >= x->up->addresses.count)) {
        exchange_lose(x, l->established ? NK_WIRE_FAIL_PROTOCOL : NK_WIRE_FAIL_CONNECT, why);
        return;
    }
    exchange_leave_link(x);
    if (again)
        exchange_resend(x);
    else
        exchange_next_address(x);
}

void exchange_resend(struct exchange *x)
{
    attempt_note_resent(x);
    x->resent = true;
    x->sent = 0;
    x->delivered = x->answered = false;
    x->connect_by = nk_loop_now(x->c->loop) + x->to->connect_us;
    mux_forget(x);
    set_deadline(x, x->to->connect_us);
    if (!x->over)
        connect_next(x);
}

void exchange_next_address(struct exchange *x)
{
    x->address++;
    connect_next(x);
}

void exchange_connect(struct exchange *x)
{
    connect_next(x);
}

static void link_error(struct exchange *x, ssize_t rc, const struct nk_fault *f, const char *why)
{
    if (rc == NK_ECRYPTO)
        exchange_lose(x, NK_WIRE_FAIL_TLS, f->message[0] ? f->message : "TLS handshake failed");
    else
        broken(x, why);
}

static void sent_some(struct exchange *x, size_t n, size_t left)
{
    struct endpoint *up = x->up;
    if (!x->link->established && x->address && x->address < up->addresses.count) {
        /* This address works: the next connection tries it first. */
        struct nk_address first = up->addresses.at[0];
        up->addresses.at[0] = up->addresses.at[x->address];
        up->addresses.at[x->address] = first;
    }
    x->link->established = true;
    nk_stats_add(&x->c->stats, NK_STAT_UPSTREAM_BYTES_OUT, n);
    x->delivered = x->complete && !left;
    if (x->delivered && !x->safe && !x->keeps) {
        nk_buf_free(&x->out);
        x->sent = 0;
    }
    set_deadline(x, x->delivered ? x->to->first_byte_us : x->to->idle_us);
}

void exchange_sent(struct exchange *x)
{
    sent_some(x, 0, x->out.n - x->sent);
}

/* Sends what is in `out`. The exchange may be over when it returns. */
static void flush(struct exchange *x)
{
    struct link *l = x->link;
    while (x->sent < x->out.n) {
        struct iovec iov = {x->out.p + x->sent, x->out.n - x->sent};
        ssize_t n = nk_sock_write(&l->sock, &iov, 1);
        l->needs_read = n == NK_EAGAIN && !l->sock.want_write;
        if (n == NK_EAGAIN)
            return;
        if (n < 0) {
            /* TLS says why when it is read. */
            struct nk_fault f = {0};
            char byte;
            ssize_t rc = l->up->tls ? nk_sock_read(&l->sock, &byte, 1, &f) : NK_EIO;
            link_error(x, rc == NK_ECRYPTO || n != NK_ECRYPTO ? rc : n, &f,
                       "the connection broke while the request was sent");
            return;
        }
        x->sent += (size_t)n;
        sent_some(x, (size_t)n, x->out.n - x->sent);
        if (x->over || x->link != l)
            return;
    }
}

static void begin_on(struct exchange *x, struct link *l)
{
    l->x = x;
    x->link = l;
}

/* Descriptors and memory are ours to lack: that says nothing about the endpoint. */
static bool is_ours(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS;
}

/* A link to the next address that can be tried at all; NULL with errno. */
static struct link *connect_one(struct exchange *x, size_t count)
{
    struct endpoint *up = x->up;
    struct link *l = NULL;
    errno = 0;
    while (!l && x->address < count) {
        l = link_connect(up, up->hop.literal ? &up->hop.address : &up->addresses.at[x->address]);
        if (!l && is_ours(errno))
            return NULL;
        x->address += !l;
    }
    return l;
}

static void connect_next(struct exchange *x)
{
    struct endpoint *up = x->up;
    if (up->http2 && mux_board(x))
        return;
    if (!up->hop.literal && !courier_has_addresses(up)) {
        courier_look_up(x);
        return;
    }
    size_t count = up->hop.literal ? 1 : up->addresses.count;
    struct link *l = connect_one(x, count);
    if (!l && is_ours(errno) && courier_free_descriptors(x->c))
        l = connect_one(x, count);
    if (!l && is_ours(errno)) {
        exchange_fail(x, NK_WIRE_FAIL_BUSY, strerror(errno));
        return;
    }
    if (!l) {
        attempt_fail(x, HANDED_NOTHING, NK_WIRE_FAIL_CONNECT,
                     up->refusal ? up->refusal
                     : errno     ? strerror(errno)
                                 : "no address is left");
        return;
    }
    if (l->mux)
        mux_begin(l, x);
    else
        begin_on(x, l);
    /* Each address has its share of the time. */
    set_deadline(x, (x->connect_by - nk_loop_now(x->c->loop)) / (int64_t)(count - x->address));
    if (!x->over)
        link_watch(l);
}

void exchange_addressed(struct exchange *x, const char *why)
{
    if (why)
        attempt_fail(x, HANDED_NOTHING, NK_WIRE_FAIL_CONNECT, why);
    else
        connect_next(x);
}

/* A kept connection usually takes the whole request at once. A short body is put behind its head, in
 * the courier's scratch: that costs less than a gathered write. */
static bool send_at_once(struct exchange *x, struct nk_str body)
{
    struct nk_buf *to = &x->c->scratch;
    struct link *l = link_take(x->up);
    if (!l)
        return false;
    begin_on(x, l);
    size_t head_n = to->n, all = head_n + body.n;
    if (body.n <= JOIN_MAX)
        nk_buf_add(to, body);
    struct iovec iov[2] = {{to->p, to->n}, {(void *)(uintptr_t)body.p, body.n}};
    ssize_t n = nk_sock_write(&l->sock, iov, to->n < all ? 2 : 1);
    size_t put = n > 0 ? (size_t)n : 0;
    if (n == (ssize_t)all && x->complete && !x->safe && !x->keeps) {
        sent_some(x, all, 0);
        return true;
    }
    nk_buf_add(&x->out, (struct nk_str){to->p, head_n});
    nk_buf_add(&x->out, body);
    x->sent = put;
    if (n < 0 && n != NK_EAGAIN)
        broken(x, "the connection broke while the request was sent");
    else if (put)
        sent_some(x, put, all - put);
    return true;
}

/* The head as HTTP/1.1 has it, in the courier's scratch. */
static int write_head(struct exchange *x)
{
    struct nk_buf *to = &x->c->scratch;
    struct nk_http_head head;
    int rc = x->kind->head(x, &head);
    nk_buf_clear(to);
    if (!rc)
        rc = nk_http_write_request(&head, to);
    if (!rc)
        rc = link_proxy_head(x->up, to);
    x->out_head = to->n;
    return rc;
}

static void start_http1(struct exchange *x, struct nk_str body)
{
    if (write_head(x)) {
        exchange_fail(x, NK_WIRE_FAIL_PROTOCOL, "a call that cannot be sent");
        return;
    }
    if (!send_at_once(x, body)) {
        nk_buf_add(&x->out, nk_buf_str(&x->c->scratch));
        nk_buf_add(&x->out, body);
        connect_next(x);
    }
}

void exchange_start(struct exchange *x, struct nk_str body, bool complete)
{
    x->complete = complete;
    x->to->config->refs++;
    x->timer.fire = on_timer;
    x->end_by = nk_loop_now(x->c->loop) + x->to->total_us;
    if (!attempt_first(x))
        return;
    set_deadline(x, x->to->connect_us);
    if (x->over)
        return;
    if (x->up->http2) {
        nk_buf_add(&x->out, body);
        connect_next(x);
    } else {
        start_http1(x, body);
    }
    if (!x->over && x->out.error)
        exchange_fail(x, NK_WIRE_FAIL_BUSY, "no memory for the request");
    if (!x->over && x->link)
        link_watch(x->link);
}

/* The head names the endpoint and brings its credential; the body is the same. Over HTTP/2 the body
 * is all that waits. */
static int write_anew(struct exchange *x)
{
    struct nk_buf old = x->out;
    nk_buf_drop(&old, x->out_head);
    x->out = old;
    x->out_head = 0;
    if (x->up->http2)
        return 0;
    int rc = write_head(x);
    if (rc)
        return rc;
    nk_buf_init(&x->out, old.max);
    nk_buf_add(&x->out, nk_buf_str(&x->c->scratch));
    nk_buf_add(&x->out, nk_buf_str(&old));
    nk_buf_free(&old);
    return x->out.error;
}

/* Sends `out` on a link that is there. */
static void send_on(struct exchange *x, struct link *l)
{
    begin_on(x, l);
    flush(x);
    if (!x->over && x->link)
        link_watch(x->link);
}

void exchange_again(struct exchange *x)
{
    set_deadline(x, x->to->connect_us);
    if (x->over)
        return;
    if (write_anew(x)) {
        exchange_fail(x, NK_WIRE_FAIL_BUSY, "no memory for the request");
        return;
    }
    struct link *l = x->up->http2 ? NULL : link_take(x->up);
    if (l)
        send_on(x, l);
    else
        connect_next(x);
}

void exchange_on_http1(struct exchange *x, struct link *l)
{
    if (!write_anew(x)) {
        send_on(x, l);
        return;
    }
    link_close(l);
    exchange_fail(x, NK_WIRE_FAIL_BUSY, "no memory for the request");
}

void exchange_more(struct exchange *x, struct nk_str body, bool complete)
{
    nk_buf_add(&x->out, body);
    if (x->out.error) {
        exchange_fail(x, NK_WIRE_FAIL_BUSY, "no memory for the request");
        return;
    }
    x->complete = complete;
    if (x->link && x->link->mux) {
        mux_more(x);
        return;
    }
    if (x->link && !x->link->connecting)
        flush(x);
    if (!x->over && complete && x->sent == x->out.n && x->link && x->link->established &&
        !x->delivered)
        sent_some(x, 0, 0);
    if (!x->over && x->link)
        link_watch(x->link);
}

/* How long the server keeps the connection, as far as it says so ("Keep-Alive: timeout=5"), less a
 * second for the way. */
static int64_t keep_time(const struct nk_http_head *h)
{
    struct nk_str rest = nk_http_get(h, NK_STR("Keep-Alive"));
    while (rest.p) {
        struct nk_str option = nk_str_trim(nk_str_cut(&rest, ','));
        uint64_t seconds;
        if (nk_str_starts(option, NK_STR("timeout=")) &&
            !nk_str_to_u64(nk_str_sub(option, 8, option.n), &seconds) && seconds < 30)
            return ((int64_t)seconds - 1) * 1000000;
    }
    return pool_keep_us;
}

/* The answer is complete: the link goes back when both sides agree about where the next one begins.
 */
static void ended(struct exchange *x, bool clean)
{
    struct link *l = x->link;
    x->link = NULL;
    if (clean && x->delivered && nk_http_parser_head(x->parser)->keep_alive &&
        !nk_sock_has_buffered(&l->sock))
        link_keep(l, keep_time(nk_http_parser_head(x->parser)));
    else
        link_close(l);
}

/* The head goes on: what was kept in case that it would not is not needed any more. */
void exchange_begun(struct exchange *x)
{
    x->begun = true;
    if (x->delivered && x->out.n) {
        nk_buf_free(&x->out);
        x->sent = 0;
    }
}

void exchange_heard(struct exchange *x)
{
    set_deadline(x, x->to->idle_us);
}

/* Takes the bytes of one read apart; the pieces of the body are moved together in place. */
static void take(struct exchange *x, struct nk_str in)
{
    char *to = x->c->read;
    size_t n = 0;
    bool has_head = false, end = false;
    enum nk_http_event e = NK_HTTP_MORE;
    struct nk_fault f;
    nk_fault_none(&f);
    do {
        int rc = nk_http_parse(x->parser, &in, &e, &f);
        if (rc) {
            exchange_lose(x, NK_WIRE_FAIL_PROTOCOL, f.message);
            return;
        }
        struct nk_str piece = nk_http_parser_body(x->parser);
        if (e == NK_HTTP_BODY) {
            memmove(to + n, piece.p, piece.n);
            n += piece.n;
        }
        if (e == NK_HTTP_HEAD && attempt_judge(x, nk_http_parser_head(x->parser)))
            return;
        has_head |= e == NK_HTTP_HEAD;
        end = e == NK_HTTP_END;
    } while (e != NK_HTTP_MORE && !end);
    if (has_head)
        exchange_begun(x);
    if (end && in.n)
        link_distrust(x->up);
    if (end)
        ended(x, in.n == 0);
    if (has_head || n || end)
        x->kind->answer(x, has_head ? nk_http_parser_head(x->parser) : NULL, (struct nk_str){to, n},
                        end);
    if (end && !x->over)
        exchange_finish(x);
}

static void take_eof(struct exchange *x)
{
    enum nk_http_event e;
    if (!x->parser || nk_http_parse_eof(x->parser, &e)) {
        broken(x, x->answered ? "the answer was cut short" : "closed without an answer");
        return;
    }
    ended(x, false);
    x->kind->answer(x, NULL, (struct nk_str){x->c->read, 0}, true);
    if (!x->over)
        exchange_finish(x);
}

static bool start_parser(struct exchange *x)
{
    struct nk_http_limits lim = {COURIER_HEAD, COURIER_HEADERS, x->max_body};
    x->parser = nk_http_parser_new(&x->arena, false, &lim);
    if (!x->parser) {
        exchange_fail(x, NK_WIRE_FAIL_BUSY, "no memory for the answer");
        return false;
    }
    if (x->is_head)
        nk_http_parser_expect_no_body(x->parser);
    return true;
}

/* Silence counts from here; but the time for the head goes on while it trickles in. */
static void read_on(struct exchange *x)
{
    if (x->begun)
        set_deadline(x, x->to->idle_us);
    else if (x->before > BEFORE_MAX)
        exchange_lose(x, NK_WIRE_FAIL_PROTOCOL, "too much came before the answer's head");
}

/* Reads as long as there is something that epoll would not tell of. */
static void receive(struct exchange *x)
{
    struct link *l = x->link;
    do {
        size_t most = x->kind->allow(x);
        x->paused = most == 0;
        if (x->over || x->paused)
            return;
        struct nk_fault f;
        nk_fault_none(&f);
        most = most < COURIER_READ ? most : COURIER_READ;
        ssize_t n = nk_sock_read(&l->sock, x->c->read, most, &f);
        l->unread = n == (ssize_t)most;
        if (n == NK_EAGAIN)
            return;
        if (n == 0) {
            take_eof(x);
            return;
        }
        if (n < 0) {
            link_error(x, n, &f, "the connection broke");
            return;
        }
        x->answered = true;
        x->before += x->begun ? 0 : (size_t)n;
        if (!x->parser && !start_parser(x))
            return;
        take(x, (struct nk_str){x->c->read, (size_t)n});
        if (!x->over && x->link == l)
            read_on(x);
    } while (!x->over && x->link == l && nk_sock_has_buffered(&l->sock));
}

void exchange_ready(struct link *l, uint32_t events)
{
    struct exchange *x = l->x;
    if (l->connecting && (events & (EPOLLERR | EPOLLHUP))) {
        char byte;
        const char *why = recv(l->sock.fd, &byte, 1, MSG_PEEK) < 0 ? strerror(errno) : "refused";
        broken(x, why);
        return;
    }
    l->connecting = false;
    bool was_waiting = l->needs_read;
    if (!was_waiting || (events & EPOLLIN))
        flush(x);
    bool ends = events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP);
    if (!x->over && x->link == l && (ends || (events & EPOLLIN)))
        receive(x);
    l->unread |= ends;
    if (!x->over && x->link)
        link_watch(x->link);
    link_look_again(l);
}

void exchange_resume(struct exchange *x)
{
    if (!x->over && x->ride.has_head) {
        mux_resume(x);
        return;
    }
    if (x->over || !x->paused || !x->link)
        return;
    x->paused = false;
    if (nk_sock_has_buffered(&x->link->sock))
        receive(x);
    if (!x->over && x->link)
        link_watch(x->link);
}
