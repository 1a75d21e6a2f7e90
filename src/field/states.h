/* SPDX-License-Identifier: Apache-2.0
 *
 * states.h - private to field: all paths of a tool, or all of its output schema, as one automaton over the steps
 * from a value to its parts. One state stands for a set of places that are still open ("in the middle of rule 3,
 * at the end of rule 5"), so that a walk over a result carries one number, whatever the count of
 * rules. State 0 is the one from which nothing is reached; a walk looks below a state only for classes that are
 * denied.
 */
#pragma once

#include "field/path.h"

/* What is done where a state has been reached. */
struct field_action {
    enum nk_field_hide hide;
    uint8_t class_number;
    struct nk_str with; /* JSON, NK_FIELD_REPLACE */
};

struct field_edge {
    struct nk_str name; /* absent: an element */
    uint32_t index;
    uint32_t to;
};

struct field_state {
    const struct field_edge *names; /* members that are told apart, by length, then bytes */
    const struct field_edge *items; /* elements, by index */
    const uint16_t *actions;        /* what ends here, what shows least first */
    uint64_t classes;               /* of what ends here, */
    uint64_t below;                 /* and of what ends further down */
    uint64_t name_bits;             /* field_name_bit of all names */
    uint32_t name_count, item_count, action_count;
    uint32_t other_name, other_item; /* where all other members and elements lead */
};

struct field_states {
    const struct field_state *at; /* 0: nothing below; 1: the root */
    uint32_t n;
    const struct field_action *actions;
};

enum { FIELD_NOWHERE, FIELD_ROOT };

static inline uint64_t field_name_bit(struct nk_str name)
{
    size_t first = name.n ? (unsigned char)name.p[0] : 0;
    return (uint64_t)1 << ((name.n + first * 3 + (name.n ? (unsigned char)name.p[name.n - 1] : 0)) &
                           63);
}

/* From state s over the member whose name is entry `name`. */
uint32_t field_states_member(const struct field_states *m, uint32_t s, const struct nk_json *doc,
                             uint32_t name);
uint32_t field_states_element(const struct field_states *m, uint32_t s, uint32_t index);

/* A set of open places, ascending. */
struct field_set {
    uint32_t *at;
    uint32_t n, cap;
};
/* Adds a place; NK_ENOMEM, NK_ELIMIT. */
int field_set_add(struct field_set *set, uint32_t place, struct nk_arena *a) NK_CHECKED;
bool field_set_has(const struct field_set *set, uint32_t place);

/* A way down. With `name` present a member of that name; with index not FIELD_NO_INDEX that element; otherwise a
 * member or an element that no set of symbols names. */
struct field_symbol {
    struct nk_str name;
    uint32_t index;
    bool item;
};

struct field_symbols {
    struct field_symbol *at;
    uint32_t n, cap;
    struct nk_arena *arena;
};
int field_symbols_add(struct field_symbols *list, const struct field_symbol *s) NK_CHECKED;

/* Where an automaton comes from. */
struct field_source {
    const struct field_action *actions;
    struct field_set start;
    /* Adds the ways down that the places of `set` tell apart. */
    int (*symbols)(const struct field_source *, const struct field_set *set,
                   struct field_symbols *out);
    /* Where `set` leads on that way; memory from `a`. */
    int (*step)(const struct field_source *, const struct field_set *set,
                const struct field_symbol *s, struct nk_arena *a, struct field_set *out);
    /* The action that a place stands for, or -1. */
    int (*action)(const struct field_source *, uint32_t place);
};

/* NK_ELIMIT when it comes to too many states, NK_ENOMEM, or what the source says. */
int field_states_build(const struct field_source *source, struct nk_arena *a,
                       struct field_states *out, struct nk_fault *f) NK_CHECKED;

/* The automaton of `n` paths; actions[i] is done where paths[i] ends. */
int field_states_of_paths(const struct field_path *paths, const struct field_action *actions,
                          size_t n, struct nk_arena *a, struct field_states *out,
                          struct nk_fault *f) NK_CHECKED;
/* The automaton that drops what a schema does not speak of. */
int field_states_of_schema(const struct nk_json *schema, struct nk_arena *a,
                           struct field_states *out, struct nk_fault *f) NK_CHECKED;
