/* SPDX-License-Identifier: Apache-2.0
 *
 * jsonrpc.c - see jsonrpc.h.
 */
#include "proto/jsonrpc.h"

#include "proto/member.h"

/* Members that we decide about. */
static const char *const decided[] = {"jsonrpc", "id", "method", "params", "result", "error"};

struct reading {
    const struct nk_json *doc;
    const char *stage;
    uint32_t at[NK_COUNT(decided)]; /* entries of the members, in that order */
    struct nk_fault *f;
};

static int bad(const struct reading *r, uint32_t at, const char *what)
{
    return nk_fault_set(r->f, NK_EINVAL, r->stage, at < r->doc->n ? r->doc->tape[at].start : 0,
                        "%s", what);
}

static int read_members(struct reading *r, struct nk_arena *a)
{
    if (nk_json_type(r->doc, 0) == NK_JSON_ARRAY)
        return bad(r, 0, "a batch of messages; send them one by one");
    if (nk_json_type(r->doc, 0) != NK_JSON_OBJECT)
        return bad(r, 0, "a message is an object");
    for (size_t i = 0; i < NK_COUNT(decided); i++)
        r->at[i] = nk_json_get(r->doc, 0, nk_str(decided[i]));
    return nk_member_no_doubles(r->doc, 0, decided, NK_COUNT(decided), a, r->f);
}

/* null stands for "could not be read" in errors alone. */
static int read_id(const struct reading *r, struct nk_rpc *out)
{
    uint32_t at = r->at[1];
    enum nk_json_type type = nk_json_type(r->doc, at);
    if (at == NK_JSON_NONE || (type == NK_JSON_NULL && out->kind == NK_RPC_ERROR))
        return 0;
    if (type != NK_JSON_STRING && type != NK_JSON_INT)
        return bad(r, at, "\"id\" must be a string or an integer");
    struct nk_str id = nk_json_span(r->doc, at);
    if (id.n > NK_RPC_ID_MAX)
        return bad(r, at, "\"id\" is too long");
    out->id = id;
    return 0;
}

static int read_kind(const struct reading *r, struct nk_rpc *out)
{
    bool method = r->at[2] != NK_JSON_NONE, result = r->at[4] != NK_JSON_NONE,
         error = r->at[5] != NK_JSON_NONE;
    if (method + result + error != 1)
        return bad(r, 0, "a message has one of \"method\", \"result\" and \"error\"");
    out->kind = result                     ? NK_RPC_RESULT
                : error                    ? NK_RPC_ERROR
                : r->at[1] == NK_JSON_NONE ? NK_RPC_NOTIFICATION
                                           : NK_RPC_REQUEST;
    if (result && r->at[1] == NK_JSON_NONE)
        return bad(r, 0, "a result has an \"id\"");
    return 0;
}

static int read_parts(const struct reading *r, struct nk_arena *a, struct nk_rpc *out)
{
    if (!nk_json_is(r->doc, r->at[0], NK_STR("2.0")))
        return bad(r, r->at[0], "\"jsonrpc\" must be \"2.0\"");
    if (r->at[3] != NK_JSON_NONE && nk_json_type(r->doc, r->at[3]) != NK_JSON_OBJECT)
        return bad(r, r->at[3], "\"params\" must be an object");
    if (r->at[5] != NK_JSON_NONE && nk_json_type(r->doc, r->at[5]) != NK_JSON_OBJECT)
        return bad(r, r->at[5], "\"error\" must be an object");
    out->params = r->at[3];
    out->result = r->at[4];
    out->error = r->at[5];
    if (r->at[2] == NK_JSON_NONE)
        return 0;
    out->method = nk_json_string(r->doc, r->at[2], a);
    if (!out->method.n || out->method.n > NK_RPC_METHOD_MAX)
        return bad(r, r->at[2], "\"method\" must be a string of at most 256 bytes");
    return 0;
}

int nk_rpc_read(const struct nk_json *doc, const char *stage, struct nk_arena *a,
                struct nk_rpc *out, struct nk_fault *f)
{
    struct reading r = {.doc = doc, .stage = stage, .f = f};
    *out = (struct nk_rpc){.params = NK_JSON_NONE, .result = NK_JSON_NONE, .error = NK_JSON_NONE};
    int rc = read_members(&r, a);
    if (rc)
        return rc;
    rc = read_kind(&r, out);
    int id = read_id(&r, out);
    if (rc || id)
        return rc ? rc : id;
    return read_parts(&r, a, out);
}

void nk_rpc_put_error(struct nk_buf *out, struct nk_str id, int code, struct nk_str message,
                      struct nk_str data)
{
    nk_buf_add(out, NK_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    nk_buf_add(out, id.p ? id : NK_STR("null"));
    nk_buf_add(out, NK_STR(",\"error\":{\"code\":"));
    nk_buf_add_i64(out, code);
    nk_json_put_member(out, NK_STR("message"), message);
    if (data.n) {
        nk_buf_add(out, NK_STR(",\"data\":{"));
        nk_buf_add(out, data);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add(out, NK_STR("}}"));
}

static int code_of(const struct nk_refusal *r)
{
    static const struct {
        const char *id;
        int code;
    } named[] = {{"bad_json", NK_RPC_PARSE_ERROR},
                 {"bad_request", NK_RPC_INVALID_REQUEST},
                 {"unknown_endpoint", NK_RPC_INVALID_REQUEST},
                 {"policy_denied", NK_RPC_REFUSED},
                 {"no_policy", NK_RPC_REFUSED}};
    if (r->code_number)
        return r->code_number;
    for (size_t i = 0; i < NK_COUNT(named); i++)
        if (nk_str_eq(nk_str(r->code), nk_str(named[i].id)))
            return named[i].code;
    return NK_RPC_FAILED;
}

/* Whoever asked for something that policy forbids has spoken the protocol well: the answer is one of the protocol.
 * Statuses 401 and 403 would make clients begin to log in. */
int nk_rpc_status(const struct nk_refusal *r)
{
    bool of_protocol = code_of(r) == NK_RPC_REFUSED ||
                       nk_str_eq(nk_str(r->code), NK_STR("bad_arguments")) ||
                       nk_str_eq(nk_str(r->code), NK_STR("not_translated"));
    return of_protocol && r->subject.p ? 200 : r->status;
}

void nk_rpc_refuse(const struct nk_refusal *r, struct nk_buf *out)
{
    struct nk_buf data;
    nk_buf_init(&data, 4096);
    nk_json_put_member(&data, NK_STR("reason"), nk_str(r->code));
    nk_json_put_member(&data, NK_STR("request"), r->request);
    if (r->data.n) {
        nk_buf_add_char(&data, ',');
        nk_buf_add(&data, r->data);
    }
    nk_rpc_put_error(out, r->subject, code_of(r), r->message, nk_buf_str(&data));
    out->error = out->error ? out->error : data.error;
    nk_buf_free(&data);
}

void nk_rpc_refuse_stream(const struct nk_refusal *r, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("event: message\ndata: "));
    nk_rpc_refuse(r, out);
    nk_buf_add(out, NK_STR("\n\n"));
}
