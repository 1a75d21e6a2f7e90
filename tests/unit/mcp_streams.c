/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_streams.c - the stream of a client in a session with three servers, in virtual time: how what servers do in their
 * lanes, in any order, becomes one answer; what is called, dropped and recorded; where a stream is taken up; and that
 * memory may end at every place. What the client sees of messages is for scenarios and end-to-end tests.
 */
#include "gate/mcp_streams.h"
#include "ident/keyfile.h"
#include "tap.h"

#include <string.h>

enum { NOW_MS = 1763800000, SERVERS = 3 };

static struct nk_setup *setup;
static struct nk_arena arena, scratch;
static const char secret[] = "streams-key-of-nobody-01";

static struct seen { /* of one request */
    struct nk_txn *txn;
    struct nk_arena arena;
    struct nk_buf body, records;
    struct nk_http_header headers[8];
    struct nk_http_head head;
    struct nk_str last[SERVERS];  /* Last-Event-ID of its calls; absent: none, or no call */
    unsigned called, dropped, fx; /* bits of lanes; all effects */
    int status;
} seen;

static void prepare(void)
{
    struct nk_set_policy policy = {NK_STR("all.cedar"),
                                   NK_STR("@id(\"all\") permit (principal, action, resource);")};
    struct nk_keyfile_entry e = {.id = NK_STR("streamskey01"),
                                 .digest = nk_sha256(nk_str(secret)),
                                 .type = NK_STR("User"),
                                 .principal = NK_STR("p"),
                                 .created_ms = 1700000000000,
                                 .expires_ms = INT64_MAX,
                                 .revoked_ms = INT64_MAX};
    struct nk_buf keys;
    struct nk_fault f = {0};
    nk_buf_init(&keys, 1 << 20);
    nk_keyfile_put(&e, &keys);
    struct nk_setup_input in = {
        .config =
            NK_STR("{\"listen\":[{\"address\":\"unix:g\"}],\"upstreams\":["
                   "{\"name\":\"a\",\"dialect\":\"mcp\",\"url\":\"http://127.0.0.1:1\"},"
                   "{\"name\":\"b\",\"dialect\":\"mcp\",\"url\":\"http://127.0.0.1:1\"},"
                   "{\"name\":\"c\",\"dialect\":\"mcp\",\"url\":\"http://127.0.0.1:1\"}],"
                   "\"models\":[],\"mcp\":[{\"path\":\"/mcp\",\"servers\":[\"a\",\"b\",\"c\"]}],"
                   "\"identity\":{\"keys\":\"k\"},\"policy\":{\"directory\":\"p\"},\"audit\":{"
                   "\"directory\":\"a\"}}"),
        .policies = &policy,
        .policy_count = 1,
        .sessions = NK_STR("a secret of sessions, long enough for it"),
        .keys = nk_arena_copy(&arena, nk_buf_str(&keys)),
        .seed = {1, 2}};
    setup = nk_setup_new(&in, &f);
    if (!setup)
        printf("# %s\n", f.message);
    NK_MUST(setup);
    nk_buf_free(&keys);
}

static void step(uint32_t lane, enum nk_event_type type, const struct nk_http_head *head,
                 struct nk_str bytes)
{
    struct nk_event e = {.type = type,
                         .lane = lane,
                         .unix_ms = NOW_MS * 1000LL,
                         .head = head,
                         .bytes = bytes,
                         .fail = NK_UPSTREAM_BROKEN};
    struct nk_txn *t = seen.txn;
    unsigned fx = nk_gate_step(t, &e);
    for (size_t i = 0; fx & NK_FX_RECORD && i < t->record_count; i++) {
        nk_buf_add(&seen.records, t->records[i]);
        nk_buf_add_char(&seen.records, '\n');
    }
    if (fx & NK_FX_DROP)
        seen.dropped |= 1u << t->drop;
    if (fx & NK_FX_HEAD) {
        NK_MUST(!(seen.fx & NK_FX_HEAD)); /* one answer has one head */
        seen.status = t->reply_head.status;
    }
    if (fx & NK_FX_DATA)
        nk_buf_add(&seen.body, nk_buf_str(&t->out));
    nk_buf_clear(&t->out);
    seen.fx |= fx;
    nk_arena_free(&scratch); /* nothing of a step outlives it: AddressSanitizer would say so */
    if (fx & NK_FX_CALL) {
        struct nk_str last = nk_http_get(&t->call.head, NK_STR("last-event-id"));
        NK_MUST(t->call.lane < SERVERS);
        seen.called |= 1u << t->call.lane;
        seen.last[t->call.lane] = last.p ? nk_arena_copy(&arena, last) : last;
    }
    if (fx & NK_FX_NEXT)
        step(0, NK_EV_NEXT, NULL, NK_STR(""));
}

static void header(const char *name, struct nk_str value)
{
    seen.headers[seen.head.header_count++] = (struct nk_http_header){nk_str(name), value};
}

static void forget(void)
{
    nk_txn_free(seen.txn);
    nk_arena_free(&seen.arena);
    nk_buf_free(&seen.body);
    nk_buf_free(&seen.records);
    memset(&seen, 0, sizeof seen);
}

/* `ceiling`: of its memory, in bytes. */
static bool ask(size_t ceiling, const char *method, struct nk_str session, struct nk_str last,
                const char *body)
{
    struct nk_gate_env env = {.instance = 7, .number = 1, .scratch = &scratch};
    nk_arena_init(&seen.arena, ceiling);
    nk_buf_init(&seen.body, 1 << 20);
    nk_buf_init(&seen.records, 1 << 20);
    seen.txn = nk_txn_new(&seen.arena, setup, &env);
    if (!seen.txn)
        return false;
    seen.head = (struct nk_http_head){.method = nk_str(method),
                                      .target = NK_STR("/mcp"),
                                      .headers = seen.headers,
                                      .content_length = (int64_t)strlen(body)};
    header("host", NK_STR("localhost"));
    header("authorization", nk_arena_printf(&arena, "Bearer %s", secret));
    header("content-type", NK_STR("application/json"));
    header("accept", NK_STR("application/json, text/event-stream"));
    header("mcp-protocol-version", NK_STR("2025-11-25"));
    if (session.p)
        header("mcp-session-id", session);
    if (last.p)
        header("last-event-id", last);
    step(0, NK_EV_REQUEST, &seen.head, NK_STR(""));
    if (*body)
        step(0, NK_EV_BODY, NULL, nk_str(body));
    step(0, NK_EV_REQUEST_END, NULL, NK_STR(""));
    return true;
}

static void head_of(uint32_t lane, int status, const char *type)
{
    static struct nk_http_header headers[2];
    static struct nk_http_head head;
    headers[0] = (struct nk_http_header){NK_STR("content-type"), nk_str(type)};
    headers[1] = (struct nk_http_header){NK_STR("mcp-session-id"), NK_STR("of-the-server")};
    head = (struct nk_http_head){
        .status = status, .headers = headers, .header_count = 2, .content_length = -1};
    step(lane, NK_EV_ANSWER, &head, NK_STR(""));
}

static struct nk_str begin_session(void)
{
    NK_MUST(ask(8 << 20, "POST", (struct nk_str){NULL, 0}, (struct nk_str){NULL, 0},
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{"
                "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},"
                "\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}"));
    for (int i = 0; i < SERVERS; i++) {
        head_of(0, 200, "application/json");
        step(0, NK_EV_ANSWER_DATA, NULL,
             NK_STR("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\","
                    "\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}"));
        step(0, NK_EV_ANSWER_END, NULL, NK_STR(""));
    }
    struct nk_str id = nk_http_get(&seen.txn->reply_head, NK_STR("mcp-session-id"));
    NK_MUST(id.p);
    id = nk_arena_copy(&arena, id);
    forget();
    return id;
}

static size_t outcomes(const char *what)
{
    struct nk_str rest = nk_buf_str(&seen.records);
    size_t n = 0;
    for (ptrdiff_t at; (at = nk_str_search(rest, nk_str(what))) >= 0; n++)
        rest = nk_str_sub(rest, (size_t)at + 1, rest.n);
    return n;
}

/* What servers do, in order: "LANE DEED", where the deed is s (a stream begins), m (a message), h and r (halves of one), g (what is none),
 * e (the end), f (a failure), n (405), o (404: no such session), 5 (500), l (the client leaves). */
static void play(const char *story)
{
    static const char message[] =
        "id: of-%c\ndata: "
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n\n";
    for (; *story; story += 2) {
        uint32_t lane = (uint32_t)(story[0] - '0');
        struct nk_str text = nk_arena_printf(&arena, message, story[0]);
        switch (story[1]) {
        case 's':
            head_of(lane, 200, "text/event-stream");
            break;
        case 'm':
            step(lane, NK_EV_ANSWER_DATA, NULL, text);
            break;
        case 'h':
            step(lane, NK_EV_ANSWER_DATA, NULL, nk_str_sub(text, 0, 20));
            break;
        case 'r':
            step(lane, NK_EV_ANSWER_DATA, NULL, nk_str_sub(text, 20, text.n));
            break;
        case 'g':
            step(lane, NK_EV_ANSWER_DATA, NULL, NK_STR("data: {\n\n"));
            break;
        case 'e':
            step(lane, NK_EV_ANSWER_END, NULL, NK_STR(""));
            break;
        case 'f':
            step(lane, NK_EV_ANSWER_FAIL, NULL, NK_STR("broke off"));
            break;
        case 'l':
            step(0, NK_EV_CLIENT_GONE, NULL, NK_STR(""));
            break;
        default:
            head_of(lane, story[1] == 'n' ? 405 : story[1] == 'o' ? 404 : 500, "text/plain");
        }
    }
}

static const struct {
    const char *story;
    int status;
    unsigned dropped; /* lanes */
    size_t messages;
    bool ends, aborts;
    const char *what;
} cases[] = {
    {"0s1s2s0m1m2m", 200, 0, 3, false, false, "messages of all"},
    {"0s1s0h1h1r0r", 200, 0, 2, false, false, "messages that come in pieces"},
    {"0s1s2s0e1m1e2m2e", 200, 0, 2, true, false, "the last one ends it"},
    {"0n1s1m2n", 200, 5, 1, false, false, "two have no stream"},
    {"0n1n2n", 405, 7, 0, true, false, "none has a stream"},
    {"0f1n2n", 502, 6, 0, true, false, "none has a stream, and one cannot be reached"},
    {"0s0m1f2f0m", 200, 0, 2, false, false, "two cannot be reached"},
    {"0f1f2f", 502, 0, 0, true, false, "none can be reached"},
    {"0s1s0g1m2s", 200, 1, 1, false, false, "one breaks the protocol"},
    {"0s0g1s1m2s2e1e", 200, 1, 1, true, false, "one breaks the protocol before others begin"},
    {"0s0h0e1s1m", 200, 0, 1, false, false, "one ends within a message"},
    {"0o", 404, 0, 0, true, true, "one does not know the session"},
    {"0s1o0m", 200, 2, 1, false, false, "one does not know it any more"},
    {"051s0m1m", 200, 1, 1, false, false, "what is over says nothing any more"},
    {"0s1s0m0l", 200, 0, 1, false, true, "the client leaves"},
};

static void stories(struct nk_str session)
{
    for (size_t i = 0; i < NK_COUNT(cases); i++) {
        NK_MUST(ask(8 << 20, "GET", session, (struct nk_str){NULL, 0}, ""));
        NK_MUST(seen.called == 7);
        play(cases[i].story);
        bool ended = seen.fx & NK_FX_END, aborted = seen.fx & NK_FX_ABORT;
        struct nk_str rest = nk_buf_str(&seen.body);
        size_t messages = 0;
        for (ptrdiff_t at; (at = nk_str_search(rest, NK_STR("list_changed"))) >= 0; messages++)
            rest = nk_str_sub(rest, (size_t)at + 1, rest.n);
        tap_ok(seen.status == cases[i].status && seen.dropped == cases[i].dropped &&
                   messages == cases[i].messages && ended == cases[i].ends &&
                   aborted == cases[i].aborts,
               "%s", cases[i].what);
        if (seen.status != cases[i].status || seen.dropped != cases[i].dropped)
            printf("# %d, dropped %u, %zu messages\n", seen.status, seen.dropped, messages);
        bool over = ended || aborted;
        if (!over)
            play("0l");
        tap_ok(outcomes("\"kind\":\"outcome\"") == SERVERS && outcomes("\"call\":1,") &&
                   outcomes("\"call\":2,") && outcomes("\"call\":3,"),
               "%s: an outcome of each call", cases[i].what);
        forget();
    }
}

static void taken_up(struct nk_str session)
{
    NK_MUST(ask(8 << 20, "GET", session, (struct nk_str){NULL, 0}, ""));
    play("0s1s2s2m0m");
    struct nk_str body = nk_buf_str(&seen.body), id = {NULL, 0};
    for (struct nk_str rest = body; rest.n;) {
        struct nk_str line = nk_str_cut(&rest, '\n');
        if (nk_str_starts(line, NK_STR("id: ")))
            id = nk_arena_copy(&arena, nk_str_sub(line, 4, line.n));
    }
    forget();
    NK_MUST(id.p && ask(8 << 20, "GET", session, id, ""));
    tap_ok(seen.called == 7 && nk_str_eq(seen.last[0], NK_STR("of-0")) && !seen.last[1].p &&
               nk_str_eq(seen.last[2], NK_STR("of-2")),
           "each server is asked for what came behind its own last event");
    forget();
}

/* Whatever cannot be kept in memory, what was called has its decision before it. */
static void no_memory(struct nk_str session)
{
    size_t began = 0, odd = 0, rounds = 0;
    for (size_t ceiling = 2048; ceiling < 24 << 10; ceiling += 97, rounds++) {
        if (ask(ceiling, "GET", session, (struct nk_str){NULL, 0}, ""))
            play("0s1s2s0m1m2g2m0e1e");
        began += seen.status == 200;
        odd += seen.called && !outcomes("\"decision\":\"allow\"");
        odd += seen.called && !(seen.fx & (NK_FX_END | NK_FX_CUT));
        forget();
    }
    tap_ok(began && began < rounds && !odd, "%zu of %zu began, %zu were odd", began, rounds, odd);
}

int main(void)
{
    nk_arena_init(&arena, 512 << 20);
    nk_arena_init(&scratch, 8 << 20);
    prepare();
    struct nk_str session = begin_session();
    stories(session);
    taken_up(session);
    no_memory(session);
    nk_setup_release(setup);
    nk_arena_free(&arena);
    nk_arena_free(&scratch);
    return tap_done();
}
