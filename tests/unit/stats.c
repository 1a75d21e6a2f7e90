/* SPDX-License-Identifier: Apache-2.0
 *
 * stats.c - counters of several roles: what one writes all read, and what Prometheus is told.
 */
#include "role/stats.h"

#include <unistd.h>
#include "tap.h"

static bool says(const struct nk_stats *s, const char *line)
{
    struct nk_buf out;
    nk_buf_init(&out, 1 << 20);
    nk_stats_render(s, &out);
    bool found = !out.error && nk_str_search(nk_buf_str(&out), nk_str(line)) >= 0;
    nk_buf_free(&out);
    return found;
}

/* A gate that leaves and its successor count beside each other. */
static void test_turns(int fd)
{
    struct nk_stats old, next;
    uint32_t last = NK_ROLE_PAIRS_MAX - 1, page = nk_stats_page(NK_ROLE_COURIER, last, 0);
    TAP_CHECK(nk_stats_open(&old, fd, page) == 0);
    TAP_CHECK(nk_stats_open(&next, fd, nk_stats_page(NK_ROLE_COURIER, last, 1)) == 0);
    nk_stats_add(&old, NK_STAT_UPSTREAM_REQUESTS, 2);
    nk_stats_add(&next, NK_STAT_UPSTREAM_REQUESTS, 3);
    nk_stats_add(&old, NK_STAT_UPSTREAM_CONNECTIONS, 4);
    nk_stats_add(&next, NK_STAT_UPSTREAM_CONNECTIONS, 5);
    nk_stats_close(&old);
    nk_stats_retire(fd, page);
    tap_ok(nk_stats_total(&next, NK_STAT_UPSTREAM_REQUESTS) == 5 &&
               nk_stats_total(&next, NK_STAT_UPSTREAM_CONNECTIONS) == 5,
           "who has left leaves its counters, not its gauges");
    TAP_CHECK(nk_stats_page(NK_ROLE_GATE, 0, 1) == nk_stats_page(NK_ROLE_COURIER, last, 0) + 1);
    TAP_CHECK(nk_stats_page(NK_ROLE_SCRIBE, 0, 1) == nk_stats_page(NK_ROLE_SCRIBE, 0, 0));
    TAP_CHECK(nk_stats_layout() != 0 && nk_stats_layout() == nk_stats_layout());
    nk_stats_close(&next);
}

/* Rows of upstreams carry their names themselves; who writes them may be wrong or hostile. */
static void upstream_cases(int fd)
{
    struct nk_stats one, two;
    char name[20];
    TAP_CHECK(!nk_stats_open(&one, fd, nk_stats_page(NK_ROLE_COURIER, 0, 0)) &&
              !nk_stats_open(&two, fd, nk_stats_page(NK_ROLE_COURIER, 1, 0)));
    uint32_t a = nk_stats_up_find(&one, NK_STR("openai")), b = nk_stats_up_find(&one, NK_STR("eu")),
             c = nk_stats_up_find(&two, NK_STR("eu"));
    TAP_CHECK(a != b && nk_stats_up_find(&one, NK_STR("openai")) == a);
    nk_stats_up_add(&one, b, NK_STAT_UP_CALLS, 2);
    nk_stats_up_add(&two, c, NK_STAT_UP_CALLS, 3);
    nk_stats_up_add(&one, a, NK_STAT_UP_OUT, 2);
    nk_stats_up_add(&one, a, NK_STAT_UP_OUT, (uint64_t)-1);
    tap_ok(says(&two, "\nnakoso_upstream_calls_total{upstream=\"eu\"} 5\n") &&
               says(&two, "\nnakoso_upstream_endpoints_out{upstream=\"openai\"} 1\n"),
           "an upstream is counted by its name over all couriers");
    nk_stats_close(&one);
    TAP_CHECK(!nk_stats_open(&one, fd, nk_stats_page(NK_ROLE_COURIER, 0, 0)));
    tap_ok(nk_stats_up_find(&one, NK_STR("eu")) == b &&
               says(&two, "out{upstream=\"openai\"} 0\n") &&
               says(&two, "calls_total{upstream=\"eu\"} 5\n"),
           "and keeps its row when a courier starts anew");
    memcpy(two.own->up[c].name, "x\"} 1\nevil{", 12);
    memset(two.own->up[c + 1].name, 'y', sizeof two.own->up->name);
    two.own->up_count = UINT32_MAX;
    tap_ok(!says(&one, "evil") && says(&one, "calls_total{upstream=\"eu\"} 2\n"),
           "a name that none can be is left out");
    nk_stats_close(&two);
    TAP_CHECK(!nk_stats_open(&two, fd, nk_stats_page(NK_ROLE_COURIER, 1, 0)));
    TAP_CHECK(nk_stats_up_find(&two, NK_STR("new")) == NK_STATS_UPSTREAMS - 1);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "u%d", i);
        nk_stats_up_add(&one, nk_stats_up_find(&one, nk_str(name)), NK_STAT_UP_CALLS, 1);
    }
    tap_ok(says(&one, "{upstream=\"u61\"} 1\n") &&
               says(&one, "calls_total{upstream=\"other\"} 38\n"),
           "names beyond the table share a row");
    nk_stats_close(&one);
    nk_stats_close(&two);
}

int main(void)
{
    struct nk_stats gate, other;
    int fd = nk_stats_create();
    TAP_CHECK(fd >= 0);
    TAP_CHECK(nk_stats_open(&gate, fd, nk_stats_page(NK_ROLE_GATE, 0, 0)) == 0);
    TAP_CHECK(nk_stats_open(&other, fd, nk_stats_page(NK_ROLE_GATE, NK_ROLE_PAIRS_MAX - 1, 0)) ==
              0);
    nk_stats_add(&gate, NK_STAT_DECISIONS_DENY, 3);
    nk_stats_add(&other, NK_STAT_DECISIONS_DENY, 4);
    nk_stats_add(&gate, NK_STAT_REQUESTS_IN_FLIGHT, 5);
    nk_stats_sub(&gate, NK_STAT_REQUESTS_IN_FLIGHT, 3);
    tap_ok(nk_stats_total(&other, NK_STAT_DECISIONS_DENY) == 7, "a counter is summed over roles");
    TAP_CHECK(says(&other, "\nnakoso_decisions_total{decision=\"deny\"} 7\n"));
    TAP_CHECK(says(&other, "\n# TYPE nakoso_decisions_total counter\n"));
    TAP_CHECK(says(&other, "\nnakoso_requests_in_flight 2\n"));
    nk_stats_close(&gate);
    TAP_CHECK(nk_stats_open(&gate, fd, nk_stats_page(NK_ROLE_GATE, 0, 0)) == 0);
    tap_ok(nk_stats_total(&other, NK_STAT_REQUESTS_IN_FLIGHT) == 0 &&
               nk_stats_total(&other, NK_STAT_DECISIONS_DENY) == 7,
           "a role that starts anew keeps its counters and loses its gauges");
    nk_stats_time(&gate, NK_STAT_LATENCY_DENIED, 64);
    nk_stats_time(&gate, NK_STAT_LATENCY_DENIED, 65);
    nk_stats_time(&gate, NK_STAT_LATENCY_DENIED, -5);
    nk_stats_time(&gate, NK_STAT_LATENCY_DENIED, INT64_MAX / 2);
    TAP_CHECK(says(&other, "_bucket{decision=\"deny\",le=\"0.000064\"} 2\n"));
    TAP_CHECK(says(&other, "_bucket{decision=\"deny\",le=\"0.000128\"} 3\n"));
    TAP_CHECK(says(&other, "_bucket{decision=\"deny\",le=\"+Inf\"} 4\n"));
    TAP_CHECK(says(&other, "\nnakoso_request_seconds_count{decision=\"deny\"} 4\n"));
    nk_stats_close(&gate);
    nk_stats_close(&other);
    test_turns(fd);
    upstream_cases(fd);
    close(fd);
    return tap_done();
}
