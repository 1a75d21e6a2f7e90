/* SPDX-License-Identifier: Apache-2.0
 *
 * valid_data.c - do entities and requests keep to a schema? (docs.cedarpolicy.com, "Entities and context
 * validation"; cedar-policy/cedar, entities/conformance.rs and validator/coreschema.rs.) Whoever decides over
 * data that was not checked gets what the validator promised only for data that was.
 */
#include "cedar/valid_data.h"

static const struct nk_str none = {NULL, 0};

static int wrong(struct nk_cedar_diags *d, enum nk_cedar_diag_code code, struct nk_str a,
                 struct nk_str b, struct nk_str c)
{
    struct nk_cedar_diag diag = {.code = code, .args = {a, b, c}};
    nk_cedar_diags_add(d, &diag);
    return NK_EINVAL;
}

/* Values ------------------------------------------------------------------------------------------------ */

static bool entity_fits(const struct cedar_uid *uid, const struct cedar_type *type)
{
    for (uint32_t i = 0; i < type->n; i++)
        if (nk_str_eq(type->of.entities[i]->name, uid->uid.type))
            return true;
    return type->kind == CEDAR_TYPE_ANY_ENTITY;
}

static bool record_fits(const struct nk_cedar_value *v, const struct cedar_type *type)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < type->n; i++) {
        const struct cedar_type_attr *a = &type->of.attrs[i];
        bool there = k < v->n && nk_str_eq(v->as.members[k].name, a->name);
        if (there && !cedar_value_fits(v->as.members[k].value, a->type))
            return false;
        if (!there && a->required)
            return false;
        k += there;
    }
    return k == v->n; /* both are sorted in one way: what is left over is not declared */
}

static bool set_fits(const struct nk_cedar_value *v, const struct cedar_type *type)
{
    for (uint32_t i = 0; i < v->n; i++)
        if (!cedar_value_fits(v->as.items[i], type->of.element))
            return false;
    return true;
}

/* Recursion ends: types are no deeper than CEDAR_TYPE_DEPTH. */
bool cedar_value_fits(const struct nk_cedar_value *v, const struct cedar_type *type)
{
    switch ((enum cedar_type_kind)type->kind) {
    case CEDAR_TYPE_BOOL:
        return v->kind == CEDAR_BOOL;
    case CEDAR_TYPE_LONG:
        return v->kind == CEDAR_LONG;
    case CEDAR_TYPE_STRING:
        return v->kind == CEDAR_STRING;
    case CEDAR_TYPE_EXT:
        return v->kind == type->ext;
    case CEDAR_TYPE_SET:
        return v->kind == CEDAR_SET && set_fits(v, type);
    case CEDAR_TYPE_RECORD:
        return v->kind == CEDAR_RECORD && record_fits(v, type);
    case CEDAR_TYPE_ENTITY:
    case CEDAR_TYPE_ANY_ENTITY:
        return v->kind == CEDAR_ENTITY && entity_fits(&v->as.entity, type);
    case CEDAR_TYPE_NEVER:
    case CEDAR_TYPE_TRUE:
    case CEDAR_TYPE_FALSE:
        break;
    }
    return false;
}

static bool uid_known(const struct nk_cedar_schema *s, struct nk_cedar_uid uid)
{
    const struct cedar_etype *type = cedar_schema_etype(s, uid.type);
    return !type || cedar_etype_has(type, uid.id);
}

/* The first entity in a value that is none of its enum; NULL: there is none. The value fits a type of the
 * schema already, which bounds the recursion. */
static const struct cedar_uid *bad_enum(const struct nk_cedar_schema *s,
                                        const struct nk_cedar_value *v)
{
    const struct cedar_uid *bad = NULL;
    if (v->kind == CEDAR_ENTITY && !uid_known(s, v->as.entity.uid))
        return &v->as.entity;
    for (uint32_t i = 0; v->kind == CEDAR_SET && i < v->n && !bad; i++)
        bad = bad_enum(s, v->as.items[i]);
    for (uint32_t i = 0; v->kind == CEDAR_RECORD && i < v->n && !bad; i++)
        bad = bad_enum(s, v->as.members[i].value);
    return bad;
}

/* Entities ---------------------------------------------------------------------------------------------- */

struct subject {
    const struct nk_cedar_schema *s;
    struct nk_cedar_diags *d;
    struct nk_str name; /* User::"alice" */
};

static int check_value(const struct subject *e, struct nk_str name, const struct nk_cedar_value *v,
                       const struct cedar_type *type, enum nk_cedar_diag_code code)
{
    if (!cedar_value_fits(v, type))
        return wrong(e->d, code, e->name, name, cedar_type_name(type, e->d->arena));
    const struct cedar_uid *bad = bad_enum(e->s, v);
    if (bad)
        return wrong(e->d, NK_CEDAR_DIAG_ENTITY_ENUM, e->name,
                     cedar_uid_name(bad->uid, e->d->arena), none);
    return 0;
}

static int check_attrs(const struct subject *e, const struct cedar_type *shape,
                       const struct nk_cedar_value *attrs)
{
    for (uint32_t i = 0; i < shape->n; i++) {
        const struct cedar_type_attr *a = &shape->of.attrs[i];
        if (a->required && !cedar_record_get(attrs, a->name))
            return wrong(e->d, NK_CEDAR_DIAG_ENTITY_MISSING, e->name, a->name, none);
    }
    for (uint32_t i = 0; i < attrs->n; i++) {
        const struct nk_cedar_member *m = &attrs->as.members[i];
        const struct cedar_type_attr *a = cedar_type_attr(shape, m->name);
        if (!a)
            return wrong(e->d, NK_CEDAR_DIAG_ENTITY_EXTRA, e->name, m->name, none);
        int rc = check_value(e, m->name, m->value, a->type, NK_CEDAR_DIAG_ENTITY_VALUE);
        if (rc)
            return rc;
    }
    return 0;
}

static int check_tags(const struct subject *e, const struct cedar_type *type,
                      const struct nk_cedar_value *tags)
{
    if (tags->n > 0 && !type)
        return wrong(e->d, NK_CEDAR_DIAG_ENTITY_NO_TAGS, e->name, none, none);
    for (uint32_t i = 0; i < tags->n; i++) {
        const struct nk_cedar_member *m = &tags->as.members[i];
        int rc = check_value(e, m->name, m->value, type, NK_CEDAR_DIAG_ENTITY_TAG);
        if (rc)
            return rc;
    }
    return 0;
}

static int check_parents(const struct subject *e, const struct cedar_etype *type,
                         const struct nk_cedar_uid *parents, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct cedar_etype *parent = cedar_schema_etype(e->s, parents[i].type);
        bool fits = false;
        for (uint32_t k = 0; parent && k < type->ancestor_n; k++)
            fits = fits || type->ancestors[k] == parent;
        if (!fits)
            return wrong(e->d, NK_CEDAR_DIAG_ENTITY_PARENT, e->name, parents[i].type, none);
        if (!uid_known(e->s, parents[i]))
            return wrong(e->d, NK_CEDAR_DIAG_ENTITY_ENUM, e->name,
                         cedar_uid_name(parents[i], e->d->arena), none);
    }
    return 0;
}

/* An action may be among the entities if it says what the schema says: no attributes, the same groups. */
static int check_action(const struct subject *e, struct nk_cedar_uid uid,
                        const struct nk_cedar_uid *parents, size_t n, bool bare)
{
    struct cedar_uid own = cedar_uid(uid);
    const struct cedar_action *action = cedar_schema_action(e->s, &own);
    if (!action)
        return wrong(e->d, NK_CEDAR_DIAG_ENTITY_ACTION, e->name, none, none);
    bool same = bare;
    for (uint32_t i = 0; i < action->ancestor_n && same; i++) {
        bool reached = false;
        for (size_t k = 0; k < n && !reached; k++) {
            struct cedar_uid parent = cedar_uid(parents[k]);
            const struct cedar_action *group = cedar_schema_action(e->s, &parent);
            reached = group && cedar_action_in(group, action->ancestors[i]);
        }
        same = reached;
    }
    for (size_t k = 0; k < n && same; k++) {
        struct cedar_uid parent = cedar_uid(parents[k]);
        const struct cedar_action *group = cedar_schema_action(e->s, &parent);
        same = group && group != action && cedar_action_in(action, group);
    }
    return same ? 0 : wrong(e->d, NK_CEDAR_DIAG_ENTITY_ACTION, e->name, none, none);
}

int nk_cedar_validate_entity(const struct nk_cedar_schema *s, struct nk_cedar_uid uid,
                             const struct nk_cedar_uid *parents, size_t parent_count,
                             const struct nk_cedar_value *attrs, const struct nk_cedar_value *tags,
                             struct nk_cedar_diags *d)
{
    struct subject e = {s, d, cedar_uid_name(uid, d->arena)};
    const struct cedar_etype *type = cedar_schema_etype(s, uid.type);
    attrs = attrs ? attrs : &cedar_empty_record;
    tags = tags ? tags : &cedar_empty_record;
    if (cedar_type_is_action(uid.type))
        return check_action(&e, uid, parents, parent_count, attrs->n == 0 && tags->n == 0);
    if (!type)
        return wrong(d, NK_CEDAR_DIAG_ENTITY_TYPE, e.name,
                     cedar_schema_near_type(s, uid.type, d->arena), none);
    if (!cedar_etype_has(type, uid.id))
        return wrong(d, NK_CEDAR_DIAG_ENTITY_ENUM, e.name, e.name, none);
    int rc = check_attrs(&e, type->shape, attrs);
    if (!rc)
        rc = check_tags(&e, type->tags, tags);
    return rc ? rc : check_parents(&e, type, parents, parent_count);
}

/* Requests ---------------------------------------------------------------------------------------------- */

static const struct cedar_etype *request_type(const struct nk_cedar_schema *s,
                                              struct nk_cedar_uid uid, struct nk_cedar_diags *d)
{
    const struct cedar_etype *type = cedar_schema_etype(s, uid.type);
    if (!type || type->is_action) {
        (void)wrong(d, NK_CEDAR_DIAG_REQUEST_TYPE, uid.type,
                    cedar_schema_near_type(s, uid.type, d->arena), none);
        return NULL;
    }
    if (!cedar_etype_has(type, uid.id)) {
        (void)wrong(d, NK_CEDAR_DIAG_REQUEST_ENUM, cedar_uid_name(uid, d->arena), none, none);
        return NULL;
    }
    return type;
}

static bool among(const struct cedar_etype *type, const struct cedar_etype *const *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (list[i] == type)
            return true;
    return false;
}

int nk_cedar_validate_request(const struct nk_cedar_schema *s, const struct nk_cedar_request *r,
                              struct nk_cedar_diags *d)
{
    const struct cedar_etype *principal = request_type(s, r->principal, d);
    const struct cedar_etype *resource = request_type(s, r->resource, d);
    const struct nk_cedar_value *context = r->context ? r->context : &cedar_empty_record;
    struct cedar_uid uid = cedar_uid(r->action);
    const struct cedar_action *action = cedar_schema_action(s, &uid);
    struct nk_str name = cedar_uid_name(r->action, d->arena);
    if (!action)
        return wrong(d, NK_CEDAR_DIAG_REQUEST_ACTION, name,
                     cedar_schema_near_action(s, r->action, d->arena), none);
    if (!principal || !resource)
        return NK_EINVAL;
    if (!among(principal, action->principals, action->principal_n))
        return wrong(d, NK_CEDAR_DIAG_REQUEST_PRINCIPAL, r->principal.type, name, none);
    if (!among(resource, action->resources, action->resource_n))
        return wrong(d, NK_CEDAR_DIAG_REQUEST_RESOURCE, r->resource.type, name, none);
    if (!cedar_value_fits(context, action->context))
        return wrong(d, NK_CEDAR_DIAG_REQUEST_CONTEXT, name,
                     cedar_type_name(action->context, d->arena), none);
    const struct cedar_uid *bad = bad_enum(s, context);
    if (bad)
        return wrong(d, NK_CEDAR_DIAG_REQUEST_ENUM, cedar_uid_name(bad->uid, d->arena), none, none);
    return 0;
}

struct nk_cedar_uid *cedar_action_parents(const struct cedar_action *action, struct nk_arena *a)
{
    struct nk_cedar_uid *parents = nk_arena_array(a, action->ancestor_n, sizeof *parents);
    for (uint32_t i = 0; parents && i < action->ancestor_n; i++)
        parents[i] = action->ancestors[i]->uid.uid;
    return parents;
}

int nk_cedar_entities_add_actions(struct nk_cedar_entities *e, const struct nk_cedar_schema *s,
                                  struct nk_arena *a)
{
    for (uint32_t i = 0; i < s->action_n; i++) {
        const struct cedar_action *action = s->actions[i];
        struct nk_cedar_uid *parents = cedar_action_parents(action, a);
        if (!parents)
            return NK_ENOMEM;
        int rc = nk_cedar_entities_add(e, action->uid.uid, parents, action->ancestor_n, NULL, NULL);
        if (rc && rc != NK_ECONFLICT)
            return rc;
    }
    return 0;
}
