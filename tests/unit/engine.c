/* SPDX-License-Identifier: Apache-2.0
 *
 * engine.c - the installed header: order of calls, limits, links, what an answer says, and that nothing is half
 * loaded. That a program outside finds and links it is shown by tests/e2e/embed.
 */
#include "nakoso.h"

#include <stdlib.h>
#include <string.h>
#include "tap.h"

static struct nk_text text(const char *z)
{
    return (struct nk_text){z, z ? strlen(z) : 0};
}

static struct nk_entity entity(const char *type, const char *id)
{
    return (struct nk_entity){text(type), text(id)};
}

static int add(struct nk_engine *e, const char *policies, struct nk_engine_fault *f)
{
    *f = (struct nk_engine_fault){0};
    char *own = strdup(policies); /* the caller's text may go at once */
    int rc = nk_engine_add_policies(e, text(own), text("p"), f);
    memset(own, 'x', strlen(own));
    free(own);
    return rc;
}

static int ask(const struct nk_engine *e, const char *who, const char *context,
               const char *entities, struct nk_engine_answer **out, struct nk_engine_fault *f)
{
    const struct nk_engine_question q = {.principal = entity("User", who),
                                         .action = entity("Action", "read"),
                                         .resource = entity("Doc", "1"),
                                         .context = text(context),
                                         .entities = text(entities)};
    *f = (struct nk_engine_fault){0};
    return nk_engine_decide(e, &q, out, f);
}

static void test_story(void)
{
    struct nk_engine_fault f = {0};
    struct nk_engine_answer *a = NULL;
    struct nk_engine *e = nk_engine_new(NULL);
    tap_ok(nk_engine_api() == NK_ENGINE_API, "the header and the library are of one API");
    tap_ok(add(e, "permit (principal, action, resource) when { context.ok };", &f) == 0,
           "policies");
    tap_ok(add(e, "@id(\"t\") permit (principal == ?principal, action, resource == ?resource);",
               &f) == 0,
           "a template");
    tap_ok(add(e, "permit (principal, action, resource);\nforbid (", &f) == NK_ENGINE_INVALID &&
               strstr(f.message, "line 2"),
           "a text with a mistake: %s", f.message);
    tap_ok(add(e, "@id(\"p0\") permit (principal, action, resource);", &f) == NK_ENGINE_CONFLICT,
           "an id that is there: %s", f.message);
    f = (struct nk_engine_fault){0};
    tap_ok(nk_engine_link(e, text("t"), text("l"), entity("User", "dave"), entity("Doc", "1"),
                          &f) == 0,
           "a link");
    tap_ok(nk_engine_link(e, text("none"), text("m"), entity("User", "d"), entity("Doc", "1"),
                          &f) == NK_ENGINE_MISSING,
           "a link of no template: %s", f.message);
    f = (struct nk_engine_fault){0};
    tap_ok(nk_engine_add_entities(e,
                                  text("[{\"uid\":{\"type\":\"User\",\"id\":\"eve\"},\"attrs\":{},"
                                       "\"parents\":[]}]"),
                                  &f) == 0,
           "entities");
    tap_ok(ask(e, "alice", NULL, NULL, &a, &f) == NK_ENGINE_INVALID && !a && !nk_engine_allows(a),
           "not ready: %s", f.message);
    f = (struct nk_engine_fault){0};
    tap_ok(nk_engine_ready(e, &f) == 0, "ready");
    tap_ok(add(e, "permit (principal, action, resource);", &f) == NK_ENGINE_INVALID,
           "nothing is added any more: %s", f.message);
    tap_ok(ask(e, "alice", "{\"ok\":true}", NULL, &a, &f) == 0 && nk_engine_allows(a) &&
               nk_engine_reason_count(a) == 1 && strcmp(nk_engine_reason(a, 0), "p0") == 0 &&
               !nk_engine_reason(a, 1),
           "allowed, by p0");
    nk_engine_answer_free(a);
    tap_ok(ask(e, "dave", "{}", NULL, &a, &f) == 0 && nk_engine_allows(a) &&
               strcmp(nk_engine_reason(a, 0), "l") == 0 && nk_engine_error_count(a) == 1 &&
               strcmp(nk_engine_error_policy(a, 0), "p0") == 0 && nk_engine_error_text(a, 0),
           "allowed by the link, while p0 erred");
    nk_engine_answer_free(a);
    tap_ok(ask(e, "bob", "{\"ok\":false}", "[]", &a, &f) == 0 && !nk_engine_allows(a), "denied");
    nk_engine_answer_free(a);
    tap_ok(ask(e, "bob", "[]", NULL, &a, &f) == NK_ENGINE_INVALID && !a,
           "a context that is no record: %s", f.message);
    tap_ok(ask(e, "bob", "{\"ok\":", NULL, &a, &f) == NK_ENGINE_INVALID && !a,
           "a context that is no JSON: %s", f.message);
    tap_ok(ask(e, "bob", NULL, "[{}]", &a, &f) == NK_ENGINE_INVALID && !a,
           "entities that are none: %s", f.message);
    nk_engine_free(e);
    nk_engine_free(NULL);
    nk_engine_answer_free(NULL);
}

static void test_limits(void)
{
    const struct nk_engine_limits small = {64 << 10, 16 << 10, 4 << 10};
    struct nk_engine_fault f = {0};
    struct nk_engine_answer *a = NULL;
    struct nk_engine *e = nk_engine_new(&small);
    char *large = malloc(8 << 10);
    memset(large, ' ', (8 << 10) - 1);
    large[(8 << 10) - 1] = 0;
    tap_ok(add(e, large, &f) == NK_ENGINE_LIMIT, "a text over the limit: %s", f.message);
    int rc = 0, i = 0;
    for (; i < 1000 && !rc; i++) {
        char one[128];
        snprintf(one, sizeof one,
                 "@id(\"%d\") permit (principal == User::\"u%d\", action, resource);", i, i);
        rc = add(e, one, &f);
    }
    tap_ok(rc == NK_ENGINE_MEMORY, "memory over the limit after %d policies: %s", i, f.message);
    f = (struct nk_engine_fault){0};
    tap_ok(nk_engine_ready(e, &f) == NK_ENGINE_MEMORY &&
               ask(e, "u0", NULL, NULL, &a, &f) == NK_ENGINE_INVALID && !a,
           "with no room to make it ready, nobody is answered");
    nk_engine_free(e);
    e = nk_engine_new(&small);
    f = (struct nk_engine_fault){0};
    tap_ok(add(e, "permit (principal, action, resource);", &f) == 0 &&
               nk_engine_ready(e, &f) == 0 && ask(e, "u0", NULL, NULL, &a, &f) == 0 &&
               nk_engine_allows(a),
           "a small set fits");
    nk_engine_answer_free(a);
    memset(large, '[', 4000);
    large[4000] = 0;
    tap_ok(ask(e, "u0", large, NULL, &a, &f) != 0 && !a, "a context nested without end: %s",
           f.message);
    free(large);
    nk_engine_free(e);
    const struct nk_engine_limits none = {0, 0, 0};
    e = nk_engine_new(&none);
    tap_ok(!e, "no memory, no engine");
    nk_engine_free(e);
}

static void test_schema(void)
{
    static const char schema[] =
        "entity User; entity Doc = { owner: User }; action write;"
        "action read in [write] appliesTo { principal: User, resource: Doc };";
    struct nk_engine_fault f = {0};
    struct nk_engine_answer *a = NULL;
    struct nk_engine *e = nk_engine_new(NULL);
    tap_ok(nk_engine_set_schema(e, text(schema), &f) == 0, "a schema");
    tap_ok(nk_engine_set_schema(e, text(schema), &f) == NK_ENGINE_INVALID, "but once: %s",
           f.message);
    f = (struct nk_engine_fault){0};
    tap_ok(nk_engine_add_entities(
               e, text("[{\"uid\":{\"type\":\"Doc\",\"id\":\"1\"},\"attrs\":{},\"parents\":[]}]"),
               &f) == NK_ENGINE_INVALID,
           "an entity that does not keep to it: %s", f.message);
    tap_ok(add(e, "permit (principal, action in Action::\"write\", resource);", &f) == 0 &&
               nk_engine_ready(e, &f) == 0 && ask(e, "x", NULL, NULL, &a, &f) == 0 &&
               nk_engine_allows(a),
           "`action in` knows the schema's groups: %s", f.message);
    nk_engine_answer_free(a);
    nk_engine_free(e);
    e = nk_engine_new(NULL);
    tap_ok(nk_engine_set_schema(e, text(schema), &f) == 0 &&
               add(e, "permit (principal, action, resource) when { resource.ownr == principal };",
                   &f) == 0 &&
               nk_engine_ready(e, &f) == NK_ENGINE_INVALID && strstr(f.message, "ownr"),
           "a policy that does not: %s", f.message);
    nk_engine_free(e);
}

int main(void)
{
    test_story();
    test_schema();
    test_limits();
    return tap_done();
}
