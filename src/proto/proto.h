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
#include "proto/call.h"
#include "proto/endpoint.h"
#include "proto/refusal.h"

/* What to do with one event of a stream. Text flows through at once; from the first fragment of a
 * tool call on, events are held until the call is complete, then released in order, the event that
 * completes it last. What is still held when the stream ends or breaks is never released. */
enum nk_stream_verdict { NK_STREAM_PASS, NK_STREAM_HOLD, NK_STREAM_RELEASE };

struct nk_stream; /* state of one streamed answer; in the transaction's arena */

/* A call that stream_event told must not reach the client: `text` (which lives as long as the stream) is said
 * in its place. From then on stream_edit writes all events, beginning with the oldest that is held. */
void nk_stream_refuse(struct nk_stream *s, uint32_t number, struct nk_str text);

struct nk_dialect {
    const char *name;      /* "openai" */
    const char *media;     /* of its bodies; NULL: application/json */
    const char *media_too; /* that clients send for the same, or NULL */
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
    /* What of the request's body has to be written in another way before it goes upstream: *n edits. Asked where
     * call->goes_on. NULL: nothing ever. */
    int (*edit_call)(const struct nk_call *call, struct nk_arena *a,
                     struct nk_json_edit edits[NK_CALL_EDITS], size_t *n, struct nk_fault *f);
    /* The answer without its refused calls: refused[n] is what is said in place of call number n; absent: it
     * stays. NULL (of both): answers have no calls. */
    int (*edit_reply)(const struct nk_call *call, const struct nk_json *body,
                      const struct nk_str *refused, struct nk_arena *a, struct nk_buf *out,
                      struct nk_fault *f);
    /* The same of an event that stream_event has read: what goes to the client in its place. */
    int (*stream_edit)(struct nk_stream *s, const struct nk_sse_event *e,
                       const struct nk_json *data, struct nk_buf *out, struct nk_fault *f);
    /* Can the call be written for an upstream of another dialect (gate/translate.h)? NULL: for none. */
    bool (*speaks)(const struct nk_call *call, const struct nk_dialect *upstream);
    /* HTTP status of a refusal; NULL: its own. And a header that names it; NULL: none. */
    int (*status)(const struct nk_refusal *r);
    struct nk_http_header (*name_refusal)(const struct nk_refusal *r);
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
