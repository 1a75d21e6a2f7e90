/* SPDX-License-Identifier: Apache-2.0
 *
 * courier - the real role in a process of its own, confined as it will be. This program plays its
 * three neighbours by hand, one step after the other: the warden (control channel), the gate
 * (rings) and the upstreams (sockets on loopback), so that each byte on the way can be looked at.
 */
#include "identity.h"
#include "tap.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "edge/sock.h"
#include "role/role.h"
#include "role/stats.h"
#include "role/wire.h"

enum { PATIENCE_MS = 5000, RING = 1 << 19 };

/* Neighbours ----------------------------------------------------------------------------------- */

static pid_t courier;
static int control, stats_fd;
static struct nk_ring *calls, *answers;
static struct nk_role_ring call_fds, answer_fds;
static struct nk_arena arena;
static struct identity ca, leaf;
static int plain_listener, tls_listener, dead_port, config_generation = 7;
static int plain_port, tls_port;
static char payload[NK_RING_RECORD_MAX + 1]; /* of the last record */
static struct nk_ring_record got;

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int listen_here(int *port)
{
    struct nk_address at;
    struct nk_fault f = {0};
    NK_MUST(!nk_address_parse(NK_STR("127.0.0.1:0"), &at, &f));
    int fd = nk_listen(&at, false, &f);
    socklen_t n = at.size;
    NK_MUST(fd >= 0 && !getsockname(fd, &at.u.sa, &n));
    *port = ntohs(at.u.in.sin_port);
    return fd;
}

/* upstreams: 0 plain, 1 TLS, 2 nobody there, 3 a name, 4 impatient, 5 another CA, 6 unknown name */
static int make_bundle(const char *credential)
{
    char json[4096];
    snprintf(json, sizeof json,
             "{\"listen\":[{\"address\":\"127.0.0.1:1\"}],\"upstreams\":["
             "{\"name\":\"a\",\"dialect\":\"openai\",\"url\":\"http://127.0.0.1:%d\",\"pool\":2},"
             "{\"name\":\"b\",\"dialect\":\"anthropic\",\"url\":\"https://api.test.example:%d\"},"
             "{\"name\":\"c\",\"dialect\":\"openai\",\"url\":\"http://127.0.0.1:%d\"},"
             "{\"name\":\"d\",\"dialect\":\"openai\",\"url\":\"http://localhost:%d\"},"
             "{\"name\":\"e\",\"dialect\":\"openai\",\"url\":\"http://127.0.0.1:%d\","
             "\"first_byte_timeout\":100,\"idle_timeout\":100},"
             "{\"name\":\"f\",\"dialect\":\"openai\",\"url\":\"https://api.test.example:%d\"},"
             "{\"name\":\"g\",\"dialect\":\"openai\",\"url\":\"https://nowhere.invalid:%d\","
             "\"connect_timeout\":300}],"
             "\"models\":[{\"name\":\"m\",\"upstream\":\"a\"}],"
             "\"identity\":{\"issuers\":[{\"issuer\":\"i\",\"audience\":\"x\","
             "\"jwks\":\"http://127.0.0.1:%d/keys?x=1\"},"
             "{\"issuer\":\"j\",\"audience\":\"x\",\"jwks\":\"file:/dev/null\"}]},"
             "\"policy\":{\"directory\":\"/etc\"},\"audit\":{\"directory\":\"/tmp\"},"
             "\"control\":\"/tmp/x\"}",
             plain_port, tls_port, dead_port, plain_port, plain_port, tls_port, tls_port,
             plain_port);
    struct nk_bundle b = {0};
    struct nk_str other = nk_buf_str(&leaf.cert_pem);
    NK_MUST(!nk_bundle_add(&b, &arena, NK_STR("config"), nk_arena_copy(&arena, nk_str(json))) &&
            !nk_bundle_add(&b, &arena, NK_STR("credential/0"), nk_str(credential)) &&
            !nk_bundle_add(&b, &arena, NK_STR("credential/1"), NK_STR("key-of-b")) &&
            !nk_bundle_add(&b, &arena, NK_STR("ca/1"), nk_buf_str(&ca.cert_pem)) &&
            !nk_bundle_add(&b, &arena, NK_STR("ca/5"), other) &&
            !nk_bundle_add(&b, &arena, NK_STR("ca/6"), other) &&
            !nk_bundle_add(&b, &arena, NK_STR("hosts"),
                           NK_STR("localhost 127.0.0.1\nAPI.test.example 127.0.0.1\n")));
    int fd = nk_bundle_seal(&b, NK_BUNDLE_COURIER);
    NK_MUST(fd >= 0);
    return fd;
}

static void make_rings(void)
{
    NK_MUST(!nk_ring_create(RING, &call_fds.memfd, &call_fds.eventfd) &&
            !nk_ring_create(RING, &answer_fds.memfd, &answer_fds.eventfd));
    call_fds.backfd = answer_fds.eventfd;
    answer_fds.backfd = call_fds.eventfd;
    calls = nk_role_ring_open(&call_fds, true);
    answers = nk_role_ring_open(&answer_fds, false);
    NK_MUST(calls && answers);
}

/* In the child: what nk_role_enter would have received. */
static int be_courier(int channel, int bundle)
{
    static struct nk_role_start s;
    struct nk_fault f = {0};
    s = (struct nk_role_start){.role = NK_ROLE_COURIER,
                               .generation = (uint32_t)config_generation,
                               .control = channel,
                               .stats = stats_fd,
                               .admin = -1,
                               .state_dir = -1,
                               .calls = call_fds,
                               .answers = answer_fds};
    nk_arena_init(&s.arena, 1 << 20);
    if (nk_bundle_open(bundle, &s.arena, &s.bundle, &f))
        return 9;
    int rc = nk_courier_main(&s);
    nk_arena_free(&s.arena);
    return rc;
}

static struct nk_control hear(enum nk_control_kind kind)
{
    struct nk_control m;
    int64_t until = now_ms() + PATIENCE_MS;
    int rc = NK_EAGAIN;
    while (rc == NK_EAGAIN && now_ms() < until) {
        struct pollfd p = {.fd = control, .events = POLLIN};
        poll(&p, 1, 10);
        rc = nk_control_recv(control, &m);
    }
    if (rc)
        nk_control_init(&m, NK_CONTROL_ABANDON);
    tap_ok(!rc && m.kind == kind, "the warden hears %d (rc %d, kind %d, %s)", kind, rc, m.kind,
           rc ? "" : m.text);
    return m;
}

static void start_courier(void)
{
    int pair[2];
    int bundle = make_bundle("key-of-a");
    NK_MUST(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair));
    fflush(stdout);
    courier = fork();
    if (courier == 0) {
        close(pair[0]);
        close(plain_listener);
        close(tls_listener);
        _exit(be_courier(pair[1], bundle));
    }
    close(pair[1]);
    close(bundle);
    control = pair[0];
    struct nk_control m = hear(NK_CONTROL_READY);
    tap_ok(m.code == 0, "the courier is ready %s", m.text);
}

/* The gate ------------------------------------------------------------------------------------- */

static struct {
    uint32_t calls;
    uint64_t asked, answered; /* bytes of body of the latest call */
} streams[128];

static uint32_t generation_of(uint32_t stream)
{
    return stream * 10 + streams[stream % NK_COUNT(streams)].calls;
}

static void put_record(uint32_t type, uint32_t stream, uint32_t flags, struct nk_str head,
                       struct nk_str body)
{
    struct nk_buf b;
    uint64_t *asked = &streams[stream % NK_COUNT(streams)].asked;
    if (type == NK_WIRE_CALL) {
        streams[stream % NK_COUNT(streams)].calls++;
        *asked = 0;
    }
    if (type == NK_WIRE_CALL || type == NK_WIRE_BODY) {
        flags |= nk_wire_flags(*asked, false);
        *asked += body.n;
    }
    nk_buf_init(&b, NK_RING_RECORD_MAX);
    nk_buf_add(&b, head);
    nk_buf_add(&b, body);
    struct nk_ring_record r = {.type = type,
                               .stream = stream,
                               .generation = generation_of(stream),
                               .flags = flags,
                               .head_size = (uint32_t)head.n,
                               .payload = nk_buf_str(&b)};
    NK_MUST(!nk_ring_put(calls, &r));
    nk_ring_publish(calls);
    nk_buf_free(&b);
}

static void put_call(uint32_t stream, uint32_t upstream, const char *method, const char *target,
                     int64_t body_bytes, const char *body, uint32_t flags)
{
    struct nk_http_header headers[] = {{NK_STR("content-type"), NK_STR("application/json")},
                                       {NK_STR("Host"), NK_STR("evil.example")},
                                       {NK_STR("authorization"), NK_STR("Bearer stolen")},
                                       {NK_STR("x-api-key"), NK_STR("stolen")},
                                       {NK_STR("Content-Length"), NK_STR("999")},
                                       {NK_STR("Connection"), NK_STR("close")},
                                       {NK_STR("TE"), NK_STR("trailers")}};
    struct nk_wire_call_head h = {
        .upstream = upstream, .config = (uint32_t)config_generation, .body_bytes = body_bytes};
    h.http = (struct nk_http_head){.method = nk_str(method),
                                   .target = nk_str(target),
                                   .headers = headers,
                                   .header_count = NK_COUNT(headers)};
    struct nk_buf b;
    nk_buf_init(&b, 65536);
    nk_wire_put_call(&h, &b);
    put_record(NK_WIRE_CALL, stream, flags, nk_buf_str(&b), nk_str(body));
    nk_buf_free(&b);
}

static void post(uint32_t stream, uint32_t upstream, const char *body)
{
    put_call(stream, upstream, "POST", "/v1/x", (int64_t)strlen(body), body, NK_WIRE_END);
}

static void put_u32(uint32_t type, uint32_t stream, uint32_t v)
{
    char b[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24)};
    put_record(type, stream, 0, (struct nk_str){b, 4}, NK_STR(""));
}

/* Pieces say where they belong; for the cases, only the end is left in the flags. */
static void check_place(void)
{
    uint64_t *at = &streams[got.stream % NK_COUNT(streams)].answered;
    if (got.type == NK_WIRE_HEAD)
        *at = 0;
    if (!nk_wire_flags_ok(got.flags, *at))
        tap_ok(false, "a piece of stream %u is not at %llu", got.stream, (unsigned long long)*at);
    *at += got.payload.n - got.head_size;
    got.flags &= NK_WIRE_END;
}

/* The next record, copied to `got` and `payload`; false when none comes within `ms`. */
static bool next_record(int ms)
{
    int64_t until = now_ms() + ms;
    for (;;) {
        int rc = nk_ring_next(answers, &got);
        if (!rc) {
            memcpy(payload, got.payload.p, got.payload.n);
            payload[got.payload.n] = 0;
            got.payload.p = payload;
            nk_ring_release(answers);
            if (got.type == NK_WIRE_HEAD || got.type == NK_WIRE_DATA)
                check_place();
            return true;
        }
        if (rc != NK_EAGAIN || now_ms() >= until)
            return false;
        usleep(500);
    }
}

static struct nk_str body_of(void)
{
    return nk_str_sub(got.payload, got.head_size, got.payload.n);
}

static bool is_whole(uint32_t stream, int status, const char *body)
{
    struct nk_http_head h;
    bool ok = next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD && got.flags == NK_WIRE_END &&
              got.stream == stream && got.generation == generation_of(stream) &&
              !nk_wire_get_answer(nk_str_sub(got.payload, 0, got.head_size), 64, &arena, &h) &&
              h.status == status && nk_str_eq(body_of(), nk_str(body));
    if (!ok)
        printf("# type %u flags %u stream %u head %u: %.*s\n", got.type, got.flags, got.stream,
               got.head_size, NK_FMT(body_of()));
    return ok;
}

static bool is_fail(uint32_t stream, int code)
{
    bool ok = next_record(PATIENCE_MS) && got.type == NK_WIRE_FAIL && got.stream == stream &&
              got.generation == generation_of(stream) && got.payload.n > 4 && payload[0] == code;
    printf("# %s\n", got.type == NK_WIRE_FAIL && got.payload.n > 4 ? payload + 4 : "no failure");
    return ok;
}

/* Upstreams ------------------------------------------------------------------------------------ */

static bool readable(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

/* A connection of the courier; -1 when none comes within `ms`. */
static int up_accept(int listener, int ms)
{
    return readable(listener, ms) ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
}

static char request[200000];

/* Reads until the head and `body` bytes are there. */
static bool up_read(int fd, size_t body)
{
    size_t n = 0;
    request[0] = 0;
    for (;;) {
        const char *end = strstr(request, "\r\n\r\n");
        if (end && n >= (size_t)(end + 4 - request) + body)
            return true;
        ssize_t r = n < sizeof request - 1 && readable(fd, PATIENCE_MS)
                        ? read(fd, request + n, sizeof request - 1 - n)
                        : -1;
        if (r <= 0)
            return false;
        n += (size_t)r;
        request[n] = 0;
    }
}

static bool up_write(int fd, const char *text)
{
    size_t n = strlen(text);
    return write(fd, text, n) == (ssize_t)n;
}

static bool up_closed(int fd, int ms)
{
    char byte;
    return readable(fd, ms) && read(fd, &byte, 1) <= 0;
}

static void reset(int fd)
{
    struct linger l = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
    close(fd);
}

/* Cases ---------------------------------------------------------------------------------------- */

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
    TAP_CHECK(!nk_wire_get_answer(nk_str_sub(got.payload, 0, got.head_size), 64, &arena, &h));
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
    tap_ok(is_fail(22, NK_WIRE_FAIL_CONNECT) || payload[0] == NK_WIRE_FAIL_TIMEOUT,
           "a name that does not exist");
    post(23, 0, "x");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1));
    reset(fd);
    tap_ok(is_fail(23, NK_WIRE_FAIL_PROTOCOL), "a reset");
    post(24, 4, "x");
    fd = up_accept(plain_listener, PATIENCE_MS);
    tap_ok(is_fail(24, NK_WIRE_FAIL_TIMEOUT), "no answer in time");
    close(fd);
    post(25, 4, "x");
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1) && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na"));
    TAP_CHECK(next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD);
    tap_ok(is_fail(25, NK_WIRE_FAIL_TIMEOUT), "an answer that stops");
    close(fd);
    /* Until close is a whole answer when the head says so. */
    post(26, 0, "x");
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1) && up_write(fd, "HTTP/1.0 200 OK\r\n\r\nall"));
    close(fd);
    bool ok = next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD;
    if (ok && got.flags != NK_WIRE_END)
        ok = next_record(PATIENCE_MS) && got.type == NK_WIRE_DATA;
    tap_ok(ok && got.flags == NK_WIRE_END, "an answer until close");
    /* Bytes behind the answer: the connection is not kept. */
    post(27, 0, "x");
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1) && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP"));
    TAP_CHECK(is_whole(27, 200, "a") && up_closed(fd, PATIENCE_MS));
    close(fd);
}

static int keep_one(uint32_t stream)
{
    post(stream, 0, "x");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1) && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"));
    TAP_CHECK(is_whole(stream, 200, "a"));
    return fd;
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
    tap_ok(up_closed(fd, 100), "an abort closes the connection within 100 ms");
    close(fd);
    tap_ok(!next_record(20), "and nothing more is said");
    /* While it waits for an answer, and while it connects. */
    post(41, 0, "x");
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1));
    put_record(NK_WIRE_ABORT, 41, 0, NK_STR(""), NK_STR(""));
    TAP_CHECK(up_closed(fd, 100));
    close(fd);
    post(42, 0, "x");
    put_record(NK_WIRE_ABORT, 42, 0, NK_STR(""), NK_STR(""));
    fd = up_accept(plain_listener, 100);
    tap_ok(fd < 0 || up_closed(fd, 100), "an abort before the connection stands");
    close(fd);
    post(43, 6, "x");
    put_record(NK_WIRE_ABORT, 43, 0, NK_STR(""), NK_STR(""));
    /* The slot is used anew without an abort: the old call ends. */
    post(44, 0, "old");
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 3));
    post(44, 0, "new");
    tap_ok(up_closed(fd, 100), "a slot that is used anew ends the old call");
    close(fd);
    fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 3) && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    TAP_CHECK(is_whole(44, 200, ""));
    close(fd);
}

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

static void say(enum nk_control_kind kind, int bundle)
{
    struct nk_control m;
    nk_control_init(&m, kind);
    m.generation = 8;
    m.bundle = bundle;
    m.grace_ms = 2000;
    TAP_CHECK(!nk_control_send(control, &m));
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
    int status = -1;
    TAP_CHECK(waitpid(courier, &status, 0) == courier);
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the courier ends: %d", status);
    struct nk_stats s;
    TAP_CHECK(!nk_stats_open(&s, stats_fd, nk_stats_page(NK_ROLE_GATE, 0)));
    tap_ok(nk_stats_total(&s, NK_STAT_UPSTREAM_CONNECTIONS) == 0 &&
               nk_stats_total(&s, NK_STAT_UPSTREAM_REQUESTS) > 40,
           "it counted its requests, and closed every connection");
    nk_stats_close(&s);
    close(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    nk_arena_init(&arena, 64 << 20);
    ca = make_identity("Test CA", NULL, NULL, 30);
    leaf = make_identity("leaf", "DNS:api.test.example", &ca, 30);
    plain_listener = listen_here(&plain_port);
    tls_listener = listen_here(&tls_port);
    close(listen_here(&dead_port));
    stats_fd = nk_stats_create();
    make_rings();
    start_courier();
    normal_cases();
    body_cases();
    hostile_cases();
    broken_cases();
    stale_cases();
    abort_cases();
    credit_cases();
    full_ring_cases();
    sse_cases();
    tls_cases();
    fetch_cases();
    reload_cases();
    ring_change_cases();
    end_cases();
    nk_ring_close(calls);
    nk_ring_close(answers);
    nk_arena_free(&arena);
    drop_identity(&ca);
    drop_identity(&leaf);
    return tap_done();
}
