/* SPDX-License-Identifier: Apache-2.0
 *
 * parse.c - one pass over the text, no recursion: an open array or object is a frame on a stack whose
 * size is the limit of depth, and its entry on the tape is completed when it closes. The
 * grammar is RFC 8259; beyond it RFC 7493 (I-JSON) for names, surrogates and encoding. A child is
 * read on one straight path: name, ':', value, and what stands behind it. Where the reader stands in
 * the text goes from function to function by value, so that it stays in a register; NULL means that
 * the text has been refused.
 */
#include "json/escape.h"

#include <string.h>

#include "base/scan.h"

enum { HAS_ESCAPE = 1, HAS_NUL = 2 };
enum { DEPTH_FEW = 512, DEPTH_MAX = 1 << 22 };

/* An open array or object. */
struct frame {
    uint64_t seen;  /* its names so far, one bit each */
    uint32_t entry; /* index on the tape */
    uint32_t count; /* children so far */
    char close;     /* the bracket that ends it */
    bool escaped;   /* a name has an escape */
    bool again;     /* two names have the same bit */
};

struct parser {
    const char *text, *end;
    struct nk_json_value *tape;
    uint32_t n, cap;
    uint32_t depth;
    int error;
    struct frame *top; /* the innermost open one, when depth > 0 */
    bool nul_names;    /* names may hold NUL */
    const struct nk_json_limits *lim;
    struct nk_arena *arena;
    struct nk_fault *fault;
    struct nk_json_names names;
};

static const char *refuse(struct parser *p, const char *at, const char *why)
{
    p->error = nk_fault_set(p->fault, NK_EINVAL, "json", (size_t)(at - p->text), "%s", why);
    return NULL;
}

static const char *refuse_limit(struct parser *p, const char *at, const char *what, uint32_t limit)
{
    p->error = nk_fault_set(p->fault, NK_ELIMIT, "json", (size_t)(at - p->text), "more than %u %s",
                            limit, what);
    return NULL;
}

static const char *refuse_memory(struct parser *p, const char *at)
{
    p->error = nk_fault_set(p->fault, NK_ENOMEM, "json", (size_t)(at - p->text), "out of memory");
    return NULL;
}

static const char *refuse_here(struct parser *p, const char *at, const char *wanted)
{
    return refuse(p, at, at == p->end ? "unexpected end of text" : wanted);
}

/* More room on the tape: `at`, or NULL after a refusal there. */
static const char *grow(struct parser *p, const char *at)
{
    uint32_t max = p->lim->max_values;
    if (p->n >= max)
        return refuse_limit(p, at, "values", max);
    uint32_t cap = p->cap ? p->cap * 2 : (uint32_t)(p->end - p->text) / 32 + 16;
    if (cap > max)
        cap = max;
    size_t size = sizeof *p->tape;
    struct nk_json_value *tape = nk_arena_resize(p->arena, p->tape, p->cap * size, cap * size);
    if (!tape)
        return refuse_memory(p, at);
    p->tape = tape;
    p->cap = cap;
    return at;
}

/* Adds an entry for the bytes [from, to); there is room for it. */
NK_INLINE void put(struct parser *p, enum nk_json_type type, const char *from, const char *to)
{
    p->tape[p->n] = (struct nk_json_value){
        .start = (uint32_t)(from - p->text),
        .end = (uint32_t)(to - p->text),
        .next = p->n + 1,
        .type = type & 15,
    };
    p->n++;
}

/* The same where room may have to be made. */
NK_INLINE const char *push(struct parser *p, enum nk_json_type type, const char *from,
                           const char *to)
{
    if (p->n == p->cap && !grow(p, to))
        return NULL;
    put(p, type, from, to);
    return to;
}

/* Moves *at behind white space; the byte there, or 0 at the end (a NUL is valid nowhere, so that 0
 * always leads to a refusal or to the end). */
NK_INLINE char skip_space(const struct parser *p, const char **at)
{
    char c = *at < p->end ? **at : 0;
    if ((unsigned char)c > ' ')
        return c;
    *at = nk_scan_space(*at, p->end);
    return *at < p->end ? **at : 0;
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

/* Checks the escape at s (a backslash); the place behind it. */
static const char *check_escape(struct parser *p, const char *s, unsigned *flags)
{
    *flags |= HAS_ESCAPE;
    char kind = p->end - s > 1 ? s[1] : 0;
    if (kind != 'u') {
        if (nk_str_find(NK_STR("\"\\/bfnrt"), kind) >= 0)
            return s + 2;
        return refuse(p, s, "invalid escape");
    }
    int32_t unit = hex4(s + 2, p->end);
    if (unit < 0)
        return refuse(p, s, "invalid \\u escape");
    if (unit == 0)
        *flags |= HAS_NUL;
    if (unit < 0xD800 || unit > 0xDFFF)
        return s + 6;
    int32_t low =
        unit <= 0xDBFF && p->end - s >= 8 && s[6] == '\\' && s[7] == 'u' ? hex4(s + 8, p->end) : -1;
    if (low < 0xDC00 || low > 0xDFFF)
        return refuse(p, s, "lone surrogate");
    return s + 12;
}

/* Goes on in the string that began at `from`, at a byte that needs a look; its closing quote. */
static const char *find_quote(struct parser *p, const char *from, const char *s, unsigned *flags)
{
    while (s < p->end && *s != '"') {
        if (*s == '\\') {
            s = check_escape(p, s, flags);
            if (!s)
                return NULL;
        } else if ((unsigned char)*s >= 0x80) {
            s = nk_scan_wide(s, p->end);
            if (s < p->end && (unsigned char)*s >= 0x80)
                return refuse(p, s, "invalid UTF-8");
        } else {
            return refuse(p, s, "control character in a string");
        }
        s = nk_scan_plain(s, p->end);
    }
    return s < p->end ? s : refuse(p, from, "string without end");
}

/* Reads a string that is more than plain ASCII up to its end; what is plain ends at s. */
static const char *read_odd_string(struct parser *p, const char *from, const char *s, bool name)
{
    unsigned flags = 0;
    s = find_quote(p, from, s, &flags);
    if (!s || !push(p, NK_JSON_STRING, from, s + 1))
        return NULL;
    if (name && flags & HAS_NUL && !p->nul_names)
        return refuse(p, from, "NUL in a member name");
    if (flags) {
        p->tape[p->n - 1].escaped = 1;
        p->top->escaped |= name;
    }
    return s + 1;
}

/* Reads the string whose opening quote is at `from`. */
NK_INLINE const char *read_string(struct parser *p, const char *from, bool name)
{
    const char *s = nk_scan_plain(from + 1, p->end);
    if (s < p->end && *s == '"')
        return push(p, NK_JSON_STRING, from, s + 1);
    return read_odd_string(p, from, s, name);
}

static const char *skip_digits(const char *s, const char *end)
{
    while (s < end && *s >= '0' && *s <= '9')
        s++;
    return s;
}

static const char *read_number(struct parser *p, const char *from)
{
    const char *s = from, *end = p->end;
    bool negative = s < end && *s == '-', integer = true;
    s += negative;
    const char *digits = s;
    s = skip_digits(s, end);
    if (s == digits && !negative)
        return refuse_here(p, from, "a value is wanted here");
    if (s == digits || (*digits == '0' && s - digits > 1))
        return refuse(p, from, "invalid number");
    size_t whole = (size_t)(s - digits);
    if (s < end && *s == '.') {
        const char *fraction = ++s;
        integer = false;
        s = skip_digits(s, end);
        if (s == fraction)
            return refuse(p, from, "invalid number");
    }
    if (s < end && (*s == 'e' || *s == 'E')) {
        s++;
        integer = false;
        if (s < end && (*s == '+' || *s == '-'))
            s++;
        const char *exponent = s;
        s = skip_digits(s, end);
        if (s == exponent)
            return refuse(p, from, "invalid number");
    }
    int64_t ignored;
    if (integer && whole > 18)
        integer = nk_str_to_i64((struct nk_str){from, (size_t)(s - from)}, &ignored) == 0;
    return push(p, integer ? NK_JSON_INT : NK_JSON_NUMBER, from, s);
}

NK_INLINE const char *read_word(struct parser *p, const char *from, struct nk_str word,
                                enum nk_json_type type)
{
    if ((size_t)(p->end - from) < word.n || memcmp(from, word.p, word.n) != 0)
        return refuse(p, from, "a value is wanted here");
    return push(p, type, from, from + word.n);
}

/* Opens the array or object at `from`, or takes it whole when nothing is in it. */
static const char *open_container(struct parser *p, const char *from, enum nk_json_type type,
                                  char close)
{
    if (p->depth == p->lim->max_depth)
        return refuse_limit(p, from, "levels of nesting", p->lim->max_depth);
    if (p->n == p->cap && !grow(p, from))
        return NULL;
    const char *at = from + 1;
    bool empty = skip_space(p, &at) == close;
    put(p, type, from, at + empty);
    if (empty)
        return at + 1;
    *++p->top = (struct frame){.entry = p->n - 1, .close = close};
    p->depth++;
    return at;
}

/* Ends the innermost array or object; `at` is at its bracket. */
static const char *close_container(struct parser *p, const char *at)
{
    struct frame *f = p->top;
    struct nk_json_value *v = &p->tape[f->entry];
    v->count = f->count & ((1u << 27) - 1);
    if (f->again || f->escaped || f->count > NK_JSON_NAMES_SMALL) {
        size_t offset = 0;
        v->escaped = f->escaped;
        int rc =
            f->close == '}' ? nk_json_names_check(&p->names, p->tape, p->n, f->entry, &offset) : 0;
        if (rc == NK_EINVAL)
            return refuse(p, p->text + offset, "duplicate member name");
        if (rc)
            return refuse_memory(p, at);
        v->escaped = 0;
    }
    v->next = p->n;
    v->end = (uint32_t)(at + 1 - p->text);
    p->top--;
    p->depth--;
    return at + 1;
}

NK_INLINE const char *read_value(struct parser *p, const char *at)
{
    char first = skip_space(p, &at);
    if (first == '"')
        return read_string(p, at, false);
    switch (first) {
    case '{':
        return open_container(p, at, NK_JSON_OBJECT, '}');
    case '[':
        return open_container(p, at, NK_JSON_ARRAY, ']');
    case 't':
        return read_word(p, at, NK_STR("true"), NK_JSON_TRUE);
    case 'f':
        return read_word(p, at, NK_STR("false"), NK_JSON_FALSE);
    case 'n':
        return read_word(p, at, NK_STR("null"), NK_JSON_NULL);
    default:
        return read_number(p, at);
    }
}

/* A member's name and the ':' behind it. */
NK_INLINE const char *read_name(struct parser *p, const char *from)
{
    if (skip_space(p, &from) != '"')
        return refuse_here(p, from, "a member name is wanted here");
    const char *at = read_string(p, from, true);
    if (!at)
        return NULL;
    struct frame *f = p->top;
    uint64_t bit = nk_json_name_bit(from, (size_t)(at - from));
    if (f->seen & bit)
        f->again = true;
    f->seen |= bit;
    return skip_space(p, &at) == ':' ? at + 1 : refuse_here(p, at, "':' is wanted here");
}

/* What stands behind a value: a comma, or the ends of as many arrays and objects as end here. */
NK_INLINE const char *read_end(struct parser *p, const char *at)
{
    while (p->depth > 0) {
        struct frame *f = p->top;
        f->count++;
        char c = skip_space(p, &at);
        if (c == ',')
            return at + 1;
        if (c != f->close)
            return refuse_here(
                p, at, f->close == '}' ? "',' or '}' is wanted here" : "',' or ']' is wanted here");
        at = close_container(p, at);
        if (!at)
            return NULL;
    }
    return at;
}

static int parse(struct parser *p)
{
    const char *at = p->text;
    uint32_t depth;
    do {
        depth = p->depth;
        if (p->top->close == '}')
            at = read_name(p, at);
        if (at)
            at = read_value(p, at);
        if (at && p->depth == depth)
            at = read_end(p, at);
        /* Otherwise one has opened, and its first child comes next. */
    } while (at && p->depth > 0);
    if (!at)
        return p->error;
    skip_space(p, &at);
    if (at < p->end)
        refuse(p, at, "text goes on behind the value");
    return p->error;
}

/* Frames for a depth that the stack has no room for: no more than the text can open. */
static struct frame *many_frames(struct parser *p, struct nk_arena *own)
{
    size_t size = (size_t)(p->end - p->text);
    size_t n = size < p->lim->max_depth ? size : p->lim->max_depth;
    struct frame *frames = nk_arena_array(own, n + 1, sizeof *frames);
    if (!frames)
        refuse_memory(p, p->text);
    return frames;
}

static int parse_text(const struct nk_json_limits *lim, struct nk_str text, bool nul_names,
                      struct nk_arena *a, struct nk_json *doc, struct nk_fault *f)
{
    NK_MUST(lim->max_depth >= 1 && lim->max_depth <= DEPTH_MAX);
    NK_MUST(lim->max_values >= 1 && lim->max_values < 1u << 27 && lim->max_bytes < UINT32_MAX);
    *doc = (struct nk_json){.text = text};
    if (text.n > lim->max_bytes)
        return nk_fault_set(f, NK_ELIMIT, "json", lim->max_bytes, "more than %u bytes",
                            lim->max_bytes);
    if (nk_str_starts(text, NK_STR("\xEF\xBB\xBF")))
        return nk_fault_set(f, NK_EINVAL, "json", 0, "byte-order mark");
    if (text.n == 0)
        return nk_fault_set(f, NK_EINVAL, "json", 0, "empty text");
    struct frame few[DEPTH_FEW + 1]; /* the first stands for no frame */
    struct parser p;                 /* field by field: most of the names' part is not read */
    p.text = text.p;
    p.end = text.p + text.n;
    p.tape = NULL;
    p.n = p.cap = p.depth = 0;
    p.error = 0;
    p.nul_names = nul_names;
    p.lim = lim;
    p.arena = a;
    p.fault = f;
    p.names.text = text;
    p.names.seeded = false;
    /* Scratch memory counts against the caller's ceiling while it is in use. */
    nk_arena_init(&p.names.scratch, a->ceiling > a->used ? a->ceiling - a->used : 1);
    struct nk_arena own;
    nk_arena_init(&own, p.names.scratch.ceiling);
    struct frame *frames = lim->max_depth > DEPTH_FEW ? many_frames(&p, &own) : few;
    if (frames) {
        frames[0] = (struct frame){0};
        p.top = frames;
    }
    int rc = frames ? parse(&p) : p.error;
    nk_arena_free(&p.names.scratch);
    nk_arena_free(&own);
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
