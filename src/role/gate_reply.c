/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_reply.c - effects become bytes: records first, then the call, then the answer. Nothing
 * leaves before its record is published; with `audit: strict`, nothing before it is durable.
 */
#include "role/gate.h"

#include <string.h>
#include <sys/socket.h>

enum { LINGER_MS = 1000, HEAD_ROOM = 320 };

void gate_mark_dirty(struct gate_conn *c)
{
    struct gate *g = c->gate;
    if (c->dirty)
        return;
    c->dirty = true;
    c->next_dirty = g->dirty;
    g->dirty = c;
}

static void keep_records(struct gate_conn *c)
{
    struct gate_request *r = c->req;
    gate_telemetry_judged(c);
    for (size_t i = 0; i < r->txn->record_count; i++) {
        NK_MUST(r->record_count < GATE_RECORDS_MAX);
        r->records[r->record_count++] = r->txn->records[i];
    }
    if (!gate_records_put(c))
        gate_block(c);
}

static void count_status(struct gate *g, int status)
{
    static const enum nk_stat classes[] = {NK_STAT_REQUESTS_2XX, NK_STAT_REQUESTS_3XX,
                                           NK_STAT_REQUESTS_4XX, NK_STAT_REQUESTS_5XX};
    if (status == 503 && gate_audit_full(g))
        nk_stats_add(&g->stats, NK_STAT_REFUSED_FULL, 1);
    if (status >= 200 && status < 600)
        nk_stats_add(&g->stats, classes[status / 100 - 2], 1);
}

static void put_head(struct gate_conn *c)
{
    struct gate_request *r = c->req;
    struct nk_http_head head = r->txn->reply_head;
    /* An answer to a request that has not fully arrived ends the connection. */
    r->close_after |= !r->body_complete || c->gate->draining;
    head.keep_alive = !r->close_after;
    r->chunked = head.chunked;
    c->state = CONN_BUSY;
    (void)nk_buf_reserve(&c->out, HEAD_ROOM + r->txn->out.n); /* else it grows as it is written */
    count_status(c->gate, head.status);
    if (nk_http_write_response(&head, &c->out))
        c->out.error = NK_EINVAL; /* a header that would break the framing: the connection is cut */
}

static void put_data(struct gate_conn *c)
{
    struct gate_request *r = c->req;
    struct nk_buf *from = &r->txn->out;
    if (r->chunked)
        nk_http_write_chunk(nk_buf_str(from), &c->out);
    else
        nk_buf_add(&c->out, nk_buf_str(from));
    nk_buf_clear(from);
}

/* A decision of the judge, or the stage that refused before it. */
static void count_decision(struct gate *g, const struct nk_txn *txn)
{
    static const struct {
        const char *stage;
        enum nk_stat stat;
    } refusals[] = {{"match", NK_STAT_REFUSED_PARSE},
                    {"parse", NK_STAT_REFUSED_PARSE},
                    {"identify", NK_STAT_REFUSED_IDENTIFY},
                    {"locate", NK_STAT_REFUSED_LOCATE},
                    {"limit", NK_STAT_REFUSED_LIMIT}};
    const char *stage = nk_txn_refused_by(txn);
    if (nk_txn_judged(txn)) {
        nk_stats_add(&g->stats,
                     nk_txn_allowed(txn) ? NK_STAT_DECISIONS_ALLOW : NK_STAT_DECISIONS_DENY, 1);
        nk_stats_add(&g->stats, NK_STAT_POLICY_ERRORS, nk_txn_policy_errors(txn));
        return;
    }
    for (size_t i = 0; stage && i < NK_COUNT(refusals); i++)
        if (strcmp(stage, refusals[i].stage) == 0)
            nk_stats_add(&g->stats, refusals[i].stat, 1);
}

static void count_latency(struct gate_conn *c)
{
    struct gate *g = c->gate;
    int64_t us = nk_loop_now(g->loop) - c->req->started_us;
    bool allowed = nk_txn_allowed(c->req->txn);
    nk_stats_time(&g->stats, allowed ? NK_STAT_LATENCY_ALLOWED : NK_STAT_LATENCY_DENIED, us);
}

/* The answer is complete, or cut: nothing of the request is needed but records that still wait. */
static void finish(struct gate_conn *c, bool cut)
{
    struct gate_request *r = c->req;
    c->state = CONN_BUSY;
    c->close_after_flush = cut || r->close_after;
    if (!cut && r->chunked)
        nk_http_write_last_chunk(&c->out);
    if (cut)
        nk_stats_add(&c->gate->stats, NK_STAT_REQUESTS_CUT, 1);
    count_decision(c->gate, r->txn);
    count_latency(c);
    gate_telemetry_over(c, cut);
    c->answered = true;
    if (r->record_count == 0)
        gate_request_done(c);
    gate_conn_deadline(c, c->gate->setup->config.limits.write_timeout);
}

void gate_effects(struct gate_conn *c, unsigned fx)
{
    if (fx == 0)
        return;
    if (fx & NK_FX_RECORD)
        keep_records(c);
    if (fx & NK_FX_ABORT)
        gate_call_abort(c);
    if (fx & NK_FX_CALL)
        gate_call_start(c);
    if (fx & NK_FX_HEAD)
        put_head(c);
    if (fx & NK_FX_DATA)
        put_data(c);
    if (fx & (NK_FX_END | NK_FX_CUT))
        finish(c, fx & NK_FX_CUT);
    if (fx & (NK_FX_HEAD | NK_FX_DATA | NK_FX_END | NK_FX_CUT))
        gate_mark_dirty(c);
}

void gate_reply_whole(struct gate_conn *c, int status, struct nk_str type, struct nk_str body)
{
    struct nk_http_header h = {NK_STR("content-type"), type};
    struct nk_http_head head = {.status = status,
                                .headers = &h,
                                .header_count = 1,
                                .content_length = (int64_t)body.n,
                                .keep_alive = false};
    if (nk_http_write_response(&head, &c->out))
        c->out.error = NK_EINVAL;
    nk_buf_add(&c->out, body);
    c->state = CONN_BUSY;
    c->close_after_flush = true;
    gate_request_done(c);
    gate_mark_dirty(c);
}

/* May bytes of this connection leave now? */
static bool may_leave(const struct gate_conn *c)
{
    if (c->req && c->req->record_count)
        return false;
    return c->hold_until == 0 || nk_ring_durable(c->gate->audit) >= c->hold_until;
}

static void linger(struct gate_conn *c)
{
    (void)shutdown(c->sock.fd, SHUT_WR);
    c->state = CONN_LINGER;
    gate_conn_deadline(c, LINGER_MS);
    gate_conn_run(c);
}

static void after_flush(struct gate_conn *c)
{
    nk_buf_free(&c->out);
    if (c->req) {
        if (c->req->slot != GATE_NO_SLOT)
            gate_call_deadline(c);
        gate_credit(c);
        return;
    }
    c->hold_until = 0;
    c->answered = false;
    if (c->state != CONN_BUSY)
        return;
    if (c->close_after_flush) {
        if (c->sock.ssl)
            gate_conn_close(c);
        else
            linger(c);
        return;
    }
    c->state = CONN_IDLE;
    gate_conn_deadline(c, c->gate->setup->config.limits.idle_timeout);
    gate_conn_run(c);
}

/* Sends what the socket takes. */
static void flush(struct gate_conn *c)
{
    if (c->out.error) {
        gate_conn_close(c);
        return;
    }
    while (c->out.n && c->writable) {
        struct iovec v = {c->out.p, c->out.n};
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
        nk_buf_drop(&c->out, (size_t)n);
        if (c->out.n && c->state == CONN_BUSY)
            gate_conn_deadline(c, c->gate->setup->config.limits.write_timeout);
    }
    if (c->out.n == 0)
        after_flush(c);
    else
        gate_conn_deadline(c, c->gate->setup->config.limits.write_timeout);
}

/* If there is nothing now, asks to be woken for the first record that somebody waits for. */
bool gate_has_flushable(struct gate *g)
{
    uint64_t first = 0;
    for (struct gate_conn *c = g->dirty; c; c = c->next_dirty) {
        if (c->state == CONN_DEAD || may_leave(c))
            return true;
        bool waits = !c->req || !c->req->record_count;
        if (waits && (first == 0 || c->hold_until < first))
            first = c->hold_until;
    }
    return first && nk_ring_want_durable(g->audit, first);
}

void gate_flush_all(struct gate *g)
{
    struct gate_conn *c = g->dirty;
    g->dirty = NULL;
    while (c) {
        struct gate_conn *next = c->next_dirty;
        c->dirty = false;
        if (c->state == CONN_DEAD) {
            gate_conn_bury(c);
        } else if (may_leave(c)) {
            flush(c);
        } else {
            gate_mark_dirty(c);
        }
        c = next;
    }
}
