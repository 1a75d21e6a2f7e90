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
/* What the head of no answer may say: the effects of its refusal, or 0. Is the answer of this media type? */
unsigned gate_receive_check(struct nk_txn *t, const struct nk_http_head *h);
bool gate_answer_is(const struct nk_http_head *h, struct nk_str type);
/* Reads the data of one event into the arena of events; n == 0 when it has none, or "[DONE]". */
int gate_event_parse(struct nk_txn *t, const struct nk_sse_event *e, struct nk_json *data,
                     struct nk_fault *f) NK_CHECKED;
/* The upstream's answer does not pass: an answer of ours in its place, or the end of a stream that has begun. */
unsigned gate_refuse_answer(struct nk_txn *t, enum nk_refusal_id id, struct nk_str reason);
