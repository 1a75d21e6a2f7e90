/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_session.c - session ids. Nothing is stored: an id is the sealed text of all that it stands for, so every worker
 * can read every session, there is no table that could be full, and a session outlives a reload. It is bound to the
 * endpoint and to the principal: whoever else holds it holds nothing (MCP 2025-11-25, security best practices,
 * "Session Hijacking").
 *
 * Inside: version, revision, capabilities, end (decimal, Unix milliseconds), then the server's own id.
 */
#include "gate/mcp.h"

enum { SESSION_MAX = 4096, VERSION = '1' };

/* What the seal binds: endpoint, server and principal. */
static void put_bound(const struct nk_txn *t, struct nk_buf *b)
{
    const struct nk_principal *p = t->state->principal;
    const struct nk_str parts[] = {gate_mcp(t)->endpoint->config->path, gate_mcp_upstream(t)->name,
                                   p->type, p->id};
    for (size_t i = 0; i < NK_COUNT(parts); i++) {
        nk_buf_add_u64(b, parts[i].n);
        nk_buf_add_char(b, ':');
        nk_buf_add(b, parts[i]);
    }
}

static void put_session(const struct gate_mcp_session *s, struct nk_buf *b)
{
    nk_buf_add_char(b, VERSION);
    nk_buf_add_char(b, (char)('0' + s->revision));
    nk_buf_add_char(b, (char)('0' + s->can));
    nk_buf_add_i64(b, s->until_ms);
    nk_buf_add_char(b, ' ');
    nk_buf_add(b, s->id);
}

struct nk_str gate_mcp_close(struct nk_txn *t, const struct gate_mcp_session *s)
{
    struct nk_buf bound, plain, sealed, text;
    struct nk_str out = {NULL, 0};
    nk_buf_init(&bound, SESSION_MAX);
    nk_buf_init(&plain, SESSION_MAX);
    nk_buf_init(&sealed, SESSION_MAX + NK_SEAL_OVERHEAD);
    nk_buf_init(&text, 2 * SESSION_MAX);
    put_bound(t, &bound);
    put_session(s, &plain);
    if (!bound.error && !plain.error &&
        !nk_seal(&t->setup->session_key, nk_buf_str(&bound), nk_buf_str(&plain), &sealed)) {
        nk_base64url_encode(nk_buf_str(&sealed), &text);
        if (!text.error)
            out = nk_arena_copy(t->arena, nk_buf_str(&text));
    }
    nk_buf_free(&bound);
    nk_buf_free(&plain);
    nk_buf_free(&sealed);
    nk_buf_free(&text);
    return out;
}

static int read_session(struct nk_str plain, struct nk_arena *a, struct gate_mcp_session *out)
{
    struct nk_str rest = nk_str_sub(plain, 3, plain.n), until = nk_str_cut(&rest, ' ');
    if (plain.n < 4 || plain.p[0] != VERSION || !rest.p)
        return NK_ENOTFOUND;
    *out = (struct gate_mcp_session){.revision = (enum nk_mcp_revision)(plain.p[1] - '0'),
                                     .can = (unsigned)(plain.p[2] - '0')};
    if (nk_str_to_i64(until, &out->until_ms))
        return NK_ENOTFOUND;
    out->id = nk_arena_copy(a, rest);
    return out->id.p ? 0 : NK_ENOMEM;
}

int gate_mcp_open(struct nk_txn *t, struct nk_str id, struct gate_mcp_session *out)
{
    struct nk_buf bound, plain, sealed;
    int rc = NK_ENOTFOUND;
    nk_buf_init(&bound, SESSION_MAX);
    nk_buf_init(&plain, SESSION_MAX);
    nk_buf_init(&sealed, SESSION_MAX);
    put_bound(t, &bound);
    if (!bound.error && !nk_base64url_decode(id, &sealed) && !sealed.error &&
        !nk_unseal(&t->setup->session_key, nk_buf_str(&bound), nk_buf_str(&sealed), &plain))
        rc = read_session(nk_buf_str(&plain), t->arena, out);
    nk_buf_free(&bound);
    nk_buf_free(&plain);
    nk_buf_free(&sealed);
    return !rc && out->until_ms < t->state->now_ms ? NK_ENOTFOUND : rc;
}
