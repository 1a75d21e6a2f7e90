/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_pause.c - what a full audit log does to new requests: they are left unread for a moment, because a
 * disk that syncs slowly has room again soon; when it has not, they are read and refused. Requests that have
 * begun are not touched: room for their records is kept (see gate_audit_full).
 */
#include "role/gate.h"

enum { PAUSE_US = 2000000 };

static void over(struct nk_timer *t)
{
    (void)t; /* the flush hook looks */
}

static bool is_over(const struct gate *g)
{
    return nk_loop_now(g->loop) - g->full_since_us >= PAUSE_US;
}

bool gate_pause(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    if (s->conn->admin || s->state != STREAM_IDLE)
        return false;
    if (!gate_audit_full(g)) {
        g->full_since_us = 0;
        return false;
    }
    if (g->full_since_us == 0) {
        g->full_since_us = nk_loop_now(g->loop);
        g->pause_timer.fire = over;
        if (nk_loop_arm(g->loop, &g->pause_timer, PAUSE_US))
            return false;
    }
    if (is_over(g))
        return false;
    if (!s->paused) {
        s->paused = true;
        s->next_paused = g->paused;
        g->paused = s;
    }
    return true;
}

void gate_pause_end(struct gate *g)
{
    if (!g->paused || (gate_audit_full(g) && !is_over(g)))
        return;
    struct gate_stream *s = g->paused;
    g->paused = NULL;
    while (s) {
        struct gate_stream *next = s->next_paused;
        s->paused = false;
        if (s->state == STREAM_DEAD)
            gate_stream_bury(s);
        else
            s->conn->framing->resume(s);
        s = next;
    }
}

/* Asks to be woken when there is room for new requests; false when there is already. */
bool gate_pause_may_sleep(struct gate *g)
{
    return !g->paused || !nk_ring_want_space(g->audit, gate_audit_need(g));
}
