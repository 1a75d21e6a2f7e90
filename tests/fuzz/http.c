/* SPDX-License-Identifier: Apache-2.0
 *
 * http - the message parser. First byte: request, response or answer to HEAD; second: how the input
 * is cut. Whatever the cut, the events must be the same; a head that was understood, written anew,
 * must be understood as the same head; and where llhttp is not asked, it must find the same body at
 * the same place.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <llhttp/llhttp.h>
#include "http/http.h"

struct outcome {
    struct nk_buf text; /* events, one behind the other */
    struct nk_buf body;
    int rc;
    size_t rest;
    bool ended;   /* the message did, before the input or with it */
    bool chunked; /* llhttp has read it already */
};

static const struct nk_http_limits limits = {2048, 16, 4096};

static void say_str(struct nk_buf *b, struct nk_str s)
{
    nk_buf_add_u64(b, s.n);
    nk_buf_add_char(b, ':');
    nk_buf_add(b, s);
}

/* The head without its framing fields, which the writer owns. */
static void say_head(struct nk_buf *b, const struct nk_http_head *h)
{
    say_str(b, h->method);
    say_str(b, h->target);
    nk_buf_printf(b, " %d %lld %d %d\n", h->status, (long long)h->content_length, h->chunked,
                  h->keep_alive);
    for (size_t i = 0; i < h->header_count; i++) {
        struct nk_str name = h->headers[i].name;
        if (nk_str_eq_nocase(name, NK_STR("Connection")) ||
            nk_str_eq_nocase(name, NK_STR("Content-Length")) ||
            nk_str_eq_nocase(name, NK_STR("Transfer-Encoding")))
            continue;
        say_str(b, name);
        say_str(b, h->headers[i].value);
    }
}

static void check_rewrite(const struct nk_http_head *h, bool request, bool no_body)
{
    struct nk_arena a;
    struct nk_buf wire, want, got;
    nk_arena_init(&a, 1 << 20);
    nk_buf_init(&wire, 1 << 16);
    nk_buf_init(&want, 1 << 16);
    nk_buf_init(&got, 1 << 16);
    struct nk_http_head copy = *h;
    bool written =
        (request ? nk_http_write_request(&copy, &wire) : nk_http_write_response(&copy, &wire)) == 0;
    /* Legal in, not legal out: HTTP/1.0 without Host, 204 with "Content-Length: 0", 304 chunked. */
    NK_MUST(written || (request && !nk_http_get(h, NK_STR("Host")).p) || h->status == 204 ||
            h->status == 304 || no_body);
    if (written) {
        struct nk_http_limits lim = {1 << 16, 100, 4096};
        struct nk_http_parser *p = nk_http_parser_new(&a, request, &lim);
        if (no_body)
            nk_http_parser_expect_no_body(p);
        struct nk_str in = nk_buf_str(&wire);
        enum nk_http_event e;
        struct nk_fault f = {0};
        NK_MUST(nk_http_parse(p, &in, &e, &f) == 0 && e == NK_HTTP_HEAD && in.n == 0);
        copy.keep_alive = nk_http_parser_head(p)->keep_alive && h->keep_alive;
        struct nk_http_head back = *nk_http_parser_head(p);
        NK_MUST(!back.keep_alive || h->keep_alive);
        back.keep_alive = copy.keep_alive;
        say_head(&want, &copy);
        say_head(&got, &back);
        NK_MUST(nk_str_eq(nk_buf_str(&want), nk_buf_str(&got)));
    }
    nk_buf_free(&wire);
    nk_buf_free(&want);
    nk_buf_free(&got);
    nk_arena_free(&a);
}

static void run(const uint8_t *data, size_t n, unsigned kind, unsigned cut, struct outcome *o)
{
    struct nk_arena a;
    bool request = kind == 0;
    nk_arena_init(&a, 1 << 20);
    *o = (struct outcome){.rest = n};
    nk_buf_init(&o->text, 1 << 20);
    nk_buf_init(&o->body, 1 << 20);
    struct nk_http_parser *p = nk_http_parser_new(&a, request, &limits);
    if (kind == 2)
        nk_http_parser_expect_no_body(p);
    bool over = false;
    enum nk_http_event e;
    while (o->rest && !over) {
        cut = cut * 1103515245 + 12345;
        size_t size = cut == 12345u ? o->rest : (cut >> 16) % 40 + 1;
        size = size > o->rest ? o->rest : size;
        char *piece = malloc(size);
        memcpy(piece, data + n - o->rest, size);
        struct nk_str in = {piece, size};
        struct nk_fault f = {0};
        do {
            o->rc = nk_http_parse(p, &in, &e, &f);
            NK_MUST(o->rc == f.code);
            if (!o->rc && e == NK_HTTP_HEAD) {
                o->chunked = nk_http_parser_head(p)->chunked;
                say_head(&o->text, nk_http_parser_head(p));
                check_rewrite(nk_http_parser_head(p), request, kind == 2);
            } else if (!o->rc && e == NK_HTTP_BODY) {
                NK_MUST(nk_http_parser_body(p).n > 0);
                nk_buf_add(&o->body, nk_http_parser_body(p));
            }
            over = o->rc || e == NK_HTTP_END;
        } while (!over && e != NK_HTTP_MORE);
        NK_MUST(over || in.n == 0);
        o->rest -= size - in.n;
        free(piece);
        if (cut == 12345u)
            break;
    }
    o->ended = over;
    if (o->rc)
        nk_buf_clear(&o->body);
    else if (!over)
        o->rc = nk_http_parse_eof(p, &e);
    nk_arena_free(&a);
}

struct witness {
    llhttp_t ll;
    struct nk_buf body;
    bool no_body;
};

static int saw_head(llhttp_t *ll)
{
    ll->upgrade = 0; /* an offer of h2c is not taken up */
    bool none =
        NK_OF(ll, struct witness, ll)->no_body || ll->status_code == 204 || ll->status_code == 304;
    return none && ll->status_code >= 200;
}

static int saw_body(llhttp_t *ll, const char *p, size_t n)
{
    nk_buf_add(&NK_OF(ll, struct witness, ll)->body, (struct nk_str){p, n});
    return 0;
}

static int saw_end(llhttp_t *ll)
{
    (void)ll;
    return HPE_PAUSED;
}

/* What we understood without llhttp, it understands in the same way. */
static void hold_against_llhttp(const uint8_t *data, size_t n, unsigned kind,
                                const struct outcome *o)
{
    static const llhttp_settings_t settings = {
        .on_headers_complete = saw_head, .on_body = saw_body, .on_message_complete = saw_end};
    struct witness w = {.no_body = kind == 2};
    if (o->rc || o->chunked)
        return;
    nk_buf_init(&w.body, 1 << 20);
    const char *at = (const char *)data, *end = at + n;
    llhttp_errno_t e;
    bool interim;
    do {
        llhttp_init(&w.ll, kind == 0 ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
        e = llhttp_execute(&w.ll, at, (size_t)(end - at));
        at = e == HPE_PAUSED ? llhttp_get_error_pos(&w.ll) : end;
        interim = kind && e == HPE_PAUSED && w.ll.status_code < 200;
    } while (interim && at < end);
    NK_MUST(e == (o->ended ? HPE_PAUSED : HPE_OK));
    NK_MUST(!o->ended || at == end - o->rest);
    NK_MUST(nk_str_eq(nk_buf_str(&w.body), nk_buf_str(&o->body)));
    nk_buf_free(&w.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    struct outcome whole, cut;
    run(data + 2, n - 2, data[0] % 3, 0, &whole);
    run(data + 2, n - 2, data[0] % 3, data[1] + 1u, &cut);
    NK_MUST(whole.rc == cut.rc);
    NK_MUST(nk_str_eq(nk_buf_str(&whole.text), nk_buf_str(&cut.text)));
    NK_MUST(nk_str_eq(nk_buf_str(&whole.body), nk_buf_str(&cut.body)));
    NK_MUST(whole.rc || whole.rest == cut.rest);
    hold_against_llhttp(data + 2, n - 2, data[0] % 3, &whole);
    nk_buf_free(&whole.text);
    nk_buf_free(&whole.body);
    nk_buf_free(&cut.text);
    nk_buf_free(&cut.body);
    return 0;
}
