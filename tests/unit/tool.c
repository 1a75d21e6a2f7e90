/* SPDX-License-Identifier: Apache-2.0
 *
 * tool.c - decisions on tools against tests/cases/tool/decide.cases; each record is decided again from the policy
 * set alone. Then lists: whatever could be called is listed, and nothing that no argument would be allowed for.
 */
#include "tool/tool.h"

#include "chain/replay.h"
#include "chain/set.h"
#include "tool/type.h"

#include "cases.h"
#include "dice.h"
#include "tap.h"

static const struct nk_json_limits limits = {8 << 20, 64, 1 << 18};
static const uint64_t seed[2] = {1, 2};

struct house {
    struct nk_arena arena;
    struct nk_config config;
    const struct nk_tools *tools;
    struct nk_cedar_policies *policies, *replayed;
    struct nk_cedar_entities *entities, *replayed_entities;
};

static struct nk_str file(struct nk_arena *a, const char *path)
{
    FILE *f = fopen(path, "r");
    char *p = nk_arena_alloc(a, 1 << 20);
    size_t n = f && p ? fread(p, 1, 1 << 20, f) : 0;
    if (f)
        fclose(f);
    return (struct nk_str){p, n};
}

/* tools.json of plain definitions: what `nakoso tools approve` does. */
static struct nk_str approve(struct nk_arena *a, struct nk_str definitions)
{
    struct nk_json doc;
    struct nk_buf out;
    bool some = false;
    nk_buf_init(&out, 1 << 20);
    nk_buf_printf(&out, "{\"format\":1,\"tools\":[");
    if (nk_json_parse(&limits, definitions, a, &doc, NULL))
        return NK_STR("");
    for (uint32_t i = nk_json_first(&doc, 0); i != NK_JSON_NONE; i = nk_json_next(&doc, 0, i)) {
        struct nk_digest digest = {{0}};
        struct nk_str text = nk_json_span(&doc, i);
        if (nk_tool_definition_digest(&doc, i, &digest))
            return NK_STR("");
        nk_buf_printf(&out, "%s%.*s,\"sha256\":\"", some ? "," : "", (int)text.n - 1, text.p);
        some = true;
        nk_buf_add_hex(&out, digest.b, sizeof digest.b);
        nk_buf_printf(&out, "\"}");
    }
    nk_buf_printf(&out, "]}");
    struct nk_str copy = nk_arena_copy(a, nk_buf_str(&out));
    nk_buf_free(&out);
    return copy;
}

static bool build(struct house *h, struct nk_fault *f)
{
    struct nk_arena *a = &h->arena;
    struct nk_set_policy policy = {NK_STR("p.cedar"), file(a, "tests/cases/tool/policy.cedar")};
    struct nk_set set = {.policies = &policy, .policy_count = 1}, again;
    struct nk_str definitions = approve(a, file(a, "tests/cases/tool/definitions.json"));
    struct nk_buf text;
    nk_buf_init(&text, NK_SET_MAX);
    int rc = nk_config_parse(file(a, "tests/cases/tool/config.json"), a, &h->config, f);
    if (!rc)
        rc = nk_set_configure(&set, &h->config, a);
    if (!rc)
        rc = nk_tools_new(&h->config, definitions, seed, a, &h->tools, f);
    if (!rc)
        rc = nk_set_tools(&set, h->tools, a);
    if (!rc)
        rc = nk_set_policies(&set, a, &h->policies, f);
    if (!rc)
        rc = nk_set_entities(&set, a, &h->entities, f);
    if (!rc)
        rc = nk_tool_judge_check(h->policies, f);
    nk_set_write(&set, &text); /* as the log keeps it */
    if (!rc)
        rc = nk_set_read(nk_arena_copy(a, nk_buf_str(&text)), a, &again, f);
    if (!rc)
        rc = nk_set_policies(&again, a, &h->replayed, f);
    if (!rc)
        rc = nk_set_entities(&again, a, &h->replayed_entities, f);
    nk_buf_free(&text);
    return rc == 0;
}

/* A question of a case file, and what it needs. */
struct question {
    struct house *house;
    struct nk_arena arena;
    struct nk_json doc;
    struct nk_principal principal;
    struct nk_tool_ask ask;
    struct nk_tool_verdict verdict;
    struct nk_fault fault;
};

static size_t read_names(struct question *q, const char *name, struct nk_str out[8])
{
    uint32_t list = nk_json_get(&q->doc, 0, nk_str(name));
    size_t n = 0;
    for (uint32_t i = list == NK_JSON_NONE ? list : nk_json_first(&q->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(&q->doc, list, i))
        out[n++] = nk_json_string(&q->doc, i, &q->arena);
    return n;
}

static struct nk_str entities_of(struct question *q)
{
    struct nk_buf b;
    nk_buf_init(&b, 1 << 16);
    nk_buf_printf(&b, "[{\"uid\":{\"type\":\"User\",\"id\":\"u\"},\"attrs\":{},\"parents\":[");
    for (size_t i = 0; i < q->principal.group_count; i++)
        nk_buf_printf(&b, "%s{\"type\":\"Group\",\"id\":\"%.*s\"}", i ? "," : "",
                      NK_FMT(q->principal.groups[i]));
    nk_buf_printf(&b, "]}]");
    struct nk_str copy = nk_arena_copy(&q->arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return copy;
}

static bool prepare(struct question *q, struct house *h, struct nk_str text)
{
    static struct nk_str groups[8], names[8];
    static struct nk_actor actors[8];
    *q = (struct question){.house = h};
    nk_arena_init(&q->arena, 64 << 20);
    if (nk_json_parse(&limits, text, &q->arena, &q->doc, &q->fault))
        return false;
    q->principal = (struct nk_principal){.type = NK_STR("User"),
                                         .id = NK_STR("u"),
                                         .groups = groups,
                                         .actors = actors,
                                         .proof = "jwt"};
    q->principal.group_count = read_names(q, "groups", groups);
    q->principal.actor_count = read_names(q, "actors", names);
    for (size_t i = 0; i < q->principal.actor_count; i++)
        actors[i] = (struct nk_actor){names[i], {NULL, 0}};
    struct nk_str name =
        nk_json_string(&q->doc, nk_json_get(&q->doc, 0, NK_STR("tool")), &q->arena);
    struct nk_cedar_entities *store = nk_cedar_entities_new(&q->arena, h->entities);
    q->ask = (struct nk_tool_ask){.tool = nk_tools_find(h->tools, name),
                                  .name = name,
                                  .principal = &q->principal,
                                  .entities = entities_of(q),
                                  .store = store,
                                  .policies = h->policies,
                                  .session = {.turn = 1},
                                  .dialect = "mcp"};
    uint32_t calls = nk_json_get(&q->doc, 0, NK_STR("calls"));
    if (calls != NK_JSON_NONE && nk_json_i64(&q->doc, calls, &q->ask.session.calls))
        return false;
    return store && nk_cedar_entities_parse(store, q->ask.entities, &q->fault) == 0 &&
           nk_cedar_entities_seal(store, &q->fault) == 0;
}

static struct nk_str arguments(struct question *q, const char *name)
{
    uint32_t at = nk_json_get(&q->doc, 0, nk_str(name));
    return at == NK_JSON_NONE ? (struct nk_str){NULL, 0} : nk_json_span(&q->doc, at);
}

static int ask(struct question *q)
{
    struct nk_digest agreed;
    uint32_t text = nk_json_get(&q->doc, 0, NK_STR("text"));
    struct nk_str args =
        text == NK_JSON_NONE ? arguments(q, "args") : nk_json_string(&q->doc, text, &q->arena);
    if (nk_json_get(&q->doc, 0, NK_STR("approved")) != NK_JSON_NONE) {
        struct nk_str of = arguments(q, "of");
        q->ask.arguments = of.p ? of : args;
        if (nk_tool_decide(&q->ask, &q->arena, &q->verdict, &q->fault))
            return NK_EINVAL;
        agreed = q->verdict.approval;
        q->ask.approved = &agreed;
    }
    q->ask.arguments = args;
    int rc = nk_tool_decide(&q->ask, &q->arena, &q->verdict, &q->fault);
    q->ask.approved = NULL;
    return rc;
}

static void put_words(struct nk_buf *b, const char *before, const struct nk_str *list, size_t n)
{
    nk_buf_printf(b, "%s", n ? before : "");
    for (size_t i = 0; i < n; i++)
        nk_buf_printf(b, " %.*s", NK_FMT(list[i]));
}

static void put_answer(struct nk_buf *b, const struct question *q, int rc)
{
    const struct nk_tool_verdict *v = &q->verdict;
    if (rc) {
        nk_buf_printf(b, "error %s", q->fault.message);
        return;
    }
    nk_buf_printf(b, "%s", nk_tool_outcome_name(v->outcome));
    put_words(b, "", v->answer.reasons, v->answer.reason_count);
    put_words(b, " waived", v->waived, v->waived_count);
    put_words(b, " redact", v->redact, v->redact_count);
    for (size_t i = 0; q->ask.tool && i < q->ask.tool->class_count; i++)
        if (v->denied >> i & 1)
            put_words(b, " hides", &q->ask.tool->classes[i], 1);
}

/* Is the record what the log could decide again, from the policy set alone? */
static bool replays(struct question *q, int rc)
{
    struct nk_replay again;
    struct nk_json doc;
    struct nk_str parts[] = {NK_STR("{\"kind\":\"decision\""), q->verdict.record, NK_STR("}")};
    struct nk_str text = nk_arena_join(&q->arena, parts, 3);
    if (nk_json_parse(&limits, text, &q->arena, &doc, &q->fault) ||
        nk_replay_record(&doc, q->house->replayed, q->house->replayed_entities, &q->arena, &again,
                         &q->fault))
        return false;
    return rc ? !again.judged && q->verdict.why.p
              : again.judged && again.same &&
                    (q->verdict.outcome == NK_TOOL_ALLOW) == !q->verdict.why.p;
}

static bool listed(struct question *q)
{
    bool is = false;
    return nk_tool_may_list(&q->ask, &q->arena, &is, &q->fault) == 0 && is;
}

static void run_case(const struct case_line *c, void *ctx)
{
    struct question q;
    struct nk_buf have;
    nk_buf_init(&have, 4096);
    bool ready = prepare(&q, ctx, (struct nk_str){c->input, c->n});
    int rc = ready ? ask(&q) : NK_EINVAL;
    put_answer(&have, &q, rc);
    tap_ok(nk_str_eq(nk_buf_str(&have), nk_str(c->expect)), "decide.cases:%d %s (came: %.*s)",
           c->line, c->expect, NK_FMT(nk_buf_str(&have)));
    tap_ok(replays(&q, rc), "decide.cases:%d can be decided again (%s)", c->line, q.fault.message);
    if (!rc && q.verdict.outcome != NK_TOOL_REFUSE)
        tap_ok(listed(&q), "decide.cases:%d is listed", c->line);
    nk_buf_free(&have);
    nk_arena_free(&q.arena);
}

/* Lists against calls with random arguments --------------------------------------------------------- */

static const char *pick(struct dice *d, const char *const *list, uint32_t n)
{
    return list[roll(d, n)];
}

static struct nk_str random_arguments(struct dice *d, struct nk_arena *a, const struct nk_tool *t)
{
    static const char *const ids[] = {"1", "2", "3"};
    static const char *const amounts[] = {"1", "100", "100.5", "999.99", "5000"};
    static const char *const reasons[] = {",\"reason\":\"x\"", ",\"reason\":null", ""};
    static const char *const more[] = {"", ",\"note\":\"evil\"", ",\"force\":1",
                                       ",\"schedule\":{\"day\":1,\"monthly\":true}"};
    if (nk_str_eq(t->server, NK_STR("bank")) && nk_str_eq(t->name, NK_STR("pay")))
        return nk_arena_printf(a, "{\"to\":\"DE1\",\"amount\":%s%s}", pick(d, amounts, 5),
                               pick(d, more, 4));
    if (nk_str_eq(t->name, NK_STR("run")))
        return NK_STR("{\"command\":\"ls\"}");
    if (nk_str_eq(t->name, NK_STR("delete_patient")))
        return nk_arena_printf(a, "{\"id\":%s%s}", pick(d, ids, 3), pick(d, reasons, 3));
    return nk_str_eq(t->name, NK_STR("get_patient"))
               ? nk_arena_printf(a, "{\"id\":%s}", pick(d, ids, 3))
               : NK_STR("{}");
}

/* Somebody random; of each tool: is it listed, and is any of a hundred calls not refused? */
static void compare(struct dice *d, struct house *h, int *wrong, int *hidden)
{
    static const char *const groups[] = {"staff", "doctors", "clerks", "lab", "nobody"};
    static const char *const actors[] = {"[]", "[\"payroll\"]", "[\"shop\"]"};
    for (size_t i = 0; i < nk_tools_count(h->tools); i++) {
        const struct nk_tool *t = nk_tools_at(h->tools, i);
        struct question q;
        char text[256];
        bool possible = false;
        snprintf(text, sizeof text,
                 "{\"tool\":\"%.*s\",\"groups\":[\"%s\",\"%s\"],\"actors\":%s,\"calls\":%u}",
                 NK_FMT(t->full), pick(d, groups, 5), pick(d, groups, 5), pick(d, actors, 3),
                 roll(d, 6));
        if (!prepare(&q, h, nk_str(text))) {
            ++*wrong;
            continue;
        }
        bool is = listed(&q);
        for (int k = 0; k < 40 && !possible; k++) {
            q.ask.arguments = random_arguments(d, &q.arena, t);
            possible = nk_tool_decide(&q.ask, &q.arena, &q.verdict, &q.fault) == 0 &&
                       q.verdict.outcome != NK_TOOL_REFUSE;
        }
        *wrong += is != possible;
        *hidden += !is;
        nk_arena_free(&q.arena);
    }
}

/* Configurations that are refused ------------------------------------------------------------------- */

static void refuses(const char *what, const char *rules, const char *definition, const char *words)
{
    struct nk_arena a;
    struct nk_config config;
    const struct nk_tools *tools;
    struct nk_fault f = {0};
    nk_arena_init(&a, 64 << 20);
    struct nk_str parts[] = {
        NK_STR(
            "{\"listen\":[{\"address\":\"127.0.0.1:1\"}],\"upstreams\":[{\"name\":\"ehr\","
            "\"dialect\":"
            "\"openai\",\"url\":\"http://127.0.0.1:2\"}],\"models\":[{\"name\":\"m\",\"upstream\":"
            "\"ehr\"}],\"tools\":{\"rules\":["),
        nk_str(rules), NK_STR("]}}")};
    struct nk_str definitions[] = {NK_STR("["), nk_str(definition), NK_STR("]")};
    int rc = nk_config_parse(nk_arena_join(&a, parts, 3), &a, &config, &f);
    if (!rc)
        rc = nk_tools_new(&config, approve(&a, nk_arena_join(&a, definitions, 3)), seed, &a, &tools,
                          &f);
    tap_ok(rc && strstr(f.message, words), "refused: %s (%s)", what, f.message);
    nk_arena_free(&a);
}

int main(void)
{
    struct house h = {.config = {.listen_count = 0}};
    struct nk_fault f = {0};
    struct dice d = {.state = 99};
    int wrong = 0, hidden = 0;
    nk_arena_init(&h.arena, 64 << 20);
    if (!tap_ok(build(&h, &f), "the house is ready (%s)", f.message))
        return tap_done();
    TAP_CHECK(nk_tools_count(h.tools) == 6);
    TAP_CHECK(nk_tools_find_of(h.tools, NK_STR("bank"), NK_STR("pay")) &&
              !nk_tools_find_of(h.tools, NK_STR("bank"), NK_STR("steal")));
    TAP_CHECK(cases_read("tests/cases/tool/decide.cases", run_case, &h) > 30);
    for (int i = 0; i < 500; i++)
        compare(&d, &h, &wrong, &hidden);
    tap_ok(wrong == 0, "lists are as calls are decided: %d of 3000 differ", wrong);
    tap_ok(hidden > 300 && hidden < 2700, "%d of 3000 are hidden", hidden);
    refuses("a server that is not there", "",
            "{\"server\":\"lab\",\"name\":\"x\",\"inputSchema\":{}}", "no upstream \"lab\"");
    refuses("a schema that cannot be", "",
            "{\"server\":\"ehr\",\"name\":\"x\",\"inputSchema\":{\"type\":\"strng\"}}",
            "ehr___x: inputSchema/type: there is no such type");
    refuses("a path that cannot be",
            "{\"tool\":\"ehr___x\",\"fields\":[{\"path\":\"medical\",\"class\":\"c\"}]}",
            "{\"server\":\"ehr\",\"name\":\"x\",\"inputSchema\":{}}", "tools.rules: ehr___x");
    refuses("a star in the middle", "{\"tool\":\"ehr___*_get\"}", "", "at the end alone");
    refuses("two tools of one name", "",
            "{\"server\":\"client\",\"name\":\"a\",\"inputSchema\":{}},"
            "{\"server\":\"client\",\"name\":\"a\",\"inputSchema\":{}}",
            "it is there twice");
    nk_arena_free(&h.arena);
    return tap_done();
}
