/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_wait.c - calls of MCP tools that wait for a person, in virtual time, with an edge of this file: what one
 * transaction tells is carried to the one that waits. Many wait at once, until the table is full; what is told is
 * mutated thousands of times; memory ends at every place; and nothing is called that nobody agreed to.
 */
#include "gate/mcp_wait.h"
#include "ident/keyfile.h"
#include "tap.h"

enum { PEOPLE = 40, NOW_MS = 1763800000, REQUESTS = 512, MUTATIONS = 4000 };

static struct nk_setup *setup;
static struct nk_arena arena, scratch;
static struct nk_waits waits;
static uint64_t dice = 20261126, number = 1;

struct request { /* with what was seen of it */
    struct nk_txn *txn;
    struct nk_arena arena;
    struct nk_buf body, records;
    struct nk_http_header headers[8];
    struct nk_http_head head;
    int status;
    uint64_t number;
    unsigned fx; /* all of them */
    struct nk_tell tell;
};
static struct request requests[REQUESTS];
static size_t request_count;
static int64_t now = NOW_MS * 1000LL;

static void prepare(void)
{
    struct nk_set_policy policy = {
        NK_STR("all.cedar"),
        NK_STR("@id(\"all\") permit (principal, action, resource);"
               "@id(\"ask\") @decision(\"step_up\") forbid (principal, action == "
               "Action::\"CallTool\", resource == Tool::\"s___pay\");")};
    struct nk_buf keys;
    struct nk_fault f = {0};
    nk_buf_init(&keys, 1 << 20);
    for (int i = 0; i < PEOPLE; i++) {
        struct nk_keyfile_entry e = {
            .id = nk_arena_printf(&arena, "waitkey%05d", i),
            .digest = nk_sha256(nk_arena_printf(&arena, "wait-key-of-nobody-%010d", i)),
            .type = NK_STR("User"),
            .principal = nk_arena_printf(&arena, "p%d", i),
            .created_ms = 1700000000000,
            .expires_ms = INT64_MAX,
            .revoked_ms = INT64_MAX};
        nk_keyfile_put(&e, &keys);
    }
    struct nk_setup_input in = {
        .config = NK_STR(
            "{\"listen\":[{\"address\":\"unix:g\"}],\"upstreams\":[{\"name\":\"s\",\"dialect\":"
            "\"mcp\",\"url\":\"http://127.0.0.1:1\"}],\"models\":[],\"mcp\":[{\"path\":\"/mcp\","
            "\"servers\":[\"s\"],\"unapproved\":\"decide\"}],"
            "\"identity\":{\"keys\":\"k\"},\"policy\":{\"directory\":\"p\"},\"audit\":{"
            "\"directory\":\"a\"}}"),
        .policies = &policy,
        .policy_count = 1,
        .sessions = NK_STR("a secret of sessions, long enough for it"),
        .keys = nk_arena_copy(&arena, nk_buf_str(&keys)),
        .generation = 3,
        .seed = {1, 2}};
    setup = nk_setup_new(&in, &f);
    if (!setup)
        printf("# %s\n", f.message);
    NK_MUST(setup);
    nk_buf_free(&keys);
}

/* The edge --------------------------------------------------------------------------------------- */

static void step(struct request *r, enum nk_event_type type, const struct nk_http_head *head,
                 struct nk_str bytes)
{
    struct nk_event e = {
        .type = type, .unix_ms = now, .head = head, .bytes = bytes, .fail = NK_UPSTREAM_BROKEN};
    struct nk_txn *t = r->txn;
    unsigned fx = nk_gate_step(t, &e);
    for (size_t i = 0; fx & NK_FX_RECORD && i < t->record_count; i++) {
        nk_buf_add(&r->records, t->records[i]);
        nk_buf_add_char(&r->records, '\n');
    }
    if (fx & NK_FX_HEAD) {
        NK_MUST(!(r->fx & NK_FX_HEAD)); /* one answer has one head */
        r->status = t->reply_head.status;
    }
    if (fx & NK_FX_DATA) {
        nk_buf_add(&r->body, nk_buf_str(&t->out));
        nk_buf_clear(&t->out);
    }
    if (fx & NK_FX_TELL)
        r->tell = t->tell;
    r->fx |= fx;
    nk_arena_free(&scratch); /* nothing of a step outlives it: AddressSanitizer would say so */
}

static void header(struct request *r, const char *name, struct nk_str value)
{
    r->headers[r->head.header_count++] = (struct nk_http_header){nk_str(name), value};
}

/* `ceiling`: of its memory, in bytes. */
static struct request *send_in(size_t ceiling, int who, struct nk_str session, struct nk_str body)
{
    NK_MUST(request_count < REQUESTS);
    struct request *r = &requests[request_count++];
    *r = (struct request){.number = number++};
    nk_arena_init(&r->arena, ceiling);
    nk_buf_init(&r->body, 1 << 20);
    nk_buf_init(&r->records, 1 << 20);
    struct nk_gate_env env = {.instance = 7,
                              .number = r->number,
                              .scratch = &scratch,
                              .slot = 2,
                              .waits = &waits,
                              .owner = r};
    r->txn = nk_txn_new(&r->arena, setup, &env);
    if (!r->txn)
        return r;
    r->head = (struct nk_http_head){.method = NK_STR("POST"),
                                    .target = NK_STR("/mcp"),
                                    .headers = r->headers,
                                    .content_length = (int64_t)body.n};
    header(r, "host", NK_STR("localhost"));
    header(r, "authorization", nk_arena_printf(&arena, "Bearer wait-key-of-nobody-%010d", who));
    header(r, "content-type", NK_STR("application/json"));
    header(r, "accept", NK_STR("application/json, text/event-stream"));
    header(r, "mcp-protocol-version", NK_STR("2025-11-25"));
    if (session.p)
        header(r, "mcp-session-id", session);
    step(r, NK_EV_REQUEST, &r->head, NK_STR(""));
    step(r, NK_EV_BODY, NULL, body);
    step(r, NK_EV_REQUEST_END, NULL, NK_STR(""));
    return r;
}

static struct request *send(int who, struct nk_str session, const char *body)
{
    return send_in(8 << 20, who, session, nk_str(body));
}

static void forget_all(void)
{
    while (request_count) {
        struct request *r = &requests[--request_count];
        nk_txn_free(r->txn);
        nk_arena_free(&r->arena);
        nk_buf_free(&r->body);
        nk_buf_free(&r->records);
    }
    if (waits.n)
        tap_ok(false, "%zu wait that are gone", waits.n);
}

static void answer_of_server(struct request *r, const char *type, const char *text)
{
    static struct nk_http_header headers[2];
    static struct nk_http_head head;
    headers[0] = (struct nk_http_header){NK_STR("content-type"), nk_str(type)};
    headers[1] = (struct nk_http_header){NK_STR("mcp-session-id"), NK_STR("of-the-server")};
    head = (struct nk_http_head){
        .status = 200, .headers = headers, .header_count = 2, .content_length = -1};
    step(r, NK_EV_ANSWER, &head, NK_STR(""));
    step(r, NK_EV_ANSWER_DATA, NULL, nk_str(text));
    step(r, NK_EV_ANSWER_END, NULL, NK_STR(""));
}

static struct nk_str session_of(int who)
{
    struct request *r = send(who, (struct nk_str){NULL, 0},
                             "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                             "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{"
                             "\"elicitation\":{}},\"clientInfo\":{\"name\":\"t\",\"version\":"
                             "\"1\"}}}");
    NK_MUST(r->fx & NK_FX_CALL);
    answer_of_server(r, "application/json",
                     "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\","
                     "\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}");
    struct nk_str id = nk_http_get(&r->txn->reply_head, NK_STR("mcp-session-id"));
    NK_MUST(id.p);
    id = nk_arena_copy(&arena, id);
    forget_all();
    return id;
}

static const char pay[] = "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{"
                          "\"name\":\"s___pay\",\"arguments\":{\"to\":\"Zoe\"}}}";

/* The id of the question that it asks, with its quotes; absent: it asks none. */
static struct nk_str question(const struct request *r)
{
    struct nk_str body = nk_buf_str(&r->body);
    ptrdiff_t from = nk_str_search(body, NK_STR("\"nakoso."));
    struct nk_str rest = nk_str_sub(body, from < 0 ? body.n : (size_t)from + 1, body.n);
    ptrdiff_t end = nk_str_find(rest, '"');
    return from < 0 ? (struct nk_str){NULL, 0}
                    : nk_str_sub(body, (size_t)from, (size_t)from + (size_t)end + 2);
}

static struct request *reply(int who, struct nk_str session, struct nk_str id, const char *result)
{
    struct nk_str body = nk_arena_printf(&arena, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%s}",
                                         NK_FMT(id), result);
    return send_in(8 << 20, who, session, body);
}

static const char yes[] = "{\"action\":\"accept\",\"content\":{\"approve\":true}}";

/* What the role does: to whom it is told, if he waits. */
static void carry(const struct request *r)
{
    struct request *to = nk_waits_find(&waits, r->tell.number);
    if (r->fx & NK_FX_TELL && r->tell.slot == 2 && r->tell.instance == 7 && to)
        step(to, NK_EV_TOLD, NULL, r->tell.bytes);
}

static bool says(const struct nk_buf *b, const char *what)
{
    return nk_str_search(nk_buf_str(b), nk_str(what)) >= 0;
}

/* Cases ---------------------------------------------------------------------------------------- */

static void agreed(struct nk_str session, const char *type, const char *text, const char *seen)
{
    struct request *r = send(0, session, pay);
    tap_ok(r->status == 200 && r->fx & NK_FX_WAKE && !(r->fx & NK_FX_CALL) && waits.n == 1 &&
               says(&r->records, "\"outcome\":\"step_up\""),
           "a call waits");
    struct request *by = reply(0, session, question(r), yes);
    tap_ok(by->status == 202 && by->fx & NK_FX_END && !(by->fx & NK_FX_CALL),
           "its answer is taken");
    carry(by);
    tap_ok(r->fx & NK_FX_CALL && !waits.n && says(&r->records, "\"approved\":true"),
           "it is called");
    r->fx = NK_FX_HEAD;
    carry(by);
    tap_ok(r->fx == NK_FX_HEAD, "an answer that comes twice finds nobody");
    answer_of_server(r, type, text);
    tap_ok(r->fx & NK_FX_END && says(&r->body, seen) && says(&r->records, "\"how\":\"complete\""),
           "the result is in the stream");
    forget_all();
}

static void not_agreed(struct nk_str session)
{
    static const char *const results[] = {"{\"action\":\"decline\"}", "{\"action\":\"cancel\"}",
                                          "{\"action\":\"accept\",\"content\":{\"approve\":false}}",
                                          "{}",
                                          "{\"action\":\"accept\",\"content\":{\"approve\":1}}"};
    for (size_t i = 0; i < NK_COUNT(results); i++) {
        struct request *r = send(0, session, pay);
        carry(reply(0, session, question(r), results[i]));
        tap_ok(!(r->fx & NK_FX_CALL) && r->fx & NK_FX_END && !waits.n &&
                   says(&r->body, "\"code\":-32010") && says(&r->records, "\"how\":\"declined\""),
               "%s is no yes", results[i]);
        forget_all();
    }
}

static void time_goes_by(struct nk_str session)
{
    struct request *r = send(0, session, pay);
    int64_t end = now + 120000;
    int lines = 0;
    while (!(r->fx & NK_FX_END) && lines < 100) {
        now += r->txn->wake_ms;
        lines++;
        step(r, NK_EV_WAKE, NULL, NK_STR(""));
    }
    tap_ok(now == end && lines == 8 && says(&r->body, "\n: \n\n") && !waits.n, "two minutes");
    tap_ok(says(&r->body, "notifications/cancelled") && says(&r->body, "\"code\":-32010") &&
               says(&r->records, "\"how\":\"not_answered\"") && !(r->fx & NK_FX_CALL),
           "then the question is withdrawn and the call refused");
    forget_all();
    r = send(0, session, pay);
    step(r, NK_EV_CLIENT_GONE, NULL, NK_STR(""));
    tap_ok(says(&r->records, "\"how\":\"client_gone\"") && r->fx & NK_FX_CUT, "the client leaves");
    carry(reply(0, session, question(r), yes));
    tap_ok(!(r->fx & NK_FX_CALL), "and nothing comes of an answer then");
    forget_all();
}

/* Told under another configuration than it was asked under. */
static void reloaded(struct nk_str session)
{
    struct request *r = send(0, session, pay), *by = reply(0, session, question(r), yes);
    by->tell.bytes =
        nk_arena_printf(&arena, "4%.*s", NK_FMT(nk_str_sub(by->tell.bytes, 1, by->tell.bytes.n)));
    carry(by);
    tap_ok(!(r->fx & NK_FX_CALL) && r->fx & NK_FX_END && says(&r->records, "\"how\":\"reloaded\""),
           "a reload ends the waiting");
    forget_all();
}

static void many(void)
{
    struct nk_str sessions[PEOPLE];
    size_t waiting = 0, each[PEOPLE] = {0};
    for (int i = 0; i < PEOPLE; i++)
        sessions[i] = session_of(i);
    for (int k = 0; k < 10; k++)
        for (int i = 0; i < PEOPLE; i++) {
            struct request *r = send(i, sessions[i], pay);
            bool waits_now = question(r).p != NULL;
            waiting += waits_now;
            each[i] += waits_now;
            NK_MUST(waits_now != (r->txn->reply_head.status == 200 && !(r->fx & NK_FX_WAKE)));
            NK_MUST(!(r->fx & NK_FX_CALL));
        }
    bool fair = true;
    for (int i = 0; i < PEOPLE; i++)
        fair = fair && each[i] <= NK_WAITS_EACH;
    tap_ok(waiting == NK_WAITS && waits.n == NK_WAITS && fair, "%zu wait, then it is full",
           waiting);
    size_t asked = request_count, called = 0, wrong = 0;
    for (size_t i = 0; i < asked; i += 7) {
        struct nk_str id = question(&requests[i]);
        int who = (int)(i % PEOPLE), other = (who + 1) % PEOPLE;
        if (!id.p)
            continue;
        struct request *foreign = reply(other, sessions[other], id, yes);
        carry(foreign);
        wrong += foreign->status != 400 || requests[i].fx & NK_FX_CALL;
        carry(reply(who, sessions[who], id, yes));
        called += !!(requests[i].fx & NK_FX_CALL);
    }
    tap_ok(called > 30 && !wrong && waits.n == NK_WAITS - called, "%zu answers, each its own call",
           called);
    forget_all();
}

/* A byte changed, taken out or doubled, in what is told and in the id of a question. */
static struct nk_str mutated(struct nk_str s)
{
    char *p = nk_arena_resize(&arena, NULL, 0, s.n + 1);
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    size_t at = (size_t)(dice >> 33) % s.n, kind = (size_t)(dice >> 20) % 3;
    NK_MUST(p);
    memcpy(p, s.p, at + 1);
    if (kind == 0)
        p[at] = (char)(p[at] ^ (1 << (dice >> 60) % 7));
    if (kind == 2)
        p[at + 1] = s.p[at];
    size_t to = kind == 1 ? at : kind == 2 ? at + 2 : at + 1;
    memcpy(p + to, s.p + at + 1, s.n - at - 1);
    return (struct nk_str){p, to + s.n - at - 1};
}

static void forged(struct nk_str session)
{
    struct request *r = send(0, session, pay);
    struct nk_str id = nk_arena_copy(&arena, question(r)), inner = nk_str_sub(id, 8, id.n - 1);
    size_t taken = 0;
    for (int i = 0; i < 300; i++) {
        struct nk_str bad = mutated(inner);
        struct request *by =
            reply(0, session, nk_arena_printf(&arena, "\"nakoso.%.*s\"", NK_FMT(bad)), yes);
        taken += !!(by->fx & (NK_FX_TELL | NK_FX_CALL));
    }
    tap_ok(!taken && !(r->fx & NK_FX_CALL), "no id that was changed is taken");
    forget_all();
    r = send(0, session, pay);
    struct nk_str good = nk_arena_copy(&arena, reply(0, session, question(r), yes)->tell.bytes);
    size_t calls = 0, ends = 0;
    for (int i = 0; i < MUTATIONS; i++) {
        step(r, NK_EV_TOLD, NULL, mutated(good));
        calls += !!(r->fx & NK_FX_CALL);
        if (!(r->fx & (NK_FX_END | NK_FX_CALL)))
            continue;
        ends++;
        forget_all();
        r = send(0, session, pay);
        good = nk_arena_copy(&arena, reply(0, session, question(r), yes)->tell.bytes);
    }
    /* Some are the same message, with a space or a member more; most are nothing, or no yes. */
    tap_ok(calls <= ends && ends < MUTATIONS / 2, "%zu of %d ended the waiting, %zu as a yes", ends,
           (int)MUTATIONS, calls);
    forget_all();
}

/* Whatever cannot be kept in memory, nothing is called without its records. */
static void no_memory(struct nk_str session)
{
    size_t waited = 0, called = 0, odd = 0;
    for (size_t ceiling = 4096; ceiling < 80 << 10; ceiling += 331) {
        struct request *r = send_in(ceiling, 0, session, nk_str(pay));
        struct nk_str id = r->txn ? question(r) : (struct nk_str){NULL, 0};
        if (id.p) {
            waited++;
            carry(reply(0, session, nk_arena_copy(&arena, id), yes));
        }
        called += !!(r->fx & NK_FX_CALL);
        odd += r->fx & NK_FX_CALL && !says(&r->records, "\"approved\":true");
        odd += r->txn && id.p && !(r->fx & (NK_FX_CALL | NK_FX_END | NK_FX_CUT));
        forget_all();
    }
    tap_ok(waited > called && called && !odd, "%zu waited, %zu were called", waited, called);
}

int main(void)
{
    nk_arena_init(&arena, 512 << 20);
    nk_arena_init(&scratch, 8 << 20);
    prepare();
    struct nk_str session = session_of(0);
    agreed(session, "application/json",
           "{\n  \"jsonrpc\": \"2.0\",\r\n  \"id\": 5,\n  \"result\": {\"content\": []}\n}",
           "data: {  \"jsonrpc\": \"2.0\",  \"id\": 5,  \"result\": {\"content\": []}}\n\n");
    agreed(session, "text/event-stream",
           "data: {\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"content\":[]}}\n\n",
           "data: {\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"content\":[]}}\n\n");
    not_agreed(session);
    time_goes_by(session);
    reloaded(session);
    many();
    forged(session);
    no_memory(session);
    nk_setup_release(setup);
    nk_arena_free(&arena);
    nk_arena_free(&scratch);
    return tap_done();
}
