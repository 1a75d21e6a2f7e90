/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_tls.c - what TLS brings to the gate: contexts from the bundle, the name that a client has
 * proven, what is said about certificates that end soon, and about clients that are refused.
 */
#include <stdio.h>
#include <string.h>
#include "edge/log.h"
#include "role/gate.h"

enum { SECOND_US = 1000000, LINES_A_SECOND = 10 };

static struct nk_str blob(const struct nk_bundle *b, size_t i, const char *rest)
{
    char name[80];
    snprintf(name, sizeof name, "tls/%zu/%s", i, rest);
    return nk_bundle_get(b, nk_str(name));
}

static struct nk_str part(const struct nk_bundle *b, size_t i, size_t j, const char *what)
{
    char rest[40];
    snprintf(rest, sizeof rest, "%zu/%s", j, what);
    return blob(b, i, rest);
}

int gate_tls_load(const struct nk_bundle *b, const struct nk_config *c, size_t i,
                  const struct nk_tls_tickets *tickets, struct nk_tls **out, struct nk_fault *f)
{
    const struct nk_config_listen *at = &c->listen[i];
    struct nk_tls_certificate certificates[NK_TLS_CERTIFICATES_MAX];
    struct nk_tls_listen l = {.certificates = certificates,
                              .only_13 = at->tls_only_13,
                              .client_ca = blob(b, i, "ca"),
                              .client_crl = blob(b, i, "crl"),
                              .client_optional = at->client_optional,
                              .tickets = tickets};
    struct nk_fault why = {0};
    size_t n = 0;
    for (struct nk_str cert = part(b, i, 0, "cert"); cert.p && n < NK_TLS_CERTIFICATES_MAX;
         cert = part(b, i, n, "cert")) {
        certificates[n] =
            (struct nk_tls_certificate){cert, part(b, i, n, "key"), part(b, i, n, "ocsp")};
        n++;
    }
    *out = NULL;
    l.certificate_count = n;
    if (n == 0)
        return 0;
    *out = nk_tls_listen(&l, &why);
    return *out ? 0 : nk_fault_set(f, why.code, "tls", 0, "listen[%zu]: %s", i, why.message);
}

int gate_tls_load_all(struct gate *g, const struct nk_bundle *b, const struct nk_config *c,
                      size_t n, struct nk_tls **tls, struct nk_fault *f)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++)
        rc = i < c->listen_count ? gate_tls_load(b, c, i, &g->start->tickets, &tls[i], f)
                                 : nk_fault_set(f, NK_EINVAL, "tls", 0, "listeners do not match");
    return rc;
}

void gate_tls_warn(const struct gate *g)
{
    char text[128];
    int64_t now_ms = nk_loop_unix_ms(g->loop);
    if (g->start->slot != 0) /* all gates have the same */
        return;
    for (size_t i = 0; i < g->listener_count; i++) {
        const struct nk_tls *t = g->listeners[i].tls;
        for (size_t j = 0; t && j < nk_tls_count(t); j++) {
            struct nk_tls_facts facts;
            nk_tls_facts(t, j, &facts);
            if (nk_tls_warning(&facts, now_ms, text))
                nk_log(NK_LOG_WARNING, "tls.certificate", "listen[%zu], certificate %zu: %s", i, j,
                       text);
        }
    }
}

/* A label's value: backslash, quote and line feed are escaped. */
static void put_label(const char *s, struct nk_buf *out)
{
    for (; *s; s++) {
        if (*s == '\\' || *s == '"')
            nk_buf_add_char(out, '\\');
        nk_buf_add_char(out, *s);
    }
}

void gate_tls_render(const struct gate *g, struct nk_buf *out)
{
    bool first = true;
    for (size_t i = 0; i < g->listener_count; i++) {
        const struct nk_tls *t = g->listeners[i].tls;
        for (size_t j = 0; t && j < nk_tls_count(t); j++, first = false) {
            struct nk_tls_facts facts;
            nk_tls_facts(t, j, &facts);
            if (first)
                nk_buf_printf(out, "# HELP nakoso_certificate_not_after_seconds End of a "
                                   "listener's certificate, Unix time\n"
                                   "# TYPE nakoso_certificate_not_after_seconds gauge\n");
            nk_buf_printf(out,
                          "nakoso_certificate_not_after_seconds{listen=\"%zu\",certificate=\"%zu\""
                          ",name=\"",
                          i, j);
            put_label(facts.name, out);
            nk_buf_printf(out, "\"} %lld\n", (long long)(facts.until_ms / 1000));
        }
    }
}

const struct nk_ident_certificate *gate_tls_peer(struct gate_conn *c,
                                                 struct nk_ident_certificate *room)
{
    const struct nk_tls_peer *p = nk_sock_peer(&c->sock);
    if (nk_sock_is_shaken(&c->sock))
        nk_stats_add(&c->gate->stats,
                     nk_sock_is_resumed(&c->sock) ? NK_STAT_TLS_RESUMED : NK_STAT_TLS_FULL, 1);
    if (!p)
        return NULL;
    *room =
        (struct nk_ident_certificate){.name = p->name, .kind = p->kind, .until_ms = p->until_ms};
    memcpy(room->sha256.b, p->sha256, sizeof room->sha256.b);
    return room;
}

/* Anybody can be refused as often as he likes, so not each time is worth a line. */
void gate_tls_refused(struct gate *g, const struct nk_fault *why)
{
    int64_t now = nk_loop_now(g->loop);
    nk_stats_add(&g->stats, NK_STAT_TLS_REFUSED, 1);
    if (now - g->refused_since_us >= SECOND_US) {
        g->refused_since_us = now;
        g->refused_lines = 0;
    }
    if (g->refused_lines++ < LINES_A_SECOND)
        nk_log(NK_LOG_WARNING, "tls.refused", "a client's TLS: %s", why->message);
}
