/* SPDX-License-Identifier: Apache-2.0
 *
 * wait.c - see wait.h. A list that is searched from one end to the other: it is short, and people are slow.
 */
#include "gate/wait.h"

int nk_waits_add(struct nk_waits *w, uint64_t number, const struct nk_digest *who,
                 const struct nk_digest *call, void *owner)
{
    size_t same = 0;
    for (size_t i = 0; i < w->n; i++)
        same += nk_digest_eq(w->list[i].who, *who);
    if (w->n == NK_WAITS || same >= NK_WAITS_EACH)
        return NK_EFULL;
    w->list[w->n].number = number;
    w->list[w->n].who = *who;
    w->list[w->n].call = *call;
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

void nk_waits_move(struct nk_waits *w, const void *from, void *to)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->list[i].owner == from)
            w->list[i].owner = to;
}

void *nk_waits_find(const struct nk_waits *w, uint64_t number)
{
    for (size_t i = 0; i < w->n; i++)
        if (w->list[i].number == number)
            return w->list[i].owner;
    return NULL;
}

void *nk_waits_find_call(const struct nk_waits *w, const struct nk_digest *call)
{
    for (size_t i = 0; i < w->n; i++)
        if (nk_digest_eq(w->list[i].call, *call))
            return w->list[i].owner;
    return NULL;
}
