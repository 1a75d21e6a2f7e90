/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_write.h - HTTP/2 frames from one readable line each, right or wrong, as tests/cases/h2 has
 * them: `HEADERS stream=1 flags=end_headers :method=GET …`. The form is told in
 * tests/cases/h2/frames.cases.
 */
#pragma once

#include "h2_names.h"

struct h2_frame {
    unsigned type, flags;
    uint32_t stream, dep, last, promised, increment, code;
    int64_t length;  /* as said, or -1: what it is */
    int pad, padlen; /* -1: none, and what it is */
    int weight;      /* -1: no priority */
    struct nk_buf body;
};

static inline void h2_put(struct nk_buf *b, uint64_t v, int bytes)
{
    while (bytes--)
        nk_buf_add_char(b, (char)(v >> (8 * bytes)));
}

/* A string of HPACK (RFC 7541, section 5.2), never Huffman. */
static inline void h2_put_string(struct nk_buf *b, struct nk_str s)
{
    if (s.n < 127) {
        nk_buf_add_char(b, (char)s.n);
    } else {
        size_t left = s.n - 127;
        nk_buf_add_char(b, 127);
        for (; left >= 128; left >>= 7)
            nk_buf_add_char(b, (char)(left % 128 + 128));
        nk_buf_add_char(b, (char)left);
    }
    nk_buf_add(b, s);
}

/* A literal without indexing, or with (+name=value). */
static inline void h2_put_field(struct nk_buf *b, struct nk_str name, struct nk_str value)
{
    bool indexed = name.n && name.p[0] == '+';
    nk_buf_add_char(b, indexed ? 0x40 : 0);
    h2_put_string(b, nk_str_sub(name, indexed, name.n));
    h2_put_string(b, value);
}

static inline void h2_put_hex(struct nk_buf *b, struct nk_str hex)
{
    ptrdiff_t star = nk_str_find(hex, '*');
    size_t digits = star < 0 ? hex.n : (size_t)star;
    long times = star < 0 ? 1 : strtol(hex.p + star + 1, NULL, 10);
    for (long k = 0; k < times; k++)
        for (size_t i = 0; i + 1 < digits; i += 2) {
            while (hex.p[i] == ' ')
                i++;
            char two[3] = {hex.p[i], hex.p[i + 1], 0};
            nk_buf_add_char(b, (char)strtol(two, NULL, 16));
        }
}

static inline void h2_fill(struct nk_buf *b, long n, char c)
{
    while (n-- > 0)
        nk_buf_add_char(b, c);
}

static inline void h2_set_flags(struct h2_frame *f, struct nk_str list)
{
    while (list.p) {
        struct nk_str flag = nk_str_cut(&list, ',');
        f->flags |= nk_str_eq(flag, NK_STR("end_stream"))    ? 1u
                    : nk_str_eq(flag, NK_STR("ack"))         ? 1u
                    : nk_str_eq(flag, NK_STR("end_headers")) ? 4u
                    : nk_str_eq(flag, NK_STR("padded"))      ? 8u
                    : nk_str_eq(flag, NK_STR("priority"))    ? 32u
                                                             : (unsigned)strtol(flag.p, NULL, 16);
    }
}

/* One `key=value` of the line; true when it was an attribute of the frame. */
static inline bool h2_attribute(struct h2_frame *f, struct nk_str key, struct nk_str v)
{
    uint32_t *numbers[] = {&f->stream, &f->dep, &f->last, &f->promised, &f->increment};
    static const char *const names[] = {"stream", "dep", "last", "promised", "increment"};
    long number = strtol(v.p, NULL, 10);
    for (size_t i = 0; i < NK_COUNT(names); i++)
        if (nk_str_eq(key, nk_str(names[i]))) {
            *numbers[i] = (uint32_t)strtoul(v.p, NULL, 10);
            if (i == 1 && f->weight < 0)
                f->weight = 15;
            return true;
        }
    if (nk_str_eq(key, NK_STR("flags")))
        h2_set_flags(f, v);
    else if (nk_str_eq(key, NK_STR("code")))
        f->code = h2_code_number(v);
    else if (nk_str_eq(key, NK_STR("weight")))
        f->weight = (int)number;
    else if (nk_str_eq(key, NK_STR("length")))
        f->length = number;
    else if (nk_str_eq(key, NK_STR("pad")))
        f->pad = (int)number;
    else if (nk_str_eq(key, NK_STR("padlen")))
        f->padlen = (int)number;
    else if (nk_str_eq(key, NK_STR("data")))
        nk_buf_add(&f->body, v);
    else if (nk_str_eq(key, NK_STR("bytes")))
        h2_fill(&f->body, number, 'x');
    else if (nk_str_eq(key, NK_STR("block")) || nk_str_eq(key, NK_STR("payload")))
        h2_put_hex(&f->body, v);
    else
        return false;
    return true;
}

/* The frame as bytes. */
static inline void h2_finish(struct h2_frame *f, struct nk_buf *out)
{
    struct nk_buf p;
    nk_buf_init(&p, 1 << 20);
    if (f->pad >= 0)
        nk_buf_add_char(&p, (char)(f->padlen >= 0 ? f->padlen : f->pad));
    if (f->weight >= 0) {
        h2_put(&p, f->dep, 4);
        nk_buf_add_char(&p, (char)f->weight);
    }
    if (f->type == H2_PUSH_PROMISE)
        h2_put(&p, f->promised, 4);
    if (f->type == H2_GOAWAY && !f->body.n)
        h2_put(&p, f->last, 4);
    if ((f->type == H2_GOAWAY || f->type == H2_RST_STREAM) && !f->body.n)
        h2_put(&p, f->code, 4);
    if (f->type == H2_WINDOW_UPDATE && !f->body.n)
        h2_put(&p, f->increment, 4);
    nk_buf_add(&p, nk_buf_str(&f->body));
    h2_fill(&p, f->pad, 0);
    h2_put(out, f->length >= 0 ? (uint64_t)f->length : p.n, 3);
    h2_put(out, f->type, 1);
    h2_put(out,
           f->flags | (f->pad >= 0 ? 8u : 0) | (f->weight >= 0 && f->type == H2_HEADERS ? 32u : 0),
           1);
    h2_put(out, f->stream, 4);
    nk_buf_add(out, nk_buf_str(&p));
    nk_buf_free(&p);
}
