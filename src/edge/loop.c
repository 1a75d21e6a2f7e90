/* SPDX-License-Identifier: Apache-2.0
 *
 * loop.c - one batch is: wait; what is ready; timers that are due; poll (rings); flush; later.
 * Everything that a batch wants to send is sent by `flush`, once; everything that it wants to free
 * is freed after that. Timers are a binary heap; each slot has the time too, so that ordering it touches no timer.
 */
#include "edge/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    BATCH = 256,
    TIMERS_MAX = 1 << 22,
    SLEEP_MAX_MS = 1000, /* a wake-up that was lost would cost this, not a hang */
};

struct slot {
    int64_t due_us;
    struct nk_timer *t;
};

struct nk_loop {
    struct nk_loop_hooks hooks;
    int epfd;
    bool stop;
    int result;
    int64_t now_us, unix_ms;
    struct slot *heap; /* heap[0] is due first; a timer's heap_slot is its index + 1 */
    size_t timer_count, timer_cap;
    struct nk_later *first, **last;
};

static void read_clock(struct nk_loop *l)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    l->now_us = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    clock_gettime(CLOCK_REALTIME, &t);
    l->unix_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct nk_loop *nk_loop_new(const struct nk_loop_hooks *hooks)
{
    struct nk_loop *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    if (hooks)
        l->hooks = *hooks;
    l->last = &l->first;
    l->epfd = epoll_create1(EPOLL_CLOEXEC);
    if (l->epfd < 0) {
        free(l);
        return NULL;
    }
    read_clock(l);
    return l;
}

static void run_later(struct nk_loop *l)
{
    struct nk_later *list = l->first;
    l->first = NULL;
    l->last = &l->first;
    for (struct nk_later *next; list; list = next) {
        next = list->next;
        list->run(list);
    }
}

void nk_loop_free(struct nk_loop *l)
{
    if (!l)
        return;
    while (l->first)
        run_later(l);
    close(l->epfd);
    free(l->heap);
    free(l);
}

int nk_loop_watch(struct nk_loop *l, struct nk_watch *w, uint32_t events)
{
    if (events == w->events)
        return 0;
    struct epoll_event e = {.events = events, .data.ptr = w};
    int op = !w->events ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    if (epoll_ctl(l->epfd, op, w->fd, &e))
        return NK_EIO;
    w->events = events;
    return 0;
}

int nk_loop_watch_anew(struct nk_loop *l, struct nk_watch *w)
{
    struct epoll_event e = {.events = w->events, .data.ptr = w};
    return w->events && epoll_ctl(l->epfd, EPOLL_CTL_MOD, w->fd, &e) ? NK_EIO : 0;
}

void nk_loop_later(struct nk_loop *l, struct nk_later *later)
{
    later->next = NULL;
    *l->last = later;
    l->last = &later->next;
}

int64_t nk_loop_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t nk_loop_now(const struct nk_loop *l)
{
    return l->now_us;
}

int64_t nk_loop_unix_ms(const struct nk_loop *l)
{
    return l->unix_ms;
}

void nk_loop_stop(struct nk_loop *l, int result)
{
    l->stop = true;
    l->result = result;
}

static void place(struct nk_loop *l, size_t i, struct slot s)
{
    l->heap[i] = s;
    s.t->heap_slot = i + 1;
}

/* Moves the timer of slot i to where it belongs. */
static void sift(struct nk_loop *l, size_t i)
{
    struct slot s = l->heap[i];
    for (; i && l->heap[(i - 1) / 2].due_us > s.due_us; i = (i - 1) / 2)
        place(l, i, l->heap[(i - 1) / 2]);
    for (size_t child; (child = 2 * i + 1) < l->timer_count; i = child) {
        if (child + 1 < l->timer_count && l->heap[child + 1].due_us < l->heap[child].due_us)
            child++;
        if (l->heap[child].due_us >= s.due_us)
            break;
        place(l, i, l->heap[child]);
    }
    place(l, i, s);
}

static int grow_heap(struct nk_loop *l)
{
    if (l->timer_count < l->timer_cap)
        return 0;
    size_t cap = l->timer_cap ? l->timer_cap * 2 : 64;
    if (cap > TIMERS_MAX)
        return NK_ELIMIT;
    struct slot *heap = realloc(l->heap, cap * sizeof *heap);
    if (!heap)
        return NK_ENOMEM;
    l->heap = heap;
    l->timer_cap = cap;
    return 0;
}

int nk_loop_arm(struct nk_loop *l, struct nk_timer *t, int64_t after_us)
{
    /* Never due in this very batch: a timer that arms itself anew must not keep the loop busy. */
    t->due_us = l->now_us + (after_us > 0 ? after_us : 1);
    if (!t->heap_slot) {
        int rc = grow_heap(l);
        if (rc) {
            t->due_us = 0;
            return rc;
        }
        t->heap_slot = ++l->timer_count;
    }
    l->heap[t->heap_slot - 1] = (struct slot){t->due_us, t};
    sift(l, t->heap_slot - 1);
    return 0;
}

void nk_loop_disarm(struct nk_loop *l, struct nk_timer *t)
{
    if (!t->heap_slot)
        return;
    size_t i = t->heap_slot - 1;
    struct slot last = l->heap[--l->timer_count];
    if (last.t != t) {
        place(l, i, last);
        sift(l, i);
    }
    t->heap_slot = 0;
    t->due_us = 0;
}

static void fire_timers(struct nk_loop *l)
{
    while (l->timer_count && l->heap[0].due_us <= l->now_us) {
        struct nk_timer *t = l->heap[0].t;
        nk_loop_disarm(l, t);
        t->fire(t);
    }
}

static int wait_ms(const struct nk_loop *l)
{
    int64_t ms = SLEEP_MAX_MS;
    if (l->timer_count) {
        int64_t left = (l->heap[0].due_us - l->now_us + 999) / 1000;
        ms = left < 0 ? 0 : left < ms ? left : ms;
    }
    return (int)ms;
}

static void dispatch(const struct epoll_event *e, int n)
{
    for (int i = 0; i < n; i++) {
        struct nk_watch *w = e[i].data.ptr;
        /* What was watched when the kernel looked may have been given up since. */
        uint32_t events = e[i].events & (w->events | EPOLLERR | EPOLLHUP);
        if (w->events && events)
            w->ready(w, events);
    }
}

int nk_loop_run(struct nk_loop *l)
{
    struct epoll_event events[BATCH];
    const struct nk_loop_hooks *h = &l->hooks;
    bool busy = true;
    l->stop = false;
    while (!l->stop) {
        bool sleeps = !busy && (!h->sleep || h->sleep(h->ctx));
        int n = epoll_wait(l->epfd, events, BATCH, sleeps ? wait_ms(l) : 0);
        if (sleeps && h->awake)
            h->awake(h->ctx);
        NK_MUST(n >= 0 || errno == EINTR);
        read_clock(l);
        dispatch(events, n);
        fire_timers(l);
        busy = h->poll && h->poll(h->ctx);
        if (h->flush)
            h->flush(h->ctx);
        run_later(l);
        busy = busy || l->first;
    }
    return l->result;
}
