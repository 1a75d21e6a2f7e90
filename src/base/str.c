/* SPDX-License-Identifier: Apache-2.0
 *
 * str.c - slices. See str.h.
 */
#include "base/str.h"

#include <string.h>

/* Eight bytes with their ASCII capitals made small, without a borrow between bytes. */
static uint64_t lower(uint64_t x)
{
    const uint64_t ones = 0x0101010101010101u, low = x & ones * 0x7F;
    uint64_t from_a = low + ones * (0x80 - 'A'), past_z = low + ones * (0x7F - 'Z');
    uint64_t capital = (from_a ^ past_z) & ~x & ones * 0x80;
    return x | capital >> 2;
}

/* Bytes that differ in more than bit 5 differ for certain, and bytes that do not are mostly alike. */
static bool same_eight(uint64_t a, uint64_t b)
{
    uint64_t diff = a ^ b;
    return diff == 0 || ((diff & ~0x2020202020202020u) == 0 && lower(a) == lower(b));
}

static uint64_t load(const char *p, size_t n)
{
    uint64_t word = 0;
    for (size_t i = n; i-- > 0;)
        word = word << 8 | (unsigned char)p[i];
    return word;
}

static uint64_t load_eight(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

bool nk_same_nocase(const char *a, const char *b, size_t n)
{
    if (n < 8)
        return same_eight(load(a, n), load(b, n));
    for (size_t i = 0; i + 8 <= n; i += 8)
        if (!same_eight(load_eight(a + i), load_eight(b + i)))
            return false;
    return same_eight(load_eight(a + n - 8), load_eight(b + n - 8));
}

int nk_str_cmp(struct nk_str a, struct nk_str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;
    if (order)
        return order;
    return (a.n > b.n) - (a.n < b.n);
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
