/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_tool.c - tools that a model asked for. Each is decided about the proven principal, with the arguments that it
 * has; one that is refused is answered with the reason, so that no call of the model stays without an answer. What a tool
 * says reaches the model without what its reader may not see.
 */
#include "gate/agent.h"

enum { RESULT_MAX = 4 << 20, HEADERS_OWN = 5, HEADERS_MORE = 32 };

static const struct nk_endpoint tool_of_agent = {
    .name = "agents.tool", .method = "POST", .path = "", .action = "CallTool"};

static struct gate_drive_agent *of(struct nk_txn *t)
{
    return t->state->drive;
}

static struct nk_agent_use *current(struct nk_txn *t)
{
    return &of(t)->memory.uses[of(t)->at];
}

const struct gate_agent_tool *gate_agent_tool_of(const struct nk_agent *g, struct nk_str full)
{
    for (size_t i = 0; i < g->tool_count; i++)
        if (nk_str_eq(g->tools[i].full, full))
            return &g->tools[i];
    return NULL;
}

/* The tool has its result; the text is copied. */
static void answer(struct nk_txn *t, struct nk_agent_use *u, struct nk_str text, bool failed)
{
    u->result = nk_arena_copy(&of(t)->arena, text);
    if (!u->result.p) {
        t->out.error = NK_ENOMEM;
        return;
    }
    u->done = true;
    u->failed = failed;
    u->waits = u->asks = u->agreed = false;
}

/* Traces --------------------------------------------------------------------------------------- */

static void trace_call(struct nk_txn *t, const struct gate_agent_tool *tool,
                       const struct nk_json *arguments)
{
    struct gate_drive_agent *d = of(t);
    struct nk_buf b;
    if (!d->asked->trace)
        return;
    nk_buf_init(&b, 1 << 20);
    nk_buf_printf(
        &b,
        "{\"invocationInput\":{\"invocationType\":\"ACTION_GROUP\",\"traceId\":\"%.*s-%u\","
        "\"actionGroupInvocationInput\":{",
        NK_FMT(t->state->id), d->traces);
    nk_json_put_member(&b, NK_STR("actionGroupName"), tool->way.action);
    if (tool->way.path.p) {
        nk_json_put_member(&b, NK_STR("apiPath"), tool->way.path);
        nk_json_put_member(&b, NK_STR("verb"), tool->way.method);
    } else {
        nk_json_put_member(&b, NK_STR("function"), tool->way.function);
    }
    nk_json_put_name(&b, NK_STR("parameters"));
    nk_agent_put_parameters(arguments, t->scratch, &b);
    nk_json_put_member(&b, NK_STR("executionType"),
                       tool->upstream == SIZE_MAX ? NK_STR("RETURN_CONTROL") : NK_STR("LAMBDA"));
    nk_buf_add(&b, NK_STR("}}}"));
    if (b.error)
        t->out.error = b.error;
    gate_agent_trace(t, nk_buf_str(&b));
    nk_buf_free(&b);
}

static void trace_result(struct nk_txn *t, struct nk_str text)
{
    struct gate_drive_agent *d = of(t);
    struct nk_buf b;
    if (!d->asked->trace)
        return;
    nk_buf_init(&b, 2 * RESULT_MAX);
    nk_buf_printf(&b,
                  "{\"observation\":{\"type\":\"ACTION_GROUP\",\"traceId\":\"%.*s-%u\","
                  "\"actionGroupInvocationOutput\":{",
                  NK_FMT(t->state->id), d->traces);
    nk_json_put_member(&b, NK_STR("text"), text);
    nk_buf_add(&b, NK_STR("}}}"));
    if (b.error)
        t->out.error = b.error;
    gate_agent_trace(t, nk_buf_str(&b));
    nk_buf_free(&b);
}

/* Deciding ------------------------------------------------------------------------------------- */

static int ask_about(struct nk_txn *t, const struct nk_agent_use *u, struct nk_tool_ask *ask,
                     struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct gate_drive_agent *d = of(t);
    s->context = (struct nk_str){NULL, 0}; /* facts of an earlier step are gone */
    s->call.tools = NULL;
    s->call.tool_count = 0;
    s->call.endpoint = &tool_of_agent;
    s->model = NULL;
    int rc = gate_tool_ask(t, u->name, ask, f);
    ask->arguments = u->arguments;
    ask->session = (struct nk_tool_session){d->who.session, d->turns, d->calls};
    ask->approved = u->agreed ? &u->approval : NULL;
    return rc;
}

/* Keeps what of the verdict is needed when the result is there. */
static bool keep_view(struct gate_drive_agent *d, const struct nk_tool_verdict *v)
{
    struct nk_str *redact = nk_arena_array(&d->step, v->redact_count + 1, sizeof *redact);
    for (size_t i = 0; redact && i < v->redact_count; i++) {
        redact[i] = nk_arena_copy(&d->step, v->redact[i]);
        if (!redact[i].p)
            return false;
    }
    d->view = (struct gate_agent_view){v->denied, redact, v->redact_count};
    return redact != NULL;
}

static unsigned decide(struct nk_txn *t, struct nk_agent_use *u, struct nk_tool_verdict *v)
{
    struct nk_tool_ask ask = {.tool = NULL};
    struct nk_fault f = {0};
    *v = (struct nk_tool_verdict){.outcome = NK_TOOL_REFUSE};
    int rc = ask_about(t, u, &ask, &f);
    if (!rc)
        rc = nk_tool_decide(&ask, t->scratch, v, &f);
    if (rc == NK_ENOMEM || !v->record.p) {
        t->out.error = NK_ENOMEM;
        return 0;
    }
    return gate_record_tool(t, v, u->id);
}

/* Calling -------------------------------------------------------------------------------------- */

static int parse(struct nk_txn *t, struct nk_str text, struct nk_arena *a, struct nk_json *doc,
                 struct nk_fault *f)
{
    return gate_read_json(t, text.n ? text : NK_STR("{}"), t->setup->config.limits.reply_bytes, a,
                          doc, f);
}

static bool is_lambda(const struct gate_agent_tool *tool)
{
    return nk_str_eq(tool->action->form, NK_STR("lambda"));
}

static int write_call(struct nk_txn *t, const struct gate_agent_tool *tool,
                      const struct nk_json *arguments, struct nk_fault *f)
{
    struct gate_drive_agent *d = of(t);
    nk_buf_clear(&d->body);
    nk_buf_clear(&d->target);
    if (!is_lambda(tool)) {
        int rc = nk_agent_put_rest(&tool->way, arguments, &d->step, &d->target, &d->body, f);
        return rc ? rc
                  : nk_agent_put_headers(&tool->way, arguments, t->arena, HEADERS_MORE,
                                         &t->call.head, f);
    }
    struct nk_agent_lambda l = {.way = &tool->way,
                                .who = &d->who,
                                .arguments = arguments,
                                .input = d->asked->input.p ? d->asked->input : NK_STR(""),
                                .session = &d->memory.session,
                                .prompt = &d->memory.prompt,
                                .principal = t->state->principal};
    nk_agent_put_lambda(&l, &d->step, &d->body);
    nk_buf_add(&d->target, tool->action->path);
    return d->body.error ? d->body.error : d->target.error;
}

static unsigned send(struct nk_txn *t, const struct nk_agent_use *u,
                     const struct gate_agent_tool *tool)
{
    struct gate_drive_agent *d = of(t);
    t->call.upstream = tool->upstream;
    t->call.head.method = is_lambda(tool) ? NK_STR("POST") : tool->way.method;
    t->call.head.target = nk_buf_str(&d->target);
    if (gate_call_identity(t, d->who.name, u->name))
        t->out.error = NK_ENOMEM; /* a tool is not called without the identity that it should get */
    gate_call_header(t, "accept", NK_STR("application/json"));
    gate_call_header(t, "accept-encoding", NK_STR("identity"));
    if (d->body.n)
        gate_call_header(t, "content-type", NK_STR("application/json"));
    gate_call_body(t, nk_buf_str(&d->body));
    d->doing = GATE_AGENT_TOOL;
    return NK_FX_CALL;
}

static unsigned call(struct nk_txn *t, struct nk_agent_use *u, const struct gate_agent_tool *tool)
{
    struct gate_drive_agent *d = of(t);
    struct nk_fault f = {0};
    struct nk_json arguments;
    d->mcp.tool = NULL;
    int rc = parse(t, u->arguments, &d->step, &arguments, &f);
    if (!rc && !tool->speaks)
        rc = write_call(t, tool, &arguments, &f);
    if (rc) {
        answer(t, u, nk_str(f.code ? f.message : "The call cannot be written."), true);
        return gate_record_outcome(t, "not_called");
    }
    trace_call(t, tool, &arguments);
    gate_call_is_of_tool(t, tool->full);
    d->calls++;
    unsigned fx = t->out.n ? gate_agent_begin(t) | NK_FX_DATA : 0;
    return fx | (tool->speaks ? gate_agent_mcp_begin(t, tool, u) : send(t, u, tool));
}

/* A function that the client brought along, and nobody registered, is handed over as the client has declared it, or not.
 * Its arguments have been read then. */
static int check_brought(struct nk_txn *t, const struct nk_agent_use *u,
                         const struct gate_agent_tool *tool, struct nk_json *arguments,
                         struct nk_fault *f)
{
    struct gate_drive_agent *d = of(t);
    const struct nk_schema *schema;
    if (tool->tool || !tool->schema.n)
        return 0;
    int rc = parse(t, u->arguments, &d->step, arguments, f);
    if (!rc)
        rc = nk_schema_new(tool->schema, &d->step, &schema, f);
    return rc ? rc : nk_schema_check(schema, arguments, 0, &d->step, f);
}

static unsigned not_called(struct nk_txn *t, struct nk_agent_use *u, const struct nk_fault *f)
{
    struct nk_str why =
        nk_arena_printf(&of(t)->step, "The arguments are not what the tool takes: %s.", f->message);
    if (!why.p)
        t->out.error = NK_ENOMEM;
    answer(t, u, why, true);
    trace_result(t, u->result);
    of(t)->at++;
    return gate_record_outcome(t, "not_called");
}

/* What the client is to run, or a person to agree to, waits for the next request. */
static unsigned leave(struct nk_txn *t, struct nk_agent_use *u, const struct gate_agent_tool *tool,
                      const struct nk_tool_verdict *v, struct nk_json *arguments)
{
    struct nk_fault f = {0};
    u->waits = tool->upstream == SIZE_MAX;
    u->asks = v->outcome == NK_TOOL_STEP_UP || (tool->confirms && !u->agreed);
    u->approval = v->approval;
    if (of(t)->asked->trace && (arguments->n || !parse(t, u->arguments, t->scratch, arguments, &f)))
        trace_call(t, tool, arguments);
    of(t)->at++;
    return 0;
}

/* A result that the client gave: what its tool may show was decided just now. */
static unsigned take_given(struct nk_txn *t, struct nk_agent_use *u);

unsigned gate_agent_use_tool(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    struct nk_agent_use *u = current(t);
    const struct gate_agent_tool *tool = gate_agent_tool_of(d->agent, u->name);
    struct nk_tool_verdict v;
    struct nk_json arguments = {.n = 0};
    struct nk_fault f = {0};
    if (u->done && !u->waits) {
        d->at++;
        return 0;
    }
    nk_arena_reset(&d->step);
    if (d->calls >= d->agent->config->max_calls)
        return gate_agent_give_up(t, NK_REFUSAL_agent_limit,
                                  NK_STR("Too many tools were called (agents[].max_calls)."),
                                  NK_STR(""));
    if (gate_call_new(t, 0, "POST", NK_STR("/"), HEADERS_OWN + HEADERS_MORE))
        t->out.error = NK_ENOMEM;
    unsigned fx = decide(t, u, &v);
    if (t->out.error)
        return fx;
    if (!tool ||
        v.outcome == NK_TOOL_REFUSE) { /* not one of this agent's: the judge had its word, too */
        answer(t, u, v.why.n ? v.why : NK_STR("There is no such tool."), true);
        trace_result(t, u->result);
        d->at++;
        return fx;
    }
    if (!keep_view(d, &v))
        t->out.error = NK_ENOMEM;
    if (u->done &&
        v.outcome != NK_TOOL_ALLOW) { /* the rules have changed since it was handed over */
        answer(t, u, v.why, true);
        return fx;
    }
    if (u->done)
        return fx | take_given(t, u);
    if (check_brought(t, u, tool, &arguments, &f))
        return fx | not_called(t, u, &f); /* out of memory, too: nothing is handed over unread */
    if (tool->upstream == SIZE_MAX || v.outcome == NK_TOOL_STEP_UP)
        return fx | leave(t, u, tool, &v, &arguments);
    return fx | call(t, u, tool);
}

/* Results -------------------------------------------------------------------------------------- */

static struct nk_field_ask view_of(struct nk_txn *t, const struct gate_agent_tool *tool)
{
    const struct gate_agent_view *v = &of(t)->view;
    return (struct nk_field_ask){.rules = tool->tool ? tool->tool->rules : NULL,
                                 .denied = v->denied,
                                 .pointers = v->redact,
                                 .pointer_count = v->redact_count,
                                 .japanese = t->state->japanese};
}

/* They outlive the answer that they stand in. */
static bool copy_pairs(struct nk_agent_pair *pairs, size_t n, struct nk_arena *a)
{
    for (size_t i = 0; i < n; i++) {
        pairs[i].name = nk_arena_copy(a, pairs[i].name);
        pairs[i].value = nk_arena_copy(a, pairs[i].value);
        if (!pairs[i].name.p || !pairs[i].value.p)
            return false;
    }
    return true;
}

/* What a function wants to change: attributes for other tools; those for the model only where nothing may be hidden
 * from it. */
static void take_attributes(struct nk_txn *t, struct nk_agent_answer *a, bool for_model)
{
    struct gate_drive_agent *d = of(t);
    if (!copy_pairs(a->session, a->session_count, &d->arena) ||
        !copy_pairs(a->prompt, a->prompt_count, &d->arena)) {
        t->out.error = NK_ENOMEM;
        return;
    }
    const struct nk_principal *p = t->state->principal;
    struct nk_agent_attributes session = d->memory.session, prompt = d->memory.prompt;
    if (!nk_agent_attributes_add(&session, p, a->session, a->session_count))
        d->memory.session = session;
    if (for_model && !nk_agent_attributes_add(&prompt, p, a->prompt, a->prompt_count))
        d->memory.prompt = prompt;
}

/* The text of a function's answer, filtered. */
static int read_lambda(struct nk_txn *t, const struct nk_field_ask *ask, struct nk_buf *out,
                       struct nk_field_report *report, bool *failed, struct nk_fault *f)
{
    struct gate_drive_agent *d = of(t);
    struct nk_agent_answer *a = nk_arena_alloc(&d->arena, sizeof *a);
    struct nk_json doc, left;
    struct nk_buf kept;
    if (!a)
        return NK_ENOMEM;
    int rc = parse(t, nk_buf_str(&t->state->reply), &d->step, &doc, f);
    if (!rc)
        rc = nk_agent_read_lambda(&doc, &d->arena, a, f);
    if (rc)
        return rc;
    take_attributes(t, a, !nk_field_applies(ask));
    nk_buf_init(&kept, 2 * RESULT_MAX);
    rc = nk_field_filter(ask, NK_FIELD_LAMBDA, &doc, 0, &d->step, &kept, report, f);
    if (!rc)
        rc = parse(t, nk_buf_str(&kept), &d->step, &left, f);
    if (!rc)
        rc = nk_agent_read_lambda(&left, &d->step, a, f);
    if (!rc) {
        nk_buf_add(out, a->body);
        *failed |= a->failed;
    }
    nk_buf_free(&kept);
    return rc;
}

/* The result for the model, and how it went. */
static const char *read_result(struct nk_txn *t, const struct gate_agent_tool *tool,
                               struct nk_buf *out, struct nk_field_report *report, bool *failed,
                               struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_field_ask ask = view_of(t, tool);
    int rc = 0;
    *failed = s->upstream_status < 200 || s->upstream_status >= 300;
    if (s->reply.error)
        rc = nk_fault_set(f, NK_ELIMIT, "agent", 0, "the tool's answer is too large");
    else if (*failed && is_lambda(tool))
        rc = nk_fault_set(f, NK_EINVAL, "agent", 0, "the tool answered %d", s->upstream_status);
    else if (is_lambda(tool))
        rc = read_lambda(t, &ask, out, report, failed, f);
    else if (tool->speaks)
        rc = gate_agent_mcp_read(t, &ask, out, report, failed, f);
    else {
        ask.error = *failed; /* what it declares is the form of an answer, not of an error */
        rc = nk_field_filter_text(&ask, nk_buf_str(&s->reply), &of(t)->step, out, report, f);
    }
    if (!rc && out->error)
        rc = out->error;
    return rc == 0            ? (*failed ? "tool_error" : "complete")
           : rc == NK_EDENIED ? "bad_shape"
                              : "bad_answer";
}

static unsigned record_end(struct nk_txn *t, const struct nk_agent_use *u, const char *how,
                           const struct nk_field_report *report)
{
    struct nk_tool_ask ask = {.tool = NULL};
    struct nk_fault f = {0};
    if (ask_about(t, u, &ask, &f)) {
        t->out.error = NK_ENOMEM;
        return 0;
    }
    return gate_record_tool_end(t, &ask, u->id, how, t->state->reply_bytes,
                                (int64_t)report->hidden + report->stripped + report->left_out);
}

/* What comes next once the tool has its result and its record. */
static unsigned go_on(struct nk_txn *t, const struct gate_agent_tool *tool, unsigned fx)
{
    trace_result(t, current(t)->result);
    of(t)->at++;
    unsigned leaves = tool->speaks ? gate_agent_mcp_leave(t) : 0;
    return fx | (leaves ? leaves : gate_agent_next(t));
}

unsigned gate_agent_hear_tool(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    struct nk_agent_use *u = current(t);
    const struct gate_agent_tool *tool = gate_agent_tool_of(d->agent, u->name);
    struct nk_field_report report = {.hidden = 0};
    struct nk_fault f = {0};
    struct nk_buf text;
    bool failed = false;
    unsigned fx = 0;
    if (tool->speaks && gate_agent_mcp_goes_on(t, &fx))
        return fx;
    nk_buf_init(&text, RESULT_MAX);
    const char *how = read_result(t, tool, &text, &report, &failed, &f);
    bool good =
        nk_str_eq(nk_str(how), NK_STR("complete")) || nk_str_eq(nk_str(how), NK_STR("tool_error"));
    answer(t, u, good ? nk_buf_str(&text) : NK_STR("The tool's answer could not be used."),
           failed || !good);
    nk_buf_free(&text);
    return go_on(t, tool, record_end(t, u, how, &report));
}

unsigned gate_agent_lose_tool(struct nk_txn *t, struct nk_str why)
{
    struct nk_agent_use *u = current(t);
    static const struct nk_field_report none = {.hidden = 0};
    (void)why;
    answer(t, u, NK_STR("The tool could not be reached, or did not answer in time."), true);
    unsigned fx = record_end(t, u, "upstream_failed", &none);
    trace_result(t, u->result);
    of(t)->at++;
    return fx | gate_agent_next(t);
}

unsigned gate_agent_keep_back(struct nk_txn *t, enum nk_refusal_id id, struct nk_str why)
{
    struct nk_gate_state *s = t->state;
    struct nk_agent_use *u = current(t);
    static const struct nk_field_report none = {.hidden = 0};
    answer(t, u, nk_str(gate_refusal_text(t, id)), true);
    s->reply_bytes = 0;
    gate_refuse(t, id, "forward", NK_STR(""), why);
    unsigned fx = record_end(t, u, gate_refusal_name(id), &none);
    s->refusal = (struct nk_gate_refusal){.id = NK_REFUSAL_NONE}; /* of this call alone */
    return go_on(t, gate_agent_tool_of(of(t)->agent, u->name), fx);
}

/* Return of control ---------------------------------------------------------------------------- */

static bool is_of(const struct nk_agent_result *r, const struct gate_agent_tool *tool)
{
    if (!nk_str_eq(r->action, tool->way.action))
        return false;
    if (r->function.p)
        return !tool->way.path.p && nk_str_eq(r->function, tool->way.function);
    return tool->way.path.p && nk_str_eq(r->api_path, tool->way.path) &&
           nk_str_eq(r->method, tool->way.method);
}

/* The first that waits for such a result, and has not got one. */
static size_t waiting(struct nk_txn *t, const struct nk_agent_result *r,
                      const bool heard[NK_AGENT_USES])
{
    struct gate_drive_agent *d = of(t);
    size_t i = 0;
    for (; i < d->memory.use_count; i++) {
        const struct nk_agent_use *u = &d->memory.uses[i];
        const struct gate_agent_tool *tool = gate_agent_tool_of(d->agent, u->name);
        if (!u->done && !heard[i] && tool && is_of(r, tool))
            break;
    }
    return i;
}

/* What a person agreed to and what the client ran are both decided once more. */
static void take_result(struct nk_txn *t, struct nk_agent_use *u, const struct nk_agent_result *r)
{
    bool waits = u->waits, asks = u->asks;
    if (asks && r->said != NK_AGENT_CONFIRM) {
        answer(t, u, NK_STR("The user did not agree to this call."), true);
        return;
    }
    if (waits)
        answer(t, u, r->body.p ? r->body : NK_STR(""), r->failed);
    u->waits = waits;
    u->agreed = asks;
}

bool gate_agent_take_results(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    struct nk_agent_memory *m = &d->memory;
    bool heard[NK_AGENT_USES] = {false};
    if (!m->invocation.p || !nk_str_eq(m->invocation, d->asked->invocation))
        return false;
    for (size_t i = 0; i < d->asked->result_count; i++) {
        size_t at = waiting(t, &d->asked->results[i], heard);
        if (at == m->use_count)
            return false;
        heard[at] = true;
        take_result(t, &m->uses[at], &d->asked->results[i]);
    }
    for (size_t i = 0; i < m->use_count; i++)
        if (!m->uses[i].done && !heard[i])
            answer(t, &m->uses[i], NK_STR("The client gave no result."), true);
    m->invocation = (struct nk_str){NULL, 0};
    d->at = 0;
    return true;
}

static unsigned take_given(struct nk_txn *t, struct nk_agent_use *u)
{
    struct gate_drive_agent *d = of(t);
    const struct gate_agent_tool *tool = gate_agent_tool_of(d->agent, u->name);
    struct nk_field_ask ask = view_of(t, tool);
    struct nk_field_report report = {.hidden = 0};
    struct nk_fault f = {0};
    struct nk_buf text;
    nk_buf_init(&text, RESULT_MAX);
    int rc = nk_field_filter_text(&ask, u->result, &d->step, &text, &report, &f);
    t->state->reply_bytes = (int64_t)u->result.n;
    answer(t, u, rc ? NK_STR("The result could not be used.") : nk_buf_str(&text), rc || u->failed);
    nk_buf_free(&text);
    d->calls++;
    d->at++;
    return record_end(t, u, rc ? "bad_answer" : "complete", &report);
}

unsigned gate_agent_hand_over(struct nk_txn *t)
{
    struct gate_drive_agent *d = of(t);
    struct nk_agent_memory *m = &d->memory;
    struct nk_buf inputs;
    bool first = true;
    nk_buf_init(&inputs, 8 << 20);
    nk_buf_add_char(&inputs, '[');
    for (size_t i = 0; i < m->use_count; i++) {
        const struct gate_agent_tool *tool = gate_agent_tool_of(d->agent, m->uses[i].name);
        if (m->uses[i].done)
            continue;
        if (!first)
            nk_buf_add_char(&inputs, ',');
        nk_agent_put_invocation(&tool->way, &m->uses[i], t->scratch, &inputs);
        first = false;
    }
    nk_buf_add_char(&inputs, ']');
    m->invocation = t->state->id;
    m->wait_until_ms = t->state->now_ms + NK_AGENT_WAIT_MS;
    if (inputs.error)
        t->out.error = inputs.error;
    nk_agent_put_control(m->invocation, nk_buf_str(&inputs), &t->out);
    nk_buf_free(&inputs);
    return 0;
}
