/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a_ask.c - the client's request, from its bytes to the decision. What is asked for follows from the body alone; the header
 * A2A-Version only says how its words are to be understood. Every method of a2a.def is decided by its own action on
 * the agent; there are no others.
 */
#include "gate/a2a.h"

enum { BODY_EXTRA = 64 << 10 };

static int bad(struct nk_txn *t, int code, struct nk_str detail)
{
    return gate_a2a_refuse(t, NK_REFUSAL_bad_request, code, "parse", detail);
}

static int no_memory(struct nk_txn *t)
{
    return gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR(""));
}

static int read_json(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    s->body_digest = nk_sha256(nk_buf_str(&s->body));
    int rc = gate_read_json(t, nk_buf_str(&s->body), t->setup->config.limits.body_bytes, t->scratch,
                            &s->call.body, &f);
    if (!rc || rc == NK_ENOMEM)
        return rc ? no_memory(t) : 0;
    return gate_a2a_refuse(t, rc == NK_ELIMIT ? NK_REFUSAL_too_large : NK_REFUSAL_bad_json,
                           NK_RPC_PARSE_ERROR, "parse",
                           nk_arena_printf(t->arena, "At byte %zu: %s.", f.offset, f.message));
}

/* The method, its row of the table, and nothing that is not one request. */
static int read_method(struct nk_txn *t, struct nk_rpc *m)
{
    struct gate_a2a *own = gate_a2a(t);
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    int rc = nk_rpc_read(&s->call.body, "a2a", t->arena, m, &f);
    own->id = s->call.subject = m->id;
    if (rc == NK_ENOMEM)
        return no_memory(t);
    if (rc)
        return bad(t, NK_RPC_INVALID_REQUEST, nk_arena_printf(t->arena, "%s.", f.message));
    if (m->kind != NK_RPC_REQUEST)
        return bad(t, NK_RPC_INVALID_REQUEST,
                   NK_STR("A message here is a request with an \"id\"."));
    if (nk_a2a_version(s->head, &own->is_new))
        return bad(t, NK_A2A_NO_VERSION, NK_STR("A2A-Version is 1.0 or 0.3 here."));
    s->call.method = m->method;
    own->op = nk_a2a_op(m->method, own->is_new);
    if (own->op == NK_A2A_OPS)
        return gate_a2a_refuse(t, NK_REFUSAL_unknown_endpoint, NK_RPC_NO_METHOD, "parse",
                               nk_arena_printf(t->arena, "A2A %s has no method \"%.*s\".",
                                               own->is_new ? "1.0" : "0.3",
                                               NK_FMT(nk_str_sub(m->method, 0, 128))));
    s->call.endpoint = nk_a2a_endpoint(own->op);
    s->call.stream = own->op == NK_A2A_STREAM || own->op == NK_A2A_SUBSCRIBE;
    return 0;
}

/* A list without a context would be one of everybody's tasks; all others are about one task, or begin one. */
static int check_subject(struct nk_txn *t)
{
    const struct gate_a2a *m = gate_a2a(t);
    bool sends = m->op == NK_A2A_SEND || m->op == NK_A2A_STREAM || m->op == NK_A2A_EXTENDED_CARD;
    if (m->op == NK_A2A_LIST_TASKS && !m->context.p)
        return bad(t, NK_RPC_INVALID_PARAMS,
                   NK_STR("Tasks are listed by their context: say a \"contextId\"."));
    if (m->op != NK_A2A_LIST_TASKS && !sends && !m->task.p)
        return bad(t, NK_RPC_INVALID_PARAMS, NK_STR("The id of a task is missing."));
    if (m->op == NK_A2A_SET_PUSH && !m->recipient.p)
        return bad(t, NK_RPC_INVALID_PARAMS, NK_STR("The \"url\" for notifications is missing."));
    return 0;
}

/* The same request in our own words: our id, and the agent's own ids of tasks. */
static int write_body(struct nk_txn *t, const struct nk_rpc *m)
{
    struct gate_a2a *own = gate_a2a(t);
    struct nk_fault f = {0};
    struct nk_buf b;
    const struct nk_a2a_visit v = gate_a2a_visit(t, false, t->arena);
    nk_buf_init(&b, t->state->body.n + BODY_EXTRA);
    nk_buf_add(&b, NK_STR("{\"jsonrpc\":\"2.0\""));
    nk_json_put_member(&b, NK_STR("id"), t->state->id);
    nk_json_put_member(&b, NK_STR("method"), m->method);
    nk_buf_add(&b, NK_STR(",\"params\":"));
    int rc = nk_a2a_write(own->op, &t->state->call.body, m->params, &v, &b, &f);
    nk_buf_add_char(&b, '}');
    if (!rc && !b.error)
        own->body = nk_arena_copy(t->arena, nk_buf_str(&b));
    nk_buf_free(&b);
    if (rc == NK_EDENIED) /* after gate_refuse */
        return rc;
    if (rc == NK_EINVAL)
        return bad(t, NK_RPC_INVALID_PARAMS, nk_arena_printf(t->arena, "%s.", f.message));
    return rc || !own->body.p ? no_memory(t) : 0;
}

/* Host and port of the URL; absent: it is not one that anything is sent to. */
static struct nk_str host_of(struct nk_str url)
{
    struct nk_str rest = nk_str_starts(url, NK_STR("https://")) ? nk_str_sub(url, 8, url.n)
                         : nk_config_is_local(url) && nk_str_starts(url, NK_STR("http://"))
                             ? nk_str_sub(url, 7, url.n)
                             : (struct nk_str){NULL, 0};
    size_t n = 0;
    for (size_t i = 0; i < url.n; i++)
        if (url.p[i] <= ' ' || url.p[i] > '~' || url.p[i] == '\\')
            return (struct nk_str){NULL, 0};
    while (n < rest.n && !strchr("/?#", rest.p[n]))
        n++;
    return nk_str_sub(rest, 0, n);
}

/* Who is sent to is what only a client, or a model behind it, has chosen: so it has to be one that the operator knows. */
static int check_recipient(struct nk_txn *t)
{
    const struct gate_a2a *m = gate_a2a(t);
    const struct nk_config_a2a *c = m->endpoint->config;
    struct nk_str host = host_of(m->recipient);
    for (size_t i = 0; host.n && i < c->push_host_count; i++)
        if (nk_str_eq_nocase(host, c->push_hosts[i].text))
            return 0;
    return gate_a2a_refuse(t, NK_REFUSAL_bad_recipient,
                           c->push_host_count ? NK_RPC_REFUSED : NK_A2A_NO_PUSH, "locate",
                           NK_STR(""));
}

/* Notifications go past us, so they tell whatever the agent says. */
static int check_told(struct nk_txn *t)
{
    return gate_a2a(t)->hides || gate_a2a(t)->hides_text
               ? gate_a2a_refuse(t, NK_REFUSAL_policy_denied, NK_RPC_REFUSED, "authorize",
                                 NK_STR("Notifications are not for somebody from whom something of "
                                        "what the agent says is hidden."))
               : 0;
}

/* A message that also asks for notifications is two questions. */
static int authorize_recipient(struct nk_txn *t, unsigned *fx)
{
    struct nk_gate_state *s = t->state;
    const struct nk_endpoint *own = s->call.endpoint;
    if (!gate_a2a(t)->recipient.p)
        return 0;
    int rc = check_recipient(t);
    if (!rc)
        rc = check_told(t);
    if (rc || gate_a2a(t)->op == NK_A2A_SET_PUSH)
        return rc;
    s->call.endpoint = nk_a2a_endpoint(NK_A2A_SET_PUSH);
    rc = gate_call_authorize(t);
    if (!rc)
        *fx |= gate_record_decision(t);
    s->call.endpoint = rc ? s->call.endpoint : own;
    return rc;
}

int gate_a2a_ask(struct nk_txn *t, unsigned *fx)
{
    struct gate_a2a *m = gate_a2a(t);
    struct nk_rpc rpc;
    int rc = 0;
    t->state->resource = (struct nk_cedar_uid){NK_STR("Agent"), gate_a2a_upstream(t)->name};
    if (m->op == NK_A2A_CARD) {
        if (nk_a2a_version(t->state->head, &m->is_new))
            return bad(t, NK_A2A_NO_VERSION, NK_STR("A2A-Version is 1.0 or 0.3 here."));
        return gate_call_authorize(t);
    }
    rc = read_json(t);
    if (!rc)
        rc = read_method(t, &rpc);
    if (!rc)
        rc = write_body(t, &rpc);
    if (!rc)
        rc = check_subject(t);
    if (!rc)
        rc = gate_a2a_ask_fields(t, fx);
    if (!rc)
        rc = authorize_recipient(t, fx);
    return rc ? rc : gate_call_authorize(t);
}
