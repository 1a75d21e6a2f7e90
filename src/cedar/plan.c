/* SPDX-License-Identifier: Apache-2.0
 *
 * plan.c - reads a policy for the index. A test may move to the scope only while no test before it
 * could err, because a scope that does not match hides errors: so the leading ones move, and after
 * the first guard, which can err, none does.
 */
#include "cedar/plan.h"

static void take_scope(const struct cedar_scope *scope, enum cedar_var var, struct cedar_term *out)
{
    *out = (struct cedar_term){.kind = scope->kind,
                               .var = (uint8_t)var,
                               .n = scope->n,
                               .uids = scope->uids,
                               .type = scope->type};
    if (scope->kind == CEDAR_SCOPE_ANY)
        out->var = 0;
}

/* Principal, action or resource itself. */
static bool is_scoped(const struct cedar_node *node)
{
    return node->kind == CEDAR_NODE_VAR && node->op <= CEDAR_RESOURCE;
}

static const struct cedar_uid *constant_uid(const struct cedar_node *node)
{
    const struct nk_cedar_value *v = node->constant;
    return v && v->kind == CEDAR_ENTITY ? &v->as.entity : NULL;
}

/* The uids of a constant entity or set of entities; *out is NULL when it is neither. */
static int constant_uids(const struct cedar_node *node, struct nk_arena *a, uint32_t *n,
                         const struct cedar_uid **out)
{
    const struct nk_cedar_value *set = node->constant;
    *out = constant_uid(node);
    *n = 1;
    if (*out || !set || set->kind != CEDAR_SET)
        return 0;
    for (uint32_t i = 0; i < set->n; i++)
        if (set->as.items[i]->kind != CEDAR_ENTITY)
            return 0;
    *n = set->n;
    *out = set->n == 1 ? &set->as.items[0]->as.entity : NULL;
    if (*out)
        return 0;
    struct cedar_uid *uids = nk_arena_array(a, set->n, sizeof *uids);
    for (uint32_t i = 0; uids && i < set->n; i++)
        uids[i] = set->as.items[i]->as.entity;
    *out = uids;
    return uids ? 0 : NK_ENOMEM;
}

/* var == uid, either way round */
static bool take_equal(const struct cedar_node *node, struct cedar_plan *plan)
{
    const struct cedar_node *var = node->kid, *other = node->kid->next;
    if (!is_scoped(var)) {
        var = other;
        other = node->kid;
    }
    const struct cedar_uid *uid = constant_uid(other);
    if (node->op || !uid || !is_scoped(var) || plan->terms[var->op].kind != CEDAR_SCOPE_ANY)
        return false;
    plan->terms[var->op] =
        (struct cedar_term){.kind = CEDAR_SCOPE_EQ, .var = var->op, .n = 1, .uids = uid};
    return true;
}

/* var in uid, var in [uids]; `is T` before it makes both one. */
static int take_in(const struct cedar_node *node, struct nk_arena *a, struct cedar_plan *plan,
                   bool *taken)
{
    const struct cedar_uid *uids = NULL;
    uint32_t n = 0;
    if (!is_scoped(node->kid))
        return 0;
    struct cedar_term *term = &plan->terms[node->kid->op];
    int rc = constant_uids(node->kid->next, a, &n, &uids);
    if (rc || !uids || (term->kind != CEDAR_SCOPE_ANY && term->kind != CEDAR_SCOPE_IS))
        return rc;
    *taken = true;
    *term = (struct cedar_term){.kind = term->kind == CEDAR_SCOPE_IS ? CEDAR_SCOPE_IS_IN
                                                                     : CEDAR_SCOPE_IN,
                                .var = node->kid->op,
                                .n = n,
                                .uids = uids,
                                .type = term->type};
    return 0;
}

/* var is T, var is T in uid */
static bool take_is(const struct cedar_node *node, struct cedar_plan *plan)
{
    const struct cedar_uid *uid = node->n > 1 ? constant_uid(node->kid->next) : NULL;
    if (!is_scoped(node->kid) || (node->n > 1 && !uid) ||
        plan->terms[node->kid->op].kind != CEDAR_SCOPE_ANY)
        return false;
    plan->terms[node->kid->op] =
        (struct cedar_term){.kind = uid ? CEDAR_SCOPE_IS_IN : CEDAR_SCOPE_IS,
                            .var = node->kid->op,
                            .n = uid != NULL,
                            .uids = uid,
                            .type = node->name};
    return true;
}

/* Is the test part of the scope? Then it is put there. */
static int take_test(const struct cedar_node *node, struct nk_arena *a, struct cedar_plan *plan,
                     bool *taken)
{
    if (node->constant)
        return 0;
    if (node->kind == CEDAR_NODE_IN)
        return take_in(node, a, plan, taken);
    if (node->kind == CEDAR_NODE_EQ)
        *taken = take_equal(node, plan);
    if (node->kind == CEDAR_NODE_IS)
        *taken = take_is(node, plan);
    return 0;
}

/* var.name */
static bool is_attribute(const struct cedar_node *node, struct cedar_guard *out)
{
    if (node->constant || node->kind != CEDAR_NODE_ATTR || node->kid->kind != CEDAR_NODE_VAR)
        return false;
    *out = (struct cedar_guard){(enum cedar_var)node->kid->op, node->name};
    return true;
}

bool cedar_plan_guard(const struct cedar_node *node, bool want, struct cedar_plan_guard *out)
{
    const struct cedar_node *left = node->kid, *right = left ? left->next : NULL;
    if (node->constant || (node->kind != CEDAR_NODE_EQ && node->kind != CEDAR_NODE_CONTAINS))
        return false;
    bool equal = node->kind == CEDAR_NODE_EQ;
    if (equal && left->constant) {
        left = right;
        right = node->kid;
    }
    if (!right->constant || !cedar_is_scalar(right->constant) || !is_attribute(left, &out->on))
        return false;
    out->mode = equal ? CEDAR_EQUALS : CEDAR_HOLDS;
    out->constant = right->constant;
    return equal ? want == !node->op : want;
}

/* var has name, and what it is about */
static bool is_has(const struct cedar_node *node, bool want, struct cedar_guard *out)
{
    if (!want || node->constant || node->kind != CEDAR_NODE_HAS || node->path_n != 1 ||
        node->kid->kind != CEDAR_NODE_VAR)
        return false;
    *out = (struct cedar_guard){(enum cedar_var)node->kid->op, node->path[0]};
    return true;
}

/* The guard that begins with the next test; the tests that it takes are skipped. */
static bool take_guard(struct cedar_tests *rest, struct cedar_plan_guard *out)
{
    struct cedar_tests after = *rest;
    struct cedar_guard has = {.var = CEDAR_PRINCIPAL};
    bool want;
    const struct cedar_node *node = cedar_tests_peek(&after, &want);
    bool behind_has = node && is_has(node, want, &has);
    if (behind_has) {
        cedar_tests_skip(&after);
        node = cedar_tests_peek(&after, &want);
    }
    if (!node || !cedar_plan_guard(node, want, out))
        return false;
    if (behind_has && (has.var != out->on.var || !nk_str_eq(has.name, out->on.name)))
        return false;
    out->before = *rest;
    if (behind_has)
        out->mode = out->mode == CEDAR_EQUALS ? CEDAR_HAS_EQUALS : CEDAR_HAS_HOLDS;
    cedar_tests_skip(&after);
    *rest = after;
    return true;
}

int cedar_plan(const struct cedar_policy *policy, struct nk_arena *a, struct cedar_plan *out)
{
    bool want, taken = true;
    out->guard_n = 0;
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        take_scope(&policy->scope[var], (enum cedar_var)var, &out->terms[var]);
    cedar_tests_begin(&out->rest, policy->conditions);
    while (taken) {
        const struct cedar_node *node = cedar_tests_peek(&out->rest, &want);
        taken = false;
        int rc = node && want ? take_test(node, a, out, &taken) : 0;
        if (rc)
            return rc;
        if (taken)
            cedar_tests_skip(&out->rest);
    }
    while (out->guard_n < CEDAR_GUARD_ROW && take_guard(&out->rest, &out->guards[out->guard_n]))
        out->guard_n++;
    return 0;
}
