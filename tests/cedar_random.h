/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_random.h - random policies over a small vocabulary, so that scopes match, attributes are
 * missing and types are wrong often enough: all forms of scope, and conditions from cedar_pieces.def.
 * All of it follows from a seed. cedar_random_world.h has the entities and requests.
 */
#pragma once

#include "base/buf.h"
#include "cedar/cedar.h"
#include "dice.h"

enum { RANDOM_IDS = 6, RANDOM_TYPES = 4, RANDOM_DEPTH = 3 };
static const char *const random_types[] = {"U", "G", "D", "N::F"};

static const char *random_type(struct dice *d)
{
    return random_types[roll(d, RANDOM_TYPES)];
}

static void put_uid(struct nk_buf *b, struct dice *d)
{
    nk_buf_printf(b, "%s::\"%u\"", random_type(d), roll(d, RANDOM_IDS));
}

static void put_action(struct nk_buf *b, struct dice *d)
{
    nk_buf_printf(b, "Action::\"%u\"", roll(d, RANDOM_IDS));
}

/* Scopes --------------------------------------------------------------------------------------- */

static void put_scope(struct nk_buf *b, struct dice *d, const char *var)
{
    nk_buf_printf(b, "%s", var);
    switch (roll(d, 6)) {
    case 0:
        nk_buf_add(b, NK_STR(" == "));
        put_uid(b, d);
        break;
    case 1:
        nk_buf_add(b, NK_STR(" in "));
        put_uid(b, d);
        break;
    case 2:
        nk_buf_printf(b, " is %s", random_type(d));
        break;
    case 3:
        nk_buf_printf(b, " is %s in ", random_type(d));
        put_uid(b, d);
        break;
    default:
        break;
    }
}

static void put_action_scope(struct nk_buf *b, struct dice *d)
{
    uint32_t form = roll(d, 5);
    nk_buf_add(b, NK_STR("action"));
    if (form == 0) {
        nk_buf_add(b, NK_STR(" == "));
        put_action(b, d);
    } else if (form == 1) {
        nk_buf_add(b, NK_STR(" in "));
        put_action(b, d);
    } else if (form == 2) {
        nk_buf_add(b, NK_STR(" in ["));
        for (uint32_t n = roll(d, 4); n > 0; n--) {
            put_action(b, d);
            nk_buf_add(b, n > 1 ? NK_STR(", ") : NK_STR(""));
        }
        nk_buf_add_char(b, ']');
    }
}

/* Expressions ---------------------------------------------------------------------------------- */

static const struct {
    char hole;
    const char *text;
} pieces[] = {
#define PIECE(hole, text) {hole, text},
#include "cedar_pieces.def"
#undef PIECE
};

static void put_piece(struct nk_buf *b, struct dice *d, const char *piece, unsigned depth);

/* One of the pieces for a hole, from the `skip`th on; deep inside, one that leads no further. */
static void put_one_of(struct nk_buf *b, struct dice *d, char hole, uint32_t skip, unsigned depth)
{
    size_t first = 0, n = 0;
    while (first < NK_COUNT(pieces) && pieces[first].hole != hole)
        first++;
    while (first + n < NK_COUNT(pieces) && pieces[first + n].hole == hole)
        n++;
    uint32_t sides = depth > RANDOM_DEPTH ? 2 : (uint32_t)n - skip;
    put_piece(b, d, pieces[first + skip + roll(d, sides)].text, depth + 1);
}

static void fill(struct nk_buf *b, struct dice *d, char hole, unsigned depth)
{
    if (hole == 'u')
        put_uid(b, d);
    else if (hole == 't')
        nk_buf_printf(b, "%s", random_type(d));
    else if (hole == 'd')
        nk_buf_printf(b, "%u", roll(d, 3));
    else
        put_one_of(b, d, hole, 0, depth);
}

static void put_piece(struct nk_buf *b, struct dice *d, const char *piece, unsigned depth)
{
    for (; *piece; piece++)
        if (*piece == '%')
            fill(b, d, *++piece, depth);
        else
            nk_buf_add_char(b, *piece);
}

static void put_condition(struct nk_buf *b, struct dice *d)
{
    bool unless = roll(d, 4) == 0;
    nk_buf_add(b, unless ? NK_STR(" unless { ") : NK_STR(" when { "));
    for (uint32_t n = roll(d, 3); n > 0; n--) {
        put_one_of(b, d, 'b', 2, 1);
        nk_buf_add(b, unless ? NK_STR(" || ") : NK_STR(" && "));
    }
    put_one_of(b, d, 'b', 0, 0);
    nk_buf_add(b, NK_STR(" }"));
}

/* Policy text, `n` policies. */
static void put_policies(struct nk_buf *b, struct dice *d, uint32_t n)
{
    for (; n > 0; n--) {
        nk_buf_add(b, roll(d, 3) ? NK_STR("permit (") : NK_STR("forbid ("));
        put_scope(b, d, "principal");
        nk_buf_add(b, NK_STR(", "));
        put_action_scope(b, d);
        nk_buf_add(b, NK_STR(", "));
        put_scope(b, d, "resource");
        nk_buf_add_char(b, ')');
        for (uint32_t conditions = roll(d, 3); conditions > 0; conditions--)
            put_condition(b, d);
        nk_buf_add(b, NK_STR(";\n"));
    }
}
