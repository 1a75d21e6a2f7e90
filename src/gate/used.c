/* SPDX-License-Identifier: Apache-2.0
 *
 * used.c - see used.h. The words for one thing stand within a window of the table that follows from it. Both of two gates that
 * enter the same thing look through the window behind their entries (sequentially consistent: one of them sees
 * the other's), and who finds a second one has not used it. Two different things of one second and the
 * same 32 bits are taken for one: then somebody is asked again.
 */
#include "gate/used.h"

static uint64_t load(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static uint64_t *place(struct nk_used *u, uint64_t what, size_t i)
{
    return &u->list[((what >> 32) + i) % NK_USED];
}

static size_t count(struct nk_used *u, uint64_t what, uint64_t word)
{
    size_t n = 0;
    for (size_t i = 0; i < NK_USED_PROBES; i++)
        n += load(place(u, what, i)) == word;
    return n;
}

int nk_used_once(struct nk_used *u, uint64_t what, int64_t until_ms, int64_t now_ms)
{
    uint64_t now_s = (uint64_t)now_ms / 1000;
    uint64_t word = (uint64_t)until_ms / 1000 << 32 | (what & UINT32_MAX);
    if (until_ms <= now_ms || count(u, what, word))
        return NK_ENOTFOUND;
    for (size_t i = 0; i < NK_USED_PROBES; i++) {
        uint64_t there = load(place(u, what, i));
        if (there >> 32 < now_s && __atomic_compare_exchange_n(place(u, what, i), &there, word, 0,
                                                               __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return count(u, what, word) == 1 ? 0 : NK_ENOTFOUND;
        if (there == word)
            return NK_ENOTFOUND;
    }
    return NK_EFULL;
}
