/* SPDX-License-Identifier: Apache-2.0
 *
 * identify.c - from the proof beside the prompt to the principal. Nothing in the body is looked at.
 * The client learns that its credential was not accepted, never why; the record says why.
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
    if (credential.n == 0)
        return gate_refuse(t, NK_REFUSAL_no_credential, "identify", NK_STR(""), NK_STR(""));
    int rc = nk_ident_verify(t->setup->ident, credential, s->now_ms, t->arena, &s->principal, &f);
    if (!rc)
        return 0;
    return gate_refuse(t, refusal_for(rc), "identify", NK_STR(""),
                       nk_arena_copy(t->arena, nk_str(f.message)));
}
