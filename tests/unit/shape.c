/* SPDX-License-Identifier: Apache-2.0
 *
 * shape.c - ordinary records: those that the gate writes are known as such, and whatever is taken for one, after
 * any change to its bytes, is what the strict reader takes as well.
 */
#include "chain/chain.h"
#include "chain/shape.h"
#include "gate/txn.h"
#include "tap.h"

enum { CHANGES = 400000, ARENA = 4 << 20 };

static uint64_t state = 20241126;

static uint32_t random_below(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static struct nk_arena arena;

static const struct nk_dialect dialect = {.name = "openai"};
static const struct nk_endpoint endpoint = {
    "chat.completions", "POST", "/v1/chat/completions", "InvokeModel", NK_LOCAL_NOT, NULL};
static const struct nk_model model = {.name = {"gpt", 3},
                                      .routed = {",\"locate\":{\"upstream\":\"mock\"}", 29}};
static const struct nk_str groups[] = {{"staff", 5}, {"勿来", 6}},
                           reasons[] = {{"staff", 5}, {"p1", 2}};
static const struct nk_tool_use tools[] = {{.name = {"look", 4}},
                                           {.name = {"web_search", 10}, .hosted = true}};
static const struct nk_attr attrs[] = {
    {.name = {"role", 4}, .type = NK_ATTR_STRING, .string = {"a \"b\"", 5}}};

/* What the gate knows of a call that was allowed; `rich`: with all that may be there. */
static struct nk_gate_state *facts_of(bool rich)
{
    static struct nk_principal plain = {
        .type = {"User", 4}, .id = {"alice", 5}, .proof = "key", .source = {"k1", 2}};
    static struct nk_principal full;
    struct nk_gate_state *s = nk_arena_alloc(&arena, sizeof *s);
    full = plain;
    full.groups = groups;
    full.group_count = NK_COUNT(groups);
    full.attrs = attrs;
    full.attr_count = NK_COUNT(attrs);
    *s = (struct nk_gate_state){
        .now_ms = 1763800000000,
        .id = NK_STR("00000007-0000000001"),
        .dialect = &dialect,
        .principal = rich ? &full : &plain,
        .model = &model,
        .resource = {NK_STR("Model"), NK_STR("gpt")},
        .judged = true,
        .answer = {.allow = true, .reasons = reasons, .reason_count = rich ? 2 : 1},
        .usage = {12, rich ? -1 : 7}};
    s->call.endpoint = &endpoint;
    s->call.model = model.name;
    s->call.body.n = 1;
    s->body.n = 742;
    s->trace = rich ? NK_STR("0123456789abcdef0123456789abcdef") : (struct nk_str){NULL, 0};
    s->finish = rich ? NK_STR("stop") : (struct nk_str){NULL, 0};
    s->call.tools = tools;
    s->call.tool_count = rich ? NK_COUNT(tools) : 0;
    return s;
}

static struct nk_str record(bool rich, bool outcome)
{
    static struct nk_setup setup = {.provenance = {",\"policies\":\"ab\",\"generation\":12", 31}};
    struct nk_fault f = {0};
    struct nk_txn t = {
        .arena = &arena, .scratch = &arena, .setup = &setup, .state = facts_of(rich)};
    NK_MUST(gate_facts(&t, &f) == 0);
    t.records = t.few;
    unsigned fx = outcome ? gate_record_outcome(&t, "complete") : gate_record_decision(&t);
    NK_MUST(fx == NK_FX_RECORD && t.record_count == 1);
    return t.records[0];
}

/* Would the strict reader take it, inside a record's line? */
static bool is_strict(struct nk_str members, struct nk_arena *a)
{
    static const struct nk_json_limits lim = {1 << 20, 64, 65536};
    struct nk_str parts[] = {NK_STR("{\"n\":1,"), members, NK_STR("}")};
    struct nk_str line = nk_arena_join(a, parts, 3);
    struct nk_json doc;
    return nk_shape_control(line) == line.n && nk_json_parse(&lim, line, a, &doc, NULL) == 0;
}

/* One to three bytes changed, taken out, doubled, or taken from elsewhere in the text. */
static struct nk_str changed(struct nk_str from, char *to)
{
    size_t n = from.n;
    memcpy(to, from.p, n);
    for (uint32_t i = 1 + random_below(3); i > 0; i--) {
        size_t at = random_below((uint32_t)n), other = random_below((uint32_t)n);
        static const char bytes[] = "\"\\{}[],:0123 \n\te-.\x80\xE3u";
        switch (random_below(4)) {
        case 0:
            to[at] = bytes[random_below(sizeof bytes - 1)];
            break;
        case 1:
            memmove(to + at, to + at + 1, --n - at);
            break;
        case 2:
            memmove(to + at + 1, to + at, n++ - at);
            break;
        default:
            to[at] = to[other];
        }
    }
    return (struct nk_str){to, n};
}

int main(void)
{
    struct nk_arena scratch;
    struct nk_str all[4];
    char room[8192];
    size_t taken = 0, wrong = 0;
    nk_arena_init(&arena, ARENA);
    nk_arena_init(&scratch, ARENA);
    for (size_t i = 0; i < NK_COUNT(all); i++) {
        all[i] = record(i & 1, i & 2);
        tap_ok(nk_shape_is_ordinary(all[i], &scratch) && is_strict(all[i], &scratch),
               "%s %s is ordinary", i & 1 ? "a rich" : "a plain", i & 2 ? "outcome" : "decision");
    }
    tap_ok(!nk_shape_is_ordinary(NK_STR(""), &scratch) &&
               !nk_shape_is_ordinary(NK_STR("\"kind\":\"log\""), &scratch),
           "others are not");
    for (int i = 0; i < CHANGES; i++) {
        struct nk_str text = changed(all[i & 3], room);
        if (nk_shape_is_ordinary(text, &scratch)) {
            taken++;
            wrong += !is_strict(text, &scratch);
        }
        nk_arena_reset(&scratch);
    }
    tap_ok(wrong == 0 && taken > CHANGES / 100,
           "of %d changed ones none is taken that the strict reader refuses (%zu are taken)",
           CHANGES, taken);
    nk_arena_free(&arena);
    nk_arena_free(&scratch);
    return tap_done();
}
