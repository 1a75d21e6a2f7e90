/* SPDX-License-Identifier: Apache-2.0
 *
 * say.h - answers to held calls, what clients must make of them, and the good request that must go
 * well after everything bad.
 */
#pragma once

#include "torture/held.h"

static void put(const struct held *h, uint32_t type, uint64_t before, bool end, struct nk_str head,
                struct nk_str body)
{
    struct nk_buf b;
    nk_buf_init(&b, NK_RING_RECORD_MAX);
    nk_buf_add(&b, head);
    nk_buf_add(&b, body);
    struct nk_ring_record r = {.type = type,
                               .stream = h->stream,
                               .generation = h->generation,
                               .flags = nk_wire_flags(before, end),
                               .head_size = (uint32_t)head.n,
                               .payload = nk_buf_str(&b)};
    for (int i = 0; nk_ring_put(bed.answers, &r) && i < PATIENCE_MS; i++)
        turn();
    nk_ring_publish(bed.answers);
    nk_buf_free(&b);
}

static void put_head(const struct held *h, const char *type, bool end, const char *body)
{
    struct nk_http_header f[] = {{NK_STR("content-type"), nk_str(type)}};
    struct nk_http_head head = {
        .status = 200, .headers = f, .header_count = 1, .content_length = -1};
    struct nk_buf b;
    nk_buf_init(&b, 1024);
    nk_wire_put_answer(&head, NULL, &b);
    put(h, NK_WIRE_HEAD, 0, end, nk_buf_str(&b), nk_str(body));
    nk_buf_free(&b);
}

static void put_whole(const struct held *h)
{
    char body[400];
    snprintf(body, sizeof body,
             "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"index\":"
             "0,\"message\":{\"role\":\"assistant\",\"content\":\"answer to case-%zu-\"},"
             "\"finish_reason\":\"stop\"}]}",
             h->number);
    put_head(h, "application/json", true, body);
}

static bool is_answered(size_t i)
{
    char want[40];
    snprintf(want, sizeof want, "answer to case-%zu-", i);
    const struct client *c = &clients[i];
    bool ok = c->complete && c->head->status == 200 && strstr(c->body, want) && !c->unrecorded &&
              !c->broken;
    if (!ok)
        printf("# client %zu: %s%s status %d%s: %s\n", i, c->complete ? "complete" : "",
               c->closed ? "closed" : "", c->head ? c->head->status : 0,
               c->unrecorded ? " unrecorded" : "", c->body);
    return ok;
}

static bool is_refused(size_t i)
{
    const struct client *c = &clients[i];
    bool clear = c->complete && c->head->status >= 502 && c->head->status <= 504;
    bool ok = c->ended && !c->broken && !c->unrecorded && (clear || (c->closed && !c->complete));
    if (!ok)
        printf("# client %zu: status %d, %s%s\n", i, c->head ? c->head->status : 0,
               c->ended ? "ended" : "waits", c->unrecorded ? ", unrecorded" : "");
    return ok;
}

static void forget(void)
{
    shared_close();
    for (size_t i = 0; i < client_count; i++) {
        if (clients[i].fd >= 0)
            close(clients[i].fd);
        nk_arena_free(&clients[i].arena);
    }
    client_count = held_count = 0;
}

static void one_good(const char *after)
{
    forget();
    client_ask(0, false, 0);
    if (wait_calls(1))
        put_whole(&held[0]);
    wait_clients();
    tap_ok(is_answered(0), "%s: a good request goes well", after);
    forget();
}

/* Nothing may stay taken when all are gone. */
static void check_accounts(const char *what)
{
    int64_t until = now_ms() + GRACE_MS;
    forget();
    while (now_ms() < until && (nk_stats_total(&counters, NK_STAT_REQUESTS_IN_FLIGHT) ||
                                nk_stats_total(&counters, NK_STAT_CONNECTIONS)))
        turn();
    tap_ok(!nk_stats_total(&counters, NK_STAT_REQUESTS_IN_FLIGHT) &&
               !nk_stats_total(&counters, NK_STAT_CONNECTIONS),
           "%s: no request and no connection remains", what);
}
