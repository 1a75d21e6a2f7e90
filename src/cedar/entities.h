/* SPDX-License-Identifier: Apache-2.0
 *
 * entities.h - entity stores inside the module. Ancestors are computed once, when a store is
 * sealed, so that `in` is one search. Looking at an entity costs what its memory costs: when a store
 * of a whole life is sealed, each entity is packed into one piece (pack.c), with what decisions
 * look at first in front.
 */
#pragma once

#include "cedar/pool.h"

/* The hash stands beside the pointer: uids that differ are told apart without following it. */
struct cedar_ancestor {
    uint64_t hash;
    const struct cedar_uid *uid;
};

struct cedar_index;

/* Terms of an index (see index.h) that something makes true. */
struct cedar_active {
    const uint32_t *terms;
    uint64_t sieve; /* bit term % 64: the list may have it */
    uint32_t n;
};

enum { CEDAR_BOUND_FEW = 12 };

struct cedar_entity {
    struct cedar_uid id;
    const struct nk_cedar_value *attrs, *tags; /* records */
    const struct cedar_index *bound;           /* whose terms these are, or NULL */
    struct cedar_active as_principal, as_resource;
    uint32_t few[CEDAR_BOUND_FEW];          /* both lists when they are short */
    const struct cedar_ancestor *ancestors; /* all of them, sorted by cedar_uid_cmp */
    const struct cedar_uid *parents;        /* as given */
    uint32_t parent_n, ancestor_n;
    uint32_t grains; /* of its piece of memory, when it is packed */
    uint32_t state;  /* while sealing: the next parent to visit + 1; 0: new, UINT32_MAX: done */
};

/* The entity of that uid in this store or those below, or NULL. */
const struct cedar_entity *cedar_entities_find(const struct nk_cedar_entities *e,
                                               const struct cedar_uid *uid);
/* Say that this entity will be looked for soon: first its place in the table, then itself. */
void cedar_entities_expect(const struct nk_cedar_entities *e, const struct cedar_uid *uid);
void cedar_entities_fetch(const struct nk_cedar_entities *e, const struct cedar_uid *uid);
/* Is `uid` an ancestor of `entity` (not the entity itself)? */
bool cedar_entity_in(const struct cedar_entity *entity, const struct cedar_uid *uid);
struct nk_arena *cedar_entities_arena(const struct nk_cedar_entities *e);
/* The next entity of this store alone; *at begins with 0. NULL: that was the last one. */
struct cedar_entity *cedar_entities_next(const struct nk_cedar_entities *e, size_t *at);
bool cedar_entities_sealed(const struct nk_cedar_entities *e);

/* Memory of packed entities: what they share, and pieces that are free again. */
enum { CEDAR_SPARE = 64 }; /* sizes of which free pieces are kept; larger ones are not used again */
struct cedar_spare {
    struct cedar_spare *next;
};
struct cedar_pieces {
    struct cedar_pool pool;
    struct cedar_spare *spare[CEDAR_SPARE];
};

/* A copy of the entity in one piece of memory, which needs nothing of `from`; NULL: no memory. */
struct cedar_entity *cedar_entity_pack(struct cedar_pieces *pieces,
                                       const struct cedar_entity *from);
void cedar_entity_drop(struct cedar_pieces *pieces, struct cedar_entity *entity);

struct cedar_place { /* of the table: open addressing, at most half full */
    uint64_t hash;
    struct cedar_entity *entity; /* NULL: free */
};

struct nk_cedar_entities {
    struct nk_arena *arena;
    const struct nk_cedar_entities *below;
    struct cedar_place *slots;
    size_t cap, n;
    bool sealed;
    bool far; /* it, or one below it, has so many entities that most are not in the cache */
    struct cedar_pieces *pieces;     /* once sealed, when nothing is below */
    const struct cedar_index *bound; /* see nk_cedar_bind */
};

/* The place of `uid`, or the free one where it belongs; the table has one. */
NK_INLINE struct cedar_place *cedar_entities_place(const struct nk_cedar_entities *e,
                                                   const struct cedar_uid *uid)
{
    size_t mask = e->cap - 1, at = uid->hash & mask;
    while (e->slots[at].entity &&
           (e->slots[at].hash != uid->hash || !cedar_uid_eq(&e->slots[at].entity->id, uid)))
        at = (at + 1) & mask;
    return &e->slots[at];
}
/* Makes room for one more. 0 or NK_ENOMEM. */
int cedar_entities_reserve(struct nk_cedar_entities *e) NK_CHECKED;
int cedar_ancestor_order(const void *a, const void *b);
void cedar_entities_measure(struct nk_cedar_entities *e);
