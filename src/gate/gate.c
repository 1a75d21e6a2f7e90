/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.c - a request as one short list. The order is fixed: an order is a security property.
 *
 * | stage     | from -> to            | facts it adds                                                 |
 * |-----------|-----------------------|---------------------------------------------------------------|
 * | match     | head -> endpoint      | dialect, operation, trace; unknown operations end here        |
 * | identify  | proofs -> principal   | who, groups, attributes, how proven; the client's certificate |
 * | limit     | load -> room          | requests under way; room in the audit log                     |
 * | parse     | bytes -> call         | model, messages, tools, size and digest of the body           |
 * | locate    | call -> resource      | model, upstream; known or not                                 |
 * | authorize | facts -> decision     | the only judge: reasons, errors                               |
 * | forward   | call -> upstream      | the call, written anew                                        |
 * | receive   | bytes -> reply        | usage, finish, tool calls                                     |
 * | record    | facts -> audit record | always runs, on a refusal too                                 |
 *
 * Every stage before authorize only adds facts; a stage that fails before it is a refusal by
 * construction. Who asks is proven before a byte of the body is kept, so that nobody unknown can
 * make the gate hold memory.
 */
#include "gate/hook.h"
#include "gate/driver.h"
#include "gate/document.h"

#include <stdlib.h>
#include <string.h>

enum { EVENT_ARENA_CEILING = 8 << 20 };

/* Stages that run when the head is there, and those that run when the body is. */
static int (*const head_stages[])(struct nk_txn *) = {gate_match, gate_identify, gate_limit};
static int (*const body_stages[])(struct nk_txn *) = {gate_parse, gate_locate, gate_authorize,
                                                      gate_forward};

/* A fact of the transport, kept as long as the transaction. */
static int keep_certificate(struct nk_gate_state *s, struct nk_arena *a)
{
    const struct nk_ident_certificate *given = s->env.certificate;
    s->env.certificate = NULL;
    if (!given)
        return 0;
    struct nk_ident_certificate *own = nk_arena_alloc(a, sizeof *own);
    if (!own)
        return NK_ENOMEM;
    *own = *given;
    own->name = nk_arena_copy(a, given->name);
    s->certificate = own;
    return own->name.p ? 0 : NK_ENOMEM;
}

struct nk_txn *nk_txn_new(struct nk_arena *a, struct nk_setup *setup, const struct nk_gate_env *env)
{
    struct nk_txn *t = nk_arena_alloc(a, sizeof *t);
    struct nk_gate_state *s = t ? nk_arena_alloc(a, sizeof *s) : NULL;
    if (!s)
        return NULL;
    const struct nk_config_limits *lim = &setup->config.limits;
    t->arena = a;
    t->scratch = env->scratch;
    t->setup = setup;
    t->state = s;
    s->env = *env;
    if (keep_certificate(s, a))
        return NULL;
    s->usage = (struct nk_usage){-1, -1};
    s->call.model_at = NK_JSON_NONE;
    s->reading = &s->call;
    nk_buf_init(&t->out, (size_t)(lim->reply_bytes + lim->event_bytes));
    nk_buf_init(&s->body, (size_t)lim->body_bytes);
    nk_buf_init(&s->reply, (size_t)lim->reply_bytes);
    nk_buf_init(&s->held, (size_t)lim->event_bytes);
    nk_sse_init(&s->sse, (size_t)lim->event_bytes);
    nk_arena_init(&s->event_arena, EVENT_ARENA_CEILING);
    nk_setup_hold(setup);
    return t;
}

void nk_txn_free(struct nk_txn *t)
{
    if (!t)
        return;
    if (t->state->driver && t->state->driver->free)
        t->state->driver->free(t);
    nk_buf_free(&t->out);
    nk_buf_free(&t->state->body);
    nk_buf_free(&t->state->reply);
    nk_buf_free(&t->state->held);
    nk_sse_free(&t->state->sse);
    nk_arena_free(&t->state->event_arena);
    nk_setup_release(t->setup);
}

static int run(struct nk_txn *t, int (*const *stages)(struct nk_txn *), size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int rc = stages[i](t);
        if (rc)
            return rc;
    }
    return 0;
}

/* A refusal before or by the judge: recorded first, then answered. Only that the log is full cannot be
 * recorded: nothing was decided then, and the role counts it. */
unsigned gate_refused(struct nk_txn *t)
{
    unsigned fx = gate_answer_refusal(t);
    t->state->phase = NK_PHASE_OVER;
    if (t->state->refusal.id == NK_REFUSAL_audit_unavailable)
        return fx;
    return fx | gate_record_decision(t);
}

/* "<instance>-<number>" in hexadecimal: unique over all gates and starts. */
static struct nk_str request_id(const struct nk_txn *t)
{
    enum { INSTANCE = 8, SIZE = 19 };
    static const char digit[] = "0123456789abcdef";
    char *p = nk_arena_resize(t->arena, NULL, 0, SIZE);
    uint64_t number = t->state->env.number, instance = t->state->env.instance;
    if (!p)
        return (struct nk_str){NULL, 0};
    for (int i = SIZE - 1; i > INSTANCE; i--, number >>= 4)
        p[i] = digit[number & 15];
    p[INSTANCE] = '-';
    for (int i = INSTANCE - 1; i >= 0; i--, instance >>= 4)
        p[i] = digit[instance & 15];
    return (struct nk_str){p, SIZE};
}

static unsigned on_request(struct nk_txn *t, const struct nk_event *e)
{
    struct nk_gate_state *s = t->state;
    s->head = e->head;
    s->started_ms = e->unix_ms;
    s->id = request_id(t);
    if (run(t, head_stages, NK_COUNT(head_stages)))
        return gate_refused(t);
    s->phase = NK_PHASE_BODY;
    return 0;
}

static unsigned on_body(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_gate_state *s = t->state;
    int64_t announced = s->head->content_length;
    if (s->body.n == 0 && announced > 0 && (size_t)announced <= s->body.max)
        (void)nk_buf_reserve(&s->body, (size_t)announced < 65536 ? (size_t)announced : 65536);
    nk_buf_add(&s->body, bytes);
    if (!s->body.error)
        return 0;
    gate_refuse(
        t, s->body.error == NK_ELIMIT ? NK_REFUSAL_too_large : NK_REFUSAL_out_of_memory, "parse",
        nk_arena_printf(t->arena, "The limit is %zu bytes (limits.body_bytes).", s->body.max),
        NK_STR(""));
    return gate_refused(t);
}

/* What the gate answers itself. What a policy store says is part of the record, so it is asked before; a list
 * of models is made behind it. */
static unsigned on_local(struct nk_txn *t, enum nk_local local)
{
    struct nk_gate_state *s = t->state;
    int status = 200, rc = 0;
    if (local == NK_LOCAL_STORE)
        rc = gate_answer_store(t);
    else if (local == NK_LOCAL_HOOK)
        rc = gate_hook_ask(t, &status);
    if (rc)
        return gate_refused(t);
    unsigned fx = gate_record_decision(t);
    s->phase = NK_PHASE_OVER;
    return fx | (local == NK_LOCAL_MODELS ? gate_answer_models(t)
                                          : gate_reply(t, s->dialect, status, NULL));
}

int gate_body_stages(struct nk_txn *t)
{
    return run(t, body_stages, NK_COUNT(body_stages));
}

static unsigned on_request_end(struct nk_txn *t, const struct nk_event *e)
{
    struct nk_gate_state *s = t->state;
    if (s->call.endpoint->local == NK_LOCAL_PUBLIC)
        return gate_document_answer(t);
    if (s->driver && s->driver->start)
        return gate_drive(t, e);
    if (gate_body_stages(t))
        return gate_refused(t);
    if (s->call.endpoint->local)
        return on_local(t, s->call.endpoint->local);
    unsigned fx = gate_record_decision(t);
    s->phase = NK_PHASE_ANSWER;
    return fx | NK_FX_CALL;
}

static unsigned on_gone(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    bool waiting = s->phase == NK_PHASE_ANSWER;
    s->phase = NK_PHASE_OVER;
    if (!waiting)
        return NK_FX_CUT; /* nothing was decided: there is nothing to record */
    if (s->driver && s->driver->gone)
        return s->driver->gone(t) | NK_FX_ABORT | NK_FX_CUT;
    return gate_record_outcome(t, "client_gone") | NK_FX_ABORT | NK_FX_CUT;
}

static unsigned on_bad_request(struct nk_txn *t, const struct nk_event *e)
{
    struct nk_gate_state *s = t->state;
    if (!s->id.p)
        s->id = nk_arena_printf(t->arena, "%08x-%010llx", (unsigned)s->env.instance,
                                (unsigned long long)s->env.number);
    s->started_ms = s->started_ms ? s->started_ms : e->unix_ms;
    if (!s->head)
        gate_trace(t);
    enum nk_refusal_id id = e->fail == NK_ELIMIT     ? NK_REFUSAL_too_large
                            : e->fail == NK_EEXPIRED ? NK_REFUSAL_request_timeout
                                                     : NK_REFUSAL_bad_request;
    gate_refuse(t, id, "match", e->bytes, NK_STR(""));
    return gate_refused(t);
}

/* Events that belong to the request's side, and to the answer's side. */
static unsigned request_step(struct nk_txn *t, const struct nk_event *e)
{
    enum nk_phase phase = t->state->phase;
    if (e->type == NK_EV_BAD_REQUEST)
        return phase == NK_PHASE_ANSWER ? 0 : on_bad_request(t, e);
    if (e->type == NK_EV_REQUEST)
        return phase == NK_PHASE_HEAD ? on_request(t, e) : 0;
    if (phase != NK_PHASE_BODY)
        return 0;
    return e->type == NK_EV_BODY ? on_body(t, e->bytes) : on_request_end(t, e);
}

static unsigned answer_step(struct nk_txn *t, const struct nk_event *e)
{
    if (t->state->phase != NK_PHASE_ANSWER)
        return 0;
    t->state->lane = e->lane;
    if (e->route)
        t->state->route = e->route;
    if (t->state->driver)
        return gate_drive(t, e);
    switch (e->type) {
    case NK_EV_ANSWER:
        return gate_receive_head(t, e->head);
    case NK_EV_ANSWER_DATA:
        return gate_receive_data(t, e->bytes);
    case NK_EV_ANSWER_END:
        return gate_receive_end(t);
    case NK_EV_ANSWER_FAIL:
        return gate_receive_fail(t, e->fail, e->bytes);
    default:
        return 0;
    }
}

unsigned nk_gate_step(struct nk_txn *t, const struct nk_event *e)
{
    struct nk_gate_state *s = t->state;
    if (s->phase == NK_PHASE_OVER)
        return 0;
    s->now_ms = e->unix_ms;
    t->records = t->few;
    t->record_count = 0;
    nk_arena_reset(t->scratch);
    s->context.p = NULL; /* what was put together for the judge lay there */
    if (e->type == NK_EV_CLIENT_GONE)
        return on_gone(t);
    unsigned fx =
        e->type >= NK_EV_ANSWER && e->type <= NK_EV_NEXT ? answer_step(t, e) : request_step(t, e);
    if (t->out.error || t->record_lost) {
        /* Memory ran out while answering: an answer without its record must not leave. */
        s->phase = NK_PHASE_OVER;
        return NK_FX_ABORT | NK_FX_CUT;
    }
    if (fx & NK_FX_CALL)
        t->call.subject = t->setup->config.upstreams[t->call.upstream].oauth.exchanges
                              ? s->token
                              : (struct nk_str){NULL, 0};
    return fx;
}

bool nk_txn_judged(const struct nk_txn *t)
{
    return t->state->judged;
}

size_t nk_txn_policy_errors(const struct nk_txn *t)
{
    return t->state->judged ? t->state->answer.error_count : 0;
}

const char *nk_txn_refused_by(const struct nk_txn *t)
{
    return t->state->refusal.stage;
}

bool nk_txn_allowed(const struct nk_txn *t)
{
    return t->state->judged && t->state->answer.allow &&
           t->state->refusal.id != NK_REFUSAL_policy_denied;
}
