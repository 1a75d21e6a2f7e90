/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_h2 - upstreams that speak HTTP/2: many calls on one connection, windows that are the gate's
 * credit, refusals, goodbyes, resets and cuts. What must hold is said in mux.c.
 */
#include "courier_h2.h"

enum {
    KNOWN = 8,
    BOTH = 9
}; /* upstreams: by prior knowledge; two endpoints, the second over HTTP/1.1 */

/* Waits for a request that is complete, with this body; NULL when none comes. */
static struct guest *find_guest(const char *body)
{
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until; usleep(500)) {
        peers_turn(plain_listener);
        for (size_t i = 0; i < peer_count; i++)
            for (size_t k = 0; k < peers[i].count; k++) {
                struct guest *g = &peers[i].guests[k];
                if (g->complete && !g->gone && nk_str_eq(nk_buf_str(&g->body), nk_str(body)))
                    return g;
            }
    }
    return NULL;
}

static void begin_answer(struct guest *g, int status, size_t bytes, bool last)
{
    struct nk_http_header headers[] = {{NK_STR("content-type"), NK_STR("text/plain")}};
    struct nk_http_head h = {
        .status = status, .headers = headers, .header_count = 1, .content_length = -1};
    g->to_send = bytes;
    g->last = last;
    TAP_CHECK(!nk_h2_answer(g->peer->h2, g->stream, &h, bytes || !last));
}

/* The next record while the upstream goes on. */
static bool record(int ms)
{
    for (int64_t until = now_ms() + ms; now_ms() < until; usleep(200)) {
        peers_turn(plain_listener);
        if (next_record(0))
            return true;
    }
    return false;
}

/* Bytes of one stream's answer until it ends, or nothing comes for 200 ms. */
static size_t drain(uint32_t stream, bool *ended)
{
    size_t n = 0;
    while (!*ended && record(200)) {
        if (got.stream != stream)
            continue;
        n += got.type == NK_WIRE_FAIL ? 0 : got.payload.n - got.head_size;
        *ended = got.flags & NK_WIRE_END;
    }
    return n;
}

static bool is_answer(uint32_t stream, size_t bytes)
{
    bool ended = false;
    size_t n = drain(stream, &ended);
    if (!ended || n != bytes)
        printf("# stream %u: %zu bytes, %s\n", stream, n, ended ? "ended" : "not ended");
    return ended && n == bytes && got.type != NK_WIRE_FAIL;
}

static bool fails(uint32_t stream, int code)
{
    uint32_t said = 0;
    while (record(PATIENCE_MS) && !(got.type == NK_WIRE_FAIL && got.stream == stream))
        ;
    bool ok = got.type == NK_WIRE_FAIL &&
              !nk_wire_get_fail(nk_str_sub(got.payload, 0, got.head_size), &arena, &said, &route);
    printf("# %u %s\n", said, ok ? payload + got.head_size : "no failure");
    return ok && said == (uint32_t)code;
}

static void many_cases(void)
{
    char body[16];
    for (uint32_t i = 0; i < 10; i++) {
        snprintf(body, sizeof body, "call-%u", i);
        post(100 + i, KNOWN, body);
    }
    struct guest *g[10];
    for (uint32_t i = 0; i < 10; i++) {
        snprintf(body, sizeof body, "call-%u", i);
        g[i] = find_guest(body);
        TAP_CHECK(g[i]);
    }
    tap_ok(peer_count == 1, "ten calls at once are on one connection");
    snprintf(body, sizeof body, "127.0.0.1:%d", plain_port);
    tap_ok(!strcmp(g[3]->method, "POST") && !strcmp(g[3]->target, "/v1/x") &&
               !strcmp(g[3]->auth, "Bearer key-of-i") && !strcmp(g[3]->host, body),
           "with our host and credential: %s %s", g[3]->host, g[3]->auth);
    bool right = true;
    for (uint32_t i = 10; i-- > 0;) {
        begin_answer(g[i], 200, 100 + i, true);
        right &= is_answer(100 + i, 100 + i);
    }
    tap_ok(right, "each gets its own answer, whatever the order");
    put_call(110, KNOWN, "GET", "/v1/models", 0, "", NK_WIRE_END);
    begin_answer(find_guest(""), 404, 0, true);
    tap_ok(is_answer(110, 0) && peer_count == 1, "a request and an answer without a body");
}

/* Heads that come in one read are each that of their own call. */
static void heads_case(void)
{
    const char *names[] = {"one", "two", "three", "four"};
    struct guest *g[4];
    bool right = true;
    for (uint32_t i = 0; i < 4; i++)
        post(115 + i, KNOWN, names[i]);
    for (uint32_t i = 0; i < 4; i++)
        g[i] = find_guest(names[i]);
    for (uint32_t i = 0; i < 4; i++)
        begin_answer(g[i], 200 + (int)i, 1 + i, true);
    for (uint32_t i = 0; i < 4; i++) {
        struct nk_http_head h = {0};
        right &= record(PATIENCE_MS) && got.type == NK_WIRE_HEAD && got.flags == NK_WIRE_END &&
                 !nk_wire_get_answer(nk_str_sub(got.payload, 0, got.head_size), 64, &arena, &h,
                                     &route) &&
                 got.payload.n - got.head_size == got.stream - 114 &&
                 h.status == 200 + (int)got.stream - 115 &&
                 nk_str_eq(nk_http_get(&h, NK_STR("content-type")), NK_STR("text/plain"));
    }
    tap_ok(right, "answers that come together keep their own heads");
}

static void body_case(void)
{
    static char piece[30001], all[90001];
    memset(piece, 'x', 30000);
    memset(all, 'x', 90000);
    put_call(120, KNOWN, "POST", "/v1/x", 90000, piece, 0);
    turns(plain_listener, 20);
    put_record(NK_WIRE_BODY, 120, 0, NK_STR(""), nk_str(piece));
    turns(plain_listener, 20);
    put_record(NK_WIRE_BODY, 120, NK_WIRE_END, NK_STR(""), nk_str(piece));
    struct guest *g = find_guest(all);
    tap_ok(g != NULL, "a body in several pieces");
    begin_answer(g, 200, 5, true);
    TAP_CHECK(is_answer(120, 5));
}

static void credit_cases(void)
{
    enum { ALL = 4 << 20 };
    bool ended = false;
    post(130, KNOWN, "slow");
    begin_answer(find_guest("slow"), 200, ALL, true);
    size_t n = drain(130, &ended);
    tap_ok(n == NK_WIRE_FIRST_CREDIT && !ended, "a stream stops at its credit: %zu", n);
    post(131, KNOWN, "quick");
    begin_answer(find_guest("quick"), 200, 200000, true);
    tap_ok(is_answer(131, 200000) && peer_count == 1, "and stops no other on the connection");
    /* Windows are opened by halves. */
    put_u32(NK_WIRE_CREDIT, 130, 150000);
    n = drain(130, &ended);
    tap_ok(n == 150000 && !ended, "it goes on by as much as is granted: %zu", n);
    put_u32(NK_WIRE_CREDIT, 130, ALL);
    n = drain(130, &ended);
    tap_ok(ended && n == ALL - NK_WIRE_FIRST_CREDIT - 150000, "to the end: %zu", n);
}

/* More than the ring holds while nobody reads it. */
static void full_ring_case(void)
{
    enum { EACH = 250000 };
    size_t seen[4] = {0};
    int ended = 0;
    const char *names[] = {"a", "b", "c", "d"};
    for (uint32_t i = 0; i < 4; i++)
        post(140 + i, KNOWN, names[i]);
    for (uint32_t i = 0; i < 4; i++)
        begin_answer(find_guest(names[i]), 200, EACH, true);
    turns(plain_listener, 200);
    tap_ok(nk_ring_backlog(answers) < 4 * EACH, "the ring is full");
    while (ended < 4 && record(PATIENCE_MS)) {
        if (got.stream < 140 || got.stream > 143)
            continue;
        seen[got.stream - 140] += got.payload.n - got.head_size;
        ended += got.type != NK_WIRE_FAIL && (got.flags & NK_WIRE_END);
    }
    tap_ok(seen[0] == EACH && seen[1] == EACH && seen[2] == EACH && seen[3] == EACH,
           "all comes later: %zu %zu %zu %zu", seen[0], seen[1], seen[2], seen[3]);
}

static void end_cases(void)
{
    post(150, KNOWN, "left");
    struct guest *g = find_guest("left");
    begin_answer(g, 200, 10, false);
    TAP_CHECK(record(PATIENCE_MS) && got.type == NK_WIRE_HEAD);
    put_record(NK_WIRE_ABORT, 150, 0, NK_STR(""), NK_STR(""));
    for (int i = 0; i < 100 && !g->gone; i++)
        turns(plain_listener, 5);
    tap_ok(g->gone && g->code == NK_H2_CANCEL, "an abort resets the stream");
    post(151, KNOWN, "next");
    begin_answer(find_guest("next"), 200, 1, true);
    tap_ok(is_answer(151, 1) && peer_count == 1, "and the connection goes on");
    post(152, KNOWN, "broken");
    g = find_guest("broken");
    begin_answer(g, 200, 10, false);
    TAP_CHECK(record(PATIENCE_MS));
    nk_h2_reset(g->peer->h2, g->stream, NK_H2_INTERNAL_ERROR);
    g->gone = true;
    tap_ok(fails(152, NK_WIRE_FAIL_PROTOCOL), "a reset in the middle of an answer is a failure");
    post(153, KNOWN, "refused");
    g = find_guest("refused");
    nk_h2_reset(g->peer->h2, g->stream, NK_H2_REFUSED_STREAM);
    g->gone = true;
    g = find_guest("refused");
    tap_ok(g != NULL, "what the server refused is asked again");
    begin_answer(g, 200, 2, true);
    tap_ok(is_answer(153, 2), "and answered");
    post(154, KNOWN, "never");
    for (int i = 0; i < 2; i++) {
        g = find_guest("never");
        nk_h2_reset(g->peer->h2, g->stream, NK_H2_REFUSED_STREAM);
        g->gone = true;
    }
    tap_ok(fails(154, NK_WIRE_FAIL_PROTOCOL) && peer_count == 1, "but only once");
    post(155, KNOWN, "reset");
    g = find_guest("reset");
    nk_h2_reset(g->peer->h2, g->stream, NK_H2_INTERNAL_ERROR);
    g->gone = true;
    tap_ok(fails(155, NK_WIRE_FAIL_PROTOCOL), "one that was reset may have been acted on");
}

static void goodbye_cases(void)
{
    post(160, KNOWN, "running");
    struct guest *g = find_guest("running");
    struct peer *old = g->peer;
    nk_h2_shutdown(old->h2);
    turns(plain_listener, 50);
    post(161, KNOWN, "later");
    struct guest *later = find_guest("later");
    tap_ok(later && later->peer != old, "after a goodbye calls go to a new connection");
    begin_answer(later, 200, 1, true);
    TAP_CHECK(is_answer(161, 1));
    begin_answer(g, 200, 3, true);
    tap_ok(is_answer(160, 3), "and those under way end well");
    turns(plain_listener, 50);
    tap_ok(old->ended, "then the old one is closed");
    close(old->fd);
    old->fd = -1;
    post(162, KNOWN, "cut");
    g = find_guest("cut");
    close(g->peer->fd);
    g->peer->fd = -1;
    g->gone = true;
    size_t before = peer_count;
    tap_ok(fails(162, NK_WIRE_FAIL_PROTOCOL), "the end of the connection is a failure");
    turns(plain_listener, 20);
    tap_ok(peer_count == before, "and a call that was sent whole is not sent again");
    put_call(163, KNOWN, "GET", "/a", 0, "", NK_WIRE_END);
    g = find_guest("");
    begin_answer(g, 200, 1, true);
    TAP_CHECK(is_answer(163, 1));
    put_call(164, KNOWN, "GET", "/b", 0, "", NK_WIRE_END);
    g = find_guest("");
    close(g->peer->fd);
    g->peer->fd = -1;
    g->gone = true;
    g = find_guest("");
    tap_ok(g && !strcmp(g->target, "/b"), "one with a safe method is, on a new connection");
    begin_answer(g, 200, 1, true);
    TAP_CHECK(is_answer(164, 1));
}

static void elsewhere_case(int listener)
{
    post(170, BOTH, "x");
    struct guest *g = find_guest("x");
    begin_answer(g, 503, 0, true);
    int fd = -1;
    for (int i = 0; i < 200 && fd < 0; i++) {
        turns(plain_listener, 5);
        fd = up_accept(listener, 0);
    }
    for (size_t i = 0; i < peer_count; i++)
        for (size_t k = 0; k < peers[i].count; k++)
            peers[i].guests[k].gone = true;
    tap_ok(fd >= 0, "after 503 the next endpoint is asked");
    close(fd);
    bool ended = false;
    (void)drain(170, &ended);
    /* Its second endpoint speaks no HTTP/2: that is a failure, not a hang. */
    tap_ok(ended && got.type == NK_WIRE_FAIL, "one that closes at once is a failure");
}

static void rubbish_case(void)
{
    post(180, KNOWN, "y");
    struct guest *g = find_guest("y");
    static const char junk[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    TAP_CHECK(write(g->peer->fd, junk, sizeof junk - 1) > 0);
    g->gone = true;
    tap_ok(fails(180, NK_WIRE_FAIL_PROTOCOL), "what is no HTTP/2 ends the connection");
    turns(plain_listener, 50);
    tap_ok(g->peer->ended, "from our side");
    close(g->peer->fd);
    g->peer->fd = -1;
}

static void crowd_case(void)
{
    char body[16];
    struct guest *g[7];
    bool right = true;
    peer_streams = 4;
    post(200, KNOWN, "first");
    struct guest *first = find_guest("first");
    begin_answer(first, 200, 1, true);
    TAP_CHECK(is_answer(200, 1));
    size_t before = peer_count;
    for (uint32_t i = 0; i < 7; i++) {
        snprintf(body, sizeof body, "crowd-%u", i);
        post(201 + i, KNOWN, body);
    }
    for (uint32_t i = 0; i < 7; i++) {
        snprintf(body, sizeof body, "crowd-%u", i);
        g[i] = find_guest(body);
        right &= g[i] != NULL;
    }
    tap_ok(right && peer_count > before && g[0]->peer == first->peer,
           "what is more than the server takes at once gets another connection (%zu)",
           peer_count - before);
    for (uint32_t i = 0; right && i < 7; i++) {
        begin_answer(g[i], 200, i, true);
        right = is_answer(201 + i, i);
    }
    tap_ok(right, "and is answered there");
    peer_streams = 100;
}

static void reload_case(void)
{
    post(190, KNOWN, "old");
    struct guest *g = find_guest("old");
    int fd = make_bundle("new-key");
    say(NK_CONTROL_PREPARE, fd);
    close(fd);
    struct nk_control m = hear(NK_CONTROL_PREPARED);
    TAP_CHECK(m.code == 0);
    say(NK_CONTROL_COMMIT, -1);
    turns(plain_listener, 20);
    config_generation = 8;
    post(191, KNOWN, "new");
    struct guest *n = find_guest("new");
    tap_ok(n && n->peer != g->peer, "a new configuration has connections of its own");
    begin_answer(n, 200, 1, true);
    TAP_CHECK(is_answer(191, 1));
    begin_answer(g, 200, 1, true);
    tap_ok(is_answer(190, 1), "what was under way ends well");
    turns(plain_listener, 50);
    tap_ok(g->peer->ended && !n->peer->ended, "and its connection with it");
}

int main(void)
{
    int second_port, second = listen_here(&second_port);
    plain_listener = listen_here(&plain_port);
    int port = plain_port;
    snprintf(more_upstreams, sizeof more_upstreams,
             ",{\"name\":\"known\",\"dialect\":\"openai\",\"http2\":\"on\","
             "\"url\":\"http://127.0.0.1:%d\"},"
             "{\"name\":\"both\",\"dialect\":\"openai\",\"http2\":\"on\",\"endpoints\":["
             "{\"url\":\"http://127.0.0.1:%d\"},{\"url\":\"http://127.0.0.1:%d\"}]}",
             port, port, second_port);
    int listener = plain_listener;
    open_house();
    close(plain_listener);
    plain_listener = listener;
    plain_port = port;
    many_cases();
    heads_case();
    body_case();
    credit_cases();
    full_ring_case();
    end_cases();
    goodbye_cases();
    elsewhere_case(second);
    rubbish_case();
    crowd_case();
    reload_case();
    say(NK_CONTROL_DRAIN, -1);
    close_house();
    for (size_t i = 0; i < peer_count; i++)
        nk_h2_free(peers[i].h2);
    return tap_done();
}
