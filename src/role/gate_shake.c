/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_shake.c - TLS handshakes wait in line, so that many of them do not hold up those who are in
 * already. A handshake costs as much processor time as dozens of requests; a batch of events may
 * bring hundreds. So each batch takes a few steps of handshakes and serves everybody else between
 * them. Those that have begun go first: work that was done for a client who then runs into
 * limits.handshake_timeout is lost, and under a flood all of it would be.
 *
 * The same for reading: a client that sends as fast as the gate reads would never come to an end, and
 * nobody else to anything.
 */
#include "role/gate.h"

enum { STEPS_A_BATCH = 4 };
enum line { BEGUN, NEW, READING };

static void stand_in(struct gate *g, enum line line, struct gate_conn *c)
{
    c->shaking = true;
    c->next_shaking = NULL;
    if (g->shake_first[line])
        g->shake_last[line]->next_shaking = c;
    else
        g->shake_first[line] = c;
    g->shake_last[line] = c;
}

void gate_turn_over(struct gate_conn *c)
{
    if (!c->shaking)
        stand_in(c->gate, READING, c);
}

bool gate_shake_waits(struct gate_conn *c)
{
    struct gate *g = c->gate;
    if (!nk_sock_is_shaking(&c->sock))
        return false;
    if (c->shaking)
        return true;
    enum line line = nk_sock_has_begun(&c->sock) ? BEGUN : NEW;
    bool is_next = !g->shake_first[BEGUN] && (line == BEGUN || !g->shake_first[NEW]);
    if (is_next && g->shake_steps < STEPS_A_BATCH) {
        g->shake_steps++;
        return false;
    }
    stand_in(g, line, c);
    return true;
}

/* False: it was closed meanwhile. */
static bool go_on(struct gate_conn *c)
{
    bool is_there = c->stream.state != STREAM_DEAD;
    c->shaking = false;
    if (is_there)
        c->framing->run(c);
    else
        gate_stream_bury(&c->stream);
    return is_there;
}

/* Who stands there now: who has more still comes again in the next batch. */
static void read_on(struct gate *g)
{
    struct gate_conn *c = g->shake_first[READING];
    g->shake_first[READING] = NULL;
    while (c) {
        struct gate_conn *next = c->next_shaking;
        (void)go_on(c);
        c = next;
    }
}

void gate_shake_go(struct gate *g)
{
    for (size_t steps = 0;
         steps < STEPS_A_BATCH && (g->shake_first[BEGUN] || g->shake_first[NEW]);) {
        enum line line = g->shake_first[BEGUN] ? BEGUN : NEW;
        struct gate_conn *c = g->shake_first[line];
        g->shake_first[line] = c->next_shaking;
        steps += go_on(c);
    }
    read_on(g);
    g->shake_steps = 0;
}

bool gate_shake_may_sleep(const struct gate *g)
{
    return !g->shake_first[BEGUN] && !g->shake_first[NEW] && !g->shake_first[READING];
}
