/* SPDX-License-Identifier: Apache-2.0
 *
 * stats.c - pages of counters, and what they look like to Prometheus. The file is
 *
 *     [warden][scribe][gate 0][courier 0][gate 1][courier 1] …, behind all pairs the same again, and [runner]
 *
 * whole pages each; the pairs twice, for both turns. Everything is mapped read-only, and the own
 * part once more for writing. See stats.h; the text is of
 * https://prometheus.io/docs/instrumenting/exposition_formats/.
 */
#include "role/stats.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { TURN = 2 * NK_ROLE_PAIRS_MAX, RUNNER = 2 + 2 * TURN, PARTS = RUNNER + 1 };

enum { KIND_COUNTER, KIND_GAUGE };

/* clang-format off */
static const struct nk_stats_row rows[] = {
#define NK_STAT(id, metric, labels, kind, help) {metric, labels, help, KIND_##kind == KIND_GAUGE, false, NK_STATS_WAIT},
#define NK_STAT_HISTOGRAM(id, metric, labels, scale, help)
#include "role/stats.def"
#undef NK_STAT
#undef NK_STAT_HISTOGRAM
#define NK_STAT(id, metric, labels, kind, help)
#define NK_STAT_HISTOGRAM(id, metric, labels, scale, help) {metric, labels, help, false, true, NK_STATS_##scale},
#include "role/stats.def"
#undef NK_STAT
#undef NK_STAT_HISTOGRAM
};
/* clang-format on */

static const struct scale {
    uint64_t first, per;
    unsigned char shift, bounds; /* each bound is the one before << shift */
} scales[] = {
    [NK_STATS_WAIT] = {64, 1000000, 1, 22},
    [NK_STATS_WORK] = {1, 1000000, 1, 20},
    [NK_STATS_OPERATION] = {10000, 1000000, 1, 14},
    [NK_STATS_TOKENS] = {1, 1, 2, 14},
};

const struct nk_stats_row *nk_stats_rows(size_t *n)
{
    *n = NK_COUNT(rows);
    return rows;
}

size_t nk_stats_bounds(enum nk_stats_scale scale, uint64_t bounds[NK_STATS_BUCKETS], uint64_t *per)
{
    const struct scale *s = &scales[scale];
    for (size_t i = 0; i < s->bounds; i++)
        bounds[i] = s->first << (s->shift * i);
    *per = s->per;
    return s->bounds;
}

static size_t part_size(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (sizeof(struct nk_stats_page) + page - 1) / page * page;
}

int nk_stats_create(void)
{
    int fd = memfd_create("nakoso-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 && ftruncate(fd, (off_t)(PARTS * part_size())) == 0)
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
    if (role == NK_ROLE_RUNNER)
        return RUNNER;
    return role == NK_ROLE_SCRIBE ? 1 : 2 + turn * TURN + 2 * slot + (role == NK_ROLE_COURIER);
}

/* FNV-1a over a name and its scale. */
static uint64_t layout_of(uint64_t h, const struct nk_stats_row *row)
{
    const uint64_t prime = 1099511628211U;
    const char *parts[] = {row->metric, row->labels};
    for (size_t k = 0; k < NK_COUNT(parts); k++)
        for (const char *p = parts[k]; *p; p++)
            h = (h ^ (unsigned char)*p) * prime;
    return (h ^ (unsigned char)row->scale) * prime;
}

/* Over all of them, in order. */
uint64_t nk_stats_layout(void)
{
    uint64_t h = 14695981039346656037U ^ sizeof(struct nk_stats_page);
    for (size_t i = 0; i < NK_COUNT(rows); i++)
        h = layout_of(h, &rows[i]);
    for (size_t i = 0; i < NK_STAT_UP_COUNT; i++)
        h = layout_of(h, &nk_stats_up_rows()[i]);
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
    size_t size = part_size();
    NK_MUST(page < PARTS);
    void *all = mmap(NULL, PARTS * size, PROT_READ, MAP_SHARED, memfd, 0);
    if (all == MAP_FAILED)
        return NK_ENOMEM;
    void *own = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, (off_t)(page * size));
    if (own == MAP_FAILED) {
        munmap(all, PARTS * size);
        return NK_ENOMEM;
    }
    *s = (struct nk_stats){.own = own, .all = all, .page_size = size, .page_count = PARTS};
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

void nk_stats_time(struct nk_stats *s, enum nk_stat_histogram id, int64_t value)
{
    struct nk_stats_buckets *h = &s->own->histogram[id];
    const struct scale *scale = &scales[rows[NK_STAT_COUNT + id].scale];
    uint64_t v = value > 0 ? (uint64_t)value : 0;
    size_t i = 0;
    for (uint64_t bound = scale->first; i < scale->bounds && v > bound; bound <<= scale->shift)
        i++;
    bump(&h->sum, v);
    bump(&h->count[i], 1);
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

void nk_stats_histogram(const struct nk_stats *s, enum nk_stat_histogram id,
                        struct nk_stats_buckets *out)
{
    size_t at = offsetof(struct nk_stats_page, histogram) + id * sizeof(struct nk_stats_buckets);
    out->sum = sum(s, at + offsetof(struct nk_stats_buckets, sum));
    for (size_t i = 0; i < NK_STATS_BUCKETS; i++)
        out->count[i] =
            sum(s, at + offsetof(struct nk_stats_buckets, count) + i * sizeof(uint64_t));
}

static void render_head(const struct nk_stats_row *row, const char *type, struct nk_buf *out)
{
    if (row->help[0])
        nk_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->metric, row->help, row->metric,
                      type);
}

static void render_value(const struct nk_stats *s, size_t i, struct nk_buf *out)
{
    const struct nk_stats_row *row = &rows[i];
    const char *open = row->labels[0] ? "{" : "", *close = row->labels[0] ? "}" : "";
    render_head(row, row->is_gauge ? "gauge" : "counter", out);
    nk_buf_printf(out, "%s%s%s%s %llu\n", row->metric, open, row->labels, close,
                  (unsigned long long)nk_stats_total(s, (enum nk_stat)i));
}

/* {labels} or nothing. */
static void render_labels(const struct nk_stats_row *row, struct nk_buf *out)
{
    if (row->labels[0])
        nk_buf_printf(out, "{%s}", row->labels);
}

/* Whole where it is counted one by one, otherwise with all six decimals. */
static void render_number(uint64_t v, uint64_t per, struct nk_buf *out)
{
    nk_buf_add_u64(out, v / per);
    if (per > 1)
        nk_buf_printf(out, ".%06llu", (unsigned long long)(v % per));
}

static void render_histogram(const struct nk_stats *s, size_t i, struct nk_buf *out)
{
    const struct nk_stats_row *row = &rows[NK_STAT_COUNT + i];
    struct nk_stats_buckets h;
    uint64_t bounds[NK_STATS_BUCKETS], per, count = 0;
    size_t n = nk_stats_bounds(row->scale, bounds, &per);
    nk_stats_histogram(s, (enum nk_stat_histogram)i, &h);
    render_head(row, "histogram", out);
    for (size_t b = 0; b <= n; b++) {
        count += h.count[b];
        nk_buf_printf(out, "%s_bucket{%s%sle=\"", row->metric, row->labels,
                      row->labels[0] ? "," : "");
        if (b == n)
            nk_buf_add(out, NK_STR("+Inf"));
        else
            render_number(bounds[b], per, out);
        nk_buf_printf(out, "\"} %llu\n", (unsigned long long)count);
    }
    nk_buf_printf(out, "%s_sum", row->metric);
    render_labels(row, out);
    nk_buf_add_char(out, ' ');
    render_number(h.sum, per, out);
    nk_buf_printf(out, "\n%s_count", row->metric);
    render_labels(row, out);
    nk_buf_printf(out, " %llu\n", (unsigned long long)count);
}

void nk_stats_render(const struct nk_stats *s, struct nk_buf *out)
{
    for (size_t i = 0; i < NK_STAT_COUNT; i++)
        render_value(s, i, out);
    nk_stats_up_render(s, out);
    for (size_t i = 0; i < NK_STAT_HISTOGRAM_COUNT; i++)
        render_histogram(s, i, out);
}
