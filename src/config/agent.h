/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.h - agents that are served as Amazon Bedrock serves its own: a model, an instruction, and the tools that it
 * may ask for. See config.h.
 */
#pragma once

#include "config/upstream.h"

struct nk_config_agent_tool {
    struct nk_str name;   /* as the registry has it, without its server */
    struct nk_str method; /* of HTTP: with `path`; absent: a function */
    struct nk_str path;   /* "/patients/{id}"; absent: a function */
    struct nk_str query; /* names of arguments, with commas between; absent: as the method has it */
    struct nk_str headers; /* the same; absent: none */
};

/* Tools that are called in one way. */
struct nk_config_action {
    struct nk_str name;     /* of the action group */
    struct nk_str form;     /* "lambda", "rest", "mcp" or "control" */
    struct nk_str upstream; /* of dialect http, or mcp; absent: control */
    struct nk_str path;     /* lambda: where events go */
    const struct nk_config_agent_tool *tools;
    size_t tool_count;
};

struct nk_config_agent {
    struct nk_str name; /* Agent::"NAME" of policies */
    bool is_inline;     /* its clients bring model and instruction, and choose among `actions` */
    struct nk_str id, alias;   /* by which clients name it; inline: no id */
    struct nk_str model;       /* of `models`; inline: absent */
    struct nk_str instruction; /* inline: absent */
    const struct nk_config_action *actions;
    size_t action_count;
    /* Of one request: answers of the model, tools called, tokens in and out, and time. */
    int64_t max_turns, max_calls, max_tokens, timeout;
    int64_t
        tools_ttl; /* for which a definition of an MCP server that was as approved counts as seen */
};
