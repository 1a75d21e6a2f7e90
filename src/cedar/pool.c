/* SPDX-License-Identifier: Apache-2.0
 *
 * pool.c - see pool.h. A copy is one piece of memory: the thing, then its bytes.
 */
#include "cedar/pool.h"

bool cedar_is_scalar(const struct nk_cedar_value *v)
{
    return v->kind == CEDAR_BOOL || v->kind == CEDAR_LONG || v->kind == CEDAR_STRING ||
           v->kind == CEDAR_ENTITY;
}

uint32_t cedar_text_hash(struct nk_str text)
{
    return (uint32_t)cedar_uid((struct nk_cedar_uid){NK_STR(""), text}).hash;
}

uint32_t cedar_scalar_hash(const struct nk_cedar_value *v)
{
    if (v->kind == CEDAR_ENTITY)
        return (uint32_t)v->as.entity.hash;
    if (v->kind == CEDAR_STRING)
        return cedar_text_hash(v->as.string);
    uint64_t n = v->kind == CEDAR_BOOL ? v->as.truth : (uint64_t)v->as.number;
    return (uint32_t)((n + v->kind) * 0x9e3779b97f4a7c15u >> 32);
}

int cedar_pool_init(struct cedar_pool *p, struct nk_arena *arena, struct nk_arena *temp)
{
    *p = (struct cedar_pool){.arena = arena, .temp = temp};
    p->text_n = p->uid_n = p->value_n = 1;
    p->texts = cedar_grow(temp, NULL, 0, &p->text_cap, sizeof *p->texts);
    p->uids = cedar_grow(temp, NULL, 0, &p->uid_cap, sizeof *p->uids);
    p->values = cedar_grow(temp, NULL, 0, &p->value_cap, sizeof *p->values);
    bool ok = p->texts && p->uids && p->values && !cedar_slots_reserve(&p->by_text, temp) &&
              !cedar_slots_reserve(&p->by_uid, temp) && !cedar_slots_reserve(&p->by_value, temp);
    return ok ? 0 : NK_ENOMEM;
}

static bool same_text(const void *what, uint32_t number)
{
    const struct cedar_pool *p = what;
    return nk_str_eq(*p->texts[number], *p->texts[0]);
}

static bool same_uid(const void *what, uint32_t number)
{
    const struct cedar_pool *p = what;
    return cedar_uid_eq(p->uids[number], p->uids[0]);
}

struct wanted {
    const struct nk_cedar_value *const *values;
    const struct nk_cedar_value *v;
};

static bool same_value(const void *what, uint32_t number)
{
    const struct wanted *wanted = what;
    return cedar_value_cmp(wanted->values[number], wanted->v) == 0;
}

uint32_t cedar_find_value(const struct cedar_slots *by_value,
                          const struct nk_cedar_value *const *values,
                          const struct nk_cedar_value *v)
{
    struct wanted wanted = {values, v};
    if (!cedar_is_scalar(v))
        return 0;
    return cedar_slots_at(by_value, cedar_scalar_hash(v), same_value, &wanted)->number;
}

/* `size` bytes and those of `text` behind them, where *out then is; NULL: no memory. */
static void *piece(struct cedar_pool *p, size_t size, struct nk_str text, struct nk_str *out)
{
    char *own = nk_arena_alloc(p->arena, size + text.n);
    if (own && text.n)
        memcpy(own + size, text.p, text.n);
    *out = (struct nk_str){own ? own + size : NULL, text.n};
    return own;
}

/* Place 0 of a list holds what is being looked for. */
const struct nk_str *cedar_pool_text(struct cedar_pool *p, struct nk_str text)
{
    uint32_t hash = cedar_text_hash(text);
    struct nk_str copy;
    p->texts[0] = &text;
    if (cedar_slots_reserve(&p->by_text, p->temp))
        return NULL;
    struct cedar_slot *slot = cedar_slots_at(&p->by_text, hash, same_text, p);
    if (slot->number)
        return p->texts[slot->number];
    const struct nk_str **texts =
        cedar_grow(p->temp, p->texts, p->text_n, &p->text_cap, sizeof *texts);
    struct nk_str *own = piece(p, sizeof *own, text, &copy);
    if (!texts || !own)
        return NULL;
    *own = copy;
    p->texts = texts;
    p->texts[p->text_n] = own;
    cedar_slots_put(&p->by_text, slot, hash, (uint32_t)p->text_n++);
    return own;
}

bool cedar_pool_has_uid(struct cedar_pool *p, const struct cedar_uid *uid)
{
    p->uids[0] = uid;
    return cedar_slots_at(&p->by_uid, (uint32_t)uid->hash, same_uid, p)->number;
}

const struct cedar_uid *cedar_pool_uid(struct cedar_pool *p, const struct cedar_uid *uid)
{
    struct nk_str id;
    p->uids[0] = uid;
    const struct nk_str *type = cedar_pool_text(p, uid->uid.type);
    if (!type || cedar_slots_reserve(&p->by_uid, p->temp))
        return NULL;
    struct cedar_slot *slot = cedar_slots_at(&p->by_uid, (uint32_t)uid->hash, same_uid, p);
    if (slot->number)
        return p->uids[slot->number];
    const struct cedar_uid **uids =
        cedar_grow(p->temp, p->uids, p->uid_n, &p->uid_cap, sizeof *uids);
    struct cedar_uid *own = piece(p, sizeof *own, uid->uid.id, &id);
    if (!uids || !own)
        return NULL;
    *own = (struct cedar_uid){{*type, id}, uid->hash};
    p->uids = uids;
    p->uids[p->uid_n] = own;
    cedar_slots_put(&p->by_uid, slot, (uint32_t)uid->hash, (uint32_t)p->uid_n++);
    return own;
}

static const struct nk_cedar_value *copy_value(struct cedar_pool *p, const struct nk_cedar_value *v)
{
    struct nk_str text = v->kind == CEDAR_STRING ? v->as.string : NK_STR(""), copy;
    const struct cedar_uid *uid = NULL;
    struct nk_cedar_value *own = piece(p, sizeof *own, text, &copy);
    if (v->kind == CEDAR_ENTITY)
        uid = cedar_pool_uid(p, &v->as.entity);
    if (!own || (v->kind == CEDAR_ENTITY && !uid))
        return NULL;
    *own = *v;
    if (v->kind == CEDAR_STRING)
        own->as.string = copy;
    if (uid)
        own->as.entity = *uid;
    return own;
}

uint32_t cedar_pool_value(struct cedar_pool *p, const struct nk_cedar_value *v)
{
    struct wanted wanted = {p->values, v};
    uint32_t hash = cedar_scalar_hash(v);
    if (cedar_slots_reserve(&p->by_value, p->temp))
        return 0;
    struct cedar_slot *slot = cedar_slots_at(&p->by_value, hash, same_value, &wanted);
    if (slot->number)
        return slot->number;
    const struct nk_cedar_value **values =
        cedar_grow(p->temp, p->values, p->value_n, &p->value_cap, sizeof *values);
    const struct nk_cedar_value *own = copy_value(p, v);
    if (!values || !own)
        return 0;
    p->values = values;
    p->values[p->value_n] = own;
    cedar_slots_put(&p->by_value, slot, hash, (uint32_t)p->value_n);
    return (uint32_t)p->value_n++;
}
