/* SPDX-License-Identifier: Apache-2.0
 *
 * locate.c - from what the call names to the resource that the judge decides on: a model that the
 * configuration declares. A model that nobody declared is not routable; whether it exists elsewhere
 * is not told.
 */
#include "gate/agent.h"
#include "gate/store.h"
#include "gate/translate.h"

static int unknown(struct nk_txn *t, struct nk_str model)
{
    return gate_refuse(t, NK_REFUSAL_unknown_model, "locate",
                       nk_arena_printf(t->arena, "\"%.*s\"", NK_FMT(nk_str_sub(model, 0, 128))),
                       NK_STR("the configuration declares no such model"));
}

/* The store that the question names; of several (BatchGetPolicy) the first, the others are judged one by
 * one. */
static int locate_store(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    const struct nk_avp_call *c = nk_avp_call(&s->call);
    struct nk_str id = c->ref_count ? c->refs[0].store : c->store;
    s->resource = (struct nk_cedar_uid){NK_STR("Gateway"), NK_STR("policyStores")};
    if (!id.p)
        return 0;
    s->asked = gate_store_find(t->setup, id);
    if (!s->asked) {
        s->call.subject = id;
        s->call.kind = "POLICY_STORE";
        return gate_refuse(t, NK_REFUSAL_unknown_store, "locate",
                           nk_arena_printf(t->arena, "\"%.*s\"", NK_FMT(nk_str_sub(id, 0, 128))),
                           NK_STR("the configuration declares no such policy store"));
    }
    s->resource = (struct nk_cedar_uid){NK_STR("PolicyStore"), s->asked->config->id};
    return 0;
}

int gate_locate(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    if (s->call.endpoint->local == NK_LOCAL_STORE)
        return locate_store(t);
    if (s->call.endpoint->local == NK_LOCAL_HOOK)
        return gate_hook_locate(t);
    if (s->call.endpoint->local == NK_LOCAL_AGENT)
        return gate_agent_locate(t);
    bool list = s->call.endpoint->local && !s->segment.p;
    if (list) {
        s->resource = (struct nk_cedar_uid){NK_STR("Gateway"), NK_STR("models")};
        return 0;
    }
    struct nk_str name = s->call.endpoint->local ? s->segment : s->call.model;
    s->model = name.p ? nk_map_get(&t->setup->models, name) : NULL;
    if (!s->model)
        return unknown(t, name);
    s->resource = (struct nk_cedar_uid){NK_STR("Model"), s->model->name};
    if (s->model->dialect == s->dialect || s->call.endpoint->local)
        return 0;
    if (s->dialect->speaks && s->dialect->speaks(&s->call, s->model->dialect))
        return gate_translate(t);
    return gate_refuse(
        t, NK_REFUSAL_wrong_dialect, "locate",
        nk_arena_printf(t->arena, "\"%.*s\" speaks %s.", NK_FMT(name), s->model->dialect->name),
        NK_STR(""));
}
