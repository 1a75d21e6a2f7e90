/* SPDX-License-Identifier: Apache-2.0
 *
 * http.h - HTTP/1.1 messages (RFC 9112) as a pure state machine (chunks by llhttp), strict in both
 * directions. A message is never passed on as it came: it is parsed, judged and written anew, so
 * two parsers can never disagree about where it ends. HTTP/2 is a second framing that yields the
 * same struct nk_http_head; nothing above this module knows which one carried a message.
 */
#pragma once

#include "base/arena.h"
#include "base/buf.h"

struct nk_http_header {
    struct nk_str name; /* as received; compare with nk_str_eq_nocase */
    struct nk_str value;
};

/* The head of a request or a response. All slices live in the arena given to the parser. */
struct nk_http_head {
    struct nk_str method; /* requests: "GET", "POST" … */
    struct nk_str target; /* requests: origin-form, "/path?query" */
    int status;           /* responses: 100..599 */
    struct nk_http_header *headers;
    size_t header_count;
    int64_t content_length; /* -1: not given */
    bool chunked;
    bool keep_alive;
    bool expect_continue;
};

/* First header of that name, or absent. */
struct nk_str nk_http_get(const struct nk_http_head *h, struct nk_str name);
/* Path of the target, without query. */
struct nk_str nk_http_path(const struct nk_http_head *h);

struct nk_http_limits {
    uint32_t max_head_bytes; /* start line and headers together */
    uint32_t max_headers;    /* header fields */
    uint64_t max_body_bytes; /* after de-chunking */
};

enum nk_http_event {
    NK_HTTP_MORE, /* all input consumed; more is needed */
    NK_HTTP_HEAD, /* the head is complete: parser->head */
    NK_HTTP_BODY, /* a piece of the body: parser->body, a view of the input */
    NK_HTTP_END,  /* the message is complete; input behind it was not consumed */
};

struct nk_http_parser; /* holds an llhttp_t; about 200 bytes; no heap but the arena */

/* Size of struct nk_http_parser, for embedding by allocation from an arena. */
struct nk_http_parser *nk_http_parser_new(struct nk_arena *a, bool request,
                                          const struct nk_http_limits *lim) NK_CHECKED;
/* The answer to a HEAD request has no body whatever its headers say. */
void nk_http_parser_expect_no_body(struct nk_http_parser *p);
/* Consumes bytes from *in until the next event; *in is moved forward. Call again with the rest
 * until NK_HTTP_MORE. Errors: NK_EINVAL (malformed or ambiguous: CL with TE, duplicate or signed
 * CL, obs-fold, bare LF or CR, NUL, bad chunk or chunk extension, unknown transfer coding, HTTP/1.0
 * with TE, missing or double Host, absolute-form with another host, dot segments …), NK_ELIMIT
 * (over nk_http_limits), NK_EUNSUPPORTED (version, method, CONNECT, upgrade to anything but h2c,
 * which is ignored), NK_ENOMEM; fault stage "http". After an error the connection must be closed.
 * Trailers are checked and dropped, interim answers (1xx) skipped; an absolute-form target becomes
 * origin-form. The arena gives at most twice max_head_bytes for a head, and its headers. */
int nk_http_parse(struct nk_http_parser *p, struct nk_str *in, enum nk_http_event *event,
                  struct nk_fault *f) NK_CHECKED;
/* End of input: 0 when that ends the message (a response until close), NK_EAGAIN when no byte of a
 * message had come, NK_EINVAL in the middle of one. */
int nk_http_parse_eof(struct nk_http_parser *p, enum nk_http_event *event) NK_CHECKED;
const struct nk_http_head *nk_http_parser_head(const struct nk_http_parser *p);
struct nk_str nk_http_parser_body(const struct nk_http_parser *p);

/* Adds a header; the head's array has room for it. */
static inline void nk_http_add(struct nk_http_head *h, struct nk_str name, struct nk_str value)
{
    h->headers[h->header_count++] = (struct nk_http_header){name, value};
}

/* Writing. Names and values with CR, LF or NUL are refused (NK_EINVAL): a head is written whole or
 * not at all. content_length -1 with chunked writes Transfer-Encoding; the writer owns the framing
 * headers (Content-Length, Transfer-Encoding, Connection), so they are dropped from head->headers.
 */
int nk_http_write_request(const struct nk_http_head *h, struct nk_buf *out) NK_CHECKED;
int nk_http_write_response(const struct nk_http_head *h, struct nk_buf *out) NK_CHECKED;
/* One chunk (nothing for an empty piece), and the last chunk. */
void nk_http_write_chunk(struct nk_str piece, struct nk_buf *out);
void nk_http_write_last_chunk(struct nk_buf *out);
/* Hop-by-hop or framing, never passed on (RFC 9110, section 7.6.1; `connection` is that header's
 * value or absent: names listed in it count too). */
bool nk_http_is_hop_by_hop(struct nk_str name, struct nk_str connection);
const char *nk_http_reason(int status);
