/* SPDX-License-Identifier: Apache-2.0
 *
 * hosted.c - see hosted.h.
 */
#include "gate/hosted.h"

#include "gate/driver.h"

enum { CONTEXT_MAX = 4096, RECORD_MAX = 60 << 10 };

/* The host of a URL as policies see it: lower case, without the port. Only the plainest form is taken, because
 * what reads the URL at the provider is not known: absent for user names, escapes, anything unusual. */
static struct nk_str host_of(struct nk_str url, struct nk_arena *a)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-";
    struct nk_str none = {NULL, 0}, rest = url;
    if (nk_str_starts(url, NK_STR("https://")))
        rest = nk_str_sub(url, 8, url.n);
    else if (nk_str_starts(url, NK_STR("http://")))
        rest = nk_str_sub(url, 7, url.n);
    else
        return none;
    struct nk_str host = nk_str_cut(&rest, '/'), port = host;
    host = nk_str_cut(&port, ':');
    uint64_t number = 1;
    if (host.n == 0 || host.n > 253 ||
        (port.p && (nk_str_to_u64(port, &number) || !number || number > 65535)))
        return none;
    struct nk_str copy = nk_arena_copy(a, host);
    char *p = copy.n ? (char *)(uintptr_t)copy.p : NULL;
    for (size_t i = 0; p && i < copy.n; i++) {
        p[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
        if (!memchr(allowed, p[i], sizeof allowed - 1))
            return none;
    }
    return p ? copy : none;
}

static bool is_same(const struct nk_tool_use *x, const struct nk_tool_use *y)
{
    return nk_str_eq(x->name, y->name) && nk_str_eq(x->server, y->server) &&
           nk_str_eq(x->connector, y->connector);
}

static struct nk_str context_of(struct nk_txn *t, const struct nk_tool_use *tool,
                                struct nk_str host)
{
    const struct nk_gate_state *s = t->state;
    struct nk_buf b;
    nk_buf_init(&b, CONTEXT_MAX);
    nk_buf_add_char(&b, '{');
    nk_json_put_member(&b, NK_STR("dialect"), nk_str(s->dialect->name));
    nk_json_put_member(&b, NK_STR("strength"), nk_str(s->principal->proof));
    if (host.p)
        nk_json_put_member(&b, NK_STR("serverHost"), host);
    if (tool->connector.p)
        nk_json_put_member(&b, NK_STR("connector"), tool->connector);
    nk_buf_add_char(&b, '}');
    struct nk_str text =
        b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->scratch, nk_buf_str(&b));
    nk_buf_free(&b);
    return text;
}

static int refuse(struct nk_txn *t, const struct gate_question *q,
                  const struct nk_cedar_answer *answer)
{
    struct nk_buf why;
    nk_buf_init(&why, CONTEXT_MAX);
    gate_question_why(t, q, answer, &why);
    struct nk_str text = nk_arena_copy(t->arena, nk_buf_str(&why));
    nk_buf_free(&why);
    return gate_refuse(t, NK_REFUSAL_policy_denied, "authorize", text, NK_STR("a hosted tool"));
}

static int decide(struct nk_txn *t, const struct nk_tool_use *tool, struct nk_str host)
{
    struct gate_question q = {.action = NK_STR("UseHostedTool"),
                              .resource = {NK_STR("HostedTool"), tool->name},
                              .context = context_of(t, tool, host)};
    struct nk_cedar_answer answer;
    struct nk_buf record;
    struct nk_fault f = {0};
    nk_buf_init(&record, RECORD_MAX);
    int rc = q.context.p ? gate_question_decide(t, &q, &answer, &record, &f) : NK_ENOMEM;
    if (!rc)
        (void)gate_record_members(t, NK_STR(""), nk_buf_str(&record));
    nk_buf_free(&record);
    if (rc || t->record_lost)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "authorize", NK_STR(""), NK_STR(""));
    return answer.allow ? 0 : refuse(t, &q, &answer);
}

static int bad_server(struct nk_txn *t, const struct nk_tool_use *tool)
{
    return gate_refuse(
        t, NK_REFUSAL_bad_request, "authorize",
        nk_arena_printf(
            t->arena,
            "The address of a remote server must be http(s)://HOST[:PORT]/…; \"%.*s\" is not.",
            NK_FMT(nk_str_sub(tool->server, 0, 128))),
        NK_STR(""));
}

int gate_hosted_authorize(struct nk_txn *t)
{
    const struct nk_call *c = &t->state->call;
    const struct nk_tool_use *seen[GATE_HOSTED_MAX];
    size_t n = 0;
    for (size_t i = 0; i < c->tool_count; i++) {
        const struct nk_tool_use *tool = &c->tools[i];
        size_t k = 0;
        while (k < n && !is_same(seen[k], tool))
            k++;
        if (!tool->hosted || k < n)
            continue;
        if (n == GATE_HOSTED_MAX)
            return gate_refuse(t, NK_REFUSAL_bad_request, "authorize",
                               NK_STR("There are more than 32 kinds of hosted tools."), NK_STR(""));
        seen[n++] = tool;
        struct nk_str host = {NULL, 0};
        if (tool->server.p) {
            host = host_of(tool->server, t->scratch);
            if (!host.p)
                return bad_server(t, tool);
        }
        int rc = decide(t, tool, host);
        if (rc)
            return rc;
    }
    return 0;
}

/* Rewriting --------------------------------------------------------------------------------------- */

static struct nk_str quoted(struct nk_txn *t, struct nk_str text)
{
    struct nk_buf b;
    nk_buf_init(&b, text.n * 6 + 2);
    nk_json_put_string(&b, text);
    struct nk_str out =
        b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(t->scratch, nk_buf_str(&b));
    nk_buf_free(&b);
    return out;
}

/* Member `name` of object `obj` gets a value, which may be its first. */
static int set_member(struct nk_txn *t, uint32_t obj, const char *name, struct nk_str value)
{
    const struct nk_json *doc = &t->state->call.body;
    uint32_t at = nk_json_get(doc, obj, nk_str(name));
    if (at != NK_JSON_NONE)
        return gate_edit_add(t, doc->tape[at].start, doc->tape[at].end, value);
    uint32_t behind = doc->tape[obj].start + 1; /* the object is not empty: it has a type */
    return gate_edit_add(t, behind, behind,
                         nk_arena_printf(t->scratch, "\"%s\":%.*s,", name, NK_FMT(value)));
}

static int rewrite(struct nk_txn *t, const struct nk_tool_use *tool)
{
    const struct nk_config *c = &t->setup->config;
    bool openai = nk_str_eq(nk_str(t->state->dialect->name), NK_STR("openai"));
    if (!tool->server.p)
        return gate_refuse(t, NK_REFUSAL_policy_denied, "forward",
                           NK_STR("Remote MCP servers go through this gateway (remote_mcp); a "
                                  "connector of the provider cannot."),
                           NK_STR(""));
    int rc = set_member(t, tool->at, openai ? "server_url" : "url", quoted(t, c->remote_mcp));
    if (!rc && openai && c->remote_mcp_asks)
        rc = set_member(t, tool->at, "require_approval", NK_STR("\"always\""));
    return rc ? gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR("")) : 0;
}

int gate_hosted_rewrite(struct nk_txn *t)
{
    const struct nk_call *c = &t->state->call;
    int rc = 0;
    if (!t->setup->config.remote_mcp.p)
        return 0;
    for (size_t i = 0; !rc && i < c->tool_count; i++)
        if (c->tools[i].server.p || c->tools[i].connector.p)
            rc = rewrite(t, &c->tools[i]);
    return rc;
}
