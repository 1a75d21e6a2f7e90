/* SPDX-License-Identifier: Apache-2.0
 *
 * cache.c - two rings that turn together: slots, and the bytes of the principals in them. The
 * bytes of the entries in use lie one behind the other from the oldest on, and begin again at 0
 * where one does not fit before the end. See cache.h.
 */
#include "ident/cache.h"

#include <string.h>

enum { HEADS = 2 * NK_IDENT_CACHE_ENTRIES, NONE = 0x7fffffff };

int nk_cache_init(struct nk_cache *c, const uint64_t seed[2], struct nk_arena *a)
{
    *c = (struct nk_cache){.seed = {seed[0], seed[1]}};
    c->entries = nk_arena_array(a, NK_IDENT_CACHE_ENTRIES, sizeof *c->entries);
    c->heads = nk_arena_array(a, HEADS, sizeof *c->heads);
    c->bytes = nk_arena_alloc(a, NK_IDENT_CACHE_BYTES);
    if (!c->entries || !c->heads || !c->bytes)
        return NK_ENOMEM;
    for (size_t i = 0; i < HEADS; i++)
        c->heads[i] = NONE;
    return 0;
}

static uint32_t hash_of(const struct nk_cache *c, const struct nk_digest *d)
{
    return (uint32_t)nk_hash(c->seed, (struct nk_str){(const char *)d->b, sizeof d->b}) &
           (HEADS - 1);
}

const struct nk_cache_entry *nk_cache_get(const struct nk_cache *c, const struct nk_digest *d)
{
    for (uint32_t i = c->heads[hash_of(c, d)]; i != NONE; i = c->entries[i].next)
        if (memcmp(&c->entries[i].digest, d, sizeof *d) == 0)
            return &c->entries[i];
    return NULL;
}

static void drop_oldest(struct nk_cache *c)
{
    struct nk_cache_entry *e = &c->entries[c->oldest];
    uint32_t *at = &c->heads[e->hash];
    while (*at != c->oldest)
        at = &c->entries[*at].next;
    *at = e->next;
    c->oldest = (c->oldest + 1) % NK_IDENT_CACHE_ENTRIES;
    c->count--;
}

/* Do the bytes of the oldest entry stand in the way of [start, end)? It is the first in the way, if
 * any is: those behind it are newer and lie further on. */
static bool is_in_the_way(const struct nk_cache *c, size_t start, size_t end)
{
    const struct nk_cache_entry *e = &c->entries[c->oldest];
    return c->count && e->start < end && start < e->start + e->size;
}

void nk_cache_put(struct nk_cache *c, const struct nk_cache_entry *e)
{
    size_t size = (nk_principal_size(e->principal) + 15) & ~(size_t)15;
    if (size > NK_IDENT_CACHE_BYTES / 8)
        return;
    if (c->head + size > NK_IDENT_CACHE_BYTES) {
        /* What is left before the end stays unused; entries that lie there are the oldest. */
        while (is_in_the_way(c, c->head, NK_IDENT_CACHE_BYTES))
            drop_oldest(c);
        c->head = 0;
    }
    while (c->count == NK_IDENT_CACHE_ENTRIES || is_in_the_way(c, c->head, c->head + size))
        drop_oldest(c);
    uint32_t at = (c->oldest + c->count) % NK_IDENT_CACHE_ENTRIES;
    struct nk_cache_entry *mine = &c->entries[at];
    *mine = *e;
    mine->start = c->head;
    mine->size = size;
    mine->principal = nk_principal_pack(e->principal, c->bytes + c->head);
    mine->hash = hash_of(c, &e->digest);
    mine->next = c->heads[mine->hash];
    c->heads[mine->hash] = at;
    c->head += size;
    c->count++;
}
