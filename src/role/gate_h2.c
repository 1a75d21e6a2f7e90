/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_h2.c - HTTP/2 (RFC 9113) on a client's connection: many streams, each a request of its own,
 * over the state machine of http/h2.h.
 *
 *   in    bytes -> machine -> events of a stream -> the core; a body's window opens again as the
 *         core takes it, so a client can send no faster than that
 *   out   an answer gathers in its stream; when its records allow, the stream may be taken from;
 *         the machine takes as the peer's windows allow, and only while the socket takes, too
 *
 * A slow client so costs what HTTP/1.1 costs: its streams' buffers fill, their credit ends
 * (gate_ring.c), their deadlines come. While the audit log is full, a new stream waits with what
 * came of its body, which is one window at most. Bytes are written at the end of a flush, when all
 * records are published that were before it. The stream inside the connection stands for the
 * connection, as stream 0 does in the protocol: its buffer holds what the socket did not take.
 */
#include "role/gate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "edge/log.h"
#include "http/h2.h"

enum {
    OUT_STEP = 64 << 10,
    DROP_MIN = 32 << 10,
    EARLY_MAX = 32 << 20, /* bytes of all bodies that wait while the audit log is full */
    STREAM_BYTES = 1024,  /* what the machine keeps of a stream, about */
    REST_MAX = 32 << 10,  /* of a refused request, that its answer waits for, */
    REST_MS = 1000,       /* and for how long, as a reset does behind the answer */
    GOODBYE_MS = 1000,
    TOLD_US = 1000000,
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct h2_stream {
    struct gate_stream s;
    struct nk_later later;
    uint32_t id;
    struct nk_http_head head;  /* of the request; its slices are in the arena */
    struct nk_buf early;       /* of its body, while it is paused */
    size_t may, taken;         /* bytes of s.out: may leave; the machine has them already */
    bool complete;             /* the request is */
    bool ended, cut;           /* the answer is */
    bool may_end;              /* … and that may be said, too */
    bool rests;                /* the answer is whole, the request is not */
    bool head_put, head_taken; /* the core has given the answer's head; the machine has it */
};

/* What the connection itself waits for. */
enum h2_wait { WAIT_PREFACE, WAIT_REQUEST, WAIT_STREAMS, WAIT_SOCKET };

struct gate_h2 {
    struct nk_h2 *machine; /* NULL when the connection is closed */
    struct gate_conn *conn, *next_sending;
    size_t open, alive; /* streams: not over; not freed */
    enum h2_wait wait;
    bool sending; /* on the gate's list */
    bool leaving; /* the client was asked for no more requests */
    bool ending;  /* we want no more; what comes is thrown away */
};

static struct h2_stream *of(struct gate_stream *s)
{
    return NK_OF(s, struct h2_stream, s);
}

static bool is_connection(const struct gate_stream *s)
{
    return s == &s->conn->stream;
}

static void count(struct gate_conn *c, enum nk_stat what)
{
    nk_stats_add(&c->gate->stats, what, 1);
}

static void send_later(struct gate_conn *c)
{
    struct gate_h2 *h = c->h2;
    if (h->sending)
        return;
    h->sending = true;
    h->next_sending = c->gate->sending;
    c->gate->sending = h->conn;
}

/* Streams
 * ----------------------------------------------------------------------------------------- */

static void stream_later(struct nk_later *l)
{
    free(NK_OF(l, struct h2_stream, later));
}

static void forget_early(struct h2_stream *x)
{
    x->s.conn->gate->h2_early_bytes -= x->early.n;
    nk_buf_free(&x->early);
}

/* The machine knows it no more. */
static void over(struct h2_stream *x)
{
    struct gate_h2 *h = x->s.conn->h2;
    struct gate *g = h->conn->gate;
    h->open--;
    nk_stats_set(&g->stats, NK_STAT_H2_STREAMS, --g->h2_streams);
    forget_early(x);
    gate_stream_end(&x->s);
    gate_stream_bury(&x->s);
}

static void drop(struct h2_stream *x, enum nk_h2_code code)
{
    struct gate_conn *c = x->s.conn;
    nk_h2_reset(c->h2->machine, x->id, code);
    over(x);
    send_later(c);
}

/* The request's arena is the machine's, too, until the request is complete. */
static void settle(struct h2_stream *x)
{
    if (!x->s.req)
        return;
    x->s.req->held = !x->head_taken || (!x->complete && !x->rests);
    gate_request_settle(&x->s);
}

/* Requests
 * ----------------------------------------------------------------------------------------- */

static int on_begin(void *owner, uint32_t id, struct nk_arena **arena, void **call)
{
    struct gate_conn *c = owner;
    struct gate *g = c->gate;
    /* Each has memory before anybody knows who asks; up to here the core refuses, with a record. */
    if (g->h2_streams >= 2 * (size_t)g->setup->config.limits.requests)
        return NK_EFULL;
    struct h2_stream *x = calloc(1, sizeof *x);
    if (!x)
        return NK_ENOMEM;
    gate_stream_init(&x->s, c);
    if (gate_request_new(&x->s)) {
        free(x);
        return NK_ENOMEM;
    }
    x->id = id;
    x->s.req->held = true;
    nk_buf_init(&x->early, SIZE_MAX); /* the window is its limit */
    c->h2->open++;
    c->h2->alive++;
    nk_stats_set(&g->stats, NK_STAT_H2_STREAMS, ++g->h2_streams);
    *arena = &x->s.req->arena;
    *call = x;
    return 0;
}

static void start(struct h2_stream *x)
{
    struct gate_stream *s = &x->s;
    if (gate_request_begin(s)) {
        drop(x, NK_H2_INTERNAL_ERROR);
        return;
    }
    gate_request_head(s, &x->head);
    if (s->state == STREAM_BODY && x->head.expect_continue && !x->early.n &&
        nk_h2_interim(s->conn->h2->machine, x->id, 100))
        drop(x, NK_H2_INTERNAL_ERROR);
}

static void on_head(void *owner, void *call, uint32_t id, const struct nk_http_head *head)
{
    struct h2_stream *x = call;
    (void)owner, (void)id;
    x->head = *head;
    x->s.state = STREAM_IDLE;
    if (!gate_pause(&x->s))
        start(x);
}

/* What a refused request still sends is not counted as used: its window stays closed. */
static void take_body(struct h2_stream *x, struct nk_str bytes)
{
    if (x->s.state != STREAM_BODY)
        return;
    gate_request_body(&x->s, bytes);
    nk_h2_consumed(x->s.conn->h2->machine, x->id, bytes.n);
}

static void take_end(struct h2_stream *x)
{
    if (x->s.state == STREAM_BODY)
        gate_request_end(&x->s);
    else if (x->s.req)
        x->s.req->body_complete = true;
    settle(x);
    if (x->s.state != STREAM_DEAD && x->head_put && !x->head_taken)
        gate_mark_dirty(&x->s);
}

static void on_body(void *owner, void *call, uint32_t id, struct nk_str bytes)
{
    struct h2_stream *x = call;
    (void)owner, (void)id;
    if (!x->s.paused) {
        take_body(x, bytes);
        return;
    }
    size_t *all = &x->s.conn->gate->h2_early_bytes;
    if (bytes.n <= EARLY_MAX - *all)
        nk_buf_add(&x->early, bytes);
    if (bytes.n > EARLY_MAX - *all || x->early.error)
        drop(x, NK_H2_REFUSED_STREAM); /* nothing was done with it */
    else
        *all += bytes.n;
}

static void on_end(void *owner, void *call, uint32_t id)
{
    struct h2_stream *x = call;
    (void)owner, (void)id;
    x->complete = true;
    if (!x->s.paused)
        take_end(x);
}

/* After a pause, if there is room for this one, too; it may have been refused meanwhile. */
static void resume(struct gate_stream *s)
{
    struct h2_stream *x = of(s);
    if (is_connection(s) || s->state != STREAM_IDLE || gate_pause(s))
        return;
    start(x);
    if (s->state == STREAM_BODY && x->early.n)
        take_body(x, nk_buf_str(&x->early));
    forget_early(x);
    if (s->state != STREAM_DEAD && x->complete)
        take_end(x);
    send_later(s->conn);
}

static void on_refused(void *owner, void *call, uint32_t id, int error, const char *why)
{
    struct h2_stream *x = call;
    (void)owner, (void)id;
    if (x->s.req && !x->s.answered)
        gate_request_bad(&x->s, error, why);
}

static void on_gone(void *owner, void *call, uint32_t id, enum nk_h2_code code, const char *why)
{
    struct h2_stream *x = call;
    (void)id, (void)why;
    if (code != NK_H2_NO_ERROR)
        count(owner, NK_STAT_H2_RESETS);
    over(x);
}

/* Answers
 * ------------------------------------------------------------------------------------------ */

static void put_head(struct gate_stream *s)
{
    of(s)->head_put = true;
    s->req->held = true; /* until the machine has it */
}

static void put_data(struct gate_stream *s)
{
    nk_buf_add(&s->out, nk_buf_str(&s->req->txn->out));
}

static void put_end(struct gate_stream *s, bool cut)
{
    of(s)->ended = !cut;
    of(s)->cut = cut;
}

/* Bytes that were taken leave the buffer in large steps, or it would be moved for every frame. */
static void forget_taken(struct h2_stream *x)
{
    struct nk_buf *out = &x->s.out;
    if (x->taken == out->n) {
        nk_buf_free(out);
    } else if (x->taken >= DROP_MIN && x->taken >= out->n / 2) {
        nk_buf_drop(out, x->taken);
    } else {
        return;
    }
    x->may -= x->taken;
    x->taken = 0;
}

static void after_taking(struct h2_stream *x)
{
    struct gate_stream *s = &x->s;
    bool calls = gate_call_runs(s);
    forget_taken(x);
    if (s->out.n == 0 && calls)
        gate_call_deadline(s);
    else if (s->out.n == 0 && s->req && !s->answered)
        gate_stream_deadline(s, 0); /* its driver knows when it wants to go on */
    else
        gate_stream_deadline(s, s->conn->gate->setup->config.limits.write_timeout);
    if (calls)
        gate_credit(s);
}

/* The machine has the whole answer; whatever the client still sends of its request is not wanted. But
 * some clients that are sending take a reset right behind the answer for a failure, and lose it. */
static void rest(struct h2_stream *x)
{
    if (x->complete)
        return;
    x->rests = true;
    x->s.state = STREAM_LINGER;
    settle(x);
    gate_stream_deadline(&x->s, REST_MS);
}

static ptrdiff_t on_take(void *owner, void *call, uint32_t id, char *p, size_t max, bool *end)
{
    struct h2_stream *x = call;
    size_t n = x->may - x->taken;
    (void)owner, (void)id;
    n = n < max ? n : max;
    if (n)
        memcpy(p, x->s.out.p + x->taken, n);
    x->taken += n;
    bool all = x->may_end && x->taken == x->s.out.n;
    if (all && x->cut && n == 0)
        return -1;
    if (n)
        after_taking(x);
    *end = all && x->ended;
    if (*end)
        rest(x);
    return (ptrdiff_t)n;
}

/* The machine gets the head; false when the stream is over. */
static bool answer_head(struct h2_stream *x)
{
    struct gate_stream *s = &x->s;
    bool body = !x->ended || s->out.n;
    x->head_taken = true;
    if (!x->head_put || nk_h2_answer(s->conn->h2->machine, x->id, &s->req->txn->reply_head, body)) {
        drop(x, NK_H2_INTERNAL_ERROR); /* cut before it began, or what no head may hold */
        return false;
    }
    if (!body)
        rest(x);
    return true;
}

/* The rest of a short request is let in before it is refused: the reset behind an early answer is in
 * order (RFC 9113, section 8.1), but some clients that are about to send take it for an error and lose
 * the answer. Those who asked whether to send, and those who need a larger window, are told at once. */
static bool awaits_rest(const struct h2_stream *x)
{
    int64_t n = x->head.content_length;
    bool waits = x->s.state == STREAM_BUSY && x->s.req && !x->s.req->close_after;
    return waits && !x->complete && !x->head_taken && !x->cut && n > 0 && n <= REST_MAX &&
           !x->head.expect_continue;
}

static void flush_stream(struct h2_stream *x)
{
    struct gate_stream *s = &x->s;
    if (s->out.error) {
        drop(x, NK_H2_INTERNAL_ERROR);
        return;
    }
    if (!x->head_put && !x->cut) /* a record had waited, nothing else */
        return;
    if (awaits_rest(x)) {
        gate_stream_deadline(s, REST_MS);
        return;
    }
    if (!x->head_taken && !answer_head(x))
        return;
    x->may = s->out.n;
    x->may_end = x->ended || x->cut;
    if (s->out.n)
        gate_stream_deadline(s, s->conn->gate->setup->config.limits.write_timeout);
    nk_h2_resume(s->conn->h2->machine, x->id);
    settle(x);
    send_later(s->conn);
}

static void flush(struct gate_stream *s)
{
    if (is_connection(s))
        send_later(s->conn);
    else
        flush_stream(of(s));
}

/* The connection
 * ----------------------------------------------------------------------------------- */

/* What ends it if nothing happens; it begins anew when that changes, or (`moved`) went on. */
static void wait_for(struct gate_conn *c, bool moved)
{
    struct gate_h2 *h = c->h2;
    const struct nk_config_limits *lim = &c->gate->setup->config.limits;
    enum h2_wait wait = c->stream.out.n ? WAIT_SOCKET : h->open ? WAIT_STREAMS : WAIT_REQUEST;
    if (h->ending || (wait == h->wait && !moved))
        return;
    h->wait = wait;
    gate_stream_deadline(&c->stream, wait == WAIT_SOCKET    ? lim->write_timeout
                                     : wait == WAIT_REQUEST ? gate_conn_patience(c->gate)
                                                            : 0);
}

/* All is said: the client closes when it has read it. */
static void hang_up(struct gate_conn *c)
{
    nk_sock_finish(&c->sock);
    c->h2->ending = true;
    c->stream.state = STREAM_LINGER;
    gate_stream_deadline(&c->stream, GOODBYE_MS);
}

/* Sends what there is and what the socket takes; negative when that is at an end. */
static int send_out(struct gate_conn *c, bool *moved)
{
    struct nk_buf *out = &c->stream.out;
    while (c->writable) {
        int rc = out->n ? 0 : nk_h2_output(c->h2->machine, out, OUT_STEP);
        if (rc)
            return rc;
        if (!out->n)
            break;
        struct iovec v = {out->p, out->n};
        ssize_t n = nk_sock_write(&c->sock, &v, 1);
        if (n < 0) {
            c->writable = false;
            return n == NK_EAGAIN ? 0 : (int)n;
        }
        *moved = true;
        nk_stats_add(&c->gate->stats, NK_STAT_BYTES_OUT, (uint64_t)n);
        nk_buf_drop(out, (size_t)n);
    }
    return 0;
}

static void send_now(struct gate_conn *c)
{
    bool moved = false;
    if (c->stream.state == STREAM_LINGER)
        return;
    if (c->stream.out.error || send_out(c, &moved)) {
        gate_conn_close(c);
        return;
    }
    if (c->stream.out.n == 0) {
        nk_buf_free(&c->stream.out);
        if (nk_h2_is_over(c->h2->machine)) {
            hang_up(c);
            return;
        }
    }
    wait_for(c, moved && c->stream.out.n);
}

void gate_h2_send_all(struct gate *g)
{
    struct gate_conn *c = g->sending;
    g->sending = NULL;
    while (c) {
        struct gate_conn *next = c->h2->next_sending;
        c->h2->sending = false;
        if (c->stream.state == STREAM_DEAD)
            gate_stream_bury(&c->stream);
        else
            send_now(c);
        c = next;
    }
}

/* The client broke the protocol, or did too much of what costs us more than it. */
static void refuse(struct gate_conn *c, int rc, const struct nk_fault *f)
{
    struct gate *g = c->gate;
    int64_t now = nk_loop_now(g->loop);
    c->h2->ending = true;
    gate_stream_deadline(&c->stream, GOODBYE_MS);
    count(c, rc == NK_ELIMIT ? NK_STAT_H2_EXCESSES : NK_STAT_H2_ERRORS);
    if (rc != NK_ELIMIT || now - g->abuse_told_us < TOLD_US)
        return;
    g->abuse_told_us = now;
    nk_log(NK_LOG_WARNING, "http2.excess", "a client's connection is ended: %s", f->message);
}

static void feed(struct gate_conn *c, struct nk_str in)
{
    struct nk_fault f = {0};
    if (c->h2->ending)
        return;
    int rc = nk_h2_feed(c->h2->machine, in, nk_loop_now(c->gate->loop) / 1000, &f);
    if (rc)
        refuse(c, rc, &f);
    send_later(c);
}

static void run(struct gate_conn *c)
{
    struct nk_fault f = {0};
    for (size_t reads = 0; c->readable || nk_sock_has_buffered(&c->sock); reads++) {
        if (reads == GATE_READS_A_TURN) {
            gate_turn_over(c);
            return;
        }
        ssize_t n = nk_sock_read(&c->sock, c->gate->read_buffer, GATE_READ_SIZE, &f);
        if (n == NK_EAGAIN || (n > 0 && n < GATE_READ_SIZE && !c->sock.ssl))
            c->readable = false;
        if (n == NK_EAGAIN)
            break;
        if (n <= 0) {
            gate_conn_close(c);
            return;
        }
        nk_stats_add(&c->gate->stats, NK_STAT_BYTES_IN, (uint64_t)n);
        feed(c, (struct nk_str){c->gate->read_buffer, (size_t)n});
    }
    if (c->gone)
        gate_conn_close(c);
}

/* Life
 * --------------------------------------------------------------------------------------------- */

static void drain(struct gate_conn *c)
{
    if (c->h2->ending)
        return;
    if (!c->h2->leaving) /* a second time would cut off what is on its way */
        nk_h2_shutdown(c->h2->machine);
    c->h2->leaving = true;
    wait_for(c, c->h2->wait == WAIT_REQUEST);
    send_later(c);
}

/* Its windows are open: it waits for its turn on the connection, whose own deadline watches the
 * socket. */
static bool moves(const struct gate_stream *s)
{
    const struct h2_stream *x = NK_OF(s, const struct h2_stream, s);
    return !is_connection(s) && x->may > x->taken && !nk_h2_is_stalled(s->conn->h2->machine, x->id);
}

static void fail(struct gate_stream *s)
{
    struct gate_conn *c = s->conn;
    struct gate_h2 *h = c->h2;
    if (!is_connection(s) && awaits_rest(of(s))) {
        s->req->close_after = true; /* it has waited long enough */
        gate_mark_dirty(s);
    } else if (!is_connection(s)) {
        drop(of(s), of(s)->rests ? NK_H2_NO_ERROR : NK_H2_CANCEL);
    } else if (h->ending || h->wait == WAIT_SOCKET) {
        gate_conn_close(c);
    } else {
        /* Nobody asks for anything: goodbye, at once and for good. */
        nk_h2_shutdown(h->machine);
        nk_h2_shutdown(h->machine);
        h->ending = true;
        gate_stream_deadline(s, GOODBYE_MS);
        send_later(c);
    }
}

static void close_framing(struct gate_conn *c)
{
    gate_stream_end(&c->stream);
    nk_h2_free(c->h2->machine); /* each open stream is gone */
    c->h2->machine = NULL;
    nk_stats_sub(&c->gate->stats, NK_STAT_H2_CONNECTIONS, 1);
}

static void bury(struct gate_stream *s)
{
    struct gate_conn *c = s->conn;
    struct gate_h2 *h = c->h2;
    if (!is_connection(s)) {
        struct h2_stream *x = of(s);
        h->alive--;
        x->later.run = stream_later;
        nk_loop_later(c->gate->loop, &x->later);
        if (!h->machine && h->alive == 0)
            gate_stream_bury(&c->stream);
    } else if (!h->machine && h->alive == 0 && !h->sending && !c->shaking) {
        free(h);
        gate_conn_bury(c);
    }
}

const struct gate_framing gate_h2 = {.run = run,
                                     .resume = resume,
                                     .head = put_head,
                                     .data = put_data,
                                     .end = put_end,
                                     .flush = flush,
                                     .moves = moves,
                                     .fail = fail,
                                     .drain = drain,
                                     .close = close_framing,
                                     .bury = bury};

void gate_h2_renew(struct gate *g)
{
    for (struct gate_conn *c = g->conns; c; c = c->next)
        if (c->framing == &gate_h2)
            drain(c);
}

static const struct nk_h2_handler handler = {.begin = on_begin,
                                             .head = on_head,
                                             .body = on_body,
                                             .end = on_end,
                                             .refused = on_refused,
                                             .take = on_take,
                                             .gone = on_gone};

static bool begin(struct gate_conn *c)
{
    const struct nk_config_limits *config = &c->gate->setup->config.limits;
    struct nk_h2_limits lim;
    nk_h2_limits_default(&lim);
    lim.max_head_bytes = (uint32_t)config->head_bytes;
    lim.max_headers = (uint32_t)config->headers;
    lim.streams = (uint32_t)config->streams;
    /* Heads of answers wait in the machine while the client takes nothing: one for each stream. */
    lim.max_queued += (uint32_t)(config->streams * config->head_bytes);
    lim.max_memory += (uint32_t)(config->streams * (config->head_bytes + STREAM_BYTES));
    struct gate_h2 *h = calloc(1, sizeof *h);
    if (h)
        h->machine = nk_h2_new(true, &lim, &handler, c);
    if (!h || !h->machine) {
        free(h);
        return false;
    }
    h->conn = c;
    c->h2 = h;
    c->framing = &gate_h2;
    nk_stats_add(&c->gate->stats, NK_STAT_H2_CONNECTIONS, 1);
    count(c, NK_STAT_H2_CONNECTIONS_ACCEPTED);
    if (c->gate->draining)
        drain(c);
    return true;
}

struct nk_str gate_h2_preface(size_t n)
{
    return nk_str_sub(NK_STR(preface), 0, n);
}

/* How the client says that it speaks HTTP/2: over TLS by ALPN, else by its preface. */
static bool is_preface(struct gate_conn *c, struct nk_str *in)
{
    struct nk_str left = nk_str_sub(NK_STR(preface), c->sniffed, sizeof preface - 1);
    size_t n = in->n < left.n ? in->n : left.n;
    if (!nk_str_eq(nk_str_sub(*in, 0, n), nk_str_sub(left, 0, n)))
        return false;
    c->sniffed += (uint8_t)n;
    *in = nk_str_sub(*in, n, in->n);
    return true;
}

bool gate_h2_begins(struct gate_conn *c, struct nk_str in)
{
    bool yes = c->sock.ssl ? nk_str_eq(nk_sock_alpn(&c->sock), NK_STR("h2")) : is_preface(c, &in);
    c->fresh = yes && !c->sock.ssl && c->sniffed < sizeof preface - 1;
    if (!yes || c->fresh)
        return yes;
    size_t sniffed = c->sniffed;
    c->sniffed = 0;
    if (!begin(c)) {
        gate_conn_close(c);
        return true;
    }
    if (sniffed)
        feed(c, gate_h2_preface(sniffed));
    if (in.n)
        feed(c, in);
    run(c);
    return true;
}
