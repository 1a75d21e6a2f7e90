/* SPDX-License-Identifier: Apache-2.0
 *
 * view.c - finding one's way on the tape. Every function takes NK_JSON_NONE or a wrong type as "no
 * such entry", so that a path of lookups is written without a check at each step.
 */
#include "json/escape.h"

#include <string.h>

static const struct nk_json_value *entry(const struct nk_json *doc, uint32_t i)
{
    return i < doc->n ? &doc->tape[i] : NULL;
}

static const struct nk_json_value *entry_of(const struct nk_json *doc, uint32_t i,
                                            enum nk_json_type type)
{
    const struct nk_json_value *v = entry(doc, i);
    return v && v->type == type ? v : NULL;
}

struct nk_str nk_json_span(const struct nk_json *doc, uint32_t i)
{
    const struct nk_json_value *v = entry(doc, i);
    return v ? nk_str_sub(doc->text, v->start, v->end) : (struct nk_str){NULL, 0};
}

uint32_t nk_json_get(const struct nk_json *doc, uint32_t i, struct nk_str name)
{
    const struct nk_json_value *v = entry_of(doc, i, NK_JSON_OBJECT), *tape = doc->tape;
    if (!v)
        return NK_JSON_NONE;
    const struct nk_json_value *n = v + 1, *end = tape + v->next;
    for (; n < end; n = tape + n[1].next) {
        uint32_t k = (uint32_t)(n - tape);
        if (n->escaped) {
            if (nk_json_is(doc, k, name))
                return k + 1;
        } else if (n->end - n->start == name.n + 2 &&
                   nk_same(doc->text.p + n->start + 1, name.p, name.n)) {
            return k + 1;
        }
    }
    return NK_JSON_NONE;
}

uint32_t nk_json_first(const struct nk_json *doc, uint32_t i)
{
    const struct nk_json_value *v = entry(doc, i);
    return v && v->count ? i + 1 : NK_JSON_NONE;
}

uint32_t nk_json_next(const struct nk_json *doc, uint32_t i, uint32_t child)
{
    const struct nk_json_value *v = entry(doc, i);
    if (!v || child <= i || child >= v->next)
        return NK_JSON_NONE;
    uint32_t next = doc->tape[v->type == NK_JSON_OBJECT ? child + 1 : child].next;
    return next < v->next ? next : NK_JSON_NONE;
}

struct nk_str nk_json_string(const struct nk_json *doc, uint32_t i, struct nk_arena *a)
{
    const struct nk_json_value *v = entry_of(doc, i, NK_JSON_STRING);
    if (!v)
        return (struct nk_str){NULL, 0};
    struct nk_str content = nk_json_content(doc->text.p, v);
    if (!v->escaped)
        return content;
    char *to = nk_arena_alloc(a, content.n);
    return (struct nk_str){to, to ? nk_json_unescape(content, to) : 0};
}

bool nk_json_is(const struct nk_json *doc, uint32_t i, struct nk_str content)
{
    const struct nk_json_value *v = entry_of(doc, i, NK_JSON_STRING);
    if (!v)
        return false;
    struct nk_str have = nk_json_content(doc->text.p, v);
    if (!v->escaped)
        return nk_str_eq(have, content);
    const char *end = have.p + have.n;
    size_t at = 0;
    while (have.p < end) {
        char one[4];
        size_t n = nk_json_unescape_one(&have.p, one);
        if (content.n - at < n || memcmp(content.p + at, one, n) != 0)
            return false;
        at += n;
    }
    return at == content.n;
}

int nk_json_i64(const struct nk_json *doc, uint32_t i, int64_t *out)
{
    const struct nk_json_value *v = entry_of(doc, i, NK_JSON_INT);
    return v ? nk_str_to_i64(nk_json_span(doc, i), out) : NK_EINVAL;
}
