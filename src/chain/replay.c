/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.c - see replay.h. Reads these members of a record:
 *
 *   "cedar":{"principal":{"type","id"},"action":…,"resource":…,"context":{…}}
 *   "tool":{"outcome","approved"?,"waived"?,"redact"?,"context"?,"classes"?}    (of tool calls)
 *   "entities":[…]  "decision":"allow"|"deny"  "reasons":["id",…]  "errors":[{"policy","what"},…]
 */
#include "chain/replay.h"

#include "tool/judge.h"

static int bad(struct nk_fault *f, const char *what)
{
    return nk_fault_set(f, NK_EINVAL, "replay", 0, "the record's %s cannot be read", what);
}

static bool read_uid(const struct nk_json *doc, uint32_t of, struct nk_str name, struct nk_arena *a,
                     struct nk_cedar_uid *out)
{
    uint32_t at = nk_json_get(doc, of, name);
    out->type = nk_json_string(doc, nk_json_get(doc, at, NK_STR("type")), a);
    out->id = nk_json_string(doc, nk_json_get(doc, at, NK_STR("id")), a);
    return out->type.p && out->id.p;
}

/* The array member `name` of the record: its index and length. */
static bool find_list(const struct nk_json *doc, struct nk_str name, uint32_t *at, uint32_t *count)
{
    *at = nk_json_get(doc, 0, name);
    if (*at == NK_JSON_NONE || nk_json_type(doc, *at) != NK_JSON_ARRAY)
        return false;
    *count = doc->tape[*at].count;
    return true;
}

static int read_reasons(const struct nk_json *doc, struct nk_arena *a,
                        struct nk_replay_verdict *out)
{
    uint32_t list, count;
    if (!find_list(doc, NK_STR("reasons"), &list, &count))
        return NK_EINVAL;
    struct nk_str *p = nk_arena_array(a, count, sizeof *p);
    if (!p)
        return NK_ENOMEM;
    out->reasons = p;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        *p = nk_json_string(doc, i, a);
        if (!p->p)
            return NK_EINVAL;
        p++;
    }
    out->reason_count = count;
    return 0;
}

static int read_errors(const struct nk_json *doc, struct nk_arena *a, struct nk_replay_verdict *out)
{
    uint32_t list, count;
    if (nk_json_get(doc, 0, NK_STR("errors")) == NK_JSON_NONE)
        return 0;
    if (!find_list(doc, NK_STR("errors"), &list, &count))
        return NK_EINVAL;
    struct nk_replay_error *p = nk_arena_array(a, count, sizeof *p);
    if (!p)
        return NK_ENOMEM;
    out->errors = p;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        p->policy = nk_json_string(doc, nk_json_get(doc, i, NK_STR("policy")), a);
        p->what = nk_json_string(doc, nk_json_get(doc, i, NK_STR("what")), a);
        if (!p->policy.p || !p->what.p)
            return NK_EINVAL;
        p++;
    }
    out->error_count = count;
    return 0;
}

static int read_verdict(const struct nk_json *doc, struct nk_arena *a,
                        struct nk_replay_verdict *out, struct nk_fault *f)
{
    uint32_t decision = nk_json_get(doc, 0, NK_STR("decision"));
    out->allow = nk_json_is(doc, decision, NK_STR("allow"));
    if (!out->allow && !nk_json_is(doc, decision, NK_STR("deny")))
        return bad(f, "decision");
    int r = read_reasons(doc, a, out);
    if (r)
        return bad(f, "reasons");
    r = read_errors(doc, a, out);
    return r ? bad(f, "errors") : 0;
}

static int take_answer(const struct nk_cedar_answer *answer, struct nk_arena *a,
                       struct nk_replay_verdict *out)
{
    struct nk_replay_error *errors = nk_arena_array(a, answer->error_count, sizeof *errors);
    if (!errors)
        return NK_ENOMEM;
    for (size_t i = 0; i < answer->error_count; i++)
        errors[i] =
            (struct nk_replay_error){answer->errors[i].policy, nk_str(answer->errors[i].what)};
    *out = (struct nk_replay_verdict){.allow = answer->allow,
                                      .reasons = answer->reasons,
                                      .reason_count = answer->reason_count,
                                      .errors = errors,
                                      .error_count = answer->error_count};
    return 0;
}

static bool is_same(const struct nk_replay_verdict *x, const struct nk_replay_verdict *y)
{
    if (x->allow != y->allow || x->reason_count != y->reason_count ||
        x->error_count != y->error_count)
        return false;
    for (size_t i = 0; i < x->reason_count; i++)
        if (!nk_str_eq(x->reasons[i], y->reasons[i]))
            return false;
    for (size_t i = 0; i < x->error_count; i++)
        if (!nk_str_eq(x->errors[i].policy, y->errors[i].policy) ||
            !nk_str_eq(x->errors[i].what, y->errors[i].what))
            return false;
    return true;
}

/* Do the recorded texts of a list say the same? A list that is missing is empty. */
static bool same_texts(const struct nk_json *doc, uint32_t of, struct nk_str name,
                       const struct nk_str *list, size_t n)
{
    uint32_t at = nk_json_get(doc, of, name);
    size_t k = 0;
    if (at == NK_JSON_NONE)
        return n == 0;
    for (uint32_t i = nk_json_first(doc, at); i != NK_JSON_NONE; i = nk_json_next(doc, at, i))
        if (k == n || !nk_json_is(doc, i, list[k++]))
            return false;
    return k == n;
}

/* The data classes of a tool's results, which were asked about beside the call. */
static int ask_classes(const struct nk_json *doc, uint32_t tool,
                       const struct nk_cedar_policies *policies, const struct nk_cedar_entities *e,
                       const struct nk_cedar_request *call, struct nk_arena *a,
                       struct nk_replay *out, struct nk_fault *f)
{
    uint32_t list = nk_json_get(doc, tool, NK_STR("classes"));
    struct nk_cedar_request request = {call->principal,
                                       {NK_STR("Action"), NK_STR("ReadField")},
                                       {NK_STR("DataClass"), NK_STR("")},
                                       NULL};
    if (list == NK_JSON_NONE)
        return 0;
    int r = nk_cedar_value_parse(doc, nk_json_get(doc, tool, NK_STR("context")), a,
                                 &request.context, f);
    for (uint32_t i = nk_json_first(doc, list); r == 0 && i != NK_JSON_NONE;
         i = nk_json_next(doc, list, i)) {
        struct nk_cedar_answer answer;
        request.resource.id = nk_json_string(doc, nk_json_get(doc, i, NK_STR("class")), a);
        if (!request.resource.id.p)
            return NK_EINVAL;
        r = nk_cedar_authorize(policies, e, &request, a, &answer);
        bool allowed = nk_json_is(doc, nk_json_get(doc, i, NK_STR("decision")), NK_STR("allow"));
        out->same_beside &=
            r == 0 && answer.allow == allowed &&
            same_texts(doc, i, NK_STR("reasons"), answer.reasons, answer.reason_count);
    }
    return r;
}

static int ask_tool(const struct nk_json *doc, uint32_t tool,
                    const struct nk_cedar_policies *policies, const struct nk_cedar_entities *e,
                    const struct nk_cedar_request *request, struct nk_arena *a,
                    struct nk_replay *out, struct nk_cedar_answer *answer, struct nk_fault *f)
{
    struct nk_tool_judgement j;
    bool approved = nk_json_type(doc, nk_json_get(doc, tool, NK_STR("approved"))) == NK_JSON_TRUE;
    int r = nk_tool_judge(policies, e, request, approved, a, &j);
    if (r)
        return r;
    *answer = j.answer;
    out->same_beside = nk_json_is(doc, nk_json_get(doc, tool, NK_STR("outcome")),
                                  nk_str(nk_tool_outcome_name(j.outcome))) &&
                       same_texts(doc, tool, NK_STR("waived"), j.waived, j.waived_count) &&
                       same_texts(doc, tool, NK_STR("redact"), j.redact, j.redact_count);
    return ask_classes(doc, tool, policies, e, request, a, out, f);
}

/* Calls of tools have a judgement of their own (tool/judge.h). */
static int ask(const struct nk_json *doc, const struct nk_cedar_policies *policies,
               const struct nk_cedar_entities *e, const struct nk_cedar_request *request,
               struct nk_arena *a, struct nk_replay *out, struct nk_cedar_answer *answer,
               struct nk_fault *f)
{
    uint32_t tool = nk_json_get(doc, 0, NK_STR("tool"));
    out->same_beside = true;
    return tool == NK_JSON_NONE ? nk_cedar_authorize(policies, e, request, a, answer)
                                : ask_tool(doc, tool, policies, e, request, a, out, answer, f);
}

static int decide(const struct nk_json *doc, const struct nk_cedar_policies *policies,
                  const struct nk_cedar_entities *below, struct nk_arena *a, struct nk_replay *out,
                  struct nk_fault *f)
{
    struct nk_cedar_request request = {out->principal, out->action, out->resource, NULL};
    struct nk_cedar_answer answer;
    uint32_t cedar = nk_json_get(doc, 0, NK_STR("cedar"));
    uint32_t context = nk_json_get(doc, cedar, NK_STR("context"));
    uint32_t entities = nk_json_get(doc, 0, NK_STR("entities"));
    struct nk_cedar_entities *e = nk_cedar_entities_new(a, below);
    int r = e ? 0 : NK_ENOMEM;
    if (entities == NK_JSON_NONE || context == NK_JSON_NONE)
        return bad(f, "context or entities");
    if (r == 0)
        r = nk_cedar_entities_parse(e, nk_json_span(doc, entities), f);
    if (r == 0)
        r = nk_cedar_entities_seal(e, f);
    if (r == 0)
        r = nk_cedar_value_parse(doc, context, a, &request.context, f);
    if (r == 0)
        r = ask(doc, policies, e, &request, a, out, &answer, f);
    if (r == 0)
        r = take_answer(&answer, a, &out->now);
    return r ? nk_fault_set(f, r, "replay", 0, "the record cannot be decided again") : 0;
}

int nk_replay_record(const struct nk_json *record, const struct nk_cedar_policies *policies,
                     const struct nk_cedar_entities *entities, struct nk_arena *a,
                     struct nk_replay *out, struct nk_fault *f)
{
    uint32_t cedar = nk_json_get(record, 0, NK_STR("cedar"));
    *out = (struct nk_replay){.judged = false};
    if (cedar == NK_JSON_NONE)
        return 0;
    if (!read_uid(record, cedar, NK_STR("principal"), a, &out->principal) ||
        !read_uid(record, cedar, NK_STR("action"), a, &out->action) ||
        !read_uid(record, cedar, NK_STR("resource"), a, &out->resource))
        return bad(f, "principal, action or resource");
    int r = read_verdict(record, a, &out->recorded, f);
    if (r == 0)
        r = decide(record, policies, entities, a, out, f);
    if (r)
        return r;
    out->judged = true;
    out->same = is_same(&out->recorded, &out->now) && out->same_beside;
    out->same_decision = out->recorded.allow == out->now.allow;
    return 0;
}
