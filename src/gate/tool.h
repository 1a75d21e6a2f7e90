/* SPDX-License-Identifier: Apache-2.0
 *
 * tool.h - tool calls inside a transaction: the same principal, the same policies, a decision of its own
 * for each call, with a record of its own.
 */
#pragma once

#include "gate/txn.h"
#include "tool/tool.h"

/* The principal's facts for this step, whatever state->entities and ->store hold. As gate_facts. */
int gate_principal_facts(struct nk_txn *t, struct nk_str *entities,
                         const struct nk_cedar_entities **store, struct nk_fault *f) NK_CHECKED;
/* A question about the tool of this full name with what the transaction knows: registered tool, principal,
 * policies, dialect, language. The caller adds arguments, session and approval. What it points to lives as long as
 * this step. NK_ENOMEM, NK_ELIMIT, or what gate_facts says: then the call is refused. */
int gate_tool_ask(struct nk_txn *t, struct nk_str full, struct nk_tool_ask *out,
                  struct nk_fault *f) NK_CHECKED;
/* Adds the decision's record: NK_FX_RECORD. `call`: the id by which client or model name the call, or absent.
 * Without a record nothing is added, and the step must not have an effect: out->outcome is
 * NK_TOOL_REFUSE then. */
unsigned gate_record_tool(struct nk_txn *t, struct nk_tool_verdict *out, struct nk_str call);
/* Adds the record of how a tool call that was allowed ended: NK_FX_RECORD. `how`: "complete", "failed" …;
 * `removed` is the number of fields that were taken out of the result, `bytes` its size before. */
unsigned gate_record_tool_end(struct nk_txn *t, const struct nk_tool_ask *ask, struct nk_str call,
                              const char *how, int64_t bytes, int64_t removed);
