/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp.c - the dialect of MCP: its table, where its credential is, and the form of a refusal. Which paths speak it is
 * in the configuration, so no request matches the table; the gate names its rows itself. A refusal is an error of
 * JSON-RPC with the id of the request, so that it reaches whoever asked, and not only whoever holds the
 * connection.
 */
#include "proto/mcp.h"

#include "proto/dialect.h"
#include "proto/stream.h"

const char nk_mcp_supported[] = "[\"2026-07-28\"]";
const char nk_mcp_own_meta[] =
    "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\","
    "\"io.modelcontextprotocol/clientCapabilities\":{},"
    "\"io.modelcontextprotocol/clientInfo\":{\"name\":\"nakoso\",\"version\":\"" NK_VERSION "\"}}";
const char nk_mcp_own_initialize[] =
    "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
    "\"clientInfo\":{\"name\":\"nakoso\",\"version\":\"" NK_VERSION "\"}";

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
    nk_buf_add(out, NK_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    nk_buf_add(out, id.p ? id : NK_STR("null"));
    nk_buf_add(out, NK_STR(",\"error\":{\"code\":"));
    nk_buf_add_i64(out, code);
    nk_json_put_member(out, NK_STR("message"), message);
    if (data.n) {
        nk_buf_add(out, NK_STR(",\"data\":{"));
        nk_buf_add(out, data);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add(out, NK_STR("}}"));
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

static int code_of(const struct nk_refusal *r)
{
    static const struct {
        const char *id;
        int code;
    } named[] = {{"bad_json", NK_MCP_PARSE_ERROR},
                 {"bad_request", NK_MCP_INVALID_REQUEST},
                 {"unknown_endpoint", NK_MCP_INVALID_REQUEST},
                 {"policy_denied", NK_MCP_REFUSED},
                 {"no_policy", NK_MCP_REFUSED}};
    if (r->code_number)
        return r->code_number;
    for (size_t i = 0; i < NK_COUNT(named); i++)
        if (nk_str_eq(nk_str(r->code), nk_str(named[i].id)))
            return named[i].code;
    return NK_MCP_FAILED;
}

/* Whoever asked for something that policy forbids has spoken the protocol well: the answer is one of the protocol.
 * Statuses 401 and 403 would make clients begin to log in. */
static int status(const struct nk_refusal *r)
{
    bool of_protocol = code_of(r) == NK_MCP_REFUSED ||
                       nk_str_eq(nk_str(r->code), NK_STR("bad_arguments")) ||
                       nk_str_eq(nk_str(r->code), NK_STR("not_translated"));
    return of_protocol && r->subject.p ? 200 : r->status;
}

static void refuse(const struct nk_refusal *r, struct nk_buf *out)
{
    struct nk_buf data;
    nk_buf_init(&data, 4096);
    nk_json_put_member(&data, NK_STR("reason"), nk_str(r->code));
    nk_json_put_member(&data, NK_STR("request"), r->request);
    if (r->data.n) {
        nk_buf_add_char(&data, ',');
        nk_buf_add(&data, r->data);
    }
    nk_mcp_put_error(out, r->subject, code_of(r), r->message, nk_buf_str(&data));
    out->error = out->error ? out->error : data.error;
    nk_buf_free(&data);
}

static void refuse_stream(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("event: message\ndata: "));
    refuse(r, out);
    nk_buf_add(out, NK_STR("\n\n"));
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
    .status = status,
    .refuse = refuse,
    .refuse_stream = refuse_stream,
    .list_models = nk_dialect_no_models,
};

const struct nk_dialect *nk_mcp_dialect(void)
{
    return &nk_dialect_mcp;
}
