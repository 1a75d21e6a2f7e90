/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_stream.c - one request and its answer, whatever framing carries it: memory for it, the
 * events that its bytes become, its deadline, its end. Deadlines are lazy: a state change only
 * writes `deadline_us`, the timer moves itself when it fires too early.
 */
#include "role/gate_park.h"

#include <stdlib.h>

enum { SPARE_MAX = 64 };

static struct nk_event event_of(struct gate_stream *s, enum nk_event_type type)
{
    return (struct nk_event){.type = type, .unix_ms = nk_loop_unix_ms(s->conn->gate->loop)};
}

static void step(struct gate_stream *s, const struct nk_event *e)
{
    gate_effects(s, nk_gate_step(s->req->txn, e));
}

/* Memory
 * ------------------------------------------------------------------------------------------- */

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
            nk_arena_init_sized(&r->arena, ceiling, GATE_REQUEST_BLOCK);
        return r;
    }
    g->spare = r->next_spare;
    g->spare_count--;
    *r = (struct gate_request){.arena = r->arena};
    r->arena.ceiling = ceiling;
    return r;
}

/* Enough for the copies and tapes of one request and one answer of the configured sizes. */
static size_t arena_ceiling(const struct nk_config_limits *lim)
{
    return (size_t)((4 << 20) + 2 * lim->body_bytes + 64 * lim->json_values + 4 * lim->head_bytes);
}

int gate_request_new(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    const struct nk_config_limits *lim = &g->setup->config.limits;
    s->req = request_take(g, arena_ceiling(lim));
    if (!s->req)
        return NK_ENOMEM;
    s->req->call.slot = GATE_NO_SLOT;
    s->req->started_us = nk_loop_now(g->loop);
    s->state = STREAM_HEAD;
    gate_stream_deadline(s, lim->header_timeout);
    return 0;
}

int gate_request_begin(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    struct nk_ident_certificate room;
    struct nk_gate_env env = {.instance = g->start->instance,
                              .certificate = gate_tls_peer(s->conn, &room),
                              .number = g->requests++,
                              .in_flight = g->in_flight,
                              .audit_full = gate_audit_full(g),
                              .slot = g->start->slot,
                              .waits = &g->mail.waits,
                              .used = g->mail.used,
                              .owner = s,
                              .scratch = &g->scratch};
    g->scratch.ceiling = s->req->arena.ceiling;
    gate_telemetry_begin(g, &env);
    s->req->txn = nk_txn_new(&s->req->arena, g->setup, &env);
    if (!s->req->txn)
        return NK_ENOMEM;
    g->in_flight++;
    nk_stats_add(&g->stats, NK_STAT_REQUESTS_IN_FLIGHT, 1);
    return 0;
}

void gate_request_done(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    struct gate_request *r = s->req;
    if (!r)
        return;
    if (gate_park_shares(s, r))
        return;
    if (r->txn) {
        g->in_flight--;
        nk_stats_sub(&g->stats, NK_STAT_REQUESTS_IN_FLIGHT, 1);
        nk_txn_free(r->txn);
    }
    request_give_back(g, r);
}

void gate_request_settle(struct gate_stream *s)
{
    if (s->req && s->answered && !s->req->record_count && !s->req->held)
        gate_request_done(s);
}

/* Events
 * ------------------------------------------------------------------------------------------- */

void gate_request_head(struct gate_stream *s, const struct nk_http_head *head)
{
    struct nk_event e = event_of(s, NK_EV_REQUEST);
    s->state = STREAM_BODY;
    s->req->asks_head = nk_str_eq(head->method, NK_STR("HEAD"));
    gate_stream_deadline(s, s->conn->gate->setup->config.limits.body_timeout);
    e.head = head;
    step(s, &e);
}

void gate_request_body(struct gate_stream *s, struct nk_str bytes)
{
    struct nk_event e = event_of(s, NK_EV_BODY);
    e.bytes = bytes;
    step(s, &e);
}

void gate_request_end(struct gate_stream *s)
{
    struct nk_event e = event_of(s, NK_EV_REQUEST_END);
    s->req->body_complete = true;
    s->req->decided_us = nk_loop_now(s->conn->gate->loop);
    s->state = STREAM_BUSY;
    gate_stream_deadline(s, 0);
    gate_telemetry_judging(s);
    step(s, &e);
}

void gate_request_bad(struct gate_stream *s, int code, const char *why)
{
    struct nk_event e = event_of(s, NK_EV_BAD_REQUEST);
    e.fail = code;
    e.bytes = nk_str(why);
    s->req->close_after = true;
    if (!s->req->txn && (s->conn->admin || gate_request_begin(s)))
        s->conn->framing->fail(s);
    else
        step(s, &e);
}

/* Deadlines
 * ---------------------------------------------------------------------------------------- */

/* When the timer has to fire `after_ms` from now at the latest: that time; 0: it need not. */
static int64_t arm(struct gate_stream *s, int64_t after_ms)
{
    struct nk_loop *loop = s->conn->gate->loop;
    int64_t due = after_ms ? nk_loop_now(loop) + after_ms * 1000 : 0;
    if (due && (s->timer.due_us == 0 || s->timer.due_us > due) &&
        nk_loop_arm(loop, &s->timer, after_ms * 1000)) {
        s->out.error = NK_ENOMEM; /* given up when it is flushed: the caller still works on it */
        gate_mark_dirty(s);
    }
    return due;
}

void gate_stream_deadline(struct gate_stream *s, int64_t after_ms)
{
    s->deadline_us = arm(s, after_ms);
}

void gate_stream_wake(struct gate_stream *s)
{
    s->req->wake_us = arm(s, s->req->txn->wake_ms);
}

static void too_late(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    const struct gate_framing *framing = s->conn->framing;
    if (framing->moves && framing->moves(s)) {
        gate_stream_deadline(s, g->setup->config.limits.write_timeout);
        return;
    }
    if (s->state != STREAM_IDLE && s->state != STREAM_LINGER)
        nk_stats_add(&g->stats, NK_STAT_CLIENT_TIMEOUTS, 1);
    /* Over HTTP/2, half a head is no stream that could be answered. */
    bool nobody = s->state == STREAM_HEAD && !s->req->parser;
    if ((s->state == STREAM_HEAD || s->state == STREAM_BODY) && !nobody) {
        const char *why =
            s->state == STREAM_HEAD ? "See limits.header_timeout." : "See limits.body_timeout.";
        gate_stream_deadline(s, g->setup->config.limits.write_timeout);
        gate_request_bad(s, NK_EEXPIRED, why);
        return;
    }
    if (s->state == STREAM_BUSY && !s->answered && gate_call_runs(s) && s->out.n == 0)
        gate_call_timeout(s);
    else
        framing->fail(s);
}

static void wake(struct gate_stream *s)
{
    struct nk_event e = event_of(s, NK_EV_WAKE);
    s->req->wake_us = 0;
    step(s, &e);
}

/* When its transaction wants a step; an answered one is none of its own any more (gate_park.c). */
static int64_t wake_of(const struct gate_stream *s)
{
    return s->req && !s->answered ? s->req->wake_us : 0;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a && (!b || a < b) ? a : b;
}

static void on_deadline(struct nk_timer *timer)
{
    struct gate_stream *s = NK_OF(timer, struct gate_stream, timer);
    struct nk_loop *loop = s->conn->gate->loop;
    int64_t now = nk_loop_now(loop);
    if (wake_of(s) && wake_of(s) <= now)
        wake(s);
    int64_t due = earlier(s->deadline_us, wake_of(s));
    if (due == 0)
        return;
    if (s->deadline_us && s->deadline_us <= now)
        too_late(s);
    else if (nk_loop_arm(loop, &s->timer, due - now))
        s->conn->framing->fail(s);
}

/* Begin and end
 * ------------------------------------------------------------------------------------ */

void gate_stream_init(struct gate_stream *s, struct gate_conn *c)
{
    const struct nk_config_limits *lim = &c->gate->setup->config.limits;
    s->conn = c;
    s->timer.fire = on_deadline;
    nk_buf_init(&s->out, (size_t)(2 * lim->reply_bytes + lim->stream_window + lim->head_bytes));
}

void gate_stream_end(struct gate_stream *s)
{
    if (s->req && s->req->txn && !s->answered) {
        struct nk_event e = event_of(s, NK_EV_CLIENT_GONE);
        step(s, &e);
    }
    s->state = STREAM_DEAD;
    /* Records that still wait keep the request: see gate_unblock_all. */
    if (s->req && !s->req->record_count)
        gate_request_done(s);
    nk_loop_disarm(s->conn->gate->loop, &s->timer);
    nk_buf_free(&s->out);
}

void gate_stream_bury(struct gate_stream *s)
{
    if (!s->dirty && !s->blocked && !s->paused && !s->req)
        s->conn->framing->bury(s);
}
