/* SPDX-License-Identifier: Apache-2.0
 *
 * same.c - do two policies say the same, word for word? Where a policy stands in its text, its id
 * and parentheses do not count; an action in [one] is an action in one.
 */
#include "cedar/parse.h"

static bool same_paths(const struct cedar_node *a, const struct cedar_node *b)
{
    if (a->path_n != b->path_n)
        return false;
    for (uint32_t i = 0; i < a->path_n; i++)
        if (!nk_str_eq(a->path[i], b->path[i]))
            return false;
    return true;
}

/* All but the children. */
static bool same_node(const struct cedar_node *a, const struct cedar_node *b)
{
    return a->kind == b->kind && a->op == b->op && a->minus == b->minus && a->n == b->n &&
           a->ext == b->ext && nk_str_eq(a->name, b->name) && nk_str_eq(a->label, b->label) &&
           same_paths(a, b);
}

bool cedar_expr_same(const struct cedar_node *a, const struct cedar_node *b)
{
    if (!same_node(a, b))
        return false;
    if (a->kind == CEDAR_NODE_CONST)
        return cedar_value_cmp(a->constant, b->constant) == 0;
    const struct cedar_node *x = a->kid, *y = b->kid;
    for (; x && y; x = x->next, y = y->next)
        if (!cedar_expr_same(x, y))
            return false;
    return !x && !y;
}

static bool same_scope(const struct cedar_scope *a, const struct cedar_scope *b)
{
    bool open = a->slot && !a->uids; /* a slot that no link has filled */
    if (a->kind != b->kind || open != (b->slot && !b->uids) || a->n != b->n ||
        !nk_str_eq(a->type, b->type))
        return false;
    for (uint32_t i = 0; i < a->n; i++)
        if (!cedar_uid_eq(&a->uids[i], &b->uids[i]))
            return false;
    return true;
}

static bool same_annotations(const struct cedar_annotation *a, const struct cedar_annotation *b)
{
    for (; a && b; a = a->next, b = b->next)
        if (!nk_str_eq(a->name, b->name) || !nk_str_eq(a->value, b->value) ||
            a->has_value != b->has_value)
            return false;
    return !a && !b;
}

static bool same_conditions(const struct cedar_condition *a, const struct cedar_condition *b)
{
    for (; a && b; a = a->next, b = b->next)
        if (a->unless != b->unless || !cedar_expr_same(a->body, b->body))
            return false;
    return !a && !b;
}

bool cedar_policy_same(const struct cedar_policy *a, const struct cedar_policy *b)
{
    for (unsigned var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        if (!same_scope(&a->scope[var], &b->scope[var]))
            return false;
    return a->forbid == b->forbid && a->slots == b->slots &&
           same_annotations(a->annotations, b->annotations) &&
           same_conditions(a->conditions, b->conditions);
}
