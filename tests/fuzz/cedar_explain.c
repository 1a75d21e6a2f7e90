/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_explain.c - any bytes as policy text whose decision is explained over a small fixed world. An
 * explanation must agree with the decision and with itself: what matched and erred is what the answer
 * says, all clauses hold in what matched and in nothing else, as many conditions are marked as the
 * distance tells, and each value in it reads back from its JSON.
 */
#include "cedar/explain.h"
#include "cedar/value.h"
#include "cedar/value_write.h"

#include <stdlib.h>

enum { CEILING = 128 << 20, MOST = 1 << 13, JSON_MOST = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char world[] =
    "[{\"uid\":{\"type\":\"User\",\"id\":\"alice\"},\"attrs\":{\"age\":30,\"name\":\"alice\","
    "\"manager\":{\"__entity\":{\"type\":\"User\",\"id\":\"bob\"}},\"roles\":[\"a\",\"b\"],"
    "\"ip\":{\"__extn\":{\"fn\":\"ip\",\"arg\":\"10.1.2.3\"}}},"
    "\"parents\":[{\"type\":\"Group\",\"id\":\"staff\"}],\"tags\":{\"team\":\"red\"}},"
    "{\"uid\":{\"type\":\"Group\",\"id\":\"staff\"},\"attrs\":{},\"parents\":[]}]";

static const char facts[] =
    "{\"mfa\":true,\"n\":7,\"when\":{\"__extn\":{\"fn\":\"datetime\",\"arg\":"
    "\"2024-01-01\"}},\"net\":{\"a b\":[1,\"x\"]}}";

static const struct nk_json_limits limits = {JSON_MOST, 256, 1 << 20};

static void must(bool cond)
{
    if (!cond)
        abort();
}

/* A record may have a member that makes it look like an escape, which then cannot be read: only
 * texts can tell. */
static void reads_back(struct nk_arena *a, const struct nk_cedar_value *value)
{
    struct nk_buf b;
    struct nk_json doc;
    const struct nk_cedar_value *again;
    nk_buf_init(&b, JSON_MOST);
    nk_cedar_value_put_json(&b, value);
    if (!b.error && value->depth < 200) {
        must(nk_json_parse_any_name(&limits, nk_buf_str(&b), a, &doc, NULL) == 0);
        int rc = nk_cedar_value_parse(&doc, 0, a, &again, NULL);
        must(rc ? nk_str_search(nk_buf_str(&b), NK_STR("\"__e")) >= 0
                : cedar_value_cmp(value, again) == 0 ||
                      nk_str_search(nk_buf_str(&b), NK_STR("\"__e")) >= 0);
    }
    nk_buf_free(&b);
}

/* Marked conditions below this part. */
static uint32_t look(struct nk_arena *a, const struct nk_cedar_part *part)
{
    uint32_t marks = part->change;
    must((part->value != NULL) != (part->error != NULL));
    must(!part->change || !part->logic);
    if (part->value)
        reads_back(a, part->value);
    for (const struct nk_cedar_part *kid = part->first; kid; kid = kid->next)
        marks += look(a, kid);
    return marks;
}

static bool is_error(const struct nk_cedar_answer *answer, struct nk_str id)
{
    for (size_t i = 0; i < answer->error_count; i++)
        if (nk_str_eq(answer->errors[i].policy, id))
            return true;
    return false;
}

static bool is_reason(const struct nk_cedar_answer *answer, struct nk_str id)
{
    for (size_t i = 0; i < answer->reason_count; i++)
        if (nk_str_eq(answer->reasons[i], id))
            return true;
    return false;
}

static void agree(struct nk_arena *a, const struct nk_cedar_answer *answer,
                  const struct nk_cedar_why *why)
{
    uint32_t marks = 0;
    bool all = true;
    for (size_t i = 0; i < why->clause_count; i++) {
        all &= why->clauses[i].holds;
        marks += look(a, why->clauses[i].part);
    }
    must(all == (why->state == NK_CEDAR_MATCHED));
    must(marks == (why->distance == NK_CEDAR_NEVER ? 0 : why->distance));
    must(why->distance > 0);
    must(is_error(answer, why->id) == (why->state == NK_CEDAR_ERRED));
    must(!is_reason(answer, why->id) || why->state == NK_CEDAR_MATCHED);
    must(why->state != NK_CEDAR_MATCHED || is_reason(answer, why->id) ||
         (!why->forbid && !answer->allow));
}

static void explain(struct nk_arena *a, const struct nk_cedar_policies *p,
                    const struct nk_cedar_entities *entities)
{
    struct nk_cedar_request request = {{NK_STR("User"), NK_STR("alice")},
                                       {NK_STR("Action"), NK_STR("InvokeModel")},
                                       {NK_STR("Model"), NK_STR("small")},
                                       NULL};
    struct nk_cedar_explanation x;
    struct nk_json doc;
    must(nk_json_parse(&limits, nk_str(facts), a, &doc, NULL) == 0 &&
         nk_cedar_value_parse(&doc, 0, a, &request.context, NULL) == 0);
    if (nk_cedar_explain(p, entities, &request, 16, a, &x))
        return;
    must(x.count + x.left_out == nk_cedar_policies_count(p));
    for (size_t i = 0; i < x.count; i++)
        agree(a, &x.answer, &x.policies[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_str text = {(const char *)data, size};
    if (size > MOST)
        return 0;
    nk_arena_init(&a, CEILING);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    struct nk_cedar_entities *entities = nk_cedar_entities_new(&a, NULL);
    must(nk_cedar_entities_parse(entities, nk_str(world), NULL) == 0 &&
         nk_cedar_entities_seal(entities, NULL) == 0);
    if (nk_cedar_policies_add(p, text, NK_STR("p"), false, NULL) == 0)
        explain(&a, p, entities);
    nk_arena_free(&a);
    return 0;
}
