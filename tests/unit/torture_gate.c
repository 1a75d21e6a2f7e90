/* SPDX-License-Identifier: Apache-2.0
 *
 * torture_gate - a real gate whose neighbours fall silent, fill up, break their rings, come back on
 * new ones, and mix up what they say; and clients that press on meanwhile. See torture_wire.c for
 * single records of an answer.
 */
#include "torture/say.h"
#include <sys/mman.h>

static const char models[] = "GET /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer "
                             "torture-key-of-john-0123456789\r\n\r\n";

/* Cases ---------------------------------------------------------------------------------------- */

static void start(void)
{
    forget();
    bed.call = hold;
    bed_start();
}

static void say(enum nk_control_kind kind, uint32_t generation, int bundle, int listener)
{
    struct nk_control m;
    nk_control_init(&m, kind);
    m.generation = generation;
    m.bundle = bundle;
    if (listener >= 0) {
        m.listeners[0] = listener;
        m.listener_count = 1;
    }
    TAP_CHECK(nk_control_send(bed.control, &m) == 0);
}

static void reloads(void)
{
    start();
    one_good("before a reload");
    client_ask(0, false, 0);
    TAP_CHECK(wait_calls(1));
    int fd = bed_bundle(NULL), listener = bed_listen();
    for (uint32_t i = 2; i < 5; i++) { /* twice in a row, abandoned, then meant */
        say(NK_CONTROL_PREPARE, i, fd, listener);
        TAP_CHECK(bed_hear(NK_CONTROL_PREPARED));
        if (i == 3)
            say(NK_CONTROL_ABANDON, 0, -1, -1);
    }
    say(NK_CONTROL_COMMIT, 4, -1, -1);
    say(NK_CONTROL_COMMIT, 4, -1, -1); /* said twice */
    say(NK_CONTROL_ABANDON, 0, -1, -1);
    turns(20);
    put_whole(&held[0]);
    wait_clients();
    tap_ok(is_answered(0), "what was under way at a reload is answered");
    close(listener);
    close(fd);
    one_good("after a reload, at its listener");
    fd = memfd_create("rubbish", MFD_CLOEXEC);
    say(NK_CONTROL_PREPARE, 5, fd, -1);
    TAP_CHECK(!bed_hear(NK_CONTROL_PREPARED));
    say(NK_CONTROL_COMMIT, 5, -1, -1);
    close(fd);
    one_good("after a reload that failed");
    check_accounts("reloads");
    bed_stop("reloads");
}

static void new_rings(void)
{
    start();
    for (size_t i = 0; i < 20; i++)
        client_ask(i, i % 2, i < 10 ? 0 : 100000);
    TAP_CHECK(wait_calls(10));
    put_head(&held[0], "text/event-stream", false, "data: {\"id\":\"c\",\"choices\":[]}\n\n");
    turns(30);
    struct nk_control m;
    bed_drop_pair();
    bed_pair();
    nk_control_init(&m, NK_CONTROL_RINGS);
    m.calls = bed.call_fds;
    m.answers = bed.answer_fds;
    TAP_CHECK(nk_control_send(bed.control, &m) == 0);
    wait_clients();
    int wrong = 0;
    for (size_t i = 0; i < 20; i++)
        wrong += !is_refused(i);
    tap_ok(wrong == 0, "a courier that died: its calls are refused (%d are not)", wrong);
    /* The new courier answers calls that it was never given. */
    for (uint32_t i = 0; i < 20; i++) {
        struct held ghost = {.stream = i, .generation = i + 1};
        put_whole(&ghost);
    }
    one_good("after new rings");
    check_accounts("new rings");
    bed_stop("new rings");
}

/* One request's bytes twice, in one write: both are answered, in order. */
static void pipelines(void)
{
    static const char *const firsts[] = {
        models, "POST /v1/embeddings HTTP/1.1\r\nHost: g\r\nAuthorization: "
                "Bearer torture-key-of-john-0123456789\r\n"
                "Content-Type: application/json\r\nContent-Length: 27"
                "\r\n\r\n{\"model\":\"none\",\"input\":\"\"}"};
    start();
    for (size_t k = 0; k < 2 * NK_COUNT(firsts); k++) {
        struct client *c = client_new(0, false);
        struct nk_buf b;
        nk_buf_init(&b, 1 << 16);
        nk_buf_add(&b, nk_str(firsts[k / 2]));
        client_text(&b, 0, false, 0);
        size_t cut = k % 2 ? b.n - 30 : b.n; /* the second may come in two parts */
        NK_MUST(send(c->fd, b.p, cut, 0) == (ssize_t)cut);
        usleep(20000);
        NK_MUST(send(c->fd, b.p + cut, b.n - cut, 0) == (ssize_t)(b.n - cut));
        nk_buf_free(&b);
        for (int64_t until = now_ms() + 2000; !held_count && now_ms() < until; usleep(500)) {
            bed_courier();
            bed_scribe();
        }
        tap_ok(held_count == 1, "pipeline %zu: the second request is heard", k);
        if (held_count)
            put_whole(&held[0]);
        char bytes[8192] = "";
        size_t n = 0;
        for (int64_t until = now_ms() + 2000; !strstr(bytes, "case-0-") && now_ms() < until;) {
            ssize_t r = recv(c->fd, bytes + n, sizeof bytes - 1 - n, MSG_DONTWAIT);
            n += r > 0 ? (size_t)r : 0;
            bed_courier();
            bed_scribe();
            usleep(500);
        }
        tap_ok(strstr(bytes, "answer to case-0-") != NULL, "pipeline %zu: and answered", k);
        forget();
    }
    check_accounts("pipelines");
    bed_stop("pipelines");
}

/* What the gate puts into a ring while it sends is seen at once, not when it happens to wake: here a
 * second request, when the first one's answer may leave. */
static void wakes(void)
{
    enum { PAIRS = 12 };
    int64_t waited = 0;
    bed.strict = true;
    start();
    for (size_t k = 0; k < PAIRS; k++) {
        struct client *c = client_new(0, false);
        struct nk_buf b;
        nk_buf_init(&b, 1 << 16);
        nk_buf_add(&b, nk_str(models));
        client_text(&b, 0, false, 0);
        bed.keep_durable = true;
        NK_MUST(send(c->fd, b.p, b.n, 0) == (ssize_t)b.n);
        nk_buf_free(&b);
        c->ended = 1; /* what it gets does not matter here */
        turns(30);
        bed.keep_durable = false;
        waited -= now_ms();
        TAP_CHECK(wait_calls(1));
        waited += now_ms();
        forget();
    }
    /* Each would have waited for a timer: some hundred ms. */
    tap_ok(waited < PAIRS * 300, "%d second requests are passed on at once: %d ms", PAIRS,
           (int)waited);
    check_accounts("wakes");
    bed_stop("wakes");
}

static void streams(void)
{
    enum { PIECE = 32000, PIECES = 200 };
    static char event[PIECE + 1];
    start();
    struct client *c = client_ask(0, true, 0);
    int small = 1 << 17;
    NK_MUST(setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
    TAP_CHECK(wait_calls(1));
    c->ended = 1;
    static const char begin[] = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{"
                                "\"content\":\"",
                      finish[] = "\"},\"finish_reason\":null}]}\n\n";
    memset(event, 'x', PIECE);
    memcpy(event, begin, sizeof begin - 1);
    memcpy(event + PIECE - (sizeof finish - 1), finish, sizeof finish);
    size_t sent = PIECE, given = NK_WIRE_FIRST_CREDIT;
    credits = credited = 0;
    put_head(&held[0], "text/event-stream", false, event);
    int64_t began = now_ms(), last = began;
    while (sent < (size_t)PIECE * PIECES && now_ms() - last < PATIENCE_MS) {
        static char bytes[65536];
        if (sent + PIECE > given + credited) /* all that may be sent waits for the client */
            (void)recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (sent + PIECE <= given + credited) {
            put(&held[0], NK_WIRE_DATA, sent, false, NK_STR(""), nk_str(event));
            sent += PIECE;
            last = now_ms();
        }
        bed_courier();
        bed_scribe();
        usleep(100);
    }
    tap_ok(sent == (size_t)PIECE * PIECES && credits > 10, "credit is given as the client reads");
    tap_ok(now_ms() - began < 6000, "and at once: %zu grants in %d ms", credits,
           (int)(now_ms() - began));
    close(c->fd);
    c->fd = -1;
    turns(50);
    tap_ok(held[0].aborted, "a client that leaves cancels its call");
    check_accounts("streams");
    bed_stop("streams");
}

/* Silence and full rings ----------------------------------------------------------------------- */

/* The courier takes nothing any more, and there is no room left even to cancel. */
static void full_calls(void)
{
    enum { BIG = 5, ALL = 60, BEGUN = 20 };
    int wrong = 0, not_cancelled = 0;
    start();
    bed.keep_calls = true;
    for (size_t i = 0; i < ALL; i++) {
        client_ask(i, i >= BIG, i < BIG ? 103000 : 0);
        turns(2);
    }
    for (uint32_t i = BIG; i < BIG + BEGUN; i++) {
        struct held h = {.stream = i, .generation = i + 1};
        put_head(&h, "text/event-stream", false, "data: {\"id\":\"c\",\"choices\":[]}\n\n");
    }
    wait_clients();
    for (size_t i = 0; i < ALL; i++)
        wrong += !is_refused(i);
    tap_ok(wrong == 0, "a silent courier and a full ring: all are refused or cut (%d are not)",
           wrong);
    bed.keep_calls = false;
    turns(100);
    for (size_t i = 0; i < held_count; i++)
        not_cancelled += !held[i].aborted;
    tap_ok(held_count > BIG + 10 && held_count < ALL && not_cancelled == 0,
           "when there is room, each of %zu calls is cancelled (%d are not)", held_count,
           not_cancelled);
    one_good("after a full ring of calls");
    check_accounts("full calls");
    bed_stop("full calls");
}

/* Asks for what is refused, again and again, until no more answers come. */
static size_t fill_audit(void)
{
    int fd = client_connect();
    size_t asked = 0;
    for (int64_t last = now_ms(); asked < 20000 && now_ms() - last < 300;) {
        char bytes[4096];
        bed_scribe();
        if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0 || asked == 0) {
            last = now_ms();
            asked += send(fd, models, sizeof models - 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
        }
        usleep(10);
    }
    close(fd);
    return asked;
}

static void full_audit(void)
{
    for (int strict = 0; strict < 2; strict++) {
        bed.audit_bytes = 1 << 19;
        bed.strict = strict;
        start();
        bed.keep_audit = true;
        size_t asked = fill_audit();
        client_ask(0, false, 0);
        client_ask(1, true, 0);
        wait_clients();
        tap_ok(asked > 300 && is_refused(0) && is_refused(1) && held_count == 0,
               "a full audit ring: no call is made after %zu records", asked);
        bed.keep_audit = false;
        turns(50);
        one_good("after a full audit ring");
        check_accounts("full audit");
        bed_stop("full audit");
        bed.strict = false;
    }
    bed.audit_bytes = AUDIT_RING;
}

/* The answer comes before the call is wholly sent, and its record has no room. */
static void early_answer(void)
{
    bed.audit_bytes = 1 << 19;
    start();
    bed.keep_calls = true;
    client_ask(0, false, 700000);
    turns(100);
    TAP_CHECK(nk_ring_backlog(bed.calls) > RING / 2);
    bed.keep_audit = true;
    fill_audit();
    struct held h = {.stream = 0, .generation = 1};
    put_whole(&h);
    turns(50);
    bed.keep_audit = false;
    wait_clients();
    tap_ok(clients[0].ended && !clients[0].broken && !clients[0].unrecorded,
           "an early answer to a call that is not wholly sent");
    bed.keep_calls = false;
    turns(50);
    one_good("after an early answer");
    check_accounts("early answer");
    bed_stop("early answer");
    bed.audit_bytes = AUDIT_RING;
}

/* Durability that comes late, or never, holds answers back and nothing else. */
static void late_durable(void)
{
    int early = 0;
    bed.strict = true;
    start();
    bed.keep_durable = true;
    for (size_t i = 0; i < 10; i++)
        client_ask(i, i % 2, 0);
    TAP_CHECK(wait_calls(10));
    for (size_t i = 0; i < 8; i++)
        put_whole(&held[i]);
    turns(200);
    for (size_t i = 0; i < 10; i++)
        early += clients[i].head != NULL;
    tap_ok(early == 0, "strict: not a byte before its record is durable");
    uint64_t half = bed.records / 2;
    nk_ring_set_durable(bed.audit, half);
    turns(100);
    bed.keep_durable = false;
    wait_clients();
    int wrong = 0;
    for (size_t i = 0; i < 10; i++)
        wrong += clients[i].unrecorded || !(held[i].aborted || clients[i].ended);
    tap_ok(wrong == 0, "strict: every client is served when it is");
    one_good("after late records");
    forget();
    bed.keep_durable = true;
    client_ask(0, false, 0);
    if (wait_calls(1))
        put_whole(&held[0]);
    wait_clients();
    tap_ok(is_refused(0), "strict: a record that is never durable cuts the client off");
    bed.keep_durable = false;
    one_good("after a record that was late");
    check_accounts("late records");
    bed_stop("late records");
}

/* Broken rings --------------------------------------------------------------------------------- */

static void scribble(int memfd, size_t offset, uint64_t v)
{
    NK_MUST(pwrite(memfd, &v, sizeof v, (off_t)offset) == (ssize_t)sizeof v);
}

/* Where in the data of the ring of answers the first unpublished record lies. */
static size_t next_place(void)
{
    uint64_t words[5]; /* of the producer's page: the first is its tail, the last its base */
    NK_MUST(pread(bed.answer_fds.memfd, words, sizeof words, 0) == (ssize_t)sizeof words);
    return (size_t)(words[0] - words[4]);
}

/* What the gate reads in a ring of answers that makes no sense: it ends with 1, for a new start. */
static void broken_answers(void)
{
    static const struct {
        const char *name;
        size_t at; /* behind the start of the record, or of the producer's page */
        bool record;
        uint64_t value;
    } bad[] = {
        {"tail beyond the ring", 0, false, (uint64_t)RING * 8},
        {"tail moved back", 0, false, 0},
        {"tail not at a record", 0, false, 100003},
        {"record larger than any", 0, true, UINT64_C(0x12ffffffff)},
        {"record larger than what is there", 0, true, UINT64_C(0x1200010000)},
        {"head larger than the record", 16, true, UINT64_C(0xffff000000000000)},
        {"bytes that are for later versions", 24, true, 1},
    };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        start();
        one_good("before a broken ring");
        client_ask(0, false, 0);
        TAP_CHECK(wait_calls(1));
        struct nk_ring_record r = {.type = NK_WIRE_DATA, .payload = NK_STR("0123456789abcdef")};
        NK_MUST(!nk_ring_put(bed.answers, &r));
        if (bad[i].record)
            scribble(bed.answer_fds.memfd, 2 * page + next_place() + bad[i].at, bad[i].value);
        nk_ring_publish(bed.answers);
        if (!bad[i].record)
            scribble(bed.answer_fds.memfd, bad[i].at, bad[i].value);
        uint64_t one = 1;
        (void)!write(bed.answer_fds.eventfd, &one, sizeof one);
        int status = bed_reap(PATIENCE_MS);
        turns(5);
        tap_ok(status == 1 && is_refused(0), "%s: the gate ends with %d, the client is cut",
               bad[i].name, status);
        bed_end();
    }
}

/* What it reads as a producer: that ring is full for ever, nothing passes, nothing breaks. */
static void broken_releases(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    static const uint64_t heads[] = {1 << 30, UINT64_MAX};
    for (size_t i = 0; i < 2 * NK_COUNT(heads); i++) {
        start();
        one_good("before a broken release");
        bed.keep_audit = bed.keep_calls = true;
        scribble(i % 2 ? bed.call_fds.memfd : bed.audit_fds.memfd, page, heads[i / 2]);
        for (size_t k = 0; k < 6; k++)
            client_ask(k, false, 150000);
        wait_clients();
        int wrong = 0;
        for (size_t k = 0; k < 6; k++)
            wrong += !is_refused(k);
        tap_ok(wrong == 0, "a broken ring of %s: all are refused (%d are not)",
               i % 2 ? "calls" : "records", wrong);
        check_accounts("broken release");
        bed_end();
    }
}

static void bad_control(void)
{
    for (int kind = 0; kind < 2; kind++) {
        start();
        client_ask(0, false, 0);
        TAP_CHECK(wait_calls(1));
        if (kind == 0)
            TAP_CHECK(send(bed.control, "x", 1, 0) == 1);
        else
            TAP_CHECK(shutdown(bed.control, SHUT_RDWR) == 0);
        turns(30);
        put_whole(&held[0]);
        wait_clients();
        tap_ok(is_answered(0), "a warden that makes no sense: what is under way is answered");
        int status = bed_reap(PATIENCE_MS);
        tap_ok(status == 0, "and the gate ends: %d", status);
        forget();
        bed_end();
    }
}

/* Descriptors run out while nobody is connected, and come back. */
static void no_descriptors(void)
{
    struct rlimit was, few = {3, 3};
    start();
    one_good("before descriptors run out");
    TAP_CHECK(prlimit(bed.pid, RLIMIT_NOFILE, NULL, &was) == 0);
    few.rlim_max = was.rlim_max;
    TAP_CHECK(prlimit(bed.pid, RLIMIT_NOFILE, &few, NULL) == 0);
    client_ask(0, false, 0);
    turns(50);
    TAP_CHECK(prlimit(bed.pid, RLIMIT_NOFILE, &was, NULL) == 0);
    if (wait_calls(1))
        put_whole(&held[0]);
    wait_clients();
    tap_ok(is_answered(0), "a client that came when no descriptor was free is served later");
    check_accounts("no descriptors");
    bed_stop("no descriptors");
}

/* Key sets ------------------------------------------------------------------------------------- */

static void put_keys(uint32_t generation)
{
    struct nk_ring_record r = {.type = NK_WIRE_FETCHED,
                               .generation = generation,
                               .flags = NK_WIRE_END,
                               .head_size = 8,
                               .payload = NK_STR("\0\0\0\0\xc8\0\0\0not a key set")};
    NK_MUST(!nk_ring_put(bed.answers, &r));
    nk_ring_publish(bed.answers);
    turns(50);
}

static bool wait_fetch(uint32_t n)
{
    for (int64_t until = now_ms() + PATIENCE_MS; fetches < n && now_ms() < until;)
        turn();
    return fetches >= n;
}

/* The key set of one issuer must not become another's, which has its number after a reload. */
static void key_sets(void)
{
    forget();
    fetches = 0;
    bed.call = hold;
    bed_start_with("http://127.0.0.1:1/one");
    TAP_CHECK(wait_fetch(1));
    uint32_t before = fetch_generation;
    int fd = bed_bundle("http://127.0.0.1:1/two"), listener = bed_listen();
    say(NK_CONTROL_PREPARE, 2, fd, listener);
    TAP_CHECK(bed_hear(NK_CONTROL_PREPARED));
    say(NK_CONTROL_COMMIT, 2, -1, -1);
    close(fd);
    close(listener);
    TAP_CHECK(wait_fetch(2));
    put_keys(before);
    tap_ok(nk_stats_total(&counters, NK_STAT_JWKS_FAILED) == 0,
           "a key set that was asked for before a reload is not looked at");
    put_keys(fetch_generation);
    TAP_CHECK(nk_stats_total(&counters, NK_STAT_JWKS_FAILED) == 1);
    one_good("after key sets");
    bed_stop("key sets");
}

/* What must hold whatever framing carries the requests. */
static void either(void)
{
    reloads();
    new_rings();
    full_calls();
    full_audit();
    early_answer();
    late_durable();
    bad_control();
    no_descriptors();
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    nk_arena_init(&arena, 64 << 20);
    bed.audit_bytes = AUDIT_RING;
    pipelines();
    wakes();
    streams();
    broken_answers();
    broken_releases();
    key_sets();
    either();
    printf("# over HTTP/2\n");
    ask_over = shared_ask;
    either();
    nk_arena_free(&arena);
    return tap_done();
}
