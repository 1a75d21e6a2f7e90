/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint.h - the operations of a dialect, as its table names them.
 */
#pragma once

/* Who answers an operation: an upstream, or the gate itself. */
enum nk_local {
    NK_LOCAL_NOT,
    NK_LOCAL_MODELS, /* lists of models */
    NK_LOCAL_STORE,  /* policy stores */
    NK_LOCAL_HOOK,   /* what another proxy asks */
    NK_LOCAL_MCP,    /* the gate, which asks servers of MCP in its own words */
    NK_LOCAL_A2A,    /* the gate, which asks agents of A2A in its own words */
    NK_LOCAL_PUBLIC, /* a document that anybody may read: no proof, no question */
    NK_LOCAL_AGENT,  /* an agent, which asks models and tools */
    NK_LOCAL_NOBODY, /* known, and refused: it would change what comes from files */
};

/* One operation of a dialect. Everything that no endpoint matches is refused and recorded. */
struct nk_endpoint {
    const char *name;    /* "chat.completions", "messages.count_tokens" */
    const char *method;  /* "POST" */
    const char *path;    /* "/v1/chat/completions"; one "*" stands for one path segment */
    const char *action;  /* Cedar action id: "InvokeModel", "Embed", "CountTokens", "ListModels" */
    enum nk_local local; /* answered by the gate itself, never forwarded */
    const char *target;  /* exact value of X-Amz-Target, or NULL: not looked at */
};
