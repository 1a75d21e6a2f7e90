/* SPDX-License-Identifier: Apache-2.0
 *
 * operate.c - operators on values (docs.cedarpolicy.com, "Operators and functions"). See operate.h.
 */
#include "cedar/operate.h"

const struct nk_cedar_value *cedar_expect(struct cedar_eval *e, const struct nk_cedar_value *v,
                                          enum cedar_kind kind)
{
    return v->kind == kind ? v : cedar_fail(&e->call, cedar_expected(kind));
}

const struct nk_cedar_value *cedar_overflow(struct cedar_eval *e)
{
    return cedar_fail(&e->call, "integer overflow");
}

const struct nk_cedar_value *cedar_no_room(struct cedar_eval *e, int code)
{
    return code == NK_ENOMEM ? cedar_no_memory(&e->call)
                             : cedar_fail(&e->call, "the value is too large or too deep");
}

static bool is_ordered(const struct nk_cedar_value *v)
{
    return v->kind == CEDAR_LONG || v->kind == CEDAR_DATETIME || v->kind == CEDAR_DURATION;
}

const struct nk_cedar_value *cedar_less(struct cedar_eval *e, enum cedar_order order,
                                        const struct nk_cedar_value *a,
                                        const struct nk_cedar_value *b)
{
    if (a->kind != b->kind || !is_ordered(a))
        return cedar_fail(&e->call, "type error: expected two longs, datetimes or durations");
    switch (order) {
    case CEDAR_LT:
        return cedar_truth(a->as.number < b->as.number);
    case CEDAR_LE:
        return cedar_truth(a->as.number <= b->as.number);
    case CEDAR_GT:
        return cedar_truth(a->as.number > b->as.number);
    case CEDAR_GE:
        break;
    }
    return cedar_truth(a->as.number >= b->as.number);
}

/* All items must be entities, also those behind the one that decides. */
static const struct nk_cedar_value *in_set(struct cedar_eval *e, const struct nk_cedar_value *v,
                                           const struct nk_cedar_value *set)
{
    bool found = false;
    for (uint32_t i = 0; i < set->n; i++)
        if (set->as.items[i]->kind != CEDAR_ENTITY)
            return cedar_fail(&e->call, cedar_expected(CEDAR_ENTITY));
    for (uint32_t i = 0; i < set->n && !found; i++)
        found = cedar_eval_in(e, v, &set->as.items[i]->as.entity);
    return cedar_truth(found);
}

const struct nk_cedar_value *cedar_in(struct cedar_eval *e, const struct nk_cedar_value *a,
                                      const struct nk_cedar_value *b)
{
    if (a->kind != CEDAR_ENTITY)
        return cedar_fail(&e->call, cedar_expected(CEDAR_ENTITY));
    if (b->kind == CEDAR_SET)
        return in_set(e, a, b);
    if (b->kind != CEDAR_ENTITY)
        return cedar_fail(&e->call, "type error: expected an entity or a set of entities");
    return cedar_truth(cedar_eval_in(e, a, &b->as.entity));
}

static const struct nk_cedar_value *not_a_record(struct cedar_eval *e)
{
    return cedar_fail(&e->call, "type error: expected a record or an entity");
}

static const struct nk_cedar_value *no_entity(struct cedar_eval *e)
{
    return cedar_fail(&e->call, "entity does not exist");
}

const struct nk_cedar_value *cedar_attr(struct cedar_eval *e, const struct nk_cedar_value *v,
                                        struct nk_str name)
{
    if (v->kind == CEDAR_ENTITY) {
        const struct cedar_entity *entity = cedar_eval_entity(e, v);
        if (!entity)
            return no_entity(e);
        v = entity->attrs;
    }
    if (v->kind != CEDAR_RECORD)
        return not_a_record(e);
    const struct nk_cedar_value *found = cedar_record_get(v, name);
    return found ? found : cedar_fail(&e->call, "attribute not found");
}

/* a has b.c is a has b && a.b has c. */
const struct nk_cedar_value *cedar_has(struct cedar_eval *e, const struct nk_cedar_value *v,
                                       const struct nk_str *path, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (v->kind == CEDAR_ENTITY) {
            const struct cedar_entity *entity = cedar_eval_entity(e, v);
            v = entity ? entity->attrs : &cedar_empty_record;
        }
        if (v->kind != CEDAR_RECORD)
            return not_a_record(e);
        v = cedar_record_get(v, path[i]);
        if (!v)
            return &cedar_false;
    }
    return &cedar_true;
}

const struct nk_cedar_value *cedar_has_tag(struct cedar_eval *e, const struct nk_cedar_value *v,
                                           const struct nk_cedar_value *name)
{
    const struct cedar_entity *entity = cedar_eval_entity(e, v);
    return cedar_truth(entity && cedar_record_get(entity->tags, name->as.string));
}

const struct nk_cedar_value *cedar_get_tag(struct cedar_eval *e, const struct nk_cedar_value *v,
                                           const struct nk_cedar_value *name)
{
    const struct cedar_entity *entity = cedar_eval_entity(e, v);
    if (!entity)
        return no_entity(e);
    const struct nk_cedar_value *tag = cedar_record_get(entity->tags, name->as.string);
    return tag ? tag : cedar_fail(&e->call, "tag not found");
}
