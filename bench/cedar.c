/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar.c - nanoseconds for one decision over 10, 100 and 1,000 simple policies. Each names a
 * group, an action and a model, and every second one has a condition on the principal and the
 * context; one in ten is for the group that asks. Memory comes from one arena that is reset after
 * each decision, as in a transaction. "with the principal": making and sealing the request's own
 * entity store.
 */
#include "cedar/cedar.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(bool cond)
{
    if (!cond)
        abort();
}

struct world {
    struct nk_arena arena;
    struct nk_cedar_policies *policies;
    struct nk_cedar_entities *below, *above;
    struct nk_cedar_request request;
    const struct nk_cedar_value *attrs;
};

static const struct nk_cedar_uid parents[] = {{{"Group", 5}, {"g0", 2}},
                                              {{"Group", 5}, {"staff", 5}}};

static void build(struct world *w, int policies)
{
    nk_arena_init(&w->arena, 256 << 20);
    w->policies = nk_cedar_policies_new(&w->arena);
    for (int i = 0; i < policies; i++) {
        const char *when = i % 2 ? " when { principal.level > 3 && context.stream == false }" : "";
        struct nk_str text = nk_arena_printf(
            &w->arena,
            "permit (principal in Group::\"g%d\", action == Action::\"InvokeModel\", resource == "
            "Model::\"m%d\")%s;",
            i % 10, i % 10, when);
        struct nk_str prefix = nk_arena_printf(&w->arena, "p%d.", i);
        must(nk_cedar_policies_add(w->policies, text, prefix, false, NULL) == 0);
    }
    struct nk_cedar_uid upstream = {NK_STR("Upstream"), NK_STR("u")};
    w->below = nk_cedar_entities_new(&w->arena, NULL);
    for (int i = 0; i < 10; i++) {
        struct nk_cedar_uid model = {NK_STR("Model"), nk_arena_printf(&w->arena, "m%d", i)};
        must(nk_cedar_entities_add(w->below, model, &upstream, 1, NULL, NULL) == 0);
    }
    must(nk_cedar_entities_seal(w->below, NULL) == 0);
    struct nk_cedar_member level = {NK_STR("level"), nk_cedar_long(&w->arena, 5)};
    struct nk_cedar_member context[] = {
        {NK_STR("stream"), nk_cedar_bool(&w->arena, false)},
        {NK_STR("dialect"), nk_cedar_string(&w->arena, NK_STR("openai"))},
        {NK_STR("messages"), nk_cedar_long(&w->arena, 3)},
    };
    w->attrs = nk_cedar_record(&w->arena, &level, 1);
    w->request = (struct nk_cedar_request){
        {NK_STR("User"), NK_STR("alice@example.org")},
        {NK_STR("Action"), NK_STR("InvokeModel")},
        {NK_STR("Model"), NK_STR("m0")},
        nk_cedar_record(&w->arena, context, NK_COUNT(context)),
    };
}

static struct nk_cedar_entities *principal(struct world *w, struct nk_arena *a)
{
    struct nk_cedar_entities *e = nk_cedar_entities_new(a, w->below);
    must(e && nk_cedar_entities_add(e, w->request.principal, parents, 2, w->attrs, NULL) == 0 &&
         nk_cedar_entities_seal(e, NULL) == 0);
    return e;
}

/* Best of several rounds, in nanoseconds. */
static double measure(struct world *w, bool with_principal, int times)
{
    struct nk_arena a;
    struct nk_cedar_answer answer;
    double best = 1e9;
    nk_arena_init(&a, 1 << 20);
    for (int round = 0; round < 7; round++) {
        double start = seconds();
        for (int i = 0; i < times; i++) {
            struct nk_cedar_entities *e = with_principal ? principal(w, &a) : w->above;
            must(nk_cedar_authorize(w->policies, e, &w->request, &a, &answer) == 0 && answer.allow);
            nk_arena_reset(&a);
        }
        double each = (seconds() - start) * 1e9 / times;
        best = each < best ? each : best;
    }
    nk_arena_free(&a);
    return best;
}

int main(void)
{
    static const int sizes[] = {10, 100, 1000};
    for (size_t i = 0; i < NK_COUNT(sizes); i++) {
        struct world w;
        build(&w, sizes[i]);
        w.above = principal(&w, &w.arena);
        int times = 1000000 / sizes[i];
        printf("cedar %4d policies: %8.0f ns a decision, %8.0f ns with the principal\n", sizes[i],
               measure(&w, false, times), measure(&w, true, times));
        nk_arena_free(&w.arena);
    }
    return 0;
}
