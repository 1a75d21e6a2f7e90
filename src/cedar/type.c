/* SPDX-License-Identifier: Apache-2.0
 *
 * type.c - types: one object for equal ones, what is below what, and least upper bounds. See type.h.
 */
#include "cedar/schema_model.h"

#include <stdlib.h>

const struct cedar_type cedar_type_never = {.kind = CEDAR_TYPE_NEVER, .depth = 1, .hash = 1};
const struct cedar_type cedar_type_true = {.kind = CEDAR_TYPE_TRUE, .depth = 1, .hash = 2};
const struct cedar_type cedar_type_false = {.kind = CEDAR_TYPE_FALSE, .depth = 1, .hash = 3};
const struct cedar_type cedar_type_bool = {.kind = CEDAR_TYPE_BOOL, .depth = 1, .hash = 4};
const struct cedar_type cedar_type_long = {.kind = CEDAR_TYPE_LONG, .depth = 1, .hash = 5};
const struct cedar_type cedar_type_string = {.kind = CEDAR_TYPE_STRING, .depth = 1, .hash = 6};
const struct cedar_type cedar_type_any_entity = {
    .kind = CEDAR_TYPE_ANY_ENTITY, .depth = 1, .hash = 7};
const struct cedar_type cedar_type_any_set = {.kind = CEDAR_TYPE_SET, .depth = 1, .hash = 8};
const struct cedar_type cedar_type_any_record = {
    .kind = CEDAR_TYPE_RECORD, .open = true, .depth = 1, .hash = 9};

static const struct cedar_type ext_types[] = {
    {.kind = CEDAR_TYPE_EXT, .ext = CEDAR_DECIMAL, .depth = 1, .hash = 10},
    {.kind = CEDAR_TYPE_EXT, .ext = CEDAR_IP, .depth = 1, .hash = 11},
    {.kind = CEDAR_TYPE_EXT, .ext = CEDAR_DATETIME, .depth = 1, .hash = 12},
    {.kind = CEDAR_TYPE_EXT, .ext = CEDAR_DURATION, .depth = 1, .hash = 13},
};

enum { FIRST_CAP = 64, PAIRS = 1024 };

/* Two types and what is known of them: is a below b, and what is above both? */
struct cedar_type_pair {
    const struct cedar_type *a, *b, *join;
    uint8_t below; /* 0: not known, 1: no, 2: yes */
    bool joined;
};

const struct cedar_type *cedar_type_ext(enum cedar_kind kind)
{
    NK_MUST(kind >= CEDAR_DECIMAL && kind <= CEDAR_DURATION);
    return &ext_types[kind - CEDAR_DECIMAL];
}

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* Parts of a type are interned before it, so pointers tell whether they are equal. */
static bool same(const struct cedar_type *a, const struct cedar_type *b)
{
    if (a->hash != b->hash || a->kind != b->kind || a->n != b->n || a->open != b->open)
        return false;
    if (a->kind == CEDAR_TYPE_SET)
        return a->of.element == b->of.element;
    if (a->kind == CEDAR_TYPE_ENTITY)
        return memcmp(a->of.entities, b->of.entities, a->n * sizeof *a->of.entities) == 0;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct cedar_type_attr *x = &a->of.attrs[i], *y = &b->of.attrs[i];
        if (x->type != y->type || x->required != y->required || !nk_str_eq(x->name, y->name))
            return false;
    }
    return true;
}

static const struct cedar_type **find(const struct cedar_types *t, const struct cedar_type *type)
{
    size_t at = (size_t)type->hash & (t->cap - 1);
    while (t->slots[at] && !same(t->slots[at], type))
        at = (at + 1) & (t->cap - 1);
    return &t->slots[at];
}

static bool grow(struct cedar_types *t)
{
    struct cedar_types bigger = *t;
    bigger.cap = t->cap ? 2 * t->cap : FIRST_CAP;
    bigger.slots = nk_arena_array(t->arena, bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i])
            *find(&bigger, t->slots[i]) = t->slots[i];
    *t = bigger;
    return true;
}

/* The one object of `type`; what it points to is copied when it is new (`size` bytes an item). */
static const struct cedar_type *intern(struct cedar_types *t, const struct cedar_type *type,
                                       size_t size)
{
    if (type->depth > CEDAR_TYPE_DEPTH)
        return NULL;
    if (t->below && t->below->cap) {
        const struct cedar_type *known = *find(t->below, type);
        if (known)
            return known;
    }
    if (2 * (t->n + 1) > t->cap && !grow(t)) {
        t->out_of_memory = true;
        return NULL;
    }
    const struct cedar_type **slot = find(t, type);
    if (*slot)
        return *slot;
    struct cedar_type *own = nk_arena_alloc(t->arena, sizeof *own);
    void *items = size && type->n ? nk_arena_array(t->arena, type->n, size) : NULL;
    if (!own || (size && type->n && !items)) {
        t->out_of_memory = true;
        return NULL;
    }
    *own = *type;
    if (items) {
        memcpy(items, type->of.attrs, type->n * size);
        own->of.attrs = items;
    }
    *slot = own;
    t->n++;
    return own;
}

const struct cedar_type *cedar_type_set(struct cedar_types *t, const struct cedar_type *element)
{
    struct cedar_type type = {.kind = CEDAR_TYPE_SET,
                              .depth = (uint16_t)(element->depth + 1),
                              .hash = mix(CEDAR_TYPE_SET, element->hash),
                              .of = {.element = element}};
    return intern(t, &type, 0);
}

const struct cedar_type *
cedar_type_record(struct cedar_types *t, const struct cedar_type_attr *attrs, uint32_t n, bool open)
{
    struct cedar_type type = {
        .kind = CEDAR_TYPE_RECORD, .depth = 1, .n = n, .open = open, .of = {.attrs = attrs}};
    if (open && n == 0)
        return &cedar_type_any_record;
    type.hash = mix(CEDAR_TYPE_RECORD, open);
    for (uint32_t i = 0; i < n; i++) {
        uint64_t name = cedar_uid((struct nk_cedar_uid){attrs[i].name, NK_STR("")}).hash;
        type.hash = mix(mix(type.hash, name), attrs[i].type->hash + attrs[i].required);
        if (attrs[i].type->depth >= type.depth)
            type.depth = (uint16_t)(attrs[i].type->depth + 1);
    }
    return intern(t, &type, sizeof *attrs);
}

const struct cedar_type *cedar_type_entity(struct cedar_types *t,
                                           const struct cedar_etype *const *entities, uint32_t n)
{
    struct cedar_type type = {
        .kind = CEDAR_TYPE_ENTITY, .depth = 1, .n = n, .of = {.entities = entities}};
    type.hash = mix(CEDAR_TYPE_ENTITY, n);
    for (uint32_t i = 0; i < n; i++)
        type.hash = mix(type.hash, entities[i]->index);
    return intern(t, &type, sizeof(void *));
}

const struct cedar_type_attr *cedar_type_attr(const struct cedar_type *record, struct nk_str name)
{
    uint32_t low = 0, high = record->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        int order = cedar_name_cmp(record->of.attrs[mid].name, name);
        if (order == 0)
            return &record->of.attrs[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* Is each entity type of a one of b? */
static bool subset(const struct cedar_type *a, const struct cedar_type *b)
{
    uint32_t j = 0;
    for (uint32_t i = 0; i < a->n; i++) {
        while (j < b->n && b->of.entities[j]->index < a->of.entities[i]->index)
            j++;
        if (j == b->n || b->of.entities[j] != a->of.entities[i])
            return false;
    }
    return true;
}

/* The place of a pair in the memory of pairs; NULL: there is none. */
static struct cedar_type_pair *pair_of(struct cedar_types *t, const struct cedar_type *a,
                                       const struct cedar_type *b)
{
    if (!t->pairs)
        t->pairs = nk_arena_array(t->arena, PAIRS, sizeof *t->pairs);
    if (!t->pairs)
        return NULL;
    struct cedar_type_pair *p = &t->pairs[mix(mix(1, a->hash), b->hash) % PAIRS];
    if (p->a != a || p->b != b)
        *p = (struct cedar_type_pair){.a = a, .b = b};
    return p;
}

static bool below(struct cedar_types *t, const struct cedar_type *a, const struct cedar_type *b,
                  bool strict);

static bool attr_below(struct cedar_types *t, const struct cedar_type_attr *a,
                       const struct cedar_type_attr *b, bool strict)
{
    bool qualifier = strict ? a->required == b->required : a->required || !b->required;
    return qualifier && below(t, a->type, b->type, strict);
}

/* Open records have more values than closed ones. Width counts only in permissive mode, and only
 * below an open record; otherwise both have the same attributes. */
static bool attrs_below(struct cedar_types *t, const struct cedar_type *a,
                        const struct cedar_type *b, bool strict)
{
    if (a->open && !b->open)
        return false;
    if (a->n != b->n && (strict || !b->open))
        return false;
    for (uint32_t i = 0; i < b->n; i++) {
        const struct cedar_type_attr *mine = cedar_type_attr(a, b->of.attrs[i].name);
        if (!mine || !attr_below(t, mine, &b->of.attrs[i], strict))
            return false;
    }
    return true;
}

static bool record_below(struct cedar_types *t, const struct cedar_type *a,
                         const struct cedar_type *b, bool strict)
{
    struct cedar_type_pair *p = pair_of(t, a, b);
    if (p && p->below)
        return p->below == 2;
    bool is = attrs_below(t, a, b, strict);
    p = pair_of(t, a, b); /* another pair may have taken the place */
    if (p)
        p->below = is ? 2 : 1;
    return is;
}

/* Is a below b? Recursion ends: no type is deeper than CEDAR_TYPE_DEPTH. */
static bool below(struct cedar_types *t, const struct cedar_type *a, const struct cedar_type *b,
                  bool strict)
{
    if (a == b || a->kind == CEDAR_TYPE_NEVER)
        return true;
    switch ((enum cedar_type_kind)b->kind) {
    case CEDAR_TYPE_BOOL:
        return a->kind == CEDAR_TYPE_TRUE || a->kind == CEDAR_TYPE_FALSE;
    case CEDAR_TYPE_SET:
        return a->kind == CEDAR_TYPE_SET &&
               (!b->of.element ||
                (a->of.element && below(t, a->of.element, b->of.element, strict)));
    case CEDAR_TYPE_RECORD:
        return a->kind == CEDAR_TYPE_RECORD && record_below(t, a, b, strict);
    case CEDAR_TYPE_ENTITY:
        return a->kind == CEDAR_TYPE_ENTITY && !strict && subset(a, b);
    case CEDAR_TYPE_ANY_ENTITY:
        return a->kind == CEDAR_TYPE_ENTITY && !strict;
    case CEDAR_TYPE_NEVER:
    case CEDAR_TYPE_TRUE:
    case CEDAR_TYPE_FALSE:
    case CEDAR_TYPE_LONG:
    case CEDAR_TYPE_STRING:
    case CEDAR_TYPE_EXT:
        break;
    }
    return false;
}

static const struct cedar_type *entity_join(struct cedar_types *t, const struct cedar_type *a,
                                            const struct cedar_type *b)
{
    const struct cedar_etype **both = nk_arena_array(t->arena, a->n + b->n, sizeof *both);
    uint32_t n = 0, i = 0, j = 0;
    if (!both) {
        t->out_of_memory = true;
        return NULL;
    }
    while (i < a->n || j < b->n) {
        const struct cedar_etype *x = i < a->n ? a->of.entities[i] : NULL;
        const struct cedar_etype *y = j < b->n ? b->of.entities[j] : NULL;
        bool left = x && (!y || x->index <= y->index), right = y && (!x || y->index <= x->index);
        both[n++] = left ? x : y;
        i += left;
        j += right;
    }
    return cedar_type_entity(t, both, n);
}

static const struct cedar_type *attrs_join(struct cedar_types *t, const struct cedar_type *a,
                                           const struct cedar_type *b, bool strict)
{
    struct cedar_type_attr *attrs = nk_arena_array(t->arena, a->n, sizeof *attrs);
    uint32_t n = 0;
    t->out_of_memory |= !attrs;
    if (!attrs || (strict && a->n != b->n))
        return NULL;
    for (uint32_t i = 0; i < a->n; i++) {
        const struct cedar_type_attr *x = &a->of.attrs[i], *y = cedar_type_attr(b, x->name);
        const struct cedar_type *type = y ? cedar_type_join(t, x->type, y->type, strict) : NULL;
        bool fits = type && !(strict && x->required != y->required);
        if (!fits && strict)
            return NULL;
        if (fits)
            attrs[n++] = (struct cedar_type_attr){x->name, type, x->required && y->required};
    }
    return cedar_type_record(t, attrs, n, a->open || b->open || n != a->n || n != b->n);
}

static const struct cedar_type *record_join(struct cedar_types *t, const struct cedar_type *a,
                                            const struct cedar_type *b, bool strict)
{
    struct cedar_type_pair *p = pair_of(t, a, b);
    if (p && p->joined)
        return p->join;
    const struct cedar_type *join = attrs_join(t, a, b, strict);
    p = pair_of(t, a, b);
    if (p) {
        p->join = join;
        p->joined = true;
    }
    return join;
}

static bool is_bool(const struct cedar_type *t)
{
    return t->kind == CEDAR_TYPE_TRUE || t->kind == CEDAR_TYPE_FALSE || t->kind == CEDAR_TYPE_BOOL;
}

static bool is_entity(const struct cedar_type *t)
{
    return t->kind == CEDAR_TYPE_ENTITY || t->kind == CEDAR_TYPE_ANY_ENTITY;
}

const struct cedar_type *cedar_type_join(struct cedar_types *t, const struct cedar_type *a,
                                         const struct cedar_type *b, bool strict)
{
    if (below(t, a, b, strict))
        return b;
    if (below(t, b, a, strict))
        return a;
    if (is_bool(a) && is_bool(b))
        return &cedar_type_bool;
    if (a->kind == CEDAR_TYPE_SET && b->kind == CEDAR_TYPE_SET) {
        const struct cedar_type *element = cedar_type_join(t, a->of.element, b->of.element, strict);
        return element ? cedar_type_set(t, element) : NULL;
    }
    if (a->kind == CEDAR_TYPE_RECORD && b->kind == CEDAR_TYPE_RECORD)
        return record_join(t, a, b, strict);
    if (strict || !is_entity(a) || !is_entity(b))
        return NULL;
    return entity_join(t, a, b);
}

bool cedar_type_disjoint(const struct cedar_type *a, const struct cedar_type *b)
{
    uint32_t i = 0, j = 0;
    if (a->kind != CEDAR_TYPE_ENTITY || b->kind != CEDAR_TYPE_ENTITY)
        return false;
    while (i < a->n && j < b->n) {
        if (a->of.entities[i] == b->of.entities[j])
            return false;
        if (a->of.entities[i]->index < b->of.entities[j]->index)
            i++;
        else
            j++;
    }
    return true;
}

static void write_type(struct nk_buf *b, const struct cedar_type *t);

static void write_record(struct nk_buf *b, const struct cedar_type *t)
{
    nk_buf_add_char(b, '{');
    for (uint32_t i = 0; i < t->n && b->n < CEDAR_TYPE_SHOWN; i++) {
        nk_buf_add(b, i ? NK_STR(", ") : NK_STR(" "));
        nk_buf_add(b, t->of.attrs[i].name);
        nk_buf_add(b, t->of.attrs[i].required ? NK_STR(": ") : NK_STR("?: "));
        write_type(b, t->of.attrs[i].type);
    }
    nk_buf_add(b, t->open ? NK_STR(", … }") : NK_STR(" }"));
}

/* Stops soon behind CEDAR_TYPE_SHOWN bytes: shared parts of types make them long without end. */
static void write_type(struct nk_buf *b, const struct cedar_type *t)
{
    static const char *const names[] = {
        [CEDAR_TYPE_NEVER] = "nothing",       [CEDAR_TYPE_TRUE] = "Bool (true)",
        [CEDAR_TYPE_FALSE] = "Bool (false)",  [CEDAR_TYPE_BOOL] = "Bool",
        [CEDAR_TYPE_LONG] = "Long",           [CEDAR_TYPE_STRING] = "String",
        [CEDAR_TYPE_ANY_ENTITY] = "an entity"};
    static const char *const exts[] = {"decimal", "ipaddr", "datetime", "duration"};
    if (b->n >= CEDAR_TYPE_SHOWN) {
        nk_buf_add(b, NK_STR("…"));
    } else if (t->kind <= CEDAR_TYPE_ANY_ENTITY) {
        nk_buf_add(b, nk_str(names[t->kind]));
    } else if (t->kind == CEDAR_TYPE_EXT) {
        nk_buf_add(b, nk_str(exts[t->ext - CEDAR_DECIMAL]));
    } else if (t->kind == CEDAR_TYPE_RECORD) {
        write_record(b, t);
    } else if (t->kind == CEDAR_TYPE_SET && !t->of.element) {
        nk_buf_add(b, NK_STR("a set"));
    } else if (t->kind == CEDAR_TYPE_SET) {
        nk_buf_add(b, NK_STR("Set<"));
        write_type(b, t->of.element);
        nk_buf_add_char(b, '>');
    } else {
        for (uint32_t i = 0; i < t->n && b->n < CEDAR_TYPE_SHOWN; i++) {
            nk_buf_add(b, i ? NK_STR(" or ") : NK_STR(""));
            nk_buf_add(b, t->of.entities[i]->name);
        }
    }
}

struct nk_str cedar_type_name(const struct cedar_type *type, struct nk_arena *a)
{
    struct nk_buf b;
    nk_buf_init(&b, 1 << 20);
    write_type(&b, type);
    struct nk_str out = b.error ? NK_STR("a type") : nk_arena_copy(a, nk_buf_str(&b));
    nk_buf_free(&b);
    return out;
}
