/* SPDX-License-Identifier: Apache-2.0
 *
 * buf.h - a growable byte buffer with a stated maximum and a sticky error: writers append without
 * looking, and look once at the end.
 */
#pragma once

#include <string.h>
#include "base/str.h"

struct nk_buf {
    char *p;
    size_t n;   /* bytes in use */
    size_t cap; /* bytes allocated; at most max */
    size_t max; /* most that n may become */
    int error;  /* 0, or the first NK_ELIMIT / NK_ENOMEM; then nothing more is appended */
};

/* Prepares an empty buffer; takes no memory yet. `max` in bytes. */
void nk_buf_init(struct nk_buf *b, size_t max);
void nk_buf_free(struct nk_buf *b);
/* Empties the buffer and its error; keeps the memory. */
void nk_buf_clear(struct nk_buf *b);
/* Drops the first n bytes (n <= b->n); the rest moves to the front. */
void nk_buf_drop(struct nk_buf *b, size_t n);
/* nk_buf_reserve and nk_buf_add where there may be no room yet. */
char *nk_buf_reserve_grow(struct nk_buf *b, size_t n);
void nk_buf_add_grow(struct nk_buf *b, struct nk_str s);
/* Room for n more bytes at b->p + b->n; returns that place or NULL (error is set). The caller adds
 * what it wrote to b->n. */
static inline char *nk_buf_reserve(struct nk_buf *b, size_t n)
{
    return b->error || n >= b->cap - b->n ? nk_buf_reserve_grow(b, n) : b->p + b->n;
}
static inline void nk_buf_add(struct nk_buf *b, struct nk_str s)
{
    if (s.n == 0)
        return;
    if (b->error || s.n > b->cap - b->n) {
        nk_buf_add_grow(b, s);
        return;
    }
    memcpy(b->p + b->n, s.p, s.n);
    b->n += s.n;
}
static inline void nk_buf_add_char(struct nk_buf *b, char c)
{
    nk_buf_add(b, (struct nk_str){&c, 1});
}
/* v, below 100, as two decimal digits. */
static inline void nk_two_digits(char to[2], unsigned v)
{
    to[0] = (char)('0' + v / 10);
    to[1] = (char)('0' + v % 10);
}
void nk_buf_add_u64(struct nk_buf *b, uint64_t v);
void nk_buf_add_i64(struct nk_buf *b, int64_t v);
/* n bytes as 2n lower-case hexadecimal digits. */
void nk_buf_add_hex(struct nk_buf *b, const void *p, size_t n);
/* A NUL that does not count stands behind it, unless the buffer is at its maximum. */
void nk_buf_printf(struct nk_buf *b, const char *fmt, ...) NK_PRINTF(2, 3);
/* A view of the content; valid until the next append. */
struct nk_str nk_buf_str(const struct nk_buf *b);
