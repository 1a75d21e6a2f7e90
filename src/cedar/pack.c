/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.c - an entity in one piece of memory: itself, its id, its attributes with their values, then
 * its ancestors, tags and parents. A decision reads a few cache lines side by side that the
 * processor fetches together, instead of following pointers through the whole store, each of which
 * costs as much as the rest of a decision when there are many entities. Names of attributes and types
 * are shared, so they are near whenever anything is.
 */
#include "cedar/entities.h"

enum { GRAIN = 64 }; /* pieces are so many bytes, or twice, three times … */

struct piece {
    struct cedar_pool *pool;
    char *at;    /* NULL while the size is measured */
    size_t n;    /* bytes so far */
    bool failed; /* no memory for a text */
};

/* The next `n` bytes of the piece; NULL while it is measured. */
static void *take(struct piece *p, size_t n)
{
    void *out = p->at ? p->at + p->n : NULL;
    p->n += (n + 7) & ~(size_t)7;
    return out;
}

/* The one copy of a text that all entities of the store share. */
static struct nk_str shared(struct piece *p, struct nk_str text)
{
    const struct nk_str *own = p->at ? cedar_pool_text(p->pool, text) : &text;
    p->failed |= !own;
    return own ? *own : text;
}

static struct nk_str copy_text(struct piece *p, struct nk_str text)
{
    char *own = take(p, text.n);
    if (own && text.n)
        memcpy(own, text.p, text.n);
    return (struct nk_str){own, text.n};
}

static struct nk_cedar_uid copy_uid(struct piece *p, struct nk_cedar_uid uid)
{
    return (struct nk_cedar_uid){shared(p, uid.type), copy_text(p, uid.id)};
}

static const struct nk_cedar_value *copy_value(struct piece *p, const struct nk_cedar_value *v);

static void copy_items(struct piece *p, const struct nk_cedar_value *v, struct nk_cedar_value *own)
{
    const struct nk_cedar_value **items = take(p, v->n * sizeof *items);
    for (uint32_t i = 0; i < v->n; i++) {
        const struct nk_cedar_value *item = copy_value(p, v->as.items[i]);
        if (items)
            items[i] = item;
    }
    if (own)
        own->as.items = items;
}

static void copy_members(struct piece *p, const struct nk_cedar_value *v,
                         struct nk_cedar_value *own)
{
    struct nk_cedar_member *members = take(p, v->n * sizeof *members);
    for (uint32_t i = 0; i < v->n; i++) {
        struct nk_cedar_member member = {v->as.members[i].name,
                                         copy_value(p, v->as.members[i].value)};
        member.name = shared(p, member.name);
        if (members)
            members[i] = member;
    }
    if (own)
        own->as.members = members;
}

/* Recursion ends: no value is deeper than CEDAR_VALUE_DEPTH. */
static const struct nk_cedar_value *copy_value(struct piece *p, const struct nk_cedar_value *v)
{
    if (v->kind == CEDAR_BOOL)
        return v->as.truth ? &cedar_true : &cedar_false;
    if (v == &cedar_empty_record)
        return v;
    struct nk_cedar_value *own = take(p, sizeof *own);
    if (own)
        *own = *v;
    if (v->kind == CEDAR_SET)
        copy_items(p, v, own);
    if (v->kind == CEDAR_RECORD)
        copy_members(p, v, own);
    if (v->kind == CEDAR_STRING) {
        struct nk_str text = copy_text(p, v->as.string);
        if (own)
            own->as.string = text;
    }
    if (v->kind == CEDAR_ENTITY) {
        struct nk_cedar_uid uid = copy_uid(p, v->as.entity.uid);
        if (own)
            own->as.entity.uid = uid;
    }
    return own;
}

static const struct cedar_ancestor *copy_ancestors(struct piece *p, const struct cedar_entity *from)
{
    struct cedar_ancestor *own = take(p, from->ancestor_n * sizeof *own);
    for (uint32_t i = 0; own && i < from->ancestor_n; i++) {
        const struct cedar_uid *uid = cedar_pool_uid(p->pool, from->ancestors[i].uid);
        own[i] = (struct cedar_ancestor){from->ancestors[i].hash, uid};
        p->failed |= !uid;
    }
    return own;
}

static const struct cedar_uid *copy_parents(struct piece *p, const struct cedar_entity *from)
{
    struct cedar_uid *own = take(p, from->parent_n * sizeof *own);
    for (uint32_t i = 0; own && i < from->parent_n; i++) {
        const struct cedar_uid *uid = cedar_pool_uid(p->pool, &from->parents[i]);
        p->failed |= !uid;
        if (uid)
            own[i] = *uid;
    }
    return own;
}

static struct cedar_entity *copy_entity(struct piece *p, const struct cedar_entity *from)
{
    struct cedar_entity *own = take(p, sizeof *own);
    struct cedar_entity made = *from;
    made.bound = NULL; /* its lists may stand in `from` */
    made.id.uid = copy_uid(p, from->id.uid);
    made.attrs = copy_value(p, from->attrs);
    made.ancestors = copy_ancestors(p, from);
    made.tags = copy_value(p, from->tags);
    made.parents = copy_parents(p, from);
    if (own)
        *own = made;
    return own;
}

/* Pieces of one size that were given back are taken again. */
static void *take_piece(struct cedar_pieces *pieces, uint32_t grains)
{
    struct cedar_spare *spare = grains <= CEDAR_SPARE ? pieces->spare[grains - 1] : NULL;
    if (!spare)
        return nk_arena_resize(pieces->pool.arena, NULL, 0, (size_t)grains * GRAIN);
    pieces->spare[grains - 1] = spare->next;
    return spare;
}

static void give_piece(struct cedar_pieces *pieces, void *p, uint32_t grains)
{
    struct cedar_spare *spare = p;
    if (grains > CEDAR_SPARE)
        return;
    spare->next = pieces->spare[grains - 1];
    pieces->spare[grains - 1] = spare;
}

void cedar_entity_drop(struct cedar_pieces *pieces, struct cedar_entity *entity)
{
    give_piece(pieces, entity, entity->grains);
}

struct cedar_entity *cedar_entity_pack(struct cedar_pieces *pieces, const struct cedar_entity *from)
{
    struct piece p = {.pool = &pieces->pool};
    (void)copy_entity(&p, from);
    uint32_t grains = (uint32_t)((p.n + GRAIN - 1) / GRAIN);
    p.at = p.n < UINT32_MAX ? take_piece(pieces, grains) : NULL;
    p.n = 0;
    if (!p.at)
        return NULL;
    struct cedar_entity *out = copy_entity(&p, from);
    out->grains = grains;
    if (!p.failed)
        return out;
    cedar_entity_drop(pieces, out);
    return NULL;
}
