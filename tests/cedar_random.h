/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_random.h - random policy sets, entities and requests over a small vocabulary, so that scopes
 * match, attributes are missing and types are wrong often enough. All of it follows from a seed.
 *
 *   entities   U::"0"…, G::"0"… and so on; an entity's parents have larger numbers or a later type,
 *              so there are no rings; some are never described
 *   policies   all forms of scope, and conditions from `pieces` below
 */
#pragma once

#include "base/buf.h"
#include "cedar/cedar.h"

struct dice {
    uint64_t state;
};

static uint32_t roll(struct dice *d, uint32_t sides)
{
    d->state ^= d->state << 13;
    d->state ^= d->state >> 7;
    d->state ^= d->state << 17;
    return (uint32_t)((d->state * 0x9e3779b97f4a7c15u >> 32) % sides);
}

enum { RANDOM_IDS = 6, RANDOM_TYPES = 4, RANDOM_DEPTH = 3 };
static const char *const random_types[] = {"U", "G", "D", "N::F"};

static const char *random_type(struct dice *d)
{
    return random_types[roll(d, RANDOM_TYPES)];
}

static void put_uid(struct nk_buf *b, struct dice *d)
{
    nk_buf_printf(b, "%s::\"%u\"", random_type(d), roll(d, RANDOM_IDS));
}

static void put_action(struct nk_buf *b, struct dice *d)
{
    nk_buf_printf(b, "Action::\"%u\"", roll(d, RANDOM_IDS));
}

/* Scopes --------------------------------------------------------------------------------------- */

static void put_scope(struct nk_buf *b, struct dice *d, const char *var)
{
    nk_buf_printf(b, "%s", var);
    switch (roll(d, 6)) {
    case 0:
        nk_buf_add(b, NK_STR(" == "));
        put_uid(b, d);
        break;
    case 1:
        nk_buf_add(b, NK_STR(" in "));
        put_uid(b, d);
        break;
    case 2:
        nk_buf_printf(b, " is %s", random_type(d));
        break;
    case 3:
        nk_buf_printf(b, " is %s in ", random_type(d));
        put_uid(b, d);
        break;
    default:
        break;
    }
}

static void put_action_scope(struct nk_buf *b, struct dice *d)
{
    uint32_t form = roll(d, 5);
    nk_buf_add(b, NK_STR("action"));
    if (form == 0) {
        nk_buf_add(b, NK_STR(" == "));
        put_action(b, d);
    } else if (form == 1) {
        nk_buf_add(b, NK_STR(" in "));
        put_action(b, d);
    } else if (form == 2) {
        nk_buf_add(b, NK_STR(" in ["));
        for (uint32_t n = roll(d, 4); n > 0; n--) {
            put_action(b, d);
            nk_buf_add(b, n > 1 ? NK_STR(", ") : NK_STR(""));
        }
        nk_buf_add_char(b, ']');
    }
}

/* Expressions ---------------------------------------------------------------------------------- */

/* In a piece, % begins a hole: %b a bool, %n a number, %s a string, %e an entity, %c a set, %r a
 * record or an entity, %x anything, %v a variable, %a the name of an attribute, %t a type, %l a
 * constant that can guard, %u a constant entity. Of a wrong type is now and then what fills it. */
static const char *const bools[] = {
    "true", "false", "%v.%a == %l", "%l == %v.%a", "%v has %a && %v.%a == %l",
    "(principal has dept && principal.dept == \"x\")", "%v.%a != %l", "context.flag",
    "principal.level > 2", "resource.level <= principal.level", "%n < %n", "%n >= %n",
    "resource.owner == principal", "principal == resource.owner", "%e == %e", "%x == %x", "%x != %x",
    "%e in %e", "%e in [%e, %e]", "%e is %t", "%e is %t in %e", "principal in %u", "resource in %u",
    "principal == %u", "%u == resource", "action in [Action::\"1\", Action::\"2\"]",
    "principal in [%u, %u]", "%v.roles.contains(%l)", "%v has roles && %v.roles.contains(%l)",
    "%c.contains(%x)", "%c.containsAll(%c)", "%c.containsAny(%c)", "%c.isEmpty()", "!(%b)",
    "(%b) && (%b)", "(%b) || (%b)", "(%b) && (%b) && (%b)", "(%b) || (%b) || (%b)",
    "(if %b then %b else %b)", "%s like \"*a*\"", "%r has %a", "%r has dept.level", "%e.hasTag(%s)",
    "%e.getTag(%s) == %x", "ip(\"10.0.0.1\").isInRange(ip(\"10.0.0.0/8\"))",
    "decimal(\"1.5\").lessThan(decimal(\"%d.5\"))", "{dept: %x, level: %n}.level == %n",
    "[%x, %x] == [%x]", "%x",
};
static const char *const numbers[] = {"1", "2", "3", "%v.level", "(%n + %n)", "(%n - %n)", "(-%v.level)",
                                      "%n * 2", "9223372036854775807", "%x"};
static const char *const strings[] = {"\"x\"", "\"y\"", "\"a\"", "%v.dept", "%x"};
static const char *const entity_forms[] = {"principal", "resource", "action", "%u", "%v.owner", "%x"};
static const char *const set_forms[] = {"%v.roles", "[\"x\", \"y\"]", "[%x]", "[]", "[%n, %n + 1]", "%x"};
static const char *const records[] = {"%v", "principal", "context", "{dept: %x}", "%v.owner", "%x"};
static const char *const anything[] = {"%v.%a", "%l", "(1 + 1)", "%u", "[1, \"x\"]", "%v"};
static const char *const variables[] = {"principal", "principal", "resource", "context", "action"};
static const char *const attributes[] = {"dept", "level", "flag", "owner", "roles"};
static const char *const constants[] = {"\"x\"", "\"y\"", "\"z\"", "1", "2", "3", "true", "%u"};

static void put_piece(struct nk_buf *b, struct dice *d, const char *piece, unsigned depth);

static void put_one_of(struct nk_buf *b, struct dice *d, const char *const *from, size_t n,
                       unsigned depth)
{
    /* The first pieces of each list have no holes that lead further. */
    put_piece(b, d, from[roll(d, depth > RANDOM_DEPTH ? 2 : (uint32_t)n)], depth + 1);
}

static void fill(struct nk_buf *b, struct dice *d, char hole, unsigned depth)
{
    static const struct {
        char hole;
        const char *const *from;
        size_t n;
    } all[] = {{'b', bools, NK_COUNT(bools)},           {'n', numbers, NK_COUNT(numbers)},
               {'s', strings, NK_COUNT(strings)},       {'e', entity_forms, NK_COUNT(entity_forms)},
               {'c', set_forms, NK_COUNT(set_forms)},             {'r', records, NK_COUNT(records)},
               {'x', anything, NK_COUNT(anything)},     {'v', variables, NK_COUNT(variables)},
               {'a', attributes, NK_COUNT(attributes)}, {'l', constants, NK_COUNT(constants)}};
    for (size_t i = 0; i < NK_COUNT(all); i++)
        if (all[i].hole == hole)
            put_one_of(b, d, all[i].from, all[i].n, depth);
    if (hole == 'u')
        put_uid(b, d);
    if (hole == 't')
        nk_buf_printf(b, "%s", random_type(d));
    if (hole == 'd')
        nk_buf_printf(b, "%u", roll(d, 3));
}

static void put_piece(struct nk_buf *b, struct dice *d, const char *piece, unsigned depth)
{
    for (; *piece; piece++)
        if (*piece == '%')
            fill(b, d, *++piece, depth);
        else
            nk_buf_add_char(b, *piece);
}

static void put_condition(struct nk_buf *b, struct dice *d)
{
    bool unless = roll(d, 4) == 0;
    nk_buf_add(b, unless ? NK_STR(" unless { ") : NK_STR(" when { "));
    for (uint32_t n = roll(d, 3); n > 0; n--) {
        put_one_of(b, d, bools + 2, NK_COUNT(bools) - 2, 1);
        nk_buf_add(b, unless ? NK_STR(" || ") : NK_STR(" && "));
    }
    put_one_of(b, d, bools, NK_COUNT(bools), 0);
    nk_buf_add(b, NK_STR(" }"));
}

/* Policy text, `n` policies. */
static void put_policies(struct nk_buf *b, struct dice *d, uint32_t n)
{
    for (; n > 0; n--) {
        nk_buf_add(b, roll(d, 3) ? NK_STR("permit (") : NK_STR("forbid ("));
        put_scope(b, d, "principal");
        nk_buf_add(b, NK_STR(", "));
        put_action_scope(b, d);
        nk_buf_add(b, NK_STR(", "));
        put_scope(b, d, "resource");
        nk_buf_add_char(b, ')');
        for (uint32_t conditions = roll(d, 3); conditions > 0; conditions--)
            put_condition(b, d);
        nk_buf_add(b, NK_STR(";\n"));
    }
}

/* Entities and requests ------------------------------------------------------------------------ */

static const struct nk_cedar_value *random_value(struct nk_arena *a, struct dice *d)
{
    static const char *const texts[] = {"x", "y", "z"};
    const struct nk_cedar_value *items[2];
    switch (roll(d, 6)) {
    case 0:
        return nk_cedar_bool(a, roll(d, 2));
    case 1:
        return nk_cedar_entity(a, (struct nk_cedar_uid){nk_str(random_type(d)),
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
static struct nk_cedar_entities *random_entities(struct nk_arena *a, struct dice *d,
                                                 const struct nk_cedar_entities *below)
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
