/* SPDX-License-Identifier: Apache-2.0
 *
 * bedrock.c - the dialect of Amazon Bedrock's runtime (docs.aws.amazon.com/bedrock/latest/APIReference, "Amazon Bedrock
 * Runtime"): its operations, where its credential is, the form of a refusal. No upstream speaks it: the gate
 * translates (gate/translate.h).
 *
 * The model stands in the path, percent-encoded, and may be an ARN. Clients raise the exception that the header
 * x-amzn-errortype names, and in a stream the one that the event names.
 */
#include "proto/bedrock.h"

#include "proto/dialect.h"
#include "proto/eventstream.h"
#include "proto/stream.h"

static const struct nk_endpoint endpoints[] = {
    [NK_BEDROCK_CONVERSE] = {"bedrock.Converse", "POST", "/model/*/converse", "InvokeModel",
                             NK_LOCAL_NOT, NULL},
    [NK_BEDROCK_CONVERSE_STREAM] = {"bedrock.ConverseStream", "POST", "/model/*/converse-stream",
                                    "InvokeModel", NK_LOCAL_NOT, NULL},
    [NK_BEDROCK_INVOKE] = {"bedrock.InvokeModel", "POST", "/model/*/invoke", "InvokeModel",
                           NK_LOCAL_NOT, NULL},
    [NK_BEDROCK_INVOKE_STREAM] = {"bedrock.InvokeModelWithResponseStream", "POST",
                                  "/model/*/invoke-with-response-stream", "InvokeModel",
                                  NK_LOCAL_NOT, NULL},
};

enum nk_bedrock_kind nk_bedrock_kind(const struct nk_call *call)
{
    return (enum nk_bedrock_kind)(call->endpoint - endpoints);
}

static bool claims(const struct nk_http_head *h)
{
    return nk_str_starts(nk_http_path(h), NK_STR("/model/"));
}

/* Converse is translated for each model that can be talked to; the other operations have a body of the model's own
 * family, and Anthropic's is the one that is known here. */
static bool speaks(const struct nk_call *call, const struct nk_dialect *upstream)
{
    return upstream == &nk_dialect_anthropic ||
           (upstream == &nk_dialect_openai && !nk_bedrock_is_invoke(nk_bedrock_kind(call)));
}

static bool forwards(struct nk_str name)
{
    static const char *const names[] = {"user-agent", "traceparent", "tracestate"};
    return nk_dialect_allows(names, NK_COUNT(names), name);
}

/* An exception of the API: its status, and its name in a stream; NULL: no stream has it. */
struct known {
    const char *name;
    int status;
    const char *event;
};

static const struct known validation = {"ValidationException", 400, "validationException"},
                          internal = {"InternalServerException", 500, "internalServerException"},
                          unavailable = {"ServiceUnavailableException", 503,
                                         "serviceUnavailableException"},
                          throttling = {"ThrottlingException", 429, "throttlingException"},
                          timeout = {"ModelTimeoutException", 408, "modelTimeoutException"},
                          not_found = {"ResourceNotFoundException", 404, NULL},
                          denied = {"AccessDeniedException", 403, NULL},
                          model = {"ModelErrorException", 424, "modelStreamErrorException"};

static const struct known *known_of(const struct nk_refusal *r)
{
    static const struct known unknown = {"UnknownOperationException", 404, NULL},
                              missing = {"MissingAuthenticationTokenException", 403, NULL},
                              unrecognized = {"UnrecognizedClientException", 403, NULL},
                              expired = {"ExpiredTokenException", 403, NULL};
    static const struct {
        const char *code;
        const struct known *as;
    } named[] = {{"unknown_endpoint", &unknown},    {"no_credential", &missing},
                 {"bad_credential", &unrecognized}, {"expired_credential", &expired},
                 {"unknown_model", &not_found},     {"too_busy", &throttling},
                 {"upstream_busy", &throttling},    {"bad_answer", &model},
                 {"upstream_failed", &model},       {"upstream_credential", &internal},
                 {"upstream_timeout", &timeout},    {"upstream_stalled", &timeout},
                 {"upstream_too_long", &timeout},   {"upstream_no_connection", &unavailable}};
    for (size_t i = 0; i < NK_COUNT(named); i++)
        if (nk_str_eq(nk_str(r->code), nk_str(named[i].code)))
            return named[i].as;
    if (r->status == 403)
        return &denied;
    return r->status == 503 ? &unavailable : r->status >= 500 ? &internal : &validation;
}

const char *nk_bedrock_error(int status, int *out)
{
    const struct known *k = status == 404                    ? &not_found
                            : status == 408 || status == 504 ? &timeout
                            : status == 429                  ? &throttling
                            : status == 503 || status == 529 ? &unavailable
                            : status >= 500                  ? &internal
                                                             : &validation;
    *out = k->status;
    return k->name;
}

static int status(const struct nk_refusal *r)
{
    return known_of(r)->status;
}

static struct nk_http_header name_refusal(const struct nk_refusal *r)
{
    return (struct nk_http_header){NK_STR("x-amzn-errortype"), nk_str(known_of(r)->name)};
}

void nk_bedrock_put_error(struct nk_str message, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("message"), message);
    nk_buf_add_char(out, '}');
}

static void refuse(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("message"), r->message);
    nk_json_put_member(out, NK_STR("code"), nk_str(r->code));
    nk_json_put_member(out, NK_STR("requestId"), r->request);
    nk_buf_add_char(out, '}');
}

static void refuse_stream(const struct nk_refusal *r, struct nk_buf *out)
{
    enum { BODY_MAX = 16 << 10 };
    const struct known *k = known_of(r);
    struct nk_buf body;
    nk_buf_init(&body, BODY_MAX);
    refuse(r, &body);
    if (body.error && !out->error)
        out->error = body.error;
    nk_eventstream_put_exception(nk_str(k->event ? k->event : validation.event), nk_buf_str(&body),
                                 out);
    nk_buf_free(&body);
}

const struct nk_dialect nk_dialect_bedrock = {
    .name = "bedrock",
    .media_too = "application/octet-stream", /* what clients say of InvokeModel's body */
    .signing_service = "bedrock",
    .request_header = "x-amzn-requestid",
    .endpoints = endpoints,
    .endpoint_count = NK_COUNT(endpoints),
    .claims = claims,
    .credential = nk_dialect_credential,
    .credential_header = "authorization",
    .credential_prefix = "Bearer ",
    .forwards = forwards,
    .parse_call = nk_bedrock_parse_call,
    .parse_reply = nk_dialect_no_reply,
    .stream_new = nk_dialect_no_stream,
    .stream_event = nk_stream_event,
    .stream_end = nk_stream_end,
    .speaks = speaks,
    .status = status,
    .name_refusal = name_refusal,
    .refuse = refuse,
    .refuse_stream = refuse_stream,
    .list_models = nk_dialect_no_models,
};
