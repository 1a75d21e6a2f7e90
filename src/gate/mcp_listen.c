/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_listen.c - see mcp_streams.h: `subscriptions/listen` (MCP 2026-07-28, basic, "Subscriptions") to several servers. Each is asked
 * for the resources that are its own. The client gets one acknowledgement, which has to be the first message on its stream and says what
 * all of them agreed to: so it waits until each has said so, but not for long, and what they say meanwhile waits with it.
 */
#include "gate/mcp_streams.h"

enum { ACK_MS = 2000, URI_EXTRA = 80 }; /* a server's name is at most 64 bytes */

static const char *const kinds[] = {"toolsListChanged", "promptsListChanged",
                                    "resourcesListChanged"};

struct gate_mcp_listen {
    struct nk_str *bodies; /* for each server; absent: the client wants nothing of it */
    bool agreed[NK_COUNT(kinds)];
    struct nk_buf uris, held; /* items of a JSON list, each with a comma before it; events */
    bool is_answered;         /* a server has acknowledged */
    bool is_timed;            /* the client's does not wait for ever */
    bool is_said;             /* the client has the acknowledgement */
    bool is_complete;         /* a server has ended its stream by a result */
};

static struct gate_mcp_listen *listens(const struct nk_txn *t)
{
    const struct gate_mcp_streams *all = gate_mcp(t)->streams;
    return all ? all->listen : NULL;
}

/* The request -------------------------------------------------------------------------------------
 */
static uint32_t filter_of(const struct nk_mcp_message *m)
{
    return nk_json_get(&m->doc, m->params, NK_STR("notifications"));
}

uint32_t gate_mcp_subscriptions(const struct nk_mcp_message *m)
{
    return nk_json_get(&m->doc, filter_of(m), NK_STR("resourceSubscriptions"));
}

bool gate_mcp_listens(const struct nk_txn *t)
{
    const struct nk_mcp_message *m = &gate_mcp(t)->message;
    return nk_json_type(&m->doc, filter_of(m)) == NK_JSON_OBJECT;
}

/* How many of the URIs are of the server that is chosen; `out`: its own forms of them, or NULL. */
static size_t own_uris(const struct nk_txn *t, struct nk_buf *out)
{
    const struct gate_mcp *m = gate_mcp(t);
    uint32_t list = gate_mcp_subscriptions(&m->message);
    size_t n = 0;
    if (nk_json_type(&m->message.doc, list) != NK_JSON_ARRAY)
        return 0;
    for (uint32_t i = nk_json_first(&m->message.doc, list); i != NK_JSON_NONE;
         i = nk_json_next(&m->message.doc, list, i)) {
        struct nk_str own, uri = nk_json_string(&m->message.doc, i, t->scratch);
        size_t server;
        if (!gate_mcp_split_uri(t, uri, &server, &own) || server != m->server)
            continue;
        if (n++ && out)
            nk_buf_add_char(out, ',');
        if (out)
            nk_json_put_string(out, own);
    }
    return n;
}

int gate_mcp_put_subscriptions(const struct nk_txn *t, struct nk_buf *out)
{
    nk_buf_add_char(out, '[');
    (void)own_uris(t, out);
    nk_buf_add_char(out, ']');
    return out->error;
}

/* Does the client want to hear of anything that this server could say? */
static bool wants(const struct nk_txn *t)
{
    const struct nk_mcp_message *m = &gate_mcp(t)->message;
    uint32_t filter = filter_of(m);
    for (uint32_t i = nk_json_first(&m->doc, filter); i != NK_JSON_NONE;
         i = nk_json_next(&m->doc, filter, i))
        if (!nk_json_is(&m->doc, i, NK_STR("resourceSubscriptions")) &&
            nk_json_type(&m->doc, i + 1) != NK_JSON_FALSE)
            return true;
    return own_uris(t, NULL) > 0;
}

int gate_mcp_listen_new(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    size_t n = m->endpoint->config->server_count, wanted = 0;
    struct gate_mcp_listen *l = nk_arena_alloc(t->arena, sizeof *l);
    if (!l)
        return NK_ENOMEM;
    l->bodies = nk_arena_array(t->arena, n, sizeof *l->bodies);
    if (!l->bodies)
        return NK_ENOMEM;
    size_t most = m->message.doc.text.n + n * URI_EXTRA;
    nk_buf_init(&l->uris, most * 6);
    nk_buf_init(&l->held, (size_t)t->setup->config.limits.event_bytes);
    m->streams->listen = l;
    for (size_t i = 0; i < n; i++) {
        gate_mcp_choose(t, i);
        wanted += wants(t);
    }
    for (size_t i = 0; i < n; i++) {
        gate_mcp_choose(t, i);
        if (!gate_mcp_may_stream(t, i) || (wanted && !wants(t)))
            continue;
        int rc = gate_mcp_write(t);
        if (rc)
            return rc;
        l->bodies[i] = m->body;
    }
    return 0;
}

void gate_mcp_listen_free(struct nk_txn *t)
{
    struct gate_mcp_listen *l = listens(t);
    if (!l)
        return;
    nk_buf_free(&l->uris);
    nk_buf_free(&l->held);
}

struct nk_str gate_mcp_listen_body(const struct nk_txn *t, size_t server)
{
    const struct gate_mcp_listen *l = listens(t);
    return l ? l->bodies[server] : (struct nk_str){NULL, 0};
}

/* What servers say --------------------------------------------------------------------------------
 */
static int agree(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a)
{
    struct gate_mcp_listen *l = listens(t);
    uint32_t filter = filter_of(m);
    uint32_t list = gate_mcp_subscriptions(m);
    for (size_t i = 0; i < NK_COUNT(kinds); i++)
        l->agreed[i] |=
            nk_json_type(&m->doc, nk_json_get(&m->doc, filter, nk_str(kinds[i]))) == NK_JSON_TRUE;
    if (nk_json_type(&m->doc, list) != NK_JSON_ARRAY)
        return 0;
    for (uint32_t i = nk_json_first(&m->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(&m->doc, list, i)) {
        struct nk_str uri = nk_json_string(&m->doc, i, a);
        struct nk_str whole = uri.p ? gate_mcp_uri(t, uri, a) : uri;
        if (!whole.p)
            return nk_json_type(&m->doc, i) == NK_JSON_STRING ? NK_ENOMEM : NK_EINVAL;
        if (l->uris.n)
            nk_buf_add_char(&l->uris, ',');
        nk_json_put_string(&l->uris, whole);
    }
    return l->uris.error;
}

bool gate_mcp_listen_takes(const struct nk_txn *t, const struct nk_mcp_message *m)
{
    return listens(t) &&
           (m->kind == NK_MCP_RESULT || m->kind == NK_MCP_ERROR ||
            (m->kind == NK_MCP_NOTIFICATION &&
             nk_str_eq(m->method, NK_STR("notifications/subscriptions/acknowledged"))));
}

int gate_mcp_listen_take(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                         struct nk_fault *f)
{
    struct gate_mcp_listen *l = listens(t);
    struct gate_mcp_lane *lane = &gate_mcp(t)->streams->lanes[gate_mcp(t)->server];
    if (m->kind != NK_MCP_NOTIFICATION) {
        if (!m->id.p || !nk_str_eq(m->id, gate_mcp_id(t)))
            return nk_fault_set(f, NK_EINVAL, "mcp", 0, "an answer to another request");
        l->is_complete |= m->kind == NK_MCP_RESULT;
        lane->is_awaited = false;
        return 0;
    }
    if (!lane->is_awaited)
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "a subscription is acknowledged twice");
    lane->is_awaited = false;
    l->is_answered = true;
    int rc = l->is_said ? 0 : agree(t, m, a);
    return rc == NK_EINVAL ? nk_fault_set(f, rc, "mcp", 0, "an acknowledgement of no known form")
                           : rc;
}

/* What the client hears ---------------------------------------------------------------------------
 */
static void put_message(struct nk_txn *t, const char *what)
{
    nk_buf_add(&t->out, NK_STR("event: message\ndata: {\"jsonrpc\":\"2.0\","));
    nk_buf_add(&t->out, nk_str(what));
}

static void put_subscription(struct nk_txn *t)
{
    nk_buf_add(&t->out, NK_STR("\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":"));
    nk_buf_add(&t->out, gate_mcp(t)->message.id);
    nk_buf_add(&t->out, NK_STR("}"));
}

static void put_acknowledged(struct nk_txn *t)
{
    const struct gate_mcp_listen *l = listens(t);
    bool first = true;
    put_message(t, "\"method\":\"notifications/subscriptions/acknowledged\",\"params\":{");
    put_subscription(t);
    nk_buf_add(&t->out, NK_STR(",\"notifications\":{"));
    for (size_t i = 0; i < NK_COUNT(kinds); i++) {
        if (!l->agreed[i])
            continue;
        nk_buf_printf(&t->out, "%s\"%s\":true", first ? "" : ",", kinds[i]);
        first = false;
    }
    if (l->uris.n) {
        nk_buf_add(&t->out, first ? NK_STR("\"resourceSubscriptions\":[")
                                  : NK_STR(",\"resourceSubscriptions\":["));
        nk_buf_add(&t->out, nk_buf_str(&l->uris));
        nk_buf_add_char(&t->out, ']');
    }
    nk_buf_add(&t->out, NK_STR("}}}\n\n"));
}

/* The acknowledgement, what waited for it, and what has just come. */
static void say(struct nk_txn *t)
{
    struct gate_mcp_listen *l = listens(t);
    struct nk_buf come = t->out;
    nk_buf_init(&t->out, come.max);
    put_acknowledged(t);
    nk_buf_add(&t->out, nk_buf_str(&l->held));
    nk_buf_add(&t->out, nk_buf_str(&come));
    t->out.error = come.error ? come.error : t->out.error;
    nk_buf_free(&come);
    nk_buf_free(&l->held);
    nk_buf_free(&l->uris);
    l->is_said = true;
}

static bool awaits(const struct nk_txn *t)
{
    const struct gate_mcp_streams *all = gate_mcp(t)->streams;
    size_t n = gate_mcp(t)->endpoint->config->server_count;
    bool any = all->next < n;
    for (size_t i = 0; i < n; i++)
        any |= all->lanes[i].runs && all->lanes[i].is_awaited;
    return any;
}

unsigned gate_mcp_listen_pass(struct nk_txn *t)
{
    struct gate_mcp_listen *l = listens(t);
    if (!l || l->is_said)
        return 0;
    if (l->is_answered && (!awaits(t) || l->held.n + t->out.n > l->held.max)) {
        say(t);
        return 0;
    }
    nk_buf_add(&l->held, nk_buf_str(&t->out));
    nk_buf_clear(&t->out);
    t->out.error = l->held.error;
    if (l->is_timed || !l->is_answered)
        return 0;
    l->is_timed = true;
    t->wake_ms = ACK_MS;
    return NK_FX_WAKE;
}

unsigned gate_mcp_listen_wake(struct nk_txn *t)
{
    struct gate_mcp_listen *l = listens(t);
    if (!l || l->is_said || !l->is_answered)
        return 0;
    say(t);
    return NK_FX_DATA;
}

unsigned gate_mcp_listen_end(struct nk_txn *t)
{
    struct gate_mcp_listen *l = listens(t);
    if (!l)
        return 0;
    if (!l->is_answered) {
        put_message(t, "\"id\":");
        nk_buf_add(&t->out, gate_mcp(t)->message.id);
        nk_buf_printf(&t->out, ",\"error\":{\"code\":%d,\"message\":\"No server listens.\"}}\n\n",
                      NK_MCP_NO_METHOD);
        return NK_FX_DATA;
    }
    if (!l->is_complete)
        return 0;
    put_message(t, "\"id\":");
    nk_buf_add(&t->out, gate_mcp(t)->message.id);
    nk_buf_add(&t->out, NK_STR(",\"result\":{\"resultType\":\"complete\","));
    put_subscription(t);
    nk_buf_add(&t->out, NK_STR("}}\n\n"));
    return NK_FX_DATA;
}
