/* SPDX-License-Identifier: Apache-2.0
 *
 * slots.c - see slots.h.
 */
#include "cedar/slots.h"

enum { FIRST_CAP = 16 };

int cedar_slots_reserve(struct cedar_slots *s, struct nk_arena *a)
{
    struct cedar_slots bigger = {.mask = s->p ? 2 * s->mask + 1 : FIRST_CAP - 1, .n = s->n};
    if (s->p && (s->n + 1) * 2 <= s->mask + 1)
        return 0;
    if (bigger.mask > UINT32_MAX / 4)
        return NK_ELIMIT;
    bigger.p = nk_arena_array(a, (size_t)bigger.mask + 1, sizeof *bigger.p);
    if (!bigger.p)
        return NK_ENOMEM;
    for (uint32_t i = 0; s->p && i <= s->mask; i++) {
        uint32_t at = s->p[i].hash & bigger.mask;
        if (!s->p[i].number)
            continue;
        while (bigger.p[at].number)
            at = (at + 1) & bigger.mask;
        bigger.p[at] = s->p[i];
    }
    *s = bigger;
    return 0;
}

void *cedar_grow(struct nk_arena *a, void *items, size_t n, size_t *cap, size_t size)
{
    size_t bigger = *cap ? 2 * *cap : FIRST_CAP;
    if (n < *cap)
        return items;
    void *own = nk_arena_array(a, bigger, size);
    if (!own)
        return NULL;
    if (items)
        memcpy(own, items, n * size);
    *cap = bigger;
    return own;
}
