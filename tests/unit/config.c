/* SPDX-License-Identifier: Apache-2.0
 *
 * config.c - runs tests/cases/config/ *.cases (their README says how they read), checks that
 * reading the canonical form back changes nothing, that every allocation may fail, and that the
 * generated pages are those of the repository.
 */
#include "tap.h"

#include "edge/file.h"
#include "edge/yaml.h"
#include "json/json.h"

static const char base[] = "listen:\n"
                           "  - address: 127.0.0.1:8080\n"
                           "upstreams:\n"
                           "  - name: openai\n"
                           "    dialect: openai\n"
                           "    url: https://api.openai.com\n"
                           "models:\n"
                           "  - {name: gpt-4o, upstream: openai}\n";

struct one { /* the case being read */
    char name[200];
    int line;
    struct nk_buf yaml, checks;
};

static struct nk_arena arena;

/* Entry at "identity.issuers[0].jwks" of the canonical form. */
static uint32_t find(const struct nk_json *doc, struct nk_str path)
{
    uint32_t at = 0;
    while (path.n && at != NK_JSON_NONE) {
        size_t end = 0;
        if (path.p[0] == '[') {
            int64_t i = strtol(path.p + 1, NULL, 10);
            at = nk_json_first(doc, at);
            for (uint32_t list = at - 1; i > 0 && at != NK_JSON_NONE; i--)
                at = nk_json_next(doc, list, at);
            path = nk_str_sub(path, (size_t)nk_str_find(path, ']') + 1, path.n);
            continue;
        }
        if (path.p[0] == '.')
            path = nk_str_sub(path, 1, path.n);
        while (end < path.n && path.p[end] != '.' && path.p[end] != '[')
            end++;
        at = nk_json_get(doc, at, nk_str_sub(path, 0, end));
        path = nk_str_sub(path, end, path.n);
    }
    return at;
}

static void check_line(const struct one *c, const struct nk_json *doc, struct nk_str line)
{
    struct nk_str rest = line, word = nk_str_cut(&rest, ' ');
    struct nk_str path = nk_str_cut(&rest, ' ');
    uint32_t at = find(doc, path);
    struct nk_str have = at == NK_JSON_NONE ? NK_STR("nothing") : nk_json_span(doc, at);
    bool good = nk_str_eq(word, NK_STR("absent"))
                    ? at == NK_JSON_NONE
                    : nk_str_eq(word, NK_STR("expect")) && nk_str_eq(have, rest);
    tap_ok(good, "%s: %.*s", c->name, NK_FMT(line));
    if (!good)
        printf("# line %d: found %.*s\n", c->line, NK_FMT(have));
}

static void check_values(const struct one *c, const struct nk_config *config)
{
    static const struct nk_json_limits lim = {1 << 20, 32, 10000};
    struct nk_config again;
    struct nk_json doc;
    struct nk_buf first, second;
    nk_buf_init(&first, 1 << 20);
    nk_buf_init(&second, 1 << 20);
    nk_config_write(config, &first);
    int rc = nk_json_parse(&lim, nk_buf_str(&first), &arena, &doc, NULL);
    struct nk_str lines = nk_buf_str(&c->checks);
    while (!rc && lines.n)
        check_line(c, &doc, nk_str_cut(&lines, '\n'));
    struct nk_fault f = {0};
    rc = rc ? rc : nk_config_parse(nk_buf_str(&first), &arena, &again, &f);
    if (!rc)
        nk_config_write(&again, &second);
    tap_ok(!rc && nk_str_eq(nk_buf_str(&first), nk_buf_str(&second)),
           "%s: the canonical form read back is the same %s", c->name, f.message);
    nk_buf_free(&first);
    nk_buf_free(&second);
}

static void run_case(struct one *c)
{
    struct nk_config config;
    struct nk_fault f = {0};
    if (!c->name[0])
        return;
    nk_arena_reset(&arena);
    int rc = nk_config_load_text(nk_buf_str(&c->yaml), "FILE", NK_STR("/etc/nakoso"), &arena,
                                 &config, &f);
    struct nk_str checks = nk_buf_str(&c->checks);
    if (nk_str_starts(checks, NK_STR("error "))) {
        struct nk_str want = nk_str_sub(checks, 6, checks.n - 1);
        struct nk_str have = nk_str(f.message);
        bool exact =
            nk_str_starts(have, NK_STR("FILE:")) && (nk_str_eq(nk_str_sub(have, 5, have.n), want) ||
                                                     nk_str_eq(nk_str_sub(have, 6, have.n), want));
        tap_ok(rc < 0 && f.code == rc && exact, "%s", c->name);
        if (rc == 0 || !exact)
            printf("# line %d: found %s\n", c->line, f.message);
    } else if (tap_ok(rc == 0 && checks.n, "%s: is accepted", c->name)) {
        check_values(c, &config);
    } else {
        printf("# line %d: %s\n", c->line, f.message);
    }
    nk_buf_clear(&c->yaml);
    nk_buf_clear(&c->checks);
    c->name[0] = '\0';
}

static void run_file(const char *path)
{
    struct one c = {.line = 0};
    char line[1024];
    int number = 0;
    FILE *in = fopen(path, "r");
    if (!tap_ok(in != NULL, "%s is there", path))
        return;
    nk_buf_init(&c.yaml, 1 << 16);
    nk_buf_init(&c.checks, 1 << 16);
    while (fgets(line, sizeof line, in)) {
        struct nk_str s = nk_str(line);
        number++;
        if (nk_str_starts(s, NK_STR("case  "))) {
            run_case(&c);
            snprintf(c.name, sizeof c.name, "%.*s", (int)s.n - 7, s.p + 6);
            c.line = number;
        } else if (nk_str_eq(s, NK_STR("base\n"))) {
            nk_buf_add(&c.yaml, nk_str(base));
        } else if (nk_str_starts(s, NK_STR("    "))) {
            nk_buf_add(&c.yaml, nk_str_sub(s, 4, s.n));
        } else if (s.n > 1 && s.p[0] != '#') {
            nk_buf_add(&c.checks, s);
        }
    }
    run_case(&c);
    nk_buf_free(&c.yaml);
    nk_buf_free(&c.checks);
    fclose(in);
}

/* A ceiling that grows step by step makes each allocation the one that fails. */
static void check_memory(void)
{
    size_t refused = 0, accepted = 0, other = 0;
    for (size_t ceiling = 1; ceiling < 200000; ceiling += 997) {
        struct nk_arena small;
        struct nk_config config;
        struct nk_fault f = {0};
        nk_arena_init(&small, ceiling);
        int rc = nk_config_load_text(nk_str(base), "FILE", NK_STR("/etc"), &small, &config, &f);
        refused += rc == NK_ENOMEM;
        accepted += rc == 0;
        other += rc != 0 && rc != NK_ENOMEM;
        nk_arena_free(&small);
    }
    tap_ok(refused > 3 && accepted > 3 && other == 0,
           "too little memory is reported as such (%zu times; %zu enough, %zu otherwise)", refused,
           accepted, other);
}

static void check_limits(void)
{
    static const struct nk_yaml_limits lim = {.max_bytes = 100, .max_depth = 3, .max_nodes = 5};
    struct nk_yaml y;
    struct nk_yaml_mark at;
    char big[102];
    memset(big, 'a', sizeof big);
    TAP_CHECK(nk_yaml_read(&lim, (struct nk_str){big, 101}, &arena, &y, &at, NULL) == NK_ELIMIT);
    TAP_CHECK(nk_yaml_read(&lim, (struct nk_str){big, 100}, &arena, &y, &at, NULL) == 0);
    TAP_CHECK(nk_yaml_read(&lim, NK_STR("[[[a]]]"), &arena, &y, &at, NULL) == 0);
    TAP_CHECK(nk_yaml_read(&lim, NK_STR("[[[[a]]]]"), &arena, &y, &at, NULL) == NK_ELIMIT);
    TAP_CHECK(nk_yaml_read(&lim, NK_STR("[a, b, c, d]"), &arena, &y, &at, NULL) == 0);
    TAP_CHECK(nk_yaml_read(&lim, NK_STR("[a, b, c, d, e]"), &arena, &y, &at, NULL) == NK_ELIMIT);
    TAP_CHECK(at.line == 1 && at.column == 14);
    TAP_CHECK(nk_yaml_read(&lim, NK_STR("a: \xff"), &arena, &y, &at, NULL) == NK_EINVAL);
    TAP_CHECK(nk_yaml_read(&lim, NK_STR("\xff\xfe\x61\0"), &arena, &y, &at, NULL) < 0);
}

static void check_page(const char *path, void (*write)(struct nk_buf *))
{
    struct nk_buf now;
    struct nk_str kept = {NULL, 0};
    struct nk_fault f = {0};
    nk_arena_reset(&arena);
    nk_buf_init(&now, 1 << 20);
    write(&now);
    int rc = nk_file_read(path, 1 << 20, NK_FILE_PUBLIC, &arena, &kept, &f);
    tap_ok(!rc && !now.error && nk_str_eq(kept, nk_buf_str(&now)),
           "%s is up to date (else: nakoso config reference|schema) %s", path, f.message);
    nk_buf_free(&now);
}

static void check_schema(void)
{
    static const struct nk_json_limits lim = {1 << 20, 32, 10000};
    struct nk_buf schema;
    struct nk_json doc;
    struct nk_fault f = {0};
    nk_arena_reset(&arena);
    nk_buf_init(&schema, 1 << 20);
    nk_config_schema(&schema);
    int rc = nk_json_parse(&lim, nk_buf_str(&schema), &arena, &doc, &f);
    tap_ok(rc == 0, "the schema is JSON %s", f.message);
    uint32_t at = find(&doc, NK_STR("properties.limits.properties.head_bytes.default"));
    tap_ok(!rc && nk_json_is(&doc, at, NK_STR("32KiB")), "the schema knows defaults");
    nk_buf_free(&schema);
}

int main(void)
{
    nk_arena_init(&arena, (size_t)16 << 20);
    run_file("tests/cases/config/accepted.cases");
    run_file("tests/cases/config/refused.cases");
    check_memory();
    check_limits();
    check_schema();
    check_page("docs/reference/configuration.md", nk_config_reference);
    check_page("docs/reference/nakoso.schema.json", nk_config_schema);
    nk_arena_free(&arena);
    return tap_done();
}
