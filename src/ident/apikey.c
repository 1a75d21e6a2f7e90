/* SPDX-License-Identifier: Apache-2.0
 *
 * apikey.c - see apikey.h.
 */
#include "ident/apikey.h"

#include <string.h>

enum { PREFIX = 3, ID_AT = PREFIX, SECRET_AT = 16, SECRET = 43, CHECK_AT = 59, CHECK = 6 };

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
static const char base32[] = "abcdefghijklmnopqrstuvwxyz234567";

static uint32_t crc32_of(struct nk_str s)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < s.n; i++) {
        crc ^= (unsigned char)s.p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* The number (big-endian bytes, destroyed) as `width` digits to base 62. */
static void put_base62(unsigned char *number, size_t n, char *out, size_t width)
{
    for (size_t at = width; at-- > 0;) {
        unsigned rest = 0;
        for (size_t i = 0; i < n; i++) {
            unsigned v = rest << 8 | number[i];
            number[i] = (unsigned char)(v / 62);
            rest = v % 62;
        }
        out[at] = base62[rest];
    }
}

static void put_check(struct nk_str key, char out[CHECK])
{
    uint32_t crc = crc32_of(key);
    unsigned char bytes[4] = {(unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
                              (unsigned char)(crc >> 8), (unsigned char)crc};
    put_base62(bytes, sizeof bytes, out, CHECK);
}

void nk_apikey_make_id(const unsigned char random[8], char out[NK_APIKEY_ID_SIZE + 1])
{
    uint64_t bits;
    memcpy(&bits, random, sizeof bits);
    for (size_t i = 0; i < NK_APIKEY_ID_SIZE; i++, bits >>= 5)
        out[i] = base32[bits & 31];
    out[NK_APIKEY_ID_SIZE] = 0;
}

void nk_apikey_make(const unsigned char *random, char out[NK_APIKEY_SIZE + 1])
{
    unsigned char secret[32];
    memcpy(secret, random + 8, sizeof secret);
    memcpy(out, "nk_", PREFIX);
    nk_apikey_make_id(random, out + ID_AT);
    out[SECRET_AT - 1] = '_';
    put_base62(secret, sizeof secret, out + SECRET_AT, SECRET);
    put_check((struct nk_str){out, CHECK_AT}, out + CHECK_AT);
    out[NK_APIKEY_SIZE] = 0;
    nk_secret_wipe(secret, sizeof secret);
}

bool nk_apikey_has_prefix(struct nk_str s)
{
    return nk_str_starts(s, NK_STR("nk_"));
}

bool nk_apikey_ok(struct nk_str s)
{
    char check[CHECK];
    if (s.n != NK_APIKEY_SIZE || !nk_apikey_has_prefix(s) || s.p[SECRET_AT - 1] != '_')
        return false;
    for (size_t i = ID_AT; i < SECRET_AT - 1; i++)
        if (!memchr(base32, s.p[i], 32))
            return false;
    for (size_t i = SECRET_AT; i < NK_APIKEY_SIZE; i++)
        if (!memchr(base62, s.p[i], 62))
            return false;
    put_check(nk_str_sub(s, 0, CHECK_AT), check);
    return memcmp(check, s.p + CHECK_AT, CHECK) == 0;
}

struct nk_str nk_apikey_id(struct nk_str s)
{
    return nk_str_sub(s, ID_AT, SECRET_AT - 1);
}
