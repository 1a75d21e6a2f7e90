/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_app_end.h - the other half of h2_app.h: bodies, how streams end, the table of handlers.
 */
#pragma once

#include "h2_app.h"

static void h2_app_body(void *owner, void *call, uint32_t stream, struct nk_str bytes)
{
    struct h2_app *a = owner;
    struct h2_app_stream *s = call;
    NK_MUST(s->open && s->id == stream && s->head && !s->end && bytes.n);
    if (a->body_stream != stream)
        h2_app_flush(a);
    a->body_stream = stream;
    if (!a->sums)
        nk_buf_add(&a->body, bytes);
    for (size_t i = 0; i < bytes.n; i++)
        s->sum = s->sum * 31 + (unsigned char)bytes.p[i];
    s->heard += bytes.n;
    s->unused += bytes.n;
}

static inline void h2_app_answer_ok(struct h2_app *a, struct h2_app_stream *s)
{
    struct nk_http_header type = {NK_STR("Content-Type"), NK_STR("text/plain")};
    struct nk_http_head head = {
        .status = 200, .headers = &type, .header_count = 1, .content_length = 2};
    s->to_send = 2;
    (void)!nk_h2_answer(a->h2, s->id, &head, true);
}

static void h2_app_finished(void *owner, void *call, uint32_t stream)
{
    struct h2_app *a = owner;
    struct h2_app_stream *s = call;
    NK_MUST(s->open && s->id == stream && s->head && !s->end);
    s->end = true;
    h2_app_flush(a);
    nk_buf_printf(&a->out, "end stream=%u", stream);
    if (a->sums)
        nk_buf_printf(&a->out, " bytes=%zu sum=%llu", s->heard, (unsigned long long)s->sum);
    nk_buf_add_char(&a->out, '\n');
    if (!a->keep) {
        nk_h2_consumed(a->h2, stream, s->unused);
        s->unused = 0;
    }
    if (a->answers && !a->client)
        h2_app_answer_ok(a, s);
}

static void h2_app_refused(void *owner, void *call, uint32_t stream, int error, const char *why)
{
    struct h2_app *a = owner;
    struct h2_app_stream *s = call;
    NK_MUST(s->open && s->id == stream && !s->head && error < 0 && why[0]);
    s->head = s->end = true; /* nothing may follow but the end */
    h2_app_flush(a);
    nk_buf_printf(&a->out, "refused stream=%u %s%s%s\n", stream, nk_error_name(error),
                  a->why ? " " : "", a->why ? why : "");
}

static ptrdiff_t h2_app_take(void *owner, void *call, uint32_t stream, char *p, size_t max,
                             bool *end)
{
    struct h2_app *a = owner;
    struct h2_app_stream *s = call;
    NK_MUST(s->open && s->id == stream && max);
    size_t n = s->to_send < max ? s->to_send : max;
    memset(p, 'y', n);
    s->to_send -= n;
    a->taken += n;
    *end = s->to_send == 0 && !s->hold;
    return (ptrdiff_t)n;
}

static void h2_app_gone(void *owner, void *call, uint32_t stream, enum nk_h2_code code,
                        const char *why)
{
    struct h2_app *a = owner;
    struct h2_app_stream *s = call;
    NK_MUST(s->open && s->id == stream && why[0]);
    h2_app_flush(a);
    nk_buf_printf(&a->out, "gone stream=%u %s%s%s\n", stream, h2_code_name(code), a->why ? " " : "",
                  a->why ? why : "");
    h2_app_close(s);
}

static const struct nk_h2_handler h2_app_handler = {
    h2_app_begin,   h2_app_head, h2_app_body, h2_app_finished,
    h2_app_refused, h2_app_take, h2_app_gone,
};
