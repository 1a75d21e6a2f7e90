/* SPDX-License-Identifier: Apache-2.0
 *
 * parse_policy.c - policies around their expressions:
 *
 *   policy     = {annotation} ("permit" | "forbid") "(" scope "," scope "," scope [","] ")"
 *                {("when" | "unless") "{" expr "}"} ";"
 *   annotation = "@" word ["(" string ")"]
 *   scope      = "principal" | "resource" ["==" one | "in" one | "is" type ["in" one]]
 *              | "action" ["==" uid | "in" (uid | "[" uids "]")]
 *
 *   one        = uid | slot      (the slot of that name: ?principal, ?resource)
 *
 * A uid or a slot may stand in parentheses. A policy with a slot is a template.
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
    for (unsigned n = 0; cedar_at(p, '@'); n++) {
        struct cedar_annotation *item = new_item(p, sizeof *item);
        size_t offset = p->token.offset;
        cedar_next(p);
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
        item->span = cedar_span_from(p, offset);
        *tail = item;
        tail = &item->next;
        policy->annotations = first;
    }
    return !p->code;
}

/* The slot at hand in place of an entity. */
static bool slot(struct cedar_parser *p, enum cedar_var var, struct cedar_scope *scope)
{
    if (var == CEDAR_ACTION || !nk_str_eq(p->token.text, cedar_var_names[var]))
        return cedar_parse_unexpected(p, "this slot cannot stand here");
    scope->slot = true;
    cedar_next(p);
    return !p->code;
}

bool cedar_is_action_type(struct nk_str type)
{
    return nk_str_eq(type, NK_STR("Action")) || nk_str_ends(type, NK_STR("::Action"));
}

static bool open_parentheses(struct cedar_parser *p, unsigned *n)
{
    for (*n = 0; cedar_take(p, '('); (*n)++)
        if (*n == CEDAR_DEPTH)
            return cedar_parse_fail(p, NK_ELIMIT, p->token.offset, "too many parentheses");
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
    bool uid_follows;
    size_t offset = p->token.offset;
    if (!cedar_at(p, CEDAR_IDENT))
        return cedar_parse_unexpected(p, "expected an entity, as in User::\"alice\"");
    if (!cedar_take_type(p, &name.type, &uid_follows))
        return false;
    if (!uid_follows)
        return cedar_parse_fail(p, NK_EINVAL, offset, "expected an entity: the id is missing");
    if (!cedar_take_string(p, &name.id))
        return false;
    if (var == CEDAR_ACTION && !cedar_is_action_type(name.type))
        return cedar_parse_fail(p, NK_EINVAL, offset, "an action's type must be Action");
    *out = cedar_uid(name);
    return true;
}

/* Room for the uids of a scope and where they stand. */
struct uids {
    struct cedar_uid *items;
    struct cedar_span *spans;
    uint32_t n, cap;
};

static bool make_room(struct cedar_parser *p, struct uids *list)
{
    uint32_t cap = list->cap ? 2 * list->cap : 1;
    if (list->n < list->cap)
        return true;
    struct uids bigger = {nk_arena_array(p->arena, cap, sizeof *bigger.items),
                          nk_arena_array(p->arena, cap, sizeof *bigger.spans), list->n, cap};
    if (!bigger.items || !bigger.spans)
        return cedar_parse_fail(p, NK_ENOMEM, p->token.offset, "out of memory");
    for (uint32_t i = 0; i < list->n; i++) {
        bigger.items[i] = list->items[i];
        bigger.spans[i] = list->spans[i];
    }
    *list = bigger;
    return true;
}

/* One entity, or (where it may stand) a slot, in any number of parentheses. */
static bool add_one(struct cedar_parser *p, enum cedar_var var, struct uids *list,
                    struct cedar_scope *scope)
{
    unsigned open;
    if (!open_parentheses(p, &open) || !make_room(p, list))
        return false;
    size_t offset = p->token.offset;
    bool is_slot = cedar_at(p, CEDAR_SLOT);
    if (is_slot ? !slot(p, var, scope) : !uid(p, var, &list->items[list->n]))
        return false;
    list->spans[list->n] = cedar_span_from(p, offset);
    list->n += !is_slot;
    return close_parentheses(p, open);
}

static void keep(struct cedar_scope *scope, const struct uids *list)
{
    scope->uids = scope->slot ? NULL : list->items;
    scope->spans = list->spans;
    scope->n = list->n;
}

static bool one_uid(struct cedar_parser *p, enum cedar_var var, struct cedar_scope *scope)
{
    struct uids list = {.n = 0};
    if (!add_one(p, var, &list, scope))
        return false;
    keep(scope, &list);
    return true;
}

/* [uid, uid …]; the bracket is at hand. */
static bool uid_list(struct cedar_parser *p, struct cedar_scope *scope)
{
    struct uids list = {.n = 0};
    cedar_next(p);
    scope->list = true;
    if (!cedar_take(p, ']'))
        do {
            if (p->code || !add_one(p, CEDAR_ACTION, &list, scope))
                return false;
        } while (cedar_more(p, ']'));
    keep(scope, &list);
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
    size_t offset = p->token.offset;
    if (!cedar_take_type(p, &scope->type, &uid_follows))
        return false;
    scope->type_span = cedar_span_from(p, offset);
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
    if (!cedar_take_word(p, cedar_var_names[var]))
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
        struct cedar_scope *own = &policy->scope[var];
        size_t offset = p->token.offset;
        if (!scope(p, (enum cedar_var)var, own))
            return false;
        own->span = cedar_span_from(p, offset);
        policy->slots |= (uint8_t)(own->slot << var);
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
        size_t offset = p->token.offset;
        cedar_next(p);
        if (!item || !cedar_need(p, '{', "expected '{'"))
            return false;
        item->unless = unless;
        item->body = cedar_parse_expr(p);
        if (!item->body || !cedar_need(p, '}', "expected '}' or an operator"))
            return false;
        item->span = cedar_span_from(p, offset);
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
    size_t offset = p->token.offset;
    out->text = p->lexer.text;
    if (!annotations(p, out))
        return NULL;
    out->forbid = cedar_at_word(p, NK_STR("forbid"));
    if (!out->forbid && !cedar_at_word(p, NK_STR("permit")))
        return cedar_parse_unexpected(p, "expected 'permit' or 'forbid'");
    cedar_next(p);
    if (!scopes(p, out) || !conditions(p, out))
        return NULL;
    if (!cedar_need(p, ';', "expected ';' behind the policy"))
        return NULL;
    out->span = cedar_span_from(p, offset);
    return out;
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
