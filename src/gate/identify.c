/* SPDX-License-Identifier: Apache-2.0
 *
 * identify.c - from the proof beside the prompt to the principal. Nothing in the body is looked at.
 * The client learns that its credential was not accepted, never why; the record says why.
 *
 * A key or token names the principal. The certificate of the connection does so only when neither
 * is there: a credential that is not accepted is never made up for by a certificate, which may be
 * that of a proxy or of a machine on which many work. Beside a credential it stays a fact of the
 * transport, for policies that want both (docs/policies.md).
 */
#include "gate/oauth.h"

#include <string.h>

static enum nk_refusal_id refusal_for(int rc)
{
    switch (rc) {
    case NK_EEXPIRED:
        return NK_REFUSAL_expired_credential;
    case NK_ECONFLICT:
        return NK_REFUSAL_insufficient_scope;
    case NK_EAGAIN:
        return NK_REFUSAL_keys_not_ready;
    case NK_EFULL:
        return NK_REFUSAL_too_busy;
    case NK_ENOMEM:
        return NK_REFUSAL_out_of_memory;
    default:
        return NK_REFUSAL_bad_credential;
    }
}

static int refuse(struct nk_txn *t, int rc, const struct nk_fault *f)
{
    if (rc == NK_ENOTFOUND)
        return gate_refuse(t, NK_REFUSAL_no_credential, "identify", NK_STR(""),
                           nk_arena_copy(t->arena, nk_str(f->message)));
    return gate_refuse(t, refusal_for(rc), "identify", NK_STR(""),
                       nk_arena_copy(t->arena, nk_str(f->message)));
}

static bool is_signed(const struct nk_gate_state *s)
{
    return s->dialect->signing_service &&
           nk_sigv4_is(nk_http_get(s->head, NK_STR("authorization")));
}

/* The signature covers the digest of the body. Most clients send that too: then the signature is looked at
 * before the body is kept, and the body when it is there. */
static int verify_signature(struct nk_txn *t, struct nk_str payload, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    return nk_ident_verify_sigv4(t->setup->ident, s->head, nk_str(s->dialect->signing_service),
                                 payload, s->now_ms, t->arena, &s->principal, f);
}

/* Kept only where an upstream of the configuration exchanges it. */
static int keep_token(struct nk_txn *t, struct nk_str credential)
{
    struct nk_gate_state *s = t->state;
    bool needed = false;
    for (size_t i = 0; i < t->setup->config.upstream_count; i++)
        needed |= t->setup->config.upstreams[i].oauth.exchanges;
    if (!needed || !s->principal || strcmp(s->principal->proof, "jwt") != 0)
        return 0;
    s->token = nk_arena_copy(t->arena, credential);
    return s->token.p ? 0 : NK_ENOMEM;
}

int gate_identify(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f;
    nk_fault_none(&f);
    struct nk_str credential = s->dialect->credential(s->head);
    int rc;
    if (s->call.endpoint->local == NK_LOCAL_PUBLIC)
        return 0;
    if (s->certificate && s->now_ms >= s->certificate->until_ms)
        rc = nk_fault_set(&f, NK_EEXPIRED, "certificate", 0,
                          "the client's certificate expired while it was connected");
    else if (is_signed(s))
        rc = verify_signature(t, nk_http_get(s->head, NK_STR("x-amz-content-sha256")), &f);
    else if (credential.n)
        rc = nk_ident_verify_for(t->setup->ident, gate_oauth_wants(s->oauth), credential, s->now_ms,
                                 t->arena, &s->principal, &f);
    else if (s->certificate)
        rc = nk_ident_by_certificate(t->setup->ident, s->certificate, s->now_ms, t->arena,
                                     &s->principal, &f);
    else
        rc = NK_ENOTFOUND;
    if (!rc && credential.n)
        rc = keep_token(t, credential);
    s->proves_later = !rc && !s->principal;
    return rc ? refuse(t, rc, &f) : 0;
}

int gate_prove(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f;
    nk_fault_none(&f);
    char text[2 * NK_SHA256_SIZE];
    struct nk_buf digest = {.p = text, .cap = sizeof text, .max = sizeof text};
    if (!is_signed(s))
        return 0;
    nk_buf_add_hex(&digest, s->body_digest.b, sizeof s->body_digest.b);
    int rc = 0;
    if (s->proves_later)
        rc = verify_signature(t, nk_buf_str(&digest), &f);
    else if (!nk_str_eq(nk_http_get(s->head, NK_STR("x-amz-content-sha256")), nk_buf_str(&digest)))
        rc =
            nk_fault_set(&f, NK_EDENIED, "signature", 0, "the body is not the one that was signed");
    if (rc) /* nobody asks, then */
        s->principal = NULL;
    return rc ? refuse(t, rc, &f) : 0;
}
