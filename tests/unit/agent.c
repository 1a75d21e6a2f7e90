/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.c - the pure parts of agents: what tools are told of who asks, conversations between requests, and the words of
 * Bedrock. What a client or a tool says about who asks is tried in thousands of random forms.
 */
#include "agent/event.h"
#include "base/encode.h"
#include "proto/eventstream.h"
#include "tap.h"

enum { ROUNDS = 10000 };

static struct nk_arena arena;
static uint64_t state = 20261126;

static uint32_t random_below(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static const struct nk_str groups[] = {{"receptionist", 12}, {"day", 3}};
static const struct nk_attr attrs[] = {
    {.name = {"ward", 4}, .type = NK_ATTR_STRING, .string = {"B", 1}},
    {.name = {"role", 4}, .type = NK_ATTR_STRING, .string = {"receptionist", 12}},
    {.name = {"badge", 5}, .type = NK_ATTR_INT, .integer = 17},
    {.name = {"ids", 3}, .type = NK_ATTR_STRINGS, .strings = groups, .string_count = 2}};
static const struct nk_principal john = {.type = {"User", 4},
                                         .id = {"john.doe", 8},
                                         .groups = groups,
                                         .group_count = 2,
                                         .attrs = attrs,
                                         .attr_count = 4};

static struct nk_json parse(struct nk_str text)
{
    static const struct nk_json_limits lim = {1 << 20, 64, 1 << 16};
    struct nk_json doc = {.n = 0};
    struct nk_fault f = {0};
    if (nk_json_parse(&lim, text, &arena, &doc, &f))
        printf("# %s: %.*s\n", f.message, NK_FMT(text));
    return doc;
}

static struct nk_str get(const struct nk_json *doc, uint32_t of, const char *name)
{
    return nk_json_string(doc, nk_json_get(doc, of, nk_str(name)), &arena);
}

/* Attributes ----------------------------------------------------------------------------------- */

/* A name that could be taken for one that says who asks: in any case, with something before or behind. */
static struct nk_str name(void)
{
    static const char *const names[] = {"role", "username", "sub", "groups", "email", "tenant",
                                        "ward", "badge",    "ids", "color",  "note"};
    static const char *const around[] = {"", "", "", " ", "_", "x", "\t", "é"};
    struct nk_str base = nk_str(names[random_below(NK_COUNT(names))]);
    struct nk_str n = nk_arena_printf(&arena, "%s%.*s%s", around[random_below(NK_COUNT(around))],
                                      NK_FMT(base), around[random_below(NK_COUNT(around))]);
    char *p = (char *)(uintptr_t)n.p;
    for (size_t i = 0; i < n.n; i++)
        if (p[i] >= 'a' && p[i] <= 'z' && random_below(3) == 0)
            p[i] = (char)(p[i] - 32);
    return n;
}

static bool says_who(const struct nk_json *doc)
{
    return nk_str_eq(get(doc, 0, "username"), john.id) && nk_str_eq(get(doc, 0, "sub"), john.id) &&
           nk_str_eq(get(doc, 0, "groups"), NK_STR("receptionist,day")) &&
           nk_str_eq(get(doc, 0, "role"), NK_STR("receptionist")) &&
           nk_str_eq(get(doc, 0, "ward"), NK_STR("B")) &&
           nk_str_eq(get(doc, 0, "badge"), NK_STR("17")) &&
           nk_str_eq(get(doc, 0, "ids"), NK_STR("[\"receptionist\",\"day\"]")) &&
           nk_json_get(doc, 0, NK_STR("email")) == NK_JSON_NONE &&
           nk_json_get(doc, 0, NK_STR("tenant")) == NK_JSON_NONE;
}

static void attributes(void)
{
    int wrong = 0, kept = 0, doubled = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct nk_agent_attributes all = {.n = 0};
        struct nk_agent_pair pairs[6];
        struct nk_buf out;
        for (size_t k = 0; k < NK_COUNT(pairs); k++)
            pairs[k] = (struct nk_agent_pair){name(), NK_STR("doctor")};
        /* As from a client, and then from a tool. */
        NK_MUST(nk_agent_attributes_add(&all, &john, pairs, 3) == 0);
        NK_MUST(nk_agent_attributes_add(&all, &john, pairs + 3, 3) == 0);
        nk_buf_init(&out, 1 << 16);
        nk_agent_attributes_write(&all, &john, &out);
        struct nk_json doc = parse(nk_buf_str(&out));
        doubled += doc.n == 0;
        wrong += !says_who(&doc);
        kept += nk_json_get(&doc, 0, NK_STR("color")) != NK_JSON_NONE;
        nk_buf_free(&out);
        nk_arena_reset(&arena);
    }
    tap_ok(wrong == 0, "%d sets of forged attributes: %d change who asks", ROUNDS, wrong);
    tap_ok(doubled == 0 && kept > 20, "others are told on (%d), each once (%d are not)", kept,
           doubled);
    struct nk_agent_attributes all = {.n = 0};
    struct nk_agent_pair pair;
    int rc = 0;
    for (int i = 0; i <= NK_AGENT_PAIRS_MAX && !rc; i++) {
        pair = (struct nk_agent_pair){nk_arena_printf(&arena, "n%d", i), NK_STR("v")};
        rc = nk_agent_attributes_add(&all, &john, &pair, 1);
    }
    tap_ok(rc == NK_ELIMIT && all.n == NK_AGENT_PAIRS_MAX, "there are limits");
}

/* Sessions ------------------------------------------------------------------------------------- */

static struct nk_model_message say(enum nk_model_role role, enum nk_model_part_type type,
                                   size_t bytes, char c)
{
    struct nk_model_part *p = nk_arena_alloc(&arena, sizeof *p);
    char *text = nk_arena_alloc(&arena, bytes + 1);
    NK_MUST(p && text);
    memset(text, c, bytes);
    *p = (struct nk_model_part){.type = type, .text = {text, bytes}, .id = {"i", 1}};
    return (struct nk_model_message){role, p, 1};
}

static void sessions(void)
{
    struct nk_agent_sessions *s = nk_agent_sessions_new();
    struct nk_agent_memory m = {.message_count = 0}, back;
    struct nk_model_message messages[NK_AGENT_MESSAGES];
    struct nk_digest a = nk_agent_session_key(&john, NK_STR("hospital"), NK_STR("s1"));
    struct nk_digest b = nk_agent_session_key(&john, NK_STR("hospitals"), NK_STR("1"));
    NK_MUST(s);
    tap_ok(memcmp(a.b, b.b, sizeof a.b) != 0, "names do not run together");
    const struct nk_actor actor = {.id = NK_STR("helper")};
    struct nk_principal deputy = john;
    deputy.actors = &actor;
    deputy.actor_count = 1;
    b = nk_agent_session_key(&deputy, NK_STR("hospital"), NK_STR("s1"));
    tap_ok(memcmp(a.b, b.b, sizeof a.b) != 0,
           "who acts for somebody has no part in his conversation");
    m.messages = messages;
    messages[0] = say(NK_MODEL_USER, NK_MODEL_TEXT, 5, 'u');
    messages[1] = say(NK_MODEL_ASSISTANT, NK_MODEL_TOOL_USE, 5, 't');
    m.message_count = 2;
    m.invocation = NK_STR("inv");
    m.wait_until_ms = 2000;
    m.uses[0] = (struct nk_agent_use){.id = NK_STR("i"), .asks = true};
    m.use_count = 1;
    TAP_CHECK(nk_agent_session_put(s, &a, 1000, &m) == 0);
    TAP_CHECK(nk_agent_session_take(s, &b, 1500, &arena, &back) == 0 && back.message_count == 0);
    TAP_CHECK(nk_agent_session_take(s, &a, 1500, &arena, &back) == 0 && back.message_count == 2 &&
              nk_str_eq(back.invocation, m.invocation) && back.uses[0].asks &&
              nk_str_eq(back.messages[1].parts[0].text, NK_STR("ttttt")));
    TAP_CHECK(nk_agent_session_take(s, &a, 1500, &arena, &back) == 0 && !back.invocation.p);
    TAP_CHECK(nk_agent_session_put(s, &a, 1000, &m) == 0);
    TAP_CHECK(nk_agent_session_take(s, &a, 2001, &arena, &back) == 0 && !back.invocation.p);
    TAP_CHECK(nk_agent_session_take(s, &a, 2001 + NK_AGENT_SESSION_MS + 1, &arena, &back) == 0 &&
              back.message_count == 0);
    /* One that is too large begins later, where a turn begins. */
    m.use_count = 0;
    for (size_t i = 0; i < 8; i += 2) {
        messages[i] = say(NK_MODEL_USER, NK_MODEL_TEXT, 60000, (char)('0' + i));
        messages[i + 1] = say(NK_MODEL_ASSISTANT, NK_MODEL_TEXT, 100000, 'a');
    }
    m.message_count = 8;
    TAP_CHECK(nk_agent_session_put(s, &a, 1, &m) == 0 &&
              nk_agent_session_take(s, &a, 1, &arena, &back) == 0 && back.message_count == 6 &&
              back.messages[0].parts[0].text.p[0] == '2');
    messages[0] = say(NK_MODEL_USER, NK_MODEL_TEXT, 600000, 'u');
    m.message_count = 1;
    TAP_CHECK(nk_agent_session_put(s, &a, 1, &m) == NK_ELIMIT &&
              nk_agent_session_take(s, &a, 1, &arena, &back) == 0 && back.message_count == 0);
    /* The one that was not used longest goes. */
    m.messages[0] = say(NK_MODEL_USER, NK_MODEL_TEXT, 5, 'u');
    for (int i = 0; i <= NK_AGENT_SESSIONS; i++) {
        struct nk_str id = nk_arena_printf(&arena, "s%d", i);
        struct nk_digest key = nk_agent_session_key(&john, NK_STR("h"), id);
        NK_MUST(nk_agent_session_put(s, &key, 10 + i, &m) == 0);
    }
    struct nk_digest first = nk_agent_session_key(&john, NK_STR("h"), NK_STR("s0"));
    struct nk_digest second = nk_agent_session_key(&john, NK_STR("h"), NK_STR("s1"));
    TAP_CHECK(nk_agent_session_take(s, &first, 20, &arena, &back) == 0 && !back.message_count);
    TAP_CHECK(nk_agent_session_take(s, &second, 20, &arena, &back) == 0 && back.message_count == 1);
    nk_agent_session_forget(s, &second);
    TAP_CHECK(nk_agent_session_take(s, &second, 20, &arena, &back) == 0 && !back.message_count);
    nk_agent_sessions_free(s);
}

/* Words ---------------------------------------------------------------------------------------- */

static const struct nk_agent_who who = {
    {"hospital", 8}, {"HOSPITAL01", 10}, {"TSTALIASID", 10}, {"s1", 2}, false};
static const struct nk_agent_attributes none = {.n = 0};

static struct nk_buf lambda(const struct nk_agent_way *way, const char *arguments)
{
    struct nk_json doc = parse(nk_str(arguments));
    struct nk_agent_lambda l = {way, &who, &doc, NK_STR("hello"), &none, &none, &john};
    struct nk_buf out;
    nk_buf_init(&out, 1 << 16);
    nk_agent_put_lambda(&l, &arena, &out);
    return out;
}

static void functions(void)
{
    struct nk_agent_way function = {.action = NK_STR("records"), .function = NK_STR("get")};
    struct nk_agent_way api = {.action = NK_STR("records"),
                               .function = NK_STR("put"),
                               .method = NK_STR("POST"),
                               .path = NK_STR("/p/{id}")};
    struct nk_buf b = lambda(&function, "{\"id\":1234,\"why\":\"x \\\"y\\\"\",\"all\":true}");
    struct nk_json doc = parse(nk_buf_str(&b));
    tap_ok(doc.n && nk_str_search(nk_buf_str(&b),
                                  NK_STR("\"function\":\"get\",\"parameters\":[{\"name\":\"id\","
                                         "\"type\":\"integer\",\"value\":\"1234\"},{\"name\":"
                                         "\"why\",\"type\":\"string\",\"value\":\"x \\\"y\\\"\"},{"
                                         "\"name\":\"all\",\"type\":\"boolean\",\"value\":"
                                         "\"true\"}]")) > 0,
           "a function's event");
    nk_buf_free(&b);
    b = lambda(&api, "{\"id\":1234,\"note\":[1]}");
    doc = parse(nk_buf_str(&b));
    tap_ok(doc.n && nk_str_search(nk_buf_str(&b),
                                  NK_STR("\"apiPath\":\"/p/{id}\",\"httpMethod\":\"POST\","
                                         "\"parameters\":[{\"name\":\"id\",\"type\":\"integer\","
                                         "\"value\":\"1234\"}],\"requestBody\":{\"content\":{"
                                         "\"application/json\":{\"properties\":[{\"name\":\"note\","
                                         "\"type\":\"array\",\"value\":\"[1]\"}]}}}")) > 0,
           "an event of an API");
    nk_buf_free(&b);
    static const struct {
        const char *text, *body;
        int rc;
        bool failed;
    } answers[] = {
        {"{\"response\":{\"functionResponse\":{\"responseBody\":{\"TEXT\":{\"body\":\"b\"}}}}}",
         "b", 0, false},
        {"{\"response\":{\"httpStatusCode\":404,\"responseBody\":{\"application/json\":{\"body\":"
         "\"{}\"}}}}",
         "{}", 0, true},
        {"{\"response\":{\"functionResponse\":{\"responseState\":\"FAILURE\"}}}", "", 0, true},
        {"{}", "", NK_EINVAL, false},
        {"[]", "", NK_EINVAL, false},
        {"{\"response\":{\"functionResponse\":{\"responseBody\":{\"TEXT\":{\"body\":7}}}}}", "",
         NK_EINVAL, false},
        {"{\"response\":{},\"sessionAttributes\":{\"a\":1}}", "", NK_EINVAL, false},
    };
    for (size_t i = 0; i < NK_COUNT(answers); i++) {
        static struct nk_agent_answer a;
        struct nk_fault f = {0};
        doc = parse(nk_str(answers[i].text));
        int rc = nk_agent_read_lambda(&doc, &arena, &a, &f);
        tap_ok(rc == answers[i].rc && (rc || (nk_str_eq(a.body, nk_str(answers[i].body)) &&
                                              a.failed == answers[i].failed)),
               "answer %zu of a function", i);
    }
}

static void requests(void)
{
    static const struct {
        const char *method, *path, *arguments, *target, *body, *headers;
    } cases[] = {
        {"GET", "/p/{id}", "{\"id\":12,\"q\":\"a b&c=d\"}", "/p/12?q=a%20b%26c%3Dd", "", NULL},
        {"GET", "/p/{id}/x", "{\"id\":\"../../admin?x#\"}", "/p/..%2F..%2Fadmin%3Fx%23/x", "",
         NULL},
        {"GET", "/p/{id}", "{\"id\":\"..\"}", NULL, NULL, NULL},
        {"GET", "/p/{id}", "{\"id\":\"\"}", NULL, NULL, NULL},
        {"GET", "/p/{id}", "{}", NULL, NULL, NULL},
        {"POST", "/p/{id}", "{\"id\":\"é\",\"n\":{\"a\":[1]}}", "/p/%C3%A9", "{\"n\":{\"a\":[1]}}",
         NULL},
        {"DELETE", "/p/{id}", "{\"id\":1}", "/p/1", "", NULL},
        {"POST", "/all", "{}", "/all", "{}", NULL},
        {"GET", "/p", "{\"a\":[1,\"x y\"],\"b\":[],\"c\":2}", "/p?a=1&a=x%20y&c=2", "", NULL},
        {"POST", "/p", "{\"dry\":true,\"X-Tenant\":\" a b\",\"n\":1}", "/p?dry=true", "{\"n\":1}",
         "x-tenant: a b"},
        {"GET", "/p", "{\"X-Tenant\":7,\"dry\":1}", "/p?dry=1", "", "x-tenant: 7"},
        {"POST", "/p", "{\"X-Tenant\":\"a\\r\\nb: c\"}", NULL, NULL, NULL},
        {"POST", "/p", "{\"X-Tenant\":\"é\"}", NULL, NULL, NULL},
    };
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_agent_way way = {NK_STR("a"),           NK_STR("f"),   nk_str(cases[i].method),
                                   nk_str(cases[i].path), NK_STR("dry"), NK_STR("X-Tenant,x-b")};
        struct nk_http_header room[2];
        struct nk_http_head head = {.headers = room};
        struct nk_str header = NK_STR("");
        struct nk_json doc = parse(nk_str(cases[i].arguments));
        struct nk_buf target, body;
        struct nk_fault f = {0};
        nk_buf_init(&target, 4096);
        nk_buf_init(&body, 4096);
        int rc = nk_agent_put_rest(&way, &doc, &arena, &target, &body, &f);
        if (!rc)
            rc = nk_agent_put_headers(&way, &doc, &arena, NK_COUNT(room), &head, &f);
        if (head.header_count)
            header =
                nk_arena_printf(&arena, "%.*s: %.*s", NK_FMT(room[0].name), NK_FMT(room[0].value));
        bool good = cases[i].target
                        ? !rc && nk_str_eq(nk_buf_str(&target), nk_str(cases[i].target)) &&
                              nk_str_eq(nk_buf_str(&body), nk_str(cases[i].body)) &&
                              nk_str_eq(header, nk_str(cases[i].headers ? cases[i].headers : ""))
                        : rc == NK_EINVAL;
        if (!tap_ok(good, "a tool's own request %zu", i))
            printf("# %.*s %.*s\n", NK_FMT(nk_buf_str(&target)), NK_FMT(nk_buf_str(&body)));
        nk_buf_free(&target);
        nk_buf_free(&body);
    }
}

static void events(void)
{
    struct nk_eventstream s;
    struct nk_eventstream_message m;
    struct nk_fault f = {0};
    struct nk_buf out, inputs;
    struct nk_agent_use use = {.arguments = NK_STR("{\"id\":1}"), .asks = true};
    struct nk_agent_way way = {.action = NK_STR("desk"), .function = NK_STR("print")};
    nk_buf_init(&out, 1 << 16);
    nk_buf_init(&inputs, 1 << 16);
    nk_agent_put_chunk(NK_STR("hello"), &out);
    nk_agent_put_trace(&who, NK_STR("{}"), &out);
    nk_buf_add_char(&inputs, '[');
    nk_agent_put_invocation(&way, &use, &arena, &inputs);
    nk_buf_add_char(&inputs, ']');
    nk_agent_put_control(NK_STR("inv"), nk_buf_str(&inputs), &out);
    nk_eventstream_init(&s, 1 << 16);
    TAP_CHECK(nk_eventstream_feed(&s, nk_buf_str(&out), &f) == 0);
    TAP_CHECK(nk_eventstream_next(&s, &m, &f) == 0 &&
              nk_str_eq(nk_eventstream_text(&m, NK_STR(":event-type")), NK_STR("chunk")) &&
              nk_str_eq(m.payload, NK_STR("{\"bytes\":\"aGVsbG8=\"}")));
    TAP_CHECK(nk_eventstream_next(&s, &m, &f) == 0 &&
              nk_str_search(m.payload, NK_STR("\"sessionId\":\"s1\"")) > 0);
    TAP_CHECK(nk_eventstream_next(&s, &m, &f) == 0 &&
              nk_str_eq(m.payload,
                        NK_STR("{\"invocationId\":\"inv\",\"invocationInputs\":[{"
                               "\"functionInvocationInput\":{\"actionGroup\":\"desk\",\"function\":"
                               "\"print\",\"parameters\":[{\"name\":\"id\",\"type\":\"integer\","
                               "\"value\":\"1\"}],\"actionInvocationType\":\"USER_CONFIRMATION\"}}]"
                               "}")));
    TAP_CHECK(nk_eventstream_next(&s, &m, &f) == NK_EAGAIN);
    nk_eventstream_free(&s);
    nk_buf_free(&out);
    nk_buf_free(&inputs);
}

static void paths(void)
{
    static const struct {
        const char *path;
        bool good;
    } cases[] = {
        {"/agents/A1/agentAliases/TST/sessions/s%2D1/text", true},
        {"/agents/A1/agentAliases/TST/sessions/s/text", false},
        {"/agents/A1/agentAliases/TST/sessions/s1/text/", false},
        {"/agents/A1/agentAliases/TST/sessions/s1/text?x=1", false},
        {"/agents//agentAliases/TST/sessions/s1/text", false},
        {"/agents/A%2F1/agentAliases/TST/sessions/s1/text", false},
        {"/agents/A%zz/agentAliases/TST/sessions/s1/text", false},
        {"/agents/A1/agentaliases/TST/sessions/s1/text", false},
        {"/agents/A1", false},
    };
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_str a, b, c;
        tap_ok(nk_agent_path(nk_str(cases[i].path), &arena, &a, &b, &c) == cases[i].good, "path %s",
               cases[i].path);
    }
}

static void bodies(void)
{
    static const struct {
        const char *body, *fault;
    } cases[] = {
        {"{\"inputText\":\"hi\",\"enableTrace\":true,\"streamingConfigurations\":{}}", NULL},
        {"{\"endSession\":true}", NULL},
        {"{}", "inputText"},
        {"[]", "the body"},
        {"{\"inputText\":\"\"}", "inputText"},
        {"{\"inputText\":\"x\",\"memoryId\":\"m\"}", "memoryId"},
        {"{\"inputText\":\"x\",\"sessionState\":{\"files\":[]}}", "files"},
        {"{\"inputText\":\"x\",\"sessionState\":{\"sessionAttributes\":{\"a\":1}}}",
         "sessionAttributes"},
        {"{\"inputText\":\"x\",\"sessionState\":{\"invocationId\":\"i\"}}", "invocationId"},
        {"{\"sessionState\":{\"invocationId\":\"i\",\"returnControlInvocationResults\":[{"
         "\"functionResult\":{\"actionGroup\":\"g\",\"function\":\"f\",\"confirmationState\":"
         "\"CONFIRM\",\"responseBody\":{\"TEXT\":{\"body\":\"b\"}}}}]}}",
         NULL},
        {"{\"sessionState\":{\"invocationId\":\"i\",\"returnControlInvocationResults\":[{"
         "\"functionResult\":{\"actionGroup\":\"g\",\"function\":\"f\",\"confirmationState\":"
         "\"YES\"}}]}}",
         "confirmationState"},
        {"{\"sessionState\":{\"invocationId\":\"i\",\"returnControlInvocationResults\":[{}]}}",
         "either"},
    };
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        struct nk_call call = {.body = parse(nk_str(cases[i].body))};
        struct nk_fault f = {0};
        int rc = nk_bedrock_agent_dialect()->parse_call(&call, &arena, &f);
        if (!tap_ok(cases[i].fault ? rc && strstr(f.message, cases[i].fault) : !rc, "body %zu", i))
            printf("# %s\n", f.message);
    }
}

int main(void)
{
    nk_arena_init(&arena, 64 << 20);
    attributes();
    sessions();
    functions();
    requests();
    events();
    paths();
    bodies();
    nk_arena_free(&arena);
    return tap_done();
}
