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

bool gate_pause(struct gate_conn *c)
{
    struct gate *g = c->gate;
    if (c->admin || c->state != CONN_IDLE)
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
    if (!c->paused) {
        c->paused = true;
        c->next_paused = g->paused;
        g->paused = c;
    }
    return true;
}

void gate_pause_end(struct gate *g)
{
    if (!g->paused || (gate_audit_full(g) && !is_over(g)))
        return;
    struct gate_conn *c = g->paused;
    g->paused = NULL;
    while (c) {
        struct gate_conn *next = c->next_paused;
        c->paused = false;
        if (c->state == CONN_DEAD)
            gate_conn_bury(c);
        else
            gate_conn_run(c);
        c = next;
    }
}

/* Asks to be woken when there is room for new requests; false when there is already. */
bool gate_pause_may_sleep(struct gate *g)
{
    return !g->paused || !nk_ring_want_space(g->audit, gate_audit_need(g));
}
