/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_mail.h - what transactions tell each other, in one gate and from gate to gate. Private to the gate's files.
 */
#pragma once

#include "edge/loop.h"
#include "gate/wait.h"

struct gate;

struct gate_mail {
    struct nk_waits waits; /* transactions that are told something */
    struct nk_watch watch;
    int64_t lost_us; /* when the log last heard of something that could not be told */
};

int gate_mail_open(struct gate *g) NK_CHECKED;
/* NK_FX_TELL */
void gate_mail_send(struct gate *g, const struct nk_tell *tell);
