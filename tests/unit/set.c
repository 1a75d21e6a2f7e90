/* SPDX-License-Identifier: Apache-2.0
 *
 * set.c - policy sets and replay: the canonical form and its digest, what a judge is made of, and
 * decisions that come out again as they were recorded.
 */
#include "chain/replay.h"
#include "chain/set.h"

#include "tap.h"

static struct nk_arena arena;

static const struct nk_set_policy policies[] = {
    {{"a.cedar", 7}, {"permit(principal, action, resource == Model::\"small\");\n", 55}},
    {{"b \"q\"\n", 6}, {"@id(\"no\") forbid(principal == User::\"eve\", action, resource);", 61}},
};
static const struct nk_str upstreams[] = {{"lab", 3}, {"東", 3}};
static const struct nk_set_model models[] = {{{"small", 5}, {"lab", 3}, {"openai", 6}},
                                             {{"large", 5}, {"東", 3}, {"anthropic", 9}}};

static struct nk_set sample(void)
{
    return (struct nk_set){.policies = policies,
                           .policy_count = 2,
                           .upstreams = upstreams,
                           .upstream_count = 2,
                           .models = models,
                           .model_count = 2};
}

static void canonical(void)
{
    static const char want[] =
        "{\"format\":1,\"policies\":[{\"name\":\"a.cedar\",\"text\":\"permit(principal, action, "
        "resource "
        "== Model::\\\"small\\\");\\n\"},{\"name\":\"b \\\"q\\\"\\n\",\"text\":\"@id(\\\"no\\\") "
        "forbid(principal == User::\\\"eve\\\", action, resource);\"}],\"entities\":\"\","
        "\"upstreams\":[\"lab\",\"東\"],\"models\":[{\"name\":\"small\",\"upstream\":\"lab\","
        "\"dialect\":\"openai\"},{\"name\":\"large\",\"upstream\":\"東\",\"dialect\":\"anthropic\"}"
        "]}";
    struct nk_set s = sample(), back;
    struct nk_buf text;
    struct nk_digest d, of_text, other;
    struct nk_fault f = {.code = 0};
    nk_buf_init(&text, 1 << 20);
    nk_set_write(&s, &text);
    TAP_CHECK(nk_str_eq(nk_buf_str(&text), NK_STR(want)));
    of_text = nk_sha256(NK_STR(want));
    TAP_CHECK(nk_set_digest(&s, &d) == 0 && nk_digest_eq(d, of_text));
    TAP_CHECK(nk_set_read(nk_buf_str(&text), &arena, &back, &f) == 0 && back.policy_count == 2 &&
              back.model_count == 2 && nk_str_eq(back.policies[1].name, policies[1].name));
    TAP_CHECK(nk_set_digest(&back, &other) == 0 && nk_digest_eq(d, other));
    s.entities = NK_STR("[]");
    TAP_CHECK(nk_set_digest(&s, &other) == 0 && !nk_digest_eq(d, other));
    s = sample();
    s.policy_count = 1;
    TAP_CHECK(nk_set_digest(&s, &other) == 0 && !nk_digest_eq(d, other));
    s = sample();
    s.model_count = 1;
    TAP_CHECK(nk_set_digest(&s, &other) == 0 && !nk_digest_eq(d, other));
    s = sample();
    s.errors_deny = true;
    struct nk_buf strict;
    nk_buf_init(&strict, 1 << 20);
    nk_set_write(&s, &strict);
    TAP_CHECK(nk_str_starts(nk_buf_str(&strict),
                            NK_STR("{\"format\":2,\"errors\":\"deny\",\"policies\":[")));
    TAP_CHECK(nk_set_digest(&s, &other) == 0 && !nk_digest_eq(d, other));
    TAP_CHECK(nk_set_read(nk_buf_str(&strict), &arena, &back, &f) == 0 && back.errors_deny &&
              back.policy_count == 2);
    nk_buf_free(&strict);
    for (size_t cut = 0; cut < text.n; cut++)
        if (nk_set_read(nk_str_sub(nk_buf_str(&text), 0, cut), &arena, &back, NULL) == 0)
            tap_ok(false, "a set cut at %zu is read", cut);
    TAP_CHECK(nk_set_read(NK_STR("{\"format\":2}"), &arena, &back, &f) == NK_EUNSUPPORTED);
    nk_buf_free(&text);
}

static void configured(void)
{
    struct nk_config_upstream ups[] = {{.name = NK_STR("u1"), .dialect = NK_STR("openai")},
                                       {.name = NK_STR("u2"), .dialect = NK_STR("anthropic")}};
    struct nk_config_model list[] = {{.name = NK_STR("m"), .upstream = NK_STR("u2")}};
    struct nk_config c = {.upstreams = ups, .upstream_count = 2, .models = list, .model_count = 1};
    struct nk_set s = {.policy_count = 0};
    TAP_CHECK(nk_set_configure(&s, &c, &arena) == 0 && s.upstream_count == 2 &&
              s.model_count == 1 && nk_str_eq(s.models[0].dialect, NK_STR("anthropic")));
}

/* A record as the gate writes it. */
static struct nk_json record(const char *who, const char *model, const char *tail)
{
    static const struct nk_json_limits limits = {1 << 16, 32, 4096};
    struct nk_json doc;
    struct nk_fault f = {.code = 0};
    struct nk_str text = nk_arena_printf(
        &arena,
        "{\"cedar\":{\"principal\":{\"type\":\"User\",\"id\":\"%s\"},\"action\":{\"type\":"
        "\"Action\","
        "\"id\":\"invoke\"},\"resource\":{\"type\":\"Model\",\"id\":\"%s\"},\"context\":{}},"
        "\"entities\":[{\"uid\":{\"type\":\"User\",\"id\":\"%s\"},\"attrs\":{},\"parents\":[]}],%"
        "s}",
        who, model, who, tail);
    if (nk_json_parse(&limits, text, &arena, &doc, &f)) {
        printf("Bail out! %s\n", f.message);
        exit(1);
    }
    return doc;
}

static void replayed(void)
{
    struct nk_set s = sample();
    struct nk_cedar_policies *p;
    struct nk_cedar_entities *e;
    struct nk_fault f = {.code = 0};
    struct nk_replay r;
    struct nk_json doc;
    if (nk_set_policies(&s, &arena, &p, &f) || nk_set_entities(&s, &arena, &e, &f)) {
        tap_ok(false, "judge: %s", f.message);
        return;
    }
    TAP_CHECK(nk_cedar_policies_count(p) == 2);
    doc = record("bob", "small", "\"decision\":\"allow\",\"reasons\":[\"a.0\"],\"errors\":[]");
    TAP_CHECK(nk_replay_record(&doc, p, e, &arena, &r, &f) == 0 && r.judged && r.same);
    doc = record("eve", "small", "\"decision\":\"deny\",\"reasons\":[\"no\"],\"errors\":[]");
    TAP_CHECK(nk_replay_record(&doc, p, e, &arena, &r, &f) == 0 && r.same);
    doc = record("eve", "small", "\"decision\":\"allow\",\"reasons\":[\"no\"],\"errors\":[]");
    TAP_CHECK(nk_replay_record(&doc, p, e, &arena, &r, &f) == 0 && !r.same && !r.same_decision);
    doc = record("bob", "large", "\"decision\":\"deny\",\"reasons\":[\"x\"],\"errors\":[]");
    TAP_CHECK(nk_replay_record(&doc, p, e, &arena, &r, &f) == 0 && !r.same && r.same_decision);
    doc = record(
        "bob", "large",
        "\"decision\":\"deny\",\"reasons\":[],\"errors\":[{\"policy\":\"a.0\",\"what\":\"w\"}]");
    TAP_CHECK(nk_replay_record(&doc, p, e, &arena, &r, &f) == 0 && !r.same && r.same_decision);
    doc = record("bob", "large", "\"decision\":\"refused\"");
    TAP_CHECK(nk_replay_record(&doc, p, e, &arena, &r, &f) == NK_EINVAL);
    doc = record("bob", "large", "\"decision\":\"deny\",\"reasons\":[7],\"errors\":[]");
    f.code = 0;
    TAP_CHECK(nk_replay_record(&doc, p, e, &arena, &r, &f) == NK_EINVAL);
    doc.tape = NULL;
    static const struct nk_json_limits limits = {1 << 16, 32, 4096};
    TAP_CHECK(nk_json_parse(&limits, NK_STR("{\"kind\":\"outcome\"}"), &arena, &doc, &f) == 0);
    TAP_CHECK(nk_replay_record(&doc, p, e, &arena, &r, &f) == 0 && !r.judged);
}

/* What stands in the entities file is not replaced by what the configuration says of it. */
static void described(void)
{
    struct nk_set_policy by_tier = {
        NK_STR("t.cedar"),
        NK_STR("permit(principal, action, resource) when { resource.tier == 1 };")};
    struct nk_set s = sample();
    struct nk_cedar_policies *p;
    struct nk_cedar_entities *e;
    struct nk_fault f = {.code = 0};
    struct nk_replay r;
    s.policies = &by_tier;
    s.policy_count = 1;
    s.entities = NK_STR("[{\"uid\":{\"type\":\"Model\",\"id\":\"small\"},\"attrs\":{\"tier\":1},"
                        "\"parents\":[]}]");
    struct nk_json doc =
        record("bob", "small", "\"decision\":\"allow\",\"reasons\":[\"t.0\"],\"errors\":[]");
    TAP_CHECK(nk_set_policies(&s, &arena, &p, &f) == 0 &&
              nk_set_entities(&s, &arena, &e, &f) == 0 &&
              nk_replay_record(&doc, p, e, &arena, &r, &f) == 0 && r.same);
    s.entities = NK_STR("[{]");
    TAP_CHECK(nk_set_entities(&s, &arena, &e, &f) != 0 && f.code != 0);
    f.code = 0;
    by_tier.text = NK_STR("permit(");
    TAP_CHECK(nk_set_policies(&s, &arena, &p, &f) != 0 &&
              nk_str_search(nk_str(f.message), NK_STR("t.cedar")) >= 0);
    f.code = 0;
    by_tier.text = NK_STR("@id(\"for\") permit(principal == ?principal, action, resource);");
    TAP_CHECK(nk_set_policies(&s, &arena, &p, &f) == NK_EUNSUPPORTED &&
              nk_str_search(nk_str(f.message), NK_STR("t.cedar: \"for\" is a template")) >= 0);
}

int main(void)
{
    nk_arena_init(&arena, 64 << 20);
    canonical();
    configured();
    replayed();
    described();
    nk_arena_free(&arena);
    return tap_done();
}
