/* SPDX-License-Identifier: Apache-2.0
 *
 * anthropic.c - the dialect of the Anthropic API: its operations, what tells it from others, which
 * headers go on, the form of a refusal and of lists of models (docs.anthropic.com/en/api).
 * Requests are read in anthropic_call.c, answers in anthropic_reply.c.
 */
#include "proto/dialect.h"
#include "proto/anthropic.h"

static const struct nk_endpoint endpoints[] = {
    [NK_ANTHROPIC_MESSAGES] = {"messages", "POST", "/v1/messages", "InvokeModel", NK_LOCAL_NOT,
                               NULL},
    [NK_ANTHROPIC_COUNT] = {"messages.count_tokens", "POST", "/v1/messages/count_tokens",
                            "CountTokens", NK_LOCAL_NOT, NULL},
    [NK_ANTHROPIC_MODELS] = {"models.list", "GET", "/v1/models", "ListModels", NK_LOCAL_MODELS,
                             NULL},
    [NK_ANTHROPIC_MODEL] = {"models.get", "GET", "/v1/models/*", "ListModels", NK_LOCAL_MODELS,
                            NULL},
};

enum nk_anthropic_kind nk_anthropic_kind(const struct nk_call *call)
{
    return (enum nk_anthropic_kind)(call->endpoint - endpoints);
}

/* The version header is required by the API; x-api-key is how its clients prove themselves. */
static bool claims(const struct nk_http_head *h)
{
    struct nk_str path = nk_http_path(h);
    return nk_http_get(h, NK_STR("anthropic-version")).p || nk_http_get(h, NK_STR("x-api-key")).p ||
           nk_str_eq(path, NK_STR("/v1/messages")) || nk_str_starts(path, NK_STR("/v1/messages/"));
}

/* See openai.c for what is left out and why. anthropic-beta goes on: what it switches on shows in
 * the body (tools, mcp_servers), which is read and decided about. */
static bool forwards(struct nk_str name)
{
    static const char *const names[] = {"content-type",   "accept",          "user-agent",
                                        "anthropic-beta", "idempotency-key", "anthropic-version",
                                        "traceparent",    "tracestate"};
    return nk_dialect_allows(names, NK_COUNT(names), name);
}

static const char *error_type(int status)
{
    switch (status) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 413:
        return "request_too_large";
    case 429:
        return "rate_limit_error";
    case 503:
    case 529:
        return "overloaded_error";
    case 504:
        return "timeout_error";
    default:
        return status >= 500 ? "api_error" : "invalid_request_error";
    }
}

/* The API has no member for a code; `code` is ours, beside the two that SDKs read. */
static void refuse(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"type\":\"error\",\"error\":{"));
    nk_json_put_member(out, NK_STR("type"), nk_str(error_type(r->status)));
    nk_json_put_member(out, NK_STR("message"), r->message);
    nk_json_put_member(out, NK_STR("code"), nk_str(r->code));
    if (r->data.p)
        nk_buf_printf(out, ",\"details\":{%.*s}", NK_FMT(r->data));
    nk_buf_add_char(out, '}');
    nk_json_put_member(out, NK_STR("request_id"), r->request);
    nk_buf_add_char(out, '}');
}

static void refuse_stream(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("event: error\ndata: "));
    refuse(r, out);
    nk_buf_add(out, NK_STR("\n\n"));
}

/* What the gate does not know of a model is null, or the epoch, as the API allows. */
static void put_model(struct nk_str id, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"type\":\"model\""));
    nk_json_put_member(out, NK_STR("id"), id);
    nk_json_put_member(out, NK_STR("display_name"), id);
    nk_buf_add(out, NK_STR(",\"created_at\":\"1970-01-01T00:00:00Z\",\"lifecycle\":\"active\","
                           "\"deprecated_at\":null,\"retires_at\":null,\"line\":null,"
                           "\"capabilities\":null,\"max_input_tokens\":null,"
                           "\"max_tokens\":null}"));
}

static void put_edge(const char *name, const struct nk_str *models, size_t n, size_t i,
                     struct nk_buf *out)
{
    nk_json_put_name(out, nk_str(name));
    if (n)
        nk_json_put_string(out, models[i]);
    else
        nk_buf_add(out, NK_STR("null"));
}

static void list_models(const struct nk_str *models, size_t n, bool one, struct nk_buf *out)
{
    if (one) {
        if (n)
            put_model(models[0], out);
        return;
    }
    nk_buf_add(out, NK_STR("{\"data\":["));
    for (size_t i = 0; i < n; i++) {
        if (i)
            nk_buf_add_char(out, ',');
        put_model(models[i], out);
    }
    nk_buf_add(out, NK_STR("],\"has_more\":false"));
    put_edge("first_id", models, n, 0, out);
    put_edge("last_id", models, n, n - 1, out);
    nk_buf_add_char(out, '}');
}

static struct nk_stream *stream_new(const struct nk_call *call, struct nk_arena *a)
{
    (void)call;
    struct nk_stream *s = nk_stream_make(a, nk_anthropic_read, nk_anthropic_stream_edit);
    if (s)
        s->input = s->cache_written = s->cache_read = -1;
    return s;
}

const struct nk_dialect nk_dialect_anthropic = {
    .name = "anthropic",
    .endpoints = endpoints,
    .endpoint_count = NK_COUNT(endpoints),
    .claims = claims,
    .credential = nk_dialect_credential,
    .credential_header = "x-api-key",
    .credential_prefix = "",
    .forwards = forwards,
    .parse_call = nk_anthropic_parse_call,
    .parse_reply = nk_anthropic_parse_reply,
    .stream_new = stream_new,
    .edit_reply = nk_anthropic_edit_reply,
    .stream_event = nk_stream_event,
    .stream_edit = nk_stream_edit,
    .stream_end = nk_stream_end,
    .refuse = refuse,
    .refuse_stream = refuse_stream,
    .list_models = list_models,
};
