/* SPDX-License-Identifier: Apache-2.0
 *
 * match.c - the first stage: which dialect and operation the head asks for. What no dialect
 * declares is refused and recorded (default deny).
 */
#include "gate/hook.h"
#include "gate/agent.h"
#include "gate/document.h"
#include "gate/a2a.h"
#include "gate/mcp.h"

static bool is_media(const struct nk_dialect *d, struct nk_str type)
{
    struct nk_str rest = type;
    struct nk_str media = d->media ? nk_str(d->media) : NK_STR("application/json");
    struct nk_str given = nk_str_trim(nk_str_cut(&rest, ';'));
    return nk_str_eq_nocase(given, media) ||
           (d->media_too && nk_str_is_nocase(given, d->media_too));
}

static int check_body_headers(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    bool has_body = s->head->content_length > 0 || s->head->chunked;
    bool wants_body = nk_str_eq(nk_str(s->call.endpoint->method), NK_STR("POST"));
    if (!wants_body)
        return has_body ? gate_refuse(t, NK_REFUSAL_bad_request, "match",
                                      NK_STR("This operation takes no body."), NK_STR(""))
                        : 0;
    struct nk_str type = nk_http_get(s->head, NK_STR("content-type"));
    struct nk_str coding = nk_http_get(s->head, NK_STR("content-encoding"));
    if (!is_media(s->dialect, type) || (coding.n && !nk_str_eq_nocase(coding, NK_STR("identity"))))
        return gate_refuse(t, NK_REFUSAL_bad_media_type, "match", NK_STR(""), NK_STR(""));
    if (s->dialect->body_max && s->body.max > s->dialect->body_max)
        s->body.max = s->dialect->body_max;
    if (s->head->content_length > (int64_t)s->body.max)
        return gate_refuse(
            t, NK_REFUSAL_too_large, "match",
            nk_arena_printf(t->arena, "The limit is %zu bytes (limits.body_bytes).", s->body.max),
            NK_STR(""));
    return 0;
}

int gate_match(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    gate_trace(t);
    s->japanese = nk_str_starts(nk_http_get(s->head, NK_STR("accept-language")), NK_STR("ja"));
    int rc = gate_mcp_match(t);
    if (!rc && !s->call.endpoint)
        rc = gate_a2a_match(t);
    if (rc)
        return rc;
    if (!s->call.endpoint && !gate_document_match(t) && !gate_hook_match(t) && !gate_agent_match(t))
        s->call.endpoint = nk_proto_match(s->head, t->arena, &s->dialect, &s->segment);
    s->call.dialect = s->dialect;
    s->call.segment = s->segment;
    if (!s->call.endpoint)
        return gate_refuse(t, NK_REFUSAL_unknown_endpoint, "match",
                           nk_arena_printf(t->arena, "%.*s %.*s", NK_FMT(s->head->method),
                                           NK_FMT(nk_http_path(s->head))),
                           NK_STR(""));
    if (s->call.endpoint->local == NK_LOCAL_NOBODY)
        return gate_refuse(t, NK_REFUSAL_read_only, "match", NK_STR(""), NK_STR(""));
    s->driver = gate_driver_of(s->call.endpoint->local);
    return check_body_headers(t);
}
