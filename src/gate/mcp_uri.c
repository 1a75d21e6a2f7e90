/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_uri.c - whose things are, where several servers stand behind one endpoint. Two servers may have a resource of the same
 * URI, and a list of what was shown to whom is kept nowhere: so the URI itself says the server, as names of
 * tools do, in a form that is a URI as well (RFC 3986, section 3.1: '+' is a character of a scheme). The
 * decision and the call go by that one server. Ids of requests that servers make are the same in two servers as
 * well, and say their server in the same way.
 */
#include "gate/mcp.h"

enum { EDITS_MAX = 4096, EXTRA = 80 }; /* a server's name is at most 64 bytes */

struct nk_str gate_mcp_uri(const struct nk_txn *t, struct nk_str uri, struct nk_arena *a)
{
    const struct gate_mcp *m = gate_mcp(t);
    return nk_arena_printf(a, "%.*s+%.*s", NK_FMT(m->endpoint->config->servers[m->server].text),
                           NK_FMT(uri));
}

bool gate_mcp_split_uri(const struct nk_txn *t, struct nk_str uri, size_t *server,
                        struct nk_str *own)
{
    const struct nk_config_mcp *e = gate_mcp(t)->endpoint->config;
    for (size_t i = 0; i < e->server_count; i++) {
        struct nk_str name = e->servers[i].text;
        if (uri.n <= name.n + 1 || uri.p[name.n] != '+' || !nk_str_starts(uri, name))
            continue;
        *server = i;
        *own = nk_str_sub(uri, name.n + 1, uri.n);
        return true;
    }
    return false;
}

/* Requests of servers ---------------------------------------------------------------------------
 */
int gate_mcp_put_owned(const struct nk_txn *t, const struct nk_json *doc, uint32_t at,
                       struct nk_arena *a, struct nk_buf *out)
{
    struct nk_str text = nk_json_type(doc, at) == NK_JSON_STRING ? nk_json_string(doc, at, a)
                                                                 : nk_json_span(doc, at);
    struct nk_str whole =
        nk_arena_printf(a, "%zu%c%.*s", gate_mcp(t)->server,
                        nk_json_type(doc, at) == NK_JSON_STRING ? '.' : ':', NK_FMT(text));
    nk_json_put_string(out, whole);
    return text.p && whole.p ? out->error : NK_ENOMEM;
}

bool gate_mcp_get_owned(const struct nk_txn *t, const struct nk_json *doc, uint32_t at,
                        size_t *server, struct nk_buf *out)
{
    struct nk_str rest =
        at == NK_JSON_NONE ? (struct nk_str){NULL, 0} : nk_json_string(doc, at, t->scratch);
    size_t digits = 0;
    uint64_t number;
    int64_t id;
    while (digits < rest.n && rest.p[digits] >= '0' && rest.p[digits] <= '9')
        digits++;
    if (digits == rest.n || nk_str_to_u64(nk_str_sub(rest, 0, digits), &number) ||
        number >= gate_mcp(t)->endpoint->config->server_count)
        return false;
    char kind = rest.p[digits];
    rest = nk_str_sub(rest, digits + 1, rest.n);
    if (kind != '.' && (kind != ':' || nk_str_to_i64(rest, &id)))
        return false;
    *server = (size_t)number;
    if (kind == '.')
        nk_json_put_string(out, rest);
    else
        nk_buf_add_i64(out, id);
    return !out->error;
}

/* What a server says -----------------------------------------------------------------------------
 */
struct edits {
    const struct nk_txn *t;
    const struct nk_json *doc;
    struct nk_arena *a;
    struct nk_json_edit *list;
    size_t n;
    int error;
};

static void add(struct edits *e, uint32_t at, struct nk_str with)
{
    if (e->n == EDITS_MAX)
        e->error = NK_ELIMIT;
    if (!with.p)
        e->error = e->error ? e->error : NK_ENOMEM;
    if (!e->list)
        e->list = nk_arena_array(e->a, EDITS_MAX, sizeof *e->list);
    if (!e->list)
        e->error = NK_ENOMEM;
    if (!e->error)
        e->list[e->n++] = (struct nk_json_edit){e->doc->tape[at].start, e->doc->tape[at].end, with};
}

static void own_uri(struct edits *e, uint32_t object)
{
    uint32_t at = nk_json_get(e->doc, object, NK_STR("uri"));
    struct nk_buf b;
    if (at == NK_JSON_NONE || nk_json_type(e->doc, at) != NK_JSON_STRING)
        return;
    struct nk_str uri = gate_mcp_uri(e->t, nk_json_string(e->doc, at, e->a), e->a);
    nk_buf_init(&b, e->doc->text.n * 6 + EXTRA);
    nk_json_put_string(&b, uri);
    add(e, at, b.error || !uri.p ? (struct nk_str){NULL, 0} : nk_arena_copy(e->a, nk_buf_str(&b)));
    nk_buf_free(&b);
}

/* A block of content: a link to a resource, or a resource within. */
static void own_block(struct edits *e, uint32_t block)
{
    if (nk_json_is(e->doc, nk_json_get(e->doc, block, NK_STR("type")), NK_STR("resource_link")))
        own_uri(e, block);
    else
        own_uri(e, nk_json_get(e->doc, block, NK_STR("resource")));
}

static void own_list(struct edits *e, const char *member, uint32_t in)
{
    uint32_t list = nk_json_get(e->doc, in, nk_str(member));
    bool is_message = nk_str_eq(nk_str(member), NK_STR("messages"));
    if (nk_json_type(e->doc, list) != NK_JSON_ARRAY)
        return;
    for (uint32_t i = nk_json_first(e->doc, list); i != NK_JSON_NONE && !e->error;
         i = nk_json_next(e->doc, list, i)) {
        if (nk_str_eq(nk_str(member), NK_STR("contents")))
            own_uri(e, i);
        else
            own_block(e, is_message ? nk_json_get(e->doc, i, NK_STR("content")) : i);
    }
}

static void own_request(struct edits *e, const struct nk_mcp_message *m, uint32_t at)
{
    struct nk_buf b;
    if (at == NK_JSON_NONE)
        return;
    nk_buf_init(&b, m->doc.text.n * 6 + EXTRA);
    int rc = gate_mcp_put_owned(e->t, e->doc, at, e->a, &b);
    add(e, at, rc ? (struct nk_str){NULL, 0} : nk_arena_copy(e->a, nk_buf_str(&b)));
    nk_buf_free(&b);
}

/* By place: a request's id may stand before its params or behind. */
static void sort(struct edits *e)
{
    for (size_t i = 1; i < e->n; i++) {
        struct nk_json_edit one = e->list[i];
        size_t k = i;
        for (; k > 0 && e->list[k - 1].start > one.start; k--)
            e->list[k] = e->list[k - 1];
        e->list[k] = one;
    }
}

static void find(struct edits *e, const struct nk_mcp_message *m)
{
    if (m->kind == NK_MCP_REQUEST) {
        uint32_t meta = nk_json_get(e->doc, m->params, NK_STR("_meta"));
        own_request(e, m, nk_json_get(e->doc, 0, NK_STR("id")));
        own_request(e, m, nk_json_get(e->doc, meta, NK_STR("progressToken")));
    }
    if (m->kind == NK_MCP_NOTIFICATION &&
        nk_str_eq(m->method, NK_STR("notifications/resources/updated")))
        own_uri(e, m->params);
    if (m->kind != NK_MCP_RESULT)
        return;
    own_list(e, "contents", m->result);
    own_list(e, "content", m->result);
    own_list(e, "messages", m->result);
}

int gate_mcp_own_uris(const struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                      struct nk_str *out)
{
    struct edits e = {.t = t, .doc = &m->doc, .a = a};
    struct nk_buf whole;
    if (gate_mcp(t)->endpoint->config->server_count < 2)
        return 0;
    find(&e, m);
    if (e.error || !e.n)
        return e.error;
    size_t extra = 0;
    for (size_t i = 0; i < e.n; i++)
        extra += e.list[i].with.n;
    sort(&e);
    nk_buf_init(&whole, m->doc.text.n + extra);
    int rc = nk_json_splice(m->doc.text, e.list, e.n, &whole);
    if (!rc)
        *out = nk_arena_copy(a, nk_buf_str(&whole));
    nk_buf_free(&whole);
    return rc ? rc : out->p ? 0 : NK_ENOMEM;
}
