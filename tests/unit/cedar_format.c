/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_format.c - the layout of policy text: tests/cases/cedar/format holds pairs of files, what was
 * written (.cedar) and what comes of it (.want), for 80 characters and 2 spaces a level.
 */
#include "cedar_forms.h"
#include "tap.h"

#include <dirent.h>
#include <stdio.h>

enum { BIG = 256 << 20 };

static const char where[] = "tests/cases/cedar/format";

static struct nk_str read_file(struct nk_arena *a, struct nk_str name)
{
    FILE *file = fopen(nk_arena_printf(a, "%s/%.*s", where, NK_FMT(name)).p, "rb");
    char *text = nk_arena_alloc(a, 1 << 16);
    size_t n = file && text ? fread(text, 1, 1 << 16, file) : 0;
    if (file)
        fclose(file);
    return (struct nk_str){file ? text : NULL, n};
}

static void pair(struct nk_str name)
{
    struct nk_arena a;
    struct nk_buf out;
    struct nk_fault f = {0};
    nk_arena_init(&a, BIG);
    nk_buf_init(&out, FORMS_MOST);
    struct nk_str text = read_file(&a, name);
    struct nk_str want = read_file(&a, nk_arena_printf(&a, "%.*s.want", (int)name.n - 6, name.p));
    int rc = nk_cedar_format(text, NK_CEDAR_WIDTH, NK_CEDAR_INDENT, &a, &out, &f);
    bool same = rc == 0 && want.p && nk_str_eq(nk_buf_str(&out), want);
    tap_ok(same, "%.*s %s", NK_FMT(name), f.message);
    if (!same) {
        struct nk_str rest = nk_buf_str(&out);
        while (rest.p && rest.n) {
            struct nk_str line = nk_str_cut(&rest, '\n');
            printf("# %.*s\n", NK_FMT(line));
        }
    }
    TAP_CHECK(forms_layout(text, NK_CEDAR_WIDTH, &a, &out, &f) == NULL);
    TAP_CHECK(nk_str_eq(nk_buf_str(&out), want));
    for (unsigned width = 20; width < 120; width += 7)
        TAP_CHECK(forms_layout(text, width, &a, &out, &f) == NULL);
    nk_buf_free(&out);
    nk_arena_free(&a);
}

static void refusals(void)
{
    static const struct {
        const char *text;
        unsigned width, indent;
        int code;
        const char *says;
    } cases[] = {
        {"permit(principal,action,resource);", 19, 2, NK_EINVAL, "20 to 1000 characters"},
        {"permit(principal,action,resource);", 1001, 2, NK_EINVAL, "20 to 1000 characters"},
        {"permit(principal,action,resource);", 80, 17, NK_EINVAL, "0 to 16 spaces"},
        {"permit(principal,action,resource); permit", 80, 2, NK_EINVAL, "column 42"},
        {"permit(principal,action,resource);\xff", 80, 2, NK_EINVAL, "not UTF-8"},
        {"permit(principal,action,resource);", 20, 0, 0, ""},
        {"permit(principal,action,resource);", 1000, 16, 0, ""},
    };
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_arena a;
        struct nk_buf out;
        struct nk_fault f = {0};
        nk_arena_init(&a, BIG);
        nk_buf_init(&out, FORMS_MOST);
        nk_buf_add(&out, NK_STR("before "));
        int rc =
            nk_cedar_format(nk_str(cases[i].text), cases[i].width, cases[i].indent, &a, &out, &f);
        tap_ok(rc == cases[i].code && strstr(f.message, cases[i].says) && (out.n == 7) == (rc != 0),
               "text %zu, %u, %u: %s", i, cases[i].width, cases[i].indent, f.message);
        nk_buf_free(&out);
        nk_arena_free(&a);
    }
}

/* A policy of many constructs, nested as deep as it may be, and a chain as long as one likes. */
static void large(void)
{
    static const struct {
        const char *head, *part, *tail;
        size_t times;
        int code;
    } cases[] = {
        {"true", " && context.a // x\n", "", 50000, 0},
        {"[1", ", 1", "] == []", 100000, 0},
        {"", "!(", "true", 240, 0},
        {"", "{a: [", "1", 100, 0},
        {"", "if true then ", "true", 200, 0},
        {"", "(", "true", 1000000, NK_ELIMIT},
        {"context", ".a", "", 200, 0},
    };
    static const char *const ends[] = {"", "", ")", "]}", " else false", ")", ""};
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_arena a;
        struct nk_buf text, out;
        struct nk_fault f = {0};
        nk_arena_init(&a, 1 << 30);
        nk_buf_init(&text, FORMS_MOST);
        nk_buf_init(&out, FORMS_MOST);
        nk_buf_printf(&text, "permit(principal,action,resource) when { %s", cases[i].head);
        for (size_t k = 0; k < cases[i].times; k++)
            nk_buf_add(&text, nk_str(cases[i].part));
        nk_buf_add(&text, nk_str(cases[i].tail));
        for (size_t k = 0; k < cases[i].times; k++)
            nk_buf_add(&text, nk_str(ends[i]));
        nk_buf_add(&text, NK_STR(" };"));
        const char *wrong = forms_layout(nk_buf_str(&text), NK_CEDAR_WIDTH, &a, &out, &f);
        tap_ok(f.code == cases[i].code && (f.code || !wrong), "%zu times %.12s: %s", cases[i].times,
               cases[i].part, wrong ? wrong : "laid out");
        nk_buf_free(&text);
        nk_buf_free(&out);
        nk_arena_free(&a);
    }
}

/* Parentheses in a scope are no nesting of expressions, but they end somewhere too. */
static void scope_depth(void)
{
    for (size_t times = 250; times < 2000000; times += 1000000 - 249) {
        struct nk_arena a;
        struct nk_buf text, out;
        struct nk_fault f = {0};
        nk_arena_init(&a, 1 << 30);
        nk_buf_init(&text, FORMS_MOST);
        nk_buf_init(&out, FORMS_MOST);
        nk_buf_add(&text, NK_STR("permit(principal == "));
        for (size_t k = 0; k < times; k++)
            nk_buf_add_char(&text, '(');
        nk_buf_add(&text, NK_STR("?principal"));
        for (size_t k = 0; k < times; k++)
            nk_buf_add_char(&text, ')');
        nk_buf_add(&text, NK_STR(",action,resource);"));
        const char *wrong = forms_layout(nk_buf_str(&text), NK_CEDAR_WIDTH, &a, &out, &f);
        tap_ok(f.code == (times > 250 ? NK_ELIMIT : 0) && (f.code || !wrong),
               "%zu parentheses in a scope: %s", times, wrong ? f.message : "laid out");
        nk_buf_free(&text);
        nk_buf_free(&out);
        nk_arena_free(&a);
    }
}

static void memory(void)
{
    struct nk_arena whole;
    struct nk_buf out;
    int wrong = 0, refused = 0, made = 0;
    nk_arena_init(&whole, BIG);
    struct nk_str text = read_file(&whole, NK_STR("comments.cedar"));
    for (size_t ceiling = 1; ceiling < 65536; ceiling += 500) {
        struct nk_arena a;
        struct nk_fault f = {0};
        nk_arena_init(&a, ceiling);
        nk_buf_init(&out, FORMS_MOST);
        int rc = nk_cedar_format(text, NK_CEDAR_WIDTH, NK_CEDAR_INDENT, &a, &out, &f);
        wrong += rc ? rc != NK_ENOMEM || f.code != rc || out.n != 0 : out.n == 0;
        refused += rc != 0;
        made += rc == 0;
        nk_buf_free(&out);
        nk_arena_free(&a);
    }
    tap_ok(wrong == 0 && refused > 0 && made > 0, "under %d small ceilings", refused);
    struct nk_fault f = {0};
    nk_buf_init(&out, 100);
    TAP_CHECK(nk_cedar_format(text, NK_CEDAR_WIDTH, NK_CEDAR_INDENT, &whole, &out, &f) ==
                  NK_ELIMIT &&
              f.code == NK_ELIMIT);
    nk_buf_free(&out);
    nk_arena_free(&whole);
}

int main(void)
{
    struct dirent *item;
    int pairs = 0;
    DIR *list = opendir(where);
    while (list && (item = readdir(list)))
        if (nk_str_ends(nk_str(item->d_name), NK_STR(".cedar"))) {
            pair(nk_str(item->d_name));
            pairs++;
        }
    if (list)
        closedir(list);
    TAP_CHECK(pairs >= 5);
    refusals();
    large();
    scope_depth();
    memory();
    return tap_done();
}
