/* SPDX-License-Identifier: Apache-2.0
 *
 * str.c - slices. See str.h.
 */
#include "base/str.h"

#include <string.h>

struct nk_str nk_str(const char *z)
{
    return (struct nk_str){z, z ? strlen(z) : 0};
}

bool nk_str_eq(struct nk_str a, struct nk_str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool nk_str_eq_nocase(struct nk_str a, struct nk_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

bool nk_str_is_nocase(struct nk_str s, const char *z)
{
    for (size_t i = 0; i < s.n; i++)
        if (z[i] == 0 || lower(s.p[i]) != lower(z[i]))
            return false;
    return z[s.n] == 0;
}

int nk_str_cmp(struct nk_str a, struct nk_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order)
        return order;
    return (a.n > b.n) - (a.n < b.n);
}

bool nk_str_starts(struct nk_str s, struct nk_str prefix)
{
    return s.n >= prefix.n && nk_str_eq((struct nk_str){s.p, prefix.n}, prefix);
}

bool nk_str_ends(struct nk_str s, struct nk_str suffix)
{
    return s.n >= suffix.n && nk_str_eq((struct nk_str){s.p + s.n - suffix.n, suffix.n}, suffix);
}

ptrdiff_t nk_str_find(struct nk_str s, char needle)
{
    const char *at = s.n ? memchr(s.p, needle, s.n) : NULL;
    return at ? at - s.p : -1;
}

ptrdiff_t nk_str_search(struct nk_str s, struct nk_str needle)
{
    if (needle.n == 0)
        return 0;
    const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
    return at ? at - s.p : -1;
}

struct nk_str nk_str_sub(struct nk_str s, size_t from, size_t to)
{
    if (to > s.n)
        to = s.n;
    if (from > to)
        from = to;
    return (struct nk_str){s.p ? s.p + from : NULL, to - from};
}

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

struct nk_str nk_str_trim(struct nk_str s)
{
    while (s.n && is_ows(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && is_ows(s.p[s.n - 1]))
        s.n--;
    return s;
}

struct nk_str nk_str_cut(struct nk_str *rest, char sep)
{
    struct nk_str whole = *rest;
    ptrdiff_t at = nk_str_find(whole, sep);
    if (at < 0) {
        *rest = (struct nk_str){NULL, 0};
        return whole;
    }
    *rest = nk_str_sub(whole, (size_t)at + 1, whole.n);
    return nk_str_sub(whole, 0, (size_t)at);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number is too large so far; is it a number to its end? */
static int out_of_range(struct nk_str rest)
{
    for (size_t i = 0; i < rest.n; i++)
        if (!is_digit(rest.p[i]))
            return NK_EINVAL;
    return NK_ELIMIT;
}

int nk_str_to_u64(struct nk_str s, uint64_t *out)
{
    uint64_t value = 0;
    if (s.n == 0 || (s.n > 1 && s.p[0] == '0'))
        return NK_EINVAL;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]))
            return NK_EINVAL;
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s.p[i] - '0'), &value))
            return out_of_range(nk_str_sub(s, i, s.n));
    }
    *out = value;
    return 0;
}

int nk_str_to_i64(struct nk_str s, int64_t *out)
{
    bool negative = s.n && s.p[0] == '-';
    uint64_t magnitude = 0;
    int rc = nk_str_to_u64(negative ? (struct nk_str){s.p + 1, s.n - 1} : s, &magnitude);
    if (rc)
        return rc;
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
        return NK_ELIMIT;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return 0;
}

bool nk_secret_eq(struct nk_str a, struct nk_str b)
{
    unsigned char diff = a.n != b.n;
    for (size_t i = 0; i < a.n; i++)
        diff |= (unsigned char)(a.p[i] ^ (i < b.n ? b.p[i] : 0));
    return diff == 0;
}

void nk_secret_wipe(void *p, size_t n)
{
    explicit_bzero(p, n);
}
