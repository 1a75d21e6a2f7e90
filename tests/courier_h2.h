/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_h2.h - the test as an upstream that speaks HTTP/2, by the same machine as the gate does.
 */
#pragma once

#include "courier_house.h"
#include "http/h2.h"

enum { SEATS = 32 };

/* One request of the courier. */
struct guest {
    struct peer *peer;
    uint32_t stream;
    struct nk_arena arena;
    char method[8], target[64], auth[64], host[64];
    struct nk_buf body;
    bool has_head, complete, gone;
    enum nk_h2_code code;
    size_t to_send; /* bytes of the answer's body that are left */
    bool last;      /* and then it ends */
};

static struct peer {
    int fd; /* -1: closed */
    struct nk_h2 *h2;
    struct nk_buf out;
    struct guest guests[SEATS];
    size_t count;
    bool ended;
} peers[16];
static size_t peer_count;
static uint32_t peer_streams = 100; /* that a new connection takes at once */

static int guest_begin(void *owner, uint32_t stream, struct nk_arena **a, void **call)
{
    struct peer *p = owner;
    NK_MUST(p->count < SEATS);
    struct guest *g = &p->guests[p->count++];
    *g = (struct guest){.peer = p, .stream = stream};
    nk_arena_init(&g->arena, 1 << 20);
    nk_buf_init(&g->body, 1 << 20);
    *a = &g->arena;
    *call = g;
    return 0;
}

static void copy_text(char *to, size_t size, struct nk_str s)
{
    snprintf(to, size, "%.*s", NK_FMT(s));
}

static void guest_head(void *owner, void *call, uint32_t stream, const struct nk_http_head *h)
{
    struct guest *g = call;
    (void)owner, (void)stream;
    copy_text(g->method, sizeof g->method, h->method);
    copy_text(g->target, sizeof g->target, h->target);
    copy_text(g->auth, sizeof g->auth, nk_http_get(h, NK_STR("authorization")));
    copy_text(g->host, sizeof g->host, nk_http_get(h, NK_STR("host")));
    g->has_head = true;
}

static void guest_body(void *owner, void *call, uint32_t stream, struct nk_str bytes)
{
    struct guest *g = call;
    nk_buf_add(&g->body, bytes);
    nk_h2_consumed(((struct peer *)owner)->h2, stream, bytes.n);
}

static void guest_end(void *owner, void *call, uint32_t stream)
{
    (void)owner, (void)stream;
    ((struct guest *)call)->complete = true;
}

static void guest_refused(void *owner, void *call, uint32_t stream, int error, const char *why)
{
    (void)owner, (void)call, (void)stream;
    tap_ok(false, "the courier's request is refused: %d %s", error, why);
}

static ptrdiff_t guest_take(void *owner, void *call, uint32_t stream, char *p, size_t max,
                            bool *end)
{
    struct guest *g = call;
    size_t n = g->to_send < max ? g->to_send : max;
    (void)owner, (void)stream;
    memset(p, 'y', n);
    g->to_send -= n;
    *end = g->last && !g->to_send;
    return (ptrdiff_t)n;
}

static void guest_gone(void *owner, void *call, uint32_t stream, enum nk_h2_code code,
                       const char *w)
{
    struct guest *g = call;
    (void)owner, (void)stream, (void)w;
    g->gone = true;
    g->code = code;
}

static const struct nk_h2_handler guests = {guest_begin,   guest_head, guest_body, guest_end,
                                            guest_refused, guest_take, guest_gone};

/* Bytes in, bytes out, on every connection; takes new ones. */
static void peers_turn(int listener)
{
    static char in[65536];
    struct nk_h2_limits lim;
    struct nk_fault f = {0};
    int fd = up_accept(listener, 0);
    nk_h2_limits_default(&lim);
    lim.streams = peer_streams;
    if (fd >= 0) {
        NK_MUST(peer_count < NK_COUNT(peers));
        struct peer *p = &peers[peer_count++];
        *p = (struct peer){.fd = fd, .h2 = nk_h2_new(true, &lim, &guests, p)};
        nk_buf_init(&p->out, 1 << 20);
    }
    for (size_t i = 0; i < peer_count; i++) {
        struct peer *p = &peers[i];
        ssize_t n = p->fd < 0 ? -1 : recv(p->fd, in, sizeof in, MSG_DONTWAIT);
        if (n == 0)
            p->ended = true;
        if (n > 0 && nk_h2_feed(p->h2, (struct nk_str){in, (size_t)n}, now_ms(), &f))
            tap_ok(false, "the courier broke the protocol: %s", f.message);
        if (p->fd < 0 || nk_h2_output(p->h2, &p->out, 65536) || !p->out.n)
            continue;
        n = send(p->fd, p->out.p, p->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            nk_buf_drop(&p->out, (size_t)n);
    }
}

__attribute__((unused)) static void turns(int listener, int ms)
{
    for (int64_t until = now_ms() + ms; now_ms() < until; usleep(500))
        peers_turn(listener);
}
