/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_about.c - see mcp_about.h. Capabilities are known ones alone where several servers are behind the endpoint, or one of the
 * other generation: a capability that is not known cannot be shared or translated, so it must not be offered.
 */
#include "proto/mcp_about.h"

static const struct nk_str server_info = {"io.modelcontextprotocol/serverInfo", 34};

static const struct {
    const char *name, *members[2];
    bool is_translated; /* it is the same in both generations, without its members */
} capabilities[] = {{"completions", {NULL, NULL}, true},
                    {"logging", {NULL, NULL}, false},
                    {"prompts", {"listChanged", NULL}, true},
                    {"resources", {"listChanged", "subscribe"}, true},
                    {"tools", {"listChanged", NULL}, true}};

static uint32_t capability(const struct nk_mcp_about *s, const char *name)
{
    uint32_t all = nk_json_get(s->doc, s->at, NK_STR("capabilities"));
    return nk_json_get(s->doc, all, nk_str(name));
}

/* Does any server say true? */
static bool has_member(const struct nk_mcp_about *list, size_t n, const char *name,
                       const char *member)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t at = nk_json_get(list[i].doc, capability(&list[i], name), nk_str(member));
        if (!list[i].is_translated && at != NK_JSON_NONE &&
            nk_json_type(list[i].doc, at) == NK_JSON_TRUE)
            return true;
    }
    return false;
}

static void put_known(const struct nk_mcp_about *list, size_t n, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    for (size_t k = 0; k < NK_COUNT(capabilities); k++) {
        bool any = false;
        for (size_t i = 0; i < n; i++)
            any |= nk_json_type(list[i].doc, capability(&list[i], capabilities[k].name)) ==
                       NK_JSON_OBJECT &&
                   (capabilities[k].is_translated || !list[i].is_translated);
        if (!any)
            continue;
        nk_json_put_name(out, nk_str(capabilities[k].name));
        nk_buf_add_char(out, '{');
        for (size_t j = 0; j < NK_COUNT(capabilities[k].members) && capabilities[k].members[j]; j++)
            if (has_member(list, n, capabilities[k].name, capabilities[k].members[j])) {
                nk_json_put_name(out, nk_str(capabilities[k].members[j]));
                nk_buf_add(out, NK_STR("true"));
            }
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, '}');
}

/* serverInfo has its own member in one form, and is in _meta of the other. */
static uint32_t info_of(const struct nk_mcp_about *s)
{
    uint32_t at = nk_json_get(s->doc, s->at, NK_STR("serverInfo"));
    if (at == NK_JSON_NONE)
        at = nk_json_get(s->doc, nk_json_get(s->doc, s->at, NK_STR("_meta")), server_info);
    return nk_json_type(s->doc, at) == NK_JSON_OBJECT ? at : NK_JSON_NONE;
}

static void put_info(const struct nk_mcp_about *list, size_t n, struct nk_buf *out)
{
    uint32_t at = n == 1 ? info_of(&list[0]) : NK_JSON_NONE;
    if (at != NK_JSON_NONE) {
        nk_buf_add(out, nk_json_span(list[0].doc, at));
        return;
    }
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("name"), n == 1 ? list[0].name : NK_STR("nakoso"));
    nk_json_put_member(out, NK_STR("version"), NK_STR(NK_VERSION));
    nk_buf_add_char(out, '}');
}

static int put_instructions(const struct nk_mcp_about *list, size_t n, struct nk_arena *a,
                            struct nk_buf *out)
{
    struct nk_buf all;
    nk_buf_init(&all, out->max);
    for (size_t i = 0; i < n; i++) {
        uint32_t at = nk_json_get(list[i].doc, list[i].at, NK_STR("instructions"));
        struct nk_str text = nk_json_string(list[i].doc, at, a);
        if (!text.n)
            continue;
        if (n > 1)
            nk_buf_printf(&all, "%s%.*s: ", all.n ? "\n\n" : "", NK_FMT(list[i].name));
        nk_buf_add(&all, text);
    }
    int rc = all.error;
    if (!rc && all.n)
        nk_json_put_member(out, NK_STR("instructions"), nk_buf_str(&all));
    nk_buf_free(&all);
    return rc;
}

int nk_mcp_put_about(const struct nk_mcp_about *list, size_t n, enum nk_mcp_revision as,
                     struct nk_arena *a, struct nk_buf *out)
{
    bool is_new = as == NK_MCP_2026_07_28;
    nk_buf_add_char(out, '{');
    if (is_new) {
        nk_buf_add(out, NK_STR("\"resultType\":\"complete\",\"supportedVersions\":"));
        nk_buf_add(out, nk_str(nk_mcp_supported));
        nk_buf_add(out, NK_STR(",\"ttlMs\":0,\"cacheScope\":\"private\""));
    } else
        nk_json_put_member(out, NK_STR("protocolVersion"), nk_mcp_revision_name(as));
    nk_json_put_name(out, NK_STR("capabilities"));
    put_known(list, n, out);
    int rc = put_instructions(list, n, a, out);
    nk_json_put_name(out, is_new ? NK_STR("_meta") : NK_STR("serverInfo"));
    if (is_new) {
        nk_buf_add_char(out, '{');
        nk_json_put_name(out, server_info);
    }
    put_info(list, n, out);
    nk_buf_add(out, is_new ? NK_STR("}}") : NK_STR("}"));
    return rc ? rc : out->error;
}
