/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_config.c - one generation of the configuration as the courier needs it. It lives until
 * the last call that was made under it is over; credentials are overwritten then.
 */
#include "role/courier.h"

#include <stdio.h>
#include <stdlib.h>
#include "edge/log.h"
#include "proto/proto.h"
#include "role/courier_token.h"
#include "role/reach.h"

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
    if (up->proxy_auth.n)
        nk_secret_wipe((void *)(uintptr_t)up->proxy_auth.p, up->proxy_auth.n);
}

static void drop_upstreams(struct upstream *list, size_t n)
{
    for (size_t i = 0; list && i < n; i++)
        for (size_t j = 0; j < list[i].endpoint_count; j++)
            drop_endpoint(&list[i].endpoints[j]);
    for (size_t i = 0; list && i < n; i++) {
        if (list[i].tokens)
            drop_upstreams(courier_tokens_server(list[i].tokens), 1);
        courier_tokens_free(list[i].tokens);
    }
}

static void config_free(struct courier_config *g)
{
    drop_upstreams(g->upstreams, g->config.upstream_count);
    drop_upstreams(g->key_sets, g->config.issuer_count);
    drop_upstreams(&g->collector, 1);
    for (size_t i = 0; g->collector_headers && i < g->config.telemetry.header_count; i++)
        nk_secret_wipe((void *)(uintptr_t)g->collector_headers[i].p, g->collector_headers[i].n);
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

/* Key sets are fetched with what the system trusts, and so is a collector without authorities. */
static int system_tls(struct endpoint *up, struct nk_fault *f)
{
    struct courier *c = up->config->c;
    up->tls = up->origin.tls ? c->system_tls : NULL;
    if (up->origin.tls && !up->tls)
        *f = c->tls_fault;
    return up->origin.tls && !up->tls ? f->code : 0;
}

/* All couriers have the same certificates, and so have all endpoints: the first tells. */
static void warn(const struct endpoint *up, size_t i)
{
    char text[128];
    struct nk_tls_facts facts;
    struct courier *c = up->config->c;
    if (c->start->slot != 0 || up->number != 0 || nk_tls_count(up->tls) == 0)
        return;
    nk_tls_facts(up->tls, 0, &facts);
    if (nk_tls_warning(&facts, nk_loop_unix_ms(c->loop), text))
        nk_log(NK_LOG_WARNING, "tls.certificate", "upstreams[%zu].client_certificate: %s", i, text);
}

/* The system's list of authorities can be read no more: without it an upstream must have its own. */
static int endpoint_tls(struct endpoint *up, size_t i, struct nk_fault *f)
{
    const struct courier_config *g = up->config;
    const struct nk_config_upstream *from = &g->config.upstreams[i];
    if (!up->origin.tls)
        return 0;
    if (!g->c->system_tls && !nk_config_endpoint(from, up->number).ca.p)
        return system_tls(up, f);
    if (from->tls_server_name.p) {
        struct nk_str name = nk_arena_copy(&up->config->arena, from->tls_server_name);
        if (!name.p)
            return nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for a name");
        up->server_name = name.p;
    }
    int rc = reach_tls(&g->bundle, &g->config, i, up->number, g->c->system_tls, &up->tls, f);
    if (!rc)
        warn(up, i);
    return rc;
}

static int take_proxy_credential(struct endpoint *up, struct nk_str credential, struct nk_fault *f)
{
    struct nk_buf b;
    if (!credential.p)
        return 0;
    if (nk_str_find(credential, ':') < 0)
        return nk_fault_set(f, NK_EINVAL, "courier", 0, "proxy_credential: not USER:PASSWORD");
    nk_buf_init(&b, 2 * credential.n + 16);
    nk_buf_add(&b, NK_STR("Basic "));
    nk_base64_encode(credential, &b);
    if (!b.error)
        up->proxy_auth = nk_arena_copy(&up->config->arena, nk_buf_str(&b));
    if (b.n)
        nk_secret_wipe(b.p, b.n);
    nk_buf_free(&b);
    return up->proxy_auth.p
               ? 0
               : nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for a credential");
}

/* Where connections for `url` go. Proxies stand inside, so theirs may be private addresses. */
static int place(struct endpoint *up, struct nk_str url, struct nk_str own_proxy,
                 struct nk_str credential, struct nk_fault *f)
{
    struct nk_str proxy = reach_proxy(&up->config->config, url, own_proxy);
    int rc = nk_origin_parse(url, &up->config->arena, &up->origin, f);
    up->hop = up->origin;
    up->refresh_at = up->hop.literal ? INT64_MAX : 0;
    up->server_name = up->origin.host;
    up->is_proxied = proxy.p != NULL;
    up->ask = (struct egress_ask){.hop = &up->origin, .target = &up->origin};
    if (rc || !up->is_proxied)
        return rc;
    up->ask.hop = &up->hop;
    up->ask.is_private = true;
    rc = nk_origin_parse(proxy, &up->config->arena, &up->hop, f);
    up->refresh_at = up->hop.literal ? INT64_MAX : 0;
    return rc ? rc : take_proxy_credential(up, credential, f);
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

/* Without TLS there is nothing to choose by: HTTP/2 only where it is known to be spoken. */
static enum mux_use use_of(struct nk_str http2, bool tls)
{
    if (nk_str_eq(http2, NK_STR("on")))
        return MUX_ON;
    return tls && nk_str_eq(http2, NK_STR("auto")) ? MUX_AUTO : MUX_OFF;
}

/* Of the upstream's own proxy, or else the common one's. */
static struct nk_str proxy_credential(const struct courier_config *g, size_t i)
{
    char name[32];
    snprintf(name, sizeof name, "proxy/%zu", i);
    struct nk_str own = nk_bundle_get(&g->bundle, nk_str(name));
    return own.p || g->config.upstreams[i].proxy.p ? own
                                                   : nk_bundle_get(&g->bundle, NK_STR("proxy"));
}

static int build_endpoint(struct upstream *to, size_t i, size_t j, const struct nk_dialect *d,
                          struct nk_fault *f)
{
    const struct courier_config *g = to->config;
    const struct nk_config_upstream *u = &g->config.upstreams[i];
    struct nk_config_endpoint from = nk_config_endpoint(u, j);
    struct endpoint *up = &to->endpoints[j];
    int rc = place(up, from.url, u->proxy, proxy_credential(g, i), f);
    up->ask.is_private |= u->is_private;
    up->weight = from.weight;
    up->pool_max = (size_t)u->pool;
    up->http2 = use_of(u->http2, up->origin.tls);
    if (!rc)
        rc = endpoint_tls(up, i, f);
    return rc ? rc
              : take_credential(up, reach_blob(&g->bundle, "credential", i, j),
                                d->credential_prefix, d->credential_header, f);
}

/* What is asked once for a document: a key set, a token. */
static int build_source(struct courier_config *g, struct upstream *to, struct nk_str url,
                        struct nk_fault *f)
{
    struct nk_str none = {NULL, 0};
    *to = (struct upstream){.config = g,
                            .name = url,
                            .stats = COURIER_NO_ROW,
                            .connect_us = fetch_connect_us,
                            .first_byte_us = fetch_answer_us,
                            .idle_us = fetch_answer_us,
                            .total_us = fetch_all_us};
    if (nk_str_starts(url, NK_STR("file:")))
        return 0;
    int rc = make_endpoints(to, 1, f);
    struct endpoint *up = to->endpoints;
    if (!rc)
        rc = place(up, url, none, nk_bundle_get(&g->bundle, NK_STR("proxy")), f);
    if (rc)
        return rc;
    up->ask.is_private = true; /* of what a name leads to, public_only decides */
    return system_tls(up, f);
}

/* Authorization servers often stand inside, like the tools they guard. */
static int build_tokens(struct courier_config *g, size_t i, struct nk_fault *f)
{
    const struct nk_config_oauth *o = &g->config.upstreams[i].oauth;
    struct courier_tokens *t =
        courier_tokens_new(&g->arena, o, reach_blob(&g->bundle, "oauth", i, 0), f);
    g->upstreams[i].tokens = t;
    return t ? build_source(g, courier_tokens_server(t), o->token_url, f) : f->code;
}

static int build_upstream(struct courier_config *g, size_t i, struct nk_fault *f)
{
    const struct nk_config_upstream *from = &g->config.upstreams[i];
    struct upstream *to = &g->upstreams[i];
    *to = (struct upstream){.config = g,
                            .name = from->name,
                            .stats = nk_stats_up_find(&g->c->stats, from->name),
                            .connect_us = from->connect_timeout * 1000,
                            .first_byte_us = from->first_byte_timeout * 1000,
                            .idle_us = from->idle_timeout * 1000,
                            .total_us = from->timeout * 1000,
                            .token_audience = from->token_audience,
                            .token_header = from->token_header,
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
    return rc || !from->oauth.token_url.p ? rc : build_tokens(g, i, f);
}

static int build_key_set(struct courier_config *g, size_t i, struct nk_fault *f)
{
    struct upstream *to = &g->key_sets[i];
    int rc = build_source(g, to, g->config.issuers[i].jwks, f);
    if (!rc && to->endpoint_count)
        to->endpoints->public_only = to->endpoints->origin.tls && !to->endpoints->is_proxied;
    return rc;
}

/* "Bearer <token>", or the value alone. */
static int build_header(struct courier_config *g, size_t i, struct nk_fault *f)
{
    struct nk_str prefix = g->config.telemetry.headers[i].prefix;
    struct nk_str parts[] = {prefix, prefix.n ? NK_STR(" ") : NK_STR(""),
                             reach_blob(&g->bundle, "telemetry", i, 0)};
    g->collector_headers[i] = nk_arena_join(&g->arena, parts, NK_COUNT(parts));
    return g->collector_headers[i].p
               ? 0
               : nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for a header");
}

static int build_collector(struct courier_config *g, struct nk_fault *f)
{
    const struct nk_config_telemetry *t = &g->config.telemetry;
    struct nk_str none = {NULL, 0};
    struct upstream *to = &g->collector;
    *to = (struct upstream){.config = g,
                            .name = t->endpoint,
                            .stats = COURIER_NO_ROW,
                            .connect_us = fetch_connect_us,
                            .first_byte_us = fetch_answer_us,
                            .idle_us = fetch_answer_us,
                            .total_us = fetch_all_us};
    g->collector_headers = nk_arena_array(&g->arena, t->header_count + 1, sizeof(struct nk_str));
    if (!g->collector_headers)
        return nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for the configuration");
    int rc = 0;
    for (size_t i = 0; !rc && i < t->header_count; i++)
        rc = build_header(g, i, f);
    if (rc || !t->endpoint.p)
        return rc;
    rc = make_endpoints(to, 1, f);
    struct endpoint *up = to->endpoints;
    if (!rc)
        rc = place(up, t->endpoint, none, nk_bundle_get(&g->bundle, NK_STR("proxy")), f);
    if (rc)
        return rc;
    up->pool_max = 1;
    up->ask.is_private = true; /* collectors stand inside more often than not */
    if (!up->origin.tls)
        return 0;
    return t->ca.p ? reach_collector(&g->bundle, NULL, &up->tls, f) : system_tls(up, f);
}

static int build(struct courier_config *g, struct nk_fault *f)
{
    int rc = nk_config_parse(nk_bundle_get(&g->bundle, NK_STR("config")), &g->arena, &g->config, f);
    if (rc)
        return rc;
    rc = egress_new(&g->config, &g->arena, &g->egress, f);
    if (rc)
        return rc;
    g->hosts = nk_bundle_get(&g->bundle, NK_STR("hosts"));
    struct nk_str token = nk_bundle_get(&g->bundle, NK_STR("token/key"));
    if (token.p && nk_token_key_read(token, &g->arena, &g->token))
        return nk_fault_set(f, NK_EINVAL, "courier", 0, "identity.tool_tokens.key is no key");
    g->upstreams = nk_arena_array(&g->arena, g->config.upstream_count, sizeof *g->upstreams);
    g->key_sets = nk_arena_array(&g->arena, g->config.issuer_count, sizeof *g->key_sets);
    if (!g->upstreams || !g->key_sets)
        return nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for the configuration");
    for (size_t i = 0; !rc && i < g->config.upstream_count; i++)
        rc = build_upstream(g, i, f);
    for (size_t i = 0; !rc && i < g->config.issuer_count; i++)
        rc = build_key_set(g, i, f);
    return rc ? rc : build_collector(g, f);
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
