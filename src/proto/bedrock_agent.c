/* SPDX-License-Identifier: Apache-2.0
 *
 * bedrock_agent.c - see bedrock_agent.h. Members that change what an agent is or knows and that are not served
 * (files, knowledge bases, memory) are refused, because a client that sends them counts on them; others are passed
 * over, as the service does.
 */
#include "proto/bedrock_inline.h"

#include "proto/dialect.h"
#include "proto/eventstream.h"
#include "proto/member.h"
#include "proto/stream.h"

struct reading {
    struct nk_call *call;
    const struct nk_json *doc;
    struct nk_arena *a;
    struct nk_fault *f;
    struct nk_agent_call *out;
};

static const struct nk_endpoint endpoints[] = {
    {"agents.invoke", "POST", "/agents/*", "InvokeAgent", NK_LOCAL_AGENT, NULL},
    {"agents.inline", "POST", "/agents/*", "InvokeInlineAgent", NK_LOCAL_AGENT, NULL},
};

static int refuse_member(struct reading *r, const char *what)
{
    return nk_fault_set(r->f, NK_EINVAL, "proto", 0, "%s", what);
}

/* An object of texts. */
static int read_pairs(struct reading *r, uint32_t of, const char *name,
                      const struct nk_agent_pair **out, size_t *n)
{
    uint32_t at;
    int rc = nk_member_of(r->doc, of, nk_str(name), NK_JSON_OBJECT, &at, r->f);
    if (rc || at == NK_JSON_NONE)
        return rc;
    size_t count = r->doc->tape[at].count;
    struct nk_agent_pair *pairs = nk_arena_array(r->a, count + 1, sizeof *pairs);
    if (count > NK_AGENT_PAIRS_MAX)
        return nk_fault_set(r->f, NK_EINVAL, "proto", 0, "\"%s\" has more than %d members", name,
                            NK_AGENT_PAIRS_MAX);
    if (!pairs)
        return nk_fault_set(r->f, NK_ENOMEM, "proto", 0, "out of memory");
    for (uint32_t i = nk_json_first(r->doc, at); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, at, i)) {
        struct nk_agent_pair *p = &pairs[(*n)++];
        rc = nk_member_expect(r->doc, i + 1, nk_str(name), NK_JSON_STRING, r->f);
        if (rc)
            return rc;
        p->name = nk_json_string(r->doc, i, r->a);
        p->value = nk_json_string(r->doc, i + 1, r->a);
        if (!p->name.p || !p->value.p)
            return nk_fault_set(r->f, NK_ENOMEM, "proto", 0, "out of memory");
    }
    *out = pairs;
    return 0;
}

static int text(struct reading *r, uint32_t of, const char *name, bool required, struct nk_str *out)
{
    int rc = nk_member_string(r->doc, of, nk_str(name), false, r->a, out, r->f);
    if (!rc && required && !out->p)
        rc = nk_member_missing(r->doc, of, nk_str(name), r->f);
    return rc;
}

static int read_confirmation(struct reading *r, uint32_t of, struct nk_agent_result *out)
{
    struct nk_str said = {NULL, 0};
    int rc = text(r, of, "confirmationState", false, &said);
    if (rc || !said.p)
        return rc;
    out->said = nk_str_eq(said, NK_STR("CONFIRM")) ? NK_AGENT_CONFIRM
                : nk_str_eq(said, NK_STR("DENY"))  ? NK_AGENT_DENY
                                                   : NK_AGENT_NOT_ASKED;
    return out->said ? 0 : refuse_member(r, "\"confirmationState\" is CONFIRM or DENY");
}

/* The one text in responseBody; of several media types the first. */
static int read_body(struct reading *r, uint32_t of, struct nk_agent_result *out)
{
    uint32_t bodies;
    int rc = nk_member_of(r->doc, of, NK_STR("responseBody"), NK_JSON_OBJECT, &bodies, r->f);
    uint32_t first = rc ? NK_JSON_NONE : nk_json_first(r->doc, bodies);
    if (rc || first == NK_JSON_NONE)
        return rc;
    rc = nk_member_expect(r->doc, first + 1, NK_STR("responseBody"), NK_JSON_OBJECT, r->f);
    return rc ? rc
              : nk_member_string(r->doc, first + 1, NK_STR("body"), true, r->a, &out->body, r->f);
}

static int read_result(struct reading *r, uint32_t at, struct nk_agent_result *out)
{
    struct nk_str state = {NULL, 0};
    uint32_t api, function;
    int rc = nk_member_expect(r->doc, at, NK_STR("returnControlInvocationResults"), NK_JSON_OBJECT,
                              r->f);
    if (!rc)
        rc = nk_member_of(r->doc, at, NK_STR("apiResult"), NK_JSON_OBJECT, &api, r->f);
    if (!rc)
        rc = nk_member_of(r->doc, at, NK_STR("functionResult"), NK_JSON_OBJECT, &function, r->f);
    if (rc)
        return rc;
    if ((api == NK_JSON_NONE) == (function == NK_JSON_NONE))
        return refuse_member(r, "a result is either an apiResult or a functionResult");
    uint32_t of = api == NK_JSON_NONE ? function : api;
    rc = text(r, of, "actionGroup", true, &out->action);
    if (!rc && of == function)
        rc = text(r, of, "function", true, &out->function);
    if (!rc && of == api)
        rc = text(r, of, "httpMethod", true, &out->method);
    if (!rc && of == api)
        rc = text(r, of, "apiPath", true, &out->api_path);
    if (!rc)
        rc = text(r, of, "responseState", false, &state);
    out->failed = state.p != NULL; /* FAILURE or REPROMPT */
    if (!rc)
        rc = read_confirmation(r, of, out);
    return rc ? rc : read_body(r, of, out);
}

static int read_results(struct reading *r, uint32_t state)
{
    uint32_t at;
    int rc = nk_member_of(r->doc, state, NK_STR("returnControlInvocationResults"), NK_JSON_ARRAY,
                          &at, r->f);
    if (rc || at == NK_JSON_NONE)
        return rc;
    size_t count = r->doc->tape[at].count;
    struct nk_agent_result *all = nk_arena_array(r->a, count + 1, sizeof *all);
    if (count > NK_AGENT_RESULTS_MAX)
        return refuse_member(r, "\"returnControlInvocationResults\" has too many entries");
    if (!all)
        return nk_fault_set(r->f, NK_ENOMEM, "proto", 0, "out of memory");
    for (uint32_t i = nk_json_first(r->doc, at); i != NK_JSON_NONE && !rc;
         i = nk_json_next(r->doc, at, i))
        rc = read_result(r, i, &all[r->out->result_count++]);
    r->out->results = all;
    return rc;
}

static int refuse_unserved(struct reading *r, uint32_t state, const char *name)
{
    static const char *const members[] = {"files", "knowledgeBaseConfigurations",
                                          "conversationHistory"};
    if (nk_member_get(r->doc, 0, NK_STR("memoryId")) != NK_JSON_NONE)
        return refuse_member(r, "\"memoryId\" is not served: agents keep no memory over sessions");
    for (size_t i = 0; i < NK_COUNT(members); i++)
        if (nk_member_get(r->doc, state, nk_str(members[i])) != NK_JSON_NONE)
            return nk_fault_set(r->f, NK_EINVAL, "proto", 0, "\"%s.%s\" is not served", name,
                                members[i]);
    return 0;
}

static int read_state(struct reading *r)
{
    uint32_t state;
    const char *name = r->out->brought ? "inlineSessionState" : "sessionState";
    int rc = nk_member_of(r->doc, 0, nk_str(name), NK_JSON_OBJECT, &state, r->f);
    if (!rc)
        rc = refuse_unserved(r, state, name);
    if (rc || state == NK_JSON_NONE)
        return rc;
    rc = read_pairs(r, state, "sessionAttributes", &r->out->session, &r->out->session_count);
    if (!rc)
        rc =
            read_pairs(r, state, "promptSessionAttributes", &r->out->prompt, &r->out->prompt_count);
    if (!rc)
        rc = text(r, state, "invocationId", false, &r->out->invocation);
    return rc ? rc : read_results(r, state);
}

static int parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    struct nk_agent_call *out = nk_arena_alloc(a, sizeof *out);
    struct reading r = {call, &call->body, a, f, out};
    if (!out)
        return nk_fault_set(f, NK_ENOMEM, "proto", 0, "out of memory");
    int rc = nk_member_expect(r.doc, 0, NK_STR("the body"), NK_JSON_OBJECT, f);
    if (!rc && call->endpoint == nk_agent_endpoint(true))
        rc = nk_agent_read_brought(&call->body, a, &out->brought, f);
    if (!rc)
        rc = text(&r, 0, "inputText", false, &out->input);
    if (!rc)
        rc = nk_member_bool(r.doc, 0, NK_STR("enableTrace"), &out->trace, f);
    if (!rc)
        rc = nk_member_bool(r.doc, 0, NK_STR("endSession"), &out->ends, f);
    if (!rc)
        rc = read_state(&r);
    if (!rc && !out->input.p && !out->result_count && !out->ends)
        rc = refuse_member(&r, "\"inputText\" is missing, and there are no results of return of "
                               "control");
    if (!rc && (out->invocation.p != NULL) != (out->result_count > 0))
        rc = refuse_member(&r, "\"invocationId\" and \"returnControlInvocationResults\" go "
                               "together");
    call->detail = out;
    call->stream = true;
    call->message_count = 1;
    return rc;
}

const struct nk_agent_call *nk_agent_call(const struct nk_call *call)
{
    return call->detail;
}

static bool claims(const struct nk_http_head *h)
{
    return nk_str_starts(h->target, NK_STR("/agents/"));
}

/* The exceptions of the API. */
static const char *type_of(const struct nk_refusal *r)
{
    static const struct {
        const char *code, *type;
    } named[] = {{"unknown_endpoint", "UnknownOperationException"},
                 {"too_busy", "ThrottlingException"},
                 {"unknown_agent", "ResourceNotFoundException"},
                 {"unknown_model", "ResourceNotFoundException"},
                 {"agent_limit", "ServiceQuotaExceededException"},
                 {"unknown_invocation", "ConflictException"}};
    for (size_t i = 0; i < NK_COUNT(named); i++)
        if (nk_str_eq(nk_str(r->code), nk_str(named[i].code)))
            return named[i].type;
    if (r->status == 401 || r->status == 403)
        return "AccessDeniedException";
    if (r->status == 502)
        return "BadGatewayException";
    return r->status == 504   ? "DependencyFailedException"
           : r->status > 504  ? "InternalServerException"
           : r->status == 503 ? "ThrottlingException"
           : r->status >= 500 ? "InternalServerException"
                              : "ValidationException";
}

static int status(const struct nk_refusal *r)
{
    return r->status == 401 ? 403 : r->status == 503 ? 429 : r->status;
}

static struct nk_http_header name_refusal(const struct nk_refusal *r)
{
    return (struct nk_http_header){NK_STR("x-amzn-errortype"), nk_str(type_of(r))};
}

static void put_text(const struct nk_refusal *r, struct nk_str message, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("__type"), nk_str(type_of(r)));
    nk_json_put_member(out, NK_STR("message"), message);
    nk_json_put_member(out, NK_STR("reason"), nk_str(r->code));
    nk_json_put_member(out, NK_STR("requestId"), r->request);
    nk_buf_add_char(out, '}');
}

static void refuse(const struct nk_refusal *r, struct nk_buf *out)
{
    put_text(r, r->message, out);
}

/* An exception inside a stream has the name of its member: "accessDeniedException". */
static void refuse_stream(const struct nk_refusal *r, struct nk_buf *out)
{
    char name[64];
    struct nk_buf json, type = {.p = name, .cap = sizeof name, .max = sizeof name};
    nk_buf_init(&json, 64 << 10);
    put_text(r, r->message, &json);
    nk_buf_add(&type, nk_str(type_of(r)));
    name[0] = (char)(name[0] | 0x20);
    if (json.error)
        out->error = json.error;
    nk_eventstream_put_exception(nk_buf_str(&type), nk_buf_str(&json), out);
    nk_buf_free(&json);
}

const struct nk_dialect nk_dialect_bedrock_agent = {
    .name = "bedrock_agent",
    .signing_service = "bedrock",
    .request_header = "x-amzn-requestid",
    .endpoints = endpoints,
    .endpoint_count = 0, /* see bedrock_agent.h */
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
    .name_refusal = name_refusal,
    .refuse = refuse,
    .refuse_stream = refuse_stream,
    .list_models = nk_dialect_no_models,
};

const struct nk_dialect *nk_bedrock_agent_dialect(void)
{
    return &nk_dialect_bedrock_agent;
}

const struct nk_endpoint *nk_agent_endpoint(bool is_inline)
{
    return &endpoints[is_inline];
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One segment, decoded once: names of agents and sessions are letters, digits and . _ : - */
static bool decode(struct nk_str s, struct nk_arena *a, struct nk_str *out)
{
    char *p = nk_arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; p && i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = s.n - i > 2 ? digit(s.p[i + 1]) : -1;
            int low = s.n - i > 2 ? digit(s.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high * 16 + low);
            i += 2;
        }
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != ':' && c != '-')
            return false;
        p[n++] = c;
    }
    *out = (struct nk_str){p, n};
    return p && n > 0 && n <= NK_AGENT_SESSION_ID_MAX;
}

bool nk_agent_path(struct nk_str path, struct nk_arena *a, struct nk_str *agent,
                   struct nk_str *alias, struct nk_str *session)
{
    struct nk_str parts[8], rest = path;
    size_t n = 0;
    while (rest.p && n < NK_COUNT(parts))
        parts[n++] = nk_str_cut(&rest, '/');
    if (rest.p || n != 8 || parts[0].n || !nk_str_eq(parts[1], NK_STR("agents")) ||
        !nk_str_eq(parts[3], NK_STR("agentAliases")) || !nk_str_eq(parts[5], NK_STR("sessions")) ||
        !nk_str_eq(parts[7], NK_STR("text")))
        return false;
    return decode(parts[2], a, agent) && decode(parts[4], a, alias) &&
           decode(parts[6], a, session) && session->n >= 2;
}

bool nk_agent_inline_path(struct nk_str path, struct nk_arena *a, struct nk_str *session)
{
    static const struct nk_str prefix = {"/agents/", 8};
    return nk_str_starts(path, prefix) && decode(nk_str_sub(path, prefix.n, path.n), a, session) &&
           session->n >= 2;
}
