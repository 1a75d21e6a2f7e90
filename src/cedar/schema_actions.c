/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_actions.c - the last passes over a schema: actions with their groups and what they apply to, and the
 * ancestors of entity types and of actions. Entity types may be members of themselves (a folder in a folder);
 * actions may not.
 */
#include "cedar/schema_resolve.h"

static const struct nk_str none = {NULL, 0};

static int apply(struct resolver *r, struct nk_str space, const struct cedar_schema_ref *refs,
                 const struct cedar_etype ***out, uint32_t *n)
{
    size_t count = 0;
    int rc = 0;
    for (const struct cedar_schema_ref *ref = refs; ref; ref = ref->next)
        count++;
    const struct cedar_etype **list = nk_arena_array(r->s->arena, count, sizeof *list);
    if (!list)
        return cedar_resolve_memory(r);
    *n = 0;
    for (const struct cedar_schema_ref *ref = refs; ref; ref = ref->next) {
        int one = cedar_resolve_etype(r, space, ref, &list[*n]);
        rc = rc ? rc : one;
        *n += one == 0;
    }
    *out = list;
    return rc;
}

static int resolve_action(struct resolver *r, struct nk_str space, struct cedar_action *a)
{
    const struct cedar_schema_action *decl = a->decl;
    a->type = cedar_schema_etype(r->s, a->uid.uid.type);
    int rc = apply(r, space, decl->principals, &a->principals, &a->principal_n);
    int other = apply(r, space, decl->resources, &a->resources, &a->resource_n);
    rc = rc ? rc : other;
    other = cedar_resolve_shape(r, space, decl->context, NK_STR("context"), &a->context);
    return rc ? rc : other;
}

int cedar_resolve_actions(struct resolver *r)
{
    uint32_t i = 0;
    int rc = 0;
    for (struct cedar_schema_space *s = r->s->spaces; s; s = s->next)
        for (struct cedar_schema_action *a = s->actions; a; a = a->next) {
            int one = resolve_action(r, s->head.name, r->s->actions[i++]);
            rc = rc ? rc : one;
        }
    return rc;
}

/* Ancestors: from each node all that can be reached. `parents[i]` are the direct ones, by index. */
struct graph {
    uint32_t n;
    uint32_t **parents, *parent_n;
    uint32_t *seen, *stack; /* seen: the node + 1 whose walk saw it last */
};

static bool graph_new(struct graph *g, struct nk_arena *a, uint32_t n)
{
    *g = (struct graph){.n = n};
    g->parents = nk_arena_array(a, n, sizeof *g->parents);
    g->parent_n = nk_arena_array(a, n, sizeof *g->parent_n);
    g->seen = nk_arena_array(a, n, sizeof *g->seen);
    g->stack = nk_arena_array(a, n, sizeof *g->stack);
    return g->parents && g->parent_n && g->seen && g->stack;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* What `from` can reach, sorted, in g->stack; `from` itself if it lies on a cycle. */
static uint32_t walk(struct graph *g, uint32_t from)
{
    uint32_t n = 0, done = 0, node = from;
    for (;;) {
        for (uint32_t i = 0; i < g->parent_n[node]; i++) {
            uint32_t parent = g->parents[node][i];
            if (g->seen[parent] == from + 1)
                continue;
            g->seen[parent] = from + 1;
            g->stack[n++] = parent;
        }
        if (done == n)
            break;
        node = g->stack[done++];
    }
    qsort(g->stack, n, sizeof *g->stack, by_number);
    return n;
}

static uint32_t *parent_list(struct resolver *r, struct graph *g, uint32_t at,
                             const struct cedar_schema_ref *refs)
{
    size_t count = 0;
    for (const struct cedar_schema_ref *ref = refs; ref; ref = ref->next)
        count++;
    g->parents[at] = nk_arena_array(r->s->arena, count, sizeof **g->parents);
    return g->parents[at];
}

static int etype_parents(struct resolver *r, struct nk_str space, struct graph *g,
                         const struct cedar_etype *type)
{
    const struct cedar_etype *parent = NULL;
    int rc = 0;
    if (!parent_list(r, g, type->index, type->decl->parents))
        return cedar_resolve_memory(r);
    for (const struct cedar_schema_ref *ref = type->decl->parents; ref; ref = ref->next) {
        int one = cedar_resolve_etype(r, space, ref, &parent);
        if (!one)
            g->parents[type->index][g->parent_n[type->index]++] = parent->index;
        rc = rc ? rc : one;
    }
    return rc;
}

static int etype_ancestors(struct resolver *r)
{
    struct nk_cedar_schema *s = r->s;
    struct graph g;
    uint32_t at = 0;
    int rc = 0;
    if (!graph_new(&g, s->arena, s->etype_n))
        return cedar_resolve_memory(r);
    for (struct cedar_schema_space *space = s->spaces; space; space = space->next)
        for (struct cedar_schema_entity *e = space->entities; e; e = e->next) {
            int one = etype_parents(r, space->head.name, &g, s->etypes[at++]);
            rc = rc ? rc : one;
        }
    for (uint32_t i = 0; i < at && !rc; i++) {
        struct cedar_etype *type = s->etypes[i];
        type->ancestor_n = walk(&g, i);
        type->ancestors = nk_arena_array(s->arena, type->ancestor_n, sizeof *type->ancestors);
        if (!type->ancestors)
            return cedar_resolve_memory(r);
        for (uint32_t k = 0; k < type->ancestor_n; k++)
            type->ancestors[k] = s->etypes[g.stack[k]];
    }
    return rc;
}

/* A group is looked for in the current namespace, then in the empty one. */
static const struct cedar_action *find_group(struct resolver *r, struct nk_str space,
                                             const struct cedar_schema_ref *ref)
{
    struct nk_str type = ref->name.p ? ref->name : NK_STR("Action");
    if (space.n > 0 && nk_str_search(type, NK_STR("::")) < 0) {
        struct nk_str full = cedar_resolve_full(r, space, type);
        struct cedar_uid uid = cedar_uid((struct nk_cedar_uid){full, ref->id});
        const struct cedar_action *found = full.p ? cedar_schema_action(r->s, &uid) : NULL;
        if (found)
            return found;
    }
    struct cedar_uid uid = cedar_uid((struct nk_cedar_uid){type, ref->id});
    return cedar_schema_action(r->s, &uid);
}

static int action_parents(struct resolver *r, struct nk_str space, struct graph *g,
                          const struct cedar_action *a)
{
    int rc = 0;
    if (!parent_list(r, g, a->index, a->decl->parents))
        return cedar_resolve_memory(r);
    for (const struct cedar_schema_ref *ref = a->decl->parents; ref; ref = ref->next) {
        const struct cedar_action *group = find_group(r, space, ref);
        if (group) {
            g->parents[a->index][g->parent_n[a->index]++] = group->index;
            continue;
        }
        struct nk_cedar_uid uid = {ref->name.p ? ref->name : NK_STR("Action"), ref->id};
        rc = cedar_resolve_wrong(r, NK_CEDAR_DIAG_UNDEFINED_ACTION, ref->span,
                                 cedar_uid_name(uid, r->s->arena),
                                 cedar_schema_near_action(r->s, uid, r->s->arena));
    }
    return rc;
}

static int action_ancestors(struct resolver *r)
{
    struct nk_cedar_schema *s = r->s;
    struct graph g;
    uint32_t at = 0;
    int rc = 0;
    if (!graph_new(&g, s->arena, s->action_n))
        return cedar_resolve_memory(r);
    for (struct cedar_schema_space *space = s->spaces; space; space = space->next)
        for (struct cedar_schema_action *a = space->actions; a; a = a->next) {
            int one = action_parents(r, space->head.name, &g, s->actions[at++]);
            rc = rc ? rc : one;
        }
    for (uint32_t i = 0; i < s->action_n && !rc; i++) {
        struct cedar_action *a = s->actions[i];
        a->ancestor_n = walk(&g, i);
        if (g.seen[i] == i + 1)
            return cedar_resolve_wrong(r, NK_CEDAR_DIAG_ACTION_CYCLE, a->decl->head.span,
                                       cedar_uid_name(a->uid.uid, s->arena), none);
        a->ancestors = nk_arena_array(s->arena, a->ancestor_n, sizeof *a->ancestors);
        if (!a->ancestors)
            return cedar_resolve_memory(r);
        for (uint32_t k = 0; k < a->ancestor_n; k++)
            a->ancestors[k] = s->actions[g.stack[k]];
    }
    return rc;
}

int cedar_resolve_ancestors(struct resolver *r)
{
    int rc = etype_ancestors(r);
    return rc ? rc : action_ancestors(r);
}
