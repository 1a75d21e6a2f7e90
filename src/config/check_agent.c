/* SPDX-License-Identifier: Apache-2.0
 *
 * check_agent.c - the rules of agents: names that nothing else has, models and upstreams that exist, and each way of
 * calling a tool with what it needs. Whether a tool is registered is looked at when the registry is loaded.
 */
#include "config/table.h"

#include <stdio.h>
#include <string.h>

static const char stage[] = "config";

struct place {
    const struct nk_json *doc;
    struct nk_fault *fault;
    char who[96]; /* "agents[0].actions[1]" */
};

static int wrong(const struct place *p, int code, uint32_t object, const char *key,
                 const char *what)
{
    return nk_fault_set(p->fault, code, stage, nk_config_offset(p->doc, object, key), "%s%s",
                        p->who, what);
}

static bool has_model(const struct nk_config *c, struct nk_str name)
{
    for (size_t i = 0; i < c->model_count; i++)
        if (nk_str_eq(c->models[i].name, name))
            return true;
    return false;
}

static int check_tools(const struct nk_config_action *a, const struct place *p, uint32_t object)
{
    bool rest = nk_str_eq(a->form, NK_STR("rest")), mcp = nk_str_eq(a->form, NK_STR("mcp"));
    for (size_t i = 0; i < a->tool_count; i++) {
        const struct nk_config_agent_tool *t = &a->tools[i];
        uint32_t item = nk_config_item(p->doc, nk_json_get(p->doc, object, NK_STR("tools")), i);
        if (!t->method.p != !t->path.p)
            return wrong(p, NK_EINVAL, item, "name",
                         ".tools: method and path go together; write both or neither");
        if (rest && !t->path.p)
            return wrong(p, NK_EINVAL, item, "name",
                         ".tools: a tool of form rest has method and path");
        if (mcp && t->path.p)
            return wrong(p, NK_EINVAL, item, "path",
                         ".tools: a tool of form mcp has a name alone; leave out method and path");
        if (t->path.p && t->path.p[0] != '/')
            return wrong(p, NK_EINVAL, item, "path", ".tools: a path begins with \"/\"");
        for (size_t j = 0; j < i; j++)
            if (nk_str_eq(t->name, a->tools[j].name))
                return wrong(p, NK_ECONFLICT, item, "name", ".tools: a tool is there twice");
    }
    return 0;
}

static int check_action(const struct nk_config *c, const struct nk_config_action *a,
                        const struct place *p, uint32_t object)
{
    bool control = nk_str_eq(a->form, NK_STR("control"));
    bool mcp = nk_str_eq(a->form, NK_STR("mcp"));
    const struct nk_config_upstream *u =
        a->upstream.p ? nk_config_upstream_named(c, a->upstream) : NULL;
    if (control && a->upstream.p)
        return wrong(p, NK_EINVAL, object, "upstream",
                     ".upstream: of form control nothing is called; leave it out");
    if (!control && !a->upstream.p)
        return wrong(p, NK_EINVAL, object, "name",
                     mcp ? ".upstream is missing; write the name of an upstream of dialect mcp"
                         : ".upstream is missing; write the name of an upstream of dialect http");
    if (!control && !u)
        return wrong(p, NK_ENOTFOUND, object, "upstream",
                     ".upstream: there is no such upstream under `upstreams`");
    if (!control && !nk_str_eq(u->dialect, mcp ? NK_STR("mcp") : NK_STR("http")))
        return wrong(p, NK_EINVAL, object, "upstream",
                     mcp ? ".upstream: an upstream of dialect mcp is expected here"
                         : ".upstream: an upstream of dialect http is expected here");
    if (a->path.p && a->path.p[0] != '/')
        return wrong(p, NK_EINVAL, object, "path", ".path begins with \"/\"");
    return check_tools(a, p, object);
}

static int check_actions(const struct nk_config *c, const struct nk_config_agent *g,
                         struct place *p, uint32_t object)
{
    size_t n = strlen(p->who);
    for (size_t i = 0; i < g->action_count; i++) {
        uint32_t item = nk_config_item(p->doc, nk_json_get(p->doc, object, NK_STR("actions")), i);
        snprintf(p->who + n, sizeof p->who - n, ".actions[%zu]", i);
        for (size_t j = 0; j < i; j++)
            if (nk_str_eq(g->actions[i].name, g->actions[j].name))
                return wrong(p, NK_ECONFLICT, item, "name",
                             ".name is already that of another action group");
        int rc = check_action(c, &g->actions[i], p, item);
        if (rc)
            return rc;
    }
    return 0;
}

static int check_kind(const struct nk_config *c, size_t i, const struct place *p, uint32_t item)
{
    const struct nk_config_agent *g = &c->agents[i];
    bool given = g->id.p || g->model.p || g->instruction.p;
    if (g->is_inline && given)
        return wrong(p, NK_EINVAL, item, "inline",
                     ": clients of an inline agent bring model and instruction; leave out id, "
                     "model and instruction");
    if (!g->is_inline && !(g->id.p && g->model.p && g->instruction.p))
        return wrong(p, NK_EINVAL, item, "name",
                     ": an agent has id, model and instruction; write all of them");
    for (size_t j = 0; j < i; j++)
        if (g->is_inline && c->agents[j].is_inline)
            return wrong(p, NK_ECONFLICT, item, "inline", ": there is an inline agent already");
    return 0;
}

int nk_config_check_agents(const struct nk_config *c, const struct nk_json *doc, struct nk_fault *f)
{
    struct place p = {.doc = doc, .fault = f};
    for (size_t i = 0; i < c->agent_count; i++) {
        const struct nk_config_agent *g = &c->agents[i];
        uint32_t item = nk_config_item(doc, nk_json_get(doc, 0, NK_STR("agents")), i);
        snprintf(p.who, sizeof p.who, "agents[%zu]", i);
        if (c->workers > 1)
            return wrong(&p, NK_EINVAL, item, "name",
                         ": conversations are remembered by one gate; write `workers: 1`");
        int rc = check_kind(c, i, &p, item);
        if (rc)
            return rc;
        if (!g->is_inline && !has_model(c, g->model))
            return wrong(&p, NK_ENOTFOUND, item, "model",
                         ".model: there is no such model under `models`");
        for (size_t j = 0; j < i; j++)
            if (nk_str_eq(g->name, c->agents[j].name) ||
                (g->id.p && nk_str_eq(g->id, c->agents[j].id) &&
                 nk_str_eq(g->alias, c->agents[j].alias)))
                return wrong(&p, NK_ECONFLICT, item, "name",
                             " has the name, or id and alias, of another agent");
        rc = check_actions(c, g, &p, item);
        if (rc)
            return rc;
    }
    return 0;
}
