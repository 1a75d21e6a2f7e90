/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_answer.c - the server's answer. A whole one is read before its first byte goes on; a stream is cut into events,
 * and each goes on as soon as it has been read: every message, whether it comes alone or in a stream, is strict
 * JSON, is what the protocol lets a server say here, and answers this request if it answers one at all.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_park.h"
#include "gate/mcp_relay.h"
#include "gate/mcp_streams.h"
#include "gate/mcp_tool.h"

enum { HEADERS_MAX = 10 };

/* In 2026-07-28 an error of the protocol has a status of HTTP as well (404: no such method), which a client with a
 * session would take for the session's end. */
static int status_of(const struct nk_txn *t, int status)
{
    bool is_old = !gate_mcp(t)->is_new && gate_mcp_speaks_new(t);
    return is_old && status >= 400 && status < 500 ? 200 : status;
}

static int begin_head(struct nk_txn *t, const struct nk_http_head *from)
{
    struct nk_http_head *h = &t->reply_head;
    struct nk_str allow = nk_http_get(from, NK_STR("allow"));
    *h = (struct nk_http_head){
        .status = status_of(t, from->status), .content_length = -1, .keep_alive = true};
    h->headers = nk_arena_array(t->arena, HEADERS_MAX, sizeof *h->headers);
    if (!h->headers)
        return NK_ENOMEM;
    nk_http_add(h, NK_STR("x-request-id"), t->state->id);
    if (gate_mcp(t)->shown.p)
        nk_http_add(h, NK_STR("mcp-session-id"), gate_mcp(t)->shown);
    if (from->status == 405 && allow.p)
        nk_http_add(h, NK_STR("allow"), nk_arena_copy(t->arena, allow));
    return 0;
}

unsigned gate_mcp_begin_stream(struct nk_txn *t, const struct nk_http_head *h)
{
    if (begin_head(t, h))
        return gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("headers of the answer"));
    nk_http_add(&t->reply_head, NK_STR("content-type"), NK_STR("text/event-stream"));
    return gate_receive_stream(t);
}

unsigned gate_mcp_head(struct nk_txn *t, const struct nk_http_head *h)
{
    struct nk_gate_state *s = t->state;
    if (h->status == 404 && gate_mcp_may_renew(t))
        return gate_mcp_renew(t) | NK_FX_ABORT;
    unsigned fx = gate_receive_check(t, h, "the server");
    if (fx)
        return fx;
    bool is_stream = h->status == 200 && gate_answer_is_type(h, NK_STR("text/event-stream"));
    s->complete = gate_answer_is_type(h, NK_STR("application/json"));
    if (s->began) { /* by a question to the client: whatever comes goes on in that stream */
        s->streaming = is_stream;
        return 0;
    }
    if (is_stream)
        return gate_mcp_begin_stream(t, h);
    return begin_head(t, h)
               ? gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("headers of the answer"))
               : 0;
}

static int read_message(struct nk_txn *t, struct nk_str text, int64_t max, struct nk_arena *a,
                        struct nk_mcp_message *out, struct nk_fault *f)
{
    struct nk_json doc;
    int rc = gate_read_json(t, text, max, a, &doc, f);
    return rc ? rc : nk_mcp_read(&doc, a, out, f);
}

/* May the server say this here? */
static int check_message(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_fault *f)
{
    const struct gate_mcp *own = gate_mcp(t);
    if (m->kind == NK_MCP_NOTIFICATION)
        return nk_str_starts(m->method, NK_STR("notifications/"))
                   ? 0
                   : nk_fault_set(f, NK_EINVAL, "mcp", 0, "a notification of no known kind");
    if (m->kind == NK_MCP_REQUEST) {
        int needs = gate_mcp_needs(m->method);
        if (own->is_new || needs < 0 || ((unsigned)needs & ~own->session.can) ||
            (needs && !gate_mcp_tells(t, m)))
            return nk_fault_set(f, NK_EINVAL, "mcp", 0,
                                "the server asks for what it may not ask for");
        return 0;
    }
    bool fits = m->id.p ? nk_str_eq(m->id, gate_mcp_id(t)) : m->kind == NK_MCP_ERROR;
    return fits && !own->has_result
               ? 0
               : nk_fault_set(f, NK_EINVAL, "mcp", 0, "an answer to another request");
}

/* A call that failed has a good answer all the same: what telemetry calls it (conventions for MCP, error.type). */
static void note_failure(struct nk_txn *t, const struct nk_mcp_message *m)
{
    int64_t code;
    if (m->kind == NK_MCP_ERROR && !nk_mcp_error_code(m, &code))
        t->call.about.error = nk_arena_printf(t->arena, "%lld", (long long)code);
    else if (gate_mcp(t)->answers == NK_MCP_CALL_TOOL && nk_mcp_has_failed(m))
        t->call.about.error = NK_STR("tool_error");
}

/* What goes on in place of a message; *out is absent when it goes on as it came. */
static int take_message(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                        struct nk_str *out, struct nk_fault *f)
{
    *out = (struct nk_str){NULL, 0};
    int rc = check_message(t, m, f);
    if (rc)
        return rc;
    if (m->kind == NK_MCP_REQUEST || m->kind == NK_MCP_NOTIFICATION)
        return gate_mcp_own_uris(t, m, a, out);
    gate_mcp(t)->has_result = true;
    if (gate_mcp_asks(t, m))
        return gate_mcp_relay_keep(t, m, f);
    note_failure(t, m);
    return gate_mcp_result(t, m, a, out, f);
}

/* The value of a line of this field, or absent. */
static struct nk_str field(struct nk_str line, struct nk_str name)
{
    if (!nk_str_starts(line, name) || line.n == name.n || line.p[name.n] != ':')
        return (struct nk_str){NULL, 0};
    struct nk_str value = nk_str_sub(line, name.n + 1, line.n);
    return nk_str_starts(value, NK_STR(" ")) ? nk_str_sub(value, 1, value.n) : value;
}

static int put_id(struct nk_txn *t, struct nk_str id)
{
    enum { IDS_MAX = NK_CONFIG_MCP_SERVERS * (GATE_MCP_EVENT_ID + 8) };
    struct nk_buf ids;
    if (!gate_mcp(t)->streams)
        return gate_mcp_put_event_id(t, id, &t->out);
    nk_buf_init(&ids, IDS_MAX);
    int rc = gate_mcp_streams_put_id(t, id, &ids);
    if (!rc)
        rc = gate_mcp_put_event_id(t, nk_buf_str(&ids), &t->out);
    nk_buf_free(&ids);
    return rc;
}

/* An event whose id is one of ours, and whose data is `data` unless that is absent. */
static int put_event(struct nk_txn *t, struct nk_str raw, struct nk_str data)
{
    struct nk_buf *out = &t->out;
    int rc = 0;
    for (struct nk_str rest = raw; rest.p && !rc;) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        if (nk_str_ends(line, NK_STR("\r")))
            line.n--;
        struct nk_str id = field(line, NK_STR("id"));
        if (line.n == 0 || (data.p && nk_str_starts(line, NK_STR("data"))))
            continue;
        nk_buf_add(out, id.n ? NK_STR("id: ") : line);
        if (id.n)
            rc = put_id(t, id);
        nk_buf_add_char(out, '\n');
    }
    if (data.p) {
        nk_buf_add(out, NK_STR("data: "));
        nk_buf_add(out, data);
        nk_buf_add_char(out, '\n');
    }
    nk_buf_add_char(out, '\n');
    return rc ? rc : out->error;
}

/* Is there a line that says an id? */
static bool has_id(struct nk_str raw)
{
    return nk_str_starts(raw, NK_STR("id:")) || nk_str_search(raw, NK_STR("\nid:")) >= 0;
}

/* CR alone ends a line as well; nobody writes it, so nobody needs to read it in our way. */
static bool has_lone_cr(struct nk_str raw)
{
    for (size_t i = 0; i < raw.n; i++)
        if (raw.p[i] == '\r' && (i + 1 == raw.n || raw.p[i + 1] != '\n'))
            return true;
    return false;
}

/* A message of a stream: what goes on in its place (*out, absent: it goes on as it came), or that nothing does (*lost).
 * NK_EAGAIN: what is behind it is not for this request. */
static int take_said(struct nk_txn *t, struct nk_str text, struct nk_str *out, bool *lost,
                     struct nk_fault *f)
{
    struct nk_arena *a = &t->state->event_arena;
    struct nk_mcp_message m;
    bool is_question = false;
    int rc = read_message(t, text, t->setup->config.limits.event_bytes, a, &m, f);
    if (rc)
        return rc;
    *lost = (m.kind == NK_MCP_NOTIFICATION && !gate_mcp_tells(t, &m)) || gate_mcp_is_lost(t, &m);
    if (*lost)
        return 0;
    if (gate_mcp_listen_takes(t, &m)) {
        *lost = true;
        return gate_mcp_listen_take(t, &m, a, f);
    }
    rc = gate_mcp_park_take(t, &m, &is_question, f);
    if (is_question)
        return NK_EAGAIN;
    if (!rc)
        rc = take_message(t, &m, a, out, f);
    if (!rc && m.kind == NK_MCP_NOTIFICATION)
        rc = gate_mcp_join_progress(t, &m, a, out, lost);
    *lost |= gate_mcp_asks(t, &m);
    return rc;
}

int gate_mcp_take_event(struct nk_txn *t, const struct nk_sse_event *e, struct nk_fault *f)
{
    struct nk_str with = {NULL, 0};
    bool lost = false;
    nk_arena_reset(&t->state->event_arena);
    /* A comment, or an event that only says its id, has no message. */
    int rc = e->data.n ? take_said(t, e->data, &with, &lost, f) : 0;
    if (rc || lost)
        return rc;
    if (has_lone_cr(e->raw))
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "a line of a stream ends with CR alone");
    if (with.p || has_id(e->raw))
        return put_event(t, e->raw, with);
    nk_buf_add(&t->out, e->raw);
    return t->out.error;
}

unsigned gate_mcp_data(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    s->reply_bytes += (int64_t)bytes.n;
    if (s->streaming) {
        int rc = nk_sse_feed(&s->sse, bytes, &f);
        unsigned fx = gate_receive_events(t, rc, gate_mcp_take_event, &f);
        return gate_mcp_has_question(t) ? fx | gate_mcp_park(t) : fx;
    }
    nk_buf_add(&s->reply, bytes);
    return s->reply.error ? gate_answer_failed(t, NK_REFUSAL_bad_answer,
                                               NK_STR("answer over limits.reply_bytes"))
                          : 0;
}

static unsigned record_end(struct nk_txn *t, const char *how)
{
    const struct gate_mcp *m = gate_mcp(t);
    return m->tool && m->ask.op == NK_MCP_CALL_TOOL ? gate_mcp_end_tool(t, how)
                                                    : gate_record_outcome(t, how);
}

/* The server has to know more before it can answer. */
static unsigned go_on(struct nk_txn *t)
{
    unsigned fx = record_end(t, "input_required");
    return fx | gate_mcp_relay(t);
}

static unsigned end_stream(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    nk_sse_end(&s->sse);
    unsigned fx = gate_receive_events(t, 0, gate_mcp_take_event, &f);
    if (fx & NK_FX_CUT)
        return fx;
    if (nk_sse_pending(&s->sse) || gate_mcp_has_question(t))
        return gate_answer_failed(t, NK_REFUSAL_upstream_failed,
                                  NK_STR("the stream ended within an event"));
    if (gate_mcp_relays(t))
        return fx | go_on(t);
    return fx | record_end(t, "complete") | NK_FX_END;
}

/* A whole answer in a stream that has begun already is one event of it. Line ends in JSON are mere layout. */
static void put_whole(struct nk_txn *t, struct nk_str text)
{
    if (!t->state->began) {
        nk_buf_add(&t->out, text);
        return;
    }
    nk_buf_add(&t->out, NK_STR("event: message\ndata: "));
    for (struct nk_str rest = text; rest.p;) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        nk_buf_add(&t->out,
                   nk_str_ends(line, NK_STR("\r")) ? nk_str_sub(line, 0, line.n - 1) : line);
    }
    nk_buf_add(&t->out, NK_STR("\n\n"));
}

/* The message of a whole answer. What is no message becomes one, with the server's status: an error that says
 * nothing but that. */
static int whole(struct nk_txn *t, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_mcp_message m;
    struct nk_str with = {NULL, 0};
    struct nk_str text = nk_buf_str(&s->reply);
    int rc;
    if (!s->complete && s->upstream_status >= 400) {
        struct nk_buf error;
        nk_buf_init(&error, 4096);
        nk_mcp_put_error(
            &error, gate_mcp(t)->message.id, NK_MCP_FAILED,
            nk_arena_printf(t->scratch, "The server answered with status %d.", s->upstream_status),
            NK_STR(""));
        put_whole(t, nk_buf_str(&error));
        rc = error.error ? error.error : t->out.error;
        nk_buf_free(&error);
        return rc;
    }
    if (!s->complete)
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "the server's answer is not JSON");
    rc = read_message(t, text, t->setup->config.limits.reply_bytes, t->scratch, &m, f);
    if (!rc)
        rc = take_message(t, &m, t->scratch, &with, f);
    if (!rc && !gate_mcp_asks(t, &m))
        put_whole(t, with.p ? with : text);
    return rc ? rc : t->out.error;
}

unsigned gate_mcp_end(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    if (s->streaming)
        return end_stream(t);
    if (!s->began && gate_mcp_may_find(t, s->upstream_status, nk_buf_str(&s->reply)))
        return gate_mcp_find(t);
    const char *how = s->upstream_status < 300 ? "complete" : "upstream_error";
    s->status = t->reply_head.status;
    bool has_message = s->began || s->reply.n || s->upstream_status >= 400;
    int rc = has_message ? whole(t, &f) : 0;
    if (rc)
        return gate_answer_failed(
            t, rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory : NK_REFUSAL_bad_answer,
            nk_arena_printf(t->arena, "%s at byte %zu", f.message, f.offset));
    if (gate_mcp_relays(t))
        return go_on(t);
    if (s->began)
        return record_end(t, how) | NK_FX_DATA | NK_FX_END;
    if (has_message)
        nk_http_add(&t->reply_head, NK_STR("content-type"), NK_STR("application/json"));
    t->reply_head.content_length = s->status == 204 ? -1 : (int64_t)t->out.n;
    return record_end(t, how) | NK_FX_HEAD | NK_FX_DATA | NK_FX_END;
}
