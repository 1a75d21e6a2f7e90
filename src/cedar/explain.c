/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.c - see explain.h. First every policy gets its state and its distance, then those that
 * will be shown their trees. Both walk the policy as it was parsed and let the evaluator say what a
 * part comes to; a part that the decision passed over is evaluated as well, because a person wants
 * to know what it would have said.
 */
#include "cedar/explain_own.h"

#include <stdlib.h>

uint32_t cedar_explain_sum(uint32_t a, uint32_t b)
{
    return a + b < NK_CEDAR_NEVER ? a + b : NK_CEDAR_NEVER;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What a part comes to ----------------------------------------------------------------------------
 */
enum cedar_node_kind cedar_explain_logic(const struct cedar_node *node)
{
    return node->constant ? CEDAR_NODE_CONST : (enum cedar_node_kind)node->kind;
}

const struct nk_cedar_value *cedar_explain_value(struct cedar_eval *e,
                                                 const struct cedar_node *node)
{
    if (e->call.code == NK_ENOMEM)
        return NULL;
    e->call.code = 0;
    return cedar_eval(e, node);
}

static bool in_any(struct cedar_eval *e, int var, const struct cedar_scope *scope)
{
    for (uint32_t i = 0; i < scope->n; i++)
        if (cedar_eval_in(e, e->vars[var], &scope->uids[i]))
            return true;
    return false;
}

bool cedar_explain_scope(struct cedar_eval *e, int var, const struct cedar_scope *scope)
{
    const struct cedar_uid *uid = &e->vars[var]->as.entity;
    bool is = nk_str_eq(uid->uid.type, scope->type);
    switch ((enum cedar_scope_kind)scope->kind) {
    case CEDAR_SCOPE_ANY:
        return true;
    case CEDAR_SCOPE_EQ:
        return cedar_uid_eq(uid, scope->uids);
    case CEDAR_SCOPE_IN:
        return in_any(e, var, scope);
    case CEDAR_SCOPE_IS:
        return is;
    case CEDAR_SCOPE_IS_IN:
        break;
    }
    return is && in_any(e, var, scope);
}

/* How near ----------------------------------------------------------------------------------------
 *
 * && (end = false) is true when all parts are, and false by the first that is, with those in front
 * of it true: one that errs there would be an error of the whole. || is the mirror image. */
static struct cedar_cost cost_chain(struct cedar_eval *e, const struct cedar_node *node, bool end)
{
    struct cedar_cost c = {{NK_CEDAR_NEVER, NK_CEDAR_NEVER}};
    uint32_t before = 0;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        struct cedar_cost k = cedar_explain_cost(e, kid);
        c.to[end] = least(c.to[end], cedar_explain_sum(before, k.to[end]));
        before = cedar_explain_sum(before, k.to[!end]);
    }
    c.to[!end] = before;
    return c;
}

static struct cedar_cost cost_if(struct cedar_eval *e, const struct cedar_node *node)
{
    const struct cedar_node *then = node->kid->next;
    struct cedar_cost condition = cedar_explain_cost(e, node->kid), c;
    struct cedar_cost yes = cedar_explain_cost(e, then), no = cedar_explain_cost(e, then->next);
    for (int v = 0; v < 2; v++)
        c.to[v] = least(cedar_explain_sum(condition.to[true], yes.to[v]),
                        cedar_explain_sum(condition.to[false], no.to[v]));
    return c;
}

static struct cedar_cost cost_leaf(struct cedar_eval *e, const struct cedar_node *node)
{
    uint32_t other = node->constant ? NK_CEDAR_NEVER : 1;
    struct cedar_cost c = {{other, other}};
    const struct nk_cedar_value *v = cedar_explain_value(e, node);
    if (v && v->kind == CEDAR_BOOL)
        c.to[v->as.truth] = 0;
    return c;
}

struct cedar_cost cedar_explain_cost(struct cedar_eval *e, const struct cedar_node *node)
{
    struct cedar_cost c;
    switch (cedar_explain_logic(node)) {
    case CEDAR_NODE_AND:
        return cost_chain(e, node, false);
    case CEDAR_NODE_OR:
        return cost_chain(e, node, true);
    case CEDAR_NODE_NOT:
        c = cedar_explain_cost(e, node->kid);
        return (struct cedar_cost){{c.to[1], c.to[0]}};
    case CEDAR_NODE_IF:
        return cost_if(e, node);
    default:
        return cost_leaf(e, node);
    }
}

uint32_t cedar_explain_scope_cost(struct cedar_eval *e, const struct cedar_policy *policy, int var,
                                  bool want)
{
    const struct cedar_scope *scope = &policy->scope[var];
    if (scope->kind == CEDAR_SCOPE_ANY)
        return want ? 0 : NK_CEDAR_NEVER;
    if (scope->list && scope->n == 0)
        return want ? NK_CEDAR_NEVER : 0;
    return cedar_explain_scope(e, var, scope) == want ? 0 : 1;
}

/* For a policy that did not match: all that is not as it must be. */
static uint32_t cost_to_match(struct cedar_eval *e, const struct cedar_policy *policy)
{
    uint32_t all = 0;
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        all = cedar_explain_sum(all, cedar_explain_scope_cost(e, policy, var, true));
    for (const struct cedar_condition *c = policy->conditions; c; c = c->next)
        all = cedar_explain_sum(all, cedar_explain_cost(e, c->body).to[!c->unless]);
    return all;
}

/* For one that matched: the cheapest clause to undo it by. */
static uint32_t cost_to_undo(struct cedar_eval *e, const struct cedar_policy *policy)
{
    uint32_t best = NK_CEDAR_NEVER;
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        best = least(best, cedar_explain_scope_cost(e, policy, var, false));
    for (const struct cedar_condition *c = policy->conditions; c; c = c->next)
        best = least(best, cedar_explain_cost(e, c->body).to[c->unless]);
    return best;
}

/* The policies of an explanation ------------------------------------------------------------------
 */
struct found {
    const struct cedar_policy *policy;
    enum nk_cedar_state state;
    uint32_t distance, scope; /* conditions to change, and those of them that are scope clauses */
    uint32_t order;           /* of loading */
};

static bool is_satisfied(struct cedar_eval *e, const struct cedar_policy *policy)
{
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        if (!cedar_explain_scope(e, var, &policy->scope[var]))
            return false;
    for (const struct cedar_condition *c = policy->conditions; c; c = c->next) {
        bool v;
        if (!cedar_eval_bool(e, c->body, &v) || v == c->unless)
            return false;
    }
    return true;
}

static struct found judge(struct cedar_eval *e, const struct cedar_policy *policy, uint32_t order)
{
    struct found f = {.policy = policy, .state = NK_CEDAR_NEAR, .order = order};
    e->call.code = 0;
    if (is_satisfied(e, policy))
        f.state = NK_CEDAR_MATCHED;
    else if (e->call.code)
        f.state = NK_CEDAR_ERRED;
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        f.scope += cedar_explain_scope(e, var, &policy->scope[var]) ? 0 : 1;
    f.distance = f.state == NK_CEDAR_MATCHED ? cost_to_undo(e, policy) : cost_to_match(e, policy);
    return f;
}

static int by_nearness(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->state != y->state)
        return x->state < y->state ? -1 : 1;
    if (x->state == NK_CEDAR_NEAR && x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    if (x->state == NK_CEDAR_NEAR && x->scope != y->scope)
        return x->scope < y->scope ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static int explain_all(struct cedar_eval *e, const struct nk_cedar_policies *p, size_t near,
                       struct nk_cedar_explanation *out)
{
    struct found *all = nk_arena_array(e->call.arena, p->n, sizeof *all);
    size_t shown = 0;
    if (!all)
        return NK_ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        all[i] = judge(e, p->items[i], (uint32_t)i);
        shown += all[i].state != NK_CEDAR_NEAR;
        if (e->call.code == NK_ENOMEM)
            return NK_ENOMEM;
    }
    qsort(all, p->n, sizeof *all, by_nearness);
    shown = p->n - shown < near ? p->n : shown + near;
    struct nk_cedar_why *why = nk_arena_array(e->call.arena, shown, sizeof *why);
    if (!why)
        return NK_ENOMEM;
    for (size_t i = 0; i < shown; i++) {
        why[i] = (struct nk_cedar_why){.id = all[i].policy->id,
                                       .forbid = all[i].policy->forbid,
                                       .state = all[i].state,
                                       .distance = all[i].distance};
        int rc = cedar_explain_clauses(e, all[i].policy, &why[i]);
        if (rc)
            return rc;
    }
    out->policies = why;
    out->count = shown;
    out->left_out = p->n - shown;
    return 0;
}

int nk_cedar_explain(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                     const struct nk_cedar_request *req, size_t near, struct nk_arena *a,
                     struct nk_cedar_explanation *out)
{
    struct cedar_eval e = {.call = {.arena = a}, .entities = entities};
    const struct nk_cedar_uid *const uids[] = {&req->principal, &req->action, &req->resource};
    *out = (struct nk_cedar_explanation){.count = 0};
    int rc = nk_cedar_authorize(p, entities, req, a, &out->answer);
    for (int var = CEDAR_PRINCIPAL; !rc && var <= CEDAR_RESOURCE; var++) {
        e.vars[var] = nk_cedar_entity(a, *uids[var]); /* the parts of the explanation keep them */
        rc = e.vars[var] ? 0 : NK_ENOMEM;
    }
    e.vars[CEDAR_CONTEXT] = req->context ? req->context : &cedar_empty_record;
    return rc ? rc : explain_all(&e, p, near, out);
}
