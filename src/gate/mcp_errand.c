/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_errand.c - see mcp_round.h. A server may answer with one message or with a stream that has it among others; what
 * else it says there concerns nobody, since the client has not asked for this.
 */
#include "gate/mcp_round.h"

enum { FACTS_MAX = 4096 };

/* The outcome: which server, what it was asked, and why it did not do it. */
unsigned gate_mcp_record(struct nk_txn *t, const char *how, struct nk_str reason)
{
    const struct nk_gate_state *s = t->state;
    struct nk_buf facts;
    nk_buf_init(&facts, FACTS_MAX);
    nk_buf_add(&facts, NK_STR("\"mcp\":{"));
    nk_json_put_member(&facts, NK_STR("server"), gate_mcp_upstream(t)->name);
    nk_buf_printf(&facts, ",\"status\":%d,\"bytes\":%lld", s->upstream_status,
                  (long long)s->reply_bytes);
    if (reason.n)
        nk_json_put_member(&facts, NK_STR("reason"), nk_str_sub(reason, 0, 512));
    nk_buf_add_char(&facts, '}');
    unsigned fx = gate_record_end(t, how, nk_buf_str(&facts));
    nk_buf_free(&facts);
    return fx;
}

static unsigned over(struct nk_txn *t, const char *how, struct nk_str reason)
{
    struct gate_mcp *m = gate_mcp(t);
    struct gate_mcp_errand *e = m->errand;
    unsigned fx = e->is_exchange ? 0 : gate_mcp_record(t, how, reason);
    m->errand = NULL;
    t->state->driver = e->before;
    return fx | e->then(t, &e->reply);
}

/* The call is no longer wanted. */
static unsigned give_up(struct nk_txn *t, const char *why)
{
    struct gate_mcp_errand *e = gate_mcp(t)->errand;
    e->reply.text = (struct nk_str){NULL, 0};
    e->reply.why = why;
    return over(t, "bad_answer", nk_str(why)) | NK_FX_ABORT;
}

static unsigned errand_head(struct nk_txn *t, const struct nk_http_head *h)
{
    struct gate_mcp_errand *e = gate_mcp(t)->errand;
    struct nk_str session = nk_http_get(h, NK_STR("mcp-session-id"));
    t->state->upstream_status = h->status;
    e->reply.status = h->status;
    e->streams = gate_answer_is_type(h, NK_STR("text/event-stream"));
    if (h->status < 200 || (h->status >= 300 && h->status < 400))
        return give_up(t, "a redirect or 1xx");
    if (nk_http_get(h, NK_STR("content-encoding")).p)
        return give_up(t, "a compressed answer, unasked");
    if (session.n)
        e->reply.session = nk_arena_copy(t->arena, session);
    return session.n && !e->reply.session.p ? give_up(t, "memory") : 0;
}

/* Is it the message that is waited for? */
static bool answers(struct nk_txn *t, struct nk_str text, struct nk_arena *a)
{
    const struct gate_mcp_errand *e = gate_mcp(t)->errand;
    struct nk_mcp_message m;
    struct nk_json doc;
    struct nk_fault f = {0};
    if (gate_read_json(t, text, t->setup->config.limits.reply_bytes, a, &doc, &f) ||
        nk_mcp_read(&doc, a, &m, &f) || (m.kind != NK_MCP_RESULT && m.kind != NK_MCP_ERROR))
        return false;
    return m.id.p ? nk_str_eq(m.id, e->id) : m.kind == NK_MCP_ERROR;
}

static int take(struct nk_txn *t, struct nk_str text, struct nk_arena *a)
{
    struct gate_mcp_errand *e = gate_mcp(t)->errand;
    if (e->reply.text.p || !text.n || !e->id.p || !answers(t, text, a))
        return 0;
    e->reply.text = nk_arena_copy(t->arena, text);
    return e->reply.text.p ? 0 : NK_ENOMEM;
}

static int take_events(struct nk_txn *t, int rc)
{
    struct nk_gate_state *s = t->state;
    struct nk_sse_event event;
    struct nk_fault f = {0};
    while (!rc) {
        rc = nk_sse_next(&s->sse, &event, &f);
        nk_arena_reset(&s->event_arena);
        if (!rc)
            rc = take(t, event.data, &s->event_arena);
    }
    return rc == NK_EAGAIN ? 0 : rc;
}

static unsigned errand_data(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    s->reply_bytes += (int64_t)bytes.n;
    if (gate_mcp(t)->errand->streams)
        return take_events(t, nk_sse_feed(&s->sse, bytes, &f)) ? give_up(t, "a broken stream") : 0;
    nk_buf_add(&s->reply, bytes);
    return s->reply.error ? give_up(t, "an answer over limits.reply_bytes") : 0;
}

static unsigned errand_end(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct gate_mcp_errand *e = gate_mcp(t)->errand;
    if (e->streams)
        nk_sse_end(&s->sse);
    if (e->streams ? take_events(t, 0) : take(t, nk_buf_str(&s->reply), t->scratch))
        return give_up(t, "an answer that cannot be read");
    if (s->upstream_status < 300 && e->id.p && !e->reply.text.p)
        return give_up(t, "no answer to what was asked");
    return over(t, s->upstream_status < 300 ? "complete" : "upstream_error", NK_STR(""));
}

static unsigned errand_fail(struct nk_txn *t, int fail, struct nk_str why)
{
    struct gate_mcp_errand *e = gate_mcp(t)->errand;
    const char *how = gate_refusal_name(gate_refusal_of(fail));
    e->reply.status = 0;
    e->reply.text = (struct nk_str){NULL, 0};
    e->reply.why = how;
    return over(t, how, why);
}

int gate_mcp_send(struct nk_txn *t, struct nk_str id,
                  unsigned (*then)(struct nk_txn *t, const struct gate_mcp_reply *r))
{
    struct gate_mcp_errand *e = nk_arena_alloc(t->arena, sizeof *e);
    if (!e)
        return NK_ENOMEM;
    *e = (struct gate_mcp_errand){
        .id = id, .then = then, .before = t->state->driver, .driver = *t->state->driver};
    e->driver.head = errand_head;
    e->driver.data = errand_data;
    e->driver.end = errand_end;
    e->driver.fail = errand_fail;
    t->state->driver = &e->driver;
    gate_mcp(t)->errand = e;
    return 0;
}

int gate_mcp_exchange(struct nk_txn *t, struct nk_str id,
                      unsigned (*then)(struct nk_txn *t, const struct gate_mcp_reply *r))
{
    int rc = gate_mcp_send(t, id, then);
    if (!rc)
        gate_mcp(t)->errand->is_exchange = true;
    return rc;
}
