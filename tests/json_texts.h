/* SPDX-License-Identifier: Apache-2.0
 *
 * json_texts.h - JSON texts for the tests that compare us with other parsers: valid ones from a
 * small grammar, the same after a few random edits, and soups of tokens. The random numbers start
 * from a fixed seed, so that a difference comes again. Compiles as C and as C++.
 */
#pragma once

#include "json_words.h"

static const char *texts_pick(struct texts *t, const char *const *list, size_t bytes)
{
    return list[texts_random(t, (uint32_t)(bytes / sizeof *list))];
}

static void texts_space(struct texts *t)
{
    static const char *const spaces[] = {" ", "\n", "\t", "\r\n", "                   "};
    if (texts_random(t, 6) == 0)
        texts_put(t, texts_pick(t, spaces, sizeof spaces));
}

static void texts_string(struct texts *t)
{
    texts_put(t, "\"");
    for (uint32_t parts = texts_random(t, 4); parts; parts--)
        texts_put(t, texts_pick(t, texts_strings, sizeof texts_strings));
    texts_put(t, "\"");
}

/* A member name; half of them differ for certain, so that not every object is refused. */
static void texts_name(struct texts *t, uint32_t i)
{
    char name[24];
    if (texts_random(t, 8) == 0) {
        texts_string(t);
        return;
    }
    snprintf(name, sizeof name, texts_random(t, 9) ? "\"n%u\"" : "\"\\u006e%u\"", i);
    texts_put(t, name);
}

static void texts_value(struct texts *t, int depth)
{
    uint32_t kind = texts_random(t, depth > 0 ? 10 : 6), n;
    texts_space(t);
    switch (kind) {
    case 0:
        texts_put(t, texts_random(t, 2) ? "true" : "false");
        break;
    case 1:
        texts_put(t, "null");
        break;
    case 2:
    case 3:
        texts_put(t, texts_pick(t, texts_numbers, sizeof texts_numbers));
        break;
    case 4:
    case 5:
        texts_string(t);
        break;
    default:
        n = texts_random(t, texts_random(t, 12) ? 4 : 40);
        texts_put(t, kind < 8 ? "[" : "{");
        for (uint32_t i = 0; i < n; i++) {
            if (kind >= 8) {
                texts_space(t);
                texts_name(t, i);
                texts_space(t);
                texts_put(t, ":");
            }
            texts_value(t, n > 4 ? 0 : depth - 1);
            texts_put(t, i + 1 < n ? "," : "");
        }
        texts_space(t);
        texts_put(t, kind < 8 ? "]" : "}");
    }
    texts_space(t);
}

/* One random edit: a byte changed, a stretch removed or doubled, or a token put in. */
static void texts_mutate(struct texts *t)
{
    char copy[TEXT_ROOM];
    size_t n = t->n, from = texts_random(t, (uint32_t)n + 1);
    size_t to = from + texts_random(t, 6);
    to = to > n ? n : to;
    memcpy(copy, t->text, n);
    switch (texts_random(t, 4)) {
    case 0:
        if (n)
            t->text[from % n] = (char)(copy[from % n] ^ (1 << texts_random(t, 8)));
        return;
    case 1:
        t->n = from;
        texts_add(t, copy + to, n - to);
        return;
    case 2:
        t->n = to;
        texts_add(t, copy + from, n - from);
        return;
    default:
        t->n = from;
        texts_put(t, texts_pick(t, texts_tokens, sizeof texts_tokens));
        texts_add(t, copy + from, n - from);
    }
}

/* Text number i, into t->text and t->n. */
static void texts_next(struct texts *t, uint32_t i)
{
    t->state = 0x9E3779B97F4A7C15u * (i + 1);
    t->n = 0;
    texts_random(t, 2);
    if (i % 8 == 0) {
        for (uint32_t k = texts_random(t, 12); k; k--)
            texts_put(t, texts_pick(t, texts_tokens, sizeof texts_tokens));
        return;
    }
    texts_value(t, 4);
    for (uint32_t k = i % 8 < 3 ? 0 : 1 + texts_random(t, 3); k; k--)
        texts_mutate(t);
}
