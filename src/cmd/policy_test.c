/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_test.c - `nakoso policy test`: tests in the form of Cedar's own integration tests, a JSON
 * file each, and sets of policies with requests, one a line of a JSONL file. docs/policies.md shows
 * both.
 */
#include "cmd/policy.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "cedar/convert.h"
#include "cmd/audit_args.h"
#include "cmd/lines.h"
#include "cmd/options.h"
#include "cmd/policy_case.h"

enum { OUT_MAX = 64 << 20, ARENA_BLOCK = 1 << 16 };

struct run {
    struct nk_case_tally tally;
    struct nk_arena arena; /* of the test at hand */
    const char *schema_path;
    struct nk_arena schema_arena; /* of --schema */
    const struct nk_cedar_schema *schema;
};

/* Integration tests -------------------------------------------------------------------------------
 */
static struct nk_str join_path(struct nk_str dir, struct nk_str name, struct nk_arena *a)
{
    struct nk_str path = nk_arena_join(a, (struct nk_str[]){dir, NK_STR("/"), name}, 3);
    return path.p && access(path.p, R_OK) == 0 ? path : (struct nk_str){NULL, 0};
}

static size_t last_slash(struct nk_str s)
{
    size_t n = s.n;
    while (n > 0 && s.p[n - 1] != '/')
        n--;
    return n;
}

/* Paths in a test are relative to a directory above it: the first one, going up, that has the file of
 * that name. The file of a test that was moved alone lies beside it. Absent when there is none. */
static struct nk_str find_file(const char *test, struct nk_str name, struct nk_arena *a)
{
    char whole[PATH_MAX];
    struct nk_str found = {NULL, 0};
    if (!realpath(test, whole))
        return found;
    struct nk_str file = nk_str(whole), dir = file;
    size_t n;
    while (!found.p && (n = last_slash(dir)) > 0) {
        dir = nk_str_sub(dir, 0, n - 1);
        found = join_path(dir, name, a);
    }
    if (!found.p)
        found = join_path(nk_str_sub(file, 0, last_slash(file) - 1),
                          nk_str_sub(name, last_slash(name), name.n), a);
    return found;
}

/* The text of the file that member `name` of the test names. */
static int read_named(struct nk_case *c, const struct nk_json *doc, struct nk_str name,
                      struct nk_str *out, struct nk_fault *f)
{
    struct nk_str file = nk_json_string(doc, nk_json_get(doc, 0, name), c->arena);
    struct nk_str path = file.n ? find_file(c->place.p, file, c->arena) : file;
    if (!file.n)
        return nk_fault_set(f, NK_EINVAL, "test", 0, "it names no file of %.*s", NK_FMT(name));
    if (!path.p)
        return nk_fault_set(f, NK_ENOTFOUND, "test", 0, "%.*s is in no directory above the test",
                            NK_FMT(file));
    return nk_input_read(path.p, c->arena, out, f);
}

static int read_test(struct nk_case *c, const struct nk_json *doc, struct nk_fault *f)
{
    struct nk_str policies, entities, schema;
    if (nk_json_get(doc, 0, NK_STR("policies")) == NK_JSON_NONE ||
        nk_json_get(doc, 0, NK_STR("requests")) == NK_JSON_NONE)
        return nk_fault_set(f, NK_EINVAL, "test", 0,
                            "this is no test: it needs \"policies\" (a file) and \"requests\"");
    int rc = read_named(c, doc, NK_STR("policies"), &policies, f);
    if (!rc)
        rc = read_named(c, doc, NK_STR("entities"), &entities, f);
    if (!rc && !c->input.schema)
        rc = read_named(c, doc, NK_STR("schema"), &schema, f);
    if (!rc && !c->input.schema)
        rc = nk_input_schema_text(schema, c->arena, &c->input.schema, f);
    if (!rc)
        rc = nk_input_entities(entities, c->input.schema, NULL, c->arena, &c->input.entities, f);
    c->input.policies = rc ? NULL : nk_cedar_policies_new(c->arena);
    if (!rc && !c->input.policies)
        rc = nk_fault_set(f, NK_ENOMEM, "test", 0, "out of memory");
    return rc ? rc : nk_cedar_policies_add(c->input.policies, policies, NK_STR("policy"), false, f);
}

static void test_file(struct run *r, const char *file)
{
    struct nk_case c = {.tally = &r->tally,
                        .arena = &r->arena,
                        .place = nk_str(file),
                        .input = {.schema = r->schema}};
    struct nk_fault f = {.code = 0};
    struct nk_json doc;
    struct nk_str text;
    int rc = nk_input_read(file, &r->arena, &text, &f);
    if (!rc)
        rc = nk_json_parse_any_name(&nk_input_limits, text, &r->arena, &doc, &f);
    if (!rc)
        rc = read_test(&c, &doc, &f);
    if (rc) {
        nk_case_broken(&c, NK_STR("the test"), &f);
    } else {
        nk_case_schema(&c, &doc, NK_JSON_NONE);
        nk_case_round_trips(&c);
        nk_case_validation(&c, &doc, true);
        nk_case_requests(&c, &doc, 0);
    }
    nk_arena_reset(&r->arena);
}

/* Sets, one a line -----------------------------------------------------------------------------
 */
/* Does `what` come to what member `name` says it should (true, if it says nothing)? */
static bool is_verdict(struct nk_case *c, const struct nk_json *doc, struct nk_str name, int rc,
                       const struct nk_fault *f)
{
    uint32_t at = nk_json_get(doc, 0, name);
    bool expected = at == NK_JSON_NONE || nk_json_type(doc, at) == NK_JSON_TRUE;
    if (at == NK_JSON_NONE && rc == 0)
        return true;
    nk_case_result(c, expected == (rc == 0), name, expected ? NK_STR("true") : NK_STR("false"),
                   rc ? nk_str(f->message) : NK_STR("true"));
    return rc == 0;
}

static bool line_policies(struct nk_case *c, const struct nk_json *doc)
{
    struct nk_fault f = {.code = 0};
    uint32_t at = nk_json_get(doc, 0, NK_STR("policies"));
    if (at == NK_JSON_NONE)
        return true;
    struct nk_str text = nk_json_string(doc, at, c->arena);
    int rc = text.p ? nk_cedar_policies_add(c->input.policies, text, NK_STR("policy"), false, &f)
                    : nk_cedar_policies_add_json(c->input.policies, nk_json_span(doc, at), &f);
    return is_verdict(c, doc, NK_STR("parses"), rc, &f);
}

/* The schema of the line, a text or an object, or that of --schema. */
static bool line_schema(struct nk_case *c, const struct nk_json *doc)
{
    struct nk_fault f = {.code = 0};
    uint32_t at = nk_json_get(doc, 0, NK_STR("schema"));
    if (at == NK_JSON_NONE)
        return true;
    struct nk_str text = nk_json_string(doc, at, c->arena);
    int rc =
        nk_input_schema_text(text.p ? text : nk_json_span(doc, at), c->arena, &c->input.schema, &f);
    if (!is_verdict(c, doc, NK_STR("schemaParses"), rc, &f))
        return false;
    nk_case_schema(c, doc, nk_json_get(doc, 0, NK_STR("schemaJson")));
    return true;
}

static bool line_entities(struct nk_case *c, const struct nk_json *doc)
{
    struct nk_fault f = {.code = 0};
    uint32_t at = nk_json_get(doc, 0, NK_STR("entities"));
    struct nk_str json = at == NK_JSON_NONE ? (struct nk_str){NULL, 0} : nk_json_span(doc, at);
    int rc = nk_input_entities(json, c->input.schema, NULL, c->arena, &c->input.entities, &f);
    return is_verdict(c, doc, NK_STR("entitiesValid"), rc, &f);
}

static void test_line(struct run *r, const struct nk_lines *lines, struct nk_str line)
{
    struct nk_case c = {.tally = &r->tally, .arena = &r->arena, .input = {.schema = r->schema}};
    struct nk_fault f = {.code = 0};
    struct nk_json doc;
    c.place = nk_arena_printf(&r->arena, "%s:%llu", lines->path, (unsigned long long)lines->n);
    c.input.policies = nk_cedar_policies_new(c.arena);
    int rc = c.place.p && c.input.policies ? 0 : NK_ENOMEM;
    if (rc)
        nk_fault_set(&f, rc, "test", 0, "out of memory");
    else
        rc = nk_json_parse_any_name(&nk_input_limits, line, c.arena, &doc, &f);
    if (rc) {
        nk_case_broken(&c, NK_STR("the line"), &f);
        return;
    }
    struct nk_str id = nk_json_string(&doc, nk_json_get(&doc, 0, NK_STR("id")), c.arena);
    if (id.n)
        c.place = nk_arena_printf(c.arena, "%.*s (%.*s)", NK_FMT(c.place), NK_FMT(id));
    if (!line_schema(&c, &doc))
        return;
    bool policies = line_policies(&c, &doc), entities = line_entities(&c, &doc);
    if (policies) {
        nk_case_forms(&c, &doc, nk_json_get(&doc, 0, NK_STR("est")));
        nk_case_round_trips(&c);
        nk_case_validation(&c, &doc, false);
    }
    if (policies && entities)
        nk_case_requests(&c, &doc, 0);
}

static void test_lines(struct run *r, const char *file)
{
    struct nk_lines lines;
    struct nk_fault f = {.code = 0};
    struct nk_str line;
    int rc = nk_lines_open(&lines, file, &f);
    while (!rc && !(rc = nk_lines_next(&lines, &line, &f))) {
        test_line(r, &lines, line);
        nk_arena_reset(&r->arena);
        if (!nk_audit_print(&r->tally.out))
            break;
    }
    if (rc && rc != NK_ENOTFOUND) {
        struct nk_case c = {.tally = &r->tally, .arena = &r->arena, .place = nk_str(file)};
        nk_case_broken(&c, NK_STR("the file"), &f);
    }
    nk_lines_close(&lines);
}

static int usage(void)
{
    fputs("usage: nakoso policy test [--schema FILE] FILE…\n"
          "FILE.json is a test as upstream's integration tests are: policies, entities and schema "
          "are files,\nnamed from a directory above the test. Any other file, or \"-\", holds a "
          "policy set with requests on\neach line. Each failure is a line; the last line is "
          "\"N passed, N failed\". Exit status 1 when\nsomething failed.\n",
          stderr);
    return 2;
}

int nk_policy_test(int argc, char **argv)
{
    static struct run r;
    const struct nk_option options[] = {{"--schema", &r.schema_path, NULL}};
    struct nk_fault f = {.code = 0};
    int files;
    if (nk_options_read("policy test", argc, argv, options, NK_COUNT(options), &files) ||
        files == 0)
        return usage();
    nk_arena_init(&r.schema_arena, NK_INPUT_ARENA);
    if (r.schema_path && nk_input_schema(r.schema_path, &r.schema_arena, &r.schema, &f)) {
        fprintf(stderr, "nakoso policy test: %s\n", f.message);
        return 1;
    }
    nk_arena_init_sized(&r.arena, NK_INPUT_ARENA, ARENA_BLOCK);
    nk_buf_init(&r.tally.out, OUT_MAX);
    bool printed = true;
    for (int i = 1; printed && i <= files; i++) {
        if (nk_str_ends(nk_str(argv[i]), NK_STR(".json")))
            test_file(&r, argv[i]);
        else
            test_lines(&r, argv[i]);
        printed = nk_audit_print(&r.tally.out);
    }
    nk_buf_printf(&r.tally.out, "%llu passed, %llu failed\n", (unsigned long long)r.tally.passed,
                  (unsigned long long)r.tally.failed);
    printed = printed && nk_audit_print(&r.tally.out) && fflush(stdout) == 0;
    nk_buf_free(&r.tally.out);
    nk_arena_free(&r.arena);
    nk_arena_free(&r.schema_arena);
    return printed && r.tally.failed == 0 ? 0 : 1;
}
