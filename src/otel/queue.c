/* SPDX-License-Identifier: Apache-2.0
 *
 * queue.c - each item is its length (32 bits) and its bytes, which may go round the end. See queue.h.
 */
#include "otel/queue.h"

#include <stdlib.h>
#include <string.h>

enum { LENGTH = 4 };

int nk_otel_queue_init(struct nk_otel_queue *q, size_t size)
{
    *q = (struct nk_otel_queue){.bytes = malloc(size), .size = size};
    return q->bytes ? 0 : NK_ENOMEM;
}

void nk_otel_queue_free(struct nk_otel_queue *q)
{
    free(q->bytes);
    *q = (struct nk_otel_queue){0};
}

static void copy_in(struct nk_otel_queue *q, const void *from, size_t n)
{
    size_t at = (q->head + q->used) % q->size;
    size_t first = n < q->size - at ? n : q->size - at;
    memcpy(q->bytes + at, from, first);
    memcpy(q->bytes, (const char *)from + first, n - first);
    q->used += n;
}

static void copy_out(const struct nk_otel_queue *q, size_t offset, void *to, size_t n)
{
    size_t at = (q->head + offset) % q->size;
    size_t first = n < q->size - at ? n : q->size - at;
    memcpy(to, q->bytes + at, first);
    memcpy((char *)to + first, q->bytes, n - first);
}

size_t nk_otel_queue_next(const struct nk_otel_queue *q)
{
    uint32_t n = 0;
    if (q->count)
        copy_out(q, 0, &n, LENGTH);
    return n;
}

static void drop(struct nk_otel_queue *q)
{
    size_t n = LENGTH + nk_otel_queue_next(q);
    q->head = (q->head + n) % q->size;
    q->used -= n;
    q->count--;
}

size_t nk_otel_queue_put(struct nk_otel_queue *q, struct nk_str item)
{
    size_t dropped = 0;
    uint32_t n = (uint32_t)item.n;
    if (item.n == 0 || item.n > UINT32_MAX - LENGTH || item.n + LENGTH > q->size)
        return 1;
    for (; q->size - q->used < item.n + LENGTH; dropped++)
        drop(q);
    copy_in(q, &n, LENGTH);
    copy_in(q, item.p, item.n);
    q->count++;
    return dropped;
}

void nk_otel_queue_take(struct nk_otel_queue *q, char *to)
{
    copy_out(q, LENGTH, to, nk_otel_queue_next(q));
    drop(q);
}
