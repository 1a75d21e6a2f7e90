/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.c - see agent.h. Which tools an agent has is configuration; what they are called with, the registry says; one
 * that is not registered is not an agent's, and the configuration is refused.
 */
#include "gate/agent.h"

static struct nk_str full_name(struct nk_arena *a, const struct nk_config_action *action,
                               const struct nk_config_agent_tool *tool)
{
    struct nk_str server = action->upstream.p ? action->upstream : NK_STR("client");
    const struct nk_str parts[] = {server, NK_STR("___"), tool->name};
    return nk_arena_join(a, parts, NK_COUNT(parts));
}

static struct nk_str schema_of(const struct nk_tool *tool)
{
    const struct nk_json *doc = tool->input ? nk_schema_document(tool->input) : NULL;
    return doc ? nk_json_span(doc, 0) : NK_STR("{\"type\":\"object\"}");
}

/* `spoken`: what each upstream speaks, if it is an MCP server. */
static int load_tool(struct nk_setup *s, struct nk_agent *g, const struct nk_config_action *action,
                     const struct nk_config_agent_tool *c, enum nk_mcp_revision *spoken,
                     struct nk_fault *f)
{
    struct gate_agent_tool *to = &g->tools[g->tool_count++];
    *to = (struct gate_agent_tool){.action = action,
                                   .way = {action->name, c->name, c->method, c->path},
                                   .full = full_name(&s->arena, action, c)};
    if (!to->full.p)
        return NK_ENOMEM;
    to->tool = nk_tools_find(s->tools, to->full);
    if (!to->tool)
        return nk_fault_set(f, NK_ENOTFOUND, "config", 0,
                            "agents: %.*s: no tool \"%.*s\" is registered; approve it "
                            "(`nakoso tools approve`), or name it in tools.rules",
                            NK_FMT(g->config->name), NK_FMT(to->full));
    to->upstream = action->upstream.p ? to->tool->upstream : SIZE_MAX;
    to->speaks = nk_str_eq(action->form, NK_STR("mcp")) ? &spoken[to->upstream] : NULL;
    to->description = to->tool->description;
    to->schema = schema_of(to->tool);
    return 0;
}

static int load_agent(struct nk_setup *s, struct nk_agent *g, enum nk_mcp_revision *spoken,
                      struct nk_fault *f)
{
    size_t n = 0;
    for (size_t i = 0; i < g->config->action_count; i++)
        n += g->config->actions[i].tool_count;
    g->model = g->config->is_inline ? NULL : nk_map_get(&s->models, g->config->model);
    NK_MUST(g->model || g->config->is_inline); /* nk_config_parse has checked it */
    g->tools = nk_arena_array(&s->arena, n + 1, sizeof *g->tools);
    if (!g->tools)
        return NK_ENOMEM;
    if (g->model && !nk_model_speaks(g->model->dialect))
        return nk_fault_set(f, NK_EUNSUPPORTED, "config", 0,
                            "agents: %.*s: models of dialect %s cannot be talked to by an agent",
                            NK_FMT(g->config->name), g->model->dialect->name);
    for (size_t i = 0; i < g->config->action_count; i++)
        for (size_t j = 0; j < g->config->actions[i].tool_count; j++) {
            const struct nk_config_action *action = &g->config->actions[i];
            int rc = load_tool(s, g, action, &action->tools[j], spoken, f);
            if (rc)
                return rc;
        }
    return 0;
}

int gate_agents_load(struct nk_setup *s, struct nk_fault *f)
{
    size_t n = s->config.agent_count;
    s->agents = nk_arena_array(&s->arena, n + 1, sizeof *s->agents);
    s->sessions = n ? nk_agent_sessions_new() : NULL;
    enum nk_mcp_revision *spoken =
        nk_arena_array(&s->arena, s->config.upstream_count + 1, sizeof *spoken);
    if (!s->agents || !spoken || (n && !s->sessions))
        return NK_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        s->agents[i].config = &s->config.agents[i];
        int rc = load_agent(s, &s->agents[i], spoken, f);
        if (rc)
            return rc;
    }
    return 0;
}

bool gate_agent_match(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    if (!t->setup->config.agent_count || !nk_str_eq(s->head->method, NK_STR("POST")) ||
        !nk_str_starts(s->head->target, NK_STR("/agents/")))
        return false;
    struct nk_str agent, alias, session;
    bool is_inline =
        gate_agent_inline(t->setup) && nk_agent_inline_path(s->head->target, t->arena, &session);
    if (!is_inline && !nk_agent_path(s->head->target, t->arena, &agent, &alias, &session))
        return false;
    s->dialect = nk_bedrock_agent_dialect();
    s->call.endpoint = nk_agent_endpoint(is_inline);
    return true;
}

/* Whose conversation it is, and what is asked for. */
static void settle(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct gate_drive_agent *d = s->drive;
    struct nk_str name = d->agent->config->name;
    d->key = nk_agent_session_key(s->principal, name, d->who.session);
    s->resource = (struct nk_cedar_uid){NK_STR("Agent"), name};
}

static int locate_inline(struct nk_txn *t)
{
    struct nk_str session;
    if (!nk_agent_inline_path(t->state->head->target, t->arena, &session))
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "locate", NK_STR(""), NK_STR(""));
    int rc = gate_agent_take_brought(t, session);
    if (!rc)
        settle(t);
    return rc;
}

int gate_agent_locate(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_str id, alias, session;
    if (nk_agent_call(&s->call)->brought)
        return locate_inline(t);
    if (!nk_agent_path(s->head->target, t->arena, &id, &alias, &session))
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "locate", NK_STR(""), NK_STR(""));
    for (size_t i = 0; i < t->setup->config.agent_count; i++) {
        const struct nk_agent *g = &t->setup->agents[i];
        if (g->config->is_inline || !nk_str_eq(g->config->id, id) ||
            !nk_str_eq(g->config->alias, alias))
            continue;
        struct gate_drive_agent *d = s->drive;
        d->agent = g;
        d->who = (struct nk_agent_who){g->config->name, id, alias, session, false};
        settle(t);
        return 0;
    }
    return gate_refuse(
        t, NK_REFUSAL_unknown_agent, "locate",
        nk_arena_printf(t->arena, "\"%.*s\" with alias \"%.*s\"", NK_FMT(id), NK_FMT(alias)),
        NK_STR("the configuration declares no such agent"));
}
