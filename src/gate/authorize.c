/* SPDX-License-Identifier: Apache-2.0
 *
 * authorize.c - the only judge. It decides on the facts that facts.c puts together; the record keeps
 * the same facts as Cedar JSON, so that a replay decides again on nothing else.
 */
#include "gate/driver.h"
#include "gate/hosted.h"

struct nk_cedar_entities *gate_store_within(struct nk_txn *t, struct nk_cedar_uid one,
                                            struct nk_cedar_uid parent)
{
    struct nk_cedar_entities *e = nk_cedar_entities_new(t->scratch, t->state->store);
    const struct nk_cedar_value *none = nk_cedar_record(t->scratch, NULL, 0);
    if (!e || !none || nk_cedar_entities_add(e, one, &parent, 1, none, NULL) ||
        nk_cedar_entities_seal(e, NULL))
        return NULL;
    return e;
}

int gate_judge(struct nk_txn *t, struct nk_str action, struct nk_cedar_uid resource,
               struct nk_cedar_answer *out)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f;
    nk_fault_none(&f);
    struct nk_cedar_request req = {.principal = {s->principal->type, s->principal->id},
                                   .action = {NK_STR("Action"), action},
                                   .resource = resource};
    int rc = gate_facts(t, &f);
    req.context = s->given;
    if (!rc)
        rc = nk_cedar_authorize(t->setup->policies, s->store, &req, t->scratch, out);
    if (rc == NK_ENOMEM || rc == NK_ELIMIT)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "authorize", NK_STR(""), NK_STR(""));
    if (rc) /* e.g. the entities file defines this very principal: identity comes from proofs alone
             */
        return gate_refuse(t, NK_REFUSAL_policy_denied, "authorize", NK_STR(""),
                           nk_arena_copy(t->arena, nk_str(f.message)));
    return 0;
}

static void put_reasons(struct nk_buf *b, const struct nk_cedar_answer *a)
{
    for (size_t i = 0; i < a->reason_count; i++)
        nk_buf_printf(b, "%s%.*s", i ? ", " : "", NK_FMT(a->reasons[i]));
}

static void why_in_english(struct nk_buf *b, const struct nk_gate_state *s)
{
    nk_buf_printf(b, "%.*s::\"%.*s\" may not %s %.*s::\"%.*s\": ", NK_FMT(s->principal->type),
                  NK_FMT(s->principal->id), s->call.endpoint->action, NK_FMT(s->resource.type),
                  NK_FMT(s->resource.id));
    nk_buf_add(b, s->answer.reason_count ? NK_STR("forbidden by policy ")
                                         : NK_STR("no policy permits it"));
    put_reasons(b, &s->answer);
    nk_buf_add(b, NK_STR(". Ask the owner of the policy if you should be allowed."));
}

static void why_in_japanese(struct nk_buf *b, const struct nk_gate_state *s)
{
    nk_buf_printf(b, "%.*s::\"%.*s\" による %.*s::\"%.*s\" への %s は", NK_FMT(s->principal->type),
                  NK_FMT(s->principal->id), NK_FMT(s->resource.type), NK_FMT(s->resource.id),
                  s->call.endpoint->action);
    if (s->answer.reason_count)
        nk_buf_add(b, NK_STR("ポリシー "));
    put_reasons(b, &s->answer);
    nk_buf_add(b, s->answer.reason_count ? NK_STR(" により禁止されています。")
                                         : NK_STR("、許可するポリシーがありません。"));
    nk_buf_add(b, NK_STR("必要な場合はポリシーの管理者に相談してください。"));
}

static struct nk_str why_denied(struct nk_txn *t)
{
    struct nk_buf b;
    nk_buf_init(&b, 4096);
    if (t->state->japanese)
        why_in_japanese(&b, t->state);
    else
        why_in_english(&b, t->state);
    struct nk_str text = nk_arena_copy(t->arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return text;
}

/* Which policies decided is told when the request is over, long after this step: see nk_txn_facts. */
static int keep_reasons(struct nk_txn *t)
{
    struct nk_cedar_answer *a = &t->state->answer;
    struct nk_str *own = nk_arena_array(t->arena, a->reason_count, sizeof *own);
    if (!own)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "authorize", NK_STR(""), NK_STR(""));
    for (size_t i = 0; i < a->reason_count; i++)
        own[i] = a->reasons[i];
    a->reasons = own;
    return 0;
}

int gate_authorize(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    if (nk_cedar_policies_count(t->setup->policies) == 0)
        return gate_refuse(
            t, NK_REFUSAL_no_policy, "authorize",
            NK_STR("Put *.cedar files into the directory that policy.directory names."),
            NK_STR(""));
    int rc = gate_judge(t, nk_str(s->call.endpoint->action), s->resource, &s->answer);
    if (!rc)
        rc = keep_reasons(t);
    if (rc)
        return rc;
    s->judged = true;
    if (s->answer.allow)
        return s->call.tool_count ? gate_hosted_authorize(t) : 0;
    return gate_refuse(t, NK_REFUSAL_policy_denied, "authorize", why_denied(t), NK_STR(""));
}
