/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_house.h - starts and ends the courier with everything around it.
 */
#pragma once

#include "courier_gate.h"
#include "courier_upstream.h"

__attribute__((unused)) static bool is_whole(uint32_t stream, int status, const char *body)
{
    struct nk_http_head h;
    bool ok =
        next_record(PATIENCE_MS) && got.type == NK_WIRE_HEAD && got.flags == NK_WIRE_END &&
        got.stream == stream && got.generation == generation_of(stream) &&
        !nk_wire_get_answer(nk_str_sub(got.payload, 0, got.head_size), 64, &arena, &h, &route) &&
        h.status == status && nk_str_eq(body_of(), nk_str(body));
    if (!ok)
        printf("# type %u flags %u stream %u head %u: %.*s\n", got.type, got.flags, got.stream,
               got.head_size, NK_FMT(body_of()));
    return ok;
}

__attribute__((unused)) static bool is_fail(uint32_t stream, int code)
{
    bool ok = next_record(PATIENCE_MS) && got.type == NK_WIRE_FAIL && got.stream == stream &&
              got.generation == generation_of(stream) && got.payload.n > got.head_size;
    uint32_t said = 0;
    ok = ok &&
         !nk_wire_get_fail(nk_str_sub(got.payload, 0, got.head_size), &arena, &said, &route) &&
         said == (uint32_t)code;
    printf("# %u %s\n", said, got.type == NK_WIRE_FAIL ? payload + got.head_size : "no failure");
    return ok;
}

static void open_house(void)
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

/* The courier was told to drain: it must end well, with every connection closed. */
static void close_house(void)
{
    int status = -1;
    struct nk_stats s;
    TAP_CHECK(waitpid(courier, &status, 0) == courier);
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the courier ends: %d", status);
    TAP_CHECK(!nk_stats_open(&s, stats_fd, nk_stats_page(NK_ROLE_GATE, 0, 0)));
    tap_ok(nk_stats_total(&s, NK_STAT_UPSTREAM_CONNECTIONS) == 0 &&
               nk_stats_total(&s, NK_STAT_UPSTREAM_REQUESTS) > 5,
           "it counted its requests, and closed every connection");
    nk_stats_close(&s);
    nk_ring_close(calls);
    nk_ring_close(answers);
    nk_arena_free(&arena);
    drop_identity(&ca);
    drop_identity(&leaf);
}

/* A connection that the courier keeps after a first exchange. */
__attribute__((unused)) static int keep_one(uint32_t stream)
{
    post(stream, 0, "x");
    int fd = up_accept(plain_listener, PATIENCE_MS);
    TAP_CHECK(up_read(fd, 1) && up_write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"));
    TAP_CHECK(is_whole(stream, 200, "a"));
    return fd;
}
