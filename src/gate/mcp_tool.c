/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_tool.c - see mcp_tool.h: calls and their results. What a tool is, says the file of approved definitions; what a server
 * says meanwhile has to be the same by its digest, or the tool is not called.
 */
#include "gate/mcp_tool.h"
#include "gate/mcp_bridge.h"
#include "gate/mcp_pin.h"
#include "gate/mcp_wait.h"

/* Calls ------------------------------------------------------------------------------------------
 */
unsigned gate_mcp_refuse_tool(struct nk_txn *t, int code, struct nk_tool_verdict *v)
{
    gate_mcp_refuse(
        t, code == NK_MCP_INVALID_PARAMS ? NK_REFUSAL_bad_arguments : NK_REFUSAL_policy_denied,
        code, "authorize", nk_arena_copy(t->arena, v->why));
    unsigned fx = gate_mcp_answer_refusal(t);
    return fx | gate_record_tool(t, v, gate_mcp(t)->message.id);
}

static int check_params(struct nk_txn *t, const struct nk_tool *tool)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_fault f = {0};
    if (!m->is_new || !tool || !tool->input)
        return 0;
    int rc = nk_mcp_param_headers(t->state->head, nk_schema_document(tool->input), &m->message.doc,
                                  m->ask.arguments, t->scratch, &f);
    return rc ? gate_mcp_refuse(t, NK_REFUSAL_bad_request, NK_MCP_HEADER_MISMATCH, "parse",
                                nk_arena_copy(t->arena, nk_str(f.message)))
              : 0;
}

static struct nk_field_ask fields_of(const struct nk_txn *t, const struct nk_tool *tool,
                                     const struct nk_tool_verdict *v)
{
    return (struct nk_field_ask){.rules = tool ? tool->rules : NULL,
                                 .denied = v->denied,
                                 .pointers = v->redact,
                                 .pointer_count = v->redact_count,
                                 .japanese = t->state->japanese};
}

/* The call goes out, or it does not: then that is its outcome. */
static unsigned pinned(struct nk_txn *t, enum gate_pin_end how, struct nk_str why)
{
    static const struct {
        enum nk_refusal_id id;
        int code;
    } refusals[] = {[GATE_PIN_CHANGED] = {NK_REFUSAL_changed_tool, NK_MCP_REFUSED},
                    [GATE_PIN_UNKNOWN] = {NK_REFUSAL_unverified_tool, NK_MCP_REFUSED},
                    [GATE_PIN_NO_SESSION] = {NK_REFUSAL_unknown_session, NK_MCP_NO_SESSION},
                    [GATE_PIN_NO_MEMORY] = {NK_REFUSAL_out_of_memory, NK_MCP_FAILED}};
    if (how == GATE_PIN_SAME)
        return NK_FX_CALL;
    if (how == GATE_PIN_NO_SESSION && gate_mcp_may_renew(t))
        return gate_mcp_renew(t);
    t->state->call.code_number = refusals[how].code;
    gate_refuse(t, refusals[how].id, "forward", NK_STR(""), why);
    unsigned fx = gate_mcp_answer_refusal(t);
    return fx | gate_mcp_end_tool(t, gate_refusal_name(refusals[how].id));
}

/* Is the tool still what was approved? What nobody approved (mcp.unapproved: decide) is compared with nothing. */
static unsigned check_pin(struct nk_txn *t, const char *why)
{
    const struct gate_mcp *m = gate_mcp(t);
    const struct nk_tool *tool = m->tool->ask.tool;
    if (why)
        return gate_mcp_crossed_over(t, why);
    if (!tool || !tool->definition.p)
        return NK_FX_CALL;
    const struct gate_pin pin = {.tool = tool,
                                 .session = m->session.id,
                                 .version = gate_mcp_version(t),
                                 .is_new = gate_mcp_speaks_new(t),
                                 .ttl = m->endpoint->config->tools_ttl,
                                 .done = pinned};
    return gate_pin_check(t, &pin);
}

/* What was decided has its record in verdicts alone, which this is not. */
static unsigned no_memory(struct nk_txn *t)
{
    t->state->judged = false;
    gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR(""));
    return gate_mcp_refused(t);
}

static unsigned begin(struct nk_txn *t, const struct nk_tool_ask *ask, struct nk_tool_verdict *v)
{
    struct gate_mcp *m = gate_mcp(t);
    m->tool = nk_arena_alloc(t->arena, sizeof *m->tool);
    if (!m->tool)
        return no_memory(t);
    m->tool->ask = *ask;
    m->tool->fields = fields_of(t, ask->tool, v);
    m->tool->filters = nk_field_applies(&m->tool->fields);
    if (gate_mcp_forward(t))
        return no_memory(t);
    unsigned fx = gate_record_tool(t, v, m->message.id);
    return v->outcome == NK_TOOL_ALLOW ? fx | gate_mcp_cross(t, check_pin) : NK_FX_CUT;
}

/* What a person has agreed to, while this request waited or in an earlier one; or NULL. */
static const struct nk_digest *approval(struct nk_txn *t, struct nk_digest *earlier)
{
    const struct gate_mcp *m = gate_mcp(t);
    if (m->agreed || !m->approval.p)
        return m->agreed;
    return gate_mcp_use_approval(t, m->approval, earlier) ? NULL : earlier;
}

unsigned gate_mcp_call_tool(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct gate_mcp *m = gate_mcp(t);
    struct nk_tool_ask ask;
    struct nk_tool_verdict v = {.outcome = NK_TOOL_REFUSE};
    struct nk_digest earlier;
    struct nk_fault f = {0};
    int rc = gate_tool_ask(t, s->resource.id, &ask, &f);
    if (!rc && !(ask.tool && ask.tool->definition.p) && !m->endpoint->config->is_open) {
        gate_mcp_refuse(t, NK_REFUSAL_unapproved_tool, NK_MCP_REFUSED, "locate", NK_STR(""));
        return gate_mcp_refused(t);
    }
    if (rc || check_params(t, ask.tool)) {
        gate_refuse(t, NK_REFUSAL_out_of_memory, "authorize", NK_STR(""), NK_STR(""));
        return gate_mcp_refused(t);
    }
    ask.approved = approval(t, &earlier);
    if (m->ask.arguments != NK_JSON_NONE)
        ask.arguments = nk_json_span(&m->message.doc, m->ask.arguments);
    ask.session.id = m->shown;
    rc = nk_tool_decide(&ask, t->arena, &v, &f);
    s->judged = true;
    s->answer = v.answer;
    if (rc || v.outcome == NK_TOOL_REFUSE ||
        (v.outcome == NK_TOOL_STEP_UP && (m->declined || m->agreed)))
        return gate_mcp_refuse_tool(
            t, rc == NK_EINVAL || rc == NK_ELIMIT ? NK_MCP_INVALID_PARAMS : NK_MCP_REFUSED, &v);
    if (m->is_new && gate_mcp_grant(t, &m->session.can)) /* a session's were granted as it began */
        return no_memory(t);
    return v.outcome == NK_TOOL_STEP_UP ? gate_mcp_ask_person(t, &ask, &v) : begin(t, &ask, &v);
}

unsigned gate_mcp_end_tool(struct nk_txn *t, const char *how)
{
    const struct gate_mcp *m = gate_mcp(t);
    return gate_record_tool_end(t, &m->tool->ask, m->message.id, how, t->state->reply_bytes,
                                m->tool->hidden);
}

/* Results ----------------------------------------------------------------------------------------
 */
int gate_mcp_put_result(struct nk_txn *t, const struct nk_json *doc, uint32_t at,
                        struct nk_arena *a, struct nk_buf *out, struct nk_fault *f)
{
    struct gate_mcp_tool *c = gate_mcp(t)->tool;
    struct nk_field_report report = {0};
    int rc = nk_field_filter(&c->fields, NK_FIELD_MCP, doc, at, a, out, &report, f);
    c->hidden += report.hidden + report.stripped + report.left_out;
    return rc == NK_EINVAL ? NK_EDENIED : rc;
}

/* May this principal call a tool of the server and not read all that it says? When that cannot be told, yes. */
static bool has_secrets(struct nk_txn *t)
{
    const struct nk_tools *tools = t->setup->tools;
    struct nk_fault f = {0};
    t->state->context = (struct nk_str){NULL, 0}; /* the facts of the request's own step are gone */
    for (size_t i = 0; i < nk_tools_count(tools); i++) {
        const struct nk_tool *tool = nk_tools_at(tools, i);
        struct nk_tool_ask ask;
        uint64_t denied = 0;
        bool may = false;
        if (!tool->class_count || !nk_str_eq(tool->server, gate_mcp_upstream(t)->name))
            continue;
        int rc = gate_tool_ask(t, tool->full, &ask, &f);
        ask.session.id = gate_mcp(t)->shown;
        if (!rc)
            rc = nk_tool_may_list(&ask, t->scratch, &may, &f);
        if (!rc && may)
            rc = nk_tool_denied(&ask, t->scratch, &denied, &f);
        if (rc || denied)
            return true;
    }
    return false;
}

/* Does nothing say which call a message here is about? A program's lines all come the same way (runner_relay.c). */
static bool is_shared(const struct nk_txn *t)
{
    enum nk_mcp_op op = gate_mcp(t)->answers;
    return op == NK_MCP_STREAM || op == NK_MCP_LISTEN || nk_config_is_started(gate_mcp_upstream(t));
}

static bool is_progress(const struct nk_mcp_message *m)
{
    return m->kind == NK_MCP_NOTIFICATION &&
           nk_str_eq(m->method, NK_STR("notifications/progress")) &&
           nk_json_get(&m->doc, m->params, NK_STR("message")) == NK_JSON_NONE;
}

/* What says that something has changed, and not what. */
static bool is_news(const struct nk_mcp_message *m)
{
    return m->kind == NK_MCP_NOTIFICATION &&
           (nk_str_ends(m->method, NK_STR("/list_changed")) ||
            nk_str_eq(m->method, NK_STR("notifications/resources/updated")) ||
            nk_str_eq(m->method, NK_STR("notifications/cancelled")) ||
            nk_str_starts(m->method, NK_STR("notifications/subscriptions/")));
}

bool gate_mcp_tells(struct nk_txn *t, const struct nk_mcp_message *m)
{
    struct gate_mcp *own = gate_mcp(t);
    if (is_progress(m))
        return true;
    if (own->tool && own->tool->filters)
        return false;
    if (is_news(m) || !is_shared(t))
        return true;
    if (!own->knows_secrets)
        own->has_secrets = has_secrets(t);
    own->knows_secrets = true;
    return !own->has_secrets;
}

/* Which classes the bits of `denied` are, of which tool. */
static int classes_of(const struct nk_tool *tool, struct nk_digest *out)
{
    struct nk_str parts[1 + 64];
    size_t n = 0;
    if (tool)
        parts[n++] = tool->full;
    for (size_t i = 0; tool && i < tool->class_count && n < NK_COUNT(parts); i++)
        parts[n++] = tool->classes[i];
    return gate_mcp_digest(parts, n, out);
}

void gate_mcp_put_hidden(const struct nk_txn *t, struct nk_buf *b)
{
    const struct gate_mcp_tool *c = gate_mcp(t)->tool;
    struct nk_digest classes;
    int rc = classes_of(c ? c->ask.tool : NULL, &classes);
    if (rc)
        b->error = rc;
    else
        nk_buf_add_hex(b, classes.b, sizeof classes.b);
    nk_buf_printf(b, " %llu %zu ", c ? (unsigned long long)c->fields.denied : 0,
                  c ? c->fields.pointer_count : 0);
    for (size_t i = 0; c && i < c->fields.pointer_count; i++)
        gate_mcp_put_part(b, c->fields.pointers[i]);
}

/* They may be other ones now, after a reload: then nobody knows what is hidden. */
static bool are_same(const struct nk_tool *tool, struct nk_str hex)
{
    struct nk_digest now, then;
    return !nk_hex_decode(hex, then.b, sizeof then.b) && !classes_of(tool, &now) &&
           nk_digest_eq(now, then);
}

int gate_mcp_get_hidden(struct nk_txn *t, struct nk_str *from)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_str classes = nk_str_cut(from, ' ');
    uint64_t denied, count;
    if (!from->p || nk_str_to_u64(nk_str_cut(from, ' '), &denied) || !from->p ||
        nk_str_to_u64(nk_str_cut(from, ' '), &count) || !from->p || count > from->n)
        return NK_ENOTFOUND;
    struct nk_str *pointers = nk_arena_array(t->arena, (size_t)count + 1, sizeof *pointers);
    for (size_t i = 0; pointers && i < count; i++)
        if (!gate_mcp_get_part(from, &pointers[i]))
            return NK_ENOTFOUND;
    if (m->answers != NK_MCP_CALL_TOOL)
        return pointers ? 0 : NK_ENOMEM;
    m->tool = nk_arena_alloc(t->arena, sizeof *m->tool);
    if (!m->tool || !pointers)
        return NK_ENOMEM;
    struct nk_tool_verdict v = {
        .denied = denied, .redact = pointers, .redact_count = (size_t)count};
    m->tool->ask.tool = nk_tools_find_of(t->setup->tools, gate_mcp_upstream(t)->name, m->name);
    if (!are_same(m->tool->ask.tool, classes))
        return NK_ENOTFOUND;
    m->tool->fields = fields_of(t, m->tool->ask.tool, &v);
    m->tool->filters = nk_field_applies(&m->tool->fields);
    return 0;
}
