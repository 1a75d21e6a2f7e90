/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_head.c - a header block becomes a struct nk_http_head, under the same rules as one of HTTP/1.1
 * (grammar.c, rules.c) and those of RFC 9113, section 8, so that whatever comes out here can be
 * written as HTTP/1.1 and means the same: no byte that would end a line there, one Host that says
 * what :authority says, one length.
 *
 * Fields are gathered on the connection, within the limits, before the caller's arena is touched: a
 * block that expands beyond them costs no memory, and one far beyond them ends the connection,
 * because HPACK must be decoded to the end to keep its state.
 */
#include "http/grammar.h"
#include "http/h2_own.h"

#include <string.h>

enum {
    INTERIM_MAX = 8,     /* 1xx answers before the real one, as in parse.c */
    FIELD_OVERHEAD = 32, /* section 6.5.2 */
    FAR_BEYOND = 4,      /* times max_head_bytes: decoding any further is refused */
    KEEP_TEXT = 4096,    /* bytes of memory kept from head to head */
};

void nk_h2_block_begin(struct nk_h2 *h)
{
    struct nk_h2_block *b = &h->block;
    struct nk_buf text = b->text, fields = b->fields;
    *b = (struct nk_h2_block){.text = text, .fields = fields};
    nk_buf_clear(&b->text);
    nk_buf_clear(&b->fields);
}

static void block_done(struct nk_h2_block *b)
{
    if (b->text.cap > KEEP_TEXT)
        nk_buf_free(&b->text);
    if (b->fields.cap > KEEP_TEXT)
        nk_buf_free(&b->fields);
}

static void keep(struct nk_h2_block *b, struct nk_str name, struct nk_str value)
{
    struct nk_h2_span span = {(uint32_t)b->text.n, (uint32_t)name.n, (uint32_t)(b->text.n + name.n),
                              (uint32_t)value.n};
    nk_buf_add(&b->text, name);
    nk_buf_add(&b->text, value);
    nk_buf_add(&b->fields, (struct nk_str){(const char *)&span, sizeof span});
    b->over |= b->text.error || b->fields.error;
}

int nk_h2_block_field(struct nk_h2 *h, const struct nk_h2_stream *s, struct nk_str name,
                      struct nk_str value)
{
    struct nk_h2_block *b = &h->block;
    b->count++;
    b->size += name.n + value.n + FIELD_OVERHEAD;
    if (b->size > (uint64_t)h->lim.max_head_bytes * FAR_BEYOND)
        return nk_h2_fail(h, NK_ELIMIT, NK_H2_ENHANCE_YOUR_CALM, "a header block far too large");
    b->over |= b->size > h->lim.max_head_bytes || b->count > h->lim.max_headers;
    bool pseudo = name.n && name.p[0] == ':';
    if ((!pseudo && !nk_http_token_ok(name)) || !nk_http_value_ok(value))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    if (!b->over && !s->silent && !s->refused && !s->head_seen)
        keep(b, name, value);
    return 0;
}

/* What is put together for one head, in the stream's arena. */
struct draft {
    struct nk_http_head head;
    struct nk_str method, scheme, authority, path, status, host;
    size_t crumbs, crumb_bytes; /* cookies, to be joined */
    struct nk_http_header *cookie;
};

static void take_pseudo(struct draft *d, struct nk_str name, struct nk_str value)
{
    if (nk_str_eq(name, NK_STR(":method")))
        d->method = value;
    else if (nk_str_eq(name, NK_STR(":scheme")))
        d->scheme = value;
    else if (nk_str_eq(name, NK_STR(":authority")))
        d->authority = value;
    else if (nk_str_eq(name, NK_STR(":path")))
        d->path = value;
    else
        d->status = value;
}

static bool is_cookie(struct nk_str name)
{
    return nk_str_eq(name, NK_STR("cookie"));
}

/* One field; Host waits until :authority is known, cookies are counted first. */
static int take_field(struct draft *d, bool request, struct nk_http_header x, struct nk_fault *f)
{
    if (x.name.p[0] == ':') {
        take_pseudo(d, x.name, x.value);
        return 0;
    }
    if (request && nk_str_eq(x.name, NK_STR("host"))) {
        if (d->host.p)
            return nk_fault_set(f, NK_EINVAL, "http", 0, "Host comes twice");
        d->host = x.value;
        return 0;
    }
    if (is_cookie(x.name)) {
        d->crumb_bytes += x.value.n + 2;
        if (d->crumbs++)
            return 0;
        d->cookie = &d->head.headers[d->head.header_count];
    }
    d->head.headers[d->head.header_count++] = x;
    return 0;
}

/* Cookies may come one by one, so that HPACK finds them again; elsewhere they are one field
 * (section 8.2.3). */
static int join_cookies(struct nk_arena *a, struct draft *d, const struct nk_h2_span *spans,
                        size_t count, const char *text)
{
    if (d->crumbs < 2)
        return 0;
    char *p = nk_arena_alloc(a, d->crumb_bytes);
    if (!p)
        return NK_ENOMEM;
    d->cookie->value = (struct nk_str){p, d->crumb_bytes - 2};
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        struct nk_str name = {text + spans[i].name, spans[i].name_n};
        if (!is_cookie(name))
            continue;
        if (!first) {
            memcpy(p, "; ", 2);
            p += 2;
        }
        first = false;
        memcpy(p, text + spans[i].value, spans[i].value_n);
        p += spans[i].value_n;
    }
    return 0;
}

/* Copies the block and fills the draft; headers[0] is free for Host in a request. */
static int draft_fields(struct nk_h2_block *b, struct nk_arena *a, bool request, struct draft *d,
                        struct nk_fault *f)
{
    size_t count = b->fields.n / sizeof(struct nk_h2_span);
    const struct nk_h2_span *spans = (const struct nk_h2_span *)(const void *)b->fields.p;
    struct nk_str text = nk_arena_copy(a, nk_buf_str(&b->text));
    d->head.headers = nk_arena_array(a, count + 1, sizeof *d->head.headers);
    if (!text.p || !d->head.headers)
        return nk_fault_set(f, NK_ENOMEM, "http", 0, "no memory for the head");
    d->head.header_count = request;
    for (size_t i = 0; i < count; i++) {
        struct nk_http_header x = {{text.p + spans[i].name, spans[i].name_n},
                                   {text.p + spans[i].value, spans[i].value_n}};
        int rc = take_field(d, request, x, f);
        if (rc)
            return rc;
    }
    if (join_cookies(a, d, spans, count, text.p))
        return nk_fault_set(f, NK_ENOMEM, "http", 0, "no memory for the cookies");
    return 0;
}

/* The scheme's own port, or none behind a colon, says nothing (RFC 3986, section 6.2.3). */
static struct nk_str without_port(struct nk_str host, struct nk_str scheme)
{
    struct nk_str port = nk_str_eq(scheme, NK_STR("https")) ? NK_STR(":443") : NK_STR(":80");
    size_t cut = nk_str_ends(host, port) ? port.n : nk_str_ends(host, NK_STR(":")) ? 1 : 0;
    return nk_str_sub(host, 0, host.n - cut);
}

/* :authority and Host (section 8.3.1). One of them is there: nghttp2 looks. */
static int settle_host(struct draft *d, struct nk_fault *f)
{
    struct nk_str host = d->authority.p ? d->authority : d->host;
    if (d->host.p &&
        !nk_str_eq_nocase(without_port(d->host, d->scheme), without_port(host, d->scheme)))
        return nk_fault_set(f, NK_EINVAL, "http", 0, "Host names another host than :authority");
    d->head.headers[0] = (struct nk_http_header){NK_STR("host"), host};
    return 0;
}

static int settle_request(struct draft *d, struct nk_fault *f)
{
    if (nk_str_eq(d->method, NK_STR("CONNECT")) || nk_str_eq(d->path, NK_STR("*")))
        return nk_fault_set(f, NK_EUNSUPPORTED, "http", 0, "CONNECT and \"*\" are not supported");
    if (!nk_http_token_ok(d->method))
        return nk_fault_set(f, NK_EINVAL, "http", 0, "the method is not a token");
    if (!nk_http_method_known(d->method))
        return nk_fault_set(f, NK_EUNSUPPORTED, "http", 0, "the method is not supported");
    if (!nk_str_eq(d->scheme, NK_STR("https")) && !nk_str_eq(d->scheme, NK_STR("http")))
        return nk_fault_set(f, NK_EINVAL, "http", 0, "the scheme is neither https nor http");
    if (!nk_str_starts(d->path, NK_STR("/")))
        return nk_fault_set(f, NK_EINVAL, "http", 0, "the path does not begin with a slash");
    d->head.method = d->method;
    d->head.target = d->path;
    return settle_host(d, f);
}

static int settle_response(struct draft *d, struct nk_fault *f)
{
    const char *p = d->status.p;
    if (d->status.n != 3 || p[0] < '1' || p[0] > '5' || p[1] < '0' || p[1] > '9' || p[2] < '0' ||
        p[2] > '9')
        return nk_fault_set(f, NK_EINVAL, "http", 0, "the status is not 100 to 599");
    d->head.status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
    return 0;
}

static int make_head(struct nk_h2 *h, struct nk_h2_stream *s, bool last, struct draft *d,
                     struct nk_fault *f)
{
    if (h->block.over)
        return nk_fault_set(f, NK_ELIMIT, "http", 0,
                            "the head is larger than %u bytes or %u fields", h->lim.max_head_bytes,
                            h->lim.max_headers);
    int rc = draft_fields(&h->block, s->arena, h->server, d, f);
    if (!rc)
        rc = h->server ? settle_request(d, f) : settle_response(d, f);
    if (!rc)
        rc = nk_http_rules(&d->head, h->server, 1, f);
    if (rc)
        return rc;
    bool body = !last && (h->server || (nk_http_has_body(d->head.status) && !s->head_method));
    d->head.chunked = body && d->head.content_length < 0;
    d->head.keep_alive = true;
    return 0;
}

/* The answer of an upstream is refused as a whole: nobody would answer that. */
static void refuse(struct nk_h2 *h, struct nk_h2_stream *s, bool last, int error, const char *why)
{
    s->why = h->server ? NULL : "the head of the answer is refused";
    nk_h2_refuse(h, s, error, why);
    if (h->server || s->silent || (last && s->here_done))
        return;
    if (nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, (int32_t)s->id,
                                  NGHTTP2_PROTOCOL_ERROR))
        nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for a reset");
}

void nk_h2_block_end(struct nk_h2 *h, struct nk_h2_stream *s, bool last)
{
    struct nk_fault f = {0};
    struct draft d = {0};
    if (!s->silent) {
        int rc = make_head(h, s, last, &d, &f);
        bool interim = !rc && !h->server && d.head.status < 200;
        if (interim && ++s->interims > INTERIM_MAX)
            rc = nk_fault_set(&f, NK_EINVAL, "http", 0, "too many interim answers");
        if (rc) {
            refuse(h, s, last, rc, f.message);
        } else if (!interim) {
            s->head_seen = true;
            s->head_method |= h->server && nk_str_eq(d.head.method, NK_STR("HEAD"));
            h->handler->head(h->owner, s->call, s->id, &d.head);
        }
    }
    block_done(&h->block);
}
