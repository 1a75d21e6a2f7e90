/* SPDX-License-Identifier: Apache-2.0
 *
 * buf.c - grows by doubling, never past max. See buf.h.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scan.h"

enum { FIRST_CAP = 256 };

void nk_buf_init(struct nk_buf *b, size_t max)
{
    *b = (struct nk_buf){.max = max};
}

void nk_buf_free(struct nk_buf *b)
{
    free(b->p);
    *b = (struct nk_buf){.max = b->max};
}

void nk_buf_clear(struct nk_buf *b)
{
    b->n = 0;
    b->error = 0;
}

void nk_buf_drop(struct nk_buf *b, size_t n)
{
    NK_MUST(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
}

static int grow(struct nk_buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : FIRST_CAP;
    while (cap < need)
        cap = cap > b->max / 2 ? b->max : cap * 2;
    if (cap > b->max)
        cap = b->max;
    char *p = realloc(b->p, cap ? cap : 1);
    if (!p)
        return NK_ENOMEM;
    b->p = p;
    b->cap = cap;
    return 0;
}

char *nk_buf_reserve_grow(struct nk_buf *b, size_t n)
{
    if (b->error)
        return NULL;
    if (n > b->max || b->n > b->max - n) {
        b->error = NK_ELIMIT;
        return NULL;
    }
    if (b->cap - b->n < n || !b->p) {
        b->error = grow(b, b->n + n);
        if (b->error)
            return NULL;
    }
    return b->p + b->n;
}

void nk_buf_add_grow(struct nk_buf *b, struct nk_str s)
{
    char *to = nk_buf_reserve(b, s.n);
    if (!to)
        return;
    memcpy(to, s.p, s.n);
    b->n += s.n;
}

void nk_buf_add_u64(struct nk_buf *b, uint64_t v)
{
    size_t n = 1;
    uint64_t rest = v;
    for (; rest >= 10000; rest /= 10000)
        n += 4;
    n += (rest >= 10) + (rest >= 100) + (rest >= 1000);
    char *to = nk_buf_reserve(b, n);
    if (!to)
        return;
    b->n += n;
    for (; v >= 100; v /= 100)
        nk_two_digits(to + (n -= 2), (unsigned)(v % 100));
    if (v >= 10)
        nk_two_digits(to, (unsigned)v);
    else
        to[0] = (char)('0' + v);
}

void nk_buf_add_i64(struct nk_buf *b, int64_t v)
{
    if (v < 0)
        nk_buf_add_char(b, '-');
    nk_buf_add_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void nk_buf_add_hex(struct nk_buf *b, const void *p, size_t n)
{
    char *to = nk_buf_reserve(b, n <= SIZE_MAX / 4 ? 2 * n : SIZE_MAX / 2);
    if (!to)
        return;
    nk_scan_hex(to, p, n);
    b->n += 2 * n;
}

/* Through memory of its own: vsnprintf writes a NUL, for which there may be no room. */
void nk_buf_printf(struct nk_buf *b, const char *fmt, ...)
{
    char text[256], *whole = text;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0 && !b->error)
        b->error = NK_EINVAL;
    if (n < 0 || !nk_buf_reserve(b, (size_t)n))
        return;
    if ((size_t)n >= sizeof text) {
        whole = malloc((size_t)n + 1);
        if (!whole) {
            b->error = NK_ENOMEM;
            return;
        }
        va_start(args, fmt);
        vsnprintf(whole, (size_t)n + 1, fmt, args);
        va_end(args);
    }
    nk_buf_add(b, (struct nk_str){whole, (size_t)n});
    if (b->n < b->max && nk_buf_reserve(b, 1))
        b->p[b->n] = 0;
    if (whole != text)
        free(whole);
}

struct nk_str nk_buf_str(const struct nk_buf *b)
{
    return (struct nk_str){b->p ? b->p : "", b->n};
}
