/* SPDX-License-Identifier: Apache-2.0
 *
 * partial.c - policies and whole sets as far as they are known. A scope clause that holds goes, one
 * that does not settles its policy; scopes never err, so they are looked at first whatever the
 * conditions are. Conditions stay apart and in order: what is left of a policy looks like it.
 */
#include "cedar/partial_own.h"

#include "cedar/parse.h"
#include "cedar/schema_model.h"
#include "cedar/valid_data.h"

/* Scopes --------------------------------------------------------------------------------------- */

enum scope_state { HOLDS, FAILS, OPEN };

static enum scope_state truth(bool v)
{
    return v ? HOLDS : FAILS;
}

/* Is what the variable stands for in one of the scope's entities? */
static enum scope_state scope_in(struct cedar_partial *p, int var, const struct cedar_scope *scope)
{
    const struct nk_cedar_value *v = p->eval.vars[var];
    if (!v)
        return scope->n ? OPEN : FAILS;
    bool sure = !cedar_ancestors_unknown(p, v);
    for (uint32_t i = 0; i < scope->n; i++)
        if (cedar_uid_eq(&v->as.entity, &scope->uids[i]) ||
            (sure && cedar_eval_in(&p->eval, v, &scope->uids[i])))
            return HOLDS;
    return sure || !scope->n ? FAILS : OPEN;
}

/* With a schema: can nothing of the variable's type be in the scope's entities? */
static bool scope_never(const struct cedar_partial *p, struct nk_str type,
                        const struct cedar_scope *scope)
{
    for (uint32_t i = 0; i < scope->n; i++)
        if (!cedar_never_in(p, type, scope->uids[i].uid.type))
            return false;
    return true;
}

static enum scope_state scope_state(struct cedar_partial *p, int var,
                                    const struct cedar_scope *scope)
{
    const struct nk_cedar_value *v = p->eval.vars[var];
    const struct nk_cedar_uid *uids[] = {&p->req->principal, &p->req->action, &p->req->resource};
    struct nk_str type = uids[var]->type;
    enum scope_state in;
    switch ((enum cedar_scope_kind)scope->kind) {
    case CEDAR_SCOPE_ANY:
        return HOLDS;
    case CEDAR_SCOPE_EQ:
        if (!v)
            return nk_str_eq(type, scope->uids[0].uid.type) ? OPEN : FAILS;
        return truth(cedar_uid_eq(&v->as.entity, scope->uids));
    case CEDAR_SCOPE_IS:
        return truth(nk_str_eq(type, scope->type));
    case CEDAR_SCOPE_IS_IN:
        if (!nk_str_eq(type, scope->type))
            return FAILS;
        break;
    case CEDAR_SCOPE_IN:
        break;
    }
    in = scope_in(p, var, scope);
    return in == OPEN && scope_never(p, type, scope) ? FAILS : in;
}

/* A clause that is left asks for the type no more: that is known. */
static void keep_scope(struct cedar_scope *scope, enum scope_state state)
{
    if (state == HOLDS)
        *scope = (struct cedar_scope){.kind = CEDAR_SCOPE_ANY, .span = scope->span};
    else if (scope->kind == CEDAR_SCOPE_IS_IN)
        scope->kind = CEDAR_SCOPE_IN;
    scope->slot = false;
}

/* Policies ------------------------------------------------------------------------------------- */

/* A policy under way. */
struct policy {
    struct cedar_policy *left;
    const struct cedar_condition **tail;
    struct nk_cedar_residual *out;
    bool open; /* something is left of it */
};

static void settle(struct policy *w, enum nk_cedar_outcome outcome, const char *what)
{
    w->out->outcome = outcome;
    w->out->what = what;
    w->out->may_err = false;
    w->out->never = false;
}

static bool keep_condition(struct cedar_partial *p, struct policy *w,
                           const struct cedar_condition *c, const struct cedar_part *part)
{
    struct cedar_condition *own = nk_arena_alloc(p->eval.call.arena, sizeof *own);
    struct cedar_node *body = cedar_part_node(p, part);
    if (!own || !body)
        return false;
    *own = *c;
    own->body = body;
    own->next = NULL;
    *w->tail = own;
    w->tail = (const struct cedar_condition **)&own->next;
    w->open = true;
    return true;
}

/* One condition; false: the policy is settled by it, or nothing behind it counts. */
static bool condition(struct cedar_partial *p, struct policy *w, const struct cedar_condition *c)
{
    struct cedar_part part = cedar_part(p, c->body);
    bool is_value = part.state == CEDAR_PART_VALUE;
    if (is_value && part.value->kind != CEDAR_BOOL) {
        part.state = CEDAR_PART_ERROR;
        part.what = cedar_expected(CEDAR_BOOL);
        is_value = false;
    }
    if (is_value && part.value->as.truth != c->unless)
        return true;
    if (is_value && !w->out->may_err) {
        settle(w, NK_CEDAR_NOT_SATISFIED, NULL);
        return false;
    }
    if (part.state == CEDAR_PART_ERROR && !w->open) {
        settle(w, NK_CEDAR_ERRS, part.what);
        return false;
    }
    w->out->may_err |=
        part.state == CEDAR_PART_ERROR || (!is_value && (part.may_err || part.kind != CEDAR_BOOL));
    w->out->never |= part.state != CEDAR_PART_REST || (part.never && !c->unless);
    p->out_of_memory |= !keep_condition(p, w, c, &part);
    if (part.state == CEDAR_PART_REST && !c->unless)
        cedar_part_true(p, part.node);
    return part.state == CEDAR_PART_REST;
}

static void policy(struct cedar_partial *p, const struct cedar_policy *from, struct policy *w)
{
    struct cedar_policy *left = w->left;
    p->there_n = 0;
    *left = *from;
    left->link_of = NULL;
    left->slots = 0;
    left->conditions = NULL;
    w->tail = &left->conditions;
    settle(w, NK_CEDAR_RESIDUAL, NULL);
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        enum scope_state state = scope_state(p, var, &from->scope[var]);
        keep_scope(&left->scope[var], state);
        w->open |= state == OPEN;
        if (state == FAILS) {
            settle(w, NK_CEDAR_NOT_SATISFIED, NULL);
            return;
        }
    }
    const struct cedar_condition *c = from->conditions;
    while (c && condition(p, w, c))
        c = c->next;
    if (!c && !w->open)
        settle(w, NK_CEDAR_SATISFIED, NULL);
}

/* Sets ----------------------------------------------------------------------------------------- */

static bool denies(const struct nk_cedar_residual *r, bool strict)
{
    return r->forbid &&
           (r->outcome == NK_CEDAR_SATISFIED || (strict && r->outcome == NK_CEDAR_ERRS));
}

static bool permits(const struct nk_cedar_residual *r)
{
    return !r->forbid && r->outcome == NK_CEDAR_SATISFIED;
}

/* Can what is left of it still be satisfied, or err where that counts? */
static bool may_count(const struct nk_cedar_residual *r, bool strict)
{
    return r->outcome == NK_CEDAR_RESIDUAL && (!r->never || (strict && r->forbid && r->may_err));
}

static enum nk_cedar_settled decide(const struct nk_cedar_residual *r, size_t n, bool strict)
{
    bool permit = false, left[2] = {false, false};
    for (size_t i = 0; i < n; i++) {
        if (denies(&r[i], strict))
            return NK_CEDAR_DENY;
        permit |= permits(&r[i]);
        left[r[i].forbid] |= may_count(&r[i], strict);
    }
    if (permit)
        return left[true] ? NK_CEDAR_UNDECIDED : NK_CEDAR_ALLOW;
    return left[false] ? NK_CEDAR_UNDECIDED : NK_CEDAR_DENY;
}

/* The ids of what a settled decision rests on. */
static int list_reasons(struct nk_arena *a, bool strict, struct nk_cedar_partial *out)
{
    struct nk_str *ids = nk_arena_array(a, out->policy_count + 1, sizeof *ids);
    if (!ids)
        return NK_ENOMEM;
    for (size_t i = 0; i < out->policy_count; i++) {
        const struct nk_cedar_residual *r = &out->policies[i];
        if (out->decision == NK_CEDAR_DENY ? denies(r, strict) : permits(r))
            ids[out->reason_count++] = r->id;
    }
    out->reasons = ids;
    return 0;
}

static const struct nk_cedar_value *entity(struct cedar_partial *p, struct nk_cedar_uid uid)
{
    const struct nk_cedar_value *v = uid.id.p ? nk_cedar_entity(p->eval.call.arena, uid) : NULL;
    p->out_of_memory |= uid.id.p && !v;
    return v;
}

/* 0, NK_ENOMEM or NK_EINVAL. */
static int begin(struct cedar_partial *p, const struct nk_cedar_entities *entities,
                 const struct nk_cedar_partial_request *req, struct nk_arena *a)
{
    *p = (struct cedar_partial){.eval = {.call = {.arena = a}, .entities = entities}, .req = req};
    const struct nk_cedar_value *context = req->context ? req->context : &cedar_empty_record;
    struct cedar_uid *uids = nk_arena_array(a, req->entity_count + 1, sizeof *uids);
    p->eval.vars[CEDAR_PRINCIPAL] = entity(p, req->principal);
    p->eval.vars[CEDAR_ACTION] = entity(p, req->action);
    p->eval.vars[CEDAR_RESOURCE] = entity(p, req->resource);
    p->eval.vars[CEDAR_CONTEXT] = context;
    if (context->kind != CEDAR_RECORD || !req->action.id.p)
        return NK_EINVAL;
    if (!uids || p->out_of_memory)
        return NK_ENOMEM;
    for (size_t i = 0; i < req->entity_count; i++)
        uids[i] = cedar_uid(req->entities[i].uid);
    p->uids = uids;
    if (req->schema)
        p->action = cedar_schema_action(req->schema, &p->eval.vars[CEDAR_ACTION]->as.entity);
    return 0;
}

static bool is_type_of(const struct cedar_etype **list, uint32_t n, struct nk_str type)
{
    for (uint32_t i = 0; i < n; i++)
        if (nk_str_eq(list[i]->name, type))
            return true;
    return false;
}

static bool is_unknown(const struct nk_cedar_partial_request *req, struct nk_str name)
{
    for (size_t i = 0; i < req->context_attr_count; i++)
        if (nk_str_eq(req->context_attrs[i], name))
            return true;
    return req->context_open;
}

/* What is known of the context is as the schema says, and what must be there is known or unknown. */
static int check_context(const struct nk_cedar_partial_request *req, const struct cedar_type *type,
                         struct nk_fault *f)
{
    const struct nk_cedar_value *context = req->context ? req->context : &cedar_empty_record;
    if (context->kind != CEDAR_RECORD)
        return nk_fault_set(f, NK_EINVAL, "request", 0, "the context is no record");
    for (uint32_t i = 0; i < context->n; i++) {
        const struct nk_cedar_member *m = &context->as.members[i];
        const struct cedar_type_attr *attr = cedar_type_attr(type, m->name);
        if (!attr || !cedar_value_fits(m->value, attr->type))
            return nk_fault_set(f, NK_EINVAL, "request", 0,
                                attr ? "context.%.*s has another type in the schema"
                                     : "the schema has no context.%.*s for this action",
                                NK_FMT(m->name));
    }
    for (uint32_t i = 0; i < type->n; i++) {
        struct nk_str name = type->of.attrs[i].name;
        if (type->of.attrs[i].required && !cedar_record_get(context, name) &&
            !is_unknown(req, name))
            return nk_fault_set(
                f, NK_EINVAL, "request", 0,
                "context.%.*s is missing: give its value, or say that it is unknown", NK_FMT(name));
    }
    return 0;
}

int nk_cedar_partial_check(const struct nk_cedar_partial_request *req, struct nk_fault *f)
{
    struct cedar_uid uid = cedar_uid(req->action);
    const struct cedar_action *action = req->schema ? cedar_schema_action(req->schema, &uid) : NULL;
    if (!req->schema)
        return 0;
    if (!action)
        return nk_fault_set(f, NK_EINVAL, "request", 0, "the schema has no action %.*s::\"%.*s\"",
                            NK_FMT(uid.uid.type), NK_FMT(uid.uid.id));
    bool who = is_type_of(action->principals, action->principal_n, req->principal.type);
    bool on = is_type_of(action->resources, action->resource_n, req->resource.type);
    if (who && on)
        return check_context(req, action->context, f);
    return nk_fault_set(
        f, NK_EINVAL, "request", 0, "in the schema the action does not apply to a %s of type %.*s",
        who ? "resource" : "principal", NK_FMT(who ? req->resource.type : req->principal.type));
}

int nk_cedar_partial(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                     const struct nk_cedar_partial_request *req, struct nk_arena *a,
                     struct nk_cedar_partial *out)
{
    struct cedar_partial state;
    *out = (struct nk_cedar_partial){.decision = NK_CEDAR_UNDECIDED};
    int rc = begin(&state, entities, req, a);
    struct nk_cedar_residual *residuals = nk_arena_array(a, p->n + 1, sizeof *residuals);
    struct cedar_policy *left = nk_arena_array(a, p->n + 1, sizeof *left);
    if (rc)
        return rc;
    if (!residuals || !left)
        return NK_ENOMEM;
    for (size_t i = 0; i < p->n; i++) {
        struct policy w = {.left = &left[i], .out = &residuals[i]};
        residuals[i] =
            (struct nk_cedar_residual){.id = p->items[i]->id, .forbid = p->items[i]->forbid};
        policy(&state, p->items[i], &w);
        bool whole =
            residuals[i].outcome == NK_CEDAR_NOT_SATISFIED || residuals[i].outcome == NK_CEDAR_ERRS;
        residuals[i].policy = whole ? p->items[i] : &left[i];
    }
    if (state.out_of_memory)
        return NK_ENOMEM;
    out->policies = residuals;
    out->policy_count = p->n;
    out->decision = decide(residuals, p->n, p->strict);
    return list_reasons(a, p->strict, out);
}

void nk_cedar_residual_put_text(const struct nk_cedar_residual *r, struct nk_buf *out)
{
    cedar_policy_put_text(r->policy, out);
}

void nk_cedar_residual_put_json(const struct nk_cedar_residual *r, struct nk_buf *out)
{
    cedar_policy_put_json(r->policy, out);
}
