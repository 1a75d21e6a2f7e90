/* SPDX-License-Identifier: Apache-2.0
 *
 * torture_h2 - a real gate with many requests on one HTTP/2 connection: answers in any order, resets,
 * a client that takes nothing, an audit log that fills up; and goodbyes, also over HTTP/1.1.
 */
#include "torture/say.h"

enum { MANY = 60 };

static const char event[] = "data: {\"id\":\"c\",\"choices\":[]}\n\n";

static const char models[] = "GET /v1/models HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer "
                             "torture-key-of-john-0123456789\r\n\r\n";

static void start(void)
{
    forget();
    bed.call = hold;
    bed_start();
}

static struct held *held_of(size_t number)
{
    for (size_t i = 0; i < held_count; i++)
        if (held[i].number == number)
            return &held[i];
    return NULL;
}

static int wrong_answers(size_t from, size_t to)
{
    int wrong = 0;
    for (size_t i = from; i < to; i++)
        wrong += !is_answered(i);
    return wrong;
}

/* Each gets its own answer, whatever came first. */
static void mixed(void)
{
    for (int strict = 0; strict < 2; strict++) {
        bed.strict = strict;
        start();
        for (size_t i = 0; i < MANY; i++)
            client_ask(i, false, i % 7 * 20000);
        TAP_CHECK(wait_calls(MANY));
        for (size_t i = 0; i < MANY; i++)
            put_whole(&held[(i * 37 + 11) % MANY]);
        wait_clients();
        int wrong = wrong_answers(0, MANY);
        tap_ok(wrong == 0, "%d requests on one connection, answered in any order: %d wrong", MANY,
               wrong);
        check_accounts("mixed");
        bed_stop("mixed");
    }
}

/* Streams that the client resets are cancelled and recorded; the others know nothing of it. */
static void resets(void)
{
    int cancelled = 0, recorded = 0;
    start();
    for (size_t i = 0; i < MANY; i++)
        client_ask(i, i % 2, 0);
    TAP_CHECK(wait_calls(MANY));
    for (size_t i = 1; i < MANY; i += 2)
        put_head(held_of(i), "text/event-stream", false, event);
    turns(50);
    for (size_t i = 0; i < MANY; i += 3) {
        nk_h2_reset(shared.machine, clients[i].stream_id, NK_H2_CANCEL);
        clients[i].ended = now_ms();
    }
    turns(100);
    for (size_t i = 0; i < MANY; i += 3)
        cancelled += held_of(i)->aborted;
    for (size_t i = 0; i < REQUESTS_MAX; i++)
        recorded += bed.seen[i].outcomes;
    tap_ok(cancelled == MANY / 3 && recorded == MANY / 3,
           "of %d reset streams %d calls are cancelled, %d outcomes recorded", MANY / 3, cancelled,
           recorded);
    int wrong = 0;
    for (size_t i = 0; i < MANY; i++) {
        if (i % 3 == 0)
            continue;
        if (i % 2)
            put(held_of(i), NK_WIRE_DATA, sizeof event - 1, true, NK_STR(""),
                NK_STR("data: [DONE]\n\n"));
        else
            put_whole(held_of(i));
    }
    wait_clients();
    for (size_t i = 0; i < MANY; i++)
        wrong += i % 3 && !(i % 2 ? clients[i].complete : is_answered(i));
    tap_ok(wrong == 0, "all others are answered: %d are not", wrong);
    one_good("after resets");
    check_accounts("resets");
    bed_stop("resets");
}

/* While there is no room for records, new streams wait with what came of their bodies. */
static void waits_for_records(void)
{
    enum { ALL = 20, BODY = 40000 };
    bed.audit_bytes = 1 << 19;
    start();
    client_ask(ALL, false, 0); /* begun before: it goes on */
    TAP_CHECK(wait_calls(1));
    bed.keep_audit = true;
    int fd = client_connect();
    for (int64_t last = now_ms(); now_ms() - last < 300; usleep(10)) {
        char bytes[4096];
        bed_scribe();
        (void)send(fd, models, sizeof models - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            last = now_ms();
    }
    close(fd);
    for (size_t i = 0; i < ALL; i++)
        client_ask(i, false, BODY);
    put_whole(&held[0]);
    turns(300);
    /* One or another may still fit in. */
    tap_ok(held_count < ALL / 2, "calls wait while records have no room: %zu do not", held_count);
    bed.keep_audit = false;
    TAP_CHECK(wait_calls(ALL + 1));
    for (size_t i = 1; i <= ALL; i++)
        put_whole(&held[i]);
    wait_clients();
    int wrong = wrong_answers(0, ALL + 1);
    tap_ok(wrong == 0, "then all are served: %d are not", wrong);
    check_accounts("waits for records");
    bed_stop("waits for records");
    bed.audit_bytes = AUDIT_RING;
}

/* The client opens streams and reads nothing at all, not even frames. */
static void takes_nothing(void)
{
    enum { PIECE = 30000 };
    static char big[PIECE + 1];
    static const char begin[] = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{"
                                "\"content\":\"",
                      finish[] = "\"},\"finish_reason\":null}]}\n\n";
    memset(big, 'x', PIECE);
    memcpy(big, begin, sizeof begin - 1);
    memcpy(big + PIECE - (sizeof finish - 1), finish, sizeof finish);
    start();
    for (size_t i = 0; i < MANY; i++)
        client_ask(i, true, 0);
    TAP_CHECK(wait_calls(MANY));
    int small = 4096;
    NK_MUST(setsockopt(shared.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small) == 0);
    shared.stops = true;
    credits = 0;
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < MANY; i++) {
            if (k == 0)
                put_head(&held[i], "text/event-stream", false, big);
            else
                put(&held[i], NK_WIRE_DATA, PIECE, false, NK_STR(""), nk_str(big));
        }
    turns(WRITE_MS + 1500);
    int left = 0;
    for (size_t i = 0; i < MANY; i++)
        left += !held[i].aborted;
    tap_ok(left == 0, "a client that takes nothing is given up: %d calls go on", left);
    forget();
    one_good("after a client that takes nothing");
    check_accounts("takes nothing");
    bed_stop("takes nothing");
}

static void drain(uint32_t grace_ms)
{
    struct nk_control m;
    nk_control_init(&m, NK_CONTROL_DRAIN);
    m.grace_ms = grace_ms;
    TAP_CHECK(nk_control_send(bed.control, &m) == 0);
}

/* A gate that leaves says goodbye, and serves what is under way and what was on its way. */
static void goodbye(void)
{
    start();
    for (size_t i = 0; i < MANY; i++)
        client_ask(i, false, 0);
    TAP_CHECK(wait_calls(MANY));
    drain(5000);
    turns(100);
    tap_ok(!nk_h2_may_request(shared.machine), "the client is told to ask elsewhere");
    for (size_t i = 0; i < MANY; i++)
        put_whole(&held[i]);
    wait_clients();
    int wrong = wrong_answers(0, MANY);
    tap_ok(wrong == 0, "what is under way is answered: %d are not", wrong);
    int64_t began = now_ms();
    int status = bed_reap(PATIENCE_MS);
    tap_ok(status == 0 && now_ms() - began < 3000, "then the gate ends, before its grace does: %d",
           status);
    forget();
    bed_end();
}

/* What is not answered when the grace is over is cut off. */
static void grace_ends(void)
{
    enum { FEW = 5 };
    int wrong = 0;
    start();
    for (size_t i = 0; i < FEW; i++)
        client_ask(i, i % 2, 0);
    TAP_CHECK(wait_calls(FEW));
    drain(400);
    wait_clients();
    for (size_t i = 0; i < FEW; i++)
        wrong += !is_refused(i);
    tap_ok(wrong == 0 && bed_reap(PATIENCE_MS) == 0, "at the end of its grace the gate ends: %d",
           wrong);
    forget();
    bed_end();
}

/* Asks on `fd` and reads what comes in time; "" when the connection is at its end. */
static const char *ask_on(int fd)
{
    static char bytes[8192];
    size_t n = 0;
    bytes[0] = 0;
    if (send(fd, models, sizeof models - 1, MSG_NOSIGNAL) < 0)
        return bytes;
    for (int64_t until = now_ms() + 2000; now_ms() < until && !strstr(bytes, "\r\n\r\n");) {
        turn();
        ssize_t r = recv(fd, bytes + n, sizeof bytes - 1 - n, MSG_DONTWAIT);
        if (r == 0)
            break;
        n += r > 0 ? (size_t)r : 0;
        bytes[n] = 0;
    }
    return bytes;
}

/* An idle connection of HTTP/1.1 may be about to be used just when the gate is told to leave. */
static void idle_goodbye(void)
{
    enum { IDLE = 5 };
    int fd[IDLE], wrong = 0, open = 0;
    char c;
    start();
    for (size_t i = 0; i < IDLE; i++) {
        fd[i] = client_connect();
        wrong += !strstr(ask_on(fd[i]), "200 OK");
    }
    tap_ok(wrong == 0, "connections are kept alive");
    client_ask(0, false, 0); /* what keeps the gate for a while */
    TAP_CHECK(wait_calls(1));
    drain(8000);
    turns(300);
    const char *answer = ask_on(fd[0]);
    tap_ok(strstr(answer, "200 OK") && strstr(answer, "Connection: close"),
           "one that is used is answered, and told that it is the last time: %.60s", answer);
    int64_t began = now_ms();
    for (bool all = false; !all && now_ms() - began < 4000;) {
        turn();
        all = true;
        for (size_t i = 1; i < IDLE; i++)
            all &= recv(fd[i], &c, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
    }
    for (size_t i = 1; i < IDLE; i++)
        open += recv(fd[i], &c, 1, MSG_DONTWAIT | MSG_PEEK) != 0;
    tap_ok(open == 0, "those that stay idle are closed after a moment: %d are not", open);
    put_whole(&held[0]);
    wait_clients();
    tap_ok(is_answered(0), "what is under way is answered");
    for (size_t i = 0; i < IDLE; i++)
        close(fd[i]);
    forget();
    tap_ok(bed_reap(PATIENCE_MS) == 0, "the gate ends when nobody is left");
    bed_end();
}

/* A valid beginning, then anything. */
static void rubbish(void)
{
    static const char begin[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    unsigned seed = 4711;
    start();
    for (size_t k = 0; k < 300; k++) {
        char bytes[512];
        int fd = client_connect();
        (void)send(fd, begin, sizeof begin - 1, MSG_NOSIGNAL);
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1103515245 + 12345;
            bytes[i] = (char)(seed >> 16);
        }
        bytes[0] = bytes[1] = bytes[5] = bytes[6] = bytes[7] = 0; /* a frame that fits */
        bytes[3] = (char)(k % 11);
        bytes[8] = 1;
        (void)send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
        turn();
        close(fd);
    }
    one_good("after rubbish");
    check_accounts("rubbish");
    bed_stop("rubbish");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    nk_arena_init(&arena, 64 << 20);
    bed.audit_bytes = AUDIT_RING;
    ask_over = shared_ask;
    mixed();
    resets();
    waits_for_records();
    takes_nothing();
    goodbye();
    grace_ends();
    rubbish();
    ask_over = NULL;
    idle_goodbye();
    nk_arena_free(&arena);
    return tap_done();
}
