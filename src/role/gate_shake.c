/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_shake.c - TLS handshakes wait in a line, so that many of them do not hold up those who are in
 * already. A handshake costs as much processor time as dozens of requests; a batch of events may
 * bring hundreds. So each batch takes a few steps of handshakes and serves everybody else between
 * them; who waits too long runs into limits.handshake_timeout.
 */
#include "role/gate.h"

enum { STEPS_A_BATCH = 4 };

bool gate_shake_waits(struct gate_conn *c)
{
    struct gate *g = c->gate;
    if (!nk_sock_is_shaking(&c->sock))
        return false;
    if (c->shaking)
        return true;
    if (!g->shake_first && g->shake_steps < STEPS_A_BATCH) {
        g->shake_steps++;
        return false;
    }
    c->shaking = true;
    c->next_shaking = NULL;
    if (g->shake_first)
        g->shake_last->next_shaking = c;
    else
        g->shake_first = c;
    g->shake_last = c;
    return true;
}

void gate_shake_go(struct gate *g)
{
    for (size_t i = 0; g->shake_first && i < STEPS_A_BATCH; i++) {
        struct gate_conn *c = g->shake_first;
        g->shake_first = c->next_shaking;
        c->shaking = false;
        if (c->stream.state == STREAM_DEAD)
            gate_stream_bury(&c->stream);
        else
            c->framing->run(c);
    }
    g->shake_steps = 0;
}

bool gate_shake_may_sleep(const struct gate *g)
{
    return !g->shake_first;
}
