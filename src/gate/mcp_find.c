/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_find.c - which generation a server speaks, where the configuration does not say it (mcp_revision: any) and a client of 2026-07-28
 * asks. Its request goes out as it is. A server that has sessions alone refuses that in one way or another; then it is found out as
 * the specification has it for clients (2026-07-28, basic, versioning):
 *
 *   server/discover   each server of 2026-07-28 answers it
 *   initialize        what does not may begin a session
 *
 * One that does either is known for ten minutes; of one that does neither the first answer stands, asked for again. A request
 * that was refused for its form was not carried out, so nothing happens twice.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_round.h"

enum { KNOWN_MS = 10 * 60 * 1000, HEADERS = 8 };

static struct nk_mcp_spoken *known(const struct nk_txn *t, size_t server)
{
    return &t->setup->mcp_kept->spoken[gate_mcp(t)->endpoint->upstreams[server]];
}

unsigned gate_mcp_known_old(const struct nk_txn *t)
{
    unsigned bits = 0;
    for (size_t i = 0; i < gate_mcp(t)->endpoint->config->server_count; i++) {
        const struct nk_mcp_spoken *k = known(t, i);
        bits |= (k->is_old && k->until_ms > t->state->now_ms ? 1U : 0U) << i;
    }
    return bits;
}

bool gate_mcp_is_unknown(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    return m->is_new && m->message.id.p && known(t, m->server)->until_ms <= t->state->now_ms &&
           nk_str_eq(gate_mcp_upstream(t)->mcp_revision, NK_STR("any"));
}

static void remember(struct nk_txn *t, bool is_old)
{
    *known(t, gate_mcp(t)->server) =
        (struct nk_mcp_spoken){.until_ms = t->state->now_ms + KNOWN_MS, .is_old = is_old};
}

/* Does it list revisions with sessions, and none without? */
static bool lists_old(const struct nk_json *doc, uint32_t list, struct nk_arena *a)
{
    bool is_old = false;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        enum nk_mcp_revision r = nk_mcp_revision(nk_json_string(doc, i, a));
        if (r == NK_MCP_2026_07_28)
            return false;
        is_old |= r != NK_MCP_UNKNOWN;
    }
    return is_old;
}

/* Only 2026-07-28 has these errors; a server that knows them says so, even if it does not speak that with us. */
static bool is_modern(struct nk_txn *t, struct nk_str text)
{
    struct nk_json doc;
    struct nk_mcp_message m;
    struct nk_fault f = {0};
    int64_t code;
    if (!text.n ||
        gate_read_json(t, text, t->setup->config.limits.reply_bytes, t->scratch, &doc, &f) ||
        nk_mcp_read(&doc, t->scratch, &m, &f) || m.kind != NK_MCP_ERROR ||
        nk_mcp_error_code(&m, &code))
        return false;
    uint32_t data = nk_json_get(&doc, m.error, NK_STR("data"));
    if (code == NK_MCP_NO_VERSION)
        return !lists_old(&doc, nk_json_get(&doc, data, NK_STR("supported")), t->scratch);
    return code == NK_MCP_HEADER_MISMATCH || code == NK_MCP_NO_CAPABILITY;
}

static bool is_result(struct nk_txn *t, struct nk_str text, struct nk_mcp_message *m)
{
    struct nk_json doc;
    struct nk_fault f = {0};
    return text.n &&
           !gate_read_json(t, text, t->setup->config.limits.reply_bytes, t->scratch, &doc, &f) &&
           !nk_mcp_read(&doc, t->scratch, m, &f) && m->kind == NK_MCP_RESULT;
}

bool gate_mcp_may_find(struct nk_txn *t, int status, struct nk_str text)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_mcp_message said;
    bool refuses = status == 400 || status == 404 || status == 405 ||
                   (status == 200 && m->ask.op == NK_MCP_DISCOVER && !is_result(t, text, &said));
    return refuses && m->bridge && !m->bridge->is_tried && !gate_mcp_is_bridged(t, m->server) &&
           gate_mcp_is_unknown(t) && !is_modern(t, text);
}

void gate_mcp_found(struct nk_txn *t, bool is_old)
{
    struct gate_mcp *m = gate_mcp(t);
    struct gate_mcp_bridge *b = m->bridge;
    bool says_any = nk_str_eq(gate_mcp_upstream(t)->mcp_revision, NK_STR("any"));
    if (is_old && says_any)
        remember(t, true);
    if (!is_old && says_any)
        known(t, m->server)->until_ms = 0;
    if (!is_old && b->is_guess) { /* it goes on as it came */
        m->old &= ~(1U << m->server);
        m->body = b->first_body;
        b->call = b->first;
    }
    b->is_guess = false;
}

static unsigned go_on(struct nk_txn *t)
{
    struct gate_mcp_bridge *b = gate_mcp(t)->bridge;
    gate_call_resume(t, &b->call);
    return b->then(t, NULL);
}

/* The request as a server with sessions would get it, if it begins one. */
static unsigned try_old(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct gate_mcp_bridge *b = m->bridge;
    b->is_guess = true;
    b->first = b->call;
    b->first_body = m->body;
    m->old |= 1U << m->server;
    if (gate_mcp_check_bridge(t)) {
        unsigned fx = gate_answer_refusal(t);
        return fx | gate_record_outcome(t, "no_method");
    }
    if (gate_mcp_bridge_body(t) || gate_mcp_forward_again(t))
        return b->then(t, "out of memory");
    b->call = t->call;
    return gate_mcp_kept_begin(t);
}

static unsigned on_discover(struct nk_txn *t, const struct gate_mcp_reply *r)
{
    struct nk_mcp_message said;
    if (r->status == 200 && is_result(t, r->text, &said) &&
        nk_json_get(&said.doc, said.result, NK_STR("supportedVersions")) != NK_JSON_NONE) {
        remember(t, false);
        return go_on(t);
    }
    bool refuses = r->status == 200 || r->status == 400 || r->status == 404 || r->status == 405;
    return refuses ? try_old(t) : go_on(t);
}

static int ask(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_str body = nk_arena_printf(
        t->arena,
        "{\"jsonrpc\":\"2.0\",\"id\":\"nakoso\",\"method\":\"server/discover\",\"params\":{%s}}",
        nk_mcp_own_meta);
    if (!body.p)
        return NK_ENOMEM;
    int rc = gate_call_again(t, m->endpoint->upstreams[m->server], "POST",
                             nk_config_mcp_path(gate_mcp_upstream(t)), HEADERS);
    if (rc)
        return rc;
    t->call.about.method = NK_STR("server/discover");
    gate_call_header(t, "accept", NK_STR("application/json, text/event-stream"));
    gate_call_header(t, "accept-encoding", NK_STR("identity"));
    gate_call_header(t, "content-type", NK_STR("application/json"));
    gate_call_header(t, "mcp-protocol-version", nk_mcp_revision_name(NK_MCP_2026_07_28));
    gate_call_header(t, "mcp-method", NK_STR("server/discover"));
    gate_call_body(t, body);
    rc = gate_call_identity(t, (struct nk_str){NULL, 0}, (struct nk_str){NULL, 0});
    return rc ? rc : gate_mcp_exchange(t, NK_STR("\"nakoso\""), on_discover);
}

unsigned gate_mcp_find(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    m->bridge->is_tried = true;
    if (m->ask.op == NK_MCP_DISCOVER)
        return try_old(t);
    return ask(t) ? m->bridge->then(t, "out of memory") : NK_FX_CALL;
}
