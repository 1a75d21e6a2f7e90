/* SPDX-License-Identifier: Apache-2.0
 *
 * search.c - walks the index with one request. See index.h and search.h.
 *
 * What a variable makes true is found once, as a list of terms. At each level the search then looks
 * through the children of a spot, or looks up the terms of the list, whichever are fewer: the cost
 * never exceeds that of a walk over all policies.
 */
#include "cedar/search.h"

enum { MEMOS = 64, AT_ONCE = 8 };

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
    uint64_t asked;           /* guards whose value is known */
    uint64_t kept;            /* memos in use */
    bool known[CEDAR_LEVELS]; /* these lists are filled */
    struct cedar_active active[CEDAR_LEVELS];
    uint32_t room[CEDAR_LEVELS][CEDAR_ACTIVE];
    struct value values[CEDAR_GUARDS];
    struct said memo[MEMOS];
};

static const enum cedar_var order[CEDAR_LEVELS] = {CEDAR_ACTION, CEDAR_PRINCIPAL, CEDAR_RESOURCE};

/* Hits ----------------------------------------------------------------------------------------- */

struct cedar_hit *cedar_hits(struct cedar_hits *h)
{
    return h->items ? h->items : h->first;
}

NK_INLINE bool add_hit(struct search *s, struct cedar_hits *h, const struct cedar_rule *rule,
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
    s->found->forbid_erred |= rule->forbid;
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

static void sort(struct cedar_hit *items, uint32_t n)
{
    if (n <= CEDAR_HITS) {
        for (uint32_t i = 1; i < n; i++) {
            struct cedar_hit item = items[i];
            uint32_t at = i;
            for (; at > 0 && items[at - 1].at > item.at; at--)
                items[at] = items[at - 1];
            items[at] = item;
        }
        return;
    }
    for (uint32_t i = n / 2; i-- > 0;)
        sift(items, i, n);
    while (n-- > 1) {
        struct cedar_hit last = items[n];
        items[n] = items[0];
        items[0] = last;
        sift(items, 0, n);
    }
}

/* Sorts by the order of loading and drops doubles: a list of actions can be met by two ways. */
static void put_in_order(struct cedar_hits *h)
{
    struct cedar_hit *items = cedar_hits(h);
    uint32_t kept = 0;
    sort(items, h->n);
    for (uint32_t i = 0; i < h->n; i++)
        if (kept == 0 || items[kept - 1].at != items[i].at)
            items[kept++] = items[i];
    h->n = kept;
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
        return add_hit(s, rule->forbid ? &found->forbids : &found->permits, rule, NULL);
    return said.rc == NK_EINVAL ? add_error(s, rule, said.what) : said.rc == 0;
}

/* Everything at and below the spot errs. */
static bool all_err(struct search *s, const struct cedar_spot *spot, const char *what)
{
    for (uint32_t i = spot->from; i < spot->to; i++)
        if (!add_error(s, &s->index->rules[i], what))
            return false;
    for (uint32_t i = 0; i < spot->children; i++)
        if (!all_err(s, &s->index->spots[spot->first + i], what))
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
    out->constant = out->v ? cedar_find_value(&s->index->by_value, s->index->values, out->v) : 0;
    return out;
}

static bool settle(struct search *s, uint32_t number);

static uint32_t child_of(const struct cedar_index *index, uint32_t number, uint32_t label)
{
    const struct cedar_spot *spot = &index->spots[number];
    if (spot->children > CEDAR_FEW)
        return cedar_index_edge(index, number, label);
    for (uint32_t kid = spot->first; kid < spot->first + spot->children; kid++)
        if (index->labels[kid] == label)
            return kid;
    return 0;
}

/* The member of a family for one constant. */
static bool member(struct search *s, uint32_t family, uint32_t constant)
{
    uint32_t spot = constant ? child_of(s->index, family, constant) : 0;
    return !spot || settle(s, spot);
}

/* The members whose constants the set has. */
static bool members(struct search *s, uint32_t family, const struct nk_cedar_value *set)
{
    const struct cedar_index *index = s->index;
    const struct cedar_spot *spot = &index->spots[family];
    if (set->n <= spot->children) {
        for (uint32_t i = 0; i < set->n; i++)
            if (!member(s, family,
                        cedar_find_value(&index->by_value, index->values, set->as.items[i])))
                return false;
        return true;
    }
    for (uint32_t kid = spot->first; kid < spot->first + spot->children; kid++)
        if (cedar_set_has(set, index->values[index->labels[kid]]) && !settle(s, kid))
            return false;
    return true;
}

static bool family(struct search *s, uint32_t number)
{
    const struct cedar_spot *spot = &s->index->spots[number];
    uint32_t label = s->index->labels[number];
    const struct value *value = value_of(s, label / 4);
    enum cedar_guard_mode mode = (enum cedar_guard_mode)(label % 4);
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
    for (uint32_t i = 0; i < spot->children; i++)
        if (!family(s, spot->first + i))
            return false;
    return true;
}

/* The terms of a variable: an entity that is bound to this index has them ready. */
static bool find_active(struct search *s, enum cedar_var var)
{
    const struct cedar_entity *entity = cedar_eval_known(s->e, var);
    s->known[var] = true;
    if (entity && entity->bound == s->index && var != CEDAR_ACTION) {
        s->active[var] = var == CEDAR_PRINCIPAL ? entity->as_principal : entity->as_resource;
        return true;
    }
    return cedar_find_active(s->index, var, &s->e->vars[var]->as.entity, entity, s->e->call.arena,
                             s->room[var], &s->active[var]);
}

NK_INLINE bool is_active(const struct cedar_active *a, uint32_t term)
{
    uint32_t i = 0;
    if (!(a->sieve >> term % 64 & 1))
        return false;
    while (i < a->n && a->terms[i] != term)
        i++;
    return i < a->n;
}

static bool walk(struct search *s, uint32_t number, int level);

static bool step(struct search *s, uint32_t kid, int level)
{
    return level + 1 < CEDAR_LEVELS ? walk(s, kid, level + 1) : settle(s, kid);
}

static bool look_through(struct search *s, const struct cedar_spot *spot, int level)
{
    const struct cedar_active *a = &s->active[order[level]];
    const uint32_t *labels = &s->index->labels[spot->first];
    for (uint32_t i = 0; i < spot->children; i++)
        if (is_active(a, labels[i]) && !step(s, spot->first + i, level))
            return false;
    return true;
}

/* Of a spot with many children. Looks some up before it follows any: the processor then waits for all
 * of them at once. */
static bool look_up(struct search *s, uint32_t number, int level)
{
    const struct cedar_active *a = &s->active[order[level]];
    uint32_t kids[AT_ONCE];
    for (uint32_t from = 0; from < a->n; from += AT_ONCE) {
        uint32_t n = a->n - from < AT_ONCE ? a->n - from : AT_ONCE;
        for (uint32_t i = 0; i < n; i++)
            kids[i] = cedar_index_edge(s->index, number, a->terms[from + i]);
        for (uint32_t i = 0; i < n; i++)
            if (kids[i] && !step(s, kids[i], level))
                return false;
    }
    return true;
}

/* Recursion ends: CEDAR_LEVELS. Levels at which all policies say "any" are passed without asking. */
static bool walk(struct search *s, uint32_t number, int level)
{
    const struct cedar_spot *spot = &s->index->spots[number];
    while (level < CEDAR_LEVELS && spot->children == 1 && s->index->labels[spot->first] == 0) {
        number = spot->first;
        spot = &s->index->spots[number];
        level++;
    }
    if (level == CEDAR_LEVELS)
        return settle(s, number);
    if (!s->known[order[level]] && !find_active(s, order[level]))
        return false;
    if (spot->children <= CEDAR_FEW || spot->children <= s->active[order[level]].n)
        return look_through(s, spot, level);
    return look_up(s, number, level);
}

bool cedar_search(const struct cedar_index *index, struct cedar_eval *e, struct cedar_found *out)
{
    struct search s; /* lists are filled when they are needed: zeroing them would cost more */
    s.index = index;
    s.e = e;
    s.found = out;
    s.asked = s.kept = 0;
    for (int var = 0; var < CEDAR_LEVELS; var++)
        s.known[var] = false;
    out->permits.n = out->forbids.n = out->errors.n = 0;
    out->permits.items = out->forbids.items = out->errors.items = NULL;
    out->forbid_erred = false;
    if (!walk(&s, 0, 0))
        return false;
    if (out->permits.n > 1)
        put_in_order(&out->permits);
    if (out->forbids.n > 1)
        put_in_order(&out->forbids);
    if (out->errors.n > 1)
        put_in_order(&out->errors);
    return true;
}
