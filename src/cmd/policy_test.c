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
};

/* Integration tests -------------------------------------------------------------------------------
 */
/* Paths in a test are relative to a directory above it. The first one, going up, that has the file
 * of that name gives the path; absent when none does. */
static struct nk_str find_root(const char *file, struct nk_str name, struct nk_arena *a)
{
    char whole[PATH_MAX];
    struct nk_str dir = {NULL, 0};
    if (realpath(file, whole))
        dir = nk_str(whole);
    while (dir.n > 0) {
        while (dir.n > 0 && dir.p[--dir.n] != '/')
            ;
        struct nk_str root = nk_arena_copy(a, dir);
        struct nk_str path = nk_arena_printf(a, "%.*s/%.*s", NK_FMT(dir), NK_FMT(name));
        if (root.p && path.p && access(path.p, F_OK) == 0)
            return root;
    }
    return (struct nk_str){NULL, 0};
}

/* The text of the file that member `name` of the test names. */
static int read_named(struct nk_case *c, const struct nk_json *doc, struct nk_str name,
                      struct nk_str root, struct nk_str *out, struct nk_fault *f)
{
    struct nk_str file = nk_json_string(doc, nk_json_get(doc, 0, name), c->arena);
    struct nk_str path = nk_arena_printf(c->arena, "%.*s/%.*s", NK_FMT(root), NK_FMT(file));
    if (!file.p || !path.p)
        return nk_fault_set(f, NK_EINVAL, "test", 0, "it names no file of %.*s", NK_FMT(name));
    return nk_input_read(path.p, c->arena, out, f);
}

static int read_test(struct nk_case *c, const struct nk_json *doc, const char *file,
                     struct nk_fault *f)
{
    struct nk_str policies, entities;
    struct nk_str name = nk_json_string(doc, nk_json_get(doc, 0, NK_STR("policies")), c->arena);
    if (!name.p || nk_json_get(doc, 0, NK_STR("requests")) == NK_JSON_NONE)
        return nk_fault_set(f, NK_EINVAL, "test", 0,
                            "this is no test: it needs \"policies\" (a file) and \"requests\"");
    struct nk_str root = find_root(file, name, c->arena);
    if (!root.p)
        return nk_fault_set(f, NK_ENOTFOUND, "test", 0, "%.*s is in no directory above the test",
                            NK_FMT(name));
    int rc = read_named(c, doc, NK_STR("policies"), root, &policies, f);
    if (!rc)
        rc = read_named(c, doc, NK_STR("entities"), root, &entities, f);
    if (rc)
        return rc;
    c->input.policies = nk_cedar_policies_new(c->arena);
    c->input.entities = nk_cedar_entities_new(c->arena, NULL);
    if (!c->input.policies || !c->input.entities)
        return nk_fault_set(f, NK_ENOMEM, "test", 0, "out of memory");
    rc = nk_cedar_policies_add(c->input.policies, policies, NK_STR("policy"), false, f);
    if (!rc)
        rc = nk_cedar_entities_parse(c->input.entities, entities, f);
    return rc ? rc : nk_cedar_entities_seal(c->input.entities, f);
}

static void test_file(struct run *r, const char *file)
{
    struct nk_case c = {.tally = &r->tally, .arena = &r->arena, .place = nk_str(file)};
    struct nk_fault f = {.code = 0};
    struct nk_json doc;
    struct nk_str text;
    int rc = nk_input_read(file, &r->arena, &text, &f);
    if (!rc)
        rc = nk_json_parse_any_name(&nk_input_limits, text, &r->arena, &doc, &f);
    if (!rc)
        rc = read_test(&c, &doc, file, &f);
    if (rc) {
        nk_case_broken(&c, NK_STR("the test"), &f);
    } else {
        nk_case_round_trips(&c);
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

static bool line_entities(struct nk_case *c, const struct nk_json *doc)
{
    struct nk_fault f = {.code = 0};
    uint32_t at = nk_json_get(doc, 0, NK_STR("entities"));
    int rc = 0;
    if (at != NK_JSON_NONE)
        rc = nk_cedar_entities_parse(c->input.entities, nk_json_span(doc, at), &f);
    if (!rc)
        rc = nk_cedar_entities_seal(c->input.entities, &f);
    return is_verdict(c, doc, NK_STR("entitiesValid"), rc, &f);
}

static void test_line(struct run *r, const struct nk_lines *lines, struct nk_str line)
{
    struct nk_case c = {.tally = &r->tally, .arena = &r->arena};
    struct nk_fault f = {.code = 0};
    struct nk_json doc;
    c.place = nk_arena_printf(&r->arena, "%s:%llu", lines->path, (unsigned long long)lines->n);
    c.input.policies = nk_cedar_policies_new(c.arena);
    c.input.entities = nk_cedar_entities_new(c.arena, NULL);
    int rc = c.place.p && c.input.policies && c.input.entities ? 0 : NK_ENOMEM;
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
    bool policies = line_policies(&c, &doc), entities = line_entities(&c, &doc);
    if (policies) {
        nk_case_forms(&c, &doc, nk_json_get(&doc, 0, NK_STR("est")));
        nk_case_round_trips(&c);
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
    fputs("usage: nakoso policy test FILE…\n"
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
    int files;
    if (nk_options_read("policy test", argc, argv, NULL, 0, &files) || files == 0)
        return usage();
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
    return printed && r.tally.failed == 0 ? 0 : 1;
}
