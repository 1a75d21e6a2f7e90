/* SPDX-License-Identifier: Apache-2.0
 *
 * hook.c - the dialect of the hooks, where another proxy asks about a request that it holds: nginx's
 * auth_request (ngx_http_auth_request_module) and Envoy's ext_authz over HTTP. Which paths are hooks is in the
 * configuration, so no request matches this table; the gate names its rows itself.
 *
 * nginx takes 2xx for yes, 401 and 403 for no, and anything else as an error, which refuses too. Envoy takes
 * 200 for yes and hands any other answer to its client.
 */
#include "proto/hook.h"

#include "proto/dialect.h"
#include "proto/stream.h"

static const struct nk_endpoint endpoints[] = {
    [NK_HOOK_NGINX] = {"hook.nginx", "-", "/*", "Authorize", NK_LOCAL_HOOK, NULL},
    [NK_HOOK_ENVOY] = {"hook.envoy", "-", "/*", "Authorize", NK_LOCAL_HOOK, NULL},
};

static bool claims(const struct nk_http_head *h)
{
    (void)h;
    return false;
}

static int parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    (void)call, (void)a, (void)f;
    return 0;
}

/* Faults of the request are a no; ours stay errors. */
static int status(const struct nk_refusal *r)
{
    return r->status < 500 && r->status != 401 ? 403 : r->status;
}

static void refuse(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("error"), nk_str(r->code));
    nk_json_put_member(out, NK_STR("message"), r->message);
    nk_json_put_member(out, NK_STR("request_id"), r->request);
    nk_buf_add_char(out, '}');
}

const struct nk_dialect nk_dialect_hook = {
    .name = "hook",
    .challenge = "Bearer",
    .endpoints = endpoints,
    .endpoint_count = NK_COUNT(endpoints),
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
    .status = status,
    .refuse = refuse,
    .refuse_stream = refuse,
    .list_models = nk_dialect_no_models,
};

const struct nk_dialect *nk_hook_dialect(void)
{
    return &nk_dialect_hook;
}
