/* SPDX-License-Identifier: Apache-2.0
 *
 * field.c - paths, filters and result forms against tests/cases/field/ (each file says how its cases are written),
 * and what no case file can say. `build/tests/field --pipe` filters what comes in at standard input instead, for
 * tests/e2e/fields: one JSON object a line,
 *
 *   {"form":"mcp","rules":[{"path":"$.a","class":0,"hide":"drop","with":"x"}],"denied":[0],"pointers":["/b"],
 *    "strip":SCHEMA,"result":…}
 *
 * and one line out: the filtered result (of a text: as a JSON string), or "!" and why there is none.
 */
#include "field/field.h"

#include "field/path.h"
#include "field/walk.h"
#include "json/schema.h"

#include "cases.h"
#include "tap.h"

static const struct nk_json_limits limits = {64 << 20, 250, 1 << 24};

static const struct {
    const char *name;
    enum nk_field_form form;
} forms[] = {{"value", NK_FIELD_VALUE},     {"mcp", NK_FIELD_MCP},
             {"openai", NK_FIELD_OPENAI},   {"anthropic", NK_FIELD_ANTHROPIC},
             {"bedrock", NK_FIELD_BEDROCK}, {"lambda", NK_FIELD_LAMBDA},
             {"action", NK_FIELD_ACTION}};

/* One question in the making. */
struct asking {
    struct nk_arena arena;
    struct nk_field_rule rules[16];
    struct nk_str pointers[8];
    struct nk_field_setup setup;
    struct nk_field_ask ask;
    int form; /* -1: text */
    struct nk_field_report report;
    struct nk_fault fault;
};

static void begin(struct asking *q)
{
    memset(q, 0, sizeof *q);
    nk_arena_init(&q->arena, 256 << 20);
    q->setup.rules = q->rules;
    q->ask.pointers = q->pointers;
}

static bool form_named(struct asking *q, struct nk_str word)
{
    for (size_t i = 0; i < NK_COUNT(forms); i++)
        if (nk_str_eq(word, nk_str(forms[i].name))) {
            q->form = (int)forms[i].form;
            return true;
        }
    if (!nk_str_eq(word, NK_STR("text")))
        return false;
    q->form = -1;
    return true;
}

/* "$.a mask", "+$.a" (its class is not denied), "/a", "strip SCHEMA", "error", or a form. Class 0 is allowed, 1 and up are denied. */
static bool add_item(struct asking *q, struct nk_str item)
{
    bool allowed = nk_str_starts(item, NK_STR("+"));
    item = nk_str_sub(item, allowed, item.n);
    if (form_named(q, item))
        return true;
    if (nk_str_starts(item, NK_STR("strip ")) || nk_str_starts(item, NK_STR("refuse "))) {
        q->setup.shape = item.p[0] == 's' ? NK_FIELD_STRIP : NK_FIELD_REFUSE;
        (void)nk_str_cut(&item, ' ');
        return nk_schema_new(item, &q->arena, &q->setup.output, &q->fault) == 0;
    }
    if (nk_str_eq(item, NK_STR("error")))
        return q->ask.error = true;
    if (nk_str_eq(item, NK_STR("japanese")))
        return q->ask.japanese = true;
    if (item.p[0] == '/' || nk_str_eq(item, NK_STR("\"\""))) {
        bool root = item.p[0] == '"';
        q->pointers[q->ask.pointer_count++] = root ? NK_STR("") : item;
        return true;
    }
    unsigned number = allowed ? 0 : (unsigned)q->setup.rule_count + 1;
    struct nk_field_rule *rule = &q->rules[q->setup.rule_count++];
    rule->path = nk_str_cut(&item, ' ');
    rule->class_number = number;
    if (!allowed)
        q->ask.denied |= (uint64_t)1 << number;
    if (!item.p)
        return true;
    struct nk_str hide = nk_str_cut(&item, ' ');
    rule->with = item;
    return nk_field_hide_named(hide, &rule->hide) == 0;
}

/* 0, and the output in `out`. */
static int filter(struct asking *q, struct nk_str input, struct nk_buf *out)
{
    struct nk_json doc;
    int rc = nk_field_rules_new(&q->setup, &q->arena, &q->ask.rules, &q->fault);
    if (!rc && q->form >= 0)
        rc = nk_json_parse(&limits, input, &q->arena, &doc, &q->fault);
    if (rc)
        return rc;
    if (q->form < 0)
        return nk_field_filter_text(&q->ask, input, &q->arena, out, &q->report, &q->fault);
    return nk_field_filter(&q->ask, (enum nk_field_form)q->form, &doc, 0, &q->arena, out,
                           &q->report, &q->fault);
}

/* The case's short words for the text that says that something was left out. */
static void write_out(char *text, size_t room)
{
    static const char english[] =
        "[Parts of this tool's result were left out: they may not be read here, or are of "
        "a form that cannot be checked.]";
    static const char japanese[] = "[このツールの結果の一部は省かれました。閲覧が許可されていないか"
                                   "、内容を確認できない形式のためです。]";
    static const struct {
        const char *word, *before, *after;
    } words[] = {{"japanese NOTE", "{\"type\":\"text\",\"text\":\"", "\"}"},
                 {"input NOTE", "{\"type\":\"input_text\",\"text\":\"", "\"}"},
                 {"bare NOTE", "{\"text\":\"", "\"}"},
                 {"NOTE", "{\"type\":\"text\",\"text\":\"", "\"}"},
                 {"SAYS", "\"", "\""},
                 {"SAYT", "\\\"", "\\\""},
                 {"BARE", "", ""}};
    char whole[4096];
    for (size_t i = 0; i < NK_COUNT(words); i++) {
        char *at = strstr(text, words[i].word);
        if (!at)
            continue;
        snprintf(whole, sizeof whole, "%.*s%s%s%s%s", (int)(at - text), text, words[i].before,
                 i == 0 ? japanese : english, words[i].after, at + strlen(words[i].word));
        snprintf(text, room, "%s", whole);
        return;
    }
}

static void run_filter(const struct case_line *c, void *ctx)
{
    struct asking q;
    struct nk_buf out;
    struct nk_str left = nk_str(c->expect);
    ptrdiff_t arrow = nk_str_search(left, NK_STR(" => "));
    char want_text[4096];
    snprintf(want_text, sizeof want_text, "%s", arrow < 0 ? "" : c->expect + arrow + 4);
    write_out(want_text, sizeof want_text);
    struct nk_str want = nk_str(want_text);
    struct nk_str rest = nk_str_sub(left, 0, arrow < 0 ? 0 : (size_t)arrow);
    bool understood = arrow >= 0;
    char have[4096];
    (void)ctx;
    begin(&q);
    nk_buf_init(&out, 1 << 20);
    while (rest.n && understood) {
        ptrdiff_t end = nk_str_search(rest, NK_STR(" ; "));
        understood = add_item(&q, end < 0 ? rest : nk_str_sub(rest, 0, (size_t)end));
        rest = end < 0 ? (struct nk_str){0} : nk_str_sub(rest, (size_t)end + 3, rest.n);
    }
    int rc = filter(&q, (struct nk_str){c->input, c->n}, &out);
    snprintf(have, sizeof have, "%.*s", NK_FMT(nk_buf_str(&out)));
    if (rc)
        snprintf(have, sizeof have, "!%s", q.fault.message);
    struct nk_str came = nk_str(have);
    bool same = nk_str_eq(came, want) && rc == q.fault.code &&
                q.report.changed == (!rc && !nk_str_eq(came, (struct nk_str){c->input, c->n}));
    tap_ok(understood && same, "%s:%d %s (came: %s)", strrchr(c->file, '/') + 1, c->line, c->expect,
           have);
    nk_buf_free(&out);
    nk_arena_free(&q.arena);
}

static void print_path(const struct field_path *path, char *to, size_t room)
{
    *to = 0;
    for (uint32_t i = 0; i < path->n; i++) {
        const struct field_step *s = &path->steps[i];
        size_t n = strlen(to);
        if (s->kind == FIELD_ANY)
            snprintf(to + n, room - n, "%s*", s->deep ? ".." : ".");
        else if (s->kind == FIELD_INDEX)
            snprintf(to + n, room - n, "%s[%u]", s->deep ? ".." : "", s->index);
        else
            snprintf(to + n, room - n, "%s<%.*s>", s->deep ? ".." : ".", NK_FMT(s->name));
    }
}

static void run_path(const struct case_line *c, void *ctx)
{
    struct nk_arena arena;
    struct nk_fault fault = {0};
    struct field_path path;
    struct nk_str text = {c->input, c->n};
    char have[2048];
    (void)ctx;
    nk_arena_init(&arena, 1 << 20);
    int rc = nk_str_starts(text, NK_STR("/")) || text.n == 0
                 ? field_pointer_parse(text, &arena, &path, &fault)
                 : field_path_parse(text, &arena, &path, &fault);
    if (rc)
        snprintf(have, sizeof have, "refuse %zu %s", fault.offset, fault.message);
    else
        memcpy(have, "root", 5);
    if (!rc && path.n)
        print_path(&path, have, sizeof have);
    /* The message repeats the path in front. */
    struct nk_str came = nk_str(have), want = nk_str(c->expect);
    size_t words = rc ? strspn(c->expect + 7, "0123456789") + 7 : 0;
    bool same = rc ? nk_str_starts(came, nk_str_sub(want, 0, words)) &&
                         nk_str_ends(came, nk_str_sub(want, words, want.n))
                   : nk_str_eq(came, want);
    tap_ok(same && rc == fault.code, "%s:%d %s (came: %s)", strrchr(c->file, '/') + 1, c->line,
           c->expect, have);
    nk_arena_free(&arena);
}

static int strip(struct nk_str schema, struct nk_str input, struct nk_arena *a, struct nk_buf *out,
                 struct nk_fault *f)
{
    struct nk_json declared, doc;
    struct field_states states;
    enum field_end end;
    int rc = nk_json_parse(&limits, schema, a, &declared, f);
    rc = rc ? rc : field_states_of_schema(&declared, a, &states, f);
    rc = rc ? rc : nk_json_parse(&limits, input, a, &doc, f);
    if (rc)
        return rc;
    struct field_walk w = {.layers = {{&states, 1}}, .arena = a, .fault = f};
    rc = field_walk_value(&w, &doc, 0, out, &end);
    if (!rc && end == FIELD_AS_IT_WAS)
        nk_buf_add(out, input);
    return rc;
}

static void run_declared(const struct case_line *c, void *ctx)
{
    struct nk_arena arena;
    struct nk_buf out;
    struct nk_fault fault = {0};
    struct nk_str left = nk_str(c->expect);
    ptrdiff_t arrow = nk_str_search(left, NK_STR(" => "));
    size_t at = arrow < 0 ? 0 : (size_t)arrow;
    struct nk_str want = nk_str_sub(left, at + 4, left.n);
    (void)ctx;
    nk_arena_init(&arena, 16 << 20);
    nk_buf_init(&out, 1 << 20);
    int rc = strip(nk_str_sub(left, 0, at), (struct nk_str){c->input, c->n}, &arena, &out, &fault);
    bool same = rc ? nk_str_starts(want, NK_STR("!")) &&
                         nk_str_ends(nk_str(fault.message), nk_str_sub(want, 1, want.n))
                   : nk_str_eq(nk_buf_str(&out), want);
    tap_ok(same && rc == fault.code, "%s:%d %s (came: %s%.*s)", strrchr(c->file, '/') + 1, c->line,
           c->expect, fault.message, NK_FMT(nk_buf_str(&out)));
    nk_buf_free(&out);
    nk_arena_free(&arena);
}

static void test_limits(void)
{
    struct asking q;
    struct nk_field_rule many[NK_FIELD_RULES_MAX + 1];
    char path[200] = "$";
    begin(&q);
    for (size_t i = 0; i < NK_COUNT(many); i++)
        many[i] = (struct nk_field_rule){.path = NK_STR("$.a")};
    q.setup.rules = many;
    q.setup.rule_count = NK_FIELD_RULES_MAX;
    TAP_CHECK(nk_field_rules_new(&q.setup, &q.arena, &q.ask.rules, &q.fault) == 0);
    q.setup.rule_count++;
    TAP_CHECK(nk_field_rules_new(&q.setup, &q.arena, &q.ask.rules, &q.fault) == NK_ELIMIT);
    TAP_CHECK(!q.ask.rules && strcmp(q.fault.message, "more than 256 fields") == 0);
    /* 2^20 sets of places would be needed. */
    strcat(path, "..a");
    for (int i = 0; i < 20; i++)
        strcat(path, ".*");
    q.fault = (struct nk_fault){0};
    many[0].path = nk_str(path);
    q.setup.rule_count = 1;
    TAP_CHECK(nk_field_rules_new(&q.setup, &q.arena, &q.ask.rules, &q.fault) == NK_ELIMIT);
    TAP_CHECK(strstr(q.fault.message, "states") != NULL);
    TAP_CHECK(nk_field_classes(NULL) == 0);
    nk_arena_free(&q.arena);
}

/* Texts inside one another: as many as are looked into, and one more. */
static void test_nesting(void)
{
    for (int levels = 1; levels <= NK_FIELD_TEXTS_MAX + 1; levels++) {
        struct asking q;
        struct nk_buf text, more, out;
        begin(&q);
        nk_buf_init(&text, 1 << 16);
        nk_buf_init(&more, 1 << 16);
        nk_buf_init(&out, 1 << 16);
        nk_buf_add(&text, NK_STR("{\"b\":1,\"c\":2}"));
        for (int i = 0; i < levels; i++) {
            struct nk_buf swap = text;
            nk_buf_clear(&more);
            nk_buf_add(&more, NK_STR("{\"a\":"));
            nk_json_put_string(&more, nk_buf_str(&text));
            nk_buf_add_char(&more, '}');
            text = more;
            more = swap;
        }
        add_item(&q, NK_STR("$..b"));
        int rc = filter(&q, nk_buf_str(&text), &out);
        bool inside = nk_str_search(nk_buf_str(&out), NK_STR(":2}")) >= 0;
        bool leaked = nk_str_search(nk_buf_str(&out), NK_STR(":1")) >= 0;
        tap_ok(rc == 0 && !leaked && inside == (levels <= NK_FIELD_TEXTS_MAX) &&
                   q.report.hidden == 1 && q.report.classes == (inside ? 2 : 0),
               "%d texts inside one another: %.*s", levels, NK_FMT(nk_buf_str(&out)));
        nk_buf_free(&text);
        nk_buf_free(&more);
        nk_buf_free(&out);
        nk_arena_free(&q.arena);
    }
}

/* Every allocation that an arena refuses is an error, and none is a result. */
static void test_memory(void)
{
    static const char text[] = "{\"a\":\"{\\\"b\\\":[1,{\\\"c\\\":2}]}\",\"d\":\"x\"}";
    size_t ceiling = 64;
    for (int rc = NK_ENOMEM; rc && ceiling < 1 << 20; ceiling += 64) {
        struct asking q;
        struct nk_buf out;
        begin(&q);
        nk_buf_init(&out, 1 << 20);
        add_item(&q, NK_STR("$.a.b..c"));
        add_item(&q, NK_STR("$.d mask_length"));
        add_item(&q, NK_STR("/a/b/0"));
        q.arena.ceiling = ceiling;
        rc = filter(&q, nk_str(text), &out);
        if (rc && (rc != NK_ENOMEM || q.fault.code != NK_ENOMEM))
            tap_ok(false, "%zu bytes: %s", ceiling, q.fault.message);
        if (rc == 0)
            tap_ok(nk_str_eq(nk_buf_str(&out), NK_STR("{\"a\":\"{\\\"b\\\":[{}]}\",\"d\":\"*\"}")),
                   "it takes %zu bytes: %.*s", ceiling, NK_FMT(nk_buf_str(&out)));
        nk_buf_free(&out);
        nk_arena_free(&q.arena);
    }
}

/* An output that has no room is an error. */
static void test_room(void)
{
    for (size_t room = 0; room < 14; room++) {
        struct asking q;
        struct nk_buf out;
        begin(&q);
        nk_buf_init(&out, room);
        add_item(&q, NK_STR("$.b"));
        int rc = filter(&q, NK_STR("{\"a\":\"xyz\",\"b\":1}"), &out);
        tap_ok(rc == (room < 11 ? NK_ELIMIT : 0), "room for %zu bytes: %d", room, rc);
        nk_buf_free(&out);
        nk_arena_free(&q.arena);
    }
}

/* One line of --pipe. */
static int read_line(struct asking *q, const struct nk_json *doc, struct nk_buf *out)
{
    struct nk_arena *a = &q->arena;
    uint32_t rules = nk_json_get(doc, 0, NK_STR("rules")), i;
    uint32_t list = nk_json_get(doc, 0, NK_STR("pointers"));
    struct nk_field_rule *all = calloc(
        nk_json_type(doc, rules) == NK_JSON_ARRAY ? doc->tape[rules].count + 1 : 1, sizeof *all);
    uint32_t result = nk_json_get(doc, 0, NK_STR("result"));
    int64_t number = 0;
    form_named(q, nk_json_string(doc, nk_json_get(doc, 0, NK_STR("form")), a));
    for (i = nk_json_first(doc, rules); i != NK_JSON_NONE; i = nk_json_next(doc, rules, i)) {
        struct nk_field_rule *rule = &all[q->setup.rule_count++];
        rule->path = nk_json_string(doc, nk_json_get(doc, i, NK_STR("path")), a);
        rule->with = nk_json_string(doc, nk_json_get(doc, i, NK_STR("with")), a);
        if (nk_json_i64(doc, nk_json_get(doc, i, NK_STR("class")), &number) ||
            nk_field_hide_named(nk_json_string(doc, nk_json_get(doc, i, NK_STR("hide")), a),
                                &rule->hide))
            abort();
        rule->class_number = (unsigned)number;
    }
    for (i = nk_json_first(doc, list); i != NK_JSON_NONE && q->ask.pointer_count < 8;
         i = nk_json_next(doc, list, i))
        q->pointers[q->ask.pointer_count++] = nk_json_string(doc, i, a);
    i = nk_json_get(doc, 0, NK_STR("strip"));
    if (i != NK_JSON_NONE) {
        q->setup.shape = NK_FIELD_STRIP;
        if (nk_schema_new(nk_json_span(doc, i), a, &q->setup.output, &q->fault))
            abort();
    }
    list = nk_json_get(doc, 0, NK_STR("denied"));
    for (i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i))
        if (nk_json_i64(doc, i, &number) == 0)
            q->ask.denied |= (uint64_t)1 << number;
    q->setup.rules = all;
    struct nk_str text = q->form < 0 ? nk_json_string(doc, result, a) : nk_json_span(doc, result);
    int rc = filter(q, text, out);
    free(all);
    if (!rc && q->form < 0) { /* it may have line breaks */
        struct nk_str whole = nk_arena_copy(a, nk_buf_str(out));
        nk_buf_clear(out);
        nk_json_put_string(out, whole);
    }
    return rc;
}

static int pipe_lines(void)
{
    char *line = NULL;
    size_t room = 0;
    for (ssize_t n; (n = getline(&line, &room, stdin)) > 0;) {
        struct asking q;
        struct nk_json doc;
        struct nk_buf out;
        begin(&q);
        nk_buf_init(&out, 64 << 20);
        int rc = nk_json_parse(&limits, (struct nk_str){line, (size_t)n}, &q.arena, &doc, &q.fault);
        rc = rc ? rc : read_line(&q, &doc, &out);
        if (rc)
            printf("!%s\n", q.fault.message);
        else
            printf("%.*s\n", NK_FMT(nk_buf_str(&out)));
        nk_buf_free(&out);
        nk_arena_free(&q.arena);
    }
    free(line);
    return ferror(stdin) || fflush(stdout) ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--pipe") == 0)
        return pipe_lines();
    TAP_CHECK(cases_read("tests/cases/field/paths.cases", run_path, NULL) > 10);
    TAP_CHECK(cases_read("tests/cases/field/filter.cases", run_filter, NULL) > 10);
    TAP_CHECK(cases_read("tests/cases/field/forms.cases", run_filter, NULL) > 10);
    TAP_CHECK(cases_read("tests/cases/field/shape.cases", run_filter, NULL) > 10);
    TAP_CHECK(cases_read("tests/cases/field/declared.cases", run_declared, NULL) > 10);
    test_limits();
    test_nesting();
    test_memory();
    test_room();
    return tap_done();
}
