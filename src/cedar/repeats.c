/* SPDX-License-Identifier: Apache-2.0
 *
 * repeats.c - an entity that is said twice: no contradiction when both say the same, as the reference
 * has it; in entity data that several systems add to, it is usual.
 */
#include "cedar/entities.h"

static bool is_same(struct nk_cedar_uid a, struct nk_cedar_uid b)
{
    return nk_str_eq(a.type, b.type) && nk_str_eq(a.id, b.id);
}

static bool has_parent(const struct cedar_entity *entity, struct nk_cedar_uid uid)
{
    for (uint32_t i = 0; i < entity->parent_n; i++)
        if (is_same(entity->parents[i].uid, uid))
            return true;
    return false;
}

/* The same parents, whatever their order and however often each is named. */
static bool same_parents(const struct cedar_entity *entity, const struct nk_cedar_uid *parents,
                         size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!has_parent(entity, parents[i]))
            return false;
    for (uint32_t i = 0; i < entity->parent_n; i++) {
        size_t k = 0;
        while (k < n && !is_same(entity->parents[i].uid, parents[k]))
            k++;
        if (k == n)
            return false;
    }
    return true;
}

static bool same_record(const struct nk_cedar_value *a, const struct nk_cedar_value *b)
{
    return cedar_value_cmp(a ? a : &cedar_empty_record, b) == 0;
}

bool cedar_entities_repeats(const struct nk_cedar_entities *e, struct nk_cedar_uid uid,
                            const struct nk_cedar_uid *parents, size_t parent_count,
                            const struct nk_cedar_value *attrs, const struct nk_cedar_value *tags)
{
    struct cedar_uid id = cedar_uid(uid);
    const struct cedar_entity *there = cedar_entities_find(e, &id);
    return there && same_record(attrs, there->attrs) && same_record(tags, there->tags) &&
           same_parents(there, parents, parent_count);
}
