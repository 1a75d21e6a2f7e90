/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_gate.h - the test as the gate: records into the ring of calls, records out of the ring of
 * answers. The generation of a stream is ten times its number.
 */
#pragma once

#include "courier_role.h"
#include "role/wire.h"

static char payload[NK_RING_RECORD_MAX + 1]; /* of the last record */
static struct nk_ring_record got;
static struct nk_route route; /* of the latest answer or failure */

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
    streams[stream % NK_COUNT(streams)].calls += type == NK_WIRE_CALL;
    *asked = type == NK_WIRE_CALL ? 0 : *asked;
    if (type == NK_WIRE_CALL || type == NK_WIRE_BODY) {
        flags |= nk_wire_flags(*asked, false);
        *asked += body.n;
    }
    nk_buf_init(&b, NK_RING_RECORD_MAX);
    nk_buf_add(&b, head);
    nk_buf_add(&b, body);
    struct nk_ring_record r = {.type = type,
                               .stream = stream,
                               .generation = type == NK_WIRE_FETCH ? (uint32_t)config_generation
                                                                   : generation_of(stream),
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

__attribute__((unused)) static void put_u32(uint32_t type, uint32_t stream, uint32_t v)
{
    char b[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24)};
    put_record(type, stream, 0, (struct nk_str){b, 4}, NK_STR(""));
}

/* Pieces say where they belong; for the cases, only the end is left in the flags. */
static void check_place(void)
{
    uint64_t *at = &streams[got.stream % NK_COUNT(streams)].answered;
    *at = got.type == NK_WIRE_HEAD ? 0 : *at;
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
