/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_config.c - one generation of the configuration as the courier needs it. It lives until
 * the last call that was made under it is over; credentials are overwritten then.
 */
#include "role/courier.h"

#include <stdio.h>
#include <stdlib.h>
#include "proto/proto.h"

enum { ARENA_MAX = 64 << 20 };
static const int64_t fetch_connect_us = 5000000, fetch_answer_us = 10000000,
                     fetch_all_us = 30000000;

static void drop_endpoint(struct endpoint *up)
{
    endpoint_ok(up); /* is not counted as left out any more */
    if (up->tls && up->tls != up->config->c->system_tls)
        nk_tls_free(up->tls);
    nk_tls_session_free(&up->session);
    if (up->auth_value.n)
        nk_secret_wipe((void *)(uintptr_t)up->auth_value.p, up->auth_value.n);
}

static void drop_upstreams(struct upstream *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        for (size_t j = 0; j < list[i].endpoint_count; j++)
            drop_endpoint(&list[i].endpoints[j]);
}

static void config_free(struct courier_config *g)
{
    drop_upstreams(g->upstreams, g->config.upstream_count);
    drop_upstreams(g->key_sets, g->config.issuer_count);
    nk_bundle_unmap(&g->bundle);
    nk_arena_free(&g->arena);
    free(g);
}

void courier_config_drop(struct courier_config *g)
{
    if (g && --g->refs == 0)
        config_free(g);
}

struct courier_config *courier_config_find(struct courier *c, uint32_t generation)
{
    struct courier_config *known[] = {c->current, c->prepared, c->previous};
    for (size_t i = 0; i < NK_COUNT(known); i++)
        if (known[i] && known[i]->generation == generation)
            return known[i];
    return NULL;
}

/* What belongs to one endpoint alone, or else to its upstream. */
static struct nk_str blob(const struct courier_config *g, const char *kind, size_t i, size_t j)
{
    char name[64];
    snprintf(name, sizeof name, "%s/%zu/%zu", kind, i, j);
    struct nk_str own = nk_bundle_get(&g->bundle, nk_str(name));
    if (own.p)
        return own;
    snprintf(name, sizeof name, "%s/%zu", kind, i);
    return nk_bundle_get(&g->bundle, nk_str(name));
}

static int choose_tls(struct endpoint *up, struct nk_str ca, struct nk_fault *f)
{
    struct courier *c = up->config->c;
    if (!up->origin.tls)
        return 0;
    up->tls = ca.p ? nk_tls_client(ca, f) : c->system_tls;
    if (!up->tls && !ca.p)
        *f = c->tls_fault;
    return up->tls ? 0 : f->code;
}

static int take_credential(struct endpoint *up, struct nk_str credential, const char *prefix,
                           const char *header, struct nk_fault *f)
{
    if (!credential.p)
        return 0;
    struct nk_str parts[] = {nk_str(prefix), credential};
    up->auth_name = nk_str(header);
    up->auth_value = nk_arena_join(&up->config->arena, parts, 2);
    if (!up->auth_value.p)
        return nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for a credential");
    for (size_t i = 0; i < up->auth_value.n; i++)
        if (up->auth_value.p[i] < 0x20 || up->auth_value.p[i] > 0x7e)
            return nk_fault_set(f, NK_EINVAL, "courier", i,
                                "a credential has a byte that no header may have");
    return 0;
}

static int make_endpoints(struct upstream *to, size_t n, struct nk_fault *f)
{
    to->endpoints = nk_arena_array(&to->config->arena, n, sizeof *to->endpoints);
    if (!to->endpoints)
        return nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for the configuration");
    for (size_t j = 0; j < n; j++)
        to->endpoints[j] =
            (struct endpoint){.config = to->config, .of = to, .number = (uint32_t)j, .weight = 1};
    to->endpoint_count = n;
    return 0;
}

static int place_endpoint(struct endpoint *up, struct nk_str url, struct nk_str ca,
                          struct nk_fault *f)
{
    int rc = nk_origin_parse(url, &up->config->arena, &up->origin, f);
    up->refresh_at = up->origin.literal ? INT64_MAX : 0;
    return rc ? rc : choose_tls(up, ca, f);
}

/* Without TLS there is nothing to choose by: HTTP/2 only where it is known to be spoken. */
static enum mux_use use_of(struct nk_str http2, bool tls)
{
    if (nk_str_eq(http2, NK_STR("on")))
        return MUX_ON;
    return tls && nk_str_eq(http2, NK_STR("auto")) ? MUX_AUTO : MUX_OFF;
}

static int build_endpoint(struct upstream *to, size_t i, size_t j, const struct nk_dialect *d,
                          struct nk_fault *f)
{
    const struct courier_config *g = to->config;
    struct nk_config_endpoint from = nk_config_endpoint(&g->config.upstreams[i], j);
    struct endpoint *up = &to->endpoints[j];
    up->weight = from.weight;
    up->pool_max = (size_t)g->config.upstreams[i].pool;
    int rc = place_endpoint(up, from.url, blob(g, "ca", i, j), f);
    up->http2 = use_of(g->config.upstreams[i].http2, up->origin.tls);
    return rc ? rc
              : take_credential(up, blob(g, "credential", i, j), d->credential_prefix,
                                d->credential_header, f);
}

static int build_upstream(struct courier_config *g, size_t i, struct nk_fault *f)
{
    const struct nk_config_upstream *from = &g->config.upstreams[i];
    struct upstream *to = &g->upstreams[i];
    *to = (struct upstream){.config = g,
                            .stats = nk_stats_up_find(&g->c->stats, from->name),
                            .connect_us = from->connect_timeout * 1000,
                            .first_byte_us = from->first_byte_timeout * 1000,
                            .idle_us = from->idle_timeout * 1000,
                            .total_us = from->timeout * 1000,
                            .in_flight_max = (size_t)from->max_in_flight,
                            .retry_on = from->retry_on_status,
                            .keeps = nk_config_endpoint_count(from) > 1 && from->retries &&
                                     !nk_str_eq(from->retry_on_status, NK_STR("none")),
                            .retries = (uint32_t)from->retries,
                            .budget = INT64_MAX,
                            .budget_step = from->retry_budget,
                            .failures = (uint32_t)from->health.failures,
                            .eject_us = from->health.eject * 1000,
                            .eject_max_us = from->health.eject_max * 1000};
    const struct nk_dialect *d = nk_dialect_by_name(from->dialect);
    if (!d)
        return nk_fault_set(f, NK_ENOTFOUND, "courier", 0, "upstreams[%zu]: unknown dialect", i);
    int rc = make_endpoints(to, nk_config_endpoint_count(from), f);
    for (size_t j = 0; !rc && j < to->endpoint_count; j++)
        rc = build_endpoint(to, i, j, d, f);
    return rc;
}

static int build_key_set(struct courier_config *g, size_t i, struct nk_fault *f)
{
    struct nk_str url = g->config.issuers[i].jwks;
    struct upstream *to = &g->key_sets[i];
    *to = (struct upstream){.config = g,
                            .stats = COURIER_NO_ROW,
                            .connect_us = fetch_connect_us,
                            .first_byte_us = fetch_answer_us,
                            .idle_us = fetch_answer_us,
                            .total_us = fetch_all_us};
    if (nk_str_starts(url, NK_STR("file:")))
        return 0;
    int rc = make_endpoints(to, 1, f);
    if (rc)
        return rc;
    rc = place_endpoint(to->endpoints, url, (struct nk_str){NULL, 0}, f);
    to->endpoints->public_only = to->endpoints->origin.tls;
    return rc;
}

static int build(struct courier_config *g, struct nk_fault *f)
{
    int rc = nk_config_parse(nk_bundle_get(&g->bundle, NK_STR("config")), &g->arena, &g->config, f);
    if (rc)
        return rc;
    g->hosts = nk_bundle_get(&g->bundle, NK_STR("hosts"));
    g->upstreams = nk_arena_array(&g->arena, g->config.upstream_count, sizeof *g->upstreams);
    g->key_sets = nk_arena_array(&g->arena, g->config.issuer_count, sizeof *g->key_sets);
    if (!g->upstreams || !g->key_sets)
        return nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for the configuration");
    for (size_t i = 0; !rc && i < g->config.upstream_count; i++)
        rc = build_upstream(g, i, f);
    for (size_t i = 0; !rc && i < g->config.issuer_count; i++)
        rc = build_key_set(g, i, f);
    return rc;
}

struct courier_config *courier_config_new(struct courier *c, uint32_t generation, int bundle,
                                          struct nk_fault *f)
{
    struct courier_config *g = calloc(1, sizeof *g);
    if (!g) {
        (void)nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for the configuration");
        return NULL;
    }
    g->c = c;
    g->refs = 1;
    g->generation = generation;
    nk_arena_init(&g->arena, ARENA_MAX);
    int rc = 0;
    if (bundle >= 0)
        rc = nk_bundle_open(bundle, &g->arena, &g->bundle, f);
    else
        g->bundle = c->start->bundle; /* moved: the first generation's */
    if (bundle < 0)
        c->start->bundle = (struct nk_bundle){0};
    if (!rc)
        rc = build(g, f);
    if (!rc)
        return g;
    config_free(g);
    return NULL;
}

size_t courier_close_pools(struct courier_config *g)
{
    size_t n = 0;
    for (size_t i = 0; i < g->config.upstream_count; i++)
        for (size_t j = 0; j < g->upstreams[i].endpoint_count; j++)
            n += link_close_pool(&g->upstreams[i].endpoints[j]);
    return n;
}

bool courier_free_descriptors(struct courier *c)
{
    return courier_close_pools(c->current) > 0;
}
