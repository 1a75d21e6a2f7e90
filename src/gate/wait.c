/* SPDX-License-Identifier: Apache-2.0
 *
 * wait.c - see wait.h. A list that is searched from one end to the other: it is short, and people are slow.
 */
#include "gate/wait.h"

int nk_waits_add(struct nk_waits *w, uint64_t number, const struct nk_digest *who, void *owner)
{
    size_t same = 0;
    for (size_t i = 0; i < w->n; i++)
        same += nk_digest_eq(w->list[i].who, *who);
    if (w->n == NK_WAITS || same >= NK_WAITS_EACH)
        return NK_EFULL;
    w->list[w->n].number = number;
    w->list[w->n].who = *who;
    w->list[w->n++].owner = owner;
    return 0;
}

void nk_waits_remove(struct nk_waits *w, uint64_t number)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->list[i].number == number) {
            w->list[i] = w->list[--w->n];
            return;
        }
}

void *nk_waits_find(const struct nk_waits *w, uint64_t number)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->list[i].number == number)
            return w->list[i].owner;
    return NULL;
}
