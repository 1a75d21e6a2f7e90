/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_index.c - the index and the code of conditions against a walk over all policies with the tree
 * evaluator. The bytes are policy text, one expression, and the seed of a random policy set; the world
 * and the requests follow from the seed. Answers must be equal, reasons and errors included.
 */
#include "cedar_oracle.h"
#include "cedar_random_world.h"

#include <stdlib.h>

enum { CEILING = 64 << 20, MOST = 1 << 14, REQUESTS = 8, SETS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void decide(const struct nk_cedar_policies *p, const struct nk_cedar_entities *e,
                   struct dice *d, struct nk_arena *a)
{
    struct nk_cedar_answer want, got;
    for (int i = 0; i < REQUESTS; i++) {
        struct nk_cedar_request request = random_request(a, d);
        if (i == 0)
            request = (struct nk_cedar_request){{NK_STR("User"), NK_STR("alice")},
                                                {NK_STR("Action"), NK_STR("InvokeModel")},
                                                {NK_STR("Model"), NK_STR("small")},
                                                request.context};
        if (oracle_decide(p, e, &request, a, &want) || nk_cedar_authorize(p, e, &request, a, &got))
            return; /* memory is out */
        must(oracle_same(&want, &got));
    }
}

/* A text that is accepted is decided over the world, half of the time bound to it and strict. */
static void policies(struct nk_arena *a, struct nk_cedar_entities *e, struct nk_str text,
                     struct dice *d)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    if (!p || !text.p || nk_cedar_policies_add(p, text, NK_STR("p"), false, NULL))
        return;
    nk_cedar_policies_strict(p, roll(d, 2));
    if (roll(d, 2) && nk_cedar_bind(p, e, NULL))
        return;
    decide(p, e, d, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_buf b;
    struct nk_str text = {(const char *)data, size};
    uint64_t seed = 0xcbf29ce484222325u;
    if (size > MOST)
        return 0;
    for (size_t i = 0; i < size; i++)
        seed = (seed ^ data[i]) * 0x100000001b3u;
    struct dice d = {seed | 1};
    nk_arena_init(&a, CEILING);
    struct nk_cedar_entities *e = random_entities(&a, &d, NULL);
    must(e && nk_cedar_entities_seal(e, NULL) == 0);
    struct nk_str parts[] = {NK_STR("permit (principal, action, resource) when { "), text,
                             NK_STR("\n};")};
    policies(&a, e, text, &d);
    policies(&a, e, nk_arena_join(&a, parts, 3), &d);
    for (int i = 0; i < SETS; i++) {
        nk_buf_init(&b, CEILING);
        put_policies(&b, &d, 1 + roll(&d, 40));
        policies(&a, e, nk_buf_str(&b), &d);
        nk_buf_free(&b);
    }
    nk_arena_free(&a);
    return 0;
}
