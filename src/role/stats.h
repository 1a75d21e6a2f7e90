/* SPDX-License-Identifier: Apache-2.0
 *
 * stats.h - counters of all roles in one memory file: a part for each role instance, which it alone
 * writes; everyone reads all. A counter costs one plain store. Counters survive a restart of their
 * role, because the file does. A gate and a courier have two parts in turn: during an upgrade the
 * leaving one and its successor count at the same time. Names are in stats.def.
 */
#pragma once

#include "base/buf.h"
#include "role/role.h"

enum nk_stat {
#define NK_STAT(id, metric, labels, kind, help) NK_STAT_##id,
#define NK_STAT_HISTOGRAM(id, metric, labels, scale, help)
#include "role/stats.def"
#undef NK_STAT
#undef NK_STAT_HISTOGRAM
    NK_STAT_COUNT
};

enum nk_stat_histogram {
#define NK_STAT(id, metric, labels, kind, help)
#define NK_STAT_HISTOGRAM(id, metric, labels, scale, help) NK_STAT_##id,
#include "role/stats.def"
#undef NK_STAT
#undef NK_STAT_HISTOGRAM
    NK_STAT_HISTOGRAM_COUNT
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

/* Upper bounds (inclusive) of a histogram's buckets; the last bucket is without bound. */
enum nk_stats_scale {
    NK_STATS_WAIT,      /* 64 us, doubled 21 times: to 134 s */
    NK_STATS_WORK,      /* 1 us, doubled 19 times: to 524 ms */
    NK_STATS_OPERATION, /* 10 ms, doubled 13 times: to 81.92 s, as the conventions want it */
    NK_STATS_TOKENS,    /* 1, times four 13 times: to 67108864, likewise */
};

enum { NK_STATS_BUCKETS = 23 }; /* of the largest scale */

struct nk_stats_buckets {
    uint64_t sum; /* of all values: microseconds, or tokens */
    uint64_t count[NK_STATS_BUCKETS];
};

struct nk_stats_page {
    uint64_t value[NK_STAT_COUNT];
    struct nk_stats_buckets histogram[NK_STAT_HISTOGRAM_COUNT];
    uint32_t up_count;
    struct nk_stats_up up[NK_STATS_UPSTREAMS]; /* couriers */
};

struct nk_stats {
    struct nk_stats_page *own; /* writable */
    const unsigned char *all;  /* read-only; part after part */
    size_t page_size, page_count;
};

/* A row of stats.def. */
struct nk_stats_row {
    const char *metric, *labels, *help; /* help: "" but for the first row of a metric */
    bool is_gauge, is_histogram;
    enum nk_stats_scale scale;
};

/* The memory file for all parts; the descriptor or NK_E…. */
int nk_stats_create(void) NK_CHECKED;
/* The number of a part. `turn`: 0 or 1, for gates and couriers. */
uint32_t nk_stats_page(enum nk_role role, uint32_t slot, unsigned turn);
/* What the numbers of a part mean to this version: another one may count other things. */
uint64_t nk_stats_layout(void);
/* The part's role has ended for good: its gauges become 0, its counters stay. */
void nk_stats_retire(int memfd, uint32_t page);
/* Maps it; gauges of the own part become 0. */
int nk_stats_open(struct nk_stats *s, int memfd, uint32_t page) NK_CHECKED;
void nk_stats_close(struct nk_stats *s);

/* Relaxed stores are enough: one writer a part, and readers take each number by itself. */
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
/* Sums over all parts, a row for each name; returns how many there are. */
size_t nk_stats_up_totals(const struct nk_stats *s, struct nk_stats_up totals[NK_STATS_UPSTREAMS]);
/* The NK_STAT_UP_COUNT rows of stats_upstream.def; the label is the upstream's name. */
const struct nk_stats_row *nk_stats_up_rows(void);
void nk_stats_up_render(const struct nk_stats *s, struct nk_buf *out);
/* One value (negative: 0) of a histogram: microseconds, or tokens. */
void nk_stats_time(struct nk_stats *s, enum nk_stat_histogram id, int64_t value);
/* Sums over all parts. */
uint64_t nk_stats_total(const struct nk_stats *s, enum nk_stat id);
void nk_stats_histogram(const struct nk_stats *s, enum nk_stat_histogram id,
                        struct nk_stats_buckets *out);
/* All rows: first the NK_STAT_COUNT values, then the histograms. */
const struct nk_stats_row *nk_stats_rows(size_t *n);
/* Bounds of a scale, at most NK_STATS_BUCKETS - 1; returns how many. *per: how many make one second, or one
 * token. */
size_t nk_stats_bounds(enum nk_stats_scale scale, uint64_t bounds[NK_STATS_BUCKETS], uint64_t *per);
/* Everything in the Prometheus text format, version 0.0.4. */
void nk_stats_render(const struct nk_stats *s, struct nk_buf *out);
