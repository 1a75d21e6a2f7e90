/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_refer.c - what references lead to (JSON Schema core, sections 8 and 9). All of it is in the same
 * document: what is elsewhere is never fetched.
 */
#include "json/schema_own.h"

/* Path without its last part, or without everything behind the authority. */
static struct nk_str directory(struct nk_str base, bool from_root)
{
    ptrdiff_t scheme = nk_str_search(base, NK_STR("://"));
    size_t host = scheme < 0 ? 0 : (size_t)scheme + 3, cut = host;
    while (cut < base.n && base.p[cut] != '/')
        cut++;
    if (from_root)
        return nk_str_sub(base, 0, cut);
    for (size_t i = cut; i < base.n; i++)
        if (base.p[i] == '/')
            cut = i + 1;
    return nk_str_sub(base, 0, cut);
}

static bool is_absolute(struct nk_str uri)
{
    size_t i = 0;
    while (i < uri.n && uri.p[i] != ':' && uri.p[i] != '/')
        i++;
    return i > 0 && i < uri.n && uri.p[i] == ':';
}

struct nk_str schema_resolve(struct schema_loader *l, struct nk_str base, struct nk_str ref)
{
    while (nk_str_starts(ref, NK_STR("./")))
        ref = nk_str_sub(ref, 2, ref.n);
    if (nk_str_ends(ref, NK_STR("#")))
        ref.n--;
    if (!ref.n)
        return base;
    if (is_absolute(ref))
        return ref;
    struct nk_str parts[] = {directory(base, ref.p[0] == '/'), ref};
    struct nk_str joined = nk_arena_join(l->a, parts, 2);
    return joined.p ? joined : ref;
}

const struct schema_anchor *schema_anchor(const struct nk_schema *s, uint32_t resource,
                                          struct nk_str name)
{
    for (uint32_t i = 0; i < s->anchor_n; i++)
        if (s->anchors[i].resource == resource && nk_str_eq(s->anchors[i].name, name))
            return &s->anchors[i];
    return NULL;
}

static int hex(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A part of a JSON Pointer in a fragment without its escapes (RFC 6901, section 6). */
static struct nk_str plain(struct schema_loader *l, struct nk_str part)
{
    char *to = nk_arena_alloc(&l->temp, part.n + 1);
    size_t n = 0;
    if (!to)
        return (struct nk_str){NULL, 0};
    for (size_t i = 0; i < part.n; i++) {
        char c = part.p[i];
        if (c == '%' && i + 2 < part.n && hex(part.p[i + 1]) >= 0 && hex(part.p[i + 2]) >= 0) {
            c = (char)(hex(part.p[i + 1]) * 16 + hex(part.p[i + 2]));
            i += 2;
        }
        if (n && to[n - 1] == '~' && (c == '0' || c == '1'))
            to[n - 1] = c == '0' ? '\x01' : '/'; /* not '~' yet: "~01" is "~1" */
        else
            to[n++] = c;
    }
    for (size_t i = 0; i < n; i++)
        to[i] = to[i] == '\x01' ? '~' : to[i];
    return (struct nk_str){to, n};
}

static uint32_t step(struct schema_loader *l, uint32_t at, struct nk_str part)
{
    const struct nk_json *doc = &l->s->doc;
    uint64_t index;
    if (nk_json_type(doc, at) != NK_JSON_ARRAY)
        return nk_json_get(doc, at, part);
    if (nk_str_to_u64(part, &index) || index >= doc->tape[at].count)
        return NK_JSON_NONE;
    at = nk_json_first(doc, at);
    for (; index; index--)
        at = doc->tape[at].next;
    return at;
}

static uint32_t follow(struct schema_loader *l, uint32_t root, struct nk_str pointer)
{
    struct nk_str rest = nk_str_sub(pointer, 1, pointer.n);
    uint32_t at = root;
    for (bool more = true; more && at != NK_JSON_NONE;) {
        ptrdiff_t cut = nk_str_find(rest, '/');
        more = cut >= 0;
        struct nk_str part = plain(l, more ? nk_str_sub(rest, 0, (size_t)cut) : rest);
        at = part.p ? step(l, at, part) : NK_JSON_NONE;
        rest = more ? nk_str_sub(rest, (size_t)cut + 1, rest.n) : rest;
    }
    return at;
}

static uint32_t find_resource(struct schema_loader *l, uint32_t from, struct nk_str uri)
{
    struct nk_str whole = schema_resolve(l, l->s->resources[from].base, uri);
    uint32_t i = from;
    if (!uri.n || nk_str_eq(whole, l->s->resources[from].base))
        return from;
    for (i = 0; i < l->s->resource_n && !nk_str_eq(l->s->resources[i].base, whole);)
        i++;
    return i;
}

static const struct schema_node *target(struct schema_loader *l, const struct schema_pending *p,
                                        struct nk_str uri, struct nk_str fragment)
{
    struct nk_schema *s = l->s;
    uint32_t resource = find_resource(l, p->node->resource, uri);
    if (resource == s->resource_n) {
        schema_fail(l, NK_EUNSUPPORTED, p->at,
                    "refers to another document; write what it says below $defs");
        return NULL;
    }
    uint32_t at = s->resources[resource].root;
    if (fragment.n && fragment.p[0] != '/') {
        const struct schema_anchor *anchor = schema_anchor(s, resource, fragment);
        if (anchor && anchor->is_dynamic && p->is_dynamic)
            p->node->dynamic_name = anchor->name;
        at = anchor ? anchor->node->at : NK_JSON_NONE;
    } else if (fragment.n) {
        at = follow(l, at, fragment);
    }
    if (at == NK_JSON_NONE) {
        schema_fail(l, NK_ENOTFOUND, p->at, "refers to what is not there");
        return NULL;
    }
    return schema_node_at(l, at, resource);
}

void schema_refer(struct schema_loader *l, const struct schema_pending *p)
{
    struct nk_str ref = nk_json_string(&l->s->doc, p->at, l->a);
    ptrdiff_t sign = nk_str_find(ref, '#');
    struct nk_str fragment = sign < 0 ? NK_STR("") : nk_str_sub(ref, (size_t)sign + 1, ref.n);
    const struct schema_node *to =
        target(l, p, sign < 0 ? ref : nk_str_sub(ref, 0, (size_t)sign), fragment);
    if (p->is_dynamic)
        p->node->dynamic_ref = to;
    else
        p->node->ref = to;
}

void schema_pointer(const struct nk_json *doc, uint32_t at, struct nk_buf *out)
{
    for (uint32_t in = 0; in != at;) {
        bool is_object = nk_json_type(doc, in) == NK_JSON_OBJECT;
        uint32_t index = 0, kid = nk_json_first(doc, in), next = kid;
        while (next != NK_JSON_NONE && next <= at) {
            kid = next;
            next = nk_json_next(doc, in, kid);
            index++;
        }
        nk_buf_add_char(out, '/');
        if (!is_object) {
            nk_buf_add_u64(out, index - 1);
            in = kid;
            continue;
        }
        struct nk_str name = nk_json_span(doc, kid);
        for (size_t i = 1; i + 1 < name.n; i++)
            nk_buf_add(out, name.p[i] == '~'   ? NK_STR("~0")
                            : name.p[i] == '/' ? NK_STR("~1")
                                               : nk_str_sub(name, i, i + 1));
        in = kid == at ? at : kid + 1;
    }
}
