/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_parts.c - what a schema says of the members of an object and the items of an array (JSON Schema core,
 * sections 10.3 and 11).
 */
#include "json/schema_run.h"

static const struct schema_node *property(const struct schema_node *n, struct nk_str name)
{
    uint32_t low = 0, high = n->properties.n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = nk_str_cmp(name, n->properties.list[middle].name);
        if (order == 0)
            return n->properties.list[middle].node;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* A name is a value, too: of propertyNames. */
static int ask_name(struct schema_run *r, const struct schema_node *n,
                    const struct schema_spot *spot, uint32_t name)
{
    struct schema_seen seen = {.bits = NULL};
    struct schema_spot own = {name, spot, name, 0, spot->scope, &seen};
    uint32_t marked = r->mark_n;
    int rc = schema_ask(r, n->names, &own);
    r->mark_n = marked;
    return rc;
}

static int ask_patterns(struct schema_run *r, const struct schema_node *n,
                        const struct schema_spot *spot, uint32_t member, uint32_t index,
                        struct nk_str name, bool *spoke)
{
    for (uint32_t i = 0; i < n->patterns.n; i++) {
        int rc = nk_pattern_find(n->patterns.list[i].pattern, name, r->a, &r->steps);
        if (rc == 1) {
            *spoke = true;
            rc = schema_ask_part(r, n->patterns.list[i].node, spot, member + 1, member, index);
        }
        if (rc)
            return rc == NK_ELIMIT ? schema_spend(r, 1) : rc;
    }
    return 0;
}

static int ask_member(struct schema_run *r, const struct schema_node *n,
                      const struct schema_spot *spot, uint32_t member, uint32_t index)
{
    struct nk_str name = nk_json_string(r->doc, member, r->a);
    const struct schema_node *own = name.p ? property(n, name) : NULL;
    bool spoke = own;
    int rc = name.p ? schema_spend(r, 1) : NK_ENOMEM;
    if (!rc && n->names)
        rc = ask_name(r, n, spot, member);
    if (!rc && own)
        rc = schema_ask_part(r, own, spot, member + 1, member, index);
    if (!rc)
        rc = ask_patterns(r, n, spot, member, index, name, &spoke);
    if (rc || spoke || !n->additional)
        return rc;
    if (!n->additional->says_nothing)
        return schema_ask_part(r, n->additional, spot, member + 1, member, index);
    if (spot->seen->bits) /* "anything" evaluates it, but describes nothing */
        spot->seen->bits[index / 8] |= (unsigned char)(1 << index % 8);
    return 0;
}

static int ask_members(struct schema_run *r, const struct schema_node *n,
                       const struct schema_spot *spot)
{
    uint32_t index = 0;
    int rc = 0;
    if (!n->properties.list && !n->patterns.n && !n->additional && !n->names)
        return 0;
    spot->seen->spoke |= n->properties.n || n->patterns.n;
    spot->seen->spoke |= n->additional && !n->additional->says_nothing;
    for (uint32_t i = nk_json_first(r->doc, spot->at); !rc && i != NK_JSON_NONE;
         i = nk_json_next(r->doc, spot->at, i))
        rc = ask_member(r, n, spot, i, index++);
    return rc;
}

static int ask_contains(struct schema_run *r, const struct schema_node *n,
                        const struct schema_spot *spot)
{
    bool all = r->marks || r->s->has_unevaluated;
    int64_t found = 0;
    uint32_t index = 0;
    for (uint32_t i = nk_json_first(r->doc, spot->at); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, spot->at, i), index++) {
        uint32_t marked = r->mark_n;
        r->quiet++;
        int rc = schema_ask_part(r, n->contains, spot, i, NK_JSON_NONE, index);
        r->quiet--;
        if (rc && rc != NK_EINVAL)
            return rc;
        if (rc)
            r->mark_n = marked;
        found += !rc;
        if (!all && n->max_contains == INT64_MAX && found >= n->min_contains)
            break;
    }
    if (found < n->min_contains)
        return schema_refuse(r, spot, "has fewer items of contains than it must");
    return found > n->max_contains
               ? schema_refuse(r, spot, "has more items of contains than it may")
               : 0;
}

static int ask_items(struct schema_run *r, const struct schema_node *n,
                     const struct schema_spot *spot)
{
    uint32_t index = 0;
    int rc = 0;
    spot->seen->spoke |= n->prefix.n || (n->items && !n->items->says_nothing);
    for (uint32_t i = nk_json_first(r->doc, spot->at); !rc && i != NK_JSON_NONE;
         i = nk_json_next(r->doc, spot->at, i), index++) {
        const struct schema_node *own = index < n->prefix.n ? n->prefix.list[index] : n->items;
        if (!own)
            break;
        rc = schema_ask_part(r, own, spot, i, NK_JSON_NONE, index);
    }
    return rc || !n->contains ? rc : ask_contains(r, n, spot);
}

int schema_ask_parts(struct schema_run *r, const struct schema_node *n,
                     const struct schema_spot *spot)
{
    enum nk_json_type type = nk_json_type(r->doc, spot->at);
    if (type == NK_JSON_OBJECT)
        return ask_members(r, n, spot);
    if (type == NK_JSON_ARRAY && (n->prefix.n || n->items || n->contains))
        return ask_items(r, n, spot);
    return 0;
}

int schema_ask_rest(struct schema_run *r, const struct schema_node *n,
                    const struct schema_spot *spot)
{
    enum nk_json_type type = nk_json_type(r->doc, spot->at);
    bool is_object = type == NK_JSON_OBJECT;
    const struct schema_node *rest = is_object               ? n->unevaluated_properties
                                     : type == NK_JSON_ARRAY ? n->unevaluated_items
                                                             : NULL;
    uint32_t index = 0;
    if (!rest || !spot->seen->bits)
        return 0;
    for (uint32_t i = nk_json_first(r->doc, spot->at); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, spot->at, i), index++) {
        if (spot->seen->bits[index / 8] >> index % 8 & 1)
            continue;
        int rc = schema_ask_part(r, rest, spot, is_object ? i + 1 : i, is_object ? i : NK_JSON_NONE,
                                 index);
        if (rc)
            return rc;
    }
    return 0;
}
