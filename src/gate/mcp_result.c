/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_result.c - what a result may hold. A list shows what the one who asks could have: each of its entries is judged as
 * it would be judged if it were asked for, and those that would be refused are gone. What is left is for this one
 * alone, so caches are told so.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_tool.h"

enum { RESULT_EXTRA = 64 << 10, EDITS_MAX = 8 };

struct result {
    struct nk_txn *t;
    const struct nk_json *doc;
    uint32_t at; /* the result */
    struct nk_arena *a;
    struct nk_json_edit edits[EDITS_MAX];
    size_t n;
};

static int replace(struct result *r, uint32_t start, uint32_t end, struct nk_buf *with)
{
    struct nk_str text =
        with->error ? (struct nk_str){NULL, 0} : nk_arena_copy(r->a, nk_buf_str(with));
    nk_buf_free(with);
    if (!text.p)
        return NK_ENOMEM;
    NK_MUST(r->n < EDITS_MAX);
    size_t i = r->n++;
    for (; i > 0 && r->edits[i - 1].start > start; i--)
        r->edits[i] = r->edits[i - 1];
    r->edits[i] = (struct nk_json_edit){start, end, text};
    return 0;
}

/* An entry of a list under the name that clients use. */
static int put_named(struct result *r, uint32_t item, uint32_t name_at, struct nk_str name,
                     bool is_name, struct nk_buf *out)
{
    const struct nk_json_value *v = &r->doc->tape[item], *n = &r->doc->tape[name_at];
    struct nk_str shown =
        is_name ? gate_mcp_name(r->t, name, r->a) : gate_mcp_uri(r->t, name, r->a);
    nk_buf_add(out, nk_str_sub(r->doc->text, v->start, n->start));
    nk_json_put_string(out, shown);
    nk_buf_add(out, nk_str_sub(r->doc->text, n->end, v->end));
    return shown.p ? 0 : NK_ENOMEM;
}

/* What the entries of a list are, and how one of them is asked for. */
struct list {
    enum nk_mcp_op op;
    const char *member; /* of the result */
    const char *key;    /* of an entry: what it is asked for by */
    enum nk_mcp_op asked;
    bool named; /* the key is a name, which says its server */
};

static const struct list lists[] = {
    {NK_MCP_LIST_TOOLS, "tools", "name", NK_MCP_CALL_TOOL, true},
    {NK_MCP_LIST_PROMPTS, "prompts", "name", NK_MCP_GET_PROMPT, true},
    {NK_MCP_LIST_RESOURCES, "resources", "uri", NK_MCP_READ_RESOURCE, false},
    {NK_MCP_LIST_TEMPLATES, "resourceTemplates", "uriTemplate", NK_MCP_READ_RESOURCE, false},
};

static int is_visible(struct result *r, const struct list *l, struct nk_str key, bool *out)
{
    struct nk_cedar_answer answer = {.allow = false};
    struct nk_str id = key;
    if (l->named)
        id = nk_arena_printf(r->a, "%.*s___%.*s", NK_FMT(gate_mcp_upstream(r->t)->name),
                             NK_FMT(key));
    int rc = id.p ? gate_mcp_judge(r->t, l->asked, id, &answer) : NK_ENOMEM;
    *out = answer.allow;
    return rc;
}

static int put_entry(struct result *r, const struct list *l, uint32_t item, struct nk_buf *out)
{
    uint32_t at = nk_json_get(r->doc, item, nk_str(l->key));
    struct nk_str key = nk_json_string(r->doc, at, r->a);
    bool visible;
    if (!key.n) /* nobody could ask for it */
        return 0;
    int rc = is_visible(r, l, key, &visible);
    if (rc || !visible)
        return rc;
    if (out->n > 1)
        nk_buf_add_char(out, ',');
    const struct nk_config_mcp *e = gate_mcp(r->t)->endpoint->config;
    if (l->named ? !e->is_bare : e->server_count > 1)
        return put_named(r, item, at, key, l->named, out);
    nk_buf_add(out, nk_json_span(r->doc, item));
    return 0;
}

static int filter_list(struct result *r, const struct list *l, struct nk_fault *f)
{
    uint32_t list = nk_json_get(r->doc, r->at, nk_str(l->member));
    struct nk_buf out;
    int rc = 0;
    if (nk_json_type(r->doc, list) != NK_JSON_ARRAY)
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "a list without \"%s\"", l->member);
    nk_buf_init(&out, r->doc->text.n + RESULT_EXTRA + 80 * (size_t)r->doc->tape[list].count);
    nk_buf_add_char(&out, '[');
    if (l->asked == NK_MCP_CALL_TOOL)
        rc = gate_mcp_put_tools(r->t, r->doc, list, r->a, &out, f);
    for (uint32_t i = nk_json_first(r->doc, list);
         l->asked != NK_MCP_CALL_TOOL && i != NK_JSON_NONE && !rc;
         i = nk_json_next(r->doc, list, i))
        rc = put_entry(r, l, i, &out);
    nk_buf_add_char(&out, ']');
    if (rc)
        nk_buf_free(&out);
    return rc ? rc : replace(r, r->doc->tape[list].start, r->doc->tape[list].end, &out);
}

/* The part of one server ends with its last page; the list goes on with the next server. */
static int edit_cursor(struct result *r)
{
    const struct gate_mcp *m = gate_mcp(r->t);
    uint32_t at = nk_json_get(r->doc, r->at, NK_STR("nextCursor"));
    struct nk_str next = nk_json_string(r->doc, at, r->a);
    struct nk_buf b;
    if (!gate_mcp_is_shared_list(r->t) ||
        (!next.p && m->server + 1 == m->endpoint->config->server_count))
        return 0;
    nk_buf_init(&b, r->doc->text.n + RESULT_EXTRA);
    struct nk_str whole =
        nk_arena_printf(r->a, "%zu:%.*s", next.p ? m->server : m->server + 1, NK_FMT(next));
    if (at == NK_JSON_NONE) {
        nk_buf_add(&b, NK_STR("\"nextCursor\":"));
        nk_json_put_string(&b, whole);
        nk_buf_add_char(&b, ',');
        return replace(r, r->doc->tape[r->at].start + 1, r->doc->tape[r->at].start + 1, &b);
    }
    nk_json_put_string(&b, whole);
    return replace(r, r->doc->tape[at].start, r->doc->tape[at].end, &b);
}

/* What was made for one is no answer for another. */
static int keep_private(struct result *r)
{
    uint32_t at = nk_json_get(r->doc, r->at, NK_STR("cacheScope"));
    struct nk_buf b;
    if (at == NK_JSON_NONE || nk_json_is(r->doc, at, NK_STR("private")))
        return 0;
    nk_buf_init(&b, 64);
    nk_buf_add(&b, NK_STR("\"private\""));
    return replace(r, r->doc->tape[at].start, r->doc->tape[at].end, &b);
}

/* What can be spoken is what both sides speak. */
static int edit_discover(struct result *r, struct nk_fault *f)
{
    uint32_t list = nk_json_get(r->doc, r->at, NK_STR("supportedVersions"));
    struct nk_buf b;
    bool both = false;
    for (uint32_t i = nk_json_first(r->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, list, i))
        both |= nk_json_is(r->doc, i, nk_mcp_revision_name(NK_MCP_2026_07_28));
    if (!both)
        return nk_fault_set(f, NK_EINVAL, "mcp", 0, "the server speaks no known revision");
    nk_buf_init(&b, 256);
    nk_buf_add(&b, nk_str(nk_mcp_supported));
    return replace(r, r->doc->tape[list].start, r->doc->tape[list].end, &b);
}

/* A tool's result, without what its reader may not see. */
static int filter_call(struct result *r, struct nk_fault *f)
{
    struct nk_buf out;
    const struct gate_mcp_tool *c = gate_mcp(r->t)->tool;
    if (!c || !c->filters)
        return 0;
    nk_buf_init(&out, (size_t)r->t->setup->config.limits.reply_bytes);
    int rc = gate_mcp_put_result(r->t, r->doc, r->at, r->a, &out, f);
    if (rc)
        nk_buf_free(&out);
    return rc ? rc : replace(r, r->doc->tape[r->at].start, r->doc->tape[r->at].end, &out);
}

static int edit_result(struct result *r, enum nk_mcp_op op, struct nk_fault *f)
{
    if (op == NK_MCP_CALL_TOOL)
        return filter_call(r, f);
    if (op == NK_MCP_DISCOVER) {
        int rc = edit_discover(r, f);
        return rc ? rc : keep_private(r);
    }
    for (size_t i = 0; i < NK_COUNT(lists); i++)
        if (lists[i].op == op) {
            int rc = filter_list(r, &lists[i], f);
            if (!rc)
                rc = edit_cursor(r);
            return rc ? rc : keep_private(r);
        }
    return keep_private(r);
}

/* The client knows its request by its own id. */
static int give_id_back(struct result *r)
{
    const struct nk_str id = gate_mcp(r->t)->message.id;
    uint32_t at = nk_json_get(r->doc, 0, NK_STR("id"));
    struct nk_buf b;
    if (at == NK_JSON_NONE || nk_str_eq(id, gate_mcp_id(r->t)))
        return 0;
    nk_buf_init(&b, id.n);
    nk_buf_add(&b, id);
    return replace(r, r->doc->tape[at].start, r->doc->tape[at].end, &b);
}

/* What a server says of a call whose result is filtered could be what the result may not say. */
static int put_error(struct result *r, const struct nk_mcp_message *m, struct nk_str *out)
{
    const struct gate_mcp_tool *c = gate_mcp(r->t)->tool;
    struct nk_buf b;
    int64_t code;
    if (!c || !c->filters)
        return 0;
    if (nk_mcp_error_code(m, &code) || code < INT32_MIN || code > INT32_MAX)
        code = NK_MCP_FAILED;
    nk_buf_init(&b, 4096);
    nk_mcp_put_error(&b, gate_mcp(r->t)->message.id, (int)code,
                     r->t->state->japanese
                         ? NK_STR("サーバーはこの呼び出しを受け付けませんでした。")
                         : NK_STR("The server refused the call."),
                     NK_STR(""));
    *out = b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(r->a, nk_buf_str(&b));
    nk_buf_free(&b);
    return out->p ? 0 : NK_ENOMEM;
}

/* An error in the place of a result that does not go on. */
static int refuse_result(const struct nk_txn *t, struct nk_str id, struct nk_arena *a,
                         struct nk_str *out)
{
    struct nk_buf b;
    nk_buf_init(&b, 4096);
    nk_mcp_put_error(&b, id, NK_MCP_REFUSED,
                     t->state->japanese ? NK_STR("ツールの結果が、宣言された形に従っていません。")
                                        : NK_STR("The tool's result is not as it was declared."),
                     NK_STR(""));
    *out = b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(&b));
    nk_buf_free(&b);
    return out->p ? 0 : NK_ENOMEM;
}

/* The URIs in what was written anew. */
static int own_uris(struct nk_txn *t, struct nk_arena *a, struct nk_str *text, struct nk_fault *f)
{
    struct nk_json doc;
    struct nk_mcp_message m;
    struct nk_str with = {NULL, 0};
    if (gate_mcp(t)->endpoint->config->server_count < 2)
        return 0;
    int rc = gate_read_json(t, *text, t->setup->config.limits.reply_bytes, a, &doc, f);
    if (!rc)
        rc = nk_mcp_read(&doc, a, &m, f);
    if (!rc)
        rc = gate_mcp_own_uris(t, &m, a, &with);
    if (!rc && with.p)
        *text = with;
    return rc;
}

static int edit_whole(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                      struct nk_str *out, struct nk_fault *f)
{
    struct result r = {.t = t, .doc = &m->doc, .at = m->result, .a = a};
    struct nk_buf whole;
    t->state->context = (struct nk_str){NULL, 0}; /* the facts of the request's own step are gone */
    int rc =
        m->kind == NK_MCP_RESULT ? edit_result(&r, gate_mcp(t)->answers, f) : put_error(&r, m, out);
    if (rc == NK_EDENIED)
        return refuse_result(t, gate_mcp(t)->message.id, a, out);
    if (!rc && !out->p)
        rc = give_id_back(&r);
    if (!rc && !r.n)
        return gate_mcp_own_uris(t, m, a, out);
    if (rc)
        return rc;
    size_t extra = RESULT_EXTRA;
    for (size_t i = 0; i < r.n; i++)
        extra += r.edits[i].with.n;
    nk_buf_init(&whole, m->doc.text.n + extra);
    rc = nk_json_splice(m->doc.text, r.edits, r.n, &whole);
    if (!rc)
        *out = nk_arena_copy(a, nk_buf_str(&whole));
    nk_buf_free(&whole);
    return rc ? rc : out->p ? own_uris(t, a, out, f) : NK_ENOMEM;
}

int gate_mcp_result(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                    struct nk_str *out, struct nk_fault *f)
{
    int rc = edit_whole(t, m, a, out, f);
    return rc ? rc : gate_mcp_bridge_answer(t, m, a, out, f);
}
