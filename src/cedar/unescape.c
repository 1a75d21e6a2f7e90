/* SPDX-License-Identifier: Apache-2.0
 *
 * unescape.c - the inside of string literals and of patterns. See lexer.h. The escapes are those of
 * Rust's strings; a bare carriage return is refused as Rust does.
 */
#include "cedar/lexer.h"

#include "base/utf8.h"

#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* \x7F: exactly two digits, ASCII only; -1 if not. *at is behind the 'x'. */
static int32_t byte_escape(struct nk_str raw, size_t *at)
{
    int high = *at < raw.n ? hex_value(raw.p[*at]) : -1;
    int low = *at + 1 < raw.n ? hex_value(raw.p[*at + 1]) : -1;
    if (high < 0 || high > 7 || low < 0)
        return -1;
    *at += 2;
    return high << 4 | low;
}

/* \u{1F_600}: one to six digits, underscores behind the first; a scalar value; -1 if not. */
static int32_t unicode_escape(struct nk_str raw, size_t *at)
{
    int32_t v = 0;
    int digits = 0;
    if (*at >= raw.n || raw.p[*at] != '{')
        return -1;
    for (++*at; *at < raw.n && raw.p[*at] != '}'; ++*at) {
        if (raw.p[*at] == '_' && digits > 0)
            continue;
        int digit = hex_value(raw.p[*at]);
        if (digit < 0 || ++digits > 6)
            return -1;
        v = v << 4 | digit;
    }
    if (*at >= raw.n || digits == 0 || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
        return -1;
    ++*at;
    return v;
}

/* The scalar of an escape, -1 if there is none such. *at is behind the backslash. */
static int32_t escape(struct nk_str raw, size_t *at)
{
    static const char names[] = "nrt\\0'\"", values[] = "\n\r\t\\\0'\"";
    if (*at >= raw.n)
        return -1;
    char c = raw.p[(*at)++];
    if (c == 'x')
        return byte_escape(raw, at);
    if (c == 'u')
        return unicode_escape(raw, at);
    ptrdiff_t found = nk_str_find(NK_STR(names), c);
    return found < 0 ? -1 : values[found];
}

struct sink {
    char *p;
    size_t n;
};

/* Copies one character or escape of `raw` at *at; false when it is not allowed. */
static bool copy_one(struct nk_str raw, size_t *at, struct sink *to)
{
    char c = raw.p[*at];
    if (c == '\r')
        return false;
    if (c != '\\') {
        to->p[to->n++] = c;
        ++*at;
        return true;
    }
    size_t behind = *at + 1;
    int32_t scalar = escape(raw, &behind);
    if (scalar < 0)
        return false;
    to->n += nk_utf8_put(to->p + to->n, (uint32_t)scalar);
    *at = behind;
    return true;
}

static bool is_plain(struct nk_str raw)
{
    return nk_str_find(raw, '\\') < 0 && nk_str_find(raw, '\r') < 0;
}

int cedar_unescape(struct nk_str raw, struct nk_arena *a, struct nk_str *out, size_t *bad)
{
    *out = raw;
    if (is_plain(raw))
        return 0;
    /* An escape is at least as long as what it stands for; nk_utf8_put may write four bytes. */
    struct sink to = {nk_arena_alloc(a, raw.n + 4), 0};
    if (!to.p)
        return NK_ENOMEM;
    for (*bad = 0; *bad < raw.n;)
        if (!copy_one(raw, bad, &to))
            return NK_EINVAL;
    *out = (struct nk_str){to.p, to.n};
    return 0;
}

/* At most this many wildcards: each is a star or an escape. */
static size_t count_stars(struct nk_str raw)
{
    size_t n = 0;
    for (size_t i = 0; i < raw.n; i++)
        n += raw.p[i] == '*' || raw.p[i] == '\\';
    return n;
}

/* As in the reference, a star is a wildcard however it is written, \x2a and \u{2a} too; only \* is
 * a star. */
int cedar_unescape_pattern(struct nk_str raw, struct nk_arena *a, const struct nk_str **parts,
                           uint32_t *n, size_t *bad)
{
    struct nk_str *own = nk_arena_array(a, count_stars(raw) + 1, sizeof *own);
    struct sink to = {nk_arena_alloc(a, raw.n + 4), 0};
    size_t start = 0;
    if (!own || !to.p)
        return NK_ENOMEM;
    *n = 0;
    for (*bad = 0; *bad < raw.n;) {
        size_t before = to.n;
        if (nk_str_eq(nk_str_sub(raw, *bad, *bad + 2), NK_STR("\\*"))) {
            to.p[to.n++] = '*';
            *bad += 2;
        } else if (!copy_one(raw, bad, &to)) {
            return NK_EINVAL;
        } else if (to.p[before] == '*') {
            to.n = before;
            own[(*n)++] = (struct nk_str){to.p + start, to.n - start};
            start = to.n;
        }
    }
    own[(*n)++] = (struct nk_str){to.p + start, to.n - start};
    *parts = own;
    return 0;
}
