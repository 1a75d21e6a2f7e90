/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_kept.c - sessions at servers for clients that have none (mcp_bridge.h). A server may know its callers by the session, so one
 * principal's is never another's, nor that of somebody who acts for him. It is told what the client of the request can do, so clients that
 * can do different things have different sessions. It is begun between the decision and the call, as exchanges of that call.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_park.h"
#include "gate/mcp_round.h"

enum { IDLE_MS = 10 * 60 * 1000, HEADERS = 8 };

static const char initialized[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";

/* The table -------------------------------------------------------------------------------------
 */
static int whose(const struct nk_txn *t, struct nk_digest *out)
{
    const struct nk_principal *p = t->state->principal;
    struct nk_digest who = nk_principal_digest(p);
    const struct nk_str parts[] = {gate_mcp(t)->endpoint->config->path,
                                   gate_mcp_upstream(t)->name,
                                   {(const char *)who.b, sizeof who.b},
                                   gate_mcp_abilities(t)};
    return gate_mcp_digest(parts, NK_COUNT(parts), out);
}

/* The place of this principal's session, or else of the one that was not used for longest. */
static size_t place(const struct nk_txn *t, const struct nk_digest *who)
{
    const struct nk_mcp_kept *k = t->setup->mcp_kept;
    size_t at = 0;
    for (size_t i = 0; i < GATE_MCP_KEPT; i++) {
        if (k->list[i].until_ms && nk_digest_eq(k->list[i].whose, *who))
            return i;
        if (k->list[i].until_ms < k->list[at].until_ms)
            at = i;
    }
    return at;
}

static bool find(struct nk_txn *t)
{
    struct nk_mcp_kept *k = t->setup->mcp_kept;
    struct gate_mcp *m = gate_mcp(t);
    struct nk_digest who;
    if (whose(t, &who))
        return false;
    size_t i = place(t, &who);
    if (!nk_digest_eq(k->list[i].whose, who) || k->list[i].until_ms <= t->state->now_ms)
        return false;
    k->list[i].until_ms = t->state->now_ms + IDLE_MS;
    m->bridge->revision = k->list[i].revision;
    m->bridge->about =
        nk_arena_copy(t->arena, (struct nk_str){k->list[i].about, k->list[i].about_size});
    m->session.id = nk_arena_copy(t->arena, (struct nk_str){k->list[i].id, k->list[i].id_size});
    if (!k->list[i].id_size)
        m->session.id.p = NULL;
    return m->bridge->about.p && (m->session.id.p || !k->list[i].id_size);
}

static void keep(struct nk_txn *t)
{
    struct nk_mcp_kept *k = t->setup->mcp_kept;
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_digest who;
    if (m->session.id.n > GATE_MCP_KEPT_ID || whose(t, &who))
        return;
    size_t i = place(t, &who);
    struct nk_str about = m->bridge->about;
    if (about.n > GATE_MCP_KEPT_ABOUT)
        about.n = 0;
    k->list[i].whose = who;
    k->list[i].until_ms = t->state->now_ms + IDLE_MS;
    k->list[i].revision = m->bridge->revision;
    k->list[i].id_size = (uint16_t)m->session.id.n;
    k->list[i].about_size = (uint16_t)about.n;
    for (size_t j = 0; j < m->session.id.n; j++)
        k->list[i].id[j] = m->session.id.p[j];
    for (size_t j = 0; j < about.n; j++)
        k->list[i].about[j] = about.p[j];
}

static void forget(struct nk_txn *t)
{
    struct nk_mcp_kept *k = t->setup->mcp_kept;
    struct nk_digest who;
    if (whose(t, &who))
        return;
    size_t i = place(t, &who);
    if (nk_digest_eq(k->list[i].whose, who))
        k->list[i].until_ms = 0;
}

/* Beginning -------------------------------------------------------------------------------------
 */
static void put_session(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    gate_call_header(t, "mcp-protocol-version", nk_mcp_revision_name(m->bridge->revision));
    if (m->session.id.p)
        gate_call_header(t, "mcp-session-id", m->session.id);
}

static unsigned cross(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    gate_mcp_found(t, true);
    gate_call_resume(t, &m->bridge->call);
    put_session(t);
    return m->ask.op == NK_MCP_DISCOVER && !m->round ? gate_mcp_round_late(t)
                                                     : m->bridge->then(t, NULL);
}

int gate_mcp_kept_send(struct nk_txn *t, struct nk_str body, struct nk_str id,
                       unsigned (*then)(struct nk_txn *t, const struct gate_mcp_reply *r))
{
    const struct gate_mcp *m = gate_mcp(t);
    int rc = gate_call_again(t, m->endpoint->upstreams[m->server], "POST",
                             nk_config_mcp_path(gate_mcp_upstream(t)), HEADERS);
    if (rc)
        return rc;
    gate_call_header(t, "accept", NK_STR("application/json, text/event-stream"));
    gate_call_header(t, "accept-encoding", NK_STR("identity"));
    gate_call_header(t, "content-type", NK_STR("application/json"));
    if (m->bridge->revision)
        put_session(t);
    gate_call_body(t, body);
    rc = gate_call_identity(t, (struct nk_str){NULL, 0}, (struct nk_str){NULL, 0});
    return rc ? rc : gate_mcp_exchange(t, id, then);
}

static unsigned failed(struct nk_txn *t, const char *why)
{
    struct gate_mcp *m = gate_mcp(t);
    bool is_guess = m->bridge->is_guess;
    gate_mcp_found(t, false);
    gate_call_resume(t, &m->bridge->call);
    return m->bridge->then(t, is_guess ? NULL : why);
}

static unsigned on_initialized(struct nk_txn *t, const struct gate_mcp_reply *r)
{
    if (r->status < 200 || r->status >= 300 || r->why)
        return failed(t, "the server does not begin its session");
    keep(t);
    return cross(t);
}

static unsigned on_initialize(struct nk_txn *t, const struct gate_mcp_reply *r)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_mcp_message said;
    struct nk_json doc;
    struct nk_fault f = {0};
    if (r->status != 200 || r->why)
        return failed(t, r->why ? r->why : "the server begins no session");
    if (gate_read_json(t, r->text, t->setup->config.limits.reply_bytes, t->scratch, &doc, &f) ||
        nk_mcp_read(&doc, t->scratch, &said, &f) || said.kind != NK_MCP_RESULT)
        return failed(t, "the server begins no session");
    uint32_t at = nk_json_get(&doc, said.result, NK_STR("protocolVersion"));
    m->bridge->revision = nk_mcp_revision(nk_json_string(&doc, at, t->scratch));
    if (!m->bridge->revision || m->bridge->revision == NK_MCP_2026_07_28)
        return failed(t, "the server speaks no known revision");
    m->bridge->about = r->text;
    m->session.id = r->session;
    return gate_mcp_kept_send(t, nk_str(initialized), (struct nk_str){NULL, 0}, on_initialized)
               ? failed(t, "out of memory")
               : NK_FX_CALL;
}

static unsigned begin(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    m->session.id = (struct nk_str){NULL, 0};
    m->bridge->revision = NK_MCP_UNKNOWN;
    struct nk_str initialize = nk_arena_printf(
        t->arena,
        "{\"jsonrpc\":\"2.0\",\"id\":\"nakoso\",\"method\":\"initialize\",\"params\":{"
        "\"protocolVersion\":\"2025-11-25\",\"capabilities\":%.*s,%s}}",
        NK_FMT(gate_mcp_abilities(t)), nk_mcp_own_client);
    return !initialize.p || gate_mcp_kept_send(t, initialize, NK_STR("\"nakoso\""), on_initialize)
               ? failed(t, "out of memory")
               : NK_FX_CALL;
}

unsigned gate_mcp_cross(struct nk_txn *t, gate_mcp_crossed *then)
{
    struct gate_mcp *m = gate_mcp(t);
    bool is_bridged = gate_mcp_is_bridged(t, m->server);
    if (!m->is_new || (!is_bridged && !gate_mcp_is_unknown(t)))
        return then(t, NULL);
    m->bridge = nk_arena_alloc(t->arena, sizeof *m->bridge);
    if (!m->bridge)
        return then(t, "out of memory");
    *m->bridge = (struct gate_mcp_bridge){.then = then, .call = t->call};
    if (!m->round && gate_mcp_digest_call(t, &m->bridge->asks))
        return then(t, "out of memory");
    if (m->park)
        return gate_mcp_join(t);
    return is_bridged ? gate_mcp_kept_begin(t) : then(t, NULL);
}

unsigned gate_mcp_kept_begin(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    if (find(t) && (m->ask.op != NK_MCP_DISCOVER || m->bridge->about.n))
        return cross(t);
    return begin(t);
}

bool gate_mcp_may_renew(const struct nk_txn *t)
{
    const struct gate_mcp_bridge *b = gate_mcp(t)->bridge;
    return b && !b->is_renewed && gate_mcp(t)->session.id.p;
}

unsigned gate_mcp_renew(struct nk_txn *t)
{
    gate_mcp(t)->bridge->is_renewed = true;
    forget(t);
    return begin(t);
}
