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
static const int64_t fetch_connect_us = 5000000, fetch_answer_us = 10000000;

static void drop_upstream(struct upstream *up)
{
    if (up->tls && up->tls != up->config->c->system_tls)
        nk_tls_free(up->tls);
    nk_tls_session_free(&up->session);
    if (up->auth_value.n)
        nk_secret_wipe((void *)(uintptr_t)up->auth_value.p, up->auth_value.n);
}

static void config_free(struct courier_config *g)
{
    for (size_t i = 0; g->upstreams && i < g->config.upstream_count; i++)
        drop_upstream(&g->upstreams[i]);
    for (size_t i = 0; g->key_sets && i < g->config.issuer_count; i++)
        drop_upstream(&g->key_sets[i]);
    if (g->collector.config)
        drop_upstream(&g->collector);
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

static struct nk_str blob(const struct courier_config *g, const char *kind, size_t i)
{
    char name[40];
    snprintf(name, sizeof name, "%s/%zu", kind, i);
    return nk_bundle_get(&g->bundle, nk_str(name));
}

static int choose_tls(struct upstream *up, struct nk_str ca, struct nk_fault *f)
{
    struct courier *c = up->config->c;
    if (!up->origin.tls)
        return 0;
    up->tls = ca.p ? nk_tls_client(ca, f) : c->system_tls;
    if (!up->tls && !ca.p)
        *f = c->tls_fault;
    return up->tls ? 0 : f->code;
}

static int take_credential(struct upstream *up, struct nk_str credential, const char *prefix,
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

static int build_upstream(struct courier_config *g, size_t i, struct nk_fault *f)
{
    const struct nk_config_upstream *from = &g->config.upstreams[i];
    struct upstream *up = &g->upstreams[i];
    *up = (struct upstream){.config = g,
                            .connect_us = from->connect_timeout * 1000,
                            .first_byte_us = from->first_byte_timeout * 1000,
                            .idle_us = from->idle_timeout * 1000,
                            .pool_max = (size_t)from->pool};
    const struct nk_dialect *d = nk_dialect_by_name(from->dialect);
    if (!d)
        return nk_fault_set(f, NK_ENOTFOUND, "courier", 0, "upstreams[%zu]: unknown dialect", i);
    int rc = nk_origin_parse(from->url, &g->arena, &up->origin, f);
    if (!rc)
        rc = choose_tls(up, blob(g, "ca", i), f);
    return rc ? rc
              : take_credential(up, blob(g, "credential", i), d->credential_prefix,
                                d->credential_header, f);
}

static int build_key_set(struct courier_config *g, size_t i, struct nk_fault *f)
{
    struct nk_str url = g->config.issuers[i].jwks;
    struct upstream *up = &g->key_sets[i];
    *up = (struct upstream){.config = g,
                            .connect_us = fetch_connect_us,
                            .first_byte_us = fetch_answer_us,
                            .idle_us = fetch_answer_us};
    if (nk_str_starts(url, NK_STR("file:")))
        return 0;
    int rc = nk_origin_parse(url, &g->arena, &up->origin, f);
    up->public_only = up->origin.tls;
    return rc ? rc : choose_tls(up, (struct nk_str){NULL, 0}, f);
}

/* "Bearer <token>", or the value alone. */
static int build_header(struct courier_config *g, size_t i, struct nk_fault *f)
{
    struct nk_str prefix = g->config.telemetry.headers[i].prefix;
    struct nk_str parts[] = {prefix, prefix.n ? NK_STR(" ") : NK_STR(""), blob(g, "telemetry", i)};
    g->collector_headers[i] = nk_arena_join(&g->arena, parts, NK_COUNT(parts));
    return g->collector_headers[i].p
               ? 0
               : nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for a header");
}

static int build_collector(struct courier_config *g, struct nk_fault *f)
{
    const struct nk_config_telemetry *t = &g->config.telemetry;
    struct upstream *up = &g->collector;
    *up = (struct upstream){.config = g,
                            .connect_us = fetch_connect_us,
                            .first_byte_us = fetch_answer_us,
                            .idle_us = fetch_answer_us,
                            .pool_max = 1};
    g->collector_headers = nk_arena_array(&g->arena, t->header_count + 1, sizeof(struct nk_str));
    if (!g->collector_headers)
        return nk_fault_set(f, NK_ENOMEM, "courier", 0, "no memory for the configuration");
    int rc = 0;
    for (size_t i = 0; !rc && i < t->header_count; i++)
        rc = build_header(g, i, f);
    if (rc || !t->endpoint.p)
        return rc;
    rc = nk_origin_parse(t->endpoint, &g->arena, &up->origin, f);
    return rc ? rc : choose_tls(up, nk_bundle_get(&g->bundle, NK_STR("telemetry/ca")), f);
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
    for (size_t i = 0; i < g->config.upstream_count; i++)
        g->upstreams[i].config = g;
    for (size_t i = 0; i < g->config.issuer_count; i++)
        g->key_sets[i].config = g;
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

static void found(void *owner, const struct nk_addresses *a, const char *why)
{
    struct upstream *up = owner;
    up->looking_up = false;
    up->addresses.count = 0;
    for (size_t i = 0; !why && i < a->count; i++)
        if (!up->public_only || !nk_origin_is_suspect(&a->at[i]))
            up->addresses.at[up->addresses.count++] = a->at[i];
    if (!why && !up->addresses.count)
        why = "the name has no address that a key set may come from";
    up->fresh_until = nk_loop_now(up->config->c->loop) + a->ttl_us;
    while (up->waiting) {
        struct exchange *x = up->waiting;
        up->waiting = x->next_waiting;
        x->next_waiting = NULL;
        x->address = 0;
        exchange_addressed(x, why);
    }
    courier_config_drop(up->config);
}

void courier_look_up(struct exchange *x)
{
    struct upstream *up = x->up;
    if (!nk_hosts_find(up->config->hosts, up->origin.host, up->origin.port, &up->addresses)) {
        up->fresh_until = nk_loop_now(x->c->loop) + up->addresses.ttl_us;
        x->address = 0;
        exchange_addressed(x, NULL);
        return;
    }
    x->next_waiting = up->waiting;
    up->waiting = x;
    if (up->looking_up)
        return;
    up->looking_up = true;
    up->config->refs++;
    nk_resolve(x->c->resolver, up->origin.host, up->origin.port, up, found);
}
