/* SPDX-License-Identifier: Apache-2.0
 *
 * like.c - patterns with wildcards. A pattern is its literal parts: the first must begin the text,
 * the last must end it, those between are looked for from left to right, each at its first place.
 * Bytes may stand for characters: a part is whole characters, and UTF-8 finds those only where
 * characters begin. Time: the length of the text times that of the longest part, at worst.
 */
#include "cedar/eval.h"

bool cedar_like(struct nk_str text, const struct nk_str *parts, uint32_t n)
{
    if (n == 1)
        return nk_str_eq(text, parts[0]);
    struct nk_str last = parts[n - 1];
    if (text.n < parts[0].n + last.n || !nk_str_starts(text, parts[0]) || !nk_str_ends(text, last))
        return false;
    struct nk_str rest = nk_str_sub(text, parts[0].n, text.n - last.n);
    for (uint32_t i = 1; i + 1 < n; i++) {
        ptrdiff_t at = nk_str_search(rest, parts[i]);
        if (at < 0)
            return false;
        rest = nk_str_sub(rest, (size_t)at + parts[i].n, rest.n);
    }
    return true;
}
