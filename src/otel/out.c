/* SPDX-License-Identifier: Apache-2.0
 *
 * out.c - see out.h. A message's length stands before it and is known behind it: one byte is left for it,
 * and a longer one moves the message. That happens in the courier, behind the answer, where a copy of some
 * hundred bytes is of no weight.
 */
#include "otel/out.h"

#include <string.h>
#include "json/json.h"

enum wire { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5, VARINT_MAX = 10 };

static size_t varint(uint64_t v, char out[VARINT_MAX])
{
    size_t n = 0;
    for (; v > 0x7f; v >>= 7)
        out[n++] = (char)(v | 0x80);
    out[n++] = (char)v;
    return n;
}

static void put_varint(struct nk_otel_out *o, uint64_t v)
{
    char bytes[VARINT_MAX];
    nk_buf_add(o->b, (struct nk_str){bytes, varint(v, bytes)});
}

static void put_fixed(struct nk_otel_out *o, uint64_t v, size_t n)
{
    char bytes[8];
    for (size_t i = 0; i < n; i++, v >>= 8)
        bytes[i] = (char)v;
    nk_buf_add(o->b, (struct nk_str){bytes, n});
}

/* Opens a field; true when its value is written as JSON. */
static bool name(struct nk_otel_out *o, struct nk_otel_field f, enum wire wire)
{
    if (o->form == NK_OTEL_JSON)
        nk_json_put_name(o->b, nk_str(f.name));
    else
        put_varint(o, (uint64_t)f.number << 3 | wire);
    return o->form == NK_OTEL_JSON;
}

static uint64_t bits(uint64_t v, uint64_t scale)
{
    double d = (double)v / (double)scale;
    uint64_t u;
    memcpy(&u, &d, sizeof u);
    return u;
}

/* Exact: scales are powers of ten up to a million. */
static void put_decimal(struct nk_buf *b, uint64_t v, uint64_t scale)
{
    nk_buf_add_u64(b, v / scale);
    if (scale > 1)
        nk_buf_add_char(b, '.');
    for (uint64_t rest = v % scale, s = scale / 10; s; s /= 10)
        nk_buf_add_char(b, (char)('0' + rest / s % 10));
}

static void put_quoted(struct nk_buf *b, uint64_t v)
{
    nk_buf_add_char(b, '"');
    nk_buf_add_u64(b, v);
    nk_buf_add_char(b, '"');
}

void nk_out_text(struct nk_otel_out *o, struct nk_otel_field f, struct nk_str v)
{
    if (name(o, f, LENGTH)) {
        nk_json_put_string(o->b, v);
        return;
    }
    put_varint(o, v.n);
    nk_buf_add(o->b, v);
}

void nk_out_id(struct nk_otel_out *o, struct nk_otel_field f, const unsigned char *p, size_t n)
{
    if (name(o, f, LENGTH)) {
        nk_buf_add_char(o->b, '"');
        nk_buf_add_hex(o->b, p, n);
        nk_buf_add_char(o->b, '"');
        return;
    }
    put_varint(o, n);
    nk_buf_add(o->b, (struct nk_str){(const char *)p, n});
}

void nk_out_number(struct nk_otel_out *o, struct nk_otel_field f, uint32_t v)
{
    if (name(o, f, VARINT))
        nk_buf_add_u64(o->b, v);
    else
        put_varint(o, v);
}

void nk_out_flags(struct nk_otel_out *o, struct nk_otel_field f, uint32_t v)
{
    if (name(o, f, FIXED32))
        nk_buf_add_u64(o->b, v);
    else
        put_fixed(o, v, 4);
}

void nk_out_bool(struct nk_otel_out *o, struct nk_otel_field f, bool v)
{
    if (name(o, f, VARINT))
        nk_buf_add(o->b, v ? NK_STR("true") : NK_STR("false"));
    else
        put_varint(o, v);
}

void nk_out_int(struct nk_otel_out *o, struct nk_otel_field f, int64_t v)
{
    if (!name(o, f, VARINT)) {
        put_varint(o, (uint64_t)v);
        return;
    }
    nk_buf_add_char(o->b, '"');
    nk_buf_add_i64(o->b, v);
    nk_buf_add_char(o->b, '"');
}

void nk_out_fixed(struct nk_otel_out *o, struct nk_otel_field f, uint64_t v)
{
    if (name(o, f, FIXED64))
        put_quoted(o->b, v);
    else
        put_fixed(o, v, 8);
}

void nk_out_double(struct nk_otel_out *o, struct nk_otel_field f, uint64_t v, uint64_t scale)
{
    if (name(o, f, FIXED64))
        put_decimal(o->b, v, scale);
    else
        put_fixed(o, bits(v, scale), 8);
}

/* Numbers in one field: whole ones, or with a scale of which each is a part. */
static void put_numbers(struct nk_otel_out *o, struct nk_otel_field f, const uint64_t *v, size_t n,
                        uint64_t scale)
{
    bool json = name(o, f, LENGTH);
    if (json)
        nk_buf_add_char(o->b, '[');
    else
        put_varint(o, 8 * n);
    for (size_t i = 0; i < n; i++) {
        if (json && i)
            nk_buf_add_char(o->b, ',');
        if (json && scale)
            put_decimal(o->b, v[i], scale);
        else if (json)
            put_quoted(o->b, v[i]);
        else
            put_fixed(o, scale ? bits(v[i], scale) : v[i], 8);
    }
    if (json)
        nk_buf_add_char(o->b, ']');
}

void nk_out_fixeds(struct nk_otel_out *o, struct nk_otel_field f, const uint64_t *v, size_t n)
{
    put_numbers(o, f, v, n, 0);
}

void nk_out_doubles(struct nk_otel_out *o, struct nk_otel_field f, const uint64_t *v, size_t n,
                    uint64_t scale)
{
    put_numbers(o, f, v, n, scale);
}

static size_t open(struct nk_otel_out *o)
{
    nk_buf_add_char(o->b, o->form == NK_OTEL_JSON ? '{' : 0);
    return o->b->n;
}

size_t nk_out_open(struct nk_otel_out *o, struct nk_otel_field f)
{
    (void)name(o, f, LENGTH);
    return open(o);
}

void nk_out_close(struct nk_otel_out *o, size_t mark)
{
    char bytes[VARINT_MAX];
    if (o->form == NK_OTEL_JSON) {
        nk_buf_add_char(o->b, '}');
        return;
    }
    if (o->b->error)
        return;
    size_t n = o->b->n - mark, length = varint(n, bytes);
    if (length > 1 && !nk_buf_reserve(o->b, length - 1))
        return;
    memmove(o->b->p + mark + length - 1, o->b->p + mark, n);
    memcpy(o->b->p + mark - 1, bytes, length);
    o->b->n += length - 1;
}

void nk_out_list(struct nk_otel_out *o, struct nk_otel_field f)
{
    if (o->form != NK_OTEL_JSON)
        return;
    nk_json_put_name(o->b, nk_str(f.name));
    nk_buf_add_char(o->b, '[');
}

/* What stands before an item: a comma, or the field's number. */
static void item(struct nk_otel_out *o, struct nk_otel_field f)
{
    if (o->form != NK_OTEL_JSON)
        put_varint(o, (uint64_t)f.number << 3 | LENGTH);
    else if (o->b->n && o->b->p[o->b->n - 1] != '[')
        nk_buf_add_char(o->b, ',');
}

size_t nk_out_item(struct nk_otel_out *o, struct nk_otel_field f)
{
    item(o, f);
    return open(o);
}

void nk_out_whole(struct nk_otel_out *o, struct nk_otel_field f, struct nk_str whole)
{
    item(o, f);
    if (o->form != NK_OTEL_JSON)
        put_varint(o, whole.n);
    nk_buf_add(o->b, whole);
}

void nk_out_list_end(struct nk_otel_out *o)
{
    if (o->form == NK_OTEL_JSON)
        nk_buf_add_char(o->b, ']');
}
