/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a.h - endpoints for clients of the Agent2Agent protocol. See config.h.
 */
#pragma once

#include "config/tools.h"

struct nk_config_a2a {
    struct nk_str path;
    struct nk_str agent;                /* name of its upstream */
    struct nk_str url;                  /* as clients know it; its path is `path` */
    const struct nk_config_text *hosts; /* none: this machine's own names */
    size_t host_count;
    const struct nk_config_text *origins; /* beside hosts */
    size_t origin_count;
    struct nk_str card;          /* SHA-256 of the approved card, hexadecimal; absent: none is */
    struct nk_str extended_card; /* the same of the extended card */
    struct nk_str card_path;     /* at the agent */
    int64_t card_age;            /* of what is known of the agent's card */
    const struct nk_config_tool_field *fields; /* of data in what it says */
    size_t field_count;
    struct nk_str text_class;                /* of its texts; absent: none */
    const struct nk_config_text *push_hosts; /* where it may send notifications */
    size_t push_host_count;
    const struct nk_config_text *issuers; /* whose tokens are taken: an OAuth resource */
    size_t issuer_count;
    const struct nk_config_text *scopes; /* that a token needs */
    size_t scope_count;
};
