/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_partial.c - partial evaluation is exact: of random policies, entities and requests a random
 * part is hidden; what is left of each policy, printed and parsed again, does under random completions
 * what the policy does under them, errors included, and the decision is the same. Every second set
 * keeps to a schema, which partial evaluation may then use. With two arguments: a first seed and how
 * many completions, for longer runs.
 */
#include "cedar/parse.h"
#include "cedar/partial.h"
#include "cedar/value_write.h"
#include "cedar_oracle.h"
#include "cedar_random_world.h"
#include "tap.h"

enum {
    COMPLETIONS = 100000,
    REQUESTS = 10,
    EACH = 10, /* completions of one request */
    MOST = 6,
    WORLD = RANDOM_TYPES * RANDOM_IDS,
    HIDDEN = 5,
    BIG = 64 << 20,
    TEXT = 1 << 20,
    SHOWN = 3
};

struct tally {
    unsigned long completions, wrong, broken, settled[3], outcomes[4], cannot_err;
};

/* A world that keeps to a schema ----------------------------------------------------------------- */

#define SHAPE "{dept?: String, level: Long, flag: Bool, owner?: U, roles: Set<String>}"
static const char schema_text[] =
    "entity U in [G] " SHAPE " tags Long; entity G in [G, D] " SHAPE " tags Long;"
    "entity D " SHAPE " tags Long; namespace N { entity F in [D] " SHAPE " tags Long; }"
    "action \"0\", \"1\", \"2\", \"3\", \"4\", \"5\", \"6\" appliesTo {"
    "  principal: [U, G, D, N::F], resource: [U, G, D, N::F], context: " SHAPE "};";

static const struct nk_cedar_value *typed_value(struct nk_arena *a, struct dice *d, size_t attr)
{
    static const char *const texts[] = {"x", "y", "z"};
    const struct nk_cedar_value *items[2];
    switch (attr) {
    case 0:
        return nk_cedar_string(a, nk_str(texts[roll(d, 3)]));
    case 1:
        return nk_cedar_long(a, roll(d, 8) ? roll(d, 4) : INT64_MAX);
    case 2:
        return nk_cedar_bool(a, roll(d, 2));
    case 3:
        return nk_cedar_entity(a, random_uid(a, 0, roll(d, RANDOM_IDS)));
    default:
        items[0] = nk_cedar_string(a, nk_str(texts[roll(d, 3)]));
        items[1] = nk_cedar_string(a, nk_str(texts[roll(d, 3)]));
        return nk_cedar_set(a, items, roll(d, 3));
    }
}

struct world {
    struct nk_arena *arena;
    struct dice *dice;
    const struct nk_cedar_schema *schema; /* or NULL */
    struct nk_cedar_entities *known;
};

static bool is_required(size_t attr)
{
    return attr == 1 || attr == 2 || attr == 4;
}

static bool is_listed(const struct nk_str *names, size_t n, struct nk_str name)
{
    for (size_t i = 0; i < n; i++)
        if (nk_str_eq(names[i], name))
            return true;
    return false;
}

/* The record with the hidden attributes made anew; `from` NULL: all of them. */
static const struct nk_cedar_value *make_record(const struct world *w,
                                                const struct nk_cedar_value *from,
                                                const struct nk_str *hidden, size_t hidden_n,
                                                bool open)
{
    struct nk_cedar_member members[NK_COUNT(attributes)];
    size_t n = 0;
    for (size_t i = 0; i < NK_COUNT(attributes); i++) {
        struct nk_str name = nk_str(attributes[i]);
        const struct nk_cedar_value *v = from ? cedar_record_get(from, name) : NULL;
        bool anew = !from || (!v && open) || is_listed(hidden, hidden_n, name);
        if (anew && w->schema)
            v = is_required(i) || roll(w->dice, 3) ? typed_value(w->arena, w->dice, i) : NULL;
        else if (anew)
            v = roll(w->dice, 4) ? random_value(w->arena, w->dice) : NULL;
        if (v)
            members[n++] = (struct nk_cedar_member){name, v};
    }
    return nk_cedar_record(w->arena, members, n);
}

static const struct nk_cedar_value *make_tags(const struct world *w)
{
    static const char *const names[] = {"x", "y", "a"};
    struct nk_cedar_member members[NK_COUNT(names)];
    size_t n = 0;
    if (!w->schema)
        return random_record(w->arena, w->dice);
    for (size_t i = 0; i < NK_COUNT(names); i++)
        if (roll(w->dice, 2))
            members[n++] = (struct nk_cedar_member){nk_str(names[i]),
                                                    nk_cedar_long(w->arena, roll(w->dice, 4))};
    return nk_cedar_record(w->arena, members, n);
}

/* Parents of a later type or with a larger number: no rings. */
static size_t make_parents(const struct world *w, uint32_t i, struct nk_cedar_uid *parents)
{
    static const bool may[RANDOM_TYPES][RANDOM_TYPES] = {
        {0, 1, 0, 0}, {0, 1, 1, 0}, {0, 0, 0, 0}, {0, 0, 1, 0}};
    size_t n = 0;
    for (int tries = 0; tries < 3; tries++) {
        uint32_t p = roll(w->dice, WORLD);
        bool fits = p > i && !w->schema;
        if (w->schema) /* D::"2" is before N::F::"0", and never in it */
            fits =
                may[i / RANDOM_IDS][p / RANDOM_IDS] && (p / RANDOM_IDS != i / RANDOM_IDS || p > i);
        if (fits)
            parents[n++] = random_uid(w->arena, p / RANDOM_IDS, p % RANDOM_IDS);
    }
    return n;
}

static int add_anew(const struct world *w, struct nk_cedar_entities *e, uint32_t i)
{
    struct nk_cedar_uid parents[3];
    size_t n = make_parents(w, i, parents);
    return nk_cedar_entities_add(e, random_uid(w->arena, i / RANDOM_IDS, i % RANDOM_IDS), parents,
                                 n, make_record(w, NULL, NULL, 0, true), make_tags(w));
}

static int add_known(struct nk_cedar_entities *e, const struct cedar_entity *from)
{
    struct nk_cedar_uid parents[8];
    for (uint32_t i = 0; i < from->parent_n; i++)
        parents[i] = from->parents[i].uid;
    return nk_cedar_entities_add(e, from->id.uid, parents, from->parent_n, from->attrs, from->tags);
}

static int make_known(struct world *w)
{
    int rc = (w->known = nk_cedar_entities_new(w->arena, NULL)) ? 0 : NK_ENOMEM;
    for (uint32_t i = 0; !rc && i < WORLD; i++)
        if (roll(w->dice, 5))
            rc = add_anew(w, w->known, i);
    for (uint32_t i = 0; !rc && i < RANDOM_IDS; i++) {
        struct nk_cedar_uid uid = {NK_STR("Action"), nk_arena_printf(w->arena, "%u", i)};
        struct nk_cedar_uid up = {NK_STR("Action"), nk_arena_printf(w->arena, "%u", i + 1)};
        rc = nk_cedar_entities_add(w->known, uid, &up, roll(w->dice, 2), NULL, NULL);
    }
    return rc ? rc : nk_cedar_entities_seal(w->known, NULL);
}

/* Hiding and completing -------------------------------------------------------------------------- */

static size_t some_names(const struct world *w, struct nk_str *names)
{
    size_t n = 0;
    for (size_t i = 0; i < NK_COUNT(attributes); i++)
        if (roll(w->dice, 3) == 0)
            names[n++] = nk_str(attributes[i]);
    return n;
}

struct hidden {
    struct nk_cedar_partial_request request;
    struct nk_cedar_unknown entities[HIDDEN];
    struct nk_str context[NK_COUNT(attributes)], attrs[HIDDEN][NK_COUNT(attributes)];
};

static void hide(const struct world *w, struct hidden *h)
{
    struct dice *d = w->dice;
    struct nk_cedar_request r = random_request(w->arena, d);
    memset(h, 0, sizeof *h);
    h->request = (struct nk_cedar_partial_request){.principal = r.principal,
                                                   .action = r.action,
                                                   .resource = r.resource,
                                                   .context_attrs = h->context,
                                                   .entities = h->entities,
                                                   .schema = w->schema};
    h->request.context = make_record(w, NULL, NULL, 0, true);
    if (roll(d, 3) == 0)
        h->request.principal.id = (struct nk_str){NULL, 0};
    if (roll(d, 2))
        h->request.resource.id = (struct nk_str){NULL, 0};
    if (roll(d, 3) == 0) {
        h->request.context_open = true;
        h->request.context = roll(d, 2) ? NULL : h->request.context;
    } else {
        h->request.context_attr_count = some_names(w, h->context);
    }
    for (uint32_t n = roll(d, HIDDEN + 1), i = 0; i < n; i++) {
        struct nk_cedar_unknown *u = &h->entities[h->request.entity_count];
        struct nk_cedar_uid uids[] = {
            r.principal, r.resource,
            random_uid(w->arena, roll(d, RANDOM_TYPES), roll(d, RANDOM_IDS))};
        struct cedar_uid uid = cedar_uid(uids[roll(d, 3)]);
        bool twice = false;
        for (size_t k = 0; k < h->request.entity_count; k++)
            twice |= nk_str_eq(uid.uid.type, h->entities[k].uid.type) &&
                     nk_str_eq(uid.uid.id, h->entities[k].uid.id);
        if (twice)
            continue;
        u->uid = uid.uid;
        u->all = !cedar_entities_find(w->known, &uid) || roll(d, 4) == 0;
        u->tags = roll(d, 2);
        u->ancestors = roll(d, 2);
        u->attrs = h->attrs[h->request.entity_count];
        u->attr_count = some_names(w, h->attrs[h->request.entity_count]);
        h->request.entity_count++;
    }
}

static const struct nk_cedar_unknown *hidden_of(const struct hidden *h, struct nk_cedar_uid uid)
{
    for (size_t i = 0; i < h->request.entity_count; i++)
        if (nk_str_eq(h->entities[i].uid.type, uid.type) &&
            nk_str_eq(h->entities[i].uid.id, uid.id))
            return &h->entities[i];
    return NULL;
}

static int add_completed(const struct world *w, const struct hidden *h, struct nk_cedar_entities *e,
                         uint32_t i)
{
    struct cedar_uid uid = cedar_uid(random_uid(w->arena, i / RANDOM_IDS, i % RANDOM_IDS));
    const struct cedar_entity *from = cedar_entities_find(w->known, &uid);
    const struct nk_cedar_unknown *u = hidden_of(h, uid.uid);
    struct nk_cedar_uid parents[8];
    size_t n = 0;
    if (u && u->all)
        return roll(w->dice, 5) ? add_anew(w, e, i) : 0;
    if (!from || !u)
        return from ? add_known(e, from) : 0;
    for (uint32_t k = 0; k < from->parent_n; k++)
        parents[n++] = from->parents[k].uid;
    if (u->ancestors)
        n = make_parents(w, i, parents);
    return nk_cedar_entities_add(e, uid.uid, parents, n,
                                 make_record(w, from->attrs, u->attrs, u->attr_count, false),
                                 u->tags ? make_tags(w) : from->tags);
}

static struct nk_cedar_entities *complete_store(const struct world *w, const struct hidden *h)
{
    struct nk_cedar_entities *e = nk_cedar_entities_new(w->arena, NULL);
    bool ok = e;
    for (uint32_t i = 0; ok && i < WORLD; i++)
        ok = add_completed(w, h, e, i) == 0;
    for (uint32_t i = 0; ok && i < RANDOM_IDS; i++) {
        struct cedar_uid uid =
            cedar_uid((struct nk_cedar_uid){NK_STR("Action"), nk_arena_printf(w->arena, "%u", i)});
        ok = add_known(e, cedar_entities_find(w->known, &uid)) == 0;
    }
    return ok && nk_cedar_entities_seal(e, NULL) == 0 ? e : NULL;
}

static struct nk_cedar_request complete_request(const struct world *w, const struct hidden *h)
{
    struct nk_cedar_request r = {h->request.principal, h->request.action, h->request.resource,
                                 NULL};
    if (!r.principal.id.p)
        r.principal.id = nk_arena_printf(w->arena, "%u", roll(w->dice, RANDOM_IDS + 1));
    if (!r.resource.id.p)
        r.resource.id = nk_arena_printf(w->arena, "%u", roll(w->dice, RANDOM_IDS + 1));
    r.context = make_record(w, h->request.context, h->context, h->request.context_attr_count,
                            h->request.context_open);
    return r;
}

/* Comparing -------------------------------------------------------------------------------------- */

enum verdict { SATISFIED, NOT_SATISFIED, ERRS };

static enum verdict judge(struct cedar_eval *e, const struct cedar_policy *policy)
{
    e->call.code = 0;
    if (oracle_holds(e, policy))
        return SATISFIED;
    return e->call.code ? ERRS : NOT_SATISFIED;
}

/* The residuals as a set: printed, then parsed. */
static struct nk_cedar_policies *reread(const struct nk_cedar_partial *x, struct nk_arena *a)
{
    struct nk_buf b;
    struct nk_fault f = {0};
    nk_buf_init(&b, TEXT);
    for (size_t i = 0; i < x->policy_count; i++)
        nk_cedar_residual_put_text(&x->policies[i], &b);
    struct nk_str text = b.error ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(&b));
    nk_buf_free(&b);
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    if (p && text.p && nk_cedar_policies_add(p, text, NK_STR("p"), false, &f) == 0 &&
        nk_cedar_policies_count(p) == x->policy_count)
        return p;
    printf("# not read again: %s\n%.*s", f.message, NK_FMT(text));
    return NULL;
}

/* Is this what the policy does under this completion? */
static bool is_exact(struct cedar_eval *e, const struct cedar_policy *policy,
                     const struct nk_cedar_residual *r, const struct cedar_policy *again,
                     enum verdict *left)
{
    enum verdict want = judge(e, policy);
    *left = want;
    switch (r->outcome) {
    case NK_CEDAR_SATISFIED:
        return want == SATISFIED && judge(e, again) == SATISFIED;
    case NK_CEDAR_NOT_SATISFIED:
        return want == NOT_SATISFIED;
    case NK_CEDAR_ERRS:
        return want == ERRS;
    case NK_CEDAR_RESIDUAL:
        break;
    }
    *left = judge(e, again);
    return want == *left && want == judge(e, r->policy) && (want != ERRS || r->may_err) &&
           (want != SATISFIED || !r->never);
}

/* One completion: every policy, and the decision that follows from what is left. */
static bool compare(const struct nk_cedar_policies *p, const struct nk_cedar_partial *x,
                    const struct nk_cedar_policies *again, const struct nk_cedar_entities *e,
                    const struct nk_cedar_request *r, struct nk_arena *a)
{
    struct cedar_eval eval = {.call = {.arena = a}, .entities = e};
    struct nk_cedar_answer want = {.allow = false};
    const struct nk_cedar_uid *uids[] = {&r->principal, &r->action, &r->resource};
    bool same = oracle_decide(p, e, r, a, &want) == 0, hit[2] = {false, false};
    for (int var = 0; var < CEDAR_CONTEXT; var++)
        eval.vars[var] = nk_cedar_entity(a, *uids[var]);
    eval.vars[CEDAR_CONTEXT] = r->context;
    for (size_t i = 0; i < p->n; i++) {
        enum verdict v;
        bool exact = is_exact(&eval, p->items[i], &x->policies[i], again->items[i], &v);
        if (!exact)
            printf("# policy %zu: %d, %s%s\n", i, (int)x->policies[i].outcome,
                   v == ERRS ? "errs"
                   : v       ? "not satisfied"
                             : "satisfied",
                   x->policies[i].may_err ? ", may err" : "");
        same &= exact;
        hit[p->items[i]->forbid] |=
            v == SATISFIED || (v == ERRS && p->strict && p->items[i]->forbid);
    }
    same &= want.allow == (hit[0] && !hit[1]);
    return same &&
           (x->decision == NK_CEDAR_UNDECIDED || want.allow == (x->decision == NK_CEDAR_ALLOW));
}

static void show(const struct nk_cedar_policies *p, const struct nk_cedar_policies *again,
                 const struct nk_cedar_request *r)
{
    struct nk_buf b;
    nk_buf_init(&b, TEXT);
    for (size_t i = 0; i < p->n; i++) {
        cedar_policy_put_text(p->items[i], &b);
        nk_buf_add(&b, NK_STR("==> "));
        cedar_policy_put_text(again->items[i], &b);
    }
    nk_cedar_uid_put(&b, r->principal);
    nk_buf_add_char(&b, ' ');
    nk_cedar_uid_put(&b, r->resource);
    nk_buf_add_char(&b, ' ');
    nk_cedar_value_put(&b, r->context);
    printf("%.*s\n", NK_FMT(nk_buf_str(&b)));
    nk_buf_free(&b);
}

static void one_request(const struct nk_cedar_policies *p, const struct world *from,
                        struct tally *t)
{
    static struct nk_arena a;
    struct hidden h;
    struct nk_cedar_partial x;
    if (!a.ceiling)
        nk_arena_init_sized(&a, BIG, 1 << 16);
    struct world w = *from;
    w.arena = &a;
    hide(&w, &h);
    int rc = nk_cedar_partial(p, w.known, &h.request, &a, &x);
    struct nk_cedar_policies *again = rc ? NULL : reread(&x, &a);
    for (int i = 0; again && i < EACH; i++) {
        struct nk_cedar_entities *e = complete_store(&w, &h);
        struct nk_cedar_request r = complete_request(&w, &h);
        bool same = e && compare(p, &x, again, e, &r, &a);
        t->completions++;
        t->wrong += !same;
        if (!same && t->wrong <= SHOWN)
            show(p, again, &r);
    }
    for (size_t i = 0; again && i < x.policy_count; i++) {
        t->outcomes[x.policies[i].outcome]++;
        t->cannot_err += x.policies[i].outcome == NK_CEDAR_RESIDUAL && !x.policies[i].may_err;
    }
    t->broken += !again;
    if (again)
        t->settled[x.decision]++;
    nk_arena_reset(&a);
}

/* Policies whose scopes match more often than those of put_policies. */
static void put_loose_policies(struct nk_buf *b, struct dice *d, uint32_t n)
{
    static const char *const vars[] = {"principal", "action", "resource"};
    for (; n > 0; n--) {
        nk_buf_add(b, roll(d, 3) ? NK_STR("permit (") : NK_STR("forbid ("));
        for (size_t i = 0; i < NK_COUNT(vars); i++) {
            nk_buf_add(b, i ? NK_STR(", ") : NK_STR(""));
            if (i != 1 && roll(d, 3) == 0)
                put_scope(b, d, vars[i]);
            else
                nk_buf_add(b, nk_str(vars[i]));
        }
        nk_buf_add_char(b, ')');
        for (uint32_t conditions = roll(d, 4); conditions > 0; conditions--)
            put_condition(b, d);
        nk_buf_add(b, NK_STR(";\n"));
    }
}

static void one_set(uint64_t seed, const struct nk_cedar_schema *schema, struct tally *t)
{
    struct nk_arena a;
    struct nk_buf text;
    struct dice d = {seed * 0x9e3779b97f4a7c15u + 1};
    nk_arena_init_sized(&a, BIG, 1 << 16);
    nk_buf_init(&text, TEXT);
    put_policies(&text, &d, roll(&d, 2));
    put_loose_policies(&text, &d, 1 + roll(&d, MOST));
    struct world w = {&a, &d, schema, NULL};
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    int rc = nk_cedar_policies_add(p, nk_buf_str(&text), NK_STR("p"), false, NULL);
    nk_cedar_policies_strict(p, roll(&d, 4) == 0);
    rc = rc ? rc : make_known(&w);
    for (int i = 0; !rc && i < REQUESTS; i++)
        one_request(p, &w, t);
    t->broken += rc != 0;
    nk_buf_free(&text);
    nk_arena_free(&a);
}

static void random_runs(uint64_t seed, unsigned long completions)
{
    struct nk_arena a;
    struct tally t = {0};
    const struct nk_cedar_schema *schema = NULL;
    nk_arena_init(&a, BIG);
    struct nk_cedar_diags *d = nk_cedar_diags_new(&a, 1);
    if (!tap_ok(nk_cedar_schema_parse(NK_STR(schema_text), &a, d, &schema) == 0, "the schema"))
        return;
    for (; t.completions < completions && t.broken == 0; seed++)
        one_set(seed, seed % 2 ? schema : NULL, &t);
    tap_ok(t.wrong == 0 && t.broken == 0, "%lu completions: %lu mismatches, %lu broken",
           t.completions, t.wrong, t.broken);
    tap_ok(t.settled[0] && t.settled[1] && t.settled[2],
           "requests undecided %lu, allowed %lu, denied %lu", t.settled[0], t.settled[1],
           t.settled[2]);
    tap_ok(t.outcomes[0] && t.outcomes[1] && t.outcomes[2] && t.outcomes[3] && t.cannot_err,
           "policies satisfied %lu, not satisfied %lu, erring %lu, residual %lu (%lu cannot err)",
           t.outcomes[0], t.outcomes[1], t.outcomes[2], t.outcomes[3], t.cannot_err);
    nk_arena_free(&a);
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 2 ? strtoull(argv[1], NULL, 10) : 1;
    unsigned long completions = argc > 2 ? strtoul(argv[2], NULL, 10) : COMPLETIONS;
    random_runs(seed, completions);
    return tap_done();
}
