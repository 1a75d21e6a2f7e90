/* SPDX-License-Identifier: Apache-2.0
 *
 * search.c - walks the index with one request. See index.h and search.h.
 *
 * At each level the search either looks at every child of a spot, or looks up every term that the
 * request makes true, whichever are fewer: the cost never exceeds that of a walk over all policies.
 */
#include "cedar/search.h"

enum { FEW = 4, ACTIVE = 24, MEMOS = 64 };

/* The terms of one variable that the request makes true. */
struct active {
    uint32_t *terms;
    uint32_t n, cap;
    uint32_t first[ACTIVE];
    bool known;
};

/* The value of a guard for this request: looked up once. */
struct value {
    const struct nk_cedar_value *v; /* NULL: an error */
    const char *what;
    uint32_t constant; /* its number, or 0 */
};

/* What code came to. */
struct said {
    uint32_t code;
    bool holds;
    int rc; /* 0, NK_EINVAL: it erred, NK_ENOMEM */
    const char *what;
};

struct search {
    const struct cedar_index *index;
    struct cedar_eval *e;
    struct cedar_found *found;
    uint64_t asked; /* guards whose value is known */
    uint64_t kept;  /* memos in use */
    struct active active[CEDAR_LEVELS];
    struct value values[CEDAR_GUARDS];
    struct said memo[MEMOS];
};

static const enum cedar_var order[CEDAR_LEVELS] = {CEDAR_ACTION, CEDAR_PRINCIPAL, CEDAR_RESOURCE};

/* Hits ----------------------------------------------------------------------------------------- */

struct cedar_hit *cedar_hits(struct cedar_hits *h)
{
    return h->items ? h->items : h->first;
}

static bool add_hit(struct search *s, struct cedar_hits *h, const struct cedar_rule *rule,
                    const char *what)
{
    if (h->n == (h->items ? h->cap : CEDAR_HITS)) {
        uint32_t cap = 4 * h->n;
        struct cedar_hit *items = nk_arena_array(s->e->call.arena, cap, sizeof *items);
        if (!items)
            return false;
        memcpy(items, cedar_hits(h), h->n * sizeof *items);
        h->items = items;
        h->cap = cap;
    }
    cedar_hits(h)[h->n++] = (struct cedar_hit){rule->policy, what, rule->at};
    return true;
}

static bool add_error(struct search *s, const struct cedar_rule *rule, const char *what)
{
    s->found->forbid_erred |= rule->policy->forbid;
    return add_hit(s, &s->found->errors, rule, what);
}

/* Moves items[at] down to where it belongs in a heap of n. */
static void sift(struct cedar_hit *items, uint32_t at, uint32_t n)
{
    struct cedar_hit item = items[at];
    for (uint32_t kid; (kid = 2 * at + 1) < n; at = kid) {
        kid += kid + 1 < n && items[kid + 1].at > items[kid].at;
        if (items[kid].at <= item.at)
            break;
        items[at] = items[kid];
    }
    items[at] = item;
}

/* Sorts by the order of loading and drops doubles: a list of actions can be met by two ways. */
static void put_in_order(struct cedar_hits *h)
{
    struct cedar_hit *items = cedar_hits(h);
    uint32_t kept = 0;
    if (h->n < 2)
        return;
    for (uint32_t i = h->n / 2; i-- > 0;)
        sift(items, i, h->n);
    for (uint32_t n = h->n; n-- > 1;) {
        struct cedar_hit last = items[n];
        items[n] = items[0];
        items[0] = last;
        sift(items, 0, n);
    }
    for (uint32_t i = 0; i < h->n; i++)
        if (kept == 0 || items[kept - 1].at != items[i].at)
            items[kept++] = items[i];
    h->n = kept;
}

/* Terms ---------------------------------------------------------------------------------------- */

static bool is_type(const struct cedar_term *t, const struct nk_cedar_value *v)
{
    return !t->type.p || nk_str_eq(t->type, v->as.entity.uid.type);
}

static bool activate(struct search *s, struct active *a, uint32_t term)
{
    if (a->n == a->cap) {
        uint32_t *terms = nk_arena_array(s->e->call.arena, 4 * (size_t)a->n, sizeof *terms);
        if (!terms)
            return false;
        memcpy(terms, a->terms, a->n * sizeof *terms);
        a->terms = terms;
        a->cap *= 4;
    }
    a->terms[a->n++] = term;
    return true;
}

/* The terms with `in` this uid. */
static bool activate_within(struct search *s, enum cedar_var var, const struct cedar_uid *uid,
                            bool itself)
{
    const struct cedar_index *index = s->index;
    const struct cedar_key *key = &index->keys[cedar_index_key(index, uid, false)];
    struct active *a = &s->active[var];
    if (itself && key->of[var].self && !activate(s, a, key->of[var].self))
        return false;
    for (uint32_t i = key->of[var].from; i < key->of[var].to; i++)
        if (is_type(&index->terms[index->within[i]], s->e->vars[var]) &&
            !activate(s, a, index->within[i]))
            return false;
    return true;
}

static bool activate_type(struct search *s, enum cedar_var var)
{
    struct nk_cedar_uid type = {s->e->vars[var]->as.entity.uid.type, NK_STR("")};
    struct cedar_uid uid = cedar_uid(type);
    uint32_t term = s->index->keys[cedar_index_key(s->index, &uid, true)].of[var].self;
    return !term || activate(s, &s->active[var], term);
}

static bool find_active(struct search *s, enum cedar_var var)
{
    const struct nk_cedar_value *v = s->e->vars[var];
    const struct cedar_entity *entity = cedar_eval_entity(s->e, v);
    struct active *a = &s->active[var];
    a->known = true;
    a->terms = a->first;
    a->n = 0;
    a->cap = ACTIVE;
    if (!activate(s, a, 0) || !activate_within(s, var, &v->as.entity, true) ||
        (s->index->types[var] && !activate_type(s, var)))
        return false;
    for (uint32_t i = 0; entity && i < entity->ancestor_n; i++)
        if (!activate_within(s, var, entity->ancestors[i].uid, false))
            return false;
    return true;
}

static bool in_any(struct search *s, const struct nk_cedar_value *v, const struct cedar_term *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        if (cedar_eval_in(s->e, v, &t->uids[i]))
            return true;
    return false;
}

/* Does the request make the term true? Asked directly, without the lists above. */
static bool is_true(struct search *s, enum cedar_var var, uint32_t term)
{
    const struct cedar_term *t = &s->index->terms[term];
    const struct nk_cedar_value *v = s->e->vars[var];
    switch ((enum cedar_scope_kind)t->kind) {
    case CEDAR_SCOPE_ANY:
        return true;
    case CEDAR_SCOPE_EQ:
        return cedar_uid_eq(&v->as.entity, t->uids);
    case CEDAR_SCOPE_IS:
        return is_type(t, v);
    case CEDAR_SCOPE_IN:
    case CEDAR_SCOPE_IS_IN:
        break;
    }
    return is_type(t, v) && in_any(s, v, t);
}

/* Rules and guards ----------------------------------------------------------------------------- */

static struct said run(struct search *s, const struct cedar_code *code)
{
    struct cedar_eval *e = s->e;
    e->call.code = 0;
    bool holds = cedar_run(e, code->ops, code->places);
    return (struct said){.holds = holds, .rc = e->call.code, .what = e->call.what};
}

/* The outcome of code; what several policies ask is run once, if its place is not taken. */
static struct said outcome(struct search *s, uint32_t number)
{
    const struct cedar_code *code = &s->index->codes[number];
    struct said *memo = &s->memo[number % MEMOS];
    uint64_t bit = (uint64_t)1 << number % MEMOS;
    if (code->users < 2)
        return run(s, code);
    if (!(s->kept & bit) || memo->code != number) {
        *memo = run(s, code);
        memo->code = number;
        s->kept |= bit;
    }
    return *memo;
}

/* Asks one policy; false: memory is out. */
static bool ask(struct search *s, const struct cedar_rule *rule)
{
    struct cedar_found *found = s->found;
    struct said said = {.holds = true};
    if (rule->code)
        said = outcome(s, rule->code);
    if (said.holds)
        return add_hit(s, rule->policy->forbid ? &found->forbids : &found->permits, rule, NULL);
    return said.rc == NK_EINVAL ? add_error(s, rule, said.what) : said.rc == 0;
}

/* Everything at and below the spot errs. */
static bool all_err(struct search *s, const struct cedar_spot *spot, const char *what)
{
    for (uint32_t i = spot->from; i < spot->to; i++)
        if (!add_error(s, &s->index->rules[i], what))
            return false;
    for (uint32_t kid = spot->child; kid; kid = s->index->spots[kid].next)
        if (!all_err(s, &s->index->spots[kid], what))
            return false;
    return true;
}

static const struct value *value_of(struct search *s, uint32_t guard)
{
    struct value *out = &s->values[guard];
    const struct cedar_guard *g = &s->index->guards[guard];
    if (s->asked >> guard & 1)
        return out;
    s->asked |= (uint64_t)1 << guard;
    s->e->call.code = 0;
    out->v = cedar_attr(s->e, s->e->vars[g->var], g->name);
    out->what = s->e->call.what;
    out->constant = out->v ? cedar_index_value(s->index, out->v) : 0;
    return out;
}

static bool settle(struct search *s, uint32_t number);

/* The member of a family for one constant. */
static bool member(struct search *s, uint32_t family, uint32_t constant)
{
    uint32_t spot = constant ? cedar_index_spot(s->index, family, constant) : 0;
    return !spot || settle(s, spot);
}

/* The members whose constants the set has. */
static bool members(struct search *s, uint32_t family, const struct nk_cedar_value *set)
{
    const struct cedar_index *index = s->index;
    const struct cedar_spot *spot = &index->spots[family];
    if (set->n <= spot->children) {
        for (uint32_t i = 0; i < set->n; i++)
            if (!member(s, family, cedar_index_value(index, set->as.items[i])))
                return false;
        return true;
    }
    for (uint32_t kid = spot->child; kid; kid = index->spots[kid].next)
        if (cedar_set_has(set, index->values[index->spots[kid].label]) && !settle(s, kid))
            return false;
    return true;
}

static bool family(struct search *s, uint32_t number)
{
    const struct cedar_spot *spot = &s->index->spots[number];
    const struct value *value = value_of(s, spot->label / 4);
    enum cedar_guard_mode mode = (enum cedar_guard_mode)(spot->label % 4);
    if (!value->v)
        return mode == CEDAR_HAS_EQUALS || mode == CEDAR_HAS_HOLDS || all_err(s, spot, value->what);
    if (mode == CEDAR_EQUALS || mode == CEDAR_HAS_EQUALS)
        return member(s, number, value->constant);
    if (value->v->kind != CEDAR_SET)
        return all_err(s, spot, cedar_expected(CEDAR_SET));
    return members(s, number, value->v);
}

/* All policies of a spot behind the terms. Recursion ends: CEDAR_GUARD_ROW families in a row. */
static bool settle(struct search *s, uint32_t number)
{
    const struct cedar_spot *spot = &s->index->spots[number];
    for (uint32_t i = spot->from; i < spot->to; i++)
        if (!ask(s, &s->index->rules[i]))
            return false;
    for (uint32_t kid = spot->child; kid; kid = s->index->spots[kid].next)
        if (!family(s, kid))
            return false;
    return true;
}

/* Recursion ends: CEDAR_LEVELS. */
static bool walk(struct search *s, uint32_t number, int level)
{
    if (level == CEDAR_LEVELS)
        return settle(s, number);
    const struct cedar_spot *spot = &s->index->spots[number];
    struct active *a = &s->active[order[level]];
    if (spot->children > FEW && !a->known && !find_active(s, order[level]))
        return false;
    if (spot->children <= FEW || spot->children <= a->n) {
        for (uint32_t kid = spot->child; kid; kid = s->index->spots[kid].next)
            if (is_true(s, order[level], s->index->spots[kid].label) && !walk(s, kid, level + 1))
                return false;
        return true;
    }
    for (uint32_t i = 0; i < a->n; i++) {
        uint32_t kid = cedar_index_spot(s->index, number, a->terms[i]);
        if (kid && !walk(s, kid, level + 1))
            return false;
    }
    return true;
}

bool cedar_search(const struct cedar_index *index, struct cedar_eval *e, struct cedar_found *out)
{
    struct search s; /* lists are filled when they are needed: zeroing them would cost more */
    s.index = index;
    s.e = e;
    s.found = out;
    s.asked = s.kept = 0;
    for (int var = 0; var < CEDAR_LEVELS; var++)
        s.active[var].known = false;
    out->permits.n = out->forbids.n = out->errors.n = 0;
    out->permits.items = out->forbids.items = out->errors.items = NULL;
    out->forbid_erred = false;
    if (!walk(&s, 0, 0))
        return false;
    put_in_order(&out->permits);
    put_in_order(&out->forbids);
    put_in_order(&out->errors);
    return true;
}
