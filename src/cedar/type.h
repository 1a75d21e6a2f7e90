/* SPDX-License-Identifier: Apache-2.0
 *
 * type.h - the types of Cedar as the validator knows them. Equal types are one object (they are
 * interned), so that most questions about two types are one comparison of pointers.
 *
 *   never                        below all types: the items of []
 *   true, false                  of a bool whose value is known; both below bool
 *   bool, long, string           as they are
 *   ext                          decimal, ipaddr, datetime, duration
 *   set                          of `element`; NULL: of anything (only as what is expected)
 *   record                       attributes sorted by cedar_name_cmp; open: there may be more
 *   entity                       of one of `entities`, sorted by index; one only in strict mode
 *   any entity                   above all entity types
 *
 * The rules are those of the reference implementation's validator (cedar-policy/cedar,
 * cedar-policy-core/src/validator/types.rs) and of its formal model (cedar-policy/cedar-spec,
 * cedar-lean/Cedar/Validation): docs.cedarpolicy.com, "Policy validation".
 */
#pragma once

#include "cedar/value.h"

enum {
    CEDAR_TYPE_DEPTH = 300, /* most types inside each other, common types resolved */
    CEDAR_TYPE_SHOWN = 120, /* about as many bytes of a type are shown in a message */
};

enum cedar_type_kind {
    CEDAR_TYPE_NEVER,
    CEDAR_TYPE_TRUE,
    CEDAR_TYPE_FALSE,
    CEDAR_TYPE_BOOL,
    CEDAR_TYPE_LONG,
    CEDAR_TYPE_STRING,
    CEDAR_TYPE_ANY_ENTITY,
    CEDAR_TYPE_EXT,
    CEDAR_TYPE_SET,
    CEDAR_TYPE_RECORD,
    CEDAR_TYPE_ENTITY,
};

struct cedar_etype; /* schema_model.h */

struct cedar_type {
    uint8_t kind;   /* enum cedar_type_kind */
    uint8_t ext;    /* EXT: enum cedar_kind */
    bool open;      /* RECORD */
    uint16_t depth; /* 1 + the deepest inside */
    uint32_t n;     /* attributes, entities */
    uint64_t hash;
    union {
        const struct cedar_type *element;
        const struct cedar_type_attr *attrs;
        const struct cedar_etype *const *entities;
    } of;
};

struct cedar_type_attr {
    struct nk_str name;
    const struct cedar_type *type;
    bool required;
};

/* The types that have one object in the whole program. */
extern const struct cedar_type cedar_type_never, cedar_type_true, cedar_type_false, cedar_type_bool,
    cedar_type_long, cedar_type_string, cedar_type_any_entity, cedar_type_any_set,
    cedar_type_any_record;

/* Types made so far; those of a schema lie below those of one validation. */
struct cedar_types {
    struct nk_arena *arena;
    const struct cedar_types *below; /* or NULL */
    const struct cedar_type **slots; /* open addressing */
    size_t n, cap;
    struct cedar_type_pair
        *pairs;         /* what was compared last, so that shared parts are compared once */
    bool out_of_memory; /* a type could not be made for want of memory */
};

const struct cedar_type *cedar_type_ext(enum cedar_kind kind);
/* Interned types; NULL: no memory, or nested too deeply. */
const struct cedar_type *cedar_type_set(struct cedar_types *t, const struct cedar_type *element);
/* attrs: sorted by cedar_name_cmp, unique; copied. */
const struct cedar_type *cedar_type_record(struct cedar_types *t,
                                           const struct cedar_type_attr *attrs, uint32_t n,
                                           bool open);
/* entities: sorted by index, unique; copied. */
const struct cedar_type *cedar_type_entity(struct cedar_types *t,
                                           const struct cedar_etype *const *entities, uint32_t n);
const struct cedar_type_attr *cedar_type_attr(const struct cedar_type *record, struct nk_str name);

/* The least type above both; NULL when there is none (or memory is out). One `t` serves one mode. */
const struct cedar_type *cedar_type_join(struct cedar_types *t, const struct cedar_type *a,
                                         const struct cedar_type *b, bool strict);
/* Entity types that have no member in common: == is false. */
bool cedar_type_disjoint(const struct cedar_type *a, const struct cedar_type *b);
/* "Set<User>", "{ name: String, age?: Long }", cut when long; absent without memory. */
struct nk_str cedar_type_name(const struct cedar_type *type, struct nk_arena *a);
