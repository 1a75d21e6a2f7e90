/* SPDX-License-Identifier: Apache-2.0
 *
 * escape.c - unescaping of strings whose grammar has been checked (RFC 8259, section 7): nothing
 * here can fail. See escape.h.
 */
#include "json/escape.h"

#include <string.h>

#include "base/scan.h"
#include "base/utf8.h"

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];
        v = v << 4 | (c <= '9' ? c - 48u : (c | 32u) - 87u);
    }
    return v;
}

size_t nk_json_unescape_one(const char **at, char out[4])
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *p = *at;
    if (*p != '\\') {
        out[0] = *p;
        *at = p + 1;
        return 1;
    }
    if (p[1] != 'u') {
        const char *which = memchr(from, p[1], sizeof from - 1);
        out[0] = which ? to[which - from] : p[1];
        *at = p + 2;
        return 1;
    }
    uint32_t scalar = hex4(p + 2);
    *at = p + 6;
    if (scalar >= 0xD800 && scalar < 0xDC00) {
        scalar = 0x10000 + ((scalar - 0xD800) << 10) + (hex4(p + 8) - 0xDC00);
        *at = p + 12;
    }
    return nk_utf8_put(out, scalar);
}

size_t nk_json_unescape(struct nk_str content, char *out)
{
    const char *p = content.p, *end = p + content.n;
    char *to = out;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash ? slash : end) - p);
        memcpy(to, p, plain);
        p += plain;
        to += plain;
        if (slash) {
            char one[4];
            size_t n = nk_json_unescape_one(&p, one);
            memcpy(to, one, n);
            to += n;
        }
    }
    return (size_t)(to - out);
}

struct nk_str nk_json_content(const char *text, const struct nk_json_value *v)
{
    return (struct nk_str){text + v->start + 1, v->end - v->start - 2};
}
