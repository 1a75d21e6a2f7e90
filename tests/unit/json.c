/* SPDX-License-Identifier: Apache-2.0
 *
 * json.c - the JSON parser against tests/cases/json/ (grammar.cases says how a case is written),
 * and then what no case file can say: the tape, limits, lookups, edits, writing, memory.
 */
#include "json/json.h"

#include "base/utf8.h"

#include "cases.h"
#include "tap.h"

static const struct nk_json_limits limits = {1 << 20, 32, 1 << 17};

struct session {
    struct nk_arena arena;
    struct nk_json doc;
    struct nk_fault fault;
};

static int parse_with(struct session *s, const struct nk_json_limits *lim, struct nk_str text)
{
    nk_arena_init(&s->arena, 64 << 20);
    s->fault = (struct nk_fault){0};
    return nk_json_parse(lim, text, &s->arena, &s->doc, &s->fault);
}

static int parse(struct session *s, const char *text)
{
    return parse_with(s, &limits, nk_str(text));
}

/* The input in memory of exactly its size, so that AddressSanitizer sees a read behind it. */
static struct nk_str exact(const struct case_line *c)
{
    char *p = malloc(c->n ? c->n : 1);
    memcpy(p, c->input, c->n);
    return (struct nk_str){p, c->n};
}

static void run_case(const struct case_line *c, void *ctx)
{
    struct session s;
    struct nk_str text = exact(c);
    const char *name = strrchr((const char *)ctx, '/') + 1;
    int rc = parse_with(&s, &limits, text);
    if (strcmp(c->expect, "accept") == 0) {
        tap_ok(rc == 0, "%s:%d accepted (%s)", name, c->line, s.fault.message);
    } else if (strncmp(c->expect, "means ", 6) == 0) {
        char content[256];
        struct nk_str want = {content, case_decode(c->expect + 6, content, sizeof content)};
        bool same = rc == 0 && nk_json_is(&s.doc, 0, want) &&
                    nk_str_eq(nk_json_string(&s.doc, 0, &s.arena), want);
        tap_ok(same, "%s:%d means %s (%s)", name, c->line, c->expect + 6, s.fault.message);
    } else {
        char have[300] = "accept";
        if (rc)
            snprintf(have, sizeof have, "refuse %zu %s", s.fault.offset, s.fault.message);
        bool same = strcmp(have, c->expect) == 0 && (!rc || rc == s.fault.code);
        tap_ok(same, "%s:%d %s (came: %s)", name, c->line, c->expect, have);
    }
    nk_arena_free(&s.arena);
    free((void *)text.p);
}

static void test_cases(const char *file)
{
    TAP_CHECK(cases_read(file, run_case, (void *)file) > 10);
}

static void test_tape(void)
{
    struct session s;
    const char *text = " {\"a\": [1, -2.5, {\"b\": null}], \"c\" :\"x\", \"e\":{}, \"f\":[]} ";
    TAP_CHECK(parse(&s, text) == 0);
    const struct nk_json *d = &s.doc;
    TAP_CHECK(d->n == 14);
    TAP_CHECK(nk_json_type(d, 0) == NK_JSON_OBJECT && d->tape[0].count == 4);
    TAP_CHECK(d->tape[0].start == 1 && d->tape[0].end == strlen(text) - 1 && d->tape[0].next == 14);
    uint32_t a = nk_json_get(d, 0, NK_STR("a"));
    TAP_CHECK(a == 2 && nk_json_type(d, a) == NK_JSON_ARRAY && d->tape[a].count == 3);
    TAP_CHECK(nk_str_eq(nk_json_span(d, a), NK_STR("[1, -2.5, {\"b\": null}]")));
    uint32_t one = nk_json_first(d, a), two = nk_json_next(d, a, one), b = nk_json_next(d, a, two);
    TAP_CHECK(nk_json_type(d, one) == NK_JSON_INT && nk_json_type(d, two) == NK_JSON_NUMBER);
    TAP_CHECK(nk_json_type(d, b) == NK_JSON_OBJECT && nk_json_next(d, a, b) == NK_JSON_NONE);
    TAP_CHECK(nk_json_type(d, nk_json_get(d, b, NK_STR("b"))) == NK_JSON_NULL);
    TAP_CHECK(nk_json_get(d, nk_json_get(d, 0, NK_STR("zz")), NK_STR("b")) == NK_JSON_NONE);
    TAP_CHECK(nk_json_get(d, a, NK_STR("b")) == NK_JSON_NONE);
    TAP_CHECK(nk_json_get(d, 0, NK_STR("b")) == NK_JSON_NONE);
    TAP_CHECK(nk_json_first(d, nk_json_get(d, 0, NK_STR("e"))) == NK_JSON_NONE);
    TAP_CHECK(nk_json_first(d, nk_json_get(d, 0, NK_STR("f"))) == NK_JSON_NONE);
    TAP_CHECK(nk_json_first(d, one) == NK_JSON_NONE && nk_json_first(d, 99) == NK_JSON_NONE);
    char names[8] = "";
    for (uint32_t i = nk_json_first(d, 0); i != NK_JSON_NONE; i = nk_json_next(d, 0, i))
        strncat(names, nk_json_string(d, i, &s.arena).p, 1);
    TAP_CHECK(strcmp(names, "acef") == 0);
    TAP_CHECK(nk_json_next(d, 0, 0) == NK_JSON_NONE && nk_json_next(d, 0, 50) == NK_JSON_NONE);
    TAP_CHECK(!nk_json_string(d, a, &s.arena).p && !nk_json_string(d, NK_JSON_NONE, &s.arena).p);
    TAP_CHECK(!nk_json_is(d, NK_JSON_NONE, NK_STR("")) && !nk_json_is(d, one, NK_STR("1")));
    TAP_CHECK(!nk_json_span(d, NK_JSON_NONE).p);
    nk_arena_free(&s.arena);
}

static void test_strings(void)
{
    struct session s;
    TAP_CHECK(parse(&s, "[\"a\\u0000b\",\"\\u3042x\",\"\"]") == 0);
    const struct nk_json *d = &s.doc;
    TAP_CHECK(nk_json_is(d, 1, NK_STR("a\0b")) && !nk_json_is(d, 1, NK_STR("a")));
    TAP_CHECK(nk_str_eq(nk_json_string(d, 1, &s.arena), NK_STR("a\0b")));
    TAP_CHECK(nk_json_is(d, 2, NK_STR("あx")) && !nk_json_is(d, 2, NK_STR("あ")));
    TAP_CHECK(!nk_json_is(d, 2, NK_STR("あxy")) && !nk_json_is(d, 2, NK_STR("")));
    TAP_CHECK(nk_json_is(d, 3, NK_STR("")) && nk_json_string(d, 3, &s.arena).p);
    struct nk_arena none;
    nk_arena_init(&none, 1);
    TAP_CHECK(!nk_json_string(d, 1, &none).p && nk_json_string(d, 3, &none).p);
    nk_arena_free(&s.arena);
}

static void test_i64(void)
{
    static const struct {
        const char *text;
        int rc;
        int64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"42", 0, 42},
        {"-42", 0, -42},
        {"9007199254740993", 0, 9007199254740993},
        {"9223372036854775807", 0, INT64_MAX},
        {"-9223372036854775808", 0, INT64_MIN},
        {"9223372036854775808", NK_EINVAL, 0},
        {"-9223372036854775809", NK_EINVAL, 0},
        {"18446744073709551616", NK_EINVAL, 0},
        {"1.0", NK_EINVAL, 0},
        {"1e2", NK_EINVAL, 0},
        {"\"1\"", NK_EINVAL, 0},
        {"true", NK_EINVAL, 0},
    };
    for (size_t i = 0; i < NK_COUNT(rows); i++) {
        struct session s;
        int64_t v = 0;
        bool read = parse(&s, rows[i].text) == 0;
        tap_ok(read && nk_json_i64(&s.doc, 0, &v) == rows[i].rc && v == rows[i].value, "int64 %s",
               rows[i].text);
        nk_arena_free(&s.arena);
    }
}

static void test_limits(void)
{
    struct session s;
    struct nk_json_limits lim = {5, 1, 3};
    TAP_CHECK(parse_with(&s, &lim, NK_STR("[1,2]")) == 0);
    nk_arena_free(&s.arena);
    TAP_CHECK(parse_with(&s, &lim, NK_STR("[1,2] ")) == NK_ELIMIT && s.fault.offset == 5);
    TAP_CHECK(strcmp(s.fault.message, "more than 5 bytes") == 0 && s.doc.n == 0);
    nk_arena_free(&s.arena);
    lim.max_bytes = 100;
    TAP_CHECK(parse_with(&s, &lim, NK_STR("[1,2,3]")) == NK_ELIMIT && s.fault.offset == 6);
    TAP_CHECK(strcmp(s.fault.message, "more than 3 values") == 0);
    nk_arena_free(&s.arena);
    TAP_CHECK(parse_with(&s, &lim, NK_STR("{\"a\":1}")) == 0);
    nk_arena_free(&s.arena);
    TAP_CHECK(parse_with(&s, &lim, NK_STR("{\"a\":1,\"b\":1}")) == NK_ELIMIT);
    nk_arena_free(&s.arena);
    TAP_CHECK(parse_with(&s, &lim, NK_STR("[[]]")) == NK_ELIMIT && s.fault.offset == 1);
    nk_arena_free(&s.arena);
    struct nk_json_limits deep = {2000, 512, 2000};
    char text[1026];
    memset(text, '[', 513);
    memset(text + 513, ']', 513);
    TAP_CHECK(parse_with(&s, &deep, (struct nk_str){text + 1, 1024}) == 0);
    nk_arena_free(&s.arena);
    TAP_CHECK(parse_with(&s, &deep, (struct nk_str){text, 1026}) == NK_ELIMIT);
    nk_arena_free(&s.arena);
}

/* Depth beyond what the stack has room for; names that take the scratch memory stand in between. */
static void test_depth(void)
{
    enum { LEVELS = 200000 };
    static const struct nk_json_limits lim = {64 << 20, LEVELS, 1 << 24};
    static const char names[] = "{\"\\u0061\":1,\"b\":2,\"c\":[";
    for (int more = 0; more < 2; more++) {
        struct session s;
        struct nk_buf b;
        nk_buf_init(&b, 64 << 20);
        for (int i = 0; i < LEVELS / 2 + more; i++)
            nk_buf_add(&b, nk_str(names));
        for (int i = 0; i < LEVELS / 2 + more; i++)
            nk_buf_add(&b, NK_STR("]}"));
        int rc = parse_with(&s, &lim, nk_buf_str(&b));
        tap_ok(rc == (more ? NK_ELIMIT : 0), "%d levels: %s", LEVELS + more, s.fault.message);
        TAP_CHECK(more || s.doc.tape[0].end == b.n);
        nk_arena_free(&s.arena);
        nk_buf_free(&b);
    }
}

/* An object of `n` members m0, m1 … and, at the end, member `last`. */
static struct nk_str big_object(struct nk_buf *b, size_t n, const char *last)
{
    nk_buf_init(b, 64 << 20);
    nk_buf_add_char(b, '{');
    for (size_t i = 0; i < n; i++)
        nk_buf_printf(b, "\"m%zu\":[%zu],", i, i);
    nk_buf_printf(b, "\"%s\":0}", last);
    return nk_buf_str(b);
}

static void test_duplicates(void)
{
    static const struct nk_json_limits lim = {32 << 20, 4, 1 << 22};
    static const size_t sizes[] = {1, 15, 31, 32, 33, 100, 1000, 200000};
    for (size_t i = 0; i < NK_COUNT(sizes); i++) {
        struct session s;
        struct nk_buf b;
        tap_ok(parse_with(&s, &lim, big_object(&b, sizes[i], "last")) == 0, "%zu names", sizes[i]);
        nk_arena_free(&s.arena);
        nk_buf_free(&b);
        struct nk_str text = big_object(&b, sizes[i], "m0");
        int rc = parse_with(&s, &lim, text);
        tap_ok(rc == NK_EINVAL && s.fault.offset == text.n - 7, "%zu names, the first twice",
               sizes[i]);
        nk_arena_free(&s.arena);
        nk_buf_free(&b);
        text = big_object(&b, sizes[i], "\\u006d0");
        rc = parse_with(&s, &lim, text);
        tap_ok(rc == NK_EINVAL && s.fault.offset == text.n - 12, "%zu names, the first in disguise",
               sizes[i]);
        nk_arena_free(&s.arena);
        nk_buf_free(&b);
    }
}

/* Whatever the arena's ceiling, the parser ends in order, and a refusal gives the tape back. */
static void test_memory(void)
{
    struct nk_buf b;
    struct nk_str text = big_object(&b, 300, "x\\u0041");
    static const struct nk_json_limits lim = {1 << 20, 4, 1 << 20};
    bool refused = false, accepted = false, orderly = true;
    for (size_t ceiling = 1; ceiling < 100000; ceiling += 500) {
        struct nk_arena a;
        struct nk_json doc;
        struct nk_fault f = {0};
        nk_arena_init(&a, ceiling);
        int rc = nk_json_parse(&lim, text, &a, &doc, &f);
        orderly = orderly && (rc == 0 || (rc == NK_ENOMEM && f.code == NK_ENOMEM));
        orderly = orderly && a.used <= ceiling;
        refused = refused || rc;
        accepted = accepted || rc == 0;
        nk_arena_free(&a);
    }
    TAP_CHECK(orderly && refused && accepted);
    nk_buf_free(&b);
}

static void splice(const char *text, const struct nk_json_edit *e, size_t n, const char *want)
{
    struct nk_buf out;
    nk_buf_init(&out, 1000);
    int rc = nk_json_splice(nk_str(text), e, n, &out);
    bool pass = want ? rc == 0 && nk_str_eq(nk_buf_str(&out), nk_str(want)) : rc == NK_EINVAL;
    tap_ok(pass, "splice %s to %s", text, want ? want : "a refusal");
    nk_buf_free(&out);
}

static void test_splice(void)
{
    const struct nk_json_edit two[] = {{1, 2, NK_STR("xyz")}, {3, 3, NK_STR("+")}};
    splice("0123", two, 0, "0123");
    splice("0123", two, 1, "0xyz23");
    splice("0123", two, 2, "0xyz2+3");
    splice("01", two, 2, NULL);
    const struct nk_json_edit all[] = {{0, 4, {NULL, 0}}, {4, 4, NK_STR("a")}, {4, 4, NK_STR("b")}};
    splice("0123", all, 3, "ab");
    const struct nk_json_edit overlap[] = {{0, 2, NK_STR("x")}, {1, 3, NK_STR("y")}};
    splice("0123", overlap, 2, NULL);
    const struct nk_json_edit unsorted[] = {{2, 3, NK_STR("x")}, {0, 1, NK_STR("y")}};
    splice("0123", unsorted, 2, NULL);
    const struct nk_json_edit backwards[] = {{3, 2, NK_STR("x")}};
    splice("0123", backwards, 1, NULL);
    struct nk_buf small;
    nk_buf_init(&small, 3);
    TAP_CHECK(nk_json_splice(NK_STR("0123"), NULL, 0, &small) == NK_ELIMIT);
    nk_buf_free(&small);
}

static void test_write(void)
{
    struct nk_buf out;
    nk_buf_init(&out, 100000);
    nk_buf_add_char(&out, '{');
    nk_json_put_member(&out, NK_STR("a"), NK_STR("q\"b\\c/あ\x7f"));
    nk_json_put_member(&out, NK_STR("n\n"), NK_STR("\b\t\n\x0b\f\r\x01\x1f"));
    nk_json_put_name(&out, NK_STR(""));
    nk_buf_add_char(&out, '[');
    nk_json_put_string(&out, (struct nk_str){NULL, 0});
    nk_buf_add(&out, NK_STR("]}"));
    TAP_CHECK(nk_str_eq(nk_buf_str(&out),
                        NK_STR("{\"a\":\"q\\\"b\\\\c/あ\x7f\",\"n\\n\":"
                               "\"\\b\\t\\n\\u000b\\f\\r\\u0001\\u001f\",\"\":[\"\"]}")));
    nk_buf_clear(&out);
    nk_json_put_name(&out, NK_STR("a"));
    TAP_CHECK(nk_str_eq(nk_buf_str(&out), NK_STR("\"a\":")));
    bool same = true;
    for (uint32_t c = 0; c < 0x10FFFF; c = c < 0x3000 ? c + 1 : c + 997) {
        if (c >= 0xD800 && c < 0xE000)
            continue;
        char in[20];
        struct session s;
        memset(in, 'x', sizeof in);
        size_t n = nk_utf8_put(in + 14, c) + 14;
        nk_buf_clear(&out);
        nk_json_put_string(&out, (struct nk_str){in, n});
        same = same && parse_with(&s, &limits, nk_buf_str(&out)) == 0 &&
               nk_json_is(&s.doc, 0, (struct nk_str){in, n});
        nk_arena_free(&s.arena);
    }
    tap_ok(same, "each character written is read again");
    nk_buf_free(&out);
}

int main(void)
{
    test_cases("tests/cases/json/grammar.cases");
    test_cases("tests/cases/json/strings.cases");
    test_cases("tests/cases/json/names.cases");
    test_tape();
    test_strings();
    test_i64();
    test_limits();
    test_depth();
    test_duplicates();
    test_memory();
    test_splice();
    test_write();
    return tap_done();
}
