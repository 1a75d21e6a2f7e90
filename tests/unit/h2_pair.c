/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_pair - a client and a server of ours joined in memory: hundreds of requests at a time with
 * bodies both ways, the bytes cut, delayed, pulled and consumed at random. Every body must arrive
 * whole, nothing may wait beyond the windows, and both must come to an end by themselves.
 */
#include "http/h2.h"
#include "tap.h"

enum { REQUESTS = 120, BODY_MAX = 150000, STEPS_MAX = 200000 };

struct call {
    struct side *side;
    struct nk_arena arena;
    uint32_t id;
    size_t size, sent, heard, unused; /* size: of the body to send */
    bool open, has_head, done, dry;   /* dry: take said that there is nothing now */
};

struct side {
    struct nk_h2 *h2;
    bool server;
    unsigned *random;
    size_t opened, whole, failed, wrong, waiting;
    struct call calls[REQUESTS];
};

static unsigned draw(unsigned *random, unsigned below)
{
    *random = *random * 1103515245 + 12345;
    return (*random >> 12) % below;
}

static char byte_at(uint32_t stream, size_t i)
{
    return (char)(stream * 7 + i + i / 251);
}

static int on_begin(void *owner, uint32_t stream, struct nk_arena **arena, void **call)
{
    struct side *s = owner;
    if (s->opened == REQUESTS)
        return NK_EFULL;
    struct call *c = &s->calls[s->opened++];
    *c = (struct call){.side = s, .id = stream, .open = true};
    nk_arena_init(&c->arena, 1 << 16);
    *arena = &c->arena;
    *call = c;
    return 0;
}

static void on_head(void *owner, void *call, uint32_t stream, const struct nk_http_head *head)
{
    struct side *s = owner;
    struct call *c = call;
    s->wrong += c->has_head || c->id != stream;
    s->wrong += s->server ? !nk_str_eq(nk_http_path(head), NK_STR("/echo")) : head->status != 200;
    c->has_head = true;
}

static void on_body(void *owner, void *call, uint32_t stream, struct nk_str bytes)
{
    struct side *s = owner;
    struct call *c = call;
    for (size_t i = 0; i < bytes.n; i++)
        s->wrong += bytes.p[i] != byte_at(stream, c->heard + i);
    c->heard += bytes.n;
    c->unused += bytes.n;
    s->waiting += bytes.n;
}

/* The server answers with as many bytes as it got. */
static void on_end(void *owner, void *call, uint32_t stream)
{
    struct side *s = owner;
    struct call *c = call;
    c->done = true;
    if (!s->server)
        return;
    bool known = draw(s->random, 2);
    struct nk_http_head head = {
        .status = 200, .content_length = known ? (int64_t)c->heard : -1, .chunked = !known};
    c->size = c->heard;
    s->wrong += nk_h2_answer(s->h2, stream, &head, true) != 0;
}

static void on_refused(void *owner, void *call, uint32_t stream, int error, const char *why)
{
    struct side *s = owner;
    (void)call, (void)stream, (void)error, (void)why;
    s->wrong++;
}

static ptrdiff_t on_take(void *owner, void *call, uint32_t stream, char *p, size_t max, bool *end)
{
    struct side *s = owner;
    struct call *c = call;
    if (c->sent < c->size && draw(s->random, 8) == 0) {
        c->dry = true;
        return 0;
    }
    size_t n = c->size - c->sent;
    n = n < max ? n : max;
    n = n > 1 ? 1 + draw(s->random, (unsigned)n) : n;
    for (size_t i = 0; i < n; i++)
        p[i] = byte_at(stream, c->sent + i);
    c->sent += n;
    *end = c->sent == c->size;
    return (ptrdiff_t)n;
}

static void on_gone(void *owner, void *call, uint32_t stream, enum nk_h2_code code, const char *why)
{
    struct side *s = owner;
    struct call *c = call;
    (void)stream, (void)why;
    s->wrong += !c->open;
    s->waiting -= c->unused;
    c->open = false;
    nk_arena_free(&c->arena);
    if (code == NK_H2_NO_ERROR && c->done && c->sent == c->size &&
        (s->server || c->heard == c->size))
        s->whole++;
    else
        s->failed++;
}

static const struct nk_h2_handler handler = {on_begin,   on_head, on_body, on_end,
                                             on_refused, on_take, on_gone};

static void ask(struct side *client)
{
    while (client->opened < REQUESTS && nk_h2_may_request(client->h2) &&
           draw(client->random, 4) > 0) {
        struct call *c = &client->calls[client->opened];
        *c = (struct call){.side = client, .open = true, .size = draw(client->random, BODY_MAX)};
        if (draw(client->random, 3) == 0)
            c->size = draw(client->random, 3);
        nk_arena_init(&c->arena, 1 << 16);
        struct nk_http_header host = {NK_STR("Host"), NK_STR("echo.example")};
        bool known = draw(client->random, 2);
        struct nk_http_head head = {.method = NK_STR("POST"),
                                    .target = NK_STR("/echo?a=b"),
                                    .headers = &host,
                                    .header_count = 1,
                                    .content_length = known ? (int64_t)c->size : -1,
                                    .chunked = !known};
        int rc = nk_h2_request(client->h2, "https", &head, true, &c->arena, c, &c->id);
        client->wrong += rc != 0;
        client->opened++;
    }
}

/* Uses some of what has come, and has something to send again. */
static void work(struct side *s)
{
    for (size_t i = 0; i < s->opened; i++) {
        struct call *c = &s->calls[i];
        if (!c->open)
            continue;
        size_t n = c->unused ? draw(s->random, (unsigned)c->unused + 1) : 0;
        nk_h2_consumed(s->h2, c->id, n);
        c->unused -= n;
        s->waiting -= n;
        if (c->dry && draw(s->random, 2)) {
            c->dry = false;
            nk_h2_resume(s->h2, c->id);
        }
    }
}

/* Some bytes from one to the other, in pieces. False when a machine fails. */
static bool move(struct side *from, struct side *to, struct nk_buf *wire, int64_t now)
{
    struct nk_fault f = {0};
    if (wire->n < 40000 && nk_h2_output(from->h2, wire, draw(from->random, 30000)))
        return false;
    for (int i = 0; i < 3 && wire->n; i++) {
        size_t n = 1 + draw(from->random, draw(from->random, 2) ? 20 : (unsigned)wire->n);
        n = n < wire->n ? n : wire->n;
        if (nk_h2_feed(to->h2, (struct nk_str){wire->p, n}, now, &f))
            return false;
        nk_buf_drop(wire, n);
    }
    return true;
}

struct pair {
    struct side *client, *server;
    struct nk_buf up, down; /* to the server, to the client */
};

static void pair_open(struct pair *p, const struct nk_h2_limits *lim, unsigned *random)
{
    p->client = calloc(1, sizeof *p->client);
    p->server = calloc(1, sizeof *p->server);
    p->client->random = p->server->random = random;
    p->server->server = true;
    p->client->h2 = nk_h2_new(false, lim, &handler, p->client);
    p->server->h2 = nk_h2_new(true, lim, &handler, p->server);
    nk_buf_init(&p->up, 1 << 20);
    nk_buf_init(&p->down, 1 << 20);
}

static void pair_close(struct pair *p)
{
    nk_h2_free(p->client->h2);
    nk_h2_free(p->server->h2);
    nk_buf_free(&p->up);
    nk_buf_free(&p->down);
    free(p->client);
    free(p->server);
}

static bool pair_move(struct pair *p, int64_t now)
{
    return move(p->client, p->server, &p->up, now) && move(p->server, p->client, &p->down, now);
}

static void run(unsigned seed)
{
    struct nk_h2_limits lim;
    struct pair p;
    unsigned random = seed;
    nk_h2_limits_default(&lim);
    lim.stream_window = 30000 + draw(&random, 100000);
    lim.connection_window = 65535 + draw(&random, 100000);
    lim.streams = 1 + draw(&random, 40);
    pair_open(&p, &lim, &random);
    struct side *client = p.client, *server = p.server;
    bool ok = true, bounded = true;
    int steps = 0;
    while (ok && steps++ < STEPS_MAX && client->whole + client->failed < REQUESTS) {
        ask(client);
        ok = pair_move(&p, steps);
        bounded &=
            client->waiting <= lim.connection_window && server->waiting <= lim.connection_window;
        work(client);
        work(server);
    }
    tap_ok(ok && client->whole == REQUESTS && server->whole == REQUESTS && !client->wrong &&
               !server->wrong,
           "seed %u: %zu of %d bodies went both ways in %d steps", seed, client->whole, REQUESTS,
           steps);
    tap_ok(bounded, "seed %u: no more than a window waited", seed);
    nk_h2_shutdown(server->h2);
    for (int i = 0; ok && i < 100000 && !(nk_h2_is_over(server->h2) && nk_h2_is_over(client->h2));
         i++)
        ok = pair_move(&p, steps);
    tap_ok(ok && nk_h2_is_over(server->h2) && nk_h2_is_over(client->h2), "seed %u: both are over",
           seed);
    pair_close(&p);
}

/* As much memory as `most`, which is too little more often than not: a machine fails by a clear
 * error, or not at all. Returns whether all went well. */
static bool starve(uint32_t most)
{
    struct nk_h2_limits lim;
    struct pair p;
    unsigned random = most;
    nk_h2_limits_default(&lim);
    lim.max_memory = most;
    lim.streams = 4;
    pair_open(&p, &lim, &random);
    struct side *client = p.client, *server = p.server;
    bool ok = client->h2 && server->h2;
    for (int i = 0; ok && i < 60; i++) {
        size_t before = client->opened;
        ask(client);
        ok = client->wrong == 0 && pair_move(&p, 0);
        if (client->wrong)
            client->opened = before;
        work(client);
        work(server);
    }
    pair_close(&p);
    return ok;
}

int main(void)
{
    for (unsigned seed = 1; seed <= 20; seed++)
        run(seed);
    size_t fell = 0, stood = 0;
    for (uint32_t most = 0; most < 80000; most += 61)
        starve(most) ? stood++ : fell++;
    tap_ok(fell > 100 && stood > 100, "memory ran out %zu times, and was enough %zu times", fell,
           stood);
    return tap_done();
}
