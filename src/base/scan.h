/* SPDX-License-Identifier: Apache-2.0
 *
 * scan.h - walks over bytes that need no look, sixteen at a time where the processor can: the inner
 * loops of the text parsers. Most strings end within their first sixteen bytes, so that step stands
 * here, where it becomes part of the caller. Each function reads only inside [p, end).
 */
#pragma once

#include <stddef.h>

#ifdef __SSE2__
#include <emmintrin.h>

/* All bits of each byte of v where nk_scan_plain stops. Signed: what is below 0x20 is a control or
 * has its top bit set. */
static inline __m128i nk_scan_stop(__m128i v)
{
    __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    return _mm_or_si128(low, _mm_or_si128(quote, slash));
}

/* One bit for each of the 16 bytes at p. */
static inline unsigned nk_scan_stops(const char *p)
{
    return (unsigned)_mm_movemask_epi8(
        nk_scan_stop(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
#endif

/* nk_scan_plain for texts of any length. */
const char *nk_scan_plain_on(const char *p, const char *end);
/* First byte that a JSON string may not hold as it is or that needs a look: '"', '\\', below 0x20
 * or above 0x7F. `end` when there is none. */
static inline const char *nk_scan_plain(const char *p, const char *end)
{
#ifdef __SSE2__
    if (end - p >= 16) {
        unsigned stops = nk_scan_stops(p);
        if (stops)
            return p + __builtin_ctz(stops);
        p += 16;
    }
#endif
    return nk_scan_plain_on(p, end);
}
/* Copies n bytes that may stand in a JSON string as they are, or those in front of the first that
 * has to be escaped ('"', '\\' and below 0x20); returns their count. `to` has room for n bytes; what
 * is in it behind those counted is not said. */
size_t nk_scan_copy(char *to, const char *from, size_t n);
/* n bytes as 2n lower-case hexadecimal digits. */
void nk_scan_hex(char *to, const char *from, size_t n);
/* First byte that is no space, tab, line feed or carriage return; `end` when there is none. */
const char *nk_scan_space(const char *p, const char *end);
/* First byte above 0x7F; `end` when there is none. */
const char *nk_scan_ascii(const char *p, const char *end);
/* First line feed or carriage return; `end` when there is none. */
const char *nk_scan_line(const char *p, const char *end);
/* First byte that is no ASCII letter, digit or '-'; `end` when there is none. */
const char *nk_scan_word(const char *p, const char *end);
/* First control character but tab (below 0x20, and 0x7F); `end` when there is none. */
const char *nk_scan_text(const char *p, const char *end);
/* Behind a run of valid UTF-8 sequences of two to four bytes: the first ASCII byte, the first byte
 * of an invalid sequence (above 0x7F), or `end`. */
const char *nk_scan_wide(const char *p, const char *end);
