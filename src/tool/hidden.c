/* SPDX-License-Identifier: Apache-2.0
 *
 * hidden.c - see hidden.h. A character that cannot be seen has its place in some texts: joiners in emoji
 * and in scripts that join their letters, variation selectors behind emoji and ideographs, tags in the
 * flags of regions. There it is no finding; anywhere else it is, and one is enough.
 */
#include "tool/hidden.h"

#include "base/utf8.h"
#include "tool/text.h"

enum {
    SPACES_MAX = 64,    /* of white space in a row; tabs and indentation stay below */
    LINES_MAX = 8,      /* empty lines in a row */
    ENCODED_MAX = 60,   /* letters of base64 in a row, with capitals, small ones and digits */
    HEX_MAX = 128,      /* hexadecimal digits in a row: more than any common digest */
    ESCAPES_MAX = 8,    /* %41, &#65; or \x41 in a row */
    REGION_TAGS = 7,    /* tags behind a black flag, the cancel tag included */
    COMMENT_LEAST = 20, /* bytes of a comment that says something */
};

struct eye {
    struct nk_str text;
    void (*found)(void *to, enum nk_trust_rule rule, size_t from, size_t end);
    void *to;
    unsigned seen;       /* rules that were told */
    int32_t just_before; /* last character */
    bool region;         /* inside the flag of a region */
    unsigned tags;       /* of it */
    size_t blank;        /* where white space began */
    unsigned blanks, lines;
    size_t word; /* where the word began */
    bool latin, other;
};

static void tell(struct eye *e, enum nk_trust_rule rule, size_t from, size_t to)
{
    if (e->seen & 1u << rule)
        return;
    e->seen |= 1u << rule;
    e->found(e->to, rule, from, to);
}

static bool is_within(int32_t c, int32_t from, int32_t to)
{
    return c >= from && c <= to;
}

static bool is_emoji(int32_t c)
{
    return is_within(c, 0x1f000, 0x1faff) || is_within(c, 0x2190, 0x2bff) || c == 0xfe0f ||
           c == 0x3030 || c == 0x303d || c == 0x3297 || c == 0x3299;
}

/* A script in which joiners change how letters are written: Arabic to Khmer, Mongolian. */
static bool is_joining(int32_t c)
{
    return is_within(c, 0x600, 0x8ff) || is_within(c, 0x900, 0xdff) ||
           is_within(c, 0x1000, 0x109f) || is_within(c, 0x1780, 0x18af);
}

static bool is_ideograph(int32_t c)
{
    return is_within(c, 0x3400, 0x9fff) || is_within(c, 0xf900, 0xfaff) ||
           is_within(c, 0x20000, 0x3ffff);
}

/* Has an invisible character its place behind the one before? */
static bool belongs(const struct eye *e, int32_t c)
{
    int32_t b = e->just_before;
    if (c == 0x200d)
        return is_emoji(b) || is_joining(b);
    if (c == 0x200c)
        return is_joining(b);
    if (c == 0xfe0f || c == 0xfe0e)
        return is_emoji(b) || is_within(b, '0', '9') || b == '#' || b == '*' || b == 0xa9 ||
               b == 0xae || b == 0x203c || b == 0x2049 || b == 0x2122 || b == 0x2139;
    if (is_within(c, 0xfe00, 0xfe0d) || is_within(c, 0xe0100, 0xe01ef))
        return is_ideograph(b);
    return is_within(c, 0x180b, 0x180e) && is_within(b, 0x1800, 0x18af);
}

static void see_tag(struct eye *e, int32_t c, size_t from, size_t to)
{
    if (e->region && e->tags++ < REGION_TAGS) {
        e->region = c != 0xe007f;
        return;
    }
    tell(e, NK_TRUST_TAG, from, to);
}

static void see_blank(struct eye *e, int32_t c, size_t from, size_t to)
{
    if (e->blanks == 0)
        e->blank = from;
    e->blanks++;
    e->lines += c == '\n';
    if (e->blanks > SPACES_MAX || e->lines > LINES_MAX)
        tell(e, NK_TRUST_BLANK, e->blank, to);
}

static bool is_latin(int32_t c)
{
    return is_within(c | 0x20, 'a', 'z');
}

/* A word of Latin letters and of letters that only look so. */
static void see_letter(struct eye *e, int32_t c, size_t to)
{
    bool is_double = tool_is_double(c), is_part = is_latin(c) || is_double || c > 0x17f;
    if (!is_part) {
        e->latin = e->other = false;
        e->word = to;
        return;
    }
    e->latin |= is_latin(c);
    e->other |= is_double;
    if (e->latin && e->other && to - e->word > 3)
        tell(e, NK_TRUST_MIXED, e->word, to);
}

static void see(struct eye *e, int32_t c, size_t from, size_t to)
{
    enum tool_sight sight = tool_sight(c);
    if (sight != TOOL_SPACE)
        e->blanks = e->lines = 0;
    if (sight != TOOL_TAG)
        e->region = c == 0x1f3f4, e->tags = 0;
    switch (sight) {
    case TOOL_SPACE:
        see_blank(e, c, from, to);
        break;
    case TOOL_TAG:
        see_tag(e, c, from, to);
        break;
    case TOOL_THIN:
        if (!belongs(e, c))
            tell(e, NK_TRUST_ZERO_WIDTH, from, to);
        break;
    case TOOL_VARIATION:
        if (!belongs(e, c))
            tell(e, NK_TRUST_VARIATION, from, to);
        break;
    case TOOL_TURN:
        tell(e, NK_TRUST_BIDI, from, to);
        break;
    case TOOL_CONTROL:
        tell(e, NK_TRUST_CONTROL, from, to);
        break;
    case TOOL_PRIVATE:
        tell(e, NK_TRUST_PRIVATE, from, to);
        break;
    case TOOL_SEEN:
        break;
    }
    if (sight == TOOL_SEEN || sight == TOOL_SPACE)
        see_letter(e, sight == TOOL_SPACE ? ' ' : c, to);
    e->just_before = c;
}

/* Encoded texts -----------------------------------------------------------------------------------
 */
static bool is_hex(char c)
{
    return is_within(c, '0', '9') || is_within(c | 0x20, 'a', 'f');
}

static bool is_base64(char c)
{
    return is_latin(c) || is_within(c, '0', '9') || c == '+' || c == '/' || c == '=';
}

/* A run of letters of base64 that are no path and no word: all three kinds stand in it. */
static void see_base64(struct eye *e)
{
    struct nk_str s = e->text;
    for (size_t i = 0; i < s.n;) {
        size_t from = i;
        unsigned small = 0, capital = 0, digit = 0, hex = 0;
        for (; i < s.n && is_base64(s.p[i]); i++) {
            small += is_within(s.p[i], 'a', 'z');
            capital += is_within(s.p[i], 'A', 'Z');
            digit += is_within(s.p[i], '0', '9');
            hex += is_hex(s.p[i]);
        }
        size_t n = i - from;
        if ((n > ENCODED_MAX && small > n / 8 && capital > n / 8 && digit) ||
            (n > HEX_MAX && hex == n))
            tell(e, NK_TRUST_ENCODED, from, i);
        i++;
    }
}

/* Bytes of an entity of markup, "&#x41;", at the start of the slice; 0: none. */
static size_t entity(struct nk_str s)
{
    size_t n = 2;
    if (!nk_str_starts(s, NK_STR("&#")))
        return 0;
    while (n < s.n && n < 10 && (is_hex(s.p[n]) || s.p[n] == 'x'))
        n++;
    return n > 2 && n < s.n && s.p[n] == ';' ? n + 1 : 0;
}

/* Bytes of one escaped character at i; 0: none. */
static size_t escape(struct nk_str s, size_t i)
{
    static const struct {
        struct nk_str sign;
        size_t digits;
    } forms[] = {{{"%", 1}, 2}, {{"\\x", 2}, 2}, {{"\\u", 2}, 4}};
    struct nk_str rest = nk_str_sub(s, i, s.n);
    for (size_t k = 0; k < NK_COUNT(forms); k++) {
        size_t n = forms[k].sign.n, end = n + forms[k].digits;
        if (!nk_str_starts(rest, forms[k].sign) || rest.n < end)
            continue;
        while (n < end && is_hex(rest.p[n]))
            n++;
        if (n == end)
            return n;
    }
    return entity(rest);
}

static void see_escapes(struct eye *e)
{
    for (size_t i = 0; i < e->text.n;) {
        size_t from = i, n;
        unsigned count = 0;
        for (; i < e->text.n && (n = escape(e->text, i)); count++)
            i += n;
        if (count > ESCAPES_MAX)
            tell(e, NK_TRUST_ENCODED, from, i);
        i++;
    }
}

static void see_comment(struct eye *e)
{
    ptrdiff_t from = nk_str_search(e->text, NK_STR("<!--"));
    if (from < 0)
        return;
    size_t start = (size_t)from;
    ptrdiff_t n = nk_str_search(nk_str_sub(e->text, start, e->text.n), NK_STR("-->"));
    size_t length = n < 0 ? e->text.n - start : (size_t)n;
    if (length >= COMMENT_LEAST)
        tell(e, NK_TRUST_COMMENT, start, start + length);
}

void tool_hidden(struct nk_str text,
                 void (*found)(void *to, enum nk_trust_rule rule, size_t from, size_t end),
                 void *to)
{
    struct eye e = {.text = text, .found = found, .to = to};
    for (size_t at = 0, from = 0; at < text.n; from = at) {
        int32_t c = nk_utf8_next(text, &at);
        if (c < 0)
            break;
        see(&e, c, from, at);
    }
    see_base64(&e);
    see_escapes(&e);
    see_comment(&e);
}
