/* SPDX-License-Identifier: Apache-2.0
 *
 * avp.c - the dialect of Amazon Verified Permissions: its operations, where its credential is, the form of a
 * refusal. All faults of the client are status 400, told apart by `__type` (AWS JSON 1.0 protocol); the
 * gateway's own id of the refusal stands beside it.
 */
#include "proto/avp.h"

#include "proto/dialect.h"
#include "proto/stream.h"

/* clang-format off */
#define AVP(id, name, action, who) [NK_AVP_##id] = {"avp." name, "POST", "/", action, NK_LOCAL_##who, "VerifiedPermissions." name},
/* clang-format on */

static const struct nk_endpoint endpoints[] = {
#include "proto/avp.def"
#undef AVP
};

bool nk_avp_is_batch(enum nk_avp_op op)
{
    return op == NK_AVP_BATCH_IS_AUTHORIZED || op == NK_AVP_BATCH_IS_AUTHORIZED_WITH_TOKEN;
}

bool nk_avp_has_token(enum nk_avp_op op)
{
    return op == NK_AVP_IS_AUTHORIZED_WITH_TOKEN || op == NK_AVP_BATCH_IS_AUTHORIZED_WITH_TOKEN;
}

/* Any other path is no operation of this API, whatever the header says. */
static bool claims(const struct nk_http_head *h)
{
    return nk_str_eq(h->target, NK_STR("/")) &&
           nk_str_starts(nk_http_get(h, NK_STR("x-amz-target")), NK_STR("VerifiedPermissions."));
}

/* The names that AWS's clients know: those of the API's own errors, and of the errors that all of AWS's APIs
 * share. Clients set their clock right at RequestExpired, by the answer's Date. */
static const char *type_of(const struct nk_refusal *r)
{
    static const struct {
        const char *code, *type;
    } named[] = {{"unknown_endpoint", "UnknownOperationException"},
                 {"no_credential", "MissingAuthenticationTokenException"},
                 {"bad_credential", "UnrecognizedClientException"},
                 {"expired_credential", "RequestExpired"},
                 {"too_busy", "ThrottlingException"},
                 {"unknown_store", "ResourceNotFoundException"},
                 {"not_in_store", "ResourceNotFoundException"}};
    for (size_t i = 0; i < NK_COUNT(named); i++)
        if (nk_str_eq(nk_str(r->code), nk_str(named[i].code)))
            return named[i].type;
    if (r->status == 403)
        return "AccessDeniedException";
    return r->status >= 500 ? "InternalServerException" : "ValidationException";
}

static int status(const struct nk_refusal *r)
{
    return r->status >= 500 && !nk_str_eq(nk_str(r->code), NK_STR("too_busy")) ? 500 : 400;
}

static void refuse(const struct nk_refusal *r, struct nk_buf *out)
{
    struct nk_str type = nk_str(type_of(r));
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("__type"), type);
    nk_json_put_member(out, NK_STR("message"), r->message);
    if (nk_str_eq(type, NK_STR("ValidationException")) && r->subject.p) {
        nk_buf_add(out, NK_STR(",\"fieldList\":[{"));
        nk_json_put_member(out, NK_STR("path"), r->subject);
        nk_json_put_member(out, NK_STR("message"), r->message);
        nk_buf_add(out, NK_STR("}]"));
    }
    if (nk_str_eq(type, NK_STR("ResourceNotFoundException")) && r->kind) {
        nk_json_put_member(out, NK_STR("resourceId"), r->subject);
        nk_json_put_member(out, NK_STR("resourceType"), nk_str(r->kind));
    }
    nk_json_put_member(out, NK_STR("code"), nk_str(r->code));
    nk_json_put_member(out, NK_STR("requestId"), r->request);
    nk_buf_add_char(out, '}');
}

const struct nk_dialect nk_dialect_avp = {
    .name = "avp",
    .media = "application/x-amz-json-1.0",
    .signing_service = "verifiedpermissions",
    .request_header = "x-amzn-requestid",
    .body_max = NK_AVP_BODY_MAX,
    .endpoints = endpoints,
    .endpoint_count = NK_COUNT(endpoints),
    .claims = claims,
    .credential = nk_dialect_credential,
    .credential_header = "authorization",
    .credential_prefix = "Bearer ",
    .forwards = nk_dialect_forwards_nothing,
    .parse_call = nk_avp_parse_call,
    .parse_reply = nk_dialect_no_reply,
    .stream_new = nk_dialect_no_stream,
    .stream_event = nk_stream_event,
    .stream_end = nk_stream_end,
    .status = status,
    .refuse = refuse,
    .refuse_stream = refuse,
    .list_models = nk_dialect_no_models,
};
