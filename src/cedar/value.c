/* SPDX-License-Identifier: Apache-2.0
 *
 * value.c - scalars, uids and the order over all values. See value.h; sets and records are in
 * collection.c, the extension types in a file each.
 */
#include "cedar/value.h"

#include <string.h>

const struct nk_cedar_value cedar_true = {.kind = CEDAR_BOOL, .as = {.truth = true}};
const struct nk_cedar_value cedar_false = {.kind = CEDAR_BOOL, .as = {.truth = false}};
const struct nk_cedar_value cedar_empty_record = {.kind = CEDAR_RECORD, .depth = 1};

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

NK_INLINE uint64_t word_at(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Up to 7 bytes as a number. */
NK_INLINE uint64_t short_word(const char *p, size_t n)
{
    uint32_t low, high;
    if (n >= sizeof low) {
        memcpy(&low, p, sizeof low);
        memcpy(&high, p + n - sizeof high, sizeof high);
        return low | (uint64_t)high << 32;
    }
    if (n == 0)
        return 0;
    return (unsigned char)p[0] | (uint64_t)(unsigned char)p[n / 2] << 8 |
           (uint64_t)(unsigned char)p[n - 1] << 16;
}

/* The last word may overlap the one before: with the length mixed in, nothing is ambiguous. */
NK_INLINE uint64_t hash_str(uint64_t h, struct nk_str s)
{
    h += s.n << 32;
    if (s.n < sizeof h)
        return mix(h, short_word(s.p, s.n));
    for (size_t at = 0; at + sizeof h < s.n; at += sizeof h)
        h = mix(h, word_at(s.p + at));
    return mix(h, word_at(s.p + s.n - sizeof h));
}

/* The hash only saves comparisons and places entities in a table: all uses compare the content as
 * well, so a collision costs time and never changes an answer. */
struct cedar_uid cedar_uid(struct nk_cedar_uid uid)
{
    uint64_t h = hash_str(hash_str(0x6361656472u, uid.type), uid.id);
    return (struct cedar_uid){uid, h ^ h >> 32};
}

int cedar_uid_cmp(const struct cedar_uid *a, const struct cedar_uid *b)
{
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    int order = cedar_name_cmp(a->uid.id, b->uid.id);
    return order ? order : cedar_name_cmp(a->uid.type, b->uid.type);
}

static int ip_cmp(const struct cedar_ip *a, const struct cedar_ip *b)
{
    if (a->v6 != b->v6)
        return a->v6 ? 1 : -1;
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static int record_cmp(const struct nk_cedar_value *a, const struct nk_cedar_value *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        int order = cedar_name_cmp(a->as.members[i].name, b->as.members[i].name);
        if (!order)
            order = cedar_value_cmp(a->as.members[i].value, b->as.members[i].value);
        if (order)
            return order;
    }
    return 0;
}

static int set_cmp(const struct nk_cedar_value *a, const struct nk_cedar_value *b)
{
    for (uint32_t i = 0; i < a->n; i++) {
        int order = cedar_value_cmp(a->as.items[i], b->as.items[i]);
        if (order)
            return order;
    }
    return 0;
}

/* Recursion ends: no value is deeper than CEDAR_VALUE_DEPTH. */
int cedar_value_cmp(const struct nk_cedar_value *a, const struct nk_cedar_value *b)
{
    if (a == b)
        return 0;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    switch ((enum cedar_kind)a->kind) {
    case CEDAR_BOOL:
        return a->as.truth - b->as.truth;
    case CEDAR_STRING:
        return cedar_name_cmp(a->as.string, b->as.string);
    case CEDAR_ENTITY:
        return cedar_uid_cmp(&a->as.entity, &b->as.entity);
    case CEDAR_SET:
        return set_cmp(a, b);
    case CEDAR_RECORD:
        return record_cmp(a, b);
    case CEDAR_IP:
        return ip_cmp(&a->as.ip, &b->as.ip);
    case CEDAR_LONG:
    case CEDAR_DECIMAL:
    case CEDAR_DATETIME:
    case CEDAR_DURATION:
        break;
    }
    return (a->as.number > b->as.number) - (a->as.number < b->as.number);
}

const struct nk_cedar_value *nk_cedar_bool(struct nk_arena *a, bool v)
{
    (void)a;
    return v ? &cedar_true : &cedar_false;
}

const struct nk_cedar_value *cedar_number(struct nk_arena *a, enum cedar_kind kind, int64_t v)
{
    struct nk_cedar_value *out = nk_arena_resize(a, NULL, 0, sizeof *out);
    if (out)
        *out = (struct nk_cedar_value){.kind = (uint8_t)kind, .as = {.number = v}};
    return out;
}

const struct nk_cedar_value *nk_cedar_long(struct nk_arena *a, int64_t v)
{
    return cedar_number(a, CEDAR_LONG, v);
}

const struct nk_cedar_value *nk_cedar_string(struct nk_arena *a, struct nk_str v)
{
    struct nk_cedar_value *out = nk_arena_resize(a, NULL, 0, sizeof *out);
    if (out)
        *out = (struct nk_cedar_value){.kind = CEDAR_STRING, .as = {.string = v}};
    return out;
}

const struct nk_cedar_value *nk_cedar_entity(struct nk_arena *a, struct nk_cedar_uid uid)
{
    struct nk_cedar_value *out = nk_arena_resize(a, NULL, 0, sizeof *out);
    if (out)
        *out = (struct nk_cedar_value){.kind = CEDAR_ENTITY, .as = {.entity = cedar_uid(uid)}};
    return out;
}
