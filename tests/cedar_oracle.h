/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_oracle.h - the decision as the language defines it, as plainly as it can be said: ask every
 * policy, with the tree evaluator. What the index and the code decide must be equal to it, reasons
 * and errors included.
 */
#pragma once

#include "cedar/eval.h"

static bool oracle_in_any(struct cedar_eval *e, const struct nk_cedar_value *v,
                          const struct cedar_scope *scope)
{
    for (uint32_t i = 0; i < scope->n; i++)
        if (cedar_eval_in(e, v, &scope->uids[i]))
            return true;
    return false;
}

static bool oracle_scope(struct cedar_eval *e, const struct nk_cedar_value *v,
                         const struct cedar_scope *scope)
{
    bool type = nk_str_eq(v->as.entity.uid.type, scope->type);
    switch ((enum cedar_scope_kind)scope->kind) {
    case CEDAR_SCOPE_ANY:
        return true;
    case CEDAR_SCOPE_EQ:
        return cedar_uid_eq(&v->as.entity, scope->uids);
    case CEDAR_SCOPE_IN:
        return oracle_in_any(e, v, scope);
    case CEDAR_SCOPE_IS:
        return type;
    case CEDAR_SCOPE_IS_IN:
        break;
    }
    return type && oracle_in_any(e, v, scope);
}

static bool oracle_holds(struct cedar_eval *e, const struct cedar_policy *policy)
{
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        if (!oracle_scope(e, e->vars[var], &policy->scope[var]))
            return false;
    for (const struct cedar_condition *c = policy->conditions; c; c = c->next) {
        bool v;
        if (!cedar_eval_bool(e, c->body, &v) || v == c->unless)
            return false;
    }
    return true;
}

/* The answer, its lists in `a`; the set is small. 0 or NK_ENOMEM. */
__attribute__((unused)) static int oracle_decide(const struct nk_cedar_policies *p,
                                                 const struct nk_cedar_entities *entities,
                                                 const struct nk_cedar_request *req,
                                                 struct nk_arena *a, struct nk_cedar_answer *out)
{
    const struct nk_cedar_value *vars[] = {nk_cedar_entity(a, req->principal),
                                           nk_cedar_entity(a, req->action),
                                           nk_cedar_entity(a, req->resource)};
    struct cedar_eval e = {
        .call = {.arena = a},
        .entities = entities,
        .vars = {vars[0], vars[1], vars[2], req->context ? req->context : &cedar_empty_record}};
    struct nk_str *ids[] = {nk_arena_array(a, p->n, sizeof(struct nk_str)),
                            nk_arena_array(a, p->n, sizeof(struct nk_str))};
    struct nk_cedar_error *errors = nk_arena_array(a, p->n, sizeof *errors);
    size_t n[] = {0, 0}, error_n = 0;
    if (!vars[0] || !vars[1] || !vars[2] || !ids[0] || !ids[1] || !errors)
        return NK_ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        const struct cedar_policy *policy = p->items[i];
        e.call.code = 0;
        bool holds = oracle_holds(&e, policy), erred = !holds && e.call.code;
        if (e.call.code == NK_ENOMEM)
            return NK_ENOMEM;
        if (erred)
            errors[error_n++] = (struct nk_cedar_error){policy->id, e.call.what};
        if (holds || (erred && p->strict && policy->forbid))
            ids[policy->forbid][n[policy->forbid]++] = policy->id;
    }
    bool forbid = n[1] > 0;
    *out = (struct nk_cedar_answer){.allow = !forbid && n[0] > 0,
                                    .reasons = ids[forbid],
                                    .reason_count = n[forbid],
                                    .errors = errors,
                                    .error_count = error_n};
    return 0;
}

__attribute__((unused)) static bool oracle_same(const struct nk_cedar_answer *a,
                                                const struct nk_cedar_answer *b)
{
    bool same = a->allow == b->allow && a->reason_count == b->reason_count &&
                a->error_count == b->error_count;
    for (size_t i = 0; same && i < a->reason_count; i++)
        same = nk_str_eq(a->reasons[i], b->reasons[i]);
    for (size_t i = 0; same && i < a->error_count; i++)
        same = nk_str_eq(a->errors[i].policy, b->errors[i].policy) &&
               strcmp(a->errors[i].what, b->errors[i].what) == 0;
    return same;
}
