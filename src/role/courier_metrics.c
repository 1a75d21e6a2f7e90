/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_metrics.c - what /metrics shows, as OpenTelemetry's metrics: the same numbers under the names that
 * the way from one to the other gives (specification "Prometheus and OpenMetrics Compatibility"): "nakoso_"
 * and "gen_ai_" are name spaces, the unit and "_total" are left out. So both ways lead to the same
 * dashboard.
 */
#include "role/courier_telemetry.h"

#include <stdlib.h>
#include <string.h>

enum { POINTS_MAX = NK_STATS_UPSTREAMS, NAME_ROOM = 128 };

/* Labels whose names are not OpenTelemetry's. */
static const struct {
    const char *label, *attribute;
} attributes[] = {
    {"gen_ai_operation_name", "gen_ai.operation.name"},
    {"gen_ai_provider_name", "gen_ai.provider.name"},
    {"gen_ai_token_type", "gen_ai.token.type"},
    {"error_type", "error.type"},
};

/* key="value",key="value" */
static void labels_of(const struct nk_stats_row *row, struct nk_otel_attributes *a)
{
    struct nk_str rest = nk_str(row->labels);
    a->n = 0;
    while (rest.n) {
        struct nk_str value = nk_str_cut(&rest, ','), key = nk_str_cut(&value, '=');
        for (size_t i = 0; i < NK_COUNT(attributes); i++)
            if (nk_str_eq(key, nk_str(attributes[i].label)))
                key = nk_str(attributes[i].attribute);
        nk_otel_add_text(a, key, nk_str_sub(value, 1, value.n - 1));
    }
}

static bool cut_end(struct nk_str *s, struct nk_str end)
{
    if (!nk_str_ends(*s, end))
        return false;
    s->n -= end.n;
    return true;
}

/* "nakoso_bytes_total" -> "nakoso.bytes" in bytes. */
static struct nk_str name_of(const struct nk_stats_row *row, char room[NAME_ROOM],
                             struct nk_str *unit)
{
    struct nk_str name = nk_str(row->metric);
    bool genai = nk_str_starts(name, NK_STR("gen_ai_"));
    size_t from = genai ? 6 : 0;
    (void)cut_end(&name, NK_STR("_total"));
    *unit = NK_STR("1");
    if (cut_end(&name, NK_STR("_seconds")))
        *unit = NK_STR("s");
    else if (nk_str_ends(name, NK_STR("_bytes")))
        *unit = NK_STR("By");
    else if (row->is_histogram)
        *unit = NK_STR("{token}");
    NK_MUST(name.n < NAME_ROOM);
    memcpy(room, name.p, name.n);
    for (size_t i = from; i < name.n; i++)
        if (room[i] == '_' && (genai || i == 6))
            room[i] = '.';
    return (struct nk_str){room, name.n};
}

struct metric {
    struct nk_otel_metric m;
    struct nk_otel_point points[POINTS_MAX];
    struct nk_otel_attributes attributes[POINTS_MAX];
    struct nk_stats_buckets buckets[POINTS_MAX];
    uint64_t bounds[NK_STATS_BUCKETS];
};

/* Too large for the stack. */
struct all {
    struct metric one;
    struct nk_stats_up upstreams[NK_STATS_UPSTREAMS];
};

static struct nk_otel_point *next_point(struct metric *to)
{
    size_t n = to->m.point_count++;
    NK_MUST(n < POINTS_MAX);
    to->attributes[n].n = 0;
    to->points[n] = (struct nk_otel_point){.attributes = &to->attributes[n]};
    return &to->points[n];
}

static void add_point(const struct nk_stats *s, const struct nk_stats_row *row, size_t id,
                      struct metric *to)
{
    size_t n = to->m.point_count;
    struct nk_otel_point *p = next_point(to);
    labels_of(row, &to->attributes[n]);
    if (!row->is_histogram) {
        p->value = nk_stats_total(s, (enum nk_stat)id);
        return;
    }
    nk_stats_histogram(s, (enum nk_stat_histogram)(id - NK_STAT_COUNT), &to->buckets[n]);
    p->bound_count = nk_stats_bounds(row->scale, to->bounds, &p->scale);
    p->bounds = to->bounds;
    p->counts = to->buckets[n].count;
    p->sum = to->buckets[n].sum;
}

static void put_points(struct courier_telemetry *t, const struct nk_stats_row *row,
                       struct metric *one, struct nk_otel_request *r)
{
    char room[NAME_ROOM];
    one->m.name = name_of(row, room, &one->m.unit);
    one->m.description = nk_str(row->help);
    one->m.kind = row->is_histogram ? NK_OTEL_HISTOGRAM
                  : row->is_gauge   ? NK_OTEL_GAUGE
                                    : NK_OTEL_SUM;
    one->m.start = nk_stats_total(&t->c->stats, NK_STAT_STARTED) * 1000000000;
    one->m.time = (uint64_t)nk_loop_unix_ms(t->c->loop) * 1000000;
    one->m.points = one->points;
    nk_buf_clear(&t->item);
    nk_otel_put_metric(&one->m, r->form, &t->item);
    nk_otel_item(r, nk_buf_str(&t->item));
}

/* All rows of one metric stand together; returns how many they are. */
static size_t put_metric(struct courier_telemetry *t, const struct nk_stats_row *rows, size_t n,
                         size_t i, struct metric *one, struct nk_otel_request *r)
{
    size_t count = 0;
    memset(&one->m, 0, sizeof one->m);
    for (; i + count < n && strcmp(rows[i + count].metric, rows[i].metric) == 0; count++)
        add_point(&t->c->stats, &rows[i + count], i + count, one);
    put_points(t, &rows[i], one, r);
    return count;
}

static size_t put_upstreams(struct courier_telemetry *t, struct all *a, struct nk_otel_request *r)
{
    size_t n = nk_stats_up_totals(&t->c->stats, a->upstreams);
    for (size_t k = 0; n && k < NK_STAT_UP_COUNT; k++) {
        memset(&a->one.m, 0, sizeof a->one.m);
        for (size_t i = 0; i < n; i++) {
            struct nk_otel_point *p = next_point(&a->one);
            nk_otel_add_text(&a->one.attributes[i], NK_STR("upstream"),
                             nk_str(a->upstreams[i].name));
            p->value = a->upstreams[i].value[k];
        }
        put_points(t, &nk_stats_up_rows()[k], &a->one, r);
    }
    return n ? NK_STAT_UP_COUNT : 0;
}

size_t courier_metrics_put(struct courier_telemetry *t, struct nk_otel_request *r)
{
    size_t n, metrics = 0;
    const struct nk_stats_row *rows = nk_stats_rows(&n);
    struct all *a = malloc(sizeof *a);
    if (!a)
        return 0;
    for (size_t i = 0; i < n; metrics++)
        i += put_metric(t, rows, n, i, &a->one, r);
    metrics += put_upstreams(t, a, r);
    free(a);
    return metrics;
}
