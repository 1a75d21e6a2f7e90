/* SPDX-License-Identifier: Apache-2.0
 *
 * jsonrpc.h - messages of JSON-RPC 2.0 as MCP and A2A send them over HTTP: one at a time, with ids that are strings or
 * integers and parameters that are an object. https://www.jsonrpc.org/specification.
 */
#pragma once

#include "json/json.h"
#include "proto/refusal.h"

enum nk_rpc_kind { NK_RPC_REQUEST, NK_RPC_NOTIFICATION, NK_RPC_RESULT, NK_RPC_ERROR };

enum { NK_RPC_METHOD_MAX = 256, NK_RPC_ID_MAX = 512 };

struct nk_rpc {
    enum nk_rpc_kind kind;
    struct nk_str id;     /* as it is written, "7" with its quotes; absent: none, or null */
    struct nk_str method; /* requests and notifications */
    uint32_t params;      /* an object, or NK_JSON_NONE */
    uint32_t result;      /* of any type, or NK_JSON_NONE */
    uint32_t error;       /* an object, or NK_JSON_NONE */
};

/* One message, not a batch. NK_EINVAL (stage `stage`, a static string) when it is none: its members have the wrong types,
 * or others stand beside them that some readers would take for them (see nk_member_no_doubles). doc must be strict
 * JSON already. On a fault `id` is set as far as it could be read. */
int nk_rpc_read(const struct nk_json *doc, const char *stage, struct nk_arena *a,
                struct nk_rpc *out, struct nk_fault *f) NK_CHECKED;

/* Appends an error answer. `id`: as it is written, or absent (null). `data`: members of an object, without
 * braces, or absent. */
void nk_rpc_put_error(struct nk_buf *out, struct nk_str id, int code, struct nk_str message,
                      struct nk_str data);

/* Section 5.1. -32000 to -32019 are an implementation's own. */
enum nk_rpc_code {
    NK_RPC_PARSE_ERROR = -32700,
    NK_RPC_INVALID_REQUEST = -32600,
    NK_RPC_NO_METHOD = -32601,
    NK_RPC_INVALID_PARAMS = -32602,
    NK_RPC_INTERNAL = -32603,
    NK_RPC_FAILED = -32000,  /* anything else: the message says what */
    NK_RPC_REFUSED = -32010, /* policy does not permit it */
};

/* A refusal as an error with the id of the request, so that it reaches whoever asked, and not only whoever holds the
 * connection: members `status`, `refuse` and `refuse_stream` of a dialect. */
int nk_rpc_status(const struct nk_refusal *r);
void nk_rpc_refuse(const struct nk_refusal *r, struct nk_buf *out);
void nk_rpc_refuse_stream(const struct nk_refusal *r, struct nk_buf *out);
