/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_park.c - see gate_park.h. The request's memory holds the transaction, so both streams have it: the one that it came by until its
 * answer has left, and this one, until the transaction is over. Calls, records, deadlines and what is told go by streams
 * alone, so they need not know that nobody is at the other end.
 */
#include "role/gate_park.h"

#include <stdlib.h>

/* Freed behind this batch, by the list of those that may leave: who called may still look at it. */
static void over(struct gate_stream *s)
{
    s->answered = true;
    s->state = STREAM_DEAD;
    s->deadline_us = 0;
    nk_loop_disarm(s->conn->gate->loop, &s->timer);
    if (!s->req->record_count)
        gate_request_done(s);
    gate_mark_dirty(s);
}

static void nothing(struct gate_stream *s)
{
    (void)s;
}

static void no_end(struct gate_stream *s, bool cut)
{
    (void)s, (void)cut;
}

/* Without a timer it would stay for ever. */
static void flush(struct gate_stream *s)
{
    if (!s->out.error || s->answered)
        return;
    gate_call_abort(s);
    over(s);
}

/* The deadline of a call that is over: the transaction knows itself when it wants to go on. */
static void fail(struct gate_stream *s)
{
    struct nk_loop *loop = s->conn->gate->loop;
    s->deadline_us = 0;
    if (!s->answered && s->req->wake_us &&
        nk_loop_arm(loop, &s->timer, s->req->wake_us - nk_loop_now(loop)))
        over(s);
}

static void bury(struct gate_stream *s)
{
    free(s->conn);
}

static const struct gate_framing parked = {
    .head = nothing, .data = nothing, .end = no_end, .flush = flush, .fail = fail, .bury = bury};

bool gate_park_is(const struct gate_stream *s)
{
    return s->conn->framing == &parked;
}

void gate_park(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    struct gate_request *r = s->req;
    struct gate_conn *c = r->record_count ? NULL : calloc(1, sizeof *c);
    if (!c) {
        gate_call_abort(s);
        return;
    }
    c->gate = g;
    c->framing = &parked;
    c->sock.fd = -1;
    gate_stream_init(&c->stream, c);
    c->stream.req = r;
    c->stream.state = STREAM_BUSY;
    r->shared = true;
    r->parked = &c->stream;
    if (r->call.slot != GATE_NO_SLOT) {
        g->slots[r->call.slot].stream = &c->stream;
        gate_call_deadline(&c->stream);
    }
    nk_waits_move(&g->mail.waits, s, &c->stream);
    gate_stream_wake(&c->stream);
}

bool gate_park_shares(struct gate_stream *s, struct gate_request *r)
{
    bool shared = r->shared;
    if (!r->parked || r->parked == s)
        gate_call_forget(s);
    r->shared = false;
    s->req = NULL;
    return shared;
}

void gate_park_effects(struct gate_stream *s, unsigned fx)
{
    nk_buf_clear(&s->req->txn->out);
    if (fx & (NK_FX_END | NK_FX_CUT)) {
        gate_call_abort(s);
        over(s);
        return;
    }
    if (fx & NK_FX_WAKE)
        gate_stream_wake(s);
    if (fx & NK_FX_CALL)
        gate_call_start(s);
}
