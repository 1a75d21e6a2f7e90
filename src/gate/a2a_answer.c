/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a_answer.c - the agent's answer. A whole one is read before its first byte goes on; a stream is cut into events, and each
 * goes on as soon as it has been read. Every message is strict JSON, answers this request, and is written anew from
 * the members that the protocol gives it.
 */
#include "gate/a2a.h"
#include "gate/tool.h"

enum { HEADERS_MAX = 6, EXTRA = 64 << 10 };

static bool is_card(const struct gate_a2a *m)
{
    return m->is_check || m->op == NK_A2A_CARD;
}

static int begin_head(struct nk_txn *t)
{
    struct nk_http_head *h = &t->reply_head;
    *h = (struct nk_http_head){.status = 200, .content_length = -1, .keep_alive = true};
    h->headers = nk_arena_array(t->arena, HEADERS_MAX, sizeof *h->headers);
    if (!h->headers)
        return NK_ENOMEM;
    nk_http_add(h, NK_STR("x-request-id"), t->state->id);
    return 0;
}

unsigned gate_a2a_head(struct nk_txn *t, const struct nk_http_head *h)
{
    struct nk_gate_state *s = t->state;
    unsigned fx = gate_receive_check(t, h, "the agent");
    if (fx)
        return fx;
    if (begin_head(t))
        return gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("headers of the answer"));
    s->complete = gate_answer_is_type(h, NK_STR("application/json")) ||
                  gate_answer_is_type(h, NK_STR("application/a2a+json"));
    if (is_card(gate_a2a(t)) || !s->call.stream || h->status != 200 ||
        !gate_answer_is_type(h, NK_STR("text/event-stream")))
        return 0;
    nk_http_add(&t->reply_head, NK_STR("content-type"), NK_STR("text/event-stream"));
    return gate_receive_stream(t);
}

/* An error says its code, and in words what is not hidden: its data may name the agent's own ids. */
static int put_error(struct nk_txn *t, const struct nk_json *doc, uint32_t error,
                     struct nk_arena *a, struct nk_fault *f)
{
    const struct gate_a2a *m = gate_a2a(t);
    int64_t code;
    struct nk_str text = nk_json_string(doc, nk_json_get(doc, error, NK_STR("message")), a);
    if (nk_json_i64(doc, nk_json_get(doc, error, NK_STR("code")), &code) || code < INT32_MIN ||
        code > INT32_MAX)
        return nk_fault_set(f, NK_EINVAL, "a2a", 0, "an error without a code");
    if (!text.p || m->hides || m->hides_text)
        text = NK_STR("The agent answered with an error.");
    nk_rpc_put_error(&t->out, m->id, (int)code, text, NK_STR(""));
    return t->out.error;
}

static int put_result(struct nk_txn *t, const struct nk_json *doc, uint32_t result,
                      struct nk_arena *a, struct nk_fault *f)
{
    const struct gate_a2a *m = gate_a2a(t);
    const struct nk_a2a_visit v = gate_a2a_visit(t, true, a);
    nk_buf_add(&t->out, NK_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    nk_buf_add(&t->out, m->id);
    nk_buf_add(&t->out, NK_STR(",\"result\":"));
    int rc = m->op == NK_A2A_EXTENDED_CARD ? gate_a2a_put_card(t, doc, result, a, &t->out, f)
                                           : nk_a2a_write(m->op, doc, result, &v, &t->out, f);
    nk_buf_add_char(&t->out, '}');
    return rc ? rc : t->out.error;
}

/* One message of the agent, appended to txn->out as it goes on. */
static int put_message(struct nk_txn *t, struct nk_str text, int64_t max, struct nk_arena *a,
                       struct nk_fault *f)
{
    struct nk_json doc;
    struct nk_rpc rpc;
    int rc = gate_read_json(t, text, max, a, &doc, f);
    if (!rc)
        rc = nk_rpc_read(&doc, "a2a", a, &rpc, f);
    if (rc)
        return rc;
    bool is_ours = rpc.id.n == t->state->id.n + 2 &&
                   nk_str_eq(nk_str_sub(rpc.id, 1, rpc.id.n - 1), t->state->id);
    if (rpc.kind == NK_RPC_ERROR && (is_ours || !rpc.id.p))
        return put_error(t, &doc, rpc.error, a, f);
    if (rpc.kind != NK_RPC_RESULT || !is_ours)
        return nk_fault_set(f, NK_EINVAL, "a2a", 0, "the agent answers another request");
    return put_result(t, &doc, rpc.result, a, f);
}

/* What an event says beside its data is not the protocol's; of comments the client gets one that says nothing. */
static int take_event(struct nk_txn *t, const struct nk_sse_event *e, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    nk_arena_reset(&s->event_arena);
    if (!e->data.n) {
        nk_buf_add(&t->out, NK_STR(":\n\n"));
        return t->out.error;
    }
    nk_buf_add(&t->out, NK_STR("data: "));
    int rc = put_message(t, e->data, t->setup->config.limits.event_bytes, &s->event_arena, f);
    nk_buf_add(&t->out, NK_STR("\n\n"));
    return rc ? rc : t->out.error;
}

unsigned gate_a2a_data(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    s->reply_bytes += (int64_t)bytes.n;
    if (s->streaming) {
        int rc = nk_sse_feed(&s->sse, bytes, &f);
        return gate_receive_events(t, rc, take_event, &f);
    }
    nk_buf_add(&s->reply, bytes);
    return s->reply.error ? gate_answer_failed(t, NK_REFUSAL_bad_answer,
                                               NK_STR("answer over limits.reply_bytes"))
                          : 0;
}

static unsigned record_end(struct nk_txn *t, const char *how)
{
    const struct gate_a2a *m = gate_a2a(t);
    const struct nk_tool_ask about = {.name = gate_a2a_upstream(t)->name};
    if (is_card(m) || !m->endpoint->fields.class_count || !nk_a2a_has_content(m->op))
        return gate_record_outcome(t, how);
    return gate_record_tool_end(t, &about, m->id, how, t->state->reply_bytes, m->hidden);
}

static unsigned end_stream(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    nk_sse_end(&s->sse);
    unsigned fx = gate_receive_events(t, 0, take_event, &f);
    if (fx & NK_FX_CUT)
        return fx;
    if (nk_sse_pending(&s->sse))
        return gate_answer_failed(t, NK_REFUSAL_upstream_failed,
                                  NK_STR("the stream ended within an event"));
    return fx | record_end(t, "complete") | NK_FX_END;
}

static unsigned failed(struct nk_txn *t, int rc, const struct nk_fault *f)
{
    enum nk_refusal_id id = rc == NK_ENOMEM    ? NK_REFUSAL_out_of_memory
                            : rc == NK_EDENIED ? NK_REFUSAL_unapproved_card
                                               : NK_REFUSAL_bad_answer;
    nk_buf_clear(&t->out);
    if (rc == NK_EDENIED)
        t->state->call.code_number = NK_RPC_REFUSED;
    return gate_answer_failed(t, id,
                              nk_arena_printf(t->arena, "%s at byte %zu", f->message, f->offset));
}

static int read_card(struct nk_txn *t, struct nk_json *doc, struct nk_fault *f)
{
    struct gate_a2a *m = gate_a2a(t);
    if (t->state->upstream_status != 200 || !t->state->complete)
        return nk_fault_set(f, NK_EINVAL, "a2a", 0, "the agent shows no card (status %d)",
                            t->state->upstream_status);
    int rc = gate_read_json(t, nk_buf_str(&t->state->reply), t->setup->config.limits.reply_bytes,
                            t->scratch, doc, f);
    if (!rc)
        rc = gate_a2a_check_card(t, doc, 0, m->endpoint->config->card, t->scratch, f);
    m->endpoint->card_until_ms = rc ? 0 : t->state->now_ms + m->endpoint->config->card_age;
    return rc;
}

/* The agent is who it was: now what was asked for. It is decided again, because each call has its decision. */
static unsigned end_check(struct nk_txn *t)
{
    struct nk_json doc;
    struct nk_fault f = {0};
    int rc = read_card(t, &doc, &f);
    if (rc)
        return failed(t, rc, &f);
    unsigned fx = gate_record_outcome(t, "complete");
    gate_a2a(t)->is_check = false;
    if (gate_call_authorize(t) || gate_a2a_forward(t))
        return fx | gate_refused(t);
    return fx | gate_record_decision(t) | NK_FX_CALL;
}

/* The message of a whole answer. What is no message becomes one, with the agent's status: an error that says nothing
 * but that. */
static int whole(struct nk_txn *t, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    const struct gate_a2a *m = gate_a2a(t);
    struct nk_json doc;
    if (m->op == NK_A2A_CARD) {
        int rc = read_card(t, &doc, f);
        return rc ? rc : gate_a2a_put_card(t, &doc, 0, t->scratch, &t->out, f);
    }
    if (!s->complete && s->upstream_status >= 400) {
        nk_rpc_put_error(
            &t->out, m->id, NK_RPC_FAILED,
            nk_arena_printf(t->scratch, "The agent answered with status %d.", s->upstream_status),
            NK_STR(""));
        return t->out.error;
    }
    if (!s->complete)
        return nk_fault_set(f, NK_EINVAL, "a2a", 0, "the agent's answer is not JSON");
    return put_message(t, nk_buf_str(&s->reply), t->setup->config.limits.reply_bytes, t->scratch,
                       f);
}

unsigned gate_a2a_end(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    if (s->streaming)
        return end_stream(t);
    if (gate_a2a(t)->is_check)
        return end_check(t);
    s->status = t->reply_head.status;
    int rc = whole(t, &f);
    if (rc)
        return failed(t, rc, &f);
    nk_http_add(&t->reply_head, NK_STR("content-type"), NK_STR("application/json"));
    if (gate_a2a(t)->op == NK_A2A_CARD)
        nk_http_add(&t->reply_head, NK_STR("cache-control"), NK_STR("private, no-cache"));
    t->reply_head.content_length = (int64_t)t->out.n;
    return record_end(t, s->upstream_status < 300 ? "complete" : "upstream_error") | NK_FX_HEAD |
           NK_FX_DATA | NK_FX_END;
}
