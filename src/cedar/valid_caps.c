/* SPDX-License-Identifier: Apache-2.0
 *
 * valid_caps.c - capabilities: which attributes and tags are known to be there. Two accesses are the same when
 * their expressions are written the same, whether by `.a.b` or by `has a.b`. See valid.h.
 */
#include "cedar/valid.h"

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

static uint64_t hash_name(uint64_t h, struct nk_str name)
{
    return mix(h, cedar_uid((struct nk_cedar_uid){NK_STR(""), name}).hash);
}

static uint64_t hash_constant(const struct nk_cedar_value *v)
{
    switch ((enum cedar_kind)v->kind) {
    case CEDAR_ENTITY:
        return v->as.entity.hash;
    case CEDAR_STRING:
        return hash_name(CEDAR_STRING, v->as.string);
    case CEDAR_LONG:
        return mix(CEDAR_LONG, (uint64_t)v->as.number);
    default:
        return v->kind;
    }
}

/* Depth ends with the parser's. Names of methods and record labels are left to the comparison. */
static uint64_t hash_node(const struct cedar_node *node)
{
    if (node->kind == CEDAR_NODE_ATTR)
        return hash_name(hash_node(node->kid), node->name);
    uint64_t h = mix(node->kind, node->op);
    if (node->kind == CEDAR_NODE_CONST)
        return mix(h, hash_constant(node->constant));
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
        h = mix(h, hash_node(kid));
    return h;
}

static bool same_node(const struct cedar_node *a, const struct cedar_node *b);

static bool same_kids(const struct cedar_node *a, const struct cedar_node *b)
{
    const struct cedar_node *x = a->kid, *y = b->kid;
    for (; x && y; x = x->next, y = y->next)
        if (x->minus != y->minus || !nk_str_eq(x->label, y->label) || !same_node(x, y))
            return false;
    return !x && !y;
}

static bool same_node(const struct cedar_node *a, const struct cedar_node *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->op != b->op || a->n != b->n || a->path_n != b->path_n ||
        a->ext != b->ext || !nk_str_eq(a->name, b->name))
        return false;
    if (a->kind == CEDAR_NODE_CONST)
        return cedar_value_cmp(a->constant, b->constant) == 0;
    for (uint32_t i = 0; i < a->path_n; i++)
        if (!nk_str_eq(a->path[i], b->path[i]))
            return false;
    return same_kids(a, b);
}

/* An access path: a node and names behind it. Takes the last name off; false when there is none. */
struct access {
    const struct cedar_node *node;
    const struct nk_str *path;
    uint32_t n;
};

static bool take_last(struct access *a, struct nk_str *name)
{
    if (a->n > 0) {
        *name = a->path[--a->n];
        return true;
    }
    if (a->node->kind != CEDAR_NODE_ATTR)
        return false;
    *name = a->node->name;
    a->node = a->node->kid;
    return true;
}

static bool same_access(struct access a, struct access b)
{
    struct nk_str x, y;
    while (a.n > 0 || b.n > 0)
        if (!take_last(&a, &x) || !take_last(&b, &y) || !nk_str_eq(x, y))
            return false;
    return same_node(a.node, b.node);
}

struct cap cap_attribute(const struct cedar_node *on, const struct nk_str *path, uint32_t path_n,
                         struct nk_str name)
{
    uint64_t h = hash_node(on);
    for (uint32_t i = 0; i < path_n; i++)
        h = hash_name(h, path[i]);
    return (struct cap){hash_name(h, name), on, path, path_n, name, NULL};
}

struct cap cap_tag(const struct cedar_node *on, const struct cedar_node *tag)
{
    uint64_t h = mix(hash_node(on), hash_node(tag));
    return (struct cap){.hash = h, .on = on, .tag = tag};
}

static bool same_cap(const struct cap *a, const struct cap *b)
{
    if (a->hash != b->hash || !a->tag != !b->tag || !nk_str_eq(a->name, b->name))
        return false;
    if (a->tag && !same_node(a->tag, b->tag))
        return false;
    return same_access((struct access){a->on, a->path, a->path_n},
                       (struct access){b->on, b->path, b->path_n});
}

bool caps_has(const struct caps *caps, const struct cap *cap)
{
    for (; caps; caps = caps->next)
        if (same_cap(&caps->cap, cap))
            return true;
    return false;
}

static const struct caps *add(struct check *c, const struct caps *to, const struct cap *cap)
{
    if (to && to->n == CAPS_MOST) {
        check_say(c, NK_CEDAR_DIAG_LIMIT, cap->on->span,
                  NK_STR("over 2,000 attributes asked for with `has`"), (struct nk_str){0},
                  (struct nk_str){0});
        return to;
    }
    struct caps *own = nk_arena_alloc(&c->work, sizeof *own);
    if (!own) {
        c->out_of_memory = true;
        return to;
    }
    *own = (struct caps){*cap, to ? to->n + 1 : 1, to};
    return own;
}

const struct caps *caps_one(struct check *c, const struct cap *cap)
{
    return add(c, NULL, cap);
}

const struct caps *caps_union(struct check *c, const struct caps *a, const struct caps *b)
{
    if (!a || !b || a == b)
        return a ? a : b;
    for (; b; b = b->next)
        a = add(c, a, &b->cap);
    return a;
}

const struct caps *caps_both(struct check *c, const struct caps *a, const struct caps *b)
{
    const struct caps *out = NULL;
    for (; a && b; a = a->next)
        if (caps_has(b, &a->cap))
            out = add(c, out, &a->cap);
    return out;
}
