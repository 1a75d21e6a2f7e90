/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_case.c - see policy_case.h.
 */
#include "cmd/policy_case.h"
#include "cedar/ast.h"
#include "cmd/audit_args.h"

enum { ANSWER_MAX = 1 << 20 };

void nk_case_result(struct nk_case *c, bool good, struct nk_str what, struct nk_str expected,
                    struct nk_str got)
{
    struct nk_buf *out = &c->tally->out;
    if (good) {
        c->tally->passed++;
        return;
    }
    c->tally->failed++;
    nk_audit_put_safe(out, c->place);
    nk_buf_add(out, NK_STR(": "));
    nk_audit_put_safe(out, what);
    nk_buf_add(out, NK_STR(": expected "));
    nk_audit_put_safe(out, expected);
    nk_buf_add(out, NK_STR(", got "));
    nk_audit_put_safe(out, got);
    nk_buf_add_char(out, '\n');
}

void nk_case_broken(struct nk_case *c, struct nk_str what, const struct nk_fault *f)
{
    nk_case_result(c, false, what, NK_STR("a result"), nk_str(f->message));
}

/* "allow [a, b] errors [c]" ------------------------------------------------------------------------
 */
static void put_id(struct nk_buf *b, struct nk_str id, bool first)
{
    nk_buf_add(b, first ? NK_STR("") : NK_STR(", "));
    nk_buf_add(b, id);
}

static struct nk_str answer_text(struct nk_arena *a, const struct nk_cedar_answer *answer)
{
    struct nk_buf b;
    nk_buf_init(&b, ANSWER_MAX);
    nk_buf_add(&b, answer->allow ? NK_STR("allow [") : NK_STR("deny ["));
    for (size_t i = 0; i < answer->reason_count; i++)
        put_id(&b, answer->reasons[i], i == 0);
    nk_buf_add_char(&b, ']');
    for (size_t i = 0; i < answer->error_count; i++)
        nk_buf_printf(&b, "%s%.*s (%s)", i ? ", " : " errors [", NK_FMT(answer->errors[i].policy),
                      answer->errors[i].what);
    nk_buf_add(&b, answer->error_count ? NK_STR("]") : NK_STR(""));
    struct nk_str text = nk_arena_copy(a, nk_buf_str(&b));
    nk_buf_free(&b);
    return text;
}

static void put_list(struct nk_buf *b, const struct nk_json *doc, uint32_t list, struct nk_arena *a)
{
    bool first = true;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        put_id(b, nk_json_string(doc, i, a), first);
        first = false;
    }
    nk_buf_add_char(b, ']');
}

static struct nk_str expected_text(struct nk_arena *a, const struct nk_json *doc, uint32_t request)
{
    struct nk_buf b;
    uint32_t errors = nk_json_get(doc, request, NK_STR("errors"));
    nk_buf_init(&b, ANSWER_MAX);
    nk_buf_add(&b, nk_json_string(doc, nk_json_get(doc, request, NK_STR("decision")), a));
    nk_buf_add(&b, NK_STR(" ["));
    put_list(&b, doc, nk_json_get(doc, request, NK_STR("reason")), a);
    if (nk_json_first(doc, errors) != NK_JSON_NONE) {
        nk_buf_add(&b, NK_STR(" errors ["));
        put_list(&b, doc, errors, a);
    }
    struct nk_str text = nk_arena_copy(a, nk_buf_str(&b));
    nk_buf_free(&b);
    return text;
}

/* Comparing ---------------------------------------------------------------------------------------
 */
static bool has_id(const struct nk_json *doc, uint32_t list, struct nk_str id)
{
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i))
        if (nk_json_is(doc, i, id))
            return true;
    return false;
}

/* The length of a list whose members are all different, as ids are. */
static size_t length(const struct nk_json *doc, uint32_t list)
{
    return list == NK_JSON_NONE ? 0 : doc->tape[list].count;
}

static bool is_expected(const struct nk_json *doc, uint32_t request,
                        const struct nk_cedar_answer *answer)
{
    uint32_t reason = nk_json_get(doc, request, NK_STR("reason"));
    uint32_t errors = nk_json_get(doc, request, NK_STR("errors"));
    bool same = nk_json_is(doc, nk_json_get(doc, request, NK_STR("decision")),
                           answer->allow ? NK_STR("allow") : NK_STR("deny")) &&
                length(doc, reason) == answer->reason_count &&
                length(doc, errors) == answer->error_count;
    for (size_t i = 0; same && i < answer->reason_count; i++)
        same = has_id(doc, reason, answer->reasons[i]);
    for (size_t i = 0; same && i < answer->error_count; i++)
        same = has_id(doc, errors, answer->errors[i].policy);
    return same;
}

static struct nk_str request_name(struct nk_case *c, const struct nk_json *doc, uint32_t request,
                                  size_t n)
{
    uint32_t at = nk_json_get(doc, request, NK_STR("description"));
    struct nk_str text = nk_json_string(doc, at, c->arena);
    return nk_arena_printf(c->arena, text.n ? "request %zu (%.*s)" : "request %zu", n,
                           NK_FMT(text));
}

/* Whether it keeps to the schema: a test may say so ("valid"), and else it must, if it is validated
 * at all. */
static int validate(struct nk_case *c, const struct nk_json *doc, uint32_t at,
                    const struct nk_cedar_request *request, struct nk_fault *f)
{
    uint32_t wanted = nk_json_get(doc, at, NK_STR("validateRequest"));
    if (wanted == NK_JSON_NONE || nk_json_type(doc, wanted) != NK_JSON_TRUE)
        return 0;
    return nk_input_valid(c->input.schema, request, c->arena, f);
}

static void one_request(struct nk_case *c, const struct nk_json *doc, uint32_t at, size_t n)
{
    struct nk_cedar_request request;
    struct nk_cedar_answer answer;
    struct nk_fault f = {.code = 0};
    uint32_t valid = nk_json_get(doc, at, NK_STR("valid"));
    int rc = nk_input_request(doc, at, c->input.schema, c->arena, &request, &f);
    if (!rc)
        rc = validate(c, doc, at, &request, &f);
    if (valid != NK_JSON_NONE && nk_json_type(doc, valid) == NK_JSON_FALSE) {
        nk_case_result(c, rc != 0, request_name(c, doc, at, n), NK_STR("an invalid request"),
                       NK_STR("a valid one"));
        return;
    }
    if (!rc) {
        rc = nk_cedar_authorize(c->input.policies, c->input.entities, &request, c->arena, &answer);
        if (rc)
            nk_fault_set(&f, rc, "request", 0, "%s", nk_error_name(rc));
    }
    if (rc)
        nk_case_broken(c, request_name(c, doc, at, n), &f);
    else if (is_expected(doc, at, &answer))
        c->tally->passed++;
    else
        nk_case_result(c, false, request_name(c, doc, at, n), expected_text(c->arena, doc, at),
                       answer_text(c->arena, &answer));
}

void nk_case_requests(struct nk_case *c, const struct nk_json *doc, uint32_t at)
{
    uint32_t list = nk_json_get(doc, at, NK_STR("requests"));
    size_t n = 0;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i))
        one_request(c, doc, i, n++);
}

/* Validation --------------------------------------------------------------------------------------
 */
static void compare_verdicts(struct nk_case *c, const struct nk_json *doc, uint32_t list,
                             const struct nk_cedar_verdict *verdicts, size_t n)
{
    const struct nk_cedar_policies *p = c->input.policies;
    for (size_t i = 0; i < n; i++) {
        struct nk_str id = i < p->n ? p->items[i]->id : p->templates[i - p->n]->id;
        bool expected = !has_id(doc, list, id);
        nk_case_result(c, verdicts[i].valid == expected,
                       nk_arena_printf(c->arena, "validation of %.*s", NK_FMT(id)),
                       expected ? NK_STR("valid") : NK_STR("invalid"),
                       expected ? NK_STR("invalid") : NK_STR("valid"));
    }
}

void nk_case_validation(struct nk_case *c, const struct nk_json *doc, bool old)
{
    static const struct nk_cedar_validation strict = {.permissive = false};
    const struct nk_cedar_policies *p = c->input.policies;
    struct nk_cedar_diags *d = nk_cedar_diags_new(c->arena, 1);
    struct nk_cedar_verdict *verdicts =
        nk_arena_array(c->arena, p->n + p->template_n, sizeof *verdicts);
    struct nk_fault f = {.code = 0};
    uint32_t at = nk_json_get(doc, 0, NK_STR("shouldValidate"));
    uint32_t list = nk_json_get(doc, 0, NK_STR("policiesWithValidationErrors"));
    if (!c->input.schema || (at == NK_JSON_NONE && list == NK_JSON_NONE))
        return;
    int rc = d && verdicts ? nk_cedar_validate(c->input.schema, p, &strict, c->arena, d, verdicts)
                           : NK_ENOMEM;
    if (rc && rc != NK_EINVAL) {
        nk_fault_set(&f, rc, "validate", 0, "%s", nk_error_name(rc));
        nk_case_broken(c, NK_STR("validation"), &f);
        return;
    }
    bool expected = nk_json_type(doc, at) == NK_JSON_TRUE, either = false;
    for (size_t i = 0; old && i < p->n + p->template_n; i++)
        either |= verdicts[i].no_action;
    if (rc && nk_cedar_diags_fault(d, &f))
        rc = NK_EINVAL;
    if (at != NK_JSON_NONE)
        nk_case_result(c, (rc == 0) == expected || (either && !expected), NK_STR("validation"),
                       expected ? NK_STR("valid") : NK_STR("invalid"),
                       rc ? nk_str(f.message) : NK_STR("valid"));
    if (list != NK_JSON_NONE)
        compare_verdicts(c, doc, list, verdicts, p->n + p->template_n);
}
