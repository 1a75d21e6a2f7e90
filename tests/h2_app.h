/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_app.h - the caller of an HTTP/2 connection in tests: writes what it hears as lines, answers as
 * it is told, and holds the machine to its word: each stream ends once, nothing is heard of it
 * afterwards, and each head can be written as HTTP/1.1 and read again.
 */
#pragma once

#include "h2_names.h"
#include "http/h2.h"

enum { H2_APP_STREAMS = 512, H2_APP_ANSWER = 1 << 16 };

struct h2_app_stream {
    struct h2_app *app;
    struct nk_arena arena;
    uint32_t id;
    bool open, head, end;
    size_t heard, unused; /* bytes of the body, and of those not consumed */
    uint64_t sum;
    size_t to_send;
    bool hold; /* more may come */
};

struct h2_app {
    struct nk_h2 *h2;
    struct nk_buf out; /* the lines */
    struct nk_buf body;
    uint32_t body_stream;
    bool client, keep, answers, headers, why, refuse_begin, poor;
    bool sums; /* of whole bodies, instead of what came of them */
    size_t open, taken;
    struct h2_app_stream streams[H2_APP_STREAMS];
};

/* Pieces of a body are one line, however they came. */
static inline void h2_app_flush(struct h2_app *a)
{
    if (!a->body.n)
        return;
    nk_buf_printf(&a->out, "body stream=%u ", a->body_stream);
    if (a->body.n > 40)
        nk_buf_printf(&a->out, "bytes=%zu\n", a->body.n);
    else
        nk_buf_printf(&a->out, "data=%.*s\n", (int)a->body.n, a->body.p);
    nk_buf_clear(&a->body);
}

static inline struct h2_app_stream *h2_app_open(struct h2_app *a, uint32_t id)
{
    for (size_t i = 0; i < H2_APP_STREAMS; i++) {
        struct h2_app_stream *s = &a->streams[i];
        if (s->open)
            continue;
        *s = (struct h2_app_stream){.app = a, .id = id, .open = true};
        nk_arena_init(&s->arena, a->poor ? 64 : 1 << 17);
        a->open++;
        return s;
    }
    return NULL;
}

static inline struct h2_app_stream *h2_app_find(struct h2_app *a, uint32_t id)
{
    for (size_t i = 0; i < H2_APP_STREAMS; i++)
        if (a->streams[i].open && a->streams[i].id == id)
            return &a->streams[i];
    return NULL;
}

static inline void h2_app_close(struct h2_app_stream *s)
{
    NK_MUST(s->open);
    nk_arena_free(&s->arena);
    s->open = false;
    s->app->open--;
}

static int h2_app_begin(void *owner, uint32_t stream, struct nk_arena **arena, void **call)
{
    struct h2_app *a = owner;
    struct h2_app_stream *s = a->refuse_begin ? NULL : h2_app_open(a, stream);
    if (!s)
        return NK_ENOMEM;
    *arena = &s->arena;
    *call = s;
    return 0;
}

/* Written as HTTP/1.1 and read again, a head must be the same. */
static inline void h2_app_rewrite(struct h2_app *a, const struct nk_http_head *head)
{
    struct nk_http_limits lim = {1 << 17, 1000, 1 << 20};
    struct nk_arena arena;
    struct nk_buf wire;
    struct nk_fault f = {0};
    enum nk_http_event e;
    nk_arena_init(&arena, 1 << 20);
    nk_buf_init(&wire, 1 << 17);
    int rc = a->client ? nk_http_write_response(head, &wire) : nk_http_write_request(head, &wire);
    NK_MUST(rc == 0 || (a->client && head->content_length >= 0)); /* 204, or an answer to HEAD */
    struct nk_http_parser *p = nk_http_parser_new(&arena, !a->client, &lim);
    struct nk_str in = nk_buf_str(&wire);
    if (rc == 0) {
        rc = nk_http_parse(p, &in, &e, &f);
        const struct nk_http_head *back = nk_http_parser_head(p);
        NK_MUST(rc == 0 && e == NK_HTTP_HEAD && in.n == 0);
        NK_MUST(nk_str_eq(back->method, head->method) && nk_str_eq(back->target, head->target));
        NK_MUST(back->status == head->status && back->content_length == head->content_length);
        NK_MUST(back->chunked == head->chunked);
    }
    nk_buf_free(&wire);
    nk_arena_free(&arena);
}

static void h2_app_head(void *owner, void *call, uint32_t stream, const struct nk_http_head *head)
{
    struct h2_app *a = owner;
    struct h2_app_stream *s = call;
    NK_MUST(s->open && s->id == stream && !s->head && head->keep_alive);
    s->head = true;
    h2_app_flush(a);
    if (a->client)
        nk_buf_printf(&a->out, "head stream=%u %d", stream, head->status);
    else
        nk_buf_printf(&a->out, "head stream=%u %.*s %.*s", stream, NK_FMT(head->method),
                      NK_FMT(head->target));
    if (head->content_length >= 0)
        nk_buf_printf(&a->out, " length=%lld", (long long)head->content_length);
    nk_buf_printf(&a->out, "%s%s\n", head->chunked ? " chunked" : "",
                  head->expect_continue ? " continue" : "");
    for (size_t i = 0; a->headers && i < head->header_count; i++)
        nk_buf_printf(&a->out, "header %.*s: %.*s\n", NK_FMT(head->headers[i].name),
                      NK_FMT(head->headers[i].value));
    h2_app_rewrite(a, head);
}
