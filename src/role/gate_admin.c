/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_admin.c - the operators' listener: /metrics (Prometheus text), /healthz (this process
 * serves) and /readyz (requests would be served now: policies are loaded, records can be written,
 * no role is down).
 */
#include "role/gate.h"

enum { METRICS_MAX = 1 << 20 };

static void text(struct gate_stream *s, int status, struct nk_str body)
{
    gate_reply_whole(s, status, NK_STR("text/plain; charset=utf-8"), body);
}

static void metrics(struct gate_stream *s)
{
    struct nk_buf b;
    nk_buf_init(&b, METRICS_MAX);
    nk_stats_render(&s->conn->gate->stats, &b);
    gate_tls_render(s->conn->gate, &b);
    if (b.error)
        text(s, 500, NK_STR("out of memory\n"));
    else
        gate_reply_whole(s, 200, NK_STR("text/plain; version=0.0.4; charset=utf-8"),
                         nk_buf_str(&b));
    nk_buf_free(&b);
}

static void ready(struct gate_stream *s)
{
    struct gate *g = s->conn->gate;
    if (g->draining)
        text(s, 503, NK_STR("draining\n"));
    else if (nk_cedar_policies_count(g->setup->policies) == 0)
        text(s, 503, NK_STR("no policy is loaded: everything is refused\n"));
    else if (gate_audit_full(g) || nk_stats_total(&g->stats, NK_STAT_AUDIT_FAILED))
        text(s, 503, NK_STR("the audit log takes no records\n"));
    else if (nk_stats_total(&g->stats, NK_STAT_DEGRADED) ||
             nk_stats_total(&g->stats, NK_STAT_ROLES_DOWN))
        text(s, 503, NK_STR("a role is down\n"));
    else
        text(s, 200, NK_STR("ready\n"));
}

void gate_admin_answer(struct gate_stream *s, const struct nk_http_head *head)
{
    struct nk_str path = nk_http_path(head);
    /* HEAD is answered as GET, less the body (RFC 9110, section 9.3.2). */
    s->req->asks_head = nk_str_eq(head->method, NK_STR("HEAD"));
    if (!s->req->asks_head && !nk_str_eq(head->method, NK_STR("GET")))
        text(s, 405, NK_STR("only GET and HEAD\n"));
    else if (nk_str_eq(path, NK_STR("/metrics")))
        metrics(s);
    else if (nk_str_eq(path, NK_STR("/healthz")))
        text(s, 200, NK_STR("ok\n"));
    else if (nk_str_eq(path, NK_STR("/readyz")))
        ready(s);
    else
        text(s, 404, NK_STR("try /metrics, /healthz or /readyz\n"));
}
