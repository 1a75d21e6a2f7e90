/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_telemetry.h - a request's marks on the way (begin, judging, judged), and what is counted and
 * told of it at its end, whatever framing carried it. Private to the gate's files.
 */
#pragma once

#include "base/macro.h"
#include "gate/gate.h"

struct gate;
struct gate_stream;

struct gate_telemetry {
    uint64_t key[2]; /* what the ids of traces are made with */
    uint64_t made;   /* random words so far */
    uint32_t decisions;
};

int gate_telemetry_start(struct gate *g) NK_CHECKED;
void gate_telemetry_begin(struct gate *g, struct nk_gate_env *env);
void gate_telemetry_judging(struct gate_stream *s);
void gate_telemetry_judged(struct gate_stream *s);
void gate_telemetry_over(struct gate_stream *s, bool cut);
/* One of several calls begins, and is over. */
void gate_telemetry_calling(struct gate_stream *s, struct gate_call *c);
void gate_telemetry_call(struct gate_stream *s, const struct gate_call *c);
