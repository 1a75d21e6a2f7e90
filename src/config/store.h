/* SPDX-License-Identifier: Apache-2.0
 *
 * store.h - policy stores: policies that are asked about by others, not by the gateway's own judge, as Amazon
 * Verified Permissions keeps them. See config.h.
 */
#pragma once

#include "config/upstream.h"

struct nk_config_source { /* whose tokens a store takes, and how their claims are mapped */
    struct nk_str id;
    struct nk_str issuer; /* of identity.issuers */
    bool is_identity;     /* tokens say who (attributes), not what may be done (context.token) */
    const struct nk_config_text *audiences; /* none: the issuer's */
    size_t audience_count;
    struct nk_str principal_type, principal_claim;
    struct nk_str prefix;       /* of ids */
    struct nk_str groups_claim; /* absent: no groups */
    struct nk_str group_type;
};

struct nk_config_store {
    struct nk_str id, description;
    struct nk_str directory;               /* of *.cedar files */
    struct nk_str links, entities, schema; /* files, or absent */
    const struct nk_config_source *sources;
    size_t source_count;
};

struct nk_config_hook_rule {        /* what a request that a proxy holds asks for */
    struct nk_str method;           /* "any": of every method */
    struct nk_str path;             /* pattern */
    struct nk_str action, resource; /* TYPE::"ID" */
};

struct nk_config_hook { /* where a proxy asks */
    struct nk_str path;
    bool is_envoy;
    struct nk_str store;
    const struct nk_config_hook_rule *rules;
    size_t rule_count;
};
