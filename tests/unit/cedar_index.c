/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_index.c - the index is sound: for random policy sets and requests, decision, reasons and
 * errors are those of a walk over all policies with the tree evaluator (tests/cedar_oracle.h). With
 * two arguments: a first seed and how many sets, for longer runs. And stores that change while they are
 * in use decide like stores that were made so.
 */
#include "cedar/live.h"
#include "cedar/template.h"
#include "cedar_oracle.h"
#include "cedar_random_world.h"
#include "tap.h"

enum { SETS = 1000, REQUESTS = 200, MOST = 60, BIG = 64 << 20, TEXT = 1 << 20, SHOWN = 3 };

struct tally {
    unsigned long requests, wrong, allowed, erring, several, broken;
};

static void show(const struct nk_cedar_answer *a, const char *who)
{
    printf("#   %s: %s;", who, a->allow ? "allow" : "deny");
    for (size_t i = 0; i < a->reason_count; i++)
        printf(" %.*s", NK_FMT(a->reasons[i]));
    for (size_t i = 0; i < a->error_count; i++)
        printf(" %.*s: %s", NK_FMT(a->errors[i].policy), a->errors[i].what);
    printf("\n");
}

static void decide_one(const struct nk_cedar_policies *p, const struct nk_cedar_entities *e,
                       struct dice *d, struct tally *t)
{
    static struct nk_arena a;
    struct nk_cedar_answer want = {.allow = false}, got = {.allow = false};
    if (!a.ceiling)
        nk_arena_init_sized(&a, BIG, 1 << 16);
    struct nk_cedar_request request = random_request(&a, d);
    int rc = oracle_decide(p, e, &request, &a, &want);
    t->broken += rc || nk_cedar_authorize(p, e, &request, &a, &got);
    bool same = rc == 0 && oracle_same(&want, &got);
    t->requests++;
    t->wrong += !same;
    t->allowed += want.allow;
    t->erring += want.error_count > 0;
    t->several += want.reason_count > 1;
    if (!same && t->wrong <= SHOWN) {
        printf("# %.*s::\"%.*s\" %.*s %.*s::\"%.*s\"\n", NK_FMT(request.principal.type),
               NK_FMT(request.principal.id), NK_FMT(request.action.id),
               NK_FMT(request.resource.type), NK_FMT(request.resource.id));
        show(&want, "want");
        show(&got, "got");
    }
    nk_arena_reset(&a);
}

/* A template with conditions of its own, and some links of it. */
static int add_links(struct nk_cedar_policies *p, struct dice *d, struct nk_arena *a)
{
    struct nk_buf text;
    nk_buf_init(&text, TEXT);
    nk_buf_add(&text, NK_STR("permit (principal in ?principal, action, resource == ?resource)"));
    put_condition(&text, d);
    put_condition(&text, d);
    nk_buf_add_char(&text, ';');
    struct nk_str own = nk_arena_copy(a, nk_buf_str(&text));
    nk_buf_free(&text);
    int rc = nk_cedar_policies_add(p, own, NK_STR("t"), false, NULL);
    for (uint32_t i = roll(d, 6); !rc && i > 0; i--) {
        struct nk_cedar_slot_value values[] = {
            {NK_STR("?principal"), random_uid(a, roll(d, RANDOM_TYPES), roll(d, RANDOM_IDS))},
            {NK_STR("?resource"), random_uid(a, roll(d, RANDOM_TYPES), roll(d, RANDOM_IDS))}};
        rc = nk_cedar_policies_link(p, NK_STR("t0"), nk_arena_printf(a, "link%u", i), values, 2,
                                    NULL);
    }
    return rc;
}

/* Half of the sets lie over two stores, one over the other; half are bound to the lower one; one in
 * four is strict. */
static void one_set(uint64_t seed, struct tally *t)
{
    struct nk_arena a;
    struct nk_buf text;
    struct nk_fault f = {0};
    struct dice d = {seed * 0x9e3779b97f4a7c15u + 1};
    nk_arena_init_sized(&a, BIG, 1 << 16);
    nk_buf_init(&text, TEXT);
    put_policies(&text, &d, 1 + roll(&d, MOST));
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    struct nk_cedar_entities *below = random_entities(&a, &d, NULL), *e = below;
    int rc = nk_cedar_policies_add(p, nk_buf_str(&text), NK_STR("p"), false, &f);
    if (!rc)
        rc = add_links(p, &d, &a);
    if (!rc)
        rc = nk_cedar_entities_seal(below, &f);
    if (!rc && roll(&d, 2))
        rc = nk_cedar_bind(p, below, &f);
    if (!rc && roll(&d, 2)) {
        e = random_entities(&a, &d, below);
        rc = nk_cedar_entities_seal(e, &f);
    }
    nk_cedar_policies_strict(p, roll(&d, 4) == 0);
    unsigned long wrong = t->wrong;
    for (int i = 0; !rc && i < REQUESTS; i++)
        decide_one(p, e, &d, t);
    if (rc || (wrong != t->wrong && wrong < SHOWN))
        printf("# seed %llu: %s\n%.*s", (unsigned long long)seed, f.message,
               NK_FMT(nk_buf_str(&text)));
    t->broken += rc != 0;
    nk_buf_free(&text);
    nk_arena_free(&a);
}

/* Changing stores ------------------------------------------------------------------------------ */

enum { WORLD = RANDOM_TYPES * RANDOM_IDS, CHANGES = 300 };

struct model { /* what the store should hold */
    struct nk_cedar_uid uid, parents[3];
    size_t parent_n;
    const struct nk_cedar_value *attrs;
    bool there;
};

static struct nk_cedar_entities *from_model(const struct model *m, struct nk_arena *a)
{
    struct nk_cedar_entities *e = nk_cedar_entities_new(a, NULL);
    struct nk_fault f = {0};
    bool ok = e;
    for (size_t i = 0; ok && i < WORLD; i++)
        if (m[i].there)
            ok = nk_cedar_entities_add(e, m[i].uid, m[i].parents, m[i].parent_n, m[i].attrs,
                                       NULL) == 0;
    return ok && nk_cedar_entities_seal(e, &f) == 0 ? e : NULL;
}

/* Puts or removes one entity in both; true when a ring was refused. Any may be a parent of any. */
static bool change_one(struct nk_cedar_entities *e, struct model *m, struct nk_arena *a,
                       struct dice *d, struct tally *t)
{
    struct nk_fault f = {0};
    struct model *it = &m[roll(d, WORLD)], was = *it;
    if (roll(d, 4) == 0) {
        int rc = nk_cedar_entities_remove(e, it->uid, &f);
        t->broken += rc != (it->there ? 0 : NK_ENOTFOUND);
        it->there = false;
        return false;
    }
    if (!it->there || roll(d, 2))
        for (it->parent_n = 0; it->parent_n < 3 && roll(d, 2);)
            it->parents[it->parent_n++] = m[roll(d, WORLD)].uid;
    it->attrs = random_record(a, d);
    it->there = true;
    int rc = nk_cedar_entities_put(e, it->uid, it->parents, it->parent_n, it->attrs, NULL, &f);
    t->broken += rc && rc != NK_EINVAL;
    t->broken += (rc == 0) != (from_model(m, a) != NULL);
    if (rc)
        *it = was;
    return rc != 0;
}

static void live_set(uint64_t seed, struct tally *t, unsigned *rings)
{
    struct nk_arena a, scratch;
    struct nk_buf text;
    struct nk_fault f = {0};
    struct dice d = {seed * 0x9e3779b97f4a7c15u + 1};
    static struct model m[WORLD];
    struct nk_cedar_answer want, got;
    nk_arena_init_sized(&a, BIG, 1 << 16);
    nk_arena_init_sized(&scratch, BIG, 1 << 16);
    nk_buf_init(&text, TEXT);
    put_policies(&text, &d, 30);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    struct nk_cedar_entities *e = nk_cedar_entities_new(&a, NULL);
    for (uint32_t i = 0; i < WORLD; i++)
        m[i] = (struct model){.uid = random_uid(&a, i / RANDOM_IDS, i % RANDOM_IDS)};
    t->broken += nk_cedar_policies_add(p, nk_buf_str(&text), NK_STR("p"), false, &f) ||
                 nk_cedar_entities_seal(e, &f) || (roll(&d, 2) && nk_cedar_bind(p, e, &f));
    for (int i = 0; i < CHANGES; i++) {
        *rings += change_one(e, m, &a, &d, t);
        struct nk_cedar_entities *anew = from_model(m, &scratch);
        for (int k = 0; anew && k < 5; k++) {
            struct nk_cedar_request request = random_request(&scratch, &d);
            t->broken += oracle_decide(p, anew, &request, &scratch, &want) ||
                         nk_cedar_authorize(p, e, &request, &scratch, &got);
            t->requests++;
            t->wrong += !oracle_same(&want, &got);
        }
        t->broken += !anew;
        nk_arena_reset(&scratch);
    }
    nk_buf_free(&text);
    nk_arena_free(&scratch);
    nk_arena_free(&a);
}

/* One entity put again and again takes no more memory. */
static void reuse_test(void)
{
    struct nk_arena a;
    nk_arena_init(&a, BIG);
    struct nk_cedar_entities *e = nk_cedar_entities_new(&a, NULL);
    struct nk_cedar_uid uid = {NK_STR("U"), NK_STR("x")}, up = {NK_STR("G"), NK_STR("g")};
    struct nk_cedar_member name = {NK_STR("name"), nk_cedar_string(&a, NK_STR("somebody"))};
    const struct nk_cedar_value *attrs = nk_cedar_record(&a, &name, 1);
    struct nk_fault f = {0};
    size_t used = 0;
    bool ok = nk_cedar_entities_seal(e, &f) == 0;
    for (int i = 0; ok && i < 10000; i++) {
        ok = nk_cedar_entities_put(e, uid, &up, 1, attrs, NULL, &f) == 0;
        if (i == 10)
            used = a.used;
    }
    tap_ok(ok && a.used == used, "10,000 puts of one entity: %zu bytes, as after the first",
           a.used);
    nk_arena_free(&a);
}

/* Every ceiling of the set's arena: it is sealed and right, or it says that memory is out. */
static void seal_memory_test(void)
{
    struct nk_buf text;
    struct dice d = {7};
    unsigned refused = 0, sealed = 0, wrong = 0;
    nk_buf_init(&text, TEXT);
    put_policies(&text, &d, 40);
    for (size_t ceiling = 4096; ceiling < 400000; ceiling += 4096) {
        struct nk_arena a;
        struct nk_fault f = {0};
        nk_arena_init(&a, ceiling);
        struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
        if (p && nk_cedar_policies_add(p, nk_buf_str(&text), NK_STR("p"), false, NULL) == 0) {
            int rc = nk_cedar_policies_seal(p, &f);
            wrong += rc && (rc != NK_ENOMEM || f.code != NK_ENOMEM);
            refused += rc != 0;
            sealed += rc == 0;
        }
        nk_arena_free(&a);
    }
    tap_ok(wrong == 0 && refused > 3 && sealed > 3,
           "sets sealed under %u ceilings, refused under %u", sealed, refused);
    nk_buf_free(&text);
}

/* Groups in a row, g0 in g1 in … The top one gets a parent: each below it has one ancestor more. */
static void put_memory_test(void)
{
    enum { ROW = 30 };
    unsigned refused = 0, taken = 0, wrong = 0;
    for (size_t ceiling = 16384; ceiling < 400000; ceiling += 1024) {
        struct nk_arena a;
        struct nk_fault f = {0};
        nk_arena_init(&a, ceiling);
        struct nk_cedar_entities *e = nk_cedar_entities_new(&a, NULL);
        struct nk_cedar_uid root = {NK_STR("G"), NK_STR("root")}, uids[ROW + 1];
        bool ok = e;
        for (int i = 0; i <= ROW; i++)
            uids[i] =
                (struct nk_cedar_uid){NK_STR("G"), {"abcdefghijklmnopqrstuvwxyzABCDEFG" + i, 1}};
        for (int i = 0; ok && i < ROW; i++)
            ok = nk_cedar_entities_add(e, uids[i], &uids[i + 1], 1, NULL, NULL) == 0;
        ok = ok && nk_cedar_entities_seal(e, NULL) == 0;
        if (ok) {
            int rc = nk_cedar_entities_put(e, uids[ROW], &root, 1, NULL, NULL, &f);
            struct cedar_uid top = cedar_uid(root);
            unsigned in = 0;
            for (int i = 0; i <= ROW; i++) {
                struct cedar_uid uid = cedar_uid(uids[i]);
                const struct cedar_entity *entity = cedar_entities_find(e, &uid);
                in += entity && cedar_entity_in(entity, &top);
            }
            wrong += rc ? rc != NK_ENOMEM || in != 0 : in != ROW + 1;
            refused += rc != 0;
            taken += rc == 0;
        }
        nk_arena_free(&a);
    }
    tap_ok(wrong == 0 && refused > 3 && taken > 3,
           "a change of 31 entities: whole under %u ceilings, not at all under %u", taken, refused);
}

static void live_tests(void)
{
    struct tally t = {.wrong = 0};
    unsigned rings = 0;
    for (uint64_t seed = 1; seed <= 20; seed++)
        live_set(seed, &t, &rings);
    tap_ok(t.broken == 0 && rings > 20, "changes are taken, and %u rings refused: %lu fail", rings,
           t.broken);
    tap_ok(t.wrong == 0 && t.requests > 20000,
           "%lu requests over changed stores: %lu differ from stores made so", t.requests, t.wrong);
    reuse_test();
    seal_memory_test();
    put_memory_test();
}

int main(int argc, char **argv)
{
    struct tally t = {.wrong = 0};
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    uint64_t sets = argc > 2 ? strtoull(argv[2], NULL, 10) : SETS;
    for (uint64_t i = 0; i < sets; i++)
        one_set(seed + i, &t);
    tap_ok(t.broken == 0, "all sets load and are decided: %lu are not", t.broken);
    tap_ok(t.wrong == 0 && t.requests >= sets * REQUESTS, "%lu requests: %lu differ", t.requests,
           t.wrong);
    tap_ok(t.allowed > t.requests / 20 && t.erring > t.requests / 20 && t.several > t.requests / 20,
           "they are a mixture: %lu allowed, %lu with errors, %lu for several reasons", t.allowed,
           t.erring, t.several);
    live_tests();
    return tap_done();
}
