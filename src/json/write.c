/* SPDX-License-Identifier: Apache-2.0
 *
 * write.c - edits as splices of the original text, and the few pieces of JSON that the project
 * writes itself. See json.h.
 */
#include "json/json.h"

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

static void put_escape(struct nk_buf *out, char c)
{
    static const char digit[] = "0123456789abcdef";
    static const char letter[] = "btn?fr"; /* 0x08 to 0x0D; there is none for 0x0B */
    char one[6] = {'\\', c, '0', '0', digit[(unsigned char)c >> 4], digit[c & 15]};
    if (c == '"' || c == '\\') {
        nk_buf_add(out, (struct nk_str){one, 2});
        return;
    }
    bool is_short = c >= 8 && c <= 13 && c != 11;
    one[1] = is_short ? letter[c - 8] : 'u';
    nk_buf_add(out, (struct nk_str){one, is_short ? 2 : 6});
}

void nk_json_put_string(struct nk_buf *out, struct nk_str s)
{
    const char *p = s.p, *end = s.n ? s.p + s.n : s.p;
    nk_buf_add_char(out, '"');
    while (p < end) {
        const char *stop = nk_scan_plain(p, end);
        while (stop < end && (unsigned char)*stop >= 0x80)
            stop++;
        nk_buf_add(out, (struct nk_str){p, (size_t)(stop - p)});
        p = stop;
        if (p < end && ((unsigned char)*p < 0x20 || *p == '"' || *p == '\\'))
            put_escape(out, *p++);
    }
    nk_buf_add_char(out, '"');
}

void nk_json_put_name(struct nk_buf *out, struct nk_str name)
{
    char last = out->n ? out->p[out->n - 1] : '{';
    if (last != '{' && last != '[')
        nk_buf_add_char(out, ',');
    nk_json_put_string(out, name);
    nk_buf_add_char(out, ':');
}

void nk_json_put_member(struct nk_buf *out, struct nk_str name, struct nk_str value)
{
    nk_json_put_name(out, name);
    nk_json_put_string(out, value);
}
