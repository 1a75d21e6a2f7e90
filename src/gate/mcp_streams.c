/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_streams.c - see mcp_streams.h. One server speaks at a time, since a step is about one lane: what receive and the rest of the
 * gateway know of "the" answer is exchanged before and after, so that they need not know of several.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_streams.h"

static struct gate_mcp_streams *streams(const struct nk_txn *t)
{
    return gate_mcp(t)->streams;
}

static size_t count(const struct nk_txn *t)
{
    return gate_mcp(t)->endpoint->config->server_count;
}

bool gate_mcp_is_streams(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    return count(t) > 1 && (m->ask.op == NK_MCP_LISTEN ||
                            (m->ask.op == NK_MCP_STREAM && m->answers == NK_MCP_STREAM));
}

bool gate_mcp_may_stream(const struct nk_txn *t, size_t server)
{
    return gate_mcp_is_there(t, server) && !gate_mcp_is_bridged(t, server);
}

bool gate_mcp_has_streams(const struct nk_txn *t)
{
    bool any = false;
    for (size_t i = 0; i < count(t); i++)
        any |= gate_mcp_may_stream(t, i);
    return any;
}

/* The first from this one on that is asked. */
static size_t from(const struct nk_txn *t, size_t server)
{
    while (server < count(t) && (!gate_mcp_may_stream(t, server) ||
                                 (streams(t)->listen && !gate_mcp_listen_body(t, server).p)))
        server++;
    return server;
}

/* Lanes -------------------------------------------------------------------------------------------
 */
static void enter(struct nk_txn *t, size_t server)
{
    struct nk_gate_state *s = t->state;
    struct gate_mcp_lane *lane = &streams(t)->lanes[server];
    gate_mcp_choose(t, server);
    nk_sse_free(&s->sse);
    s->sse = lane->sse;
    nk_sse_init(&lane->sse, (size_t)t->setup->config.limits.event_bytes);
    gate_mcp(t)->knows_secrets = lane->knows_secrets;
    gate_mcp(t)->has_secrets = lane->has_secrets;
    s->call_number = lane->call_number;
    s->upstream_status = lane->status;
    s->reply_bytes = lane->bytes;
    s->events = lane->events;
}

static void leave(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct gate_mcp_lane *lane = &streams(t)->lanes[gate_mcp(t)->server];
    lane->sse = s->sse;
    nk_sse_init(&s->sse, (size_t)t->setup->config.limits.event_bytes);
    lane->knows_secrets = gate_mcp(t)->knows_secrets;
    lane->has_secrets = gate_mcp(t)->has_secrets;
    lane->status = s->upstream_status;
    lane->bytes = s->reply_bytes;
    lane->events = s->events;
}

void gate_mcp_streams_free(struct nk_txn *t)
{
    struct gate_mcp_streams *all = streams(t);
    for (size_t i = 0; all && i < count(t); i++) {
        nk_sse_free(&all->lanes[i].sse);
        nk_buf_free(&all->lanes[i].last);
    }
    gate_mcp_listen_free(t);
}

/* The lane of the server that is entered has come to its end: its outcome. */
static unsigned over(struct nk_txn *t, const char *how, struct nk_str reason)
{
    struct gate_mcp_lane *lane = &streams(t)->lanes[gate_mcp(t)->server];
    lane->runs = false;
    streams(t)->open--;
    nk_sse_free(&t->state->sse);
    return gate_mcp_record(t, how, reason);
}

/* The same of all that run, which are cancelled. */
static unsigned all_over(struct nk_txn *t, const char *how)
{
    unsigned fx = 0;
    for (size_t i = 0; i < count(t); i++) {
        if (!streams(t)->lanes[i].runs)
            continue;
        enter(t, i);
        fx |= over(t, how, NK_STR(""));
        leave(t);
    }
    return fx | NK_FX_ABORT;
}

/* The client's end --------------------------------------------------------------------------------
 */
static unsigned refuse(struct nk_txn *t, enum nk_refusal_id id, int code)
{
    gate_mcp_refuse(t, id, code, "receive", NK_STR(""));
    return gate_answer_refusal(t) | NK_FX_END;
}

/* Ends with the last of the servers' streams; where there was none at all, the client learns why. */
static unsigned end_with_last(struct nk_txn *t)
{
    const struct gate_mcp_streams *all = streams(t);
    if (all->open || all->next < count(t))
        return 0;
    if (t->state->began)
        return gate_mcp_listen_end(t) | NK_FX_END;
    return all->why ? refuse(t, all->why, NK_MCP_FAILED)
                    : refuse(t, all->listen ? NK_REFUSAL_no_method : NK_REFUSAL_no_stream,
                             NK_MCP_NO_METHOD);
}

static unsigned failed(struct nk_txn *t, enum nk_refusal_id id, struct nk_str reason)
{
    if (!streams(t)->why)
        streams(t)->why = id;
    return over(t, gate_refusal_name(id), reason);
}

/* Calls -------------------------------------------------------------------------------------------
 */
/* Of the client's Last-Event-ID, that of this server; absent: it has none. */
static struct nk_str last_of(const struct nk_txn *t, struct nk_str ids, size_t server)
{
    struct nk_str id = {NULL, 0};
    for (size_t i = 0; i <= server; i++)
        if (!gate_mcp_get_part(&ids, &id))
            return (struct nk_str){NULL, 0};
    return id.n ? nk_arena_copy(t->arena, id) : (struct nk_str){NULL, 0};
}

static int begin(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct gate_mcp_streams *all = nk_arena_alloc(t->arena, sizeof *all);
    int rc = 0;
    if (!all)
        return NK_ENOMEM;
    all->lanes = nk_arena_array(t->arena, count(t), sizeof *all->lanes);
    if (!all->lanes)
        return NK_ENOMEM;
    for (size_t i = 0; i < count(t); i++) {
        struct nk_str last = last_of(t, m->event, i);
        nk_sse_init(&all->lanes[i].sse, (size_t)t->setup->config.limits.event_bytes);
        nk_buf_init(&all->lanes[i].last, GATE_MCP_EVENT_ID);
        nk_buf_add(&all->lanes[i].last, last);
    }
    m->streams = all;
    if (m->ask.op == NK_MCP_LISTEN)
        rc = gate_mcp_listen_new(t);
    all->next = from(t, 0);
    return rc;
}

static unsigned streams_next(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct gate_mcp_streams *all = m->streams;
    size_t server = all->next;
    struct gate_mcp_lane *lane = &all->lanes[server];
    if (server == count(t))
        return 0;
    lane->call_number = all->calls++;
    enter(t, server);
    m->event = (struct nk_str){NULL, 0};
    if (lane->last.n)
        m->event = nk_buf_str(&lane->last);
    m->body = gate_mcp_listen_body(t, server);
    if (gate_mcp_forward(t))
        return gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("a call of several"));
    all->next = from(t, server + 1);
    all->open++;
    lane->runs = lane->is_awaited = true;
    lane->call_number = t->state->call_number;
    t->call.lane = (uint32_t)server;
    leave(t);
    return NK_FX_CALL | (all->next < count(t) ? NK_FX_NEXT : 0);
}

/* Answers -----------------------------------------------------------------------------------------
 */
/* A server that has no such stream says so by any answer but a stream; that of a session that it does not know any more
 * ends what has not begun. */
static unsigned take_head(struct nk_txn *t, const struct nk_http_head *h)
{
    struct gate_mcp_lane *lane = &streams(t)->lanes[gate_mcp(t)->server];
    t->state->upstream_status = h->status;
    if (h->status == 401 || h->status == 403)
        return failed(t, NK_REFUSAL_upstream_credential, NK_STR("401 or 403")) | NK_FX_DROP;
    if (h->status >= 500 || h->status < 200 || (h->status >= 300 && h->status < 400) ||
        nk_http_get(h, NK_STR("content-encoding")).p)
        return failed(t, NK_REFUSAL_bad_answer, NK_STR("no answer of MCP")) | NK_FX_DROP;
    if (h->status == 404 && gate_mcp(t)->session.parts && !t->state->began) {
        unsigned fx = over(t, "unknown_session", NK_STR(""));
        return fx | all_over(t, "cancelled") |
               refuse(t, NK_REFUSAL_unknown_session, NK_MCP_NO_SESSION);
    }
    if (h->status != 200 || !gate_answer_is_type(h, NK_STR("text/event-stream")))
        return over(t, "upstream_error", NK_STR("it has no stream")) | NK_FX_DROP;
    lane->streams = true;
    return t->state->began ? 0 : gate_mcp_begin_stream(t, h);
}

/* All whole events of the lane, each with no trace where it cannot be taken. */
static int take_events(struct nk_txn *t, int rc, struct nk_fault *f)
{
    struct nk_sse_event e;
    while (!rc) {
        size_t before = t->out.n;
        rc = nk_sse_next(&t->state->sse, &e, f);
        t->state->events += !rc;
        if (!rc)
            rc = gate_mcp_take_event(t, &e, f);
        if (rc)
            t->out.n = before;
    }
    return rc == NK_EAGAIN ? 0 : rc;
}

static unsigned take_data(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    s->reply_bytes += (int64_t)bytes.n;
    int rc = take_events(t, nk_sse_feed(&s->sse, bytes, &f), &f);
    if (!rc)
        return 0;
    return failed(t, NK_REFUSAL_bad_answer, nk_str(f.code ? f.message : "event over a limit")) |
           NK_FX_DROP;
}

static unsigned take_end(struct nk_txn *t)
{
    struct nk_fault f = {0};
    nk_sse_end(&t->state->sse);
    int rc = take_events(t, 0, &f);
    if (rc || nk_sse_pending(&t->state->sse))
        return failed(t, NK_REFUSAL_upstream_failed, NK_STR("the stream ended within an event"));
    return over(t, "complete", NK_STR(""));
}

/* What has come of a step in a lane: what may go on, and the end if it was the last. */
static unsigned done(struct nk_txn *t, unsigned fx)
{
    t->drop = t->state->lane;
    leave(t);
    if (fx & NK_FX_END)
        return fx;
    fx |= gate_mcp_listen_pass(t);
    fx |= t->out.n ? NK_FX_DATA : 0;
    return fx | end_with_last(t);
}

static bool runs(const struct nk_txn *t)
{
    return t->state->lane < count(t) && streams(t)->lanes[t->state->lane].runs;
}

static unsigned streams_head(struct nk_txn *t, const struct nk_http_head *h)
{
    if (!runs(t))
        return 0;
    enter(t, t->state->lane);
    return done(t, take_head(t, h));
}

static unsigned streams_data(struct nk_txn *t, struct nk_str bytes)
{
    if (!runs(t))
        return 0;
    enter(t, t->state->lane);
    return done(t, take_data(t, bytes));
}

static unsigned streams_end(struct nk_txn *t)
{
    if (!runs(t))
        return 0;
    enter(t, t->state->lane);
    return done(t, take_end(t));
}

static unsigned streams_fail(struct nk_txn *t, int fail, struct nk_str why)
{
    if (!runs(t))
        return 0;
    enter(t, t->state->lane);
    return done(t, failed(t, gate_refusal_of(fail), why));
}

static unsigned streams_gone(struct nk_txn *t)
{
    return all_over(t, "client_gone") & ~(unsigned)NK_FX_ABORT;
}

static const struct gate_driver streams_driver = {
    .name = "mcp streams",
    .next = streams_next,
    .head = streams_head,
    .data = streams_data,
    .end = streams_end,
    .fail = streams_fail,
    .wake = gate_mcp_listen_wake,
    .gone = streams_gone,
    .free = gate_mcp_free_all,
};

unsigned gate_mcp_streams(struct nk_txn *t)
{
    if (gate_mcp(t)->ask.op == NK_MCP_LISTEN && !gate_mcp_listens(t)) {
        gate_mcp_refuse(t, NK_REFUSAL_bad_request, NK_MCP_INVALID_PARAMS, "parse",
                        NK_STR("params.notifications has to be an object."));
        return gate_refused(t);
    }
    if (begin(t)) {
        gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR(""));
        return gate_refused(t);
    }
    t->state->driver = &streams_driver;
    unsigned fx = gate_record_decision(t);
    return fx | streams_next(t);
}

/* Ids of events -----------------------------------------------------------------------------------
 */
int gate_mcp_streams_put_id(struct nk_txn *t, struct nk_str id, struct nk_buf *out)
{
    struct nk_buf *last = &streams(t)->lanes[gate_mcp(t)->server].last;
    nk_buf_clear(last);
    if (id.n <= GATE_MCP_EVENT_ID)
        nk_buf_add(last, id);
    for (size_t i = 0; i < count(t); i++)
        gate_mcp_put_part(out, nk_buf_str(&streams(t)->lanes[i].last));
    return last->error ? last->error : out->error;
}
