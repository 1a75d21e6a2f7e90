/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_schema_corpus.c - upstream's schemas and what the reference says of policies, entities and requests:
 * tests/e2e/cedar_schema unpacks them and calls this program with the folder, which holds
 *
 *   corpus-tests/, corpus-tests-json-schemas/, corpus-tests-validation/   the fuzz corpus
 *   validate-testdata/, entity-parsing-testdata/                          hand-written tests of cedar-go
 *   tests/, sample-data/                                                  hand-written tests
 *   multi.jsonl, multi-policy.cedarschema                                 generated policy sets
 *
 * One line of TAP for each group. The recorded verdicts are of version 4.10: there a policy that no action
 * fits was an error, and since 4.13 it is a warning; where that alone is the difference the policy counts as
 * `moved`.
 */
#include "cedar/schema.h"
#include "cedar/template.h"
#include "tap.h"

#include <dirent.h>

enum { SHOWN = 5, MOST = 200 };

static const struct nk_json_limits limits = {64 << 20, 400, 1 << 24};

struct group {
    const char *name;
    unsigned tests, checks, moved, wrong;
};

struct test {
    struct nk_arena a;
    const char *root;
    struct group *g;
    struct nk_str id;
    struct nk_json doc, expected;
    const struct nk_cedar_schema *schema;
    const struct nk_cedar_policies *policies;
    struct nk_cedar_diags *diags;
};

static struct nk_str read_file(struct nk_arena *a, const char *dir, struct nk_str name)
{
    struct nk_str path = nk_arena_printf(a, "%s/%.*s", dir, NK_FMT(name));
    FILE *file = fopen(path.p, "rb");
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

static void say(struct test *t, const char *what, struct nk_str which)
{
    if (t->g->wrong++ < SHOWN)
        printf("# %s: %.*s: %s %.*s\n", t->g->name, NK_FMT(t->id), what, NK_FMT(which));
}

static struct nk_str member(struct test *t, const struct nk_json *doc, uint32_t at,
                            const char *name)
{
    return nk_json_string(doc, nk_json_get(doc, at, nk_str(name)), &t->a);
}

static bool truth(const struct nk_json *doc, uint32_t at, const char *name)
{
    return nk_json_type(doc, nk_json_get(doc, at, nk_str(name))) == NK_JSON_TRUE;
}

static void fresh(struct test *t)
{
    t->diags = nk_cedar_diags_new(&t->a, MOST);
}

/* Schemas --------------------------------------------------------------------------------------------- */

static bool same_json(const struct nk_json *a, uint32_t x, const struct nk_json *b, uint32_t y,
                      struct nk_arena *arena)
{
    if (nk_json_type(a, x) != nk_json_type(b, y) || a->tape[x].count != b->tape[y].count)
        return false;
    if (nk_json_type(a, x) == NK_JSON_STRING)
        return nk_str_eq(nk_json_string(a, x, arena), nk_json_string(b, y, arena));
    uint32_t other = nk_json_first(b, y);
    for (uint32_t item = nk_json_first(a, x); item != NK_JSON_NONE;
         item = nk_json_next(a, x, item)) {
        if (nk_json_type(a, x) == NK_JSON_OBJECT) {
            uint32_t value = nk_json_get(b, y, nk_json_string(a, item, arena));
            if (value == NK_JSON_NONE || !same_json(a, item + 1, b, value, arena))
                return false;
        } else {
            if (!same_json(a, item, b, other, arena))
                return false;
            other = nk_json_next(b, y, other);
        }
    }
    return true;
}

static struct nk_str as_json(struct test *t, const struct nk_cedar_schema *s)
{
    struct nk_buf b;
    nk_buf_init(&b, 1 << 28);
    nk_cedar_schema_write_json(s, &b);
    struct nk_str out = nk_arena_copy(&t->a, nk_buf_str(&b));
    nk_buf_free(&b);
    return out;
}

static struct nk_str as_text(struct test *t, const struct nk_cedar_schema *s)
{
    struct nk_buf b;
    nk_buf_init(&b, 1 << 28);
    struct nk_str out = {NULL, 0};
    if (nk_cedar_schema_write(s, &b, NULL) == 0)
        out = nk_arena_copy(&t->a, nk_buf_str(&b));
    nk_buf_free(&b);
    return out;
}

/* The recorded JSON is what we write; text and JSON come back as they were. */
static void check_schema(struct test *t, struct nk_str recorded)
{
    struct nk_json mine, theirs;
    const struct nk_cedar_schema *again, *json;
    struct nk_str own = as_json(t, t->schema), text = as_text(t, t->schema);
    t->g->checks++;
    if (nk_json_parse_any_name(&limits, own, &t->a, &mine, NULL) ||
        nk_json_parse_any_name(&limits, recorded, &t->a, &theirs, NULL) ||
        !same_json(&mine, 0, &theirs, 0, &t->a))
        say(t, "JSON differs", NK_STR(""));
    if (!text.p || nk_cedar_schema_parse(text, &t->a, t->diags, &again) ||
        !nk_str_eq(as_json(t, again), own) || !nk_str_eq(as_text(t, again), text))
        say(t, "text does not come back", NK_STR(""));
    if (nk_cedar_schema_parse_json(recorded, &t->a, t->diags, &json) ||
        nk_cedar_schema_parse_json(own, &t->a, t->diags, &again) ||
        !nk_str_eq(as_json(t, again), own) || !nk_str_eq(as_text(t, again), text))
        say(t, "JSON does not come back", NK_STR(""));
}

/* Policies -------------------------------------------------------------------------------------------- */

/* Are all the recorded errors of a policy that one? */
static bool only_no_action(struct test *t, uint32_t errors)
{
    bool all = nk_json_first(&t->expected, errors) != NK_JSON_NONE;
    for (uint32_t at = nk_json_first(&t->expected, errors); at != NK_JSON_NONE;
         at = nk_json_next(&t->expected, errors, at))
        all = all && nk_str_search(nk_json_span(&t->expected, at),
                                   NK_STR("unable to find an applicable action")) >= 0;
    return all;
}

static bool same_verdict(struct test *t, bool expected, uint32_t errors,
                         const struct nk_cedar_verdict *v)
{
    if (v->valid == expected)
        return true;
    if (expected || !v->no_action || !only_no_action(t, errors))
        return false;
    t->g->moved++;
    return true;
}

static void check_policies(struct test *t, bool permissive)
{
    struct nk_cedar_validation how = {.permissive = permissive};
    size_t n = nk_cedar_policies_count(t->policies);
    struct nk_cedar_verdict *v =
        nk_arena_array(&t->a, n + nk_cedar_templates_count(t->policies), sizeof *v);
    uint32_t all = nk_json_get(&t->expected, 0, NK_STR("policyValidation"));
    uint32_t each = nk_json_get(&t->expected, all, NK_STR("perPolicy"));
    fresh(t);
    int rc = nk_cedar_validate(t->schema, t->policies, &how, &t->a, t->diags, v);
    if ((rc == 0) != (t->diags->errors == 0))
        say(t, "result and list differ", NK_STR(""));
    for (size_t i = 0; i < n; i++) {
        struct nk_str id = nk_arena_printf(&t->a, "policy%zu", i);
        uint32_t at = nk_json_get(&t->expected, each, id);
        bool expected = truth(&t->expected, at, permissive ? "permissive" : "strict");
        t->g->checks++;
        uint32_t errors =
            nk_json_get(&t->expected, at, nk_str(permissive ? "permissiveErrors" : "strictErrors"));
        if (at == NK_JSON_NONE || !same_verdict(t, expected, errors, &v[i]))
            say(t, permissive ? "permissive: expected other than" : "expected other than",
                t->diags->first ? nk_str(nk_cedar_diag_id(t->diags->first->code))
                                : NK_STR("valid"));
    }
}

/* Entities and requests ------------------------------------------------------------------------------- */

static const struct nk_cedar_value *value_of(struct test *t, uint32_t at)
{
    const struct nk_cedar_value *out = NULL;
    if (at != NK_JSON_NONE && nk_cedar_value_parse(&t->doc, at, &t->a, &out, NULL))
        return NULL;
    return out;
}

static struct nk_cedar_uid uid_of(struct test *t, const struct nk_json *doc, uint32_t at)
{
    uint32_t inner = nk_json_get(doc, at, NK_STR("__entity"));
    at = inner == NK_JSON_NONE ? at : inner;
    return (struct nk_cedar_uid){member(t, doc, at, "type"), member(t, doc, at, "id")};
}

/* One entity as a document of its own: 0 if it reads and is valid. */
static int check_one(struct test *t, struct nk_str json)
{
    struct nk_cedar_entities *e = nk_cedar_entities_new(&t->a, NULL);
    struct nk_str list = nk_arena_join(&t->a, (struct nk_str[]){NK_STR("["), json, NK_STR("]")}, 3);
    fresh(t);
    return nk_cedar_entities_parse_typed(e, t->schema, list, &t->a, t->diags);
}

static void check_entities(struct test *t, struct nk_str json, uint32_t each, const char *errors)
{
    struct nk_json doc;
    if (nk_json_parse_any_name(&limits, json, &t->a, &doc, NULL)) {
        say(t, "entities do not read", NK_STR(""));
        return;
    }
    for (uint32_t item = nk_json_first(&doc, 0); item != NK_JSON_NONE;
         item = nk_json_next(&doc, 0, item)) {
        struct nk_cedar_uid uid = uid_of(t, &doc, nk_json_get(&doc, item, NK_STR("uid")));
        struct nk_str key = nk_arena_printf(&t->a, "%.*s::%.*s", NK_FMT(uid.type), NK_FMT(uid.id));
        uint32_t at = nk_json_get(&t->expected, each, key);
        if (at == NK_JSON_NONE)
            continue;
        bool expected = errors ? nk_json_get(&t->expected, at, nk_str(errors)) == NK_JSON_NONE
                               : truth(&t->expected, at, "success");
        t->g->checks++;
        if ((check_one(t, nk_json_span(&doc, item)) == 0) != expected)
            say(t, expected ? "entity is valid:" : "entity is not valid:", key);
    }
}

static void check_requests(struct test *t)
{
    uint32_t list = nk_json_get(&t->doc, 0, NK_STR("requests"));
    uint32_t verdicts = nk_json_get(&t->expected, 0, NK_STR("requestValidation"));
    uint32_t v = nk_json_first(&t->expected, verdicts);
    for (uint32_t at = nk_json_first(&t->doc, list); at != NK_JSON_NONE && v != NK_JSON_NONE;
         at = nk_json_next(&t->doc, list, at), v = nk_json_next(&t->expected, verdicts, v)) {
        uint32_t context = nk_json_get(&t->doc, at, NK_STR("context"));
        struct nk_cedar_request r = {
            uid_of(t, &t->doc, nk_json_get(&t->doc, at, NK_STR("principal"))),
            uid_of(t, &t->doc, nk_json_get(&t->doc, at, NK_STR("action"))),
            uid_of(t, &t->doc, nk_json_get(&t->doc, at, NK_STR("resource"))), NULL};
        fresh(t);
        int rc = 0;
        if (context != NK_JSON_NONE) {
            rc = nk_cedar_context_parse_typed(t->schema, r.action, &t->doc, context, &t->a,
                                              &r.context, t->diags);
            if (rc == NK_ENOTFOUND) /* the request is wrong, too */
                r.context = value_of(t, context);
        }
        rc = nk_cedar_validate_request(t->schema, &r, t->diags) || rc;
        t->g->checks++;
        if ((rc == 0) != truth(&t->expected, v, "strict"))
            say(t, "request", member(t, &t->doc, at, "description"));
    }
}

/* Tests ----------------------------------------------------------------------------------------------- */

/* The file of a member; cedar-go's tests name their folder as it is there. */
static struct nk_str file_of(struct test *t, const char *key)
{
    struct nk_str name = member(t, &t->doc, 0, key), there = NK_STR("testdata/");
    return nk_str_starts(name, there) ? nk_str_sub(name, there.n, name.n) : name;
}

static bool load_schema(struct test *t, const char *dir, const char *key)
{
    struct nk_str text = read_file(&t->a, dir, file_of(t, key));
    fresh(t);
    if (text.p && nk_cedar_schema_parse(text, &t->a, t->diags, &t->schema) == 0)
        return true;
    say(t, "schema does not load", NK_STR(""));
    return false;
}

static bool load_policies(struct test *t, const char *dir)
{
    struct nk_str text = read_file(&t->a, dir, file_of(t, "policies"));
    struct nk_cedar_policies *p = nk_cedar_policies_new(&t->a);
    struct nk_fault fault = {0};
    if (text.p && nk_cedar_policies_add(p, text, NK_STR("policy"), false, &fault) == 0) {
        t->policies = p;
        return true;
    }
    say(t, "policies do not load:", nk_str(fault.message));
    return false;
}

static bool load_json(struct test *t, const char *dir, struct nk_str name, struct nk_json *out)
{
    struct nk_str text = read_file(&t->a, dir, name);
    return text.p && nk_json_parse_any_name(&limits, text, &t->a, out, NULL) == 0;
}

static void validate_all(struct test *t, const char *dir)
{
    uint32_t entities = nk_json_get(&t->expected, 0, NK_STR("entityValidation"));
    struct nk_str json = read_file(&t->a, dir, file_of(t, "entities"));
    check_policies(t, false);
    check_policies(t, true);
    check_entities(t, json, nk_json_get(&t->expected, entities, NK_STR("perEntity")), "errors");
    check_requests(t);
}

typedef void test_run(struct test *t, struct nk_str name);

static void corpus_schema(struct test *t, struct nk_str name)
{
    struct nk_str recorded = read_file(
        &t->a, t->root,
        nk_arena_printf(&t->a, "corpus-tests-json-schemas/%.*s.cedarschema.json", NK_FMT(name)));
    if (!recorded.p)
        return;
    t->g->tests++;
    if (load_schema(t, t->root, "schema"))
        check_schema(t, recorded);
}

static void corpus_validation(struct test *t, struct nk_str name)
{
    struct nk_str file =
        nk_arena_printf(&t->a, "corpus-tests-validation/%.*s.validation.json", NK_FMT(name));
    if (!load_json(t, t->root, file, &t->expected))
        return;
    t->g->tests++;
    if (load_schema(t, t->root, "schema") && load_policies(t, t->root))
        validate_all(t, t->root);
}

static void go_validation(struct test *t, struct nk_str name)
{
    struct nk_str dir = nk_arena_printf(&t->a, "%s/validate-testdata", t->root);
    struct nk_str file = nk_arena_printf(&t->a, "%.*s.validation.json", NK_FMT(name));
    if (!load_json(t, dir.p, file, &t->expected))
        return;
    t->g->tests++;
    if (load_schema(t, dir.p, "schema") && load_policies(t, dir.p))
        validate_all(t, dir.p);
}

static void go_entities(struct test *t, struct nk_str name)
{
    struct nk_str dir = nk_arena_printf(&t->a, "%s/entity-parsing-testdata", t->root);
    struct nk_str file = nk_arena_printf(&t->a, "%.*s.parsing.json", NK_FMT(name));
    if (!load_json(t, dir.p, file, &t->expected))
        return;
    t->g->tests++;
    struct nk_str json = read_file(&t->a, dir.p, member(t, &t->doc, 0, "entities"));
    if (!load_schema(t, dir.p, "schema"))
        return;
    check_entities(t, json, nk_json_get(&t->expected, 0, NK_STR("perEntity")), NULL);
    struct nk_cedar_entities *all = nk_cedar_entities_new(&t->a, NULL);
    uint32_t whole = nk_json_get(&t->expected, 0, NK_STR("allEntities"));
    fresh(t);
    t->g->checks++;
    if ((nk_cedar_entities_parse_typed(all, t->schema, json, &t->a, t->diags) == 0) !=
        truth(&t->expected, whole, "success"))
        say(t, "all entities", NK_STR(""));
}

static bool listed(const struct nk_json *doc, uint32_t list, struct nk_str id)
{
    for (uint32_t at = nk_json_first(doc, list); at != NK_JSON_NONE;
         at = nk_json_next(doc, list, at))
        if (nk_json_is(doc, at, id))
            return true;
    return false;
}

/* A policy that is proven never to err is in no recorded list of errors. */
static void check_never_errs(struct test *t, const struct nk_cedar_verdict *v)
{
    uint32_t list = nk_json_get(&t->doc, 0, NK_STR("requests"));
    for (uint32_t at = nk_json_first(&t->doc, list); at != NK_JSON_NONE;
         at = nk_json_next(&t->doc, list, at)) {
        uint32_t errors = nk_json_get(&t->doc, at, NK_STR("errors"));
        for (size_t i = 0; i < nk_cedar_policies_count(t->policies); i++) {
            struct nk_str id = nk_arena_printf(&t->a, "policy%zu", i);
            t->g->checks += v[i].never_errs;
            if (v[i].never_errs && listed(&t->doc, errors, id))
                say(t, "erred although it was proven not to:", id);
        }
    }
}

/* shouldValidate: the whole set at once. */
static void should_validate(struct test *t, struct nk_str name)
{
    struct nk_cedar_validation strict = {0};
    (void)name;
    if (nk_json_get(&t->doc, 0, NK_STR("shouldValidate")) == NK_JSON_NONE)
        return;
    t->g->tests++;
    if (!load_schema(t, t->root, "schema") || !load_policies(t, t->root))
        return;
    struct nk_cedar_verdict *v = nk_arena_array(
        &t->a, nk_cedar_policies_count(t->policies) + nk_cedar_templates_count(t->policies),
        sizeof *v);
    fresh(t);
    int rc = nk_cedar_validate(t->schema, t->policies, &strict, &t->a, t->diags, v);
    bool expected = truth(&t->doc, 0, "shouldValidate"), no_action = false;
    for (size_t i = 0; i < nk_cedar_policies_count(t->policies); i++)
        no_action = no_action || v[i].no_action;
    check_never_errs(t, v);
    t->g->checks++;
    if ((rc == 0) == expected)
        return;
    if (!expected && no_action)
        t->g->moved++;
    else
        say(t, "shouldValidate", NK_STR(""));
}

static void each_file(struct group *g, const char *root, const char *sub, test_run *run)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", root, sub);
    DIR *d = opendir(path);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        struct test t = {.root = root, .g = g};
        struct nk_str file = nk_str(e->d_name);
        if (!nk_str_ends(file, NK_STR(".json")) || nk_str_ends(file, NK_STR(".entities.json")) ||
            nk_str_ends(file, NK_STR(".validation.json")) ||
            nk_str_ends(file, NK_STR(".parsing.json")))
            continue;
        nk_arena_init_sized(&t.a, (size_t)1 << 30, 1 << 20);
        t.id = nk_str_sub(file, 0, file.n - 5);
        if (load_json(&t, path, file, &t.doc) && nk_json_type(&t.doc, 0) == NK_JSON_OBJECT)
            run(&t, t.id);
        nk_arena_free(&t.a);
    }
    if (d)
        closedir(d);
}

static void handwritten(struct group *g, const char *root)
{
    char path[512];
    snprintf(path, sizeof path, "%s/tests", root);
    DIR *d = opendir(path);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        char sub[300];
        snprintf(sub, sizeof sub, "tests/%s", e->d_name);
        if (e->d_name[0] != '.')
            each_file(g, root, sub, should_validate);
    }
    if (d)
        closedir(d);
}

/* Generated policy sets ------------------------------------------------------------------------------- */

static bool add_named(struct test *t, struct nk_cedar_policies *p, uint32_t at)
{
    for (uint32_t name = nk_json_first(&t->doc, at); name != NK_JSON_NONE;
         name = nk_json_next(&t->doc, at, name)) {
        struct nk_str id = nk_json_string(&t->doc, name, &t->a);
        struct nk_str text = nk_json_string(&t->doc, name + 1, &t->a);
        text =
            nk_arena_join(&t->a, (struct nk_str[]){NK_STR("@id(\""), id, NK_STR("\") "), text}, 4);
        if (nk_cedar_policies_add(p, text, NK_STR("p"), true, NULL))
            return false;
    }
    return true;
}

static bool add_links(struct test *t, struct nk_cedar_policies *p, uint32_t list)
{
    for (uint32_t at = nk_json_first(&t->doc, list); at != NK_JSON_NONE;
         at = nk_json_next(&t->doc, list, at)) {
        struct nk_cedar_slot_value values[2];
        uint32_t slots = nk_json_get(&t->doc, at, NK_STR("values"));
        size_t n = 0;
        for (uint32_t name = nk_json_first(&t->doc, slots); name != NK_JSON_NONE && n < 2;
             name = nk_json_next(&t->doc, slots, name))
            values[n++] = (struct nk_cedar_slot_value){nk_json_string(&t->doc, name, &t->a),
                                                       uid_of(t, &t->doc, name + 1)};
        if (nk_cedar_policies_link(p, member(t, &t->doc, at, "templateId"),
                                   member(t, &t->doc, at, "newId"), values, n, NULL))
            return false;
    }
    return true;
}

/* Every policy that is named must be the one of a diagnostic, and no other. */
static void check_set(struct test *t, struct nk_cedar_policies *p)
{
    struct nk_cedar_validation strict = {0};
    uint32_t list = nk_json_get(&t->doc, 0, NK_STR("policiesWithValidationErrors"));
    fresh(t);
    int rc = nk_cedar_validate(t->schema, p, &strict, &t->a, t->diags, NULL);
    t->g->checks++;
    if ((rc == 0) != truth(&t->doc, 0, "shouldValidate"))
        say(t, "shouldValidate", NK_STR(""));
    for (uint32_t at = nk_json_first(&t->doc, list); at != NK_JSON_NONE;
         at = nk_json_next(&t->doc, list, at)) {
        const struct nk_cedar_diag *d = t->diags->first;
        while (d && (nk_cedar_diag_severity(d->code) != NK_CEDAR_ERROR ||
                     !nk_json_is(&t->doc, at, d->policy)))
            d = d->next;
        t->g->checks++;
        if (!d)
            say(t, "no error in", nk_json_string(&t->doc, at, &t->a));
    }
    for (const struct nk_cedar_diag *d = t->diags->first; d; d = d->next)
        if (nk_cedar_diag_severity(d->code) == NK_CEDAR_ERROR && !listed(&t->doc, list, d->policy))
            say(t, nk_cedar_diag_id(d->code), d->policy);
}

static void multi(struct group *g, const char *root)
{
    struct nk_arena keep;
    nk_arena_init(&keep, (size_t)1 << 30);
    struct nk_str all = read_file(&keep, root, NK_STR("multi.jsonl"));
    struct nk_str schema = read_file(&keep, root, NK_STR("multi-policy.cedarschema"));
    while (all.p && all.n > 0 && schema.p) {
        struct test t = {.root = root, .g = g};
        struct nk_str line = nk_str_cut(&all, '\n');
        nk_arena_init(&t.a, (size_t)1 << 30);
        fresh(&t);
        if (line.n > 0 && nk_json_parse_any_name(&limits, line, &t.a, &t.doc, NULL) == 0 &&
            nk_cedar_schema_parse(schema, &t.a, t.diags, &t.schema) == 0) {
            struct nk_cedar_policies *p = nk_cedar_policies_new(&t.a);
            uint32_t set = nk_json_get(&t.doc, 0, NK_STR("policies"));
            g->tests++;
            t.id = member(&t, &t.doc, 0, "id");
            if (add_named(&t, p, nk_json_get(&t.doc, set, NK_STR("staticPolicies"))) &&
                add_named(&t, p, nk_json_get(&t.doc, set, NK_STR("templates"))) &&
                add_links(&t, p, nk_json_get(&t.doc, set, NK_STR("templateLinks"))))
                check_set(&t, p);
            else
                say(&t, "set does not load", NK_STR(""));
        }
        nk_arena_free(&t.a);
    }
    nk_arena_free(&keep);
}

static void result(const struct group *g)
{
    tap_ok(g->wrong == 0 && g->checks > 0, "%s: %u tests, %u checks, %u wrong; %u are warnings now",
           g->name, g->tests, g->checks, g->wrong, g->moved);
}

int main(int argc, char **argv)
{
    struct group groups[] = {
        {.name = "schemas as JSON"}, {.name = "corpus validation"},     {.name = "validator tests"},
        {.name = "entity tests"},    {.name = "corpus shouldValidate"}, {.name = "handwritten"},
        {.name = "policy sets"}};
    if (argc != 2) {
        tap_skip("cedar schema corpus", "tests/e2e/cedar_schema calls this with the data");
        return tap_done();
    }
    each_file(&groups[0], argv[1], "corpus-tests", corpus_schema);
    each_file(&groups[1], argv[1], "corpus-tests", corpus_validation);
    each_file(&groups[2], argv[1], "validate-testdata", go_validation);
    each_file(&groups[3], argv[1], "entity-parsing-testdata", go_entities);
    each_file(&groups[4], argv[1], "corpus-tests", should_validate);
    handwritten(&groups[5], argv[1]);
    multi(&groups[6], argv[1]);
    for (size_t i = 0; i < NK_COUNT(groups); i++)
        result(&groups[i]);
    return tap_done();
}
