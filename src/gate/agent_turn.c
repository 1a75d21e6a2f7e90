/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_turn.c - the driver of agents: what is next, what came, and how the client's answer begins and ends. A step holds
 * few records, so a turn that brings more decisions than that goes on in a step of its own.
 */
#include "gate/agent.h"

#include "proto/bedrock_inline.h"

enum { ARENA = 16 << 20, STEP = 32 << 20, BODY = 16 << 20, LAST_RECORD = NK_TXN_RECORDS - 1 };

static struct gate_drive_agent *of(struct nk_txn *t)
{
    return t->state->drive;
}

unsigned gate_agent_begin(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_http_head *h = &t->reply_head;
    if (s->began)
        return 0;
    *h = (struct nk_http_head){
        .status = 200, .keep_alive = true, .chunked = true, .content_length = -1};
    h->headers = nk_arena_array(t->arena, 7, sizeof *h->headers);
    if (!h->headers) {
        t->out.error = NK_ENOMEM;
        return 0;
    }
    const struct nk_http_header headers[] = {
        {NK_STR("content-type"), NK_STR("application/vnd.amazon.eventstream")},
        {NK_STR("x-amzn-bedrock-agent-content-type"), NK_STR("text/plain")},
        {NK_STR("x-amz-bedrock-agent-session-id"), of(t)->who.session},
        {NK_STR("x-amzn-requestid"), s->id},
        {NK_STR("x-request-id"), s->id},
        {NK_STR("cache-control"), NK_STR("no-cache, no-transform")},
        {NK_STR("x-accel-buffering"), NK_STR("no")}};
    for (size_t i = 0; i < NK_COUNT(headers); i++)
        h->headers[h->header_count++] = headers[i];
    s->began = true;
    s->status = 200;
    return NK_FX_HEAD;
}

/* The outcome of the request itself, behind those of its calls. */
static unsigned record_end(struct nk_txn *t, const char *how)
{
    struct nk_gate_state *s = t->state;
    struct gate_drive_agent *d = of(t);
    s->call_number = 0;
    s->call.endpoint = nk_agent_endpoint(d->who.is_inline);
    s->model = NULL;
    s->upstream_status = 0;
    s->reply_bytes = 0;
    s->route = NULL;
    s->finish = (struct nk_str){NULL, 0};
    s->usage = (struct nk_usage){d->tokens_in, d->tokens_out};
    s->tool_calls = d->calls;
    return gate_record_outcome(t, how);
}

unsigned gate_agent_give_up(struct nk_txn *t, enum nk_refusal_id id, struct nk_str detail,
                            struct nk_str reason)
{
    struct nk_gate_state *s = t->state;
    gate_refuse(t, id, "receive", detail, reason);
    if (!s->began) {
        unsigned fx = gate_answer_refusal(t);
        return fx | record_end(t, gate_refusal_name(s->refusal.id));
    }
    gate_refusal_event(t);
    return record_end(t, gate_refusal_name(s->refusal.id)) | NK_FX_DATA | NK_FX_END;
}

void gate_agent_trace(struct nk_txn *t, struct nk_str members)
{
    if (of(t)->asked->trace)
        nk_agent_put_trace(&of(t)->who, members, &t->out);
}

/* All is said: the answer of the model, or what the client has to do. */
unsigned gate_agent_finish(struct nk_txn *t, unsigned fx)
{
    struct gate_drive_agent *d = of(t);
    fx |= gate_agent_begin(t) | NK_FX_DATA | NK_FX_END;
    if (d->asked->ends)
        nk_agent_session_forget(t->setup->sessions, &d->key);
    else if (nk_agent_session_put(t->setup->sessions, &d->key, t->state->now_ms, &d->memory))
        return fx | gate_agent_give_up(t, NK_REFUSAL_agent_limit,
                                       NK_STR("The conversation is too long to be remembered."),
                                       NK_STR(""));
    return fx | record_end(t, "complete");
}

/* Goes on in another step, at once. */
static unsigned later(struct nk_txn *t, unsigned fx)
{
    of(t)->stepping = true;
    t->wake_ms = 1;
    return fx | NK_FX_WAKE;
}

static bool is_out_of_time(struct nk_txn *t)
{
    return t->state->now_ms - t->state->started_ms > of(t)->agent->config->timeout;
}

unsigned gate_agent_next(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    struct nk_agent_memory *m = &d->memory;
    unsigned fx = 0;
    if (is_out_of_time(t))
        return gate_agent_give_up(t, NK_REFUSAL_agent_limit,
                                  NK_STR("It took too long (agents[].timeout)."), NK_STR(""));
    while (d->at < m->use_count && !t->out.error) {
        if (t->record_count >= LAST_RECORD)
            return later(t, fx);
        fx |= gate_agent_use_tool(t);
        if (fx & (NK_FX_CALL | NK_FX_END | NK_FX_CUT))
            return fx;
    }
    if (t->out.error)
        return fx; /* nk_gate_step cuts it */
    if (t->record_count >= LAST_RECORD)
        return later(t, fx);
    for (size_t i = 0; i < m->use_count; i++)
        if (!m->uses[i].done)
            return gate_agent_finish(t, fx | gate_agent_hand_over(t));
    if (m->use_count && gate_agent_add_results(d))
        return fx | gate_agent_give_up(t, NK_REFUSAL_agent_limit,
                                       NK_STR("The conversation is too long."), NK_STR(""));
    return fx | gate_agent_ask_model(t);
}

/* What was begun before this request: results of what the client was asked to do, or nothing any more. */
static int take_up(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    struct nk_agent_memory *m = &d->memory;
    if (d->asked->result_count)
        return gate_agent_take_results(t)
                   ? 0
                   : gate_refuse(t, NK_REFUSAL_unknown_invocation, "locate", NK_STR(""),
                                 NK_STR("nothing of this session waits for such results"));
    for (size_t i = 0; i < m->use_count; i++)
        if (!m->uses[i].done) {
            m->uses[i].done = m->uses[i].failed = true;
            m->uses[i].result = NK_STR("No result: the user went on with something else.");
        }
    int rc = m->use_count ? gate_agent_add_results(d) : 0;
    if (!rc)
        rc = gate_agent_add_text(d, NK_MODEL_USER, d->asked->input);
    return rc ? gate_refuse(t, NK_REFUSAL_agent_limit, "locate",
                            NK_STR("The conversation is too long."), NK_STR(""))
              : 0;
}

static int take_attributes(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    const struct nk_agent_call *c = d->asked;
    int rc = nk_agent_attributes_add(&d->memory.session, t->state->principal, c->session,
                                     c->session_count);
    if (!rc)
        rc = nk_agent_attributes_add(&d->memory.prompt, t->state->principal, c->prompt,
                                     c->prompt_count);
    return rc ? gate_refuse(t, NK_REFUSAL_bad_request, "locate",
                            NK_STR("There are too many session attributes."), NK_STR(""))
              : 0;
}

/* What the client says was said before: the beginning of a session, and nothing that a decision looks at. */
static int take_history(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    const struct nk_agent_call *c = d->asked;
    int rc = 0;
    if (c->history_count && d->memory.message_count)
        return gate_refuse(t, NK_REFUSAL_bad_request, "locate",
                           NK_STR("A conversationHistory begins a session; this one has begun."),
                           NK_STR(""));
    for (size_t i = 0; i < c->history_count && !rc; i++)
        rc = gate_agent_add_text(d, c->history[i].by_agent ? NK_MODEL_ASSISTANT : NK_MODEL_USER,
                                 c->history[i].text);
    return rc ? gate_refuse(t, NK_REFUSAL_agent_limit, "locate",
                            NK_STR("The conversation is too long."), NK_STR(""))
              : 0;
}

static int open_session(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    d->asked = nk_agent_call(&t->state->call);
    int rc =
        nk_agent_session_take(t->setup->sessions, &d->key, t->state->now_ms, &d->arena, &d->memory);
    if (rc)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "locate", NK_STR(""), NK_STR(""));
    d->memory.idle_ms = d->asked->brought ? d->asked->brought->idle_ms : 0;
    rc = take_history(t);
    return rc ? rc : take_attributes(t);
}

static unsigned agent_start(struct nk_txn *t)
{
    struct gate_drive_agent *d = nk_arena_alloc(t->arena, sizeof *d);
    if (!d)
        return NK_FX_CUT;
    nk_arena_init(&d->arena, ARENA);
    nk_arena_init(&d->step, STEP);
    nk_buf_init(&d->body, BODY);
    nk_buf_init(&d->target, 16 << 10);
    t->state->drive = d;
    if (gate_body_stages(t) || open_session(t))
        return gate_refused(t);
    unsigned fx = gate_record_decision(t);
    if (d->asked->ends && !d->asked->input.p && !d->asked->result_count) {
        nk_agent_put_chunk(NK_STR("Session is terminated."), &t->out);
        return gate_agent_finish(t, fx);
    }
    if (take_up(t))
        return fx | gate_agent_give_up(t, NK_REFUSAL_bad_request, NK_STR(""), NK_STR(""));
    return fx | gate_agent_next(t);
}

static unsigned agent_head(struct nk_txn *t, const struct nk_http_head *h)
{
    t->state->upstream_status = h->status;
    if (of(t)->doing == GATE_AGENT_TOOL && of(t)->mcp.tool)
        gate_agent_mcp_head(t, h);
    if (of(t)->doing == GATE_AGENT_MODEL)
        gate_agent_stream_head(t, h);
    return 0;
}

static unsigned agent_data(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_gate_state *s = t->state;
    s->reply_bytes += (int64_t)bytes.n;
    if (of(t)->doing == GATE_AGENT_MODEL && of(t)->stream)
        return gate_agent_stream_data(t, bytes);
    nk_buf_add(&s->reply, bytes); /* over its limit: see agent_end */
    return 0;
}

static unsigned agent_end(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    enum gate_agent_doing done = d->doing;
    d->doing = GATE_AGENT_NEXT;
    if (done == GATE_AGENT_MODEL)
        return gate_agent_hear_model(t);
    return done == GATE_AGENT_TOOL ? gate_agent_hear_tool(t) : gate_agent_next(t);
}

static unsigned agent_fail(struct nk_txn *t, int fail, struct nk_str why)
{
    struct gate_drive_agent *d = of(t);
    enum gate_agent_doing lost = d->doing;
    d->doing = GATE_AGENT_NEXT;
    if (lost == GATE_AGENT_LEAVE)
        return gate_agent_next(t);
    if (lost == GATE_AGENT_TOOL)
        return gate_agent_lose_tool(t, why);
    enum nk_refusal_id id = gate_refusal_of(fail);
    unsigned fx = gate_record_outcome(t, gate_refusal_name(id));
    return fx | gate_agent_give_up(t, id, NK_STR(""), nk_arena_copy(t->arena, why));
}

static unsigned agent_wake(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    if (!d->stepping)
        return 0;
    d->stepping = false;
    return gate_agent_next(t);
}

static unsigned agent_gone(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    unsigned fx = 0;
    if (d->doing == GATE_AGENT_MODEL || d->doing == GATE_AGENT_TOOL)
        fx = gate_record_outcome(t, "client_gone");
    return fx | record_end(t, "client_gone");
}

static void agent_free(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    if (!d)
        return;
    nk_arena_free(&d->arena);
    nk_arena_free(&d->step);
    nk_buf_free(&d->body);
    nk_buf_free(&d->target);
}

const struct gate_driver gate_agent_driver = {
    .name = "agent",
    .start = agent_start,
    .head = agent_head,
    .data = agent_data,
    .end = agent_end,
    .fail = agent_fail,
    .wake = agent_wake,
    .gone = agent_gone,
    .free = agent_free,
};
