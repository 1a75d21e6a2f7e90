/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_fetch.c - key sets. One request to the URL that the configuration gives; redirects are
 * not followed; the answer is kept until it is whole, then goes to the gate in pieces.
 */
#include "role/courier.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 131072, PIECE = 65536, REQUEST_MAX = 8192 };

struct fetch {
    struct exchange x;
    uint32_t stream, generation, issuer;
    uint32_t status; /* 0: failed, body is the reason */
    struct nk_buf body;
    size_t said; /* bytes of body that are in the ring */
    bool first, done, freed;
    struct fetch *next;
};

static void fetch_free(struct nk_later *l)
{
    struct fetch *t = NK_OF(NK_OF(l, struct exchange, later), struct fetch, x);
    t->freed = true;
}

static void settle(struct fetch *t, uint32_t status)
{
    t->status = status;
    t->done = true;
}

static void settle_failed(struct fetch *t, const char *why)
{
    nk_buf_clear(&t->body);
    nk_buf_add(&t->body, nk_str(why));
    settle(t, 0);
}

static size_t fetch_allow(struct exchange *x)
{
    (void)x;
    return COURIER_READ;
}

static void fetch_answer(struct exchange *x, const struct nk_http_head *head, struct nk_str body,
                         bool end)
{
    struct fetch *t = NK_OF(x, struct fetch, x);
    if (head)
        t->status = (uint32_t)head->status;
    nk_buf_add(&t->body, body);
    if (!end)
        return;
    if (t->status != 200)
        settle_failed(t, "the answer is not 200");
    else if (t->body.error)
        settle_failed(t, "no memory for the document");
    else
        settle(t, 200);
}

static void fetch_fail(struct exchange *x, int code, const char *why)
{
    (void)code;
    settle_failed(NK_OF(x, struct fetch, x), why);
}

static int fetch_head(struct exchange *x, struct nk_http_head *out)
{
    const struct nk_origin *o = &x->up->origin;
    const struct nk_http_header headers[] = {{NK_STR("host"), o->host_header},
                                             {NK_STR("accept"), NK_STR("application/json")},
                                             {NK_STR("accept-encoding"), NK_STR("identity")},
                                             {NK_STR("user-agent"), NK_STR("nakoso")}};
    *out = (struct nk_http_head){.method = NK_STR("GET"),
                                 .target = o->target,
                                 .headers = nk_arena_alloc(&x->arena, sizeof headers),
                                 .header_count = NK_COUNT(headers),
                                 .content_length = -1};
    if (out->headers)
        memcpy(out->headers, headers, sizeof headers);
    return out->headers ? 0 : NK_ENOMEM;
}

static const struct exchange_kind fetch_kind = {fetch_head, fetch_allow, fetch_answer, fetch_fail,
                                                fetch_free};

void courier_fetch(struct courier *c, const struct nk_ring_record *rec)
{
    struct nk_reader r = nk_reader(rec->payload);
    uint32_t issuer = nk_read_u32le(&r);
    struct courier_config *g = courier_config_find(c, rec->generation);
    for (struct fetch *t = c->fetches; t; t = t->next)
        if (t->issuer == issuer && t->generation == rec->generation && !t->done)
            return; /* is on its way already */
    struct fetch *t = r.error ? NULL : calloc(1, sizeof *t);
    if (!t)
        return;
    *t = (struct fetch){.stream = rec->stream, .generation = rec->generation, .issuer = issuer};
    t->first = true;
    t->x.kind = &fetch_kind;
    t->x.c = c;
    t->x.max_body = COURIER_FETCH_MAX;
    nk_arena_init(&t->x.arena, ARENA_MAX);
    nk_buf_init(&t->body, COURIER_FETCH_MAX);
    nk_buf_init(&t->x.out, REQUEST_MAX);
    t->next = c->fetches;
    c->fetches = t;
    t->x.to = g && issuer < g->config.issuer_count ? &g->key_sets[issuer] : NULL;
    t->x.safe = true;
    if (t->x.to && t->x.to->endpoint_count) {
        exchange_start(&t->x, (struct nk_str){NULL, 0}, true);
    } else {
        settle_failed(t, "the configuration has no URL of a key set there");
        t->freed = true; /* never an exchange */
    }
}

static bool say_piece(struct courier *c, struct fetch *t)
{
    struct nk_str piece = nk_str_sub(nk_buf_str(&t->body), t->said, t->said + PIECE);
    size_t head = t->first ? 8 : 0;
    char *to = nk_ring_reserve(c->answers, head + piece.n);
    if (!to)
        return false;
    for (size_t i = 0; i < head; i++)
        to[i] = (char)((i < 4 ? t->issuer : t->status) >> (i % 4 * 8));
    if (piece.n)
        memcpy(to + head, piece.p, piece.n);
    t->said += piece.n;
    struct nk_ring_record r = {.type = t->first ? NK_WIRE_FETCHED : NK_WIRE_MORE,
                               .stream = t->stream,
                               .generation = t->generation,
                               .flags = t->said == t->body.n ? NK_WIRE_END : 0,
                               .head_size = (uint32_t)head};
    nk_ring_commit(c->answers, &r, head + piece.n);
    t->first = false;
    return true;
}

bool courier_fetch_is_pending(const struct courier *c)
{
    const struct fetch *t = c->fetches;
    while (t && !(t->done && t->freed))
        t = t->next;
    return t != NULL;
}

/* Says what is whole, one document after the other: their pieces must not mix. */
bool courier_fetch_answers(struct courier *c)
{
    bool any = false;
    for (struct fetch **at = &c->fetches, *t; (t = *at) != NULL;) {
        if (!t->done || !t->freed) {
            at = &t->next;
            continue;
        }
        while (t->first || t->said < t->body.n) {
            if (!say_piece(c, t))
                return any;
            any = true;
        }
        *at = t->next;
        nk_arena_free(&t->x.arena);
        nk_buf_free(&t->body);
        free(t);
    }
    return any;
}
