/* SPDX-License-Identifier: Apache-2.0
 *
 * entities.h - entity stores inside the module. Ancestors are computed once, when a store is
 * sealed, so that `in` is one search.
 */
#pragma once

#include "cedar/value.h"

struct cedar_entity {
    struct cedar_uid id;
    const struct nk_cedar_value *attrs, *tags; /* records */
    const struct cedar_uid *parents;           /* as given */
    const struct cedar_uid **ancestors;        /* all of them, sorted by cedar_uid_cmp */
    uint32_t parent_n, ancestor_n;
    uint32_t state; /* while sealing: the next parent to visit + 1; 0: new, UINT32_MAX: done */
};

/* The entity of that uid in this store or those below, or NULL. */
const struct cedar_entity *cedar_entities_find(const struct nk_cedar_entities *e,
                                               const struct cedar_uid *uid);
/* Is `uid` an ancestor of `entity` (not the entity itself)? */
bool cedar_entity_in(const struct cedar_entity *entity, const struct cedar_uid *uid);
struct nk_arena *cedar_entities_arena(const struct nk_cedar_entities *e);
bool cedar_entities_sealed(const struct nk_cedar_entities *e);
