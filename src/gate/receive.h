/* SPDX-License-Identifier: Apache-2.0
 *
 * receive.h - the upstream's answer: the stage receive, and what of it drivers use for the answers of their calls.
 * Private to gate.
 */
#pragma once

#include "gate/txn.h"

/* The upstream's answer (receive): effects. */
unsigned gate_receive_head(struct nk_txn *t, const struct nk_http_head *h);
unsigned gate_receive_data(struct nk_txn *t, struct nk_str bytes);
unsigned gate_receive_end(struct nk_txn *t);
unsigned gate_receive_fail(struct nk_txn *t, int fail, struct nk_str why);
/* What the head of no answer may say: the effects of its refusal, or 0. `who` answered, for the record: "upstream". */
unsigned gate_receive_check(struct nk_txn *t, const struct nk_http_head *h, const char *who);
/* Begins a stream of events: the last headers of its head (room for two), and NK_FX_HEAD. */
unsigned gate_receive_stream(struct nk_txn *t);
/* Takes all whole events of a stream out, after feeding it said `rc`, each by `take`, which adds to txn->out what goes on of it. */
unsigned gate_receive_events(struct nk_txn *t, int rc,
                             int (*take)(struct nk_txn *t, const struct nk_sse_event *e,
                                         struct nk_fault *f),
                             struct nk_fault *f);
