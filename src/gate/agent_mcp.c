/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_mcp.c - a tool of an agent that an MCP server has: one decision and one outcome, and between them as many exchanges
 * as the server's revision of the protocol needs.
 *
 *   2026-07-28  (server/discover, until it is known what the server speaks) tools/list, tools/call
 *   before      initialize, notifications/initialized, tools/list, tools/call, DELETE of the session
 *
 * The list says whether the tool is still what was approved (mcp_pin.h); otherwise it is not called.
 * Which of both it is, a question tells that runs no tool, so that none is ever called twice. A session lives for
 * one call: nothing that a server remembers by it can reach another principal. The server is told that this client
 * can do nothing, so it may ask for nothing.
 */
#include "gate/agent.h"

#include "gate/mcp_pin.h"

enum { HEADERS_OWN = 9, PARAMS_MAX = 32, SESSION_MAX = 1024, REQUEST_ID = 1 };

static struct gate_agent_mcp *of(struct nk_txn *t)
{
    return &((struct gate_drive_agent *)t->state->drive)->mcp;
}

static struct nk_str arguments_of(const struct gate_agent_mcp *m)
{
    return m->use->arguments.n ? m->use->arguments : NK_STR("{}");
}

/* Saying ---------------------------------------------------------------------------------------- */

static struct nk_str method_of(const struct gate_agent_mcp *m)
{
    switch (m->step) {
    case GATE_AGENT_MCP_DISCOVER:
        return NK_STR("server/discover");
    case GATE_AGENT_MCP_INITIALIZE:
        return NK_STR("initialize");
    case GATE_AGENT_MCP_INITIALIZED:
        return NK_STR("notifications/initialized");
    default:
        return NK_STR("tools/call");
    }
}

static void put_params(const struct gate_agent_mcp *m, struct nk_buf *out)
{
    bool stateless = m->revision == NK_MCP_2026_07_28;
    if (m->step == GATE_AGENT_MCP_INITIALIZE)
        nk_buf_add(out, nk_str(nk_mcp_own_initialize));
    if (m->step == GATE_AGENT_MCP_CALL) {
        nk_json_put_member(out, NK_STR("name"), m->tool->way.function);
        nk_json_put_name(out, NK_STR("arguments"));
        nk_buf_add(out, arguments_of(m));
    }
    if (stateless && m->step == GATE_AGENT_MCP_CALL)
        nk_buf_add_char(out, ',');
    if (stateless)
        nk_buf_add(out, nk_str(nk_mcp_own_meta));
}

static void put_message(const struct gate_agent_mcp *m, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("jsonrpc"), NK_STR("2.0"));
    if (m->step != GATE_AGENT_MCP_INITIALIZED)
        nk_buf_printf(out, ",\"id\":%d", REQUEST_ID);
    nk_json_put_member(out, NK_STR("method"), method_of(m));
    nk_buf_add(out, NK_STR(",\"params\":{"));
    put_params(m, out);
    nk_buf_add(out, NK_STR("}}"));
}

/* What 2026-07-28 wants repeated in the head. */
static int repeat_body(struct nk_txn *t)
{
    struct gate_agent_mcp *m = of(t);
    struct gate_drive_agent *d = t->state->drive;
    struct nk_json arguments;
    struct nk_fault f = {0};
    gate_call_header(t, "mcp-method", method_of(m));
    if (m->step != GATE_AGENT_MCP_CALL)
        return 0;
    struct nk_str name = nk_mcp_header_encode(m->tool->way.function, t->arena);
    gate_call_header(t, "mcp-name", name);
    if (!name.p)
        return NK_ENOMEM;
    if (!m->tool->tool->input)
        return 0;
    int rc = gate_read_json(t, arguments_of(m), t->setup->config.limits.reply_bytes, &d->step,
                            &arguments, &f);
    return rc ? rc
              : nk_mcp_add_param_headers(nk_schema_document(m->tool->tool->input), &arguments,
                                         t->arena, HEADERS_OWN + PARAMS_MAX, &t->call.head);
}

static int write_headers(struct nk_txn *t)
{
    struct gate_agent_mcp *m = of(t);
    struct gate_drive_agent *d = t->state->drive;
    int rc = gate_call_identity(t, d->who.name, m->use->name);
    gate_call_header(t, "accept", NK_STR("application/json, text/event-stream"));
    gate_call_header(t, "accept-encoding", NK_STR("identity"));
    if (d->body.n)
        gate_call_header(t, "content-type", NK_STR("application/json"));
    if (m->step != GATE_AGENT_MCP_INITIALIZE)
        gate_call_header(t, "mcp-protocol-version", nk_mcp_revision_name(m->revision));
    if (m->session.p)
        gate_call_header(t, "mcp-session-id", m->session);
    if (!rc && m->revision == NK_MCP_2026_07_28)
        rc = repeat_body(t);
    return rc;
}

/* The call goes out, or it does not: then that is its result. */
static unsigned pinned(struct nk_txn *t, enum gate_pin_end how, struct nk_str why)
{
    if (how == GATE_PIN_SAME)
        return NK_FX_CALL;
    if (how == GATE_PIN_NO_MEMORY) {
        t->out.error = NK_ENOMEM;
        return 0;
    }
    if (how != GATE_PIN_CHANGED) /* it may speak another revision now */
        *of(t)->tool->speaks = NK_MCP_UNKNOWN;
    return gate_agent_keep_back(
        t, how == GATE_PIN_CHANGED ? NK_REFUSAL_changed_tool : NK_REFUSAL_unverified_tool, why);
}

/* Is the tool still what was approved? From here on the driver may be another one, until `pinned`. */
static unsigned check_pin(struct nk_txn *t)
{
    const struct gate_agent_mcp *m = of(t);
    const struct gate_drive_agent *d = t->state->drive;
    const struct gate_pin pin = {.tool = m->tool->tool,
                                 .session = m->session,
                                 .version = nk_mcp_revision_name(m->revision),
                                 .is_new = m->revision == NK_MCP_2026_07_28,
                                 .ttl = d->agent->config->tools_ttl,
                                 .done = pinned};
    return gate_pin_check(t, &pin);
}

/* Begins the exchange that is next. Where that is the call itself, the driver may be another one behind it. */
static unsigned say(struct nk_txn *t, enum gate_agent_mcp_step step)
{
    struct gate_agent_mcp *m = of(t);
    struct gate_drive_agent *d = t->state->drive;
    bool leaves = step == GATE_AGENT_MCP_LEAVE;
    m->step = step;
    m->streams = false;
    nk_buf_clear(&d->body);
    if (!leaves)
        put_message(m, &d->body);
    int rc = gate_call_again(t, m->tool->upstream, leaves ? "DELETE" : "POST",
                             nk_config_mcp_path(&t->setup->config.upstreams[m->tool->upstream]),
                             HEADERS_OWN + PARAMS_MAX);
    if (!leaves)
        t->call.about.method = method_of(m);
    if (step == GATE_AGENT_MCP_CALL)
        gate_call_is_of_tool(t, m->tool->full);
    if (!rc)
        rc = write_headers(t);
    if (rc || d->body.error) /* a server is not called without the identity that it should get */
        t->out.error = NK_ENOMEM;
    gate_call_body(t, nk_buf_str(&d->body));
    d->doing = leaves ? GATE_AGENT_LEAVE : GATE_AGENT_TOOL;
    return step == GATE_AGENT_MCP_CALL && !t->out.error ? check_pin(t) : NK_FX_CALL;
}

unsigned gate_agent_mcp_begin(struct nk_txn *t, const struct gate_agent_tool *tool,
                              const struct nk_agent_use *use)
{
    struct gate_agent_mcp *m = of(t);
    *m = (struct gate_agent_mcp){.tool = tool, .use = use, .revision = *tool->speaks};
    if (m->revision == NK_MCP_UNKNOWN) {
        m->revision = NK_MCP_2026_07_28;
        return say(t, GATE_AGENT_MCP_DISCOVER);
    }
    return say(t,
               m->revision == NK_MCP_2026_07_28 ? GATE_AGENT_MCP_CALL : GATE_AGENT_MCP_INITIALIZE);
}

unsigned gate_agent_mcp_leave(struct nk_txn *t)
{
    return of(t)->session.p ? say(t, GATE_AGENT_MCP_LEAVE) : 0;
}

/* Hearing --------------------------------------------------------------------------------------- */

void gate_agent_mcp_head(struct nk_txn *t, const struct nk_http_head *h)
{
    struct gate_agent_mcp *m = of(t);
    struct gate_drive_agent *d = t->state->drive;
    struct nk_str id = nk_http_get(h, NK_STR("mcp-session-id"));
    m->streams = gate_answer_is_type(h, NK_STR("text/event-stream"));
    if (m->step != GATE_AGENT_MCP_INITIALIZE || !id.n || id.n > SESSION_MAX)
        return;
    m->session = nk_arena_copy(&d->step, id);
    if (!m->session.p)
        t->out.error = NK_ENOMEM;
}

/* One message of the server: 0 when it is the answer, NK_EAGAIN when it is another one that it may send. */
static int read_message(struct nk_txn *t, struct nk_str text, struct nk_mcp_message *out,
                        struct nk_fault *f)
{
    struct gate_drive_agent *d = t->state->drive;
    struct nk_json doc;
    int64_t id = 0;
    struct nk_str own = nk_arena_copy(&d->step, text);
    if (!own.p)
        return NK_ENOMEM;
    int rc = gate_read_json(t, own, t->setup->config.limits.reply_bytes, &d->step, &doc, f);
    if (!rc)
        rc = nk_mcp_read(&doc, &d->step, out, f);
    if (rc)
        return rc;
    if (out->kind == NK_MCP_NOTIFICATION ||
        (out->kind == NK_MCP_REQUEST && nk_str_eq(out->method, NK_STR("ping"))))
        return NK_EAGAIN;
    if (out->kind == NK_MCP_REQUEST)
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "the server asks for what it may not ask for");
    uint32_t at = nk_json_get(&out->doc, 0, NK_STR("id"));
    bool fits = out->id.p ? !nk_json_i64(&out->doc, at, &id) && id == REQUEST_ID
                          : out->kind == NK_MCP_ERROR;
    return fits ? 0 : nk_fault_set(f, NK_EINVAL, "mcp", 0, "an answer to another request");
}

/* The answer among the events of a stream; what stands behind it is nobody's. */
static int read_stream(struct nk_txn *t, struct nk_mcp_message *out, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_str rest = nk_buf_str(&s->reply);
    struct nk_sse_event e;
    int rc = NK_EAGAIN;
    while (rc == NK_EAGAIN) {
        struct nk_str piece = nk_str_sub(rest, 0, NK_SSE_FEED_MAX);
        bool last = piece.n == rest.n;
        rest = nk_str_sub(rest, piece.n, rest.n);
        rc = piece.n ? nk_sse_feed(&s->sse, piece, f) : 0;
        if (!rc && last)
            nk_sse_end(&s->sse);
        if (!rc)
            rc = NK_EAGAIN;
        while (rc == NK_EAGAIN && (rc = nk_sse_next(&s->sse, &e, f)) == 0)
            rc = e.data.n ? read_message(t, e.data, out, f) : NK_EAGAIN;
        if (rc == NK_EAGAIN && last)
            return nk_fault_set(f, NK_EINVAL, "mcp", 0, "the stream ended without an answer");
    }
    return rc;
}

/* The message that answers what was said. NK_EINVAL: there is none. */
static int read_answer(struct nk_txn *t, struct nk_mcp_message *out, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    if (s->reply.error)
        return nk_fault_set(f, NK_ELIMIT, "mcp", 0, "the server's answer is too large");
    if (of(t)->streams)
        return read_stream(t, out, f);
    int rc = read_message(t, nk_buf_str(&s->reply), out, f);
    return rc == NK_EAGAIN ? nk_fault_set(f, NK_EINVAL, "mcp", 0, "no answer") : rc;
}

/* A refusal that says no more than that the server does not know this way of asking. */
static bool is_older(const struct nk_txn *t, int rc, const struct nk_mcp_message *m)
{
    int status = t->state->upstream_status;
    if (status == 401 || status == 403 || status == 407 || status == 408 || status == 429)
        return false;
    return (status >= 400 && status < 500) || (!rc && m->kind == NK_MCP_ERROR);
}

static bool speaks_newest(const struct nk_mcp_message *m)
{
    uint32_t list = nk_json_get(&m->doc, m->result, NK_STR("supportedVersions"));
    for (uint32_t i = nk_json_first(&m->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(&m->doc, list, i))
        if (nk_json_is(&m->doc, i, nk_mcp_revision_name(NK_MCP_2026_07_28)))
            return true;
    return false;
}

static bool hear_discover(struct nk_txn *t, unsigned *fx)
{
    struct gate_agent_mcp *m = of(t);
    struct nk_mcp_message answer;
    struct nk_fault f = {0};
    int rc = read_answer(t, &answer, &f);
    bool good = !rc && t->state->upstream_status == 200 && answer.kind == NK_MCP_RESULT;
    if (!good && !is_older(t, rc, &answer))
        return false;
    bool newest = good && speaks_newest(&answer);
    m->revision = newest ? NK_MCP_2026_07_28 : NK_MCP_2025_11_25;
    *m->tool->speaks = m->revision;
    *fx = say(t, newest ? GATE_AGENT_MCP_CALL : GATE_AGENT_MCP_INITIALIZE);
    return true;
}

static bool hear_initialize(struct nk_txn *t, unsigned *fx)
{
    struct gate_agent_mcp *m = of(t);
    struct gate_drive_agent *d = t->state->drive;
    struct nk_mcp_message answer;
    struct nk_fault f = {0};
    int rc = read_answer(t, &answer, &f);
    if (rc || t->state->upstream_status != 200 || answer.kind != NK_MCP_RESULT)
        return false;
    uint32_t at = nk_json_get(&answer.doc, answer.result, NK_STR("protocolVersion"));
    m->revision = nk_mcp_revision(nk_json_string(&answer.doc, at, &d->step));
    if (m->revision == NK_MCP_UNKNOWN || m->revision == NK_MCP_2026_07_28)
        return false;
    *fx = say(t, GATE_AGENT_MCP_INITIALIZED);
    return true;
}

bool gate_agent_mcp_goes_on(struct nk_txn *t, unsigned *fx)
{
    struct gate_agent_mcp *m = of(t);
    bool on = false;
    if (m->step == GATE_AGENT_MCP_CALL)
        return false;
    if (m->step == GATE_AGENT_MCP_DISCOVER)
        on = hear_discover(t, fx);
    else if (m->step == GATE_AGENT_MCP_INITIALIZE)
        on = hear_initialize(t, fx);
    else if (t->state->upstream_status >= 200 && t->state->upstream_status < 300) {
        *fx = say(t, GATE_AGENT_MCP_CALL);
        on = true;
    }
    return on;
}

/* Results --------------------------------------------------------------------------------------- */

static void put_line(struct nk_str text, struct nk_buf *out)
{
    if (out->n)
        nk_buf_add_char(out, '\n');
    nk_buf_add(out, text);
}

/* What of a part of the content a model can read as text. */
static int put_part(const struct nk_json *doc, uint32_t part, struct nk_arena *a,
                    struct nk_buf *out)
{
    uint32_t type = nk_json_get(doc, part, NK_STR("type"));
    uint32_t resource = nk_json_get(doc, part, NK_STR("resource"));
    uint32_t text = nk_json_get(doc, resource == NK_JSON_NONE ? part : resource, NK_STR("text"));
    struct nk_str said =
        text != NK_JSON_NONE
            ? nk_json_string(doc, text, a)
            : nk_arena_printf(a, "[%.*s, left out]", NK_FMT(nk_json_string(doc, type, a)));
    if (!said.p)
        return NK_EINVAL;
    put_line(said, out);
    return 0;
}

/* A result as text: what its content says, or else its structured content. */
static int put_text(const struct nk_json *doc, struct nk_arena *a, struct nk_buf *out)
{
    uint32_t content = nk_json_get(doc, 0, NK_STR("content"));
    uint32_t structured = nk_json_get(doc, 0, NK_STR("structuredContent"));
    int rc = 0;
    for (uint32_t i = nk_json_first(doc, content); i != NK_JSON_NONE && !rc;
         i = nk_json_next(doc, content, i))
        rc = put_part(doc, i, a, out);
    if (!rc && !out->n && structured != NK_JSON_NONE)
        nk_buf_add(out, nk_json_span(doc, structured));
    return rc ? rc : out->error;
}

/* The server's own words for a call that it did not take: nothing is hidden in them where nothing may be. */
static int read_error(struct nk_txn *t, const struct nk_field_ask *ask,
                      const struct nk_mcp_message *m, struct nk_buf *out)
{
    struct gate_drive_agent *d = t->state->drive;
    uint32_t at = nk_json_get(&m->doc, m->error, NK_STR("message"));
    struct nk_str said = nk_json_string(&m->doc, at, &d->step);
    nk_buf_add(out,
               nk_field_applies(ask) || !said.n ? NK_STR("The server refused the call.") : said);
    return out->error;
}

int gate_agent_mcp_read(struct nk_txn *t, const struct nk_field_ask *ask, struct nk_buf *out,
                        struct nk_field_report *report, bool *failed, struct nk_fault *f)
{
    struct gate_agent_mcp *m = of(t);
    struct gate_drive_agent *d = t->state->drive;
    struct nk_mcp_message answer;
    struct nk_json left;
    struct nk_buf kept;
    int rc = m->step == GATE_AGENT_MCP_CALL
                 ? read_answer(t, &answer, f)
                 : nk_fault_set(f, NK_EINVAL, "mcp", 0, "the server cannot be talked to");
    if (!rc && answer.kind == NK_MCP_RESULT && t->state->upstream_status != 200)
        rc = nk_fault_set(f, NK_EINVAL, "mcp", 0, "a result with another status than 200");
    if (rc || t->state->upstream_status != 200) /* it may speak another revision now */
        *m->tool->speaks = NK_MCP_UNKNOWN;
    *failed = rc || answer.kind == NK_MCP_ERROR;
    if (*failed)
        return rc ? rc : read_error(t, ask, &answer, out);
    uint32_t type = nk_json_get(&answer.doc, answer.result, NK_STR("resultType"));
    if (type != NK_JSON_NONE && !nk_json_is(&answer.doc, type, NK_STR("complete")))
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "the server asks for what it may not ask for");
    *failed = nk_mcp_has_failed(&answer);
    nk_buf_init(&kept, (size_t)t->setup->config.limits.reply_bytes);
    rc = nk_field_filter(ask, NK_FIELD_MCP, &answer.doc, answer.result, &d->step, &kept, report, f);
    if (!rc)
        rc = gate_read_json(t, nk_buf_str(&kept), t->setup->config.limits.reply_bytes, &d->step,
                            &left, f);
    if (!rc)
        rc = put_text(&left, &d->step, out);
    nk_buf_free(&kept);
    return rc;
}
