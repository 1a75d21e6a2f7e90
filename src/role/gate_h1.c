/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_h1.c - HTTP/1.1 (RFC 9112) on a client's connection: bytes are cut into one request after the
 * other, an answer is written into the stream's buffer and from there to the socket. What comes
 * behind a request waits until it is answered.
 */
#include "role/gate.h"

#include <string.h>
#include <sys/socket.h>

enum { REST_MAX = GATE_READ_SIZE, LINGER_MS = 1000, HEAD_ROOM = 320 };

/* Requests
 * ----------------------------------------------------------------------------------------- */

static int request_new(struct gate_conn *c)
{
    struct gate_stream *s = &c->stream;
    const struct nk_config_limits *lim = &c->gate->setup->config.limits;
    struct nk_http_limits http = {.max_head_bytes = (uint32_t)lim->head_bytes,
                                  .max_headers = (uint32_t)lim->headers,
                                  .max_body_bytes = INT64_MAX}; /* the core's to refuse */
    int rc = gate_request_new(s);
    if (rc)
        return rc;
    s->req->parser = nk_http_parser_new(&s->req->arena, true, &http);
    return s->req->parser ? 0 : NK_ENOMEM;
}

static void on_head(struct gate_conn *c)
{
    struct gate_stream *s = &c->stream;
    const struct nk_http_head *head = nk_http_parser_head(s->req->parser);
    s->req->close_after |= !head->keep_alive || c->gate->draining;
    if (c->admin) {
        gate_admin_answer(s, head);
        return;
    }
    if (gate_request_begin(s)) {
        gate_conn_close(c);
        return;
    }
    gate_request_head(s, head);
    if (s->state == STREAM_BODY && head->expect_continue) {
        nk_buf_add(&s->out, NK_STR("HTTP/1.1 100 Continue\r\n\r\n"));
        gate_mark_dirty(s);
    }
}

/* Takes bytes of one request; what lies behind it stays in *in. */
static void feed(struct gate_stream *s, struct nk_str *in)
{
    struct nk_fault f;
    nk_fault_none(&f);
    while (s->state == STREAM_HEAD || s->state == STREAM_BODY) {
        enum nk_http_event event;
        int rc = nk_http_parse(s->req->parser, in, &event, &f);
        if (rc) {
            gate_request_bad(s, rc, f.message);
            return;
        }
        if (event == NK_HTTP_MORE)
            return;
        if (event == NK_HTTP_HEAD)
            on_head(s->conn);
        else if (event == NK_HTTP_BODY)
            gate_request_body(s, nk_http_parser_body(s->req->parser));
        else
            gate_request_end(s);
    }
}

static void take(struct gate_conn *c, struct nk_str in)
{
    struct gate_stream *s = &c->stream;
    while (in.n && s->state <= STREAM_BODY) {
        if (s->state == STREAM_IDLE && request_new(c)) {
            gate_conn_close(c);
            return;
        }
        feed(s, &in);
    }
    /* Bytes behind a complete request wait their turn, even when its answer is complete already;
     * behind one that ends the connection nobody will read them. */
    bool ends = s->req ? !s->req->body_complete : c->close_after_flush;
    if (in.n && s->state == STREAM_BUSY && !ends) {
        nk_buf_init(&c->rest, REST_MAX);
        nk_buf_add(&c->rest, in);
        if (c->rest.error)
            gate_conn_close(c);
    }
}

/* What looked like HTTP/2's preface was the beginning of a request. */
static void take_back(struct gate_conn *c)
{
    struct nk_str begun = gate_h2_preface(c->sniffed);
    c->sniffed = 0;
    take(c, begun);
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

static void run(struct gate_conn *c)
{
    struct gate_stream *s = &c->stream;
    struct nk_fault f;
    nk_fault_none(&f);
    for (size_t reads = 0; s->state <= STREAM_BODY || s->state == STREAM_LINGER; reads++) {
        if (gate_pause(s))
            break;
        if (reads == GATE_READS_A_TURN) {
            gate_turn_over(c);
            return;
        }
        ssize_t n = more_input(c, &f);
        if (n == NK_EAGAIN)
            break;
        if (n <= 0) {
            if (n == NK_ECRYPTO)
                gate_tls_refused(c->gate, &f);
            gate_conn_close(c);
            return;
        }
        if (s->state == STREAM_LINGER)
            continue;
        struct nk_str in = {c->gate->read_buffer, (size_t)n};
        nk_stats_add(&c->gate->stats, NK_STAT_BYTES_IN, in.n);
        if (c->fresh && gate_h2_begins(c, in)) {
            if (c->fresh) /* what came is not the whole preface */
                continue;
            return;
        }
        if (c->sniffed)
            take_back(c);
        take(c, in);
    }
    if (c->gone)
        gate_conn_close(c);
}

/* Answers
 * ------------------------------------------------------------------------------------------ */

static void put_head(struct gate_stream *s)
{
    struct gate_request *r = s->req;
    struct nk_http_head head = r->txn->reply_head;
    /* An answer to a request that has not fully arrived ends the connection. */
    r->close_after |= !r->body_complete || s->conn->gate->draining;
    head.keep_alive = !r->close_after;
    r->chunked = head.chunked;
    (void)nk_buf_reserve(&s->out, HEAD_ROOM + r->txn->out.n); /* else it grows as it is written */
    if (nk_http_write_response(&head, &s->out))
        s->out.error = NK_EINVAL; /* a header that would break the framing: the connection is cut */
}

static void put_data(struct gate_stream *s)
{
    struct nk_str bytes = nk_buf_str(&s->req->txn->out);
    if (s->req->chunked)
        nk_http_write_chunk(bytes, &s->out);
    else
        nk_buf_add(&s->out, bytes);
}

static void put_end(struct gate_stream *s, bool cut)
{
    s->conn->close_after_flush = cut || s->req->close_after;
    if (!cut && s->req->chunked)
        nk_http_write_last_chunk(&s->out);
}

void gate_reply_whole(struct gate_stream *s, int status, struct nk_str type, struct nk_str body)
{
    struct nk_http_header h = {NK_STR("content-type"), type};
    struct nk_http_head head = {.status = status,
                                .headers = &h,
                                .header_count = 1,
                                .content_length = (int64_t)body.n,
                                .keep_alive = false};
    if (nk_http_write_response(&head, &s->out))
        s->out.error = NK_EINVAL;
    if (!s->req || !s->req->asks_head)
        nk_buf_add(&s->out, body);
    s->state = STREAM_BUSY;
    s->conn->close_after_flush = true;
    gate_request_done(s);
    gate_mark_dirty(s);
}

static void linger(struct gate_conn *c)
{
    nk_sock_finish(&c->sock);
    c->stream.state = STREAM_LINGER;
    gate_stream_deadline(&c->stream, LINGER_MS);
    run(c);
}

static void after_flush(struct gate_stream *s)
{
    struct gate_conn *c = s->conn;
    nk_buf_free(&s->out);
    if (s->req) {
        if (gate_call_runs(s))
            gate_call_deadline(s);
        else if (s->state == STREAM_BUSY && !s->answered)
            gate_stream_deadline(s, 0); /* its driver knows when it wants to go on */
        gate_credit(s);
        return;
    }
    s->hold_until = 0;
    s->answered = false;
    if (s->state != STREAM_BUSY)
        return;
    if (c->close_after_flush) {
        linger(c);
        return;
    }
    s->state = STREAM_IDLE;
    gate_stream_deadline(s, gate_conn_patience(c->gate));
    run(c);
}

/* Sends what the socket takes. */
static void flush(struct gate_stream *s)
{
    struct gate_conn *c = s->conn;
    const struct nk_config_limits *lim = &c->gate->setup->config.limits;
    if (s->out.error) {
        gate_conn_close(c);
        return;
    }
    while (s->out.n && c->writable) {
        struct iovec v = {s->out.p, s->out.n};
        ssize_t n = nk_sock_write(&c->sock, &v, 1);
        if (n == NK_EAGAIN) {
            c->writable = false;
            break;
        }
        if (n < 0) {
            gate_conn_close(c);
            return;
        }
        nk_stats_add(&c->gate->stats, NK_STAT_BYTES_OUT, (uint64_t)n);
        nk_buf_drop(&s->out, (size_t)n);
        if (s->out.n && s->state == STREAM_BUSY)
            gate_stream_deadline(s, lim->write_timeout);
    }
    if (s->out.n == 0)
        after_flush(s);
    else
        gate_stream_deadline(s, lim->write_timeout);
}

/* The connection's life
 * ----------------------------------------------------------------------------- */

static void resume(struct gate_stream *s)
{
    run(s->conn);
}

static void fail(struct gate_stream *s)
{
    gate_conn_close(s->conn);
}

/* Its next answer says that the connection ends; when there is none soon, it is closed. */
static void drain(struct gate_conn *c)
{
    if (c->stream.state == STREAM_IDLE && !c->stream.paused) /* else a request waits to be read */
        gate_stream_deadline(&c->stream, gate_conn_patience(c->gate));
}

static void close_framing(struct gate_conn *c)
{
    gate_stream_end(&c->stream);
    nk_buf_free(&c->rest);
}

static void bury(struct gate_stream *s)
{
    gate_conn_bury(s->conn);
}

const struct gate_framing gate_h1 = {.run = run,
                                     .resume = resume,
                                     .head = put_head,
                                     .data = put_data,
                                     .end = put_end,
                                     .flush = flush,
                                     .fail = fail,
                                     .drain = drain,
                                     .close = close_framing,
                                     .bury = bury};
