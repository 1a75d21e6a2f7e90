/* SPDX-License-Identifier: Apache-2.0
 *
 * map.h - a hash map from byte strings to pointers, for tables that are filled once and read often.
 * The hash is SipHash-1-3 (Aumasson and Bernstein, 2012) under a key that the caller gives, so that
 * a peer cannot choose colliding names.
 */
#pragma once

#include "base/arena.h"

struct nk_map_slot {
    struct nk_str key;
    void *value; /* NULL: the slot is free */
    uint64_t hash;
};

struct nk_map {
    struct nk_arena *arena; /* where slots live; keys are not copied */
    struct nk_map_slot *slots;
    size_t cap;   /* power of two, or 0 */
    size_t count; /* entries */
    uint64_t seed[2];
};

uint64_t nk_hash(const uint64_t seed[2], struct nk_str s);
void nk_map_init(struct nk_map *m, struct nk_arena *arena, const uint64_t seed[2]);
/* Adds key -> value (value not NULL); `key`'s bytes must live as long as the map. NK_ECONFLICT when
 * the key is there already (nothing changes), NK_ENOMEM. */
int nk_map_put(struct nk_map *m, struct nk_str key, void *value) NK_CHECKED;
/* The value, or NULL. */
void *nk_map_get(const struct nk_map *m, struct nk_str key);
