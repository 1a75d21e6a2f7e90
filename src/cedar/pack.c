/* SPDX-License-Identifier: Apache-2.0
 *
 * pack.c - an entity in one piece of memory: itself, its id, its ancestors, then its attributes and
 * tags with their values behind them. A decision reads a few cache lines side by side that the
 * processor fetches together, instead of following pointers through the whole store, each of which
 * costs as much as the rest of a decision when there are many entities. Names of attributes and types
 * are shared, so they are near whenever anything is.
 */
#include "cedar/entities.h"

enum { DEPTH = 3 }; /* levels of sets and records that are copied */

struct piece {
    struct cedar_pool *pool;
    char *at;   /* NULL while the size is measured */
    size_t n;   /* bytes so far */
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

/* Recursion ends: values deeper than DEPTH are not copied. */
static const struct nk_cedar_value *copy_value(struct piece *p, const struct nk_cedar_value *v)
{
    if (v->kind == CEDAR_BOOL)
        return v->as.truth ? &cedar_true : &cedar_false;
    if (v->depth > DEPTH || v == &cedar_empty_record)
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

static struct cedar_entity *copy_entity(struct piece *p, const struct cedar_entity *from)
{
    struct cedar_entity *own = take(p, sizeof *own);
    struct cedar_entity made = *from;
    made.id.uid = copy_uid(p, from->id.uid);
    struct cedar_ancestor *ancestors = take(p, from->ancestor_n * sizeof *ancestors);
    for (uint32_t i = 0; ancestors && i < from->ancestor_n; i++) {
        const struct cedar_uid *uid = cedar_pool_uid(p->pool, from->ancestors[i].uid);
        ancestors[i] = (struct cedar_ancestor){from->ancestors[i].hash, uid};
        p->failed |= !uid;
    }
    made.ancestors = ancestors;
    made.attrs = copy_value(p, from->attrs);
    made.tags = copy_value(p, from->tags);
    if (own)
        *own = made;
    return own;
}

struct cedar_entity *cedar_entity_pack(struct cedar_pool *pool, const struct cedar_entity *from)
{
    struct piece p = {.pool = pool};
    (void)copy_entity(&p, from);
    p.at = nk_arena_resize(pool->arena, NULL, 0, p.n);
    p.n = 0;
    if (!p.at)
        return NULL;
    struct cedar_entity *out = copy_entity(&p, from);
    return p.failed ? NULL : out;
}
