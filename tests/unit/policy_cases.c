/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_cases.c - golden snapshots of the shipped policies: each policy/<name>.cases is decided by
 * policy/<name>.cedar. policy/default.cases explains how a case is written.
 */
#include "cases.h"
#include "cedar/cedar.h"
#include "proto/proto.h"
#include "tap.h"

#include <dirent.h>

enum { BIG = 16 << 20, WORDS = 32, LIST = 32 };

struct suite {
    struct nk_arena arena;
    struct nk_cedar_policies *policies;
    struct nk_cedar_entities *models;
    bool sealed;
};

/* The facts of one case; what is not said has the value of an ordinary small request. */
struct scene {
    struct nk_arena *arena;
    struct nk_cedar_uid who, action, on;
    struct nk_cedar_uid groups[LIST];
    size_t group_n;
    struct nk_cedar_member attrs[4], context[16];
    size_t attr_n, context_n;
    bool broken;
};

static const struct nk_cedar_value *strings(struct nk_arena *a, struct nk_str list)
{
    const struct nk_cedar_value *items[LIST];
    size_t n = 0;
    while (list.n && list.p && n < LIST)
        items[n++] = nk_cedar_string(a, nk_str_cut(&list, ','));
    return nk_cedar_set(a, items, n);
}

static void put(struct scene *s, const char *name, const struct nk_cedar_value *value)
{
    for (size_t i = 0; i < s->context_n; i++)
        if (nk_str_eq(s->context[i].name, nk_str(name))) {
            s->context[i].value = value;
            return;
        }
    s->context[s->context_n++] = (struct nk_cedar_member){nk_str(name), value};
}

static void take_out(struct scene *s, struct nk_str name)
{
    for (size_t i = 0; i < s->context_n; i++)
        if (nk_str_eq(s->context[i].name, name)) {
            s->context[i] = s->context[--s->context_n];
            return;
        }
    s->broken = true;
}

static void ordinary(struct scene *s)
{
    put(s, "dialect", nk_cedar_string(s->arena, NK_STR("openai")));
    put(s, "stream", nk_cedar_bool(s->arena, false));
    put(s, "messages", nk_cedar_long(s->arena, 1));
    put(s, "maxTokens", nk_cedar_long(s->arena, 0));
    put(s, "bodyBytes", nk_cedar_long(s->arena, 1000));
    put(s, "strength", nk_cedar_string(s->arena, NK_STR("key")));
    put(s, "tools", nk_cedar_set(s->arena, NULL, 0));
    put(s, "hostedTools", nk_cedar_set(s->arena, NULL, 0));
}

static bool is_one_of(struct nk_str word, const char *list)
{
    struct nk_str rest = nk_str(list);
    while (rest.p)
        if (nk_str_eq(word, nk_str_cut(&rest, ' ')))
            return true;
    return false;
}

static void context_word(struct scene *s, struct nk_str key, struct nk_str value)
{
    const char *name = nk_arena_copy(s->arena, key).p;
    int64_t number;
    if (is_one_of(key, "tools hostedTools"))
        put(s, name, strings(s->arena, value));
    else if (is_one_of(key, "dialect strength serverHost"))
        put(s, name, nk_cedar_string(s->arena, value));
    else if (nk_str_eq(key, NK_STR("stream")))
        put(s, name, nk_cedar_bool(s->arena, nk_str_eq(value, NK_STR("true"))));
    else if (is_one_of(key, "messages maxTokens bodyBytes") && !nk_str_to_i64(value, &number))
        put(s, name, nk_cedar_long(s->arena, number));
    else if (nk_str_eq(key, NK_STR("without")))
        take_out(s, value);
    else
        s->broken = true;
}

static void word(struct scene *s, struct nk_str key, struct nk_str value)
{
    if (nk_str_eq(key, NK_STR("who"))) {
        ptrdiff_t at = nk_str_search(value, NK_STR("::"));
        s->broken |= at < 0;
        s->who = (struct nk_cedar_uid){nk_str_sub(value, 0, (size_t)at),
                                       nk_str_sub(value, (size_t)at + 2, value.n)};
    } else if (nk_str_eq(key, NK_STR("in"))) {
        while (value.p && s->group_n < LIST)
            s->groups[s->group_n++] =
                (struct nk_cedar_uid){NK_STR("Group"), nk_str_cut(&value, ',')};
    } else if (nk_str_eq(key, NK_STR("does"))) {
        s->action = (struct nk_cedar_uid){NK_STR("Action"), value};
    } else if (nk_str_eq(key, NK_STR("on"))) {
        s->on = (struct nk_cedar_uid){NK_STR("Model"), value};
        if (nk_str_eq(value, NK_STR("list")))
            s->on = (struct nk_cedar_uid){NK_STR("Gateway"), NK_STR("models")};
        else if (nk_str_eq(value, NK_STR("stores")))
            s->on = (struct nk_cedar_uid){NK_STR("Gateway"), NK_STR("policyStores")};
        else if (nk_str_starts(value, NK_STR("store:")))
            s->on = (struct nk_cedar_uid){NK_STR("PolicyStore"), nk_str_sub(value, 6, value.n)};
        else if (nk_str_starts(value, NK_STR("tool:")))
            s->on = (struct nk_cedar_uid){NK_STR("Tool"), nk_str_sub(value, 5, value.n)};
        else if (nk_str_starts(value, NK_STR("hosted:")))
            s->on = (struct nk_cedar_uid){NK_STR("HostedTool"), nk_str_sub(value, 7, value.n)};
    } else if (nk_str_eq(key, NK_STR("upstreams"))) {
        s->attrs[s->attr_n++] =
            (struct nk_cedar_member){NK_STR("upstreams"), strings(s->arena, value)};
    } else {
        context_word(s, key, value);
    }
}

static void declare_model(struct suite *s, struct nk_str rest)
{
    struct nk_str name = nk_str_cut(&rest, ' '), upstream = NK_STR(""), dialect = NK_STR("openai");
    while (rest.p) {
        struct nk_str value = nk_str_cut(&rest, ' '), key = nk_str_cut(&value, '=');
        *(nk_str_eq(key, NK_STR("upstream")) ? &upstream : &dialect) = value;
    }
    struct nk_cedar_uid parent = {NK_STR("Upstream"), upstream};
    struct nk_cedar_member attrs[] = {
        {NK_STR("dialect"), nk_cedar_string(&s->arena, dialect)},
        {NK_STR("upstream"), nk_cedar_string(&s->arena, upstream)},
    };
    TAP_CHECK(nk_cedar_entities_add(s->models, (struct nk_cedar_uid){NK_STR("Model"), name},
                                    &parent, 1, nk_cedar_record(&s->arena, attrs, 2), NULL) == 0);
}

/* "allow id,id", "deny -" … and "error id" for a policy that erred, which no case expects. */
static struct nk_str answer_text(struct nk_arena *a, const struct nk_cedar_answer *answer)
{
    struct nk_str text = answer->allow ? NK_STR("allow ") : NK_STR("deny ");
    for (size_t i = 0; i < answer->reason_count; i++)
        text = nk_arena_printf(a, "%.*s%s%.*s", NK_FMT(text), i ? "," : "",
                               NK_FMT(answer->reasons[i]));
    if (answer->reason_count == 0)
        text = nk_arena_printf(a, "%.*s-", NK_FMT(text));
    for (size_t i = 0; i < answer->error_count; i++)
        text = nk_arena_printf(a, "%.*s error %.*s: %s", NK_FMT(text),
                               NK_FMT(answer->errors[i].policy), answer->errors[i].what);
    return text;
}

static struct nk_str decide(struct suite *suite, struct scene *s)
{
    struct nk_cedar_entities *e = nk_cedar_entities_new(s->arena, suite->models);
    struct nk_cedar_request request = {s->who, s->action, s->on,
                                       nk_cedar_record(s->arena, s->context, s->context_n)};
    struct nk_cedar_answer answer;
    if (s->broken || !s->who.id.p || !s->action.id.p || !s->on.id.p)
        return NK_STR("this case cannot be understood");
    if (nk_cedar_entities_add(e, s->who, s->groups, s->group_n,
                              nk_cedar_record(s->arena, s->attrs, s->attr_n), NULL) ||
        nk_cedar_entities_seal(e, NULL) ||
        nk_cedar_authorize(suite->policies, e, &request, s->arena, &answer))
        return NK_STR("an error");
    return answer_text(s->arena, &answer);
}

static void one_case(const struct case_line *c, void *ctx)
{
    struct suite *suite = ctx;
    struct nk_str rest = nk_arena_copy(&suite->arena, (struct nk_str){c->input, c->n});
    if (strcmp(c->expect, "model") == 0) {
        declare_model(suite, rest);
        return;
    }
    if (!suite->sealed)
        TAP_CHECK(nk_cedar_entities_seal(suite->models, NULL) == 0);
    suite->sealed = true;
    struct scene s = {.arena = &suite->arena};
    ordinary(&s);
    while (rest.p) {
        struct nk_str value = nk_str_cut(&rest, ' '), key = nk_str_cut(&value, '=');
        word(&s, key, value);
    }
    struct nk_str got = decide(suite, &s);
    bool same = nk_str_eq(got, nk_str(c->expect));
    tap_ok(same, "%s:%d %s: %.*s%s%.*s", c->file, c->line, c->expect, (int)c->n, c->input,
           same ? "" : " -- it is: ", same ? 0 : (int)got.n, got.p);
}

static struct nk_str read_file(struct nk_arena *a, const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = nk_arena_alloc(a, 1 << 20);
    size_t n = file && text ? fread(text, 1, 1 << 20, file) : 0;
    if (file)
        fclose(file);
    return (struct nk_str){text, n};
}

static void run_suite(struct nk_str name)
{
    struct suite s = {.sealed = false};
    struct nk_fault fault = {0};
    nk_arena_init(&s.arena, BIG);
    s.policies = nk_cedar_policies_new(&s.arena);
    s.models = nk_cedar_entities_new(&s.arena, NULL);
    struct nk_str policy = nk_arena_printf(&s.arena, "policy/%.*s.cedar", NK_FMT(name));
    struct nk_str cases = nk_arena_printf(&s.arena, "policy/%.*s.cases", NK_FMT(name));
    int rc = nk_cedar_policies_add(s.policies, read_file(&s.arena, policy.p), name, true, &fault);
    tap_ok(rc == 0 && nk_cedar_policies_count(s.policies) > 0, "%s is read %s", policy.p,
           fault.message);
    TAP_CHECK(cases_read(cases.p, one_case, &s) > 0);
    nk_arena_free(&s.arena);
}

/* What the gate may ask about, the shipped schema declares: otherwise nobody could write a policy for it. */
static void all_actions_are_declared(void)
{
    struct nk_arena a;
    size_t n;
    nk_arena_init(&a, BIG);
    struct nk_str schema = read_file(&a, "policy/nakoso.cedarschema");
    const struct nk_dialect *const *dialects = nk_dialects(&n);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < dialects[i]->endpoint_count; k++) {
            const char *action = dialects[i]->endpoints[k].action;
            if (dialects[i]->endpoints[k].local == NK_LOCAL_NOBODY)
                continue; /* refused, whoever asks */
            struct nk_str line = nk_arena_printf(&a, "\naction %s ", action);
            tap_ok(nk_str_search(schema, line) >= 0, "the schema has Action::\"%s\"", action);
        }
    nk_arena_free(&a);
}

int main(void)
{
    DIR *list = opendir("policy");
    struct dirent *item;
    int suites = 0;
    while (list && (item = readdir(list))) {
        struct nk_str name = nk_str(item->d_name);
        if (!nk_str_ends(name, NK_STR(".cases")))
            continue;
        run_suite(nk_str_sub(name, 0, name.n - strlen(".cases")));
        suites++;
    }
    if (list)
        closedir(list);
    TAP_CHECK(suites > 0);
    all_actions_are_declared();
    return tap_done();
}
