/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_index.c - the index is sound: for random policy sets and requests, decision, reasons and
 * errors are those of a walk over all policies with the tree evaluator (tests/cedar_oracle.h). With
 * two arguments: a first seed and how many sets, for longer runs.
 */
#include "cedar_oracle.h"
#include "cedar_random.h"
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
    return tap_done();
}
