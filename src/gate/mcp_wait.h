/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_wait.h - a question to the client of a session, while its request waits (MCP 2025-11-25, basic, transports,
 * "Sending Messages to the Server"): the answer to its POST begins as a stream that holds a request of ours, and the
 * client sends its answer in a POST of its own, wherever that arrives.
 *
 *   id of the question   "nakoso.…", sealed: gate, request, number of the question; bound to endpoint, principal and session.
 *                        What does not open was asked of nobody, or of somebody else
 *   what is told         generation of the teller's configuration, a space, the client's message
 *
 * Waiting ends with the first answer that bears the id, with its time, with the client, or with a reload. Private to gate.
 */
#pragma once

#include "gate/mcp.h"

enum gate_mcp_waited {
    GATE_MCP_ANSWERED,   /* with a result or an error */
    GATE_MCP_UNANSWERED, /* its time is over; the client is told that nobody waits any more */
    GATE_MCP_RELOADED,   /* what was asked under one configuration is not answered under another */
};

/* What comes then: effects. `answer` is NULL unless it was ANSWERED; lives as long as the step. */
typedef unsigned gate_mcp_then(struct nk_txn *t, enum gate_mcp_waited how,
                               const struct nk_mcp_message *answer);

struct gate_mcp_wait {
    struct nk_str id; /* of the question, as JSON; absent: none is open */
    int64_t until_ms;
    uint32_t asked; /* questions so far */
    gate_mcp_then *then;
};

/* Can this request be answered by a stream that asks its client? */
bool gate_mcp_may_wait(const struct nk_txn *t);
/* Asks: `method`, and `params`, an object. *fx: NK_FX_HEAD unless the stream has begun, NK_FX_DATA and NK_FX_WAKE.
 * NK_EFULL: too many wait in this gate, or for this principal; NK_ENOMEM; NK_ECRYPTO. Then nothing has happened. */
int gate_mcp_question(struct nk_txn *t, const char *method, struct nk_str params,
                      gate_mcp_then *then, unsigned *fx) NK_CHECKED;
/* Members of gate_mcp_driver. */
unsigned gate_mcp_wake(struct nk_txn *t);
unsigned gate_mcp_told(struct nk_txn *t, struct nk_str bytes);
void gate_mcp_free(struct nk_txn *t);

/* Is it an answer to a question of ours, by its id? Then it is for no server. */
bool gate_mcp_is_reply(const struct nk_txn *t);
/* Tells who waits for it: effects. */
unsigned gate_mcp_tell(struct nk_txn *t);

/* The answer of a refusal, in the stream if there is one: effects without records. */
unsigned gate_mcp_answer_refusal(struct nk_txn *t);
/* The same with the decision's record, as gate_refused. */
unsigned gate_mcp_refused(struct nk_txn *t);
