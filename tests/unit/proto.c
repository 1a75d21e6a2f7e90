/* SPDX-License-Identifier: Apache-2.0
 *
 * proto.c - the API dialects against tests/cases/proto/. requests.cases says how a case is written.
 */
#include "proto/avp.h"

#include "tap.h"

enum { LINE = 1 << 16, TEXT = 1 << 18, HEADERS = 32, EVENTS = 64 };

/* One case: its first line, what is given and what is expected. */
struct one {
    const char *file;
    int line;
    char title[256];
    char *lines[256]; /* as written, first character included */
    size_t n;
};

/* Everything that was found out, one fact a line. */
struct facts {
    char text[1 << 16];
};

static struct nk_arena arena;

__attribute__((format(printf, 2, 3))) static void fact(struct facts *f, const char *fmt, ...)
{
    size_t n = strlen(f->text);
    va_list args;
    va_start(args, fmt);
    vsnprintf(f->text + n, sizeof f->text - n, fmt, args);
    va_end(args);
    n = strlen(f->text);
    if (n + 1 < sizeof f->text)
        memcpy(f->text + n, "\n", 2);
}

static bool has_fact(const struct facts *f, const char *line)
{
    size_t n = strlen(line);
    for (const char *at = f->text; (at = strstr(at, line)); at++)
        if ((at == f->text || at[-1] == '\n') && at[n] == '\n')
            return true;
    return false;
}

static void name_tools(struct facts *f, const char *what, const struct nk_tool_use *t, size_t n)
{
    char text[8192] = "";
    size_t at = 0;
    for (size_t i = 0; i < n && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s%s%.*s%s%s%.*s", i ? "; " : "",
                               NK_FMT(t[i].id), t[i].id.n ? " " : "", NK_FMT(t[i].name),
                               t[i].hosted ? " hosted" : "", t[i].arguments.n ? " " : "",
                               NK_FMT(t[i].arguments));
    fact(f, "%s %s", what, n ? text : "none");
}

/* Behind a failed check: what came, and of what. */
static void said(bool passed, const char *found, const char *of)
{
    if (!passed)
        printf("# found: %s\n# %s\n", found, of);
}

static char *joined(const struct one *c, char mark)
{
    char *text = calloc(1, TEXT);
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->lines[i][0] == mark && n < TEXT)
            n += (size_t)snprintf(text + n, TEXT - n, "%s%s",
                                  c->lines[i] + (c->lines[i][1] == ' ' ? 2 : 1),
                                  mark == '=' ? "\n" : "");
    return text;
}

static int read_json(struct nk_str text, struct nk_json *doc, struct nk_fault *f)
{
    const struct nk_json_limits lim = {TEXT, 64, 1 << 16};
    *doc = (struct nk_json){0};
    return text.n ? nk_json_parse(&lim, text, &arena, doc, f) : 0;
}

static void check(const struct one *c, const struct facts *f)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->lines[i][0] == '=')
            said(tap_ok(has_fact(f, c->lines[i] + 2), "%s:%d %s: %s", c->file, c->line, c->title,
                        c->lines[i] + 2),
                 f->text, "");
}

/* The ">" lines: "METHOD TARGET", then headers. */
static void read_head(const struct one *c, struct nk_http_head *h, struct nk_http_header *headers)
{
    *h = (struct nk_http_head){.headers = headers, .content_length = -1};
    for (size_t i = 0; i < c->n; i++) {
        struct nk_str rest = nk_str(c->lines[i]);
        if (rest.p[0] != '>' || h->header_count == HEADERS)
            continue;
        rest = nk_str_sub(rest, 2, rest.n);
        if (!h->method.p) {
            h->method = nk_str_cut(&rest, ' ');
            h->target = rest;
            continue;
        }
        headers[h->header_count].name = nk_str_cut(&rest, ':');
        headers[h->header_count++].value = nk_str_trim(rest);
    }
}

/* What an operation of Verified Permissions asks. */
static void facts_of_avp(const struct nk_call *call, struct facts *f)
{
    const struct nk_avp_call *c = nk_avp_call(call);
    struct nk_cedar_entities *e = nk_cedar_entities_new(&arena, NULL);
    const struct nk_str closed[] = {NK_STR("Closed")};
    struct nk_fault fault = {0};
    NK_MUST(e);
    fact(f, "store %.*s", NK_FMT(c->store));
    fact(f, "id %.*s", NK_FMT(c->id));
    fact(f, "asks %zu", c->ask_count);
    for (size_t i = 0; i < c->ask_count; i++) {
        const struct nk_avp_ask *a = &c->asks[i];
        fact(f, "ask %.*s::%.*s %.*s::%.*s %.*s::%.*s context %zu", NK_FMT(a->principal.type),
             NK_FMT(a->principal.id), NK_FMT(a->action.type), NK_FMT(a->action.id),
             NK_FMT(a->resource.type), NK_FMT(a->resource.id), a->context_count);
    }
    fact(f, "page %lld %.*s", (long long)c->max_results, NK_FMT(c->next));
    fact(f, "refs %zu", c->ref_count);
    fact(f, "filter %d %d %.*s %.*s", c->filter.principal_match, c->filter.resource_match,
         NK_FMT(c->filter.type), NK_FMT(c->filter.template_id));
    int rc = nk_avp_entities(call, closed, NK_COUNT(closed), &arena, e, &fault);
    if (rc == 0)
        rc = nk_cedar_entities_seal(e, &fault);
    fact(f, "entities %s %s", nk_error_name(rc), fault.message);
}

static void facts_of_call(struct nk_call *call, struct facts *f)
{
    struct nk_fault fault = {0};
    int rc = call->dialect->parse_call(call, &arena, &fault);
    if (rc) {
        fact(f, "error %s %s", nk_error_name(rc), fault.message);
        fact(f, "subject %.*s", NK_FMT(call->subject));
        return;
    }
    if (call->endpoint->local == NK_LOCAL_STORE) {
        facts_of_avp(call, f);
        return;
    }
    fact(f, "model %.*s", NK_FMT(call->model));
    if (call->model_at != NK_JSON_NONE)
        fact(f, "model at %u", call->body.tape[call->model_at].start);
    fact(f, "stream %s", call->stream ? "yes" : "no");
    fact(f, "messages %lld", (long long)call->message_count);
    fact(f, "max_tokens %lld", (long long)call->max_tokens);
    name_tools(f, "tools", call->tools, call->tool_count);
}

static void run_request(const struct one *c)
{
    static struct facts f;
    struct nk_http_header headers[HEADERS];
    struct nk_http_head h;
    struct nk_call call = {0};
    struct nk_str segment;
    struct nk_fault fault = {0};
    memset(&f, 0, sizeof f);
    read_head(c, &h, headers);
    call.endpoint = nk_proto_match(&h, &arena, &call.dialect, &segment);
    struct nk_str credential = call.dialect->credential(&h);
    fact(&f, "dialect %s", call.dialect->name);
    fact(&f, "endpoint %s", call.endpoint ? call.endpoint->name : "none");
    fact(&f, "action %s", call.endpoint ? call.endpoint->action : "none");
    fact(&f, "local %s", call.endpoint && call.endpoint->local ? "yes" : "no");
    fact(&f, "segment %.*s", NK_FMT(segment));
    fact(&f, "credential %.*s", NK_FMT(credential));
    fact(&f, "credential %s", !credential.p ? "absent" : credential.n ? "given" : "useless");
    for (size_t i = 0; i < h.header_count; i++)
        fact(&f, "%s %.*s", call.dialect->forwards(headers[i].name) ? "forwards" : "keeps",
             NK_FMT(headers[i].name));
    char *body = joined(c, '+');
    if (read_json(nk_str(body), &call.body, &fault))
        fact(&f, "json %s", fault.message);
    else if (call.endpoint)
        facts_of_call(&call, &f);
    check(c, &f);
    free(body);
}

/* A call of the named kind, as far as answers look at it. */
static struct nk_call call_of(const char *kind)
{
    static const char *const paths[][2] = {{"chat", "/v1/chat/completions"},
                                           {"responses", "/v1/responses"},
                                           {"embeddings", "/v1/embeddings"},
                                           {"messages", "/v1/messages"},
                                           {"count", "/v1/messages/count_tokens"}};
    struct nk_call call = {.stream = true};
    struct nk_http_head h = {.method = NK_STR("POST")};
    struct nk_str segment;
    size_t n = strcspn(kind, " ");
    for (size_t i = 0; i < NK_COUNT(paths); i++)
        if (strlen(paths[i][0]) == n && strncmp(paths[i][0], kind, n) == 0)
            h.target = nk_str(paths[i][1]);
    call.endpoint = nk_proto_match(&h, &arena, &call.dialect, &segment);
    if (!call.endpoint)
        fprintf(stderr, "unknown kind: %s\n", kind);
    NK_MUST(call.endpoint != NULL);
    return call;
}

static void fact_usage(struct facts *f, struct nk_usage u)
{
    fact(f, "usage %lld %lld", (long long)u.input_tokens, (long long)u.output_tokens);
}

static void run_reply(const struct one *c)
{
    static struct facts f;
    struct nk_call call = call_of(c->title + strlen("reply "));
    struct nk_reply reply;
    struct nk_json doc;
    struct nk_fault fault = {0};
    memset(&f, 0, sizeof f);
    char *body = joined(c, '+');
    int rc = read_json(nk_str(body), &doc, &fault);
    if (!rc)
        rc = call.dialect->parse_reply(&call, &doc, &arena, &reply, &fault);
    if (rc) {
        fact(&f, "error %s %s", nk_error_name(rc), fault.message);
    } else {
        fact_usage(&f, reply.usage);
        fact(&f, "model %.*s", NK_FMT(reply.model));
        fact(&f, "finish %.*s", NK_FMT(reply.finish));
        name_tools(&f, "calls", reply.tools, reply.tool_count);
    }
    check(c, &f);
    free(body);
}

/* "NAME {json}", "{json}", "[DONE]" or "NAME": without a name, the event has the name of its type
 * where the dialect says so. */
static struct nk_sse_event event_of(char *text, bool named, struct nk_json *data,
                                    struct nk_fault *f)
{
    struct nk_sse_event e = {0};
    struct nk_str rest = nk_str(text);
    if (rest.n && rest.p[0] != '{' && rest.p[0] != '[') {
        e.event = nk_str_cut(&rest, ' ');
        named = false;
    }
    e.data = rest;
    *data = (struct nk_json){0};
    if (!rest.p || nk_str_eq(rest, NK_STR("[DONE]")))
        return e;
    int rc = read_json(rest, data, f);
    NK_MUST(rc == 0);
    if (named)
        e.event = nk_json_string(data, nk_json_get(data, 0, NK_STR("type")), &arena);
    return e;
}

static void verdict_of(struct nk_stream *s, const struct nk_dialect *d, char *text, bool named,
                       struct facts *out)
{
    static const char *const words[] = {"pass", "hold", "release"};
    struct nk_fault fault = {0};
    struct nk_json data;
    enum nk_stream_verdict v;
    const struct nk_tool_use *calls;
    size_t n;
    struct nk_sse_event e = event_of(text, named, &data, &fault);
    int rc = d->stream_event(s, &e, &data, &v, &calls, &n, &fault);
    memset(out, 0, sizeof *out);
    if (rc)
        fact(out, "error %s %s", nk_error_name(rc), fault.message);
    else if (v == NK_STREAM_RELEASE)
        name_tools(out, "release", calls, n);
    else
        fact(out, "%s%s", words[v], n ? " with calls" : "");
}

static void run_stream(const struct one *c)
{
    static struct facts f;
    const char *kind = c->title + strlen("stream ");
    struct nk_call call = call_of(kind);
    struct nk_stream *s = call.dialect->stream_new(&call, &arena);
    bool named = strncmp(kind, "chat", 4) != 0;
    NK_MUST(s != NULL);
    for (size_t i = 0; i < c->n; i++) {
        char *bar = strstr(c->lines[i], " | ");
        if (c->lines[i][0] == '=' || !bar)
            continue;
        *bar = 0;
        verdict_of(s, call.dialect, bar + 3, named, &f);
        said(tap_ok(has_fact(&f, c->lines[i]), "%s:%d %s: %s", c->file, c->line, c->title,
                    c->lines[i]),
             f.text, bar + 3);
    }
    struct nk_reply so_far;
    bool complete = call.dialect->stream_end(s, &so_far);
    memset(&f, 0, sizeof f);
    fact(&f, "%s", complete ? "complete" : "incomplete");
    fact_usage(&f, so_far.usage);
    if (so_far.model.p)
        fact(&f, "model %.*s", NK_FMT(so_far.model));
    if (so_far.finish.p)
        fact(&f, "finish %.*s", NK_FMT(so_far.finish));
    check(c, &f);
}

/* Title: "refusal DIALECT STATUS CODE MESSAGE", "models DIALECT NAME…" or "model DIALECT NAME". The
 * text that must come out follows, line by line. */
static void run_text(const struct one *c)
{
    struct nk_buf out;
    struct nk_str rest = nk_str(c->title), models[16];
    struct nk_str what = nk_str_cut(&rest, ' ');
    const struct nk_dialect *d = nk_dialect_by_name(nk_str_cut(&rest, ' '));
    NK_MUST(d != NULL);
    nk_buf_init(&out, TEXT);
    if (nk_str_eq(what, NK_STR("refusal"))) {
        int64_t status = 0;
        int rc = nk_str_to_i64(nk_str_cut(&rest, ' '), &status);
        struct nk_str code = nk_str_cut(&rest, ' ');
        NK_MUST(rc == 0);
        struct nk_refusal r = {.status = (int)status,
                               .code = nk_arena_copy(&arena, code).p,
                               .message = rest,
                               .request = NK_STR("req-1")};
        d->refuse(&r, &out);
        nk_buf_add_char(&out, '\n');
        d->refuse_stream(&r, &out);
    } else {
        size_t n = 0;
        while (rest.p && rest.n && n < NK_COUNT(models))
            models[n++] = nk_str_cut(&rest, ' ');
        d->list_models(models, n, nk_str_eq(what, NK_STR("model")), &out);
        nk_buf_add_char(&out, '\n');
    }
    char *want = joined(c, '=');
    nk_buf_add_char(&out, 0);
    said(tap_ok(strcmp(out.p, want) == 0, "%s:%d %s", c->file, c->line, c->title), out.p, want);
    free(want);
    nk_buf_free(&out);
}

static void run_case(struct one *c)
{
    if (!c->title[0])
        return;
    nk_arena_init(&arena, (size_t)64 << 20);
    if (strncmp(c->title, "request ", 8) == 0)
        run_request(c);
    else if (strncmp(c->title, "reply ", 6) == 0)
        run_reply(c);
    else if (strncmp(c->title, "stream ", 7) == 0)
        run_stream(c);
    else
        run_text(c);
    nk_arena_free(&arena);
    for (size_t i = 0; i < c->n; i++)
        free(c->lines[i]);
    c->n = 0;
}

/* A case begins with its title at the left edge; its lines are indented by two spaces. */
static void run_file(const char *path)
{
    char *line = malloc(LINE);
    FILE *f = fopen(path, "r");
    struct one c = {.file = strrchr(path, '/') + 1};
    int number = 0, before = tap_count;
    while (f && fgets(line, LINE, f)) {
        number++;
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '#' || line[0] == 0)
            continue;
        if (line[0] == ' ') {
            NK_MUST(c.n < NK_COUNT(c.lines));
            c.lines[c.n++] = strdup(line + strspn(line, " "));
            continue;
        }
        run_case(&c);
        c.line = number;
        snprintf(c.title, sizeof c.title, "%s", line);
    }
    run_case(&c);
    tap_ok(f && tap_count - before > 10, "%s was read", path);
    if (f)
        fclose(f);
    free(line);
}

/* What no case file can say: the limits on calls that a stream makes. */
static const char *feed(struct nk_stream *s, const char *json, struct nk_fault *f)
{
    const struct nk_json_limits lim = {TEXT, 64, 1 << 16};
    struct nk_arena own;
    struct nk_json data;
    enum nk_stream_verdict v;
    const struct nk_tool_use *calls;
    size_t n;
    struct nk_sse_event e = {.data = nk_str(json)};
    nk_arena_init(&own, (size_t)16 << 20);
    int rc = nk_json_parse(&lim, e.data, &own, &data, f);
    NK_MUST(rc == 0);
    rc = nk_dialect_by_name(NK_STR("openai"))->stream_event(s, &e, &data, &v, &calls, &n, f);
    nk_arena_free(&own);
    return nk_error_name(rc);
}

static void test_limits(void)
{
    struct nk_fault f = {0};
    struct nk_call call = call_of("chat");
    char *text = malloc(TEXT);
    const char *rc = "OK";
    nk_arena_init(&arena, (size_t)256 << 20);
    struct nk_stream *s = call.dialect->stream_new(&call, &arena);
    int made = 0;
    for (; strcmp(rc, "OK") == 0 && made < 1000; made++) {
        snprintf(text, TEXT,
                 "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":%d}]}}]}", made);
        rc = feed(s, text, &f);
    }
    tap_ok(strcmp(rc, "ELIMIT") == 0 && made == 129, "at most 128 calls in one answer (%d, %s)",
           made, f.message);
    s = call.dialect->stream_new(&call, &arena);
    f = (struct nk_fault){0};
    rc = "OK";
    for (made = 0; strcmp(rc, "OK") == 0 && made < 100; made++) {
        int at = snprintf(text, TEXT,
                          "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":"
                          "[{\"index\":0,\"function\":{\"arguments\":\"");
        memset(text + at, ' ', 65536);
        snprintf(text + at + 65536, 32, "\"}}]}}]}");
        rc = feed(s, text, &f);
    }
    tap_ok(strcmp(rc, "ELIMIT") == 0 && made == 17, "at most 1 MiB of arguments (%d, %s)", made,
           f.message);
    nk_arena_free(&arena);
    nk_arena_init(&arena, 16384);
    s = call.dialect->stream_new(&call, &arena);
    f = (struct nk_fault){0};
    rc = "OK";
    for (made = 0; strcmp(rc, "OK") == 0 && made < 100; made++)
        rc =
            feed(s,
                 "{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{"
                 "\"arguments\":\"0123456789012345678901234567890123456789012345678901234567890123"
                 "0123456789012345678901234567890123456789012345678901234567890123\"}}]}}]}",
                 &f);
    tap_ok(strcmp(rc, "ENOMEM") == 0, "an arena's ceiling ends a stream cleanly (%s)", f.message);
    nk_arena_free(&arena);
    free(text);
}

int main(void)
{
    run_file("tests/cases/proto/requests.cases");
    run_file("tests/cases/proto/avp.cases");
    run_file("tests/cases/proto/replies.cases");
    run_file("tests/cases/proto/streams.cases");
    run_file("tests/cases/proto/refusals.cases");
    test_limits();
    return tap_done();
}
