/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp.c - see mcp.h. Who gets in at all: door.h.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_park.h"
#include "gate/mcp_pin.h"
#include "gate/mcp_streams.h"
#include "gate/mcp_tool.h"
#include "gate/mcp_wait.h"
#include "gate/oauth.h"

static struct gate_door door_of(const struct nk_config_mcp *m)
{
    return (struct gate_door){.hosts = m->hosts,
                              .host_count = m->host_count,
                              .origins = m->origins,
                              .origin_count = m->origin_count,
                              .resource = m->resource,
                              .issuers = m->issuers,
                              .issuer_count = m->issuer_count,
                              .scopes = m->scopes,
                              .scope_count = m->scope_count};
}

int gate_mcp_load(struct nk_setup *s, const struct nk_setup_input *in, struct nk_fault *f)
{
    s->mcp = nk_arena_array(&s->arena, s->config.mcp_count + 1, sizeof *s->mcp);
    if (!s->mcp)
        return NK_ENOMEM;
    for (size_t i = 0; i < s->config.mcp_count; i++) {
        struct nk_mcp *m = &s->mcp[i];
        m->config = &s->config.mcp[i];
        for (size_t j = 0; j < m->config->server_count; j++)
            m->upstreams[j] = nk_config_upstream_index(&s->config, m->config->servers[j].text);
        struct gate_door door = door_of(m->config);
        int rc = gate_oauth_new(&door, &s->arena, &m->oauth);
        if (rc)
            return rc;
    }
    if ((s->config.mcp_count || s->config.a2a_count) && in->sessions.n < 32)
        return nk_fault_set(f, NK_EINVAL, "config", 0,
                            "session_secret: a secret of 32 bytes or more is needed");
    s->mcp_seen = nk_arena_alloc(&s->arena, sizeof *s->mcp_seen);
    s->mcp_kept = nk_arena_alloc(&s->arena, s->config.mcp_count ? sizeof *s->mcp_kept : 1);
    s->approvals = nk_arena_alloc(&s->arena, sizeof *s->approvals);
    if (!s->mcp_seen || !s->mcp_kept || !s->approvals)
        return NK_ENOMEM;
    if (s->config.mcp_count)
        s->mcp_kept->spoken =
            nk_arena_array(&s->arena, s->config.upstream_count, sizeof *s->mcp_kept->spoken);
    if (s->config.mcp_count && !s->mcp_kept->spoken)
        return NK_ENOMEM;
    s->session_key = nk_seal_key(in->sessions, NK_STR("nakoso mcp session"));
    return s->config.mcp_count ? nk_approvals_read(in->tools, &s->arena, s->approvals, f) : 0;
}

static enum nk_mcp_op op_of(struct nk_str method)
{
    if (nk_str_eq(method, NK_STR("POST")))
        return NK_MCP_POST;
    if (nk_str_eq(method, NK_STR("GET")))
        return NK_MCP_STREAM;
    return nk_str_eq(method, NK_STR("DELETE")) ? NK_MCP_END : NK_MCP_OPS;
}

int gate_mcp_match(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    for (size_t i = 0; i < t->setup->config.mcp_count; i++) {
        const struct nk_mcp *e = &t->setup->mcp[i];
        enum nk_mcp_op op = op_of(s->head->method);
        if (op == NK_MCP_OPS || !nk_str_eq(s->head->target, e->config->path))
            continue;
        struct gate_mcp *m = nk_arena_alloc(t->arena, sizeof *m);
        s->dialect = nk_mcp_dialect();
        s->call.endpoint = nk_mcp_endpoint(op);
        if (!m)
            return gate_refuse(t, NK_REFUSAL_out_of_memory, "match", NK_STR(""), NK_STR(""));
        m->endpoint = e;
        s->oauth = e->oauth;
        m->ask.op = op;
        s->drive = m;
        struct gate_door door = door_of(e->config);
        if (!gate_door_knows(&door, s->head))
            return gate_refuse(t, NK_REFUSAL_unknown_origin, "match", NK_STR(""), NK_STR(""));
        break;
    }
    return 0;
}

int gate_mcp_refuse(struct nk_txn *t, enum nk_refusal_id id, int code, const char *stage,
                    struct nk_str detail)
{
    if (t->state->refusal.id == NK_REFUSAL_NONE)
        t->state->call.code_number = code;
    return gate_refuse(t, id, stage, detail, NK_STR(""));
}

bool gate_mcp_is_shared_list(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    enum nk_mcp_op op = m->ask.op;
    return m->endpoint->config->server_count > 1 &&
           (op == NK_MCP_LIST_TOOLS || op == NK_MCP_LIST_PROMPTS || op == NK_MCP_LIST_RESOURCES ||
            op == NK_MCP_LIST_TEMPLATES);
}

struct nk_str gate_mcp_name(const struct nk_txn *t, struct nk_str name, struct nk_arena *a)
{
    const struct gate_mcp *m = gate_mcp(t);
    if (m->endpoint->config->is_bare)
        return name;
    return nk_arena_printf(a, "%.*s___%.*s", NK_FMT(m->endpoint->config->servers[m->server].text),
                           NK_FMT(name));
}

unsigned gate_mcp_crossed_over(struct nk_txn *t, const char *why)
{
    return why ? gate_answer_failed(t, NK_REFUSAL_upstream_failed, nk_str(why)) : NK_FX_CALL;
}

static unsigned start(struct nk_txn *t)
{
    if (gate_mcp_ask(t))
        return gate_refused(t);
    if (gate_mcp(t)->ask.op == NK_MCP_CALL_TOOL)
        return gate_mcp_call_tool(t);
    if (gate_mcp_is_reply(t))
        return gate_mcp_tell(t);
    unsigned fx = gate_mcp_cancel(t);
    if (gate_mcp_is_streams(t))
        return fx | gate_mcp_streams(t);
    if (gate_mcp_is_round(t))
        return fx | gate_mcp_round(t);
    if (gate_mcp_forward(t))
        return gate_refused(t);
    fx |= gate_record_decision(t);
    return fx | gate_mcp_cross(t, gate_mcp_crossed_over);
}

void gate_mcp_free_all(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    if (!m)
        return;
    if (m->park)
        gate_mcp_park_free(t);
    gate_mcp_free(t);
    gate_mcp_streams_free(t);
}

const struct gate_driver gate_mcp_driver = {
    .name = "mcp",
    .start = start,
    .head = gate_mcp_head,
    .data = gate_mcp_data,
    .end = gate_mcp_end,
    .fail = gate_receive_fail,
    .wake = gate_mcp_wake,
    .told = gate_mcp_told,
    .free = gate_mcp_free_all,
};
