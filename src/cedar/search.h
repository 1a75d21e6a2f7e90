/* SPDX-License-Identifier: Apache-2.0
 *
 * search.h - one request's way through the index: which policies hold, and which err.
 */
#pragma once

#include "cedar/index.h"

struct cedar_hit {
    const struct cedar_policy *policy;
    const char *what; /* of an error; otherwise NULL */
    uint32_t at;      /* in order of loading */
};

/* Hits in some order, each policy once. The first few need no memory. */
enum { CEDAR_HITS = 8 };
struct cedar_hits {
    struct cedar_hit *items; /* NULL: `first` */
    uint32_t n, cap;
    struct cedar_hit first[CEDAR_HITS];
};

struct cedar_found {
    struct cedar_hits permits, forbids; /* that hold */
    struct cedar_hits errors;
    bool forbid_erred;
};

/* The terms that an entity makes true as principal, action or resource; `entity` is NULL when it is
 * not known. The first few stand in `first`, more in `arena`. False: memory is out. */
enum { CEDAR_ACTIVE = 24 };
bool cedar_find_active(const struct cedar_index *index, enum cedar_var var,
                       const struct cedar_uid *uid, const struct cedar_entity *entity,
                       struct nk_arena *arena, uint32_t *first, struct cedar_active *out);

/* Lets an entity remember both lists; those that are long live in `arena`. False: memory is out. */
bool cedar_bind(const struct cedar_index *index, struct cedar_entity *entity,
                struct nk_arena *arena);

/* Asks all policies that can matter. False: memory is out. The hits come sorted. */
bool cedar_search(const struct cedar_index *index, struct cedar_eval *e, struct cedar_found *out);
struct cedar_hit *cedar_hits(struct cedar_hits *h);
