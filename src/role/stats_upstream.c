/* SPDX-License-Identifier: Apache-2.0
 *
 * stats_upstream.c - counters of upstreams. The names are in the pages themselves: each courier keeps a
 * bounded table of those it has known, so a counter keeps its name over a reload that changes the order
 * of upstreams, and whoever reads the pages needs no configuration. A name is only believed when it is
 * one that the configuration could have: courier and reader do not trust each other.
 */
#include "role/stats.h"

#include <stdlib.h>
#include <string.h>

enum { KIND_COUNTER, KIND_GAUGE };

/* clang-format off */
static const struct nk_stats_row rows[] = {
#define NK_STAT_UP(id, metric, kind, help) {metric, "", help, KIND_##kind == KIND_GAUGE, false, NK_STATS_WAIT},
#include "role/stats_upstream.def"
#undef NK_STAT_UP
};
/* clang-format on */

const struct nk_stats_row *nk_stats_up_rows(void)
{
    return rows;
}

/* Copies a name out of a page; false when it is none. */
static bool take_name(const struct nk_stats_up *up, char *to)
{
    memcpy(to, up->name, sizeof up->name);
    to[sizeof up->name - 1] = 0;
    for (const char *c = to; *c; c++)
        if (!(*c >= 'a' && *c <= 'z') && !(*c >= 'A' && *c <= 'Z') && !(*c >= '0' && *c <= '9') &&
            !strchr("._-/:@", *c))
            return false;
    return *to != 0;
}

uint32_t nk_stats_up_find(struct nk_stats *s, struct nk_str name)
{
    struct nk_stats_page *own = s->own;
    uint32_t i = 0;
    while (i < own->up_count && !nk_str_eq(nk_str(own->up[i].name), name))
        i++;
    if (i == own->up_count && i < NK_STATS_UPSTREAMS - 1) {
        size_t n = name.n < sizeof own->up[i].name - 1 ? name.n : sizeof own->up[i].name - 1;
        memcpy(own->up[i].name, name.p, n);
        own->up_count++;
    } else if (i == own->up_count) {
        i = NK_STATS_UPSTREAMS - 1; /* the table is full: the rest share one row */
        memcpy(own->up[i].name, "other", 6);
        own->up_count = NK_STATS_UPSTREAMS;
    }
    return i < NK_STATS_UPSTREAMS ? i : NK_STATS_UPSTREAMS - 1;
}

/* Who wrote the page before may have died of anything. */
void nk_stats_up_reset(struct nk_stats *s)
{
    struct nk_stats_page *own = s->own;
    own->up_count = own->up_count < NK_STATS_UPSTREAMS ? own->up_count : NK_STATS_UPSTREAMS;
    for (uint32_t i = 0; i < own->up_count; i++) {
        own->up[i].name[sizeof own->up[i].name - 1] = 0;
        for (size_t k = 0; k < NK_STAT_UP_COUNT; k++)
            if (rows[k].is_gauge)
                nk_stats_up_set(s, i, (enum nk_stat_up)k, 0);
    }
}

/* Adds the rows of one page to the totals; `n` of them have a name so far. */
static size_t gather(const struct nk_stats_page *page, struct nk_stats_up *totals, size_t n)
{
    uint32_t count = __atomic_load_n(&page->up_count, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < count && i < NK_STATS_UPSTREAMS; i++) {
        char name[sizeof totals->name];
        size_t at = 0;
        bool known = take_name(&page->up[i], name);
        while (at < n && strcmp(totals[at].name, name) != 0)
            at++;
        if (!known || at == NK_STATS_UPSTREAMS)
            continue;
        memcpy(totals[at].name, name, sizeof name);
        n += at == n;
        for (size_t k = 0; k < NK_STAT_UP_COUNT; k++)
            totals[at].value[k] += __atomic_load_n(&page->up[i].value[k], __ATOMIC_RELAXED);
    }
    return n;
}

size_t nk_stats_up_totals(const struct nk_stats *s, struct nk_stats_up totals[NK_STATS_UPSTREAMS])
{
    size_t n = 0;
    memset(totals, 0, NK_STATS_UPSTREAMS * sizeof *totals);
    for (size_t i = 0; i < s->page_count; i++)
        n = gather((const void *)(s->all + i * s->page_size), totals, n);
    return n;
}

void nk_stats_up_render(const struct nk_stats *s, struct nk_buf *out)
{
    struct nk_stats_up *totals = malloc(NK_STATS_UPSTREAMS * sizeof *totals);
    size_t n = totals ? nk_stats_up_totals(s, totals) : 0;
    for (size_t k = 0; n && k < NK_STAT_UP_COUNT; k++) {
        nk_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", rows[k].metric, rows[k].help,
                      rows[k].metric, rows[k].is_gauge ? "gauge" : "counter");
        for (size_t i = 0; i < n; i++)
            nk_buf_printf(out, "%s{upstream=\"%s\"} %llu\n", rows[k].metric, totals[i].name,
                          (unsigned long long)totals[i].value[k]);
    }
    free(totals);
}
