/* SPDX-License-Identifier: Apache-2.0
 *
 * document.c - the key set by which tools verify for whom they are called (ident/token.h), at /.well-known/jwks.json
 * (RFC 7517, section 5). It is public and the same for everybody, so nobody has to prove anything for it.
 */
#include "gate/document.h"

static const struct nk_endpoint endpoint = {"jwks",       "GET",           "/.well-known/jwks.json",
                                            "ReadKeySet", NK_LOCAL_PUBLIC, NULL};

bool gate_document_match(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    bool asked = t->setup->token_jwks.p && nk_str_eq(s->head->method, NK_STR("GET")) &&
                 nk_str_eq(s->head->target, nk_str(endpoint.path));
    if (!asked)
        return false;
    s->dialect = nk_dialect_by_name(NK_STR("openai"));
    s->call.endpoint = &endpoint;
    s->document = t->setup->token_jwks;
    s->headers[s->header_count++] =
        (struct nk_http_header){NK_STR("cache-control"), NK_STR("public, max-age=300")};
    return true;
}
