/* SPDX-License-Identifier: Apache-2.0
 *
 * driver.c - a driver that makes three calls of one request: a model, a GET without body at a second upstream, and
 * a third whose answer goes on to the client piece by piece. In virtual time; what each step does is written down
 * as letters, and the same story is told with every answer failing, and with the client leaving at every step.
 */
#include "gate/driver.h"
#include "ident/keyfile.h"
#include "tap.h"

enum { NOW_MS = 1763800000 };

static const char key[] = "driver-key-of-john-0123456789";
static struct nk_setup *setup;
static struct nk_arena arena, scratch;
static struct nk_chain_text { /* what was seen of one request */
    struct nk_buf effects, calls, records, body;
    int freed;
} seen;

/* The driver under test ------------------------------------------------------------------------ */

struct test_drive {
    struct nk_buf heard; /* memory of its own: free has to come */
    bool go_on;          /* a call that fails is followed by the next */
};

static unsigned next_call(struct nk_txn *t)
{
    static const char *const targets[] = {"/v1/chat/completions", "/tools?x=1", "/last"};
    uint32_t n = t->state->call_number;
    struct test_drive *d = t->state->drive;
    if (gate_call_new(t, n == 1, n == 1 ? "GET" : "POST", nk_str(targets[n]), 2))
        return NK_FX_CUT;
    gate_call_header(t, "accept", NK_STR("application/json"));
    if (n != 1)
        gate_call_body(t, n == 0 ? NK_STR("{\"first\":1}") : nk_buf_str(&d->heard));
    t->wake_ms = 5000;
    if (n > 0 && gate_call_authorize(t))
        return NK_FX_CUT;
    return gate_record_decision(t) | NK_FX_CALL | NK_FX_WAKE;
}

static unsigned test_start(struct nk_txn *t)
{
    struct test_drive *d = nk_arena_alloc(t->arena, sizeof *d);
    if (gate_body_stages(t))
        return gate_refused(t);
    if (!d)
        return NK_FX_CUT;
    nk_buf_init(&d->heard, 4096);
    d->go_on = nk_str_search(t->state->call.model, NK_STR("go")) >= 0;
    t->state->drive = d;
    return next_call(t);
}

static unsigned test_head(struct nk_txn *t, const struct nk_http_head *h)
{
    t->state->upstream_status = h->status;
    if (t->state->call_number < 3)
        return 0;
    t->reply_head = (struct nk_http_head){.status = 200, .chunked = true, .content_length = -1};
    t->state->status = 200;
    nk_buf_add(&t->out, NK_STR("begin;"));
    return NK_FX_HEAD | NK_FX_DATA;
}

static unsigned test_data(struct nk_txn *t, struct nk_str bytes)
{
    struct test_drive *d = t->state->drive;
    nk_buf_add(t->state->call_number < 3 ? &d->heard : &t->out, bytes);
    return t->state->call_number < 3 ? 0 : NK_FX_DATA;
}

static unsigned test_end(struct nk_txn *t)
{
    unsigned fx = gate_record_outcome(t, "complete");
    return fx | (t->state->call_number < 3 ? next_call(t) : NK_FX_END);
}

static unsigned test_fail(struct nk_txn *t, int fail, struct nk_str why)
{
    struct test_drive *d = t->state->drive;
    unsigned fx = gate_record_outcome(t, "upstream_failed");
    TAP_CHECK(fail == NK_UPSTREAM_BROKEN && why.n);
    if (d->go_on && t->state->call_number < 3)
        return fx | next_call(t);
    return fx | NK_FX_CUT;
}

static unsigned test_wake(struct nk_txn *t)
{
    nk_buf_add(&t->out, NK_STR(":\n\n"));
    return NK_FX_DATA;
}

static void test_free(struct nk_txn *t)
{
    struct test_drive *d = t->state->drive;
    if (d)
        nk_buf_free(&d->heard);
    seen.freed++;
}

static const struct gate_driver test_driver = {.name = "test",
                                               .start = test_start,
                                               .head = test_head,
                                               .data = test_data,
                                               .end = test_end,
                                               .fail = test_fail,
                                               .wake = test_wake,
                                               .free = test_free};

/* The edge --------------------------------------------------------------------------------------- */

static void prepare(void)
{
    struct nk_keyfile_entry e = {.id = NK_STR("driverkey222"),
                                 .digest = nk_sha256(nk_str(key)),
                                 .type = NK_STR("User"),
                                 .principal = NK_STR("john"),
                                 .created_ms = 1700000000000,
                                 .expires_ms = INT64_MAX,
                                 .revoked_ms = INT64_MAX};
    struct nk_set_policy policy = {
        NK_STR("all.cedar"),
        NK_STR("@id(\"all\") permit (principal, action, resource); "
               "@id(\"no\") forbid (principal, action, resource == Model::\"never\");")};
    struct nk_buf keys;
    struct nk_fault f = {0};
    nk_buf_init(&keys, 65536);
    nk_keyfile_put(&e, &keys);
    struct nk_setup_input in = {
        .config = NK_STR(
            "{\"listen\":[{\"address\":\"unix:g\"}],\"upstreams\":[{\"name\":\"a\",\"dialect\":"
            "\"openai\",\"url\":\"http://127.0.0.1:1\"},{\"name\":\"b\",\"dialect\":\"openai\","
            "\"url\":\"http://127.0.0.1:2\"}],\"models\":[{\"name\":\"m\",\"upstream\":\"a\"},{"
            "\"name\":\"go\",\"upstream\":\"a\"},{\"name\":\"never\",\"upstream\":\"a\"}],"
            "\"identity\":{\"keys\":\"k\"},\"policy\":{\"directory\":\"p\"},\"audit\":{"
            "\"directory\":"
            "\"a\"}}"),
        .policies = &policy,
        .policy_count = 1,
        .keys = nk_arena_copy(&arena, nk_buf_str(&keys)),
        .seed = {1, 2}};
    setup = nk_setup_new(&in, &f);
    if (!setup)
        printf("# %s\n", f.message);
    NK_MUST(setup);
    nk_buf_free(&keys);
}

static void look(struct nk_txn *t, unsigned fx)
{
    static const char letters[] = "raHDECwc"; /* in the order of enum nk_effect */
    for (size_t i = 0; i < 8; i++)
        if (fx & 1u << i)
            nk_buf_add_char(&seen.effects, letters[i]);
    nk_buf_add_char(&seen.effects, ' ');
    for (size_t i = 0; fx & NK_FX_RECORD && i < t->record_count; i++) {
        nk_buf_add(&seen.records, t->records[i]);
        nk_buf_add_char(&seen.records, '\n');
    }
    if (fx & NK_FX_CALL)
        nk_buf_printf(&seen.calls, "%zu %.*s %.*s %d %.*s\n", t->call.upstream,
                      NK_FMT(t->call.head.method), NK_FMT(t->call.head.target),
                      (int)t->call.head.content_length, NK_FMT(t->call.body));
    if (fx & NK_FX_DATA) {
        nk_buf_add(&seen.body, nk_buf_str(&t->out));
        nk_buf_clear(&t->out);
    }
}

static void step(struct nk_txn *t, enum nk_event_type type, const struct nk_http_head *head,
                 struct nk_str bytes)
{
    struct nk_event e = {.type = type,
                         .unix_ms = NOW_MS * 1000LL,
                         .head = head,
                         .bytes = bytes,
                         .fail = NK_UPSTREAM_BROKEN};
    look(t, nk_gate_step(t, &e));
}

static struct nk_txn *ask(const char *model)
{
    static struct nk_http_header headers[2];
    static struct nk_http_head head;
    struct nk_buf *bufs[] = {&seen.effects, &seen.calls, &seen.records, &seen.body};
    struct nk_gate_env env = {.instance = 7, .number = 1, .scratch = &scratch};
    for (size_t i = 0; i < NK_COUNT(bufs); i++)
        nk_buf_clear(bufs[i]);
    seen.freed = 0;
    struct nk_txn *t = nk_txn_new(&arena, setup, &env);
    NK_MUST(t);
    struct nk_str body = nk_arena_printf(
        &arena, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", model);
    headers[0] =
        (struct nk_http_header){NK_STR("authorization"), nk_arena_printf(&arena, "Bearer %s", key)};
    headers[1] = (struct nk_http_header){NK_STR("content-type"), NK_STR("application/json")};
    head = (struct nk_http_head){.method = NK_STR("POST"),
                                 .target = NK_STR("/v1/chat/completions"),
                                 .headers = headers,
                                 .header_count = 2,
                                 .content_length = (int64_t)body.n};
    step(t, NK_EV_REQUEST, &head, NK_STR(""));
    t->state->driver = &test_driver;
    step(t, NK_EV_BODY, NULL, body);
    step(t, NK_EV_REQUEST_END, NULL, NK_STR(""));
    return t;
}

static void over(struct nk_txn *t)
{
    nk_txn_free(t);
    nk_arena_reset(&arena);
    nk_arena_free(&scratch);
    tap_ok(seen.freed == 1, "the driver's own memory is freed, once");
}

/* What comes from upstream in the whole story. */
static const struct event {
    enum nk_event_type type;
    const char *bytes;
} story[] = {
    {NK_EV_ANSWER, ""},
    {NK_EV_ANSWER_DATA, "one,"},
    {NK_EV_ANSWER_END, ""},
    {NK_EV_ANSWER, ""},
    {NK_EV_ANSWER_DATA, "two,"},
    {NK_EV_ANSWER_DATA, "more"},
    {NK_EV_WAKE, ""},
    {NK_EV_ANSWER_END, ""},
    {NK_EV_ANSWER, ""},
    {NK_EV_ANSWER_DATA, "three"},
    {NK_EV_ANSWER_DATA, "four"},
    {NK_EV_ANSWER_END, ""},
};

static void tell(struct nk_txn *t, size_t from, size_t to)
{
    static const struct nk_http_head ok = {.status = 200, .content_length = -1};
    for (size_t i = from; i < to; i++)
        step(t, story[i].type, story[i].type == NK_EV_ANSWER ? &ok : NULL, nk_str(story[i].bytes));
}

static bool is(const struct nk_buf *b, const char *want)
{
    if (nk_str_eq(nk_buf_str(b), nk_str(want)))
        return true;
    printf("# wanted «%s», there is «%.*s»\n", want, NK_FMT(nk_buf_str(b)));
    return false;
}

static int count(const char *what)
{
    int n = 0;
    for (struct nk_str rest = nk_buf_str(&seen.records); rest.n;)
        n += nk_str_search(nk_str_cut(&rest, '\n'), nk_str(what)) >= 0;
    return n;
}

/* Cases ---------------------------------------------------------------------------------------- */

static void three_calls(void)
{
    struct nk_txn *t = ask("m");
    tell(t, 0, NK_COUNT(story));
    tap_ok(is(&seen.effects, "  rwc   rwc    D rwc HD D D rE "), "effects of three calls");
    tap_ok(is(&seen.calls, "0 POST /v1/chat/completions 11 {\"first\":1}\n"
                           "1 GET /tools?x=1 -1 \n0 POST /last 12 one,two,more\n"),
           "each call as its driver wrote it");
    tap_ok(is(&seen.body, ":\n\nbegin;threefour"), "the client's answer, also between calls");
    for (int i = 1; i <= 3; i++) {
        char what[32];
        snprintf(what, sizeof what, "\"call\":%d,", i);
        tap_ok(count(what) == 2, "call %d has its decision and its outcome", i);
    }
    tap_ok(count("\"kind\":\"decision\"") == 3 && count("\"kind\":\"outcome\"") == 3,
           "each decision has its outcome");
    step(t, NK_EV_WAKE, NULL, NK_STR(""));
    step(t, NK_EV_CLIENT_GONE, NULL, NK_STR(""));
    tap_ok(nk_str_ends(nk_buf_str(&seen.effects), NK_STR("rE   ")), "nothing comes behind the end");
    over(t);
}

static void refused(void)
{
    struct nk_txn *t = ask("never");
    tap_ok(is(&seen.effects, "  rHDE ") && seen.calls.n == 0, "a driver's request may be refused");
    over(t);
}

/* Wherever the client leaves, what runs is cancelled, and each decision has its outcome. */
static void client_leaves(void)
{
    for (size_t i = 0; i < NK_COUNT(story); i++) {
        struct nk_txn *t = ask("m");
        tell(t, 0, i);
        step(t, NK_EV_CLIENT_GONE, NULL, NK_STR(""));
        tap_ok(nk_str_ends(nk_buf_str(&seen.effects), NK_STR("raC ")) &&
                   count("\"kind\":\"decision\"") == count("\"kind\":\"outcome\"") &&
                   count("\"how\":\"client_gone\"") == 1,
               "the client leaves after %zu events", i);
        tell(t, i, NK_COUNT(story));
        tap_ok(nk_str_ends(nk_buf_str(&seen.effects), NK_STR(" ")) &&
                   count("\"how\":\"client_gone\"") == 1,
               "and nothing comes of what is said then");
        over(t);
    }
}

/* A call that fails is not the end when the driver says so. */
static void calls_fail(void)
{
    struct nk_txn *t = ask("go");
    step(t, NK_EV_ANSWER_FAIL, NULL, NK_STR("broken"));
    tell(t, 3, NK_COUNT(story));
    tap_ok(is(&seen.effects, "  rwc rwc    D rwc HD D D rE ") &&
               count("\"how\":\"upstream_failed\"") == 1 && count("\"how\":\"complete\"") == 2,
           "a call follows one that failed");
    over(t);
    t = ask("m");
    tell(t, 0, 4);
    step(t, NK_EV_ANSWER_FAIL, NULL, NK_STR("broken"));
    tap_ok(is(&seen.effects, "  rwc   rwc  rC "), "or the answer ends");
    over(t);
}

/* What cannot be recorded does not happen. */
static void no_memory(void)
{
    struct nk_txn *t = ask("m");
    tell(t, 0, 2);
    nk_arena_free(&scratch);
    nk_arena_init(&scratch, 16);
    tell(t, 2, 3);
    tap_ok(nk_str_ends(nk_buf_str(&seen.effects), NK_STR("aC ")),
           "without its record no call goes");
    over(t);
}

int main(void)
{
    struct nk_buf *bufs[] = {&seen.effects, &seen.calls, &seen.records, &seen.body};
    for (size_t i = 0; i < NK_COUNT(bufs); i++)
        nk_buf_init(bufs[i], 1 << 20);
    nk_arena_init(&arena, 1 << 20);
    nk_arena_init(&scratch, 1 << 20);
    prepare();
    three_calls();
    refused();
    client_leaves();
    calls_fail();
    no_memory();
    nk_setup_release(setup);
    nk_arena_free(&arena);
    nk_arena_free(&scratch);
    for (size_t i = 0; i < NK_COUNT(bufs); i++)
        nk_buf_free(bufs[i]);
    return tap_done();
}
