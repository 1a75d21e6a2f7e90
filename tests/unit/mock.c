/* SPDX-License-Identifier: Apache-2.0
 *
 * mock.c - the scripted model against tests/cases/mock/answers.cases, without its sockets. Each
 * answer is read back by the HTTP parser and the dialect.
 */
#include "cmd/mock.h"

#include "tap.h"

enum { LINE = 1 << 14, TEXT = 1 << 16, HEADERS = 8 };

struct one {
    int line;
    char title[256];
    char *lines[64];
    size_t n;
    char script[TEXT], body[TEXT];
};

static struct nk_arena arena;

static void append(char *text, const char *more, const char *end)
{
    size_t n = strlen(text);
    snprintf(text + n, TEXT - n, "%s%s", more, end);
}

static void ask_of(struct one *c, struct nk_mock_ask *ask, struct nk_http_head *h)
{
    static struct nk_http_header headers[HEADERS];
    *h = (struct nk_http_head){.headers = headers, .content_length = -1};
    *ask = (struct nk_mock_ask){.head = h};
    c->script[0] = c->body[0] = 0;
    for (size_t i = 0; i < c->n; i++) {
        const char *text = c->lines[i] + strcspn(c->lines[i], " ");
        struct nk_str rest = nk_str(text + (*text == ' '));
        if (c->lines[i][0] == '+') {
            append(c->script, rest.p, "\n");
        } else if (c->lines[i][0] == '*') {
            append(c->body, rest.p, "");
        } else if (c->lines[i][0] == '>' && !h->method.p) {
            h->method = nk_str_cut(&rest, ' ');
            h->target = rest;
        } else if (c->lines[i][0] == '>' && h->header_count < HEADERS) {
            headers[h->header_count].name = nk_str_cut(&rest, ':');
            headers[h->header_count++].value = nk_str_trim(rest);
        }
    }
}

/* The answer's events, or its body, must please the dialect of the request. */
static const char *read_events(const struct nk_call *call, struct nk_str body, struct nk_fault *f)
{
    const struct nk_json_limits lim = {TEXT, 64, 1 << 14};
    struct nk_stream *s = call->dialect->stream_new(call, &arena);
    struct nk_sse sse;
    struct nk_sse_event e;
    struct nk_reply so_far;
    nk_sse_init(&sse, TEXT);
    int rc = nk_sse_feed(&sse, body, f);
    while (!rc && (rc = nk_sse_next(&sse, &e, f)) == 0) {
        struct nk_json data = {0};
        enum nk_stream_verdict v;
        const struct nk_tool_use *calls;
        size_t n;
        if (!nk_str_eq(e.data, NK_STR("[DONE]")))
            rc = nk_json_parse(&lim, e.data, &arena, &data, f);
        if (!rc)
            rc = call->dialect->stream_event(s, &e, &data, &v, &calls, &n, f);
    }
    size_t pending = nk_sse_pending(&sse);
    nk_sse_free(&sse);
    if (rc != NK_EAGAIN || pending)
        return f->message[0] ? f->message : "a piece of an event is left";
    return call->dialect->stream_end(s, &so_far) ? NULL : "the stream is not complete";
}

static const char *read_answer(const struct nk_mock_ask *ask, struct nk_str out, struct nk_fault *f)
{
    static char body[TEXT];
    const struct nk_http_limits hl = {8192, 64, TEXT};
    const struct nk_json_limits lim = {TEXT, 64, 1 << 14};
    struct nk_http_parser *p = nk_http_parser_new(&arena, false, &hl);
    enum nk_http_event event = NK_HTTP_BODY;
    struct nk_json doc;
    struct nk_reply reply;
    size_t n = 0;
    NK_MUST(p != NULL);
    while (event != NK_HTTP_END && event != NK_HTTP_MORE) {
        if (nk_http_parse(p, &out, &event, f))
            return f->message;
        struct nk_str piece = nk_http_parser_body(p);
        if (event == NK_HTTP_BODY && piece.n && piece.n < TEXT - n) {
            memcpy(body + n, piece.p, piece.n);
            n += piece.n;
        }
    }
    if (event != NK_HTTP_END || out.n)
        return "the answer is not one whole message";
    const struct nk_http_head *h = nk_http_parser_head(p);
    struct nk_call call = {.dialect = ask->dialect, .endpoint = ask->endpoint};
    struct nk_str type = nk_http_get(h, NK_STR("content-type"));
    if (h->status != 200 || !ask->endpoint || ask->endpoint->local ||
        nk_str_eq(type, NK_STR("text/html")))
        return NULL;
    if (nk_str_starts(type, NK_STR("text/event-stream")))
        return read_events(&call, (struct nk_str){body, n}, f);
    if (nk_json_parse(&lim, (struct nk_str){body, n}, &arena, &doc, f) ||
        ask->dialect->parse_reply(&call, &doc, &arena, &reply, f))
        return f->message;
    return NULL;
}

static void check_lines(const struct one *c, const char *text)
{
    for (size_t i = 0; i < c->n; i++) {
        const char *line = c->lines[i];
        if (line[0] != '=' && line[0] != '!')
            continue;
        bool in = strstr(text, line + 2) != NULL;
        if (!tap_ok(in == (line[0] == '='), "answers.cases:%d %s: %s", c->line, c->title, line))
            printf("# found: %s\n", text);
    }
}

static void run_answer(const struct one *c, struct nk_mock_script *script, struct nk_mock_ask *ask)
{
    const struct nk_json_limits lim = {TEXT, 64, 1 << 14};
    struct nk_fault f = {0};
    struct nk_buf out;
    nk_buf_init(&out, 1 << 20);
    struct nk_mock_answer ans = {.out = &out, .arena = &arena, .number = 1};
    ask->endpoint = nk_proto_match(ask->head, &arena, &ask->dialect, &ask->segment);
    int rc = c->body[0] ? nk_json_parse(&lim, nk_str(c->body), &arena, &ask->body, &f) : 0;
    if (!rc)
        rc = nk_mock_read(ask, &arena, &f);
    NK_MUST(rc == 0);
    ans.plan = nk_mock_decide(script, ask, &arena);
    rc = nk_mock_answer(script, ask, &ans);
    tap_ok(rc == 0, "answers.cases:%d %s: is answered", c->line, c->title);
    if (ans.plan.manner != NK_MOCK_GARBAGE) {
        const char *wrong = read_answer(ask, nk_buf_str(&out), &f);
        tap_ok(!wrong, "answers.cases:%d %s: the dialect reads it (%s)", c->line, c->title,
               wrong ? wrong : "");
    }
    nk_buf_add_char(&out, 0);
    check_lines(c, out.p);
    nk_buf_free(&out);
}

static void run_case(struct one *c)
{
    static struct nk_mock_script script;
    struct nk_mock_ask ask;
    struct nk_http_head head;
    struct nk_fault f = {0};
    const char *error = NULL;
    char have[512] = "";
    if (!c->title[0])
        return;
    nk_arena_init(&arena, (size_t)64 << 20);
    ask_of(c, &ask, &head);
    for (size_t i = 0; i < c->n; i++)
        if (strncmp(c->lines[i], "error ", 6) == 0)
            error = c->lines[i];
    int rc = nk_mock_script_parse(nk_str(c->script), &arena, &script, &f);
    if (rc)
        snprintf(have, sizeof have, "error %zu %s", f.offset, f.message);
    if (rc || error)
        tap_ok(error && strcmp(have, error) == 0, "answers.cases:%d %s (%s)", c->line, c->title,
               have);
    else
        run_answer(c, &script, &ask);
    nk_arena_free(&arena);
    for (size_t i = 0; i < c->n; i++)
        free(c->lines[i]);
    c->n = 0;
}

static void run_file(const char *path)
{
    static struct one c;
    char *line = malloc(LINE);
    FILE *f = fopen(path, "r");
    int number = 0;
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
    tap_ok(f && tap_count > 100, "%s was read", path);
    if (f)
        fclose(f);
    free(line);
}

/* A rule that answers only so often; and a drop needs places to cut. */
static void test_times(void)
{
    struct nk_mock_script script;
    struct nk_fault f = {0};
    struct nk_http_head head = {.method = NK_STR("POST")};
    struct nk_mock_ask ask = {.head = &head, .last = NK_STR("x"), .text = NK_STR("x")};
    nk_arena_init(&arena, 1 << 20);
    int rc = nk_mock_script_parse(
        NK_STR("when first 2 times\n  say \"a\"\notherwise\n  say \"b\"\n  drop after 3 events\n"),
        &arena, &script, &f);
    TAP_CHECK(rc == 0);
    TAP_CHECK(nk_str_eq(nk_mock_decide(&script, &ask, &arena).say, NK_STR("a")));
    TAP_CHECK(nk_str_eq(nk_mock_decide(&script, &ask, &arena).say, NK_STR("a")));
    TAP_CHECK(nk_str_eq(nk_mock_decide(&script, &ask, &arena).say, NK_STR("b")));
    TAP_CHECK(nk_mock_decide(&script, &ask, &arena).drop_after == 3);
    nk_arena_free(&arena);
}

int main(void)
{
    run_file("tests/cases/mock/answers.cases");
    test_times();
    return tap_done();
}
