/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_est.c - policies in their forms: Cedar's JSON as text (tests/cases/cedar/est*.cases), text as
 * text (print.cases), and for every text of the other cases of Cedar that each form reads back as
 * the same policy. With a folder as argument (tests/e2e/cedar_est unpacks it) the same over
 * upstream's data, and that our JSON is the JSON that was recorded of the reference.
 */
#include "cases.h"
#include "cedar_forms.h"
#include "tap.h"

#include <dirent.h>

enum { BIG = 512 << 20 };

/* Cases --------------------------------------------------------------------------------------- */

/* Bytes of a case's input to show: at most 90, whole characters. */
static int shown(struct nk_str s)
{
    size_t n = s.n < 90 ? s.n : 90;
    while (n > 0 && n < s.n && (s.p[n] & 0xC0) == 0x80)
        n--;
    return (int)n;
}

/* "refused: " and the message behind "byte 7: ". */
static struct nk_str refusal(struct nk_arena *a, const struct nk_fault *f)
{
    const char *at = strncmp(f->message, "byte ", 5) == 0 ? strstr(f->message, ": ") : NULL;
    return nk_arena_printf(a, "refused: %s", at ? at + 2 : f->message);
}

/* A refusal may say more than is expected. */
static void judge(const struct case_line *c, struct nk_str got)
{
    struct nk_str want = nk_str(c->expect), input = {c->input, c->n};
    bool same = nk_str_eq(got, want) ||
                (nk_str_starts(want, NK_STR("refused: ")) && nk_str_starts(got, want));
    tap_ok(same, "%s:%d %.*s%s%.*s", c->file, c->line, shown(input), c->input, same ? "" : " -- ",
           same ? 0 : shown(got), got.p);
}

static struct nk_str joined_lines(struct nk_arena *a, struct nk_str text)
{
    while (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    char *own = nk_arena_alloc(a, text.n + 1);
    for (size_t i = 0; i < text.n; i++)
        own[i] = text.p[i] == '\n' ? ' ' : text.p[i];
    return (struct nk_str){own, text.n};
}

static void check_forms(const struct case_line *c, const struct nk_cedar_policies *p,
                        struct nk_arena *a)
{
    struct nk_buf out;
    nk_buf_init(&out, FORMS_MOST);
    for (size_t i = 0; i < p->n + p->template_n; i++) {
        struct nk_fault f = {0};
        const struct cedar_policy *policy = i < p->n ? p->items[i] : p->templates[i - p->n];
        const char *form = forms_differ(policy, a, &out, &f);
        struct nk_str text = nk_buf_str(&out);
        tap_ok(!form, "%s:%d all forms are the same policy%s%s (%s): %.*s", c->file, c->line,
               form ? ", but not as " : "", form ? form : "", form ? f.message : "",
               form ? shown(text) : 0, text.p);
    }
    nk_buf_free(&out);
}

static void check_layout(const struct case_line *c, struct nk_str text, struct nk_arena *a)
{
    static const unsigned widths[] = {20, 50, 80};
    struct nk_buf out;
    nk_buf_init(&out, FORMS_MOST);
    for (size_t i = 0; i < NK_COUNT(widths); i++) {
        struct nk_fault f = {0};
        const char *wrong = forms_layout(text, widths[i], a, &out, &f);
        tap_ok(!wrong, "%s:%d laid out for %u characters%s%s %s", c->file, c->line, widths[i],
               wrong ? ": " : "", wrong ? wrong : "", f.message);
    }
    nk_buf_free(&out);
}

static void est_policy(const struct case_line *c, void *ctx)
{
    struct nk_arena a;
    struct nk_buf out;
    struct nk_fault f = {0};
    (void)ctx;
    nk_arena_init(&a, BIG);
    nk_buf_init(&out, FORMS_MOST);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    int rc = nk_cedar_policy_add_json(p, (struct nk_str){c->input, c->n}, NK_STR("x"), &f);
    if (rc) {
        judge(c, refusal(&a, &f));
        TAP_CHECK(rc == f.code && p->n + p->template_n == 0 && f.offset <= c->n);
    } else {
        TAP_CHECK(nk_cedar_policy_put_text(p, NK_STR("x"), &out) == 0);
        judge(c, joined_lines(&a, nk_buf_str(&out)));
        check_forms(c, p, &a);
    }
    nk_buf_free(&out);
    nk_arena_free(&a);
}

static const char around[] = "{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},"
                             "\"action\":{\"op\":\"All\"},\"resource\":{\"op\":\"All\"},"
                             "\"conditions\":[{\"kind\":\"when\",\"body\":";

/* The text of the one condition of a policy in JSON. */
static void est_expression(const struct case_line *c, void *ctx)
{
    struct nk_arena a;
    struct nk_buf out;
    struct nk_fault f = {0};
    (void)ctx;
    nk_arena_init(&a, BIG);
    nk_buf_init(&out, FORMS_MOST);
    struct nk_str parts[] = {nk_str(around), {c->input, c->n}, NK_STR("}]}")};
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    if (nk_cedar_policy_add_json(p, nk_arena_join(&a, parts, 3), NK_STR("x"), &f)) {
        judge(c, refusal(&a, &f));
        TAP_CHECK(f.offset >= sizeof around - 1 && f.offset <= sizeof around + c->n);
    } else {
        cedar_expr_put_text(p->items[0]->conditions->body, &out);
        judge(c, nk_buf_str(&out));
        check_forms(c, p, &a);
    }
    nk_buf_free(&out);
    nk_arena_free(&a);
}

static struct nk_str filled_in(struct nk_arena *a, struct nk_str text)
{
    static const char *const words[][2] = {
        {"<P>", "permit(principal,action,resource);"},
        {"<T>", "permit(principal==?principal,action,resource);"},
        {"<E>", "{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{\"op\":\"All\"},"
                "\"resource\":{\"op\":\"All\"},\"conditions\":[]}"},
        {"<V>", "{\"type\":\"U\",\"id\":\"x\"}"}};
    for (size_t i = 0; i < NK_COUNT(words); i++)
        for (ptrdiff_t at; (at = nk_str_search(text, nk_str(words[i][0]))) >= 0;) {
            struct nk_str parts[] = {nk_str_sub(text, 0, (size_t)at), nk_str(words[i][1]),
                                     nk_str_sub(text, (size_t)at + 3, text.n)};
            text = nk_arena_join(a, parts, 3);
        }
    return text;
}

/* The set of `form` is the set: written once more it is the same text. */
static bool same_set(struct nk_arena *a, const struct nk_cedar_policies *p, struct nk_str form)
{
    struct nk_buf again;
    struct nk_cedar_policies *q = nk_cedar_policies_new(a);
    nk_buf_init(&again, FORMS_MOST);
    bool same = nk_cedar_policies_add_json(q, nk_arena_copy(a, form), NULL) == 0 && q->n == p->n &&
                q->template_n == p->template_n && nk_cedar_policies_put_json(q, &again) == 0 &&
                nk_str_eq(nk_buf_str(&again), form);
    nk_buf_free(&again);
    return same;
}

static void est_set(const struct case_line *c, void *ctx)
{
    struct nk_arena a;
    struct nk_buf out;
    struct nk_fault f = {0};
    (void)ctx;
    nk_arena_init(&a, BIG);
    nk_buf_init(&out, FORMS_MOST);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    TAP_CHECK(nk_cedar_policies_add(p, NK_STR("@id(\"before\") permit(principal,action,resource);"),
                                    NK_STR(""), true, NULL) == 0);
    struct nk_str json = filled_in(&a, (struct nk_str){c->input, c->n});
    int rc = nk_cedar_policies_add_json(p, json, &f);
    judge(c, rc ? refusal(&a, &f) : nk_arena_printf(&a, "%zu+%zu", p->n - 1, p->template_n));
    if (rc) /* nothing is left behind */
        TAP_CHECK(p->n == 1 && p->template_n == 0 && cedar_policies_find(p, NK_STR("before")) &&
                  !cedar_policies_find(p, NK_STR("a")) && !cedar_policies_find(p, NK_STR("l")));
    else
        TAP_CHECK(nk_cedar_policies_put_json(p, &out) == 0 && same_set(&a, p, nk_buf_str(&out)));
    nk_buf_free(&out);
    nk_arena_free(&a);
}

static void print_expression(const struct case_line *c, void *ctx)
{
    struct nk_arena a;
    struct nk_buf out;
    struct nk_fault f = {0};
    (void)ctx;
    nk_arena_init(&a, BIG);
    nk_buf_init(&out, FORMS_MOST);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    struct nk_str parts[] = {
        NK_STR("permit (principal, action, resource) when { "), {c->input, c->n}, NK_STR(" };")};
    if (nk_cedar_policies_add(p, nk_arena_join(&a, parts, 3), NK_STR("x"), false, &f)) {
        judge(c, refusal(&a, &f));
    } else {
        cedar_expr_put_text(p->items[0]->conditions->body, &out);
        judge(c, nk_buf_str(&out));
        check_forms(c, p, &a);
    }
    nk_buf_free(&out);
    nk_arena_free(&a);
}

/* Whatever a text of the other cases is: if it is accepted, its forms are the same. */
static void any_text(const struct case_line *c, void *ctx)
{
    struct nk_arena a;
    nk_arena_init(&a, BIG);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    struct nk_str parts[] = {ctx ? NK_STR("permit (principal, action, resource) when { ")
                                 : NK_STR(""),
                             {c->input, c->n},
                             ctx ? NK_STR(" };") : NK_STR("")};
    struct nk_str text = nk_arena_join(&a, parts, 3);
    if (nk_cedar_policies_add(p, text, NK_STR("x"), false, NULL) == 0) {
        check_forms(c, p, &a);
        check_layout(c, text, &a);
        for (size_t i = 0; i < p->n + p->template_n; i++)
            tap_ok(forms_spans(i < p->n ? p->items[i] : p->templates[i - p->n], &a),
                   "%s:%d every span is that of its construct", c->file, c->line);
    }
    nk_arena_free(&a);
}

/* What needs code ----------------------------------------------------------------------------- */

static struct nk_str repeat(struct nk_arena *a, const char *head, const char *part, size_t times,
                            const char *middle, const char *end, const char *tail)
{
    struct nk_buf out;
    nk_buf_init(&out, BIG);
    nk_buf_add(&out, nk_str(head));
    for (size_t i = 0; i < times; i++)
        nk_buf_add(&out, nk_str(part));
    nk_buf_add(&out, nk_str(middle));
    for (size_t i = 0; i < times; i++)
        nk_buf_add(&out, nk_str(end));
    nk_buf_add(&out, nk_str(tail));
    struct nk_str copy = nk_arena_copy(a, nk_buf_str(&out));
    nk_buf_free(&out);
    return copy;
}

/* Hostile nesting is refused by its depth, not by the end of the stack; chains are no nesting. */
static void depth_tests(void)
{
    static const char one[] = "{\"Value\":true}";
    static const struct {
        const char *what, *part, *end;
        size_t times;
        int code;
    } cases[] = {
        {"!", "{\"!\":{\"arg\":", "}}", 500000, NK_ELIMIT},
        {"!", "{\"!\":{\"arg\":", "}}", 1000000, NK_ELIMIT},
        {"!", "{\"!\":{\"arg\":", "}}", 249, 0},
        {"!", "{\"!\":{\"arg\":", "}}", 250, NK_ELIMIT},
        {"sets", "{\"Set\":[", "]}", 500000, NK_ELIMIT},
        {"records", "{\"Record\":{\"a\":", "}}", 500000, NK_ELIMIT},
        {"&& to the right", "{\"&&\":{\"left\":{\"Value\":true},\"right\":", "}}", 500000,
         NK_ELIMIT},
        {"&& to the left", "{\"&&\":{\"left\":", ",\"right\":{\"Value\":true}}}", 500000, 0},
        {"|| to the left", "{\"||\":{\"left\":", ",\"right\":{\"Value\":true}}}", 200000, 0},
        {"* to the left", "{\"*\":{\"right\":{\"Value\":1},\"left\":", "}}", 200000, 0},
        {"- to the left", "{\"-\":{\"left\":", ",\"right\":{\"Value\":true}}}", 200000, 0},
        {"== to the left", "{\"==\":{\"left\":", ",\"right\":{\"Value\":true}}}", 200000,
         NK_ELIMIT},
        {". to the left", "{\".\":{\"left\":", ",\"attr\":\"a\"}}", 200000, NK_ELIMIT},
    };
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_arena a;
        struct nk_buf out;
        struct nk_fault f = {0};
        nk_arena_init(&a, 1 << 30);
        nk_buf_init(&out, FORMS_MOST);
        struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
        struct nk_str text =
            repeat(&a, around, cases[i].part, cases[i].times, one, cases[i].end, "}]}");
        int rc = nk_cedar_policy_add_json(p, text, NK_STR("x"), &f);
        tap_ok(rc == cases[i].code && p->n == (rc == 0), "JSON, %s, %zu times: %s", cases[i].what,
               cases[i].times, rc ? f.message : "read");
        if (rc == 0)
            TAP_CHECK(forms_differ(p->items[0], &a, &out, &f) == NULL);
        nk_buf_free(&out);
        nk_arena_free(&a);
    }
}

static void writer_tests(void)
{
    struct nk_arena a;
    struct nk_buf out;
    nk_arena_init(&a, BIG);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    struct nk_cedar_slot_value bob = {NK_STR("?principal"), {NK_STR("U"), NK_STR("bob")}};
    TAP_CHECK(nk_cedar_policies_add(
                  p,
                  NK_STR("@id(\"t\") permit(principal is U in ?principal,action,resource);"
                         "@id(\"p\") @why forbid(principal,action in [Action::\"a\"],resource);"),
                  NK_STR(""), true, NULL) == 0);
    TAP_CHECK(nk_cedar_policies_link(p, NK_STR("t"), NK_STR("l"), &bob, 1, NULL) == 0);
    nk_buf_init(&out, 1 << 16);
    TAP_CHECK(nk_cedar_policies_put_text(p, &out) == 0);
    tap_ok(
        nk_str_eq(nk_buf_str(&out),
                  NK_STR("@id(\"p\")\n@why\nforbid (principal, action in [Action::\"a\"], "
                         "resource);\n\n@id(\"t\")\npermit (principal is U in U::\"bob\", action, "
                         "resource);\n\n@id(\"t\")\npermit (principal is U in ?principal, action, "
                         "resource);\n")),
        "a set as text");
    nk_buf_clear(&out);
    TAP_CHECK(nk_cedar_policies_put_json(p, &out) == 0);
    TAP_CHECK(same_set(&a, p, nk_buf_str(&out)));
    TAP_CHECK(
        nk_str_search(nk_buf_str(&out),
                      NK_STR("{\"templateId\":\"t\",\"newId\":\"l\",\"values\":{\"?principal\":{"
                             "\"type\":\"U\",\"id\":\"bob\"}}}")) > 0);
    nk_buf_clear(&out);
    TAP_CHECK(nk_cedar_policy_put_json(p, NK_STR("l"), &out) == 0);
    TAP_CHECK(nk_str_search(nk_buf_str(&out), NK_STR("\"in\":{\"entity\":{\"type\":\"U\"")) > 0);
    nk_buf_clear(&out);
    TAP_CHECK(nk_cedar_policy_put_json(p, NK_STR("none"), &out) == NK_ENOTFOUND && out.n == 0);
    TAP_CHECK(nk_cedar_policy_put_text(p, NK_STR("none"), &out) == NK_ENOTFOUND && out.n == 0);
    /* The one operator whose sign cannot stand in a file of cases. */
    struct nk_cedar_policies * or = nk_cedar_policies_new(&a);
    struct nk_str text = NK_STR("permit (principal, action, resource)\n"
                                "when { true && false || (true || false) && 1 };\n");
    TAP_CHECK(nk_cedar_policies_add(or, text, NK_STR("x"), false, NULL) == 0);
    TAP_CHECK(nk_cedar_policies_put_text(or, &out) == 0 && nk_str_eq(nk_buf_str(&out), text));
    nk_buf_free(&out);
    nk_buf_init(&out, 40);
    TAP_CHECK(nk_cedar_policy_put_json(p, NK_STR("p"), &out) == NK_ELIMIT);
    nk_buf_clear(&out);
    TAP_CHECK(nk_cedar_policies_put_text(p, &out) == NK_ELIMIT);
    nk_buf_free(&out);
    nk_arena_free(&a);
}

/* A path of has, written out, doubles what it stands on: the buffer's maximum ends it. */
static void doubling_test(void)
{
    struct nk_arena a;
    struct nk_buf out;
    nk_arena_init(&a, BIG);
    nk_buf_init(&out, 1 << 20);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    struct nk_str json = repeat(&a, around, "{\"has\":{\"attr\":[\"if\",\"a\"],\"left\":", 200,
                                "{\"Var\":\"context\"}", "}}", "}]}");
    TAP_CHECK(nk_cedar_policy_add_json(p, json, NK_STR("x"), NULL) == 0);
    TAP_CHECK(nk_cedar_policy_put_text(p, NK_STR("x"), &out) == NK_ELIMIT);
    nk_buf_free(&out);
    nk_arena_free(&a);
}

/* Every ceiling of the arena: an error or the policy, never half of one. */
static void memory_tests(void)
{
    struct nk_str json = NK_STR(
        "{\"staticPolicies\":{\"a\":{\"effect\":\"permit\",\"principal\":{\"op\":\"==\","
        "\"entity\":{\"type\":\"U\",\"id\":\"\\u0041\"}},\"action\":{\"op\":\"All\"},"
        "\"resource\":{\"op\":\"All\"},\"conditions\":[{\"kind\":\"when\",\"body\":{\"like\":{"
        "\"left\":{\"Value\":[1,{\"a\":\"\\u0042\"}]},\"pattern\":[{\"Literal\":\"a\"}]}}}],"
        "\"annotations\":{\"x\":\"\\u0043\"}}},\"templates\":{\"t\":\"permit(principal==?"
        "principal,action,resource);\"},\"templateLinks\":[{\"templateId\":\"t\",\"newId\":"
        "\"l\",\"values\":{\"?principal\":{\"type\":\"U\",\"id\":\"\\u0044\"}}}]}");
    int wrong = 0, refused = 0, added = 0;
    for (size_t ceiling = 1; ceiling < 131072; ceiling += 700) {
        struct nk_arena a;
        nk_arena_init(&a, ceiling);
        struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
        int rc = p ? nk_cedar_policies_add_json(p, json, NULL) : NK_ENOMEM;
        wrong += rc ? rc != NK_ENOMEM || (p && p->n + p->template_n != 0)
                    : p->n != 2 || p->template_n != 1;
        refused += rc != 0;
        added += rc == 0;
        nk_arena_free(&a);
    }
    tap_ok(wrong == 0 && refused > 0 && added > 0, "a set under %d small ceilings", refused);
}

/* Upstream's data ----------------------------------------------------------------------------- */

struct data {
    const char *dir;
    unsigned policies, wrong;
};

static const struct nk_json_limits limits = {64 << 20, 1 << 16, 1 << 24};

static void complain(struct data *d, const char *what, const char *where, const char *message)
{
    if (d->wrong++ < 5)
        printf("# %s: %s: %s\n", where, what, message);
}

/* The recorded JSON went through JavaScript, whose numbers are doubles: what is beyond 2^53 there
 * is the nearest of them. */
static bool same_number(struct nk_str a, struct nk_str b)
{
    int64_t ours, theirs;
    if (nk_str_eq(a, b))
        return true;
    if (nk_str_to_i64(a, &ours))
        return false;
    if (nk_str_to_i64(b, &theirs)) /* next to 2^63, on either side */
        return (ours > INT64_MAX - 1024 && nk_str_eq(b, NK_STR("9223372036854776000"))) ||
               (ours < INT64_MIN + 1024 && nk_str_eq(b, NK_STR("-9223372036854776000")));
    return ours / (1LL << 53) != 0 && (double)ours == (double)theirs;
}

static bool same_json(const struct nk_json *x, uint32_t i, const struct nk_json *y, uint32_t k,
                      struct nk_arena *a)
{
    enum nk_json_type type = nk_json_type(x, i), other = nk_json_type(y, k);
    if (type == NK_JSON_INT && (other == NK_JSON_INT || other == NK_JSON_NUMBER))
        return same_number(nk_json_span(x, i), nk_json_span(y, k));
    if (type != other || x->tape[i].count != y->tape[k].count)
        return false;
    if (type == NK_JSON_STRING)
        return nk_json_is(x, i, nk_json_string(y, k, a));
    uint32_t j = nk_json_first(y, k);
    for (uint32_t item = nk_json_first(x, i); item != NK_JSON_NONE;
         item = nk_json_next(x, i, item), j = nk_json_next(y, k, j)) {
        bool member = type == NK_JSON_OBJECT;
        uint32_t match = member ? nk_json_get(y, k, nk_json_string(x, item, a)) : j;
        if (match == NK_JSON_NONE || !same_json(x, item + member, y, match, a))
            return false;
    }
    return true;
}

static struct nk_str read_file(struct nk_arena *a, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return (struct nk_str){NULL, 0};
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = nk_arena_alloc(a, (size_t)size + 1);
    size_t n = text ? fread(text, 1, (size_t)size, file) : 0;
    fclose(file);
    return (struct nk_str){text, n};
}

/* Every form, layout and span of a text's policies. */
static void all_of(struct data *d, const struct nk_cedar_policies *p, struct nk_str text,
                   const char *where, struct nk_arena *a)
{
    struct nk_buf out;
    nk_buf_init(&out, FORMS_MOST);
    for (size_t i = 0; i < p->n + p->template_n; i++) {
        struct nk_fault f = {0};
        const struct cedar_policy *policy = i < p->n ? p->items[i] : p->templates[i - p->n];
        const char *wrong = forms_differ(policy, a, &out, &f);
        if (!wrong && policy->text.p && !forms_spans(policy, a))
            wrong = "a span is that of something else";
        if (wrong)
            complain(d, wrong, where, f.message);
        d->policies++;
    }
    for (unsigned width = 20; text.p && width <= 100; width += 40) {
        struct nk_fault f = {0};
        const char *wrong = forms_layout(text, width, a, &out, &f);
        if (wrong)
            complain(d, wrong, where, f.message);
    }
    nk_buf_free(&out);
}

static void recorded(struct data *d, struct nk_str line)
{
    struct nk_arena a;
    struct nk_json row, test, own;
    struct nk_buf out;
    struct nk_fault f = {0};
    nk_arena_init(&a, BIG);
    nk_buf_init(&out, FORMS_MOST);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    if (nk_json_parse_any_name(&limits, line, &a, &row, &f))
        complain(d, "est.jsonl", "row", f.message);
    struct nk_str name = nk_json_string(&row, nk_json_get(&row, 0, NK_STR("test")), &a);
    struct nk_str file = nk_arena_printf(&a, "%s/corpus-tests/%.*s.json", d->dir, NK_FMT(name));
    if (nk_json_parse_any_name(&limits, read_file(&a, file.p), &a, &test, &f)) {
        complain(d, "no such test", file.p, f.message);
    } else {
        struct nk_str path = nk_json_string(&test, nk_json_get(&test, 0, NK_STR("policies")), &a);
        struct nk_str text = read_file(&a, nk_arena_printf(&a, "%s/%.*s", d->dir, NK_FMT(path)).p);
        if (nk_cedar_policies_add(p, text, NK_STR("x"), false, &f) ||
            nk_cedar_policy_put_json(p, NK_STR("x0"), &out) ||
            nk_json_parse_any_name(&limits, nk_buf_str(&out), &a, &own, &f) ||
            !same_json(&own, 0, &row, nk_json_get(&row, 0, NK_STR("est")), &a))
            complain(d, "not the recorded JSON", file.p, f.message);
        all_of(d, p, text, file.p, &a);
    }
    nk_buf_free(&out);
    nk_arena_free(&a);
}

/* A file of policies: text, a policy in JSON, or a set in JSON; others are passed over. */
static void any_file(struct data *d, const char *path)
{
    struct nk_arena a;
    struct nk_buf out;
    nk_arena_init(&a, BIG);
    nk_buf_init(&out, FORMS_MOST);
    struct nk_str text = read_file(&a, path);
    struct nk_cedar_policies *p = nk_cedar_policies_new(&a);
    bool json = nk_str_ends(nk_str(path), NK_STR(".json"));
    int rc = !json ? nk_cedar_policies_add(p, text, NK_STR("x"), false, NULL)
             : nk_str_search(text, NK_STR("\"staticPolicies\"")) >= 0
                 ? nk_cedar_policies_add_json(p, text, NULL)
                 : nk_cedar_policy_add_json(p, text, NK_STR("x"), NULL);
    if (rc == 0)
        all_of(d, p, json ? (struct nk_str){NULL, 0} : text, path, &a);
    if (rc == 0 && json &&
        (nk_cedar_policies_put_json(p, &out) || !same_set(&a, p, nk_buf_str(&out))))
        complain(d, "the set is another one in JSON", path, "");
    nk_buf_free(&out);
    nk_arena_free(&a);
}

static void folder(struct data *d, const char *path, const char *ending)
{
    struct dirent *item;
    DIR *list = opendir(path);
    while (list && (item = readdir(list))) {
        char name[1024];
        snprintf(name, sizeof name, "%s/%s", path, item->d_name);
        if (item->d_type == DT_DIR && item->d_name[0] != '.')
            folder(d, name, ending);
        else if (nk_str_ends(nk_str(name), nk_str(ending)))
            any_file(d, name);
    }
    if (list)
        closedir(list);
}

static int data_tests(const char *dir)
{
    struct data est = {.dir = dir}, text = {.dir = dir}, json = {.dir = dir};
    struct nk_arena a;
    nk_arena_init(&a, BIG);
    struct nk_str rest = read_file(&a, nk_arena_printf(&a, "%s/est.jsonl", dir).p);
    while (rest.p) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        if (line.n)
            recorded(&est, line);
    }
    tap_ok(est.policies == 2190 && est.wrong == 0,
           "%u policies: JSON as recorded, all forms, layouts and spans; %u wrong", est.policies,
           est.wrong);
    folder(&text, dir, ".cedar");
    tap_ok(text.policies > 5000 && text.wrong == 0,
           "%u policies of all files of text: all forms, layouts and spans; %u wrong",
           text.policies, text.wrong);
    folder(&json, dir, ".json");
    tap_ok(json.policies >= 5 && json.wrong == 0, "%u policies of files of JSON; %u wrong",
           json.policies, json.wrong);
    nk_arena_free(&a);
    return tap_done();
}

int main(int argc, char **argv)
{
    static char as_expression[] = "";
    if (argc == 2)
        return data_tests(argv[1]);
    TAP_CHECK(cases_read("tests/cases/cedar/est.cases", est_expression, NULL) > 100);
    TAP_CHECK(cases_read("tests/cases/cedar/est_policies.cases", est_policy, NULL) > 30);
    TAP_CHECK(cases_read("tests/cases/cedar/est_sets.cases", est_set, NULL) > 30);
    TAP_CHECK(cases_read("tests/cases/cedar/print.cases", print_expression, NULL) > 30);
    TAP_CHECK(cases_read("tests/cases/cedar/policies.cases", any_text, NULL) > 50);
    TAP_CHECK(cases_read("tests/cases/cedar/mutated_policies.cases", any_text, NULL) > 500);
    TAP_CHECK(cases_read("tests/cases/cedar/expressions.cases", any_text, as_expression) > 200);
    depth_tests();
    writer_tests();
    doubling_test();
    memory_tests();
    return tap_done();
}
