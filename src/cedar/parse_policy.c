/* SPDX-License-Identifier: Apache-2.0
 *
 * parse_policy.c - policies around their expressions:
 *
 *   policy     = {annotation} ("permit" | "forbid") "(" scope "," scope "," scope [","] ")"
 *                {("when" | "unless") "{" expr "}"} ";"
 *   annotation = "@" word ["(" string ")"]
 *   scope      = "principal" | "resource" ["==" uid | "in" uid | "is" type ["in" uid]]
 *              | "action" ["==" uid | "in" (uid | "[" uids "]")]
 *
 * A uid may stand in parentheses. A slot (?principal, ?resource) in place of a uid makes a
 * template: refused with NK_EUNSUPPORTED, because nothing can link it yet.
 */
#include "cedar/parse.h"

static void *new_item(struct cedar_parser *p, size_t size)
{
    void *item = nk_arena_alloc(p->arena, size);
    return item ? item : cedar_parse_fail(p, NK_ENOMEM, p->token.offset, "out of memory");
}

static bool has_annotation(const struct cedar_annotation *list, struct nk_str name)
{
    for (; list; list = list->next)
        if (nk_str_eq(list->name, name))
            return true;
    return false;
}

static bool annotations(struct cedar_parser *p, struct cedar_policy *policy)
{
    struct cedar_annotation *first = NULL, **tail = &first;
    for (unsigned n = 0; cedar_take(p, '@'); n++) {
        struct cedar_annotation *item = new_item(p, sizeof *item);
        if (!item)
            return false;
        item->name = p->token.text;
        if (n == CEDAR_ANNOTATIONS)
            return cedar_parse_fail(p, NK_ELIMIT, p->token.offset, "too many annotations");
        if (cedar_at(p, CEDAR_IDENT) && has_annotation(first, item->name))
            return cedar_parse_unexpected(p, "this annotation is there already");
        if (!cedar_need(p, CEDAR_IDENT, "expected an annotation's name"))
            return false;
        item->value = NK_STR("");
        item->has_value = cedar_take(p, '(');
        if (item->has_value &&
            (!cedar_take_string(p, &item->value) || !cedar_need(p, ')', "expected ')'")))
            return false;
        *tail = item;
        tail = &item->next;
        policy->annotations = first;
    }
    return !p->code;
}

static const struct nk_str var_names[] = {{"principal", 9}, {"action", 6}, {"resource", 8}};

static bool slot(struct cedar_parser *p, enum cedar_var var)
{
    if (var != CEDAR_ACTION && nk_str_eq(p->token.text, var_names[var]))
        return cedar_parse_fail(p, NK_EUNSUPPORTED, p->token.offset,
                                "templates cannot be linked yet: write the entity itself");
    return cedar_parse_unexpected(p, "this slot cannot stand here");
}

static bool is_action_type(struct nk_str type)
{
    return nk_str_eq(type, NK_STR("Action")) || nk_str_ends(type, NK_STR("::Action"));
}

static bool open_parentheses(struct cedar_parser *p, unsigned *n)
{
    for (*n = 0; cedar_take(p, '('); (*n)++)
        ;
    return !p->code;
}

static bool close_parentheses(struct cedar_parser *p, unsigned n)
{
    while (n > 0 && cedar_need(p, ')', "expected ')'"))
        n--;
    return n == 0 && !p->code;
}

static bool uid(struct cedar_parser *p, enum cedar_var var, struct cedar_uid *out)
{
    struct nk_cedar_uid name;
    unsigned open;
    bool uid_follows;
    if (!open_parentheses(p, &open))
        return false;
    if (cedar_at(p, CEDAR_SLOT))
        return slot(p, var);
    size_t offset = p->token.offset;
    if (!cedar_at(p, CEDAR_IDENT))
        return cedar_parse_unexpected(p, "expected an entity, as in User::\"alice\"");
    if (!cedar_take_type(p, &name.type, &uid_follows))
        return false;
    if (!uid_follows)
        return cedar_parse_fail(p, NK_EINVAL, offset, "expected an entity: the id is missing");
    if (!cedar_take_string(p, &name.id))
        return false;
    if (var == CEDAR_ACTION && !is_action_type(name.type))
        return cedar_parse_fail(p, NK_EINVAL, offset, "an action's type must be Action");
    *out = cedar_uid(name);
    return close_parentheses(p, open);
}

static bool one_uid(struct cedar_parser *p, enum cedar_var var, struct cedar_scope *scope)
{
    struct cedar_uid *own = new_item(p, sizeof *own);
    if (!own || !uid(p, var, own))
        return false;
    scope->uids = own;
    scope->n = 1;
    return true;
}

static bool append(struct cedar_parser *p, struct cedar_uid **uids, uint32_t *n, uint32_t *cap,
                   const struct cedar_uid *item)
{
    if (*n == *cap) {
        struct cedar_uid *bigger =
            nk_arena_array(p->arena, *cap ? 2 * (size_t)*cap : 4, sizeof *bigger);
        if (!bigger)
            return cedar_parse_fail(p, NK_ENOMEM, p->token.offset, "out of memory");
        for (uint32_t i = 0; i < *n; i++)
            bigger[i] = (*uids)[i];
        *uids = bigger;
        *cap = *cap ? 2 * *cap : 4;
    }
    (*uids)[(*n)++] = *item;
    return true;
}

/* [uid, uid …]; the bracket is at hand. */
static bool uid_list(struct cedar_parser *p, struct cedar_scope *scope)
{
    struct cedar_uid item, *uids = NULL;
    uint32_t cap = 0;
    cedar_next(p);
    scope->list = true;
    if (!cedar_take(p, ']'))
        do {
            if (p->code || !uid(p, CEDAR_ACTION, &item) ||
                !append(p, &uids, &scope->n, &cap, &item))
                return false;
        } while (cedar_more(p, ']'));
    scope->uids = uids;
    return !p->code;
}

static bool action_in(struct cedar_parser *p, struct cedar_scope *scope)
{
    struct cedar_parser before = *p;
    unsigned open;
    scope->kind = CEDAR_SCOPE_IN;
    if (!open_parentheses(p, &open))
        return false;
    if (cedar_at(p, '['))
        return uid_list(p, scope) && close_parentheses(p, open);
    *p = before;
    return one_uid(p, CEDAR_ACTION, scope);
}

static bool scope_is(struct cedar_parser *p, enum cedar_var var, struct cedar_scope *scope)
{
    bool uid_follows;
    if (var == CEDAR_ACTION)
        return cedar_parse_unexpected(p, "'is' cannot be used for an action");
    cedar_next(p);
    scope->kind = CEDAR_SCOPE_IS;
    if (!cedar_take_type(p, &scope->type, &uid_follows))
        return false;
    if (uid_follows)
        return cedar_parse_unexpected(p, "expected the name of a type, not an entity");
    if (!cedar_take_word(p, NK_STR("in")))
        return !p->code;
    scope->kind = CEDAR_SCOPE_IS_IN;
    return one_uid(p, var, scope);
}

static bool scope(struct cedar_parser *p, enum cedar_var var, struct cedar_scope *out)
{
    static const char *const missing[] = {"expected 'principal'", "expected 'action'",
                                          "expected 'resource'"};
    if (!cedar_take_word(p, var_names[var]))
        return cedar_parse_unexpected(p, missing[var]);
    out->kind = CEDAR_SCOPE_ANY;
    if (cedar_at_word(p, NK_STR("is")))
        return scope_is(p, var, out);
    if (cedar_take(p, CEDAR_EQUAL)) {
        out->kind = CEDAR_SCOPE_EQ;
        return one_uid(p, var, out);
    }
    if (!cedar_take_word(p, NK_STR("in")))
        return !p->code;
    if (var == CEDAR_ACTION)
        return action_in(p, out);
    out->kind = CEDAR_SCOPE_IN;
    return one_uid(p, var, out);
}

static bool scopes(struct cedar_parser *p, struct cedar_policy *policy)
{
    if (!cedar_need(p, '(', "expected '('"))
        return false;
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        if (!scope(p, (enum cedar_var)var, &policy->scope[var]))
            return false;
        if (var < CEDAR_RESOURCE &&
            !cedar_need(p, ',',
                        "expected ',': a scope is principal, action, resource; "
                        "conditions on them belong into when { … }"))
            return false;
    }
    cedar_take(p, ',');
    return cedar_need(p, ')', "expected ')' behind the resource");
}

static bool conditions(struct cedar_parser *p, struct cedar_policy *policy)
{
    struct cedar_condition *first = NULL, **tail = &first;
    while (cedar_at(p, CEDAR_IDENT)) {
        bool unless = cedar_at_word(p, NK_STR("unless"));
        if (!unless && !cedar_at_word(p, NK_STR("when")))
            return cedar_parse_unexpected(p, "expected 'when', 'unless' or ';'");
        struct cedar_condition *item = new_item(p, sizeof *item);
        cedar_next(p);
        if (!item || !cedar_need(p, '{', "expected '{'"))
            return false;
        item->unless = unless;
        item->body = cedar_parse_expr(p);
        if (!item->body || !cedar_need(p, '}', "expected '}' or an operator"))
            return false;
        *tail = item;
        tail = &item->next;
    }
    policy->conditions = first;
    return !p->code;
}

static struct cedar_policy *policy(struct cedar_parser *p)
{
    struct cedar_policy *out = new_item(p, sizeof *out);
    if (!out)
        return NULL;
    out->offset = (uint32_t)p->token.offset;
    if (!annotations(p, out))
        return NULL;
    out->forbid = cedar_at_word(p, NK_STR("forbid"));
    if (!out->forbid && !cedar_at_word(p, NK_STR("permit")))
        return cedar_parse_unexpected(p, "expected 'permit' or 'forbid'");
    cedar_next(p);
    if (!scopes(p, out) || !conditions(p, out))
        return NULL;
    return cedar_need(p, ';', "expected ';' behind the policy") ? out : NULL;
}

struct cedar_policy *cedar_parse_policies(struct cedar_parser *p)
{
    struct cedar_policy *first = NULL, **tail = &first;
    cedar_next(p);
    while (!p->code && !cedar_at(p, CEDAR_END)) {
        struct cedar_policy *item = policy(p);
        if (!item)
            return NULL;
        *tail = item;
        tail = &item->next;
    }
    return first;
}
