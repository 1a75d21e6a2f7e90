/* SPDX-License-Identifier: Apache-2.0
 *
 * valid.c - validates policies against a schema. For each policy:
 *
 *   1. every entity type, action and enum entity that it names must exist;
 *   2. the kinds of requests that its scope admits are found: action × type of principal × type of resource;
 *   3. its conditions are checked in each of them that differs in something the conditions speak of.
 *
 * Templates are checked like policies: a slot may stand for any entity that fits. See valid.h for the rules.
 */
#include "cedar/valid.h"

static const struct nk_str none = {NULL, 0};

enum { SEEN = 64, WORK_CEILING = 256 << 20, WORK_BLOCK = 32768, TYPED_LEAST = 64 };

/* One kind of request, as far as a policy's conditions look at it. */
struct kind {
    const void *part[CEDAR_VARS];
};

struct run {
    struct check c;
    const struct cedar_policy *policy;
    unsigned vars; /* bits 1 << enum cedar_var: what the conditions speak of */
    uint32_t nodes;
    const struct cedar_etype *in[CEDAR_RESOURCE + 1], *is[CEDAR_RESOURCE + 1];
    const struct cedar_action **targets;                /* of an action's scope; NULL: not known */
    const struct cedar_etype **principals, **resources; /* those that fit, of the action at hand */
    struct kind seen[SEEN];
    size_t seen_n;
    bool any, all_false;
};

/* Names ------------------------------------------------------------------------------------------------ */

static void check_uid(struct run *r, const struct cedar_uid *uid, struct cedar_span span)
{
    struct check *c = &r->c;
    const struct cedar_etype *type = cedar_schema_etype(c->s, uid->uid.type);
    struct nk_arena *a = c->diags->arena;
    if (cedar_type_is_action(uid->uid.type)) {
        if (!cedar_schema_action(c->s, uid))
            check_say(c, NK_CEDAR_DIAG_UNKNOWN_ACTION, span, cedar_uid_name(uid->uid, a),
                      cedar_schema_near_action(c->s, uid->uid, a), none);
        return;
    }
    if (!type) {
        check_say(c, NK_CEDAR_DIAG_UNKNOWN_TYPE, span, uid->uid.type,
                  cedar_schema_near_type(c->s, uid->uid.type, a), none);
        return;
    }
    if (!cedar_etype_has(type, uid->uid.id))
        check_say(c, NK_CEDAR_DIAG_ENUM_ID, span, cedar_uid_name(uid->uid, a),
                  cedar_etype_choices(type, a), none);
}

static void check_type(struct run *r, struct nk_str name, struct cedar_span span)
{
    if (cedar_type_is_action(name) || cedar_schema_etype(r->c.s, name))
        return;
    check_say(&r->c, NK_CEDAR_DIAG_UNKNOWN_TYPE, span, name,
              cedar_schema_near_type(r->c.s, name, r->c.diags->arena), none);
}

/* Recursion ends: the parser bounds the depth of expressions. */
static void check_names(struct run *r, const struct cedar_node *node)
{
    r->nodes++;
    if (node->kind == CEDAR_NODE_VAR)
        r->vars |= 1u << node->op;
    else if (node->kind == CEDAR_NODE_CONST && node->constant->kind == CEDAR_ENTITY)
        check_uid(r, &node->constant->as.entity, node->span);
    else if (node->kind == CEDAR_NODE_IS)
        check_type(r, node->name, node->mark);
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
        check_names(r, kid);
}

static void check_scope_names(struct run *r, const struct cedar_scope *scope)
{
    for (uint32_t i = 0; i < scope->n; i++)
        check_uid(r, &scope->uids[i], scope->spans ? scope->spans[i] : scope->span);
    if (scope->kind == CEDAR_SCOPE_IS || scope->kind == CEDAR_SCOPE_IS_IN)
        check_type(r, scope->type, scope->type_span);
}

/* A link shares all but the entities of its slots with its template, whose mistakes are reported there. */
static void check_policy_names(struct run *r)
{
    const struct cedar_policy *p = r->policy;
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        if (!p->link_of)
            check_scope_names(r, &p->scope[var]);
        else if (p->link_of->scope[var].slot && p->scope[var].n)
            check_type(r, p->scope[var].uids[0].uid.type, p->span);
    }
    r->c.quiet = p->link_of != NULL;
    for (const struct cedar_condition *k = p->conditions; k; k = k->next)
        check_names(r, k->body);
}

/* Kinds of requests ------------------------------------------------------------------------------------- */

static bool resolve_scope(struct run *r)
{
    const struct nk_cedar_schema *s = r->c.s;
    const struct cedar_scope *action = &r->policy->scope[CEDAR_ACTION];
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var += CEDAR_RESOURCE) {
        const struct cedar_scope *scope = &r->policy->scope[var];
        r->in[var] = scope->n ? cedar_schema_etype(s, scope->uids[0].uid.type) : NULL;
        r->is[var] = scope->type.p ? cedar_schema_etype(s, scope->type) : NULL;
    }
    r->targets = nk_arena_array(&r->c.work, action->n, sizeof *r->targets);
    for (uint32_t i = 0; r->targets && i < action->n; i++)
        r->targets[i] = cedar_schema_action(s, &action->uids[i]);
    return r->targets != NULL;
}

static bool fits(const struct run *r, int var, const struct cedar_etype *type)
{
    const struct cedar_scope *scope = &r->policy->scope[var];
    bool in = scope->slot || (r->in[var] && cedar_etype_in(type, r->in[var]));
    switch ((enum cedar_scope_kind)scope->kind) {
    case CEDAR_SCOPE_ANY:
        return true;
    case CEDAR_SCOPE_EQ:
        return scope->slot || r->in[var] == type;
    case CEDAR_SCOPE_IN:
        return in;
    case CEDAR_SCOPE_IS:
        return r->is[var] == type;
    case CEDAR_SCOPE_IS_IN:
        break;
    }
    return r->is[var] == type && in;
}

static bool action_fits(const struct run *r, const struct cedar_action *action)
{
    const struct cedar_scope *scope = &r->policy->scope[CEDAR_ACTION];
    for (uint32_t i = 0; i < scope->n; i++)
        if (r->targets[i] && cedar_action_in(action, r->targets[i]))
            return true;
    return scope->kind == CEDAR_SCOPE_ANY;
}

/* Was this kind checked already? The table forgets when it is full; then something is checked twice. */
static bool is_new(struct run *r, const struct kind *kind)
{
    uint64_t h = 0;
    for (int i = 0; i < CEDAR_VARS; i++)
        h = (h ^ (uintptr_t)kind->part[i]) * 0x9e3779b97f4a7c15u;
    struct kind *place = &r->seen[h >> 58];
    if (memcmp(place, kind, sizeof *kind) == 0)
        return false;
    *place = *kind;
    return true;
}

/* Conditions -------------------------------------------------------------------------------------------- */

static struct answer check_condition(struct check *c, const struct cedar_condition *condition,
                                     const struct caps *prior)
{
    struct answer a = check_expect(c, condition->body, prior, EXPECT_BOOL, NULL);
    if (!condition->unless || !a.type)
        return a;
    const struct cedar_type *type = a.type == &cedar_type_true    ? &cedar_type_false
                                    : a.type == &cedar_type_false ? &cedar_type_true
                                                                  : &cedar_type_bool;
    return (struct answer){type, a.ok, NULL};
}

static struct answer check_conditions(struct check *c, const struct cedar_condition *condition)
{
    struct answer a = answer_ok(&cedar_type_true);
    const struct caps *prior = NULL;
    for (; condition && a.type != &cedar_type_false; condition = condition->next) {
        a = check_and(c, a, check_condition(c, condition, prior));
        prior = caps_union(c, prior, a.caps);
    }
    return a;
}

static void check_levels(struct run *r)
{
    for (const struct cedar_condition *k = r->policy->conditions; k; k = k->next)
        check_level(&r->c, k->body);
}

static void check_kind(struct run *r, const struct cedar_etype *principal,
                       const struct cedar_action *action, const struct cedar_etype *resource)
{
    struct check *c = &r->c;
    c->principal = principal;
    c->action = action;
    c->resource = resource;
    c->action_value = (struct nk_cedar_value){.kind = CEDAR_ENTITY, .as = {.entity = action->uid}};
    if (c->typed)
        memset(c->typed, 0, c->typed_cap * sizeof *c->typed);
    struct answer a = check_conditions(c, r->policy->conditions);
    if (a.type != &cedar_type_false)
        r->all_false = false;
    if (c->typed && c->errors == 0)
        check_levels(r);
}

static uint32_t gather(const struct run *r, int var, const struct cedar_etype *const *types,
                       uint32_t n, const struct cedar_etype **out)
{
    uint32_t found = 0;
    bool all = r->vars & 1u << var;
    for (uint32_t i = 0; i < n && (all || found == 0); i++)
        if (fits(r, var, types[i]))
            out[found++] = types[i];
    return found;
}

static void check_action(struct run *r, const struct cedar_action *action)
{
    uint32_t p = gather(r, CEDAR_PRINCIPAL, action->principals, action->principal_n, r->principals);
    uint32_t n = gather(r, CEDAR_RESOURCE, action->resources, action->resource_n, r->resources);
    r->any |= p > 0 && n > 0;
    for (uint32_t i = 0; i < p; i++)
        for (uint32_t k = 0; k < n; k++) {
            struct kind kind = {{r->vars & 1u << CEDAR_PRINCIPAL ? r->principals[i] : NULL,
                                 r->vars & 1u << CEDAR_ACTION ? action : NULL,
                                 r->vars & 1u << CEDAR_RESOURCE ? r->resources[k] : NULL,
                                 r->vars & 1u << CEDAR_CONTEXT ? action->context : NULL}};
            if (r->seen_n++ == 0 || is_new(r, &kind))
                check_kind(r, r->principals[i], action, r->resources[k]);
        }
}

/* `action in []` fits nothing, and what it fits has no type: the reference then goes on as if the action might
 * fit, and so finds mistakes in the conditions, too. */
static void check_empty_action(struct run *r)
{
    const struct nk_cedar_schema *s = r->c.s;
    for (uint32_t i = 0; i < s->action_n && r->c.strict; i++) {
        const struct cedar_action *a = s->actions[i];
        if (a->resource_n == 0 ||
            gather(r, CEDAR_PRINCIPAL, a->principals, a->principal_n, r->principals) == 0)
            continue;
        check_say(&r->c, NK_CEDAR_DIAG_EMPTY_SET, r->policy->scope[CEDAR_ACTION].span, none, none,
                  none);
        check_action(r, a);
    }
    r->any = false;
}

static void check_kinds(struct run *r)
{
    const struct nk_cedar_schema *s = r->c.s;
    const struct cedar_scope *scope = &r->policy->scope[CEDAR_ACTION];
    if (scope->kind == CEDAR_SCOPE_EQ) {
        if (r->targets[0])
            check_action(r, r->targets[0]);
        return;
    }
    if (scope->kind == CEDAR_SCOPE_IN && scope->n == 0) {
        check_empty_action(r);
        return;
    }
    for (uint32_t i = 0; i < s->action_n; i++)
        if (action_fits(r, s->actions[i]))
            check_action(r, s->actions[i]);
}

static bool make_typed(struct run *r)
{
    struct check *c = &r->c;
    c->typed = NULL;
    if (!c->how->leveled)
        return true;
    for (c->typed_cap = TYPED_LEAST; c->typed_cap < 2 * (size_t)r->nodes;)
        c->typed_cap *= 2;
    c->typed = nk_arena_array(&c->work, c->typed_cap, sizeof *c->typed);
    return c->typed != NULL;
}

static void check_policy(struct run *r, const struct cedar_policy *policy,
                         struct nk_cedar_verdict *verdict)
{
    struct check *c = &r->c;
    r->policy = c->policy = policy;
    c->before = c->diags->last;
    c->errors = 0;
    c->may_err = c->quiet = false;
    r->vars = r->nodes = 0;
    r->seen_n = 0;
    r->any = false;
    r->all_false = true;
    memset(r->seen, 0, sizeof r->seen);
    check_policy_names(r);
    if (!resolve_scope(r) || !make_typed(r))
        c->out_of_memory = true;
    else
        check_kinds(r);
    if (c->typed && c->errors == 0)
        check_scope_level(c);
    c->quiet = false;
    if (!r->any)
        check_say(c, NK_CEDAR_DIAG_NO_ACTION, policy->span, none, none, none);
    else if (r->all_false)
        check_say(c, NK_CEDAR_DIAG_IMPOSSIBLE, policy->span, none, none, none);
    *verdict = (struct nk_cedar_verdict){.valid = c->errors == 0,
                                         .never_errs = c->errors == 0 && c->strict && !c->may_err,
                                         .no_action = !r->any,
                                         .impossible = !r->any || r->all_false};
    nk_arena_reset(&c->work);
}

static bool make_lists(struct run *r, struct nk_arena *a)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < r->c.s->action_n; i++) {
        const struct cedar_action *action = r->c.s->actions[i];
        most = action->principal_n > most ? action->principal_n : most;
        most = action->resource_n > most ? action->resource_n : most;
    }
    r->principals = nk_arena_array(a, most, sizeof *r->principals);
    r->resources = nk_arena_array(a, most, sizeof *r->resources);
    return r->principals && r->resources;
}

int nk_cedar_validate(const struct nk_cedar_schema *s, const struct nk_cedar_policies *p,
                      const struct nk_cedar_validation *how, struct nk_arena *scratch,
                      struct nk_cedar_diags *d, struct nk_cedar_verdict *verdicts)
{
    struct run *r = nk_arena_alloc(scratch, sizeof *r);
    struct nk_cedar_verdict ignored;
    bool valid = true;
    if (!r)
        return NK_ENOMEM;
    r->c = (struct check){.s = s,
                          .how = how,
                          .strict = !how->permissive,
                          .types = {.arena = scratch, .below = &s->types},
                          .arena = scratch,
                          .diags = d};
    if (!make_lists(r, scratch))
        return NK_ENOMEM;
    nk_arena_init_sized(&r->c.work, WORK_CEILING, WORK_BLOCK);
    for (size_t i = 0; i < p->n + p->template_n; i++) {
        const struct cedar_policy *policy = i < p->n ? p->items[i] : p->templates[i - p->n];
        struct nk_cedar_verdict *verdict = verdicts ? &verdicts[i] : &ignored;
        check_policy(r, policy, verdict);
        valid = valid && verdict->valid;
    }
    nk_arena_free(&r->c.work);
    if (r->c.out_of_memory || r->c.types.out_of_memory)
        return NK_ENOMEM;
    return valid ? 0 : NK_EINVAL;
}
