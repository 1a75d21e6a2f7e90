/* SPDX-License-Identifier: Apache-2.0
 *
 * forward.c - the vetted call, written anew: only the headers that the dialect lets pass, never a
 * credential, a cookie or anything hop-by-hop. The body goes on byte by byte but for single values that are
 * spliced: the model's name, where the upstream knows it under another one, addresses of remote servers, and results
 * of tools.
 */
#include "gate/hosted.h"
#include "gate/results.h"
#include "gate/translate.h"

#include <string.h>

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
    nk_http_add(out, NK_STR("accept-encoding"), NK_STR("identity"));
    struct nk_str trace = {NULL, 0};
    if (s->env.is_traced)
        trace = gate_trace_header(t);
    if (trace.p)
        nk_http_add(out, NK_STR("traceparent"), trace);
    return 0;
}

int gate_edit_add(struct nk_txn *t, uint32_t start, uint32_t end, struct nk_str with)
{
    struct nk_gate_state *s = t->state;
    if (!with.p)
        return NK_ENOMEM;
    if (s->edit_count == s->edit_cap) {
        size_t cap = s->edit_cap ? s->edit_cap * 2 : 8;
        struct nk_json_edit *more = nk_arena_array(t->scratch, cap, sizeof *more);
        if (!more)
            return NK_ENOMEM;
        if (s->edit_count)
            memcpy(more, s->edits, s->edit_count * sizeof *more);
        s->edits = more;
        s->edit_cap = cap;
    }
    size_t i = s->edit_count++;
    for (; i > 0 && s->edits[i - 1].start > start; i--)
        s->edits[i] = s->edits[i - 1];
    s->edits[i] = (struct nk_json_edit){start, end, with};
    return 0;
}

/* The name by which the upstream knows the model. */
static int rename_model(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    if (!s->model->upstream_name.p || s->call.model_at == NK_JSON_NONE)
        return 0;
    struct nk_buf name;
    nk_buf_init(&name, 4096);
    nk_json_put_string(&name, s->model->upstream_name);
    const struct nk_json_value *at = &s->call.body.tape[s->call.model_at];
    int rc = name.error ? name.error
                        : gate_edit_add(t, at->start, at->end,
                                        nk_arena_copy(t->scratch, nk_buf_str(&name)));
    nk_buf_free(&name);
    return rc;
}

/* Results of calls that were refused in the answer from which this request goes on. */
static int answer_refused(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_json_edit edits[NK_CALL_EDITS];
    struct nk_fault f = {0};
    size_t n = 0;
    int rc = s->dialect->edit_call ? s->dialect->edit_call(&s->call, t->scratch, edits, &n, &f) : 0;
    for (size_t i = 0; !rc && i < n; i++)
        rc = gate_edit_add(t, edits[i].start, edits[i].end, edits[i].with);
    if (rc == NK_EINVAL)
        return gate_refuse(t, NK_REFUSAL_bad_request, "forward",
                           nk_arena_copy(t->arena, nk_str(f.message)), NK_STR(""));
    return rc ? gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR("")) : 0;
}

static int forward_body(struct nk_txn *t, struct nk_str *out)
{
    struct nk_gate_state *s = t->state;
    *out = nk_buf_str(&s->body);
    int rc = rename_model(t);
    if (rc || !s->edit_count)
        return rc;
    struct nk_buf whole;
    size_t more = 4096;
    for (size_t i = 0; i < s->edit_count; i++)
        more += s->edits[i].with.n;
    nk_buf_init(&whole, s->body.max + more);
    rc = nk_json_splice(*out, s->edits, s->edit_count, &whole);
    if (!rc) {
        *out = nk_arena_copy(t->arena, nk_buf_str(&whole));
        rc = out->p ? 0 : NK_ENOMEM;
    }
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
    int rc = gate_hosted_rewrite(t);
    if (!rc && s->call.result_count)
        rc = gate_results_filter(t);
    if (!rc && s->call.goes_on)
        rc = answer_refused(t);
    if (rc)
        return rc;
    rc = forward_headers(t, &c->head);
    if (!rc)
        rc = forward_body(t, &c->body);
    if (!rc && s->edit_count && s->reading != &s->call)
        rc = gate_translate_edited(t, c->body);
    if (!rc && s->reading != &s->call)
        gate_translate_call(t);
    if (rc)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "forward", NK_STR(""), NK_STR(""));
    c->head.content_length = (int64_t)c->body.n;
    return 0;
}
