/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp.h - endpoints for clients of the Model Context Protocol. See config.h.
 */
#pragma once

#include "config/upstream.h"

enum { NK_CONFIG_MCP_SERVERS = 16 };

struct nk_config_mcp {
    struct nk_str path;
    const struct nk_config_text *servers; /* names of upstreams; at most NK_CONFIG_MCP_SERVERS */
    size_t server_count;
    bool is_open;                       /* tools that nobody approved are decided by their names */
    bool is_bare;                       /* names without "SERVER___"; one server */
    const struct nk_config_text *hosts; /* none: this machine's own names */
    size_t host_count;
    const struct nk_config_text *origins; /* beside hosts */
    size_t origin_count;
    int64_t session_timeout, question_timeout;
    int64_t tools_ttl;      /* for which a definition that was as approved counts as seen */
    struct nk_str resource; /* its URL as clients know it; absent: no OAuth */
    const struct nk_config_text *issuers; /* whose tokens are taken, with resource */
    size_t issuer_count;
    const struct nk_config_text *scopes; /* that a token needs */
    size_t scope_count;
};
