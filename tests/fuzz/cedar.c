/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar.c - any bytes as policy text, as one expression and as entity data. What is accepted is
 * decided over a small fixed world: twice with the same answer, and once more after the text was
 * loaded behind itself, which may repeat reasons but not change the decision.
 */
#include "cedar/cedar.h"

#include <stdlib.h>
#include <string.h>

enum { CEILING = 64 << 20, MOST = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char world[] =
    "[{\"uid\":{\"type\":\"User\",\"id\":\"alice\"},\"attrs\":{\"age\":30,\"name\":\"alice\","
    "\"manager\":{\"__entity\":{\"type\":\"User\",\"id\":\"bob\"}},\"roles\":[\"a\",\"b\"],"
    "\"ip\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"10.1.2.3\"}}},"
    "\"parents\":[{\"type\":\"Group\",\"id\":\"staff\"}],\"tags\":{\"team\":\"red\"}},"
    "{\"uid\":{\"type\":\"Group\",\"id\":\"staff\"},\"attrs\":{},\"parents\":[]}]";

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void same(const struct nk_cedar_answer *a, const struct nk_cedar_answer *b)
{
    must(a->allow == b->allow && a->reason_count == b->reason_count &&
         a->error_count == b->error_count);
    for (size_t i = 0; i < a->reason_count; i++)
        must(nk_str_eq(a->reasons[i], b->reasons[i]));
    for (size_t i = 0; i < a->error_count; i++)
        must(nk_str_eq(a->errors[i].policy, b->errors[i].policy) &&
             a->errors[i].what == b->errors[i].what);
}

static void policies(struct nk_arena *a, const struct nk_cedar_entities *entities,
                     struct nk_str text)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    struct nk_fault fault = {0};
    struct nk_cedar_request request = {{NK_STR("User"), NK_STR("alice")},
                                       {NK_STR("Action"), NK_STR("InvokeModel")},
                                       {NK_STR("Model"), NK_STR("small")},
                                       NULL};
    struct nk_cedar_answer once, again;
    int rc = nk_cedar_policies_add(p, text, NK_STR("a"), false, &fault);
    must((rc == 0) == (fault.code == 0) && fault.offset <= text.n);
    if (rc) {
        must(nk_cedar_policies_count(p) == 0);
        return;
    }
    size_t n = nk_cedar_policies_count(p);
    if (nk_cedar_authorize(p, entities, &request, a, &once) ||
        nk_cedar_authorize(p, entities, &request, a, &again))
        return;
    same(&once, &again);
    must(once.reason_count + once.error_count <= n && (!once.allow || once.reason_count > 0));
    if (nk_cedar_policies_add(p, text, NK_STR("b"), false, NULL))
        return;
    must(nk_cedar_policies_count(p) == 2 * n);
    if (nk_cedar_authorize(p, entities, &request, a, &again))
        return;
    must(again.allow == once.allow && again.reason_count == 2 * once.reason_count &&
         again.error_count == 2 * once.error_count);
}

static void expression(struct nk_arena *a, const struct nk_cedar_entities *entities,
                       struct nk_str text)
{
    struct nk_str parts[] = {NK_STR("permit (principal, action, resource) when { "), text,
                             NK_STR("\n};")};
    struct nk_str all = nk_arena_join(a, parts, 3);
    if (all.p)
        policies(a, entities, all);
}

static void entity_data(struct nk_arena *a, struct nk_str text)
{
    struct nk_cedar_entities *e = nk_cedar_entities_new(a, NULL);
    if (e && nk_cedar_entities_parse(e, text, NULL) == 0 && nk_cedar_entities_seal(e, NULL) == 0)
        policies(a, e,
                 NK_STR("permit (principal in Group::\"staff\", action, resource) "
                        "when { principal has age && principal.age == 30 };"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_str text = {(const char *)data, size};
    if (size > MOST)
        return 0;
    nk_arena_init(&a, CEILING);
    struct nk_cedar_entities *entities = nk_cedar_entities_new(&a, NULL);
    must(nk_cedar_entities_parse(entities, nk_str(world), NULL) == 0 &&
         nk_cedar_entities_seal(entities, NULL) == 0);
    policies(&a, entities, text);
    expression(&a, entities, text);
    entity_data(&a, text);
    nk_arena_free(&a);
    return 0;
}
