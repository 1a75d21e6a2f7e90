/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_session.c - session ids, and the ids of events in streams. Nothing is stored: an id is the sealed text of all that
 * it stands for, so every worker can read it, there is no table that could be full, and it outlives a
 * reload. It is bound to endpoint, server and principal: whoever else holds it holds nothing (MCP
 * 2025-11-25, security best practices, "Session Hijacking").
 *
 *   session   version, revision, end (decimal, Unix milliseconds); of each server revision, capabilities, its own id
 *   event     version, server, operation, ids of the request (the client's; ours, or empty), name of what it is about, what is hidden in its result, the server's
 *             own id of the event; bound to the session as well. A client whose stream broke off asks for what came behind an event: so
 *             the rest of an answer is known for what it is, and filtered as if it had come at once.
 */
#include "gate/bound.h"
#include "gate/mcp_tool.h"

enum { SEALED_MAX = 8192, VERSION = '1', EVENT = '2' };

void gate_mcp_put_part(struct nk_buf *b, struct nk_str part)
{
    gate_put_part(b, part);
}

int gate_mcp_digest(const struct nk_str *parts, size_t n, struct nk_digest *out)
{
    enum { PARTS_MAX = 32 << 10 };
    struct nk_buf b;
    nk_buf_init(&b, PARTS_MAX);
    for (size_t i = 0; i < n; i++)
        gate_mcp_put_part(&b, parts[i]);
    int rc = b.error;
    if (!rc)
        *out = nk_sha256(nk_buf_str(&b));
    nk_buf_free(&b);
    return rc;
}

bool gate_mcp_get_part(struct nk_str *from, struct nk_str *part)
{
    return gate_get_part(from, part);
}

/* With other servers behind the endpoint, or in another order, nothing of before is valid. */
static struct gate_bound bound_to(const struct nk_txn *t, struct nk_str purpose,
                                  struct nk_str session)
{
    const struct nk_config_mcp *e = gate_mcp(t)->endpoint->config;
    return (struct gate_bound){purpose, e->path, session, e->servers, e->server_count};
}

int gate_mcp_seal(const struct nk_txn *t, struct nk_str purpose, struct nk_str session,
                  const struct nk_buf *plain, struct nk_buf *out)
{
    const struct gate_bound to = bound_to(t, purpose, session);
    return gate_bound_seal(t, &to, plain, out);
}

int gate_mcp_unseal(const struct nk_txn *t, struct nk_str purpose, struct nk_str session,
                    struct nk_str text, struct nk_str *out)
{
    const struct gate_bound to = bound_to(t, purpose, session);
    return gate_bound_unseal(t, &to, text, out);
}

static void put_session(const struct gate_mcp_session *s, size_t servers, struct nk_buf *b)
{
    nk_buf_add_char(b, VERSION);
    nk_buf_add_char(b, (char)('0' + s->revision));
    nk_buf_add_i64(b, s->until_ms);
    nk_buf_add_char(b, ' ');
    for (size_t i = 0; i < servers; i++) {
        nk_buf_add_char(b, (char)('0' + s->parts[i].revision));
        nk_buf_add_char(b, s->parts[i].id.p ? '+' : '-');
        nk_buf_add_char(b, (char)('0' + s->parts[i].can));
        gate_mcp_put_part(b, s->parts[i].id);
    }
}

struct nk_str gate_mcp_close(struct nk_txn *t, const struct gate_mcp_session *s)
{
    struct nk_buf plain, text;
    nk_buf_init(&plain, SEALED_MAX);
    nk_buf_init(&text, 2 * SEALED_MAX);
    put_session(s, gate_mcp(t)->endpoint->config->server_count, &plain);
    int rc = gate_mcp_seal(t, NK_STR("session"), NK_STR(""), &plain, &text);
    struct nk_str out = rc ? (struct nk_str){NULL, 0} : nk_arena_copy(t->arena, nk_buf_str(&text));
    nk_buf_free(&plain);
    nk_buf_free(&text);
    return out;
}

static bool get_server(struct nk_str *from, struct gate_mcp_part *out)
{
    struct nk_str rest = nk_str_sub(*from, 3, from->n);
    if (from->n < 3 || !gate_mcp_get_part(&rest, &out->id))
        return false;
    out->revision = (enum nk_mcp_revision)(from->p[0] - '0');
    out->can = (unsigned)(from->p[2] - '0');
    if (from->p[1] == '-')
        out->id.p = NULL;
    *from = rest;
    return true;
}

int gate_mcp_open(struct nk_txn *t, struct nk_str id, struct gate_mcp_session *out)
{
    size_t servers = gate_mcp(t)->endpoint->config->server_count;
    struct nk_str plain;
    int rc = gate_mcp_unseal(t, NK_STR("session"), NK_STR(""), id, &plain);
    if (rc)
        return rc;
    struct nk_str rest = nk_str_sub(plain, 2, plain.n), until = nk_str_cut(&rest, ' ');
    if (plain.n < 3 || plain.p[0] != VERSION || !rest.p)
        return NK_ENOTFOUND;
    *out =
        (struct gate_mcp_session){.revision = (enum nk_mcp_revision)(plain.p[1] - '0'),
                                  .parts = nk_arena_array(t->arena, servers, sizeof *out->parts)};
    if (!out->parts)
        return NK_ENOMEM;
    for (size_t i = 0; i < servers; i++)
        if (!get_server(&rest, &out->parts[i]))
            return NK_ENOTFOUND;
    bool good = !nk_str_to_i64(until, &out->until_ms) && out->until_ms >= t->state->now_ms;
    return good ? 0 : NK_ENOTFOUND;
}

bool gate_mcp_is_there(const struct nk_txn *t, size_t server)
{
    const struct gate_mcp_part *parts = gate_mcp(t)->session.parts;
    return !parts || parts[server].revision != NK_MCP_UNKNOWN;
}

void gate_mcp_choose(struct nk_txn *t, size_t server)
{
    struct gate_mcp *m = gate_mcp(t);
    m->server = server;
    if (!m->session.parts)
        return;
    m->session.id = m->session.parts[server].id;
    m->session.can = m->session.parts[server].can;
}

int gate_mcp_put_event_id(struct nk_txn *t, struct nk_str id, struct nk_buf *out)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_buf plain;
    nk_buf_init(&plain, SEALED_MAX);
    nk_buf_add_char(&plain, EVENT);
    nk_buf_add_u64(&plain, m->server);
    nk_buf_add_char(&plain, ' ');
    gate_mcp_put_part(&plain, nk_str(nk_mcp_endpoint(m->answers)->name));
    gate_mcp_put_part(&plain, m->message.id);
    gate_mcp_put_part(&plain, m->own_id);
    gate_mcp_put_part(&plain, m->name);
    gate_mcp_put_hidden(t, &plain);
    nk_buf_add(&plain, id);
    int rc = gate_mcp_seal(t, NK_STR("event"), m->shown, &plain, out);
    nk_buf_free(&plain);
    return rc;
}

int gate_mcp_resume(struct nk_txn *t, struct nk_str id, struct nk_str *out)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_str plain, op;
    uint64_t server;
    int rc = gate_mcp_unseal(t, NK_STR("event"), m->shown, id, &plain);
    if (rc)
        return rc;
    *out = nk_str_sub(plain, 1, plain.n);
    if (plain.p[0] != EVENT || nk_str_to_u64(nk_str_cut(out, ' '), &server) || !out->p ||
        server >= m->endpoint->config->server_count || !gate_mcp_get_part(out, &op) ||
        !gate_mcp_get_part(out, &m->message.id) || !gate_mcp_get_part(out, &m->own_id) ||
        !gate_mcp_get_part(out, &m->name))
        return NK_ENOTFOUND;
    gate_mcp_choose(t, (size_t)server);
    for (int i = 0; i < NK_MCP_OPS; i++)
        if (nk_str_eq(op, nk_str(nk_mcp_endpoint((enum nk_mcp_op)i)->name)))
            m->answers = (enum nk_mcp_op)i;
    return gate_mcp_get_hidden(t, out);
}
