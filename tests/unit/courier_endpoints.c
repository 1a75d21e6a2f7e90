/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_endpoints - several endpoints of one upstream: shares, failover, what is sent again and what
 * is not, who is left out and how it comes back, limits. The rules are said in attempt.c and
 * endpoint.c. Each case has an upstream of its own, so that no health is left over.
 */
#include <stdarg.h>
#include "courier_house.h"

enum { PLACES = 3 };
static int place[PLACES], port[PLACES]; /* listeners of the endpoints */
static int asked_place, asked_port;     /* of the one that is asked how it is */
static uint32_t upstream_count = 8;

/* One more upstream; `more` is the rest of its entry. Returns its number. */
__attribute__((format(printf, 1, 2))) static uint32_t upstream(const char *more, ...)
{
    size_t n = strlen(more_upstreams);
    va_list args;
    n += (size_t)snprintf(more_upstreams + n, sizeof more_upstreams - n,
                          ",{\"name\":\"u%u\",\"dialect\":\"openai\",", upstream_count);
    va_start(args, more);
    n += (size_t)vsnprintf(more_upstreams + n, sizeof more_upstreams - n, more, args);
    va_end(args);
    NK_MUST(n + 2 < sizeof more_upstreams);
    memcpy(more_upstreams + n, "}", 2);
    return upstream_count++;
}

static char text[512];
static const char *url(int at)
{
    static char urls[8][64];
    static int next;
    char *to = urls[next++ % 8];
    snprintf(to, 64, "{\"url\":\"http://127.0.0.1:%d\"}", at);
    return to;
}

static uint32_t two_keys, weighted, dead_first, resets, told, full, all_out, poor, slow, large,
    asked, plain_two, gone_names, dated, both_dead, long_probe;

static void name_upstreams(void)
{
    two_keys = upstream("\"endpoints\":[%s,%s]", url(port[0]), url(port[1]));
    weighted = upstream("\"endpoints\":[{\"url\":\"http://127.0.0.1:%d\",\"weight\":3},%s]",
                        port[0], url(port[1]));
    dead_first = upstream("\"endpoints\":[%s,%s]", url(dead_port), url(port[0]));
    resets = upstream("\"endpoints\":[%s,%s]", url(port[0]), url(port[1]));
    told = upstream("\"endpoints\":[%s,%s]", url(port[0]), url(port[1]));
    full = upstream("\"max_in_flight\":1,\"endpoints\":[%s,%s]", url(port[0]), url(port[1]));
    all_out =
        upstream("\"retries\":0,\"health\":{\"failures\":1,\"eject\":300,\"eject_max\":60000},"
                 "\"endpoints\":[%s,%s]",
                 url(port[0]), url(port[1]));
    poor = upstream("\"retry_budget\":0,\"health\":{\"failures\":100},\"endpoints\":[%s,%s]",
                    url(port[0]), url(port[1]));
    slow = upstream("\"url\":\"http://127.0.0.1:%d\",\"timeout\":600,\"idle_timeout\":300,"
                    "\"first_byte_timeout\":300",
                    port[0]);
    large = upstream("\"endpoints\":[%s,%s]", url(port[0]), url(port[1]));
    asked = upstream("\"health\":{\"path\":\"/well?x=1\",\"interval\":100,\"failures\":2},"
                     "\"url\":\"http://127.0.0.1:%d\"",
                     asked_port);
    plain_two = upstream("\"retries\":2,\"retry_on_status\":\"502,504\",\"endpoints\":[%s,%s,%s]",
                         url(port[0]), url(port[1]), url(port[2]));
    dated = upstream("\"endpoints\":[%s,%s]", url(port[0]), url(port[1]));
    both_dead =
        upstream("\"endpoints\":[%s,{\"url\":\"http://127.0.0.2:%d\"}]", url(dead_port), dead_port);
    long_probe =
        upstream("\"retries\":0,\"health\":{\"failures\":1,\"eject\":300,\"eject_max\":60000},"
                 "\"endpoints\":[%s,%s]",
                 url(port[0]), url(port[1]));
    gone_names =
        upstream("\"endpoints\":[{\"url\":\"http://nowhere.invalid:1\"},%s]", url(port[0]));
}

/* The connection that the next call comes on, and the place that it chose. */
static int take_call(size_t body, int *at)
{
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until; usleep(500))
        for (int i = 0; i < PLACES; i++) {
            int fd = up_accept(place[i], 0);
            if (fd < 0)
                continue;
            *at = i;
            if (up_read(fd, body))
                return fd;
            close(fd);
            return -1;
        }
    return -1;
}

/* More of a body whose head is read. */
static bool read_more(int fd, size_t n)
{
    static char bytes[65536];
    while (n && readable(fd, PATIENCE_MS)) {
        ssize_t r = read(fd, bytes, n < sizeof bytes ? n : sizeof bytes);
        if (r <= 0)
            return false;
        n -= (size_t)r;
    }
    return n == 0;
}

static void answer(int fd, int status, const char *headers, const char *body)
{
    snprintf(text, sizeof text,
             "HTTP/1.1 %d X\r\n%sConnection: close\r\nContent-Length: %zu\r\n\r\n%s", status,
             headers, strlen(body), body);
    TAP_CHECK(up_write(fd, text));
    close(fd);
}

static bool waits_nowhere(int ms)
{
    usleep((useconds_t)ms * 1000);
    int any = -1;
    for (int i = 0; i < PLACES; i++) {
        int fd = up_accept(place[i], 0);
        if (fd >= 0)
            close(fd);
        any = fd > any ? fd : any;
    }
    return any < 0;
}

static void share_cases(void)
{
    int at, seen[PLACES] = {0};
    for (uint32_t i = 0; i < 8; i++) {
        post(1, weighted, "x");
        int fd = take_call(1, &at);
        seen[at]++;
        answer(fd, 200, "", "ok");
        TAP_CHECK(is_whole(1, 200, "ok"));
    }
    tap_ok(seen[0] == 6 && seen[1] == 2, "weights 3 and 1: %d and %d of 8", seen[0], seen[1]);
    /* What is being answered counts: four at once go to both, though none has ended. */
    memset(seen, 0, sizeof seen);
    int fds[4];
    for (uint32_t i = 0; i < 4; i++) {
        post(2 + i, resets, "x");
        fds[i] = take_call(1, &at);
        seen[at]++;
    }
    tap_ok(seen[0] == 2 && seen[1] == 2, "calls under way are spread: %d and %d", seen[0], seen[1]);
    for (uint32_t i = 0; i < 4; i++) {
        answer(fds[i], 200, "", "ok");
        TAP_CHECK(is_whole(2 + i, 200, "ok"));
    }
}

static void failover_cases(void)
{
    int at, with = 0, without = 0;
    for (uint32_t i = 0; i < 12; i++) {
        post(10, dead_first, "x");
        int fd = take_call(1, &at);
        answer(fd, 200, "", "ok");
        TAP_CHECK(at == 0 && is_whole(10, 200, "ok") && route.endpoint == 1);
        with += route.failed_count == 1 && route.failed[0].endpoint == 0 && route.failed[0].why.n;
        without += route.failed_count == 0;
    }
    tap_ok(with == 3 && without == 9, "three failures leave an endpoint out (%d with, %d without)",
           with, without);
    post(12, both_dead, "x");
    tap_ok(is_fail(12, NK_WIRE_FAIL_CONNECT) && route.endpoint != route.failed[0].endpoint &&
               route.failed_count == 1,
           "when nobody listens anywhere, the failure tells of both");
    post(11, gone_names, "x");
    int fd = take_call(1, &at);
    answer(fd, 200, "", "ok");
    tap_ok(is_whole(11, 200, "ok") && route.endpoint == 1 && route.failed_count == 1,
           "a name without an address leads to the next: %.*s",
           (int)(route.failed_count ? route.failed[0].why.n : 0),
           route.failed_count ? route.failed[0].why.p : "");
}

static void credential_case(void)
{
    int first, second;
    post(20, two_keys, "hello");
    int fd = take_call(5, &first);
    bool right = strstr(request, first ? "Bearer key-of-i-1\r\n" : "Bearer key-of-i\r\n");
    answer(fd, 503, "", "later");
    fd = take_call(5, &second);
    snprintf(text, sizeof text, "host: 127.0.0.1:%d\r\n", port[second]);
    tap_ok(right && second == !first && strstr(request, text) && strstr(request, "\r\n\r\nhello") &&
               strstr(request, second ? "Bearer key-of-i-1\r\n" : "Bearer key-of-i\r\n"),
           "after 503 the other endpoint gets the whole call, with its own name and credential");
    answer(fd, 200, "", "ok");
    tap_ok(is_whole(20, 200, "ok") && route.endpoint == (uint32_t)second &&
               route.failed_count == 1 &&
               nk_str_eq(route.failed[0].why, NK_STR("answered with status 503")),
           "the answer tells of the first one");
    /* One retry, no more: the second 503 goes on. */
    post(21, two_keys, "x");
    answer(take_call(1, &first), 503, "", "a");
    answer(take_call(1, &second), 503, "Retry-After: 7\r\n", "b");
    tap_ok(is_whole(21, 503, "b") && waits_nowhere(20),
           "there is one retry, then the answer goes on");
}

static void unsafe_cases(void)
{
    int at;
    post(30, resets, "x");
    answer(take_call(1, &at), 500, "", "oops");
    tap_ok(is_whole(30, 500, "oops") && waits_nowhere(20),
           "500 is an answer, not a reason to ask again");
    post(31, resets, "x");
    reset(take_call(1, &at));
    tap_ok(is_fail(31, NK_WIRE_FAIL_PROTOCOL) && waits_nowhere(20),
           "a call that was sent whole and got no answer is not sent again");
    put_call(32, resets, "GET", "/v1/models", 0, "", NK_WIRE_END);
    reset(take_call(0, &at));
    int fd = take_call(0, &at);
    tap_ok(!strncmp(request, "GET /v1/models ", 15), "one with a safe method is");
    answer(fd, 200, "", "ok");
    TAP_CHECK(is_whole(32, 200, "ok") && route.failed_count == 1);
    put_call(33, resets, "POST", "/v1/x", 10, "hello", 0);
    fd = take_call(5, &at);
    reset(fd);
    fd = take_call(5, &at);
    put_record(NK_WIRE_BODY, 33, NK_WIRE_END, NK_STR(""), NK_STR("world"));
    tap_ok(read_more(fd, 5), "and one that was sent in part");
    answer(fd, 200, "", "ok");
    TAP_CHECK(is_whole(33, 200, "ok"));
    post(34, plain_two, "x");
    answer(take_call(1, &at), 503, "", "no");
    tap_ok(is_whole(34, 503, "no") && waits_nowhere(20),
           "503 is not among this upstream's statuses");
    post(35, plain_two, "x");
    answer(take_call(1, &at), 502, "", "no");
    answer(take_call(1, &at), 504, "", "no");
    answer(take_call(1, &at), 200, "", "ok");
    tap_ok(is_whole(35, 200, "ok") && route.failed_count == 2, "but 502 and 504 are, twice");
}

static void large_case(void)
{
    static char piece[30001];
    int at;
    memset(piece, 'y', 30000);
    put_call(40, large, "POST", "/v1/x", 90000, piece, 0);
    int fd = take_call(30000, &at);
    answer(fd, 429, "", "slower");
    fd = take_call(30000, &at);
    put_record(NK_WIRE_BODY, 40, 0, NK_STR(""), nk_str(piece));
    put_record(NK_WIRE_BODY, 40, NK_WIRE_END, NK_STR(""), nk_str(piece));
    tap_ok(read_more(fd, 60000), "a body that still comes goes to the endpoint that answers");
    answer(fd, 200, "", "ok");
    TAP_CHECK(is_whole(40, 200, "ok"));
}

static void told_case(void)
{
    int first, at, others = 0;
    post(50, told, "x");
    answer(take_call(1, &first), 429, "Retry-After: 1\r\n", "");
    answer(take_call(1, &at), 200, "", "ok");
    TAP_CHECK(is_whole(50, 200, "ok"));
    for (int i = 0; i < 4; i++) {
        post(50, told, "x");
        answer(take_call(1, &at), 200, "", "ok");
        TAP_CHECK(is_whole(50, 200, "ok"));
        others += at != first;
    }
    tap_ok(others == 4, "an endpoint that says Retry-After is left alone");
    usleep(1100000);
    post(50, told, "x");
    answer(take_call(1, &at), 200, "", "ok");
    tap_ok(is_whole(50, 200, "ok") && at == first, "until then");
}

/* The same as a date, and in milliseconds. */
static void dated_case(void)
{
    int first, second, at;
    char when[64];
    time_t then = time(NULL) + 2;
    struct tm tm;
    strftime(when, sizeof when, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime_r(&then, &tm));
    post(55, dated, "x");
    answer(take_call(1, &first), 503, when, "");
    answer(take_call(1, &second), 429, "retry-after-ms: 300\r\n", "");
    TAP_CHECK(is_whole(55, 429, ""));
    post(55, dated, "x");
    tap_ok(is_fail(55, NK_WIRE_FAIL_BUSY) && waits_nowhere(0), "both say later: refused at once");
    usleep(350000);
    post(55, dated, "x");
    answer(take_call(1, &at), 200, "", "ok");
    tap_ok(is_whole(55, 200, "ok") && at == second, "after milliseconds the second one is back");
    usleep(2100000);
    post(55, dated, "x");
    answer(take_call(1, &at), 200, "", "ok");
    tap_ok(is_whole(55, 200, "ok") && at == first, "and at its date the first");
}

static void full_case(void)
{
    int at, fds[2];
    for (uint32_t i = 0; i < 2; i++) {
        post(60 + i, full, "x");
        fds[i] = take_call(1, &at);
    }
    post(62, full, "x");
    tap_ok(is_fail(62, NK_WIRE_FAIL_BUSY) && route.endpoint == NK_ROUTE_NOWHERE,
           "with max_in_flight everywhere, a call is refused at once");
    answer(fds[0], 200, "", "ok");
    TAP_CHECK(is_whole(60, 200, "ok"));
    post(62, full, "x");
    int fd = take_call(1, &at);
    tap_ok(fd >= 0, "until one has ended");
    answer(fd, 200, "", "ok");
    TAP_CHECK(is_whole(62, 200, "ok"));
    put_record(NK_WIRE_ABORT, 61, 0, NK_STR(""), NK_STR(""));
    TAP_CHECK(up_closed(fds[1], PATIENCE_MS));
    close(fds[1]);
    post(63, full, "x");
    fd = take_call(1, &at);
    tap_ok(fd >= 0, "an aborted call has ended, too");
    answer(fd, 200, "", "ok");
    TAP_CHECK(is_whole(63, 200, "ok"));
}

static void all_out_case(void)
{
    int at;
    for (uint32_t i = 0; i < 2; i++) {
        post(70 + i, all_out, "x");
        answer(take_call(1, &at), 502, "", "bad");
        TAP_CHECK(is_whole(70 + i, 502, "bad"));
    }
    post(72, all_out, "x");
    tap_ok(is_fail(72, NK_WIRE_FAIL_BUSY) && waits_nowhere(0), "all are left out: refused at once");
    usleep(350000);
    post(73, all_out, "x");
    int fd = take_call(1, &at);
    post(74, all_out, "x");
    int second = take_call(1, &at);
    post(75, all_out, "x");
    tap_ok(fd >= 0 && second >= 0 && is_fail(75, NK_WIRE_FAIL_BUSY),
           "when its time is over, one call tries an endpoint, no more");
    answer(fd, 502, "", "bad");
    answer(second, 200, "", "ok");
    TAP_CHECK(next_record(PATIENCE_MS) && next_record(PATIENCE_MS));
    bool same = true;
    for (uint32_t i = 0; i < 3; i++) {
        int now;
        post(76, all_out, "x");
        answer(take_call(1, &now), 200, "", "ok");
        same &= is_whole(76, 200, "ok") && now == at;
    }
    tap_ok(same, "the one that is well is in again, the other is out for longer");
}

/* A call that tries an endpoint has told what it can when its answer begins, however long that is. */
static void long_probe_case(void)
{
    int bad, at = -1;
    post(110, long_probe, "x");
    answer(take_call(1, &bad), 502, "", "");
    TAP_CHECK(is_whole(110, 502, ""));
    usleep(350000);
    post(111, long_probe, "x");
    int fd = take_call(1, &at);
    TAP_CHECK(at == bad && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na") &&
              next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD);
    for (at = !bad; at != bad;) {
        post(112, long_probe, "x");
        int other = take_call(1, &at);
        answer(other, at == bad ? 502 : 200, "", "");
        TAP_CHECK(is_whole(112, at == bad ? 502 : 200, ""));
    }
    usleep(350000);
    post(113, long_probe, "x");
    answer(take_call(1, &at), 200, "", "ok");
    tap_ok(is_whole(113, 200, "ok") && at == bad,
           "an answer that goes on for long keeps nobody out");
    TAP_CHECK(up_write(fd, "b") && next_record(PATIENCE_MS) && got.type == NK_WIRE_DATA);
    close(fd);
}

static void budget_case(void)
{
    int at, retried = 0;
    for (uint32_t i = 0; i < 15; i++) {
        post(80, poor, "x");
        answer(take_call(1, &at), 503, "", "a");
        int fd = -1;
        for (int ms = 0; ms < 40 && fd < 0 && !nk_ring_backlog(answers); ms++) {
            usleep(1000);
            for (int k = 0; k < PLACES && fd < 0; k++)
                fd = up_accept(place[k], 0);
        }
        if (fd >= 0) {
            retried++;
            TAP_CHECK(up_read(fd, 1));
            answer(fd, 503, "", "a");
        }
        TAP_CHECK(is_whole(80, 503, "a"));
    }
    tap_ok(retried == 10, "retries end with their budget: %d of 15", retried);
}

static void time_cases(void)
{
    int at;
    post(90, slow, "x");
    int fd = take_call(1, &at);
    TAP_CHECK(up_write(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"));
    TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD);
    bool end = false;
    for (int64_t until = now_ms() + 3000; !end && now_ms() < until; usleep(50000)) {
        (void)!write(fd, "1\r\nb\r\n", 6);
        while (!end && next_record(0))
            end = got.flags & NK_WIRE_END;
    }
    uint32_t code = 0;
    TAP_CHECK(got.type == NK_WIRE_FAIL &&
              !nk_wire_get_fail(nk_str_sub(got.payload, 0, got.head_size), &arena, &code, &route));
    tap_ok(code == NK_WIRE_FAIL_TOO_LONG, "an answer that never ends is ended: %s",
           payload + got.head_size);
    close(fd);
    post(91, slow, "x");
    fd = take_call(1, &at);
    const char *head = "HTTP/1.1 200 OK\r\nX-Slow: abcdefghijklmnopqrstuvwxyz\r\n\r\n";
    for (const char *c = head; *c && !nk_ring_backlog(answers); c++) {
        (void)!write(fd, c, 1);
        usleep(20000);
    }
    tap_ok(is_fail(91, NK_WIRE_FAIL_TIMEOUT),
           "a head that trickles in has the time for a first byte");
    close(fd);
    post(92, slow, "x");
    fd = take_call(1, &at);
    for (int i = 0; i < 10000 && !nk_ring_backlog(answers); i++)
        if (send(fd, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", 37, MSG_NOSIGNAL) < 0)
            break;
    tap_ok(is_fail(92, NK_WIRE_FAIL_PROTOCOL), "interim answers without end");
    close(fd);
}

static void check_case(void)
{
    bool well = false, named = false;
    int checks = 0, calls_seen = 0, busy = 0;
    /* Three answers of 500, then 204: what is asked, and what calls see meanwhile. */
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until && !well; usleep(2000)) {
        int fd = up_accept(asked_place, 0);
        if (fd >= 0 && up_read(fd, 0)) {
            named |= !strncmp(request, "GET /well?x=1 HTTP/1.1\r\n", 24);
            answer(fd, ++checks > 4 ? 204 : 500, "", "");
            well = checks > 4;
        }
        if (checks == 3 && !calls_seen) {
            usleep(20000);
            post(100, asked, "x");
            busy = is_fail(100, NK_WIRE_FAIL_BUSY);
            calls_seen = 1;
        }
    }
    tap_ok(named && busy, "an endpoint that says it is not well is left out, be it the only one");
    usleep(30000);
    post(101, asked, "x");
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until; usleep(1000)) {
        int fd = up_accept(asked_place, 0);
        if (fd < 0 || !up_read(fd, 0))
            continue;
        bool call = !strncmp(request, "POST ", 5);
        answer(fd, 200, "", "ok");
        if (call)
            break;
    }
    tap_ok(is_whole(101, 200, "ok"), "and comes back when it says that it is");
}

int main(void)
{
    for (int i = 0; i < PLACES; i++)
        place[i] = listen_here(&port[i]);
    asked_place = listen_here(&asked_port);
    close(listen_here(&dead_port));
    name_upstreams();
    open_house();
    check_case();
    share_cases();
    failover_cases();
    credential_case();
    unsafe_cases();
    large_case();
    told_case();
    dated_case();
    full_case();
    all_out_case();
    long_probe_case();
    budget_case();
    time_cases();
    say(NK_CONTROL_DRAIN, -1);
    close_house();
    return tap_done();
}
