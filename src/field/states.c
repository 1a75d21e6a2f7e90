/* SPDX-License-Identifier: Apache-2.0
 *
 * states.c - the automaton: every set of places that can be open at once becomes a state (the subset
 * construction), beginning with the root. Rules with several ".." and "*" can come to very many sets; what comes
 * to more than is stated is refused when it is loaded, never found out by a result.
 */
#include "field/states.h"

#include <stdlib.h>

#include "base/map.h"

enum { PLACES_MAX = 4096, SYMBOLS_MAX = 4096, EDGES_MAX = 1 << 16, SCRATCH = 256 << 20 };

/* Walking -------------------------------------------------------------------------------------- */

/* A name with escapes is compared with each edge; no memory is taken. */
static uint32_t escaped_member(const struct field_state *s, const struct nk_json *doc,
                               uint32_t name)
{
    for (uint32_t i = 0; i < s->name_count; i++)
        if (nk_json_is(doc, name, s->names[i].name))
            return s->names[i].to;
    return s->other_name;
}

uint32_t field_states_member(const struct field_states *m, uint32_t state,
                             const struct nk_json *doc, uint32_t entry)
{
    const struct field_state *s = &m->at[state];
    const struct nk_json_value *v = &doc->tape[entry];
    if (s->name_count == 0)
        return s->other_name;
    if (v->escaped)
        return escaped_member(s, doc, entry);
    struct nk_str name = nk_str_sub(doc->text, v->start + 1, v->end - 1);
    if (!(s->name_bits & field_name_bit(name)))
        return s->other_name;
    uint32_t low = 0, high = s->name_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (s->names[middle].name.n < name.n)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < s->name_count && s->names[low].name.n == name.n; low++)
        if (nk_same(s->names[low].name.p, name.p, name.n))
            return s->names[low].to;
    return s->other_name;
}

uint32_t field_states_element(const struct field_states *m, uint32_t state, uint32_t index)
{
    const struct field_state *s = &m->at[state];
    for (uint32_t i = 0; i < s->item_count && s->items[i].index <= index; i++)
        if (s->items[i].index == index)
            return s->items[i].to;
    return s->other_item;
}

/* Sets and symbols ----------------------------------------------------------------------------- */

bool field_set_has(const struct field_set *set, uint32_t place)
{
    for (uint32_t i = 0; i < set->n && set->at[i] <= place; i++)
        if (set->at[i] == place)
            return true;
    return false;
}

int field_set_add(struct field_set *set, uint32_t place, struct nk_arena *a)
{
    uint32_t at = set->n;
    while (at > 0 && set->at[at - 1] > place)
        at--;
    if (at > 0 && set->at[at - 1] == place)
        return 0;
    if (set->n == PLACES_MAX)
        return NK_ELIMIT;
    if (set->n == set->cap) {
        uint32_t cap = set->cap ? set->cap * 2 : 8;
        uint32_t *more = nk_arena_array(a, cap, sizeof *more);
        if (!more)
            return NK_ENOMEM;
        if (set->n)
            memcpy(more, set->at, set->n * sizeof *more);
        set->at = more;
        set->cap = cap;
    }
    memmove(set->at + at + 1, set->at + at, (set->n - at) * sizeof *set->at);
    set->at[at] = place;
    set->n++;
    return 0;
}

int field_symbols_add(struct field_symbols *list, const struct field_symbol *s)
{
    for (uint32_t i = 0; i < list->n; i++) {
        const struct field_symbol *have = &list->at[i];
        if (have->item == s->item &&
            (s->item ? have->index == s->index : nk_str_eq(have->name, s->name)))
            return 0;
    }
    if (list->n == SYMBOLS_MAX)
        return NK_ELIMIT;
    if (list->n == list->cap) {
        uint32_t cap = list->cap ? list->cap * 2 : 16;
        struct field_symbol *more = nk_arena_array(list->arena, cap, sizeof *more);
        if (!more)
            return NK_ENOMEM;
        if (list->n)
            memcpy(more, list->at, list->n * sizeof *more);
        list->at = more;
        list->cap = cap;
    }
    list->at[list->n++] = *s;
    return 0;
}

/* Building ------------------------------------------------------------------------------------- */

struct building {
    const struct field_source *source;
    struct nk_arena *arena;  /* of what stays */
    struct nk_arena scratch; /* of what does not */
    struct nk_map known;     /* a set's bytes -> a state; the value is its address in states[] */
    struct field_set sets[NK_FIELD_STATES_MAX];
    struct field_state states[NK_FIELD_STATES_MAX];
    uint32_t n, edges;
};

/* The number of the state that stands for a set, made if it is new. */
static int state_of(struct building *b, const struct field_set *set, uint32_t *out)
{
    struct nk_str key = {(const char *)set->at, set->n * sizeof *set->at};
    *out = FIELD_NOWHERE;
    if (set->n == 0)
        return 0;
    struct field_state *have = nk_map_get(&b->known, key);
    if (have) {
        *out = (uint32_t)(have - b->states);
        return 0;
    }
    if (b->n == NK_FIELD_STATES_MAX)
        return NK_ELIMIT;
    b->sets[b->n] = *set;
    *out = b->n++;
    return nk_map_put(&b->known, key, &b->states[*out]);
}

static int edge_order(const void *x, const void *y)
{
    const struct field_edge *a = x, *b = y;
    if (!a->name.p != !b->name.p)
        return a->name.p ? -1 : 1; /* members before elements */
    if (!a->name.p)
        return a->index < b->index ? -1 : a->index > b->index;
    if (a->name.n != b->name.n)
        return a->name.n < b->name.n ? -1 : 1;
    return nk_str_cmp(a->name, b->name);
}

static int follow(struct building *b, const struct field_set *set, const struct field_symbol *s,
                  uint32_t *to)
{
    struct field_set next = {0};
    int rc = b->source->step(b->source, set, s, &b->scratch, &next);
    return rc ? rc : state_of(b, &next, to);
}

/* The ways down from state `number`. Those that lead where all others lead are left out. */
static int fill_edges(struct building *b, uint32_t number)
{
    const struct field_set set = b->sets[number];
    struct field_state *s = &b->states[number];
    struct field_symbols symbols = {.arena = &b->scratch};
    const struct field_symbol any_name = {.index = FIELD_NO_INDEX};
    const struct field_symbol any_item = {.index = FIELD_NO_INDEX, .item = true};
    int rc = b->source->symbols(b->source, &set, &symbols);
    rc = rc ? rc : follow(b, &set, &any_name, &s->other_name);
    rc = rc ? rc : follow(b, &set, &any_item, &s->other_item);
    if (rc)
        return rc;
    struct field_edge *edges = nk_arena_array(&b->scratch, symbols.n, sizeof *edges);
    uint32_t n = 0, names = 0;
    if (!edges)
        return NK_ENOMEM;
    for (uint32_t i = 0; i < symbols.n; i++) {
        const struct field_symbol *symbol = &symbols.at[i];
        uint32_t to;
        rc = follow(b, &set, symbol, &to);
        if (rc)
            return rc;
        if (to == (symbol->item ? s->other_item : s->other_name))
            continue;
        edges[n] = (struct field_edge){.index = symbol->index, .to = to};
        if (!symbol->item) {
            edges[n].name = nk_arena_copy(b->arena, symbol->name);
            if (!edges[n].name.p)
                return NK_ENOMEM;
            s->name_bits |= field_name_bit(symbol->name);
            names++;
        }
        n++;
    }
    if (n > EDGES_MAX - b->edges)
        return NK_ELIMIT;
    b->edges += n;
    qsort(edges, n, sizeof *edges, edge_order);
    struct field_edge *kept = nk_arena_array(b->arena, n, sizeof *kept);
    if (!kept)
        return NK_ENOMEM;
    memcpy(kept, edges, n * sizeof *kept);
    s->names = kept;
    s->items = kept + names;
    s->name_count = names;
    s->item_count = n - names;
    return 0;
}

/* What ends in state `number`: insertion keeps what shows least in front, and the earlier rule of two. */
static int fill_actions(struct building *b, uint32_t number)
{
    const struct field_set *set = &b->sets[number];
    struct field_state *s = &b->states[number];
    const struct field_action *all = b->source->actions;
    uint16_t found[NK_FIELD_RULES_MAX];
    uint32_t n = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        int action = b->source->action(b->source, set->at[i]);
        if (action < 0)
            continue;
        uint32_t at = n++;
        NK_MUST(n <= NK_FIELD_RULES_MAX);
        s->classes |= (uint64_t)1 << all[action].class_number;
        for (; at > 0 && all[found[at - 1]].hide > all[action].hide; at--)
            found[at] = found[at - 1];
        found[at] = (uint16_t)action;
    }
    uint16_t *kept = nk_arena_array(b->arena, n, sizeof *kept);
    if (!kept)
        return NK_ENOMEM;
    memcpy(kept, found, n * sizeof *kept);
    s->actions = kept;
    s->action_count = n;
    return 0;
}

/* The classes that can be reached from a state, found by going over all states until nothing is new. */
static void fill_below(struct building *b)
{
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = FIELD_ROOT; i < b->n; i++) {
            struct field_state *s = &b->states[i];
            const struct field_state *name = &b->states[s->other_name];
            const struct field_state *item = &b->states[s->other_item];
            uint64_t below = s->below | name->classes | name->below | item->classes | item->below;
            for (uint32_t k = 0; k < s->name_count + s->item_count; k++) {
                const struct field_state *to = &b->states[s->names[k].to];
                below |= to->classes | to->below;
            }
            again |= below != s->below;
            s->below = below;
        }
    }
}

static int build(struct building *b)
{
    uint32_t root;
    b->n = FIELD_ROOT; /* 0 is nowhere */
    int rc = state_of(b, &b->source->start, &root);
    if (rc)
        return rc;
    for (uint32_t i = FIELD_ROOT; i < b->n; i++) {
        rc = fill_edges(b, i);
        rc = rc ? rc : fill_actions(b, i);
        if (rc)
            return rc;
    }
    fill_below(b);
    return 0;
}

int field_states_build(const struct field_source *source, struct nk_arena *a,
                       struct field_states *out, struct nk_fault *f)
{
    static const uint64_t seed[2] = {0, 0}; /* the sets are ours */
    struct nk_arena own;
    nk_arena_init(&own, SCRATCH);
    struct building *b = nk_arena_alloc(&own, sizeof *b);
    int rc = b ? 0 : NK_ENOMEM;
    if (b) {
        b->source = source;
        b->arena = a;
        nk_arena_init(&b->scratch, SCRATCH);
        nk_map_init(&b->known, &b->scratch, seed);
        rc = build(b);
    }
    struct field_state *kept = rc ? NULL : nk_arena_array(a, b->n, sizeof *kept);
    if (kept) {
        memcpy(kept, b->states, b->n * sizeof *kept);
        *out = (struct field_states){kept, b->n, source->actions};
    }
    rc = rc || kept ? rc : NK_ENOMEM;
    if (b)
        nk_arena_free(&b->scratch);
    nk_arena_free(&own);
    if (rc == NK_ELIMIT)
        return nk_fault_set(
            f, rc, "field", 0,
            "the fields (or the output schema) come to more than %d states: write fewer of "
            "them with '..' and '*'",
            NK_FIELD_STATES_MAX);
    return rc == NK_ENOMEM ? nk_fault_set(f, rc, "field", 0, "out of memory") : rc;
}
