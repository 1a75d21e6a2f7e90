/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_model.c - the conversation of an agent, written for its model in the model's dialect and judged like any call to
 * it, and what the model answers: words for the user, or tools that it asks for. Nothing of sessionAttributes stands
 * in it.
 */
#include "gate/agent.h"

static const struct nk_endpoint call_of_agent = {
    .name = "agents.model", .method = "POST", .path = "", .action = "InvokeModel"};

static int add(struct gate_drive_agent *d, enum nk_model_role role,
               const struct nk_model_part *parts, size_t n)
{
    struct nk_agent_memory *m = &d->memory;
    if (m->message_count == NK_AGENT_MESSAGES)
        return NK_ELIMIT;
    m->messages[m->message_count++] = (struct nk_model_message){role, parts, n};
    return 0;
}

int gate_agent_add_text(struct gate_drive_agent *d, enum nk_model_role role, struct nk_str text)
{
    struct nk_model_part *part = nk_arena_alloc(&d->arena, sizeof *part);
    if (!part)
        return NK_ENOMEM;
    *part = (struct nk_model_part){.type = NK_MODEL_TEXT, .text = nk_arena_copy(&d->arena, text)};
    return part->text.p ? add(d, role, part, 1) : NK_ENOMEM;
}

int gate_agent_add_results(struct gate_drive_agent *d)
{
    struct nk_agent_memory *m = &d->memory;
    struct nk_model_part *parts = nk_arena_array(&d->arena, 2 * m->use_count, sizeof *parts);
    if (!parts)
        return NK_ENOMEM;
    for (size_t i = 0; i < m->use_count; i++) {
        const struct nk_agent_use *u = &m->uses[i];
        struct nk_model_part *content = &parts[m->use_count + i];
        *content = (struct nk_model_part){.type = NK_MODEL_TEXT, .text = u->result};
        parts[i] = (struct nk_model_part){.type = NK_MODEL_TOOL_RESULT,
                                          .id = u->id,
                                          .name = u->name,
                                          .content = content,
                                          .content_count = 1,
                                          .failed = u->failed};
    }
    size_t n = m->use_count;
    m->use_count = 0;
    d->at = 0;
    return add(d, NK_MODEL_USER, parts, n);
}

/* Asking ---------------------------------------------------------------------------------------- */

/* What the client wants the model to know, as one more text of the system. */
static struct nk_str prompt_text(struct nk_txn *t)
{
    const struct nk_agent_attributes *prompt =
        &((struct gate_drive_agent *)t->state->drive)->memory.prompt;
    struct nk_buf b;
    nk_buf_init(&b, 256 << 10);
    nk_buf_add(&b, NK_STR("Attributes of this conversation: {"));
    for (size_t i = 0; i < prompt->n; i++)
        nk_json_put_member(&b, prompt->pairs[i].name, prompt->pairs[i].value);
    nk_buf_add_char(&b, '}');
    struct nk_str text = b.error ? NK_STR("") : nk_arena_copy(t->scratch, nk_buf_str(&b));
    nk_buf_free(&b);
    return text;
}

static struct nk_model_tool *offer(const struct nk_agent *g, struct nk_arena *a)
{
    struct nk_model_tool *tools = nk_arena_array(a, g->tool_count + 1, sizeof *tools);
    for (size_t i = 0; tools && i < g->tool_count; i++)
        tools[i] = (struct nk_model_tool){.name = g->tools[i].full,
                                          .description = g->tools[i].description,
                                          .schema = g->tools[i].schema};
    return tools;
}

static int write_request(struct nk_txn *t, struct nk_fault *f)
{
    struct gate_drive_agent *d = t->state->drive;
    const struct nk_agent *g = d->agent;
    const struct nk_model *model = g->model;
    struct nk_str system[] = {g->config->instruction, prompt_text(t)};
    struct nk_model_request r = {.model =
                                     model->upstream_name.p ? model->upstream_name : model->name,
                                 .system = system,
                                 .system_count = d->memory.prompt.n ? 2 : 1,
                                 .messages = d->memory.messages,
                                 .message_count = d->memory.message_count,
                                 .tools = offer(g, t->scratch),
                                 .tool_count = g->tool_count,
                                 .stream = d->asked->streams};
    nk_buf_clear(&d->body);
    return r.tools ? nk_model_write(model->dialect, &r, t->scratch, &d->body, f) : NK_ENOMEM;
}

/* The facts of this call, as the judge sees those of a client's. */
static int describe(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct gate_drive_agent *d = s->drive;
    struct nk_tool_use *tools = nk_arena_array(t->scratch, d->agent->tool_count + 1, sizeof *tools);
    for (size_t i = 0; tools && i < d->agent->tool_count; i++)
        tools[i].name = d->agent->tools[i].full;
    s->model = d->agent->model;
    s->resource = (struct nk_cedar_uid){NK_STR("Model"), s->model->name};
    s->call.endpoint = &call_of_agent;
    s->call.model = s->model->name;
    s->call.body = (struct nk_json){.n = 0};
    s->call.stream = d->asked->streams;
    s->call.message_count = (int64_t)d->memory.message_count;
    s->call.tools = tools;
    s->call.tool_count = tools ? d->agent->tool_count : 0;
    return tools ? 0 : NK_ENOMEM;
}

static int prepare(struct nk_txn *t)
{
    struct gate_drive_agent *d = t->state->drive;
    const struct nk_model *model = d->agent->model;
    struct nk_str name, version = nk_model_version(model->dialect, &name);
    int rc = gate_call_new(t, model->upstream, "POST", nk_model_path(model->dialect), 4);
    if (rc)
        return rc;
    t->call.about =
        (struct nk_gate_about){.operation = NK_STR("chat"),
                               .name = model->upstream_name.p ? model->upstream_name : model->name};
    gate_call_header(t, "content-type", NK_STR("application/json"));
    gate_call_header(t, "accept",
                     d->asked->streams ? NK_STR("text/event-stream") : NK_STR("application/json"));
    gate_call_header(t, "accept-encoding", NK_STR("identity"));
    if (version.p) {
        struct nk_http_head *h = &t->call.head;
        h->headers[h->header_count++] = (struct nk_http_header){name, version};
    }
    gate_call_body(t, nk_buf_str(&d->body));
    return describe(t);
}

static void trace_input(struct nk_txn *t)
{
    struct gate_drive_agent *d = t->state->drive;
    struct nk_buf b;
    if (!d->asked->trace)
        return;
    nk_buf_init(&b, 32 << 20);
    nk_buf_printf(&b,
                  "{\"modelInvocationInput\":{\"traceId\":\"%.*s-%u\",\"type\":\"ORCHESTRATION\"",
                  NK_FMT(t->state->id), ++d->traces);
    nk_json_put_member(&b, NK_STR("text"), nk_buf_str(&d->body));
    nk_buf_add(&b, NK_STR("}}"));
    if (b.error)
        t->out.error = b.error;
    gate_agent_trace(t, nk_buf_str(&b));
    nk_buf_free(&b);
}

unsigned gate_agent_ask_model(struct nk_txn *t)
{
    struct gate_drive_agent *d = t->state->drive;
    const struct nk_config_agent *c = d->agent->config;
    struct nk_fault f = {0};
    if (d->turns >= c->max_turns)
        return gate_agent_give_up(t, NK_REFUSAL_agent_limit,
                                  NK_STR("The model was asked too often (agents[].max_turns)."),
                                  NK_STR(""));
    if (d->tokens_in + d->tokens_out > c->max_tokens)
        return gate_agent_give_up(t, NK_REFUSAL_agent_limit,
                                  NK_STR("Too many tokens were used (agents[].max_tokens)."),
                                  NK_STR(""));
    int rc = write_request(t, &f);
    if (!rc)
        rc = prepare(t);
    if (rc)
        return gate_agent_give_up(
            t, rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory : NK_REFUSAL_agent_limit,
            NK_STR("The conversation cannot be written for the model."),
            nk_arena_copy(t->arena, nk_str(f.message)));
    if (gate_call_authorize(t)) {
        unsigned fx = gate_record_decision(t);
        return fx | gate_agent_give_up(t, NK_REFUSAL_policy_denied, NK_STR(""), NK_STR(""));
    }
    unsigned fx = gate_record_decision(t) | NK_FX_CALL;
    trace_input(t);
    if (t->out.n)
        fx |= gate_agent_begin(t) | NK_FX_DATA;
    d->turns++;
    d->stream = NULL;
    d->said = false;
    d->doing = GATE_AGENT_MODEL;
    return fx;
}

/* Hearing --------------------------------------------------------------------------------------- */

static int read_answer(struct nk_txn *t, struct nk_model_answer *out, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct gate_drive_agent *d = s->drive;
    struct nk_json doc;
    if (d->stream)
        return gate_agent_stream_end(t, out, f);
    if (s->reply.error)
        return nk_fault_set(f, s->reply.error, "agent", 0, "answer over limits.reply_bytes");
    if (s->upstream_status != 200)
        return nk_fault_set(f, NK_EINVAL, "agent", 0, "the model's provider answered %d",
                            s->upstream_status);
    int rc = gate_read_json(t, nk_buf_str(&s->reply), t->setup->config.limits.reply_bytes,
                            t->scratch, &doc, f);
    return rc ? rc : nk_model_read(d->agent->model->dialect, &doc, &d->arena, out, f);
}

/* What was said becomes part of the conversation; tools that are asked for, the next things to do. */
static int keep(struct gate_drive_agent *d, const struct nk_model_answer *answer)
{
    struct nk_agent_memory *m = &d->memory;
    m->use_count = 0;
    d->at = 0;
    for (size_t i = 0; i < answer->count; i++) {
        const struct nk_model_part *p = &answer->parts[i];
        if (p->type != NK_MODEL_TOOL_USE)
            continue;
        if (m->use_count == NK_AGENT_USES)
            return NK_ELIMIT;
        m->uses[m->use_count++] =
            (struct nk_agent_use){.id = p->id, .name = p->name, .arguments = p->text};
    }
    return answer->count ? add(d, NK_MODEL_ASSISTANT, answer->parts, answer->count) : 0;
}

static void count_usage(struct nk_txn *t, const struct nk_model_answer *answer)
{
    struct nk_gate_state *s = t->state;
    struct gate_drive_agent *d = s->drive;
    s->usage = (struct nk_usage){answer->usage.input, answer->usage.output};
    d->tokens_in += answer->usage.input > 0 ? answer->usage.input : 0;
    d->tokens_out += answer->usage.output > 0 ? answer->usage.output : 0;
    s->finish = answer->finish;
    s->tool_calls = (int64_t)d->memory.use_count;
}

static struct nk_str words(const struct nk_model_answer *answer, struct nk_arena *a)
{
    struct nk_str texts[64];
    size_t n = 0;
    for (size_t i = 0; i < answer->count && n < NK_COUNT(texts); i++)
        if (answer->parts[i].type == NK_MODEL_TEXT)
            texts[n++] = answer->parts[i].text;
    return nk_arena_join(a, texts, n);
}

/* What the model says beside the tools that it asks for, or (`last`) to the user. */
static void trace_words(struct nk_txn *t, struct nk_str text, bool last)
{
    struct gate_drive_agent *d = t->state->drive;
    struct nk_buf b;
    if (!d->asked->trace || !text.n)
        return;
    nk_buf_init(&b, 32 << 20);
    nk_buf_add(&b, last ? NK_STR("{\"observation\":{\"type\":\"FINISH\",\"traceId\":\"")
                        : NK_STR("{\"rationale\":{\"traceId\":\""));
    nk_buf_printf(&b, "%.*s-%u\"", NK_FMT(t->state->id), d->traces);
    nk_buf_add(&b, last ? NK_STR(",\"finalResponse\":{") : NK_STR(""));
    nk_json_put_member(&b, NK_STR("text"), text);
    nk_buf_add(&b, last ? NK_STR("}}}") : NK_STR("}}"));
    if (b.error)
        t->out.error = b.error;
    gate_agent_trace(t, nk_buf_str(&b));
    nk_buf_free(&b);
}

unsigned gate_agent_hear_model(struct nk_txn *t)
{
    struct gate_drive_agent *d = t->state->drive;
    struct nk_model_answer answer = {.count = 0, .usage = {-1, -1, -1, -1}};
    struct nk_fault f = {0};
    int rc = read_answer(t, &answer, &f);
    if (!rc)
        rc = keep(d, &answer);
    count_usage(t, &answer);
    if (rc) {
        enum nk_refusal_id id = rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory : NK_REFUSAL_bad_answer;
        unsigned fx = gate_record_outcome(t, gate_refusal_name(id));
        return fx |
               gate_agent_give_up(t, id, NK_STR(""), nk_arena_copy(t->arena, nk_str(f.message)));
    }
    unsigned fx = gate_record_outcome(t, "complete");
    struct nk_str text = words(&answer, t->scratch);
    trace_words(t, text, d->memory.use_count == 0);
    if (d->memory.use_count)
        return fx | gate_agent_next(t);
    if (!d->said)
        nk_agent_put_chunk(text.p ? text : NK_STR(""), &t->out);
    return gate_agent_finish(t, fx);
}
