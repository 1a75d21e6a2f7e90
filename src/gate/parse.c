/* SPDX-License-Identifier: Apache-2.0
 *
 * parse.c - from the bytes of the body to a call in the dialect's terms. The prompt itself leaves
 * no trace but its size and digest.
 */
#include "gate/txn.h"

int gate_read_json(const struct nk_txn *t, struct nk_str text, int64_t max, struct nk_arena *a,
                   struct nk_json *doc, struct nk_fault *f)
{
    const struct nk_json_limits json = nk_config_json_limits(&t->setup->config, max);
    return nk_json_parse(&json, text, a, doc, f);
}

static int parse_body(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f;
    nk_fault_none(&f);
    int rc = gate_read_json(t, nk_buf_str(&s->body), t->setup->config.limits.body_bytes, t->scratch,
                            &s->call.body, &f);
    if (rc == NK_ENOMEM)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR(""));
    if (rc)
        return gate_refuse(t, rc == NK_ELIMIT ? NK_REFUSAL_too_large : NK_REFUSAL_bad_json, "parse",
                           nk_arena_printf(t->arena, "At byte %zu: %s.", f.offset, f.message),
                           NK_STR(""));
    return 0;
}

int gate_parse(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f;
    nk_fault_none(&f);
    enum nk_local local = s->call.endpoint->local;
    if (local && local != NK_LOCAL_STORE && local != NK_LOCAL_AGENT)
        return 0;
    s->body_digest = nk_sha256(nk_buf_str(&s->body));
    int rc = gate_prove(t);
    if (!rc)
        rc = parse_body(t);
    if (rc)
        return rc;
    rc = s->dialect->parse_call(&s->call, t->arena, &f);
    if (rc == NK_ENOMEM)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR(""));
    if (rc)
        return gate_refuse(t, NK_REFUSAL_bad_request, "parse",
                           nk_arena_copy(t->arena, nk_str(f.message)), NK_STR(""));
    return 0;
}
