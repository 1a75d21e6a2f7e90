/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_relay.h - what a server of 2026-07-28 asks by its result (basic, patterns, multi round-trip requests), for a client with a
 * session, which knows such questions as requests of the server alone: each is asked in the stream that answers its
 * request (mcp_wait.h), one after the other, and the call is decided and sent again with the answers. Only what the
 * judge lets the server ask for gets that far. Private to gate.
 */
#pragma once

#include "gate/mcp.h"

enum { GATE_MCP_ROUNDS = 8, GATE_MCP_QUESTIONS = 8 }; /* of one request; of one round */

struct gate_mcp_relay {
    struct nk_str asks;    /* the message whose questions are open, or absent */
    struct nk_str answers; /* members of inputResponses so far */
    struct nk_str state;   /* requestState as it is written, or absent */
    uint32_t at, rounds;   /* the question that is open, from 0; rounds so far */
};

/* Is it a result that asks, for a client with a session? */
bool gate_mcp_asks(const struct nk_txn *t, const struct nk_mcp_message *m);
/* Keeps it until the server's answer is complete. NK_EINVAL: the server asks for what it may not ask for; NK_ENOMEM. */
int gate_mcp_relay_keep(struct nk_txn *t, const struct nk_mcp_message *m,
                        struct nk_fault *f) NK_CHECKED;
/* Was one kept that is not answered? */
bool gate_mcp_relays(const struct nk_txn *t);
/* The server's answer is complete, and its outcome recorded: asks, or sends the call again: effects. */
unsigned gate_mcp_relay(struct nk_txn *t);
/* The answers as the first members of params, each with a comma behind it; nothing when there are none. */
void gate_mcp_put_answers(const struct nk_txn *t, struct nk_buf *out);
