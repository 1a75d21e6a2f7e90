/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.c - see encode.h. Days are counted with the civil calendar from 1 March, 400 years before
 * year 0, so that the leap day is the last of its year and no count is negative.
 */
#include "base/encode.h"

#include <string.h>

static int value_of(char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (url ? '-' : '+'))
        return 62;
    return c == (url ? '_' : '/') ? 63 : -1;
}

static int decode(struct nk_str text, bool url, struct nk_buf *out)
{
    uint32_t bits = 0;
    int have = 0;
    if (text.n % 4 == 1)
        return NK_EINVAL;
    char *to = nk_buf_reserve(out, text.n / 4 * 3 + (text.n % 4 ? text.n % 4 - 1 : 0));
    if (!to)
        return out->error;
    for (size_t i = 0; i < text.n; i++) {
        int v = value_of(text.p[i], url);
        if (v < 0)
            return NK_EINVAL;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have >= 8) {
            have -= 8;
            *to++ = (char)(bits >> have & 0xFF);
        }
    }
    if (bits & ((1u << have) - 1))
        return NK_EINVAL;
    out->n = (size_t)(to - out->p);
    return 0;
}

int nk_base64url_decode(struct nk_str text, struct nk_buf *out)
{
    return decode(text, true, out);
}

int nk_base64_decode(struct nk_str text, struct nk_buf *out)
{
    if (text.n % 4)
        return NK_EINVAL;
    for (int i = 0; i < 2 && text.n && text.p[text.n - 1] == '='; i++)
        text.n--;
    return decode(text, false, out);
}

static void encode(struct nk_str in, const char *alphabet, bool pad, struct nk_buf *out)
{
    for (size_t i = 0; i < in.n; i += 3) {
        size_t left = in.n - i;
        uint32_t bits = (uint32_t)(unsigned char)in.p[i] << 16;
        if (left > 1)
            bits |= (uint32_t)(unsigned char)in.p[i + 1] << 8;
        if (left > 2)
            bits |= (unsigned char)in.p[i + 2];
        char quad[4] = {alphabet[bits >> 18], alphabet[bits >> 12 & 63], alphabet[bits >> 6 & 63],
                        alphabet[bits & 63]};
        size_t n = left > 2 ? 4 : left + 1;
        nk_buf_add(out, (struct nk_str){quad, n});
        for (; pad && n < 4; n++)
            nk_buf_add_char(out, '=');
    }
}

void nk_base64url_encode(struct nk_str bytes, struct nk_buf *out)
{
    encode(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false, out);
}

void nk_base64_encode(struct nk_str bytes, struct nk_buf *out)
{
    encode(bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", true, out);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int nk_hex_decode(struct nk_str text, void *out, size_t n)
{
    unsigned char *to = out;
    if (text.n != 2 * n)
        return NK_EINVAL;
    for (size_t i = 0; i < n; i++) {
        int high = hex_value(text.p[2 * i]), low = hex_value(text.p[2 * i + 1]);
        if (high < 0 || low < 0)
            return NK_EINVAL;
        to[i] = (unsigned char)(high << 4 | low);
    }
    return 0;
}

void nk_time_format(int64_t unix_ms, struct nk_buf *out)
{
    static const int64_t first = -62167219200000, last = 253402300799999;
    unix_ms = unix_ms < first ? first : unix_ms > last ? last : unix_ms;
    int64_t day_ms = 86400000, days = unix_ms / day_ms, rest = unix_ms % day_ms;
    if (rest < 0) {
        rest += day_ms;
        days--;
    }
    uint64_t z = (uint64_t)(days + 719468 + 146097); /* days since -0400-03-01 */
    uint64_t era = z / 146097, of_era = z % 146097;
    uint64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint64_t month = (5 * of_year + 2) / 153;
    uint64_t day = of_year - (153 * month + 2) / 5 + 1;
    uint64_t civil_month = month < 10 ? month + 3 : month - 9;
    unsigned y = (unsigned)(year + era * 400 - 400 + (civil_month <= 2)), ms = (unsigned)rest;
    char text[] = "0000-00-00T00:00:00.000Z";
    nk_two_digits(text, y / 100);
    nk_two_digits(text + 2, y % 100);
    nk_two_digits(text + 5, (unsigned)civil_month);
    nk_two_digits(text + 8, (unsigned)day);
    nk_two_digits(text + 11, ms / 3600000);
    nk_two_digits(text + 14, ms / 60000 % 60);
    nk_two_digits(text + 17, ms / 1000 % 60);
    nk_two_digits(text + 20, ms % 1000 / 10);
    text[22] = (char)('0' + ms % 10);
    nk_buf_add(out, (struct nk_str){text, sizeof text - 1});
}
