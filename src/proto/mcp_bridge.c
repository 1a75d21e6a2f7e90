/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_bridge.c - see mcp_bridge.h.
 */
#include "proto/mcp_bridge.h"

static const struct nk_str meta_prefix = {"io.modelcontextprotocol/", 24};
static const char what_we_speak[] = "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
                                    "\"io.modelcontextprotocol/clientCapabilities\":";
static const char who_we_are[] =
    ",\"io.modelcontextprotocol/clientInfo\":{\"name\":\"nakoso\",\"version\":\"" NK_VERSION "\"}";

/* Members of an object but those that `drops` names, each behind a comma where one is needed. */
static int put_members(const struct nk_json *doc, uint32_t object,
                       bool (*drops)(struct nk_str name), struct nk_arena *a, struct nk_buf *out)
{
    for (uint32_t i = nk_json_first(doc, object); i != NK_JSON_NONE;
         i = nk_json_next(doc, object, i)) {
        struct nk_str name = nk_json_string(doc, i, a);
        if (!name.p)
            return NK_ENOMEM;
        if (drops(name))
            continue;
        nk_json_put_name(out, name);
        nk_buf_add(out, nk_json_span(doc, i + 1));
    }
    return out->error;
}

/* Names with this prefix are the protocol's own; a client that does not know them has not said them. */
static bool is_protocol(struct nk_str name)
{
    return nk_str_starts(name, meta_prefix);
}

static bool is_meta(struct nk_str name)
{
    return nk_str_eq(name, NK_STR("_meta"));
}

static bool is_new_param(struct nk_str name)
{
    return is_meta(name) || nk_str_eq(name, NK_STR("inputResponses")) ||
           nk_str_eq(name, NK_STR("requestState"));
}

static bool is_new_member(struct nk_str name)
{
    return nk_str_eq(name, NK_STR("resultType")) || nk_str_eq(name, NK_STR("ttlMs")) ||
           nk_str_eq(name, NK_STR("cacheScope"));
}

int nk_mcp_put_new_params(const struct nk_json *doc, uint32_t params, struct nk_str can,
                          struct nk_arena *a, struct nk_buf *out)
{
    uint32_t meta =
        params == NK_JSON_NONE ? NK_JSON_NONE : nk_json_get(doc, params, NK_STR("_meta"));
    int rc = 0;
    nk_buf_add_char(out, '{');
    if (params != NK_JSON_NONE)
        rc = put_members(doc, params, is_meta, a, out);
    nk_json_put_name(out, NK_STR("_meta"));
    nk_buf_add_char(out, '{');
    nk_buf_add(out, nk_str(what_we_speak));
    nk_buf_add(out, can);
    nk_buf_add(out, nk_str(who_we_are));
    if (!rc && meta != NK_JSON_NONE)
        rc = put_members(doc, meta, is_protocol, a, out);
    nk_buf_add(out, NK_STR("}}"));
    return rc ? rc : out->error;
}

static bool has_own(const struct nk_json *doc, uint32_t meta, struct nk_arena *a)
{
    for (uint32_t i = nk_json_first(doc, meta); i != NK_JSON_NONE; i = nk_json_next(doc, meta, i))
        if (!is_protocol(nk_json_string(doc, i, a)))
            return true;
    return false;
}

int nk_mcp_put_old_params(const struct nk_json *doc, uint32_t params, struct nk_arena *a,
                          struct nk_buf *out)
{
    uint32_t meta = nk_json_get(doc, params, NK_STR("_meta"));
    nk_buf_add_char(out, '{');
    int rc = put_members(doc, params, is_new_param, a, out);
    if (!rc && meta != NK_JSON_NONE && has_own(doc, meta, a)) {
        nk_json_put_name(out, NK_STR("_meta"));
        nk_buf_add_char(out, '{');
        rc = put_members(doc, meta, is_protocol, a, out);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, '}');
    return rc ? rc : out->error;
}

static bool is_cacheable(enum nk_mcp_op op)
{
    return op == NK_MCP_LIST_TOOLS || op == NK_MCP_LIST_PROMPTS || op == NK_MCP_LIST_RESOURCES ||
           op == NK_MCP_LIST_TEMPLATES || op == NK_MCP_READ_RESOURCE;
}

int nk_mcp_put_new_result(const struct nk_json *doc, uint32_t result, enum nk_mcp_op op,
                          struct nk_arena *a, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"resultType\":\"complete\""));
    if (is_cacheable(op))
        nk_buf_add(out, NK_STR(",\"ttlMs\":0,\"cacheScope\":\"private\""));
    int rc = put_members(doc, result, is_new_member, a, out);
    nk_buf_add_char(out, '}');
    return rc ? rc : out->error;
}

int nk_mcp_put_old_result(const struct nk_json *doc, uint32_t result, struct nk_arena *a,
                          struct nk_buf *out)
{
    uint32_t type = nk_json_get(doc, result, NK_STR("resultType"));
    if (type != NK_JSON_NONE && !nk_json_is(doc, type, NK_STR("complete")))
        return NK_EUNSUPPORTED;
    nk_buf_add_char(out, '{');
    int rc = put_members(doc, result, is_new_member, a, out);
    nk_buf_add_char(out, '}');
    return rc ? rc : out->error;
}

int64_t nk_mcp_new_code(int64_t code)
{
    enum { RESOURCE_NOT_FOUND = -32002 };
    return code == RESOURCE_NOT_FOUND ? NK_MCP_INVALID_PARAMS : code;
}
