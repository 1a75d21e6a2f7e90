/* SPDX-License-Identifier: Apache-2.0
 *
 * valid_level.c - how many steps from the request a policy reads entities (RFC 76, "entity slice validation"):
 * principal.manager is an attribute of the principal (one step), principal.manager.name of another entity (two).
 * A policy within level n can be decided with the entities that n steps reach, and nothing else. What short
 * circuits leave out is not read, so nodes without a type are passed over; an entity that the policy names
 * itself may not be read at all, because no slice would hold it.
 */
#include "cedar/valid.h"

/* Names of record attributes that are read from what is being looked at: the next one first. */
struct names {
    struct nk_str name;
    const struct names *next;
};

/* The same while it grows at its end. */
struct growing {
    struct names *first, *last;
};

static const struct cedar_type *type_of(const struct check *c, const struct cedar_node *node)
{
    size_t at = (size_t)(((uintptr_t)node >> 4) * 0x9e3779b97f4a7c15u) & (c->typed_cap - 1);
    while (c->typed[at].node && c->typed[at].node != node)
        at = (at + 1) & (c->typed_cap - 1);
    return c->typed[at].type;
}

static void too_far(struct check *c, const struct cedar_node *node, uint32_t steps)
{
    if (steps < c->how->level)
        return;
    struct nk_cedar_diag *diag = check_wrong(c, NK_CEDAR_DIAG_LEVEL, node->span);
    if (!diag)
        return;
    diag->args[0] = nk_arena_printf(c->diags->arena, "%u", steps + 1);
    diag->args[1] = nk_arena_printf(c->diags->arena, "%u", c->how->level);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t steps_to(struct check *c, const struct cedar_node *node, const struct names *path);

static uint32_t steps_to_record(struct check *c, const struct cedar_node *node,
                                const struct names *path)
{
    const struct cedar_node *read = NULL;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        if (path && !read && nk_str_eq(kid->label, path->name))
            read = kid;
        else
            check_level(c, kid);
    }
    return read ? steps_to(c, read, path->next) : 0;
}

static uint32_t steps_to_attr(struct check *c, const struct cedar_node *node,
                              const struct names *path)
{
    const struct cedar_type *type = type_of(c, node->kid);
    struct names here = {node->name, path};
    if (type && type->kind == CEDAR_TYPE_RECORD)
        return steps_to(c, node->kid, &here);
    return steps_to(c, node->kid, path) + 1;
}

/* Steps from the request to the entity that `node` (and `path` behind it) is. */
static uint32_t steps_to(struct check *c, const struct cedar_node *node, const struct names *path)
{
    uint32_t steps;
    if (!type_of(c, node))
        return 0; /* never evaluated */
    switch ((enum cedar_node_kind)node->kind) {
    case CEDAR_NODE_CONST:
        if (!cedar_uid_eq(&node->constant->as.entity, &c->action->uid))
            (void)check_wrong(c, NK_CEDAR_DIAG_LEVEL_LITERAL, node->span);
        return 0;
    case CEDAR_NODE_IF:
        check_level(c, node->kid);
        steps = steps_to(c, node->kid->next, path);
        return larger(steps, steps_to(c, node->kid->next->next, path));
    case CEDAR_NODE_ATTR:
        return steps_to_attr(c, node, path);
    case CEDAR_NODE_GET_TAG:
        check_level(c, node->kid->next);
        return steps_to(c, node->kid, path) + 1;
    case CEDAR_NODE_RECORD:
        return steps_to_record(c, node, path);
    default:
        return 0; /* a variable */
    }
}

static void append(struct check *c, struct growing *path, struct nk_str name)
{
    struct names *own = nk_arena_alloc(&c->work, sizeof *own);
    if (!own) {
        c->out_of_memory = true;
        return;
    }
    *own = (struct names){name, NULL};
    if (path->last)
        path->last->next = own;
    else
        path->first = own;
    path->last = own;
}

/* a has b.c reads a, and then a.b. */
static void check_has_level(struct check *c, const struct cedar_node *node)
{
    const struct cedar_type *type = type_of(c, node->kid);
    struct growing path = {NULL, NULL};
    struct cedar_type_attr attr;
    uint32_t hops = 0;
    if (type->kind == CEDAR_TYPE_RECORD)
        check_level(c, node->kid);
    for (uint32_t i = 0; i < node->path_n; i++) {
        bool entity = type->kind != CEDAR_TYPE_RECORD;
        if (entity)
            too_far(c, node, steps_to(c, node->kid, path.first) + hops);
        if (!check_lookup(c, type, node->path[i], &attr))
            return;
        if (!entity && hops == 0)
            append(c, &path, node->path[i]);
        hops += entity;
        type = attr.type;
    }
}

static void check_read(struct check *c, const struct cedar_node *node)
{
    const struct cedar_type *type = type_of(c, node->kid);
    if (type && type->kind == CEDAR_TYPE_RECORD)
        check_level(c, node->kid);
    else
        too_far(c, node, steps_to(c, node->kid, NULL));
}

void check_level(struct check *c, const struct cedar_node *node)
{
    if (!type_of(c, node))
        return; /* never evaluated */
    switch ((enum cedar_node_kind)node->kind) {
    case CEDAR_NODE_ATTR:
        check_read(c, node);
        return;
    case CEDAR_NODE_HAS:
        check_has_level(c, node);
        return;
    case CEDAR_NODE_IN:
    case CEDAR_NODE_HAS_TAG:
    case CEDAR_NODE_GET_TAG:
        too_far(c, node, steps_to(c, node->kid, NULL));
        check_level(c, node->kid->next);
        return;
    case CEDAR_NODE_IS:
        check_level(c, node->kid);
        if (node->n > 1 && type_of(c, node->kid->next)) {
            too_far(c, node, steps_to(c, node->kid, NULL));
            check_level(c, node->kid->next);
        }
        return;
    default:
        for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
            check_level(c, kid);
    }
}

/* `in` reads the entity on its left. */
void check_scope_level(struct check *c)
{
    for (int var = CEDAR_PRINCIPAL; var <= CEDAR_RESOURCE; var++) {
        const struct cedar_scope *scope = &c->policy->scope[var];
        struct cedar_node at = {.span = scope->span};
        if (scope->kind == CEDAR_SCOPE_IN || scope->kind == CEDAR_SCOPE_IS_IN)
            too_far(c, &at, 0);
    }
}
