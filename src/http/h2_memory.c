/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_memory.c - the memory of one connection: counted, with a maximum, in one list.
 *
 * nghttp2 1.52 is not safe where memory runs out: it may free a body's item and keep it too. So once
 * an allocation has failed, nothing is freed any more and nothing is given; the connection fails,
 * nghttp2 is not called again, not even to delete its session, and the whole list goes at once. A
 * peer that reaches max_memory gains nothing but its own end.
 */
#include "http/h2_own.h"

#include <stdlib.h>
#include <string.h>

struct nk_h2_memory {
    struct nk_h2_memory *prev, *next;
    size_t size, unused; /* keeps what follows aligned for any type */
};

static void unlink_block(struct nk_h2 *h, struct nk_h2_memory *b)
{
    if (b->prev)
        b->prev->next = b->next;
    else
        h->blocks = b->next;
    if (b->next)
        b->next->prev = b->prev;
    h->memory -= b->size;
}

static void *link_block(struct nk_h2 *h, struct nk_h2_memory *b, size_t size)
{
    *b = (struct nk_h2_memory){.next = h->blocks, .size = size};
    if (b->next)
        b->next->prev = b;
    h->blocks = b;
    h->memory += size;
    return b + 1;
}

static void *starve(struct nk_h2 *h)
{
    h->starved = true;
    nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for the connection");
    return NULL;
}

static void *resize(void *p, size_t size, void *owner)
{
    struct nk_h2 *h = owner;
    struct nk_h2_memory *old = p ? (struct nk_h2_memory *)p - 1 : NULL;
    size_t held = h->memory - (old ? old->size : 0);
    if (h->starved || size > h->lim.max_memory || held > h->lim.max_memory - size)
        return starve(h);
    struct nk_h2_memory *b = malloc(sizeof *b + size);
    if (!b)
        return starve(h);
    if (old) {
        memcpy(b + 1, old + 1, size < old->size ? size : old->size);
        unlink_block(h, old);
        free(old);
    }
    return link_block(h, b, size);
}

static void *take(size_t size, void *owner)
{
    return resize(NULL, size, owner);
}

static void *take_zeroed(size_t count, size_t size, void *owner)
{
    if (size && count > SIZE_MAX / size)
        return starve(owner);
    void *p = resize(NULL, count * size, owner);
    return p ? memset(p, 0, count * size) : NULL;
}

static void give(void *p, void *owner)
{
    struct nk_h2 *h = owner;
    if (!p || h->starved)
        return;
    struct nk_h2_memory *b = (struct nk_h2_memory *)p - 1;
    unlink_block(h, b);
    free(b);
}

nghttp2_mem nk_h2_memory_of(struct nk_h2 *h)
{
    return (nghttp2_mem){h, take, give, take_zeroed, resize};
}

struct nk_h2_stream *nk_h2_stream_new(struct nk_h2 *h)
{
    struct nk_h2_stream *s = take_zeroed(1, sizeof *s, h);
    if (!s)
        return NULL;
    s->left = -1;
    s->next = h->streams;
    if (s->next)
        s->next->prev = s;
    h->streams = s;
    h->stream_count++;
    return s;
}

void nk_h2_stream_free(struct nk_h2 *h, struct nk_h2_stream *s)
{
    if (s->prev)
        s->prev->next = s->next;
    else
        h->streams = s->next;
    if (s->next)
        s->next->prev = s->prev;
    h->stream_count--;
    give(s, h);
}

void nk_h2_memory_end(struct nk_h2 *h)
{
    if (!h->starved)
        nghttp2_session_del(h->session);
    NK_MUST(h->starved || !h->blocks);
    struct nk_h2_memory *b = h->blocks;
    while (b) {
        struct nk_h2_memory *next = b->next;
        free(b);
        b = next;
    }
}
