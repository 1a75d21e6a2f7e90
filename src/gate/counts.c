/* SPDX-License-Identifier: Apache-2.0
 *
 * counts.c - see counts.h.
 */
#include "gate/a2a.h"
#include "gate/agent.h"
#include "gate/mcp.h"
#include "gate/mcp_pin.h"

/* RFC 9110, section 9, and RFC 5789: the names that HTTP's semantic conventions know. */
static struct nk_str method_of(const struct nk_http_head *head)
{
    static const char *const names[] = {"GET",     "POST",    "HEAD",  "PUT",  "DELETE",
                                        "OPTIONS", "CONNECT", "TRACE", "PATCH"};
    for (size_t i = 0; head && i < NK_COUNT(names); i++)
        if (nk_str_eq(head->method, nk_str(names[i])))
            return nk_str(names[i]);
    return NK_STR("_OTHER");
}

bool nk_is_name_like(struct nk_str s)
{
    enum { LONGEST = 128 };
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool other = (c >= '-' && c <= ':') || c == '_' || c == '@' || c == '+'; /* - . / 0-9 : */
        if (!letter && !other)
            return false;
    }
    return s.n > 0 && s.n <= LONGEST;
}

static struct nk_str name_or_absent(struct nk_str s)
{
    return nk_is_name_like(s) ? s : (struct nk_str){NULL, 0};
}

static struct nk_str genai_of(struct nk_str action)
{
    if (nk_str_eq(action, NK_STR("InvokeModel")))
        return NK_STR("chat");
    return nk_str_eq(action, NK_STR("Embed")) ? NK_STR("embeddings") : (struct nk_str){NULL, 0};
}

void nk_txn_counts(const struct nk_txn *t, struct nk_txn_counts *out)
{
    const struct nk_gate_state *s = t->state;
    bool allowed = s->judged && s->answer.allow;
    *out = (struct nk_txn_counts){.judged = s->judged,
                                  .allowed = allowed,
                                  .streamed = s->streaming,
                                  .called = allowed && s->model && !s->call.endpoint->local,
                                  .policies = s->judged ? s->answer.reason_count : 0,
                                  .refusal = (int)s->refusal.id,
                                  .upstream_status = s->upstream_status,
                                  .usage = s->usage,
                                  .events = s->events,
                                  .tool_calls = s->tool_calls};
    if (!s->call.endpoint)
        return;
    out->genai = genai_of(nk_str(s->call.endpoint->action));
    out->dialect = nk_str(s->dialect->name);
}

/* What a driver makes of the request. An unknown method or tool is the client's to name, and not told. */
static void add_mcp(const struct nk_txn *t, const struct gate_mcp *m, struct nk_txn_facts *out)
{
    struct nk_str tool = t->state->resource.id;
    out->route = m->endpoint->config->path;
    out->about.method = nk_mcp_method_name(m->ask.op);
    out->about.error = t->call.about.error;
    if (m->ask.op != NK_MCP_CALL_TOOL)
        return;
    out->about.operation = NK_STR("execute_tool");
    if (nk_tools_find(t->setup->tools, tool))
        out->about.name = tool;
}

static void add_driver(const struct nk_txn *t, struct nk_txn_facts *out)
{
    const void *drive;
    const struct gate_driver *driver = gate_pin_driver(t, &drive);
    if (t->state->call.endpoint && t->state->call.endpoint->local == NK_LOCAL_MCP && drive)
        add_mcp(t, drive, out);
    if (driver == &gate_a2a_driver && drive)
        out->route = ((const struct gate_a2a *)drive)->endpoint->config->path;
    if (driver != &gate_agent_driver)
        return;
    out->about.operation = NK_STR("invoke_agent");
    const struct gate_drive_agent *d = drive;
    if (d && d->agent)
        out->about.name = d->agent->config->name;
}

void nk_txn_facts(const struct nk_txn *t, struct nk_txn_facts *out)
{
    const struct nk_gate_state *s = t->state;
    const struct nk_endpoint *endpoint = s->call.endpoint;
    *out = (struct nk_txn_facts){.request = s->id,
                                 .is_traced = s->env.is_traced,
                                 .has_parent = s->has_parent,
                                 .parent = s->parent,
                                 .own = s->own,
                                 .method = method_of(s->head),
                                 .route = nk_str(endpoint ? endpoint->path : NULL),
                                 .operation = nk_str(endpoint ? endpoint->name : NULL),
                                 .model_answered = name_or_absent(s->reply_model),
                                 .finish = name_or_absent(s->finish),
                                 .has_parts = s->spans > 0,
                                 .stage = nk_str(s->refusal.stage),
                                 .policies = s->judged ? s->answer.reasons : NULL,
                                 .status = s->status,
                                 .reply_bytes = s->reply_bytes};
    add_driver(t, out);
    if (s->principal) {
        out->principal_type = s->principal->type;
        out->principal_id = s->principal->id;
    }
    if (!s->model)
        return;
    out->model = s->model->name;
    out->model_sent = s->model->upstream_name.p ? s->model->upstream_name : s->model->name;
    out->upstream = s->model->upstream;
}

bool nk_txn_is_told(const struct nk_txn *t, bool refusals)
{
    const struct nk_gate_state *s = t->state;
    bool sampled = s->env.is_traced && s->own.flags & NK_TRACE_SAMPLED;
    return sampled || (refusals && s->refusal.id != NK_REFUSAL_NONE);
}
