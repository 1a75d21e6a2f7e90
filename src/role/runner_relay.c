/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_relay.c - messages between a client's requests and a server's lines. A request gets a number of ours on its way to
 * the server, because two clients' requests, or two of one client, may have the same id; the answer gets the id back. So does
 * the token by which it hears of progress. All else goes on as it is.
 *
 * A server's lines do not say which request they are about, but for progress. So a question or a notification goes on the
 * stream of the newest request that waits, or else on the stream that the client has opened for such; news of
 * changed lists and resources the other way round. While there is neither, it is held until a stream is opened.
 *
 * MCP 2025-11-25, basic/transports, "stdio"; basic/utilities/cancellation and progress.
 */
#include "role/runner.h"

#include <stdio.h>
#include "edge/log.h"

enum { HELD_MAX = 1 << 20, WAITING_MAX = 256, SMALL = 1024, ALIVE_FIRST_US = 15000000 };

static struct conn **place_of(struct session *s, const struct conn *c)
{
    struct conn **at = &s->waiting;
    while (*at && *at != c)
        at = &(*at)->newer;
    return at;
}

static void leave(struct session *s, struct conn *c)
{
    struct conn **at = place_of(s, c);
    if (*at)
        *at = c->newer;
    c->newer = NULL;
}

/* To the server
 * ------------------------------------------------------------------------------------ */

/* One line: a line end within a message can only stand between its tokens. */
static bool add_line(struct session *s, struct nk_str text)
{
    size_t from = s->to_server.n, most = s->to_server.max;
    if (text.n + 1 > most - from)
        return false;
    nk_buf_add(&s->to_server, text);
    nk_buf_add_char(&s->to_server, '\n');
    if (s->to_server.error)
        return false;
    for (size_t i = from; i + 1 < s->to_server.n; i++)
        if (s->to_server.p[i] == '\n' || s->to_server.p[i] == '\r')
            s->to_server.p[i] = ' ';
    session_write(s);
    return true;
}

/* With entries `at` of the message, in any order, replaced by a number. */
static bool add_numbered(struct session *s, const struct nk_mcp_message *m, const uint32_t *at,
                         size_t n, int64_t number)
{
    struct nk_json_edit edits[2];
    struct nk_buf digits, text;
    nk_buf_init(&digits, 32);
    nk_buf_add_i64(&digits, number);
    for (size_t i = 0; i < n; i++) {
        const struct nk_json_value *v = &m->doc.tape[at[i]];
        edits[i] = (struct nk_json_edit){v->start, v->end, nk_buf_str(&digits)};
    }
    if (n == 2 && edits[0].start > edits[1].start) {
        struct nk_json_edit first = edits[1];
        edits[1] = edits[0];
        edits[0] = first;
    }
    nk_buf_init(&text, m->doc.text.n + 64);
    bool good = !nk_json_splice(m->doc.text, edits, n, &text) && add_line(s, nk_buf_str(&text));
    nk_buf_free(&digits);
    nk_buf_free(&text);
    return good;
}

static bool add_request(struct session *s, struct conn *c, const struct nk_mcp_message *m)
{
    size_t waiting = 0;
    for (struct conn *w = s->waiting; w; w = w->newer)
        waiting++;
    uint32_t meta = nk_json_get(&m->doc, m->params, NK_STR("_meta"));
    uint32_t token = nk_json_get(&m->doc, meta, NK_STR("progressToken"));
    const uint32_t at[] = {nk_json_get(&m->doc, 0, NK_STR("id")), token};
    if (token != NK_JSON_NONE)
        c->progress = nk_arena_copy(&c->arena, nk_json_span(&m->doc, token));
    c->number = ++s->numbers;
    if (waiting == WAITING_MAX || !c->id.p ||
        nk_loop_arm(s->runner->loop, &c->timer, ALIVE_FIRST_US) ||
        !add_numbered(s, m, at, token == NK_JSON_NONE ? 1 : 2, c->number))
        return false;
    c->session = s;
    c->state = CONN_WAITING;
    c->newer = s->waiting;
    s->waiting = c;
    return true;
}

/* What the client does not want any more it knows by its own id. One that is over is not told of: its number may be
 * another's id. */
static bool add_cancelled(struct session *s, const struct nk_mcp_message *m)
{
    uint32_t at = nk_json_get(&m->doc, m->params, NK_STR("requestId"));
    struct nk_str id = at == NK_JSON_NONE ? (struct nk_str){NULL, 0} : nk_json_span(&m->doc, at);
    for (struct conn *w = s->waiting; w; w = w->newer)
        if (nk_str_eq(w->id, id))
            return add_numbered(s, m, &at, 1, w->number);
    return true;
}

bool relay_to_server(struct session *s, struct conn *c, const struct nk_mcp_message *m)
{
    bool cancels =
        m->kind == NK_MCP_NOTIFICATION && nk_str_eq(m->method, NK_STR("notifications/cancelled"));
    s->used_us = nk_loop_now(s->runner->loop);
    if (c)
        return add_request(s, c, m);
    return cancels ? add_cancelled(s, m) : add_line(s, m->doc.text);
}

void relay_cancel(struct conn *c)
{
    struct session *s = c->session;
    char text[SMALL];
    if (!s)
        return;
    c->session = NULL;
    if (s->stream == c) {
        s->stream = NULL;
        return;
    }
    if (!*place_of(s, c))
        return;
    leave(s, c);
    if (s->once || !s->answered) { /* it has nothing else to do; initialize cannot be cancelled */
        session_end(s, NULL);
        return;
    }
    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/"
             "cancelled\",\"params\":{\"requestId\":%lld,"
             "\"reason\":\"the client has left\"}}",
             (long long)c->number);
    (void)!add_line(s, nk_str(text)); /* one that takes nothing now finds out when it answers */
}

/* From the server
 * ---------------------------------------------------------------------------------- */

static void answer(struct session *s, const struct nk_mcp_message *m)
{
    int64_t number = -1;
    uint32_t at = nk_json_get(&m->doc, 0, NK_STR("id"));
    struct conn *c = s->waiting;
    struct nk_buf text;
    int rc = at == NK_JSON_NONE ? NK_EINVAL : nk_json_i64(&m->doc, at, &number);
    while (c && c->number != number)
        c = c->newer;
    if (rc || !c) { /* a second answer, or one to a request that was cancelled */
        nk_log(NK_LOG_DEBUG, "server.answer", "%.*s: an answer that nobody waits for",
               NK_FMT(s->server->name));
        return;
    }
    struct nk_json_edit edit = {m->doc.tape[at].start, m->doc.tape[at].end, c->id};
    bool is_first = !s->answered, failed = m->kind == NK_MCP_ERROR && is_first;
    nk_buf_init(&text, m->doc.text.n + c->id.n);
    leave(s, c);
    if (nk_json_splice(m->doc.text, &edit, 1, &text)) {
        conn_refuse(c, 502, "no memory for the answer");
    } else if (c->streams) {
        conn_event(c, nk_buf_str(&text));
        conn_stream_end(c);
    } else {
        bool is_new = is_first && !s->once && !failed;
        conn_answer(c, 200, nk_buf_str(&text),
                    is_new ? (struct nk_str){s->id, RUNNER_ID} : (struct nk_str){NULL, 0});
    }
    nk_buf_free(&text);
    s->answered = true;
    if (s->once || failed)
        session_end(s, NULL);
}

/* News of the request that has this number go on with the token that its client gave. */
static void tell_progress(struct session *s, const struct nk_mcp_message *m)
{
    uint32_t at = nk_json_get(&m->doc, m->params, NK_STR("progressToken"));
    int64_t number = -1;
    struct conn *c = at == NK_JSON_NONE || nk_json_i64(&m->doc, at, &number) ? NULL : s->waiting;
    struct nk_buf text;
    while (c && (c->number != number || !c->progress.p))
        c = c->newer;
    if (!c) /* it is over */
        return;
    struct nk_json_edit edit = {m->doc.tape[at].start, m->doc.tape[at].end, c->progress};
    nk_buf_init(&text, m->doc.text.n + c->progress.n);
    if (!nk_json_splice(m->doc.text, &edit, 1, &text))
        conn_event(c, nk_buf_str(&text));
    nk_buf_free(&text);
}

/* Bytes of a line may have a CR between tokens, which would end a line of an event. */
static void without_cr(struct nk_str text)
{
    for (char *p = (char *)(uintptr_t)text.p; text.n; p++, text.n--)
        if (*p == '\r')
            *p = ' ';
}

static bool is_news(struct nk_str method)
{
    return nk_str_ends(method, NK_STR("/list_changed")) ||
           nk_str_eq(method, NK_STR("notifications/resources/updated"));
}

static void tell(struct session *s, const struct nk_mcp_message *m)
{
    struct conn *to = s->waiting ? s->waiting : s->stream;
    if (nk_str_eq(m->method, NK_STR("notifications/progress"))) {
        tell_progress(s, m);
        return;
    }
    if (is_news(m->method) && s->stream) {
        to = s->stream;
    }
    if (to) {
        conn_event(to, m->doc.text);
        return;
    }
    if (!s->held.max)
        nk_buf_init(&s->held, HELD_MAX);
    if (m->doc.text.n + 1 > s->held.max - s->held.n) {
        nk_log(NK_LOG_DEBUG, "server.unheard",
               "%.*s says more than is kept while no stream is open", NK_FMT(s->server->name));
        return;
    }
    nk_buf_add(&s->held, m->doc.text);
    nk_buf_add_char(&s->held, '\n');
}

void relay_held(struct session *s)
{
    struct nk_str rest = nk_buf_str(&s->held);
    while (rest.n && s->stream) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        if (line.n)
            conn_event(s->stream, line);
    }
    nk_buf_free(&s->held);
    s->held = (struct nk_buf){0};
}

const char *relay_from_server(struct session *s, struct nk_str line)
{
    struct runner *r = s->runner;
    const struct nk_json_limits limits =
        nk_config_json_limits(&r->config->config, s->server->process.message_bytes);
    struct nk_mcp_message m;
    struct nk_json doc;
    struct nk_fault f = {0};
    without_cr(line);
    if (nk_str_trim(line).n == 0)
        return NULL;
    nk_arena_reset(&r->scratch);
    if (nk_json_parse(&limits, line, &r->scratch, &doc, &f))
        return "a line on its standard output is no JSON";
    if (nk_mcp_read(&doc, &r->scratch, &m, &f))
        return "a line on its standard output is no message of MCP";
    s->used_us = nk_loop_now(r->loop);
    if (m.kind == NK_MCP_RESULT || m.kind == NK_MCP_ERROR)
        answer(s, &m);
    else
        tell(s, &m);
    return NULL;
}
