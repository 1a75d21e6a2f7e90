/* SPDX-License-Identifier: Apache-2.0
 *
 * map.c - open addressing with linear probing, at most three quarters full. See map.h.
 */
#include "base/map.h"

#include <string.h>

struct sip {
    uint64_t a, b, c, d;
};

static inline uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

/* By value, so that the state stays in registers. */
static inline struct sip sip_round(struct sip v)
{
    v.a += v.b;
    v.b = rotl(v.b, 13) ^ v.a;
    v.a = rotl(v.a, 32);
    v.c += v.d;
    v.d = rotl(v.d, 16) ^ v.c;
    v.a += v.d;
    v.d = rotl(v.d, 21) ^ v.a;
    v.c += v.b;
    v.b = rotl(v.b, 17) ^ v.c;
    v.c = rotl(v.c, 32);
    return v;
}

static inline struct sip sip_word(struct sip v, uint64_t word)
{
    v.d ^= word;
    v = sip_round(v);
    v.a ^= word;
    return v;
}

uint64_t nk_hash(const uint64_t seed[2], struct nk_str s)
{
    struct sip v = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                    seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
    uint64_t word = 0;
    size_t whole = s.n & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        memcpy(&word, s.p + i, 8);
        v = sip_word(v, word);
    }
    word = 0;
    for (size_t i = s.n; i-- > whole;)
        word = word << 8 | (unsigned char)s.p[i];
    v = sip_word(v, word | (uint64_t)s.n << 56);
    v.c ^= 0xff;
    v = sip_round(sip_round(sip_round(v)));
    return v.a ^ v.b ^ v.c ^ v.d;
}

void nk_map_init(struct nk_map *m, struct nk_arena *arena, const uint64_t seed[2])
{
    *m = (struct nk_map){.arena = arena, .seed = {seed[0], seed[1]}};
}

static struct nk_map_slot *find(const struct nk_map *m, uint64_t hash, struct nk_str key)
{
    size_t at = hash & (m->cap - 1);
    while (m->slots[at].value && !(m->slots[at].hash == hash && nk_str_eq(m->slots[at].key, key)))
        at = (at + 1) & (m->cap - 1);
    return &m->slots[at];
}

static int map_grow(struct nk_map *m)
{
    struct nk_map bigger = *m;
    bigger.cap = m->cap ? m->cap * 2 : 8;
    bigger.slots = nk_arena_array(m->arena, bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return NK_ENOMEM;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].value)
            *find(&bigger, m->slots[i].hash, m->slots[i].key) = m->slots[i];
    *m = bigger;
    return 0;
}

int nk_map_put(struct nk_map *m, struct nk_str key, void *value)
{
    NK_MUST(value);
    if (nk_map_get(m, key))
        return NK_ECONFLICT;
    if ((m->count + 1) * 4 > m->cap * 3) {
        int rc = map_grow(m);
        if (rc)
            return rc;
    }
    uint64_t hash = nk_hash(m->seed, key);
    *find(m, hash, key) = (struct nk_map_slot){.key = key, .value = value, .hash = hash};
    m->count++;
    return 0;
}

void *nk_map_get(const struct nk_map *m, struct nk_str key)
{
    return m->cap ? find(m, nk_hash(m->seed, key), key)->value : NULL;
}
