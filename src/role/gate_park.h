/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_park.h - transactions that go on without a client (NK_FX_PARK): a stream that no connection carries. Private to the gate's
 * files.
 */
#pragma once

#include "role/gate.h"

/* The transaction of this stream goes on in one of its own, with its call and whoever tells it something. The stream's
 * answer ends as usual. Without memory, or while records wait, the call is given up: nothing goes on. */
void gate_park(struct gate_stream *s);
/* Is it such a stream? */
bool gate_park_is(const struct gate_stream *s);
/* Effects of a step of one: those that concern no client. */
void gate_park_effects(struct gate_stream *s, unsigned fx);
/* This stream lets go of its request: does another one still have it? */
bool gate_park_shares(struct gate_stream *s, struct gate_request *r);
