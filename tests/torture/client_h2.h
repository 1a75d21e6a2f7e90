/* SPDX-License-Identifier: Apache-2.0
 *
 * client_h2.h - the same who ask, over HTTP/2: all on one connection, which is opened anew when the
 * gate has said goodbye on it.
 */
#pragma once

#include "http/h2.h"
#include "torture/client.h"

static struct shared {
    struct nk_h2 *machine; /* NULL: not connected */
    int fd;
    bool stops; /* takes nothing that comes */
    struct nk_buf out;
} shared;

static void shared_head(void *owner, void *call, uint32_t stream, const struct nk_http_head *head)
{
    struct client *c = call;
    (void)owner, (void)stream;
    c->own_head = *head;
    client_head(c, &c->own_head);
}

static void shared_body(void *owner, void *call, uint32_t stream, struct nk_str bytes)
{
    (void)owner;
    client_body(call, bytes);
    nk_h2_consumed(shared.machine, stream, bytes.n);
}

static void shared_end(void *owner, void *call, uint32_t stream)
{
    struct client *c = call;
    (void)owner, (void)stream;
    client_complete(c);
    c->ended = now_ms();
}

static void shared_refused(void *owner, void *call, uint32_t stream, int error, const char *why)
{
    struct client *c = call;
    (void)owner, (void)stream, (void)error, (void)why;
    c->broken = true;
}

static ptrdiff_t shared_take(void *owner, void *call, uint32_t stream, char *p, size_t max,
                             bool *end)
{
    struct client *c = call;
    size_t n = c->ask.n - c->asked;
    (void)owner, (void)stream;
    n = n < max ? n : max;
    memcpy(p, c->ask.p + c->asked, n);
    c->asked += n;
    *end = c->asked == c->ask.n;
    return (ptrdiff_t)n;
}

static void shared_gone(void *owner, void *call, uint32_t stream, enum nk_h2_code code,
                        const char *why)
{
    struct client *c = call;
    (void)owner, (void)stream, (void)why;
    c->stream_id = 0;
    c->closed |= code != NK_H2_NO_ERROR;
    c->ended = c->ended ? c->ended : now_ms();
}

static const struct nk_h2_handler shared_handler = {.head = shared_head,
                                                    .body = shared_body,
                                                    .end = shared_end,
                                                    .refused = shared_refused,
                                                    .take = shared_take,
                                                    .gone = shared_gone};

static void shared_close(void)
{
    if (!shared.machine)
        return;
    nk_h2_free(shared.machine);
    nk_buf_free(&shared.out);
    close(shared.fd);
    shared = (struct shared){.fd = -1};
}

/* Sends what fits into the socket. */
static void shared_send(void)
{
    if (shared.out.n == 0)
        (void)nk_h2_output(shared.machine, &shared.out, 1 << 16);
    ssize_t n =
        shared.out.n ? send(shared.fd, shared.out.p, shared.out.n, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
    if (n > 0)
        nk_buf_drop(&shared.out, (size_t)n);
}

static void shared_open(void)
{
    struct nk_h2_limits lim;
    if (shared.machine && nk_h2_may_request(shared.machine))
        return;
    shared_close();
    nk_h2_limits_default(&lim);
    shared.fd = client_connect();
    shared.machine = nk_h2_new(false, &lim, &shared_handler, NULL);
    nk_buf_init(&shared.out, 1 << 20);
    NK_MUST(shared.machine);
}

/* Asks with the same bytes of JSON that HTTP/1.1 would send. */
static void shared_ask(struct client *c, struct nk_str json)
{
    struct nk_http_header h[] = {
        {NK_STR("Host"), NK_STR("g")},
        {NK_STR("Authorization"), NK_STR("Bearer torture-key-of-john-0123456789")},
        {NK_STR("Content-Type"), NK_STR("application/json")}};
    struct nk_http_head head = {.method = NK_STR("POST"),
                                .target = NK_STR("/v1/chat/completions"),
                                .headers = h,
                                .header_count = NK_COUNT(h),
                                .content_length = (int64_t)json.n};
    shared_open();
    c->ask = nk_arena_copy(&c->arena, json);
    NK_MUST(c->ask.p &&
            !nk_h2_request(shared.machine, "http", &head, true, &c->arena, c, &c->stream_id));
    shared_send();
}

static void shared_turn(void)
{
    static char bytes[1 << 16];
    struct nk_fault f = {0};
    if (!shared.machine)
        return;
    ssize_t n = shared.stops ? -1 : recv(shared.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && !shared.stops && errno != EAGAIN)) {
        shared_close();
        return;
    }
    bed.durable = nk_ring_durable(bed.audit); /* all that the gate can have known */
    bed_scribe();
    if (n > 0 && nk_h2_feed(shared.machine, (struct nk_str){bytes, (size_t)n}, now_ms(), &f))
        printf("# the client's connection broke: %s\n", f.message);
    shared_send();
}
