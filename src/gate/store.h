/* SPDX-License-Identifier: Apache-2.0
 *
 * store.h - a policy store made ready: what others ask about by the API of Verified Permissions, or proxies by
 * their hooks. It is no part of the gateway's own policies: the judge decides who may ask it, by those; what
 * the store says is the answer. Private to gate.
 */
#pragma once

#include "cedar/view.h"
#include "gate/txn.h"
#include "ident/proof.h"
#include "proto/avp.h"

struct nk_store {
    const struct nk_config_store *config;
    const size_t *issuers; /* of each identity source: its place in config.issuers */
    struct nk_cedar_policies *policies;
    struct nk_cedar_entities *entities; /* sealed */
    struct nk_str schema;               /* JSON, or absent */
    struct nk_str namespaces;           /* of the schema: a JSON list */
    struct nk_str digest;               /* of all of it: 64 hexadecimal digits */
    struct nk_str dates;                /* ,"createdDate":"…","lastUpdatedDate":"…" */
};

/* Makes the stores of the configuration ready. A fault names the store and its file. */
int gate_stores_load(struct nk_setup *s, const struct nk_setup_input *in,
                     struct nk_fault *f) NK_CHECKED;
/* Reads the store's schema and holds its policies and entities to it; behind links, before it is made ready. */
int gate_store_schema(struct nk_store *s, struct nk_str text, struct nk_str entities,
                      struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
/* The store of this id, or NULL. */
const struct nk_store *gate_store_find(const struct nk_setup *s, struct nk_str id);

/* Who a token says is meant, by the store's mapping. */
struct gate_token {
    struct nk_cedar_uid principal;
    const struct nk_cedar_uid *groups;
    size_t group_count;
    const struct nk_cedar_value *attrs; /* of the principal: a record, or NULL */
    const struct nk_cedar_value *token; /* for context.token: a record, or NULL */
    const struct nk_config_source *source;
};
/* Verifies the tokens of the call (absent ones are not looked at). Refuses. */
int gate_store_token(struct nk_txn *t, const struct nk_store *store, struct nk_str identity,
                     struct nk_str access, struct gate_token *out);

/* Appends question and answer as an item of state.told. */
void gate_store_tell(struct nk_buf *told, const struct nk_cedar_request *r,
                     const struct nk_cedar_answer *a);
/* The operations: the answer's body into t->out, what the record says of it into state.told; or refuse. */
int gate_store_ask(struct nk_txn *t, const struct nk_store *store, const struct nk_avp_call *c);
int gate_store_read(struct nk_txn *t, const struct nk_store *store, const struct nk_avp_call *c);
