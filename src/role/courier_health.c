/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_health.c - where `health.path` is given, each endpoint is asked for it now and then, with
 * its credential, by an exchange of its own that is bound to it. 2xx is well: an endpoint that was
 * left out is in again. `failures` other answers in a row leave it out, an upstream's only endpoint
 * too: then calls are refused at once instead of waiting for it.
 */
#include "role/courier.h"

#include <stdlib.h>

enum { ARENA_MAX = 131072, REQUEST_MAX = 32768, ANSWER_MAX = 65536 };

struct health_check {
    struct exchange x;
    struct endpoint *up;
    struct nk_timer timer;
    int64_t interval_us;
    struct upstream alone; /* the endpoint's upstream, with the times of a check */
    struct nk_str path;
    struct nk_http_header headers[4];
    int status;
    uint32_t fails; /* in a row */
    bool asking, stopped;
};

static size_t check_allow(struct exchange *x)
{
    (void)x;
    return COURIER_READ;
}

static int check_head(struct exchange *x, struct nk_http_head *out)
{
    struct health_check *h = NK_OF(x, struct health_check, x);
    const struct endpoint *up = x->up;
    h->headers[0] = (struct nk_http_header){NK_STR("host"), up->origin.host_header};
    h->headers[1] = (struct nk_http_header){NK_STR("accept-encoding"), NK_STR("identity")};
    h->headers[2] = (struct nk_http_header){NK_STR("user-agent"), NK_STR("nakoso")};
    h->headers[3] = (struct nk_http_header){up->auth_name, up->auth_value};
    *out = (struct nk_http_head){.method = NK_STR("GET"),
                                 .target = h->path,
                                 .headers = h->headers,
                                 .header_count = up->auth_name.p ? 4 : 3,
                                 .content_length = -1,
                                 .keep_alive = true};
    return 0;
}

static void settle(struct health_check *h, bool well)
{
    struct endpoint *up = h->up;
    struct courier *c = h->x.c;
    h->fails = well ? 0 : h->fails + 1;
    if (well)
        endpoint_ok(up);
    else
        nk_stats_up_add(&c->stats, up->of->stats, NK_STAT_UP_CHECKS_FAILED, 1);
    if (h->fails >= up->of->failures)
        endpoint_leave_out(up, h->interval_us + h->alone.total_us);
}

static void check_answer(struct exchange *x, const struct nk_http_head *head, struct nk_str body,
                         bool end)
{
    struct health_check *h = NK_OF(x, struct health_check, x);
    (void)body;
    if (head)
        h->status = head->status;
    if (end)
        settle(h, h->status >= 200 && h->status < 300);
}

static void check_fail(struct exchange *x, int code, const char *why)
{
    (void)code, (void)why;
    settle(NK_OF(x, struct health_check, x), false);
}

static void check_end(struct health_check *h)
{
    struct courier_config *g = h->up->config;
    h->up->check = NULL;
    nk_loop_disarm(g->c->loop, &h->timer);
    nk_arena_free(&h->x.arena);
    free(h);
    courier_config_drop(g);
}

static void check_free(struct nk_later *l)
{
    struct health_check *h = NK_OF(NK_OF(l, struct exchange, later), struct health_check, x);
    h->asking = false;
    nk_arena_reset(&h->x.arena);
    /* Without memory for a timer: calls alone tell how it is. */
    if (h->stopped || nk_loop_arm(h->x.c->loop, &h->timer, h->interval_us))
        check_end(h);
}

static const struct exchange_kind check_kind = {check_head, check_allow, check_answer, check_fail,
                                                check_free};

static void on_timer(struct nk_timer *t)
{
    struct health_check *h = NK_OF(t, struct health_check, timer);
    struct courier *c = h->up->config->c;
    struct nk_arena arena = h->x.arena;
    h->x = (struct exchange){.kind = &check_kind,
                             .c = c,
                             .to = &h->alone,
                             .up = h->up,
                             .arena = arena,
                             .max_body = ANSWER_MAX,
                             .safe = true,
                             .pinned = true};
    nk_buf_init(&h->x.out, REQUEST_MAX);
    h->status = 0;
    h->asking = true;
    exchange_start(&h->x, (struct nk_str){NULL, 0}, true);
}

static void start(struct endpoint *up, const struct nk_config_health *from)
{
    struct courier_config *g = up->config;
    struct health_check *h = malloc(sizeof *h);
    if (!h)
        return; /* calls alone tell how it is */
    *h = (struct health_check){.up = up,
                               .timer.fire = on_timer,
                               .interval_us = from->interval * 1000,
                               .alone = *up->of,
                               .path = from->path};
    h->alone.stats = COURIER_NO_ROW;
    h->alone.total_us = from->timeout * 1000;
    h->x.c = g->c;
    nk_arena_init(&h->x.arena, ARENA_MAX);
    up->check = h;
    g->refs++;
    if (nk_loop_arm(g->c->loop, &h->timer, 1))
        check_end(h);
}

void courier_health_start(struct courier_config *g)
{
    for (size_t i = 0; i < g->config.upstream_count; i++)
        for (size_t j = 0;
             g->config.upstreams[i].health.path.p && j < g->upstreams[i].endpoint_count; j++)
            start(&g->upstreams[i].endpoints[j], &g->config.upstreams[i].health);
}

static void stop(struct health_check *h)
{
    h->stopped = true;
    if (!h->asking)
        check_end(h);
    else if (!h->x.over)
        exchange_cancel(&h->x);
}

void courier_health_stop(struct courier_config *g)
{
    for (size_t i = 0; i < g->config.upstream_count; i++)
        for (size_t j = 0; j < g->upstreams[i].endpoint_count; j++)
            if (g->upstreams[i].endpoints[j].check)
                stop(g->upstreams[i].endpoints[j].check);
}
