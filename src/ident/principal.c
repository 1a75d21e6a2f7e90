/* SPDX-License-Identifier: Apache-2.0
 *
 * principal.c - copies of principals. See principal.h.
 */
#include "ident/principal.h"

#include <string.h>

static size_t count_strings(const struct nk_principal *p)
{
    size_t n = p->group_count;
    for (size_t i = 0; i < p->attr_count; i++)
        n += p->attrs[i].string_count;
    return n;
}

static size_t text_size(const struct nk_str *s, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += s[i].n;
    return total;
}

size_t nk_principal_size(const struct nk_principal *p)
{
    size_t text = p->type.n + p->id.n + p->source.n + text_size(p->groups, p->group_count);
    for (size_t i = 0; i < p->attr_count; i++)
        text += p->attrs[i].name.n + p->attrs[i].string.n +
                text_size(p->attrs[i].strings, p->attrs[i].string_count);
    for (size_t i = 0; i < p->actor_count; i++)
        text += p->actors[i].id.n + p->actors[i].issuer.n;
    return sizeof *p + p->attr_count * sizeof *p->attrs + p->actor_count * sizeof *p->actors +
           count_strings(p) * sizeof(struct nk_str) + text;
}

/* Where the next strings and the next text go. */
struct packing {
    struct nk_str *strings;
    char *text;
};

static struct nk_str pack_text(struct packing *k, struct nk_str s)
{
    struct nk_str copy = {s.p ? k->text : NULL, s.n};
    if (s.n)
        memcpy(k->text, s.p, s.n);
    k->text += s.n;
    return copy;
}

static const struct nk_str *pack_strings(struct packing *k, const struct nk_str *list, size_t n)
{
    struct nk_str *copy = k->strings;
    for (size_t i = 0; i < n; i++)
        copy[i] = pack_text(k, list[i]);
    k->strings += n;
    return copy;
}

const struct nk_principal *nk_principal_pack(const struct nk_principal *p, void *memory)
{
    struct nk_principal *copy = memory;
    struct nk_attr *attrs = (struct nk_attr *)(copy + 1);
    struct nk_actor *actors = (struct nk_actor *)(attrs + p->attr_count);
    struct nk_str *strings = (struct nk_str *)(actors + p->actor_count);
    struct packing k = {strings, (char *)(strings + count_strings(p))};
    *copy = *p;
    copy->type = pack_text(&k, p->type);
    copy->id = pack_text(&k, p->id);
    copy->source = pack_text(&k, p->source);
    copy->groups = pack_strings(&k, p->groups, p->group_count);
    copy->attrs = attrs;
    for (size_t i = 0; i < p->attr_count; i++) {
        attrs[i] = p->attrs[i];
        attrs[i].name = pack_text(&k, p->attrs[i].name);
        attrs[i].string = pack_text(&k, p->attrs[i].string);
        attrs[i].strings = pack_strings(&k, p->attrs[i].strings, p->attrs[i].string_count);
    }
    copy->actors = actors;
    for (size_t i = 0; i < p->actor_count; i++)
        actors[i] =
            (struct nk_actor){pack_text(&k, p->actors[i].id), pack_text(&k, p->actors[i].issuer)};
    return copy;
}

int nk_principal_copy(const struct nk_principal *p, struct nk_arena *a,
                      const struct nk_principal **out)
{
    void *memory = nk_arena_alloc(a, nk_principal_size(p));
    *out = memory ? nk_principal_pack(p, memory) : NULL;
    return memory ? 0 : NK_ENOMEM;
}

struct nk_digest nk_principal_digest(const struct nk_principal *p)
{
    uint64_t
        sizes[2 + 2 * NK_IDENT_MAX_ACTORS]; /* so that no two lists of texts have the same bytes */
    struct nk_str parts[1 + NK_COUNT(sizes)] = {{NULL, 0}, p->type, p->id};
    size_t n = 2;
    NK_MUST(p->actor_count <= NK_IDENT_MAX_ACTORS);
    for (size_t i = 0; i < p->actor_count; i++) {
        parts[++n] = p->actors[i].issuer;
        parts[++n] = p->actors[i].id;
    }
    for (size_t i = 0; i < n; i++)
        sizes[i] = parts[1 + i].n;
    parts[0] = (struct nk_str){(const char *)sizes, n * sizeof sizes[0]};
    return nk_sha256_parts(parts, 1 + n);
}
