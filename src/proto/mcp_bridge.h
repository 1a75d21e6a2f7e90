/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_bridge.h - one message in the form of the other generation: what 2026-07-28 says in each message, and the revisions with
 * sessions say once, is put in or taken out. Everything else is the same in both and stays as it is, byte by byte.
 *
 *   of a request   params._meta: io.modelcontextprotocol/… (protocolVersion, clientCapabilities, clientInfo, logLevel);
 *                  params.inputResponses and requestState
 *   of a result    resultType; ttlMs and cacheScope of those that may be cached
 *
 * schema.ts of 2025-11-25 and of 2026-07-28.
 */
#pragma once

#include "proto/mcp.h"

/* Appends params as 2026-07-28 has them; `params` may be NK_JSON_NONE. The client is named as we are; `can` is what it can do
 * for the server, an object (ClientCapabilities). */
int nk_mcp_put_new_params(const struct nk_json *doc, uint32_t params, struct nk_str can,
                          struct nk_arena *a, struct nk_buf *out) NK_CHECKED;
/* Appends params as the revisions with sessions have them. */
int nk_mcp_put_old_params(const struct nk_json *doc, uint32_t params, struct nk_arena *a,
                          struct nk_buf *out) NK_CHECKED;
/* Appends a result as 2026-07-28 has it: complete, and if it may be cached at all, not for anybody else and no longer. */
int nk_mcp_put_new_result(const struct nk_json *doc, uint32_t result, enum nk_mcp_op op,
                          struct nk_arena *a, struct nk_buf *out) NK_CHECKED;
/* Appends a result as the revisions with sessions have it. NK_EUNSUPPORTED: it is no result but a question. */
int nk_mcp_put_old_result(const struct nk_json *doc, uint32_t result, struct nk_arena *a,
                          struct nk_buf *out) NK_CHECKED;
/* The code of an error of a server with sessions, as 2026-07-28 has it (a resource that is not there). */
int64_t nk_mcp_new_code(int64_t code);
