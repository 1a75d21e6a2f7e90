/* SPDX-License-Identifier: Apache-2.0
 *
 * bedrock_inline.h - what a client of InvokeInlineAgent brings along: a model, an instruction, and action groups. Which
 * of the groups the gateway runs is configuration, whatever is said of them here. Private to this module and gate.
 * Source: the service model of bedrock-agent-runtime (2023-07-26).
 *
 *   POST /agents/{sessionId}
 */
#pragma once

#include "proto/bedrock_agent.h"

enum {
    NK_AGENT_GROUPS_MAX = 32,
    NK_AGENT_FUNCTIONS_MAX = 64,         /* of one group */
    NK_AGENT_FUNCTION_BYTES = 64 << 10,  /* of a function's schema */
    NK_AGENT_INSTRUCTION_MAX = 64 << 10, /* bytes */
};

struct nk_agent_function {
    struct nk_str name; /* [A-Za-z0-9_-], 1 to 100 */
    struct nk_str description;
    struct nk_str schema; /* of its arguments: JSON Schema, made from `parameters` */
    bool confirms;        /* a person has to agree to each call */
};

struct nk_agent_group {
    struct nk_str name;
    bool
        returns; /* control: the client runs its functions. Otherwise they are the configuration's */
    const struct nk_agent_function *functions;
    size_t function_count;
};

struct nk_agent_brought {
    struct nk_str model, instruction;
    int64_t idle_ms; /* of the session, unused; 0: not said */
    const struct nk_agent_group *groups;
    size_t group_count;
};

/* Reads them from a body that is an object. NK_EINVAL (stage "proto") names the member; what is not served is refused by
 * its name. NK_ENOMEM. */
int nk_agent_read_brought(const struct nk_json *doc, struct nk_arena *a,
                          const struct nk_agent_brought **out, struct nk_fault *f) NK_CHECKED;
