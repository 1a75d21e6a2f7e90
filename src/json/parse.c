/* SPDX-License-Identifier: Apache-2.0
 *
 * parse.c - one pass over the text, no recursion and no stack: an open array or object keeps the
 * index of its parent in `next`, and "has an escaped name" in `escaped`, until it is closed. The
 * grammar is RFC 8259; beyond it RFC 7493 (I-JSON) for names, surrogates and encoding. The parser
 * is a loop over three states: a value is wanted, a name is wanted, or a value has just ended.
 */
#include "json/escape.h"

#include <string.h>

#include "base/scan.h"

enum want { WANT_VALUE, WANT_NAME, WANT_NEXT, WANT_END };
enum { HAS_ESCAPE = 1, HAS_NUL = 2 };

struct parser {
    const char *text, *at, *end;
    struct nk_json_value *tape;
    uint32_t n, cap;
    uint32_t open; /* the innermost open array or object, or NK_JSON_NONE */
    uint32_t depth;
    bool nul_names; /* names may hold NUL */
    const struct nk_json_limits *lim;
    struct nk_arena *arena;
    struct nk_fault *fault;
    struct nk_json_names names;
};

static int refuse(const struct parser *p, const char *at, const char *why)
{
    return nk_fault_set(p->fault, NK_EINVAL, "json", (size_t)(at - p->text), "%s", why);
}

static int refuse_limit(const struct parser *p, const char *what, uint32_t limit)
{
    return nk_fault_set(p->fault, NK_ELIMIT, "json", (size_t)(p->at - p->text), "more than %u %s",
                        limit, what);
}

static int refuse_memory(const struct parser *p)
{
    return nk_fault_set(p->fault, NK_ENOMEM, "json", (size_t)(p->at - p->text), "out of memory");
}

static int grow(struct parser *p)
{
    uint32_t max = p->lim->max_values;
    if (p->n >= max)
        return refuse_limit(p, "values", max);
    uint32_t cap = p->cap ? p->cap * 2 : (uint32_t)(p->end - p->text) / 32 + 16;
    if (cap > max)
        cap = max;
    size_t size = sizeof *p->tape;
    struct nk_json_value *tape = nk_arena_resize(p->arena, p->tape, p->cap * size, cap * size);
    if (!tape)
        return refuse_memory(p);
    p->tape = tape;
    p->cap = cap;
    return 0;
}

/* Adds an entry for the bytes [from, to). */
static inline int push(struct parser *p, enum nk_json_type type, const char *from, const char *to,
                       int flags)
{
    if (p->n == p->cap) {
        int rc = grow(p);
        if (rc)
            return rc;
    }
    p->tape[p->n] = (struct nk_json_value){
        .start = (uint32_t)(from - p->text),
        .end = (uint32_t)(to - p->text),
        .next = p->n + 1,
        .escaped = (flags & HAS_ESCAPE) != 0,
        .type = type & 15,
    };
    p->n++;
    return 0;
}

/* Skips white space; the next byte, or 0 at the end (a NUL is valid nowhere, so that 0 always leads
 * to a refusal or to the end). */
static inline char peek(struct parser *p)
{
    if (p->at < p->end && (unsigned char)*p->at > ' ')
        return *p->at;
    p->at = nk_scan_space(p->at, p->end);
    return p->at < p->end ? *p->at : 0;
}

static int refuse_here(const struct parser *p, const char *wanted)
{
    return p->at == p->end ? refuse(p, p->at, "unexpected end of text") : refuse(p, p->at, wanted);
}

/* Value of four hexadecimal digits, or -1. */
static int32_t hex4(const char *p, const char *end)
{
    int32_t v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i], low = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (c - '0');
        else if (low >= 'a' && low <= 'f')
            v = v << 4 | (low - 'a' + 10);
        else
            return -1;
    }
    return v;
}

/* Checks the escape at s (a backslash); the place behind it, or NULL after a refusal. */
static const char *check_escape(struct parser *p, const char *s, int *flags)
{
    *flags |= HAS_ESCAPE;
    char kind = p->end - s > 1 ? s[1] : 0;
    if (kind != 'u') {
        if (nk_str_find(NK_STR("\"\\/bfnrt"), kind) >= 0)
            return s + 2;
        refuse(p, s, "invalid escape");
        return NULL;
    }
    int32_t unit = hex4(s + 2, p->end);
    if (unit < 0) {
        refuse(p, s, "invalid \\u escape");
        return NULL;
    }
    if (unit == 0)
        *flags |= HAS_NUL;
    if (unit < 0xD800 || unit > 0xDFFF)
        return s + 6;
    int32_t low =
        unit <= 0xDBFF && p->end - s >= 8 && s[6] == '\\' && s[7] == 'u' ? hex4(s + 8, p->end) : -1;
    if (low < 0xDC00 || low > 0xDFFF) {
        refuse(p, s, "lone surrogate");
        return NULL;
    }
    return s + 12;
}

/* Reads the string whose opening quote is at p->at and adds it to the tape; p->at moves behind it.
 * *flags tells what it holds. */
static inline int read_string(struct parser *p, int *flags)
{
    const char *from = p->at, *s = from + 1;
    for (;;) {
        s = nk_scan_plain(s, p->end);
        if (s == p->end)
            return refuse(p, from, "string without end");
        if (*s == '"')
            break;
        if (*s == '\\') {
            s = check_escape(p, s, flags);
            if (!s)
                return NK_EINVAL;
        } else if ((unsigned char)*s >= 0x80) {
            s = nk_scan_wide(s, p->end);
            if (s < p->end && (unsigned char)*s >= 0x80)
                return refuse(p, s, "invalid UTF-8");
        } else {
            return refuse(p, s, "control character in a string");
        }
    }
    p->at = s + 1;
    return push(p, NK_JSON_STRING, from, p->at, *flags);
}

static const char *skip_digits(const char *s, const char *end)
{
    while (s < end && *s >= '0' && *s <= '9')
        s++;
    return s;
}

static int read_number(struct parser *p)
{
    const char *s = p->at, *end = p->end;
    bool negative = s < end && *s == '-', integer = true;
    s += negative;
    const char *digits = s;
    s = skip_digits(s, end);
    if (s == digits && !negative)
        return refuse_here(p, "a value is wanted here");
    if (s == digits || (*digits == '0' && s - digits > 1))
        return refuse(p, p->at, "invalid number");
    size_t whole = (size_t)(s - digits);
    if (s < end && *s == '.') {
        const char *fraction = ++s;
        integer = false;
        s = skip_digits(s, end);
        if (s == fraction)
            return refuse(p, p->at, "invalid number");
    }
    if (s < end && (*s == 'e' || *s == 'E')) {
        s++;
        integer = false;
        if (s < end && (*s == '+' || *s == '-'))
            s++;
        const char *exponent = s;
        s = skip_digits(s, end);
        if (s == exponent)
            return refuse(p, p->at, "invalid number");
    }
    int64_t ignored;
    if (integer && whole > 18)
        integer = nk_str_to_i64((struct nk_str){p->at, (size_t)(s - p->at)}, &ignored) == 0;
    const char *from = p->at;
    p->at = s;
    return push(p, integer ? NK_JSON_INT : NK_JSON_NUMBER, from, s, 0);
}

static int read_word(struct parser *p, struct nk_str word, enum nk_json_type type)
{
    const char *from = p->at;
    if ((size_t)(p->end - from) < word.n || memcmp(from, word.p, word.n) != 0)
        return refuse(p, from, "a value is wanted here");
    p->at += word.n;
    return push(p, type, from, p->at, 0);
}

static int open_container(struct parser *p, enum nk_json_type type)
{
    if (p->depth == p->lim->max_depth)
        return refuse_limit(p, "levels of nesting", p->lim->max_depth);
    int rc = push(p, type, p->at, p->at + 1, 0);
    if (rc)
        return rc;
    p->depth++;
    p->tape[p->n - 1].next = p->open;
    p->open = p->n - 1;
    p->at++;
    return 0;
}

/* Ends the innermost array or object; p->at is at its bracket. */
static int close_container(struct parser *p)
{
    struct nk_json_value *v = &p->tape[p->open];
    if (v->type == NK_JSON_OBJECT) {
        size_t offset = 0;
        int rc = nk_json_names_check(&p->names, p->tape, p->n, p->open, &offset);
        if (rc == NK_EINVAL)
            return refuse(p, p->text + offset, "duplicate member name");
        if (rc)
            return refuse_memory(p);
    }
    p->at++;
    p->open = v->next;
    v->next = p->n;
    v->end = (uint32_t)(p->at - p->text);
    v->escaped = 0;
    p->depth--;
    return WANT_NEXT;
}

static int on_open(struct parser *p, enum nk_json_type type, char bracket)
{
    int rc = open_container(p, type);
    if (rc)
        return rc;
    if (peek(p) == bracket)
        return close_container(p);
    return type == NK_JSON_OBJECT ? WANT_NAME : WANT_VALUE;
}

static inline int on_value(struct parser *p)
{
    int rc, flags = 0;
    switch (peek(p)) {
    case '"':
        rc = read_string(p, &flags);
        break;
    case '{':
        return on_open(p, NK_JSON_OBJECT, '}');
    case '[':
        return on_open(p, NK_JSON_ARRAY, ']');
    case 't':
        rc = read_word(p, NK_STR("true"), NK_JSON_TRUE);
        break;
    case 'f':
        rc = read_word(p, NK_STR("false"), NK_JSON_FALSE);
        break;
    case 'n':
        rc = read_word(p, NK_STR("null"), NK_JSON_NULL);
        break;
    default:
        rc = read_number(p);
    }
    return rc ? rc : WANT_NEXT;
}

static inline int on_name(struct parser *p)
{
    int flags = 0;
    if (peek(p) != '"')
        return refuse_here(p, "a member name is wanted here");
    const char *from = p->at;
    int rc = read_string(p, &flags);
    if (rc)
        return rc;
    if (flags & HAS_NUL && !p->nul_names)
        return refuse(p, from, "NUL in a member name");
    if (flags & HAS_ESCAPE)
        p->tape[p->open].escaped = 1;
    if (peek(p) != ':')
        return refuse_here(p, "':' is wanted here");
    p->at++;
    return WANT_VALUE;
}

static inline int on_next(struct parser *p)
{
    if (p->open == NK_JSON_NONE)
        return WANT_END;
    struct nk_json_value *v = &p->tape[p->open];
    bool object = v->type == NK_JSON_OBJECT;
    v->count++;
    char c = peek(p);
    if (c == ',') {
        p->at++;
        return object ? WANT_NAME : WANT_VALUE;
    }
    if (c == (object ? '}' : ']'))
        return close_container(p);
    return refuse_here(p, object ? "',' or '}' is wanted here" : "',' or ']' is wanted here");
}

static int parse(struct parser *p)
{
    int state = WANT_VALUE;
    while (state >= 0 && state != WANT_END)
        state = state == WANT_VALUE ? on_value(p) : state == WANT_NAME ? on_name(p) : on_next(p);
    if (state < 0)
        return state;
    peek(p);
    return p->at < p->end ? refuse(p, p->at, "text goes on behind the value") : 0;
}

static int parse_text(const struct nk_json_limits *lim, struct nk_str text, bool nul_names,
                      struct nk_arena *a, struct nk_json *doc, struct nk_fault *f)
{
    NK_MUST(lim->max_depth >= 1 && lim->max_depth <= 512);
    NK_MUST(lim->max_values >= 1 && lim->max_values < 1u << 27 && lim->max_bytes < UINT32_MAX);
    *doc = (struct nk_json){.text = text};
    if (text.n > lim->max_bytes)
        return nk_fault_set(f, NK_ELIMIT, "json", lim->max_bytes, "more than %u bytes",
                            lim->max_bytes);
    if (nk_str_starts(text, NK_STR("\xEF\xBB\xBF")))
        return nk_fault_set(f, NK_EINVAL, "json", 0, "byte-order mark");
    if (text.n == 0)
        return nk_fault_set(f, NK_EINVAL, "json", 0, "empty text");
    struct parser p = {.text = text.p, .at = text.p, .end = text.p + text.n, .open = NK_JSON_NONE};
    p.lim = lim;
    p.nul_names = nul_names;
    p.arena = a;
    p.fault = f;
    p.names.text = text;
    /* Scratch memory counts against the caller's ceiling while it is in use. */
    nk_arena_init(&p.names.scratch, a->ceiling > a->used ? a->ceiling - a->used : 1);
    int rc = parse(&p);
    nk_arena_free(&p.names.scratch);
    size_t size = sizeof *p.tape, keep = rc ? 0 : p.n;
    if (p.tape) /* cannot fail: it only becomes smaller */
        p.tape = nk_arena_resize(a, p.tape, p.cap * size, keep * size);
    if (rc)
        return rc;
    doc->tape = p.tape;
    doc->n = p.n;
    return 0;
}

int nk_json_parse(const struct nk_json_limits *lim, struct nk_str text, struct nk_arena *a,
                  struct nk_json *doc, struct nk_fault *f)
{
    return parse_text(lim, text, false, a, doc, f);
}

int nk_json_parse_any_name(const struct nk_json_limits *lim, struct nk_str text, struct nk_arena *a,
                           struct nk_json *doc, struct nk_fault *f)
{
    return parse_text(lim, text, true, a, doc, f);
}
