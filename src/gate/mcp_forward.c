/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_forward.c - the call to the server, written anew: the headers that the protocol knows and no other, the server's
 * own session id in place of ours, its own names, and no more of the client's capabilities than the judge lets it
 * use. The rest of the message goes on byte by byte.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_relay.h"
#include "gate/mcp_streams.h"
#include "gate/mcp_tool.h"
#include "gate/tool.h"

enum {
    EDITS_MAX = 7,
    HEADERS_OWN = 11,
    PARAMS_MAX = 32,
    PIECE_MAX = 64 << 10,
    RELAY_MAX = 512 << 10
};

static const struct {
    const char *name, *action;
    unsigned bit;
} capabilities[] = {{"sampling", "Sample", GATE_MCP_SAMPLE},
                    {"elicitation", "Elicit", GATE_MCP_ELICIT},
                    {"roots", "ListRoots", GATE_MCP_ROOTS}};

/* Does the client show a person a form? An object without modes means that one (2025-11-25, client, elicitation). */
static bool fills_forms(const struct nk_json *doc, uint32_t declared)
{
    uint32_t elicits = nk_json_get(doc, declared, NK_STR("elicitation"));
    return elicits != NK_JSON_NONE && (nk_json_first(doc, elicits) == NK_JSON_NONE ||
                                       nk_json_get(doc, elicits, NK_STR("form")) != NK_JSON_NONE);
}

int gate_mcp_grant(struct nk_txn *t, unsigned *can)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_cedar_uid server = {NK_STR("Upstream"), gate_mcp_upstream(t)->name};
    if (m->ask.capabilities == NK_JSON_NONE) /* of a session it is known since it began */
        return 0;
    *can = 0;
    for (size_t i = 0; i < NK_COUNT(capabilities); i++) {
        struct nk_cedar_answer answer;
        uint32_t at =
            nk_json_get(&m->message.doc, m->ask.capabilities, nk_str(capabilities[i].name));
        if (at == NK_JSON_NONE)
            continue;
        int rc = gate_judge(t, nk_str(capabilities[i].action), server, &answer);
        if (rc)
            return rc;
        if (answer.allow)
            *can |= capabilities[i].bit;
    }
    if (fills_forms(&m->message.doc, m->ask.capabilities))
        *can |= GATE_MCP_PERSON;
    return 0;
}

/* The bit of a capability that a server may only use if the judge permits it; 0: any other one. */
static unsigned bit_of(struct nk_str name)
{
    for (size_t i = 0; i < NK_COUNT(capabilities); i++)
        if (nk_str_eq(nk_str(capabilities[i].name), name))
            return capabilities[i].bit;
    return 0;
}

int gate_mcp_put_capabilities(const struct nk_json *doc, uint32_t declared, unsigned can,
                              struct nk_arena *a, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    for (uint32_t i = nk_json_first(doc, declared); i != NK_JSON_NONE;
         i = nk_json_next(doc, declared, i)) {
        struct nk_str name = nk_json_string(doc, i, a);
        if (!name.p)
            return NK_ENOMEM;
        if (bit_of(name) & ~can)
            continue;
        nk_json_put_name(out, name);
        nk_buf_add(out, nk_json_span(doc, i + 1));
    }
    nk_buf_add_char(out, '}');
    return out->error;
}

int gate_mcp_needs(struct nk_str method)
{
    if (nk_str_eq(method, NK_STR("ping")))
        return 0;
    if (nk_str_eq(method, NK_STR("sampling/createMessage")))
        return GATE_MCP_SAMPLE;
    if (nk_str_eq(method, NK_STR("elicitation/create")))
        return GATE_MCP_ELICIT;
    return nk_str_eq(method, NK_STR("roots/list")) ? GATE_MCP_ROOTS : -1;
}

struct edits {
    struct nk_json_edit list[EDITS_MAX];
    size_t n;
};

static int edit(struct nk_txn *t, struct edits *e, uint32_t at, struct nk_buf *with)
{
    const struct nk_json_value *v = &gate_mcp(t)->message.doc.tape[at];
    struct nk_str text =
        with->error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->scratch, nk_buf_str(with));
    nk_buf_free(with);
    if (!text.p)
        return NK_ENOMEM;
    size_t i = e->n++;
    for (; i > 0 && e->list[i - 1].start > v->start; i--)
        e->list[i] = e->list[i - 1];
    e->list[i] = (struct nk_json_edit){v->start, v->end, text};
    return 0;
}

static int edit_string(struct nk_txn *t, struct edits *e, uint32_t at, struct nk_str text)
{
    struct nk_buf b;
    nk_buf_init(&b, PIECE_MAX);
    nk_json_put_string(&b, text);
    return edit(t, e, at, &b);
}

static int edit_capabilities(struct nk_txn *t, struct edits *e)
{
    struct gate_mcp *m = gate_mcp(t);
    if (m->ask.capabilities == NK_JSON_NONE)
        return 0;
    struct nk_buf b;
    int rc = gate_mcp_grant(t, &m->session.can);
    if (rc)
        return rc;
    nk_buf_init(&b, PIECE_MAX);
    rc = gate_mcp_put_capabilities(&m->message.doc, m->ask.capabilities, m->session.can, t->scratch,
                                   &b);
    if (rc)
        nk_buf_free(&b);
    return rc ? rc : edit(t, e, m->ask.capabilities, &b);
}

/* A client that asks for a revision that is not known here is offered the newest that is. */
static int edit_version(struct nk_txn *t, struct edits *e)
{
    const struct gate_mcp *m = gate_mcp(t);
    uint32_t at = nk_json_get(&m->message.doc, m->message.params, NK_STR("protocolVersion"));
    return m->ask.revision == NK_MCP_UNKNOWN || m->ask.revision == NK_MCP_2026_07_28
               ? edit_string(t, e, at, nk_mcp_revision_name(NK_MCP_2025_11_25))
               : 0;
}

/* Takes a member out, with one of the commas beside it. */
static void edit_away(struct nk_txn *t, struct edits *e, uint32_t object, struct nk_str name)
{
    const struct nk_json *doc = &gate_mcp(t)->message.doc;
    uint32_t last = NK_JSON_NONE, i = nk_json_first(doc, object);
    while (!nk_json_is(doc, i, name)) {
        last = i;
        i = nk_json_next(doc, object, i);
    }
    uint32_t next = nk_json_next(doc, object, i);
    struct nk_json_edit one = {doc->tape[i].start, doc->tape[i + 1].end, {"", 0}};
    if (next != NK_JSON_NONE)
        one.end = doc->tape[next].start;
    else if (last != NK_JSON_NONE)
        one.start = doc->tape[last + 1].end;
    size_t k = e->n++;
    for (; k > 0 && e->list[k - 1].start > one.start; k--)
        e->list[k] = e->list[k - 1];
    e->list[k] = one;
}

static int edit_cursor(struct nk_txn *t, struct edits *e)
{
    const struct gate_mcp *m = gate_mcp(t);
    uint32_t at = nk_json_get(&m->message.doc, m->message.params, NK_STR("cursor"));
    if (!m->cursor.p)
        return 0;
    if (m->cursor.n)
        return edit_string(t, e, at, m->cursor);
    edit_away(t, e, m->message.params, NK_STR("cursor"));
    return 0;
}

/* The server's own name for what it had asked. */
static int edit_owned(struct nk_txn *t, struct edits *e)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_buf b;
    if (!m->owned.p)
        return 0;
    nk_buf_init(&b, PIECE_MAX);
    nk_buf_add(&b, m->owned);
    return edit(t, e, m->owned_at, &b);
}

/* Of the resources that a client wants to hear of, those of the server. */
static int edit_subscriptions(struct nk_txn *t, struct edits *e)
{
    const struct gate_mcp *m = gate_mcp(t);
    uint32_t at = m->streams ? gate_mcp_subscriptions(&m->message) : NK_JSON_NONE;
    struct nk_buf b;
    if (at == NK_JSON_NONE)
        return 0;
    nk_buf_init(&b, 6 * m->message.doc.text.n);
    int rc = gate_mcp_put_subscriptions(t, &b);
    if (rc)
        nk_buf_free(&b);
    return rc ? rc : edit(t, e, at, &b);
}

/* What a server wanted to know comes with its call, as the first members of params. */
static int edit_answers(struct nk_txn *t, struct edits *e)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_buf b;
    if (!m->relay)
        return 0;
    nk_buf_init(&b, RELAY_MAX);
    gate_mcp_put_answers(t, &b);
    struct nk_str text =
        b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->scratch, nk_buf_str(&b));
    nk_buf_free(&b);
    uint32_t at = m->message.doc.tape[m->message.params].start + 1;
    for (size_t i = e->n++; i > 0; i--)
        e->list[i] = e->list[i - 1];
    e->list[0] = (struct nk_json_edit){at, at, text};
    return text.p ? 0 : NK_ENOMEM;
}

/* A client may use an id twice at once, and in one session a server knows a request by nothing else: the answer to the one could
 * come as the answer to the other, past what was decided about it. So wherever less than the whole answer goes on,
 * and in a session of several clients, the id is ours. */
static bool has_own_id(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    enum nk_mcp_op op = m->ask.op;
    if (m->message.kind != NK_MCP_REQUEST || gate_mcp_speaks_new(t))
        return false;
    return m->is_new || op == NK_MCP_LIST_TOOLS || op == NK_MCP_LIST_PROMPTS ||
           op == NK_MCP_LIST_RESOURCES || op == NK_MCP_LIST_TEMPLATES ||
           (op == NK_MCP_CALL_TOOL && m->tool && m->tool->filters);
}

struct nk_str gate_mcp_id(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    bool is_own = m->own_id.n && (m->ask.op == NK_MCP_STREAM || has_own_id(t));
    return is_own ? m->own_id : m->message.id;
}

int gate_mcp_name_id(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    if (!m->own_id.n) /* else it goes on with what an earlier request began */
        m->own_id = nk_arena_printf(t->arena, "\"%.*s%.*s\"", NK_FMT(gate_mcp_own_id),
                                    NK_FMT(t->state->id));
    return m->own_id.p ? 0 : NK_ENOMEM;
}

static int edit_id(struct nk_txn *t, struct edits *e)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_buf b;
    if (!has_own_id(t))
        return 0;
    if (gate_mcp_name_id(t))
        return NK_ENOMEM;
    nk_buf_init(&b, PIECE_MAX);
    nk_buf_add(&b, m->own_id);
    return edit(t, e, nk_json_get(&m->message.doc, 0, NK_STR("id")), &b);
}

static int write_body(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct edits e = {.n = 0};
    struct nk_buf whole;
    int rc = 0;
    m->body = m->message.doc.text;
    if (!nk_str_eq(m->name, m->ask.subject))
        rc = edit_string(t, &e, m->ask.subject_at, m->name);
    if (!rc && m->ask.op == NK_MCP_INITIALIZE)
        rc = edit_version(t, &e);
    if (!rc)
        rc = edit_cursor(t, &e);
    if (!rc)
        rc = edit_owned(t, &e);
    if (!rc)
        rc = edit_capabilities(t, &e);
    if (!rc)
        rc = edit_subscriptions(t, &e);
    if (!rc)
        rc = edit_answers(t, &e);
    if (!rc)
        rc = edit_id(t, &e);
    if (rc || !e.n)
        return rc;
    nk_buf_init(&whole, m->body.n + EDITS_MAX * PIECE_MAX + RELAY_MAX);
    rc = nk_json_splice(m->body, e.list, e.n, &whole);
    if (!rc)
        m->body = nk_arena_copy(t->arena, nk_buf_str(&whole));
    nk_buf_free(&whole);
    return rc ? rc : m->body.p ? 0 : NK_ENOMEM;
}

int gate_mcp_write(struct nk_txn *t)
{
    int rc = write_body(t);
    return rc || !gate_mcp_is_bridged(t, gate_mcp(t)->server) ? rc : gate_mcp_bridge_body(t);
}

/* Headers of 2026-07-28, from the body as the server gets it. */
static int repeat_body(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    gate_call_header(t, "mcp-protocol-version", gate_mcp_version(t));
    gate_call_header(t, "mcp-method",
                     m->ask.op == NK_MCP_INITIALIZE ? NK_STR("server/discover")
                                                    : m->message.method);
    if (!nk_mcp_has_header(m->ask.op))
        return 0;
    struct nk_str name = nk_mcp_header_encode(m->name, t->arena);
    gate_call_header(t, "mcp-name", name);
    return name.p ? 0 : NK_ENOMEM;
}

/* Servers behind one endpoint may speak different revisions; a server alone and its client have agreed on one. */
struct nk_str gate_mcp_version(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    const struct gate_mcp_part *parts = m->session.parts;
    if (gate_mcp_speaks_new(t))
        return nk_mcp_revision_name(NK_MCP_2026_07_28);
    if (m->is_new) /* of a session that we have begun for it */
        return m->bridge && m->bridge->revision ? nk_mcp_revision_name(m->bridge->revision)
                                                : (struct nk_str){NULL, 0};
    if (parts && parts[m->server].revision && m->endpoint->config->server_count > 1)
        return nk_mcp_revision_name(parts[m->server].revision);
    return nk_http_get(t->state->head, NK_STR("mcp-protocol-version"));
}

static int copy_params(struct nk_txn *t)
{
    static const struct nk_str prefix = {"mcp-param-", 10};
    const struct nk_http_head *from = t->state->head;
    struct nk_http_head *to = &t->call.head;
    for (size_t i = 0; i < from->header_count; i++)
        if (nk_str_eq_nocase(nk_str_sub(from->headers[i].name, 0, prefix.n), prefix))
            to->headers[to->header_count++] = from->headers[i];
    return 0;
}

/* The full name of the tool that is called; absent: it is another request. */
static struct nk_str tool_of(const struct nk_gate_state *s)
{
    return nk_str_eq(s->resource.type, NK_STR("Tool")) ? s->resource.id : (struct nk_str){NULL, 0};
}

/* A client with sessions does not know these headers: they are made of the arguments. */
static int add_params(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    const struct nk_tool *tool = nk_tools_find(t->setup->tools, tool_of(t->state));
    struct nk_json arguments;
    struct nk_fault f = {0};
    if (m->ask.op != NK_MCP_CALL_TOOL || !tool || !tool->input || m->ask.arguments == NK_JSON_NONE)
        return 0;
    struct nk_str text = nk_json_span(&m->message.doc, m->ask.arguments);
    int rc = gate_read_json(t, text, (int64_t)text.n, t->arena, &arguments, &f);
    return rc ? rc
              : nk_mcp_add_param_headers(nk_schema_document(tool->input), &arguments, t->arena,
                                         t->call.head.header_count + PARAMS_MAX, &t->call.head);
}

static int write_headers(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_str accept = nk_http_get(t->state->head, NK_STR("accept")), trace = {NULL, 0};
    struct nk_str version = gate_mcp_version(t);
    if (!accept.p)
        accept =
            m->body.p ? NK_STR("application/json, text/event-stream") : NK_STR("text/event-stream");
    gate_call_header(t, "accept", accept);
    gate_call_header(t, "accept-encoding", NK_STR("identity"));
    if (m->body.p)
        gate_call_header(t, "content-type", NK_STR("application/json"));
    if (t->state->env.is_traced)
        trace = gate_trace_header(t);
    if (trace.p)
        gate_call_header(t, "traceparent", trace);
    if (gate_mcp_speaks_new(t)) {
        int rc = m->is_new ? copy_params(t) : add_params(t);
        return rc ? rc : repeat_body(t);
    }
    if (version.p)
        gate_call_header(t, "mcp-protocol-version", version);
    if (m->event.p)
        gate_call_header(t, "last-event-id", m->event);
    if (m->session.id.p)
        gate_call_header(t, "mcp-session-id", m->session.id);
    return 0;
}

static const char *method_of(enum nk_mcp_op op)
{
    return op == NK_MCP_STREAM ? "GET" : op == NK_MCP_END ? "DELETE" : "POST";
}

static int write_call(struct nk_txn *t, bool is_new)
{
    const struct gate_mcp *m = gate_mcp(t);
    size_t room = HEADERS_OWN + PARAMS_MAX + t->state->head->header_count;
    size_t upstream = m->endpoint->upstreams[m->server];
    struct nk_str path = nk_config_mcp_path(gate_mcp_upstream(t));
    const char *method = method_of(m->ask.op);
    int rc = is_new ? gate_call_new(t, upstream, method, path, room)
                    : gate_call_again(t, upstream, method, path, room);
    t->call.about.method = nk_mcp_method_name(m->ask.op);
    if (m->ask.op == NK_MCP_CALL_TOOL)
        gate_call_is_of_tool(t, tool_of(t->state));
    if (!rc)
        rc = write_headers(t);
    if (!rc)
        rc = gate_call_identity(t, (struct nk_str){NULL, 0}, tool_of(t->state));
    if (!rc)
        gate_call_body(t, m->body);
    return rc;
}

int gate_mcp_forward(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    int rc = m->message.doc.n && !m->round && !m->streams ? gate_mcp_write(t) : 0;
    if (!rc)
        rc = write_call(t, true);
    return rc ? gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR("")) : 0;
}

int gate_mcp_forward_again(struct nk_txn *t)
{
    return write_call(t, false);
}
