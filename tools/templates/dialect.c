/* SPDX-License-Identifier: Apache-2.0
 *
 * @NAME@.c - the dialect @NAME@: its operations, where its credential is, which headers go on, how
 * it says no. Name the specification here.
 */
#include "proto/dialect.h"

static const struct nk_endpoint endpoints[] = {
    {"invoke", "POST", "/@NAME@/invoke", "InvokeModel", NK_LOCAL_NOT, NULL},
};

static bool claims(const struct nk_http_head *h)
{
    (void)h;
    return false;
}

static bool forwards(struct nk_str name)
{
    static const char *const names[] = {"content-type", "traceparent"};
    return nk_dialect_allows(names, NK_COUNT(names), name);
}

static int parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    (void)a;
    uint32_t model = nk_json_get(&call->body, 0, NK_STR("model"));
    if (nk_json_type(&call->body, model) != NK_JSON_STRING)
        return nk_fault_set(f, NK_EINVAL, "@NAME@", 0, "\"model\" has to be a string");
    call->model = nk_json_string(&call->body, model, a);
    call->model_at = model;
    return call->model.p ? 0 : NK_ENOMEM;
}

static int parse_reply(const struct nk_call *call, const struct nk_json *body, struct nk_arena *a,
                       struct nk_reply *out, struct nk_fault *f)
{
    (void)call, (void)body, (void)a, (void)f;
    *out = (struct nk_reply){.usage = {-1, -1}};
    return 0;
}

static struct nk_stream *stream_new(const struct nk_call *call, struct nk_arena *a)
{
    (void)call, (void)a;
    return NULL;
}

static int stream_event(struct nk_stream *s, const struct nk_sse_event *e,
                        const struct nk_json *data, enum nk_stream_verdict *verdict,
                        const struct nk_tool_use **calls, size_t *call_count, struct nk_fault *f)
{
    (void)s, (void)e, (void)data, (void)verdict, (void)calls, (void)call_count;
    return nk_fault_set(f, NK_EUNSUPPORTED, "@NAME@", 0, "streams are not supported");
}

static bool stream_end(const struct nk_stream *s, struct nk_reply *so_far)
{
    (void)s;
    *so_far = (struct nk_reply){.usage = {-1, -1}};
    return false;
}

static void refuse(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("code"), nk_str(r->code));
    nk_json_put_member(out, NK_STR("message"), r->message);
    nk_json_put_member(out, NK_STR("request"), r->request);
    nk_buf_add_char(out, '}');
}

static void list_models(const struct nk_str *models, size_t n, bool one, struct nk_buf *out)
{
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < n && !(one && i); i++) {
        nk_buf_add(out, i ? NK_STR(",") : NK_STR(""));
        nk_json_put_string(out, models[i]);
    }
    nk_buf_add_char(out, ']');
}

const struct nk_dialect nk_dialect_@NAME@ = {
    .name = "@NAME@",
    .endpoints = endpoints,
    .endpoint_count = NK_COUNT(endpoints),
    .claims = claims,
    .credential = nk_dialect_credential,
    .credential_header = "Authorization",
    .credential_prefix = "Bearer ",
    .forwards = forwards,
    .parse_call = parse_call,
    .parse_reply = parse_reply,
    .stream_new = stream_new,
    .stream_event = stream_event,
    .stream_end = stream_end,
    .refuse = refuse,
    .refuse_stream = refuse,
    .list_models = list_models,
};
