/* SPDX-License-Identifier: Apache-2.0
 *
 * store_ask.c - what a policy store answers. The entities of the question lie over those of the store, and a
 * principal that comes from a token over both, so that nothing that a client writes can describe it.
 */
#include "gate/store.h"

enum { TOLD_MAX = 48 << 10, TOLD_TEXT = 128, TOLD_REASONS = 4 };

/* A question under way. */
struct asking {
    struct nk_txn *txn;
    const struct nk_store *store;
    const struct nk_avp_call *call;
    const struct gate_token *token; /* or NULL */
    struct nk_cedar_entities *entities;
    struct nk_buf told; /* for the record */
};

static int wrong(struct nk_txn *t, int rc, const char *member, const struct nk_fault *f)
{
    if (rc == NK_ENOMEM)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR(""));
    t->state->call.subject = nk_str(member);
    return gate_refuse(t, NK_REFUSAL_bad_request, "parse",
                       nk_arena_copy(t->arena, nk_str(f->message)), NK_STR(""));
}

/* The principal of a token and its groups, on top of everything. */
static int add_token(struct asking *q, struct nk_fault *f)
{
    const struct gate_token *token = q->token;
    struct nk_cedar_entities *top = nk_cedar_entities_new(q->txn->arena, q->entities);
    int rc = top ? nk_cedar_entities_add(top, token->principal, token->groups, token->group_count,
                                         token->attrs, NULL)
                 : NK_ENOMEM;
    if (!rc)
        rc = nk_cedar_entities_seal(top, f);
    q->entities = top;
    return rc;
}

static int gather(struct asking *q)
{
    struct nk_txn *t = q->txn;
    struct nk_fault f = {.code = 0};
    struct nk_str closed[] = {{NULL, 0}, {NULL, 0}};
    if (q->token) {
        closed[0] = q->token->source->principal_type;
        closed[1] = q->token->source->group_type;
    }
    q->entities = nk_cedar_entities_new(t->arena, q->store->entities);
    int rc = q->entities ? nk_avp_entities(&t->state->call, closed, q->token ? NK_COUNT(closed) : 0,
                                           t->arena, q->entities, &f)
                         : NK_ENOMEM;
    if (!rc)
        rc = nk_cedar_entities_seal(q->entities, &f);
    if (!rc && q->token)
        rc = add_token(q, &f);
    return rc ? wrong(t, rc, "entities", &f) : 0;
}

static void tell_uid(struct nk_buf *b, const char *name, struct nk_cedar_uid uid)
{
    nk_json_put_name(b, nk_str(name));
    nk_buf_add_char(b, '{');
    nk_json_put_member(b, NK_STR("type"), nk_str_sub(uid.type, 0, TOLD_TEXT));
    nk_json_put_member(b, NK_STR("id"), uid.id);
    nk_buf_add_char(b, '}');
}

/* Question and answer for the record. Where a batch is too long for one, the decisions alone go on. */
void gate_store_tell(struct nk_buf *b, const struct nk_cedar_request *r,
                     const struct nk_cedar_answer *a)
{
    nk_buf_add(b, b->n ? NK_STR(",{") : NK_STR("{"));
    if (b->n < TOLD_MAX / 2) {
        tell_uid(b, "principal", r->principal);
        tell_uid(b, "action", r->action);
        tell_uid(b, "resource", r->resource);
    }
    nk_json_put_member(b, NK_STR("decision"), a->allow ? NK_STR("allow") : NK_STR("deny"));
    nk_buf_add(b, NK_STR(",\"reasons\":["));
    for (size_t i = 0; i < a->reason_count && i < TOLD_REASONS && b->n < TOLD_MAX / 2; i++) {
        nk_buf_add(b, i ? NK_STR(",") : NK_STR(""));
        nk_json_put_string(b, a->reasons[i]);
    }
    nk_buf_add(b, NK_STR("]}"));
}

/* The context of a question, with context.token where there is one. */
static int context_of(struct asking *q, struct nk_avp_ask *ask, const struct nk_cedar_value **out)
{
    size_t n = ask->context_count;
    struct nk_cedar_member own, *members = ask->context ? ask->context : &own;
    if (q->token && q->token->token)
        members[n++] = (struct nk_cedar_member){NK_STR("token"), q->token->token};
    *out = nk_cedar_record(q->txn->arena, members, n);
    return *out ? 0 : NK_ENOMEM;
}

static int decide(struct asking *q, struct nk_avp_ask *ask, struct nk_cedar_answer *out)
{
    struct nk_fault f = {.code = 0};
    struct nk_cedar_request r = {
        .principal = q->token ? q->token->principal : ask->principal,
        .action = ask->action,
        .resource = ask->resource,
    };
    int rc = context_of(q, ask, &r.context);
    if (!rc)
        rc = nk_cedar_authorize(q->store->policies, q->entities, &r, q->txn->arena, out);
    if (rc)
        return wrong(q->txn, NK_ENOMEM, "context", &f);
    gate_store_tell(&q->told, &r, out);
    return 0;
}

static void put_result(struct asking *q, const struct nk_avp_ask *ask,
                       const struct nk_cedar_answer *answer)
{
    struct nk_buf *out = &q->txn->out;
    bool batch = nk_avp_is_batch(q->call->op);
    if (batch) {
        nk_buf_add(out, ask == q->call->asks ? NK_STR("{\"request\":") : NK_STR(",{\"request\":"));
        nk_buf_add(out, nk_json_span(&q->txn->state->call.body, ask->at));
    }
    nk_avp_put_decision(answer, out);
    if (batch)
        nk_buf_add_char(out, '}');
}

static int ask_all(struct asking *q)
{
    struct nk_buf *out = &q->txn->out;
    bool batch = nk_avp_is_batch(q->call->op);
    nk_buf_add_char(out, '{');
    if (q->token)
        nk_avp_put_entity("principal", q->token->principal, out);
    if (batch) {
        nk_json_put_name(out, NK_STR("results"));
        nk_buf_add_char(out, '[');
    }
    for (size_t i = 0; i < q->call->ask_count; i++) {
        struct nk_cedar_answer answer;
        int rc = decide(q, &q->call->asks[i], &answer);
        if (rc)
            return rc;
        put_result(q, &q->call->asks[i], &answer);
    }
    nk_buf_add(out, batch ? NK_STR("]}") : NK_STR("}"));
    return 0;
}

int gate_store_ask(struct nk_txn *t, const struct nk_store *store, const struct nk_avp_call *c)
{
    struct asking q = {.txn = t, .store = store, .call = c};
    struct gate_token token;
    int rc = 0;
    if (nk_avp_has_token(c->op)) {
        rc = gate_store_token(t, store, c->identity_token, c->access_token, &token);
        q.token = &token;
    }
    if (!rc)
        rc = gather(&q);
    if (rc)
        return rc;
    nk_buf_init(&q.told, TOLD_MAX);
    rc = ask_all(&q);
    if (!rc && !q.told.error)
        t->state->told = nk_arena_copy(t->arena, nk_buf_str(&q.told));
    nk_buf_free(&q.told);
    if (!rc && !t->state->told.p)
        rc = gate_refuse(t, NK_REFUSAL_too_large, "parse",
                         NK_STR("The question's entities have names too long to be recorded."),
                         NK_STR(""));
    return rc;
}
