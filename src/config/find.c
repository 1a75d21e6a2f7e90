/* SPDX-License-Identifier: Apache-2.0
 *
 * find.c - what the checks between keys look for: entries of lists, places for faults, upstreams by name; and limits of JSON.
 */
#include "config/table.h"

uint32_t nk_config_item(const struct nk_json *doc, uint32_t list, size_t i)
{
    uint32_t item = nk_json_first(doc, list);
    for (; i > 0 && item != NK_JSON_NONE; i--)
        item = nk_json_next(doc, list, item);
    return item;
}

size_t nk_config_offset(const struct nk_json *doc, uint32_t object, const char *key)
{
    uint32_t at = nk_json_get(doc, object, nk_str(key));
    at = at == NK_JSON_NONE ? object : at;
    return at == NK_JSON_NONE ? 0 : doc->tape[at].start;
}

size_t nk_config_offset_in(const struct nk_json *doc, uint32_t list, size_t i, const char *key)
{
    return nk_config_offset(doc, nk_config_item(doc, list, i), key);
}

size_t nk_config_upstream_index(const struct nk_config *c, struct nk_str name)
{
    size_t i = 0;
    while (i < c->upstream_count && !nk_str_eq(c->upstreams[i].name, name))
        i++;
    return i;
}

const struct nk_config_upstream *nk_config_upstream_named(const struct nk_config *c,
                                                          struct nk_str name)
{
    size_t i = nk_config_upstream_index(c, name);
    return i < c->upstream_count ? &c->upstreams[i] : NULL;
}

struct nk_json_limits nk_config_json_limits(const struct nk_config *c, int64_t max)
{
    return (struct nk_json_limits){(uint32_t)max, (uint32_t)c->limits.json_depth,
                                   (uint32_t)c->limits.json_values};
}
