/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_fetch.c - key sets of issuers that are fetched from a URL. The gate has no way out, so the
 * courier fetches; the gate reads the document. A fetch is due at the start, at each refresh
 * interval, soon after a failure, and when a token names a key that is not known (at most every ten
 * seconds for an issuer, so that made-up key ids cannot drive the courier).
 */
#include "role/gate.h"

#include <stdlib.h>
#include "edge/log.h"

enum { DOCUMENT_MAX = 256 << 10, TICK_US = 1000000, WANTED_US = 10000000, RETRY_US = 5000000 };

static bool is_fetched(const struct nk_config_issuer *i)
{
    return nk_str_starts(i->jwks, NK_STR("https://")) || nk_str_starts(i->jwks, NK_STR("http://"));
}

static void fetch(struct gate *g, uint32_t issuer)
{
    char bytes[4] = {(char)(issuer & 0xFF), (char)(issuer >> 8 & 0xFF), 0, 0};
    struct nk_ring_record rec = {.type = NK_WIRE_FETCH,
                                 .stream = issuer,
                                 .generation = g->setup->generation,
                                 .head_size = sizeof bytes,
                                 .payload = {bytes, sizeof bytes}};
    if (g->calls && nk_ring_put(g->calls, &rec) == 0)
        g->fetched_at_us[issuer] = nk_loop_now(g->loop);
    g->fetch_due_us[issuer] = nk_loop_now(g->loop) + RETRY_US;
}

/* A token named a key that is not known: fetch soon, unless that was done a moment ago. */
static void look_for_unknown_keys(struct gate *g)
{
    size_t issuer;
    int64_t now = nk_loop_now(g->loop);
    if (!nk_ident_wants_jwks(g->setup->ident, &issuer) || issuer >= g->fetch_count)
        return;
    if (g->fetched_at_us[issuer] + WANTED_US < now)
        g->fetch_due_us[issuer] = now;
}

static void tick(struct nk_timer *timer)
{
    struct gate *g = NK_OF(timer, struct gate, fetch_timer);
    look_for_unknown_keys(g);
    for (uint32_t i = 0; i < g->setup->config.issuer_count; i++)
        if (is_fetched(&g->setup->config.issuers[i]) && g->fetch_due_us[i] <= nk_loop_now(g->loop))
            fetch(g, i);
    if (nk_loop_arm(g->loop, &g->fetch_timer, TICK_US))
        nk_loop_stop(g->loop, 1);
}

int gate_fetch_start(struct gate *g)
{
    size_t n = g->setup->config.issuer_count;
    bool any = false;
    for (size_t i = 0; i < g->fetch_count; i++)
        nk_buf_free(&g->fetched[i]);
    free(g->fetched);
    free(g->fetch_due_us);
    free(g->fetched_at_us);
    g->fetch_count = n;
    g->fetch_due_us = calloc(n + 1, sizeof *g->fetch_due_us);
    g->fetched = calloc(n + 1, sizeof *g->fetched);
    g->fetched_at_us = calloc(n + 1, sizeof *g->fetched_at_us);
    if (!g->fetch_due_us || !g->fetched_at_us || !g->fetched)
        return NK_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        nk_buf_init(&g->fetched[i], DOCUMENT_MAX);
        any |= is_fetched(&g->setup->config.issuers[i]);
    }
    g->fetch_timer.fire = tick;
    return any ? nk_loop_arm(g->loop, &g->fetch_timer, 1) : 0;
}

static void document(struct gate *g, uint32_t issuer)
{
    const struct nk_config_issuer *c = &g->setup->config.issuers[issuer];
    struct nk_buf *b = &g->fetched[issuer];
    struct nk_fault f = {0};
    int rc = b->error ? b->error : nk_ident_set_jwks(g->setup->ident, issuer, nk_buf_str(b), &f);
    nk_stats_add(&g->stats, rc ? NK_STAT_JWKS_FAILED : NK_STAT_JWKS_OK, 1);
    if (rc)
        nk_log(NK_LOG_WARNING, "jwks.refused", "the key set of %.*s: %s", NK_FMT(c->issuer),
               f.message);
    else
        g->fetch_due_us[issuer] = nk_loop_now(g->loop) + c->jwks_refresh * 1000;
    nk_buf_free(b);
}

void gate_fetch_arrived(struct gate *g, const struct nk_ring_record *rec)
{
    uint32_t issuer = rec->stream;
    /* Another configuration's issuer of that number is another issuer. */
    if (rec->generation != g->setup->generation || issuer >= g->fetch_count ||
        !is_fetched(&g->setup->config.issuers[issuer]))
        return;
    struct nk_buf *b = &g->fetched[issuer];
    if (rec->type == NK_WIRE_FETCHED) {
        struct nk_reader in = nk_reader(nk_str_sub(rec->payload, 0, rec->head_size));
        (void)nk_read_u32le(&in);
        uint32_t status = nk_read_u32le(&in);
        nk_buf_clear(b);
        if (status != 200) {
            nk_stats_add(&g->stats, NK_STAT_JWKS_FAILED, 1);
            nk_log(NK_LOG_WARNING, "jwks.failed", "the key set of %.*s cannot be fetched: %.*s",
                   NK_FMT(g->setup->config.issuers[issuer].issuer),
                   NK_FMT(nk_str_sub(rec->payload, rec->head_size, rec->payload.n)));
            return;
        }
    }
    nk_buf_add(b, nk_str_sub(rec->payload, rec->head_size, rec->payload.n));
    if (rec->flags & NK_WIRE_END)
        document(g, issuer);
}
