/* SPDX-License-Identifier: Apache-2.0
 *
 * translate.h - calls whose model has an API of another dialect than the client: the call is written in that one, and
 * its answer in the client's. Who asks, what is decided and what is recorded is as for any other call.
 * Private to gate.
 *
 *   Converse, ConverseStream    read whole into a conversation and written anew (agent/converse.h): gate_converse
 *   InvokeModel, also streamed  a body of the upstream's own API, whose answer passes receive.c like any of that
 *                               dialect; only its framing is another: gate_frame
 */
#pragma once

#include "agent/converse.h"
#include "gate/driver.h"

enum { GATE_TRANSLATE_HEADERS = 4 }; /* that a translated call has of its own */

/* Before anything is decided: writes the body for the model that was found. Refuses what cannot be said to it. */
int gate_translate(struct nk_txn *t);
/* The same again from the client's body as it became by edits (addresses of servers, results of tools). */
int gate_translate_edited(struct nk_txn *t, struct nk_str body);
/* Headers and body of the call, and who handles its answer. */
void gate_translate_call(struct nk_txn *t);

/* The state of a translated call, state->drive. */
struct gate_translation {
    struct nk_call call; /* as the upstream's dialect knows it */
    struct nk_str body;
    struct nk_str beta;             /* header anthropic-beta, or absent */
    struct nk_model_stream *stream; /* converse: of a streamed answer */
    struct nk_converse_stream events;
    size_t released; /* tool uses that the client got */
};
extern const struct gate_driver gate_converse, gate_frame;

/* The body of InvokeModel as the upstream wants it. */
int gate_frame_write(struct nk_txn *t, const struct nk_json *doc, struct nk_buf *out,
                     struct nk_fault *f) NK_CHECKED;
/* Head of a stream of events in the client's framing. NK_ENOMEM. */
int gate_translate_head(struct nk_txn *t) NK_CHECKED;
/* An answer of status 400 and more, whose body is state->reply, in the client's form, with its record. */
unsigned gate_translate_error(struct nk_txn *t);
