/* SPDX-License-Identifier: Apache-2.0
 *
 * stats.c - pages of counters, and what they look like to Prometheus. The file is
 *
 *     [warden][scribe][gate 0][courier 0][gate 1][courier 1] …, and behind all pairs the same again
 *
 * one page each: the pairs twice, for both turns. Everything is mapped read-only, and the own page once more for writing. See
 * stats.h; the text is of https://prometheus.io/docs/instrumenting/exposition_formats/.
 */
#include "role/stats.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TURN = 2 * NK_ROLE_PAIRS_MAX, PAGES = 2 + 2 * TURN, TEXT_PART = 256 };

struct stat_row {
    const char *metric, *labels, *help;
    bool is_gauge;
};

enum { KIND_COUNTER, KIND_GAUGE };

static const struct stat_row rows[] = {
#define NK_STAT(id, metric, labels, kind, help) {metric, labels, help, KIND_##kind == KIND_GAUGE},
#define NK_STAT_TIME(id, metric, labels, help)
#include "role/stats.def"
#undef NK_STAT
#undef NK_STAT_TIME
};

static const struct stat_row time_rows[] = {
#define NK_STAT(id, metric, labels, kind, help)
#define NK_STAT_TIME(id, metric, labels, help) {metric, labels, help, false},
#include "role/stats.def"
#undef NK_STAT
#undef NK_STAT_TIME
};

/* Of one role: as many pages of memory as its counters need. */
static size_t size_of_page(void)
{
    size_t unit = (size_t)sysconf(_SC_PAGESIZE);
    return (sizeof(struct nk_stats_page) + unit - 1) / unit * unit;
}

int nk_stats_create(void)
{
    int fd = memfd_create("nakoso-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && ftruncate(fd, (off_t)(PAGES * size_of_page())) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return NK_EIO;
}

uint32_t nk_stats_page(enum nk_role role, uint32_t slot, unsigned turn)
{
    NK_MUST(slot < NK_ROLE_PAIRS_MAX && turn < 2);
    if (role == NK_ROLE_WARDEN)
        return 0;
    return role == NK_ROLE_SCRIBE ? 1 : 2 + turn * TURN + 2 * slot + (role == NK_ROLE_COURIER);
}

static const struct stat_row upstream_rows[] = {
#define NK_STAT_UP(id, metric, kind, help) {metric, "", help, KIND_##kind == KIND_GAUGE},
#include "role/stats_upstream.def"
#undef NK_STAT_UP
};

/* FNV-1a over all names, in order. */
uint64_t nk_stats_layout(void)
{
    static const struct {
        const struct stat_row *rows;
        size_t count;
    } tables[] = {{rows, NK_COUNT(rows)},
                  {time_rows, NK_COUNT(time_rows)},
                  {upstream_rows, NK_COUNT(upstream_rows)}};
    uint64_t h = 14695981039346656037U ^ sizeof(struct nk_stats_page);
    for (size_t t = 0; t < NK_COUNT(tables); t++)
        for (size_t i = 0; i < tables[t].count; i++) {
            const char *parts[] = {tables[t].rows[i].metric, tables[t].rows[i].labels};
            for (size_t k = 0; k < NK_COUNT(parts); k++)
                for (const char *p = parts[k]; *p; p++)
                    h = (h ^ (unsigned char)*p) * 1099511628211U;
        }
    return h;
}

void nk_stats_retire(int memfd, uint32_t page)
{
    struct nk_stats s;
    if (nk_stats_open(&s, memfd, page) == 0)
        nk_stats_close(&s);
}

int nk_stats_open(struct nk_stats *s, int memfd, uint32_t page)
{
    size_t size = size_of_page();
    NK_MUST(page < PAGES);
    void *all = mmap(NULL, PAGES * size, PROT_READ, MAP_SHARED, memfd, 0);
    if (all == MAP_FAILED)
        return NK_ENOMEM;
    void *own = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, (off_t)(page * size));
    if (own == MAP_FAILED) {
        munmap(all, PAGES * size);
        return NK_ENOMEM;
    }
    *s = (struct nk_stats){.own = own, .all = all, .page_size = size, .page_count = PAGES};
    for (size_t i = 0; i < NK_STAT_COUNT; i++)
        if (rows[i].is_gauge)
            nk_stats_set(s, (enum nk_stat)i, 0);
    nk_stats_up_reset(s);
    return 0;
}

void nk_stats_close(struct nk_stats *s)
{
    if (!s->own)
        return;
    munmap(s->own, s->page_size);
    munmap((void *)s->all, s->page_count * s->page_size);
    *s = (struct nk_stats){0};
}

static void bump(uint64_t *word, uint64_t by)
{
    __atomic_store_n(word, *word + by, __ATOMIC_RELAXED);
}

void nk_stats_time(struct nk_stats *s, enum nk_stat_time id, int64_t us)
{
    struct nk_stats_time *t = &s->own->time[id];
    uint64_t v = us > 0 ? (uint64_t)us : 0;
    size_t i = 0;
    while (i < NK_STATS_BUCKETS - 1 && v > (uint64_t)NK_STATS_FIRST_US << i)
        i++;
    bump(&t->sum_us, v);
    bump(&t->buckets[i], 1);
}

static const struct nk_stats_page *page_at(const struct nk_stats *s, size_t i)
{
    return (const void *)(s->all + i * s->page_size);
}

static uint64_t sum(const struct nk_stats *s, size_t offset)
{
    uint64_t total = 0;
    for (size_t i = 0; i < s->page_count; i++) {
        const uint64_t *word = (const void *)((const char *)page_at(s, i) + offset);
        total += __atomic_load_n(word, __ATOMIC_RELAXED);
    }
    return total;
}

uint64_t nk_stats_total(const struct nk_stats *s, enum nk_stat id)
{
    return sum(s, offsetof(struct nk_stats_page, value) + id * sizeof(uint64_t));
}

static void render_head(const struct stat_row *row, const char *type, struct nk_buf *out)
{
    if (row->help[0])
        nk_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->metric, row->help, row->metric,
                      type);
}

static void render_value(const struct nk_stats *s, size_t i, struct nk_buf *out)
{
    const struct stat_row *row = &rows[i];
    const char *open = row->labels[0] ? "{" : "", *close = row->labels[0] ? "}" : "";
    render_head(row, row->is_gauge ? "gauge" : "counter", out);
    nk_buf_printf(out, "%s%s%s%s %llu\n", row->metric, open, row->labels, close,
                  (unsigned long long)nk_stats_total(s, (enum nk_stat)i));
}

static void render_time(const struct nk_stats *s, size_t i, struct nk_buf *out)
{
    const struct stat_row *row = &time_rows[i];
    const char *comma = row->labels[0] ? "," : "";
    size_t at = offsetof(struct nk_stats_page, time) + i * sizeof(struct nk_stats_time);
    uint64_t count = 0, us = sum(s, at + offsetof(struct nk_stats_time, sum_us));
    render_head(row, "histogram", out);
    for (size_t b = 0; b < NK_STATS_BUCKETS; b++) {
        count += sum(s, at + offsetof(struct nk_stats_time, buckets) + b * sizeof(uint64_t));
        uint64_t bound = (uint64_t)NK_STATS_FIRST_US << b;
        nk_buf_printf(out, "%s_bucket{%s%sle=\"", row->metric, row->labels, comma);
        if (b == NK_STATS_BUCKETS - 1)
            nk_buf_add(out, NK_STR("+Inf"));
        else
            nk_buf_printf(out, "%llu.%06llu", (unsigned long long)(bound / 1000000),
                          (unsigned long long)(bound % 1000000));
        nk_buf_printf(out, "\"} %llu\n", (unsigned long long)count);
    }
    char labels[TEXT_PART] = "";
    if (row->labels[0])
        snprintf(labels, sizeof labels, "{%s}", row->labels);
    nk_buf_printf(out, "%s_sum%s %llu.%06llu\n%s_count%s %llu\n", row->metric, labels,
                  (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000),
                  row->metric, labels, (unsigned long long)count);
}

void nk_stats_render(const struct nk_stats *s, struct nk_buf *out)
{
    for (size_t i = 0; i < NK_STAT_COUNT; i++)
        render_value(s, i, out);
    nk_stats_up_render(s, out);
    for (size_t i = 0; i < NK_STAT_TIME_COUNT; i++)
        render_time(s, i, out);
}
