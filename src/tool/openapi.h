/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi.h - the operations of an API that OpenAPI describes (3.0 and 3.1), as definitions of tools: an operation's
 * parameters and the members of its JSON body become one inputSchema, the schema of its answer the outputSchema.
 * https://spec.openapis.org/oas/v3.1.1, sections 4.8 (objects) and 4.4 (references); 3.0 differs in its schemas.
 *
 *   - an operation that cannot be said so is left out, with its place and the reason; nothing is said by halves
 *   - references are followed within the document alone, and become what they name: one that leads into itself does not
 *   - a tool takes no argument that the operation does not declare
 */
#pragma once

#include "json/json.h"

enum {
    NK_OPENAPI_TOOLS = 1024,     /* of one document; beyond: NK_ELIMIT */
    NK_OPENAPI_ARGUMENTS = 128,  /* of one operation */
    NK_OPENAPI_DEPTH = 32,       /* schemas inside one another, references followed */
    NK_OPENAPI_BYTES = 256 << 10 /* of one definition */
};

/* How a tool is called. */
struct nk_openapi_way {
    struct nk_str name;         /* operationId */
    struct nk_str method, path; /* "POST", "/visits/{id}", without the server's own path */
    struct nk_str query,
        headers; /* names of arguments, with commas between; absent: none, or as usual */
};

struct nk_openapi {
    struct nk_str tools; /* {"tools":[…]}, as an MCP server would offer them */
    const struct nk_openapi_way *ways;
    size_t count;
    struct nk_str base;     /* path of the first server ("/v1"), or empty */
    struct nk_str left_out; /* lines "#/paths/~1x/post: why" */
    size_t left_out_count;
};

/* Does it look like such a document, of whatever version? */
bool nk_openapi_is(const struct nk_json *doc);
/* All lives in `a`. NK_EINVAL, NK_EUNSUPPORTED (stage "openapi"): the document as a whole cannot be read; NK_ELIMIT,
 * NK_ENOMEM. */
int nk_openapi_read(const struct nk_json *doc, struct nk_arena *a, struct nk_openapi *out,
                    struct nk_fault *f) NK_CHECKED;
