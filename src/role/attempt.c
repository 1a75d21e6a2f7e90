/* SPDX-License-Identifier: Apache-2.0
 *
 * attempt.c - where an exchange goes when it cannot stay. An attempt is one endpoint's; what it had
 * of the request when it failed decides whether another one may be asked:
 *
 *     nothing    (no address, no connection, no handshake)   the next one, always
 *     a part     (its length was announced, so no server     the next one
 *                can have acted on it)
 *     all of it  and the method is safe (RFC 9110, 9.2.2)    the next one
 *                and the answer's status is one of           the next one: the endpoint says that
 *                `retry_on_status`, nothing of it went on    it did not do it
 *                otherwise                                   none: a model call that is done twice
 *                                                            costs twice, and may act twice
 *
 * All but the first are retries: an exchange has `retries` of them, and all exchanges together
 * `retry_budget` percent of calls, lest an outage is made worse. No endpoint is tried twice (but for
 * a kept connection that had ended: see exchange.c), so an upstream with one endpoint never retries
 * and keeps no request for it.
 */
#include "role/courier.h"

#include <stdio.h>
#include "edge/log.h"

enum { RETRY = 100, BUDGET_MAX = 10 * RETRY, SECOND_US = 1000000, LINES_A_SECOND = 10 };

void attempt_tell(const struct exchange *x, const char *why)
{
    struct courier *c = x->c;
    struct nk_str who = x->up ? x->up->origin.host_header : x->to->name;
    int64_t now = nk_loop_now(c->loop);
    if (now - c->told_since_us >= SECOND_US) {
        c->told_since_us = now;
        c->told_lines = 0;
    }
    if (c->told_lines++ < LINES_A_SECOND)
        nk_log(NK_LOG_WARNING, "upstream.failed", "%.*s: %s", NK_FMT(who), why);
}

static void count(const struct exchange *x, enum nk_stat_up id, uint64_t by)
{
    if (x->to->stats != COURIER_NO_ROW)
        nk_stats_up_add(&x->c->stats, x->to->stats, id, by);
}

static void begin(struct exchange *x, struct endpoint *up, bool probe)
{
    x->up = up;
    x->tried |= 1u << up->number;
    x->route.endpoint = up->number;
    x->probe = probe;
    x->keeps |= up->http2 != MUX_OFF; /* a stream may be refused */
    up->probing |= probe;
    up->in_flight += !x->pinned;
    count(x, NK_STAT_UP_IN_FLIGHT, 1);
    x->connect_by = nk_loop_now(x->c->loop) + x->to->connect_us;
    if (nk_loop_now(x->c->loop) >= up->refresh_at)
        courier_refresh(up);
}

bool attempt_first(struct exchange *x)
{
    struct upstream *to = x->to;
    bool probe = false;
    struct endpoint *up = x->pinned ? x->up : endpoint_choose(to, 0, &probe);
    x->route.endpoint = NK_ROUTE_NOWHERE;
    x->keeps = to->keeps && !x->pinned;
    to->budget = to->budget < BUDGET_MAX ? to->budget + to->budget_step : BUDGET_MAX;
    if (!x->pinned)
        count(x, NK_STAT_UP_CALLS, 1);
    if (up) {
        begin(x, up, probe);
        return true;
    }
    count(x, NK_STAT_UP_BUSY, 1);
    exchange_fail(x, NK_WIRE_FAIL_BUSY,
                  to->in_flight_max ? "every endpoint is left out or has max_in_flight calls"
                                    : "every endpoint is left out");
    return false;
}

void attempt_leave(struct exchange *x)
{
    struct endpoint *up = x->up;
    if (!up)
        return;
    for (struct exchange **at = &up->waiting; *at; at = &(*at)->next_waiting)
        if (*at == x) {
            *at = x->next_waiting;
            x->next_waiting = NULL;
            break;
        }
    up->in_flight -= !x->pinned;
    if (x->probe)
        up->probing = false;
    x->probe = false;
    x->up = NULL;
    count(x, NK_STAT_UP_IN_FLIGHT, (uint64_t)-1);
}

/* For the record: this endpoint was asked in vain. */
static void note(struct exchange *x, const char *why)
{
    struct nk_route *r = &x->route;
    if (!r->failed)
        r->failed = nk_arena_array(&x->arena, NK_ROUTE_MAX, sizeof *r->failed);
    struct nk_str text = nk_arena_copy(&x->arena, nk_str(why));
    if (!r->failed || !text.p || r->failed_count == NK_ROUTE_MAX)
        return;
    struct nk_route_failed *failed = (struct nk_route_failed *)(uintptr_t)r->failed;
    failed[r->failed_count++] = (struct nk_route_failed){r->endpoint, text};
}

void attempt_note_resent(struct exchange *x)
{
    note(x, "the kept connection had ended; sent again on a new one");
}

/* May the exchange go to another endpoint, and is there one? */
static struct endpoint *next(struct exchange *x, bool retry, bool *probe)
{
    struct upstream *to = x->to;
    if (x->pinned || to->endpoint_count == 1 || (retry && x->retries >= to->retries))
        return NULL;
    if (retry && to->budget < RETRY) {
        count(x, NK_STAT_UP_NO_BUDGET, 1);
        return NULL;
    }
    return endpoint_choose(to, x->tried, probe);
}

/* Forgets this attempt but for the request. */
static void go_on(struct exchange *x, struct endpoint *up, bool probe, bool retry, const char *why)
{
    note(x, why);
    attempt_leave(x);
    if (retry) {
        x->retries++;
        x->to->budget -= RETRY;
    }
    count(x, retry ? NK_STAT_UP_RETRIES : NK_STAT_UP_ELSEWHERE, 1);
    mux_forget(x);
    x->link = NULL;
    x->parser = NULL;
    x->answered = x->delivered = x->resent = x->paused = false;
    x->sent = x->before = x->address = 0;
    begin(x, up, probe);
    exchange_again(x);
}

void attempt_fail(struct exchange *x, enum handed handed, int code, const char *why)
{
    bool probe = false, retry = handed != HANDED_NOTHING;
    if (x->over)
        return;
    if (!x->pinned)
        endpoint_failed(x->up, 0);
    bool may = !x->begun && (handed != HANDED_WHOLE || x->safe);
    struct endpoint *up = may ? next(x, retry, &probe) : NULL;
    if (up)
        go_on(x, up, probe, retry, why);
    else
        exchange_fail(x, code, why);
}

/* What an answer says of its endpoint; true: that it did not do what it was asked for. */
static bool speaks_ill(struct exchange *x, const struct nk_http_head *h)
{
    struct endpoint *up = x->up;
    bool ill = h->status >= 500 || h->status == 429;
    if (ill)
        endpoint_failed(up, endpoint_retry_after(up, h));
    else if (up->fails || up->out_until)
        endpoint_ok(up);
    if (x->probe)
        up->probing = x->probe = false; /* the answer may go on for long: what it tells is told */
    return ill;
}

bool attempt_judge(struct exchange *x, const struct nk_http_head *h)
{
    bool probe = false;
    char why[40];
    if (x->pinned || !speaks_ill(x, h))
        return false;
    if (!(x->keeps || x->safe) || !nk_config_has_status(x->to->retry_on, h->status))
        return false;
    struct endpoint *up = next(x, true, &probe);
    if (!up)
        return false;
    snprintf(why, sizeof why, "answered with status %d", h->status);
    exchange_leave_link(x);
    go_on(x, up, probe, true, why);
    return true;
}
