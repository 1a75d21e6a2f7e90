/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_ring.c - calls to the courier, answers from it, records to the scribe. A call has a slot;
 * number and generation of the slot go with every record, so an answer that comes late for a client
 * that left finds nobody. Calls of one request that run beside one another have a slot and a credit each. What has no room in a ring now waits on the list of blocked streams;
 * the gate never waits.
 */
#include "role/gate.h"

#include <stdlib.h>
#include <string.h>

enum {
    PIECE_MAX = 64 << 10,
    EARLY_MAX = 16 << 10,                   /* bytes of a batch whose pieces leave one by one */
    CREDIT_STEP = NK_WIRE_FIRST_CREDIT / 4, /* grant in steps, not for every piece */
    TOKEN_MS = 30000,                       /* an authorization server may take first */
    SILENCE_MS = 2000,                      /* beyond the upstream's own times */
};

int gate_slots_new(struct gate *g, uint32_t n)
{
    struct gate_slot *slots = calloc(n, sizeof *slots);
    if (!slots)
        return NK_ENOMEM;
    for (uint32_t i = 0; i < n; i++)
        slots[i].next = i + 1 < n ? i + 1 : GATE_NO_SLOT;
    g->slots = slots;
    g->slot_count = n;
    g->free_slot = 0;
    g->cancel_slot = GATE_NO_SLOT;
    return 0;
}

static bool slot_take(struct gate_stream *s, struct gate_call *c)
{
    struct gate *g = s->conn->gate;
    if (g->free_slot == GATE_NO_SLOT)
        return false;
    c->slot = g->free_slot;
    struct gate_slot *slot = &g->slots[c->slot];
    g->free_slot = slot->next;
    slot->stream = s;
    slot->call = c;
    g->generation += 1 + (g->generation == UINT32_MAX); /* never 0 */
    slot->generation = g->generation;
    s->req->call_slot = c->slot;
    s->req->call_generation = slot->generation;
    return true;
}

static void slot_give(struct gate *g, uint32_t slot, uint32_t *list)
{
    g->slots[slot].stream = NULL;
    g->slots[slot].next = *list;
    *list = slot;
}

/* The call is over; what of it was not sent yet never will be. */
static void slot_free(struct gate *g, struct gate_call *c)
{
    if (c->slot == GATE_NO_SLOT)
        return;
    if (c->span)
        gate_telemetry_call(g->slots[c->slot].stream, c);
    slot_give(g, c->slot, &g->free_slot);
    c->slot = GATE_NO_SLOT;
    c->waiting = false;
}

/* Room that one more request needs beside those under way. */
size_t gate_audit_need(const struct gate *g)
{
    return nk_wire_audit_room(g->in_flight);
}

bool gate_audit_full(const struct gate *g)
{
    return nk_ring_space(g->audit) < gate_audit_need(g);
}

/* Records
 * ------------------------------------------------------------------------------------------ */

/* Puts the records that wait into the audit ring; false when there is no room now. */
bool gate_records_put(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    struct gate_request *r = s->req;
    size_t done = 0;
    while (done < r->record_count) {
        struct nk_ring_record rec = {.type = NK_WIRE_RECORD, .payload = r->records[done]};
        if (nk_ring_put(g->audit, &rec)) {
            nk_stats_add(&g->stats, NK_STAT_RING_FULL_AUDIT, 1);
            break;
        }
        done++;
    }
    r->record_count -= done;
    r->record_own -= r->record_own < done ? r->record_own : done;
    memmove(r->records, r->records + done, r->record_count * sizeof *r->records);
    if (done && g->setup->config.audit_strict)
        s->hold_until = nk_ring_committed(g->audit);
    return r->record_count == 0;
}

void gate_block(struct gate_stream *s)
{
    if (s->blocked)
        return;
    s->blocked = true;
    s->next_blocked = s->conn->gate->blocked;
    s->conn->gate->blocked = s;
}

/* Calls
 * -------------------------------------------------------------------------------------------- */

/* Sends what fits of the call; false when some of it must wait. */
static bool call_send(struct gate *g, struct gate_call *c)
{
    const struct nk_str body = c->body;
    while (c->waiting) {
        size_t piece = body.n - c->sent < PIECE_MAX ? body.n - c->sent : PIECE_MAX;
        struct nk_ring_record rec = {.type = c->head_sent ? NK_WIRE_BODY : NK_WIRE_CALL,
                                     .stream = c->slot,
                                     .generation = g->slots[c->slot].generation};
        size_t head = c->head_sent ? 0 : c->wire.n;
        if (head + piece > NK_RING_RECORD_MAX)
            piece = NK_RING_RECORD_MAX - head;
        char *to = nk_ring_reserve(g->calls, head + piece);
        if (!to) {
            nk_stats_add(&g->stats, NK_STAT_RING_FULL_CALLS, 1);
            return false;
        }
        if (head)
            memcpy(to, c->wire.p, head);
        if (piece)
            memcpy(to + head, body.p + c->sent, piece);
        c->head_sent = true;
        c->waiting = c->sent + piece < body.n;
        rec.head_size = (uint32_t)head;
        rec.flags = nk_wire_flags(c->sent, !c->waiting);
        c->sent += piece;
        nk_ring_commit(g->calls, &rec, head + piece);
    }
    return true;
}

static bool cancel(struct gate *g, uint32_t slot)
{
    struct nk_ring_record rec = {
        .type = NK_WIRE_ABORT, .stream = slot, .generation = g->slots[slot].generation};
    return nk_ring_put(g->calls, &rec) == 0;
}

static void call_drop(struct gate *g, struct gate_call *c)
{
    uint32_t slot = c->slot;
    if (slot == GATE_NO_SLOT)
        return;
    slot_free(g, c);
    if (!c->head_sent || !g->calls || cancel(g, slot))
        return;
    /* No room to say so: the slot stays taken until there is; nobody waits for that. */
    g->free_slot = g->slots[slot].next;
    slot_give(g, slot, &g->cancel_slot);
}

static void answer_fail_on(struct gate_stream *s, uint32_t lane, enum nk_upstream_fail how,
                           struct nk_str why, const struct nk_route *route)
{
    struct nk_event e = {.type = NK_EV_ANSWER_FAIL,
                         .lane = lane,
                         .unix_ms = nk_loop_unix_ms(s->conn->gate->loop),
                         .fail = how,
                         .bytes = why,
                         .route = route};
    gate_effects(s, nk_gate_step(s->req->txn, &e));
}

/* Whatever the courier still has of the call is of no use: a driver may call anew in this very step. */
static void answer_fail(struct gate_stream *s, struct gate_call *c, enum nk_upstream_fail how,
                        struct nk_str why)
{
    c->failed = true;
    call_drop(s->conn->gate, c);
    answer_fail_on(s, c->lane, how, why, NULL);
}

static int call_encode(struct gate_stream *s, struct gate_call *c)
{
    struct gate_request *r = s->req;
    const struct nk_gate_call *call = &r->txn->call;
    struct nk_buf *b = &s->conn->gate->call_head;
    struct nk_wire_call_head head = {.upstream = (uint32_t)call->upstream,
                                     .config = r->txn->setup->generation,
                                     .body_bytes = (int64_t)call->body.n,
                                     .subject = call->subject,
                                     .http = call->head};
    nk_buf_clear(b);
    nk_wire_put_call(&head, b);
    c->wire = b->error ? (struct nk_str){NULL, 0} : nk_arena_copy(&r->arena, nk_buf_str(b));
    c->body = call->body;
    return c->wire.p ? 0 : NK_ENOMEM;
}

static int64_t patience(const struct nk_config *cfg, const struct gate_call *c)
{
    const struct nk_config_upstream *u = &cfg->upstreams[c->upstream];
    int64_t ms = u->idle_timeout;
    if (!c->answer_begun)
        ms = u->connect_timeout * (int64_t)nk_config_endpoint_count(u) +
             u->first_byte_timeout * (1 + u->retries);
    ms += u->oauth.token_url.p ? TOKEN_MS : 0;
    return (ms < u->timeout ? ms : u->timeout) + SILENCE_MS;
}

/* The courier keeps the upstreams' times; this is for the case that the courier itself falls silent
 * or a message is lost: a client never waits for ever. */
void gate_call_deadline(struct gate_stream *s)
{
    int64_t most = 0;
    for (const struct gate_call *c = &s->req->call; c; c = c->next) {
        int64_t ms = c->slot == GATE_NO_SLOT ? 0 : patience(&s->req->txn->setup->config, c);
        most = ms > most ? ms : most;
    }
    gate_stream_deadline(s, most);
}

void gate_call_timeout(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    struct {
        uint32_t slot, generation;
    } silent[NK_CONFIG_MCP_SERVERS];
    size_t n = 0;
    for (const struct gate_call *c = &s->req->call; c && n < NK_COUNT(silent); c = c->next)
        if (c->slot != GATE_NO_SLOT) {
            silent[n].slot = c->slot;
            silent[n++].generation = g->slots[c->slot].generation;
        }
    /* What one of them ends may be the request, whose memory then is another's. */
    for (size_t i = 0; i < n; i++) {
        const struct gate_slot *slot = &g->slots[silent[i].slot];
        if (slot->stream == s && slot->generation == silent[i].generation)
            answer_fail(s, slot->call, NK_UPSTREAM_TIMEOUT, NK_STR("the courier was silent"));
    }
}

/* The call of this lane that is over, or a new one; NULL: memory is out. */
static struct gate_call *call_of(struct gate_request *r, uint32_t lane)
{
    struct gate_call *c = &r->call, *last = NULL;
    while (c && c->slot != GATE_NO_SLOT) {
        NK_MUST(c->lane != lane);
        last = c;
        c = c->next;
    }
    if (!c)
        c = nk_arena_alloc(&r->arena, sizeof *c);
    if (!c)
        return NULL;
    *c = (struct gate_call){
        .next = c->next, .lane = lane, .slot = GATE_NO_SLOT, .upstream = r->txn->call.upstream};
    if (last)
        last->next = c;
    return c;
}

void gate_call_start(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    uint32_t lane = s->req->txn->call.lane;
    struct gate_call *c = call_of(s->req, lane);
    if (!g->calls || !c) {
        answer_fail_on(s, lane, NK_UPSTREAM_BUSY,
                       c ? NK_STR("the courier is being restarted") : NK_STR("no memory"), NULL);
        return;
    }
    if (call_encode(s, c) || !slot_take(s, c)) {
        answer_fail(s, c, NK_UPSTREAM_BUSY, NK_STR("no slot is free"));
        return;
    }
    c->waiting = true;
    gate_telemetry_calling(s, c);
    gate_call_deadline(s);
    if (s->req->record_count || !call_send(g, c))
        gate_block(s);
}

/* Gives the slot back; late answers find a new generation. */
void gate_call_forget(struct gate_stream *s)
{
    for (struct gate_call *c = s->req ? &s->req->call : NULL; c; c = c->next)
        slot_free(s->conn->gate, c);
}

bool gate_call_runs(const struct gate_stream *s)
{
    for (const struct gate_call *c = s->req ? &s->req->call : NULL; c; c = c->next)
        if (c->slot != GATE_NO_SLOT)
            return true;
    return false;
}

/* Cancels what had no room to be cancelled; `lost`: there is nobody to tell. */
static void cancel_all(struct gate *g, bool lost)
{
    while (g->cancel_slot != GATE_NO_SLOT && (lost || cancel(g, g->cancel_slot))) {
        uint32_t slot = g->cancel_slot;
        g->cancel_slot = g->slots[slot].next;
        slot_give(g, slot, &g->free_slot);
    }
}

void gate_call_drop(struct gate_stream *s, uint32_t lane)
{
    for (struct gate_call *c = &s->req->call; c; c = c->next)
        if (c->lane == lane)
            call_drop(s->conn->gate, c);
}

void gate_call_abort(struct gate_stream *s)
{
    for (struct gate_call *c = &s->req->call; c; c = c->next)
        call_drop(s->conn->gate, c);
}

static void grant(struct gate *g, struct gate_call *c)
{
    char bytes[4] = {(char)(c->ungranted & 0xFF), (char)(c->ungranted >> 8 & 0xFF),
                     (char)(c->ungranted >> 16 & 0xFF), (char)(c->ungranted >> 24)};
    struct nk_ring_record rec = {.type = NK_WIRE_CREDIT,
                                 .stream = c->slot,
                                 .generation = g->slots[c->slot].generation,
                                 .head_size = sizeof bytes,
                                 .payload = {bytes, sizeof bytes}};
    if (nk_ring_put(g->calls, &rec) == 0)
        c->ungranted = 0; /* otherwise the next piece or flush tries again */
}

/* The client has taken most of what came: the courier may send as much again. */
void gate_credit(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    if (!g->calls || s->out.n > (size_t)g->setup->config.limits.stream_window / 2)
        return;
    for (struct gate_call *c = &s->req->call; c; c = c->next)
        if (c->slot != GATE_NO_SLOT && c->ungranted >= CREDIT_STEP)
            grant(g, c);
}

/* Tries again what waited; true when nothing of this stream waits any more. */
static bool unblock(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    struct gate_request *r = s->req;
    if (!r)
        return true;
    if (r->record_count && !gate_records_put(s))
        return false;
    for (struct gate_call *c = &r->call; c && g->calls; c = c->next)
        if (c->waiting && !call_send(g, c))
            return false;
    return true;
}

/* Asks to be woken when there is room again; false when there is already. */
bool gate_blocked_may_sleep(struct gate *g)
{
    for (struct gate_stream *s = g->blocked; s; s = s->next_blocked) {
        bool records = s->req && s->req->record_count;
        struct nk_ring *full = records ? g->audit : g->calls;
        if (full && nk_ring_want_space(full, records ? nk_wire_audit_room(0) : NK_RING_RECORD_MAX))
            return false;
    }
    return g->cancel_slot == GATE_NO_SLOT || !g->calls || !nk_ring_want_space(g->calls, 0);
}

void gate_unblock_all(struct gate *g)
{
    struct gate_stream *s = g->blocked;
    if (g->calls)
        cancel_all(g, false);
    g->blocked = NULL;
    while (s) {
        struct gate_stream *next = s->next_blocked;
        s->blocked = false;
        if (!unblock(s)) {
            gate_block(s);
        } else if (s->state == STREAM_DEAD) {
            gate_request_done(s);
            gate_stream_bury(s);
        } else {
            gate_request_settle(s);
            gate_mark_dirty(s);
        }
        s = next;
    }
}

/* Answers
 * ------------------------------------------------------------------------------------------ */

static struct nk_event answer_event(struct gate_stream *s, const struct gate_call *c,
                                    enum nk_event_type type)
{
    return (struct nk_event){
        .type = type, .lane = c->lane, .unix_ms = nk_loop_unix_ms(s->conn->gate->loop)};
}

static void answer_step(struct gate_stream *s, const struct nk_event *e)
{
    gate_effects(s, nk_gate_step(s->req->txn, e));
}

/* Is the request still the one that this record answers? A step may have ended it. */
static bool still(const struct gate *g, const struct nk_ring_record *rec,
                  const struct gate_stream *s)
{
    return g->slots[rec->stream].stream == s &&
           g->slots[rec->stream].generation == rec->generation && s->req && s->state != STREAM_DEAD;
}

static void answer_head(struct gate_stream *s, struct gate_call *c,
                        const struct nk_ring_record *rec)
{
    struct nk_arena *a = &s->req->arena;
    struct nk_http_head *head = nk_arena_alloc(a, sizeof *head);
    struct nk_route *route = nk_arena_alloc(a, sizeof *route);
    /* A private copy: what was checked cannot change afterwards. */
    struct nk_str bytes = nk_arena_copy(a, nk_str_sub(rec->payload, 0, rec->head_size));
    uint32_t max = (uint32_t)s->conn->gate->setup->config.limits.headers;
    if (!s->req->first_byte_us) { /* of the first call */
        s->req->first_byte_us = nk_loop_now(s->conn->gate->loop);
        nk_stats_time(&s->conn->gate->stats, NK_STAT_FIRST_BYTE,
                      s->req->first_byte_us - s->req->decided_us);
    }
    if (!head || !route || !bytes.p || nk_wire_get_answer(bytes, max, a, head, route)) {
        answer_fail(s, c, NK_UPSTREAM_BROKEN, NK_STR("the answer's head cannot be read"));
        return;
    }
    c->status = head->status;
    struct nk_event e = answer_event(s, c, NK_EV_ANSWER);
    e.head = head;
    e.route = route;
    answer_step(s, &e);
}

static void answer_data(struct gate_stream *s, struct gate_call *c, struct nk_str bytes)
{
    struct nk_event e = answer_event(s, c, NK_EV_ANSWER_DATA);
    e.bytes = bytes;
    c->ungranted += (uint32_t)bytes.n;
    nk_stats_add(&s->conn->gate->stats, NK_STAT_UPSTREAM_BYTES_IN, bytes.n);
    answer_step(s, &e);
}

static void answer_failed(struct gate_stream *s, struct gate_call *c,
                          const struct nk_ring_record *rec)
{
    static const enum nk_upstream_fail fails[NK_WIRE_FAIL_COUNT] = {
        [NK_WIRE_FAIL_TIMEOUT] = NK_UPSTREAM_TIMEOUT,
        [NK_WIRE_FAIL_BUSY] = NK_UPSTREAM_BUSY,
        [NK_WIRE_FAIL_NO_CONNECTION] = NK_UPSTREAM_NO_CONNECTION,
        [NK_WIRE_FAIL_STALLED] = NK_UPSTREAM_STALLED,
        [NK_WIRE_FAIL_TOO_LONG] = NK_UPSTREAM_TOO_LONG,
    };
    struct nk_arena *a = &s->req->arena;
    struct nk_route *route = nk_arena_alloc(a, sizeof *route);
    struct nk_str head = nk_arena_copy(a, nk_str_sub(rec->payload, 0, rec->head_size));
    struct nk_str why = nk_str_sub(rec->payload, rec->head_size, rec->payload.n);
    uint32_t how = 0;
    if (!route || !head.p || nk_wire_get_fail(head, a, &how, route))
        route = NULL;
    c->failed = true;
    slot_free(s->conn->gate, c); /* the courier has forgotten the stream already */
    answer_fail_on(s, c->lane, how < NK_WIRE_FAIL_COUNT ? fails[how] : NK_UPSTREAM_BROKEN, why,
                   route);
}

/* Is it the piece that has to come next? */
static bool in_order(const struct gate_call *c, const struct nk_ring_record *rec)
{
    if (!nk_wire_flags_ok(rec->flags, c->answer_at))
        return false;
    if (rec->type == NK_WIRE_HEAD)
        return !c->answer_begun;
    return rec->type == NK_WIRE_DATA && c->answer_begun && rec->head_size == 0;
}

static void answer(struct gate *g, const struct nk_ring_record *rec, bool early)
{
    if (rec->stream >= g->slot_count)
        return;
    struct gate_stream *s = g->slots[rec->stream].stream;
    struct gate_call *c = g->slots[rec->stream].call;
    if (!s || !still(g, rec, s))
        return;
    if (rec->type == NK_WIRE_FAIL) {
        answer_failed(s, c, rec);
        return;
    }
    if (!in_order(c, rec)) {
        answer_fail(s, c, NK_UPSTREAM_BROKEN, NK_STR("the courier's records are out of order"));
        return;
    }
    struct nk_str body = nk_str_sub(rec->payload, rec->head_size, rec->payload.n);
    c->answer_begun = true;
    c->answer_at += body.n;
    if (rec->type == NK_WIRE_HEAD)
        answer_head(s, c, rec);
    if (body.n && still(g, rec, s))
        answer_data(s, c, body);
    if (rec->flags & NK_WIRE_END && still(g, rec, s)) {
        struct nk_event e = answer_event(s, c, NK_EV_ANSWER_END);
        slot_free(g, c);
        answer_step(s, &e);
    } else if (still(g, rec, s)) {
        if (s->out.n == 0)
            gate_call_deadline(s);
        gate_credit(s);
        if (early)
            gate_flush_early(s);
    }
}

size_t gate_answers_drain(struct gate *g)
{
    int rc = NK_EAGAIN;
    size_t n = 0;
    bool early = g->answers && nk_ring_backlog(g->answers) <= EARLY_MAX;
    for (; g->answers && n < GATE_DRAIN_BATCH; n++) {
        struct nk_ring_record rec;
        rc = nk_ring_next(g->answers, &rec);
        if (rc)
            break;
        if (rec.type == NK_WIRE_FETCHED || rec.type == NK_WIRE_MORE)
            gate_fetch_arrived(g, &rec);
        else
            answer(g, &rec, early);
    }
    if (rc == NK_EINVAL)
        nk_loop_stop(g->loop, 1); /* the courier broke the ring: start anew, fail closed */
    return n;
}

/* The courier died or its rings are being replaced: calls in flight will not be answered. */
void gate_courier_lost(struct gate *g)
{
    cancel_all(g, true);
    for (uint32_t i = 0; i < g->slot_count; i++) {
        struct gate_stream *s = g->slots[i].stream;
        if (!s)
            continue;
        struct gate_call *c = g->slots[i].call;
        c->failed = true;
        slot_free(g, c);
        nk_stats_add(&g->stats, NK_STAT_UPSTREAM_CRASH, 1);
        if (s->state != STREAM_DEAD)
            answer_fail(s, c, NK_UPSTREAM_BROKEN, NK_STR("the courier died"));
    }
}
