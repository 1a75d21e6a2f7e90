/* SPDX-License-Identifier: Apache-2.0
 *
 * telemetry.c - nanoseconds that telemetry takes of the gate for one request, in its two parts: ids and the
 * traceparent that goes upstream when it begins, the record on the ring when it is over. And, in the
 * courier, three spans of that record made into OTLP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/map.h"
#include "otel/otel.h"
#include "role/ring.h"
#include "role/wire.h"
#include "role/wire_telemetry.h"

enum { ROUNDS = 2000000, RING = 512 << 10 };

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void say(const char *what, int64_t from)
{
    printf("telemetry: %.0f ns for %s\n", (double)(now() - from) / ROUNDS, what);
}

static uint64_t begin(void)
{
    const uint64_t key[2] = {1, 2};
    uint64_t sum = 0, words[3];
    char room[NK_TRACEPARENT_SIZE];
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct nk_buf b = {.p = room, .cap = sizeof room, .max = sizeof room};
        struct nk_trace t, call;
        for (uint64_t k = 0; k < 3; k++) {
            uint64_t n = 3 * i + k;
            words[k] = nk_hash(key, (struct nk_str){(const char *)&n, sizeof n});
        }
        nk_trace_start(words, NULL, &t);
        nk_trace_child(&t, 2, &call);
        nk_trace_write(&call, &b);
        sum += (unsigned char)room[40];
    }
    return sum;
}

static struct nk_wire_telemetry a_record(void)
{
    struct nk_wire_telemetry t;
    memset(&t, 0, sizeof t);
    t.own.id[0] = t.own.span[0] = 1;
    t.own.flags = NK_TRACE_SAMPLED;
    t.flags = NK_WIRE_TRACED | NK_WIRE_JUDGED | NK_WIRE_ALLOWED;
    t.end_unix = 1763800000000000;
    t.took = 900;
    t.judging = 20;
    t.judged = 30;
    t.first_byte = 800;
    t.text[NK_WIRE_REQUEST] = NK_STR("0a1b2c3d-0000000001");
    t.text[NK_WIRE_METHOD] = NK_STR("POST");
    t.text[NK_WIRE_ROUTE] = NK_STR("/v1/chat/completions");
    t.text[NK_WIRE_OPERATION] = NK_STR("chat.completions");
    t.text[NK_WIRE_DIALECT] = NK_STR("openai");
    t.text[NK_WIRE_GENAI] = NK_STR("chat");
    t.text[NK_WIRE_MODEL] = t.text[NK_WIRE_MODEL_SENT] = NK_STR("gpt-4o-mini");
    t.text[NK_WIRE_MODEL_ANSWERED] = NK_STR("gpt-4o-mini-2024-07-18");
    t.text[NK_WIRE_FINISH] = NK_STR("stop");
    t.text[NK_WIRE_POLICY] = NK_STR("staff.small-model");
    return t;
}

/* As gate_telemetry.c does it, the two clocks included; the other side takes it out again. */
static bool over(struct nk_ring *from, struct nk_ring *to)
{
    struct nk_wire_telemetry t = a_record();
    char bytes[NK_WIRE_TELEMETRY_MAX];
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct timespec wall, mono;
        clock_gettime(CLOCK_REALTIME, &wall);
        clock_gettime(CLOCK_MONOTONIC, &mono);
        t.events = wall.tv_nsec & mono.tv_nsec & 1;
        struct nk_ring_record rec = {.type = NK_WIRE_TELEMETRY};
        rec.payload = (struct nk_str){bytes, nk_wire_put_telemetry(&t, bytes)};
        if (nk_ring_put(from, &rec))
            return false;
        if (i % 256)
            continue;
        nk_ring_publish(from);
        while (nk_ring_next(to, &rec) == 0)
            ;
        nk_ring_release(to);
    }
    return true;
}

static void spans(struct nk_buf *out)
{
    struct nk_otel_attributes a = {.n = 0};
    struct nk_wire_telemetry t = a_record();
    for (int i = 0; i < 12; i++)
        nk_otel_add_text(&a, NK_STR("gen_ai.response.model"), t.text[NK_WIRE_MODEL_ANSWERED]);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        nk_buf_clear(out);
        for (int k = 0; k < 3; k++)
            nk_otel_put_span(&(struct nk_otel_span){.trace = t.own,
                                                    .parent = t.own.span,
                                                    .name = t.text[NK_WIRE_ROUTE],
                                                    .kind = NK_OTEL_SERVER,
                                                    .start = 1,
                                                    .end = 2,
                                                    .attributes = &a},
                             NK_OTEL_PROTOBUF, out);
    }
}

int main(void)
{
    int memfd, eventfd;
    struct nk_buf out;
    nk_buf_init(&out, 1 << 20);
    if (nk_ring_create(RING, &memfd, &eventfd))
        return 1;
    struct nk_ring *from = nk_ring_open(memfd, eventfd, true);
    struct nk_ring *to = nk_ring_open(memfd, eventfd, false);
    int64_t start = now();
    if (begin() == 0 || !from || !to)
        return 1;
    say("the ids and the traceparent of a call", start);
    start = now();
    if (!over(from, to))
        return 1;
    say("the record of a request that is over, on the ring", start);
    start = now();
    spans(&out);
    say("three spans in the courier", start);
    nk_ring_close(from);
    nk_ring_close(to);
    nk_buf_free(&out);
    return 0;
}
