/* SPDX-License-Identifier: Apache-2.0
 *
 * member.c - typed members. See member.h.
 */
#include "proto/member.h"

#include <string.h>

static const char *type_name(enum nk_json_type type)
{
    switch (type) {
    case NK_JSON_ARRAY:
        return "an array";
    case NK_JSON_OBJECT:
        return "an object";
    case NK_JSON_STRING:
        return "a string";
    default:
        return "an integer";
    }
}

static size_t place(const struct nk_json *doc, uint32_t i)
{
    return i < doc->n ? doc->tape[i].start : 0;
}

uint32_t nk_member_get(const struct nk_json *doc, uint32_t obj, struct nk_str name)
{
    uint32_t i = nk_json_get(doc, obj, name);
    return i != NK_JSON_NONE && nk_json_type(doc, i) == NK_JSON_NULL ? NK_JSON_NONE : i;
}

int nk_member_expect(const struct nk_json *doc, uint32_t i, struct nk_str what,
                     enum nk_json_type type, struct nk_fault *f)
{
    if (i != NK_JSON_NONE && nk_json_type(doc, i) == type)
        return 0;
    return nk_fault_set(f, NK_EINVAL, "proto", place(doc, i), "\"%.*s\" must be %s", NK_FMT(what),
                        type_name(type));
}

int nk_member_missing(const struct nk_json *doc, uint32_t obj, struct nk_str name,
                      struct nk_fault *f)
{
    return nk_fault_set(f, NK_EINVAL, "proto", place(doc, obj), "\"%.*s\" is missing",
                        NK_FMT(name));
}

int nk_member_string(const struct nk_json *doc, uint32_t obj, struct nk_str name, bool may_be_empty,
                     struct nk_arena *a, struct nk_str *out, struct nk_fault *f)
{
    *out = (struct nk_str){NULL, 0};
    uint32_t i = nk_member_get(doc, obj, name);
    if (i == NK_JSON_NONE)
        return 0;
    int r = nk_member_expect(doc, i, name, NK_JSON_STRING, f);
    if (r)
        return r;
    *out = nk_json_string(doc, i, a);
    if (!out->p)
        return nk_fault_set(f, NK_ENOMEM, "proto", place(doc, i), "out of memory at \"%.*s\"",
                            NK_FMT(name));
    if (out->n == 0 && !may_be_empty)
        return nk_fault_set(f, NK_EINVAL, "proto", place(doc, i), "\"%.*s\" must not be empty",
                            NK_FMT(name));
    return 0;
}

int nk_member_bool(const struct nk_json *doc, uint32_t obj, struct nk_str name, bool *out,
                   struct nk_fault *f)
{
    uint32_t i = nk_member_get(doc, obj, name);
    *out = i != NK_JSON_NONE && nk_json_type(doc, i) == NK_JSON_TRUE;
    if (i == NK_JSON_NONE || *out || nk_json_type(doc, i) == NK_JSON_FALSE)
        return 0;
    return nk_fault_set(f, NK_EINVAL, "proto", place(doc, i), "\"%.*s\" must be true or false",
                        NK_FMT(name));
}

int nk_member_count(const struct nk_json *doc, uint32_t obj, struct nk_str name, int64_t *out,
                    struct nk_fault *f)
{
    uint32_t i = nk_member_get(doc, obj, name);
    int64_t v = 0;
    if (i == NK_JSON_NONE)
        return 0;
    if (nk_json_i64(doc, i, &v) || v < 0)
        return nk_fault_set(f, NK_EINVAL, "proto", place(doc, i),
                            "\"%.*s\" must be an integer of 0 or more", NK_FMT(name));
    *out = v;
    return 0;
}

int nk_member_of(const struct nk_json *doc, uint32_t obj, struct nk_str name,
                 enum nk_json_type type, uint32_t *out, struct nk_fault *f)
{
    *out = nk_member_get(doc, obj, name);
    return *out == NK_JSON_NONE ? 0 : nk_member_expect(doc, *out, name, type, f);
}

/* The next character as Go's simple folding sees it; moves *at behind it. */
static unsigned char fold_next(struct nk_str s, size_t *at)
{
    unsigned char c = (unsigned char)s.p[(*at)++];
    if (c == 0xc5 && *at < s.n && (unsigned char)s.p[*at] == 0xbf) {
        *at += 1;
        return 's';
    }
    if (c == 0xe2 && s.n - *at >= 2 && memcmp(s.p + *at, "\x84\xaa", 2) == 0) {
        *at += 2;
        return 'k';
    }
    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 32) : c;
}

static bool folds_to(struct nk_str s, struct nk_str name)
{
    size_t at = 0, n = 0;
    while (at < s.n && n < name.n)
        if (fold_next(s, &at) != (unsigned char)name.p[n++])
            return false;
    return at == s.n && n == name.n;
}

/* Can it differ from a name in lower case, and yet fold to it? Hardly any name can. */
static bool may_fold(struct nk_str s)
{
    const uint64_t ones = 0x0101010101010101, tops = ones * 0x80;
    uint64_t word = 0, odd = 0;
    for (size_t i = 0; i < s.n; i += 8) {
        if (s.n - i >= 8)
            memcpy(&word, s.p + i, 8);
        else
            for (word = 0; i < s.n; i++)
                word = word << 8 | (unsigned char)s.p[i];
        uint64_t low = word & ~tops; /* then no sum leaves its byte */
        odd |= word | ((low + ones * (0x80 - 'A')) & ~(low + ones * (0x7F - 'Z')));
    }
    return (odd & tops) != 0;
}

int nk_member_no_doubles(const struct nk_json *doc, uint32_t obj, const char *const *names,
                         size_t n, struct nk_arena *a, struct nk_fault *f)
{
    for (uint32_t i = nk_json_first(doc, obj); i != NK_JSON_NONE; i = nk_json_next(doc, obj, i)) {
        struct nk_str s = nk_json_string(doc, i, a);
        if (!s.p)
            return nk_fault_set(f, NK_ENOMEM, "proto", place(doc, i), "out of memory");
        for (size_t k = 0; may_fold(s) && k < n; k++)
            if (folds_to(s, nk_str(names[k])))
                return nk_fault_set(f, NK_EINVAL, "proto", place(doc, i),
                                    "a member's name differs from \"%s\" in case only", names[k]);
    }
    return 0;
}
