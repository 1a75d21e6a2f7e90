/* SPDX-License-Identifier: Apache-2.0
 *
 * lexer.h - policy text to tokens, one at a time. Words are all IDENT: Cedar's keywords depend on
 * the place where they stand, so the parser decides.
 */
#pragma once

#include "base/arena.h"

enum cedar_token_kind {
    /* Single characters stand for themselves: ( ) { } [ ] @ . , ; : < > + - * / % ! = */
    CEDAR_END = 256,
    CEDAR_IDENT,      /* text: the word */
    CEDAR_DIGITS,     /* number */
    CEDAR_QUOTED,     /* text: between the quotes, still escaped */
    CEDAR_SLOT,       /* text: the word behind '?' */
    CEDAR_PATH_SEP,   /* :: */
    CEDAR_EQUAL,      /* == */
    CEDAR_NOT_EQUAL,  /* != */
    CEDAR_LESS_EQ,    /* <= */
    CEDAR_GREATER_EQ, /* >= */
    CEDAR_AND_AND,    /* && */
    CEDAR_OR_OR,      /* || */
};

struct cedar_token {
    int kind;
    size_t offset;
    struct nk_str text;
    uint64_t number;
};

struct cedar_lexer {
    struct nk_str text; /* valid UTF-8 */
    size_t at;
    const char *error; /* static, once a token could not be read */
};

/* Reads the next token; false when there is none: error and at say what and where. */
bool cedar_lex(struct cedar_lexer *l, struct cedar_token *out);

/* Is this word free to be a name (an attribute, a part of a type)? */
bool cedar_name_free(struct nk_str word);

/* Turns the inside of a quoted string into its value: Rust's escapes (\n \r \t \\ \0 \' \" \x7f
 * \u{1F600}). A view when nothing is escaped. 0, NK_EINVAL with *bad = offset inside `raw`, or
 * NK_ENOMEM. */
int cedar_unescape(struct nk_str raw, struct nk_arena *a, struct nk_str *out,
                   size_t *bad) NK_CHECKED;
/* The same for the pattern of `like`: '*' is a wildcard and \* a star. Gives the literal parts
 * between wildcards: "a*b" is {"a", "b"}, "*" is {"", ""}. */
int cedar_unescape_pattern(struct nk_str raw, struct nk_arena *a, const struct nk_str **parts,
                           uint32_t *n, size_t *bad) NK_CHECKED;
