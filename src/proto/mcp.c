/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp.c - the dialect of MCP: its table, where its credential is, and the form of a refusal. Which paths speak it is
 * in the configuration, so no request matches the table; the gate names its rows itself.
 */
#include "proto/mcp.h"

#include "proto/dialect.h"
#include "proto/stream.h"

const char nk_mcp_supported[] = "[\"2026-07-28\"]";
const char nk_mcp_own_meta[] =
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
    "\"io.modelcontextprotocol/clientCapabilities\":{},"
    "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"nakoso\",\"version\":\"" NK_VERSION "\"}}";
#define WHO_WE_ARE "\"clientInfo\":{\"name\":\"nakoso\",\"version\":\"" NK_VERSION "\"}"
const char nk_mcp_own_client[] = WHO_WE_ARE;
const char nk_mcp_own_initialize[] =
    "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}," WHO_WE_ARE;

static const struct nk_str revisions[] = {
    [NK_MCP_UNKNOWN] = {"", 0},
    [NK_MCP_2025_03_26] = {"2025-03-26", 10},
    [NK_MCP_2025_06_18] = {"2025-06-18", 10},
    [NK_MCP_2025_11_25] = {"2025-11-25", 10},
    [NK_MCP_2026_07_28] = {"2026-07-28", 10},
};

/* clang-format off */
#define MCP(id, method, action, subject, header, era) [NK_MCP_##id] = {"mcp." method, "POST", "*", action, NK_LOCAL_MCP, NULL},
/* clang-format on */

static const struct nk_endpoint endpoints[NK_MCP_OPS] = {
    [NK_MCP_POST] = {"mcp.message", "POST", "*", "UseMcp", NK_LOCAL_MCP, NULL},
    [NK_MCP_STREAM] = {"mcp.stream", "GET", "*", "UseMcp", NK_LOCAL_MCP, NULL},
    [NK_MCP_END] = {"mcp.end", "DELETE", "*", "UseMcp", NK_LOCAL_MCP, NULL},
    [NK_MCP_ANSWER] = {"mcp.answer", "POST", "*", "UseMcp", NK_LOCAL_MCP, NULL},
    [NK_MCP_OTHER] = {"mcp.other", "POST", "*", "UseMcpMethod", NK_LOCAL_MCP, NULL},
#include "proto/mcp.def"
#undef MCP
};

enum nk_mcp_revision nk_mcp_revision(struct nk_str name)
{
    for (size_t i = 1; i < NK_COUNT(revisions); i++)
        if (nk_str_eq(revisions[i], name))
            return (enum nk_mcp_revision)i;
    return NK_MCP_UNKNOWN;
}

struct nk_str nk_mcp_revision_name(enum nk_mcp_revision r)
{
    return revisions[r];
}

const struct nk_endpoint *nk_mcp_endpoint(enum nk_mcp_op op)
{
    return &endpoints[op];
}

struct nk_str nk_mcp_method_name(enum nk_mcp_op op)
{
    const size_t prefix = sizeof "mcp." - 1;
    return op > NK_MCP_OTHER ? nk_str(endpoints[op].name + prefix) : (struct nk_str){NULL, 0};
}

struct nk_str nk_mcp_resource_type(enum nk_mcp_op op)
{
    static const struct {
        struct nk_str action, type;
    } types[] = {{{"CallTool", 8}, {"Tool", 4}},
                 {{"GetPrompt", 9}, {"McpPrompt", 9}},
                 {{"ReadResource", 12}, {"McpResource", 11}}};
    for (size_t i = 0; i < NK_COUNT(types); i++)
        if (nk_str_eq(types[i].action, nk_str(endpoints[op].action)))
            return types[i].type;
    return NK_STR("McpEndpoint");
}

void nk_mcp_put_error(struct nk_buf *out, struct nk_str id, int code, struct nk_str message,
                      struct nk_str data)
{
    nk_rpc_put_error(out, id, code, message, data);
}

static bool claims(const struct nk_http_head *h)
{
    (void)h;
    return false;
}

static int parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    (void)call, (void)a, (void)f;
    return 0;
}

const struct nk_dialect nk_dialect_mcp = {
    .name = "mcp",
    .challenge = "Bearer",
    .endpoints = endpoints,
    .endpoint_count = NK_COUNT(endpoints),
    .claims = claims,
    .credential = nk_dialect_credential,
    .credential_header = "authorization",
    .credential_prefix = "Bearer ",
    .forwards = nk_dialect_forwards_nothing,
    .parse_call = parse_call,
    .parse_reply = nk_dialect_no_reply,
    .stream_new = nk_dialect_no_stream,
    .stream_event = nk_stream_event,
    .stream_end = nk_stream_end,
    .status = nk_rpc_status,
    .refuse = nk_rpc_refuse,
    .refuse_stream = nk_rpc_refuse_stream,
    .list_models = nk_dialect_no_models,
};

const struct nk_dialect *nk_mcp_dialect(void)
{
    return &nk_dialect_mcp;
}
