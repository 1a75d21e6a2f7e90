/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a_forward.c - the call to the agent: the headers that the protocol knows and no other. The client's credential is none
 * of them, and neither are extensions that it asks for: nobody here knows what one would change.
 */
#include "gate/a2a.h"

enum { HEADERS = 8 };

static int begin(struct nk_txn *t, const char *method, struct nk_str path, struct nk_str accept)
{
    struct nk_str trace = {NULL, 0};
    int rc = gate_call_new(t, gate_a2a(t)->endpoint->upstream, method, path, HEADERS);
    if (rc)
        return rc;
    gate_call_header(t, "accept", accept);
    gate_call_header(t, "accept-encoding", NK_STR("identity"));
    if (gate_a2a(t)->is_new || nk_str_eq(nk_str(method), NK_STR("GET"))) /* a card has one digest */
        gate_call_header(t, "a2a-version", NK_STR("1.0"));
    if (t->state->env.is_traced)
        trace = gate_trace_header(t);
    if (trace.p)
        gate_call_header(t, "traceparent", trace);
    return gate_call_identity(t, (struct nk_str){NULL, 0}, gate_a2a_upstream(t)->name);
}

static int refuse(struct nk_txn *t)
{
    return gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR(""));
}

static int forward_card(struct nk_txn *t)
{
    return begin(t, "GET", gate_a2a(t)->endpoint->config->card_path, NK_STR("application/json"))
               ? refuse(t)
               : 0;
}

int gate_a2a_forward_check(struct nk_txn *t)
{
    gate_a2a(t)->is_check = true;
    return forward_card(t);
}

int gate_a2a_forward(struct nk_txn *t)
{
    const struct gate_a2a *m = gate_a2a(t);
    if (m->op == NK_A2A_CARD)
        return forward_card(t);
    if (begin(t, "POST", nk_config_a2a_path(gate_a2a_upstream(t)),
              t->state->call.stream ? NK_STR("text/event-stream") : NK_STR("application/json")))
        return refuse(t);
    gate_call_header(t, "content-type", NK_STR("application/json"));
    gate_call_body(t, m->body);
    return 0;
}
