/* SPDX-License-Identifier: Apache-2.0
 *
 * prover.c - makes the proofs of RFC 9162 (sections 2.1.3.1 and 2.1.4.1). A path is a list of roots
 * of disjoint ranges of leaves, and which ranges is known from the sizes alone: so they are planned
 * first, walking down the tree without a leaf, and then hashed as the leaves come by. That way a
 * proof over any log needs one pass and constant memory.
 *
 * The walk meets the ranges from the root down, a path lists them from the leaf up; and the ranges
 * must be hashed in order of their leaves. `from`/`to` are in the latter order, `place` says where
 * each goes in the path.
 */
#include "chain/merkle.h"

/* The largest power of two smaller than n (n > 1): where RFC 9162 cuts a tree of n leaves. */
static uint64_t split(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

static void plan_add(struct nk_merkle_prover *p, uint64_t from, uint64_t to)
{
    NK_MUST(p->path_count < NK_COUNT(p->from));
    p->from[p->path_count] = from;
    p->to[p->path_count] = to;
    p->path_count++;
}

/* Sorts the planned ranges by their leaves (a handful, so by insertion). */
static void plan_end(struct nk_merkle_prover *p)
{
    for (size_t i = 0; i < p->path_count; i++) {
        uint64_t from = p->from[i], to = p->to[i];
        size_t at = i;
        for (; at > 0 && p->from[at - 1] > from; at--) {
            p->from[at] = p->from[at - 1];
            p->to[at] = p->to[at - 1];
            p->place[at] = p->place[at - 1];
        }
        p->from[at] = from;
        p->to[at] = to;
        p->place[at] = (uint8_t)(p->path_count - 1 - i);
    }
}

int nk_merkle_prover_begin(struct nk_merkle_prover *p, uint64_t size, uint64_t n)
{
    memset(p, 0, sizeof *p);
    if (n >= size)
        return NK_EINVAL;
    uint64_t low = 0, high = size;
    while (high - low > 1) {
        uint64_t middle = low + split(high - low);
        if (n < middle) {
            plan_add(p, middle, high);
            high = middle;
        } else {
            plan_add(p, low, middle);
            low = middle;
        }
    }
    plan_end(p);
    return 0;
}

int nk_merkle_prover_begin_consistency(struct nk_merkle_prover *p, uint64_t old_size, uint64_t size)
{
    memset(p, 0, sizeof *p);
    if (old_size > size)
        return NK_EINVAL;
    if (old_size == 0)
        return 0;
    uint64_t low = 0, high = size;
    while (high != old_size) {
        uint64_t middle = low + split(high - low);
        if (old_size <= middle) {
            plan_add(p, middle, high);
            high = middle;
        } else {
            plan_add(p, low, middle);
            low = middle;
        }
    }
    if (low > 0)
        plan_add(p, low, high);
    plan_end(p);
    return 0;
}

void nk_merkle_prover_add(struct nk_merkle_prover *p, struct nk_digest leaf)
{
    uint64_t n = p->next++;
    if (p->at == p->path_count || n < p->from[p->at])
        return;
    nk_merkle_add(&p->tree, leaf);
    if (p->next < p->to[p->at])
        return;
    p->path[p->place[p->at++]] = nk_merkle_root(&p->tree);
    nk_merkle_init(&p->tree);
}

static int prove(struct nk_merkle_prover *p, const struct nk_digest *leaves, uint64_t size,
                 struct nk_arena *a, struct nk_digest **path, size_t *path_count)
{
    for (uint64_t i = 0; i < size; i++)
        nk_merkle_prover_add(p, leaves[i]);
    *path = nk_arena_array(a, p->path_count, sizeof **path);
    if (!*path)
        return NK_ENOMEM;
    memcpy(*path, p->path, p->path_count * sizeof **path);
    *path_count = p->path_count;
    return 0;
}

int nk_merkle_prove(const struct nk_digest *leaves, uint64_t size, uint64_t n, struct nk_arena *a,
                    struct nk_digest **path, size_t *path_count)
{
    struct nk_merkle_prover p;
    int r = nk_merkle_prover_begin(&p, size, n);
    return r ? r : prove(&p, leaves, size, a, path, path_count);
}

int nk_merkle_prove_consistency(const struct nk_digest *leaves, uint64_t old_size, uint64_t size,
                                struct nk_arena *a, struct nk_digest **path, size_t *path_count)
{
    struct nk_merkle_prover p;
    int r = nk_merkle_prover_begin_consistency(&p, old_size, size);
    return r ? r : prove(&p, leaves, size, a, path, path_count);
}
