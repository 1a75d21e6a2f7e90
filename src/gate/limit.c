/* SPDX-License-Identifier: Apache-2.0
 *
 * limit.c - is there room for one more request? A full audit log stops everything: what cannot be
 * recorded does not pass.
 */
#include "gate/txn.h"

int gate_limit(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    if (s->env.audit_full)
        return gate_refuse(t, NK_REFUSAL_audit_unavailable, "limit", NK_STR(""), NK_STR(""));
    if ((int64_t)s->env.in_flight >= t->setup->config.limits.requests)
        return gate_refuse(t, NK_REFUSAL_too_busy, "limit", NK_STR(""), NK_STR(""));
    return 0;
}
