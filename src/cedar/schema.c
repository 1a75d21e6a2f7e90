/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c - reading a schema from start to end, and looking things up in one. See schema.h and type.h.
 */
#include "cedar/schema.h"

#include "cedar/lexer.h"
#include "cedar/schema_model.h"
#include "base/near.h"

#include <stdio.h>

enum {
    NEAR_MOST = 2000, /* declarations that "did you mean" looks at */
    CHOICES_SHOWN = 8,
};

struct cedar_schema_space *cedar_schema_space_new(struct cedar_schema_reading *r,
                                                  struct nk_str name)
{
    struct cedar_schema_space *space = nk_arena_alloc(r->arena, sizeof *space);
    if (!space)
        return NULL;
    space->head.name = name;
    space->commons_tail = &space->commons;
    space->entities_tail = &space->entities;
    space->actions_tail = &space->actions;
    *r->tail = space;
    r->tail = &space->next;
    return space;
}

int cedar_schema_wrong(struct cedar_schema_reading *r, enum nk_cedar_diag_code code,
                       struct cedar_span span, const struct nk_str *args)
{
    struct nk_cedar_diag diag = {
        .code = code, .text = r->text, .offset = span.offset, .end = span.end};
    for (size_t i = 0; args && i < NK_CEDAR_DIAG_ARGS; i++)
        diag.args[i] = args[i];
    nk_cedar_diags_add(r->diags, &diag);
    return NK_EINVAL;
}

bool cedar_schema_common_ok(struct nk_str name)
{
    static const struct nk_str taken[] = {{"Bool", 4},      {"Boolean", 7}, {"Entity", 6},
                                          {"Extension", 9}, {"Long", 4},    {"Record", 6},
                                          {"Set", 3},       {"String", 6}};
    for (size_t i = 0; i < NK_COUNT(taken); i++)
        if (nk_str_eq(name, taken[i]))
            return false;
    return true;
}

bool cedar_schema_path_ok(struct nk_str name)
{
    if (name.n > CEDAR_NAME)
        return false;
    struct cedar_lexer l = {.text = name};
    struct cedar_token token;
    size_t end = 0;
    for (;;) {
        if (!cedar_lex(&l, &token) || token.kind != CEDAR_IDENT || token.offset != end ||
            (!cedar_name_free(token.text) && !nk_str_eq(token.text, NK_STR("__cedar"))))
            return false;
        end = l.at;
        if (!cedar_lex(&l, &token) || token.offset != end)
            return false;
        if (token.kind == CEDAR_END)
            return true;
        end = l.at;
        if (token.kind != CEDAR_PATH_SEP)
            return false;
    }
}

bool cedar_schema_path_reserved(struct nk_str path)
{
    return nk_str_eq(path, NK_STR("__cedar")) || nk_str_starts(path, NK_STR("__cedar::")) ||
           nk_str_ends(path, NK_STR("::__cedar")) ||
           nk_str_search(path, NK_STR("::__cedar::")) >= 0;
}

static int read(struct nk_str text, bool json, struct nk_arena *a, struct nk_cedar_diags *d,
                const struct nk_cedar_schema **out)
{
    struct cedar_schema_reading r = {.arena = a, .text = text, .diags = d};
    struct nk_cedar_schema *s = nk_arena_alloc(a, sizeof *s);
    r.tail = &r.spaces;
    *out = NULL;
    if (!s)
        return NK_ENOMEM;
    if (text.n > CEDAR_SCHEMA_TEXT) {
        struct nk_str args[NK_CEDAR_DIAG_ARGS] = {NK_STR("the schema is over 64 MiB long")};
        (void)cedar_schema_wrong(&r, NK_CEDAR_DIAG_LIMIT, (struct cedar_span){0, 0}, args);
        return NK_ELIMIT;
    }
    int rc = json ? cedar_schema_read_json(&r) : cedar_schema_read_text(&r);
    if (rc)
        return rc;
    *s = (struct nk_cedar_schema){
        .arena = a, .text = text, .json = json, .spaces = r.spaces, .types = {.arena = a}};
    rc = cedar_schema_resolve(s, d);
    if (!rc)
        *out = s;
    return rc;
}

int nk_cedar_schema_parse(struct nk_str text, struct nk_arena *a, struct nk_cedar_diags *d,
                          const struct nk_cedar_schema **out)
{
    return read(text, false, a, d, out);
}

int nk_cedar_schema_parse_json(struct nk_str text, struct nk_arena *a, struct nk_cedar_diags *d,
                               const struct nk_cedar_schema **out)
{
    return read(text, true, a, d, out);
}

const struct cedar_etype *cedar_schema_etype(const struct nk_cedar_schema *s, struct nk_str name)
{
    return nk_map_get(&s->etype_names, name);
}

const struct cedar_action *cedar_schema_action(const struct nk_cedar_schema *s,
                                               const struct cedar_uid *uid)
{
    size_t mask = s->by_uid_cap - 1;
    for (size_t at = (size_t)uid->hash & mask; s->by_uid[at]; at = (at + 1) & mask)
        if (cedar_uid_eq(&s->by_uid[at]->uid, uid))
            return s->by_uid[at];
    return NULL;
}

bool nk_cedar_schema_has_groups(const struct nk_cedar_schema *s)
{
    bool found = false;
    for (uint32_t i = 0; i < s->action_n; i++)
        found = found || s->actions[i]->ancestor_n > 0;
    return found;
}

bool cedar_etype_in(const struct cedar_etype *a, const struct cedar_etype *b)
{
    uint32_t low = 0, high = a->ancestor_n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (a->ancestors[mid]->index < b->index)
            low = mid + 1;
        else
            high = mid;
    }
    return a == b || (low < a->ancestor_n && a->ancestors[low] == b);
}

bool cedar_action_in(const struct cedar_action *a, const struct cedar_action *b)
{
    uint32_t low = 0, high = a->ancestor_n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (a->ancestors[mid]->index < b->index)
            low = mid + 1;
        else
            high = mid;
    }
    return a == b || (low < a->ancestor_n && a->ancestors[low] == b);
}

bool cedar_etype_has(const struct cedar_etype *type, struct nk_str id)
{
    uint32_t low = 0, high = type->choice_n;
    if (!type->is_enum)
        return true;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = cedar_name_cmp(type->choices[mid], id);
        if (order == 0)
            return true;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

bool cedar_type_is_action(struct nk_str name)
{
    return nk_str_eq(name, NK_STR("Action")) || nk_str_ends(name, NK_STR("::Action"));
}

/* The last part of A::B::C. */
static struct nk_str base_name(struct nk_str name)
{
    size_t at = name.n;
    while (at > 0 && name.p[at - 1] != ':')
        at--;
    return nk_str_sub(name, at, name.n);
}

struct nk_str cedar_schema_near_type(const struct nk_cedar_schema *s, struct nk_str name,
                                     struct nk_arena *a)
{
    uint32_t most = s->etype_n < NEAR_MOST ? s->etype_n : NEAR_MOST, n = 0;
    struct nk_str *names = nk_arena_array(a, most, sizeof *names);
    for (uint32_t i = 0; names && i < most; i++) {
        if (s->etypes[i]->is_action)
            continue;
        if (nk_str_eq(base_name(s->etypes[i]->name), base_name(name)))
            return s->etypes[i]->name; /* the namespace was forgotten */
        names[n++] = s->etypes[i]->name;
    }
    return names ? nk_near(name, names, n) : (struct nk_str){NULL, 0};
}

struct nk_str cedar_uid_name(struct nk_cedar_uid uid, struct nk_arena *a)
{
    struct nk_str parts[] = {uid.type, NK_STR("::\""), uid.id, NK_STR("\"")};
    return nk_arena_join(a, parts, NK_COUNT(parts));
}

struct nk_str cedar_schema_near_action(const struct nk_cedar_schema *s, struct nk_cedar_uid uid,
                                       struct nk_arena *a)
{
    uint32_t most = s->action_n < NEAR_MOST ? s->action_n : NEAR_MOST, at = 0;
    struct nk_str *names = nk_arena_array(a, most, sizeof *names);
    for (uint32_t i = 0; names && i < most; i++) {
        if (nk_str_eq(s->actions[i]->uid.uid.id, uid.id))
            return cedar_uid_name(s->actions[i]->uid.uid, a); /* only its type is wrong */
        names[i] = s->actions[i]->uid.uid.id;
    }
    struct nk_str near = names ? nk_near(uid.id, names, most) : (struct nk_str){NULL, 0};
    if (!near.p)
        return near;
    while (names[at].p != near.p)
        at++;
    return cedar_uid_name(s->actions[at]->uid.uid, a);
}

struct nk_str cedar_etype_choices(const struct cedar_etype *type, struct nk_arena *a)
{
    struct nk_str parts[2 * CHOICES_SHOWN + 1];
    size_t n = 0;
    for (uint32_t i = 0; i < type->choice_n && i < CHOICES_SHOWN; i++) {
        parts[n++] = i ? NK_STR(", ") : NK_STR("");
        parts[n++] = cedar_uid_name((struct nk_cedar_uid){type->name, type->choices[i]}, a);
    }
    if (type->choice_n > CHOICES_SHOWN)
        parts[n++] = NK_STR(" …");
    return nk_arena_join(a, parts, n);
}
