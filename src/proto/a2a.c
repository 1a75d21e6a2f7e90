/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a.c - the dialect of A2A: its table and the form of a refusal. Which paths speak it is in the configuration, so no
 * request matches the table; the gate names its rows itself.
 */
#include "proto/a2a.h"

#include "proto/dialect.h"
#include "proto/stream.h"

/* clang-format off */
#define A2A(id, name, one, old, action, one_in, old_in, one_out, old_out) [NK_A2A_##id] = {name, "POST", "*", action, NK_LOCAL_A2A, NULL},
/* clang-format on */

static const struct nk_endpoint endpoints[NK_A2A_OPS] = {
    [NK_A2A_MESSAGE] = {"a2a.message", "POST", "*", "SendMessage", NK_LOCAL_A2A, NULL},
    [NK_A2A_CARD] = {"a2a.card", "GET", "*", "ReadAgentCard", NK_LOCAL_A2A, NULL},
#include "proto/a2a.def"
#undef A2A
};

/* What NONE stands for in a2a.def: a name that no message has. */
static const char NONE[] = "";

/* clang-format off */
#define A2A(id, name, one, old, action, one_in, old_in, one_out, old_out) [NK_A2A_##id] = {old, one},
/* clang-format on */

static const char *const names[NK_A2A_OPS][2] = {
#include "proto/a2a.def"
#undef A2A
};

const struct nk_endpoint *nk_a2a_endpoint(enum nk_a2a_op op)
{
    return &endpoints[op];
}

enum nk_a2a_op nk_a2a_op(struct nk_str method, bool is_new)
{
    for (int i = NK_A2A_CARD + 1; i < NK_A2A_OPS; i++)
        if (method.n && nk_str_eq(nk_str(names[i][is_new]), method))
            return (enum nk_a2a_op)i;
    return NK_A2A_OPS;
}

bool nk_a2a_has_content(enum nk_a2a_op op)
{
    return op >= NK_A2A_SEND && op <= NK_A2A_SUBSCRIBE;
}

int nk_a2a_version(const struct nk_http_head *h, bool *is_new)
{
    struct nk_str said = {NULL, 0};
    for (size_t i = 0; i < h->header_count; i++) {
        if (!nk_str_is_nocase(h->headers[i].name, "a2a-version"))
            continue;
        if (said.p)
            return NK_EUNSUPPORTED;
        said = nk_str_trim(h->headers[i].value);
    }
    *is_new = nk_str_eq(said, NK_STR("1.0"));
    return *is_new || !said.n || nk_str_eq(said, NK_STR("0.3")) ? 0 : NK_EUNSUPPORTED;
}

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

/* What is answered with a code of the protocol is an answer of it, whatever it says. */
static int status(const struct nk_refusal *r)
{
    return r->subject.p && r->code_number ? 200 : nk_rpc_status(r);
}

const struct nk_dialect nk_dialect_a2a = {
    .name = "a2a",
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
    .refuse = nk_rpc_refuse,
    .refuse_stream = nk_rpc_refuse_stream,
    .list_models = nk_dialect_no_models,
};

const struct nk_dialect *nk_a2a_dialect(void)
{
    return &nk_dialect_a2a;
}
