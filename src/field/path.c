/* SPDX-License-Identifier: Apache-2.0
 *
 * path.c - reads paths (the part of RFC 9535 that names places without looking at values) and JSON Pointers
 * (RFC 6901). Whatever is no path is refused with the place and what to write instead: a rule that names
 * nothing would hide nothing.
 */
#include "field/path.h"

#include <stdlib.h>

#include "base/utf8.h"

enum { INDEX_MAX = 1 << 27 };

struct reading {
    struct nk_str text;
    size_t at;
    struct nk_arena *arena;
    struct nk_fault *fault;
};

static int bad(const struct reading *r, size_t at, const char *why)
{
    return nk_fault_set(r->fault, NK_EINVAL, "field", at, "path \"%.*s\", at %zu: %s",
                        NK_FMT(nk_str_sub(r->text, 0, 80)), at, why);
}

static int no_memory(const struct reading *r)
{
    return nk_fault_set(r->fault, NK_ENOMEM, "field", r->at, "out of memory");
}

static char peek(const struct reading *r)
{
    return r->at < r->text.n ? r->text.p[r->at] : 0;
}

static void skip_blanks(struct reading *r)
{
    while (peek(r) == ' ' || peek(r) == '\t')
        r->at++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* name-first of RFC 9535, section 2.5.1.1. */
static bool begins_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static int read_plain_name(struct reading *r, struct field_step *step)
{
    size_t from = r->at;
    if (!begins_name(peek(r)))
        return bad(r, from, "a name, '*' or '[' is wanted here");
    while (begins_name(peek(r)) || is_digit(peek(r)))
        r->at++;
    if (peek(r) == '-')
        return bad(r, r->at, "a name with '-' is written as ['first-name']");
    step->name = nk_arena_copy(r->arena, nk_str_sub(r->text, from, r->at));
    return step->name.p ? 0 : no_memory(r);
}

static int read_hex(struct reading *r, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        char c = peek(r), low = (char)(c | 0x20);
        if (!is_digit(c) && !(low >= 'a' && low <= 'f'))
            return bad(r, r->at, "four hexadecimal digits are wanted behind \\u");
        *unit = *unit << 4 | (uint32_t)(is_digit(c) ? c - '0' : low - 'a' + 10);
    }
    return 0;
}

/* What stands behind "\u"; writes the character. */
static int read_unicode(struct reading *r, char out[4], size_t *n)
{
    size_t from = r->at;
    uint32_t unit, low = 0;
    int rc = read_hex(r, &unit);
    if (rc)
        return rc;
    if (unit >= 0xD800 && unit <= 0xDBFF &&
        nk_str_starts(nk_str_sub(r->text, r->at, r->text.n), NK_STR("\\u"))) {
        r->at += 2;
        rc = read_hex(r, &low);
        if (rc)
            return rc;
    }
    bool pair = unit >= 0xD800 && unit <= 0xDBFF;
    if (unit == 0 || (unit >= 0xDC00 && unit <= 0xDFFF) || (pair && (low < 0xDC00 || low > 0xDFFF)))
        return bad(r, from, "no member has a name with such a character");
    *n = nk_utf8_put(out, pair ? 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00) : unit);
    return 0;
}

/* An escape, from its backslash on. */
static int read_escape(struct reading *r, char quote, char out[4], size_t *n)
{
    static const char from[] = "bfnrt/\\", to[] = "\b\f\n\r\t/\\";
    r->at++;
    char c = peek(r);
    const char *which = c ? memchr(from, c, sizeof from - 1) : NULL;
    if (c == 'u') {
        r->at++;
        return read_unicode(r, out, n);
    }
    if (!which && c != quote)
        return bad(r, r->at, "there is no such escape");
    out[0] = which ? to[which - from] : c;
    *n = 1;
    r->at++;
    return 0;
}

static int read_quoted_name(struct reading *r, struct field_step *step)
{
    char quote = peek(r), *to = nk_arena_alloc(r->arena, r->text.n);
    size_t from = r->at++, size = 0;
    if (!to)
        return no_memory(r);
    while (peek(r) != quote) {
        size_t n = 1;
        if (r->at >= r->text.n)
            return bad(r, from, "the name has no end");
        if ((unsigned char)peek(r) < 0x20)
            return bad(r, r->at, "control characters are written as escapes");
        if (peek(r) == '\\') {
            int rc = read_escape(r, quote, to + size, &n);
            if (rc)
                return rc;
        } else {
            to[size] = r->text.p[r->at++];
        }
        size += n;
    }
    r->at++;
    step->name = (struct nk_str){to, size};
    return 0;
}

static int read_index(struct reading *r, struct field_step *step)
{
    size_t from = r->at;
    uint64_t index;
    while (is_digit(peek(r)))
        r->at++;
    if (nk_str_to_u64(nk_str_sub(r->text, from, r->at), &index) || index >= INDEX_MAX)
        return bad(r, from, "this is no index");
    step->kind = FIELD_INDEX;
    step->index = (uint32_t)index;
    return 0;
}

/* What stands behind '[', the ']' included. */
static int read_bracket(struct reading *r, struct field_step *step)
{
    int rc = 0;
    skip_blanks(r);
    char c = peek(r);
    if (c == '*') {
        step->kind = FIELD_ANY;
        r->at++;
    } else if (c == '\'' || c == '"') {
        rc = read_quoted_name(r, step);
    } else if (is_digit(c)) {
        rc = read_index(r, step);
    } else if (c == '-') {
        rc = bad(r, r->at, "places are not counted from the end; '*' names every element");
    } else if (c == '?' || c == '(' || c == ':') {
        rc = bad(r, r->at, "filters, scripts and slices are not taken; '*' names every element");
    } else {
        rc = bad(r, r->at, "a name in quotes, an index or '*' is wanted here");
    }
    if (rc)
        return rc;
    skip_blanks(r);
    if (peek(r) == ',' || peek(r) == ':')
        return bad(r, r->at, "one path names one place: write a rule for each");
    if (peek(r) != ']')
        return bad(r, r->at, "']' is wanted here");
    r->at++;
    return 0;
}

static int read_step(struct reading *r, struct field_step *step)
{
    char c = peek(r);
    *step = (struct field_step){.kind = FIELD_NAME, .index = FIELD_NO_INDEX};
    if (c != '.' && c != '[')
        return bad(r, r->at, "'.' or '[' is wanted here");
    r->at++;
    if (c == '.' && peek(r) == '.') {
        step->deep = true;
        r->at++;
        c = peek(r);
        r->at += c == '[';
    }
    if (c == '[')
        return read_bracket(r, step);
    if (peek(r) == '*') {
        step->kind = FIELD_ANY;
        r->at++;
        return 0;
    }
    return read_plain_name(r, step);
}

/* Is it of a size and an encoding to read at all? */
static int check_text(const struct reading *r)
{
    if (r->text.n > NK_FIELD_PATH_MAX)
        return nk_fault_set(r->fault, NK_ELIMIT, "field", NK_FIELD_PATH_MAX,
                            "path \"%.*s…\": more than %d bytes",
                            NK_FMT(nk_str_sub(r->text, 0, 40)), NK_FIELD_PATH_MAX);
    size_t valid = nk_utf8_check(r->text);
    return valid < r->text.n ? bad(r, valid, "invalid UTF-8") : 0;
}

static int keep(const struct reading *r, const struct field_step *steps, uint32_t n,
                struct field_path *out)
{
    struct field_step *to = nk_arena_array(r->arena, n ? n : 1, sizeof *to);
    if (!to)
        return no_memory(r);
    memcpy(to, steps, n * sizeof *to);
    *out = (struct field_path){to, n};
    return 0;
}

static int too_many(const struct reading *r)
{
    return nk_fault_set(r->fault, NK_ELIMIT, "field", r->at, "path \"%.*s\": more than %d steps",
                        NK_FMT(nk_str_sub(r->text, 0, 80)), NK_FIELD_STEPS_MAX);
}

int field_path_parse(struct nk_str text, struct nk_arena *a, struct field_path *out,
                     struct nk_fault *f)
{
    struct reading r = {.text = text, .arena = a, .fault = f};
    struct field_step steps[NK_FIELD_STEPS_MAX];
    uint32_t n = 0;
    int rc = check_text(&r);
    if (rc)
        return rc;
    if (peek(&r) != '$')
        return bad(&r, 0, "a path begins with '$', the whole result");
    for (r.at = 1; r.at < text.n; n++) {
        if (n == NK_FIELD_STEPS_MAX)
            return too_many(&r);
        rc = read_step(&r, &steps[n]);
        if (rc)
            return rc;
    }
    return keep(&r, steps, n, out);
}

/* Undoes "~1" and "~0". */
static int read_token(struct reading *r, struct field_step *step)
{
    char *to = nk_arena_alloc(r->arena, r->text.n);
    size_t n = 0;
    if (!to)
        return no_memory(r);
    for (; r->at < r->text.n && peek(r) != '/'; r->at++) {
        char c = peek(r);
        if (c == '~') {
            r->at++;
            if (peek(r) != '0' && peek(r) != '1')
                return bad(r, r->at, "'~' is followed by 0 or 1");
            c = peek(r) == '0' ? '~' : '/';
        }
        to[n++] = c;
    }
    uint64_t index;
    *step = (struct field_step){.kind = FIELD_TOKEN, .name = {to, n}, .index = FIELD_NO_INDEX};
    if (nk_str_to_u64(step->name, &index) == 0 && index < INDEX_MAX)
        step->index = (uint32_t)index;
    return 0;
}

int field_pointer_parse(struct nk_str text, struct nk_arena *a, struct field_path *out,
                        struct nk_fault *f)
{
    struct reading r = {.text = text, .arena = a, .fault = f};
    struct field_step steps[NK_FIELD_STEPS_MAX];
    uint32_t n = 0;
    int rc = check_text(&r);
    if (rc)
        return rc;
    if (text.n && peek(&r) != '/')
        return bad(&r, 0, "a JSON Pointer is empty or begins with '/'");
    for (; r.at < text.n; n++) {
        r.at++;
        if (n == NK_FIELD_STEPS_MAX)
            return too_many(&r);
        rc = read_token(&r, &steps[n]);
        if (rc)
            return rc;
    }
    return keep(&r, steps, n, out);
}
