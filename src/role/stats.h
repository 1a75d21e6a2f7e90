/* SPDX-License-Identifier: Apache-2.0
 *
 * stats.h - counters of all roles in one memory file: a page for each role instance, which it alone
 * writes; everyone reads all. A counter costs one plain store. Counters survive a restart of their
 * role, because the page does. A gate and a courier have two pages in turn: during an upgrade the
 * leaving one and its successor count at the same time. Names are in stats.def.
 */
#pragma once

#include "base/buf.h"
#include "role/role.h"

enum nk_stat {
#define NK_STAT(id, metric, labels, kind, help) NK_STAT_##id,
#define NK_STAT_TIME(id, metric, labels, help)
#include "role/stats.def"
#undef NK_STAT
#undef NK_STAT_TIME
    NK_STAT_COUNT
};

enum nk_stat_time {
#define NK_STAT(id, metric, labels, kind, help)
#define NK_STAT_TIME(id, metric, labels, help) NK_STAT_##id,
#include "role/stats.def"
#undef NK_STAT
#undef NK_STAT_TIME
    NK_STAT_TIME_COUNT
};

/* Counters of one upstream: stats_upstream.def. */
enum nk_stat_up {
#define NK_STAT_UP(id, metric, kind, help) NK_STAT_UP_##id,
#include "role/stats_upstream.def"
#undef NK_STAT_UP
    NK_STAT_UP_COUNT
};

enum { NK_STATS_UPSTREAMS = 65 }; /* names in one page; the last is for all beyond */

struct nk_stats_up {
    char name[72];
    uint64_t value[NK_STAT_UP_COUNT];
};

/* Buckets of a duration: 2^i * 64 us is the upper bound of bucket i (64 us … 134 s); the last one
 * is without bound. */
enum { NK_STATS_BUCKETS = 23, NK_STATS_FIRST_US = 64 };

struct nk_stats_time {
    uint64_t sum_us, buckets[NK_STATS_BUCKETS];
};

struct nk_stats_page {
    uint64_t value[NK_STAT_COUNT];
    struct nk_stats_time time[NK_STAT_TIME_COUNT];
    uint32_t up_count;
    struct nk_stats_up up[NK_STATS_UPSTREAMS]; /* couriers */
};

struct nk_stats {
    struct nk_stats_page *own; /* writable */
    const unsigned char *all;  /* read-only; page after page */
    size_t page_size, page_count;
};

/* The memory file for all pages; the descriptor or NK_E…. */
int nk_stats_create(void) NK_CHECKED;
/* `turn`: 0 or 1, for gates and couriers. */
uint32_t nk_stats_page(enum nk_role role, uint32_t slot, unsigned turn);
/* What the numbers of a page mean to this version: another one may count other things. */
uint64_t nk_stats_layout(void);
/* The page's role has ended for good: its gauges become 0, its counters stay. */
void nk_stats_retire(int memfd, uint32_t page);
/* Maps it; gauges of the own page become 0. */
int nk_stats_open(struct nk_stats *s, int memfd, uint32_t page) NK_CHECKED;
void nk_stats_close(struct nk_stats *s);

/* Relaxed stores are enough: one writer a page, and readers take each number by itself. */
static inline void nk_stats_set(struct nk_stats *s, enum nk_stat id, uint64_t v)
{
    __atomic_store_n(&s->own->value[id], v, __ATOMIC_RELAXED);
}
static inline void nk_stats_add(struct nk_stats *s, enum nk_stat id, uint64_t v)
{
    nk_stats_set(s, id, s->own->value[id] + v);
}
/* Gauges go down, too. */
static inline void nk_stats_sub(struct nk_stats *s, enum nk_stat id, uint64_t v)
{
    nk_stats_set(s, id, s->own->value[id] - v);
}
/* The row of an upstream in the own page, made at the first time; a name has at most 71 bytes. */
uint32_t nk_stats_up_find(struct nk_stats *s, struct nk_str name);
/* Gauges of the own page become 0. */
void nk_stats_up_reset(struct nk_stats *s);
static inline void nk_stats_up_set(struct nk_stats *s, uint32_t row, enum nk_stat_up id, uint64_t v)
{
    __atomic_store_n(&s->own->up[row].value[id], v, __ATOMIC_RELAXED);
}
/* Gauges go down by (uint64_t)-1. */
static inline void nk_stats_up_add(struct nk_stats *s, uint32_t row, enum nk_stat_up id, uint64_t v)
{
    nk_stats_up_set(s, row, id, s->own->up[row].value[id] + v);
}
void nk_stats_up_render(const struct nk_stats *s, struct nk_buf *out);
void nk_stats_time(struct nk_stats *s, enum nk_stat_time id, int64_t us);
/* Sum over all pages. */
uint64_t nk_stats_total(const struct nk_stats *s, enum nk_stat id);
/* Everything in the Prometheus text format, version 0.0.4. */
void nk_stats_render(const struct nk_stats *s, struct nk_buf *out);
