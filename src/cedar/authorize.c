/* SPDX-License-Identifier: Apache-2.0
 *
 * authorize.c - the decision: every policy is asked, so that reasons and errors are complete. A
 * policy that errs is skipped and reported; one satisfied forbid decides against any number of
 * permits; no satisfied permit is a deny (docs.cedarpolicy.com, "Authorization").
 */
#include "cedar/eval.h"

#include <string.h>

/* Two lists of ids and one of errors, grown only when something goes in. */
struct found {
    struct nk_str *ids[2]; /* satisfied permits, satisfied forbids */
    size_t n[2], cap[2];
    struct nk_cedar_error *errors;
    size_t error_n, error_cap;
};

enum { FIRST_CAP = 8 };

/* Makes room for one item of `size` bytes more. */
static bool make_room(struct nk_arena *a, void **items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t bigger = *cap ? 2 * *cap : FIRST_CAP;
    void *own = nk_arena_array(a, bigger, size);
    if (!own)
        return false;
    if (n)
        memcpy(own, *items, n * size);
    *items = own;
    *cap = bigger;
    return true;
}

static bool add_id(struct nk_arena *a, struct found *f, bool forbid, struct nk_str id)
{
    void *items = f->ids[forbid];
    if (!make_room(a, &items, f->n[forbid], &f->cap[forbid], sizeof id))
        return false;
    f->ids[forbid] = items;
    f->ids[forbid][f->n[forbid]++] = id;
    return true;
}

static bool add_error(struct nk_arena *a, struct found *f, struct nk_str id, const char *what)
{
    void *items = f->errors;
    if (!make_room(a, &items, f->error_n, &f->error_cap, sizeof *f->errors))
        return false;
    f->errors = items;
    f->errors[f->error_n++] = (struct nk_cedar_error){id, what};
    return true;
}

static bool in_any(struct cedar_eval *e, const struct nk_cedar_value *v,
                   const struct cedar_scope *scope)
{
    for (uint32_t i = 0; i < scope->n; i++)
        if (cedar_eval_in(e, v, &scope->uids[i]))
            return true;
    return false;
}

static bool scope_matches(struct cedar_eval *e, const struct nk_cedar_value *v,
                          const struct cedar_scope *scope)
{
    switch ((enum cedar_scope_kind)scope->kind) {
    case CEDAR_SCOPE_ANY:
        return true;
    case CEDAR_SCOPE_EQ:
        return cedar_uid_eq(&v->as.entity, scope->uids);
    case CEDAR_SCOPE_IN:
        return in_any(e, v, scope);
    case CEDAR_SCOPE_IS:
        return nk_str_eq(v->as.entity.uid.type, scope->type);
    case CEDAR_SCOPE_IS_IN:
        break;
    }
    return nk_str_eq(v->as.entity.uid.type, scope->type) && in_any(e, v, scope);
}

static bool is_satisfied(struct cedar_eval *e, const struct cedar_policy *policy)
{
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++)
        if (!scope_matches(e, e->vars[var], &policy->scope[var]))
            return false;
    for (const struct cedar_condition *c = policy->conditions; c; c = c->next) {
        bool v;
        if (!cedar_eval_bool(e, c->body, &v) || v == c->unless)
            return false;
    }
    return true;
}

/* Asks one policy; false when memory is out. */
static bool ask(struct cedar_eval *e, const struct cedar_policy *policy, struct found *f)
{
    e->call.code = 0;
    if (is_satisfied(e, policy))
        return add_id(e->call.arena, f, policy->forbid, policy->id);
    if (e->call.code == NK_EINVAL)
        return add_error(e->call.arena, f, policy->id, e->call.what);
    return e->call.code == 0;
}

int nk_cedar_authorize(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                       const struct nk_cedar_request *req, struct nk_arena *a,
                       struct nk_cedar_answer *out)
{
    struct nk_cedar_value vars[] = {
        {.kind = CEDAR_ENTITY, .as = {.entity = cedar_uid(req->principal)}},
        {.kind = CEDAR_ENTITY, .as = {.entity = cedar_uid(req->action)}},
        {.kind = CEDAR_ENTITY, .as = {.entity = cedar_uid(req->resource)}}};
    struct cedar_eval e = {
        .call = {.arena = a},
        .entities = entities,
        .vars = {&vars[0], &vars[1], &vars[2], req->context ? req->context : &cedar_empty_record}};
    struct found f = {.error_n = 0};
    *out = (struct nk_cedar_answer){.allow = false};
    NK_MUST(!entities || cedar_entities_sealed(entities));
    if (e.vars[CEDAR_CONTEXT]->kind != CEDAR_RECORD)
        return NK_EINVAL;
    for (size_t i = 0; i < p->n; i++)
        if (!ask(&e, p->items[i], &f))
            return NK_ENOMEM;
    bool forbid = f.n[true] > 0;
    *out = (struct nk_cedar_answer){.allow = !forbid && f.n[false] > 0,
                                    .reasons = f.ids[forbid],
                                    .reason_count = f.n[forbid],
                                    .errors = f.errors,
                                    .error_count = f.error_n};
    return 0;
}
