/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.h - one epoll loop for each role: descriptors, timers, and hooks for the rings. Objects that
 * own a watch are destroyed lazily (nk_loop_later), so that no event of the same batch meets freed
 * memory.
 */
#pragma once

#include <sys/epoll.h>
#include "base/str.h"

struct nk_loop;

/* Embedded in its owner; NK_OF finds the owner. */
struct nk_watch {
    int fd;
    uint32_t events; /* what epoll was asked for; 0: not in the set */
    void (*ready)(struct nk_watch *w, uint32_t events);
};

struct nk_timer {
    int64_t due_us;   /* monotonic; 0: not armed */
    size_t heap_slot; /* the loop's */
    void (*fire)(struct nk_timer *t);
};

/* A thing to do (usually: free the owner) when the running batch is over. */
struct nk_later {
    struct nk_later *next;
    void (*run)(struct nk_later *l);
};

/* What a role does around each batch. All may be NULL. */
struct nk_loop_hooks {
    void *ctx;
    bool (*poll)(
        void *ctx); /* drain rings; true when there was work, then the loop does not sleep */
    void (*flush)(void *ctx); /* after events and poll: publish rings, send sockets */
    bool (*sleep)(void *ctx); /* announce sleep on the rings; false: do not sleep after all */
    void (*awake)(void *ctx);
};

/* NULL when out of memory or descriptors. */
struct nk_loop *nk_loop_new(const struct nk_loop_hooks *hooks) NK_CHECKED;
void nk_loop_free(struct nk_loop *l);
/* Adds, changes or (events 0) removes a watch. EPOLLET and EPOLLRDHUP may be given. */
int nk_loop_watch(struct nk_loop *l, struct nk_watch *w, uint32_t events) NK_CHECKED;
/* Has epoll tell anew of what is there, also of what an edge (EPOLLET) has told already. */
int nk_loop_watch_anew(struct nk_loop *l, struct nk_watch *w) NK_CHECKED;
/* Arms or moves a timer to now + after_us; nk_loop_disarm takes it out (harmless when not armed).
 */
int nk_loop_arm(struct nk_loop *l, struct nk_timer *t, int64_t after_us) NK_CHECKED;
void nk_loop_disarm(struct nk_loop *l, struct nk_timer *t);
void nk_loop_later(struct nk_loop *l, struct nk_later *later);
/* Monotonic microseconds and Unix milliseconds, read once per batch. */
int64_t nk_loop_now(const struct nk_loop *l);
int64_t nk_loop_unix_ms(const struct nk_loop *l);
/* Monotonic microseconds, read anew: for what happens within a batch. */
int64_t nk_loop_clock(void);
/* Runs until nk_loop_stop; returns the value given there. */
int nk_loop_run(struct nk_loop *l);
void nk_loop_stop(struct nk_loop *l, int result);
