/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi.c - a description of an API from anybody: what comes of it is a list of tools in strict JSON, one for each way
 * that they are called, with names that a model can be told; what is left out is said in lines.
 */
#include "tool/openapi.h"

#include <stdlib.h>

static const struct nk_json_limits limits = {1 << 18, 128, 1 << 16};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void check_tools(const struct nk_openapi *api, struct nk_arena *a)
{
    static const struct nk_json_limits wide = {32 << 20, 256, 8 << 20};
    struct nk_json doc;
    size_t n = 0;
    must(nk_json_parse(&wide, api->tools, a, &doc, NULL) == 0);
    uint32_t list = nk_json_get(&doc, 0, NK_STR("tools"));
    must(nk_json_type(&doc, list) == NK_JSON_ARRAY && doc.tape[list].count == api->count);
    for (uint32_t i = nk_json_first(&doc, list); i != NK_JSON_NONE;
         i = nk_json_next(&doc, list, i)) {
        const struct nk_openapi_way *way = &api->ways[n++];
        must(nk_json_is(&doc, nk_json_get(&doc, i, NK_STR("name")), way->name));
        must(nk_json_type(&doc, nk_json_get(&doc, i, NK_STR("inputSchema"))) == NK_JSON_OBJECT);
        must(way->name.n && way->path.n && way->path.p[0] == '/' && way->method.n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_json doc;
    struct nk_openapi api;
    struct nk_fault f = {0};
    nk_arena_init(&a, 128 << 20);
    if (nk_json_parse(&limits, (struct nk_str){(const char *)data, size}, &a, &doc, NULL) == 0 &&
        nk_openapi_is(&doc)) {
        if (nk_openapi_read(&doc, &a, &api, &f) == 0)
            check_tools(&api, &a);
        else
            must(f.code == 0 || f.message[0]);
    }
    nk_arena_free(&a);
    return 0;
}
