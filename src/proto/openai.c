/* SPDX-License-Identifier: Apache-2.0
 *
 * openai.c - the dialect of the OpenAI API: its operations, where its credential is, which headers
 * go on, the form of a refusal and of lists of models (platform.openai.com/docs/api-reference).
 * Requests are read in openai_call.c, answers in openai_chat.c and openai_items.c.
 *
 * Of the API, only operations that keep nothing at the provider are here; files, batches, stored
 * responses, conversations and the rest have no endpoint and are refused.
 */
#include "proto/dialect.h"
#include "proto/openai.h"

static const struct nk_endpoint endpoints[] = {
    [NK_OPENAI_CHAT] = {"chat.completions", "POST", "/v1/chat/completions", "InvokeModel",
                        NK_LOCAL_NOT, NULL},
    [NK_OPENAI_RESPONSES] = {"responses", "POST", "/v1/responses", "InvokeModel", NK_LOCAL_NOT,
                             NULL},
    [NK_OPENAI_EMBEDDINGS] = {"embeddings", "POST", "/v1/embeddings", "Embed", NK_LOCAL_NOT, NULL},
    [NK_OPENAI_MODELS] = {"models.list", "GET", "/v1/models", "ListModels", NK_LOCAL_MODELS, NULL},
    [NK_OPENAI_MODEL] = {"models.get", "GET", "/v1/models/*", "ListModels", NK_LOCAL_MODELS, NULL},
};

enum nk_openai_kind nk_openai_kind(const struct nk_call *call)
{
    return (enum nk_openai_kind)(call->endpoint - endpoints);
}

/* The last dialect of proto.def takes what no other claims. */
static bool claims(const struct nk_http_head *h)
{
    (void)h;
    return true;
}

/* What the provider needs to answer the call, and what correlates logs. Left out on purpose:
 * Authorization, x-api-key and cookies (the client's proofs are ours alone), OpenAI-Organization
 * and OpenAI-Project (they choose who pays: that belongs to the courier's credential),
 * x-stainless-* (operating system, runtime and version of the machine behind the gateway: of no use
 * to the call), accept-encoding (the gate reads answers, so it asks for none) and whatever else a
 * client may think of. */
static bool forwards(struct nk_str name)
{
    static const char *const names[] = {"content-type", "accept",          "user-agent",
                                        "openai-beta",  "idempotency-key", "x-client-request-id",
                                        "traceparent",  "tracestate"};
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
    case 429:
        return "rate_limit_error";
    default:
        return status >= 500 ? "server_error" : "invalid_request_error";
    }
}

static void put_error(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("\"error\":{"));
    nk_json_put_member(out, NK_STR("message"), r->message);
    nk_json_put_member(out, NK_STR("type"), nk_str(error_type(r->status)));
    nk_buf_add(out, NK_STR(",\"param\":null"));
    nk_json_put_member(out, NK_STR("code"), nk_str(r->code));
    nk_buf_add_char(out, '}');
}

static void refuse(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    put_error(r, out);
    nk_json_put_member(out, NK_STR("request_id"), r->request);
    nk_buf_add_char(out, '}');
}

/* One event for both kinds of stream: the SDKs raise on a member "error", and readers of a
 * responses stream know the type "error" with its members at the top. No "[DONE]" follows, because
 * the answer is not complete. */
static void refuse_stream(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("event: error\ndata: {\"type\":\"error\""));
    nk_json_put_member(out, NK_STR("code"), nk_str(r->code));
    nk_json_put_member(out, NK_STR("message"), r->message);
    nk_buf_add(out, NK_STR(",\"param\":null,"));
    put_error(r, out);
    nk_json_put_member(out, NK_STR("request_id"), r->request);
    nk_buf_add(out, NK_STR("}\n\n"));
}

static void put_model(struct nk_str id, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("id"), id);
    nk_buf_add(out, NK_STR(",\"object\":\"model\",\"created\":0,\"owned_by\":\"nakoso\"}"));
}

static void list_models(const struct nk_str *models, size_t n, bool one, struct nk_buf *out)
{
    if (one) {
        if (n)
            put_model(models[0], out);
        return;
    }
    nk_buf_add(out, NK_STR("{\"object\":\"list\",\"data\":["));
    for (size_t i = 0; i < n; i++) {
        if (i)
            nk_buf_add_char(out, ',');
        put_model(models[i], out);
    }
    nk_buf_add(out, NK_STR("]}"));
}

static struct nk_stream *stream_new(const struct nk_call *call, struct nk_arena *a)
{
    if (nk_openai_kind(call) == NK_OPENAI_RESPONSES)
        return nk_stream_make(a, nk_openai_responses_read, nk_openai_items_stream_edit);
    return nk_stream_make(a, nk_openai_chat_read, nk_openai_chat_stream_edit);
}

const struct nk_dialect nk_dialect_openai = {
    .name = "openai",
    .endpoints = endpoints,
    .endpoint_count = NK_COUNT(endpoints),
    .claims = claims,
    .credential = nk_dialect_credential,
    .credential_header = "authorization",
    .credential_prefix = "Bearer ",
    .forwards = forwards,
    .parse_call = nk_openai_parse_call,
    .parse_reply = nk_openai_parse_reply,
    .stream_new = stream_new,
    .edit_call = nk_openai_edit_call,
    .edit_reply = nk_openai_edit_reply,
    .stream_event = nk_stream_event,
    .stream_edit = nk_stream_edit,
    .stream_end = nk_stream_end,
    .refuse = refuse,
    .refuse_stream = refuse_stream,
    .list_models = list_models,
};
