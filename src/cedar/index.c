/* SPDX-License-Identifier: Apache-2.0
 *
 * index.c - builds the index of a policy set, once, in time that grows with its size alone. See
 * index.h. Everything grows in memory of its own and is copied to the set's arena at the end, packed,
 * rules in the order of their spots.
 */
#include "cedar/plan.h"

enum { INDEX_MAX = 1 << 30, BLOCK = 64 << 10 };

struct made { /* a policy on its way */
    uint32_t knot, code;
    const struct cedar_node *head; /* the first test of its code */
};

struct knot { /* a spot on its way */
    uint32_t parent, label;
    uint32_t child, next; /* first child, next sibling; 0: none */
    uint32_t children, rules;
};

struct written { /* code on its way; `pack` turns starts into addresses */
    uint32_t start, n, places, users;
};

struct builder {
    struct nk_arena temp, code_arena;
    struct cedar_writer code;
    struct cedar_index index; /* tables under construction */
    struct made *made;        /* one for each policy */
    struct knot *knots;
    struct cedar_spot *spots; /* packed */
    struct cedar_term *terms;
    struct cedar_key *keys;
    struct written *codes;
    struct cedar_pool pool;
    struct cedar_guard guards[CEDAR_GUARDS];
    size_t knot_n, knot_cap, term_n, term_cap, key_n, key_cap, code_n, code_cap;
    uint32_t guard_n;
    struct cedar_slots by_edge, by_term, by_head, by_code;
};

/* Looking up ----------------------------------------------------------------------------------- */

/* Numbering ------------------------------------------------------------------------------------ */

struct wanted_edge {
    const struct knot *knots;
    uint32_t parent, label;
};

static bool same_edge(const void *what, uint32_t number)
{
    const struct wanted_edge *wanted = what;
    const struct knot *knot = &wanted->knots[number];
    return knot->parent == wanted->parent && knot->label == wanted->label;
}

/* The child of `parent` on `label`, made if it is not there; 0: no memory. */
static uint32_t knot_below(struct builder *b, uint32_t parent, uint32_t label)
{
    struct wanted_edge wanted = {b->knots, parent, label};
    uint32_t hash = cedar_edge_hash(parent, label);
    if (cedar_slots_reserve(&b->by_edge, &b->temp))
        return 0;
    struct cedar_slot *slot = cedar_slots_at(&b->by_edge, hash, same_edge, &wanted);
    if (slot->number)
        return slot->number;
    void *knots = cedar_grow(&b->temp, b->knots, b->knot_n, &b->knot_cap, sizeof *b->knots);
    if (!knots)
        return 0;
    b->knots = knots;
    uint32_t number = (uint32_t)b->knot_n++;
    b->knots[number] =
        (struct knot){.parent = parent, .label = label, .next = b->knots[parent].child};
    b->knots[parent].child = number;
    b->knots[parent].children++;
    cedar_slots_put(&b->by_edge, slot, hash, number);
    return number;
}

/* The number of a uid or type, made if it is not there; 0: no memory. */
static uint32_t key_of(struct builder *b, const struct cedar_uid *uid, bool is_type)
{
    struct cedar_wanted_key wanted = {b->keys, uid, is_type};
    if (cedar_slots_reserve(&b->index.by_key, &b->temp))
        return 0;
    struct cedar_slot *slot =
        cedar_slots_at(&b->index.by_key, (uint32_t)uid->hash, cedar_same_key, &wanted);
    if (slot->number)
        return slot->number;
    void *keys = cedar_grow(&b->temp, b->keys, b->key_n, &b->key_cap, sizeof *b->keys);
    if (!keys)
        return 0;
    const struct cedar_uid *own = cedar_pool_uid(&b->pool, uid);
    if (!own)
        return 0;
    b->keys = keys;
    b->keys[b->key_n] = (struct cedar_key){.uid = *own, .is_type = is_type};
    cedar_slots_put(&b->index.by_key, slot, (uint32_t)uid->hash, (uint32_t)b->key_n);
    return (uint32_t)b->key_n++;
}

struct wanted_term {
    const struct cedar_term *terms, *term;
};

static bool same_term(const void *what, uint32_t number)
{
    const struct wanted_term *wanted = what;
    const struct cedar_term *a = &wanted->terms[number], *b = wanted->term;
    bool same =
        a->kind == b->kind && a->var == b->var && a->n == b->n && nk_str_eq(a->type, b->type);
    for (uint32_t i = 0; same && i < a->n; i++)
        same = cedar_uid_eq(&a->uids[i], &b->uids[i]);
    return same;
}

static uint32_t term_hash(const struct cedar_term *t)
{
    uint64_t h = cedar_uid((struct nk_cedar_uid){NK_STR(""), t->type}).hash;
    for (uint32_t i = 0; i < t->n; i++)
        h = (h ^ t->uids[i].hash) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32) + t->kind * 4u + t->var;
}

/* Notes at the keys that this term is to be found there; how many are in `within` is counted. */
static int tell_keys(struct builder *b, const struct cedar_term *t, uint32_t number)
{
    struct cedar_uid type = cedar_uid((struct nk_cedar_uid){t->type, NK_STR("")});
    bool by_type = t->kind == CEDAR_SCOPE_IS;
    if (by_type || t->kind == CEDAR_SCOPE_EQ) {
        uint32_t key = key_of(b, by_type ? &type : t->uids, by_type);
        b->keys[key].of[t->var].self = key ? number : 0;
        b->index.types[t->var] |= by_type;
        return key ? 0 : NK_ENOMEM;
    }
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t key = key_of(b, &t->uids[i], false);
        if (!key)
            return NK_ENOMEM;
        b->keys[key].of[t->var].to++;
    }
    return 0;
}

/* The number of a term, made if it is not there. */
static int term_of(struct builder *b, const struct cedar_term *t, uint32_t *out)
{
    struct wanted_term wanted = {b->terms, t};
    uint32_t hash = term_hash(t);
    *out = 0;
    if (t->kind == CEDAR_SCOPE_ANY)
        return 0;
    int rc = cedar_slots_reserve(&b->by_term, &b->temp);
    if (rc)
        return rc;
    struct cedar_slot *slot = cedar_slots_at(&b->by_term, hash, same_term, &wanted);
    *out = slot->number;
    if (*out)
        return 0;
    void *terms = cedar_grow(&b->temp, b->terms, b->term_n, &b->term_cap, sizeof *b->terms);
    if (!terms)
        return NK_ENOMEM;
    b->terms = terms;
    b->terms[b->term_n] = *t;
    *out = (uint32_t)b->term_n++;
    cedar_slots_put(&b->by_term, slot, hash, *out);
    return tell_keys(b, t, *out);
}

/* The number of a guard; CEDAR_GUARDS when there are too many different ones. */
static uint32_t guard_of(struct builder *b, const struct cedar_guard *guard)
{
    uint32_t i = 0;
    while (i < b->guard_n &&
           (b->guards[i].var != guard->var || !nk_str_eq(b->guards[i].name, guard->name)))
        i++;
    if (i == b->guard_n && i < CEDAR_GUARDS)
        b->guards[b->guard_n++] = *guard;
    return i;
}

/* Policies ------------------------------------------------------------------------------------- */

static int hang_by_scope(struct builder *b, const struct cedar_plan *plan, uint32_t *knot)
{
    static const enum cedar_var order[CEDAR_LEVELS] = {CEDAR_ACTION, CEDAR_PRINCIPAL,
                                                       CEDAR_RESOURCE};
    *knot = 0;
    for (int level = 0; level < CEDAR_LEVELS; level++) {
        uint32_t term;
        int rc = term_of(b, &plan->terms[order[level]], &term);
        if (!rc && !(*knot = knot_below(b, *knot, term)))
            rc = NK_ENOMEM;
        if (rc)
            return rc;
    }
    return 0;
}

static int hang_by_guards(struct builder *b, struct cedar_plan *plan, uint32_t *knot)
{
    for (unsigned i = 0; i < plan->guard_n; i++) {
        const struct cedar_plan_guard *guard = &plan->guards[i];
        uint32_t number = guard_of(b, &guard->on);
        if (number == CEDAR_GUARDS) {
            plan->rest = guard->before;
            return 0;
        }
        uint32_t constant = cedar_pool_value(&b->pool, guard->constant);
        uint32_t family = knot_below(b, *knot, 4 * number + guard->mode);
        if (!constant || !family || !(*knot = knot_below(b, family, constant)))
            return NK_ENOMEM;
    }
    return 0;
}

struct wanted_head {
    const struct made *made;
    const struct cedar_node *head;
};

static bool same_head(const void *what, uint32_t number)
{
    const struct wanted_head *wanted = what;
    return wanted->made[number - 1].head == wanted->head;
}

struct wanted_code {
    const struct builder *b;
    uint32_t start, n;
};

static bool same_code(const void *what, uint32_t number)
{
    const struct wanted_code *wanted = what;
    const struct written *other = &wanted->b->codes[number];
    const struct cedar_op *ops = wanted->b->code.ops;
    return other->n == wanted->n &&
           memcmp(ops + other->start, ops + wanted->start, wanted->n * sizeof *ops) == 0;
}

/* The number of the code that was written from `start` on; code that is there already is taken back.
 * 0: no memory. */
static uint32_t number_code(struct builder *b, uint32_t start, uint32_t places)
{
    struct wanted_code wanted = {b, start, b->code.n - start};
    struct nk_str bytes = {(const char *)(b->code.ops + start), wanted.n * sizeof(struct cedar_op)};
    uint32_t hash = cedar_text_hash(bytes);
    if (cedar_slots_reserve(&b->by_code, &b->temp))
        return 0;
    struct cedar_slot *slot = cedar_slots_at(&b->by_code, hash, same_code, &wanted);
    if (slot->number) {
        b->code.n = start;
        return slot->number;
    }
    void *codes = cedar_grow(&b->temp, b->codes, b->code_n, &b->code_cap, sizeof *b->codes);
    if (!codes)
        return 0;
    b->codes = codes;
    b->codes[b->code_n] = (struct written){start, wanted.n, places, 0};
    cedar_slots_put(&b->by_code, slot, hash, (uint32_t)b->code_n);
    return (uint32_t)b->code_n++;
}

/* Policies that were linked from one template have the same conditions: they are compiled once. */
static int write_code(struct builder *b, const struct cedar_tests *rest, uint32_t at)
{
    struct made *made = &b->made[at];
    struct wanted_head wanted = {b->made, rest->node};
    uint32_t hash = (uint32_t)((uintptr_t)rest->node * 0x9e3779b97f4a7c15u >> 32);
    if (!rest->node)
        return 0;
    int rc = cedar_slots_reserve(&b->by_head, &b->temp);
    if (rc)
        return rc;
    struct cedar_slot *slot = cedar_slots_at(&b->by_head, hash, same_head, &wanted);
    if (slot->number) {
        made->code = b->made[slot->number - 1].code;
    } else {
        uint32_t start = b->code.n, places = cedar_compile(&b->code, *rest);
        made->head = rest->node;
        cedar_slots_put(&b->by_head, slot, hash, at + 1);
        made->code = b->code.code ? 0 : number_code(b, start, places);
    }
    if (!made->code)
        return b->code.code ? b->code.code : NK_ENOMEM;
    b->codes[made->code].users++;
    return 0;
}

static int add_policy(struct builder *b, const struct cedar_policy *policy, uint32_t at)
{
    struct cedar_plan plan;
    int rc = cedar_plan(policy, &b->temp, &plan);
    if (!rc)
        rc = hang_by_scope(b, &plan, &b->made[at].knot);
    if (!rc)
        rc = hang_by_guards(b, &plan, &b->made[at].knot);
    return rc ? rc : write_code(b, &plan.rest, at);
}

/* Packing -------------------------------------------------------------------------------------- */

static void *copy(struct nk_arena *a, const void *items, size_t n, size_t size)
{
    void *own = nk_arena_array(a, n, size);
    return own && n ? memcpy(own, items, n * size) : own;
}

static bool copy_slots(struct nk_arena *a, struct cedar_slots *s)
{
    s->p = copy(a, s->p, (size_t)s->mask + 1, sizeof *s->p);
    return s->p;
}

static uint32_t key_number(const struct builder *b, const struct cedar_uid *uid)
{
    return cedar_index_key(&b->index, uid->hash, uid, false);
}

/* Terms name uids as the pool has them: a list that a condition's set became must outlive the
 * builder. */
static bool copy_terms(struct builder *b, struct nk_arena *a)
{
    b->index.terms = b->terms = copy(a, b->terms, b->term_n, sizeof *b->terms);
    for (size_t i = 1; b->terms && i < b->term_n; i++) {
        struct cedar_term *t = &b->terms[i];
        struct cedar_uid *uids = t->n > 1 ? copy(a, t->uids, t->n, sizeof *uids) : NULL;
        if (t->n > 1 && !uids)
            return false;
        for (uint32_t k = 0; k < t->n; k++) {
            const struct cedar_key *key = &b->keys[key_number(b, &t->uids[k])];
            if (uids)
                uids[k] = key->uid;
            else
                t->uids = &key->uid;
        }
        t->uids = uids ? uids : t->uids;
    }
    return b->terms;
}

/* Gives each key its part of `within` and fills it. */
static bool spread_terms(struct builder *b, struct nk_arena *a)
{
    size_t n = 0;
    for (size_t k = 1; k < b->key_n; k++)
        for (int var = 0; var < CEDAR_LEVELS; var++) {
            uint32_t more = b->keys[k].of[var].to;
            b->keys[k].of[var].from = b->keys[k].of[var].to = (uint32_t)n;
            n += more;
        }
    uint32_t *within = nk_arena_array(a, n, sizeof *within);
    b->index.within = within;
    for (uint32_t t = 1; within && t < b->term_n; t++)
        for (uint32_t i = 0; b->terms[t].kind != CEDAR_SCOPE_EQ && i < b->terms[t].n; i++) {
            struct cedar_key *key = &b->keys[key_number(b, &b->terms[t].uids[i])];
            within[key->of[b->terms[t].var].to++] = t | (b->terms[t].type.p ? CEDAR_TYPED : 0);
        }
    return within;
}

/* Numbers spots anew, level by level, so that children stand side by side. numbers[knot] is then
 * the spot's. */
static bool place_spots(struct builder *b, struct nk_arena *a, uint32_t *numbers)
{
    struct cedar_spot *spots = nk_arena_array(a, b->knot_n, sizeof *spots);
    uint32_t *labels = nk_arena_array(a, b->knot_n, sizeof *labels);
    uint32_t *order = nk_arena_array(&b->temp, b->knot_n, sizeof *order);
    uint32_t n = 1, rules = 0;
    if (!spots || !labels || !order)
        return false;
    for (uint32_t i = 0; i < b->knot_n; i++) {
        const struct knot *knot = &b->knots[order[i]];
        spots[i] = (struct cedar_spot){n, knot->children, rules, rules};
        labels[i] = knot->label;
        numbers[order[i]] = i;
        rules += knot->rules;
        for (uint32_t kid = knot->child; kid; kid = b->knots[kid].next)
            order[n++] = kid;
    }
    b->spots = spots;
    b->index.spots = spots;
    b->index.labels = labels;
    return true;
}

static bool place_edges(struct builder *b, struct nk_arena *a)
{
    const struct cedar_index *index = &b->index;
    uint32_t n = 0, cap = 2;
    for (size_t i = 0; i < b->knot_n; i++)
        n += index->spots[i].children > CEDAR_FEW ? index->spots[i].children : 0;
    while (cap < 2 * n)
        cap *= 2;
    struct cedar_edge *edges = nk_arena_array(a, cap, sizeof *edges);
    b->index.edges = edges;
    b->index.edge_mask = cap - 1;
    for (uint32_t i = 0; edges && i < b->knot_n; i++) {
        const struct cedar_spot *spot = &index->spots[i];
        for (uint32_t k = 0; spot->children > CEDAR_FEW && k < spot->children; k++) {
            uint32_t label = index->labels[spot->first + k];
            uint32_t at = cedar_edge_hash(i, label) & (cap - 1);
            while (edges[at].spot)
                at = (at + 1) & (cap - 1);
            edges[at] = (struct cedar_edge){i, label, spot->first + k};
        }
    }
    return edges;
}

/* Rules in the order of spots, and of loading within each. */
static bool place_rules(struct builder *b, const struct nk_cedar_policies *p)
{
    struct cedar_rule *rules = nk_arena_array(p->arena, p->n, sizeof *rules);
    uint32_t *numbers = nk_arena_array(&b->temp, b->knot_n, sizeof *numbers);
    if (!rules || !numbers)
        return false;
    for (size_t i = 0; i < p->n; i++)
        b->knots[b->made[i].knot].rules++;
    if (!place_spots(b, p->arena, numbers))
        return false;
    for (size_t i = 0; i < p->n; i++)
        rules[b->spots[numbers[b->made[i].knot]].to++] = (struct cedar_rule){
            p->items[i], b->made[i].code, (uint32_t)i & INT32_MAX, p->items[i]->forbid};
    b->index.rules = rules;
    return true;
}

static bool place_codes(struct builder *b, struct nk_arena *a)
{
    struct cedar_op *ops = copy(a, b->code.ops, b->code.n, sizeof *ops);
    struct cedar_code *codes = nk_arena_array(a, b->code_n, sizeof *codes);
    for (size_t i = 1; ops && codes && i < b->code_n; i++)
        codes[i] =
            (struct cedar_code){ops + b->codes[i].start, b->codes[i].places, b->codes[i].users};
    b->index.codes = codes;
    return ops && codes;
}

static const struct cedar_index *pack(struct builder *b, const struct nk_cedar_policies *p)
{
    struct nk_arena *a = p->arena;
    struct cedar_index *index = &b->index;
    index->keys = b->keys = copy(a, b->keys, b->key_n, sizeof *b->keys);
    index->by_value = b->pool.by_value;
    if (!index->keys || !copy_slots(a, &index->by_key) || !copy_slots(a, &index->by_value) ||
        !place_rules(b, p) || !place_edges(b, a) || !place_codes(b, a) || !copy_terms(b, a) ||
        !spread_terms(b, a))
        return NULL;
    index->values = copy(a, b->pool.values, b->pool.value_n, sizeof *b->pool.values);
    index->guards = copy(a, b->guards, b->guard_n, sizeof *b->guards);
    bool whole = index->values && index->guards;
    return whole ? copy(a, index, 1, sizeof *index) : NULL;
}

/* Numbers begin with 1 (spots: behind the root), and no table is without places. */
static int begin(struct builder *b, const struct nk_cedar_policies *p)
{
    b->made = nk_arena_array(&b->temp, p->n, sizeof *b->made);
    b->knots = cedar_grow(&b->temp, NULL, 0, &b->knot_cap, sizeof *b->knots);
    b->terms = cedar_grow(&b->temp, NULL, 0, &b->term_cap, sizeof *b->terms);
    b->keys = cedar_grow(&b->temp, NULL, 0, &b->key_cap, sizeof *b->keys);
    b->codes = cedar_grow(&b->temp, NULL, 0, &b->code_cap, sizeof *b->codes);
    b->knot_n = b->term_n = b->key_n = b->code_n = 1;
    if (!b->made || !b->knots || !b->terms || !b->keys || !b->codes ||
        cedar_slots_reserve(&b->by_edge, &b->temp) ||
        cedar_slots_reserve(&b->index.by_key, &b->temp))
        return NK_ENOMEM;
    b->code = (struct cedar_writer){.arena = &b->code_arena, .pool = &b->pool};
    return cedar_pool_init(&b->pool, p->arena, &b->temp);
}

int cedar_index_new(const struct nk_cedar_policies *p, const struct cedar_index **out)
{
    struct builder b = {.guard_n = 0};
    nk_arena_init_sized(&b.temp, INDEX_MAX, BLOCK);
    nk_arena_init_sized(&b.code_arena, INDEX_MAX, BLOCK);
    int rc = begin(&b, p);
    for (size_t i = 0; !rc && i < p->n; i++)
        rc = add_policy(&b, p->items[i], (uint32_t)i);
    *out = rc ? NULL : pack(&b, p);
    nk_arena_free(&b.temp);
    nk_arena_free(&b.code_arena);
    return rc || *out ? rc : NK_ENOMEM;
}
