/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_reply.c - effects become bytes: records first, then the call, then the answer. Nothing
 * leaves before its record is published; with `audit: strict`, nothing before it is durable.
 */
#include "role/gate_park.h"

#include <string.h>

void gate_mark_dirty(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    if (s->dirty)
        return;
    s->dirty = true;
    s->next_dirty = g->dirty;
    g->dirty = s;
}

/* Records that have to wait for room get memory of their own; false when there is none. */
static bool own_records(struct gate_request *r)
{
    for (size_t i = r->record_own; i < r->record_count; i++) {
        r->records[i] = nk_arena_copy(&r->arena, r->records[i]);
        if (!r->records[i].p) {
            r->record_count = i;
            return false;
        }
    }
    r->record_own = r->record_count;
    return true;
}

/* Room for n more. */
static bool records_room(struct gate_request *r, size_t n)
{
    if (!r->records)
        r->records = r->few;
    if (r->records != r->few || r->record_count + n <= GATE_RECORDS_FEW)
        return r->record_count + n <= GATE_RECORDS_MAX;
    struct nk_str *more = nk_arena_array(&r->arena, GATE_RECORDS_MAX, sizeof *more);
    if (!more)
        return false;
    memcpy(more, r->records, r->record_count * sizeof *more);
    r->records = more;
    return r->record_count + n <= GATE_RECORDS_MAX;
}

static bool keep_records(struct gate_stream *s)
{
    struct gate_request *r = s->req;
    gate_telemetry_judged(s);
    if (!records_room(r, r->txn->record_count))
        return false;
    for (size_t i = 0; i < r->txn->record_count; i++)
        r->records[r->record_count++] = r->txn->records[i];
    if (gate_records_put(s))
        return true;
    gate_block(s);
    return own_records(r);
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

static void put_head(struct gate_stream *s)
{
    s->state = STREAM_BUSY;
    count_status(s->conn->gate, s->req->txn->reply_head.status);
    s->conn->framing->head(s);
}

static void put_data(struct gate_stream *s)
{
    if (!s->req->asks_head)
        s->conn->framing->data(s);
    nk_buf_clear(&s->req->txn->out);
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

static void count_latency(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    int64_t us = nk_loop_now(g->loop) - s->req->started_us;
    bool allowed = nk_txn_allowed(s->req->txn);
    nk_stats_time(&g->stats, allowed ? NK_STAT_LATENCY_ALLOWED : NK_STAT_LATENCY_DENIED, us);
}

/* The answer is complete, or cut: nothing of the request is needed but what still waits. */
static void finish(struct gate_stream *s, bool cut)
{
    struct gate *g = s->conn->gate;
    s->state = STREAM_BUSY;
    s->conn->framing->end(s, cut);
    if (cut)
        nk_stats_add(&g->stats, NK_STAT_REQUESTS_CUT, 1);
    count_decision(g, s->req->txn);
    count_latency(s);
    gate_telemetry_over(s, cut);
    s->answered = true;
    gate_request_settle(s);
    gate_stream_deadline(s, g->setup->config.limits.write_timeout);
}

/* The transaction has another call to begin beside the one that this step began. */
static void next(struct gate_stream *s)
{
    struct nk_event e = {.type = NK_EV_NEXT, .unix_ms = nk_loop_unix_ms(s->conn->gate->loop)};
    if (s->req && !s->answered && s->state != STREAM_DEAD)
        gate_effects(s, nk_gate_step(s->req->txn, &e));
}

void gate_effects(struct gate_stream *s, unsigned fx)
{
    if (fx == 0)
        return;
    if (fx & NK_FX_RECORD && !keep_records(s))
        fx = NK_FX_ABORT | NK_FX_CUT; /* what cannot be recorded must not happen */
    if (fx & NK_FX_ABORT)
        gate_call_abort(s);
    if (fx & NK_FX_DROP)
        gate_call_drop(s, s->req->txn->drop);
    if (fx & NK_FX_TELL)
        gate_mail_send(s->conn->gate, &s->req->txn->tell);
    if (gate_park_is(s)) {
        gate_park_effects(s, fx);
        return;
    }
    if (fx & NK_FX_HEAD)
        put_head(s);
    if (fx & NK_FX_DATA)
        put_data(s);
    if (fx & NK_FX_PARK)
        gate_park(s);
    if (fx & (NK_FX_END | NK_FX_CUT))
        finish(s, fx & NK_FX_CUT);
    if (fx & (NK_FX_HEAD | NK_FX_DATA | NK_FX_END | NK_FX_CUT))
        gate_mark_dirty(s);
    if (fx & NK_FX_WAKE && !(fx & NK_FX_PARK))
        gate_stream_wake(s);
    if (fx & NK_FX_CALL)
        gate_call_start(s);
    if (fx & NK_FX_NEXT)
        next(s);
}

/* May bytes of this stream leave now? */
static bool may_leave(const struct gate_stream *s)
{
    if (s->req && s->req->record_count)
        return false;
    return s->hold_until == 0 || nk_ring_durable(s->conn->gate->audit) >= s->hold_until;
}

/* If there is nothing now, asks to be woken for the first record that somebody waits for. */
bool gate_has_flushable(struct gate *g)
{
    uint64_t first = 0;
    if (g->sending)
        return true;
    for (struct gate_stream *s = g->dirty; s; s = s->next_dirty) {
        if (s->state == STREAM_DEAD || may_leave(s))
            return true;
        bool waits = !s->req || !s->req->record_count;
        if (waits && (first == 0 || s->hold_until < first))
            first = s->hold_until;
    }
    return first && nk_ring_want_durable(g->audit, first);
}

void gate_flush_early(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    if (g->dirty != s || s->state == STREAM_DEAD || !may_leave(s))
        return;
    nk_ring_publish(g->audit); /* records before anything that they are about */
    g->dirty = s->next_dirty;
    s->dirty = false;
    s->conn->framing->flush(s);
}

void gate_flush_all(struct gate *g)
{
    struct gate_stream *s = g->dirty;
    g->dirty = NULL;
    while (s) {
        struct gate_stream *next = s->next_dirty;
        s->dirty = false;
        if (s->state == STREAM_DEAD)
            gate_stream_bury(s);
        else if (may_leave(s))
            s->conn->framing->flush(s);
        else
            gate_mark_dirty(s);
        s = next;
    }
    gate_h2_send_all(g);
}
