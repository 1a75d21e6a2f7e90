/* SPDX-License-Identifier: Apache-2.0
 *
 * value.h - Cedar values inside the module. A value never changes once it is made and is passed by
 * pointer, so that a value of the configuration, of an entity and of a request are the same thing.
 *
 *   bool, long, string                 as they are
 *   entity                             type, id and the hash of both
 *   set                                items sorted by cedar_value_cmp, without doubles
 *   record                             members sorted by cedar_name_cmp, names unique
 *   decimal, ip, datetime, duration    one integer, or an address with its prefix length
 *
 * Sets and records are sorted once, when they are made: equality is then one walk, `contains` a
 * binary search, and the answer cannot depend on the order in which somebody wrote them.
 */
#pragma once

#include "cedar/cedar.h"

enum cedar_kind {
    CEDAR_BOOL,
    CEDAR_LONG,
    CEDAR_STRING,
    CEDAR_ENTITY,
    CEDAR_SET,
    CEDAR_RECORD,
    CEDAR_DECIMAL, /* number = value * 10^4 */
    CEDAR_IP,
    CEDAR_DATETIME, /* number = milliseconds since 1970-01-01T00:00:00Z */
    CEDAR_DURATION, /* number = milliseconds */
};

enum {
    CEDAR_VALUE_DEPTH = 1000, /* most levels of sets and records in one value */
    CEDAR_VALUE_ITEMS = 1 << 26,
};

/* A uid and its hash: comparing hashes first settles almost every comparison. */
struct cedar_uid {
    struct nk_cedar_uid uid;
    uint64_t hash;
};

struct cedar_ip {
    uint8_t bytes[16]; /* network order; IPv4 uses the first four, the rest is zero */
    uint8_t prefix;    /* 0..32 or 0..128 */
    bool v6;
};

struct nk_cedar_value {
    uint8_t kind;   /* enum cedar_kind */
    uint16_t depth; /* 0 for scalars, otherwise 1 + the deepest item */
    uint32_t n;     /* items of a set, members of a record */
    union {
        bool truth;
        int64_t number;
        struct nk_str string;
        struct cedar_uid entity;
        struct cedar_ip ip;
        const struct nk_cedar_value *const *items;
        const struct nk_cedar_member *members;
    } as;
};

extern const struct nk_cedar_value cedar_true, cedar_false, cedar_empty_record;

struct cedar_uid cedar_uid(struct nk_cedar_uid uid);

static inline bool cedar_same(struct nk_str a, struct nk_str b)
{
    return a.n == b.n && (a.p == b.p || nk_same(a.p, b.p, b.n));
}

static inline bool cedar_uid_eq(const struct cedar_uid *a, const struct cedar_uid *b)
{
    return a->hash == b->hash && cedar_same(a->uid.id, b->uid.id) &&
           cedar_same(a->uid.type, b->uid.type);
}

/* Some total order (by hash, then by content). */
int cedar_uid_cmp(const struct cedar_uid *a, const struct cedar_uid *b);

/* A total order over all values, in which 0 means Cedar's ==. */
int cedar_value_cmp(const struct nk_cedar_value *a, const struct nk_cedar_value *b);
/* Shorter first, then by bytes: the order of record members. */
static inline int cedar_name_cmp(struct nk_str a, struct nk_str b)
{
    if (a.n != b.n)
        return a.n < b.n ? -1 : 1;
    return a.n ? memcmp(a.p, b.p, a.n) : 0;
}

/* A new value that holds one integer (long, decimal, datetime, duration); NULL: no memory. */
const struct nk_cedar_value *cedar_number(struct nk_arena *a, enum cedar_kind kind, int64_t v);

/* Makes a set of copies of the n pointers. 0, NK_ENOMEM, or NK_ELIMIT (too deep, too many). */
int cedar_set_new(struct nk_arena *a, const struct nk_cedar_value *const *items, size_t n,
                  const struct nk_cedar_value **out) NK_CHECKED;
bool cedar_set_has(const struct nk_cedar_value *set, const struct nk_cedar_value *item);
/* Does `set` hold all items, or any item, of `of`? */
bool cedar_set_has_all(const struct nk_cedar_value *set, const struct nk_cedar_value *of);
bool cedar_set_has_any(const struct nk_cedar_value *set, const struct nk_cedar_value *of);

/* Makes a record. 0, NK_ENOMEM, NK_ELIMIT, or NK_ECONFLICT (the same name twice). */
int cedar_record_new(struct nk_arena *a, const struct nk_cedar_member *members, size_t n,
                     const struct nk_cedar_value **out) NK_CHECKED;
/* The member's value or NULL. */
const struct nk_cedar_value *cedar_record_get(const struct nk_cedar_value *record,
                                              struct nk_str name);
