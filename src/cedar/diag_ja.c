/* SPDX-License-Identifier: Apache-2.0
 *
 * diag_ja.c - what the parsers say, in Japanese. They speak English, one sentence that is known beforehand and
 * perhaps "; here is" and what was found; the sentence is looked up.
 */
#include "cedar/diag_ja.h"

static const struct {
    struct nk_str english, japanese;
} table[] = {
#define SAID(en, ja) {{en, sizeof(en) - 1}, {ja, sizeof(ja) - 1}},
#include "cedar/diag_ja.def"
#undef SAID
};

static struct nk_str lookup(struct nk_str english)
{
    ptrdiff_t byte = nk_str_search(english, NK_STR(" at byte ")); /* the place is told anyway */
    if (byte >= 0)
        english = nk_str_sub(english, 0, (size_t)byte);
    for (size_t i = 0; i < NK_COUNT(table); i++)
        if (nk_str_eq(table[i].english, english))
            return table[i].japanese;
    return english;
}

void cedar_diag_japanese(struct nk_str english, struct nk_buf *out)
{
    static const struct nk_str here = {"; here is ", 10};
    ptrdiff_t at = -1;
    for (size_t i = 0; i + here.n <= english.n; i++) /* the last one: some sentences have a ';' */
        if (nk_str_eq(nk_str_sub(english, i, i + here.n), here))
            at = (ptrdiff_t)i;
    if (at < 0) {
        nk_buf_add(out, lookup(english));
        return;
    }
    nk_buf_add(out, lookup(nk_str_sub(english, 0, (size_t)at)));
    nk_buf_add(out, NK_STR("。ここにあるのは "));
    nk_buf_add(out, lookup(nk_str_sub(english, (size_t)at + here.n, english.n)));
    nk_buf_add(out, NK_STR(" です"));
}
