/* SPDX-License-Identifier: Apache-2.0
 *
 * fold.c - constants are made once, when a policy is loaded: ["a", "b"], {x: 1}, ip("10.0.0.0/8").
 * What would be an error at evaluation stays as it is, to err there: short circuits may hide it.
 */
#include "cedar/parse.h"

static bool all_constant(const struct cedar_node *node)
{
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
        if (!kid->constant)
            return false;
    return true;
}

static int fold_record(struct nk_arena *a, struct cedar_node *node)
{
    struct nk_cedar_member *members = nk_arena_array(a, node->n, sizeof *members);
    size_t n = 0;
    if (!members)
        return NK_ENOMEM;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
        members[n++] = (struct nk_cedar_member){kid->label, kid->constant};
    return cedar_record_new(a, members, n, &node->constant);
}

static const struct nk_cedar_value **constants(struct nk_arena *a, const struct cedar_node *node)
{
    const struct nk_cedar_value **items = nk_arena_array(a, node->n, sizeof *items);
    size_t n = 0;
    for (const struct cedar_node *kid = node->kid; items && kid; kid = kid->next)
        items[n++] = kid->constant;
    return items;
}

int cedar_fold(struct nk_arena *a, struct cedar_node *node)
{
    if (!all_constant(node))
        return 0;
    if (node->kind == CEDAR_NODE_RECORD)
        return fold_record(a, node);
    const struct nk_cedar_value **items = constants(a, node);
    if (!items)
        return NK_ENOMEM;
    if (node->kind == CEDAR_NODE_SET)
        return cedar_set_new(a, items, node->n, &node->constant);
    struct cedar_call call = {.arena = a};
    node->constant = cedar_ext_call(node->ext, &call, items, node->n);
    return call.code == NK_ENOMEM ? NK_ENOMEM : 0;
}
