/* SPDX-License-Identifier: Apache-2.0
 *
 * signs.c - words by what they are a sign of (who is spoken to, an obligation, a denial, a confidence, a
 * place to put something), and signs that stand together in one sentence. says.def knows phrases: what is
 * worded otherwise, it misses. A sign has many words, and here their order does not count.
 *
 *   "keep from the owner what was passed on"    HIDE … PERSON   together within 6 words: tool.says-secrecy
 *
 * One pass: where each sign was last seen is remembered, and each new one asks which of its companions are near.
 * So time grows with the text alone. A word is two units of distance and a character of a script without
 * spaces is one, so that one measure serves both.
 */
#include "tool/signs.h"

enum sign {
#define SIGN(name, words) SIGN_##name,
#define TOGETHER(rule, within, signs)
#include "tool/signs.def"
#undef SIGN
    SIGNS
};
_Static_assert(SIGNS <= 64, "a set of signs is a uint64_t");

static const struct nk_str words_of[SIGNS] = {
#define SIGN(name, words) [SIGN_##name] = {words, sizeof(words) - 1},
#include "tool/signs.def"
#undef SIGN
#undef TOGETHER
};

static const struct {
    enum nk_trust_rule rule;
    unsigned within; /* words */
    uint64_t signs;
} together[] = {
#define S(name) (UINT64_C(1) << SIGN_##name)
#define SIGN(name, words)
#define TOGETHER(rule, within, signs) {NK_TRUST_##rule, within, signs},
#include "tool/signs.def"
#undef TOGETHER
#undef SIGN
#undef S
};

/* Where a sign was last seen in this sentence. */
struct last {
    size_t from; /* folded text */
    size_t at;   /* units */
};

struct signs {
    uint64_t may; /* those of which a word may be here */
    struct last last[SIGNS];
    uint64_t set; /* those that were seen */
    unsigned *seen;
    void (*found)(void *to, enum nk_trust_rule rule, size_t from, size_t end);
    void *to;
};

/* Are these near enough to the one that was seen last? From the first of them, or SIZE_MAX. */
static size_t are_near(const struct signs *s, uint64_t wanted, size_t at, size_t within)
{
    size_t from = SIZE_MAX;
    for (unsigned i = 0; i < SIGNS; i++) {
        if (!(wanted >> i & 1))
            continue;
        if (s->last[i].at + within < at)
            return SIZE_MAX;
        from = s->last[i].from < from ? s->last[i].from : from;
    }
    return from;
}

static void look_together(struct signs *s, uint64_t fresh, size_t at, size_t end)
{
    for (size_t i = 0; i < NK_COUNT(together); i++) {
        unsigned bit = 1u << together[i].rule;
        uint64_t wanted = together[i].signs;
        if (*s->seen & bit || !(wanted & fresh) || (s->set & wanted) != wanted)
            continue;
        size_t from = are_near(s, wanted, at, (size_t)together[i].within * 2);
        if (from == SIZE_MAX)
            continue;
        *s->seen |= bit;
        s->found(s->to, together[i].rule, from, end);
    }
}

/* Does the word stand in a name like send_mail? */
static bool is_of_name(struct nk_str text, size_t from, size_t n)
{
    return from + n + 1 < text.n && text.p[from + n] == '_' && text.p[from + n + 1] >= 'a' &&
           text.p[from + n + 1] <= 'z';
}

/* A word, or the texts that begin at a letter: what are they signs of? */
static void look_word(struct signs *s, struct nk_str text, size_t from, size_t n, size_t at)
{
    uint64_t fresh = 0;
    size_t end = from;
    for (unsigned i = 0; i < SIGNS; i++) {
        if (n && !(s->may & UINT64_C(1) << i))
            continue;
        struct nk_str any = words_of[i];
        size_t length = n ? tool_word_is(any, nk_str_sub(text, from, from + n)) ? n : 0
                          : tool_text_starts(text, from, any);
        if (length == 0)
            continue;
        s->last[i] = (struct last){from, at};
        fresh |= UINT64_C(1) << i;
        end = from + length > end ? from + length : end;
    }
    if (n && is_of_name(text, from, n)) {
        s->last[SIGN_NAME] = (struct last){from, at};
        fresh |= UINT64_C(1) << SIGN_NAME;
        end = from + n > end ? from + n : end;
    }
    s->set |= fresh;
    if (fresh)
        look_together(s, fresh, at, end);
}

void tool_signs(struct tool_text *t, unsigned *seen,
                void (*found)(void *to, enum nk_trust_rule rule, size_t from, size_t end), void *to)
{
    struct signs s = {.seen = seen, .found = found, .to = to};
    struct nk_str text = nk_buf_str(&t->folded);
    size_t n, next = 0, at = 0;
    const struct tool_word *words = tool_words(t, &n);
    for (unsigned i = 0; i < SIGNS; i++)
        s.may |= (uint64_t)tool_text_may_have(t, i, words_of[i]) << i;
    for (size_t i = 0; i < text.n; i++) {
        bool ends = tool_text_ends(text, i);
        if (next < n && words[next].at == i) {
            at += 2;
            look_word(&s, text, i, words[next].n, at);
            i += words[next++].n - 1u;
        } else if (((unsigned char)text.p[i] & 0xc0) == 0xc0) {
            at++;
            look_word(&s, text, i, 0, at);
        }
        if (ends)
            s.set = 0;
    }
}
