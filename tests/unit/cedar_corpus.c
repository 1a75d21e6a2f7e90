/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_corpus.c - upstream's conformance tests: decision, reasons and errors of every request.
 * tests/e2e/cedar_corpus unpacks them and calls this program with the folder, which holds
 *
 *   tests/, sample-data/   hand-written tests
 *   corpus-tests/          the fuzz corpus, one .json for each test
 *   multi.jsonl            generated policy sets, one a line; multi-policy.cedarschema
 *
 * One line of TAP for each group. Requests that name validateRequest are decided like the others:
 * the expected answer of a request that validation would refuse is not among them.
 */
#include "cedar/lexer.h"
#include "cedar/template.h"
#include "tap.h"

#include <dirent.h>

enum { SHOWN = 5, BIG = 256 << 20 };

struct group {
    const char *name;
    unsigned tests, requests, validated, wrong, links, broken;
};

static const struct nk_json_limits limits = {64 << 20, 200, 1 << 24};

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

/* Actions of a schema ------------------------------------------------------------------------- */

/* The schema's actions and their groups are entities too. Only `action a, "b" in [c] …;` is read.
 */
struct schema {
    struct cedar_lexer lexer;
    struct cedar_token token;
    struct nk_arena *arena;
    struct nk_cedar_entities *entities;
    struct nk_str type; /* "Action" or "Ns::Action" */
};

static bool schema_next(struct schema *s)
{
    while (!cedar_lex(&s->lexer, &s->token)) {
        if (s->lexer.at >= s->lexer.text.n || s->lexer.text.p[s->lexer.at] != '?')
            return false;
        s->lexer.at++; /* "name?: Type": policies have no such sign */
    }
    return s->token.kind != CEDAR_END;
}

static bool schema_is(const struct schema *s, const char *word)
{
    return s->token.kind == CEDAR_IDENT && nk_str_eq(s->token.text, nk_str(word));
}

/* name, "name", Ns::Action::"name" */
static struct nk_cedar_uid schema_action(struct schema *s)
{
    struct nk_cedar_uid uid = {s->type, s->token.text};
    struct nk_str path = {NULL, 0};
    size_t bad;
    while (s->token.kind == CEDAR_IDENT) {
        struct nk_str part = s->token.text;
        schema_next(s);
        uid.id = part;
        if (s->token.kind != CEDAR_PATH_SEP)
            return uid;
        path = path.p ? nk_arena_printf(s->arena, "%.*s::%.*s", NK_FMT(path), NK_FMT(part)) : part;
        schema_next(s);
    }
    uid.type = path.p ? path : s->type;
    if (cedar_unescape(s->token.text, s->arena, &uid.id, &bad))
        uid.id = NK_STR("");
    schema_next(s);
    return uid;
}

static void schema_actions(struct schema *s)
{
    struct nk_cedar_uid names[512], parents[512];
    size_t n = 0, parent_n = 0;
    do {
        schema_next(s);
        names[n++] = schema_action(s);
    } while (s->token.kind == ',' && n < NK_COUNT(names));
    if (schema_is(s, "in")) {
        schema_next(s);
        bool list = s->token.kind == '[';
        do {
            if (list)
                schema_next(s);
            if (s->token.kind == ']')
                break;
            parents[parent_n++] = schema_action(s);
        } while (list && s->token.kind == ',' && parent_n < NK_COUNT(parents));
    }
    for (size_t i = 0; i < n; i++) /* NK_ECONFLICT: the entities name the action already */
        (void)nk_cedar_entities_add(s->entities, names[i], parents, parent_n, NULL, NULL);
    while (s->token.kind != ';' && schema_next(s))
        ;
}

static void read_schema(struct nk_arena *a, struct nk_cedar_entities *entities, struct nk_str text)
{
    struct schema s = {.lexer = {.text = text}, .arena = a, .entities = entities};
    int depth = 0, at = 0; /* braces open; those of the namespace at hand */
    s.type = NK_STR("Action");
    bool start = true;
    while (schema_next(&s)) {
        if (start && depth == at && schema_is(&s, "action")) {
            schema_actions(&s);
            continue;
        }
        if (start && depth == 0 && schema_is(&s, "namespace")) {
            struct nk_str path = {"", 0};
            while (schema_next(&s) && s.token.kind != '{')
                if (s.token.kind == CEDAR_IDENT)
                    path = nk_arena_printf(a, "%.*s%.*s::", NK_FMT(path), NK_FMT(s.token.text));
            s.type = nk_arena_printf(a, "%.*sAction", NK_FMT(path));
            at = 1;
        }
        depth += (s.token.kind == '{') - (s.token.kind == '}');
        if (depth == 0 && s.token.kind == '}' && at == 1) {
            at = 0;
            s.type = NK_STR("Action");
        }
        start = s.token.kind == ';' || s.token.kind == '{' || s.token.kind == '}' ||
                s.token.kind == ')';
    }
}

/* One request --------------------------------------------------------------------------------- */

static bool read_uid(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                     struct nk_cedar_uid *out)
{
    uint32_t inner = nk_json_get(doc, at, NK_STR("__entity"));
    at = inner == NK_JSON_NONE ? at : inner;
    out->type = nk_json_string(doc, nk_json_get(doc, at, NK_STR("type")), a);
    out->id = nk_json_string(doc, nk_json_get(doc, at, NK_STR("id")), a);
    return out->type.p && out->id.p;
}

static bool has_id(const struct nk_json *doc, uint32_t list, struct nk_str id)
{
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i))
        if (nk_json_is(doc, i, id))
            return true;
    return false;
}

static bool same_answer(const struct nk_json *doc, uint32_t request,
                        const struct nk_cedar_answer *answer)
{
    uint32_t reason = nk_json_get(doc, request, NK_STR("reason"));
    uint32_t errors = nk_json_get(doc, request, NK_STR("errors"));
    bool same = nk_json_is(doc, nk_json_get(doc, request, NK_STR("decision")),
                           answer->allow ? NK_STR("allow") : NK_STR("deny")) &&
                doc->tape[reason].count == answer->reason_count &&
                doc->tape[errors].count == answer->error_count;
    for (size_t i = 0; same && i < answer->reason_count; i++)
        same = has_id(doc, reason, answer->reasons[i]);
    for (size_t i = 0; same && i < answer->error_count; i++)
        same = has_id(doc, errors, answer->errors[i].policy);
    return same;
}

static void complain(struct group *g, const char *name, const char *what)
{
    if (g->wrong + g->broken < SHOWN)
        printf("# %s: %s: %s\n", g->name, name, what);
}

static void one_request(struct group *g, const char *name, const struct nk_json *doc, uint32_t at,
                        const struct nk_cedar_policies *policies,
                        const struct nk_cedar_entities *entities, struct nk_arena *a)
{
    struct nk_cedar_request request = {.context = NULL};
    struct nk_cedar_answer answer;
    struct nk_fault fault = {0};
    uint32_t validate = nk_json_get(doc, at, NK_STR("validateRequest"));
    g->requests++;
    g->validated += validate != NK_JSON_NONE && nk_json_type(doc, validate) == NK_JSON_TRUE;
    if (!read_uid(doc, nk_json_get(doc, at, NK_STR("principal")), a, &request.principal) ||
        !read_uid(doc, nk_json_get(doc, at, NK_STR("action")), a, &request.action) ||
        !read_uid(doc, nk_json_get(doc, at, NK_STR("resource")), a, &request.resource) ||
        nk_cedar_value_parse(doc, nk_json_get(doc, at, NK_STR("context")), a, &request.context,
                             &fault) ||
        nk_cedar_authorize(policies, entities, &request, a, &answer)) {
        complain(g, name, fault.code ? fault.message : "the request could not be read");
        g->broken++;
        return;
    }
    if (same_answer(doc, at, &answer))
        return;
    complain(g, name, answer.error_count ? answer.errors[0].what : answer.allow ? "allow" : "deny");
    g->wrong++;
}

/* One test ------------------------------------------------------------------------------------ */

static void all_requests(struct group *g, const char *name, const struct nk_json *doc, uint32_t at,
                         const struct nk_cedar_policies *policies,
                         const struct nk_cedar_entities *entities, struct nk_arena *a)
{
    uint32_t list = nk_json_get(doc, at, NK_STR("requests"));
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i))
        one_request(g, name, doc, i, policies, entities, a);
}

static struct nk_str named_file(struct nk_arena *a, const char *dir, const struct nk_json *doc,
                                const char *member)
{
    return read_file(a, dir, nk_json_string(doc, nk_json_get(doc, 0, nk_str(member)), a));
}

static bool is_reference(const struct nk_json *doc, uint32_t i)
{
    bool escaped = i > 0 && nk_json_is(doc, i - 1, NK_STR("__entity"));
    return !escaped && nk_json_type(doc, i) == NK_JSON_OBJECT && doc->tape[i].count == 2 &&
           nk_json_get(doc, i, NK_STR("type")) != NK_JSON_NONE &&
           nk_json_get(doc, i, NK_STR("id")) != NK_JSON_NONE;
}

/* The hand-written entities leave __entity out where the schema knows that a reference is meant.
 * Reading by schema comes with the validator; here the references are written out. */
static struct nk_str written_out(struct nk_arena *a, struct nk_str text)
{
    struct nk_json doc;
    struct nk_buf out;
    size_t n = 0;
    if (nk_json_parse(&limits, text, a, &doc, NULL))
        return text;
    struct nk_json_edit *edits = nk_arena_array(a, 2 * (size_t)doc.n, sizeof *edits);
    for (uint32_t i = 0; i < doc.n; i++)
        if (is_reference(&doc, i)) {
            uint32_t start = doc.tape[i].start, end = doc.tape[i].end;
            edits[n++] = (struct nk_json_edit){start, start, NK_STR("{\"__entity\":")};
            edits[n++] = (struct nk_json_edit){end, end, NK_STR("}")};
        }
    nk_buf_init(&out, BIG);
    int rc = nk_json_splice(text, edits, n, &out);
    struct nk_str written = rc ? text : nk_arena_copy(a, nk_buf_str(&out));
    nk_buf_free(&out);
    return written;
}

static struct nk_str entities_file(struct nk_arena *a, const char *dir, const struct nk_json *doc)
{
    struct nk_str text = named_file(a, dir, doc, "entities");
    struct nk_str name = nk_json_string(doc, nk_json_get(doc, 0, NK_STR("entities")), a);
    return nk_str_starts(name, NK_STR("sample-data/")) ? written_out(a, text) : text;
}

static void one_test(struct group *g, const char *dir, struct nk_str file)
{
    struct nk_arena a;
    struct nk_json doc;
    struct nk_fault fault = {0};
    nk_arena_init(&a, BIG);
    g->tests++;
    struct nk_cedar_policies *policies = nk_cedar_policies_new(&a);
    struct nk_cedar_entities *entities = nk_cedar_entities_new(&a, NULL);
    struct nk_str text = read_file(&a, dir, file);
    if (nk_json_parse_any_name(&limits, text, &a, &doc, &fault) ||
        nk_cedar_policies_add(policies, named_file(&a, dir, &doc, "policies"), NK_STR("policy"),
                              false, &fault) ||
        nk_cedar_entities_parse(entities, entities_file(&a, dir, &doc), &fault)) {
        complain(g, file.p, fault.message);
        g->broken++;
    } else {
        read_schema(&a, entities, named_file(&a, dir, &doc, "schema"));
        if (nk_cedar_entities_seal(entities, &fault)) {
            complain(g, file.p, fault.message);
            g->broken++;
        } else {
            all_requests(g, file.p, &doc, 0, policies, entities, &a);
        }
    }
    nk_arena_free(&a);
}

static void report(const struct group *g)
{
    tap_ok(g->tests > 0 && g->wrong == 0 && g->broken == 0,
           "%s: %u tests, %u requests (%u also to be validated), %u wrong, %u unreadable; "
           "%u links of templates",
           g->name, g->tests, g->requests, g->validated, g->wrong, g->broken, g->links);
}

static void folder(struct group *g, const char *dir, const char *sub, const char *prefix)
{
    struct nk_arena a;
    struct dirent *item;
    nk_arena_init(&a, BIG);
    DIR *list = opendir(nk_arena_printf(&a, "%s/%s", dir, sub).p);
    while (list && (item = readdir(list))) {
        struct nk_str name = nk_str(item->d_name);
        if (nk_str_ends(name, NK_STR(".json")) && !nk_str_ends(name, NK_STR(".entities.json")) &&
            nk_str_starts(name, nk_str(prefix)))
            one_test(g, dir, nk_arena_printf(&a, "%s/%s", sub, item->d_name));
    }
    if (list)
        closedir(list);
    nk_arena_free(&a);
}

/* Policy sets --------------------------------------------------------------------------------- */

static int add_texts(const struct nk_json *doc, uint32_t texts, struct nk_arena *a,
                     struct nk_cedar_policies *policies, struct nk_fault *fault)
{
    int rc = 0;
    for (uint32_t i = nk_json_first(doc, texts); !rc && i != NK_JSON_NONE;
         i = nk_json_next(doc, texts, i)) {
        /* A policy of its own text gets the id "<prefix>0": the set's ids are p0, p1 …, so the id
         * is written into the text. */
        struct nk_str id = nk_json_string(doc, i, a), text = nk_json_string(doc, i + 1, a);
        text = nk_arena_printf(a, "@id(\"%.*s\") %.*s", NK_FMT(id), NK_FMT(text));
        rc = nk_cedar_policies_add(policies, text, NK_STR(""), true, fault);
    }
    return rc;
}

static int add_links(struct group *g, const struct nk_json *doc, uint32_t links, struct nk_arena *a,
                     struct nk_cedar_policies *policies, struct nk_fault *fault)
{
    int rc = 0;
    for (uint32_t i = nk_json_first(doc, links); !rc && i != NK_JSON_NONE;
         i = nk_json_next(doc, links, i)) {
        struct nk_cedar_slot_value values[2];
        size_t n = 0;
        uint32_t given = nk_json_get(doc, i, NK_STR("values"));
        for (uint32_t v = nk_json_first(doc, given); v != NK_JSON_NONE && n < NK_COUNT(values);
             v = nk_json_next(doc, given, v)) {
            values[n].slot = nk_json_string(doc, v, a);
            if (!read_uid(doc, v + 1, a, &values[n++].uid))
                return NK_EINVAL;
        }
        rc = nk_cedar_policies_link(
            policies, nk_json_string(doc, nk_json_get(doc, i, NK_STR("templateId")), a),
            nk_json_string(doc, nk_json_get(doc, i, NK_STR("newId")), a), values, n, fault);
        g->links++;
    }
    return rc;
}

static void one_set(struct group *g, struct nk_str line, struct nk_str schema)
{
    struct nk_arena a;
    struct nk_json doc;
    struct nk_fault fault = {0};
    nk_arena_init(&a, BIG);
    struct nk_cedar_policies *policies = nk_cedar_policies_new(&a);
    struct nk_cedar_entities *entities = nk_cedar_entities_new(&a, NULL);
    if (nk_json_parse_any_name(&limits, line, &a, &doc, &fault)) {
        g->broken++;
    } else {
        struct nk_str name = nk_json_string(&doc, nk_json_get(&doc, 0, NK_STR("id")), &a);
        name = nk_arena_copy(&a, name);
        uint32_t set = nk_json_get(&doc, 0, NK_STR("policies"));
        struct nk_str list = nk_json_span(&doc, nk_json_get(&doc, 0, NK_STR("entities")));
        g->tests++;
        if (add_texts(&doc, nk_json_get(&doc, set, NK_STR("staticPolicies")), &a, policies,
                      &fault) ||
            add_texts(&doc, nk_json_get(&doc, set, NK_STR("templates")), &a, policies, &fault) ||
            add_links(g, &doc, nk_json_get(&doc, set, NK_STR("templateLinks")), &a, policies,
                      &fault) ||
            nk_cedar_entities_parse(entities, list, &fault)) {
            complain(g, name.p, fault.message);
            g->broken++;
        } else {
            read_schema(&a, entities, schema);
            g->broken += nk_cedar_entities_seal(entities, &fault) != 0;
            all_requests(g, name.p, &doc, 0, policies, entities, &a);
        }
    }
    nk_arena_free(&a);
}

static void sets(const char *dir)
{
    struct group g = {.name = "policy sets"};
    struct nk_arena a;
    nk_arena_init(&a, BIG);
    struct nk_str rest = read_file(&a, dir, NK_STR("multi.jsonl"));
    struct nk_str schema = read_file(&a, dir, NK_STR("multi-policy.cedarschema"));
    while (rest.p) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        if (line.n)
            one_set(&g, line, schema);
    }
    report(&g);
    nk_arena_free(&a);
}

int main(int argc, char **argv)
{
    static const char *const prefixes[] = {"0", "1", "2", "3", "4", "5",
                                           "6", "7", "8", "9", "a", "b"};
    static const char *const written[] = {"tests/decimal", "tests/example_use_cases", "tests/ip",
                                          "tests/multi"};
    if (argc != 2) {
        tap_skip("conformance corpus", "tests/e2e/cedar_corpus unpacks it and runs this");
        return tap_done();
    }
    for (size_t i = 0; i < NK_COUNT(written); i++) {
        struct group g = {.name = written[i]};
        folder(&g, argv[1], written[i], "");
        report(&g);
    }
    for (size_t i = 0; i < NK_COUNT(prefixes); i++) {
        char name[] = "corpus ?";
        struct group g = {.name = name};
        name[sizeof name - 2] = prefixes[i][0];
        folder(&g, argv[1], "corpus-tests", prefixes[i]);
        report(&g);
    }
    sets(argv[1]);
    return tap_done();
}
