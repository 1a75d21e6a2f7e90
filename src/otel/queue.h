/* SPDX-License-Identifier: Apache-2.0
 *
 * queue.h - items that wait to be sent, in a ring of bytes of a stated size. When it is full the oldest go:
 * what happens now is worth more than what happened before the collector went away.
 */
#pragma once

#include "base/str.h"

struct nk_otel_queue {
    char *bytes; /* NULL: nothing is kept */
    size_t size; /* of the ring */
    size_t head, used, count;
};

/* NK_ENOMEM; `size` bytes are taken at once, so that a full queue surprises nobody. */
int nk_otel_queue_init(struct nk_otel_queue *q, size_t size) NK_CHECKED;
void nk_otel_queue_free(struct nk_otel_queue *q);
/* Puts an item behind the others; returns how many old ones (or, when it is larger than the ring, it
 * itself) were dropped. */
size_t nk_otel_queue_put(struct nk_otel_queue *q, struct nk_str item);
/* Bytes of the oldest item; 0 when there is none. */
size_t nk_otel_queue_next(const struct nk_otel_queue *q);
/* Takes the oldest item out; `to` has room for nk_otel_queue_next bytes. */
void nk_otel_queue_take(struct nk_otel_queue *q, char *to);
