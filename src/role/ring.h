/* SPDX-License-Identifier: Apache-2.0
 *
 * ring.h - one direction of a channel between two roles: a single-producer single-consumer byte
 * ring in a memfd that is mapped twice back to back, so every record is contiguous. Records of a
 * batch are published at once; the consumer is woken by an eventfd only when it sleeps.
 *
 * Control words of each side are on a page of their own; the data pages and the producer's page are
 * mapped read-only by the consumer, so mapping rights follow roles.
 *
 * The order of the sleep protocol is a proof, not a style: see ring.c and docs/why/. Either side
 * may be hostile: indices and lengths read from the other side are copied once and checked before
 * use.
 */
#pragma once

#include "base/str.h"

enum {
    NK_RING_RECORD_MAX = 65536 + 8192, /* bytes of one record's payload */
    NK_RING_BYTES_MAX = 1 << 28,       /* of a ring */
};

struct nk_ring;

struct nk_ring_record {
    uint32_t type;       /* meaning is the channel's: see wire.h */
    uint32_t stream;     /* slot number */
    uint32_t generation; /* of the slot, so that late answers are recognised */
    uint32_t flags;
    uint32_t head_size;    /* the payload's first part; the rest is body */
    uint64_t number;       /* set by nk_ring_next: 0 for the first record since the ring was made */
    struct nk_str payload; /* consumer: a view of the ring, valid until nk_ring_release */
};

/* Makes the memfd (sealed against resizing) and the eventfd of a ring; `size` is a power of two, at
 * least 4 * NK_RING_RECORD_MAX, at most NK_RING_BYTES_MAX. */
int nk_ring_create(size_t size, int *memfd, int *eventfd) NK_CHECKED;
/* Maps it as one side. NULL when the file is not a ring or memory is out. The descriptors stay the
 * caller's. A consumer that comes after a dead one goes on where that one released. */
struct nk_ring *nk_ring_open(int memfd, int eventfd, bool producer) NK_CHECKED;
void nk_ring_close(struct nk_ring *r);
/* The eventfd by which the producer is woken; the ring keeps the number, not the descriptor. For a
 * pair of rings it is the eventfd of the other direction. nk_role_ring_open sets it. */
void nk_ring_set_back(struct nk_ring *r, int backfd);

/* Producer ----------------------------------------------------------------------------------------
 */
/* Space for one record with `size` payload bytes: the place to write them, or NULL when the ring is
 * full now (rec->payload is ignored). Must be followed by nk_ring_commit before the next call. */
char *nk_ring_reserve(struct nk_ring *r, size_t size);
/* Fills the header of the record reserved last. It is not visible before nk_ring_publish. */
void nk_ring_commit(struct nk_ring *r, const struct nk_ring_record *rec, size_t size);
/* Reserve, copy, commit: NK_EFULL when there is no space, NK_ELIMIT over NK_RING_RECORD_MAX. */
int nk_ring_put(struct nk_ring *r, const struct nk_ring_record *rec) NK_CHECKED;
/* Makes all committed records visible and wakes the consumer if it sleeps: once per epoll batch. */
void nk_ring_publish(struct nk_ring *r);
/* Asks to be woken (by the back eventfd, which the caller watches) when the consumer releases
 * space; true when space came in the meantime: then nobody will wake, try again. */
bool nk_ring_want_space(struct nk_ring *r, size_t size);
/* The same for records to become durable: true when `count` of them are already. */
bool nk_ring_want_durable(struct nk_ring *r, uint64_t count);
/* Free bytes now, and bytes published but not yet released. */
size_t nk_ring_space(struct nk_ring *r);
size_t nk_ring_backlog(struct nk_ring *r);

/* Consumer ----------------------------------------------------------------------------------------
 */
/* The next record: 0, NK_EAGAIN when there is none now, NK_EINVAL when the producer broke the ring
 * (the caller treats the other side as crashed). */
int nk_ring_next(struct nk_ring *r, struct nk_ring_record *out) NK_CHECKED;
/* Gives the space of all records read so far back to the producer, and wakes it if it asked to be:
 * then true. A record read but not released comes again, with the same number, after a crash of the
 * consumer. */
bool nk_ring_release(struct nk_ring *r);
/* Before epoll_wait(-1): announces sleep; true when the caller may really sleep, false when a
 * record came meanwhile. After waking: nk_ring_awake. */
bool nk_ring_sleep(struct nk_ring *r);
void nk_ring_awake(struct nk_ring *r);
/* A 64-bit word on the consumer's page for the producer to read: how far the scribe has made
 * records durable (count of records since the ring was made). Wakes a producer that waits for it.
 */
void nk_ring_set_durable(struct nk_ring *r, uint64_t count);
uint64_t nk_ring_durable(const struct nk_ring *r);
/* Total records committed by the producer / released by consumers since the ring was made. */
uint64_t nk_ring_committed(const struct nk_ring *r);
uint64_t nk_ring_released(const struct nk_ring *r);
/* The descriptor to watch with EPOLLIN | EPOLLET; it is never read. */
int nk_ring_eventfd(const struct nk_ring *r);
