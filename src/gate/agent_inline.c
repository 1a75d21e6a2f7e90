/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_inline.c - an agent that its client describes (InvokeInlineAgent). The client chooses among what the configuration
 * has: a model, and action groups by their names; it may name fewer of their functions, never others. What it adds are
 * functions that it runs itself: those are handed to it, and decided like every tool before they are.
 */
#include "gate/agent.h"

#include "proto/bedrock_inline.h"

static const struct nk_str nobody = {"INLINE_AGENT", 12};

const struct nk_agent *gate_agent_inline(const struct nk_setup *s)
{
    for (size_t i = 0; i < s->config.agent_count; i++)
        if (s->agents[i].config->is_inline)
            return &s->agents[i];
    return NULL;
}

static int refuse(struct nk_txn *t, struct nk_str detail)
{
    return gate_refuse(t, NK_REFUSAL_bad_request, "locate", detail, NK_STR(""));
}

static int no_memory(struct nk_txn *t)
{
    return gate_refuse(t, NK_REFUSAL_out_of_memory, "locate", NK_STR(""), NK_STR(""));
}

static int add(struct nk_txn *t, struct nk_agent *to, const struct gate_agent_tool *tool)
{
    if (gate_agent_tool_of(to, tool->full))
        return refuse(t, nk_arena_printf(t->arena, "The tool %.*s is there twice.",
                                         NK_FMT(nk_str_sub(tool->full, 0, 128))));
    to->tools[to->tool_count++] = *tool;
    return 0;
}

static bool names(const struct nk_agent_group *g, struct nk_str function)
{
    for (size_t i = 0; i < g->function_count; i++)
        if (nk_str_eq(g->functions[i].name, function))
            return true;
    return false;
}

/* Of a group of the configuration: all functions, or those that the client names. */
static int take_registered(struct nk_txn *t, const struct nk_agent *own,
                           const struct nk_agent_group *g, struct nk_agent *to)
{
    size_t found = 0, all = 0;
    int rc = 0;
    for (size_t i = 0; i < own->tool_count && !rc; i++) {
        const struct gate_agent_tool *tool = &own->tools[i];
        if (!nk_str_eq(tool->action->name, g->name))
            continue;
        all++;
        if (g->function_count && !names(g, tool->way.function))
            continue;
        found++;
        rc = add(t, to, tool);
    }
    if (rc || (all && (!g->function_count || found == g->function_count)))
        return rc;
    return refuse(
        t, nk_arena_printf(
               t->arena,
               "The action group \"%.*s\" is not registered for inline agents, or has not "
               "all of these functions; only groups with customControl can be brought along.",
               NK_FMT(nk_str_sub(g->name, 0, 128))));
}

/* A function that the client runs. What somebody approved of it counts more than what the client says. */
static int take_brought(struct nk_txn *t, const struct nk_agent_group *g,
                        const struct nk_config_action *action, const struct nk_agent_function *f,
                        struct nk_agent *to)
{
    struct nk_str full = nk_arena_printf(t->arena, "client___%.*s", NK_FMT(f->name));
    const struct nk_tool *known = full.p ? nk_tools_find(t->setup->tools, full) : NULL;
    struct gate_agent_tool tool = {.action = action,
                                   .way = {g->name, f->name, {NULL, 0}, {NULL, 0}},
                                   .full = full,
                                   .upstream = SIZE_MAX,
                                   .tool = known,
                                   .confirms = f->confirms,
                                   .description = f->description,
                                   .schema = f->schema};
    if (!full.p)
        return no_memory(t);
    if (known && known->input) {
        tool.description = known->description;
        tool.schema = nk_json_span(nk_schema_document(known->input), 0);
    }
    return add(t, to, &tool);
}

static int take_group(struct nk_txn *t, const struct nk_agent *own, const struct nk_agent_group *g,
                      struct nk_agent *to)
{
    struct nk_config_action *action = nk_arena_alloc(t->arena, sizeof *action);
    int rc = 0;
    if (!g->returns)
        return take_registered(t, own, g, to);
    if (!action)
        return no_memory(t);
    *action = (struct nk_config_action){.name = g->name, .form = NK_STR("control")};
    for (size_t i = 0; i < g->function_count && !rc; i++)
        rc = take_brought(t, g, action, &g->functions[i], to);
    return rc;
}

/* The facts of the decision: what the client chose. */
static int describe(struct nk_txn *t, const struct nk_agent *g)
{
    struct nk_call *c = &t->state->call;
    struct nk_tool_use *tools = nk_arena_array(t->arena, g->tool_count + 1, sizeof *tools);
    for (size_t i = 0; tools && i < g->tool_count; i++)
        tools[i].name = g->tools[i].full;
    c->tools = tools;
    c->tool_count = tools ? g->tool_count : 0;
    return tools ? 0 : no_memory(t);
}

static int find_model(struct nk_txn *t, struct nk_str name, struct nk_agent *to)
{
    to->model = nk_map_get(&t->setup->models, name);
    if (!to->model)
        return gate_refuse(t, NK_REFUSAL_unknown_model, "locate",
                           nk_arena_printf(t->arena, "\"%.*s\"", NK_FMT(nk_str_sub(name, 0, 128))),
                           NK_STR("the configuration declares no such model"));
    return nk_model_speaks(to->model->dialect)
               ? 0
               : refuse(t, NK_STR("That model cannot be talked to by an agent."));
}

int gate_agent_take_brought(struct nk_txn *t, struct nk_str session)
{
    struct gate_drive_agent *d = t->state->drive;
    const struct nk_agent_brought *b = nk_agent_call(&t->state->call)->brought;
    const struct nk_agent *own = gate_agent_inline(t->setup);
    struct nk_agent *g = nk_arena_alloc(t->arena, sizeof *g);
    struct nk_config_agent *c = nk_arena_alloc(t->arena, sizeof *c);
    size_t n = own->tool_count; /* each once */
    for (size_t i = 0; i < b->group_count; i++)
        n += b->groups[i].returns ? b->groups[i].function_count : 0;
    if (!g || !c)
        return no_memory(t);
    *c = *own->config;
    c->instruction = b->instruction;
    *g = (struct nk_agent){.config = c, .tools = nk_arena_array(t->arena, n + 1, sizeof *g->tools)};
    int rc = g->tools ? find_model(t, b->model, g) : no_memory(t);
    for (size_t i = 0; i < b->group_count && !rc; i++)
        rc = take_group(t, own, &b->groups[i], g);
    if (!rc)
        rc = describe(t, g);
    d->agent = g;
    d->who = (struct nk_agent_who){c->name, nobody, nobody, session, true};
    return rc;
}
