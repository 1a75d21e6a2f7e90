/* SPDX-License-Identifier: Apache-2.0
 *
 * partial_node.c - the nodes of residuals. A known value becomes the text that a policy would write for
 * it, parsed: a set is then a set of literals. A value too large to be read by people, and whatever
 * would be nested too deeply, stays the expression that it was: that is right under every completion.
 */
#include "cedar/node.h"
#include "cedar/parse.h"
#include "cedar/partial_own.h"
#include "cedar/value_write.h"

enum { VALUE_TEXT = 4096 /* most bytes of a set, record or extension value */ };

struct cedar_node *cedar_node_copy(struct cedar_partial *p, const struct cedar_node *node)
{
    struct cedar_node *copy = nk_arena_alloc(p->eval.call.arena, sizeof *copy);
    if (!copy) {
        cedar_no_memory(&p->eval.call);
        return NULL;
    }
    *copy = *node;
    copy->next = NULL;
    copy->minus = 0;
    copy->label = (struct nk_str){NULL, 0};
    return copy;
}

/* The literal for a set, record or extension value; NULL: too large, too deep, or no memory. */
static struct cedar_node *parse_value(struct cedar_partial *p, const struct nk_cedar_value *value)
{
    struct nk_buf b;
    nk_buf_init(&b, VALUE_TEXT);
    nk_cedar_value_put(&b, value);
    struct nk_str text = nk_buf_str(&b);
    if (!b.error)
        text = nk_arena_copy(p->eval.call.arena, text);
    bool ok = !b.error && text.p;
    nk_buf_free(&b);
    if (!ok)
        return NULL;
    struct cedar_parser parser = {.lexer = {.text = text}, .arena = p->eval.call.arena};
    cedar_next(&parser);
    struct cedar_node *node = cedar_parse_expr(&parser);
    if (!node || !node->constant || cedar_value_cmp(node->constant, value) != 0)
        return NULL;
    node->constant = value;
    return node;
}

struct cedar_node *cedar_part_node(struct cedar_partial *p, const struct cedar_part *part)
{
    if (part->state != CEDAR_PART_VALUE || part->node->constant == part->value)
        return cedar_node_copy(p, part->node);
    if (part->value->kind > CEDAR_ENTITY) {
        struct cedar_node *literal = parse_value(p, part->value);
        return literal ? literal : cedar_node_copy(p, part->node);
    }
    return cedar_node_copy(
        p, &(struct cedar_node){.kind = CEDAR_NODE_CONST, .depth = 1, .constant = part->value});
}

bool cedar_chain_add(struct cedar_partial *p, struct cedar_node *chain, struct cedar_node ***tail,
                     const struct cedar_part *part)
{
    struct cedar_node *node = cedar_part_node(p, part);
    if (!node)
        return false;
    if (node->kind != chain->kind)
        return cedar_node_add(chain, tail, node) == 0;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next) {
        struct cedar_node *copy = cedar_node_copy(p, kid);
        if (!copy || cedar_node_add(chain, tail, copy))
            return false;
    }
    return true;
}

struct cedar_node *cedar_rest_node(struct cedar_partial *p, const struct cedar_node *like,
                                   const struct cedar_node *original,
                                   const struct cedar_part *parts, size_t n)
{
    struct cedar_node *made = cedar_node_copy(p, like);
    const struct cedar_node *from = original->kid;
    if (!made)
        return NULL;
    struct cedar_node **tail = &made->kid;
    made->kid = NULL;
    made->n = 0;
    made->depth = 1;
    made->constant = NULL;
    for (size_t i = 0; i < n; i++) {
        struct cedar_node *kid = cedar_part_node(p, &parts[i]);
        if (!kid)
            return NULL;
        kid->minus = from ? from->minus : 0;
        kid->label = from ? from->label : kid->label;
        from = from ? from->next : NULL;
        if (cedar_node_add(made, &tail, kid))
            return cedar_node_copy(p, original);
    }
    return made;
}
