/* SPDX-License-Identifier: Apache-2.0
 *
 * eval.c - expressions to values: one small function for each kind of node, found in a table. A
 * function returns NULL after noting the error; && and || look at their right side only when the
 * left does not decide (docs.cedarpolicy.com, "Operators and functions").
 */
#include "cedar/operate.h"

/* The child's value if it has that kind. */
static const struct nk_cedar_value *eval_kind(struct cedar_eval *e, const struct cedar_node *node,
                                              enum cedar_kind kind)
{
    const struct nk_cedar_value *v = cedar_eval(e, node);
    return v ? cedar_expect(e, v, kind) : NULL;
}

bool cedar_eval_bool(struct cedar_eval *e, const struct cedar_node *node, bool *out)
{
    const struct nk_cedar_value *v = eval_kind(e, node, CEDAR_BOOL);
    *out = v && v->as.truth;
    return v;
}

static const struct nk_cedar_value *eval_var(struct cedar_eval *e, const struct cedar_node *node)
{
    return e->vars[node->op];
}

static const struct nk_cedar_value *eval_and(struct cedar_eval *e, const struct cedar_node *node)
{
    bool v = true;
    for (const struct cedar_node *kid = node->kid; v && kid; kid = kid->next)
        if (!cedar_eval_bool(e, kid, &v))
            return NULL;
    return cedar_truth(v);
}

static const struct nk_cedar_value *eval_or(struct cedar_eval *e, const struct cedar_node *node)
{
    bool v = false;
    for (const struct cedar_node *kid = node->kid; !v && kid; kid = kid->next)
        if (!cedar_eval_bool(e, kid, &v))
            return NULL;
    return cedar_truth(v);
}

static const struct nk_cedar_value *eval_not(struct cedar_eval *e, const struct cedar_node *node)
{
    bool v;
    return cedar_eval_bool(e, node->kid, &v) ? cedar_truth(!v) : NULL;
}

static const struct nk_cedar_value *eval_neg(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value *v = eval_kind(e, node->kid, CEDAR_LONG);
    int64_t out;
    if (!v)
        return NULL;
    if (__builtin_sub_overflow(0, v->as.number, &out))
        return cedar_overflow(e);
    return cedar_call_number(&e->call, CEDAR_LONG, out);
}

static const struct nk_cedar_value *eval_if(struct cedar_eval *e, const struct cedar_node *node)
{
    bool v;
    if (!cedar_eval_bool(e, node->kid, &v))
        return NULL;
    return cedar_eval(e, v ? node->kid->next : node->kid->next->next);
}

static const struct nk_cedar_value *eval_eq(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value *a = cedar_eval(e, node->kid);
    const struct nk_cedar_value *b = a ? cedar_eval(e, node->kid->next) : NULL;
    return b ? cedar_truth((cedar_value_cmp(a, b) == 0) != node->op) : NULL;
}

static const struct nk_cedar_value *eval_less(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value *a = cedar_eval(e, node->kid);
    const struct nk_cedar_value *b = a ? cedar_eval(e, node->kid->next) : NULL;
    return b ? cedar_less(e, (enum cedar_order)node->op, a, b) : NULL;
}

static const struct nk_cedar_value *eval_in(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value *a = cedar_eval(e, node->kid);
    const struct nk_cedar_value *b = a ? cedar_eval(e, node->kid->next) : NULL;
    return b ? cedar_in(e, a, b) : NULL;
}

static const struct nk_cedar_value *eval_is(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value *v = eval_kind(e, node->kid, CEDAR_ENTITY);
    if (!v)
        return NULL;
    if (!nk_str_eq(v->as.entity.uid.type, node->name))
        return &cedar_false;
    if (node->n == 1)
        return &cedar_true;
    const struct nk_cedar_value *other = cedar_eval(e, node->kid->next);
    return other ? cedar_in(e, v, other) : NULL;
}

static const struct nk_cedar_value *eval_sum(struct cedar_eval *e, const struct cedar_node *node)
{
    int64_t sum = 0;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        const struct nk_cedar_value *v = eval_kind(e, kid, CEDAR_LONG);
        if (!v)
            return NULL;
        if (kid->minus ? __builtin_sub_overflow(sum, v->as.number, &sum)
                       : __builtin_add_overflow(sum, v->as.number, &sum))
            return cedar_overflow(e);
    }
    return cedar_call_number(&e->call, CEDAR_LONG, sum);
}

static const struct nk_cedar_value *eval_product(struct cedar_eval *e,
                                                 const struct cedar_node *node)
{
    int64_t product = 1;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        const struct nk_cedar_value *v = eval_kind(e, kid, CEDAR_LONG);
        if (!v)
            return NULL;
        if (__builtin_mul_overflow(product, v->as.number, &product))
            return cedar_overflow(e);
    }
    return cedar_call_number(&e->call, CEDAR_LONG, product);
}

static const struct nk_cedar_value *eval_contains(struct cedar_eval *e,
                                                  const struct cedar_node *node)
{
    const struct nk_cedar_value *set = eval_kind(e, node->kid, CEDAR_SET);
    const struct nk_cedar_value *item = set ? cedar_eval(e, node->kid->next) : NULL;
    return item ? cedar_truth(cedar_set_has(set, item)) : NULL;
}

static const struct nk_cedar_value *eval_contains_many(struct cedar_eval *e,
                                                       const struct cedar_node *node)
{
    const struct nk_cedar_value *set = eval_kind(e, node->kid, CEDAR_SET);
    const struct nk_cedar_value *of = set ? eval_kind(e, node->kid->next, CEDAR_SET) : NULL;
    if (!of)
        return NULL;
    return cedar_truth(node->kind == CEDAR_NODE_CONTAINS_ALL ? cedar_set_has_all(set, of)
                                                             : cedar_set_has_any(set, of));
}

static const struct nk_cedar_value *eval_is_empty(struct cedar_eval *e,
                                                  const struct cedar_node *node)
{
    const struct nk_cedar_value *set = eval_kind(e, node->kid, CEDAR_SET);
    return set ? cedar_truth(set->n == 0) : NULL;
}

static const struct nk_cedar_value *eval_tag(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value *v = eval_kind(e, node->kid, CEDAR_ENTITY);
    const struct nk_cedar_value *name = v ? eval_kind(e, node->kid->next, CEDAR_STRING) : NULL;
    if (!name)
        return NULL;
    return node->kind == CEDAR_NODE_HAS_TAG ? cedar_has_tag(e, v, name) : cedar_get_tag(e, v, name);
}

static const struct nk_cedar_value *eval_attr(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value *v = cedar_eval(e, node->kid);
    return v ? cedar_attr(e, v, node->name) : NULL;
}

static const struct nk_cedar_value *eval_has(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value *v = cedar_eval(e, node->kid);
    return v ? cedar_has(e, v, node->path, node->path_n) : NULL;
}

static const struct nk_cedar_value *eval_like(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value *v = eval_kind(e, node->kid, CEDAR_STRING);
    return v ? cedar_truth(cedar_like(v->as.string, node->path, node->path_n)) : NULL;
}

static const struct nk_cedar_value *eval_set(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value **items = nk_arena_array(e->call.arena, node->n, sizeof *items);
    const struct nk_cedar_value *out = NULL;
    size_t n = 0;
    if (!items)
        return cedar_no_room(e, NK_ENOMEM);
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
        if (!(items[n++] = cedar_eval(e, kid)))
            return NULL;
    int rc = cedar_set_new(e->call.arena, items, n, &out);
    return rc ? cedar_no_room(e, rc) : out;
}

static const struct nk_cedar_value *eval_record(struct cedar_eval *e, const struct cedar_node *node)
{
    struct nk_cedar_member *members = nk_arena_array(e->call.arena, node->n, sizeof *members);
    const struct nk_cedar_value *out = NULL;
    size_t n = 0;
    if (!members)
        return cedar_no_room(e, NK_ENOMEM);
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        const struct nk_cedar_value *v = cedar_eval(e, kid);
        if (!v)
            return NULL;
        members[n++] = (struct nk_cedar_member){kid->label, v};
    }
    int rc = cedar_record_new(e->call.arena, members, n, &out);
    return rc ? cedar_no_room(e, rc) : out;
}

/* All arguments are evaluated before their number is looked at: an error in one comes first. */
static const struct nk_cedar_value *eval_call(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct nk_cedar_value *args[CEDAR_EXT_ARGS];
    size_t n = 0;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        const struct nk_cedar_value *v = cedar_eval(e, kid);
        if (!v)
            return NULL;
        if (n < CEDAR_EXT_ARGS)
            args[n] = v;
        n++;
    }
    return cedar_ext_call(node->ext, &e->call, args, n);
}

static const struct nk_cedar_value *(*const table[CEDAR_NODE_KINDS])(struct cedar_eval *,
                                                                     const struct cedar_node *) = {
    [CEDAR_NODE_VAR] = eval_var,
    [CEDAR_NODE_AND] = eval_and,
    [CEDAR_NODE_OR] = eval_or,
    [CEDAR_NODE_NOT] = eval_not,
    [CEDAR_NODE_NEG] = eval_neg,
    [CEDAR_NODE_IF] = eval_if,
    [CEDAR_NODE_EQ] = eval_eq,
    [CEDAR_NODE_LESS] = eval_less,
    [CEDAR_NODE_IN] = eval_in,
    [CEDAR_NODE_SUM] = eval_sum,
    [CEDAR_NODE_PRODUCT] = eval_product,
    [CEDAR_NODE_CONTAINS] = eval_contains,
    [CEDAR_NODE_CONTAINS_ALL] = eval_contains_many,
    [CEDAR_NODE_CONTAINS_ANY] = eval_contains_many,
    [CEDAR_NODE_IS_EMPTY] = eval_is_empty,
    [CEDAR_NODE_HAS_TAG] = eval_tag,
    [CEDAR_NODE_GET_TAG] = eval_tag,
    [CEDAR_NODE_ATTR] = eval_attr,
    [CEDAR_NODE_HAS] = eval_has,
    [CEDAR_NODE_LIKE] = eval_like,
    [CEDAR_NODE_IS] = eval_is,
    [CEDAR_NODE_SET] = eval_set,
    [CEDAR_NODE_RECORD] = eval_record,
    [CEDAR_NODE_CALL] = eval_call,
};

const struct nk_cedar_value *cedar_eval(struct cedar_eval *e, const struct cedar_node *node)
{
    if (node->constant)
        return node->constant;
    if (e->depth == CEDAR_DEPTH)
        return cedar_fail(&e->call, "the expression is nested too deeply");
    e->depth++;
    const struct nk_cedar_value *v = table[node->kind](e, node);
    e->depth--;
    return v;
}

const struct cedar_entity *cedar_eval_entity(struct cedar_eval *e,
                                             const struct nk_cedar_value *value)
{
    for (int var = CEDAR_PRINCIPAL; var < CEDAR_CONTEXT; var++)
        if (value == e->vars[var])
            return cedar_eval_known(e, (enum cedar_var)var);
    return cedar_entities_find(e->entities, &value->as.entity);
}

bool cedar_eval_in(struct cedar_eval *e, const struct nk_cedar_value *value,
                   const struct cedar_uid *uid)
{
    if (cedar_uid_eq(&value->as.entity, uid))
        return true;
    const struct cedar_entity *entity = cedar_eval_entity(e, value);
    return entity && cedar_entity_in(entity, uid);
}
