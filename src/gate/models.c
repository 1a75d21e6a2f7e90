/* SPDX-License-Identifier: Apache-2.0
 *
 * models.c - the list of models, answered here: those of the client's dialect which the judge would
 * let this principal invoke. What one may not use, one does not see.
 */
#include "gate/txn.h"

/* The models that may be listed; NK_ENOMEM when memory is out. */
static int visible(struct nk_txn *t, struct nk_str *names, size_t *n)
{
    struct nk_gate_state *s = t->state;
    for (size_t i = 0; i < t->setup->config.model_count; i++) {
        const struct nk_model *m = &t->setup->model_list[i];
        struct nk_cedar_answer answer;
        if (m->dialect != s->dialect || (s->model && s->model != m))
            continue;
        if (gate_judge(t, NK_STR("InvokeModel"), (struct nk_cedar_uid){NK_STR("Model"), m->name},
                       &answer))
            return NK_ENOMEM;
        if (answer.allow)
            names[(*n)++] = m->name;
    }
    return 0;
}

unsigned gate_answer_models(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    size_t n = 0;
    struct nk_str *names =
        nk_arena_array(t->arena, t->setup->config.model_count + 1, sizeof *names);
    if (!names || visible(t, names, &n))
        return NK_FX_CUT;
    if (s->model && n == 0) {
        gate_refuse(t, NK_REFUSAL_unknown_model, "locate", NK_STR(""), NK_STR("not visible"));
        return gate_answer_refusal(t);
    }
    s->dialect->list_models(names, n, s->model != NULL, &t->out);
    return gate_reply(t, s->dialect, 200, NULL);
}
