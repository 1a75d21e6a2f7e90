/* SPDX-License-Identifier: Apache-2.0
 *
 * pattern.h - regular expressions as JSON Schema's `pattern` has them (ECMA-262), for patterns that nobody
 * trusts: each becomes a finite automaton of stated size, and all its states walk over the text at once
 * (K. Thompson, 1968). So time is text × states at worst, whatever the pattern.
 *
 *   taken     alternatives, groups (captures are only groups), . [ ] ranges, \d \w \s and their opposites,
 *             * + ? {n,m} (lazy or not is the same to a yes or no), ^ $ \b \B, escapes
 *   refused   look-around, back references, \p{…}: no automaton, or no tables
 *
 * A character is a Unicode code point (flag u). As without that flag, an escaped sign stands for itself and a
 * brace that counts nothing, too.
 */
#pragma once

#include "base/arena.h"

enum {
    NK_PATTERN_BYTES = 4 << 10,   /* of the text of a pattern */
    NK_PATTERN_STATES = 16 << 10, /* of one automaton, counted repetitions written out */
    NK_PATTERN_DEPTH = 64,        /* of groups */
};

struct nk_pattern; /* immutable */

/* `text` need not outlive the call. NK_EINVAL (no pattern), NK_EUNSUPPORTED, NK_ELIMIT, NK_ENOMEM; *why is then a
 * static text that fits behind "the pattern". */
int nk_pattern_new(struct nk_str text, struct nk_arena *a, const struct nk_pattern **out,
                   const char **why) NK_CHECKED;
/* 1: it is somewhere in the text (valid UTF-8), 0: it is not, NK_ELIMIT: finding out takes more than *steps (what is
 * left of them comes back), NK_ENOMEM. */
int nk_pattern_find(const struct nk_pattern *p, struct nk_str text, struct nk_arena *scratch,
                    int64_t *steps) NK_CHECKED;
