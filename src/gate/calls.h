/* SPDX-License-Identifier: Apache-2.0
 *
 * calls.h - tool calls that a model makes in its answer, and that the client would run: each is a decision of its
 * own, with a record before it is released. Private to gate.
 *
 *   released   as it came, byte by byte
 *   refused    text stands in its place that says what was refused and why (proto/edit.h)
 *   step-up    refused: nobody can be asked in these APIs
 *
 * A call that the provider has run by itself is decided with the request, where its tool is offered (hosted.c).
 */
#pragma once

#include "gate/txn.h"

struct nk_model_piece;
struct nk_model_stream;
struct nk_tool;

/* A question to the judge beside that about the model call: same principal, same policies. */
struct gate_question {
    struct nk_str action;
    struct nk_cedar_uid resource;
    struct nk_str context; /* Cedar JSON: a record */
};
/* Decides it, and writes the members of its record that `nakoso replay` needs, from ,"cedar":… on. 0, NK_ENOMEM,
 * NK_ELIMIT, or what gate_facts says. */
int gate_question_decide(struct nk_txn *t, const struct gate_question *q,
                         struct nk_cedar_answer *out, struct nk_buf *members,
                         struct nk_fault *f) NK_CHECKED;
/* Why it is refused, for people, in the client's language. */
void gate_question_why(const struct nk_txn *t, const struct gate_question *q,
                       const struct nk_cedar_answer *answer, struct nk_buf *out);

/* The registered tool that a model calls by this name: by its full name, or as one that the client has defined; or
 * NULL. */
const struct nk_tool *gate_calls_tool(const struct nk_txn *t, struct nk_str name);
/* Decides each call, with a record each. texts[i] is what is said in place of calls[i], in the transaction's
 * arena, or absent: it is released. *refused counts them. NK_ENOMEM, NK_ELIMIT: none may be released. */
int gate_calls_decide(struct nk_txn *t, const struct nk_tool_use *calls, size_t n,
                      struct nk_str *texts, size_t *refused, struct nk_fault *f) NK_CHECKED;
/* The calls that an event of a stream made complete, the events that are held before it, and it: what may go to the
 * client is added to txn->out. `calls` may be none. */
int gate_calls_stream(struct nk_txn *t, const struct nk_sse_event *e,
                      const struct nk_tool_use *calls, size_t n, struct nk_fault *f) NK_CHECKED;
/* Those of a whole answer, which is state->reply and was read into `doc`: state->reply becomes what may go to the
 * client. */
int gate_calls_reply(struct nk_txn *t, const struct nk_json *doc, const struct nk_reply *reply,
                     struct nk_fault *f) NK_CHECKED;

/* receive.c. Reads the data of one event into the arena of events; n == 0 when it has none, or "[DONE]". */
int gate_event_parse(struct nk_txn *t, const struct nk_sse_event *e, struct nk_json *data,
                     struct nk_fault *f) NK_CHECKED;
/* receive.c. The same, and what the event says in a model's stream: *pieces live in the arena of events. */
int gate_event_pieces(struct nk_txn *t, const struct nk_sse_event *e,
                      struct nk_model_stream *stream, const struct nk_model_piece **pieces,
                      size_t *n, struct nk_fault *f) NK_CHECKED;
/* forward.c. Bytes [start, end) of the body go upstream as `with` (an absent one: NK_ENOMEM). */
int gate_edit_add(struct nk_txn *t, uint32_t start, uint32_t end, struct nk_str with) NK_CHECKED;
