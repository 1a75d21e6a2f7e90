/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_tool.h - tools of MCP servers: a call is a question to the judge of tools (gate/tool.h), a list shows what was
 * approved and may be called, a result loses what its reader may not see. Private to gate.
 */
#pragma once

#include "field/field.h"
#include "gate/mcp.h"
#include "gate/tool.h"
#include "tool/trust.h"

struct gate_mcp_tool { /* a call that was allowed */
    struct nk_tool_ask ask;
    struct nk_field_ask fields;
    bool
        filters; /* results are filtered; then nothing else of the server comes through meanwhile */
    int64_t hidden; /* fields that were */
};

/* Decides, and begins the call: effects. */
unsigned gate_mcp_call_tool(struct nk_txn *t);
/* The outcome's record. */
unsigned gate_mcp_end_tool(struct nk_txn *t, const char *how);

/* Appends the entries of a server's list of tools that this client may see; what is strange about others is kept for the
 * record. NK_ENOMEM, NK_ELIMIT. */
int gate_mcp_put_tools(struct nk_txn *t, const struct nk_json *doc, uint32_t list,
                       struct nk_arena *a, struct nk_buf *out, struct nk_fault *f) NK_CHECKED;
/* Appends the result of a call without what may not be read: 0; NK_EDENIED with a fault: it does not go on. */
int gate_mcp_put_result(struct nk_txn *t, const struct nk_json *doc, uint32_t at,
                        struct nk_arena *a, struct nk_buf *out, struct nk_fault *f) NK_CHECKED;
/* Does a notification or request of the server come through? What it says could be what a filtered result does not: that of this
 * stream, or of any call where nothing says which call it is about. */
bool gate_mcp_tells(struct nk_txn *t, const struct nk_mcp_message *m);

/* What is hidden in the result, for the ids of events; and back, for a stream that goes on. */
void gate_mcp_put_hidden(const struct nk_txn *t, struct nk_buf *b);
int gate_mcp_get_hidden(struct nk_txn *t, struct nk_str *from) NK_CHECKED;

/* A refusal of the judge or of the arguments: answer and record. */
unsigned gate_mcp_refuse_tool(struct nk_txn *t, int code, struct nk_tool_verdict *v);
/* Asks a person through the client; if that cannot be, the call is refused: effects. */
unsigned gate_mcp_ask_person(struct nk_txn *t, const struct nk_tool_ask *ask,
                             struct nk_tool_verdict *v);
/* What a person agreed to in an earlier request, once: NK_ENOTFOUND when it is none, expired or used; NK_EFULL. */
int gate_mcp_use_approval(struct nk_txn *t, struct nk_str text, struct nk_digest *out) NK_CHECKED;
