/* SPDX-License-Identifier: Apache-2.0
 *
 * scan.c - the vector form needs SSE2 alone, which every x86-64 has; elsewhere and for the last
 * bytes of a text the loops go byte by byte. The choice is made by the compiler, not at run time,
 * so that a parser takes the same path on every machine of a fleet. See scan.h.
 */
#include "base/scan.h"

#include "base/utf8.h"

#include <string.h>

static size_t copy_bytes(char *to, const char *from, size_t n)
{
    size_t i = 0;
    for (; i < n && (unsigned char)from[i] >= 0x20 && from[i] != '"' && from[i] != '\\'; i++)
        to[i] = from[i];
    return i;
}

static inline int is_word(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-';
}

static inline int is_text(char c)
{
    return (unsigned char)c >= 0x20 ? c != 0x7F : c == '\t';
}

static void hex_bytes(char *to, const char *from, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        to[2 * i] = digit[(unsigned char)from[i] >> 4];
        to[2 * i + 1] = digit[from[i] & 15];
    }
}

#ifdef __SSE2__
/* Fewer than 16 bytes are taken by both ends, which overlap in the middle: the first and the last 8
 * of them, or 4 when they are fewer than 8. */
static __m128i both_8(const char *p, size_t n)
{
    uint64_t head, tail;
    memcpy(&head, p, 8);
    memcpy(&tail, p + n - 8, 8);
    return _mm_set_epi64x((long long)tail, (long long)head);
}

/* 'x' where nothing is. */
static __m128i both_4(const char *p, size_t n)
{
    uint32_t head, tail;
    memcpy(&head, p, 4);
    memcpy(&tail, p + n - 4, 4);
    return _mm_set_epi32(0x78787878, (int)tail, 0x78787878, (int)head);
}

static __m128i both_ends(const char *p, size_t n)
{
    return n >= 8 ? both_8(p, n) : both_4(p, n);
}

/* The offset that the first of the bits of such a vector stands for; n when there is none. */
static size_t place(unsigned bits, size_t n)
{
    if (!bits)
        return n;
    size_t at = (size_t)__builtin_ctz(bits), half = n >= 8 ? 8 : 4;
    return at < 8 ? at : n - half + at - 8;
}

/* Is there a stop among the 64 bytes at p? */
static int any_stop(const char *p)
{
    const __m128i *v = (const __m128i *)(const void *)p;
    __m128i any =
        _mm_or_si128(nk_scan_stop(_mm_loadu_si128(v)), nk_scan_stop(_mm_loadu_si128(v + 1)));
    __m128i more =
        _mm_or_si128(nk_scan_stop(_mm_loadu_si128(v + 2)), nk_scan_stop(_mm_loadu_si128(v + 3)));
    return _mm_movemask_epi8(_mm_or_si128(any, more));
}

const char *nk_scan_plain_on(const char *p, const char *end)
{
    while (end - p >= 64 && !any_stop(p))
        p += 64;
    for (; end - p >= 16; p += 16) {
        unsigned stops = nk_scan_stops(p);
        if (stops)
            return p + __builtin_ctz(stops);
    }
    size_t n = (size_t)(end - p);
    if (n >= 4)
        return p + place((unsigned)_mm_movemask_epi8(nk_scan_stop(both_ends(p, n))), n);
    while (p < end && (signed char)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* Digits of sixteen values below 16. */
static __m128i digits(__m128i v)
{
    __m128i letter = _mm_cmpgt_epi8(v, _mm_set1_epi8(9));
    __m128i gap = _mm_and_si128(letter, _mm_set1_epi8('a' - 10 - '0'));
    return _mm_add_epi8(_mm_add_epi8(v, _mm_set1_epi8('0')), gap);
}

void nk_scan_hex(char *to, const char *from, size_t n)
{
    const __m128i low = _mm_set1_epi8(15);
    size_t i = 0;
    for (; n - i >= 16; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(from + i));
        __m128i high = digits(_mm_and_si128(_mm_srli_epi16(v, 4), low));
        v = digits(_mm_and_si128(v, low));
        _mm_storeu_si128((__m128i *)(void *)(to + 2 * i), _mm_unpacklo_epi8(high, v));
        _mm_storeu_si128((__m128i *)(void *)(to + 2 * i + 16), _mm_unpackhi_epi8(high, v));
    }
    hex_bytes(to + 2 * i, from + i, n - i);
}

/* Bytes that have to be escaped in a JSON string. */
static unsigned escapes(__m128i v)
{
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, slash)));
}

static size_t copy_short(char *to, const char *from, size_t n)
{
    if (n >= 8) {
        memcpy(to, from, 8);
        memcpy(to + n - 8, from + n - 8, 8);
        return place(escapes(both_8(from, n)), n);
    }
    if (n >= 4) {
        memcpy(to, from, 4);
        memcpy(to + n - 4, from + n - 4, 4);
        return place(escapes(both_4(from, n)), n);
    }
    return copy_bytes(to, from, n);
}

size_t nk_scan_copy(char *to, const char *from, size_t n)
{
    if (n < 16)
        return copy_short(to, from, n);
    for (size_t i = 0;; i += 16) {
        /* The last step starts over bytes that have been copied already. */
        i = i < n - 16 ? i : n - 16;
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(from + i));
        _mm_storeu_si128((__m128i *)(void *)(to + i), v);
        unsigned stop = escapes(v);
        if (stop)
            return i + (size_t)__builtin_ctz(stop);
        if (i == n - 16)
            return n;
    }
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

const char *nk_scan_ascii(const char *p, const char *end)
{
    for (; end - p >= 16; p += 16) {
        int mask = _mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(const void *)p));
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
    }
    while (p < end && (unsigned char)*p < 0x80)
        p++;
    return p;
}

const char *nk_scan_line(const char *p, const char *end)
{
    const __m128i feed = _mm_set1_epi8('\n'), ret = _mm_set1_epi8('\r');
    for (; end - p >= 16; p += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i stop = _mm_or_si128(_mm_cmpeq_epi8(v, feed), _mm_cmpeq_epi8(v, ret));
        int mask = _mm_movemask_epi8(stop);
        if (mask)
            return p + __builtin_ctz((unsigned)mask);
    }
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    return p;
}

/* Bytes of v from `first` to `last`, which are ASCII. */
static __m128i between(__m128i v, char first, char last)
{
    return _mm_and_si128(_mm_cmpgt_epi8(v, _mm_set1_epi8((char)(first - 1))),
                         _mm_cmplt_epi8(v, _mm_set1_epi8((char)(last + 1))));
}

static unsigned word_stops(__m128i v)
{
    __m128i letter = between(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 'z');
    __m128i dash = _mm_cmpeq_epi8(v, _mm_set1_epi8('-'));
    __m128i good = _mm_or_si128(_mm_or_si128(letter, dash), between(v, '0', '9'));
    return (unsigned)_mm_movemask_epi8(good) ^ 0xFFFF;
}

/* The first byte of a kind that `stops` marks and `is_in` denies. */
NK_INLINE const char *walk(const char *p, const char *end, unsigned (*stops)(__m128i),
                           int (*is_in)(char))
{
    for (; end - p >= 16; p += 16) {
        unsigned mask = stops(_mm_loadu_si128((const __m128i *)(const void *)p));
        if (mask)
            return p + __builtin_ctz(mask);
    }
    size_t n = (size_t)(end - p);
    if (n >= 4)
        return p + place(stops(both_ends(p, n)), n);
    while (p < end && is_in(*p))
        p++;
    return p;
}

const char *nk_scan_word(const char *p, const char *end)
{
    return walk(p, end, word_stops, is_word);
}

static unsigned text_stops(__m128i v)
{
    __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v);
    __m128i tab = _mm_cmpeq_epi8(v, _mm_set1_epi8('\t'));
    __m128i del = _mm_cmpeq_epi8(v, _mm_set1_epi8(0x7F));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
}

const char *nk_scan_text(const char *p, const char *end)
{
    return walk(p, end, text_stops, is_text);
}

/* Bytes of the valid two-byte sequences that v begins with: 110xxxxx 10xxxxxx, the first neither C0
 * nor C1 (overlong forms). */
static size_t twos(__m128i v)
{
    const __m128i fixed = _mm_set1_epi16((short)0xC0E0), wanted = _mm_set1_epi16((short)0x80C0);
    __m128i good = _mm_cmpeq_epi8(_mm_and_si128(v, fixed), wanted);
    __m128i bad =
        _mm_cmpeq_epi8(_mm_and_si128(v, _mm_set1_epi8((char)0xFE)), _mm_set1_epi8((char)0xC0));
    unsigned stop = (unsigned)_mm_movemask_epi8(_mm_andnot_si128(bad, good)) ^ 0xFFFF;
    return stop ? (size_t)__builtin_ctz(stop) & ~(size_t)1 : 16;
}

/* The same for sequences of three bytes, five at most: 1110xxxx 10xxxxxx 10xxxxxx, where E0 is
 * followed by A0 or more (no overlong form) and ED by 9F or less (no surrogate). */
static size_t threes(__m128i v)
{
    const __m128i fixed =
        _mm_setr_epi8(-16, -64, -64, -16, -64, -64, -16, -64, -64, -16, -64, -64, -16, -64, -64, 0);
    const __m128i wanted = _mm_setr_epi8(-32, -128, -128, -32, -128, -128, -32, -128, -128, -32,
                                         -128, -128, -32, -128, -128, 0);
    __m128i good = _mm_cmpeq_epi8(_mm_and_si128(v, fixed), wanted);
    __m128i next = _mm_srli_si128(v, 1);
    __m128i overlong = _mm_and_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xE0)),
                                     _mm_cmplt_epi8(next, _mm_set1_epi8((char)0xA0)));
    __m128i surrogate = _mm_and_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xED)),
                                      _mm_cmpgt_epi8(next, _mm_set1_epi8((char)0x9F)));
    __m128i bad = _mm_or_si128(overlong, surrogate);
    unsigned stop = ~(unsigned)_mm_movemask_epi8(_mm_andnot_si128(bad, good)) & 0x7FFF;
    return stop ? (size_t)__builtin_ctz(stop) / 3 * 3 : 15;
}

/* Bytes of the valid sequences of one length that the 16 bytes at p begin with; 0 when there are
 * none, or of four bytes. Text of one script is mostly that. */
static size_t same_length(const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    return ((unsigned char)*p & 0xE0) == 0xC0 ? twos(v) : threes(v);
}
#else
const char *nk_scan_plain_on(const char *p, const char *end)
{
    while (p < end && (signed char)*p >= 0x20 && *p != '"' && *p != '\\')
        p++;
    return p;
}

void nk_scan_hex(char *to, const char *from, size_t n)
{
    hex_bytes(to, from, n);
}

size_t nk_scan_copy(char *to, const char *from, size_t n)
{
    return copy_bytes(to, from, n);
}

const char *nk_scan_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
        p++;
    return p;
}

const char *nk_scan_ascii(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p < 0x80)
        p++;
    return p;
}

const char *nk_scan_line(const char *p, const char *end)
{
    while (p < end && *p != '\n' && *p != '\r')
        p++;
    return p;
}

const char *nk_scan_word(const char *p, const char *end)
{
    while (p < end && is_word(*p))
        p++;
    return p;
}

const char *nk_scan_text(const char *p, const char *end)
{
    while (p < end && is_text(*p))
        p++;
    return p;
}

static size_t same_length(const char *p)
{
    (void)p;
    return 0;
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
        size_t n = end - p >= 16 ? same_length(p) : 0;
        if (n == 0 && end - p >= 3 && is_common_three(p))
            n = 3;
        struct nk_str rest = {p, (size_t)(end - p)};
        if (n == 0 && nk_utf8_next(rest, &n) < 0)
            break;
        p += n;
    }
    return p;
}
