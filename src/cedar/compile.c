/* SPDX-License-Identifier: Apache-2.0
 *
 * compile.c - conditions to code. See code.h. The code asks the same questions in the same order as
 * the tree evaluator does, so that a policy that errs errs with the same words: operands from left
 * to right, and the kind of a left operand before the right one where eval.c has it so.
 *
 * Recursion ends: no expression is deeper than CEDAR_DEPTH.
 */
#include "cedar/code.h"

enum { FIRST_CAP = 256, CODE_MAX = 1 << 28 };

/* Tests ---------------------------------------------------------------------------------------- */

/* The chain whose members are tests of their own: && of `when`, || of `unless`. */
static bool is_split(const struct cedar_condition *c)
{
    return !c->body->constant && c->body->kind == (c->unless ? CEDAR_NODE_OR : CEDAR_NODE_AND);
}

void cedar_tests_begin(struct cedar_tests *t, const struct cedar_condition *conditions)
{
    t->condition = conditions;
    t->node = NULL;
    if (conditions)
        t->node = is_split(conditions) ? conditions->body->kid : conditions->body;
}

const struct cedar_node *cedar_tests_peek(const struct cedar_tests *t, bool *want)
{
    *want = t->condition && !t->condition->unless;
    return t->node;
}

void cedar_tests_skip(struct cedar_tests *t)
{
    t->node = is_split(t->condition) ? t->node->next : NULL;
    if (!t->node)
        cedar_tests_begin(t, t->condition->next);
}

/* Writing -------------------------------------------------------------------------------------- */

static bool make_room(struct cedar_writer *w)
{
    uint32_t cap = w->cap ? 2 * w->cap : FIRST_CAP;
    if (w->n < w->cap || w->code)
        return !w->code;
    if (cap > CODE_MAX) {
        w->code = NK_ELIMIT;
        return false;
    }
    struct cedar_op *ops = nk_arena_resize(w->arena, w->ops, w->n * sizeof *ops, cap * sizeof *ops);
    if (!ops) {
        w->code = NK_ENOMEM;
        return false;
    }
    w->ops = ops;
    w->cap = cap;
    return true;
}

/* Writes one instruction, which changes the height of the stack by `effect`; returns its place. */
static uint32_t put(struct cedar_writer *w, enum cedar_opcode op, unsigned a, uint32_t n,
                    const void *p, int effect)
{
    if (!make_room(w))
        return 0;
    w->ops[w->n] = (struct cedar_op){(uint8_t)op, (uint8_t)a, 0, n, p};
    w->level += effect;
    w->most = w->level > w->most ? w->level : w->most;
    return w->n++;
}

/* The jump written at `at` leads to what is written next. */
static void land(struct cedar_writer *w, uint32_t at)
{
    if (!w->code)
        w->ops[at].n = w->n - at;
}

/* What an instruction points to, as the pool has it. */
static const void *name(struct cedar_writer *w, const struct nk_str *text)
{
    const void *own = w->code ? NULL : cedar_pool_text(w->pool, *text);
    if (!own && !w->code)
        w->code = NK_ENOMEM;
    return own;
}

static const void *constant(struct cedar_writer *w, const struct nk_cedar_value *v)
{
    if (w->code || !cedar_is_scalar(v))
        return v;
    uint32_t number = cedar_pool_value(w->pool, v);
    if (!number)
        w->code = NK_ENOMEM;
    return w->pool->values[number];
}

static const void *path(struct cedar_writer *w, const struct cedar_node *node)
{
    return node->path_n == 1 ? name(w, node->path) : node->path;
}

static void emit(struct cedar_writer *w, const struct cedar_node *node);

static void emit_expect(struct cedar_writer *w, enum cedar_kind kind)
{
    put(w, CEDAR_OP_EXPECT, kind, 0, NULL, 0);
}

static void emit_var(struct cedar_writer *w, const struct cedar_node *node)
{
    put(w, CEDAR_OP_VAR, node->op, 0, NULL, 1);
}

/* All but the last may end the chain. Until its end is known, their jumps form a list: each holds
 * the place of the one before. */
static void emit_chain(struct cedar_writer *w, const struct cedar_node *node)
{
    enum cedar_opcode op = node->kind == CEDAR_NODE_AND ? CEDAR_OP_AND : CEDAR_OP_OR;
    uint32_t last = UINT32_MAX;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        emit(w, kid);
        if (kid->next)
            last = put(w, op, 0, last, NULL, -1);
        else
            emit_expect(w, CEDAR_BOOL);
    }
    while (!w->code && last != UINT32_MAX) {
        uint32_t before = w->ops[last].n;
        land(w, last);
        last = before;
    }
}

static void emit_not(struct cedar_writer *w, const struct cedar_node *node)
{
    emit(w, node->kid);
    put(w, CEDAR_OP_NOT, 0, 0, NULL, 0);
}

static void emit_neg(struct cedar_writer *w, const struct cedar_node *node)
{
    emit(w, node->kid);
    put(w, CEDAR_OP_NEG, 0, 0, NULL, 0);
}

static void emit_if(struct cedar_writer *w, const struct cedar_node *node)
{
    emit(w, node->kid);
    uint32_t to_else = put(w, CEDAR_OP_IF, 0, 0, NULL, -1);
    emit(w, node->kid->next);
    uint32_t to_end = put(w, CEDAR_OP_JUMP, 0, 0, NULL, -1);
    land(w, to_else);
    emit(w, node->kid->next->next);
    land(w, to_end);
}

static bool is_var(const struct cedar_node *node)
{
    return node->kind == CEDAR_NODE_VAR && !node->constant;
}

static void emit_eq(struct cedar_writer *w, const struct cedar_node *node)
{
    const struct cedar_node *a = node->kid, *b = node->kid->next;
    if (a->constant || is_var(a)) { /* equality has no sides, and these no errors */
        a = b;
        b = node->kid;
    }
    emit(w, a);
    if (b->constant) {
        put(w, CEDAR_OP_EQ_CONST, node->op, 0, constant(w, b->constant), 0);
    } else if (is_var(b)) {
        put(w, CEDAR_OP_EQ_VAR, node->op, b->op, NULL, 0);
    } else {
        emit(w, b);
        put(w, CEDAR_OP_EQ, node->op, 0, NULL, -1);
    }
}

/* Both operands, or the right one as an argument of the instruction. */
static void emit_two(struct cedar_writer *w, const struct cedar_node *node, enum cedar_opcode with,
                     enum cedar_opcode with_const)
{
    const struct cedar_node *b = node->kid->next;
    emit(w, node->kid);
    if (b->constant) {
        put(w, with_const, node->op, 0, constant(w, b->constant), 0);
        return;
    }
    emit(w, b);
    put(w, with, node->op, 0, NULL, -1);
}

static void emit_less(struct cedar_writer *w, const struct cedar_node *node)
{
    emit_two(w, node, CEDAR_OP_LESS, CEDAR_OP_LESS_CONST);
}

static void emit_in(struct cedar_writer *w, const struct cedar_node *node)
{
    emit_two(w, node, CEDAR_OP_IN, CEDAR_OP_IN_CONST);
}

static void emit_is(struct cedar_writer *w, const struct cedar_node *node)
{
    emit(w, node->kid);
    if (node->n == 1) {
        put(w, CEDAR_OP_IS, 0, 0, name(w, &node->name), 0);
        return;
    }
    uint32_t to_end = put(w, CEDAR_OP_IS_IN, 0, 0, name(w, &node->name), 0);
    emit(w, node->kid->next);
    put(w, CEDAR_OP_IN, 0, 0, NULL, -1);
    land(w, to_end);
}

static void emit_sum(struct cedar_writer *w, const struct cedar_node *node)
{
    emit(w, node->kid);
    if (node->kid->minus)
        put(w, CEDAR_OP_NEG, 0, 0, NULL, 0);
    else
        emit_expect(w, CEDAR_LONG);
    for (const struct cedar_node *kid = node->kid->next; kid; kid = kid->next) {
        emit(w, kid);
        put(w, kid->minus ? CEDAR_OP_SUB : CEDAR_OP_ADD, 0, 0, NULL, -1);
    }
}

static void emit_product(struct cedar_writer *w, const struct cedar_node *node)
{
    emit(w, node->kid);
    emit_expect(w, CEDAR_LONG);
    for (const struct cedar_node *kid = node->kid->next; kid; kid = kid->next) {
        emit(w, kid);
        put(w, CEDAR_OP_MUL, 0, 0, NULL, -1);
    }
}

static void emit_contains(struct cedar_writer *w, const struct cedar_node *node)
{
    const struct cedar_node *item = node->kid->next;
    emit(w, node->kid);
    if (item->constant) {
        put(w, CEDAR_OP_HAS_CONST, 0, 0, constant(w, item->constant), 0);
        return;
    }
    emit_expect(w, CEDAR_SET);
    emit(w, item);
    put(w, CEDAR_OP_CONTAINS, 0, 0, NULL, -1);
}

/* a of kind `first`, then b, whose kind the instruction asks for. */
static void emit_method(struct cedar_writer *w, const struct cedar_node *node,
                        enum cedar_kind first, enum cedar_opcode op)
{
    emit(w, node->kid);
    emit_expect(w, first);
    emit(w, node->kid->next);
    put(w, op, 0, 0, NULL, -1);
}

static void emit_contains_all(struct cedar_writer *w, const struct cedar_node *node)
{
    emit_method(w, node, CEDAR_SET, CEDAR_OP_CONTAINS_ALL);
}

static void emit_contains_any(struct cedar_writer *w, const struct cedar_node *node)
{
    emit_method(w, node, CEDAR_SET, CEDAR_OP_CONTAINS_ANY);
}

static void emit_has_tag(struct cedar_writer *w, const struct cedar_node *node)
{
    emit_method(w, node, CEDAR_ENTITY, CEDAR_OP_HAS_TAG);
}

static void emit_get_tag(struct cedar_writer *w, const struct cedar_node *node)
{
    emit_method(w, node, CEDAR_ENTITY, CEDAR_OP_GET_TAG);
}

static void emit_is_empty(struct cedar_writer *w, const struct cedar_node *node)
{
    emit(w, node->kid);
    put(w, CEDAR_OP_IS_EMPTY, 0, 0, NULL, 0);
}

static void emit_attr(struct cedar_writer *w, const struct cedar_node *node)
{
    if (is_var(node->kid)) {
        put(w, CEDAR_OP_VAR_ATTR, node->kid->op, 0, name(w, &node->name), 1);
        return;
    }
    emit(w, node->kid);
    put(w, CEDAR_OP_ATTR, 0, 0, name(w, &node->name), 0);
}

static void emit_has(struct cedar_writer *w, const struct cedar_node *node)
{
    if (is_var(node->kid)) {
        put(w, CEDAR_OP_VAR_HAS, node->kid->op, node->path_n, path(w, node), 1);
        return;
    }
    emit(w, node->kid);
    put(w, CEDAR_OP_HAS, 0, node->path_n, path(w, node), 0);
}

static void emit_like(struct cedar_writer *w, const struct cedar_node *node)
{
    emit(w, node->kid);
    put(w, CEDAR_OP_LIKE, 0, node->path_n, node->path, 0);
}

static void emit_list(struct cedar_writer *w, const struct cedar_node *node)
{
    bool record = node->kind == CEDAR_NODE_RECORD;
    uint32_t n = 0;
    put(w, CEDAR_OP_LIST, record, node->n, NULL, 1);
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        emit(w, kid);
        put(w, record ? CEDAR_OP_MEMBER : CEDAR_OP_ITEM, 0, n++,
            record ? name(w, &kid->label) : NULL, -1);
    }
    put(w, record ? CEDAR_OP_RECORD : CEDAR_OP_SET, 0, node->n, NULL, 0);
}

/* Arguments beyond those that any function has are evaluated for their errors alone. */
static void emit_call(struct cedar_writer *w, const struct cedar_node *node)
{
    unsigned kept = 0;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        emit(w, kid);
        if (kept < CEDAR_EXT_ARGS)
            kept++;
        else
            put(w, CEDAR_OP_POP, 0, 0, NULL, -1);
    }
    put(w, CEDAR_OP_CALL, kept, node->n, node->ext, 1 - (int)kept);
}

static void (*const table[CEDAR_NODE_KINDS])(struct cedar_writer *, const struct cedar_node *) = {
    [CEDAR_NODE_VAR] = emit_var,
    [CEDAR_NODE_AND] = emit_chain,
    [CEDAR_NODE_OR] = emit_chain,
    [CEDAR_NODE_NOT] = emit_not,
    [CEDAR_NODE_NEG] = emit_neg,
    [CEDAR_NODE_IF] = emit_if,
    [CEDAR_NODE_EQ] = emit_eq,
    [CEDAR_NODE_LESS] = emit_less,
    [CEDAR_NODE_IN] = emit_in,
    [CEDAR_NODE_SUM] = emit_sum,
    [CEDAR_NODE_PRODUCT] = emit_product,
    [CEDAR_NODE_CONTAINS] = emit_contains,
    [CEDAR_NODE_CONTAINS_ALL] = emit_contains_all,
    [CEDAR_NODE_CONTAINS_ANY] = emit_contains_any,
    [CEDAR_NODE_IS_EMPTY] = emit_is_empty,
    [CEDAR_NODE_HAS_TAG] = emit_has_tag,
    [CEDAR_NODE_GET_TAG] = emit_get_tag,
    [CEDAR_NODE_ATTR] = emit_attr,
    [CEDAR_NODE_HAS] = emit_has,
    [CEDAR_NODE_LIKE] = emit_like,
    [CEDAR_NODE_IS] = emit_is,
    [CEDAR_NODE_SET] = emit_list,
    [CEDAR_NODE_RECORD] = emit_list,
    [CEDAR_NODE_CALL] = emit_call,
};

static void emit(struct cedar_writer *w, const struct cedar_node *node)
{
    if (w->code)
        return;
    if (node->constant)
        put(w, CEDAR_OP_CONST, 0, 0, constant(w, node->constant), 1);
    else
        table[node->kind](w, node);
}

uint32_t cedar_compile(struct cedar_writer *w, struct cedar_tests rest)
{
    bool want;
    const struct cedar_node *node;
    w->level = w->most = 1; /* the lowest place stays free */
    while ((node = cedar_tests_peek(&rest, &want))) {
        if (node->depth > CEDAR_DEPTH && !w->code)
            w->code = NK_ELIMIT;
        emit(w, node);
        put(w, CEDAR_OP_TEST, want, 0, NULL, -1);
        cedar_tests_skip(&rest);
    }
    put(w, CEDAR_OP_DONE, 0, 0, NULL, 0);
    return w->most;
}
