/* SPDX-License-Identifier: Apache-2.0
 *
 * held.h - a courier that only listens: it keeps the calls of the gate until a case answers them
 * (say.h), and sees which were cancelled.
 */
#pragma once

#include "torture/client_h2.h"

enum { HELD_MAX = 64 };

/* The courier of this test holds calls until a case answers them. */
static struct held {
    uint32_t stream, generation;
    size_t number; /* of the case */
    bool complete, aborted;
} held[HELD_MAX];
static size_t held_count, credits, credited;
static uint32_t fetches, fetch_generation;

static struct held *held_find(const struct nk_ring_record *r)
{
    for (size_t i = 0; i < held_count; i++)
        if (held[i].stream == r->stream && held[i].generation == r->generation)
            return &held[i];
    return NULL;
}

static void hold(const struct nk_ring_record *r)
{
    struct held *h = held_find(r);
    if (r->type == NK_WIRE_CALL) {
        struct nk_str body = nk_str_sub(r->payload, r->head_size, r->payload.n);
        ptrdiff_t at = nk_str_search(body, NK_STR("case-"));
        NK_MUST(!h && at >= 0 && held_count < HELD_MAX);
        h = &held[held_count++];
        *h = (struct held){r->stream, r->generation, strtoul(body.p + at + 5, NULL, 10), false,
                           false};
    }
    if (h && (r->type == NK_WIRE_CALL || r->type == NK_WIRE_BODY))
        h->complete |= r->flags & NK_WIRE_END;
    if (h && r->type == NK_WIRE_ABORT)
        h->aborted = true;
    if (r->type == NK_WIRE_CREDIT) {
        struct nk_reader in = nk_reader(r->payload);
        credits++;
        credited += nk_read_u32le(&in);
    }
    if (r->type == NK_WIRE_FETCH) {
        fetches++;
        fetch_generation = r->generation;
    }
}

static void turn(void)
{
    bed_courier();
    for (size_t i = 0; i < client_count; i++)
        if (!clients[i].ended && clients[i].fd >= 0)
            client_turn(&clients[i]);
    shared_turn();
    bed_scribe();
    usleep(500);
}

static void turns(int ms)
{
    for (int64_t until = now_ms() + ms; now_ms() < until;)
        turn();
}

/* Turns until `n` calls are held, or as many clients as there are have ended. */
static bool wait_calls(size_t n)
{
    for (int64_t until = now_ms() + PATIENCE_MS; held_count < n && now_ms() < until;)
        turn();
    return held_count >= n;
}

static bool wait_clients(void)
{
    bool all = false;
    for (int64_t until = now_ms() + PATIENCE_MS; !all && now_ms() < until;) {
        turn();
        all = true;
        for (size_t i = 0; i < client_count; i++)
            all = all && clients[i].ended;
    }
    return all;
}
