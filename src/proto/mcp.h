/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp.h - the Model Context Protocol over Streamable HTTP: its revisions, its messages (JSON-RPC 2.0), and the
 * headers that repeat parts of them. What a message asks for follows from its body alone; headers only have to
 * say the same.
 *
 *   with sessions   2025-03-26, 2025-06-18, 2025-11-25: initialize, Mcp-Session-Id, GET for a stream, DELETE
 *   without         2026-07-28: each request says its revision and what the client can do in params._meta
 *
 * https://modelcontextprotocol.io/specification, basic/transports of each revision.
 */
#pragma once

#include "proto/jsonrpc.h"
#include "proto/proto.h"

enum nk_mcp_revision {
    NK_MCP_UNKNOWN, /* none was said, or one that is not known here */
    NK_MCP_2025_03_26,
    NK_MCP_2025_06_18,
    NK_MCP_2025_11_25,
    NK_MCP_2026_07_28,
};
enum nk_mcp_revision nk_mcp_revision(struct nk_str name);
struct nk_str nk_mcp_revision_name(enum nk_mcp_revision r);
/* The revisions that a message can name by itself (in params._meta), the newest first, as a JSON array. */
extern const char nk_mcp_supported[];

/* Rows of the dialect's table: first those that an HTTP method tells, then the methods of mcp.def. */
enum nk_mcp_op {
    NK_MCP_POST,   /* a message that is not read yet */
    NK_MCP_STREAM, /* GET: what a server says on its own account */
    NK_MCP_END,    /* DELETE: the session is over */
    NK_MCP_ANSWER, /* what the client answers to a server's request */
    NK_MCP_OTHER,  /* a method that mcp.def does not have */
#define MCP(id, method, action, subject, header, era) NK_MCP_##id,
#include "proto/mcp.def"
#undef MCP
    NK_MCP_OPS,
};
const struct nk_dialect *nk_mcp_dialect(void);
const struct nk_endpoint *nk_mcp_endpoint(enum nk_mcp_op op);

enum nk_mcp_kind { NK_MCP_REQUEST, NK_MCP_NOTIFICATION, NK_MCP_RESULT, NK_MCP_ERROR };

enum { NK_MCP_METHOD_MAX = 256, NK_MCP_ID_MAX = 512 };

struct nk_mcp_message {
    struct nk_json doc;
    enum nk_mcp_kind kind;
    struct nk_str id;     /* as it is written, "7" with its quotes; absent: none, or null */
    struct nk_str method; /* requests and notifications */
    uint32_t params, result, error; /* entries of the document, or NK_JSON_NONE */
};

/* One message, not a batch. NK_EINVAL when it is none: its members have the wrong types, or others stand beside
 * them that some readers would take for them (see nk_member_no_doubles). doc must be strict JSON already. On a
 * fault `id` is set as far as it could be read. */
int nk_mcp_read(const struct nk_json *doc, struct nk_arena *a, struct nk_mcp_message *out,
                struct nk_fault *f) NK_CHECKED;
/* The code of an error; not 0 where there is none, or no integer. */
int nk_mcp_error_code(const struct nk_mcp_message *m, int64_t *code) NK_CHECKED;
/* Does a tool's result (CallToolResult) say that the tool failed? */
bool nk_mcp_has_failed(const struct nk_mcp_message *m);

/* What a client's request or notification asks for. */
struct nk_mcp_ask {
    enum nk_mcp_op op;
    enum nk_mcp_revision
        revision;          /* the body's own: _meta, or of initialize; UNKNOWN: it says none */
    struct nk_str version; /* the same as it is written; absent: none */
    bool is_new;           /* the body says revision and capabilities by itself */
    uint32_t meta, capabilities; /* of the client: entries, or NK_JSON_NONE */
    uint32_t subject_at;         /* entry of the name or URI; NK_JSON_NONE: the method has none */
    struct nk_str subject;
    uint32_t arguments; /* of a tool or prompt */
};
/* NK_EINVAL: a member has the wrong type or is missing. */
int nk_mcp_ask(const struct nk_mcp_message *m, struct nk_arena *a, struct nk_mcp_ask *out,
               struct nk_fault *f) NK_CHECKED;

/* "tools/call"; absent for what is no method of mcp.def. */
struct nk_str nk_mcp_method_name(enum nk_mcp_op op);
/* Does Mcp-Name repeat what this operation is about? */
bool nk_mcp_has_header(enum nk_mcp_op op);
/* Cedar type of what it is about: Tool, McpPrompt, McpResource, or else McpEndpoint. */
struct nk_str nk_mcp_resource_type(enum nk_mcp_op op);

/* Does the head of a request of 2026-07-28 say what its body says? 0; NK_EINVAL (HeaderMismatch, -32020): it does
 * not, or leaves out or repeats what it has to say. Mcp-Param-… is another function. */
int nk_mcp_headers(const struct nk_http_head *h, const struct nk_mcp_message *m,
                   const struct nk_mcp_ask *ask, struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
/* The same for the headers that repeat arguments: `schema` is the tool's inputSchema, whose properties say
 * x-mcp-header. A header that the schema does not know is passed over. NK_EINVAL as above; NK_ENOMEM. */
int nk_mcp_param_headers(const struct nk_http_head *h, const struct nk_json *schema,
                         const struct nk_json *doc, uint32_t arguments, struct nk_arena *a,
                         struct nk_fault *f) NK_CHECKED;
/* Adds those headers for these arguments; values live in `a` and in the document. NK_EINVAL: the schema names one that
 * cannot be; NK_ELIMIT: there would be more than `max` headers; NK_ENOMEM. */
int nk_mcp_add_param_headers(const struct nk_json *schema, const struct nk_json *arguments,
                             struct nk_arena *a, size_t max, struct nk_http_head *h) NK_CHECKED;
/* A header's value, out of its form =?base64?…?= if it has that. Absent: not valid, or memory is out. */
struct nk_str nk_mcp_header_decode(struct nk_str value, struct nk_arena *a);
/* The reverse; absent when memory is out. */
struct nk_str nk_mcp_header_encode(struct nk_str text, struct nk_arena *a);

/* What we say of ourselves to a server that we ask something on our own account, as a client that can do nothing. Members of
 * params: of a request of 2026-07-28, and of initialize (2025-11-25). */
/* … and the member clientInfo of the latter alone. */
extern const char nk_mcp_own_meta[], nk_mcp_own_initialize[], nk_mcp_own_client[];

/* Appends an error answer. `id`: as it is written, or absent (null). `data`: members of an object, without
 * braces, or absent. */
void nk_mcp_put_error(struct nk_buf *out, struct nk_str id, int code, struct nk_str message,
                      struct nk_str data);
/* JSON-RPC 2.0, section 5.1; MCP 2026-07-28, basic, "Error Codes". -32000 to -32019 are an implementation's own. */
enum nk_mcp_code {
    NK_MCP_PARSE_ERROR = NK_RPC_PARSE_ERROR,
    NK_MCP_INVALID_REQUEST = NK_RPC_INVALID_REQUEST,
    NK_MCP_NO_METHOD = NK_RPC_NO_METHOD,
    NK_MCP_INVALID_PARAMS = NK_RPC_INVALID_PARAMS,
    NK_MCP_INTERNAL = NK_RPC_INTERNAL,
    NK_MCP_FAILED = NK_RPC_FAILED,
    NK_MCP_NO_SESSION = -32001,
    NK_MCP_REFUSED = NK_RPC_REFUSED,
    NK_MCP_HEADER_MISMATCH = -32020,
    NK_MCP_NO_CAPABILITY = -32021,
    NK_MCP_NO_VERSION = -32022,
};
