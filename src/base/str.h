/* SPDX-License-Identifier: Apache-2.0
 *
 * str.h - a slice: a view of bytes that somebody else owns, passed by value. Not NUL-terminated.
 * A zeroed slice is "absent"; a slice with p != NULL and n == 0 is an empty string.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "base/error.h"

struct nk_str {
    const char *p;
    size_t n;
};

/* The slice of a NUL-terminated string; absent for NULL. */
static inline struct nk_str nk_str(const char *z)
{
    return (struct nk_str){z, z ? strlen(z) : 0};
}
static inline bool nk_str_eq(struct nk_str a, struct nk_str b)
{
    return a.n == b.n && (b.n == 0 || memcmp(a.p, b.p, b.n) == 0);
}
/* 0 when the eight bytes at a are those at b. */
static inline uint64_t nk_differ_eight(const char *a, const char *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x ^ y;
}
/* Are the n bytes at a those at b? For names and other short texts, where a call costs more than the
 * look at their bytes. */
NK_INLINE bool nk_same(const char *a, const char *b, size_t n)
{
    uint32_t u[2], v[2];
    if (n > 64)
        return memcmp(a, b, n) == 0;
    if (n >= 16) {
        for (size_t i = 0; i + 16 < n; i += 16)
            if (nk_differ_eight(a + i, b + i) | nk_differ_eight(a + i + 8, b + i + 8))
                return false;
        a += n - 16, b += n - 16;
        return (nk_differ_eight(a, b) | nk_differ_eight(a + 8, b + 8)) == 0;
    }
    if (n >= 8)
        return (nk_differ_eight(a, b) | nk_differ_eight(a + n - 8, b + n - 8)) == 0;
    if (n >= 4) {
        memcpy(&u[0], a, 4), memcpy(&u[1], a + n - 4, 4);
        memcpy(&v[0], b, 4), memcpy(&v[1], b + n - 4, 4);
        return ((u[0] ^ v[0]) | (u[1] ^ v[1])) == 0;
    }
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}
/* Are the n bytes at a those at b? ASCII letters compare without case. */
bool nk_same_nocase(const char *a, const char *b, size_t n);
/* ASCII letters compare without case; all other bytes as they are (RFC 9110, section 5.1). */
static inline bool nk_str_eq_nocase(struct nk_str a, struct nk_str b)
{
    return a.n == b.n && nk_same_nocase(a.p, b.p, b.n);
}
/* The same against a NUL-terminated name; most names differ in their first byte, and end there. */
static inline bool nk_str_is_nocase(struct nk_str s, const char *z)
{
    bool first = s.n == 0 || ((s.p[0] ^ z[0]) & ~0x20) == 0;
    return first && nk_str_eq_nocase(s, nk_str(z));
}
/* Byte order, shorter first on a common prefix: <0, 0 or >0. */
int nk_str_cmp(struct nk_str a, struct nk_str b);
static inline bool nk_str_starts(struct nk_str s, struct nk_str prefix)
{
    return s.n >= prefix.n && nk_str_eq((struct nk_str){s.p, prefix.n}, prefix);
}
bool nk_str_ends(struct nk_str s, struct nk_str suffix);
/* Offset of the first `needle` byte or string, or -1. */
ptrdiff_t nk_str_find(struct nk_str s, char needle);
ptrdiff_t nk_str_search(struct nk_str s, struct nk_str needle);
/* Bytes [from, to) of s; offsets past the end are clamped. */
static inline struct nk_str nk_str_sub(struct nk_str s, size_t from, size_t to)
{
    to = to > s.n ? s.n : to;
    from = from > to ? to : from;
    return (struct nk_str){s.p ? s.p + from : NULL, to - from};
}
/* Without leading and trailing spaces and tabs (OWS of RFC 9110, section 5.6.3). */
struct nk_str nk_str_trim(struct nk_str s);
/* Cuts the part before the first `sep` off *rest and returns it; *rest becomes absent after the
 * last part. Typical loop: while (rest.p) { part = nk_str_cut(&rest, ','); … } */
struct nk_str nk_str_cut(struct nk_str *rest, char sep);

/* Decimal integers, strict: an optional '-', then digits without leading zeros, the whole slice,
 * within the type's range. 0 or NK_EINVAL / NK_ELIMIT (out of range). */
int nk_str_to_i64(struct nk_str s, int64_t *out) NK_CHECKED;
int nk_str_to_u64(struct nk_str s, uint64_t *out) NK_CHECKED;

/* Compares in time that depends on the lengths alone (for secrets and digests). */
bool nk_secret_eq(struct nk_str a, struct nk_str b);
/* Overwrites memory in a way that the compiler may not leave out. */
void nk_secret_wipe(void *p, size_t n);
