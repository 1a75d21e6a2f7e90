/* SPDX-License-Identifier: Apache-2.0
 *
 * courier - calls through the real courier, one step after the other: this program plays the warden
 * (control channel), the gate (rings) and the upstreams (sockets on loopback) by hand, so that each byte on the way can be
 * looked at. Streams, TLS and reload are in courier_flow.c.
 */
#include "courier_house.h"

static int kept = -1; /* the connection that the courier keeps to upstream 0 */

static void normal_cases(void)
{
    post(1, 0, "hello");
    kept = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(kept, 5));
    char want[500];
    snprintf(
        want, sizeof want,
        "POST /v1/x HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n%s: Bearer key-of-a\r\n"
        "content-type: application/json\r\nx-api-key: stolen\r\nContent-Length: 5\r\n\r\nhello",
        plain_port, strstr(request, "Authorization") ? "Authorization" : "authorization");
    if (!tap_ok(!strcmp(request, want), "the request is written anew, with our credential"))
        printf("# %s\n", request);
    up_write(kept, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, x-hop\r\n"
                   "X-Hop: 1\r\nX-Keep: 2\r\nKeep-Alive: timeout=5\r\n\r\nok");
    tap_ok(is_whole(1, 200, "ok"), "a short answer is one record");
    struct nk_http_head h;
    TAP_CHECK(
        !nk_wire_get_answer(nk_str_sub(got.payload, 0, got.head_size), 64, &arena, &h, &route));
    tap_ok(h.header_count == 1 && nk_str_eq(h.headers[0].name, NK_STR("X-Keep")) &&
               h.content_length == 2,
           "hop-by-hop headers stay behind");
    /* The same connection again, with a chunked answer in three pieces. */
    post(2, 0, "");
    TAP_CHECK(up_read(kept, 0) && strstr(request, "Content-Length: 0\r\n"));
    up_write(kept,
             "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n");
    usleep(20000);
    up_write(kept, "\r\n3\r\nabc\r\n2\r\nde\r\n");
    TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD && got.flags == 0);
    tap_ok(nk_str_eq(body_of(), NK_STR("abcde")), "chunks of one read are one piece");
    up_write(kept, "1\r\nf\r\n0\r\n\r\n");
    TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_DATA && got.flags == NK_WIRE_END &&
              nk_str_eq(body_of(), NK_STR("f")));
    put_call(3, 0, "GET", "/v1/models", 0, "", NK_WIRE_END);
    TAP_CHECK(up_read(kept, 0) && !strstr(request, "Content-Length"));
    up_write(kept, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    TAP_CHECK(is_whole(3, 404, ""));
    put_call(4, 0, "HEAD", "/v1/models", 0, "", NK_WIRE_END);
    TAP_CHECK(up_read(kept, 0));
    up_write(kept, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    tap_ok(is_whole(4, 200, ""), "an answer to HEAD has no body");
    TAP_CHECK(up_accept(plain_listener, 0) < 0);
}

/* A body in several records, larger than any one of them. */
static void body_cases(void)
{
    static char piece[30001];
    memset(piece, 'x', 30000);
    put_call(5, 0, "POST", "/v1/x", 90000, piece, 0);
    put_record(NK_WIRE_BODY, 5, 0, NK_STR(""), nk_str(piece));
    put_record(NK_WIRE_BODY, 5, NK_WIRE_END, NK_STR(""), nk_str(piece));
    TAP_CHECK(up_read(kept, 90000) && strstr(request, "Content-Length: 90000\r\n"));
    up_write(kept, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    TAP_CHECK(is_whole(5, 200, "ok"));
    put_call(6, 0, "POST", "/v1/x", 10, "hello", 0);
    put_record(NK_WIRE_BODY, 6, NK_WIRE_END, NK_STR(""), NK_STR("hell"));
    tap_ok(is_fail(6, NK_WIRE_FAIL_PROTOCOL), "a body that is too short");
    tap_ok(up_read(kept, 5) && up_closed(kept, PATIENCE_MS), "its connection is closed");
    close(kept);
    put_call(7, 0, "POST", "/v1/x", 4, "hello", NK_WIRE_END);
    tap_ok(is_fail(7, NK_WIRE_FAIL_PROTOCOL), "a body that is too long");
    put_call(8, 0, "POST", "/v1/x", 10, "hello", 0);
    int fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 5));
    put_record(NK_WIRE_BODY, 8, 0, NK_STR(""), NK_STR("hello, hello"));
    tap_ok(is_fail(8, NK_WIRE_FAIL_PROTOCOL), "more body than announced");
    TAP_CHECK(up_closed(fd, PATIENCE_MS));
    close(fd);
    /* An answer before the request is complete: it is passed on, the connection is not kept. */
    put_call(9, 0, "POST", "/v1/x", 10, "hello", 0);
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 5));
    up_write(fd, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    TAP_CHECK(is_whole(9, 413, "") && up_closed(fd, PATIENCE_MS));
    put_record(NK_WIRE_BODY, 9, NK_WIRE_END, NK_STR(""), NK_STR("hello"));
    close(fd);
}

/* Heads that a hostile gate could send. */
static void hostile_cases(void)
{
    static const struct {
        const char *name, *method, *target;
        struct nk_http_header header;
    } bad[] = {
        {"LF in a value", "POST", "/", {{"x", 1}, {"a\nb: c", 6}}},
        {"CR in a value", "POST", "/", {{"x", 1}, {"a\rb", 3}}},
        {"NUL in a value", "POST", "/", {{"x", 1}, {"a\0b", 3}}},
        {"CR LF in a name", "POST", "/", {{"x\r\ny", 4}, {"a", 1}}},
        {"empty name", "POST", "/", {{"", 0}, {"a", 1}}},
        {"a request in the target", "POST", "/ HTTP/1.1\r\n\r\nGET /", {{"x", 1}, {"a", 1}}},
        {"space in the method", "GET /", "/", {{"x", 1}, {"a", 1}}},
        {"another host in the target", "GET", "http://evil.example/", {{"x", 1}, {"a", 1}}},
        {"dots in the target", "GET", "/v1/../admin", {{"x", 1}, {"a", 1}}},
    };
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        struct nk_http_header header = bad[i].header;
        struct nk_wire_call_head h = {.config = (uint32_t)config_generation};
        h.http = (struct nk_http_head){.method = nk_str(bad[i].method),
                                       .target = nk_str(bad[i].target),
                                       .headers = &header,
                                       .header_count = 1};
        struct nk_buf b;
        nk_buf_init(&b, 65536);
        nk_wire_put_call(&h, &b);
        put_record(NK_WIRE_CALL, 10, NK_WIRE_END, nk_buf_str(&b), NK_STR(""));
        tap_ok(is_fail(10, NK_WIRE_FAIL_PROTOCOL), "%s", bad[i].name);
        nk_buf_free(&b);
    }
    put_record(NK_WIRE_CALL, 11, NK_WIRE_END, NK_STR("rubbish"), NK_STR(""));
    tap_ok(is_fail(11, NK_WIRE_FAIL_PROTOCOL), "a head that is none");
    put_call(12, 99, "GET", "/", 0, "", NK_WIRE_END);
    tap_ok(is_fail(12, NK_WIRE_FAIL_PROTOCOL), "an upstream that is not there");
    config_generation++;
    put_call(13, 0, "GET", "/", 0, "", NK_WIRE_END);
    config_generation--;
    tap_ok(is_fail(13, NK_WIRE_FAIL_PROTOCOL), "a generation that is not there");
    put_call(70000, 0, "GET", "/", 0, "", NK_WIRE_END);
    tap_ok(is_fail(70000, NK_WIRE_FAIL_BUSY), "a stream number that is too large");
    put_record(NK_WIRE_ABORT, 70000, 0, NK_STR(""), NK_STR(""));
    put_record(NK_WIRE_BODY, 14, 0, NK_STR(""), NK_STR("nobody's"));
    put_u32(NK_WIRE_CREDIT, 14, 5);
    put_record(NK_WIRE_CREDIT, 14, 0, NK_STR(""), NK_STR("x"));
    put_record(NK_WIRE_FETCH, 14, 0, NK_STR(""), NK_STR(""));
    put_record(99, 14, 0, NK_STR(""), NK_STR(""));
    TAP_CHECK(up_accept(plain_listener, 50) < 0 && !next_record(0));
}

/* What upstreams do wrong. */
static void broken_cases(void)
{
    static const struct {
        const char *name, *answer;
        bool head_first; /* a HEAD record comes before the failure */
        int code;
    } bad[] = {
        {"closes without an answer", "", false, NK_WIRE_FAIL_PROTOCOL},
        {"rubbish", "SSH-2.0-OpenSSH_9\r\n\r\n", false, NK_WIRE_FAIL_PROTOCOL},
        {"half a head", "HTTP/1.1 200 OK\r\nContent-Le", false, NK_WIRE_FAIL_PROTOCOL},
        {"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", true,
         NK_WIRE_FAIL_PROTOCOL},
        {"a chunk cut", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", true,
         NK_WIRE_FAIL_PROTOCOL},
        {"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", true,
         NK_WIRE_FAIL_PROTOCOL},
        {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", false,
         NK_WIRE_FAIL_PROTOCOL},
        {"switches protocols", "HTTP/1.1 101 X\r\n\r\n", false, NK_WIRE_FAIL_PROTOCOL},
    };
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        post(20, 0, "hello");
        int fd = up_accept(plain_listener, PATIENCE_MS);
        tap_ok(up_read(fd, 5) && up_write(fd, bad[i].answer), "upstream: %s", bad[i].name);
        shutdown(fd, SHUT_WR);
        if (bad[i].head_first)
            TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD && !got.flags);
        tap_ok(is_fail(20, bad[i].code) && up_closed(fd, PATIENCE_MS), "fails: %s", bad[i].name);
        tap_ok(up_accept(plain_listener, 20) < 0, "and is not tried again");
        close(fd);
    }
    post(21, 2, "x");
    tap_ok(is_fail(21, NK_WIRE_FAIL_CONNECT), "nobody listens");
    post(22, 6, "x");
    tap_ok(is_fail(22, NK_WIRE_FAIL_CONNECT) || payload[0] == NK_WIRE_FAIL_NO_CONNECTION,
           "a name that does not exist");
    post(23, 0, "x");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1));
    reset(fd);
    tap_ok(is_fail(23, NK_WIRE_FAIL_PROTOCOL), "a reset");
}

static void timeout_cases(void)
{
    post(24, 4, "x");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    tap_ok(is_fail(24, NK_WIRE_FAIL_TIMEOUT), "no answer in time");
    close(fd);
    post(25, 4, "x");
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1) && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na"));
    TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD);
    tap_ok(is_fail(25, NK_WIRE_FAIL_STALLED), "an answer that stops");
    close(fd);
}

static void end_of_body_cases(void)
{
    int fd;
    /* A server that keeps connections for a second only is not trusted with another request. */
    for (uint32_t i = 28; i < 30; i++) {
        post(i, 7, "x");
        fd = up_accept(plain_listener, PATIENCE_MS);
        TAP_CHECK(up_read(fd, 1) &&
                  up_write(fd, "HTTP/1.1 200 OK\r\nKeep-Alive: max=9, timeout=1\r\n"
                               "Content-Length: 1\r\n\r\na"));
        tap_ok(is_whole(i, 200, "a") && up_closed(fd, PATIENCE_MS),
               "the second address answers, %s", i == 28 ? "and" : "again");
        close(fd);
    }
    /* Until close is a whole answer when the head says so. */
    post(26, 0, "x");
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1) && up_write(fd, "HTTP/1.0 200 OK\r\n\r\nall"));
    close(fd);
    bool ok = next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD;
    if (ok && got.flags != NK_WIRE_END)
        ok = next_record(PATIENCE_MS) && got.type == NK_WIRE_DATA;
    tap_ok(ok && got.flags == NK_WIRE_END, "an answer until close");
}

/* Bytes on an idle connection: it is closed, and from then on none is kept. */
static void unasked_cases(void)
{
    static const char *const answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na";
    int fd = keep_one(45);
    TAP_CHECK(up_write(fd, "HTTP/1.1 408 Request Timeout\r\n\r\n") && up_closed(fd, PATIENCE_MS));
    close(fd);
    fd = keep_one(46);
    post(47, 0, "x");
    tap_ok(up_read(fd, 1) && up_write(fd, answer) && is_whole(47, 200, "a"),
           "a 408 at the end of an idle connection is no offence");
    TAP_CHECK(up_write(fd, "HTTP/1.1 200 OK\r\n") && up_closed(fd, PATIENCE_MS));
    close(fd);
    for (uint32_t i = 48; i < 50; i++) {
        post(i, 0, "x");
        fd = up_accept(plain_listener, PATIENCE_MS);
        TAP_CHECK(up_read(fd, 1) && up_write(fd, answer));
        tap_ok(is_whole(i, 200, "a") && up_closed(fd, PATIENCE_MS),
               "behind an answer that nobody asked for each call has a connection of its own");
        close(fd);
    }
}

/* The end of a kept connection, seen before, while and after it is used again. */
static void stale_cases(void)
{
    int fd = keep_one(30);
    close(fd); /* noticed while idle */
    usleep(20000);
    fd = keep_one(31);
    /* A safe method is sent again when the connection ends without an answer. */
    put_call(32, 0, "GET", "/v1/models", 0, "", NK_WIRE_END);
    TAP_CHECK(up_read(fd, 0));
    reset(fd);
    fd = up_accept(plain_listener, PATIENCE_MS);
    tap_ok(up_read(fd, 0) && !strncmp(request, "GET /v1/models ", 15), "GET is sent again");
    up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na");
    TAP_CHECK(is_whole(32, 200, "a"));
    /* A whole POST is not: it may have been acted on. */
    post(33, 0, "x");
    TAP_CHECK(up_read(fd, 1));
    reset(fd);
    tap_ok(is_fail(33, NK_WIRE_FAIL_PROTOCOL) && up_accept(plain_listener, 20) < 0,
           "a POST that was sent is not sent again");
    /* One that was not yet whole is. */
    fd = keep_one(34);
    put_call(35, 0, "POST", "/v1/x", 10, "hello", 0);
    TAP_CHECK(up_read(fd, 5));
    reset(fd);
    int again = up_accept(plain_listener, PATIENCE_MS);
    put_record(NK_WIRE_BODY, 35, NK_WIRE_END, NK_STR(""), NK_STR("world"));
    tap_ok(up_read(again, 10) && strstr(request, "\r\n\r\nhelloworld"),
           "a POST that was not whole is sent again");
    /* And only once. */
    reset(again);
    tap_ok(is_fail(35, NK_WIRE_FAIL_PROTOCOL) && up_accept(plain_listener, 20) < 0,
           "but only once");
    /* Not when the answer has begun. */
    fd = keep_one(36);
    put_call(37, 0, "GET", "/v1/models", 0, "", NK_WIRE_END);
    TAP_CHECK(up_read(fd, 0) && up_write(fd, "HTTP"));
    usleep(20000);
    close(fd);
    tap_ok(is_fail(37, NK_WIRE_FAIL_PROTOCOL) && up_accept(plain_listener, 20) < 0,
           "nor when the answer had begun");
}

static void abort_cases(void)
{
    post(40, 0, "x");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1) && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na"));
    TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD);
    put_record(NK_WIRE_ABORT, 40, 0, NK_STR(""), NK_STR(""));
    tap_ok(up_closed(fd, PATIENCE_MS), "an abort closes the connection");
    close(fd);
    tap_ok(!next_record(20), "and nothing more is said");
    /* While it waits for an answer, and while it connects. */
    post(41, 0, "x");
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1));
    put_record(NK_WIRE_ABORT, 41, 0, NK_STR(""), NK_STR(""));
    TAP_CHECK(up_closed(fd, PATIENCE_MS));
    close(fd);
    post(42, 0, "x");
    put_record(NK_WIRE_ABORT, 42, 0, NK_STR(""), NK_STR(""));
    fd = up_accept(plain_listener, 100);
    /* Either the request has gone out already, or nothing has. */
    while (fd >= 0 && readable(fd, PATIENCE_MS) && read(fd, request, sizeof request) > 0)
        ;
    tap_ok(fd < 0 || up_closed(fd, 0), "an abort before the connection stands");
    close(fd);
    post(43, 6, "x");
    put_record(NK_WIRE_ABORT, 43, 0, NK_STR(""), NK_STR(""));
    /* That the name does not exist is known already, so the failure may come first. */
    (void)next_record(500);
    /* The slot is used anew without an abort: the old call ends. */
    post(44, 0, "old");
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 3));
    post(44, 0, "new");
    tap_ok(up_closed(fd, PATIENCE_MS), "a slot that is used anew ends the old call");
    close(fd);
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 3) && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    TAP_CHECK(is_whole(44, 200, ""));
    close(fd);
}

int main(void)
{
    open_house();
    normal_cases();
    body_cases();
    hostile_cases();
    broken_cases();
    timeout_cases();
    end_of_body_cases();
    stale_cases();
    abort_cases();
    unasked_cases();
    say(NK_CONTROL_DRAIN, -1);
    close_house();
    return tap_done();
}
