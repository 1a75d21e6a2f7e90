/* SPDX-License-Identifier: Apache-2.0
 *
 * bedrock_agent.h - InvokeAgent and InvokeInlineAgent of Amazon Bedrock's agents: what a request's body says, and the events of the answer
 * (application/vnd.amazon.eventstream). Source: the service model of bedrock-agent-runtime (2023-07-26).
 *
 *   POST /agents/{agentId}/agentAliases/{agentAliasId}/sessions/{sessionId}/text
 *   POST /agents/{sessionId}                 (an agent that the client describes: bedrock_inline.h)
 *
 * Which agents there are is configuration, so no request matches this dialect's table; the gate names its row itself.
 */
#pragma once

#include "proto/proto.h"

enum {
    NK_AGENT_PAIRS_MAX = 64,      /* session attributes, and prompt session attributes */
    NK_AGENT_RESULTS_MAX = 64,    /* of tools that the client ran */
    NK_AGENT_SESSION_ID_MAX = 100 /* [0-9a-zA-Z._:-]+, 2 or more */
};

struct nk_agent_pair {
    struct nk_str name, value;
};

enum nk_agent_confirmation {
    NK_AGENT_NOT_ASKED, /* no confirmationState */
    NK_AGENT_CONFIRM,
    NK_AGENT_DENY,
};

/* What the client says of a tool that it was handed control for. */
struct nk_agent_result {
    struct nk_str action, function;  /* action group; name of the tool, or: */
    struct nk_str method, api_path;  /* of an API; absent: a function */
    enum nk_agent_confirmation said; /* of a person */
    bool failed;                     /* responseState */
    struct nk_str body;              /* text, or absent */
};

struct nk_agent_brought;

struct nk_agent_call {
    struct nk_str input;      /* inputText, or absent */
    bool trace, ends;         /* enableTrace, endSession */
    struct nk_str invocation; /* whose results these are, or absent */
    const struct nk_agent_result *results;
    size_t result_count;
    const struct nk_agent_pair *session, *prompt; /* attributes: for tools, and for the model */
    size_t session_count, prompt_count;
    const struct nk_agent_brought *brought; /* of an inline agent; NULL: InvokeAgent */
};

const struct nk_dialect *nk_bedrock_agent_dialect(void);
/* Its operations: InvokeAgent, or InvokeInlineAgent. */
const struct nk_endpoint *nk_agent_endpoint(bool is_inline);
/* Of a call that the dialect has parsed. */
const struct nk_agent_call *nk_agent_call(const struct nk_call *call);
/* Cuts the path of InvokeAgent; the parts are percent-decoded in `a`. False: it is another path, or a part cannot be
 * what it should. */
bool nk_agent_path(struct nk_str path, struct nk_arena *a, struct nk_str *agent,
                   struct nk_str *alias, struct nk_str *session);
/* The same of InvokeInlineAgent. */
bool nk_agent_inline_path(struct nk_str path, struct nk_arena *a, struct nk_str *session);
