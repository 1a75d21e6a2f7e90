/* SPDX-License-Identifier: Apache-2.0
 *
 * http - the message parser and writer. Cases are in tests/cases/http (see strict.cases for the
 * form); each is fed whole, byte by byte, in two pieces at every place, and in random pieces, and
 * must give the same events.
 */
#include "tap.h"
#include "http/http.h"

#define TEXT 65536

struct cases_case {
    char name[200];
    bool request, no_body, eof, headers;
    struct nk_http_limits lim;
    struct nk_buf input, want;
};

static void unescape(const char *s, struct nk_buf *out)
{
    for (; *s && *s != '\n'; s++) {
        unsigned v;
        if (*s != '\\')
            nk_buf_add_char(out, *s);
        else if (*++s == 'r')
            nk_buf_add_char(out, '\r');
        else if (*s == 'n')
            nk_buf_add_char(out, '\n');
        else if (*s == 't')
            nk_buf_add_char(out, '\t');
        else if (*s == 'x' && sscanf(s + 1, "%2x", &v) == 1)
            nk_buf_add_char(out, (char)v), s += 2;
        else
            nk_buf_add_char(out, *s);
    }
}

static void escape(struct nk_str s, struct nk_buf *out)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '\r')
            nk_buf_add(out, NK_STR("\\r"));
        else if (c == '\n')
            nk_buf_add(out, NK_STR("\\n"));
        else if (c < 32 || c == 127)
            nk_buf_printf(out, "\\x%02x", c);
        else
            nk_buf_add_char(out, (char)c);
    }
}

static void say_head(const struct cases_case *c, const struct nk_http_head *h, struct nk_buf *out)
{
    if (c->request)
        nk_buf_printf(out, "head %.*s %.*s", NK_FMT(h->method), NK_FMT(h->target));
    else
        nk_buf_printf(out, "head %d", h->status);
    if (h->content_length >= 0)
        nk_buf_printf(out, " length=%lld", (long long)h->content_length);
    nk_buf_printf(out, "%s%s%s\n", h->chunked ? " chunked" : "", h->keep_alive ? "" : " close",
                  h->expect_continue ? " continue" : "");
    for (size_t i = 0; c->headers && i < h->header_count; i++)
        nk_buf_printf(out, "header %.*s: %.*s\n", NK_FMT(h->headers[i].name),
                      NK_FMT(h->headers[i].value));
}

static void say_body(struct nk_buf *body, struct nk_buf *out)
{
    if (!body->n)
        return;
    nk_buf_add(out, NK_STR("body "));
    escape(nk_buf_str(body), out);
    nk_buf_add_char(out, '\n');
    nk_buf_clear(body);
}

struct run {
    struct nk_http_parser *p;
    struct nk_buf body, *out;
    bool over;
};

/* One piece of input; what is left over at the end goes to *rest. */
static void feed(const struct cases_case *c, struct run *r, struct nk_str in, size_t *rest)
{
    while (!r->over) {
        enum nk_http_event e = NK_HTTP_MORE;
        struct nk_fault f = {0};
        int rc = nk_http_parse(r->p, &in, &e, &f);
        if (rc) {
            nk_buf_clear(&r->body);
            nk_buf_printf(r->out, "%s\n", nk_error_name(rc));
            r->over = true;
            if (f.code != rc || !f.message[0])
                nk_buf_printf(r->out, "without a fault\n");
        } else if (e == NK_HTTP_MORE) {
            if (in.n)
                nk_buf_printf(r->out, "MORE with %zu bytes left\n", in.n);
            return;
        } else if (e == NK_HTTP_HEAD) {
            say_head(c, nk_http_parser_head(r->p), r->out);
        } else if (e == NK_HTTP_BODY) {
            nk_buf_add(&r->body, nk_http_parser_body(r->p));
        } else {
            say_body(&r->body, r->out);
            nk_buf_printf(r->out, "end\n");
            r->over = true;
            *rest = in.n;
        }
    }
}

/* cut(i): is there a border behind byte i? */
static void transcript(const struct cases_case *c, const unsigned char *cut, struct nk_buf *out)
{
    struct nk_arena a;
    nk_arena_init(&a, 1 << 22);
    struct run r = {.p = nk_http_parser_new(&a, c->request, &c->lim), .out = out};
    nk_buf_init(&r.body, TEXT);
    if (c->no_body)
        nk_http_parser_expect_no_body(r.p);
    size_t from = 0, rest = 0, n = c->input.n;
    for (size_t i = 0; i < n && !r.over; i++) {
        if (i + 1 < n && !cut[i])
            continue;
        /* Exactly sized memory, so that a sanitizer sees any read past the end. */
        char *piece = malloc(i + 1 - from);
        memcpy(piece, c->input.p + from, i + 1 - from);
        feed(c, &r, (struct nk_str){piece, i + 1 - from}, &rest);
        free(piece);
        from = i + 1;
    }
    if (r.over && (rest += n - from) && strstr(nk_buf_str(out).p, "end\n"))
        nk_buf_printf(out, "rest %zu\n", rest);
    enum nk_http_event e;
    int rc = r.over || !c->eof ? 0 : nk_http_parse_eof(r.p, &e);
    if (!r.over) {
        say_body(&r.body, out);
        nk_buf_printf(out, "%s\n", !c->eof ? "more" : rc ? nk_error_name(rc) : "end");
    }
    nk_buf_add_char(out, 0);
    nk_buf_free(&r.body);
    nk_arena_free(&a);
}

static bool same(const struct cases_case *c, const unsigned char *cut, const char *how)
{
    struct nk_buf out;
    nk_buf_init(&out, TEXT);
    transcript(c, cut, &out);
    bool ok = !out.error && out.n == c->want.n && !memcmp(out.p, c->want.p, out.n);
    if (!ok)
        printf("# %s: got\n%s# want\n%s", how, out.p, c->want.p);
    nk_buf_free(&out);
    return ok;
}

static void run_case(struct cases_case *c)
{
    nk_buf_add_char(&c->want, 0);
    size_t n = c->input.n;
    unsigned char *cut = calloc(1, n + 1);
    bool ok = same(c, cut, "whole");
    for (size_t i = 0; ok && i + 1 < n && n < 4096; i++) {
        cut[i] = 1;
        ok = same(c, cut, "two pieces");
        cut[i] = 0;
    }
    for (int round = 0; ok && round < 30; round++) {
        for (size_t i = 0; i < n; i++)
            cut[i] = rand() % (round + 2) == 0;
        ok = same(c, cut, "random pieces");
    }
    memset(cut, 1, n);
    ok = ok && same(c, cut, "byte by byte");
    tap_ok(ok, "%s", c->name);
    free(cut);
}

static void start_case(struct cases_case *c, const char *line)
{
    nk_buf_free(&c->input);
    nk_buf_free(&c->want);
    *c = (struct cases_case){.request = !strncmp(line, "request", 7),
                             .no_body = !strncmp(line, "head-response", 13),
                             .lim = {8192, 64, 65536}};
    nk_buf_init(&c->input, 1 << 20);
    nk_buf_init(&c->want, TEXT);
    snprintf(c->name, sizeof c->name, "%.*s", (int)strcspn(line, "\n"), line);
}

static void case_line(struct cases_case *c, const char *line)
{
    unsigned n;
    if (line[0] == '>' || line[0] == '+') {
        if (line[1] == ' ')
            unescape(line + 2, &c->input);
        if (line[0] == '>')
            nk_buf_add(&c->input, NK_STR("\r\n"));
    } else if (line[0] == '=') {
        if (!strncmp(line, "= header ", 9))
            c->headers = true;
        nk_buf_add(&c->want, nk_str(line + 2));
    } else if (sscanf(line, "fill %u", &n) == 1) {
        while (n--)
            nk_buf_add_char(&c->input, 'a');
    } else if (!strncmp(line, "eof", 3)) {
        c->eof = true;
    } else if (sscanf(line, "max-head %u", &n) == 1) {
        c->lim.max_head_bytes = n;
    } else if (sscanf(line, "max-headers %u", &n) == 1) {
        c->lim.max_headers = n;
    } else if (sscanf(line, "max-body %u", &n) == 1) {
        c->lim.max_body_bytes = n;
    } else {
        tap_ok(false, "case file: what is \"%.*s\"?", (int)strcspn(line, "\n"), line);
    }
}

static void run_file(const char *path)
{
    FILE *in = fopen(path, "r");
    if (!tap_ok(in != NULL, "open %s", path))
        return;
    static struct cases_case c;
    char line[2048];
    bool open = false;
    while (fgets(line, sizeof line, in)) {
        bool start = !strncmp(line, "request ", 8) || !strncmp(line, "response ", 9) ||
                     !strncmp(line, "head-response ", 14);
        if (start) {
            if (open)
                run_case(&c);
            start_case(&c, line);
            open = true;
        } else if (open && line[0] != '#' && line[0] != '\n') {
            case_line(&c, line);
        }
    }
    if (open)
        run_case(&c);
    nk_buf_free(&c.input);
    nk_buf_free(&c.want);
    fclose(in);
}

static struct nk_http_head sample(struct nk_http_header *h, size_t n)
{
    return (struct nk_http_head){.method = NK_STR("POST"),
                                 .target = NK_STR("/v1/chat"),
                                 .status = 200,
                                 .headers = h,
                                 .header_count = n,
                                 .content_length = 5,
                                 .keep_alive = true};
}

static bool wrote(int rc, struct nk_buf *b, const char *want)
{
    bool ok = rc == 0 && nk_str_eq(nk_buf_str(b), nk_str(want));
    if (!ok)
        printf("# rc %d: %.*s\n", rc, NK_FMT(nk_buf_str(b)));
    nk_buf_clear(b);
    return ok;
}

static void write_cases(void)
{
    struct nk_buf b;
    nk_buf_init(&b, 4096);
    struct nk_http_header h[] = {{NK_STR("Host"), NK_STR("api.example")},
                                 {NK_STR("X-A"), NK_STR(" spaced ")},
                                 {NK_STR("content-length"), NK_STR("999")},
                                 {NK_STR("Transfer-Encoding"), NK_STR("gzip")},
                                 {NK_STR("connection"), NK_STR("upgrade")}};
    struct nk_http_head r = sample(h, 5);
    TAP_CHECK(wrote(nk_http_write_request(&r, &b), &b,
                    "POST /v1/chat HTTP/1.1\r\nHost: api.example\r\nX-A: spaced\r\n"
                    "Content-Length: 5\r\n\r\n"));
    r.content_length = -1;
    r.chunked = true;
    r.keep_alive = false;
    TAP_CHECK(wrote(nk_http_write_request(&r, &b), &b,
                    "POST /v1/chat HTTP/1.1\r\nHost: api.example\r\nX-A: spaced\r\n"
                    "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"));
    r = sample(h + 1, 1);
    TAP_CHECK(wrote(nk_http_write_response(&r, &b), &b,
                    "HTTP/1.1 200 OK\r\nX-A: spaced\r\nContent-Length: 5\r\n\r\n"));
    r.content_length = -1;
    TAP_CHECK(wrote(nk_http_write_response(&r, &b), &b,
                    "HTTP/1.1 200 OK\r\nX-A: spaced\r\nConnection: close\r\n\r\n"));
    r.status = 204;
    TAP_CHECK(wrote(nk_http_write_response(&r, &b), &b,
                    "HTTP/1.1 204 No Content\r\nX-A: spaced\r\n\r\n"));
    r.status = 100;
    r.header_count = 0;
    r.keep_alive = false;
    TAP_CHECK(wrote(nk_http_write_response(&r, &b), &b, "HTTP/1.1 100 Continue\r\n\r\n"));
    nk_http_write_chunk(NK_STR("hello, hello, hello"), &b);
    nk_http_write_chunk(NK_STR(""), &b);
    nk_http_write_last_chunk(&b);
    TAP_CHECK(wrote(0, &b, "13\r\nhello, hello, hello\r\n0\r\n\r\n"));
    nk_buf_free(&b);
}

/* Nothing may be written of a head with a bad part; `b` holds earlier output that must stay. */
static bool refuses(const struct nk_http_head *h, bool request)
{
    struct nk_buf b;
    nk_buf_init(&b, 4096);
    nk_buf_add(&b, NK_STR("before"));
    int rc = request ? nk_http_write_request(h, &b) : nk_http_write_response(h, &b);
    bool ok = rc == NK_EINVAL && nk_str_eq(nk_buf_str(&b), NK_STR("before"));
    nk_buf_free(&b);
    return ok;
}

static void injection_cases(void)
{
    const struct nk_str bad_value[] = {NK_STR("a\r\nX: b"), NK_STR("a\nb"), NK_STR("a\rb"),
                                       NK_STR("a\0b"), NK_STR("\x7f")};
    const struct nk_str bad_name[] = {NK_STR(""),      NK_STR("A B"), NK_STR("A:"),
                                      NK_STR("A\r\n"), NK_STR("A\0"), NK_STR("\xc3\xa9")};
    const struct nk_str bad_target[] = {NK_STR(""),           NK_STR("x"),        NK_STR("/a b"),
                                        NK_STR("/a\r\nX: y"), NK_STR("/a\0"),     NK_STR("/%0d%0a"),
                                        NK_STR("/a/../b"),    NK_STR("http://b/")};
    const struct nk_str bad_host[] = {NK_STR(""), NK_STR("a b"), NK_STR("a/b"), NK_STR("a:123456"),
                                      NK_STR("u@h")};
    struct nk_http_header h[] = {{NK_STR("Host"), NK_STR("a")}, {NK_STR("X-A"), NK_STR("b")}};
    for (int request = 0; request < 2; request++) {
        for (size_t i = 0; i < NK_COUNT(bad_value); i++) {
            h[1].value = bad_value[i];
            struct nk_http_head r = sample(h, 2);
            tap_ok(refuses(&r, request), "writer refuses bad value %zu", i);
        }
        h[1].value = NK_STR("b");
        for (size_t i = 0; i < NK_COUNT(bad_name); i++) {
            h[1].name = bad_name[i];
            struct nk_http_head r = sample(h, 2);
            tap_ok(refuses(&r, request), "writer refuses bad name %zu", i);
        }
        h[1].name = NK_STR("X-A");
    }
    struct nk_http_head r = sample(h, 2);
    for (size_t i = 0; i < NK_COUNT(bad_target); i++) {
        r.target = bad_target[i];
        tap_ok(refuses(&r, true), "writer refuses bad target %zu", i);
    }
    r = sample(h, 2);
    for (size_t i = 0; i < NK_COUNT(bad_host); i++) {
        h[0].value = bad_host[i];
        tap_ok(refuses(&r, true), "writer refuses bad host %zu", i);
    }
    r = sample(h + 1, 1);
    tap_ok(refuses(&r, true), "writer refuses a request without Host");
    r = sample(h, 2);
    r.method = NK_STR("GET /x HTTP/1.1\r\n");
    tap_ok(refuses(&r, true), "writer refuses a bad method");
    r = sample(h, 2);
    r.chunked = true;
    tap_ok(refuses(&r, true) && refuses(&r, false), "writer refuses length with chunked");
    r = sample(h, 2);
    r.status = 204;
    tap_ok(refuses(&r, false), "writer refuses 204 with a length");
    r.status = 600;
    tap_ok(refuses(&r, false), "writer refuses status 600");
}

static void small_cases(void)
{
    TAP_CHECK(nk_http_is_hop_by_hop(NK_STR("keep-alive"), (struct nk_str){NULL, 0}));
    TAP_CHECK(nk_http_is_hop_by_hop(NK_STR("X-Secret"), NK_STR("close, x-secret")));
    TAP_CHECK(!nk_http_is_hop_by_hop(NK_STR("Content-Type"), NK_STR("close")));
    struct nk_http_head h = {.target = NK_STR("/a/b?c=d?e")};
    TAP_CHECK(nk_str_eq(nk_http_path(&h), NK_STR("/a/b")));
    TAP_CHECK(!strcmp(nk_http_reason(404), "Not Found") && nk_http_reason(299)[0]);
    struct nk_buf b;
    nk_buf_init(&b, 8);
    struct nk_http_header x = {NK_STR("Host"), NK_STR("a")};
    h = sample(&x, 1);
    TAP_CHECK(nk_http_write_request(&h, &b) == NK_ELIMIT && b.n == 0);
    nk_buf_free(&b);
    struct nk_arena a;
    nk_arena_init(&a, 64);
    struct nk_http_limits lim = {100, 10, 10};
    TAP_CHECK(nk_http_parser_new(&a, true, &lim) == NULL);
    nk_arena_free(&a);
}

int main(void)
{
    srand(2);
    run_file("tests/cases/http/good.cases");
    run_file("tests/cases/http/strict.cases");
    write_cases();
    injection_cases();
    small_cases();
    return tap_done();
}
