/* SPDX-License-Identifier: Apache-2.0
 *
 * judge.c - see judge.h.
 */
#include "tool/judge.h"

#include "cedar/view.h"

enum effect { PLAIN, STEP_UP, REDACT };

static const struct nk_str redact_mark = {"redact:", 7};

const char *nk_tool_outcome_name(enum nk_tool_outcome outcome)
{
    static const char *const names[] = {"refuse", "step_up", "allow"};
    return names[outcome];
}

/* "" or "/a/~0b": RFC 6901. */
static bool is_pointer(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '~' && (i + 1 == s.n || (s.p[i + 1] != '0' && s.p[i + 1] != '1')))
            return false;
    return s.n == 0 || s.p[0] == '/';
}

/* What a value that nobody knows means is decided by nk_tool_judge_check when policies are loaded; here it forbids. */
static enum effect effect_of(struct nk_str decision, struct nk_str *pointer)
{
    *pointer = nk_str_sub(decision, redact_mark.n, decision.n);
    if (decision.p && nk_str_eq(decision, NK_STR("step_up")))
        return STEP_UP;
    return decision.p && nk_str_starts(decision, redact_mark) && is_pointer(*pointer) ? REDACT
                                                                                      : PLAIN;
}

static bool erred(const struct nk_cedar_found *found, struct nk_str id)
{
    for (size_t i = 0; i < found->error_count; i++)
        if (nk_str_eq(found->errors[i].policy, id))
            return true;
    return false;
}

/* The satisfied forbids by what they do. */
struct sorted {
    struct nk_str *plain, *step_up, *waived, *redact;
    size_t plain_n, step_up_n, waived_n, redact_n;
};

static bool sort_forbids(const struct nk_cedar_policies *p, const struct nk_cedar_found *found,
                         struct nk_arena *a, struct sorted *out)
{
    size_t n = found->forbid_count + 1;
    *out = (struct sorted){.plain = nk_arena_array(a, n, sizeof *out->plain),
                           .step_up = nk_arena_array(a, n, sizeof *out->step_up),
                           .waived = nk_arena_array(a, n, sizeof *out->waived),
                           .redact = nk_arena_array(a, n, sizeof *out->redact)};
    if (!out->plain || !out->step_up || !out->waived || !out->redact)
        return false;
    for (size_t i = 0; i < found->forbid_count; i++) {
        struct nk_str id = found->forbids[i], pointer;
        enum effect effect = effect_of(nk_cedar_annotation(p, id, NK_STR("decision")), &pointer);
        if (effect == PLAIN || erred(found, id)) {
            out->plain[out->plain_n++] = id;
            continue;
        }
        if (effect == STEP_UP)
            out->step_up[out->step_up_n++] = id;
        else
            out->redact[out->redact_n++] = pointer;
        out->waived[out->waived_n++] = id;
    }
    return true;
}

int nk_tool_judge(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                  const struct nk_cedar_request *req, bool approved, struct nk_arena *a,
                  struct nk_tool_judgement *out)
{
    struct nk_cedar_found found;
    struct sorted s;
    *out = (struct nk_tool_judgement){.outcome = NK_TOOL_REFUSE};
    int rc = nk_cedar_find(p, entities, req, a, &found);
    if (!rc && !sort_forbids(p, &found, a, &s))
        rc = NK_ENOMEM;
    if (rc)
        return rc;
    out->answer.errors = found.errors;
    out->answer.error_count = found.error_count;
    if (s.plain_n || !found.permit_count) {
        out->answer.reasons = s.plain;
        out->answer.reason_count = s.plain_n;
        return 0;
    }
    out->outcome = s.step_up_n && !approved ? NK_TOOL_STEP_UP : NK_TOOL_ALLOW;
    out->answer.allow = out->outcome == NK_TOOL_ALLOW;
    out->answer.reasons = out->answer.allow ? found.permits : s.step_up;
    out->answer.reason_count = out->answer.allow ? found.permit_count : s.step_up_n;
    if (!out->answer.allow)
        return 0;
    out->waived = s.waived;
    out->waived_count = s.waived_n;
    out->redact = s.redact;
    out->redact_count = s.redact_n;
    return 0;
}

int nk_tool_judge_open(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                       const struct nk_cedar_partial_request *req, struct nk_arena *a, bool *out)
{
    struct nk_cedar_partial found;
    bool permit = false, forbid = false;
    *out = false;
    int rc = nk_cedar_partial(p, entities, req, a, &found);
    for (size_t i = 0; !rc && i < found.policy_count; i++) {
        const struct nk_cedar_residual *r = &found.policies[i];
        struct nk_str pointer;
        if (!r->forbid) {
            permit |=
                r->outcome == NK_CEDAR_SATISFIED || (r->outcome == NK_CEDAR_RESIDUAL && !r->never);
            continue;
        }
        if (r->outcome == NK_CEDAR_SATISFIED)
            forbid |=
                effect_of(nk_cedar_annotation(p, r->id, NK_STR("decision")), &pointer) == PLAIN;
        else if (r->outcome == NK_CEDAR_ERRS)
            forbid |= nk_cedar_policies_is_strict(p);
    }
    *out = permit && !forbid;
    return rc;
}

int nk_tool_judge_check(const struct nk_cedar_policies *p, struct nk_fault *f)
{
    for (size_t i = 0; i < nk_cedar_policies_count(p); i++) {
        struct nk_cedar_policy_view v;
        struct nk_str pointer;
        nk_cedar_policy_view(p, i, &v);
        struct nk_str decision = nk_cedar_annotation(p, v.id, NK_STR("decision"));
        if (!decision.p)
            continue;
        if (!v.forbid)
            return nk_fault_set(f, NK_EINVAL, "policy", 0,
                                "policy \"%.*s\": @decision belongs to forbids; a permit only "
                                "permits",
                                NK_FMT(v.id));
        if (effect_of(decision, &pointer) == PLAIN)
            return nk_fault_set(f, NK_EINVAL, "policy", 0,
                                "policy \"%.*s\": @decision(\"%.*s\") is not known; write "
                                "\"step_up\" or \"redact:/json/pointer\"",
                                NK_FMT(v.id), (int)(decision.n < 60 ? decision.n : 60), decision.p);
    }
    return 0;
}
