/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.c - heads as they go through the rings:
 *
 *     call    u32 upstream, u32 config, u64 body_bytes, str method, str target, fields
 *     answer  u32 status, u64 content_length (all ones: not given), route, fields
 *     fail    u32 code, route
 *     route   u32 endpoint (2^31-1: none), u32 count, count times: u32 endpoint, str why
 *     fields  u32 count, count times: str name, str value
 *     str     u32 length, bytes
 *
 * A decoder takes exactly what the encoder makes: nothing may follow. What the strings hold is
 * checked where they are used (nk_http_write_request, nk_http_write_response).
 */
#include "role/wire.h"

#include <string.h>

NK_INLINE void store_u32(char to[4], uint32_t v)
{
    const char b[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24)};
    memcpy(to, b, sizeof b);
}

static void put_u32(struct nk_buf *out, uint32_t v)
{
    char b[4];
    store_u32(b, v);
    nk_buf_add(out, (struct nk_str){b, sizeof b});
}

static void put_u64(struct nk_buf *out, uint64_t v)
{
    put_u32(out, (uint32_t)v);
    put_u32(out, (uint32_t)(v >> 32));
}

static void put_str(struct nk_buf *out, struct nk_str s)
{
    char *to = nk_buf_reserve(out, 4 + s.n);
    if (!to)
        return;
    store_u32(to, (uint32_t)s.n);
    if (s.n)
        memcpy(to + 4, s.p, s.n);
    out->n += 4 + s.n;
}

static void put_fields(struct nk_buf *out, const struct nk_http_head *h)
{
    put_u32(out, (uint32_t)h->header_count);
    for (size_t i = 0; i < h->header_count; i++) {
        put_str(out, h->headers[i].name);
        put_str(out, h->headers[i].value);
    }
}

void nk_wire_put_call(const struct nk_wire_call_head *h, struct nk_buf *out)
{
    put_u32(out, h->upstream);
    put_u32(out, h->config);
    put_u64(out, (uint64_t)h->body_bytes);
    put_str(out, h->subject);
    put_str(out, h->http.method);
    put_str(out, h->http.target);
    put_fields(out, &h->http);
}

static void put_route(struct nk_buf *out, const struct nk_route *r)
{
    put_u32(out, r ? r->endpoint : 0);
    put_u32(out, r ? (uint32_t)r->failed_count : 0);
    for (size_t i = 0; r && i < r->failed_count; i++) {
        put_u32(out, r->failed[i].endpoint);
        put_str(out, r->failed[i].why);
    }
}

void nk_wire_put_answer(const struct nk_http_head *h, const struct nk_route *route,
                        struct nk_buf *out)
{
    put_u32(out, (uint32_t)h->status);
    put_u64(out, (uint64_t)h->content_length);
    put_route(out, route);
    put_fields(out, h);
}

void nk_wire_put_fail(uint32_t code, const struct nk_route *route, struct nk_buf *out)
{
    put_u32(out, code);
    put_route(out, route);
}

static int get_fields(struct nk_reader *r, uint32_t max_headers, struct nk_arena *a,
                      struct nk_http_head *h)
{
    uint32_t count = nk_read_u32le(r);
    if (r->error)
        return r->error;
    if (count > max_headers)
        return NK_ELIMIT;
    h->headers = nk_arena_array(a, count ? count : 1, sizeof *h->headers);
    if (!h->headers)
        return NK_ENOMEM;
    h->header_count = count;
    for (uint32_t i = 0; i < count; i++) {
        h->headers[i].name = nk_read_str32(r);
        h->headers[i].value = nk_read_str32(r);
    }
    return r->error || nk_read_left(r) ? NK_EINVAL : 0;
}

int nk_wire_get_call(struct nk_str in, uint32_t max_headers, struct nk_arena *a,
                     struct nk_wire_call_head *out)
{
    struct nk_reader r = nk_reader(in);
    *out = (struct nk_wire_call_head){0};
    out->upstream = nk_read_u32le(&r);
    out->config = nk_read_u32le(&r);
    out->body_bytes = (int64_t)nk_read_u64le(&r);
    out->subject = nk_read_str32(&r);
    out->http.method = nk_read_str32(&r);
    out->http.target = nk_read_str32(&r);
    out->http.content_length = -1;
    if (r.error || out->body_bytes < 0)
        return NK_EINVAL;
    return get_fields(&r, max_headers, a, &out->http);
}

static int get_route(struct nk_reader *r, struct nk_arena *a, struct nk_route *out)
{
    *out = (struct nk_route){.endpoint = nk_read_u32le(r)};
    uint32_t count = nk_read_u32le(r);
    if (r->error || count > NK_ROUTE_MAX)
        return NK_EINVAL;
    struct nk_route_failed *failed = count ? nk_arena_array(a, count, sizeof *failed) : NULL;
    if (count && !failed)
        return NK_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        failed[i].endpoint = nk_read_u32le(r);
        failed[i].why = nk_read_str32(r);
    }
    out->failed = failed;
    out->failed_count = count;
    return r->error;
}

int nk_wire_get_fail(struct nk_str in, struct nk_arena *a, uint32_t *code, struct nk_route *route)
{
    struct nk_reader r = nk_reader(in);
    *code = nk_read_u32le(&r);
    int rc = get_route(&r, a, route);
    if (rc)
        return rc;
    return nk_read_left(&r) ? NK_EINVAL : 0;
}

int nk_wire_get_answer(struct nk_str in, uint32_t max_headers, struct nk_arena *a,
                       struct nk_http_head *out, struct nk_route *route)
{
    struct nk_reader r = nk_reader(in);
    *out = (struct nk_http_head){0};
    uint32_t status = nk_read_u32le(&r);
    out->content_length = (int64_t)nk_read_u64le(&r);
    if (r.error || status < 100 || status > 599 || out->content_length < -1)
        return NK_EINVAL;
    out->status = (int)status;
    int rc = get_route(&r, a, route);
    if (rc)
        return rc;
    return get_fields(&r, max_headers, a, out);
}
