/* SPDX-License-Identifier: Apache-2.0
 *
 * est_policy.c - policies in Cedar's JSON form: head, scopes, conditions and annotations, and what
 * all readers of that form stand on. What the reference ignores (a member that means nothing there)
 * is refused here: it is a mistake, or a restriction that would not hold.
 */
#include "cedar/convert.h"
#include "cedar/est.h"

#include <stdio.h>

void *cedar_est_fail(struct cedar_est *r, uint32_t at, int code, const char *why)
{
    if (r->code)
        return NULL;
    size_t offset = at < r->doc->n ? r->doc->tape[at].start : 0;
    r->code = nk_fault_set(r->fault, code, "cedar", offset, "byte %zu: %s", offset, why);
    return NULL;
}

void *cedar_est_fail_name(struct cedar_est *r, uint32_t at, const char *why)
{
    char text[112];
    struct nk_str name = nk_json_span(r->doc, at);
    snprintf(text, sizeof text, "%s %.*s", why, name.n < 60 ? (int)name.n : 0, name.p);
    return cedar_est_fail(r, at, NK_EINVAL, text);
}

bool cedar_est_members(struct cedar_est *r, uint32_t at, struct cedar_est_member *list, size_t n)
{
    if (nk_json_type(r->doc, at) != NK_JSON_OBJECT)
        return cedar_est_fail(r, at, NK_EINVAL, "expected an object");
    for (size_t i = 0; i < n; i++)
        list[i].at = NK_JSON_NONE;
    for (uint32_t name = nk_json_first(r->doc, at); name != NK_JSON_NONE;
         name = nk_json_next(r->doc, at, name)) {
        size_t i = 0;
        while (i < n && !nk_json_is(r->doc, name, nk_str(list[i].name)))
            i++;
        if (i == n)
            return cedar_est_fail_name(r, name, "unknown member");
        list[i].at = name + 1;
    }
    for (size_t i = 0; i < n; i++) {
        char text[80];
        if (list[i].at != NK_JSON_NONE || list[i].optional)
            continue;
        snprintf(text, sizeof text, "member \"%s\" is missing", list[i].name);
        return cedar_est_fail(r, at, NK_EINVAL, text);
    }
    return !r->code;
}

bool cedar_est_string(struct cedar_est *r, uint32_t at, struct nk_str *out)
{
    if (nk_json_type(r->doc, at) != NK_JSON_STRING)
        return cedar_est_fail(r, at, NK_EINVAL, "expected a string");
    *out = nk_json_string(r->doc, at, r->arena);
    return out->p || cedar_est_fail(r, at, NK_ENOMEM, "out of memory");
}

bool cedar_est_type(struct cedar_est *r, uint32_t at, struct nk_str *out)
{
    if (!cedar_est_string(r, at, out))
        return false;
    return (out->n <= CEDAR_NAME && nk_cedar_type_ok(*out)) ||
           cedar_est_fail(r, at, NK_EINVAL, "this is not the name of an entity type");
}

bool cedar_est_uid(struct cedar_est *r, uint32_t at, struct nk_cedar_uid *out)
{
    struct cedar_est_member m[] = {{"type", false, 0}, {"id", false, 0}};
    struct cedar_est_member escape[] = {{"__entity", false, 0}};
    if (nk_json_get(r->doc, at, NK_STR("__entity")) != NK_JSON_NONE) {
        if (!cedar_est_members(r, at, escape, 1))
            return false;
        at = escape[0].at;
    }
    return cedar_est_members(r, at, m, NK_COUNT(m)) && cedar_est_type(r, m[0].at, &out->type) &&
           cedar_est_string(r, m[1].at, &out->id);
}

/* Scopes -------------------------------------------------------------------------------------- */

static bool one_uid(struct cedar_est *r, uint32_t at, unsigned var, struct cedar_uid *out)
{
    struct nk_cedar_uid uid;
    if (!cedar_est_uid(r, at, &uid))
        return false;
    if (var == CEDAR_ACTION && !cedar_is_action_type(uid.type))
        return cedar_est_fail(r, at, NK_EINVAL, "an action's type must be Action");
    *out = cedar_uid(uid);
    return true;
}

/* The entity at `at`, or the entities of the array at `at`. */
static bool uids(struct cedar_est *r, uint32_t at, unsigned var, struct cedar_scope *out)
{
    uint32_t n = out->list ? r->doc->tape[at].count : 1;
    uint32_t item = out->list ? nk_json_first(r->doc, at) : at;
    struct cedar_uid *own = nk_arena_array(r->arena, n, sizeof *own);
    struct cedar_span *spans = nk_arena_array(r->arena, n, sizeof *spans);
    if (!own || !spans)
        return cedar_est_fail(r, at, NK_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < n; i++) {
        if (!one_uid(r, item, var, &own[i]))
            return false;
        item = out->list ? nk_json_next(r->doc, at, item) : item;
    }
    out->uids = own;
    out->spans = spans;
    out->n = n;
    return true;
}

static bool slot(struct cedar_est *r, uint32_t at, unsigned var, struct cedar_scope *out)
{
    struct nk_str name;
    if (!cedar_est_string(r, at, &name))
        return false;
    if (name.n < 1 || name.p[0] != '?' || var == CEDAR_ACTION ||
        !nk_str_eq(nk_str_sub(name, 1, name.n), cedar_var_names[var]))
        return cedar_est_fail(r, at, NK_EINVAL, "this slot cannot stand here");
    out->slot = true;
    out->spans = nk_arena_alloc(r->arena, sizeof *out->spans);
    return out->spans || cedar_est_fail(r, at, NK_ENOMEM, "out of memory");
}

/* What stands behind ==, in and is … in: exactly one of the members. */
static bool target(struct cedar_est *r, uint32_t at, const struct cedar_est_member *entity,
                   unsigned var, struct cedar_scope *out)
{
    unsigned given = 0;
    for (unsigned i = 0; i < 3; i++)
        given += entity[i].at != NK_JSON_NONE;
    if (given != 1)
        return cedar_est_fail(r, at, NK_EINVAL, "expected an entity or a slot, and not both");
    if (entity[1].at != NK_JSON_NONE)
        return slot(r, entity[1].at, var, out);
    out->list = entity[2].at != NK_JSON_NONE;
    if (out->list && (var != CEDAR_ACTION || out->kind != CEDAR_SCOPE_IN))
        return cedar_est_fail(r, at, NK_EINVAL, "several entities can stand only in action in");
    if (out->list && nk_json_type(r->doc, entity[2].at) != NK_JSON_ARRAY)
        return cedar_est_fail(r, entity[2].at, NK_EINVAL, "expected an array");
    return uids(r, out->list ? entity[2].at : entity[0].at, var, out);
}

static bool scope_is(struct cedar_est *r, const struct cedar_est_member *m, unsigned var,
                     struct cedar_scope *out)
{
    struct cedar_est_member inner[] = {
        {"entity", true, 0}, {"slot", true, 0}, {"entities", true, 0}};
    if (!cedar_est_type(r, m[4].at, &out->type))
        return false;
    out->kind = CEDAR_SCOPE_IS;
    if (m[5].at == NK_JSON_NONE || nk_json_type(r->doc, m[5].at) == NK_JSON_NULL)
        return true;
    out->kind = CEDAR_SCOPE_IS_IN;
    return cedar_est_members(r, m[5].at, inner, NK_COUNT(inner)) &&
           target(r, m[5].at, inner, var, out);
}

static bool scope(struct cedar_est *r, uint32_t at, unsigned var, struct cedar_scope *out)
{
    struct cedar_est_member m[] = {{"op", false, 0},         {"entity", true, 0},
                                   {"slot", true, 0},        {"entities", true, 0},
                                   {"entity_type", true, 0}, {"in", true, 0}};
    if (!cedar_est_members(r, at, m, NK_COUNT(m)))
        return false;
    bool all =
        nk_json_is(r->doc, m[0].at, NK_STR("All")) || nk_json_is(r->doc, m[0].at, NK_STR("all"));
    bool eq = nk_json_is(r->doc, m[0].at, NK_STR("==")),
         is = nk_json_is(r->doc, m[0].at, NK_STR("is"));
    bool in = nk_json_is(r->doc, m[0].at, NK_STR("in"));
    if (!all && !eq && !in && !(is && var != CEDAR_ACTION))
        return cedar_est_fail(r, m[0].at, NK_EINVAL, "this \"op\" cannot stand here");
    for (size_t i = 1; i < NK_COUNT(m); i++)
        if (m[i].at != NK_JSON_NONE && (all || is != (i > 3)))
            return cedar_est_fail(r, m[i].at, NK_EINVAL,
                                  "this member does not go with this \"op\"");
    if (is)
        return scope_is(r, m, var, out);
    out->kind = eq ? CEDAR_SCOPE_EQ : in ? CEDAR_SCOPE_IN : CEDAR_SCOPE_ANY;
    return all || target(r, at, &m[1], var, out);
}

/* Policies ------------------------------------------------------------------------------------ */

static void *new_item(struct cedar_est *r, uint32_t at, size_t size)
{
    void *item = nk_arena_alloc(r->arena, size);
    return item ? item : cedar_est_fail(r, at, NK_ENOMEM, "out of memory");
}

static bool conditions(struct cedar_est *r, uint32_t at, struct cedar_policy *policy)
{
    struct cedar_condition *first = NULL, **tail = &first;
    if (nk_json_type(r->doc, at) != NK_JSON_ARRAY)
        return cedar_est_fail(r, at, NK_EINVAL, "expected an array");
    for (uint32_t i = nk_json_first(r->doc, at); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, at, i)) {
        struct cedar_est_member m[] = {{"kind", false, 0}, {"body", false, 0}};
        struct cedar_condition *item = new_item(r, i, sizeof *item);
        if (!item || !cedar_est_members(r, i, m, NK_COUNT(m)))
            return false;
        item->unless = nk_json_is(r->doc, m[0].at, NK_STR("unless"));
        if (!item->unless && !nk_json_is(r->doc, m[0].at, NK_STR("when")))
            return cedar_est_fail(r, m[0].at, NK_EINVAL, "expected \"when\" or \"unless\"");
        item->body = cedar_est_expr(r, m[1].at);
        if (!item->body)
            return false;
        *tail = item;
        tail = &item->next;
    }
    policy->conditions = first;
    return true;
}

static bool is_word(struct nk_str s)
{
    struct cedar_lexer lexer = {.text = s};
    struct cedar_token token;
    return cedar_lex(&lexer, &token) && token.kind == CEDAR_IDENT && token.text.n == s.n;
}

static bool annotations(struct cedar_est *r, uint32_t at, struct cedar_policy *policy)
{
    struct cedar_annotation *first = NULL, **tail = &first;
    if (at == NK_JSON_NONE)
        return true;
    if (nk_json_type(r->doc, at) != NK_JSON_OBJECT)
        return cedar_est_fail(r, at, NK_EINVAL, "expected an object");
    if (r->doc->tape[at].count > CEDAR_ANNOTATIONS)
        return cedar_est_fail(r, at, NK_ELIMIT, "too many annotations");
    for (uint32_t i = nk_json_first(r->doc, at); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, at, i)) {
        struct cedar_annotation *item = new_item(r, i, sizeof *item);
        if (!item || !cedar_est_string(r, i, &item->name))
            return false;
        if (!is_word(item->name))
            return cedar_est_fail(r, i, NK_EINVAL, "an annotation's name must be a word");
        item->has_value = nk_json_type(r->doc, i + 1) != NK_JSON_NULL;
        item->value = NK_STR("");
        if (item->has_value && !cedar_est_string(r, i + 1, &item->value))
            return false;
        *tail = item;
        tail = &item->next;
    }
    policy->annotations = first;
    return true;
}

struct cedar_policy *cedar_est_policy(struct cedar_est *r, uint32_t at)
{
    struct cedar_est_member m[] = {{"effect", false, 0},     {"principal", false, 0},
                                   {"action", false, 0},     {"resource", false, 0},
                                   {"conditions", false, 0}, {"annotations", true, 0}};
    struct cedar_policy *out = new_item(r, at, sizeof *out);
    if (!out || !cedar_est_members(r, at, m, NK_COUNT(m)))
        return NULL;
    out->forbid = nk_json_is(r->doc, m[0].at, NK_STR("forbid"));
    if (!out->forbid && !nk_json_is(r->doc, m[0].at, NK_STR("permit")))
        return cedar_est_fail(r, m[0].at, NK_EINVAL, "expected \"permit\" or \"forbid\"");
    for (unsigned var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        if (!scope(r, m[1 + var].at, var, &out->scope[var]))
            return NULL;
        out->slots |= (uint8_t)(out->scope[var].slot << var);
    }
    return conditions(r, m[4].at, out) && annotations(r, m[5].at, out) ? out : NULL;
}
