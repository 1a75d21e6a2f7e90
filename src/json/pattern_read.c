/* SPDX-License-Identifier: Apache-2.0
 *
 * pattern_read.c - the text of a pattern becomes a tree (ECMA-262, section 22.2.1, "Patterns").
 */
#include "json/pattern_own.h"

#include <stdlib.h>

#include "base/utf8.h"

enum { SET_MAX = 512, COUNT_MAX = 100000, LAST = 0x10ffff };

struct reader {
    struct nk_str text;
    size_t at;
    struct nk_arena *own, *a;
    const char **why;
    int code; /* the first error */
    int depth;
};

/* Ranges of a set while it is read. */
struct set {
    struct pattern_range r[SET_MAX];
    uint32_t n;
};

static void *fail(struct reader *r, int code, const char *why)
{
    if (!r->code) {
        r->code = code;
        *r->why = why;
    }
    return NULL;
}

static bool next_is(struct reader *r, char c)
{
    return r->at < r->text.n && r->text.p[r->at] == c;
}

static bool take(struct reader *r, char c)
{
    bool is = next_is(r, c);
    r->at += is;
    return is;
}

static bool take_text(struct reader *r, struct nk_str s)
{
    bool is = nk_str_starts(nk_str_sub(r->text, r->at, r->text.n), s);
    r->at += is ? s.n : 0;
    return is;
}

static struct pattern_node *node(struct reader *r, enum pattern_kind kind)
{
    struct pattern_node *n = nk_arena_alloc(r->own, sizeof *n);
    if (!n)
        return fail(r, NK_ENOMEM, "takes too much memory");
    n->kind = kind;
    return n;
}

/* Sets ---------------------------------------------------------------------------------------- */

static void add(struct reader *r, struct set *s, int32_t first, int32_t last)
{
    if (s->n == SET_MAX)
        fail(r, NK_ELIMIT, "has a set with too many ranges");
    else if (first <= last)
        s->r[s->n++] = (struct pattern_range){first, last};
}

static const struct pattern_range digits[] = {{'0', '9'}};
static const struct pattern_range words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
/* WhiteSpace and LineTerminator of ECMA-262, section 12. */
static const struct pattern_range spaces[] = {
    {9, 13},          {' ', ' '},       {0xa0, 0xa0},     {0x1680, 0x1680}, {0x2000, 0x200a},
    {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}, {0xfeff, 0xfeff},
};
static const struct pattern_range line_ends[] = {{10, 10}, {13, 13}, {0x2028, 0x2029}};

static void add_all(struct reader *r, struct set *s, const struct pattern_range *ranges, size_t n,
                    bool others)
{
    int32_t from = 0;
    for (size_t i = 0; i < n; i++) {
        if (others)
            add(r, s, from, ranges[i].first - 1);
        else
            add(r, s, ranges[i].first, ranges[i].last);
        from = ranges[i].last + 1;
    }
    if (others)
        add(r, s, from, LAST);
}

/* \d \w \s and their opposites, behind the backslash; false: it is something else. */
static bool take_class(struct reader *r, struct set *s)
{
    char c = r->at < r->text.n ? r->text.p[r->at] : 0;
    bool others = c == 'D' || c == 'W' || c == 'S';
    switch (c) {
    case 'd':
    case 'D':
        add_all(r, s, digits, NK_COUNT(digits), others);
        break;
    case 'w':
    case 'W':
        add_all(r, s, words, NK_COUNT(words), others);
        break;
    case 's':
    case 'S':
        add_all(r, s, spaces, NK_COUNT(spaces), others);
        break;
    default:
        return false;
    }
    r->at++;
    return true;
}

static int by_first(const void *x, const void *y)
{
    const struct pattern_range *a = x, *b = y;
    return a->first < b->first ? -1 : a->first > b->first;
}

/* The set as a node: ranges sorted, those that touch made one. */
static struct pattern_node *set_node(struct reader *r, struct set *s, bool negated)
{
    struct pattern_node *n = node(r, PATTERN_SET);
    uint32_t kept = 0;
    qsort(s->r, s->n, sizeof *s->r, by_first);
    for (uint32_t i = 0; i < s->n; i++) {
        if (kept && s->r[i].first <= s->r[kept - 1].last + 1)
            s->r[kept - 1].last =
                s->r[i].last > s->r[kept - 1].last ? s->r[i].last : s->r[kept - 1].last;
        else
            s->r[kept++] = s->r[i];
    }
    struct pattern_range *own = nk_arena_array(r->a, kept + 1, sizeof *own);
    if (!n || !own)
        return fail(r, NK_ENOMEM, "takes too much memory");
    memcpy(own, s->r, kept * sizeof *own);
    n->negated = negated;
    n->ranges = own;
    n->range_n = kept;
    return n;
}

static struct pattern_node *one_of(struct reader *r, int32_t first, int32_t last)
{
    struct set s = {.n = 0};
    add(r, &s, first, last);
    return set_node(r, &s, false);
}

/* Characters ---------------------------------------------------------------------------------- */

/* Exactly n hexadecimal digits, or -1 and nothing is taken. */
static int32_t take_hex(struct reader *r, size_t n)
{
    int32_t v = 0;
    if (r->text.n - r->at < n)
        return -1;
    for (size_t i = 0; i < n; i++) {
        char c = r->text.p[r->at + i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        v = v * 16 + digit;
    }
    r->at += n;
    return v;
}

/* Behind "\u": four digits, two halves of a pair, or digits in braces. */
static int32_t take_unicode(struct reader *r)
{
    if (take(r, '{')) {
        int32_t v = 0, digit = 0;
        while (!next_is(r, '}') && digit >= 0 && v <= LAST) {
            digit = take_hex(r, 1);
            v = v * 16 + digit;
        }
        return digit >= 0 && v <= LAST && take(r, '}') ? v : -1;
    }
    int32_t v = take_hex(r, 4);
    if (v >= 0xd800 && v < 0xdc00 && take_text(r, NK_STR("\\u"))) {
        int32_t low = take_hex(r, 4);
        return low >= 0xdc00 && low < 0xe000 ? 0x10000 + (v - 0xd800) * 0x400 + (low - 0xdc00) : -1;
    }
    return v;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* What a letter stands for behind a backslash, or -1. */
static int32_t take_letter(struct reader *r, char c)
{
    static const char names[] = "tnvfr", values[] = "\t\n\v\f\r";
    for (size_t i = 0; i < sizeof names - 1; i++)
        if (c == names[i])
            return values[i];
    if (c == 'x')
        return take_hex(r, 2);
    if (c == 'u')
        return take_unicode(r);
    if (c == 'c' && r->at < r->text.n && is_letter(r->text.p[r->at]))
        return r->text.p[r->at++] & 31;
    return -1;
}

/* One character behind a backslash; -1 is an error. */
static int32_t take_escape(struct reader *r)
{
    if (r->at == r->text.n) {
        fail(r, NK_EINVAL, "ends with a backslash");
        return -1;
    }
    char c = r->text.p[r->at];
    if (c >= '1' && c <= '9') {
        fail(r, NK_EUNSUPPORTED, "has a back reference, which takes more than a finite automaton");
        return -1;
    }
    if (c == 'k' || c == 'p' || c == 'P') {
        fail(r, NK_EUNSUPPORTED,
             c == 'k' ? "has a back reference, which takes more than a finite automaton"
                      : "has \\p{…}, which is not supported: name the characters");
        return -1;
    }
    if (c == '0') {
        r->at++;
        return 0;
    }
    if (is_letter(c)) {
        r->at++;
        int32_t v = take_letter(r, c);
        if (v < 0)
            fail(r, NK_EINVAL, "has an escape that does not exist");
        return v;
    }
    return nk_utf8_next(r->text, &r->at);
}

/* One end of a range, or a class of characters that cannot be one (-2). */
static int32_t take_member(struct reader *r, struct set *s)
{
    if (!take(r, '\\')) {
        int32_t c = nk_utf8_next(r->text, &r->at);
        if (c < 0)
            fail(r, NK_EINVAL, "has a set without an end");
        return c;
    }
    if (take(r, 'b'))
        return 8;
    return take_class(r, s) ? -2 : take_escape(r);
}

/* Behind '['. */
static struct pattern_node *take_set(struct reader *r)
{
    struct set s = {.n = 0};
    bool negated = take(r, '^');
    while (!r->code && !take(r, ']')) {
        int32_t first = take_member(r, &s);
        bool is_range = next_is(r, '-') && r->at + 1 < r->text.n && r->text.p[r->at + 1] != ']';
        if (r->code || first < 0) /* behind \d and the like '-' stands for itself */
            continue;
        int32_t last = first;
        if (is_range) {
            r->at++;
            last = take_member(r, &s);
        }
        if (last < 0) { /* before them, too */
            add(r, &s, '-', '-');
            last = first;
        }
        if (!r->code && last < first)
            fail(r, NK_EINVAL, "has a range whose ends do not fit together");
        add(r, &s, first, last);
    }
    return r->code ? NULL : set_node(r, &s, negated);
}

/* Terms --------------------------------------------------------------------------------------- */

static struct pattern_node *take_choice(struct reader *r);

static struct pattern_node *place(struct reader *r, enum pattern_code which)
{
    struct pattern_node *n = node(r, PATTERN_PLACE);
    if (n)
        n->place = which;
    return n;
}

/* Behind '('. */
static struct pattern_node *take_group(struct reader *r)
{
    if (take(r, '?') && !take(r, ':')) {
        if (!take(r, '<') || next_is(r, '=') || next_is(r, '!'))
            return fail(r, NK_EUNSUPPORTED,
                        "looks ahead or behind, which takes more than a finite automaton");
        while (r->at < r->text.n && r->text.p[r->at] != '>')
            r->at++;
        if (!take(r, '>'))
            return fail(r, NK_EINVAL, "has a name without an end");
    }
    struct pattern_node *n = take_choice(r);
    if (!r->code && !take(r, ')'))
        return fail(r, NK_EINVAL, "has a group without an end");
    return n;
}

static struct pattern_node *take_escaped(struct reader *r)
{
    struct set s = {.n = 0};
    if (take(r, 'b'))
        return place(r, PATTERN_EDGE);
    if (take(r, 'B'))
        return place(r, PATTERN_NO_EDGE);
    if (take_class(r, &s))
        return set_node(r, &s, false);
    int32_t c = take_escape(r);
    return c < 0 ? NULL : one_of(r, c, c);
}

static struct pattern_node *take_atom(struct reader *r)
{
    struct set s = {.n = 0};
    if (take(r, '^'))
        return place(r, PATTERN_BEGIN);
    if (take(r, '$'))
        return place(r, PATTERN_END);
    if (take(r, '('))
        return take_group(r);
    if (take(r, '['))
        return take_set(r);
    if (take(r, '\\'))
        return take_escaped(r);
    if (take(r, '.')) {
        add_all(r, &s, line_ends, NK_COUNT(line_ends), false);
        return set_node(r, &s, true);
    }
    if (next_is(r, '*') || next_is(r, '+') || next_is(r, '?'))
        return fail(r, NK_EINVAL, "repeats nothing");
    int32_t c = nk_utf8_next(r->text, &r->at);
    return c < 0 ? fail(r, NK_EINVAL, "is not valid UTF-8") : one_of(r, c, c);
}

/* Digits of a count; false: there are none. Large ones stop above what is allowed. */
static bool take_count(struct reader *r, uint32_t *out)
{
    size_t from = r->at;
    for (*out = 0; r->at < r->text.n && r->text.p[r->at] >= '0' && r->text.p[r->at] <= '9'; r->at++)
        *out = *out > COUNT_MAX ? *out : *out * 10 + (uint32_t)(r->text.p[r->at] - '0');
    return r->at > from;
}

/* {n}, {n,} or {n,m}; anything else is a brace that stands for itself. */
static bool take_counts(struct reader *r, uint32_t *low, uint32_t *high)
{
    size_t from = r->at;
    if (take(r, '{') && take_count(r, low)) {
        *high = *low;
        if (take(r, ',') && !take_count(r, high))
            *high = PATTERN_ANY_COUNT;
        if (take(r, '}'))
            return true;
    }
    r->at = from;
    return false;
}

static bool take_repeat(struct reader *r, uint32_t *low, uint32_t *high)
{
    *low = next_is(r, '+');
    *high = next_is(r, '?') ? 1 : PATTERN_ANY_COUNT;
    if (!take(r, '*') && !take(r, '+') && !take(r, '?') && !take_counts(r, low, high))
        return false;
    (void)take(r, '?');
    if (*low > COUNT_MAX || (*high > COUNT_MAX && *high != PATTERN_ANY_COUNT))
        fail(r, NK_ELIMIT, "has too many states: repeat less");
    if (*low > *high)
        fail(r, NK_EINVAL, "has a count whose ends do not fit together");
    return true;
}

static struct pattern_node *take_term(struct reader *r)
{
    struct pattern_node *atom = take_atom(r);
    uint32_t low, high;
    if (r->code || !take_repeat(r, &low, &high))
        return atom;
    if (atom->kind == PATTERN_PLACE)
        return fail(r, NK_EINVAL, "repeats a place that takes no character");
    struct pattern_node *n = node(r, PATTERN_REPEAT);
    if (n) {
        n->kids = atom;
        n->low = low;
        n->high = high;
    }
    return n;
}

static struct pattern_node *take_sequence(struct reader *r)
{
    struct pattern_node *all = node(r, PATTERN_SEQUENCE);
    struct pattern_node **end = all ? &all->kids : NULL;
    while (!r->code && r->at < r->text.n && !next_is(r, '|') && !next_is(r, ')')) {
        *end = take_term(r);
        end = *end ? &(*end)->next : end;
    }
    return all;
}

/* Recursion ends: NK_PATTERN_DEPTH. */
static struct pattern_node *take_choice(struct reader *r)
{
    if (++r->depth > NK_PATTERN_DEPTH)
        return fail(r, NK_ELIMIT, "has too many groups in one another");
    struct pattern_node *first = take_sequence(r), *all = NULL;
    if (!r->code && next_is(r, '|')) {
        all = node(r, PATTERN_CHOICE);
        if (all)
            all->kids = first;
    }
    for (struct pattern_node *last = first; !r->code && take(r, '|'); last = last->next)
        last->next = take_sequence(r);
    r->depth--;
    return r->code ? NULL : all ? all : first;
}

int pattern_read(struct nk_str text, struct nk_arena *own, struct nk_arena *a,
                 const struct pattern_node **out, const char **why)
{
    struct reader r = {.text = text, .own = own, .a = a, .why = why};
    if (text.n > NK_PATTERN_BYTES)
        fail(&r, NK_ELIMIT, "is longer than 4096 bytes");
    *out = r.code ? NULL : take_choice(&r);
    if (!r.code && r.at < text.n)
        fail(&r, NK_EINVAL, "has a closing parenthesis too many");
    return r.code;
}
