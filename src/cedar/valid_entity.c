/* SPDX-License-Identifier: Apache-2.0
 *
 * valid_entity.c - the rules for expressions about entities and attributes: `.`, `has`, tags, `is` and `in`.
 * An entity need not exist, so `has` of an attribute that the schema requires is still not known to be true,
 * and reading one may err; once `has` was true, neither. See valid.h.
 */
#include "base/near.h"
#include "cedar/valid.h"

static const struct nk_str none = {NULL, 0};

enum { OBJECT = EXPECT_ENTITY | EXPECT_RECORD, NEAR_ATTRS = 500 };

/* Entity types that are one of several exist in permissive mode alone: what all of them have. */
static bool lookup_common(struct check *c, const struct cedar_type *type, struct nk_str name,
                          struct cedar_type_attr *out)
{
    for (uint32_t i = 0; i < type->n; i++) {
        const struct cedar_type_attr *a = cedar_type_attr(type->of.entities[i]->shape, name);
        if (!a)
            return false;
        if (i == 0) {
            *out = *a;
            continue;
        }
        out->type = cedar_type_join(&c->types, out->type, a->type, false);
        out->required = out->required && a->required;
        if (!out->type)
            return false;
    }
    return type->n > 0;
}

bool check_lookup(struct check *c, const struct cedar_type *type, struct nk_str name,
                  struct cedar_type_attr *out)
{
    if (type->kind == CEDAR_TYPE_ENTITY)
        return lookup_common(c, type, name, out);
    const struct cedar_type_attr *a =
        type->kind == CEDAR_TYPE_RECORD ? cedar_type_attr(type, name) : NULL;
    if (a)
        *out = *a;
    return a != NULL;
}

/* Could it be there, although the type does not say which it is? */
static bool may_have(const struct cedar_type *type, struct nk_str name)
{
    if (type->kind == CEDAR_TYPE_RECORD)
        return type->open;
    if (type->kind != CEDAR_TYPE_ENTITY)
        return true;
    for (uint32_t i = 0; i < type->n; i++)
        if (cedar_type_attr(type->of.entities[i]->shape, name))
            return true;
    return false;
}

static struct nk_str near_attr(struct check *c, const struct cedar_type *type, struct nk_str name)
{
    struct nk_str names[NEAR_ATTRS];
    uint32_t n = 0;
    if (type->kind == CEDAR_TYPE_ENTITY)
        type = type->of.entities[0]->shape;
    if (type->kind != CEDAR_TYPE_RECORD)
        return none;
    for (; n < type->n && n < NEAR_ATTRS; n++)
        names[n] = type->of.attrs[n].name;
    (void)c;
    return nk_near(name, names, n);
}

static void unknown(struct check *c, struct cedar_span span, const struct cedar_type *type,
                    struct nk_str name)
{
    struct nk_cedar_diag *diag = check_wrong(c, NK_CEDAR_DIAG_UNKNOWN_ATTRIBUTE, span);
    if (!diag)
        return;
    diag->args[0] = name;
    diag->args[1] = cedar_type_name(type, c->diags->arena);
    diag->args[2] = near_attr(c, type, name);
}

static void unsafe(struct check *c, const struct cedar_node *node, const struct cedar_type *type)
{
    struct nk_cedar_diag *diag = check_wrong(c, NK_CEDAR_DIAG_UNSAFE_ATTRIBUTE, node->mark);
    struct cedar_span on = node->kid->span;
    struct nk_str object = nk_str_sub(c->policy->text, on.offset, on.end);
    if (!diag)
        return;
    diag->args[0] = node->name;
    diag->args[1] = cedar_type_name(type, c->diags->arena);
    diag->args[2] = nk_arena_join(
        c->diags->arena,
        (struct nk_str[]){object.n ? object : NK_STR("…"), NK_STR(" has "), node->name}, 3);
}

struct answer check_attr(struct check *c, const struct cedar_node *node, const struct caps *prior)
{
    struct answer object = check_expect(c, node->kid, prior, OBJECT, NULL);
    struct cedar_type_attr attr;
    if (!object.type)
        return answer_fail(NULL);
    if (!check_lookup(c, object.type, node->name, &attr)) {
        unknown(c, node->mark, object.type, node->name);
        return answer_fail(NULL);
    }
    bool record = object.type->kind == CEDAR_TYPE_RECORD;
    if (attr.required && (record || c->may_err))
        return (struct answer){attr.type, object.ok, NULL};
    struct cap cap = cap_attribute(node->kid, NULL, 0, node->name);
    if (caps_has(prior, &cap))
        return (struct answer){attr.type, object.ok, NULL};
    c->may_err = true; /* there may be no such entity */
    if (attr.required)
        return (struct answer){attr.type, object.ok, NULL};
    unsafe(c, node, object.type);
    return answer_fail(attr.type);
}

/* One step of `has`: on.path[0]…path[n-1] has path[n]. */
static struct answer has_step(struct check *c, const struct cedar_node *node, uint32_t n,
                              const struct cedar_type *type, const struct caps *prior)
{
    struct cedar_type_attr attr;
    struct nk_str name = node->path[n];
    if (!check_lookup(c, type, name, &attr))
        return answer_ok(may_have(type, name) ? &cedar_type_bool : &cedar_type_false);
    struct cap cap = cap_attribute(node->kid, node->path, n, name);
    bool known = (attr.required && type->kind == CEDAR_TYPE_RECORD) || caps_has(prior, &cap);
    struct answer a = answer_ok(known ? &cedar_type_true : &cedar_type_bool);
    a.caps = caps_one(c, &cap);
    return a;
}

static bool is_object(const struct cedar_type *t)
{
    return t->kind == CEDAR_TYPE_RECORD || t->kind == CEDAR_TYPE_ENTITY ||
           t->kind == CEDAR_TYPE_ANY_ENTITY || t->kind == CEDAR_TYPE_NEVER;
}

static struct answer not_object(struct check *c, const struct cedar_node *node,
                                const struct cedar_type *type)
{
    check_say(c, NK_CEDAR_DIAG_UNEXPECTED_TYPE, node->mark, NK_STR("an entity or a record"),
              cedar_type_name(type, c->diags->arena), none);
    return answer_fail(&cedar_type_bool);
}

/* a has b.c is a has b && a.b has c. */
struct answer check_has(struct check *c, const struct cedar_node *node, const struct caps *prior)
{
    struct answer object = check_expect(c, node->kid, prior, OBJECT, "….contains(…), … like …");
    const struct cedar_type *type = object.type;
    struct cedar_type_attr attr;
    if (!type)
        return answer_fail(&cedar_type_bool);
    struct answer a = has_step(c, node, 0, type, prior);
    a.ok = object.ok;
    for (uint32_t i = 1; i < node->path_n && a.type != &cedar_type_false; i++) {
        prior = caps_union(c, prior, a.caps);
        if (!check_lookup(c, type, node->path[i - 1], &attr)) {
            unknown(c, node->mark, type, node->path[i - 1]);
            return answer_fail(&cedar_type_bool);
        }
        type = attr.type;
        if (!is_object(type))
            return not_object(c, node, type);
        a = check_and(c, a, has_step(c, node, i, type, prior));
    }
    a.caps = a.ok && a.type != &cedar_type_false ? a.caps : NULL;
    return a;
}

/* is, in -------------------------------------------------------------------------------------------- */

static const struct cedar_type *type_of_is(const struct check *c, const struct cedar_type *type,
                                           struct nk_str name)
{
    const struct cedar_etype *tested = cedar_schema_etype(c->s, name);
    bool among = false;
    if (type->kind != CEDAR_TYPE_ENTITY)
        return &cedar_type_bool;
    for (uint32_t i = 0; i < type->n; i++)
        among = among || type->of.entities[i] == tested;
    if (!among)
        return &cedar_type_false;
    return type->n == 1 ? &cedar_type_true : &cedar_type_bool;
}

const struct nk_cedar_value *check_literal(const struct check *c, const struct cedar_node *node)
{
    if (node->kind == CEDAR_NODE_VAR && node->op == CEDAR_ACTION)
        return &c->action_value;
    return node->kind == CEDAR_NODE_CONST ? node->constant : NULL;
}

/* An action, in an entity or in any of a set of entities that are all written out: -1 if it is not of this
 * form, otherwise whether it is true; -2: an action that the schema does not know. */
static int action_in_literals(const struct check *c, const struct cedar_node *left,
                              const struct cedar_node *right)
{
    const struct nk_cedar_value *l = check_literal(c, left);
    const struct cedar_node *item = right->kind == CEDAR_NODE_SET ? right->kid : right;
    int found = 0, unknown_one = 0;
    if (!l || l->kind != CEDAR_ENTITY || !cedar_type_is_action(l->as.entity.uid.type))
        return -1;
    const struct cedar_action *action = cedar_schema_action(c->s, &l->as.entity);
    for (; item; item = right->kind == CEDAR_NODE_SET ? item->next : NULL) {
        const struct nk_cedar_value *r = check_literal(c, item);
        if (!r || r->kind != CEDAR_ENTITY)
            return -1;
        if (!cedar_type_is_action(r->as.entity.uid.type))
            continue;
        const struct cedar_action *group = cedar_schema_action(c->s, &r->as.entity);
        unknown_one |= !group;
        found |= group && action && cedar_action_in(action, group);
    }
    return unknown_one ? -2 : found;
}

/* Actions are members of actions alone; whether of one type in another, the schema's actions say. */
static bool action_types_in(const struct check *c, const struct cedar_etype *a,
                            const struct cedar_etype *b)
{
    for (uint32_t i = 0; i < c->s->action_n; i++) {
        const struct cedar_action *action = c->s->actions[i];
        for (uint32_t k = 0; action->type == a && k < action->ancestor_n; k++)
            if (action->ancestors[k]->type == b)
                return true;
    }
    return false;
}

static bool may_be_in(const struct check *c, const struct cedar_type *a, const struct cedar_type *b)
{
    for (uint32_t i = 0; i < a->n; i++)
        for (uint32_t k = 0; k < b->n; k++) {
            const struct cedar_etype *x = a->of.entities[i], *y = b->of.entities[k];
            if (cedar_etype_in(x, y) || (x->is_action && action_types_in(c, x, y)))
                return true;
        }
    return false;
}

static struct answer type_of_in(struct check *c, const struct cedar_node *left,
                                const struct cedar_node *right, const struct cedar_type *a,
                                const struct cedar_type *b)
{
    int known = action_in_literals(c, left, right);
    if (known >= 0)
        return answer_ok(known ? &cedar_type_true : &cedar_type_false);
    if (known == -2)
        return answer_fail(&cedar_type_bool);
    if (b->kind == CEDAR_TYPE_SET)
        b = b->of.element;
    if (a->kind == CEDAR_TYPE_ENTITY && b && b->kind == CEDAR_TYPE_ENTITY && !may_be_in(c, a, b))
        return answer_ok(&cedar_type_false);
    return answer_ok(&cedar_type_bool);
}

static struct answer in(struct check *c, const struct cedar_node *left,
                        const struct cedar_node *right, const struct caps *prior)
{
    struct answer a = check_expect(c, left, prior, EXPECT_ENTITY, "….contains(…)");
    struct answer b =
        check_expect(c, right, prior, EXPECT_ENTITY | EXPECT_ENTITY_SET, "….contains(…), … like …");
    if (!a.ok || !b.ok)
        return answer_fail(&cedar_type_bool);
    return type_of_in(c, left, right, a.type, b.type);
}

struct answer check_in(struct check *c, const struct cedar_node *node, const struct caps *prior)
{
    return in(c, node->kid, node->kid->next, prior);
}

/* a is T in b is a is T && a in b. */
struct answer check_is(struct check *c, const struct cedar_node *node, const struct caps *prior)
{
    struct answer object = check_expect(c, node->kid, prior, EXPECT_ENTITY, NULL);
    if (!object.type)
        return answer_fail(&cedar_type_bool);
    struct answer a = {type_of_is(c, object.type, node->name), object.ok, NULL};
    if (node->n == 1 || a.type == &cedar_type_false)
        return a;
    return check_and(c, a, in(c, node->kid, node->kid->next, prior));
}

/* Tags ---------------------------------------------------------------------------------------------- */

/* The type of the tags of an entity; NULL with *any false: it has none; with *any true: no common one. */
static const struct cedar_type *tags_of(struct check *c, const struct cedar_type *type, bool *any)
{
    const struct cedar_type *out = &cedar_type_never;
    bool all = type->kind != CEDAR_TYPE_ENTITY;
    uint32_t n = all ? c->s->etype_n : type->n;
    *any = false;
    for (uint32_t i = 0; i < n && out; i++) {
        const struct cedar_etype *e = all ? c->s->etypes[i] : type->of.entities[i];
        if (!e->tags)
            continue;
        *any = true;
        out = cedar_type_join(&c->types, out, e->tags, c->strict);
    }
    return *any ? out : NULL;
}

struct answer check_has_tag(struct check *c, const struct cedar_node *node,
                            const struct caps *prior)
{
    struct answer object = check_expect(c, node->kid, prior, EXPECT_ENTITY, NULL);
    struct answer name = check_expect(c, node->kid->next, prior, EXPECT_STRING, NULL);
    bool any;
    if (!object.type)
        return answer_fail(NULL);
    struct cap cap = cap_tag(node->kid, node->kid->next);
    (void)tags_of(c, object.type, &any);
    const struct cedar_type *type = !any                    ? &cedar_type_false
                                    : caps_has(prior, &cap) ? &cedar_type_true
                                                            : &cedar_type_bool;
    bool ok = object.ok && name.ok;
    return (struct answer){type, ok, ok ? caps_one(c, &cap) : NULL};
}

struct answer check_get_tag(struct check *c, const struct cedar_node *node,
                            const struct caps *prior)
{
    struct answer object = check_expect(c, node->kid, prior, EXPECT_ENTITY, NULL);
    struct answer name = check_expect(c, node->kid->next, prior, EXPECT_STRING, NULL);
    bool any;
    if (!object.type)
        return answer_fail(NULL);
    struct cap cap = cap_tag(node->kid, node->kid->next);
    if (!caps_has(prior, &cap)) {
        check_say(c, NK_CEDAR_DIAG_UNSAFE_TAG, node->mark,
                  cedar_type_name(object.type, c->diags->arena), none, none);
        return answer_fail(NULL);
    }
    const struct cedar_type *type = tags_of(c, object.type, &any);
    if (!type) {
        check_say(c, any ? NK_CEDAR_DIAG_INCOMPATIBLE : NK_CEDAR_DIAG_NO_TAGS, node->mark,
                  cedar_type_name(object.type, c->diags->arena), none, none);
        return answer_fail(NULL);
    }
    return (struct answer){type, object.ok && name.ok, NULL};
}
