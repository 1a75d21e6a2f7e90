/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_round.c - see mcp_round.h. Two kinds of requests go round: those that every server has to hear (initialize, what is
 * told about the session, its end), and lists, which begin with one server and go on with the next where that one is
 * dead or has no such list. The decision is one, and recorded before the first call; each call has its outcome.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_round.h"

#include "proto/mcp_about.h"

enum { ABOUT_MAX = 256 << 10 };

struct gate_mcp_round {
    size_t at;                           /* the server that is asked now */
    struct nk_str *bodies;               /* for each server */
    unsigned can[NK_CONFIG_MCP_SERVERS]; /* what each may ask a client without a session */
    struct nk_str *texts;                /* what each has said, where one answer is made of all */
    size_t good;                         /* how many have done it */
    struct gate_mcp_reply last;          /* of those that have not */
    bool is_learning;                    /* the server that is asked now did not know initialize */
    bool is_gone;                        /* a server no longer knows the session */
};

static bool is_list(enum nk_mcp_op op)
{
    return op == NK_MCP_LIST_TOOLS || op == NK_MCP_LIST_PROMPTS || op == NK_MCP_LIST_RESOURCES ||
           op == NK_MCP_LIST_TEMPLATES;
}

/* A message that no message answers. */
static bool is_told(enum nk_mcp_op op)
{
    return op == NK_MCP_INITIALIZED || op == NK_MCP_CANCELLED || op == NK_MCP_ROOTS_CHANGED;
}

bool gate_mcp_is_round(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    enum nk_mcp_op op = m->ask.op;
    if (op == NK_MCP_INITIALIZE)
        return true;
    bool several = m->endpoint->config->server_count > 1;
    return (several && is_list(op)) || ((several || gate_mcp_is_bridged(t, 0)) &&
                                        (is_told(op) || op == NK_MCP_DISCOVER || op == NK_MCP_END ||
                                         op == NK_MCP_PING || op == NK_MCP_SET_LEVEL));
}

/* Is there nothing to ask this server? */
static bool is_spared(const struct nk_txn *t, size_t server)
{
    const struct gate_mcp *m = gate_mcp(t);
    enum nk_mcp_op op = m->ask.op;
    if (op == NK_MCP_INITIALIZE)
        return false;
    bool is_said = is_told(op) || op == NK_MCP_END || op == NK_MCP_SET_LEVEL;
    return op == NK_MCP_PING || !gate_mcp_is_there(t, server) ||
           (is_said && gate_mcp_is_bridged(t, server)) ||
           (op == NK_MCP_END && !m->session.parts[server].id.p);
}

/* Bodies ------------------------------------------------------------------------------------------
 */
/* Each server is told no more than it may ask the client for. */
static int write_initialize(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    int rc = 0;
    for (size_t i = 0; i < m->endpoint->config->server_count && !rc; i++) {
        m->server = i;
        rc = gate_mcp_write(t);
        m->session.parts[i].can = m->session.can;
        m->round->bodies[i] = m->body;
    }
    return rc;
}

/* The cursor is one of the first server that is asked; the others begin. */
static int write_same(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_str cursor = m->cursor;
    int rc = 0;
    for (size_t i = m->round->at; i < m->endpoint->config->server_count && !rc; i++) {
        if (!m->message.doc.n || is_spared(t, i))
            continue;
        gate_mcp_choose(t, i);
        m->cursor = i == m->round->at ? cursor : (struct nk_str){cursor.p, 0};
        rc = gate_mcp_write(t);
        m->round->bodies[i] = m->body;
        m->round->can[i] = m->session.can;
    }
    return rc;
}

static int begin(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    size_t n = m->endpoint->config->server_count;
    m->round = nk_arena_alloc(t->arena, sizeof *m->round);
    if (!m->round)
        return NK_ENOMEM;
    m->round->at = is_list(m->ask.op) ? m->server : 0;
    m->round->bodies = nk_arena_array(t->arena, n, sizeof *m->round->bodies);
    m->round->texts = nk_arena_array(t->arena, n, sizeof *m->round->texts);
    if (m->ask.op == NK_MCP_INITIALIZE)
        m->session.parts = nk_arena_array(t->arena, n, sizeof *m->session.parts);
    if (!m->round->bodies || !m->round->texts ||
        (m->ask.op == NK_MCP_INITIALIZE && !m->session.parts))
        return NK_ENOMEM;
    return m->ask.op == NK_MCP_INITIALIZE ? write_initialize(t) : write_same(t);
}

/* The answer --------------------------------------------------------------------------------------
 */
static unsigned put_answer(struct nk_txn *t, int status)
{
    struct nk_gate_state *s = t->state;
    struct nk_str shown = gate_mcp(t)->shown;
    if (shown.p)
        s->headers[s->header_count++] = (struct nk_http_header){NK_STR("mcp-session-id"), shown};
    if (t->out.n)
        return gate_reply(t, s->dialect, status, NULL);
    t->reply_head = (struct nk_http_head){.status = status, .keep_alive = true};
    t->reply_head.headers = nk_arena_array(t->arena, 2, sizeof *t->reply_head.headers);
    if (!t->reply_head.headers)
        return NK_FX_CUT;
    nk_http_add(&t->reply_head, NK_STR("x-request-id"), s->id);
    if (shown.p)
        nk_http_add(&t->reply_head, NK_STR("mcp-session-id"), shown);
    s->status = status;
    return NK_FX_HEAD | NK_FX_END;
}

static unsigned put_result(struct nk_txn *t, struct nk_str result)
{
    nk_buf_add(&t->out, NK_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    nk_buf_add(&t->out, gate_mcp(t)->message.id);
    nk_buf_add(&t->out, NK_STR(",\"result\":"));
    nk_buf_add(&t->out, result);
    nk_buf_add_char(&t->out, '}');
    return put_answer(t, 200);
}

static int read_text(struct nk_txn *t, struct nk_str text, struct nk_mcp_message *out,
                     struct nk_fault *f)
{
    struct nk_json doc;
    int rc = gate_read_json(t, text, t->setup->config.limits.reply_bytes, t->scratch, &doc, f);
    return rc ? rc : nk_mcp_read(&doc, t->scratch, out, f);
}

/* No server has done it: what the last one said, unless that says more of our credential than of the request. */
static unsigned put_failure(struct nk_txn *t, const struct gate_mcp_reply *r)
{
    struct nk_mcp_message said;
    struct nk_str with = {NULL, 0};
    struct nk_fault f = {0};
    if (r->status == 401 || r->status == 403)
        return gate_answer_failed(t, NK_REFUSAL_upstream_credential,
                                  NK_STR("the server answered 401 or 403"));
    if (r->status == 0 || r->why)
        return gate_answer_failed(t, NK_REFUSAL_upstream_failed, nk_str(r->why));
    if (r->text.p && (read_text(t, r->text, &said, &f) || said.kind != NK_MCP_ERROR ||
                      gate_mcp_result(t, &said, t->scratch, &with, &f)))
        return gate_answer_failed(t, NK_REFUSAL_bad_answer,
                                  NK_STR("the server speaks no known revision"));
    if (r->text.p)
        nk_buf_add(&t->out, with.p ? with : r->text);
    else if (r->status >= 300)
        nk_mcp_put_error(
            &t->out, gate_mcp(t)->message.id, NK_MCP_FAILED,
            nk_arena_printf(t->scratch, "The server answered with status %d.", r->status),
            NK_STR(""));
    return put_answer(t, r->status);
}

static int put_about(struct nk_txn *t, enum nk_mcp_revision as, struct nk_buf *out)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_mcp_about list[NK_CONFIG_MCP_SERVERS];
    struct nk_mcp_message said[NK_CONFIG_MCP_SERVERS];
    struct nk_fault f = {0};
    size_t n = 0;
    int rc = 0;
    for (size_t i = 0; i < m->endpoint->config->server_count && !rc; i++) {
        if (!m->round->texts[i].p)
            continue;
        rc = read_text(t, m->round->texts[i], &said[n], &f);
        list[n] = (struct nk_mcp_about){.name = m->endpoint->config->servers[i].text,
                                        .doc = &said[n].doc,
                                        .at = said[n].result,
                                        .is_translated = gate_mcp_is_bridged(t, i)};
        n++;
    }
    return rc ? rc : nk_mcp_put_about(list, n, as, t->scratch, out);
}

/* What the servers say of themselves, as one. A server alone speaks for itself. */
static unsigned answer_about(struct nk_txn *t, enum nk_mcp_revision as)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_buf about;
    if (m->endpoint->config->server_count == 1 && !gate_mcp_is_bridged(t, 0)) {
        nk_buf_add(&t->out, m->round->texts[0]);
        return put_answer(t, 200);
    }
    nk_buf_init(&about, ABOUT_MAX);
    int rc = put_about(t, as, &about);
    unsigned fx = rc ? gate_answer_failed(
                           t, rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory : NK_REFUSAL_bad_answer,
                           NK_STR("what the servers say of themselves"))
                     : put_result(t, nk_buf_str(&about));
    nk_buf_free(&about);
    return fx;
}

/* A session begins: with servers of several revisions the newest of theirs, in which what all of them say is valid. */
static unsigned answer_initialize(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    struct gate_mcp_session *s = &m->session;
    bool has_id = m->endpoint->config->server_count > 1;
    for (size_t i = 0; i < m->endpoint->config->server_count; i++) {
        enum nk_mcp_revision r = s->parts[i].revision;
        has_id |= s->parts[i].id.p || r == NK_MCP_2026_07_28;
        if (r > s->revision && r != NK_MCP_2026_07_28)
            s->revision = r;
    }
    if (!s->revision) /* none of them has a say in it */
        s->revision = m->ask.revision && m->ask.revision != NK_MCP_2026_07_28 ? m->ask.revision
                                                                              : NK_MCP_2025_11_25;
    s->until_ms = t->state->now_ms + m->endpoint->config->session_timeout;
    if (has_id)
        m->shown = gate_mcp_close(t, s);
    return has_id && !m->shown.p ? gate_answer_failed(t, NK_REFUSAL_bad_answer,
                                                      NK_STR("ids of sessions that are too long"))
                                 : answer_about(t, s->revision);
}

static unsigned finish(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    enum nk_mcp_op op = m->ask.op;
    if (op == NK_MCP_PING)
        return put_result(t, NK_STR("{}"));
    if (op == NK_MCP_END && (m->round->good || !m->round->last.status))
        return put_answer(t, 200);
    if (!m->round->good || (m->round->is_gone && op != NK_MCP_END))
        return put_failure(t, &m->round->last);
    if (op == NK_MCP_INITIALIZE)
        return answer_initialize(t);
    if (op == NK_MCP_DISCOVER)
        return answer_about(t, NK_MCP_2026_07_28);
    return is_told(op) ? put_answer(t, 202) : put_result(t, NK_STR("{}"));
}

/* What servers say ------------------------------------------------------------------------------
 */
/* A server may answer with a revision of its own choice, but not with one that nobody reads here. */
static bool begins_session(struct nk_txn *t, const struct gate_mcp_reply *r,
                           const struct nk_mcp_message *said)
{
    struct gate_mcp *m = gate_mcp(t);
    uint32_t at = nk_json_get(&said->doc, said->result, NK_STR("protocolVersion"));
    enum nk_mcp_revision revision = nk_mcp_revision(nk_json_string(&said->doc, at, t->scratch));
    if (revision == NK_MCP_UNKNOWN || revision == NK_MCP_2026_07_28)
        return false;
    if (m->session.parts) {
        m->session.parts[m->server].revision = revision;
        m->session.parts[m->server].id = r->session;
    }
    return true;
}

static bool speaks_new(const struct nk_mcp_message *said)
{
    uint32_t list = nk_json_get(&said->doc, said->result, NK_STR("supportedVersions"));
    bool both = false;
    for (uint32_t i = nk_json_first(&said->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(&said->doc, list, i))
        both |= nk_json_is(&said->doc, i, nk_mcp_revision_name(NK_MCP_2026_07_28));
    return both;
}

/* Has the server done what all were asked to do? */
static bool take(struct nk_txn *t, const struct gate_mcp_reply *r)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_mcp_message said;
    struct nk_fault f = {0};
    if (r->status < 200 || r->status >= 300 || r->why)
        return false;
    if (is_told(m->ask.op) || m->ask.op == NK_MCP_END)
        return true;
    if (read_text(t, r->text, &said, &f) || said.kind != NK_MCP_RESULT)
        return false;
    m->round->texts[m->server] = r->text;
    bool is_new = gate_mcp_speaks_new(t);
    if (is_new ? !speaks_new(&said) : m->ask.op != NK_MCP_SET_LEVEL && !begins_session(t, r, &said))
        m->round->texts[m->server].p = NULL;
    else if (is_new && m->ask.op == NK_MCP_INITIALIZE)
        m->session.parts[m->server].revision = NK_MCP_2026_07_28;
    return m->round->texts[m->server].p != NULL;
}

/* Does the list go on as if this server were not there? */
static bool has_no_part(const struct nk_txn *t, const struct gate_mcp_reply *r,
                        const struct nk_mcp_message *said)
{
    int64_t code;
    (void)t;
    if (r->status == 0 || r->status >= 500 || r->status == 401 || r->status == 403 || r->why)
        return true;
    return said->kind == NK_MCP_ERROR && !nk_mcp_error_code(said, &code) &&
           code == NK_MCP_NO_METHOD;
}

static unsigned call_next(struct nk_txn *t);

/* A part of a list, or an error of the server that concerns this request. */
static unsigned take_list(struct nk_txn *t, const struct gate_mcp_reply *r)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_mcp_message said = {.kind = NK_MCP_NOTIFICATION};
    struct nk_str with = {NULL, 0};
    struct nk_fault f = {0};
    int rc = r->text.p ? read_text(t, r->text, &said, &f) : 0;
    if (!rc && has_no_part(t, r, &said)) {
        m->round->last = *r;
        m->round->at++;
        return call_next(t);
    }
    if (!rc && said.kind != NK_MCP_RESULT)
        return put_failure(t, r);
    if (!rc)
        rc = gate_mcp_result(t, &said, t->scratch, &with, &f);
    if (rc)
        return gate_answer_failed(
            t, rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory : NK_REFUSAL_bad_answer,
            nk_arena_copy(t->arena, nk_str(f.message)));
    nk_buf_add(&t->out, with.p ? with : r->text);
    return put_answer(t, 200);
}

static unsigned ask_server(struct nk_txn *t, const char *why);

/* A server that does not know initialize may speak 2026-07-28. What it said stays the answer if it does not. */
static unsigned learn(struct nk_txn *t, const struct gate_mcp_reply *r)
{
    struct gate_mcp *m = gate_mcp(t);
    struct gate_mcp_part *part = &m->session.parts[m->server];
    m->round->last = *r;
    m->round->is_learning = true;
    part->revision = NK_MCP_2026_07_28;
    part->can &= GATE_MCP_PERSON;
    if (gate_mcp_bridge_body(t) || gate_mcp_forward(t))
        return gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("a call of a round"));
    return ask_server(t, NULL);
}

static unsigned heard(struct nk_txn *t, const struct gate_mcp_reply *r)
{
    struct gate_mcp *m = gate_mcp(t);
    if (!r->why && gate_mcp_may_find(t, r->status, r->text))
        return gate_mcp_find(t);
    if (is_list(m->ask.op))
        return take_list(t, r);
    bool good = take(t, r);
    if (!good && !r->why && !m->round->is_learning && gate_mcp_may_learn(t, r->status))
        return learn(t, r);
    if (!good && m->session.parts && m->ask.op == NK_MCP_INITIALIZE)
        m->session.parts[m->server].revision = NK_MCP_UNKNOWN;
    m->round->good += good;
    if (!good && !m->round->is_gone && !m->round->is_learning)
        m->round->last = *r;
    m->round->is_gone |= r->status == 404 && m->session.parts && m->ask.op != NK_MCP_INITIALIZE;
    m->round->is_learning = false;
    m->round->at++;
    return call_next(t);
}

/* The last page of a list whose last servers have no part in it. */
static unsigned end_list(struct nk_txn *t, bool has_begun)
{
    static const char *const members[] = {
        [NK_MCP_LIST_TOOLS] = "tools",
        [NK_MCP_LIST_PROMPTS] = "prompts",
        [NK_MCP_LIST_RESOURCES] = "resources",
        [NK_MCP_LIST_TEMPLATES] = "resourceTemplates",
    };
    const struct gate_mcp *m = gate_mcp(t);
    if (!has_begun && m->round->last.status == 0)
        return put_failure(t, &m->round->last);
    return put_result(
        t, nk_arena_printf(t->scratch, "{\"%s\":[]%s}", members[m->ask.op],
                           m->is_new ? ",\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":"
                                       "\"private\""
                                     : ""));
}

/* What a server with sessions says of itself, it has said when we began one. */
static unsigned ask_server(struct nk_txn *t, const char *why)
{
    struct gate_mcp *m = gate_mcp(t);
    bool is_known = m->ask.op == NK_MCP_DISCOVER && gate_mcp_is_bridged(t, m->server);
    struct nk_str id = is_told(m->ask.op) ? (struct nk_str){NULL, 0} : gate_mcp_id(t);
    struct gate_mcp_reply r = {.why = why};
    if (why || is_known) {
        unsigned fx = gate_mcp_record(t, why ? "upstream_failed" : "complete", nk_str(why));
        if (!why) {
            r.status = 200;
            r.text = m->bridge->about;
        }
        return fx | heard(t, &r);
    }
    return gate_mcp_send(t, id, heard)
               ? gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("a call of a round"))
               : NK_FX_CALL;
}

static unsigned call_next(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    size_t n = m->endpoint->config->server_count;
    for (; m->round->at < n && is_spared(t, m->round->at); m->round->at++)
        m->round->good += gate_mcp_is_there(t, m->round->at);
    if (m->round->at == n)
        return is_list(m->ask.op) ? end_list(t, m->cursor.p != NULL) : finish(t);
    gate_mcp_choose(t, m->round->at);
    m->body = m->round->bodies[m->round->at];
    if (m->is_new)
        m->session.can = m->round->can[m->round->at];
    if (gate_mcp_forward(t))
        return gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("a call of a round"));
    return gate_mcp_cross(t, ask_server);
}

unsigned gate_mcp_round(struct nk_txn *t)
{
    if (begin(t)) {
        gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR(""));
        return gate_refused(t);
    }
    unsigned fx = gate_record_decision(t);
    return fx | call_next(t);
}

unsigned gate_mcp_round_late(struct nk_txn *t)
{
    gate_mcp(t)->message.doc.n = 0; /* its step is over */
    return begin(t) ? gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("a round"))
                    : call_next(t);
}
