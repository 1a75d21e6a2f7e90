/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_schema.c - schemas, the validator and its diagnostics. Most of it is data:
 *
 *   tests/cases/cedar/schema_text.cases, schema_json.cases   which schemas are accepted; both come back
 *   tests/cases/cedar/valid.cases                            policies, and whether they can err
 *   tests/cases/cedar/valid_levels.cases                     how far they read
 *   tests/cases/cedar/valid_entities.cases, valid_requests.cases
 */
#include "cedar/schema.h"
#include "cases.h"
#include "tap.h"

enum { DEEP = 100000, MOST = 50 };

static const char world[] = "tests/cases/cedar/valid.cedarschema";
static const struct nk_json_limits limits = {1 << 20, 100, 1 << 16};

struct bench {
    struct nk_arena a;
    struct nk_cedar_diags *d;
    const struct nk_cedar_schema *s;
};

static struct nk_str read_world(struct nk_arena *a)
{
    FILE *f = fopen(world, "rb");
    char *text = nk_arena_alloc(a, 1 << 16);
    size_t n = f && text ? fread(text, 1, 1 << 16, f) : 0;
    if (f)
        fclose(f);
    return (struct nk_str){text, n};
}

static void bench_open(struct bench *b, bool with_world)
{
    *b = (struct bench){0};
    nk_arena_init(&b->a, (size_t)1 << 30);
    b->d = nk_cedar_diags_new(&b->a, MOST);
    if (with_world && nk_cedar_schema_parse(read_world(&b->a), &b->a, b->d, &b->s))
        tap_ok(false, "%s does not load", world);
}

static void bench_close(struct bench *b)
{
    nk_arena_free(&b->a);
}

/* The id of the first error, otherwise of the first warning; "ok" for neither. */
static const char *found(const struct nk_cedar_diags *d)
{
    for (const struct nk_cedar_diag *i = d->first; i; i = i->next)
        if (nk_cedar_diag_severity(i->code) == NK_CEDAR_ERROR)
            return nk_cedar_diag_id(i->code);
    return d->first ? nk_cedar_diag_id(d->first->code) : "ok";
}

static void same(const struct case_line *c, const char *got)
{
    if (strcmp(c->expect, got) != 0)
        tap_ok(false, "%s:%d: expected %s, got %s: %.*s", c->file, c->line, c->expect, got,
               (int)c->n, c->input);
}

/* Schemas --------------------------------------------------------------------------------------------- */

static struct nk_str written(struct bench *b, const struct nk_cedar_schema *s, bool json)
{
    struct nk_buf out;
    nk_buf_init(&out, 1 << 24);
    struct nk_str text = {NULL, 0};
    if (json)
        nk_cedar_schema_write_json(s, &out);
    if (json || nk_cedar_schema_write(s, &out, NULL) == 0)
        text = nk_arena_copy(&b->a, nk_buf_str(&out));
    nk_buf_free(&out);
    return text;
}

static bool comes_back(struct bench *b, const struct nk_cedar_schema *s, bool json)
{
    const struct nk_cedar_schema *again;
    struct nk_str once = written(b, s, json), as_json = written(b, s, true);
    if (!once.p)
        return true; /* JSON that text cannot say */
    int rc = json ? nk_cedar_schema_parse_json(once, &b->a, b->d, &again)
                  : nk_cedar_schema_parse(once, &b->a, b->d, &again);
    return rc == 0 && nk_str_eq(written(b, again, json), once) &&
           (!json || nk_str_eq(written(b, again, true), as_json));
}

static void schema_case(const struct case_line *c, bool json)
{
    struct bench b;
    const struct nk_cedar_schema *s;
    struct nk_str text = {c->input, c->n};
    bench_open(&b, false);
    int rc = json ? nk_cedar_schema_parse_json(text, &b.a, b.d, &s)
                  : nk_cedar_schema_parse(text, &b.a, b.d, &s);
    same(c, found(b.d));
    if ((rc == 0) != (b.d->errors == 0))
        tap_ok(false, "%s:%d: result and list differ", c->file, c->line);
    if (rc == 0 && (!comes_back(&b, s, true) || (!json && !comes_back(&b, s, false))))
        tap_ok(false, "%s:%d: does not come back", c->file, c->line);
    bench_close(&b);
}

static void text_case(const struct case_line *c, void *ctx)
{
    (void)ctx;
    schema_case(c, false);
}

static void json_case(const struct case_line *c, void *ctx)
{
    (void)ctx;
    schema_case(c, true);
}

/* Policies -------------------------------------------------------------------------------------------- */

static struct nk_str policy_of(struct bench *b, struct nk_str input)
{
    struct nk_str start =
        NK_STR("permit (principal is User, action == Action::\"share\", resource) "
               "when { ");
    if (nk_str_starts(input, NK_STR("permit")) || nk_str_starts(input, NK_STR("forbid")))
        return input;
    return nk_arena_join(&b->a, (struct nk_str[]){start, input, NK_STR(" };")}, 3);
}

static bool validate(struct bench *b, struct nk_str text, const struct nk_cedar_validation *how,
                     struct nk_cedar_verdict *v)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(&b->a);
    struct nk_fault f = {0};
    if (nk_cedar_policies_add(p, policy_of(b, text), NK_STR("p"), false, &f)) {
        tap_ok(false, "%s: %.*s", f.message, NK_FMT(text));
        return false;
    }
    int rc = nk_cedar_validate(b->s, p, how, &b->a, b->d, v);
    return (rc == 0) == v->valid && v->valid == (b->d->errors == 0);
}

static void policy_case(const struct case_line *c, void *ctx)
{
    static const struct nk_cedar_validation strict = {0};
    struct nk_cedar_verdict v;
    struct bench b;
    char got[80];
    (void)ctx;
    bench_open(&b, true);
    if (validate(&b, (struct nk_str){c->input, c->n}, &strict, &v)) {
        const char *id = found(b.d);
        if (v.valid && b.d->warnings)
            snprintf(got, sizeof got, "warning %s", id);
        else
            snprintf(got, sizeof got, "%s", v.valid ? v.never_errs ? "safe" : "valid" : id);
        same(c, got);
    } else {
        tap_ok(false, "%s:%d: result, verdict and list differ", c->file, c->line);
    }
    bench_close(&b);
}

static void level_case(const struct case_line *c, void *ctx)
{
    struct nk_cedar_validation how = {.leveled = true, .level = (uint32_t)atoi(c->expect)};
    struct nk_cedar_verdict v;
    struct bench b;
    char got[80];
    (void)ctx;
    bench_open(&b, true);
    if (validate(&b, (struct nk_str){c->input, c->n}, &how, &v)) {
        snprintf(got, sizeof got, "%u %s", how.level, found(b.d));
        same(c, got);
    }
    bench_close(&b);
}

/* Data ------------------------------------------------------------------------------------------------ */

static void entity_case(const struct case_line *c, void *ctx)
{
    struct bench b;
    (void)ctx;
    bench_open(&b, true);
    struct nk_cedar_entities *e = nk_cedar_entities_new(&b.a, NULL);
    struct nk_str list =
        nk_arena_join(&b.a, (struct nk_str[]){NK_STR("["), {c->input, c->n}, NK_STR("]")}, 3);
    int rc = nk_cedar_entities_parse_typed(e, b.s, list, &b.a, b.d);
    same(c, found(b.d));
    if ((rc == 0) != (b.d->errors == 0))
        tap_ok(false, "%s:%d: result and list differ", c->file, c->line);
    bench_close(&b);
}

static struct nk_cedar_uid uid_of(struct bench *b, const struct nk_json *doc, const char *name)
{
    uint32_t at = nk_json_get(doc, 0, nk_str(name));
    return (struct nk_cedar_uid){nk_json_string(doc, nk_json_get(doc, at, NK_STR("type")), &b->a),
                                 nk_json_string(doc, nk_json_get(doc, at, NK_STR("id")), &b->a)};
}

static void request_case(const struct case_line *c, void *ctx)
{
    struct bench b;
    struct nk_json doc;
    (void)ctx;
    bench_open(&b, true);
    if (nk_json_parse(&limits, (struct nk_str){c->input, c->n}, &b.a, &doc, NULL) == 0) {
        struct nk_cedar_request r = {uid_of(&b, &doc, "principal"), uid_of(&b, &doc, "action"),
                                     uid_of(&b, &doc, "resource"), NULL};
        int rc = nk_cedar_context_parse_typed(
            b.s, r.action, &doc, nk_json_get(&doc, 0, NK_STR("context")), &b.a, &r.context, b.d);
        if (rc == 0 || rc == NK_ENOTFOUND)
            rc = nk_cedar_validate_request(b.s, &r, b.d);
        same(c, found(b.d));
        if ((rc == 0) != (b.d->errors == 0))
            tap_ok(false, "%s:%d: result and list differ", c->file, c->line);
    }
    bench_close(&b);
}

static void all_cases(const char *name, void (*run)(const struct case_line *, void *))
{
    char file[128];
    int before = tap_failed;
    snprintf(file, sizeof file, "tests/cases/cedar/%s.cases", name);
    int n = cases_read(file, run, NULL);
    tap_ok(n > 0 && tap_failed == before, "%s: %d cases", name, n);
}

/* Whatever a parser says it says in Japanese, too: nothing of the English sentence is left. */
static void check_said(const struct case_line *c, const struct nk_cedar_diags *d)
{
    struct nk_buf en, ja;
    nk_buf_init(&en, 4096);
    nk_buf_init(&ja, 4096);
    for (const struct nk_cedar_diag *i = d->first; i; i = i->next) {
        if (i->code != NK_CEDAR_DIAG_SYNTAX && i->code != NK_CEDAR_DIAG_LIMIT)
            continue;
        nk_buf_clear(&en);
        nk_buf_clear(&ja);
        nk_cedar_diag_message(i, false, &en);
        nk_cedar_diag_message(i, true, &ja);
        struct nk_str words = nk_str_sub(nk_buf_str(&en), 0, 12);
        if (nk_str_search(nk_buf_str(&ja), words) >= 0)
            tap_ok(false, "%s:%d: not in Japanese: %.*s", c->file, c->line,
                   NK_FMT(nk_buf_str(&ja)));
    }
    nk_buf_free(&en);
    nk_buf_free(&ja);
}

static void said_case(const struct case_line *c, void *ctx)
{
    struct bench b;
    struct nk_fault f = {0};
    const struct nk_cedar_schema *s;
    (void)ctx;
    bench_open(&b, false);
    struct nk_str text = {c->input, c->n};
    if (strstr(c->file, "policies")) {
        if (nk_cedar_policies_add(nk_cedar_policies_new(&b.a), text, NK_STR("p"), false, &f))
            nk_cedar_diags_syntax(b.d, text, &f);
    } else if (nk_cedar_schema_parse(text, &b.a, b.d, &s)) {
        f.code = NK_EINVAL;
    }
    check_said(c, b.d);
    bench_close(&b);
}

/* What is not data ------------------------------------------------------------------------------------ */

static void check_text(bool japanese, const char *expected)
{
    static const char policy[] =
        "@id(\"desk\")\n"
        "permit (principal is User, action == Action::\"view\", resource)\n"
        "when { \"受付\" == principal.nmae };\n";
    static const struct nk_cedar_validation strict = {0};
    struct bench b;
    struct nk_buf out;
    bench_open(&b, true);
    nk_buf_init(&out, 4096);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&b.a);
    bool bad = nk_cedar_policies_add(p, nk_str(policy), NK_STR("p"), true, NULL) == 0 &&
               nk_cedar_validate(b.s, p, &strict, &b.a, b.d, NULL) == NK_EINVAL;
    if (bad && b.d->first)
        nk_cedar_diag_print(b.d->first, NK_STR("desk.cedar"), japanese, &out);
    nk_buf_add_char(&out, 0);
    if (!tap_ok(bad && strcmp(out.p, expected) == 0, "a diagnostic as text, %s",
                japanese ? "Japanese" : "English"))
        printf("# got:\n%s", out.p);
    nk_buf_free(&out);
    bench_close(&b);
}

static void check_texts(void)
{
    check_text(false, "desk.cedar:3:26: error: cedar.unknown-attribute: User has no attribute "
                      "\"nmae\" (policy desk)\n"
                      "    3 | when { \"受付\" == principal.nmae };\n"
                      "      |                            ^^^^\n"
                      "      = write \"name\"\n");
    check_text(true,
               "desk.cedar:3:26: エラー: cedar.unknown-attribute: User に属性 \"nmae\" はありません"
               " (ポリシー desk)\n"
               "    3 | when { \"受付\" == principal.nmae };\n"
               "      |                            ^^^^\n"
               "      = \"name\" と書いてください\n");
}

/* Everything that can be said can be said in both languages, and no id is there twice. */
static void check_table(void)
{
    struct nk_buf en, ja;
    bool good = true;
    nk_buf_init(&en, 4096);
    nk_buf_init(&ja, 4096);
    for (int i = 0; i < NK_CEDAR_DIAGS; i++) {
        struct nk_cedar_diag d = {.code = (enum nk_cedar_diag_code)i,
                                  .args = {NK_STR("a"), NK_STR("b"), NK_STR("c")}};
        nk_buf_clear(&en);
        nk_buf_clear(&ja);
        nk_cedar_diag_message(&d, false, &en);
        nk_cedar_diag_message(&d, true, &ja);
        bool plain = d.code == NK_CEDAR_DIAG_SYNTAX || d.code == NK_CEDAR_DIAG_FORM;
        good =
            good && en.n > 0 && ja.n > 0 && (plain || !nk_str_eq(nk_buf_str(&en), nk_buf_str(&ja)));
        nk_buf_clear(&en);
        nk_buf_clear(&ja);
        nk_cedar_diag_help(&d, false, &en);
        nk_cedar_diag_help(&d, true, &ja);
        good = good && (en.n > 0) == (ja.n > 0);
        for (int k = 0; k < i; k++)
            good = good && strcmp(nk_cedar_diag_id((enum nk_cedar_diag_code)k),
                                  nk_cedar_diag_id((enum nk_cedar_diag_code)i)) != 0;
    }
    nk_buf_free(&en);
    nk_buf_free(&ja);
    tap_ok(good, "every diagnostic has two languages and an id of its own");
}

static struct nk_str repeat(struct bench *b, const char *head, const char *part, const char *middle,
                            const char *close, const char *tail)
{
    struct nk_buf out;
    nk_buf_init(&out, 64 << 20);
    nk_buf_add(&out, nk_str(head));
    for (int i = 0; i < DEEP; i++)
        nk_buf_add(&out, nk_str(part));
    nk_buf_add(&out, nk_str(middle));
    for (int i = 0; i < DEEP; i++)
        nk_buf_add(&out, nk_str(close));
    nk_buf_add(&out, nk_str(tail));
    struct nk_str text = nk_arena_copy(&b->a, nk_buf_str(&out));
    nk_buf_free(&out);
    return text;
}

static void check_deep(void)
{
    struct bench b;
    const struct nk_cedar_schema *s;
    bench_open(&b, false);
    struct nk_str sets = repeat(&b, "type T = ", "Set<", "Long", ">", ";");
    struct nk_str records = repeat(&b, "type T = ", "{a: ", "Long", "}", ";");
    struct nk_str json =
        repeat(&b, "{\"\":{\"commonTypes\":{\"T\":", "{\"type\":\"Set\",\"element\":",
               "{\"type\":\"Long\"}", "}", "},\"entityTypes\":{},\"actions\":{}}}");
    tap_ok(nk_cedar_schema_parse(sets, &b.a, b.d, &s) &&
               nk_cedar_schema_parse(records, &b.a, b.d, &s) &&
               nk_cedar_schema_parse_json(json, &b.a, b.d, &s),
           "types nested %d deep are refused", DEEP);
    struct nk_buf chain;
    nk_buf_init(&chain, 64 << 20);
    for (int i = 0; i < DEEP; i++)
        nk_buf_printf(&chain, "type T%d = T%d;\n", i, i + 1);
    nk_buf_printf(&chain, "type T%d = Long;\n", DEEP);
    tap_ok(nk_cedar_schema_parse(nk_buf_str(&chain), &b.a, b.d, &s) != 0,
           "common types of common types, %d deep, are refused", DEEP);
    nk_buf_free(&chain);
    bench_close(&b);
}

/* A type that is twice as large with each level must not take twice the time. */
static void check_doubling(void)
{
    struct bench b;
    const struct nk_cedar_schema *s;
    struct nk_buf text;
    nk_buf_init(&text, 1 << 20);
    nk_buf_add(&text, NK_STR("type T0 = { x: Long }; type U0 = { x: String };\n"
                             "type V0 = { x?: Long };\n"));
    for (int i = 1; i < 90; i++)
        nk_buf_printf(&text,
                      "type T%d = { a: T%d, b: T%d }; type U%d = { a: U%d, b: U%d };\n"
                      "type V%d = { a: V%d, b: V%d };\n",
                      i, i - 1, i - 1, i, i - 1, i - 1, i, i - 1, i - 1);
    nk_buf_add(&text, NK_STR("entity A { t: T89, u: U89, v: V89 };\n"
                             "action a appliesTo { principal: A, resource: A };\n"));
    bench_open(&b, false);
    b.a.ceiling = 16 << 20;
    struct nk_cedar_validation strict = {0}, permissive = {.permissive = true};
    struct nk_cedar_policies *p = nk_cedar_policies_new(&b.a);
    bool good = nk_cedar_schema_parse(nk_buf_str(&text), &b.a, b.d, &s) == 0 &&
                nk_cedar_policies_add(p,
                                      NK_STR("permit (principal, action, resource) when { "
                                             "[principal.t, principal.u] == [principal.t] && "
                                             "[principal.t, principal.v] == [principal.v] };"),
                                      NK_STR("p"), false, NULL) == 0;
    int one = good ? nk_cedar_validate(s, p, &strict, &b.a, b.d, NULL) : 0;
    int two = good ? nk_cedar_validate(s, p, &permissive, &b.a, b.d, NULL) : -1;
    tap_ok(good && one == NK_EINVAL && two == 0, "types that share their parts are compared once");
    nk_buf_free(&text);
    bench_close(&b);
}

static void check_refused_text(void)
{
    struct bench b;
    const struct nk_cedar_schema *s;
    struct nk_fault f = {0};
    struct nk_buf out;
    bench_open(&b, false);
    nk_buf_init(&out, 4096);
    int rc = nk_cedar_schema_parse_json(
        NK_STR("{\"\":{\"commonTypes\":{\"A\":{\"type\":\"Long\"}},\"entityTypes\":{\"A\":{},\"B\":"
               "{\"tags\":{\"type\":\"Entity\",\"name\":\"A\"}}},\"actions\":{}}}"),
        &b.a, b.d, &s);
    tap_ok(rc == 0 && nk_cedar_schema_write(s, &out, &f) == NK_EUNSUPPORTED,
           "an entity type that a common type hides cannot be said as text: %s", f.message);
    nk_buf_free(&out);
    bench_close(&b);
}

static void check_actions(void)
{
    struct bench b;
    bench_open(&b, true);
    struct nk_cedar_entities *e = nk_cedar_entities_new(&b.a, NULL);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&b.a);
    struct nk_cedar_request r = {{NK_STR("User"), NK_STR("u")},
                                 {NK_STR("Action"), NK_STR("view")},
                                 {NK_STR("File"), NK_STR("f")},
                                 NULL};
    struct nk_cedar_answer answer = {0};
    bool good =
        nk_cedar_entities_add_actions(e, b.s, &b.a) == 0 && nk_cedar_entities_seal(e, NULL) == 0 &&
        nk_cedar_policies_add(p, NK_STR("permit (principal, action in Action::\"all\", resource);"),
                              NK_STR("p"), false, NULL) == 0 &&
        nk_cedar_authorize(p, e, &r, &b.a, &answer) == 0;
    tap_ok(good && answer.allow && nk_cedar_schema_has_groups(b.s),
           "the schema's groups of actions decide once they are in the store");
    bench_close(&b);
}

int main(void)
{
    all_cases("schema_text", text_case);
    all_cases("schema_json", json_case);
    all_cases("valid", policy_case);
    all_cases("valid_levels", level_case);
    all_cases("valid_entities", entity_case);
    all_cases("valid_requests", request_case);
    all_cases("policies", said_case);
    all_cases("schema_text", said_case);
    check_texts();
    check_table();
    check_deep();
    check_doubling();
    check_refused_text();
    check_actions();
    return tap_done();
}
