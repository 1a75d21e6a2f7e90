/* SPDX-License-Identifier: Apache-2.0
 *
 * endpoint.c - which endpoint takes a call, and which is left out.
 *
 * The choice is smooth weighted round robin, where each weight is divided by the calls that the
 * endpoint is answering now. Model calls last from milliseconds to minutes: turns alone would pile
 * long calls up by chance, and counting calls alone would leave the weights without effect while
 * little is going on. One endpoint costs no choice at all.
 *
 * Health is learnt from the calls themselves. After `failures` failures in a row an endpoint is left
 * out for `eject`; then one exchange, and no other, tries whether it is well again, and until one
 * succeeds the time doubles up to `eject_max`. An answer that says Retry-After leaves it out for just
 * that long. When all are left out, the one that has rested longest, unless it said itself when to come
 * back, gets one such exchange for each `eject`, so that an outage ends for us when it ends; what else comes is refused at once. The only
 * endpoint of an upstream is not left out for failed calls: there is nowhere else to go, and its
 * answer tells the client more than ours.
 */
#include "role/courier.h"

#include <stdio.h>
#include <string.h>
#include "ident/keyfile.h"

enum { SHARE_BITS = 20 };

static bool is_full(const struct upstream *to, const struct endpoint *up)
{
    return to->in_flight_max && up->in_flight >= to->in_flight_max;
}

/* Left out, but may one exchange try? `rested`: before its time, since all are out. */
static bool may_try(const struct endpoint *up, int64_t now, bool rested)
{
    if (up->probing)
        return false;
    return rested ? !up->told && now - up->failed_us >= up->of->eject_us : up->out_until <= now;
}

static struct endpoint *choose(struct upstream *to, uint32_t tried, bool *probe)
{
    int64_t now = nk_loop_now(to->config->c->loop), total = 0;
    struct endpoint *best = NULL, *last = NULL;
    bool all_out = true;
    for (size_t i = 0; i < to->endpoint_count; i++) {
        struct endpoint *up = &to->endpoints[i];
        all_out = all_out && up->out_until;
        if (tried & 1u << i || (!up->out_until && is_full(to, up)))
            continue;
        if (up->out_until && may_try(up, now, false)) {
            *probe = true;
            return up;
        }
        if (up->out_until) {
            if (may_try(up, now, true) && (!last || up->failed_us < last->failed_us))
                last = up;
            continue;
        }
        int64_t share = (up->weight << SHARE_BITS) / (int64_t)(up->in_flight + 1);
        up->current += share;
        total += share;
        if (!best || up->current > best->current)
            best = up;
    }
    if (best)
        best->current -= total;
    *probe = !best && last && all_out;
    return *probe ? last : best;
}

struct endpoint *endpoint_choose(struct upstream *to, uint32_t tried, bool *probe)
{
    struct endpoint *only = to->endpoints;
    *probe = false;
    if (to->endpoint_count > 1 || only->out_until)
        return choose(to, tried, probe);
    return tried || is_full(to, only) ? NULL : only;
}

static void count(const struct endpoint *up, enum nk_stat_up id, uint64_t by)
{
    if (up->of->stats != COURIER_NO_ROW)
        nk_stats_up_add(&up->config->c->stats, up->of->stats, id, by);
}

void endpoint_ok(struct endpoint *up)
{
    up->fails = 0;
    if (!up->out_until)
        return;
    count(up, NK_STAT_UP_OUT, (uint64_t)-1);
    up->out_until = up->out_us = up->current = 0;
    up->told = false;
}

void endpoint_leave_out(struct endpoint *up, int64_t told_us)
{
    const struct upstream *to = up->of;
    int64_t now = nk_loop_now(up->config->c->loop);
    if (!up->out_until) {
        count(up, NK_STAT_UP_EJECTIONS, 1);
        count(up, NK_STAT_UP_OUT, 1);
    }
    up->told = told_us > 0;
    if (!up->told) {
        up->out_us = up->out_us ? 2 * up->out_us : to->eject_us;
        up->out_us = up->out_us < to->eject_max_us ? up->out_us : to->eject_max_us;
    }
    int64_t until = now + (!up->told                    ? up->out_us
                           : told_us < to->eject_max_us ? told_us
                                                        : to->eject_max_us);
    up->out_until = until > up->out_until ? until : up->out_until;
}

void endpoint_failed(struct endpoint *up, int64_t told_us)
{
    up->fails++;
    up->failed_us = nk_loop_now(up->config->c->loop);
    if (up->of->endpoint_count == 1)
        return;
    /* What was on its way when the endpoint was left out says nothing new. */
    bool news = !up->out_until || up->probing;
    if (told_us > 0 || (news && (up->out_until || up->fails >= up->of->failures)))
        endpoint_leave_out(up, told_us);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, section 5.6.7) in Unix milliseconds. */
static int http_date(struct nk_str s, int64_t *ms)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    char text[40];
    if (s.n != 29)
        return NK_EINVAL;
    const char *month = strstr(months, (char[]){s.p[8], s.p[9], s.p[10], 0});
    if (!month || (month - months) % 3)
        return NK_EINVAL;
    snprintf(text, sizeof text, "%.4s-%02d-%.2sT%.8sZ", s.p + 12, (int)(month - months) / 3 + 1,
             s.p + 5, s.p + 17);
    return nk_keyfile_time(nk_str(text), ms);
}

int64_t endpoint_retry_after(const struct endpoint *up, const struct nk_http_head *h)
{
    const uint64_t most = (uint64_t)up->of->eject_max_us / 1000;
    struct nk_str ms = nk_http_get(h, NK_STR("retry-after-ms"));
    struct nk_str s = nk_http_get(h, NK_STR("retry-after"));
    int64_t when;
    uint64_t v;
    if (ms.p && !nk_str_to_u64(ms, &v))
        return (int64_t)(v < most ? v : most) * 1000;
    if (s.p && !nk_str_to_u64(s, &v))
        return (int64_t)(v < most / 1000 + 1 ? v : most / 1000 + 1) * 1000000;
    if (s.p && !http_date(s, &when))
        return (when - nk_loop_unix_ms(up->config->c->loop)) * 1000;
    return 0;
}
