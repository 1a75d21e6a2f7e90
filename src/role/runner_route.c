/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_route.c - what a request of a courier asks for: the path names the server, Mcp-Session-Id the session. The messages
 * were judged by the gate already; what is looked at here is what the way to a process needs.
 *
 *   POST initialize                a new session, and a process for it
 *   POST with a session            for its process
 *   POST of 2026-07-28             no sessions there: a process for this one request, which nobody else ever sees
 *   GET with a session             what its server says on its own account; a newer stream takes the place of an older
 *   DELETE with a session          its end
 *
 * MCP 2025-11-25, basic/transports, "Streamable HTTP".
 */
#include "role/runner.h"

static const struct nk_config_upstream *server_of(const struct runner *r,
                                                  const struct nk_http_head *h)
{
    const struct nk_config *c = &r->config->config;
    struct nk_str path = nk_http_path(h);
    for (size_t i = 0; i < c->upstream_count; i++)
        if (nk_config_is_started(&c->upstreams[i]) && nk_str_eq(path, c->upstreams[i].served_path))
            return &c->upstreams[i];
    return NULL;
}

size_t runner_body_max(const struct runner *r, const struct nk_http_head *h)
{
    const struct nk_config_upstream *u = server_of(r, h);
    return u ? (size_t)u->process.message_bytes : 0;
}

static void accepted(struct conn *c)
{
    conn_answer(c, 202, NK_STR(""), (struct nk_str){NULL, 0});
}

static int read_message(struct conn *c, struct nk_mcp_message *m, struct nk_fault *f)
{
    struct runner *r = c->runner;
    const struct nk_json_limits limits =
        nk_config_json_limits(&r->config->config, (int64_t)c->body.n);
    struct nk_json doc;
    nk_arena_reset(&r->scratch);
    int rc = nk_json_parse(&limits, nk_buf_str(&c->body), &r->scratch, &doc, f);
    return rc ? rc : nk_mcp_read(&doc, &r->scratch, m, f);
}

static bool is_stateless(const struct nk_http_head *h)
{
    return nk_mcp_revision(nk_http_get(h, NK_STR("mcp-protocol-version"))) == NK_MCP_2026_07_28;
}

/* The session that a message is for. NULL: it was answered already. */
static struct session *session_for(struct conn *c, const struct nk_config_upstream *server,
                                   const struct nk_mcp_message *m)
{
    const struct nk_http_head *h = nk_http_parser_head(c->parser);
    struct nk_str id = nk_http_get(h, NK_STR("mcp-session-id"));
    bool is_first = m->kind == NK_MCP_REQUEST && nk_str_eq(m->method, NK_STR("initialize"));
    struct session *s = id.p ? session_find(c->runner, server, id) : NULL;
    if (s)
        return s;
    if (id.p)
        conn_refuse(c, 404, "there is no such session");
    else if (is_first)
        return session_new(c, server, false);
    else if (!is_stateless(h))
        conn_refuse(c, 400, "Mcp-Session-Id is missing");
    else if (m->kind == NK_MCP_REQUEST)
        return session_new(c, server, true);
    else /* there is nothing that it could be about */
        accepted(c);
    return NULL;
}

static void post(struct conn *c, const struct nk_config_upstream *server)
{
    struct nk_mcp_message m = {.method = {NULL, 0}};
    struct nk_fault f = {0};
    if (c->body.n == 0 || read_message(c, &m, &f)) {
        conn_refuse(c, 400, f.code ? f.message : "no message");
        return;
    }
    bool is_request = m.kind == NK_MCP_REQUEST;
    if (is_request)
        c->id = nk_arena_copy(&c->arena, m.id);
    struct session *s = session_for(c, server, &m);
    if (!s)
        return;
    if (relay_to_server(s, is_request ? c : NULL, &m)) {
        if (!is_request)
            accepted(c);
        return;
    }
    conn_refuse(c, 503, "the server takes no more messages at the moment");
    if (!s->answered && !s->waiting)
        session_end(s, NULL);
}

static void get(struct conn *c, struct session *s)
{
    struct conn *before = s->stream;
    s->stream = NULL;
    if (before)
        conn_stream_end(before);
    s->stream = c;
    c->session = s;
    c->state = CONN_STREAM;
    conn_stream_begin(c);
    relay_held(s);
}

void runner_route(struct conn *c)
{
    const struct nk_http_head *h = nk_http_parser_head(c->parser);
    const struct nk_config_upstream *server = server_of(c->runner, h);
    struct nk_str id = nk_http_get(h, NK_STR("mcp-session-id"));
    bool is_get = nk_str_eq(h->method, NK_STR("GET"));
    if (!server) {
        conn_refuse(c, 503, "no server of that name is started here");
        return;
    }
    if (nk_str_eq(h->method, NK_STR("POST"))) {
        post(c, server);
        return;
    }
    if (!is_get && !nk_str_eq(h->method, NK_STR("DELETE"))) {
        conn_refuse(c, 405, "a method that MCP does not have");
        return;
    }
    struct session *s = id.p ? session_find(c->runner, server, id) : NULL;
    if (!s) {
        conn_refuse(c, id.p ? 404 : is_get ? 405 : 400, "there is no such session");
    } else if (is_get) {
        get(c, s);
    } else {
        session_end(s, NULL);
        conn_answer(c, 200, NK_STR(""), (struct nk_str){NULL, 0});
    }
}
