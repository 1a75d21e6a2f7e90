/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_export.c - items become messages, and each message is posted until the collector takes it, refuses
 * it, or has not taken it after several tries; there is one on its way for each signal. What waits
 * meanwhile is bounded by the queue. See answer.h for the rules of trying again.
 *
 *     idle --item--> collecting --interval--> posting --taken--> idle or collecting
 *                                               |  ^
 *                                    not taken  v  | a second, two, four … or what Retry-After says
 *                                             waiting --the last try--> given up
 */
#include "role/courier_telemetry.h"

#include <stdlib.h>
#include "edge/log.h"
#include "nakoso.h"

enum {
    TRIES_MAX = 8, /* about two minutes */
    ANSWER_MAX = 64 << 10,
    POST_ARENA = 256 << 10,
    HEADERS = 16,
    SOON_US = 1,
};

struct courier_post {
    struct exchange x;
    struct courier_export *e; /* NULL: nobody waits for the answer any more */
    struct nk_buf answer;
    int status;
    struct nk_str retry_after; /* in the exchange's arena */
};

static const char *name_of(const struct courier_export *e)
{
    static const char *const names[] = {"traces", "logs", "metrics"};
    return names[e->signal];
}

static const struct nk_config_telemetry *config_of(const struct courier_export *e)
{
    return &e->t->c->current->config.telemetry;
}

static void gauge(const struct courier_export *e)
{
    uint64_t waiting = 0;
    for (size_t i = 0; i < NK_OTEL_SIGNALS; i++)
        waiting += e->t->exports[i].queue.used + e->t->exports[i].body.n;
    nk_stats_set(&e->t->c->stats, NK_STAT_TELEMETRY_QUEUE, waiting);
}

static void arm(struct courier_export *e, int64_t after_us)
{
    if (nk_loop_arm(e->t->c->loop, &e->timer, after_us > 0 ? after_us : SOON_US))
        nk_loop_stop(e->t->c->loop, 1);
}

/* After a message is done with: when the next one is due. */
static void rest(struct courier_export *e)
{
    const struct nk_config_telemetry *cfg = config_of(e);
    e->items = 0;
    e->tries = 0;
    nk_buf_free(&e->body);
    gauge(e);
    if (e->signal == NK_OTEL_METRICS)
        arm(e, cfg->metrics_interval * 1000);
    else if (e->queue.count)
        arm(e, e->queue.used > COURIER_MESSAGE_MAX || e->t->is_draining ? SOON_US
                                                                        : cfg->interval * 1000);
}

static void lose(struct courier_export *e, enum nk_stat why, size_t n)
{
    nk_stats_add(&e->t->c->stats, why, n);
}

/* Says it once, not each time. */
static void failing(struct courier_export *e, const char *why)
{
    if (!e->is_failing)
        nk_log(NK_LOG_WARNING, "telemetry.failing", "%s do not reach the collector: %s", name_of(e),
               why);
    e->is_failing = true;
}

static void accepted(struct courier_export *e, struct courier_post *p)
{
    static const enum nk_stat taken[] = {NK_STAT_TELEMETRY_SPANS, NK_STAT_TELEMETRY_LOGS,
                                         NK_STAT_TELEMETRY_METRICS};
    struct nk_otel_partial partial;
    struct nk_str body = p->answer.error ? NK_STR("") : nk_buf_str(&p->answer);
    int rc = nk_otel_read_partial(e->signal, e->form, body, &p->x.arena, &partial);
    size_t lost = rc ? 0 : (size_t)partial.rejected;
    lost = lost < e->items ? lost : e->items;
    nk_stats_add(&e->t->c->stats, taken[e->signal], e->items - lost);
    lose(e, NK_STAT_TELEMETRY_DROPPED_REFUSED, lost);
    if (!rc && (partial.rejected || partial.message.n))
        nk_log(NK_LOG_WARNING, "telemetry.partial", "the collector took %s but %lld: %.*s",
               name_of(e), (long long)partial.rejected,
               NK_FMT(nk_str_sub(partial.message, 0, 200)));
    if (e->is_failing)
        nk_log(NK_LOG_INFO, "telemetry.works", "%s reach the collector", name_of(e));
    e->is_failing = false;
    rest(e);
}

static void again(struct courier_export *e, struct nk_str retry_after, const char *why)
{
    failing(e, why);
    nk_stats_add(&e->t->c->stats, NK_STAT_TELEMETRY_RETRIES, 1);
    e->t->random = e->t->random * 6364136223846793005u + 1442695040888963407u;
    if (++e->tries < TRIES_MAX) {
        arm(e, nk_otel_wait_ms(e->tries, retry_after, e->t->random >> 33) * 1000);
        return;
    }
    lose(e, NK_STAT_TELEMETRY_DROPPED_GIVEN_UP, e->items);
    rest(e);
}

/* The exchange --------------------------------------------------------------------------------- */

static size_t post_allow(struct exchange *x)
{
    (void)x;
    return COURIER_READ;
}

static void settle(struct courier_post *p)
{
    struct courier_export *e = p->e;
    p->e = NULL;
    e->post = NULL;
    switch (nk_otel_verdict(p->status)) {
    case NK_OTEL_ACCEPTED:
        accepted(e, p);
        break;
    case NK_OTEL_AGAIN:
        again(e, p->retry_after, "it is busy (429, 502, 503 or 504)");
        break;
    case NK_OTEL_NEVER:
        failing(e, "it refuses the message; see nakoso_telemetry_dropped_total");
        lose(e, NK_STAT_TELEMETRY_DROPPED_REFUSED, e->items);
        rest(e);
        break;
    }
}

static void post_answer(struct exchange *x, const struct nk_http_head *head, struct nk_str body,
                        bool end)
{
    struct courier_post *p = NK_OF(x, struct courier_post, x);
    if (head) {
        struct nk_str after = nk_http_get(head, NK_STR("retry-after"));
        p->status = head->status;
        if (after.p)
            p->retry_after = nk_arena_copy(&x->arena, after);
    }
    nk_buf_add(&p->answer, body);
    if (end && p->e)
        settle(p);
}

static void post_fail(struct exchange *x, int code, const char *why)
{
    struct courier_post *p = NK_OF(x, struct courier_post, x);
    struct courier_export *e = p->e;
    (void)code;
    p->e = NULL;
    if (!e)
        return;
    e->post = NULL;
    again(e, (struct nk_str){NULL, 0}, why);
}

static void post_free(struct nk_later *l)
{
    struct courier_post *p = NK_OF(NK_OF(l, struct exchange, later), struct courier_post, x);
    nk_buf_free(&p->answer);
    nk_arena_free(&p->x.arena);
    free(p);
}

static void add(struct nk_http_head *h, struct nk_str name, struct nk_str value)
{
    h->headers[h->header_count++] = (struct nk_http_header){name, value};
}

static int post_head(struct exchange *x, struct nk_http_head *out)
{
    struct courier_post *p = NK_OF(x, struct courier_post, x);
    const struct courier_export *e = p->e;
    const struct courier_config *g = x->to->config;
    const struct nk_config_telemetry *cfg = &g->config.telemetry;
    struct nk_str at = x->up->origin.target;
    struct nk_str target[] = {nk_str_eq(at, NK_STR("/")) ? NK_STR("") : at,
                              nk_str(e ? nk_otel_path(e->signal) : NULL)};
    *out =
        (struct nk_http_head){.method = NK_STR("POST"),
                              .target = nk_arena_join(&x->arena, target, 2),
                              .headers = nk_arena_array(&x->arena, HEADERS, sizeof *out->headers),
                              .content_length = e ? (int64_t)e->body.n : 0,
                              .keep_alive = true};
    if (!e || !out->target.p || !out->headers)
        return NK_ENOMEM;
    add(out, NK_STR("host"), x->up->origin.host_header);
    add(out, NK_STR("user-agent"), NK_STR("nakoso"));
    add(out, NK_STR("content-type"),
        e->form == NK_OTEL_JSON ? NK_STR("application/json") : NK_STR("application/x-protobuf"));
    add(out, NK_STR("accept-encoding"), NK_STR("identity"));
    for (size_t i = 0; i < cfg->header_count; i++)
        add(out, cfg->headers[i].name, g->collector_headers[i]);
    return 0;
}

static const struct exchange_kind post_kind = {post_head, post_allow, post_answer, post_fail,
                                               post_free};

static void post(struct courier_export *e)
{
    struct courier *c = e->t->c;
    struct courier_config *g = c->current;
    struct courier_post *p = calloc(1, sizeof *p);
    if (!p) {
        again(e, (struct nk_str){NULL, 0}, "out of memory");
        return;
    }
    p->e = e;
    p->x.kind = &post_kind;
    p->x.c = c;
    p->x.to = &g->collector;
    p->x.max_body = ANSWER_MAX;
    nk_arena_init(&p->x.arena, POST_ARENA);
    nk_buf_init(&p->answer, ANSWER_MAX);
    nk_buf_init(&p->x.out, COURIER_MESSAGE_MAX + 2 * COURIER_ENVELOPE_MAX);
    e->post = p;
    exchange_start(&p->x, nk_buf_str(&e->body), true);
}

/* Messages ------------------------------------------------------------------------------------- */

static void take_items(struct courier_export *e, struct nk_otel_request *r)
{
    struct nk_buf *item = &e->t->item;
    for (size_t n; (n = nk_otel_queue_next(&e->queue)) > 0 &&
                   (e->items == 0 || e->body.n + n <= COURIER_MESSAGE_MAX);) {
        nk_buf_clear(item);
        char *to = nk_buf_reserve(item, n);
        if (!to)
            return;
        nk_otel_queue_take(&e->queue, to);
        nk_otel_item(r, (struct nk_str){to, n});
        e->items++;
    }
}

static void fill(struct courier_export *e)
{
    struct nk_otel_attributes a = {.n = 0};
    struct nk_otel_request r = {.signal = e->signal, .form = e->form, .out = &e->body};
    const struct nk_config *cfg = &e->t->c->current->config;
    struct nk_str parts[] = {nk_str(e->t->host), NK_STR("/"), cfg->audit_origin};
    char room[COURIER_HOST_MAX + 160];
    struct nk_buf instance = {.p = room, .cap = sizeof room, .max = sizeof room};
    for (size_t i = 0; i < NK_COUNT(parts); i++)
        nk_buf_add(&instance, parts[i]);
    nk_otel_add_text(&a, NK_STR("service.name"), NK_STR("nakoso"));
    nk_otel_add_text(&a, NK_STR("service.version"), nk_str(nk_version()));
    nk_otel_add_text(&a, NK_STR("service.instance.id"), nk_buf_str(&instance));
    nk_otel_add_text(&a, NK_STR("host.name"), nk_str(e->t->host));
    nk_buf_init(&e->body, COURIER_MESSAGE_MAX + COURIER_ENVELOPE_MAX);
    nk_otel_begin(&r, &a, nk_str(nk_version()));
    if (e->signal == NK_OTEL_METRICS)
        e->items = courier_metrics_put(e->t, &r);
    else
        take_items(e, &r);
    nk_otel_end(&r);
    if (e->body.error) {
        lose(e, NK_STAT_TELEMETRY_DROPPED_QUEUE, e->items);
        e->items = 0;
    }
    gauge(e);
}

static void due(struct nk_timer *timer)
{
    struct courier_export *e = NK_OF(timer, struct courier_export, timer);
    if (e->post || !e->is_on)
        return;
    if (e->items == 0)
        fill(e);
    if (e->items)
        post(e);
    else
        rest(e);
}

void courier_export_put(struct courier_export *e, struct nk_str item)
{
    lose(e, NK_STAT_TELEMETRY_DROPPED_QUEUE, nk_otel_queue_put(&e->queue, item));
    gauge(e);
    if (e->post || e->items)
        return;
    if (e->queue.used > COURIER_MESSAGE_MAX || e->t->is_draining)
        arm(e, SOON_US);
    else if (!e->timer.due_us)
        arm(e, config_of(e)->interval * 1000);
}

/* Life ----------------------------------------------------------------------------------------- */

static void stop(struct courier_export *e)
{
    lose(e, NK_STAT_TELEMETRY_DROPPED_QUEUE, e->queue.count + e->items);
    courier_export_free(e);
    gauge(e);
}

void courier_export_free(struct courier_export *e)
{
    if (e->post) {
        e->post->e = NULL;
        exchange_cancel(&e->post->x);
        e->post = NULL;
    }
    nk_loop_disarm(e->t->c->loop, &e->timer);
    nk_otel_queue_free(&e->queue);
    nk_buf_free(&e->body);
    e->items = 0;
    e->tries = 0;
    e->is_on = false;
}

void courier_export_start(struct courier_export *e)
{
    const struct courier *c = e->t->c;
    const struct nk_config_telemetry *cfg = config_of(e);
    const bool off[] = {cfg->no_traces, cfg->no_logs,
                        cfg->no_metrics || c->start->slot != 0}; /* counters are of all roles */
    bool on = cfg->endpoint.p && !off[e->signal];
    enum nk_otel_form form =
        nk_str_eq(cfg->protocol, NK_STR("json")) ? NK_OTEL_JSON : NK_OTEL_PROTOBUF;
    size_t size = e->signal == NK_OTEL_METRICS ? 0 : (size_t)cfg->queue;
    if (e->is_on && (!on || form != e->form || size != e->queue.size))
        stop(e);
    if (!on || e->is_on)
        return;
    e->timer.fire = due;
    e->form = form;
    if (size && nk_otel_queue_init(&e->queue, size)) {
        failing(e, "no memory for the queue of telemetry.otlp.queue bytes");
        return;
    }
    e->is_on = true;
    if (e->signal == NK_OTEL_METRICS)
        arm(e, cfg->metrics_interval * 1000);
}

void courier_export_hurry(struct courier_export *e)
{
    if (e->is_on && !e->post)
        arm(e, SOON_US);
}

bool courier_export_is_busy(const struct courier_export *e)
{
    return e->is_on && (e->post || ((e->items || e->queue.count) && e->tries == 0));
}
