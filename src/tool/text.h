/* SPDX-License-Identifier: Apache-2.0
 *
 * text.h - texts of tool definitions as a model may read them, whatever they look like: inner to src/tool.
 * Folding takes what is hidden out, makes one letter of those that look alike, and all of them small, so
 * that a phrase is found however it was disguised.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

enum {
    TOOL_TEXT_MAX = 64 << 10, /* bytes of one string that are looked at */
    TOOL_LISTS = 64,          /* of words, that tool_text_may_have is asked about */
    TOOL_TEXT_BITS = 1 << 16, /* of tool_text.bits; a power of two */
    /* Stand in a folded text for a URL, a mail address and a place that holds secrets. */
    TOOL_WORD_URL = 1,
    TOOL_WORD_MAIL = 2,
    TOOL_WORD_SECRET = 3,
};

/* What a character is to somebody who reads the text. */
enum tool_sight {
    TOOL_SEEN,
    TOOL_TAG,       /* Unicode tag */
    TOOL_THIN,      /* has no width */
    TOOL_TURN,      /* turns the direction */
    TOOL_VARIATION, /* selects a variant of the character before */
    TOOL_CONTROL,
    TOOL_PRIVATE, /* for private use, or no character */
    TOOL_SPACE,
};
enum tool_sight tool_sight(int32_t c);

/* The small Latin letter, digit or sign that a reader takes `c` for; `c` itself when there is none. */
int32_t tool_fold(int32_t c);
/* Is `c` a letter of a script that looks like Latin without being it? */
bool tool_is_double(int32_t c);
/* A name as the eye has it: folded, without separators, and "0" is "o", "1" and "i" are "l". At most n
 * bytes are written to `to`; the slice that was used. */
struct nk_str tool_skeleton(struct nk_str name, char *to, size_t n);

struct tool_word {
    uint32_t at; /* offset in `folded` */
    uint16_t n;
    uint16_t end; /* 1: the last of its sentence */
};

/* Of a list of words, what is asked of each text: entries of tool_text.keys. None: memory was out. */
struct tool_keys {
    uint32_t from, n;
};

/* A text that was folded. Used again and again: one buffer each, as large as the largest text. */
struct tool_text {
    struct nk_buf folded; /* UTF-8, white space is one space */
    struct nk_buf from;   /* uint32_t for each byte of it: where it was in the text */
    struct nk_buf words;  /* struct tool_word: Latin letters and digits, and the places above */
    bool begin[256];      /* the first bytes of words, and the bytes of what is not ASCII */
    uint64_t bits[TOOL_TEXT_BITS / 64]; /* which words there are: text.c */
    struct nk_buf keys;                 /* uint32_t: of lists of words, for all texts */
    struct nk_buf phrases;              /* struct phrase, for all texts: text.c */
    struct tool_keys lists[TOOL_LISTS]; /* none: they have not been asked for */
};

void tool_text_init(struct tool_text *t);
void tool_text_free(struct tool_text *t);
/* Folds `s` (valid UTF-8). 0 or NK_ENOMEM. */
int tool_text_set(struct tool_text *t, struct nk_str s) NK_CHECKED;
static inline const struct tool_word *tool_words(const struct tool_text *t, size_t *n)
{
    *n = t->words.n / sizeof(struct tool_word);
    return (const struct tool_word *)(const void *)t->words.p;
}
/* Where a byte of the folded text was; its length for the end. */
size_t tool_text_from(const struct tool_text *t, size_t folded);

/* Looks for a phrase (says.def has its grammar); the place in the folded text. A phrase has a number, from 0 on and always the
 * same, by which what was read of it is found again. */
bool tool_text_says(struct tool_text *t, size_t number, const char *phrase, size_t *from,
                    size_t *to);

/* May one of the words "a|b*|@url" be in the text? False: none is. The list has a number, below TOOL_LISTS, by which what
 * is made of it is found again. */
bool tool_text_may_have(struct tool_text *t, size_t list, struct nk_str any);
/* Is the word one of "a|b*|@url"? (The steps of a phrase.) */
bool tool_word_is(struct nk_str any, struct nk_str word);
/* Length of the longest of the texts "a|b" that stands at byte i of a folded text; 0: none. */
size_t tool_text_starts(struct nk_str folded, size_t i, struct nk_str any);
/* Does a sentence end at byte i of it? */
bool tool_text_ends(struct nk_str folded, size_t i);
