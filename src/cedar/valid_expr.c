/* SPDX-License-Identifier: Apache-2.0
 *
 * valid_expr.c - the type of each kind of expression, one small rule for each. What concerns entities and
 * attributes is in valid_entity.c. See valid.h.
 */
#include "cedar/valid.h"

#include <stdlib.h>

static const struct nk_str none = {NULL, 0};

struct answer answer_ok(const struct cedar_type *type)
{
    return (struct answer){type, true, NULL};
}

struct answer answer_fail(const struct cedar_type *type)
{
    return (struct answer){type, false, NULL};
}

static struct answer answer(const struct cedar_type *type, bool ok)
{
    return (struct answer){type, ok, NULL};
}

struct nk_cedar_diag *check_wrong(struct check *c, enum nk_cedar_diag_code code,
                                  struct cedar_span span)
{
    const struct nk_cedar_diag *mine = c->before ? c->before->next : c->diags->first;
    bool error = nk_cedar_diag_severity(code) == NK_CEDAR_ERROR;
    if (c->quiet) {
        c->may_err = true;
        return NULL;
    }
    for (; mine; mine = mine->next)
        if (mine->code == code && mine->offset == span.offset && mine->end == span.end)
            return NULL;
    struct nk_cedar_diag diag = {.code = code,
                                 .policy = c->policy->id,
                                 .text = c->policy->text,
                                 .offset = span.offset,
                                 .end = span.end};
    size_t kept = c->diags->kept;
    c->errors += error;
    nk_cedar_diags_add(c->diags, &diag);
    return c->diags->kept > kept ? c->diags->last : NULL;
}

void check_say(struct check *c, enum nk_cedar_diag_code code, struct cedar_span span,
               struct nk_str a, struct nk_str b, struct nk_str d)
{
    struct nk_cedar_diag *diag = check_wrong(c, code, span);
    if (!diag)
        return;
    diag->args[0] = a;
    diag->args[1] = b;
    diag->args[2] = d;
}

void check_incompatible(struct check *c, struct cedar_span span, const struct cedar_type *a,
                        const struct cedar_type *b)
{
    struct nk_cedar_diag *diag = check_wrong(c, NK_CEDAR_DIAG_INCOMPATIBLE, span);
    if (!diag)
        return;
    diag->args[0] = cedar_type_name(a, c->diags->arena);
    diag->args[1] = cedar_type_name(b, c->diags->arena);
}

/* What is expected ------------------------------------------------------------------------------- */

static unsigned bit_of_ext(enum cedar_kind kind)
{
    static const unsigned bits[] = {
        [CEDAR_BOOL] = EXPECT_BOOL,         [CEDAR_LONG] = EXPECT_LONG,
        [CEDAR_STRING] = EXPECT_STRING,     [CEDAR_ENTITY] = EXPECT_ENTITY,
        [CEDAR_SET] = EXPECT_SET,           [CEDAR_RECORD] = EXPECT_RECORD,
        [CEDAR_DECIMAL] = EXPECT_DECIMAL,   [CEDAR_IP] = EXPECT_IP,
        [CEDAR_DATETIME] = EXPECT_DATETIME, [CEDAR_DURATION] = EXPECT_DURATION};
    return bits[kind];
}

static bool is_entity(const struct cedar_type *t)
{
    return t->kind == CEDAR_TYPE_ENTITY || t->kind == CEDAR_TYPE_ANY_ENTITY ||
           t->kind == CEDAR_TYPE_NEVER;
}

static unsigned bits_of(const struct cedar_type *t)
{
    switch ((enum cedar_type_kind)t->kind) {
    case CEDAR_TYPE_NEVER:
        return ~0u;
    case CEDAR_TYPE_TRUE:
    case CEDAR_TYPE_FALSE:
    case CEDAR_TYPE_BOOL:
        return EXPECT_BOOL;
    case CEDAR_TYPE_LONG:
        return EXPECT_LONG;
    case CEDAR_TYPE_STRING:
        return EXPECT_STRING;
    case CEDAR_TYPE_EXT:
        return bit_of_ext((enum cedar_kind)t->ext);
    case CEDAR_TYPE_SET:
        return EXPECT_SET | (t->of.element && is_entity(t->of.element) ? EXPECT_ENTITY_SET : 0u);
    case CEDAR_TYPE_RECORD:
        return EXPECT_RECORD;
    case CEDAR_TYPE_ENTITY:
    case CEDAR_TYPE_ANY_ENTITY:
        break;
    }
    return EXPECT_ENTITY;
}

static const char *expected_words(unsigned expected)
{
    switch (expected) {
    case EXPECT_BOOL:
        return "Bool";
    case EXPECT_LONG:
        return "Long";
    case EXPECT_STRING:
        return "String";
    case EXPECT_SET:
        return "Set<…>";
    case EXPECT_ENTITY:
        return "an entity";
    case EXPECT_ENTITY | EXPECT_RECORD:
        return "an entity or a record";
    case EXPECT_ENTITY | EXPECT_ENTITY_SET:
        return "an entity or a set of entities";
    case EXPECT_DECIMAL:
        return "decimal";
    case EXPECT_IP:
        return "ipaddr";
    case EXPECT_DATETIME:
        return "datetime";
    case EXPECT_DURATION:
        return "duration";
    default:
        return "Long, datetime or duration";
    }
}

static void unexpected(struct check *c, const struct cedar_node *node, unsigned expected,
                       const struct cedar_type *actual, const char *instead)
{
    struct nk_cedar_diag *diag = check_wrong(c, NK_CEDAR_DIAG_UNEXPECTED_TYPE, node->span);
    if (!diag)
        return;
    diag->args[0] = nk_str(expected_words(expected));
    diag->args[1] = cedar_type_name(actual, c->diags->arena);
    diag->args[2] = nk_str(instead);
}

struct answer check_expect(struct check *c, const struct cedar_node *node, const struct caps *prior,
                           unsigned expected, const char *instead)
{
    struct answer a = check_node(c, node, prior);
    if (!a.type)
        return answer_fail(NULL);
    if (bits_of(a.type) & expected)
        return a;
    unexpected(c, node, expected, a.type, instead);
    return answer_fail(NULL);
}

/* Values and variables ---------------------------------------------------------------------------- */

static struct answer check_entity(struct check *c, const struct cedar_uid *uid)
{
    const struct cedar_etype *type = cedar_schema_etype(c->s, uid->uid.type);
    if (!type || (type->is_action && !cedar_schema_action(c->s, uid)))
        return answer_fail(NULL); /* valid.c has said so */
    return answer_ok(type->self);
}

static struct answer check_const(struct check *c, const struct cedar_node *node,
                                 const struct caps *prior)
{
    (void)prior;
    switch ((enum cedar_kind)node->constant->kind) {
    case CEDAR_BOOL:
        return answer_ok(node->constant->as.truth ? &cedar_type_true : &cedar_type_false);
    case CEDAR_LONG:
        return answer_ok(&cedar_type_long);
    case CEDAR_STRING:
        return answer_ok(&cedar_type_string);
    default:
        return check_entity(c, &node->constant->as.entity);
    }
}

static struct answer check_var(struct check *c, const struct cedar_node *node,
                               const struct caps *prior)
{
    (void)prior;
    const struct cedar_type *const types[] = {c->principal->self, c->action->type->self,
                                              c->resource->self, c->action->context};
    return answer_ok(types[node->op]);
}

/* Logic --------------------------------------------------------------------------------------------- */

struct answer check_and(struct check *c, struct answer a, struct answer b)
{
    bool ok = a.ok && b.ok;
    if (!a.type || !b.type)
        return answer_fail(&cedar_type_bool);
    if (b.type == &cedar_type_false)
        return answer(b.type, ok);
    const struct cedar_type *type = b.type == &cedar_type_true   ? a.type
                                    : a.type == &cedar_type_true ? b.type
                                                                 : &cedar_type_bool;
    return (struct answer){type, ok, ok ? caps_union(c, a.caps, b.caps) : NULL};
}

static struct answer check_and_chain(struct check *c, const struct cedar_node *node,
                                     const struct caps *prior)
{
    const struct cedar_node *kid = node->kid;
    struct answer a = check_expect(c, kid, prior, EXPECT_BOOL, NULL);
    while ((kid = kid->next) && a.type != &cedar_type_false) {
        prior = caps_union(c, prior, a.caps);
        a = check_and(c, a, check_expect(c, kid, prior, EXPECT_BOOL, NULL));
    }
    if (a.type == &cedar_type_false)
        a.caps = NULL;
    return a;
}

static struct answer or_of(struct check *c, struct answer a, struct answer b)
{
    bool ok = a.ok && b.ok;
    if (!a.type || !b.type)
        return answer_fail(&cedar_type_bool);
    if (b.type == &cedar_type_true || a.type == &cedar_type_false)
        return (struct answer){b.type, ok, ok ? b.caps : NULL};
    if (b.type == &cedar_type_false)
        return (struct answer){a.type, ok, ok ? a.caps : NULL};
    return (struct answer){&cedar_type_bool, ok, ok ? caps_both(c, b.caps, a.caps) : NULL};
}

static struct answer check_or_chain(struct check *c, const struct cedar_node *node,
                                    const struct caps *prior)
{
    const struct cedar_node *kid = node->kid;
    struct answer a = check_expect(c, kid, prior, EXPECT_BOOL, NULL);
    while ((kid = kid->next) && a.type != &cedar_type_true)
        a = or_of(c, a, check_expect(c, kid, prior, EXPECT_BOOL, NULL));
    return a;
}

static const struct cedar_type *negated(const struct cedar_type *t)
{
    return t == &cedar_type_true    ? &cedar_type_false
           : t == &cedar_type_false ? &cedar_type_true
                                    : &cedar_type_bool;
}

static struct answer check_not(struct check *c, const struct cedar_node *node,
                               const struct caps *prior)
{
    struct answer a = check_expect(c, node->kid, prior, EXPECT_BOOL, NULL);
    return answer(negated(a.type), a.ok && a.type);
}

static struct answer check_if(struct check *c, const struct cedar_node *node,
                              const struct caps *prior)
{
    const struct cedar_node *then = node->kid->next, *other = then->next;
    struct answer test = check_expect(c, node->kid, prior, EXPECT_BOOL, NULL);
    if (test.type == &cedar_type_false) {
        struct answer b = check_node(c, other, prior);
        return (struct answer){b.type, b.ok && test.ok, test.ok ? b.caps : NULL};
    }
    struct answer a = check_node(c, then, caps_union(c, prior, test.caps));
    if (a.ok)
        a.caps = caps_union(c, a.caps, test.caps);
    if (test.type == &cedar_type_true)
        return (struct answer){a.type, a.ok && test.ok, test.ok ? a.caps : NULL};
    struct answer b = check_node(c, other, prior);
    if (!a.type || !b.type)
        return answer_fail(NULL);
    const struct cedar_type *type = cedar_type_join(&c->types, a.type, b.type, c->strict);
    if (!type) {
        check_incompatible(c, node->span, a.type, b.type);
        return answer_fail(NULL);
    }
    bool ok = test.ok && a.ok && b.ok;
    return (struct answer){type, ok, ok ? caps_both(c, b.caps, a.caps) : NULL};
}

/* Comparisons --------------------------------------------------------------------------------------- */

/* In strict mode both sides must have a type in common. */
static struct answer comparable(struct check *c, const struct cedar_node *node, bool ok,
                                const struct cedar_type *a, const struct cedar_type *b)
{
    if (!c->strict || !a || !b || cedar_type_join(&c->types, a, b, true))
        return answer(&cedar_type_bool, ok);
    check_incompatible(c, node->span, a, b);
    return answer_fail(&cedar_type_bool);
}

static struct answer check_eq(struct check *c, const struct cedar_node *node,
                              const struct caps *prior)
{
    const struct cedar_node *left = node->kid, *right = left->next;
    struct answer a = check_node(c, left, prior), b = check_node(c, right, prior);
    const struct nk_cedar_value *x = check_literal(c, left), *y = check_literal(c, right);
    const struct cedar_type *type = &cedar_type_bool;
    bool ok = a.ok && b.ok;
    if (a.type && b.type && cedar_type_disjoint(a.type, b.type))
        type = &cedar_type_false;
    else if (x && y)
        type = cedar_value_cmp(x, y) == 0 ? &cedar_type_true : &cedar_type_false;
    if (type == &cedar_type_bool)
        return comparable(c, node, ok, a.type, b.type);
    return answer(node->op ? negated(type) : type, ok);
}

enum { EXPECT_ORDERED = EXPECT_LONG | EXPECT_DATETIME | EXPECT_DURATION };

static struct answer check_less(struct check *c, const struct cedar_node *node,
                                const struct caps *prior)
{
    const struct cedar_node *left = node->kid, *right = left->next;
    struct answer a = check_node(c, left, prior), b = check_node(c, right, prior);
    if (!a.type || !b.type)
        return answer_fail(&cedar_type_bool);
    bool x = bits_of(a.type) & EXPECT_ORDERED, y = bits_of(b.type) & EXPECT_ORDERED;
    if (x && y && a.type == b.type)
        return answer(&cedar_type_bool, a.ok && b.ok);
    if (x)
        unexpected(c, right, bits_of(a.type) & EXPECT_ORDERED, b.type, NULL);
    else
        unexpected(c, left, y ? bits_of(b.type) & EXPECT_ORDERED : EXPECT_ORDERED, a.type, NULL);
    return answer_fail(&cedar_type_bool);
}

/* Numbers ------------------------------------------------------------------------------------------- */

static struct answer check_numbers(struct check *c, const struct cedar_node *node,
                                   const struct caps *prior)
{
    bool ok = true;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
        ok = check_expect(c, kid, prior, EXPECT_LONG, NULL).ok && ok;
    c->may_err = true; /* overflow */
    return answer(&cedar_type_long, ok);
}

static struct answer check_like(struct check *c, const struct cedar_node *node,
                                const struct caps *prior)
{
    struct answer a = check_expect(c, node->kid, prior, EXPECT_STRING, NULL);
    return answer(&cedar_type_bool, a.ok);
}

/* Sets and records ---------------------------------------------------------------------------------- */

static struct answer check_set(struct check *c, const struct cedar_node *node,
                               const struct caps *prior)
{
    const struct cedar_type *type = &cedar_type_never;
    bool ok = true, known = true;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        struct answer a = check_node(c, kid, prior);
        ok = ok && a.ok;
        known = known && a.type;
        if (!known || !type)
            continue;
        const struct cedar_type *both = cedar_type_join(&c->types, type, a.type, c->strict);
        if (!both)
            check_incompatible(c, kid->span, type, a.type);
        type = both;
    }
    if (node->n == 0 && c->strict) {
        check_say(c, NK_CEDAR_DIAG_EMPTY_SET, node->span, none, none, none);
        return answer_fail(NULL);
    }
    return known && type ? answer(cedar_type_set(&c->types, type), ok) : answer_fail(NULL);
}

static int by_name(const void *a, const void *b)
{
    return cedar_name_cmp(((const struct cedar_type_attr *)a)->name,
                          ((const struct cedar_type_attr *)b)->name);
}

static struct answer check_record(struct check *c, const struct cedar_node *node,
                                  const struct caps *prior)
{
    struct cedar_type_attr *attrs = nk_arena_array(&c->work, node->n, sizeof *attrs);
    uint32_t n = 0;
    bool ok = true, known = attrs != NULL;
    c->out_of_memory |= !attrs;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        struct answer a = check_node(c, kid, prior);
        ok = ok && a.ok;
        known = known && a.type;
        if (known)
            attrs[n++] = (struct cedar_type_attr){kid->label, a.type, true};
    }
    if (!known)
        return answer_fail(NULL);
    qsort(attrs, n, sizeof *attrs, by_name);
    return answer(cedar_type_record(&c->types, attrs, n, false), ok);
}

static struct answer check_contains(struct check *c, const struct cedar_node *node,
                                    const struct caps *prior)
{
    struct answer a = check_expect(c, node->kid, prior, EXPECT_SET, "… in …, … has …, … like …");
    struct answer b = check_node(c, node->kid->next, prior);
    const struct cedar_type *element =
        a.type && a.type->kind == CEDAR_TYPE_SET ? a.type->of.element : NULL;
    return comparable(c, node, a.ok && b.ok, element, b.type);
}

static struct answer check_contains_set(struct check *c, const struct cedar_node *node,
                                        const struct caps *prior)
{
    struct answer a = check_expect(c, node->kid, prior, EXPECT_SET, "… in …, … has …, … like …");
    struct answer b = check_expect(c, node->kid->next, prior, EXPECT_SET, "….contains(…)");
    return comparable(c, node, a.ok && b.ok, a.type, b.type);
}

static struct answer check_is_empty(struct check *c, const struct cedar_node *node,
                                    const struct caps *prior)
{
    struct answer a = check_expect(c, node->kid, prior, EXPECT_SET, "… == \"\"");
    return answer(&cedar_type_bool, a.ok);
}

/* Extension functions ------------------------------------------------------------------------------- */

static const struct cedar_type *type_of_kind(enum cedar_kind kind)
{
    if (kind == CEDAR_BOOL)
        return &cedar_type_bool;
    return kind == CEDAR_LONG ? &cedar_type_long : cedar_type_ext(kind);
}

static struct nk_str example(enum cedar_kind kind)
{
    switch (kind) {
    case CEDAR_DECIMAL:
        return NK_STR("decimal(\"1.25\")");
    case CEDAR_IP:
        return NK_STR("ip(\"10.0.0.0/8\")");
    case CEDAR_DATETIME:
        return NK_STR("datetime(\"2026-01-31T09:00:00Z\")");
    default:
        return NK_STR("duration(\"1d12h\")");
    }
}

/* A constructor's argument must be a literal, and one that it takes. */
static bool constructor_ok(struct check *c, const struct cedar_node *node)
{
    const struct cedar_ext *ext = node->ext;
    bool literal = true, text = node->n == 1 && node->kid->kind == CEDAR_NODE_CONST &&
                                node->kid->constant->kind == CEDAR_STRING;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
        literal = literal && kid->kind == CEDAR_NODE_CONST;
    if (text && !node->constant)
        check_say(c, NK_CEDAR_DIAG_EXT_VALUE, node->kid->span, ext->name,
                  node->kid->constant->as.string, example((enum cedar_kind)ext->result));
    if (c->strict && !literal)
        check_say(c, NK_CEDAR_DIAG_EXT_LITERAL, node->span, ext->name,
                  example((enum cedar_kind)ext->result), none);
    c->may_err |= !literal;
    return (!text || node->constant) && (literal || !c->strict);
}

static bool count_ok(struct check *c, const struct cedar_node *node)
{
    if (node->n == node->ext->argc)
        return true;
    int object = node->ext->method;
    check_say(c, NK_CEDAR_DIAG_EXT_COUNT, node->span, node->ext->name,
              nk_arena_printf(c->diags->arena, "%d", node->ext->argc - object),
              nk_arena_printf(c->diags->arena, "%d", (int)node->n - object));
    return false;
}

/* Of the methods, those whose result may lie outside of its type. */
static bool may_overflow(const struct cedar_ext *ext)
{
    return ext->method &&
           (ext->result == CEDAR_DATETIME || nk_str_eq(ext->name, NK_STR("durationSince")));
}

static struct answer check_call(struct check *c, const struct cedar_node *node,
                                const struct caps *prior)
{
    const struct cedar_ext *ext = node->ext;
    const struct cedar_type *type = type_of_kind((enum cedar_kind)ext->result);
    bool ok = count_ok(c, node);
    if (!ext->method)
        ok = constructor_ok(c, node) && ok;
    bool types_too = ok;
    uint32_t i = 0;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next, i++) {
        struct answer a =
            types_too ? check_expect(c, kid, prior, bit_of_ext((enum cedar_kind)ext->args[i]), NULL)
                      : check_node(c, kid, prior);
        ok = ok && a.ok;
    }
    c->may_err |= may_overflow(ext) && !node->constant;
    return answer(type, ok);
}

/* All kinds ----------------------------------------------------------------------------------------- */

typedef struct answer rule(struct check *c, const struct cedar_node *node,
                           const struct caps *prior);

static rule *const rules[CEDAR_NODE_KINDS] = {
    [CEDAR_NODE_CONST] = check_const,
    [CEDAR_NODE_VAR] = check_var,
    [CEDAR_NODE_AND] = check_and_chain,
    [CEDAR_NODE_OR] = check_or_chain,
    [CEDAR_NODE_NOT] = check_not,
    [CEDAR_NODE_NEG] = check_numbers,
    [CEDAR_NODE_IF] = check_if,
    [CEDAR_NODE_EQ] = check_eq,
    [CEDAR_NODE_LESS] = check_less,
    [CEDAR_NODE_IN] = check_in,
    [CEDAR_NODE_SUM] = check_numbers,
    [CEDAR_NODE_PRODUCT] = check_numbers,
    [CEDAR_NODE_CONTAINS] = check_contains,
    [CEDAR_NODE_CONTAINS_ALL] = check_contains_set,
    [CEDAR_NODE_CONTAINS_ANY] = check_contains_set,
    [CEDAR_NODE_IS_EMPTY] = check_is_empty,
    [CEDAR_NODE_HAS_TAG] = check_has_tag,
    [CEDAR_NODE_GET_TAG] = check_get_tag,
    [CEDAR_NODE_ATTR] = check_attr,
    [CEDAR_NODE_HAS] = check_has,
    [CEDAR_NODE_LIKE] = check_like,
    [CEDAR_NODE_IS] = check_is,
    [CEDAR_NODE_SET] = check_set,
    [CEDAR_NODE_RECORD] = check_record,
    [CEDAR_NODE_CALL] = check_call,
};

static void note_type(struct check *c, const struct cedar_node *node, const struct cedar_type *type)
{
    size_t at = (size_t)(((uintptr_t)node >> 4) * 0x9e3779b97f4a7c15u) & (c->typed_cap - 1);
    while (c->typed[at].node && c->typed[at].node != node)
        at = (at + 1) & (c->typed_cap - 1);
    c->typed[at] = (struct typed){node, type};
}

/* Recursion ends: the parser bounds the depth of expressions. */
struct answer check_node(struct check *c, const struct cedar_node *node, const struct caps *prior)
{
    struct answer a = rules[node->kind](c, node, prior);
    if (c->typed)
        note_type(c, node, a.type);
    return a;
}
