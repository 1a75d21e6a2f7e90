/* SPDX-License-Identifier: Apache-2.0
 *
 * live.c - see live.h. A change is prepared beside the store: the entity packed anew, and each entity
 * below it packed anew with other ancestors. Only when all of them are there do they take their places.
 */
#include "cedar/live.h"

#include <stdlib.h>

#include "cedar/search.h"

enum { TEMP_MAX = 1 << 30, TEMP_BLOCK = 16 << 10 };

/* A change on its way. */
struct change {
    struct nk_cedar_entities *store;
    struct nk_arena temp;
    struct cedar_entity **now; /* those that will be replaced */
    struct cedar_entity **next;
    size_t n, cap, next_cap;
};

/* Ancestors of `entity`, as its parents and theirs say now; they live in the change's memory. */
static int find_ancestors(struct change *c, struct cedar_entity *entity)
{
    struct cedar_pool seen;
    int rc = cedar_pool_init(&seen, &c->temp, &c->temp);
    for (uint32_t i = 0; !rc && i < entity->parent_n; i++)
        rc = cedar_pool_uid(&seen, &entity->parents[i]) ? 0 : NK_ENOMEM;
    for (size_t i = 1; !rc && i < seen.uid_n; i++) {
        const struct cedar_entity *up = cedar_entities_find(c->store, seen.uids[i]);
        for (uint32_t k = 0; !rc && up && k < up->parent_n; k++)
            rc = cedar_pool_uid(&seen, &up->parents[k]) ? 0 : NK_ENOMEM;
    }
    size_t n = rc ? 0 : seen.uid_n - 1;
    struct cedar_ancestor *all = nk_arena_array(&c->temp, n, sizeof *all);
    for (size_t i = 0; all && i < n; i++)
        all[i] = (struct cedar_ancestor){seen.uids[i + 1]->hash, seen.uids[i + 1]};
    if (all && n > 1)
        qsort(all, n, sizeof *all, cedar_ancestor_order);
    entity->ancestors = all;
    entity->ancestor_n = (uint32_t)n;
    return rc || all ? rc : NK_ENOMEM;
}

/* Packs an entity and binds it as the store is bound. */
static struct cedar_entity *pack(struct nk_cedar_entities *e, const struct cedar_entity *from)
{
    struct cedar_entity *made = cedar_entity_pack(e->pieces, from);
    if (made && e->bound && !cedar_bind(e->bound, made, e->arena)) {
        cedar_entity_drop(e->pieces, made);
        return NULL;
    }
    return made;
}

/* Notes that `now` becomes `from`, packed anew. */
static int prepare(struct change *c, struct cedar_entity *now, const struct cedar_entity *from)
{
    struct cedar_entity **olds = cedar_grow(&c->temp, c->now, c->n, &c->cap, sizeof *olds);
    c->now = olds ? olds : c->now;
    struct cedar_entity **news = cedar_grow(&c->temp, c->next, c->n, &c->next_cap, sizeof *news);
    c->next = news ? news : c->next;
    if (!olds || !news)
        return NK_ENOMEM;
    c->now[c->n] = now;
    c->next[c->n] = pack(c->store, from);
    return c->next[c->n] ? c->n++, 0 : NK_ENOMEM;
}

/* All entities that have `uid` among their ancestors get these anew. */
static int prepare_below(struct change *c, const struct cedar_uid *uid)
{
    struct cedar_entity *entity;
    size_t at = 0;
    int rc = 0;
    while (!rc && (entity = cedar_entities_next(c->store, &at))) {
        struct cedar_entity changed = *entity;
        if (!cedar_entity_in(entity, uid))
            continue;
        rc = find_ancestors(c, &changed);
        if (!rc)
            rc = prepare(c, entity, &changed);
    }
    return rc;
}

static void commit(struct change *c)
{
    for (size_t i = 0; i < c->n; i++) {
        cedar_entities_place(c->store, &c->now[i]->id)->entity = c->next[i];
        cedar_entity_drop(c->store->pieces, c->now[i]);
    }
}

static void abandon(struct change *c)
{
    for (size_t i = 0; i < c->n; i++)
        cedar_entity_drop(c->store->pieces, c->next[i]);
}

static bool same_ancestors(const struct cedar_entity *a, const struct cedar_entity *b)
{
    if (a->ancestor_n != b->ancestor_n)
        return false;
    for (uint32_t i = 0; i < a->ancestor_n; i++)
        if (cedar_ancestor_order(&a->ancestors[i], &b->ancestors[i]) != 0)
            return false;
    return true;
}

/* Lets `entity` (in the change's memory) take the place of `old`, which may be NULL. */
static int replace(struct change *c, struct cedar_entity *entity, struct cedar_entity *old,
                   struct nk_fault *f)
{
    static const struct cedar_entity nothing = {.ancestor_n = 0};
    struct nk_cedar_entities *e = c->store;
    int rc = find_ancestors(c, entity);
    if (!rc && cedar_entity_in(entity, &entity->id))
        return nk_fault_set(f, NK_EINVAL, "cedar", 0,
                            "entity %.*s::\"%.*s\" would be its own ancestor",
                            NK_FMT(entity->id.uid.type), NK_FMT(entity->id.uid.id));
    struct cedar_entity *made = rc ? NULL : pack(e, entity);
    if (!made)
        return nk_fault_set(f, rc ? rc : NK_ENOMEM, "cedar", 0, "no room for the entity");
    struct cedar_place *place = cedar_entities_place(e, &made->id);
    *place = (struct cedar_place){made->id.hash, made};
    if (cedar_pool_has_uid(&e->pieces->pool, &made->id) &&
        !same_ancestors(old ? old : &nothing, made))
        rc = prepare_below(c, &made->id);
    if (rc) {
        abandon(c);
        place->entity = old;
        cedar_entity_drop(e->pieces, made);
        return nk_fault_set(f, rc, "cedar", 0, "no room for the entities below this one");
    }
    commit(c);
    if (old)
        cedar_entity_drop(e->pieces, old);
    else
        e->n++;
    return 0;
}

static int change(struct nk_cedar_entities *e, struct cedar_entity *entity,
                  const struct nk_cedar_uid *parents, size_t n, struct nk_fault *f)
{
    struct change c = {.store = e};
    nk_arena_init_sized(&c.temp, TEMP_MAX, TEMP_BLOCK);
    struct cedar_uid *own = n < UINT32_MAX ? nk_arena_array(&c.temp, n, sizeof *own) : NULL;
    int rc = own ? cedar_entities_reserve(e) : NK_ENOMEM;
    for (size_t i = 0; own && i < n; i++)
        own[i] = cedar_uid(parents[i]);
    entity->parents = own;
    entity->parent_n = (uint32_t)n;
    if (rc)
        (void)nk_fault_set(f, rc, "cedar", 0, "no room for the entity");
    else
        rc = replace(&c, entity, cedar_entities_place(e, &entity->id)->entity, f);
    nk_arena_free(&c.temp);
    cedar_entities_measure(e);
    return rc;
}

static bool is_record(const struct nk_cedar_value *v)
{
    return !v || v->kind == CEDAR_RECORD;
}

int nk_cedar_entities_put(struct nk_cedar_entities *e, struct nk_cedar_uid uid,
                          const struct nk_cedar_uid *parents, size_t parent_count,
                          const struct nk_cedar_value *attrs, const struct nk_cedar_value *tags,
                          struct nk_fault *f)
{
    struct cedar_entity entity = {.id = cedar_uid(uid),
                                  .attrs = attrs ? attrs : &cedar_empty_record,
                                  .tags = tags ? tags : &cedar_empty_record};
    NK_MUST(e->sealed && !e->below);
    if (!is_record(attrs) || !is_record(tags))
        return nk_fault_set(f, NK_EINVAL, "cedar", 0, "attributes and tags must be records");
    return change(e, &entity, parents, parent_count, f);
}

/* Frees a place; those behind it that it kept from theirs move up. */
static void close_gap(struct nk_cedar_entities *e, size_t gap)
{
    size_t mask = e->cap - 1;
    for (size_t at = (gap + 1) & mask; e->slots[at].entity; at = (at + 1) & mask) {
        size_t home = e->slots[at].hash & mask;
        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        e->slots[gap] = e->slots[at];
        gap = at;
    }
    e->slots[gap].entity = NULL;
}

/* First it becomes an entity without parents, which is for those below it what none is. */
int nk_cedar_entities_remove(struct nk_cedar_entities *e, struct nk_cedar_uid uid,
                             struct nk_fault *f)
{
    struct cedar_entity bare = {
        .id = cedar_uid(uid), .attrs = &cedar_empty_record, .tags = &cedar_empty_record};
    NK_MUST(e->sealed && !e->below);
    if (!e->n || !cedar_entities_place(e, &bare.id)->entity)
        return nk_fault_set(f, NK_ENOTFOUND, "cedar", 0, "there is no entity %.*s::\"%.*s\"",
                            NK_FMT(uid.type), NK_FMT(uid.id));
    int rc = change(e, &bare, NULL, 0, f);
    if (rc)
        return rc;
    struct cedar_place *place = cedar_entities_place(e, &bare.id);
    cedar_entity_drop(e->pieces, place->entity);
    close_gap(e, (size_t)(place - e->slots));
    e->n--;
    cedar_entities_measure(e);
    return 0;
}
