/* SPDX-License-Identifier: Apache-2.0
 *
 * own.h - what ident.c and proof.c share: the tables of keys and issuers, and the steps from which each
 * proof is put together. Private to this module.
 */
#pragma once

#include "crypt/jws.h"
#include "ident/cache.h"
#include "ident/ident.h"

struct ident_key {
    struct nk_principal principal;
    int64_t revoked_ms;
    struct nk_digest digest; /* of the key, or of the secret that signs */
};

struct ident_issuer {
    const struct nk_config_issuer *config;
    struct nk_jwks jwks;   /* count 0: not fetched yet */
    struct nk_digest text; /* of the set as it was fetched */
    uint32_t generation;
    uint32_t index;
    bool is_wanted;
};

struct nk_ident {
    struct nk_map keys;             /* digest -> struct ident_key */
    struct nk_map signers;          /* id -> struct ident_key */
    struct nk_str signing;          /* the secret that theirs are derived from, or absent */
    struct nk_map by_name;          /* `iss` -> struct ident_issuer */
    struct nk_str certificate_type; /* absent: certificates name nobody */
    struct ident_issuer *issuers;
    size_t issuer_count;
    struct nk_cache cache;
    struct nk_arena scratch;                   /* emptied by each token */
    uint64_t serials;                          /* given to principals */
    int64_t budget, budget_left, budget_at_ms; /* microseconds a second, microseconds, time */
};

/* Is the key good now? NK_EDENIED (revoked), NK_EEXPIRED. */
int ident_check_key(const struct ident_key *key, int64_t now_ms, struct nk_fault *f) NK_CHECKED;
/* Is a token good now that is good from <= now < until? NK_EEXPIRED. */
int ident_check_time(int64_t from_ms, int64_t until_ms, int64_t now_ms,
                     struct nk_fault *f) NK_CHECKED;
/* Is there room for a signature check of this cost in the budget? Takes it. */
bool ident_spend(struct nk_ident *id, int cost_us, int64_t now_ms);
/* The token and its claims, an object, in `a`; nothing is proven. */
int ident_read_token(struct nk_str token, struct nk_arena *a, struct nk_jws *jws,
                     struct nk_json *doc, struct nk_fault *f) NK_CHECKED;
/* The issuer's key that the token names; asks for the issuer's set when it has none of that name. NK_EAGAIN,
 * NK_EDENIED. */
int ident_find_key(struct ident_issuer *issuer, const struct nk_jws *jws, const struct nk_jwk **key,
                   struct nk_fault *f) NK_CHECKED;
