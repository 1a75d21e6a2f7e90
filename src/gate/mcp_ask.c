/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_ask.c - the client's request, from its bytes to the decision. What is asked for follows from the body alone;
 * headers only have to say the same. Every method is decided: those of mcp.def by their own action, any
 * other by UseMcpMethod, which no policy permits unless somebody wrote that.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_wait.h"

enum { ENTITIES_MAX = 64 << 10 };

static int bad(struct nk_txn *t, int code, struct nk_str detail)
{
    return gate_mcp_refuse(t, NK_REFUSAL_bad_request, code, "parse", detail);
}

static int fault(struct nk_txn *t, int rc, int code, const struct nk_fault *f)
{
    if (rc == NK_ENOMEM)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR(""));
    return bad(t, code, nk_arena_printf(t->arena, "%s.", f->message));
}

static int read_json(struct nk_txn *t, struct nk_str text)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    int rc =
        gate_read_json(t, text, t->setup->config.limits.body_bytes, t->scratch, &s->call.body, &f);
    if (!rc || rc == NK_ENOMEM)
        return rc ? fault(t, rc, 0, &f) : 0;
    return gate_mcp_refuse(t, rc == NK_ELIMIT ? NK_REFUSAL_too_large : NK_REFUSAL_bad_json,
                           NK_MCP_PARSE_ERROR, "parse",
                           nk_arena_printf(t->arena, "At byte %zu: %s.", f.offset, f.message));
}

/* The revision that the header names: *name is absent without one. Two of them are refused. */
static int version_header(struct nk_txn *t, struct nk_str *name)
{
    const struct nk_http_head *h = t->state->head;
    *name = (struct nk_str){NULL, 0};
    for (size_t i = 0; i < h->header_count; i++) {
        if (!nk_str_is_nocase(h->headers[i].name, "mcp-protocol-version"))
            continue;
        if (name->p)
            return bad(t, NK_MCP_HEADER_MISMATCH, NK_STR("MCP-Protocol-Version is there twice."));
        *name = nk_str_trim(h->headers[i].value);
    }
    return 0;
}

static int no_version(struct nk_txn *t, struct nk_str requested)
{
    struct nk_buf data;
    nk_buf_init(&data, 2048);
    nk_buf_add(&data, NK_STR("\"supported\":"));
    nk_buf_add(&data, nk_str(nk_mcp_supported));
    nk_json_put_member(&data, NK_STR("requested"), nk_str_sub(requested, 0, 64));
    t->state->call.data = nk_arena_copy(t->arena, nk_buf_str(&data));
    nk_buf_free(&data);
    return bad(t, NK_MCP_NO_VERSION, NK_STR("Unsupported protocol version."));
}

/* A message that says by itself what it speaks: 2026-07-28 or later. */
static int check_new(struct nk_txn *t, struct nk_str header)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_fault f = {0};
    const struct nk_json *doc = &m->message.doc;
    m->is_new = true;
    if (m->message.kind == NK_MCP_NOTIFICATION && !m->ask.is_new) {
        m->revision = NK_MCP_2026_07_28;
        return 0;
    }
    if (!m->ask.is_new || nk_json_type(doc, m->ask.capabilities) != NK_JSON_OBJECT)
        return bad(t, NK_MCP_INVALID_PARAMS,
                   NK_STR("params._meta has to say protocolVersion and clientCapabilities."));
    if (header.p && !nk_str_eq(header, m->ask.version))
        return bad(
            t, NK_MCP_HEADER_MISMATCH,
            NK_STR("Header mismatch: MCP-Protocol-Version does not say what the body says."));
    if (m->ask.revision != NK_MCP_2026_07_28)
        return no_version(t, m->ask.version);
    m->revision = m->ask.revision;
    int rc = nk_mcp_headers(t->state->head, &m->message, &m->ask, t->scratch, &f);
    return rc ? fault(t, rc, NK_MCP_HEADER_MISMATCH, &f) : 0;
}

static int check_old(struct nk_txn *t, struct nk_str header)
{
    struct gate_mcp *m = gate_mcp(t);
    if (m->ask.op == NK_MCP_INITIALIZE) {
        m->revision = m->ask.revision;
        return 0;
    }
    m->revision = header.p ? nk_mcp_revision(header) : NK_MCP_2025_03_26;
    return m->revision == NK_MCP_UNKNOWN ? no_version(t, header) : 0;
}

static int check_revision(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_str header;
    int rc = version_header(t, &header);
    if (rc)
        return rc;
    bool names_new = nk_mcp_revision(header) == NK_MCP_2026_07_28;
    if (names_new && m->ask.op == NK_MCP_INITIALIZE)
        return bad(t, NK_MCP_HEADER_MISMATCH,
                   NK_STR("Header mismatch: this revision has no initialize."));
    if (names_new && m->ask.op == NK_MCP_ANSWER)
        return bad(t, NK_MCP_INVALID_REQUEST, NK_STR("This revision has no such message."));
    return m->ask.is_new || (names_new && m->ask.op >= NK_MCP_ANSWER) ? check_new(t, header)
                                                                      : check_old(t, header);
}

static int read_session(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_str id = nk_http_get(t->state->head, NK_STR("mcp-session-id"));
    if (m->is_new || m->ask.op == NK_MCP_INITIALIZE)
        return 0;
    if (!id.p && m->endpoint->config->server_count > 1)
        return bad(t, NK_MCP_FAILED, NK_STR("Mcp-Session-Id is missing."));
    if (!id.p)
        return 0;
    int rc = gate_mcp_open(t, id, &m->session);
    if (rc == NK_ENOTFOUND)
        return gate_mcp_refuse(t, NK_REFUSAL_unknown_session, NK_MCP_NO_SESSION, "parse",
                               NK_STR(""));
    m->shown = id;
    if (rc)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR(""));
    size_t first = 0; /* of those that are there: it is asked what names no server */
    while (first + 1 < m->endpoint->config->server_count && !gate_mcp_is_there(t, first))
        first++;
    gate_mcp_choose(t, first);
    return 0;
}

/* A stream that goes on where another one broke off. */
static int read_last_event(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_str id = nk_http_get(t->state->head, NK_STR("last-event-id"));
    m->answers = m->ask.op;
    if (m->ask.op != NK_MCP_STREAM || !id.n)
        return 0;
    int rc = gate_mcp_resume(t, id, &m->event);
    if (rc == NK_ENOTFOUND)
        return bad(t, NK_MCP_INVALID_REQUEST,
                   NK_STR("Last-Event-ID is not that of an event of this session."));
    return rc ? gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR("")) : 0;
}

/* A server must not take it for one of ours (gate_mcp_id). */
static int check_id(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    uint32_t at = nk_json_get(&m->message.doc, 0, NK_STR("id"));
    if (m->message.kind != NK_MCP_REQUEST || nk_json_type(&m->message.doc, at) != NK_JSON_STRING)
        return 0;
    struct nk_str id = nk_json_string(&m->message.doc, at, t->scratch);
    return id.p && !nk_str_starts(id, gate_mcp_own_id)
               ? 0
               : bad(t, NK_MCP_INVALID_REQUEST,
                     NK_STR("Ids that begin with \"nakoso-\" are the gateway's."));
}

static int read_text(struct nk_txn *t, struct nk_str text)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    int rc = read_json(t, text);
    if (rc)
        return rc;
    rc = nk_mcp_read(&s->call.body, t->arena, &m->message, &f);
    s->call.subject = m->message.id;
    if (rc)
        return fault(t, rc, NK_MCP_INVALID_REQUEST, &f);
    if (m->message.kind == NK_MCP_RESULT || m->message.kind == NK_MCP_ERROR)
        m->ask = (struct nk_mcp_ask){.op = NK_MCP_ANSWER,
                                     .meta = NK_JSON_NONE,
                                     .capabilities = NK_JSON_NONE,
                                     .subject_at = NK_JSON_NONE,
                                     .arguments = NK_JSON_NONE};
    else
        rc = nk_mcp_ask(&m->message, t->arena, &m->ask, &f);
    if (rc)
        return fault(t, rc, NK_MCP_INVALID_PARAMS, &f);
    s->call.endpoint = nk_mcp_endpoint(m->ask.op);
    s->call.method = m->message.method;
    return check_id(t);
}

static int read_message(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_str body = {NULL, 0};
    t->state->body_digest = nk_sha256(nk_buf_str(&t->state->body));
    int rc = read_text(t, nk_buf_str(&t->state->body));
    if (rc || m->ask.op != NK_MCP_CALL_TOOL)
        return rc;
    if (gate_mcp_take_approval(t, &body))
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR(""));
    return body.p ? read_text(t, body) : 0;
}

/* A server that was not there when the session began has no part in it. */
static int choose(struct nk_txn *t, size_t server)
{
    gate_mcp_choose(t, server);
    return gate_mcp_is_there(t, server)
               ? 0
               : gate_mcp_refuse(t, NK_REFUSAL_absent_server, NK_MCP_FAILED, "locate", NK_STR(""));
}

/* Whose resource it is, where there could be two. */
static int split_uri(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    size_t server;
    if (!gate_mcp_split_uri(t, m->ask.subject, &server, &m->name))
        return bad(t, NK_MCP_INVALID_PARAMS,
                   NK_STR("There is no such resource; URIs here are SERVER+URI."));
    return choose(t, server);
}

/* What the client gives back to the server that has named it: its answer to a request, or how far it is. */
static int split_owned(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    const struct nk_json *doc = &m->message.doc;
    struct nk_buf owned;
    size_t server = 0;
    m->owned_at = m->ask.op == NK_MCP_ANSWER
                      ? nk_json_get(doc, 0, NK_STR("id"))
                      : nk_json_get(doc, m->message.params, NK_STR("progressToken"));
    nk_buf_init(&owned, 2 * NK_MCP_ID_MAX);
    bool known = gate_mcp_get_owned(t, doc, m->owned_at, &server, &owned);
    m->owned = nk_arena_copy(t->arena, nk_buf_str(&owned));
    nk_buf_free(&owned);
    return known && m->owned.p
               ? choose(t, server)
               : bad(t, NK_MCP_INVALID_PARAMS, NK_STR("No server here has asked for this."));
}

/* A name that clients use is the server's behind "SERVER___"; whose it is, it says itself. */
static int split_name(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    if (m->ask.op == NK_MCP_STREAM) /* has that of the request which it goes on with */
        return 0;
    m->name = m->ask.subject;
    bool several = m->endpoint->config->server_count > 1;
    if (gate_mcp_is_reply(t)) /* it is for us */
        return 0;
    if (several && (m->ask.op == NK_MCP_ANSWER || m->ask.op == NK_MCP_PROGRESS))
        return split_owned(t);
    if (several && (m->ask.op == NK_MCP_READ_RESOURCE || m->ask.op == NK_MCP_SUBSCRIBE ||
                    m->ask.op == NK_MCP_UNSUBSCRIBE || m->ask.op == NK_MCP_COMPLETE_RESOURCE))
        return split_uri(t);
    bool is_name = m->ask.op == NK_MCP_CALL_TOOL || m->ask.op == NK_MCP_GET_PROMPT ||
                   m->ask.op == NK_MCP_COMPLETE_PROMPT;
    if (!is_name || m->endpoint->config->is_bare)
        return 0;
    ptrdiff_t at = nk_str_search(m->name, NK_STR("___"));
    struct nk_str server = nk_str_sub(m->name, 0, at < 0 ? 0 : (size_t)at);
    for (size_t i = 0; at > 0 && i < m->endpoint->config->server_count; i++) {
        if (!nk_str_eq(m->endpoint->config->servers[i].text, server))
            continue;
        m->name = nk_str_sub(m->name, (size_t)at + 3, m->name.n);
        return m->name.n ? choose(t, i)
                         : bad(t, NK_MCP_INVALID_PARAMS, NK_STR("There is no such name."));
    }
    return bad(t, NK_MCP_INVALID_PARAMS,
               NK_STR("There is no such name; names here are SERVER___NAME."));
}

/* "1:CURSOR" is CURSOR of the second server, "1:" its first page. */
static int split_cursor(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    uint32_t at = nk_json_get(&m->message.doc, m->message.params, NK_STR("cursor"));
    uint64_t server;
    if (!gate_mcp_is_shared_list(t) || at == NK_JSON_NONE)
        return 0;
    struct nk_str rest = nk_json_string(&m->message.doc, at, t->arena);
    if (nk_str_to_u64(nk_str_cut(&rest, ':'), &server) || !rest.p ||
        server >= m->endpoint->config->server_count)
        return bad(t, NK_MCP_INVALID_PARAMS, NK_STR("\"cursor\" is none of this endpoint."));
    gate_mcp_choose(t, (size_t)server);
    m->cursor = rest;
    return 0;
}

/* What the judge is asked about: the endpoint, or one thing of a server. */
static int locate_thing(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct gate_mcp *m = gate_mcp(t);
    s->resource = (struct nk_cedar_uid){nk_mcp_resource_type(m->ask.op), m->endpoint->config->path};
    int rc = split_name(t);
    if (!rc)
        rc = split_cursor(t);
    if (rc || nk_str_eq(s->resource.type, NK_STR("McpEndpoint")))
        return rc;
    s->resource.id = m->name;
    if (nk_str_eq(s->resource.type, NK_STR("McpResource")))
        return 0;
    s->resource.id = nk_arena_printf(t->arena, "%.*s___%.*s", NK_FMT(gate_mcp_upstream(t)->name),
                                     NK_FMT(m->name));
    return s->resource.id.p
               ? 0
               : gate_refuse(t, NK_REFUSAL_out_of_memory, "locate", NK_STR(""), NK_STR(""));
}

static int locate(struct nk_txn *t)
{
    int rc = locate_thing(t);
    return rc ? rc : gate_mcp_check_bridge(t);
}

static struct nk_cedar_entities *with_parent(struct nk_txn *t, struct nk_cedar_uid one)
{
    return gate_store_within(t, one,
                             (struct nk_cedar_uid){NK_STR("Upstream"), gate_mcp_upstream(t)->name});
}

/* The same as JSON, behind the principal's. */
static int tell_parent(struct nk_txn *t, struct nk_cedar_uid one)
{
    struct nk_gate_state *s = t->state;
    struct nk_buf b;
    nk_buf_init(&b, ENTITIES_MAX);
    nk_buf_add(&b, nk_str_sub(s->entities, 0, s->entities.n - 1));
    nk_buf_add(&b, NK_STR(",{\"uid\":{"));
    nk_json_put_member(&b, NK_STR("type"), one.type);
    nk_json_put_member(&b, NK_STR("id"), one.id);
    nk_buf_add(&b, NK_STR("},\"attrs\":{},\"parents\":[{\"type\":\"Upstream\""));
    nk_json_put_member(&b, NK_STR("id"), gate_mcp_upstream(t)->name);
    nk_buf_add(&b, NK_STR("}]}]"));
    struct nk_str text =
        b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->scratch, nk_buf_str(&b));
    nk_buf_free(&b);
    if (!text.p)
        return NK_ENOMEM;
    s->entities = text;
    return 0;
}

int gate_mcp_judge(struct nk_txn *t, enum nk_mcp_op op, struct nk_str id,
                   struct nk_cedar_answer *out)
{
    struct nk_gate_state *s = t->state;
    struct nk_cedar_uid one = {nk_mcp_resource_type(op), id};
    struct nk_fault f = {0};
    int rc = gate_facts(t, &f);
    struct nk_cedar_entities *kept = s->store;
    if (rc)
        return rc;
    s->store = with_parent(t, one);
    rc = s->store ? gate_judge(t, nk_str(nk_mcp_endpoint(op)->action), one, out) : NK_ENOMEM;
    s->store = kept;
    return rc;
}

static int authorize(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    int rc = 0;
    if (nk_str_eq(s->resource.type, NK_STR("McpEndpoint")))
        return gate_authorize(t);
    rc = gate_facts(t, &f);
    if (!rc) {
        s->store = with_parent(t, s->resource);
        rc = s->store ? tell_parent(t, s->resource) : NK_ENOMEM;
    }
    if (rc)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "authorize", NK_STR(""), NK_STR(""));
    return gate_authorize(t);
}

int gate_mcp_ask(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    int rc = m->ask.op == NK_MCP_POST ? read_message(t) : 0;
    if (!rc)
        rc = check_revision(t);
    if (!rc)
        rc = read_session(t);
    if (!rc)
        rc = read_last_event(t);
    if (!rc)
        rc = locate(t);
    return rc || m->ask.op == NK_MCP_CALL_TOOL ? rc : authorize(t); /* tools: mcp_tool.c */
}
