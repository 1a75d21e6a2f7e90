/* SPDX-License-Identifier: Apache-2.0
 *
 * index.h - a policy set made ready to decide: a tree in which every step is one that a request
 * takes as well, so that a request meets the policies that its scope matches, and no others.
 *
 *   action term -> principal term -> resource term -> what an attribute must equal … -> rules
 *
 * A *term* is one form of scope for one variable (any, == uid, in uid, is T, is T in uid, in [ … ]),
 * numbered once however many policies have it. A request finds the terms that match by hash: its
 * own uid, its ancestors and its type name them.
 *
 * Leading tests of a policy take part. `principal in X`, `action == A`, `resource is T` on a variable
 * whose scope is open are its scope: they cannot err. Behind the scope come *guards*, leading tests
 * of the form `var.name == constant` or `var.name.contains(constant)`, alone or behind `var has
 * name`: policies that differ in the constant alone are one *family*, and the request's value leads
 * to the members that it satisfies. When there is no such value, each policy of the family errs
 * alike, or, behind `has`, none holds: exactly what asking one after the other would have found.
 */
#pragma once

#include "cedar/code.h"
#include "cedar/slots.h"

enum {
    CEDAR_LEVELS = 3,    /* of terms: action, principal, resource */
    CEDAR_GUARDS = 64,   /* most different attributes that guard */
    CEDAR_GUARD_ROW = 3, /* most guards in a row of one policy */
    CEDAR_FEW = 8,       /* children that are faster looked through than looked up */
};

/* A policy, as far as a decision needs it: the policy itself, which is far away, is not looked at. */
struct cedar_rule {
    const struct cedar_policy *policy;
    uint32_t code;       /* what is left to ask: a number; 0: nothing */
    uint32_t at : 31;    /* in order of loading */
    uint32_t forbid : 1; /* as the policy says */
};

/* What policies ask; those that ask the same share it, and a request asks it once. */
struct cedar_code {
    const struct cedar_op *ops;
    uint32_t places; /* of the stack, see cedar_run */
    uint32_t users;  /* policies */
};

/* A place of the tree. Its children stand side by side, and so do its rules. */
struct cedar_spot {
    uint32_t first, children; /* spots from `first` on */
    uint32_t from, to;        /* rules */
};

/* The way from a spot with many children to one of them. */
struct cedar_edge {
    uint32_t parent, label;
    uint32_t spot; /* 0: a free place */
};

/* One form of scope; term 0 is "any", for all variables. */
struct cedar_term {
    uint8_t kind; /* enum cedar_scope_kind */
    uint8_t var;  /* enum cedar_var */
    uint32_t n;
    const struct cedar_uid *uids;
    struct nk_str type; /* absent: any */
};

/* What a uid, or an entity type, says about terms. */
struct cedar_key {
    struct cedar_uid uid;
    bool is_type; /* a type alone: the id is empty */
    struct {
        uint32_t self;     /* the term of == uid, or is T; 0: none */
        uint32_t from, to; /* in `within`: terms with `in` this uid; CEDAR_TYPED: and a type */
    } of[CEDAR_LEVELS];
};

static const uint32_t CEDAR_TYPED = 1u << 31;

enum cedar_guard_mode { CEDAR_EQUALS, CEDAR_HAS_EQUALS, CEDAR_HOLDS, CEDAR_HAS_HOLDS };

struct cedar_guard { /* var.name; a family's label is 4 * guard + mode */
    enum cedar_var var;
    struct nk_str name;
};

struct cedar_index {
    const struct cedar_rule *rules;
    const struct cedar_code *codes; /* by number; [0] is not used */
    const struct cedar_spot *spots; /* [0]: the root */
    const uint32_t *labels;         /* of each spot: what it hangs on */
    const struct cedar_edge
        *edges; /* open addressing: children of spots with more than CEDAR_FEW */
    uint32_t edge_mask;
    const struct cedar_term *terms;
    const struct cedar_key *keys;               /* by number; [0] is not used */
    const uint32_t *within;                     /* see struct cedar_key */
    const struct nk_cedar_value *const *values; /* constants by number; [0] is not used */
    const struct cedar_guard *guards;
    struct cedar_slots by_key, by_value; /* -> keys, values */
    bool types[CEDAR_LEVELS];            /* some term of this variable is "is T" */
};

/* Makes the index of a set in its arena. 0, NK_ENOMEM or NK_ELIMIT. */
int cedar_index_new(const struct nk_cedar_policies *p, const struct cedar_index **out) NK_CHECKED;

struct cedar_wanted_key {
    const struct cedar_key *keys;
    const struct cedar_uid *uid;
    bool is_type;
};

static inline bool cedar_same_key(const void *what, uint32_t number)
{
    const struct cedar_wanted_key *wanted = what;
    const struct cedar_key *key = &wanted->keys[number];
    return key->is_type == wanted->is_type && cedar_uid_eq(&key->uid, wanted->uid);
}

/* Looking up: 0 when there is none. The hash is that of the uid, which is looked at only when a key
 * has the same. */
static inline uint32_t cedar_index_key(const struct cedar_index *index, uint64_t hash,
                                       const struct cedar_uid *uid, bool is_type)
{
    struct cedar_wanted_key wanted = {index->keys, uid, is_type};
    return cedar_slots_at(&index->by_key, (uint32_t)hash, cedar_same_key, &wanted)->number;
}
static inline uint32_t cedar_edge_hash(uint32_t parent, uint32_t label)
{
    uint64_t h = ((uint64_t)parent << 32 | label) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32);
}
/* The child of a spot with more than CEDAR_FEW. */
static inline uint32_t cedar_index_edge(const struct cedar_index *index, uint32_t parent,
                                        uint32_t label)
{
    uint32_t at = cedar_edge_hash(parent, label) & index->edge_mask;
    const struct cedar_edge *edge = &index->edges[at];
    while (edge->spot && (edge->parent != parent || edge->label != label))
        edge = &index->edges[at = (at + 1) & index->edge_mask];
    return edge->spot;
}
