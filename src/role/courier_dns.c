/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_dns.c - the addresses of an endpoint over time.
 *
 *     asked      refresh_at      fresh_until                stale_until
 *       |------------|---------------|--------------------------|
 *        used as it is  … and asked    only while no name server   forgotten
 *                       for again      answers (RFC 8767)
 *
 * Nobody waits for a name that is in use: it is asked for again before its time is over; and nobody
 * waits longer than PATIENCE_US while there are addresses that have served. That the name does not exist is an answer like any other. A failure is remembered for a moment, so that many
 * calls do not become many questions. Idle connections to an address that the name has no more are
 * closed; a change in the name system takes effect within one time to live even where connections
 * live for long.
 */
#include "role/courier.h"

#include <stdio.h>
#include <string.h>

enum { PATIENCE_US = 300000 };
static const int64_t second = 1000000;
static const int64_t no_name_us = 5000000;   /* remembered: the name does not exist */
static const int64_t no_server_us = 1000000; /* remembered: nobody answers */

static bool same(const struct nk_addresses *a, const struct nk_addresses *b)
{
    size_t found = 0;
    for (size_t i = 0; i < a->count; i++)
        for (size_t j = 0; j < b->count; j++)
            found += nk_address_eq(&a->at[i], &b->at[j]);
    return a->count == b->count && found == a->count;
}

static int64_t time_to_live(const struct courier_config *g, int64_t ttl_us)
{
    int64_t most = g->config.dns_ttl_max * 1000;
    return ttl_us < second ? second : ttl_us < most ? ttl_us : most;
}

static void take(struct endpoint *up, const struct nk_addresses *found)
{
    int64_t now = nk_loop_now(up->config->c->loop), ttl = time_to_live(up->config, found->ttl_us);
    bool changed = !same(&up->addresses, found);
    up->gone = false;
    up->failed_until = 0;
    up->refresh_at = now + ttl / 5 * 4;
    up->fresh_until = now + ttl;
    up->stale_until = up->fresh_until + up->config->config.dns_stale * 1000;
    if (!changed)
        return; /* in the order that has worked */
    up->addresses = *found;
    up->epoch++;
    link_close_departed(up);
}

/* The reason, when there is no address to go on with. */
static const char *take_failure(struct endpoint *up, bool no_name, const char *why)
{
    struct nk_stats *stats = &up->config->c->stats;
    int64_t now = nk_loop_now(up->config->c->loop);
    nk_stats_add(stats, NK_STAT_DNS_FAILED, 1);
    up->failed_until = now + (no_name ? no_name_us : no_server_us);
    up->refresh_at = up->failed_until;
    up->gone = !no_name;
    if (up->gone && up->addresses.count && now < up->stale_until) {
        nk_stats_add(stats, NK_STAT_DNS_STALE, 1);
        return NULL;
    }
    snprintf(up->failed_why, sizeof up->failed_why, "%s", why);
    if (up->addresses.count) {
        up->addresses.count = 0;
        up->epoch++;
        link_close_departed(up);
    }
    return up->failed_why;
}

static void release(struct endpoint *up, const char *why)
{
    struct exchange *x = up->waiting;
    up->waiting = NULL;
    for (struct exchange *next; x; x = next) {
        next = x->next_waiting;
        x->next_waiting = NULL;
        x->address = 0;
        exchange_addressed(x, why);
    }
}

static void found(void *owner, const struct nk_addresses *a, const char *why)
{
    struct endpoint *up = owner;
    struct courier_config *g = up->config;
    struct nk_addresses kept = {.ttl_us = a->ttl_us};
    up->looking_up = false;
    for (size_t i = 0; !why && i < a->count; i++)
        if (!up->public_only || !nk_origin_is_suspect(&a->at[i]))
            kept.at[kept.count++] = a->at[i];
    if (why) {
        why = take_failure(up, a->no_name, why);
    } else if (!kept.count) {
        why = take_failure(up, true, "the name has no address that a key set may come from");
    } else {
        nk_stats_add(&g->c->stats, NK_STAT_DNS_ANSWERS, 1);
        take(up, &kept);
    }
    nk_loop_disarm(g->c->loop, &up->patience);
    release(up, why);
    courier_config_drop(g);
}

static void on_patience(struct nk_timer *t)
{
    struct endpoint *up = NK_OF(t, struct endpoint, patience);
    up->gone = true;
    if (courier_has_addresses(up))
        release(up, NULL);
}

static void ask(struct endpoint *up)
{
    if (up->looking_up)
        return;
    up->looking_up = true;
    up->config->refs++;
    up->patience.fire = on_patience;
    /* Without memory for a timer, the wait ends with the lookup. */
    (void)!nk_loop_arm(up->config->c->loop, &up->patience, PATIENCE_US);
    nk_resolve(up->config->c->resolver, up->hop.host, up->hop.port, up, found);
}

void courier_refresh(struct endpoint *up)
{
    if (up->addresses.count && nk_loop_now(up->config->c->loop) >= up->failed_until)
        ask(up);
}

bool courier_has_addresses(const struct endpoint *up)
{
    int64_t until = up->gone ? up->stale_until : up->fresh_until;
    return up->addresses.count && nk_loop_now(up->config->c->loop) <= until;
}

void courier_look_up(struct exchange *x)
{
    struct endpoint *up = x->up;
    x->address = 0;
    if (nk_loop_now(x->c->loop) < up->failed_until) {
        exchange_addressed(x, up->failed_why);
        return;
    }
    struct nk_addresses known;
    up->ask.from_hosts = !nk_hosts_find(up->config->hosts, up->hop.host, up->hop.port, &known);
    if (up->ask.from_hosts) {
        up->addresses = known;
        up->fresh_until = up->refresh_at = INT64_MAX; /* as long as this configuration */
        exchange_addressed(x, NULL);
        return;
    }
    x->next_waiting = up->waiting;
    up->waiting = x;
    ask(up);
}
