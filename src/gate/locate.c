/* SPDX-License-Identifier: Apache-2.0
 *
 * locate.c - from what the call names to the resource that the judge decides on: a model that the
 * configuration declares. A model that nobody declared is not routable; whether it exists elsewhere
 * is not told.
 */
#include "gate/txn.h"

static int unknown(struct nk_txn *t, struct nk_str model)
{
    return gate_refuse(t, NK_REFUSAL_unknown_model, "locate",
                       nk_arena_printf(t->arena, "\"%.*s\"", NK_FMT(nk_str_sub(model, 0, 128))),
                       NK_STR("the configuration declares no such model"));
}

int gate_locate(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    bool list = s->call.endpoint->local && !s->segment.p;
    if (list) {
        s->resource = (struct nk_cedar_uid){NK_STR("Gateway"), NK_STR("models")};
        return 0;
    }
    struct nk_str name = s->call.endpoint->local ? s->segment : s->call.model;
    s->model = name.p ? nk_map_get(&t->setup->models, name) : NULL;
    if (!s->model)
        return unknown(t, name);
    if (s->model->dialect != s->dialect && !s->call.endpoint->local)
        return gate_refuse(
            t, NK_REFUSAL_wrong_dialect, "locate",
            nk_arena_printf(t->arena, "\"%.*s\" speaks %s.", NK_FMT(name), s->model->dialect->name),
            NK_STR(""));
    s->resource = (struct nk_cedar_uid){NK_STR("Model"), s->model->name};
    return 0;
}
