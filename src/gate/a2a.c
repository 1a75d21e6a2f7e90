/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a.c - see a2a.h.
 */
#include "gate/a2a.h"

static const char well_known[] = "/.well-known/agent-card.json";

static int load_fields(struct nk_setup *s, size_t i, struct nk_fault *f)
{
    const struct nk_field_setup setup = {.shape = NK_FIELD_PASS};
    struct nk_a2a *e = &s->a2a[i];
    struct nk_fault inner = {0};
    int rc = nk_tool_fields_new(e->config->fields, e->config->field_count, e->config->text_class,
                                &setup, &s->arena, &e->fields, &inner);
    e->text_class = e->config->text_class.p
                        ? nk_tool_fields_class(&e->fields, e->config->text_class)
                        : (unsigned)e->fields.class_count;
    return rc ? nk_fault_set(f, rc, "config", inner.offset, "a2a[%zu].fields: %s", i, inner.message)
              : 0;
}

static struct gate_door door_of(const struct nk_config_a2a *c)
{
    return (struct gate_door){.hosts = c->hosts,
                              .host_count = c->host_count,
                              .origins = c->origins,
                              .origin_count = c->origin_count,
                              .resource = c->issuer_count ? c->url : (struct nk_str){NULL, 0},
                              .issuers = c->issuers,
                              .issuer_count = c->issuer_count,
                              .scopes = c->scopes,
                              .scope_count = c->scope_count};
}

int gate_a2a_load(struct nk_setup *s, struct nk_fault *f)
{
    s->a2a = nk_arena_array(&s->arena, s->config.a2a_count + 1, sizeof *s->a2a);
    if (!s->a2a)
        return NK_ENOMEM;
    for (size_t i = 0; i < s->config.a2a_count; i++) {
        struct nk_a2a *e = &s->a2a[i];
        e->config = &s->config.a2a[i];
        e->agent.text = e->config->agent;
        e->upstream = nk_config_upstream_index(&s->config, e->config->agent);
        e->door = door_of(e->config);
        e->card_path =
            nk_arena_join(&s->arena, (struct nk_str[]){e->config->path, nk_str(well_known)}, 2);
        int rc = e->card_path.p ? gate_oauth_new(&e->door, &s->arena, &e->oauth) : NK_ENOMEM;
        if (!rc)
            rc = load_fields(s, i, f);
        if (rc)
            return rc;
    }
    return 0;
}

/* NK_A2A_OPS: the request is none of this endpoint's. */
static enum nk_a2a_op op_of(const struct nk_a2a *e, const struct nk_http_head *h)
{
    if (nk_str_eq(h->method, NK_STR("POST")) && nk_str_eq(h->target, e->config->path))
        return NK_A2A_MESSAGE;
    return nk_str_eq(h->method, NK_STR("GET")) && nk_str_eq(h->target, e->card_path) ? NK_A2A_CARD
                                                                                     : NK_A2A_OPS;
}

int gate_a2a_match(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    for (size_t i = 0; i < t->setup->config.a2a_count; i++) {
        struct nk_a2a *e = &t->setup->a2a[i];
        enum nk_a2a_op op = op_of(e, s->head);
        if (op == NK_A2A_OPS)
            continue;
        struct gate_a2a *m = nk_arena_alloc(t->arena, sizeof *m);
        s->dialect = nk_a2a_dialect();
        s->call.endpoint = nk_a2a_endpoint(op);
        if (!m)
            return gate_refuse(t, NK_REFUSAL_out_of_memory, "match", NK_STR(""), NK_STR(""));
        m->endpoint = e;
        m->op = op;
        s->oauth = e->oauth;
        s->drive = m;
        if (!gate_door_knows(&e->door, s->head))
            return gate_refuse(t, NK_REFUSAL_unknown_origin, "match", NK_STR(""), NK_STR(""));
        break;
    }
    return 0;
}

int gate_a2a_refuse(struct nk_txn *t, enum nk_refusal_id id, int code, const char *stage,
                    struct nk_str detail)
{
    if (t->state->refusal.id == NK_REFUSAL_NONE)
        t->state->call.code_number = code;
    return gate_refuse(t, id, stage, detail, NK_STR(""));
}

/* Is the agent's card to be looked at before anything is sent to it? */
static bool wants_check(const struct nk_txn *t)
{
    const struct gate_a2a *m = gate_a2a(t);
    return m->op != NK_A2A_CARD && m->endpoint->config->card.p &&
           t->state->now_ms >= m->endpoint->card_until_ms;
}

static unsigned start(struct nk_txn *t)
{
    unsigned fx = 0;
    if (gate_a2a_ask(t, &fx))
        return fx | gate_refused(t);
    if (wants_check(t) ? gate_a2a_forward_check(t) : gate_a2a_forward(t))
        return fx | gate_refused(t);
    return fx | gate_record_decision(t) | NK_FX_CALL;
}

const struct gate_driver gate_a2a_driver = {
    .name = "a2a",
    .start = start,
    .head = gate_a2a_head,
    .data = gate_a2a_data,
    .end = gate_a2a_end,
    .fail = gate_receive_fail,
};
