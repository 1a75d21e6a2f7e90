/* SPDX-License-Identifier: Apache-2.0
 *
 * write.c - edits as splices of the original text, and the few pieces of JSON that the project
 * writes itself. See json.h.
 */
#include "json/json.h"

#include <string.h>

#include "base/scan.h"

int nk_json_splice(struct nk_str text, const struct nk_json_edit *edits, size_t n,
                   struct nk_buf *out)
{
    uint32_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (edits[i].start < at || edits[i].end < edits[i].start || edits[i].end > text.n)
            return NK_EINVAL;
        at = edits[i].end;
    }
    at = 0;
    for (size_t i = 0; i < n; i++) {
        nk_buf_add(out, nk_str_sub(text, at, edits[i].start));
        nk_buf_add(out, edits[i].with);
        at = edits[i].end;
    }
    nk_buf_add(out, nk_str_sub(text, at, text.n));
    return out->error;
}

/* Writes the escape of c, at most 6 bytes; returns the place behind it. */
static char *put_escape(char *to, char c)
{
    static const char digit[] = "0123456789abcdef";
    static const char letter[] = "btn?fr"; /* 0x08 to 0x0D; there is none for 0x0B */
    bool plain = c == '"' || c == '\\', is_short = c >= 8 && c <= 13 && c != 11;
    *to++ = '\\';
    if (plain || is_short) {
        *to++ = plain ? c : letter[c - 8];
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = digit[(unsigned char)c >> 4];
    to[4] = digit[c & 15];
    return to + 5;
}

/* A string with something to escape. Room is asked for what is left as if nothing else were to escape,
 * so that none is asked for in vain. */
static void put_escaped(struct nk_buf *out, struct nk_str s)
{
    nk_buf_add_char(out, '"');
    for (size_t at = 0;;) {
        char *to = nk_buf_reserve(out, s.n - at), escape[6];
        if (!to)
            return;
        size_t plain = nk_scan_copy(to, s.p + at, s.n - at);
        out->n += plain;
        at += plain;
        if (at == s.n)
            break;
        size_t n = (size_t)(put_escape(escape, s.p[at++]) - escape);
        nk_buf_add(out, (struct nk_str){escape, n});
    }
    nk_buf_add_char(out, '"');
}

/* Writes `s` in quotes to `to`, which has room for s.n + 2 bytes; the place behind it, or NULL when
 * there is something to escape. */
static inline char *put_plain(char *to, struct nk_str s)
{
    if (nk_scan_copy(to + 1, s.p, s.n) < s.n)
        return NULL;
    to[0] = to[s.n + 1] = '"';
    return to + s.n + 2;
}

void nk_json_put_string(struct nk_buf *out, struct nk_str s)
{
    char *to = nk_buf_reserve(out, s.n + 2);
    if (!to)
        return;
    to = put_plain(to, s);
    if (to)
        out->n = (size_t)(to - out->p);
    else
        put_escaped(out, s);
}

static size_t wants_comma(const struct nk_buf *out)
{
    char last = out->n ? out->p[out->n - 1] : '{';
    return last != '{' && last != '[';
}

void nk_json_put_name(struct nk_buf *out, struct nk_str name)
{
    size_t comma = wants_comma(out);
    char *to = nk_buf_reserve(out, comma + name.n + 3);
    if (!to)
        return;
    *to = ',';
    to = put_plain(to + comma, name);
    if (to) {
        *to++ = ':';
        out->n = (size_t)(to - out->p);
        return;
    }
    out->n += comma;
    put_escaped(out, name);
    nk_buf_add_char(out, ':');
}

void nk_json_put_member(struct nk_buf *out, struct nk_str name, struct nk_str value)
{
    size_t comma = wants_comma(out);
    char *to = nk_buf_reserve(out, comma + name.n + value.n + 5);
    if (!to)
        return;
    *to = ',';
    to = put_plain(to + comma, name);
    if (to) {
        *to++ = ':';
        to = put_plain(to, value);
    }
    if (to) {
        out->n = (size_t)(to - out->p);
        return;
    }
    nk_json_put_name(out, name);
    nk_json_put_string(out, value);
}
