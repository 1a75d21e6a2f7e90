/* SPDX-License-Identifier: Apache-2.0
 *
 * proto.h - API dialects: each turns its requests into one struct nk_call, its answers and streams
 * into usage, text and tool calls, and a refusal into its own error format, so that its official
 * SDK raises its own exception. One file and one line in proto.def per dialect. Dialects decide
 * nothing.
 */
#pragma once

#include "http/http.h"
#include "http/sse.h"
#include "json/json.h"
#include "proto/refusal.h"

struct nk_dialect;

/* Who answers an operation: an upstream, or the gate itself. */
enum nk_local {
    NK_LOCAL_NOT,
    NK_LOCAL_MODELS, /* lists of models */
    NK_LOCAL_STORE,  /* policy stores */
    NK_LOCAL_HOOK,   /* what another proxy asks */
    NK_LOCAL_MCP,    /* the gate, which asks servers of MCP in its own words */
    NK_LOCAL_AGENT,  /* an agent, which asks models and tools */
    NK_LOCAL_NOBODY, /* known, and refused: it would change what comes from files */
};

/* One operation of a dialect. Everything that no endpoint matches is refused and recorded. */
struct nk_endpoint {
    const char *name;    /* "chat.completions", "messages.count_tokens" */
    const char *method;  /* "POST" */
    const char *path;    /* "/v1/chat/completions"; one trailing "*" stands for one path segment */
    const char *action;  /* Cedar action id: "InvokeModel", "Embed", "CountTokens", "ListModels" */
    enum nk_local local; /* answered by the gate itself, never forwarded */
    const char *target;  /* exact value of X-Amz-Target, or NULL: not looked at */
};

struct nk_tool_use {    /* a tool that the request offers, or a call that a reply makes */
    struct nk_str id;   /* calls: call id; offers: absent */
    struct nk_str name; /* function name, or "server___tool"; hosted: own name, or their type */
    struct nk_str arguments; /* calls: strict JSON, complete; free text as a JSON string */
    bool
        hosted; /* of the provider's own kinds ("web_search", "mcp" …), not a function of the client */
    bool ran; /* calls: it ran at the provider, as the request allowed; nothing is left to decide */
    uint32_t number; /* calls: which one of its answer, from 0 */
};

struct nk_call {
    const struct nk_dialect *dialect;
    const struct nk_endpoint *endpoint;
    struct nk_str model; /* absent where the operation names none */
    uint32_t model_at;   /* tape entry of the model's name, to be spliced; or NK_JSON_NONE */
    struct nk_json body; /* n == 0: no body */
    bool stream;
    int64_t message_count;
    int64_t max_tokens; /* 0: not given */
    const struct nk_tool_use *tools;
    size_t tool_count;
    const void *detail; /* the dialect's own, or NULL */
    struct nk_str
        subject;      /* on a fault: path of the member that is wrong, or id of what is not there */
    const char *kind; /* of what is not there: "POLICY_STORE" … */
    int code_number;  /* on a fault: JSON-RPC's; 0: that of the refusal */
    struct nk_str data; /* of its error, members of an object without braces; or absent */
};

/* What the provider counts for this call; input includes what came from or went into its cache. */
struct nk_usage {
    int64_t input_tokens, output_tokens; /* -1: not (yet) known */
};

/* What an answer says; of a streamed one the tool calls come with the events. */
struct nk_reply {
    struct nk_usage usage;
    struct nk_str model;
    struct nk_str finish; /* finish_reason / stop_reason, or absent */
    const struct nk_tool_use *tools;
    size_t tool_count;
};

/* What to do with one event of a stream. Text flows through at once; from the first fragment of a
 * tool call on, events are held until the call is complete, then released in order, the event that
 * completes it last. What is still held when the stream ends or breaks is never released. */
enum nk_stream_verdict { NK_STREAM_PASS, NK_STREAM_HOLD, NK_STREAM_RELEASE };

struct nk_stream; /* state of one streamed answer; in the transaction's arena */

/* A call that stream_event told must not reach the client: `text` (which lives as long as the stream) is said
 * in its place. From then on stream_edit writes all events, beginning with the oldest that is held. */
void nk_stream_refuse(struct nk_stream *s, uint32_t number, struct nk_str text);

struct nk_dialect {
    const char *name;  /* "openai" */
    const char *media; /* of its bodies; NULL: application/json */
    const char
        *signing_service;  /* requests may be signed (ident/sigv4.h) for it; NULL: they may not */
    const char *challenge; /* www-authenticate of status 401, or NULL */
    const char *request_header; /* another header for our request id, or NULL */
    size_t body_max;            /* bytes of a request; 0: limits.body_bytes alone */
    const struct nk_endpoint *endpoints;
    size_t endpoint_count;
    /* Is a request without a matching endpoint this dialect's (for the form of the refusal)? */
    bool (*claims)(const struct nk_http_head *h);
    /* The client's credential, without its scheme; absent when there is none; empty when what there
     * is proves nothing (another scheme, no value, two that differ): refuse it. */
    struct nk_str (*credential)(const struct nk_http_head *h);
    /* Name and value prefix of the header that carries our credential upstream. */
    const char *credential_header, *credential_prefix;
    /* May this request header of the client go upstream? (Credentials and cookies never do.) */
    bool (*forwards)(struct nk_str header_name);
    /* Fills *call (dialect, endpoint and body are set) from the body. NK_EINVAL names the member.
     */
    int (*parse_call)(struct nk_call *call, struct nk_arena *a, struct nk_fault *f);
    int (*parse_reply)(const struct nk_call *call, const struct nk_json *body, struct nk_arena *a,
                       struct nk_reply *out, struct nk_fault *f);
    struct nk_stream *(*stream_new)(const struct nk_call *call, struct nk_arena *a);
    /* Looks at one event (its data already parsed as `data`, n == 0 for "[DONE]" and events without
     * data). On RELEASE, the calls that became complete are in *calls until the next event.
     * NK_EINVAL: the event breaks the dialect. */
    int (*stream_event)(struct nk_stream *s, const struct nk_sse_event *e,
                        const struct nk_json *data, enum nk_stream_verdict *verdict,
                        const struct nk_tool_use **calls, size_t *call_count, struct nk_fault *f);
    /* What is known so far (no tool calls), and whether the stream said that it is complete. */
    bool (*stream_end)(const struct nk_stream *s, struct nk_reply *so_far);
    /* The answer without its refused calls: refused[n] is what is said in place of call number n; absent: it
     * stays. NULL (of both): answers have no calls. */
    int (*edit_reply)(const struct nk_call *call, const struct nk_json *body,
                      const struct nk_str *refused, struct nk_arena *a, struct nk_buf *out,
                      struct nk_fault *f);
    /* The same of an event that stream_event has read: what goes to the client in its place. */
    int (*stream_edit)(struct nk_stream *s, const struct nk_sse_event *e,
                       const struct nk_json *data, struct nk_buf *out, struct nk_fault *f);
    /* HTTP status of a refusal; NULL: its own. */
    int (*status)(const struct nk_refusal *r);
    /* Body of a refusal as JSON, and as the event(s) that end a stream which has already begun. */
    void (*refuse)(const struct nk_refusal *r, struct nk_buf *out);
    void (*refuse_stream)(const struct nk_refusal *r, struct nk_buf *out);
    /* Body of a list of models (local endpoints); `one` asks for a single model's object. */
    void (*list_models)(const struct nk_str *models, size_t n, bool one, struct nk_buf *out);
};

/* The dialects of proto.def, in its order. */
const struct nk_dialect *const *nk_dialects(size_t *n);
const struct nk_dialect *nk_dialect_by_name(struct nk_str name);
/* Finds dialect and endpoint of a request; `segment` receives what "*" stood for (percent-decoded
 * in `a`). NULL endpoint: none matches, *dialect is the one whose form of refusal fits best (never
 * NULL). */
const struct nk_endpoint *nk_proto_match(const struct nk_http_head *h, struct nk_arena *a,
                                         const struct nk_dialect **dialect, struct nk_str *segment);
