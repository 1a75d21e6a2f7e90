/* SPDX-License-Identifier: Apache-2.0
 *
 * offer.c - tools offered by a request. See offer.h.
 */
#include "proto/offer.h"

#include "proto/member.h"

#include <string.h>

enum { OFFERS_MAX = 4096 };

int nk_offer_add(struct nk_offer *o, struct nk_str name, bool hosted, struct nk_fault *f)
{
    if (o->n == OFFERS_MAX)
        return nk_fault_set(f, NK_ELIMIT, "proto", 0, "\"tools\": more than 4096");
    if (o->n == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 8;
        struct nk_tool_use *tools = nk_arena_array(o->arena, cap, sizeof *tools);
        if (!tools)
            return nk_fault_set(f, NK_ENOMEM, "proto", 0, "out of memory at \"tools\"");
        if (o->n)
            memcpy(tools, o->tools, o->n * sizeof *tools);
        o->tools = tools;
        o->cap = cap;
    }
    o->tools[o->n++] = (struct nk_tool_use){.name = name, .hosted = hosted};
    return 0;
}

int nk_offer_named(struct nk_offer *o, const struct nk_json *doc, uint32_t tool,
                   struct nk_str member, bool hosted, struct nk_fault *f)
{
    struct nk_str name;
    int r = nk_member_string(doc, tool, member, false, o->arena, &name, f);
    if (r)
        return r;
    if (!name.p)
        return nk_member_missing(doc, tool, member, f);
    return nk_offer_add(o, name, hosted, f);
}

int nk_offer_place(struct nk_offer *o, const struct nk_json *doc, uint32_t tool, const char *url,
                   const char *connector, struct nk_fault *f)
{
    struct nk_tool_use *t = &o->tools[o->n - 1];
    int r = 0;
    t->at = tool;
    if (url)
        r = nk_member_string(doc, tool, nk_str(url), false, o->arena, &t->server, f);
    if (!r && connector)
        r = nk_member_string(doc, tool, nk_str(connector), false, o->arena, &t->connector, f);
    return r;
}
