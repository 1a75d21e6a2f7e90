/* SPDX-License-Identifier: Apache-2.0
 *
 * shape.c - see shape.h. Nothing is believed: a table of texts that is valid JSON with any value of
 * the kind that stands behind each of them makes valid JSON of every line that it fits. The tests take
 * the table apart, and the fuzz target holds each line that fits against the strict reader.
 */
#include "chain/shape.h"

#include <string.h>

#include "base/scan.h"

enum kind { WORD, NUMBER, BOOL, WORDS, GROUPS, VALUE, NOTHING };

struct step {
    const char *text;
    uint8_t size;
    uint8_t kind; /* enum kind */
    bool maybe;
};

static const struct step decision[] = {
#define NK_SHAPE(text, kind) {text, sizeof(text) - 1, kind, false},
#define NK_SHAPE_MAYBE(text, kind) {text, sizeof(text) - 1, kind, true},
#include "chain/shape_decision.def"
};
static const struct step outcome[] = {
#include "chain/shape_outcome.def"
#undef NK_SHAPE
#undef NK_SHAPE_MAYBE
};

/* Is one of eight bytes below 0x20? Where one is, the subtraction borrows into its top bit; a byte that
 * had the bit before is none of them. */
static bool eight_have_control(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return ((word - 0x2020202020202020u) & ~word & 0x8080808080808080u) != 0;
}

size_t nk_shape_control(struct nk_str s)
{
    size_t i = 0;
    while (s.n - i >= 8 && !eight_have_control(s.p + i))
        i += 8;
    while (i < s.n && (unsigned char)s.p[i] >= 0x20)
        i++;
    return i;
}

/* Each returns the place behind what it took, or NULL. */
static const char *take_word(const char *p, const char *end)
{
    for (;;) {
        p = nk_scan_plain(p, end);
        if (p == end || (signed char)*p >= 0)
            break;
        const char *from = p;
        p = nk_scan_wide(p, end);
        if (p == from)
            return NULL;
    }
    return p < end && *p == '"' ? p + 1 : NULL;
}

static const char *take_number(const char *p, const char *end)
{
    enum { DIGITS_MAX = 18 };
    p += p < end && *p == '-';
    const char *from = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    bool sane = p > from && p - from <= DIGITS_MAX && (*from != '0' || p - from == 1);
    return sane ? p : NULL;
}

static bool starts(const char *p, const char *end, struct nk_str text)
{
    return (size_t)(end - p) >= text.n && nk_same(p, text.p, text.n);
}

static const char *take_bool(const char *p, const char *end)
{
    if (starts(p, end, NK_STR("false")))
        return p + 5;
    return starts(p, end, NK_STR("true")) ? p + 4 : NULL;
}

/* An array of words, each between `open`, which ends with its first quote, and `close`. */
static const char *take_list(const char *p, const char *end, struct nk_str open,
                             struct nk_str close)
{
    if (starts(p, end, NK_STR("[]")))
        return p + 2;
    if (p == end || *p != '[')
        return NULL;
    do {
        p = starts(p + 1, end, open) ? take_word(p + 1 + open.n, end) : NULL;
        if (!p || !starts(p, end, close) || p + close.n == end)
            return NULL;
        p += close.n;
    } while (*p == ',');
    return *p == ']' ? p + 1 : NULL;
}

static const char *take_value(const char *p, const char *end, const struct step *next,
                              struct nk_arena *a)
{
    static const struct nk_json_limits lim = {1 << 16, 48, 16384};
    struct nk_json doc;
    if (starts(p, end, NK_STR("{}")))
        return p + 2; /* most have no attributes */
    const char *to = memmem(p, (size_t)(end - p), next->text, next->size);
    struct nk_str value = {p, to ? (size_t)(to - p) : 0};
    return to && nk_shape_control(value) == value.n &&
                   nk_json_parse(&lim, value, a, &doc, NULL) == 0
               ? to
               : NULL;
}

static const char *take(const char *p, const char *end, const struct step *s, struct nk_arena *a)
{
    switch ((enum kind)s->kind) {
    case WORD:
        return take_word(p, end);
    case NUMBER:
        return take_number(p, end);
    case BOOL:
        return take_bool(p, end);
    case WORDS:
        return take_list(p, end, NK_STR("\""), NK_STR(""));
    case GROUPS:
        return take_list(p, end, NK_STR("{\"type\":\"Group\",\"id\":\""), NK_STR("}"));
    case VALUE:
        return take_value(p, end, s + 1, a);
    case NOTHING:
        break;
    }
    return p;
}

static bool fits(struct nk_str in, const struct step *steps, size_t n, struct nk_arena *a)
{
    const char *p = in.p, *end = in.p + in.n;
    for (size_t i = 0; i < n; i++) {
        const struct step *s = &steps[i];
        bool here = starts(p, end, (struct nk_str){s->text, s->size});
        if (!here && s->maybe)
            continue;
        p = here ? take(p + s->size, end, s, a) : NULL;
        if (!p)
            return false;
    }
    return p == end;
}

bool nk_shape_is_ordinary(struct nk_str members, struct nk_arena *a)
{
    return fits(members, decision, NK_COUNT(decision), a) ||
           fits(members, outcome, NK_COUNT(outcome), a);
}
