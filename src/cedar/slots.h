/* SPDX-License-Identifier: Apache-2.0
 *
 * slots.h - a hash table from things to small numbers, as the index of policies has many: what is
 * numbered lives in an array of its owner, the table holds hashes and numbers alone. Open
 * addressing, at most half full, nothing is ever removed.
 */
#pragma once

#include "base/arena.h"

struct cedar_slot {
    uint32_t hash;
    uint32_t number; /* 1 and more; 0: free */
};

struct cedar_slots {
    struct cedar_slot *p;
    uint32_t mask; /* places - 1 */
    uint32_t n;    /* in use */
};

/* Is the thing of that number the one looked for? */
typedef bool cedar_slots_same(const void *what, uint32_t number);

/* The slot of the thing, or the free one where it belongs; the table has room (see below). */
static inline struct cedar_slot *cedar_slots_at(const struct cedar_slots *s, uint32_t hash,
                                                cedar_slots_same *same, const void *what)
{
    uint32_t at = hash & s->mask;
    while (s->p[at].number && (s->p[at].hash != hash || !same(what, s->p[at].number)))
        at = (at + 1) & s->mask;
    return &s->p[at];
}

/* Makes room for one more; a zeroed table has none. 0, NK_ENOMEM or NK_ELIMIT. */
int cedar_slots_reserve(struct cedar_slots *s, struct nk_arena *a) NK_CHECKED;
/* Fills a free slot. */
static inline void cedar_slots_put(struct cedar_slots *s, struct cedar_slot *slot, uint32_t hash,
                                   uint32_t number)
{
    *slot = (struct cedar_slot){hash, number};
    s->n++;
}

/* An array of `n` items of `size` bytes with room for one more, which is not zeroed beyond what the
 * arena does; the same array while there is room. NULL: no memory. */
void *cedar_grow(struct nk_arena *a, void *items, size_t n, size_t *cap, size_t size) NK_CHECKED;
