/* SPDX-License-Identifier: Apache-2.0
 *
 * entities.c - a hash table of entities with linear probing. See entities.h.
 *
 * Stores are layered: an entity of an upper store may have parents in a lower one and inherits
 * their ancestors. The reverse does not hold: a lower store was sealed before the upper one
 * existed, so its entities reach nothing through it.
 */
#include "cedar/entities.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIRST_CAP = 4,
    SHORT = 8,
    LINE = 64,
    LINES = 9,
    NEAR = 1024,
    TEMP_MAX = 1 << 30,
    TEMP_BLOCK = 64 << 10
};

static const uint32_t done = UINT32_MAX;

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

const struct cedar_entity *cedar_entities_find(const struct nk_cedar_entities *e,
                                               const struct cedar_uid *uid)
{
    for (; e; e = e->below) {
        const struct cedar_entity *found = e->n ? cedar_entities_place(e, uid)->entity : NULL;
        if (found)
            return found;
    }
    return NULL;
}

void cedar_entities_expect(const struct nk_cedar_entities *e, const struct cedar_uid *uid)
{
    for (; e && e->far; e = e->below)
        if (e->n)
            __builtin_prefetch(&e->slots[uid->hash & (e->cap - 1)]);
}

void cedar_entities_fetch(const struct nk_cedar_entities *e, const struct cedar_uid *uid)
{
    for (; e && e->far; e = e->below) {
        const struct cedar_place *slot = e->n ? &e->slots[uid->hash & (e->cap - 1)] : NULL;
        const char *entity = slot && slot->hash == uid->hash ? (const char *)slot->entity : NULL;
        for (int i = 0; entity && i < LINES; i++)
            __builtin_prefetch(entity + i * LINE);
    }
}

static int grow(struct nk_cedar_entities *e)
{
    struct nk_cedar_entities bigger = *e;
    bigger.cap = e->cap ? e->cap * 2 : FIRST_CAP;
    bigger.slots = nk_arena_array(e->arena, bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return NK_ENOMEM;
    for (size_t i = 0; i < e->cap; i++)
        if (e->slots[i].entity)
            *cedar_entities_place(&bigger, &e->slots[i].entity->id) = e->slots[i];
    *e = bigger;
    return 0;
}

int cedar_entities_reserve(struct nk_cedar_entities *e)
{
    return (e->n + 1) * 2 > e->cap ? grow(e) : 0;
}

void cedar_entities_measure(struct nk_cedar_entities *e)
{
    e->far = e->n > NEAR || (e->below && e->below->far);
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
    int rc = cedar_entities_reserve(e);
    if (rc)
        return rc;
    struct cedar_uid id = cedar_uid(uid);
    struct cedar_place *slot = cedar_entities_place(e, &id);
    if (slot->entity)
        return NK_ECONFLICT;
    struct cedar_entity *entity = nk_arena_resize(e->arena, NULL, 0, sizeof *entity);
    const struct cedar_uid *own = copy_uids(e->arena, parents, parent_count);
    if (!entity || !own)
        return NK_ENOMEM;
    *entity = (struct cedar_entity){.id = id,
                                    .attrs = attrs ? attrs : &cedar_empty_record,
                                    .tags = tags ? tags : &cedar_empty_record,
                                    .parents = own,
                                    .parent_n = (uint32_t)parent_count};
    *slot = (struct cedar_place){id.hash, entity};
    e->n++;
    return 0;
}

int cedar_ancestor_order(const void *a, const void *b)
{
    const struct cedar_ancestor *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return cedar_uid_cmp(x->uid, y->uid);
}

/* Most entities have few ancestors, and qsort costs more than it saves there. */
static void sort_ancestors(struct cedar_ancestor *all, size_t n)
{
    if (n > SHORT) {
        qsort(all, n, sizeof *all, cedar_ancestor_order);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct cedar_ancestor item = all[i];
        size_t at = i;
        for (; at > 0 && cedar_ancestor_order(&all[at - 1], &item) > 0; at--)
            all[at] = all[at - 1];
        all[at] = item;
    }
}

/* Ancestors: the parents and, where a parent is known, its ancestors. `up` has room for the parents. */
static int collect(struct nk_cedar_entities *e, struct cedar_entity *entity,
                   const struct cedar_entity **up)
{
    size_t n = entity->parent_n, kept = 0;
    for (uint32_t i = 0; i < entity->parent_n; i++) {
        up[i] = cedar_entities_find(e, &entity->parents[i]);
        n += up[i] ? up[i]->ancestor_n : 0;
    }
    struct cedar_ancestor *all = n ? nk_arena_array(e->arena, n, sizeof *all) : NULL;
    if (n && !all)
        return NK_ENOMEM;
    if (n > UINT32_MAX)
        return NK_ELIMIT;
    n = 0;
    for (uint32_t i = 0; i < entity->parent_n; i++) {
        all[n++] = (struct cedar_ancestor){entity->parents[i].hash, &entity->parents[i]};
        for (uint32_t k = 0; up[i] && k < up[i]->ancestor_n; k++)
            all[n++] = up[i]->ancestors[k];
    }
    sort_ancestors(all, n);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || cedar_ancestor_order(&all[kept - 1], &all[i]) != 0)
            all[kept++] = all[i];
    entity->ancestors = all;
    entity->ancestor_n = (uint32_t)kept;
    return 0;
}

static int collect_any(struct nk_cedar_entities *e, struct cedar_entity *entity)
{
    const struct cedar_entity *few[SHORT], **up = few;
    if (entity->parent_n > SHORT)
        up = nk_arena_array(e->arena, entity->parent_n, sizeof *up);
    return up ? collect(e, entity, up) : NK_ENOMEM;
}

static int cycle(struct nk_fault *f, const struct cedar_entity *entity)
{
    return nk_fault_set(f, NK_EINVAL, "cedar", 0, "entity %.*s::\"%.*s\" is its own ancestor",
                        NK_FMT(entity->id.uid.type), NK_FMT(entity->id.uid.id));
}

/* A store of one entity, as each request has it: only itself could close a ring. */
static int visit_only(struct nk_cedar_entities *e, struct cedar_entity *entity, struct nk_fault *f)
{
    for (uint32_t i = 0; i < entity->parent_n; i++)
        if (cedar_uid_eq(&entity->parents[i], &entity->id))
            return cycle(f, entity);
    int rc = collect_any(e, entity);
    entity->state = done;
    return rc ? nk_fault_set(f, rc, "cedar", 0, "no room for the ancestors of entities") : 0;
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
            int rc = collect_any(e, entity);
            if (rc)
                return nk_fault_set(f, rc, "cedar", 0, "no room for the ancestors of entities");
            entity->state = done;
            depth--;
            continue;
        }
        struct cedar_entity *parent =
            cedar_entities_place(e, &entity->parents[entity->state++ - 1])->entity;
        if (!parent || parent->state == done)
            continue;
        if (parent->state != 0)
            return cycle(f, parent);
        parent->state = 1;
        stack[depth++] = parent;
    }
    return 0;
}

/* Puts packed entities in the place of those that were added. */
static int pack(struct nk_cedar_entities *e)
{
    e->pieces = nk_arena_alloc(e->arena, sizeof *e->pieces);
    int rc = e->pieces ? cedar_pool_init(&e->pieces->pool, e->arena, e->arena) : NK_ENOMEM;
    for (size_t i = 0; !rc && i < e->cap; i++) {
        struct cedar_entity *packed =
            e->slots[i].entity ? cedar_entity_pack(e->pieces, e->slots[i].entity) : NULL;
        if (packed)
            e->slots[i].entity = packed;
        else if (e->slots[i].entity)
            rc = NK_ENOMEM;
    }
    return rc;
}

int nk_cedar_entities_seal(struct nk_cedar_entities *e, struct nk_fault *f)
{
    NK_MUST(!e->sealed && (!e->below || e->below->sealed));
    struct cedar_entity *few[SHORT], **stack = few;
    if (e->n > SHORT)
        stack = nk_arena_array(e->arena, e->n, sizeof *stack);
    if (!stack)
        return nk_fault_set(f, NK_ENOMEM, "cedar", 0, "no room for the ancestors of entities");
    for (size_t i = 0; i < e->cap; i++) {
        struct cedar_entity *entity = e->slots[i].entity;
        int rc = 0;
        if (entity && e->n == 1)
            rc = visit_only(e, entity, f);
        else if (entity && entity->state == 0)
            rc = visit(e, entity, stack, f);
        if (rc)
            return rc;
    }
    /* A store over another one lives for one request: packing would cost more than it saves. */
    int rc = e->below ? 0 : pack(e);
    if (rc)
        return nk_fault_set(f, rc, "cedar", 0, "no room for the entities");
    cedar_entities_measure(e);
    e->sealed = true;
    return 0;
}

bool cedar_entity_in(const struct cedar_entity *entity, const struct cedar_uid *uid)
{
    const struct cedar_ancestor *all = entity->ancestors, wanted = {uid->hash, uid};
    uint32_t from = 0, to = entity->ancestor_n;
    if (to <= SHORT) {
        while (from < to && (all[from].hash != uid->hash || !cedar_uid_eq(all[from].uid, uid)))
            from++;
        return from < to;
    }
    while (from < to) {
        uint32_t at = from + (to - from) / 2;
        int order = cedar_ancestor_order(&all[at], &wanted);
        if (order == 0)
            return true;
        if (order < 0)
            from = at + 1;
        else
            to = at;
    }
    return false;
}

struct cedar_entity *cedar_entities_next(const struct nk_cedar_entities *e, size_t *at)
{
    while (*at < e->cap)
        if (e->slots[(*at)++].entity)
            return e->slots[*at - 1].entity;
    return NULL;
}

bool cedar_entities_sealed(const struct nk_cedar_entities *e)
{
    return e->sealed;
}

struct nk_arena *cedar_entities_arena(const struct nk_cedar_entities *e)
{
    return e->arena;
}
