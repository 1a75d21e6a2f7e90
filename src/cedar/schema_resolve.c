/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_resolve.c - from a schema as it was written to one whose names are resolved (docs.cedarpolicy.com,
 * "Schema", "Type resolution"; RFC 24, RFC 70):
 *
 *   a name with "::" means itself; one without means first the current namespace, then the empty one;
 *   at each of these a common type goes before an entity type;
 *   Bool, Long, String, ipaddr, decimal, datetime and duration are common types of the empty namespace unless
 *   it declares that name itself; with __cedar:: before them they are meant in any case;
 *   each namespace with actions has an entity type Action, which attributes may refer to.
 *
 * In passes, because everything may refer to everything: names, then common types, shapes, actions, and last
 * the ancestors of types and of actions.
 */
#include "cedar/schema_resolve.h"

static int report(struct resolver *r, enum nk_cedar_diag_code code, struct cedar_span span,
                  struct nk_str a, struct nk_str b, struct nk_str c)
{
    struct nk_cedar_diag diag = {.code = code,
                                 .text = r->s->text,
                                 .offset = span.offset,
                                 .end = span.end,
                                 .args = {a, b, c}};
    nk_cedar_diags_add(r->diags, &diag);
    return code == NK_CEDAR_DIAG_MEMORY ? NK_ENOMEM : NK_EINVAL;
}

static const struct nk_str none = {NULL, 0};

int cedar_resolve_memory(struct resolver *r)
{
    return report(r, NK_CEDAR_DIAG_MEMORY, (struct cedar_span){0, 0}, none, none, none);
}

int cedar_resolve_wrong(struct resolver *r, enum nk_cedar_diag_code code, struct cedar_span span,
                        struct nk_str a, struct nk_str b)
{
    return report(r, code, span, a, b, none);
}

struct nk_str cedar_resolve_full(struct resolver *r, struct nk_str space, struct nk_str name)
{
    if (space.n == 0)
        return name;
    return nk_arena_join(r->s->arena, (struct nk_str[]){space, NK_STR("::"), name}, 3);
}

static const struct cedar_type *builtin(struct nk_str name)
{
    static const struct {
        struct nk_str name;
        const struct cedar_type *type;
    } primitives[] = {{{"Bool", 4}, &cedar_type_bool},
                      {{"Long", 4}, &cedar_type_long},
                      {{"String", 6}, &cedar_type_string}};
    for (size_t i = 0; i < NK_COUNT(primitives); i++)
        if (nk_str_eq(primitives[i].name, name))
            return primitives[i].type;
    return cedar_resolve_extension(name);
}

const struct cedar_type *cedar_resolve_extension(struct nk_str name)
{
    static const struct {
        struct nk_str name;
        enum cedar_kind kind;
    } exts[] = {{{"decimal", 7}, CEDAR_DECIMAL},
                {{"ipaddr", 6}, CEDAR_IP},
                {{"datetime", 8}, CEDAR_DATETIME},
                {{"duration", 8}, CEDAR_DURATION}};
    for (size_t i = 0; i < NK_COUNT(exts); i++)
        if (nk_str_eq(exts[i].name, name))
            return cedar_type_ext(exts[i].kind);
    return NULL;
}

/* What a full name means; false: nothing. */
static bool meaning(const struct resolver *r, struct nk_str name, enum reference kind,
                    struct target *out)
{
    static const struct nk_str reserved = {"__cedar::", 9};
    bool common = kind != REFERENCE_ENTITY, entity = kind != REFERENCE_COMMON;
    *out = (struct target){0};
    if (common)
        out->common = nk_map_get(&r->commons, name);
    if (!out->common && entity)
        out->etype = nk_map_get(&r->s->etype_names, name);
    if (out->common || out->etype)
        return true;
    if (!common)
        return false;
    if (nk_str_starts(name, reserved))
        out->builtin = builtin(nk_str_sub(name, reserved.n, name.n));
    else if (!nk_map_get(&r->s->etype_names, name)) /* declared by the user: no alias */
        out->builtin = builtin(name);
    return out->builtin != NULL;
}

bool cedar_resolve_name(struct resolver *r, struct nk_str space, struct nk_str name,
                        enum reference kind, struct target *out)
{
    if (space.n > 0 && nk_str_search(name, NK_STR("::")) < 0) {
        struct nk_str full = cedar_resolve_full(r, space, name);
        if (full.p && meaning(r, full, kind, out))
            return true;
    }
    return meaning(r, name, kind, out);
}

static int undefined(struct resolver *r, struct cedar_span span, struct nk_str name,
                     enum reference kind)
{
    static const struct nk_str words[] = {{"common type", 11}, {"entity type", 11}, {"type", 4}};
    struct nk_str near = cedar_schema_near_type(r->s, name, r->s->arena);
    return report(r, NK_CEDAR_DIAG_UNDEFINED_TYPE, span, name, words[kind],
                  nk_str_eq(near, name) ? none : near);
}

int cedar_resolve_etype(struct resolver *r, struct nk_str space, const struct cedar_schema_ref *ref,
                        const struct cedar_etype **out)
{
    struct target target;
    if (!cedar_resolve_name(r, space, ref->name, REFERENCE_ENTITY, &target) ||
        target.etype->is_action)
        return undefined(r, ref->span, ref->name, REFERENCE_ENTITY);
    *out = target.etype;
    return 0;
}

/* Types ------------------------------------------------------------------------------------------- */

static int resolve_common(struct resolver *r, struct common *c, struct cedar_span span,
                          const struct cedar_type **out)
{
    if (c->state == COMMON_OPEN)
        return report(r, NK_CEDAR_DIAG_TYPE_CYCLE, span, c->decl->head.name, none, none);
    if (c->state == COMMON_DONE) {
        *out = c->type;
        return c->type ? 0 : NK_EINVAL;
    }
    c->state = COMMON_OPEN;
    int rc = cedar_resolve_type(r, c->space, c->decl->type, &c->type);
    c->state = COMMON_DONE;
    *out = c->type;
    return rc;
}

static int resolve_named(struct resolver *r, struct nk_str space, const struct cedar_schema_type *t,
                         enum reference kind, const struct cedar_type **out)
{
    struct target target;
    if (!cedar_resolve_name(r, space, t->name, kind, &target))
        return undefined(r, t->span, t->name, kind);
    if (target.common)
        return resolve_common(r, target.common, t->span, out);
    *out = target.builtin ? target.builtin : target.etype->self;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct cedar_schema_attr *const *x = a, *const *y = b;
    return cedar_name_cmp((*x)->name, (*y)->name);
}

static int resolve_record(struct resolver *r, struct nk_str space,
                          const struct cedar_schema_type *t, const struct cedar_type **out)
{
    const struct cedar_schema_attr **sorted = nk_arena_array(r->s->arena, t->n, sizeof *sorted);
    struct cedar_type_attr *attrs = nk_arena_array(r->s->arena, t->n, sizeof *attrs);
    uint32_t n = 0;
    if (!sorted || !attrs)
        return cedar_resolve_memory(r);
    for (const struct cedar_schema_attr *a = t->attrs; a; a = a->next)
        sorted[n++] = a;
    qsort(sorted, n, sizeof *sorted, by_name);
    for (uint32_t i = 0; i < n; i++) {
        if (i && nk_str_eq(sorted[i - 1]->name, sorted[i]->name)) {
            const struct cedar_schema_attr *a = sorted[i], *b = sorted[i - 1];
            return report(r, NK_CEDAR_DIAG_TWICE,
                          a->span.offset > b->span.offset ? a->span : b->span, a->name, none, none);
        }
        attrs[i].name = sorted[i]->name;
        attrs[i].required = !sorted[i]->optional;
        int rc = cedar_resolve_type(r, space, sorted[i]->type, &attrs[i].type);
        if (rc)
            return rc;
    }
    *out = cedar_type_record(&r->s->types, attrs, n, false);
    return *out ? 0 : cedar_resolve_deep(r, t->span);
}

int cedar_resolve_deep(struct resolver *r, struct cedar_span span)
{
    return report(r, NK_CEDAR_DIAG_LIMIT, span,
                  NK_STR("types are nested too deeply, or memory is out"), none, none);
}

static int resolve_form(struct resolver *r, struct nk_str space, const struct cedar_schema_type *t,
                        const struct cedar_type **out)
{
    int rc;
    switch ((enum cedar_form)t->form) {
    case CEDAR_FORM_BOOL:
        *out = &cedar_type_bool;
        return 0;
    case CEDAR_FORM_LONG:
        *out = &cedar_type_long;
        return 0;
    case CEDAR_FORM_STRING:
        *out = &cedar_type_string;
        return 0;
    case CEDAR_FORM_SET:
        rc = cedar_resolve_type(r, space, t->element, out);
        if (!rc)
            *out = cedar_type_set(&r->s->types, *out);
        return rc || *out ? rc : cedar_resolve_deep(r, t->span);
    case CEDAR_FORM_RECORD:
        return resolve_record(r, space, t, out);
    case CEDAR_FORM_ENTITY:
        return resolve_named(r, space, t, REFERENCE_ENTITY, out);
    case CEDAR_FORM_EITHER:
        return resolve_named(r, space, t, REFERENCE_EITHER, out);
    case CEDAR_FORM_EXTENSION:
        *out = cedar_resolve_extension(t->name);
        return *out ? 0 : undefined(r, t->span, t->name, REFERENCE_COMMON);
    case CEDAR_FORM_COMMON:
        break;
    }
    return resolve_named(r, space, t, REFERENCE_COMMON, out);
}

/* Recursion ends at CHAIN_MOST: common types of common types of … */
int cedar_resolve_type(struct resolver *r, struct nk_str space, const struct cedar_schema_type *t,
                       const struct cedar_type **out)
{
    *out = NULL;
    if (r->depth == CHAIN_MOST)
        return cedar_resolve_deep(r, t->span);
    r->depth++;
    int rc = resolve_form(r, space, t, out);
    r->depth--;
    return rc;
}

int cedar_resolve_shape(struct resolver *r, struct nk_str space, const struct cedar_schema_type *t,
                        struct nk_str what, const struct cedar_type **out)
{
    *out = cedar_type_record(&r->s->types, NULL, 0, false);
    if (!*out)
        return cedar_resolve_memory(r);
    if (!t)
        return 0;
    int rc = cedar_resolve_type(r, space, t, out);
    if (!rc && (*out)->kind != CEDAR_TYPE_RECORD)
        return report(r, NK_CEDAR_DIAG_NOT_RECORD, t->span, what,
                      cedar_type_name(*out, r->s->arena), none);
    return rc;
}

static int resolve_commons(struct resolver *r)
{
    const struct cedar_type *ignored;
    int rc = 0;
    for (struct cedar_schema_space *s = r->s->spaces; s; s = s->next)
        for (struct cedar_schema_common *c = s->commons; c; c = c->next) {
            struct nk_str full = cedar_resolve_full(r, s->head.name, c->head.name);
            struct common *common = nk_map_get(&r->commons, full);
            int one = common->state == COMMON_DONE
                          ? (common->type ? 0 : NK_EINVAL)
                          : resolve_common(r, common, c->head.span, &ignored);
            rc = rc ? rc : one;
        }
    return rc;
}

static int resolve_entities(struct resolver *r)
{
    int rc = 0, i = 0;
    for (struct cedar_schema_space *s = r->s->spaces; s; s = s->next)
        for (struct cedar_schema_entity *e = s->entities; e; e = e->next) {
            struct cedar_etype *type = r->s->etypes[i++];
            int one = cedar_resolve_shape(r, s->head.name, e->shape, type->name, &type->shape);
            if (!one && e->tags)
                one = cedar_resolve_type(r, s->head.name, e->tags, &type->tags);
            rc = rc ? rc : one;
        }
    return rc;
}

int cedar_schema_resolve(struct nk_cedar_schema *s, struct nk_cedar_diags *d)
{
    struct resolver r = {.s = s, .diags = d};
    int rc = cedar_resolve_names(&r);
    if (!rc)
        rc = resolve_commons(&r);
    if (!rc)
        rc = resolve_entities(&r);
    if (!rc)
        rc = cedar_resolve_actions(&r);
    if (!rc)
        rc = cedar_resolve_ancestors(&r);
    return rc;
}
