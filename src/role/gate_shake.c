/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_shake.c - TLS handshakes wait in line, so that many of them do not hold up those who are in
 * already. A handshake costs as much processor time as dozens of requests; a batch of events may
 * bring hundreds. So each batch takes a few steps of handshakes and serves everybody else between
 * them. Those that have begun go first: work that was done for a client who then runs into
 * limits.handshake_timeout is lost, and under a flood all of it would be.
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
    size_t line = nk_sock_has_begun(&c->sock) ? 0 : 1;
    bool is_next = !g->shake_first[0] && (line == 0 || !g->shake_first[1]);
    if (is_next && g->shake_steps < STEPS_A_BATCH) {
        g->shake_steps++;
        return false;
    }
    c->shaking = true;
    c->next_shaking = NULL;
    if (g->shake_first[line])
        g->shake_last[line]->next_shaking = c;
    else
        g->shake_first[line] = c;
    g->shake_last[line] = c;
    return true;
}

void gate_shake_go(struct gate *g)
{
    for (size_t steps = 0; steps < STEPS_A_BATCH && !gate_shake_may_sleep(g);) {
        size_t line = g->shake_first[0] ? 0 : 1;
        struct gate_conn *c = g->shake_first[line];
        g->shake_first[line] = c->next_shaking;
        c->shaking = false;
        if (c->stream.state == STREAM_DEAD) {
            gate_stream_bury(&c->stream);
            continue;
        }
        c->framing->run(c);
        steps++;
    }
    g->shake_steps = 0;
}

bool gate_shake_may_sleep(const struct gate *g)
{
    return !g->shake_first[0] && !g->shake_first[1];
}
