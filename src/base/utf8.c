/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8.c - the decoder follows table 3-7 of the Unicode standard; the check skips ASCII and runs of
 * one script many bytes at a time (scan.h).
 */
#include "base/utf8.h"

#include "base/scan.h"

static bool is_tail(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Length of the sequence at p (n bytes are there), or 0 when it is not valid. */
static size_t sequence(const char *p, size_t n)
{
    unsigned char a = (unsigned char)p[0], b = n > 1 ? (unsigned char)p[1] : 0;
    if (a < 0x80)
        return 1;
    if (a < 0xC2 || a > 0xF4)
        return 0;
    size_t length = a < 0xE0 ? 2 : a < 0xF0 ? 3 : 4;
    if (n < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if (!is_tail(p[i]))
            return 0;
    /* Overlong forms, surrogates, and what lies above U+10FFFF. */
    bool wrong = (a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F) || (a == 0xF0 && b < 0x90) ||
                 (a == 0xF4 && b > 0x8F);
    return wrong ? 0 : length;
}

size_t nk_utf8_check(struct nk_str s)
{
    const char *p = s.p, *end = s.n ? s.p + s.n : s.p;
    while (p < end) {
        p = nk_scan_wide(nk_scan_ascii(p, end), end);
        if (p < end && (unsigned char)*p >= 0x80)
            return (size_t)(p - s.p);
    }
    return s.n;
}

int32_t nk_utf8_next(struct nk_str s, size_t *at)
{
    if (*at >= s.n)
        return -1;
    const char *p = s.p + *at;
    size_t n = sequence(p, s.n - *at);
    if (n == 0)
        return -1;
    *at += n;
    if (n == 1)
        return p[0];
    int32_t scalar = (unsigned char)p[0] & (0x7F >> n);
    for (size_t i = 1; i < n; i++)
        scalar = scalar << 6 | ((unsigned char)p[i] & 0x3F);
    return scalar;
}

size_t nk_utf8_put(char out[4], uint32_t scalar)
{
    NK_MUST(scalar <= 0x10FFFF && (scalar < 0xD800 || scalar > 0xDFFF));
    if (scalar < 0x80) {
        out[0] = (char)scalar;
        return 1;
    }
    size_t n = scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; scalar >>= 6)
        out[i] = (char)(0x80 | (scalar & 0x3F));
    out[0] = (char)((0xF00 >> n & 0xFF) | scalar);
    return n;
}
