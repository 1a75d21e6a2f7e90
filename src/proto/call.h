/* SPDX-License-Identifier: Apache-2.0
 *
 * call.h - what dialects turn requests and answers into: one call of a model, and what it answers.
 */
#pragma once

#include "json/json.h"

struct nk_dialect;
struct nk_endpoint;

struct nk_tool_use {    /* a tool that the request offers, or a call that a reply makes */
    struct nk_str id;   /* calls: call id; offers: absent */
    struct nk_str name; /* function name, or "server___tool"; hosted: own name, or their type */
    struct nk_str arguments; /* calls: strict JSON, complete; free text as a JSON string */
    bool
        hosted; /* of the provider's own kinds ("web_search", "mcp" …), not a function of the client */
    bool ran; /* calls: it ran at the provider, as the request allowed; nothing is left to decide */
    uint32_t number;         /* calls: which one of its answer, from 0 */
    uint32_t at;             /* hosted offers: tape entry of the tool, or of the remote server */
    struct nk_str server;    /* hosted offers: URL of a remote server, or absent */
    struct nk_str connector; /* or the provider's name of one */
};

/* What a tool said, as the client brings it along. */
struct nk_tool_result {
    struct nk_str id;        /* of the call, or absent: the dialect's older form has none */
    struct nk_str name;      /* of the tool; absent: the call is kept by the provider */
    struct nk_str arguments; /* of the call, JSON text; absent: not known, or none */
    uint32_t at;             /* tape entry: message of role tool, item, or block */
    int64_t turn, calls;     /* of the call: in which answer of the model, behind how many calls */
};

enum { NK_CALL_EDITS = 2 };

struct nk_call {
    const struct nk_dialect *dialect;
    const struct nk_endpoint *endpoint;
    struct nk_str segment; /* what "*" of the endpoint's path stood for, decoded; or absent */
    struct nk_str model;   /* absent where the operation names none */
    uint32_t model_at;     /* tape entry of the model's name, to be spliced; or NK_JSON_NONE */
    struct nk_json body;   /* n == 0: no body */
    bool stream;
    bool goes_on; /* from an answer that the provider keeps */
    int64_t message_count;
    int64_t answer_count; /* of the model, in the conversation so far */
    int64_t max_tokens;   /* 0: not given */
    const struct nk_tool_use *tools;
    size_t tool_count;
    const struct nk_tool_result *results; /* of tools, in the conversation */
    size_t result_count;
    const void *detail; /* the dialect's own, or NULL */
    struct nk_str
        subject;      /* on a fault: path of the member that is wrong, or id of what is not there */
    const char *kind; /* of what is not there: "POLICY_STORE" … */
    int code_number;  /* on a fault: JSON-RPC's; 0: that of the refusal */
    struct nk_str method; /* of a message that names one, or absent */
    struct nk_str data;   /* of its error, members of an object without braces; or absent */
};

/* What the provider counts for this call; input includes what came from or went into its cache. */
struct nk_usage {
    int64_t input_tokens, output_tokens; /* -1: not (yet) known */
};

/* What an answer says; of a streamed one the tool calls come with the events. */
struct nk_reply {
    struct nk_usage usage;
    struct nk_str model;
    struct nk_str finish; /* finish_reason / stop_reason, or absent */
    const struct nk_tool_use *tools;
    size_t tool_count;
};
