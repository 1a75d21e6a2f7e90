/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar.c - runs tests/cases/cedar: which policy texts are accepted (policies.cases), what
 * expressions are worth (expressions.cases), which entity data is accepted (entities.cases). The
 * expectations are those of the reference implementation. What cannot be said in a line follows as
 * code.
 */
#include "cases.h"
#include "cedar/ast.h"
#include "cedar/template.h"
#include "tap.h"

enum { BIG = 64 << 20 };

static struct nk_str read_file(struct nk_arena *a, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = nk_arena_alloc(a, 1 << 20);
    size_t n = file && text ? fread(text, 1, 1 << 20, file) : 0;
    if (file)
        fclose(file);
    return (struct nk_str){text, n};
}

/* Bytes of a case's input to show: at most 70, whole characters. */
static int shown(const struct case_line *c)
{
    size_t n = c->n < 70 ? c->n : 70;
    while (n > 0 && n < c->n && (c->input[n] & 0xC0) == 0x80)
        n--;
    return (int)n;
}

/* Policies ------------------------------------------------------------------------------------ */

static const char *verdict(int rc, const struct nk_cedar_policies *p)
{
    return rc == NK_EINVAL                    ? "bad"
           : rc                               ? nk_error_name(rc)
           : nk_cedar_templates_count(p) == 0 ? "ok"
           : nk_cedar_policies_count(p) == 0  ? "template"
                                              : "both";
}

static void policy_case(const struct case_line *c, void *ctx)
{
    struct nk_arena a;
    struct nk_fault fault = {0};
    (void)ctx;
    nk_arena_init(&a, BIG);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    int rc = nk_cedar_policies_add(p, (struct nk_str){c->input, c->n}, NK_STR("p"), true, &fault);
    bool same = strcmp(c->expect, verdict(rc, p)) == 0 && (rc == 0) == (fault.code == 0);
    size_t n = nk_cedar_policies_count(p) + nk_cedar_templates_count(p);
    tap_ok(same && (rc == 0 || n == 0), "%s:%d %s: %.*s%s%s", c->file, c->line, c->expect, shown(c),
           c->input, rc ? " -- " : "", fault.message);
    nk_arena_free(&a);
}

/* Expressions --------------------------------------------------------------------------------- */

struct world {
    struct nk_arena arena;
    struct nk_cedar_entities *entities;
    struct nk_cedar_request request;
};

static bool world_open(struct world *w)
{
    static const struct nk_json_limits limits = {1 << 20, 64, 1 << 16};
    struct nk_json doc;
    struct nk_fault fault = {0};
    nk_arena_init(&w->arena, BIG);
    w->entities = nk_cedar_entities_new(&w->arena, NULL);
    w->request = (struct nk_cedar_request){{NK_STR("User"), NK_STR("alice")},
                                           {NK_STR("Action"), NK_STR("InvokeModel")},
                                           {NK_STR("Model"), NK_STR("small")},
                                           NULL};
    struct nk_str entities = read_file(&w->arena, "tests/cases/cedar/entities.json");
    struct nk_str context = read_file(&w->arena, "tests/cases/cedar/context.json");
    return !nk_cedar_entities_parse(w->entities, entities, &fault) &&
           !nk_cedar_entities_seal(w->entities, &fault) &&
           !nk_json_parse(&limits, context, &w->arena, &doc, &fault) &&
           !nk_cedar_value_parse(&doc, 0, &w->arena, &w->request.context, &fault);
}

/* "true", "false", "error: …" or "refused: …" for the expression as the one condition of a permit.
 */
static struct nk_str value_of(const struct world *w, struct nk_arena *a, struct nk_str expression)
{
    struct nk_fault fault = {0};
    struct nk_cedar_answer answer;
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    struct nk_str parts[] = {NK_STR("permit (principal, action, resource) when { "), expression,
                             NK_STR(" };")};
    if (nk_cedar_policies_add(p, nk_arena_join(a, parts, 3), NK_STR("p"), false, &fault))
        return nk_arena_printf(a, "refused: %s", fault.message);
    if (nk_cedar_authorize(p, w->entities, &w->request, a, &answer))
        return NK_STR("out of memory");
    if (answer.error_count)
        return nk_arena_printf(a, "error: %s", answer.errors[0].what);
    return answer.allow ? NK_STR("true") : NK_STR("false");
}

static void expression_case(const struct case_line *c, void *ctx)
{
    struct nk_arena a;
    nk_arena_init(&a, BIG);
    struct nk_str got = value_of(ctx, &a, (struct nk_str){c->input, c->n});
    tap_ok(nk_str_eq(got, nk_str(c->expect)), "%s:%d %s: %.*s%s%.*s", c->file, c->line, c->expect,
           shown(c), c->input, nk_str_eq(got, nk_str(c->expect)) ? "" : " -- ",
           nk_str_eq(got, nk_str(c->expect)) ? 0 : (int)got.n, got.p);
    nk_arena_free(&a);
}

/* Entities ------------------------------------------------------------------------------------ */

static void entity_case(const struct case_line *c, void *ctx)
{
    struct nk_arena a;
    struct nk_fault fault = {0};
    (void)ctx;
    nk_arena_init(&a, BIG);
    struct nk_cedar_entities *e = nk_cedar_entities_new(&a, NULL);
    int rc = nk_cedar_entities_parse(e, (struct nk_str){c->input, c->n}, &fault);
    if (!rc)
        rc = nk_cedar_entities_seal(e, &fault);
    bool ok = strcmp(c->expect, "ok") == 0;
    tap_ok(ok == (rc == 0) && (rc == 0) == (fault.code == 0), "%s:%d %s: %.*s%s%s", c->file,
           c->line, c->expect, shown(c), c->input, rc ? " -- " : "", fault.message);
    nk_arena_free(&a);
}

/* What needs code ----------------------------------------------------------------------------- */

static struct nk_str repeat(struct nk_arena *a, const char *head, const char *part, size_t times,
                            const char *tail)
{
    size_t h = strlen(head), n = strlen(part), t = strlen(tail);
    char *p = nk_arena_alloc(a, h + n * times + t + 1);
    memcpy(p, head, h);
    for (size_t i = 0; i < times; i++)
        memcpy(p + h + i * n, part, n);
    memcpy(p + h + n * times, tail, t);
    return (struct nk_str){p, h + n * times + t};
}

/* Hostile nesting is refused by its depth, not by the end of the stack; long chains are no nesting.
 */
static void depth_tests(const struct world *w)
{
    static const struct {
        const char *what, *head, *part, *tail;
        size_t times;
        const char *expect;
    } cases[] = {
        {"parentheses", "", "(", "", 1000000, "refused"},
        {"sets", "", "[", "", 1000000, "refused"},
        {"records", "", "{a:", "", 1000000, "refused"},
        {"calls", "", "ip(", "", 1000000, "refused"},
        {"conditions", "", "if true then ", "", 1000000, "refused"},
        {"attributes", "principal", ".a", " == 1", 1000000, "refused"},
        {"methods", "[]", ".contains(1)", "", 1000000, "refused"},
        {"has", "context has a", ".a", "", 1000000, "refused"},
        {"a long and", "true", " && true", "", 200000, "true"},
        {"a long or", "false", " || false", "", 200000, "false"},
        {"a long sum", "0", " + 1", " == 200000", 200000, "true"},
        {"a long product", "1", " * 1", " == 1", 200000, "true"},
        {"a long set", "[0", ", 0", "] == [0]", 200000, "true"},
        {"a long string", "\"", "x", "\" like \"*x\"", 200000, "true"},
        {"many wildcards", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" like \"", "a*", "b\"", 30,
         "false"},
        {"deep but allowed", "", "!(", "true))))))))))", 10, "true"},
    };
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_arena a;
        nk_arena_init(&a, 512 << 20);
        struct nk_str text =
            repeat(&a, cases[i].head, cases[i].part, cases[i].times, cases[i].tail);
        struct nk_str got = value_of(w, &a, text);
        tap_ok(nk_str_starts(got, nk_str(cases[i].expect)), "%s, %zu times: %s (%.*s)",
               cases[i].what, cases[i].times, cases[i].expect, NK_FMT(got));
        nk_arena_free(&a);
    }
}

static void set_tests(void)
{
    struct nk_arena a;
    struct nk_fault fault = {0};
    nk_arena_init(&a, BIG);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    struct nk_str one = NK_STR("@id(\"one\") @why(\"because\") @flag permit (principal, action, "
                               "resource);\nforbid (principal, action, resource);");
    TAP_CHECK(nk_cedar_policies_add(p, one, NK_STR("a."), true, &fault) == 0);
    TAP_CHECK(nk_cedar_policies_count(p) == 2);
    TAP_CHECK(nk_str_eq(nk_cedar_annotation(p, NK_STR("one"), NK_STR("why")), NK_STR("because")));
    struct nk_str flag = nk_cedar_annotation(p, NK_STR("one"), NK_STR("flag"));
    TAP_CHECK(flag.p && flag.n == 0);
    TAP_CHECK(nk_cedar_annotation(p, NK_STR("one"), NK_STR("none")).p == NULL);
    TAP_CHECK(nk_cedar_annotation(p, NK_STR("a.1"), NK_STR("why")).p == NULL);
    TAP_CHECK(nk_cedar_annotation(p, NK_STR("none"), NK_STR("why")).p == NULL);

    struct nk_str twice = NK_STR("permit (principal, action, resource);\n"
                                 "  @id(\"one\") permit (principal, action, resource);");
    TAP_CHECK(nk_cedar_policies_add(p, twice, NK_STR("b."), true, &fault) == NK_ECONFLICT);
    TAP_CHECK(strstr(fault.message, "line 2, column 3") && strcmp(fault.stage, "cedar") == 0);
    TAP_CHECK(nk_cedar_policies_count(p) == 2);
    fault = (struct nk_fault){0};
    struct nk_str bad = NK_STR("permit (principal, action, resource);\npermit (principal, oops);");
    TAP_CHECK(nk_cedar_policies_add(p, bad, NK_STR("b."), true, &fault) == NK_EINVAL);
    TAP_CHECK(strstr(fault.message, "line 2, column 20") && fault.offset == 57);
    TAP_CHECK(nk_cedar_policies_count(p) == 2);
    /* What was refused left nothing behind: the same ids can come again. */
    TAP_CHECK(nk_cedar_policies_add(p, twice, NK_STR("b."), false, NULL) == 0);
    TAP_CHECK(nk_cedar_policies_count(p) == 4);

    struct nk_cedar_request request = {{NK_STR("User"), NK_STR("x")},
                                       {NK_STR("Action"), NK_STR("x")},
                                       {NK_STR("User"), NK_STR("x")},
                                       NULL};
    struct nk_cedar_answer answer;
    struct nk_cedar_entities *none = nk_cedar_entities_new(&a, NULL);
    TAP_CHECK(nk_cedar_entities_seal(none, NULL) == 0);
    TAP_CHECK(nk_cedar_authorize(p, none, &request, &a, &answer) == 0);
    TAP_CHECK(!answer.allow && answer.reason_count == 1 &&
              nk_str_eq(answer.reasons[0], NK_STR("a.1")));
    struct nk_cedar_policies *empty = nk_cedar_policies_new(&a);
    TAP_CHECK(nk_cedar_authorize(empty, none, &request, &a, &answer) == 0 && !answer.allow &&
              answer.reason_count == 0 && answer.error_count == 0);
    TAP_CHECK(nk_cedar_annotation(empty, NK_STR("a"), NK_STR("b")).p == NULL);
    nk_arena_free(&a);
}

/* Templates decide nothing; links do, and each wrong link is told apart. */
static void template_tests(void)
{
    static const struct nk_cedar_slot_value alice = {{"?principal", 10}, {{"U", 1}, {"alice", 5}}},
                                            doc = {{"?resource", 9}, {{"D", 1}, {"x", 1}}},
                                            odd = {{"?action", 7}, {{"D", 1}, {"x", 1}}},
                                            bad = {{"?resource", 9}, {{"if", 2}, {"x", 1}}};
    const struct {
        const char *template, *id;
        struct nk_cedar_slot_value values[3];
        size_t n;
        int code;
        const char *says;
    } cases[] = {
        {"none", "l", {alice}, 1, NK_ENOTFOUND, "no template \"none\""},
        {"p", "l", {alice}, 1, NK_ENOTFOUND, "no template \"p\""},
        {"both", "p", {alice, doc}, 2, NK_ECONFLICT, "this id is taken"},
        {"both", "both", {alice, doc}, 2, NK_ECONFLICT, "this id is taken"},
        {"both", "l", {alice}, 1, NK_EINVAL, "there is no value for \"?resource\""},
        {"both", "l", {doc}, 1, NK_EINVAL, "there is no value for \"?principal\""},
        {"both", "l", {alice, doc, alice}, 3, NK_EINVAL, "two values for \"?principal\""},
        {"both", "l", {alice, doc, odd}, 3, NK_EINVAL, "has no slot \"?action\""},
        {"both", "l", {alice, bad}, 2, NK_EINVAL, "no entity type: \"if\""},
        {"one", "l", {alice, doc}, 2, NK_EINVAL, "has no slot \"?resource\""},
        {"one", "l", {alice}, 1, 0, ""},
        {"one", "l", {alice}, 1, NK_ECONFLICT, "this id is taken"},
        {"l", "l2", {alice}, 1, NK_ENOTFOUND, "no template \"l\""},
        {"both", "m", {doc, alice}, 2, 0, ""},
    };
    struct nk_arena a;
    struct nk_cedar_answer answer;
    nk_arena_init(&a, BIG);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    struct nk_str text = NK_STR(
        "@id(\"one\") @why(\"w\") permit (principal in (?principal), action, resource);\n"
        "@id(\"both\") forbid (principal is U in ?principal, action, resource == ?resource);\n"
        "@id(\"p\") permit (principal, action, resource) when { false };");
    struct nk_cedar_request request = {alice.uid, {NK_STR("Action"), NK_STR("x")}, doc.uid, NULL};
    TAP_CHECK(nk_cedar_policies_add(p, text, NK_STR(""), true, NULL) == 0);
    TAP_CHECK(nk_cedar_policies_count(p) == 1 && nk_cedar_templates_count(p) == 2);
    TAP_CHECK(nk_cedar_authorize(p, NULL, &request, &a, &answer) == 0 && !answer.allow &&
              answer.reason_count == 0);
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_fault fault = {0};
        size_t before = nk_cedar_policies_count(p);
        int rc = nk_cedar_policies_link(p, nk_str(cases[i].template), nk_str(cases[i].id),
                                        cases[i].values, cases[i].n, &fault);
        tap_ok(rc == cases[i].code && fault.code == rc && strstr(fault.message, cases[i].says) &&
                   nk_cedar_policies_count(p) == before + (rc == 0),
               "link of %s: %s", cases[i].template, rc ? fault.message : "linked");
        if (rc == 0)
            TAP_CHECK(nk_cedar_authorize(p, NULL, &request, &a, &answer) == 0 &&
                      answer.reason_count == 1 &&
                      nk_str_eq(answer.reasons[0], nk_str(cases[i].id)));
    }
    TAP_CHECK(nk_cedar_templates_count(p) == 2);
    TAP_CHECK(nk_str_eq(nk_cedar_template_id(p, 1), NK_STR("both")));
    TAP_CHECK(nk_str_eq(nk_cedar_annotation(p, NK_STR("l"), NK_STR("why")), NK_STR("w")));
    nk_arena_free(&a);
}

/* A store for the request over one for the configuration. */
static void layer_tests(void)
{
    struct nk_arena a;
    struct nk_fault fault = {0};
    nk_arena_init(&a, BIG);
    struct nk_cedar_uid alice = {NK_STR("User"), NK_STR("alice")};
    struct nk_cedar_uid staff = {NK_STR("Group"), NK_STR("staff")};
    struct nk_cedar_uid all = {NK_STR("Group"), NK_STR("all")};
    struct nk_cedar_entities *below = nk_cedar_entities_new(&a, NULL);
    TAP_CHECK(nk_cedar_entities_add(below, staff, &all, 1, NULL, NULL) == 0);
    TAP_CHECK(nk_cedar_entities_add(below, staff, &all, 1, NULL, NULL) == NK_ECONFLICT);
    TAP_CHECK(nk_cedar_entities_seal(below, &fault) == 0);
    struct nk_cedar_entities *above = nk_cedar_entities_new(&a, below);
    TAP_CHECK(nk_cedar_entities_add(above, alice, &staff, 1, NULL, NULL) == 0);
    TAP_CHECK(nk_cedar_entities_seal(above, &fault) == 0);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    TAP_CHECK(
        nk_cedar_policies_add(p, NK_STR("permit (principal in Group::\"all\", action, resource);"),
                              NK_STR("p"), false, &fault) == 0);
    struct nk_cedar_request request = {alice, {NK_STR("Action"), NK_STR("x")}, alice, NULL};
    struct nk_cedar_answer answer;
    TAP_CHECK(nk_cedar_authorize(p, above, &request, &a, &answer) == 0 && answer.allow);
    TAP_CHECK(nk_cedar_authorize(p, below, &request, &a, &answer) == 0 && !answer.allow);
    nk_arena_free(&a);
}

/* A chain of 2,000 groups needs no stack of its own; closing it to a ring is refused. */
static void chain_tests(void)
{
    enum { LONG = 2000 };
    for (int ring = 0; ring < 2; ring++) {
        struct nk_arena a;
        struct nk_fault fault = {0};
        nk_arena_init(&a, 512 << 20);
        struct nk_cedar_entities *e = nk_cedar_entities_new(&a, NULL);
        int rc = 0;
        for (int i = 0; !rc && i < LONG; i++) {
            struct nk_cedar_uid uid = {NK_STR("G"), nk_arena_printf(&a, "%d", i)};
            struct nk_cedar_uid up = {NK_STR("G"),
                                      nk_arena_printf(&a, "%d", ring ? (i + 1) % LONG : i + 1)};
            rc = nk_cedar_entities_add(e, uid, &up, 1, NULL, NULL);
        }
        TAP_CHECK(rc == 0);
        rc = nk_cedar_entities_seal(e, &fault);
        tap_ok(rc == (ring ? NK_EINVAL : 0), "a %s of groups: %s", ring ? "ring" : "chain",
               fault.message);
        nk_arena_free(&a);
    }
}

static void value_tests(void)
{
    struct nk_arena a;
    nk_arena_init(&a, BIG);
    const struct nk_cedar_value *one = nk_cedar_long(&a, 1),
                                *text = nk_cedar_string(&a, NK_STR("x"));
    struct nk_cedar_member twice[] = {{NK_STR("a"), one}, {NK_STR("b"), one}, {NK_STR("a"), one}};
    TAP_CHECK(nk_cedar_record(&a, twice, 2) != NULL);
    TAP_CHECK(nk_cedar_record(&a, twice, 3) == NULL);
    const struct nk_cedar_value *deep = text;
    for (int i = 0; deep && i < 100000; i++)
        deep = nk_cedar_set(&a, &deep, 1);
    TAP_CHECK(deep == NULL);
    struct nk_cedar_entities *e = nk_cedar_entities_new(&a, NULL);
    struct nk_cedar_uid uid = {NK_STR("U"), NK_STR("x")};
    TAP_CHECK(nk_cedar_entities_add(e, uid, NULL, 0, one, NULL) == NK_EINVAL);
    TAP_CHECK(nk_cedar_entities_add(e, uid, NULL, 0, NULL, text) == NK_EINVAL);
    TAP_CHECK(nk_cedar_entities_seal(e, NULL) == 0);
    struct nk_cedar_request request = {uid, uid, uid, text};
    struct nk_cedar_answer answer = {.allow = true};
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    TAP_CHECK(nk_cedar_policies_add(p, NK_STR("permit (principal, action, resource);"), NK_STR("p"),
                                    false, NULL) == 0);
    TAP_CHECK(nk_cedar_authorize(p, e, &request, &a, &answer) == NK_EINVAL && !answer.allow);
    request.context = NULL;
    TAP_CHECK(nk_cedar_authorize(p, NULL, &request, &a, &answer) == 0 && answer.allow);
    nk_arena_free(&a);
}

/* Every ceiling of the arena: the answer is an error or right, never wrong. */
static void memory_tests(void)
{
    struct nk_str text =
        NK_STR("permit (principal, action, resource) when { [1, principal].contains("
               "1 + 0) && {a: resource}.a == resource };");
    struct nk_arena whole;
    nk_arena_init(&whole, BIG);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&whole);
    struct nk_cedar_entities *e = nk_cedar_entities_new(&whole, NULL);
    struct nk_cedar_request request = {{NK_STR("U"), NK_STR("x")},
                                       {NK_STR("Action"), NK_STR("x")},
                                       {NK_STR("U"), NK_STR("y")},
                                       NULL};
    TAP_CHECK(nk_cedar_policies_add(p, text, NK_STR("p"), false, NULL) == 0);
    TAP_CHECK(nk_cedar_entities_seal(e, NULL) == 0);
    int wrong = 0, refused = 0, allowed = 0;
    for (size_t ceiling = 1; ceiling < 16384; ceiling += 500) {
        struct nk_arena a;
        struct nk_cedar_answer answer;
        nk_arena_init(&a, ceiling);
        int rc = nk_cedar_authorize(p, e, &request, &a, &answer);
        wrong += rc ? rc != NK_ENOMEM || answer.allow : !answer.allow || answer.reason_count != 1;
        refused += rc != 0;
        allowed += rc == 0;
        nk_arena_free(&a);
    }
    tap_ok(wrong == 0 && refused > 0 && allowed > 0, "authorize under %d small ceilings", refused);
    wrong = refused = allowed = 0;
    for (size_t ceiling = 1; ceiling < 65536; ceiling += 1000) {
        struct nk_arena a;
        nk_arena_init(&a, ceiling);
        struct nk_cedar_policies *small = nk_cedar_policies_new(&a);
        int rc = small ? nk_cedar_policies_add(small, text, NK_STR("p"), false, NULL) : NK_ENOMEM;
        wrong += rc != 0 && (rc != NK_ENOMEM || (small && nk_cedar_policies_count(small) != 0));
        refused += rc != 0;
        allowed += rc == 0;
        nk_arena_free(&a);
    }
    tap_ok(wrong == 0 && refused > 0 && allowed > 0, "load under %d small ceilings", refused);
    nk_arena_free(&whole);
}

int main(int argc, char **argv)
{
    struct world w;
    TAP_CHECK(world_open(&w));
    if (argc == 2) { /* another file of policies or expressions */
        bool policies = strstr(argv[1], "policies");
        TAP_CHECK(cases_read(argv[1], policies ? policy_case : expression_case, &w) > 0);
        return tap_done();
    }
    TAP_CHECK(cases_read("tests/cases/cedar/policies.cases", policy_case, NULL) > 50);
    TAP_CHECK(cases_read("tests/cases/cedar/mutated_policies.cases", policy_case, NULL) > 500);
    TAP_CHECK(cases_read("tests/cases/cedar/expressions.cases", expression_case, &w) > 200);
    TAP_CHECK(cases_read("tests/cases/cedar/entities.cases", entity_case, NULL) > 30);
    depth_tests(&w);
    set_tests();
    template_tests();
    layer_tests();
    chain_tests();
    value_tests();
    memory_tests();
    nk_arena_free(&w.arena);
    return tap_done();
}
