/* SPDX-License-Identifier: Apache-2.0
 *
 * results.c - see results.h.
 */
#include "gate/results.h"

#include "field/field.h"
#include "gate/tool.h"

static int no_memory(struct nk_txn *t)
{
    return gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR(""));
}

static bool any_has_rules(const struct nk_tools *tools)
{
    for (size_t i = 0; i < nk_tools_count(tools); i++)
        if (nk_field_classes(nk_tools_at(tools, i)->rules) || nk_tools_at(tools, i)->output)
            return true;
    return false;
}

/* May this principal call the tool so, and what may it read of the result? */
static int ask(struct nk_txn *t, const struct nk_tool_result *r, const struct nk_tool *tool,
               struct nk_tool_verdict *v)
{
    struct nk_fault f = {0};
    struct nk_tool_ask q;
    int rc = gate_tool_ask(t, tool->full, &q, &f);
    if (rc)
        return rc;
    q.arguments = r->arguments;
    q.session = (struct nk_tool_session){.turn = r->turn, .calls = r->calls};
    rc = nk_tool_decide(&q, t->scratch, v, &f);
    if (!rc && v->outcome == NK_TOOL_STEP_UP) {
        const struct nk_digest agreed = v->approval;
        q.approved = &agreed;
        rc = nk_tool_decide(&q, t->scratch, v, &f);
    }
    return rc == NK_ENOMEM ? rc : 0; /* arguments that do not fit are a refusal */
}

/* A text in place of what the result says. */
static int withhold(struct nk_txn *t, uint32_t at)
{
    struct nk_gate_state *s = t->state;
    const struct nk_json *doc = &s->call.body;
    static const char *const members[] = {"content", "output"};
    struct nk_str text = s->japanese ? NK_STR("\"[このツールの結果はゲートウェイが伏せました。]\"")
                                     : NK_STR("\"[The gateway withholds this result of a tool.]\"");
    int rc = 0;
    for (size_t i = 0; !rc && i < NK_COUNT(members); i++) {
        uint32_t value = nk_json_get(doc, at, nk_str(members[i]));
        if (value != NK_JSON_NONE)
            rc = gate_edit_add(t, doc->tape[value].start, doc->tape[value].end, text);
    }
    s->results.withheld++;
    return rc ? no_memory(t) : 0;
}

static int filter(struct nk_txn *t, const struct nk_tool_result *r, const struct nk_tool *tool)
{
    struct nk_gate_state *s = t->state;
    const struct nk_json *doc = &s->call.body;
    struct nk_tool_verdict v;
    struct nk_field_report report;
    struct nk_fault f = {0};
    struct nk_buf out;
    if (ask(t, r, tool, &v))
        return no_memory(t);
    if (v.outcome != NK_TOOL_ALLOW)
        return withhold(t, r->at);
    struct nk_field_ask q = {.rules = tool->rules,
                             .denied = v.denied,
                             .pointers = v.redact,
                             .pointer_count = v.redact_count,
                             .japanese = s->japanese};
    if (!nk_field_applies(&q))
        return 0;
    enum nk_field_form form = nk_str_eq(nk_str(s->dialect->name), NK_STR("openai"))
                                  ? NK_FIELD_OPENAI
                                  : NK_FIELD_ANTHROPIC;
    nk_buf_init(&out, s->body.max);
    int rc = nk_field_filter(&q, form, doc, r->at, t->scratch, &out, &report, &f);
    if (!rc && report.changed)
        rc = gate_edit_add(t, doc->tape[r->at].start, doc->tape[r->at].end,
                           nk_arena_copy(t->scratch, nk_buf_str(&out)));
    nk_buf_free(&out);
    if (rc == NK_ENOMEM)
        return no_memory(t);
    if (rc)
        return withhold(t, r->at);
    s->results.hidden += report.hidden;
    s->results.stripped += report.stripped;
    s->results.left_out += report.left_out;
    return 0;
}

static int refuse(struct nk_txn *t, const char *why)
{
    return gate_refuse(t, NK_REFUSAL_bad_request, "forward", nk_str(why), NK_STR(""));
}

int gate_results_filter(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    const struct nk_tools *tools = t->setup->tools;
    size_t registered = 0;
    int rc = 0;
    for (size_t i = 0; !rc && s->call.results && i < s->call.result_count; i++) {
        const struct nk_tool_result *r = &s->call.results[i];
        if (!r->name.p && any_has_rules(tools))
            return refuse(t, "Send the conversation itself: results of calls that the provider "
                             "keeps cannot be told by their tools.");
        const struct nk_tool *tool = r->name.p ? gate_calls_tool(t, r->name) : NULL;
        if (!tool)
            continue;
        if (++registered > GATE_RESULTS_MAX)
            return refuse(t, "There are more than 1024 results of registered tools.");
        rc = filter(t, r, tool);
    }
    if (!rc && s->edit_count && s->reading != &s->call)
        return refuse(t, "Results of these tools cannot go to a model of another API.");
    return rc;
}
