/* SPDX-License-Identifier: Apache-2.0
 *
 * setup.h - a configuration made ready to decide: policies parsed, entities sealed, keys and
 * issuers loaded, models indexed. Built whole or not at all; never changed afterwards (only the key
 * sets of issuers that are fetched, see nk_ident_set_jwks). A reload builds a new one beside the
 * old; requests hold the one that they began with.
 */
#pragma once

#include "base/map.h"
#include "cedar/cedar.h"
#include "chain/set.h"
#include "config/config.h"
#include "crypt/seal.h"
#include "ident/ident.h"
#include "proto/proto.h"

struct nk_agent;
struct nk_agent_sessions;
struct nk_store;
struct nk_hook;
struct nk_mcp;
struct nk_mcp_seen;
struct nk_mcp_kept;
struct nk_approvals;
struct nk_a2a;

/* A policy store's files; absent slices: there is none. */
struct nk_store_input {
    const struct nk_set_policy *policies;
    size_t policy_count;
    struct nk_str links, entities, schema;
    int64_t changed_ms; /* Unix */
};

/* What a configuration consists of, as bytes. Absent slices: there is none. */
struct nk_setup_input {
    struct nk_str config;                 /* canonical JSON */
    const struct nk_set_policy *policies; /* in the order of loading */
    size_t policy_count;
    struct nk_str entities;
    struct nk_str schema;                /* of Cedar, JSON if it begins with '{' */
    const struct nk_store_input *stores; /* as many as the configuration has, in its order */
    size_t store_count;
    struct nk_str tools; /* tools.json */
    struct nk_str keys;
    struct nk_str sigv4;    /* the secret of signing keys */
    struct nk_str sessions; /* the secret of MCP sessions */
    struct nk_str
        token_jwks; /* public keys of the tokens that tools get, as a key set; absent: none */
    const struct nk_str *jwks; /* one for each issuer */
    size_t jwks_count;
    uint32_t generation;
    uint64_t seed[2];
};

struct nk_model { /* a model that exists: an entry of the configuration, resolved */
    struct nk_str name;
    size_t upstream;
    struct nk_str upstream_name;
    const struct nk_dialect *dialect;
    struct nk_str located; /* what the audit record says of it: ,"locate":{…} … */
    struct nk_str routed;  /* … where cedar.resource says which model it is */
};

/* A principal whose facts are at hand: see facts.c. */
struct nk_setup_known {
    uint64_t serial; /* of the principal; 0: none */
    struct nk_arena arena;
    struct nk_str entities; /* Cedar JSON, and the same as a store */
    struct nk_cedar_entities *store;
};
enum { NK_SETUP_KNOWN = 128, NK_SETUP_KNOWN_BYTES = 16 << 10 };

/* The time as the last record had it: see record.c. */
struct nk_setup_time {
    int64_t ms;
    size_t n; /* 0: none */
    char text[48];
};

struct nk_setup {
    struct nk_arena arena;
    struct nk_setup_time time;
    struct nk_setup_known known[NK_SETUP_KNOWN];
    struct nk_config config;
    struct nk_cedar_policies *policies;
    struct nk_cedar_entities *entities; /* models, upstreams and the entities file */
    const struct nk_tools *tools;       /* tool/tool.h */
    struct nk_approvals *approvals; /* tool/trust.h; what lists of MCP servers are compared with */
    struct nk_ident *ident;
    struct nk_map models; /* name -> struct nk_model */
    struct nk_model *model_list;
    struct nk_store *stores; /* gate/store.h; config.store_count of them */
    struct nk_mcp *mcp;      /* gate/mcp.h; config.mcp_count of them */
    struct nk_a2a *a2a;      /* gate/a2a.h; config.a2a_count of them */
    struct nk_seal_key session_key;
    struct nk_hook *hooks;              /* gate/hook.h; config.hook_count of them */
    struct nk_agent *agents;            /* gate/agent.h; config.agent_count of them */
    struct nk_agent_sessions *sessions; /* of agents; NULL: there are none */
    struct nk_str token_jwks;           /* as of the input */
    struct nk_str provenance;     /* as each record has it: ,"policies":"…","generation":… */
    struct nk_digest digest;      /* of policies and configuration */
    struct nk_mcp_seen *mcp_seen; /* gate/mcp_pin.h */
    struct nk_mcp_kept *mcp_kept; /* gate/mcp_bridge.h */
    uint32_t generation;          /* of the configuration, given by the warden */
    uint32_t holders;             /* transactions that still use it, and the role itself */
    void *owner; /* of the slices; told by freed(owner) when the setup is gone; may be NULL */
    void (*freed)(void *owner);
};

/* The slices of `in` must outlive the setup (they are mapped for the role's life). NULL with a
 * fault that names the file and what to do. */
struct nk_setup *nk_setup_new(const struct nk_setup_input *in, struct nk_fault *f) NK_CHECKED;
/* Validates policies and entities by the schema (strict mode), if there is one, and the actions of `tools` (or NULL). 0, or an error and a fault that
 * names file, line and what to write instead; then `all` (or NULL) holds everything that is wrong, warnings
 * included, as text. */
int nk_setup_validate(const struct nk_setup_input *in, const struct nk_tools *tools,
                      const struct nk_cedar_policies *policies, struct nk_buf *all, bool japanese,
                      struct nk_fault *f) NK_CHECKED;
void nk_setup_hold(struct nk_setup *s);
/* Frees it when the last holder lets go. */
void nk_setup_release(struct nk_setup *s);
