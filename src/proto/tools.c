/* SPDX-License-Identifier: Apache-2.0
 *
 * tools.c - `http`: any endpoint that a tool's call is written for; no model is behind it. No client's request is in
 * its form here; what the table says is how the courier adds its credential.
 */
#include "proto/dialect.h"
#include "proto/stream.h"

static bool claims(const struct nk_http_head *h)
{
    (void)h;
    return false;
}

static int parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    (void)call, (void)a;
    return nk_fault_set(f, NK_EUNSUPPORTED, "proto", 0, "no request of a client has this form");
}

static void refuse(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("error"), nk_str(r->code));
    nk_json_put_member(out, NK_STR("message"), r->message);
    nk_buf_add_char(out, '}');
}

const struct nk_dialect nk_dialect_http = {
    .name = "http",
    .claims = claims,
    .credential = nk_dialect_credential,
    .credential_header = "authorization",
    .credential_prefix = "Bearer ",
    .forwards = nk_dialect_forwards_nothing,
    .parse_call = parse_call,
    .parse_reply = nk_dialect_no_reply,
    .stream_new = nk_dialect_no_stream,
    .stream_event = nk_stream_event,
    .stream_end = nk_stream_end,
    .refuse = refuse,
    .refuse_stream = refuse,
    .list_models = nk_dialect_no_models,
};
