/* SPDX-License-Identifier: Apache-2.0
 *
 * forward.c - the vetted call, written anew: only the headers that the dialect lets pass, never a
 * credential, a cookie or anything hop-by-hop. The body goes on byte by byte; when the upstream
 * knows the model under another name, that one value is spliced.
 */
#include "gate/translate.h"

static int forward_headers(struct nk_txn *t, struct nk_http_head *out)
{
    struct nk_gate_state *s = t->state;
    struct nk_str connection = nk_http_get(s->head, NK_STR("connection"));
    out->headers = nk_arena_array(t->arena, s->head->header_count + 2 + GATE_TRANSLATE_HEADERS,
                                  sizeof *out->headers);
    if (!out->headers)
        return NK_ENOMEM;
    for (size_t i = 0; i < s->head->header_count; i++) {
        const struct nk_http_header *h = &s->head->headers[i];
        if (s->dialect->forwards(h->name) && !nk_http_is_hop_by_hop(h->name, connection) &&
            !nk_str_eq_nocase(h->name, NK_STR("accept-encoding")) &&
            gate_trace_forwards(t, h->name))
            out->headers[out->header_count++] = *h;
    }
    out->headers[out->header_count++] =
        (struct nk_http_header){NK_STR("accept-encoding"), NK_STR("identity")};
    struct nk_str trace = {NULL, 0};
    if (s->env.is_traced)
        trace = gate_trace_header(t);
    if (trace.p)
        out->headers[out->header_count++] = (struct nk_http_header){NK_STR("traceparent"), trace};
    return 0;
}

static int forward_body(struct nk_txn *t, struct nk_str *out)
{
    struct nk_gate_state *s = t->state;
    *out = nk_buf_str(&s->body);
    if (!s->model->upstream_name.p || s->call.model_at == NK_JSON_NONE)
        return 0;
    struct nk_buf name, whole;
    nk_buf_init(&name, 4096);
    nk_buf_init(&whole, s->body.max + 4096);
    nk_json_put_string(&name, s->model->upstream_name);
    const struct nk_json_value *at = &s->call.body.tape[s->call.model_at];
    struct nk_json_edit edit = {at->start, at->end, nk_buf_str(&name)};
    int rc = name.error ? name.error : nk_json_splice(*out, &edit, 1, &whole);
    if (!rc) {
        *out = nk_arena_copy(t->arena, nk_buf_str(&whole));
        rc = out->p ? 0 : NK_ENOMEM;
    }
    nk_buf_free(&name);
    nk_buf_free(&whole);
    return rc;
}

/* The operation's own path; of queries only the one that an official SDK sends (Anthropic's beta).
 */
static struct nk_str forward_target(const struct nk_gate_state *s)
{
    struct nk_str query = s->head->target;
    (void)nk_str_cut(&query, '?');
    return nk_str_eq(query, NK_STR("beta=true")) ? s->head->target : nk_str(s->call.endpoint->path);
}

int gate_forward(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    if (s->call.endpoint->local)
        return 0;
    struct nk_gate_call *c = &t->call;
    c->upstream = s->model->upstream;
    c->head = (struct nk_http_head){
        .method = s->head->method, .target = forward_target(s), .content_length = -1};
    int rc = forward_headers(t, &c->head);
    if (!rc && s->reading != &s->call)
        gate_translate_call(t);
    else if (!rc)
        rc = forward_body(t, &c->body);
    if (rc)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR(""));
    c->head.content_length = (int64_t)c->body.n;
    return 0;
}
