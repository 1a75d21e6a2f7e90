/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_random_world.h - random entities and requests for random policies (cedar_random.h): U::"0"…,
 * G::"0"… and so on. An entity's parents have larger numbers or a later type, so there are no rings;
 * some entities are never described.
 */
#pragma once

#include "cedar_random.h"

static const char *const attributes[] = {"dept", "level", "flag", "owner", "roles"};

static const struct nk_cedar_value *random_value(struct nk_arena *a, struct dice *d)
{
    static const char *const texts[] = {"x", "y", "z"};
    const struct nk_cedar_value *items[2];
    switch (roll(d, 6)) {
    case 0:
        return nk_cedar_bool(a, roll(d, 2));
    case 1:
        return nk_cedar_entity(
            a, (struct nk_cedar_uid){nk_str(random_type(d)),
                                     nk_arena_printf(a, "%u", roll(d, RANDOM_IDS))});
    case 2:
    case 3:
        return nk_cedar_string(a, nk_str(texts[roll(d, 3)]));
    case 4:
        items[0] = nk_cedar_string(a, nk_str(texts[roll(d, 3)]));
        items[1] = nk_cedar_long(a, roll(d, 4));
        return nk_cedar_set(a, items, roll(d, 3));
    default:
        return nk_cedar_long(a, roll(d, 4));
    }
}

/* A record with some of the attributes, mostly of the type that policies expect. */
static const struct nk_cedar_value *random_record(struct nk_arena *a, struct dice *d)
{
    struct nk_cedar_member members[NK_COUNT(attributes)];
    size_t n = 0;
    for (size_t i = 0; i < NK_COUNT(attributes); i++)
        if (roll(d, 4))
            members[n++] = (struct nk_cedar_member){nk_str(attributes[i]), random_value(a, d)};
    return nk_cedar_record(a, members, n);
}

static struct nk_cedar_uid random_uid(struct nk_arena *a, uint32_t type, uint32_t id)
{
    return (struct nk_cedar_uid){nk_str(random_types[type]), nk_arena_printf(a, "%u", id)};
}

/* Entities of all types and the actions; not sealed. NULL: no memory. */
__attribute__((unused)) static struct nk_cedar_entities *
random_entities(struct nk_arena *a, struct dice *d, const struct nk_cedar_entities *below)
{
    struct nk_cedar_entities *e = nk_cedar_entities_new(a, below);
    uint32_t all = RANDOM_TYPES * RANDOM_IDS;
    bool ok = e;
    for (uint32_t i = 0; ok && i < all; i++) {
        struct nk_cedar_uid parents[3];
        size_t n = 0;
        while (n < 3 && i + 1 < all && roll(d, 2)) {
            uint32_t p = i + 1 + roll(d, all - i - 1);
            parents[n++] = random_uid(a, p / RANDOM_IDS, p % RANDOM_IDS);
        }
        if (roll(d, 5))
            ok = nk_cedar_entities_add(e, random_uid(a, i / RANDOM_IDS, i % RANDOM_IDS), parents, n,
                                       random_record(a, d), random_record(a, d)) == 0;
    }
    for (uint32_t i = 0; ok && i < RANDOM_IDS; i++) {
        struct nk_cedar_uid uid = {NK_STR("Action"), nk_arena_printf(a, "%u", i)};
        struct nk_cedar_uid up = {NK_STR("Action"), nk_arena_printf(a, "%u", i + 1 + roll(d, 2))};
        ok = nk_cedar_entities_add(e, uid, &up, roll(d, 2), NULL, NULL) == 0;
    }
    return ok ? e : NULL;
}

static struct nk_cedar_request random_request(struct nk_arena *a, struct dice *d)
{
    return (struct nk_cedar_request){
        random_uid(a, roll(d, RANDOM_TYPES), roll(d, RANDOM_IDS + 1)),
        {NK_STR("Action"), nk_arena_printf(a, "%u", roll(d, RANDOM_IDS + 1))},
        random_uid(a, roll(d, RANDOM_TYPES), roll(d, RANDOM_IDS + 1)),
        random_record(a, d)};
}
