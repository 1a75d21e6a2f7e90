/* SPDX-License-Identifier: Apache-2.0
 *
 * pattern_own.h - what pattern.c and pattern_read.c share: the tree of a pattern and its instructions.
 */
#pragma once

#include "json/pattern.h"

struct pattern_range {
    int32_t first, last;
};

enum pattern_code {
    PATTERN_IN,     /* a character in `y` ranges, then the next instruction */
    PATTERN_NOT_IN, /* or in none of them */
    PATTERN_JUMP,   /* to x */
    PATTERN_SPLIT,  /* to x and to y */
    PATTERN_FOUND,
    PATTERN_BEGIN, /* from here on: places; then the next instruction */
    PATTERN_END,
    PATTERN_EDGE,
    PATTERN_NO_EDGE,
};

struct pattern_op {
    enum pattern_code code;
    uint32_t x, y;
    const struct pattern_range *ranges;
};

struct nk_pattern {
    struct pattern_op *ops;
    uint32_t n;
};

enum pattern_kind { PATTERN_SEQUENCE, PATTERN_CHOICE, PATTERN_REPEAT, PATTERN_SET, PATTERN_PLACE };
enum { PATTERN_ANY_COUNT = INT32_MAX };

struct pattern_node {
    enum pattern_kind kind;
    struct pattern_node *kids, *next; /* of SEQUENCE, CHOICE; the one of REPEAT */
    uint32_t low, high;               /* REPEAT */
    enum pattern_code place;          /* PLACE */
    bool negated;                     /* SET */
    const struct pattern_range *ranges;
    uint32_t range_n;
};

/* The tree in `own`, its ranges in `a`. As nk_pattern_new. */
int pattern_read(struct nk_str text, struct nk_arena *own, struct nk_arena *a,
                 const struct pattern_node **out, const char **why) NK_CHECKED;
