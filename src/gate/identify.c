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
#include "gate/txn.h"

static enum nk_refusal_id refusal_for(int rc)
{
    switch (rc) {
    case NK_EEXPIRED:
        return NK_REFUSAL_expired_credential;
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

int gate_identify(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    struct nk_str credential = s->dialect->credential(s->head);
    int rc;
    if (s->certificate && s->now_ms >= s->certificate->until_ms)
        rc = nk_fault_set(&f, NK_EEXPIRED, "certificate", 0,
                          "the client's certificate expired while it was connected");
    else if (credential.n)
        rc = nk_ident_verify(t->setup->ident, credential, s->now_ms, t->arena, &s->principal, &f);
    else if (s->certificate)
        rc = nk_ident_by_certificate(t->setup->ident, s->certificate, s->now_ms, t->arena,
                                     &s->principal, &f);
    else
        rc = NK_ENOTFOUND;
    if (!rc)
        return 0;
    if (rc == NK_ENOTFOUND)
        return gate_refuse(t, NK_REFUSAL_no_credential, "identify", NK_STR(""),
                           nk_arena_copy(t->arena, nk_str(f.message)));
    return gate_refuse(t, refusal_for(rc), "identify", NK_STR(""),
                       nk_arena_copy(t->arena, nk_str(f.message)));
}
