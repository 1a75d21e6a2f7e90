/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_flow - long answers, slow gates, a full ring, TLS, key sets, reload, and the end. How it is done is
 * said in courier.c.
 */
#include <fcntl.h>
#include <openssl/ssl.h>
#include "courier_house.h"

/* Sends as much as the socket takes within `ms` of silence; returns how much. */
static size_t flood(int fd, size_t most)
{
    static char block[65536];
    size_t n = 0;
    memset(block, 'y', sizeof block);
    while (n < most) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (poll(&p, 1, 200) != 1)
            break;
        size_t part = most - n < sizeof block ? most - n : sizeof block;
        ssize_t w = send(fd, block, part, MSG_DONTWAIT);
        if (w <= 0)
            break;
        n += (size_t)w;
    }
    return n;
}

/* Reads records of one stream until nothing comes for 100 ms or the end; body bytes. */
static size_t drain(bool *ended)
{
    size_t n = 0;
    while (!*ended && next_record(100)) {
        n += got.payload.n - got.head_size;
        *ended = got.flags & NK_WIRE_END;
    }
    return n;
}

static void credit_cases(void)
{
    enum { ALL = 8 << 20 };
    char head[100];
    bool ended = false;
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", ALL);
    post(50, 0, "x");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1) && up_write(fd, head));
    size_t sent = 0, seen = 0;
    sent += flood(fd, ALL);
    seen += drain(&ended);
    tap_ok(seen == NK_WIRE_FIRST_CREDIT && !ended, "reading stops at the credit: %zu", seen);
    put_u32(NK_WIRE_CREDIT, 50, 1000);
    seen += drain(&ended);
    tap_ok(seen == NK_WIRE_FIRST_CREDIT + 1000 && !ended, "and goes on by as much as is granted");
    put_u32(NK_WIRE_CREDIT, 50, ALL);
    for (int i = 0; i < 1000 && !ended; i++) {
        sent += flood(fd, ALL - sent);
        seen += drain(&ended);
    }
    tap_ok(ended && seen == ALL && sent == ALL, "to the end: %zu", seen);
    close(fd);
    /* An abort of a stream that waits for credit. */
    ended = false;
    post(51, 0, "x");
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1) && up_write(fd, head));
    flood(fd, ALL);
    TAP_CHECK(drain(&ended) == NK_WIRE_FIRST_CREDIT);
    put_record(NK_WIRE_ABORT, 51, 0, NK_STR(""), NK_STR(""));
    struct pollfd p = {.fd = fd, .events = POLLHUP};
    tap_ok(poll(&p, 1, 100) == 1 && (p.revents & (POLLHUP | POLLERR)),
           "an abort closes a paused connection, too");
    close(fd);
}

/* Three streams together bring more than the ring holds; nobody reads it for a while. */
static void full_ring_cases(void)
{
    enum { EACH = 240000 };
    char head[100];
    int fds[3];
    size_t seen[3] = {0};
    int ended = 0;
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", EACH);
    for (uint32_t i = 0; i < 3; i++) {
        post(60 + i, 0, "x");
        fds[i] = up_accept(plain_listener, PATIENCE_MS);
        TAP_CHECK(up_read(fds[i], 1) && up_write(fds[i], head));
    }
    for (int i = 0; i < 3; i++)
        TAP_CHECK(flood(fds[i], EACH) == EACH);
    usleep(100000);
    tap_ok(nk_ring_backlog(answers) < 3 * EACH, "the ring is full");
    /* A failure must get through as well. */
    post(63, 2, "x");
    usleep(50000);
    bool failed = false;
    while (ended < 3 || !failed) {
        if (!next_record(PATIENCE_MS))
            break;
        failed |= got.type == NK_WIRE_FAIL && got.stream == 63;
        if (got.stream < 63)
            seen[got.stream - 60] += got.payload.n - got.head_size;
        ended += got.stream < 63 && (got.flags & NK_WIRE_END);
    }
    tap_ok(ended == 3 && failed && seen[0] == EACH && seen[1] == EACH && seen[2] == EACH,
           "all that did not fit comes later: %zu %zu %zu", seen[0], seen[1], seen[2]);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static void sse_cases(void)
{
    enum { EVENTS = 500 };
    post(70, 3, "x");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    tap_ok(up_read(fd, 1) && strstr(request, "host: localhost:"), "an upstream by name");
    up_write(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                 "Transfer-Encoding: chunked\r\n\r\n");
    size_t records = 0, n = 0, pieces = 0;
    char event[64], chunk[100];
    static char all[EVENTS * 64];
    for (int i = 0; i < EVENTS; i++) {
        snprintf(event, sizeof event, "data: {\"n\":%d}\n\n", i);
        snprintf(chunk, sizeof chunk, "%zx\r\n%s\r\n", strlen(event), event);
        pieces += up_write(fd, chunk);
    }
    up_write(fd, "0\r\n\r\n");
    bool end = false;
    while (!end && next_record(PATIENCE_MS)) {
        memcpy(all + n, body_of().p, body_of().n);
        n += body_of().n;
        end = got.flags & NK_WIRE_END;
        records++;
    }
    bool same = end;
    size_t at = 0;
    for (int i = 0; i < EVENTS && same; i++) {
        int len = snprintf(event, sizeof event, "data: {\"n\":%d}\n\n", i);
        same = !memcmp(all + at, event, (size_t)len);
        at += (size_t)len;
    }
    tap_ok(same && at == n && pieces == EVENTS, "%d events in %zu records", EVENTS, records);
    close(fd);
}

/* Handshake and request over TLS; the courier's connection. */
static bool tls_accept(struct nk_tls *t, struct nk_sock *s)
{
    int fd = up_accept(tls_listener, PATIENCE_MS);
    if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) || nk_sock_open(s, fd, t, NULL))
        return false;
    return true;
}

static ssize_t tls_read(struct nk_sock *s, char *to, size_t n, struct nk_fault *f)
{
    for (int i = 0; i < PATIENCE_MS; i++) {
        ssize_t r = nk_sock_read(s, to, n, f);
        if (r != NK_EAGAIN)
            return r;
        readable(s->fd, 1);
    }
    return NK_EAGAIN;
}

static bool tls_answer(struct nk_sock *s, const char *text)
{
    struct iovec iov = {(void *)(uintptr_t)text, strlen(text)};
    return nk_sock_write(s, &iov, 1) == (ssize_t)strlen(text);
}

static void tls_cases(void)
{
    struct nk_fault f = {0};
    struct nk_sock s;
    struct nk_tls *t = nk_tls_server(nk_buf_str(&leaf.cert_pem), nk_buf_str(&leaf.key_pem), &f);
    NK_MUST(t);
    post(80, 1, "hello");
    TAP_CHECK(tls_accept(t, &s));
    ssize_t n = tls_read(&s, request, sizeof request - 1, &f);
    request[n > 0 ? n : 0] = 0;
    tap_ok(n > 0 && strstr(request, "x-api-key: key-of-b\r\n") &&
               !strstr(request, "stolen\r\nx-") && strstr(request, "host: api.test.example:") &&
               strstr(request, "\r\n\r\nhello"),
           "a request over TLS %s", f.message);
    TAP_CHECK(tls_answer(&s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    TAP_CHECK(is_whole(80, 200, "ok"));
    post(81, 1, "again");
    n = tls_read(&s, request, sizeof request - 1, &f);
    request[n > 0 ? n : 0] = 0;
    tap_ok(n > 0 && strstr(request, "\r\n\r\nagain"), "and again on the same connection");
    TAP_CHECK(tls_answer(&s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    TAP_CHECK(is_whole(81, 200, "ok"));
    nk_sock_close(&s);
    usleep(20000);
    /* A new connection resumes the session. */
    post(82, 1, "x");
    TAP_CHECK(tls_accept(t, &s));
    n = tls_read(&s, request, sizeof request - 1, &f);
    tap_ok(n > 0 && SSL_session_reused(s.ssl), "a new connection resumes the session");
    put_record(NK_WIRE_ABORT, 82, 0, NK_STR(""), NK_STR(""));
    n = tls_read(&s, request, sizeof request - 1, &f);
    tap_ok(n <= 0 && n != NK_EAGAIN, "an abort closes it");
    nk_sock_close(&s);
    post(83, 5, "x");
    TAP_CHECK(tls_accept(t, &s));
    n = tls_read(&s, request, sizeof request - 1, &f);
    tap_ok(n <= 0 && is_fail(83, NK_WIRE_FAIL_TLS), "a certificate of an unknown authority");
    nk_sock_close(&s);
    nk_tls_free(t);
}

static void fetch_cases(void)
{
    static char keys[100001];
    memset(keys, 'k', 100000);
    char head[200];
    put_u32(NK_WIRE_FETCH, 0, 0);
    int fd = up_accept(plain_listener, PATIENCE_MS);
    tap_ok(up_read(fd, 0) && !strncmp(request, "GET /keys?x=1 HTTP/1.1\r\n", 24) &&
               !strstr(request, "key-of") && strstr(request, "Connection: close\r\n"),
           "a key set is asked for, without a credential");
    put_u32(NK_WIRE_FETCH, 0, 0); /* on its way already */
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    up_write(fd, head);
    up_write(fd, keys);
    TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_FETCHED && got.head_size == 8 &&
              !got.flags && payload[0] == 0 && (unsigned char)payload[4] == 200);
    size_t n = body_of().n;
    TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_MORE && got.flags == NK_WIRE_END);
    tap_ok(n + got.payload.n == 100000, "a large key set comes in pieces");
    close(fd);
}

/* What cannot be a key set. */
static void bad_fetch_cases(void)
{
    int fd;
    static const struct {
        const char *name, *answer;
    } bad[] = {
        {"a redirect", "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\n"
                       "Content-Length: 0\r\n\r\n"},
        {"too large", "HTTP/1.1 200 OK\r\nContent-Length: 262145\r\n\r\n"},
        {"cut short", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx"},
        {"nothing", ""},
    };
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        put_u32(NK_WIRE_FETCH, 0, 0);
        fd = up_accept(plain_listener, PATIENCE_MS);
        TAP_CHECK(up_read(fd, 0) && up_write(fd, bad[i].answer));
        close(fd);
        tap_ok(next_record(PATIENCE_MS) && got.type == NK_WIRE_FETCHED &&
                   got.flags == NK_WIRE_END && payload[4] == 0 && body_of().n > 0,
               "key set: %s: %s", bad[i].name, payload + 8);
    }
    for (uint32_t i = 1; i < 3; i++) {
        put_u32(NK_WIRE_FETCH, 0, i);
        tap_ok(next_record(PATIENCE_MS) && got.type == NK_WIRE_FETCHED && payload[0] == (char)i &&
                   payload[4] == 0,
               "issuer %u has no URL", i);
    }
}

static void reload_cases(void)
{
    post(90, 0, "old");
    int old = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(old, 3));
    int fd = memfd_create("rubbish", MFD_CLOEXEC);
    say(NK_CONTROL_PREPARE, fd);
    close(fd);
    struct nk_control m = hear(NK_CONTROL_PREPARED);
    tap_ok(m.code != 0, "a broken bundle is refused: %s", m.text);
    fd = make_bundle("bad\ncredential");
    say(NK_CONTROL_PREPARE, fd);
    close(fd);
    m = hear(NK_CONTROL_PREPARED);
    tap_ok(m.code != 0 && !strstr(m.text, "bad"), "a broken credential is refused: %s", m.text);
    say(NK_CONTROL_ABANDON, -1);
    fd = make_bundle("new-key");
    say(NK_CONTROL_PREPARE, fd);
    close(fd);
    m = hear(NK_CONTROL_PREPARED);
    tap_ok(m.code == 0 && m.generation == 8, "a new configuration is prepared %s", m.text);
    say(NK_CONTROL_COMMIT, -1);
    /* A call of the generation before, which the gate sent before it heard. */
    usleep(20000);
    post(91, 0, "late");
    fd = up_accept(plain_listener, PATIENCE_MS);
    tap_ok(up_read(fd, 4) && strstr(request, "Bearer key-of-a"),
           "a late call runs as it was decided");
    up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    TAP_CHECK(is_whole(91, 200, "") && up_closed(fd, PATIENCE_MS));
    close(fd);
    config_generation = 8;
    post(92, 0, "new");
    fd = up_accept(plain_listener, PATIENCE_MS);
    tap_ok(up_read(fd, 3) && strstr(request, "Bearer new-key"), "the new generation is in force");
    up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    TAP_CHECK(is_whole(92, 200, ""));
    up_write(old, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold");
    tap_ok(is_whole(90, 200, "old"), "what was in flight is not disturbed");
    close(old);
    close(fd);
}

static void ring_change_cases(void)
{
    post(95, 0, "x");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1));
    struct nk_control m;
    nk_ring_close(calls);
    nk_ring_close(answers);
    close(call_fds.memfd), close(call_fds.eventfd);
    close(answer_fds.memfd), close(answer_fds.eventfd);
    make_rings();
    nk_control_init(&m, NK_CONTROL_RINGS);
    m.calls = call_fds;
    m.answers = answer_fds;
    TAP_CHECK(!nk_control_send(control, &m));
    tap_ok(up_closed(fd, PATIENCE_MS), "calls of a dead gate are given up");
    close(fd);
    fd = keep_one(96);
    close(fd);
}

static void end_cases(void)
{
    post(97, 0, "x");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1));
    say(NK_CONTROL_DRAIN, -1);
    usleep(20000);
    post(98, 0, "x");
    tap_ok(is_fail(98, NK_WIRE_FAIL_BUSY), "no new calls while it drains");
    up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    tap_ok(is_whole(97, 200, ""), "but the running one ends well");
    close(fd);
}

int main(void)
{
    open_house();
    credit_cases();
    full_ring_cases();
    sse_cases();
    tls_cases();
    fetch_cases();
    bad_fetch_cases();
    reload_cases();
    ring_change_cases();
    end_cases();
    close_house();
    return tap_done();
}
