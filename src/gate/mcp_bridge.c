/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_bridge.c - see mcp_bridge.h: which messages cross, and what becomes of them.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_streams.h"

#include "proto/mcp_bridge.h"

enum { EXTRA = 4096 };

static bool speaks(const struct nk_config_upstream *u, enum nk_mcp_revision r)
{
    return nk_str_eq(u->mcp_revision, nk_mcp_revision_name(r));
}

static const struct nk_config_upstream *upstream(const struct nk_txn *t, size_t server)
{
    return &t->setup->config.upstreams[gate_mcp(t)->endpoint->upstreams[server]];
}

bool gate_mcp_is_bridged(const struct nk_txn *t, size_t server)
{
    const struct gate_mcp *m = gate_mcp(t);
    if (!m->is_new && m->session.parts &&
        m->session.parts[server].revision == NK_MCP_2026_07_28) /* found when the session began */
        return true;
    if (m->is_new && m->old >> server & 1) /* found lately, or now */
        return true;
    return speaks(upstream(t, server), m->is_new ? NK_MCP_2025_11_25 : NK_MCP_2026_07_28);
}

bool gate_mcp_speaks_new(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    return gate_mcp_is_bridged(t, m->server) ? !m->is_new : m->is_new;
}

int gate_mcp_check_bridge(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    enum nk_mcp_op op = m->ask.op;
    bool is_lost = op == NK_MCP_STREAM || op == NK_MCP_LISTEN || op == NK_MCP_SUBSCRIBE ||
                   op == NK_MCP_UNSUBSCRIBE || op == NK_MCP_OTHER ||
                   (op == NK_MCP_SET_LEVEL && m->endpoint->config->server_count == 1);
    bool is_there =
        gate_mcp_is_streams(t) ? gate_mcp_has_streams(t) : !gate_mcp_is_bridged(t, m->server);
    if (!is_lost || is_there)
        return 0;
    return gate_mcp_refuse(t, m->is_new ? NK_REFUSAL_no_method : NK_REFUSAL_not_translated,
                           NK_MCP_NO_METHOD, "locate", NK_STR(""));
}

bool gate_mcp_may_learn(const struct nk_txn *t, int status)
{
    const struct gate_mcp *m = gate_mcp(t);
    bool is_refusal = status == 200 || status == 400 || status == 404 || status == 405;
    return is_refusal && m->ask.op == NK_MCP_INITIALIZE && !gate_mcp_is_bridged(t, m->server) &&
           nk_str_eq(gate_mcp_upstream(t)->mcp_revision, NK_STR("any"));
}

/* Requests --------------------------------------------------------------------------------------
 */
unsigned gate_mcp_offers(const struct nk_txn *t)
{
    unsigned can = gate_mcp(t)->session.can, all = GATE_MCP_SAMPLE | GATE_MCP_ROOTS;
    return can & (can & GATE_MCP_PERSON ? all | GATE_MCP_ELICIT : all);
}

struct nk_str gate_mcp_abilities(const struct nk_txn *t)
{
    static const char *const texts[] = {
        "{}",
        "{\"sampling\":{}}",
        "{\"elicitation\":{\"form\":{}}}",
        "{\"sampling\":{},\"elicitation\":{\"form\":{}}}",
        "{\"roots\":{}}",
        "{\"sampling\":{},\"roots\":{}}",
        "{\"elicitation\":{\"form\":{}},\"roots\":{}}",
        "{\"sampling\":{},\"elicitation\":{\"form\":{}},\"roots\":{}}",
    };
    return nk_str(texts[gate_mcp_offers(t)]);
}

static int write_discover(struct nk_txn *t, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    nk_buf_add(out, gate_mcp(t)->message.id);
    nk_buf_add(out, NK_STR(",\"method\":\"server/discover\",\"params\":"));
    int rc = nk_mcp_put_new_params(&gate_mcp(t)->message.doc, NK_JSON_NONE, gate_mcp_abilities(t),
                                   t->scratch, out);
    nk_buf_add_char(out, '}');
    return rc;
}

/* The edits of a message, by their places. */
struct edits {
    struct nk_json_edit list[2];
    size_t n;
};

static void add_edit(struct edits *e, struct nk_json_edit one)
{
    size_t i = e->n++;
    for (; i > 0 && e->list[i - 1].start > one.start; i--)
        e->list[i] = e->list[i - 1];
    e->list[i] = one;
}

static void edit_id(struct edits *e, const struct nk_json *doc, struct nk_str id)
{
    uint32_t at = nk_json_get(doc, 0, NK_STR("id"));
    if (at != NK_JSON_NONE)
        add_edit(e, (struct nk_json_edit){doc->tape[at].start, doc->tape[at].end, id});
}

static int write_params(struct nk_txn *t, struct nk_buf *out)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_json doc;
    struct nk_fault f = {0};
    struct nk_buf params;
    struct edits edits = {.n = 0};
    int rc = gate_read_json(t, m->body, (int64_t)m->body.n, t->scratch, &doc, &f);
    if (rc)
        return rc;
    uint32_t at = nk_json_get(&doc, 0, NK_STR("params"));
    nk_buf_init(&params, m->body.n + EXTRA);
    if (at == NK_JSON_NONE)
        nk_buf_add(&params, NK_STR("\"params\":"));
    rc = m->is_new ? nk_mcp_put_old_params(&doc, at, t->scratch, &params)
                   : nk_mcp_put_new_params(&doc, at, gate_mcp_abilities(t), t->scratch, &params);
    if (at == NK_JSON_NONE)
        nk_buf_add_char(&params, ',');
    uint32_t inside = doc.tape[0].start + 1;
    add_edit(&edits, (struct nk_json_edit){at == NK_JSON_NONE ? inside : doc.tape[at].start,
                                           at == NK_JSON_NONE ? inside : doc.tape[at].end,
                                           nk_buf_str(&params)});
    if (m->is_new && m->message.kind == NK_MCP_REQUEST) { /* it may not have been known before */
        rc = rc ? rc : gate_mcp_name_id(t);
        edit_id(&edits, &doc, m->own_id);
    }
    if (!rc)
        rc = params.error ? params.error : nk_json_splice(m->body, edits.list, edits.n, out);
    nk_buf_free(&params);
    return rc;
}

int gate_mcp_bridge_body(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_buf out;
    nk_buf_init(&out, 2 * m->body.n + EXTRA);
    int rc = m->ask.op == NK_MCP_INITIALIZE ? write_discover(t, &out) : write_params(t, &out);
    if (!rc)
        m->body = nk_arena_copy(t->arena, nk_buf_str(&out));
    nk_buf_free(&out);
    return rc ? rc : m->body.p ? 0 : NK_ENOMEM;
}

/* Answers ---------------------------------------------------------------------------------------
 */
static int put_error(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                     struct nk_str *out)
{
    uint32_t at = nk_json_get(&m->doc, m->error, NK_STR("code"));
    struct edits edits = {.n = 0};
    struct nk_buf whole;
    int64_t code;
    if (!gate_mcp(t)->is_new || nk_json_i64(&m->doc, at, &code) || nk_mcp_new_code(code) == code)
        return 0;
    struct nk_str with = nk_arena_printf(a, "%lld", (long long)nk_mcp_new_code(code));
    add_edit(&edits, (struct nk_json_edit){m->doc.tape[at].start, m->doc.tape[at].end, with});
    nk_buf_init(&whole, m->doc.text.n + EXTRA);
    int rc = nk_json_splice(m->doc.text, edits.list, edits.n, &whole);
    if (!rc)
        *out = nk_arena_copy(a, nk_buf_str(&whole));
    nk_buf_free(&whole);
    return rc ? rc : out->p ? 0 : NK_ENOMEM;
}

static int put_result(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                      struct nk_str *out, struct nk_fault *f)
{
    struct nk_buf result, whole;
    struct edits edits = {.n = 0};
    nk_buf_init(&result, m->doc.text.n + EXTRA);
    nk_buf_init(&whole, m->doc.text.n + EXTRA);
    int rc = gate_mcp(t)->is_new
                 ? nk_mcp_put_new_result(&m->doc, m->result, gate_mcp(t)->answers, a, &result)
                 : nk_mcp_put_old_result(&m->doc, m->result, a, &result);
    add_edit(&edits, (struct nk_json_edit){m->doc.tape[m->result].start, m->doc.tape[m->result].end,
                                           nk_buf_str(&result)});
    if (!rc)
        rc = nk_json_splice(m->doc.text, edits.list, edits.n, &whole);
    if (!rc)
        *out = nk_arena_copy(a, nk_buf_str(&whole));
    nk_buf_free(&result);
    nk_buf_free(&whole);
    if (rc == NK_EUNSUPPORTED)
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "the server asks a client that cannot answer");
    return rc ? rc : out->p ? 0 : NK_ENOMEM;
}

int gate_mcp_bridge_answer(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                           struct nk_str *out, struct nk_fault *f)
{
    struct nk_mcp_message again = *m;
    struct nk_json doc;
    int rc = 0;
    if (!gate_mcp_is_bridged(t, gate_mcp(t)->server))
        return 0;
    if (out->p) {
        rc = gate_read_json(t, *out, t->setup->config.limits.reply_bytes, a, &doc, f);
        if (!rc)
            rc = nk_mcp_read(&doc, a, &again, f);
    }
    if (rc)
        return rc;
    return again.kind == NK_MCP_RESULT ? put_result(t, &again, a, out, f)
                                       : put_error(t, &again, a, out);
}

bool gate_mcp_is_lost(const struct nk_txn *t, const struct nk_mcp_message *m)
{
    if (!gate_mcp(t)->is_new || !gate_mcp_is_bridged(t, gate_mcp(t)->server))
        return false;
    if (m->kind == NK_MCP_REQUEST)
        return nk_str_eq(m->method, NK_STR("ping"));
    return m->kind == NK_MCP_NOTIFICATION &&
           !nk_str_eq(m->method, NK_STR("notifications/progress"));
}
