/* SPDX-License-Identifier: Apache-2.0
 *
 * near.c - "did you mean": the candidate that fewest single-character edits away from a word turn
 * it into (Levenshtein distance), if that is at most a third of its length.
 */
#include "base/near.h"

enum { WORD_MAX = 64 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

static size_t distance(struct nk_str a, struct nk_str b)
{
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t same = diagonal + (a.p[i - 1] != b.p[j - 1]);
            diagonal = row[j];
            row[j] = min3(same, row[j] + 1, row[j - 1] + 1);
        }
    }
    return row[b.n];
}

struct nk_str nk_near(struct nk_str name, const struct nk_str *candidates, size_t n)
{
    struct nk_str best = {NULL, 0};
    size_t least = WORD_MAX;
    if (name.n > WORD_MAX)
        return best;
    for (size_t i = 0; i < n; i++) {
        if (candidates[i].n == 0 || candidates[i].n > WORD_MAX)
            continue;
        size_t longer = candidates[i].n > name.n ? candidates[i].n : name.n;
        size_t d = distance(name, candidates[i]);
        if (d < least && d <= (longer + 2) / 3) {
            least = d;
            best = candidates[i];
        }
    }
    return best;
}
