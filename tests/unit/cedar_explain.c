/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_explain.c - values written as text and as JSON read back as the same values
 * (tests/cases/cedar/values.cases); distances of policies; and explanations of very deep, very long
 * and very many policies, with too little memory at every place. What an explanation says is in
 * tests/cases/policy/explain.console.
 */
#include "cases.h"
#include "cedar/explain.h"
#include "cedar/value.h"
#include "cedar/value_write.h"
#include "tap.h"

enum { BIG = 256 << 20 };

static const struct nk_json_limits limits = {1 << 20, 64, 1 << 16};

static const struct nk_cedar_request request = {
    {{"User", 4}, {"a", 1}}, {{"Action", 6}, {"do", 2}}, {{"Doc", 3}, {"d", 1}}, NULL};

/* Values ---------------------------------------------------------------------------------------- */

static const struct nk_cedar_value *read_json(struct nk_arena *a, struct nk_str text)
{
    struct nk_json doc;
    const struct nk_cedar_value *v = NULL;
    if (nk_json_parse_any_name(&limits, text, a, &doc, NULL) ||
        nk_cedar_value_parse(&doc, 0, a, &v, NULL))
        return NULL;
    return v;
}

/* Does a policy that compares `v` with the text match? */
static bool is_text_of(struct nk_arena *a, struct nk_str text, const struct nk_cedar_value *v)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    struct nk_str policy = nk_arena_printf(
        a, "permit (principal, action, resource) when { context.v == %.*s };", NK_FMT(text));
    struct nk_cedar_request r = request;
    struct nk_cedar_answer answer;
    r.context = nk_cedar_record(a, &(struct nk_cedar_member){NK_STR("v"), v}, 1);
    return nk_cedar_policies_add(p, policy, NK_STR("p"), false, NULL) == 0 &&
           nk_cedar_authorize(p, NULL, &r, a, &answer) == 0 && answer.allow;
}

static void value_case(const struct case_line *c, void *ctx)
{
    struct nk_arena a;
    struct nk_buf text, json;
    (void)ctx;
    nk_arena_init(&a, BIG);
    nk_buf_init(&text, 4096);
    nk_buf_init(&json, 4096);
    const struct nk_cedar_value *v = read_json(&a, (struct nk_str){c->input, c->n});
    bool same = v != NULL;
    if (v) {
        nk_cedar_value_put(&text, v);
        nk_cedar_value_put_json(&json, v);
        const struct nk_cedar_value *again = read_json(&a, nk_buf_str(&json));
        same = nk_str_eq(nk_buf_str(&text), nk_str(c->expect)) && again &&
               cedar_value_cmp(v, again) == 0 && is_text_of(&a, nk_buf_str(&text), v);
    }
    tap_ok(same, "%s:%d %s%s%.*s", c->file, c->line, c->expect,
           same ? "" : " -- it is: ", same ? 0 : (int)text.n, text.p);
    nk_buf_free(&json);
    nk_buf_free(&text);
    nk_arena_free(&a);
}

/* Distances ------------------------------------------------------------------------------------- */

static uint32_t distance(const char *condition, enum nk_cedar_state *state)
{
    struct nk_arena a;
    struct nk_cedar_explanation x;
    nk_arena_init(&a, BIG);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    struct nk_str text = nk_arena_printf(&a, "permit (principal, action, resource) %s;", condition);
    uint32_t d = UINT32_MAX - 1;
    if (nk_cedar_policies_add(p, text, NK_STR("p"), false, NULL) == 0 &&
        nk_cedar_explain(p, NULL, &request, 1, &a, &x) == 0 && x.count == 1) {
        d = x.policies[0].distance;
        *state = x.policies[0].state;
    }
    nk_arena_free(&a);
    return d;
}

/* T and F are conditions that a change of facts could turn. */
static void distances(void)
{
    static const struct {
        const char *condition;
        enum nk_cedar_state state;
        uint32_t distance;
    } cases[] = {
        {"", NK_CEDAR_MATCHED, NK_CEDAR_NEVER},
        {"when { T }", NK_CEDAR_MATCHED, 1},
        {"when { F }", NK_CEDAR_NEAR, 1},
        {"when { F && F && T }", NK_CEDAR_NEAR, 2},
        {"when { F || (F && F) }", NK_CEDAR_NEAR, 1},
        {"when { (F && F) || (F && T) }", NK_CEDAR_NEAR, 1},
        {"when { T || T }", NK_CEDAR_MATCHED, 2},
        {"when { !(T || T) }", NK_CEDAR_NEAR, 2},
        {"when { !(T && T) }", NK_CEDAR_NEAR, 1},
        {"when { if T then F else T }", NK_CEDAR_NEAR, 1},
        {"when { if T then F && F else T }", NK_CEDAR_NEAR, 1},
        {"when { if T then F && F else false }", NK_CEDAR_NEAR, 2},
        {"when { false }", NK_CEDAR_NEAR, NK_CEDAR_NEVER},
        {"when { F && false }", NK_CEDAR_NEAR, NK_CEDAR_NEVER},
        {"when { F || false }", NK_CEDAR_NEAR, 1},
        {"when { true } unless { false }", NK_CEDAR_MATCHED, NK_CEDAR_NEVER},
        {"when { F } unless { T } when { T }", NK_CEDAR_NEAR, 2},
        {"when { E }", NK_CEDAR_ERRED, 1},
        {"when { E || T }", NK_CEDAR_ERRED, 1},
        {"when { F && E }", NK_CEDAR_NEAR, 2},
        {"when { T || E }", NK_CEDAR_MATCHED, 2},
        {"when { !(E && F) }", NK_CEDAR_ERRED, 1},
        {"when { 1 }", NK_CEDAR_ERRED, NK_CEDAR_NEVER},
    };
    static const char *const words[] = {"principal == principal", "principal == action",
                                        "context.none == 1"};
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        char text[512];
        size_t n = 0;
        for (const char *c = cases[i].condition; *c; c++) {
            const char *at = strchr("TFE", *c);
            n += (size_t)snprintf(text + n, sizeof text - n, at ? "%s" : "%.1s",
                                  at ? words[strcspn("TFE", (char[]){*c, 0})] : c);
        }
        enum nk_cedar_state state = NK_CEDAR_NEAR;
        uint32_t d = distance(n ? text : "", &state);
        tap_ok(d == cases[i].distance && state == cases[i].state, "distance: %s is %u, state %d",
               cases[i].condition, d, state);
    }
}

/* Sizes ------------------------------------------------------------------------------------------ */

static struct nk_str repeat(struct nk_arena *a, const char *before, const char *piece,
                            const char *after, size_t n)
{
    size_t length = strlen(piece);
    char *p = nk_arena_alloc(a, strlen(before) + n * length + strlen(after) + 1);
    char *to = p + strlen(strcpy(p, before));
    for (size_t i = 0; i < n; i++, to += length)
        memcpy(to, piece, length);
    strcpy(to, after);
    return nk_str(p);
}

static void explain_text(const char *name, struct nk_arena *a, struct nk_str text, size_t near)
{
    struct nk_cedar_explanation x;
    struct nk_fault f = {.code = 0};
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    int rc = nk_cedar_policies_add(p, text, NK_STR("p"), false, &f);
    tap_ok(rc == 0 && nk_cedar_explain(p, NULL, &request, near, a, &x) == 0 && x.count > 0,
           "%s is explained %s", name, f.message);
    nk_arena_free(a);
}

static void sizes(void)
{
    struct nk_arena a;
    nk_arena_init(&a, BIG);
    explain_text("a chain of 20,000", &a,
                 repeat(&a, "permit (principal, action, resource) when { context.x == 1",
                        " && principal == action", " };", 20000),
                 1);
    explain_text("an expression nested 200 deep", &a,
                 nk_arena_printf(&a, "%s%s",
                                 repeat(&a, "permit (principal, action, resource) when { ",
                                        "(principal in resource || ", "", 200)
                                     .p,
                                 repeat(&a, "true", ")", " };", 200).p),
                 1);
    explain_text("the nearest three of 20,000 policies", &a,
                 repeat(&a, "",
                        "permit (principal, action, resource is Doc) when { context.a == 1 };\n",
                        "", 20000),
                 3);
}

/* Memory that ends, at every place in turn: an error or a whole explanation. */
static void too_little_memory(void)
{
    struct nk_arena policies;
    nk_arena_init(&policies, BIG);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&policies);
    struct nk_str text = NK_STR(
        "permit (principal in User::\"b\", action, resource) when { if principal has x then "
        "[1, context.a].contains(principal.x) else {a: principal}.a in User::\"b\" };"
        "forbid (principal, action, resource) unless { context has a && context.a + 1 > 2 };");
    bool good = nk_cedar_policies_add(p, text, NK_STR("p"), false, NULL) == 0;
    unsigned refused = 0, whole = 0;
    for (size_t room = 64; good && room < 65536; room += 64) {
        struct nk_arena a;
        struct nk_cedar_explanation x;
        nk_arena_init_sized(&a, room, 4096);
        int rc = nk_cedar_explain(p, NULL, &request, 9, &a, &x);
        refused += rc == NK_ENOMEM;
        whole += rc == 0 && x.count == 2;
        good = rc == NK_ENOMEM || (rc == 0 && x.count == 2);
        nk_arena_free(&a);
    }
    tap_ok(good && refused && whole, "memory that ends: %u refused, %u whole", refused, whole);
    nk_arena_free(&policies);
}

int main(void)
{
    TAP_CHECK(cases_read("tests/cases/cedar/values.cases", value_case, NULL) > 30);
    distances();
    sizes();
    too_little_memory();
    return tap_done();
}
