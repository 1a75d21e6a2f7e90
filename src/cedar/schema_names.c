/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_names.c - the first pass over a schema: everything that is declared gets its full name; what is
 * declared twice, or hides a name of the empty namespace (RFC 70), is refused.
 */
#include "cedar/schema_resolve.h"

static const struct nk_str none = {NULL, 0};

/* Schemas are written by those who also write the policies, so no secret is needed here. */
static const uint64_t seed[2] = {0x6e616b6f736f, 0x736368656d61};

static int put(struct resolver *r, struct nk_map *map, struct nk_str full, void *value,
               const struct cedar_schema_head *head)
{
    int rc = full.p ? nk_map_put(map, full, value) : NK_ENOMEM;
    if (rc == NK_ECONFLICT)
        return cedar_resolve_wrong(r, NK_CEDAR_DIAG_TWICE, head->span, full, none);
    return rc ? cedar_resolve_memory(r) : 0;
}

static int add_etype(struct resolver *r, struct nk_str full, const struct cedar_schema_entity *e)
{
    struct nk_cedar_schema *s = r->s;
    struct cedar_etype *type = nk_arena_alloc(s->arena, sizeof *type);
    const struct cedar_etype *self = type;
    if (!type || !full.p)
        return cedar_resolve_memory(r);
    *type = (struct cedar_etype){
        .name = full, .index = s->etype_n, .is_action = !e, .is_enum = e && e->is_enum, .decl = e};
    type->self = cedar_type_entity(&s->types, &self, 1);
    type->shape = cedar_type_record(&s->types, NULL, 0, false);
    s->etypes[s->etype_n++] = type;
    if (!type->self || !type->shape)
        return cedar_resolve_memory(r);
    static const struct cedar_schema_head nowhere = {0};
    return put(r, &s->etype_names, full, type, e ? &e->head : &nowhere);
}

static int by_name(const void *a, const void *b)
{
    return cedar_name_cmp(*(const struct nk_str *)a, *(const struct nk_str *)b);
}

static int add_choices(struct resolver *r, const struct cedar_schema_entity *e,
                       struct cedar_etype *type)
{
    uint32_t n = 0;
    for (const struct cedar_schema_ref *ref = e->choices; ref; ref = ref->next)
        n++;
    struct nk_str *list = nk_arena_array(r->s->arena, n, sizeof *list);
    if (!list)
        return cedar_resolve_memory(r);
    n = 0;
    for (const struct cedar_schema_ref *ref = e->choices; ref; ref = ref->next)
        list[n++] = ref->id;
    qsort(list, n, sizeof *list, by_name);
    type->choices = list;
    type->choice_n = n;
    return 0;
}

static int add_entity(struct resolver *r, struct nk_str space, const struct cedar_schema_entity *e)
{
    if (nk_str_eq(e->head.name, NK_STR("Action")))
        return cedar_resolve_wrong(r, NK_CEDAR_DIAG_RESERVED, e->head.span, e->head.name, none);
    int rc = add_etype(r, cedar_resolve_full(r, space, e->head.name), e);
    return rc ? rc : add_choices(r, e, r->s->etypes[r->s->etype_n - 1]);
}

static int add_common(struct resolver *r, struct nk_str space, const struct cedar_schema_common *c)
{
    struct common *common = nk_arena_alloc(r->s->arena, sizeof *common);
    if (!common)
        return cedar_resolve_memory(r);
    *common = (struct common){.decl = c, .space = space};
    return put(r, &r->commons, cedar_resolve_full(r, space, c->head.name), common, &c->head);
}

static int add_action(struct resolver *r, struct nk_str type, const struct cedar_schema_action *a)
{
    struct nk_cedar_schema *s = r->s;
    struct cedar_action *action = nk_arena_alloc(s->arena, sizeof *action);
    if (!action)
        return cedar_resolve_memory(r);
    *action = (struct cedar_action){.uid = cedar_uid((struct nk_cedar_uid){type, a->head.name}),
                                    .index = s->action_n,
                                    .decl = a};
    size_t mask = s->by_uid_cap - 1, at = (size_t)action->uid.hash & mask;
    for (; s->by_uid[at]; at = (at + 1) & mask)
        if (cedar_uid_eq(&s->by_uid[at]->uid, &action->uid))
            return cedar_resolve_wrong(r, NK_CEDAR_DIAG_TWICE, a->head.span,
                                       cedar_uid_name(action->uid.uid, s->arena), none);
    s->by_uid[at] = action;
    s->actions[s->action_n++] = action;
    return 0;
}

static int make_room(struct resolver *r)
{
    struct nk_cedar_schema *s = r->s;
    size_t types = 0, actions = 0;
    for (struct cedar_schema_space *space = s->spaces; space; space = space->next) {
        for (struct cedar_schema_entity *e = space->entities; e; e = e->next)
            types++;
        for (struct cedar_schema_action *a = space->actions; a; a = a->next)
            actions++;
        types++; /* its Action */
    }
    for (s->by_uid_cap = 16; s->by_uid_cap < 2 * actions + 1;)
        s->by_uid_cap *= 2;
    s->etypes = nk_arena_array(s->arena, types, sizeof *s->etypes);
    s->actions = nk_arena_array(s->arena, actions, sizeof *s->actions);
    s->by_uid = nk_arena_array(s->arena, s->by_uid_cap, sizeof *s->by_uid);
    nk_map_init(&s->etype_names, s->arena, seed);
    nk_map_init(&r->commons, s->arena, seed);
    return s->etypes && s->actions && s->by_uid ? 0 : cedar_resolve_memory(r);
}

static int add_types(struct resolver *r, const struct cedar_schema_space *space)
{
    int rc = 0;
    for (const struct cedar_schema_entity *e = space->entities; !rc && e; e = e->next)
        rc = add_entity(r, space->head.name, e);
    for (const struct cedar_schema_common *c = space->commons; !rc && c; c = c->next)
        rc = add_common(r, space->head.name, c);
    return rc;
}

static int add_actions(struct resolver *r, const struct cedar_schema_space *space)
{
    struct nk_str type = cedar_resolve_full(r, space->head.name, NK_STR("Action"));
    int rc = space->actions ? add_etype(r, type, NULL) : 0;
    for (const struct cedar_schema_action *a = space->actions; !rc && a; a = a->next)
        rc = add_action(r, type, a);
    return rc;
}

/* Does `name` of a namespace hide one of the empty namespace? */
static int check_name(struct resolver *r, struct nk_str space, const struct cedar_schema_head *head)
{
    const struct cedar_etype *type = nk_map_get(&r->s->etype_names, head->name);
    if (!nk_map_get(&r->commons, head->name) && !(type && !type->is_action))
        return 0;
    return cedar_resolve_wrong(r, NK_CEDAR_DIAG_SHADOWS, head->span,
                               cedar_resolve_full(r, space, head->name), head->name);
}

static int check_action(struct resolver *r, struct nk_str space,
                        const struct cedar_schema_head *head)
{
    struct nk_cedar_uid plain = {NK_STR("Action"), head->name};
    struct nk_cedar_uid full = {cedar_resolve_full(r, space, NK_STR("Action")), head->name};
    struct cedar_uid uid = cedar_uid(plain);
    if (!cedar_schema_action(r->s, &uid))
        return 0;
    return cedar_resolve_wrong(r, NK_CEDAR_DIAG_SHADOWS, head->span,
                               cedar_uid_name(full, r->s->arena),
                               cedar_uid_name(plain, r->s->arena));
}

static int check_shadows(struct resolver *r, const struct cedar_schema_space *space)
{
    struct nk_str name = space->head.name;
    int rc = 0;
    if (name.n == 0)
        return 0;
    for (const struct cedar_schema_entity *e = space->entities; !rc && e; e = e->next)
        rc = check_name(r, name, &e->head);
    for (const struct cedar_schema_common *c = space->commons; !rc && c; c = c->next)
        rc = check_name(r, name, &c->head);
    for (const struct cedar_schema_action *a = space->actions; !rc && a; a = a->next)
        rc = check_action(r, name, &a->head);
    return rc;
}

static int check_spaces(struct resolver *r)
{
    struct nk_map seen;
    int rc = 0;
    nk_map_init(&seen, r->s->arena, seed);
    for (struct cedar_schema_space *s = r->s->spaces; !rc && s; s = s->next)
        rc = put(r, &seen, s->head.name, s, &s->head);
    return rc;
}

/* Entity types first: their place in the list is the order of the declarations. */
int cedar_resolve_names(struct resolver *r)
{
    int rc = make_room(r);
    if (!rc)
        rc = check_spaces(r);
    for (struct cedar_schema_space *s = r->s->spaces; !rc && s; s = s->next)
        rc = add_types(r, s);
    for (struct cedar_schema_space *s = r->s->spaces; !rc && s; s = s->next)
        rc = add_actions(r, s);
    for (struct cedar_schema_space *s = r->s->spaces; !rc && s; s = s->next)
        rc = check_shadows(r, s);
    return rc;
}
