/* SPDX-License-Identifier: Apache-2.0
 *
 * active.c - which terms of an index an entity makes true: its uid, its type and its ancestors name
 * them. A request asks this for its principal, action and resource; for the entities of a store that
 * lives as long as the policies it is asked once, when the store is bound to the set.
 */
#include "cedar/search.h"

struct list {
    const struct cedar_index *index;
    enum cedar_var var;
    struct nk_str type;
    struct nk_arena *arena;
    uint32_t *terms;
    uint32_t n, cap;
    uint64_t sieve;
};

static bool grow(struct list *l)
{
    uint32_t *terms = nk_arena_array(l->arena, 4 * (size_t)l->n, sizeof *terms);
    if (!terms)
        return false;
    memcpy(terms, l->terms, l->n * sizeof *terms);
    l->terms = terms;
    l->cap = 4 * l->n;
    return true;
}

NK_INLINE bool put(struct list *l, uint32_t term)
{
    if (l->n == l->cap && !grow(l))
        return false;
    l->terms[l->n++] = term;
    l->sieve |= (uint64_t)1 << term % 64;
    return true;
}

/* The terms with `in` a uid. */
NK_INLINE bool put_within(struct list *l, const struct cedar_key *key)
{
    const struct cedar_index *index = l->index;
    for (uint32_t i = key->of[l->var].from; i < key->of[l->var].to; i++) {
        uint32_t term = index->within[i] & ~CEDAR_TYPED;
        bool typed = index->within[i] & CEDAR_TYPED;
        if ((!typed || cedar_same(index->terms[term].type, l->type)) && !put(l, term))
            return false;
    }
    return true;
}

/* The term that a uid or a type itself makes true. */
NK_INLINE bool put_self(struct list *l, const struct cedar_key *key)
{
    return !key->of[l->var].self || put(l, key->of[l->var].self);
}

static bool put_type(struct list *l)
{
    struct cedar_uid type = cedar_uid((struct nk_cedar_uid){l->type, NK_STR("")});
    return put_self(l, &l->index->keys[cedar_index_key(l->index, type.hash, &type, true)]);
}

bool cedar_find_active(const struct cedar_index *index, enum cedar_var var,
                       const struct cedar_uid *uid, const struct cedar_entity *entity,
                       struct nk_arena *arena, uint32_t *first, struct cedar_active *out)
{
    struct list l = {index, var, uid->uid.type, arena, first, 1, CEDAR_ACTIVE, 1};
    const struct cedar_key *key = &index->keys[cedar_index_key(index, uid->hash, uid, false)];
    first[0] = 0; /* "any" */
    if (!put_self(&l, key) || !put_within(&l, key) || (index->types[var] && !put_type(&l)))
        return false;
    for (uint32_t i = 0; entity && i < entity->ancestor_n; i++) {
        const struct cedar_ancestor *up = &entity->ancestors[i];
        uint32_t number = cedar_index_key(index, up->hash, up->uid, false);
        if (number && !put_within(&l, &index->keys[number]))
            return false;
    }
    *out = (struct cedar_active){l.terms, l.sieve, l.n};
    return true;
}

/* Binding -------------------------------------------------------------------------------------- */

/* Moves a list that stands in `first` to memory that stays. */
static bool keep(struct cedar_active *list, const uint32_t *first, struct cedar_entity *entity,
                 uint32_t *used, struct nk_arena *arena)
{
    uint32_t *own = &entity->few[*used];
    if (list->terms != first)
        return true;
    if (*used + list->n <= CEDAR_BOUND_FEW)
        *used += list->n;
    else
        own = nk_arena_array(arena, list->n, sizeof *own);
    if (own)
        memcpy(own, first, list->n * sizeof *own);
    list->terms = own;
    return own;
}

bool cedar_bind(const struct cedar_index *index, struct cedar_entity *entity,
                struct nk_arena *arena)
{
    uint32_t first[CEDAR_ACTIVE], used = 0;
    bool ok = cedar_find_active(index, CEDAR_PRINCIPAL, &entity->id, entity, arena, first,
                                &entity->as_principal) &&
              keep(&entity->as_principal, first, entity, &used, arena) &&
              cedar_find_active(index, CEDAR_RESOURCE, &entity->id, entity, arena, first,
                                &entity->as_resource) &&
              keep(&entity->as_resource, first, entity, &used, arena);
    entity->bound = ok ? index : NULL;
    return ok;
}

int nk_cedar_bind(struct nk_cedar_policies *p, struct nk_cedar_entities *e, struct nk_fault *f)
{
    struct cedar_entity *entity;
    size_t at = 0;
    NK_MUST(cedar_entities_sealed(e));
    int rc = nk_cedar_policies_seal(p, f);
    e->bound = rc ? NULL : p->sealed; /* for entities that come later */
    while (!rc && (entity = cedar_entities_next(e, &at)))
        if (!cedar_bind(p->sealed, entity, cedar_entities_arena(e)))
            rc = nk_fault_set(f, NK_ENOMEM, "cedar", 0, "no room to bind entities to policies");
    return rc;
}
