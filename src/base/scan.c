/* SPDX-License-Identifier: Apache-2.0
 *
 * scan.c - the vector form needs SSE2 alone, which every x86-64 has; elsewhere and for the last
 * bytes of a text the loops go byte by byte. The choice is made by the compiler, not at run time,
 * so that a parser takes the same path on every machine of a fleet. See scan.h.
 */
#include "base/scan.h"

#include "base/utf8.h"

#include <string.h>

#ifdef __SSE2__
const char *nk_scan_plain_on(const char *p, const char *end)
{
    for (; end - p >= 16; p += 16) {
        unsigned stops = nk_scan_stops(p);
        if (stops)
            return p + __builtin_ctz(stops);
    }
    while (p < end && (signed char)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return p;
}

const char *nk_scan_space(const char *p, const char *end)
{
    const __m128i space = _mm_set1_epi8(' '), tab = _mm_set1_epi8('\t');
    const __m128i feed = _mm_set1_epi8('\n'), ret = _mm_set1_epi8('\r');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i skip = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, space), _mm_cmpeq_epi8(v, tab)),
                                    _mm_or_si128(_mm_cmpeq_epi8(v, feed), _mm_cmpeq_epi8(v, ret)));
        unsigned mask = (unsigned)_mm_movemask_epi8(skip) ^ 0xFFFF;
        if (mask)
            return p + __builtin_ctz(mask);
    }
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}
#else
const char *nk_scan_plain_on(const char *p, const char *end)
{
    while (p < end && (signed char)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return p;
}

const char *nk_scan_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}
#endif

/* Three-byte sequences (Chinese, Japanese, Korean) without their two special first bytes: 1110xxxx
 * 10xxxxxx 10xxxxxx, but neither E0 (overlong forms) nor ED (surrogates). */
static int is_common_three(const char *p)
{
    unsigned char a = (unsigned char)p[0], b = (unsigned char)p[1], c = (unsigned char)p[2];
    return (a & 0xF0) == 0xE0 && (b & 0xC0) == 0x80 && (c & 0xC0) == 0x80 && a != 0xE0 && a != 0xED;
}

const char *nk_scan_wide(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p >= 0x80) {
        if (end - p >= 3 && is_common_three(p)) {
            p += 3;
            continue;
        }
        struct nk_str rest = {p, (size_t)(end - p)};
        size_t n = 0;
        if (nk_utf8_next(rest, &n) < 0)
            break;
        p += n;
    }
    return p;
}
