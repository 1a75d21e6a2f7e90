/* SPDX-License-Identifier: Apache-2.0
 *
 * document.c - see document.h. The key set by which tools verify for whom they are called (ident/token.h) is at
 * /.well-known/jwks.json (RFC 7517, section 5); the metadata of protected resources is oauth.c's.
 */
#include "gate/document.h"

#include "gate/driver.h"
#include "gate/oauth.h"

static const struct nk_endpoint endpoint = {"jwks",       "GET",           "/.well-known/jwks.json",
                                            "ReadKeySet", NK_LOCAL_PUBLIC, NULL};

static bool match_keys(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    if (!t->setup->token_jwks.p || !nk_str_eq(s->head->target, nk_str(endpoint.path)))
        return false;
    s->document = t->setup->token_jwks;
    s->dialect = nk_dialect_by_name(NK_STR("openai"));
    s->call.endpoint = &endpoint;
    return true;
}

bool gate_document_match(struct nk_txn *t)
{
    const struct nk_http_head *h = t->state->head;
    return nk_str_starts(h->target, NK_STR("/.well-known/")) &&
           nk_str_eq(h->method, NK_STR("GET")) && (match_keys(t) || gate_oauth_match(t));
}

unsigned gate_document_answer(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    unsigned fx = gate_record_members(t, NK_STR(""), NK_STR(",\"decision\":\"public\""));
    s->phase = NK_PHASE_OVER;
    nk_buf_add(&t->out, s->document);
    s->headers[s->header_count++] =
        (struct nk_http_header){NK_STR("cache-control"), NK_STR("public, max-age=300")};
    return fx | gate_reply(t, s->dialect, 200, NULL);
}
