/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_message.c - one message of JSON-RPC 2.0 (jsonrpc.h), whose results are objects in MCP. What it asks for is found by
 * the table of methods.
 */
#include "proto/mcp.h"
#include "proto/member.h"

/* Members of params that we decide about. */
static const char *const decided_params[] = {"name", "uri", "arguments", "ref", "cursor", "_meta"};

enum subject { SUBJECT_NONE, SUBJECT_NAME, SUBJECT_URI, SUBJECT_REF };
enum era { ERA_OLD, ERA_NEW, ERA_ANY };

struct method {
    struct nk_str name;
    enum subject subject;
    bool header;
    enum era era;
};

/* clang-format off */
#define MCP(id, method, action, subject, header, era) [NK_MCP_##id] = {{method, sizeof(method) - 1}, SUBJECT_##subject, header, ERA_##era},
/* clang-format on */

static const struct method methods[NK_MCP_OPS] = {
#include "proto/mcp.def"
#undef MCP
};

static const char stage[] = "mcp";

static int bad(const struct nk_json *doc, uint32_t at, struct nk_fault *f, const char *what)
{
    return nk_fault_set(f, NK_EINVAL, stage, at < doc->n ? doc->tape[at].start : 0, "%s", what);
}

int nk_mcp_read(const struct nk_json *doc, struct nk_arena *a, struct nk_mcp_message *out,
                struct nk_fault *f)
{
    struct nk_rpc m;
    int rc = nk_rpc_read(doc, stage, a, &m, f);
    *out = (struct nk_mcp_message){.doc = *doc,
                                   .kind = (enum nk_mcp_kind)m.kind,
                                   .id = m.id,
                                   .method = m.method,
                                   .params = m.params,
                                   .result = m.result,
                                   .error = m.error};
    if (!rc && m.result != NK_JSON_NONE && nk_json_type(doc, m.result) != NK_JSON_OBJECT)
        return bad(doc, m.result, f, "\"result\" must be an object");
    return rc;
}

int nk_mcp_error_code(const struct nk_mcp_message *m, int64_t *code)
{
    return nk_json_i64(&m->doc, nk_json_get(&m->doc, m->error, NK_STR("code")), code);
}

bool nk_mcp_has_failed(const struct nk_mcp_message *m)
{
    uint32_t at = nk_json_get(&m->doc, m->result, NK_STR("isError"));
    return nk_json_type(&m->doc, at) == NK_JSON_TRUE;
}

/* Which row: completion/complete is two, told apart by what it completes. */
static enum nk_mcp_op op_of(const struct nk_mcp_message *m, const struct nk_mcp_ask *ask)
{
    for (int i = NK_MCP_OTHER + 1; i < NK_MCP_OPS; i++)
        if (nk_str_eq(methods[i].name, m->method) &&
            methods[i].era != (ask->is_new ? ERA_OLD : ERA_NEW))
            return (enum nk_mcp_op)i;
    return NK_MCP_OTHER;
}

static int read_ref(const struct nk_mcp_message *m, struct nk_mcp_ask *out, struct nk_fault *f)
{
    uint32_t ref = nk_json_get(&m->doc, m->params, NK_STR("ref"));
    uint32_t type = nk_json_get(&m->doc, ref, NK_STR("type"));
    bool prompt = nk_json_is(&m->doc, type, NK_STR("ref/prompt"));
    if (!prompt && !nk_json_is(&m->doc, type, NK_STR("ref/resource")))
        return bad(&m->doc, ref, f, "\"ref\" must be of type ref/prompt or ref/resource");
    out->op = prompt ? NK_MCP_COMPLETE_PROMPT : NK_MCP_COMPLETE_RESOURCE;
    out->subject_at = nk_json_get(&m->doc, ref, prompt ? NK_STR("name") : NK_STR("uri"));
    return 0;
}

static int read_subject(const struct nk_mcp_message *m, struct nk_arena *a, struct nk_mcp_ask *out,
                        struct nk_fault *f)
{
    enum subject subject = methods[out->op].subject;
    int rc = 0;
    if (subject == SUBJECT_NONE)
        return 0;
    if (subject == SUBJECT_REF)
        rc = read_ref(m, out, f);
    else
        out->subject_at = nk_json_get(&m->doc, m->params,
                                      subject == SUBJECT_NAME ? NK_STR("name") : NK_STR("uri"));
    if (rc)
        return rc;
    out->subject = nk_json_string(&m->doc, out->subject_at, a);
    if (!out->subject.n)
        return bad(&m->doc, out->subject_at, f, "\"params\" does not say what it is about");
    out->arguments = nk_json_get(&m->doc, m->params, NK_STR("arguments"));
    if (out->arguments != NK_JSON_NONE && nk_json_type(&m->doc, out->arguments) != NK_JSON_OBJECT)
        return bad(&m->doc, out->arguments, f, "\"arguments\" must be an object");
    return 0;
}

/* What stands in params._meta of 2026-07-28: a claim that has to be whole. */
static int read_meta(const struct nk_mcp_message *m, struct nk_arena *a, struct nk_mcp_ask *out,
                     struct nk_fault *f)
{
    static const struct nk_str version = {"io.modelcontextprotocol/protocolVersion", 39};
    static const struct nk_str can = {"io.modelcontextprotocol/clientCapabilities", 42};
    out->meta = nk_json_get(&m->doc, m->params, NK_STR("_meta"));
    if (out->meta != NK_JSON_NONE && nk_json_type(&m->doc, out->meta) != NK_JSON_OBJECT)
        return bad(&m->doc, out->meta, f, "\"_meta\" must be an object");
    uint32_t at = nk_json_get(&m->doc, out->meta, version);
    out->capabilities = nk_json_get(&m->doc, out->meta, can);
    if (at == NK_JSON_NONE)
        return 0;
    out->version = nk_json_string(&m->doc, at, a);
    if (!out->version.n)
        return bad(&m->doc, at, f, "the protocolVersion of _meta must be a string");
    out->is_new = true;
    out->revision = nk_mcp_revision(out->version);
    return 0;
}

int nk_mcp_ask(const struct nk_mcp_message *m, struct nk_arena *a, struct nk_mcp_ask *out,
               struct nk_fault *f)
{
    *out = (struct nk_mcp_ask){.op = NK_MCP_OTHER,
                               .meta = NK_JSON_NONE,
                               .capabilities = NK_JSON_NONE,
                               .subject_at = NK_JSON_NONE,
                               .arguments = NK_JSON_NONE};
    bool note = nk_str_starts(m->method, NK_STR("notifications/"));
    if (note != (m->kind == NK_MCP_NOTIFICATION)) /* or it would be done without an answer */
        return bad(&m->doc, 0, f, "a request has an \"id\", and a notification has none");
    int rc =
        nk_member_no_doubles(&m->doc, m->params, decided_params, NK_COUNT(decided_params), a, f);
    if (!rc)
        rc = read_meta(m, a, out, f);
    if (rc)
        return rc;
    out->op = op_of(m, out);
    if (out->op == NK_MCP_INITIALIZE) {
        uint32_t at = nk_json_get(&m->doc, m->params, NK_STR("protocolVersion"));
        out->version = nk_json_string(&m->doc, at, a);
        out->revision = nk_mcp_revision(out->version);
        out->capabilities = nk_json_get(&m->doc, m->params, NK_STR("capabilities"));
        if (!out->version.n)
            return bad(&m->doc, at, f, "initialize must say a \"protocolVersion\"");
    }
    return read_subject(m, a, out, f);
}

bool nk_mcp_has_header(enum nk_mcp_op op)
{
    return methods[op].header;
}
