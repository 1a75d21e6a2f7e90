/* SPDX-License-Identifier: Apache-2.0
 *
 * cache.h - proofs that have been verified, by the SHA-256 of the token: fixed memory, oldest out
 * first. The order of requests alone decides what is in it, no clock and no chance, and it holds
 * nothing that changes a verdict: the times between which the token is good are kept with it and
 * looked at each time. Private to this module.
 *
 * Only what was proven is kept. A flood of bad tokens differs in each one, so remembering refusals
 * would help nobody but push good entries out.
 */
#pragma once

#include "base/map.h"
#include "ident/principal.h"

struct nk_cache_entry {
    struct nk_digest digest;
    int64_t from_ms, until_ms; /* good from <= now < until */
    uint32_t issuer;
    uint32_t generation; /* of the issuer's key set; another one: the entry is void */
    const struct nk_principal *principal;
    uint32_t next; /* in the chain of its hash */
    uint32_t hash;
    size_t start, size; /* in the ring of bytes */
};

struct nk_cache {
    struct nk_cache_entry *entries; /* a ring: oldest … oldest + count - 1, modulo capacity */
    uint32_t oldest, count;
    uint32_t *heads; /* chains by hash: index of an entry, or NONE */
    char *bytes;     /* principals, a ring as well */
    size_t head;     /* where the next principal goes */
    uint64_t seed[2];
};

/* NK_ENOMEM when the arena has no room. */
int nk_cache_init(struct nk_cache *c, const uint64_t seed[2], struct nk_arena *a) NK_CHECKED;
/* The newest entry with this digest, or NULL. */
const struct nk_cache_entry *nk_cache_get(const struct nk_cache *c, const struct nk_digest *d);
/* Adds a copy of e->principal under e->digest; a principal larger than 1/8 of the ring is left out.
 */
void nk_cache_put(struct nk_cache *c, const struct nk_cache_entry *e);
