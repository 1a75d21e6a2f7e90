/* SPDX-License-Identifier: Apache-2.0
 *
 * tool.c - see tool.h.
 */
#include "gate/tool.h"

#include "gate/driver.h"

enum { FACTS_MAX = 8192 };

int gate_tool_ask(struct nk_txn *t, struct nk_str full, struct nk_tool_ask *out, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    *out = (struct nk_tool_ask){.tool = nk_tools_find(t->setup->tools, full),
                                .name = full,
                                .principal = s->principal,
                                .policies = t->setup->policies,
                                .dialect = s->dialect->name,
                                .japanese = s->japanese};
    int rc = gate_principal_facts(t, &out->entities, &out->store, f);
    if (!rc && (full.n > NK_TOOL_NAME_MAX || !full.n))
        rc = nk_fault_set(f, NK_ELIMIT, "tool", 0, "a tool's name has 1 to %d bytes",
                          NK_TOOL_NAME_MAX);
    return rc;
}

/* The id by which the model or client names the call; nothing else of it is told twice. */
static void put_call(struct nk_buf *b, struct nk_str before, struct nk_str call)
{
    nk_buf_add(b, before);
    nk_json_put_string(b, nk_str_sub(call, 0, 256));
}

unsigned gate_record_tool(struct nk_txn *t, struct nk_tool_verdict *out, struct nk_str call)
{
    struct nk_buf facts;
    if (!out->record.p) {
        out->outcome = NK_TOOL_REFUSE;
        return 0;
    }
    nk_buf_init(&facts, FACTS_MAX);
    if (call.p) {
        put_call(&facts, NK_STR(",\"call\":{\"id\":"), call);
        nk_buf_add_char(&facts, '}');
    }
    if (facts.error)
        out->outcome = NK_TOOL_REFUSE;
    unsigned fx = facts.error ? 0 : gate_record_members(t, nk_buf_str(&facts), out->record);
    nk_buf_free(&facts);
    return fx;
}

unsigned gate_record_tool_end(struct nk_txn *t, const struct nk_tool_ask *ask, struct nk_str call,
                              const char *how, int64_t bytes, int64_t removed)
{
    struct nk_buf facts;
    nk_buf_init(&facts, FACTS_MAX);
    nk_buf_add(&facts, NK_STR("\"tool\":{"));
    nk_json_put_member(&facts, NK_STR("name"), nk_str_sub(ask->name, 0, NK_TOOL_NAME_MAX));
    if (call.p)
        put_call(&facts, NK_STR(",\"call\":"), call);
    nk_buf_printf(&facts, ",\"bytes\":%lld,\"removed\":%lld", (long long)bytes, (long long)removed);
    if (t->state->refusal.reason.n)
        nk_json_put_member(&facts, NK_STR("reason"), nk_str_sub(t->state->refusal.reason, 0, 512));
    nk_buf_add_char(&facts, '}');
    t->record_lost |= facts.error != 0; /* the step is cut */
    unsigned fx = facts.error ? NK_FX_RECORD : gate_record_end(t, how, nk_buf_str(&facts));
    nk_buf_free(&facts);
    return fx;
}
