/* SPDX-License-Identifier: Apache-2.0
 *
 * entities.c - a hash table of entities, linear probing, at most half full. See entities.h.
 *
 * Stores are layered: an entity of an upper store may have parents in a lower one and inherits
 * their ancestors. The reverse does not hold: a lower store was sealed before the upper one
 * existed, so its entities reach nothing through it.
 */
#include "cedar/entities.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_CAP = 8, SHORT = 8 };

static const uint32_t done = UINT32_MAX;

struct nk_cedar_entities {
    struct nk_arena *arena;
    const struct nk_cedar_entities *below;
    struct cedar_entity **slots;
    size_t cap, n;
    bool sealed;
};

struct nk_cedar_entities *nk_cedar_entities_new(struct nk_arena *a,
                                                const struct nk_cedar_entities *below)
{
    struct nk_cedar_entities *e = nk_arena_alloc(a, sizeof *e);
    if (!e)
        return NULL;
    e->arena = a;
    e->below = below;
    return e;
}

/* The slot of `uid`, or the free one where it belongs; the table is never full. */
static struct cedar_entity **find_slot(const struct nk_cedar_entities *e,
                                       const struct cedar_uid *uid)
{
    size_t mask = e->cap - 1, at = uid->hash & mask;
    while (e->slots[at] && !cedar_uid_eq(&e->slots[at]->id, uid))
        at = (at + 1) & mask;
    return &e->slots[at];
}

const struct cedar_entity *cedar_entities_find(const struct nk_cedar_entities *e,
                                               const struct cedar_uid *uid)
{
    for (; e; e = e->below) {
        const struct cedar_entity *found = e->n ? *find_slot(e, uid) : NULL;
        if (found)
            return found;
    }
    return NULL;
}

static int grow(struct nk_cedar_entities *e)
{
    struct nk_cedar_entities bigger = *e;
    bigger.cap = e->cap ? e->cap * 2 : FIRST_CAP;
    bigger.slots = nk_arena_array(e->arena, bigger.cap, sizeof(struct cedar_entity *));
    if (!bigger.slots)
        return NK_ENOMEM;
    for (size_t i = 0; i < e->cap; i++)
        if (e->slots[i])
            *find_slot(&bigger, &e->slots[i]->id) = e->slots[i];
    *e = bigger;
    return 0;
}

static bool is_record(const struct nk_cedar_value *v)
{
    return !v || v->kind == CEDAR_RECORD;
}

static const struct cedar_uid *copy_uids(struct nk_arena *a, const struct nk_cedar_uid *uids,
                                         size_t n)
{
    struct cedar_uid *own = nk_arena_array(a, n, sizeof *own);
    for (size_t i = 0; own && i < n; i++)
        own[i] = cedar_uid(uids[i]);
    return own;
}

int nk_cedar_entities_add(struct nk_cedar_entities *e, struct nk_cedar_uid uid,
                          const struct nk_cedar_uid *parents, size_t parent_count,
                          const struct nk_cedar_value *attrs, const struct nk_cedar_value *tags)
{
    NK_MUST(!e->sealed);
    if (!is_record(attrs) || !is_record(tags))
        return NK_EINVAL;
    if (parent_count >= UINT32_MAX - 1)
        return NK_ELIMIT;
    int rc = (e->n + 1) * 2 > e->cap ? grow(e) : 0;
    if (rc)
        return rc;
    struct cedar_uid id = cedar_uid(uid);
    struct cedar_entity **slot = find_slot(e, &id);
    if (*slot)
        return NK_ECONFLICT;
    struct cedar_entity *entity = nk_arena_alloc(e->arena, sizeof *entity);
    const struct cedar_uid *own = copy_uids(e->arena, parents, parent_count);
    if (!entity || !own)
        return NK_ENOMEM;
    *entity = (struct cedar_entity){.id = id,
                                    .attrs = attrs ? attrs : &cedar_empty_record,
                                    .tags = tags ? tags : &cedar_empty_record,
                                    .parents = own,
                                    .parent_n = (uint32_t)parent_count};
    *slot = entity;
    e->n++;
    return 0;
}

static int ref_order(const void *a, const void *b)
{
    return cedar_uid_cmp(*(const struct cedar_uid *const *)a, *(const struct cedar_uid *const *)b);
}

/* Ancestors: the parents and, where a parent is known, its ancestors. */
static int collect(struct nk_cedar_entities *e, struct cedar_entity *entity)
{
    size_t n = entity->parent_n, kept = 0;
    for (uint32_t i = 0; i < entity->parent_n; i++) {
        const struct cedar_entity *parent = cedar_entities_find(e, &entity->parents[i]);
        n += parent ? parent->ancestor_n : 0;
    }
    const struct cedar_uid **all = n ? nk_arena_array(e->arena, n, sizeof *all) : NULL;
    if (n && !all)
        return NK_ENOMEM;
    if (n > UINT32_MAX)
        return NK_ELIMIT;
    n = 0;
    for (uint32_t i = 0; i < entity->parent_n; i++) {
        const struct cedar_entity *parent = cedar_entities_find(e, &entity->parents[i]);
        all[n++] = &entity->parents[i];
        for (uint32_t k = 0; parent && k < parent->ancestor_n; k++)
            all[n++] = parent->ancestors[k];
    }
    if (n > 1)
        qsort(all, n, sizeof *all, ref_order);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !cedar_uid_eq(all[kept - 1], all[i]))
            all[kept++] = all[i];
    entity->ancestors = all;
    entity->ancestor_n = (uint32_t)kept;
    return 0;
}

static int cycle(struct nk_fault *f, const struct cedar_entity *entity)
{
    return nk_fault_set(f, NK_EINVAL, "cedar", 0, "entity %.*s::\"%.*s\" is its own ancestor",
                        NK_FMT(entity->id.uid.type), NK_FMT(entity->id.uid.id));
}

/* Depth first with a stack of our own: a chain of parents may be as long as the store is large. */
static int visit(struct nk_cedar_entities *e, struct cedar_entity *start,
                 struct cedar_entity **stack, struct nk_fault *f)
{
    size_t depth = 0;
    stack[depth++] = start;
    start->state = 1;
    while (depth > 0) {
        struct cedar_entity *entity = stack[depth - 1];
        if (entity->state > entity->parent_n) {
            int rc = collect(e, entity);
            if (rc)
                return nk_fault_set(f, rc, "cedar", 0, "no room for the ancestors of entities");
            entity->state = done;
            depth--;
            continue;
        }
        struct cedar_entity *parent = *find_slot(e, &entity->parents[entity->state++ - 1]);
        if (!parent || parent->state == done)
            continue;
        if (parent->state != 0)
            return cycle(f, parent);
        parent->state = 1;
        stack[depth++] = parent;
    }
    return 0;
}

int nk_cedar_entities_seal(struct nk_cedar_entities *e, struct nk_fault *f)
{
    NK_MUST(!e->sealed && (!e->below || e->below->sealed));
    struct cedar_entity **stack = e->n ? nk_arena_array(e->arena, e->n, sizeof *stack) : NULL;
    if (e->n && !stack)
        return nk_fault_set(f, NK_ENOMEM, "cedar", 0, "no room for the ancestors of entities");
    for (size_t i = 0; i < e->cap; i++) {
        int rc = e->slots[i] && e->slots[i]->state == 0 ? visit(e, e->slots[i], stack, f) : 0;
        if (rc)
            return rc;
    }
    e->sealed = true;
    return 0;
}

bool cedar_entity_in(const struct cedar_entity *entity, const struct cedar_uid *uid)
{
    uint32_t from = 0, to = entity->ancestor_n;
    if (to <= SHORT) {
        while (from < to && !cedar_uid_eq(entity->ancestors[from], uid))
            from++;
        return from < to;
    }
    while (from < to) {
        uint32_t at = from + (to - from) / 2;
        int order = cedar_uid_cmp(entity->ancestors[at], uid);
        if (order == 0)
            return true;
        if (order < 0)
            from = at + 1;
        else
            to = at;
    }
    return false;
}

bool cedar_entities_sealed(const struct nk_cedar_entities *e)
{
    return e->sealed;
}

struct nk_arena *cedar_entities_arena(const struct nk_cedar_entities *e)
{
    return e->arena;
}
