/* SPDX-License-Identifier: Apache-2.0
 *
 * h2.h - one HTTP/2 connection (RFC 9113), as server or client, as a pure state machine over
 * nghttp2: received bytes go in by nk_h2_feed, bytes to send are pulled out by nk_h2_output. It
 * yields the same struct nk_http_head as HTTP/1.1, under the same rules, so a message taken here
 * can be written as HTTP/1.1 and means the same. Streams are named by their number: a call for one
 * that is over does nothing, so no order of events can reach freed memory.
 */
#pragma once

#include "http/http.h"

/* Error codes (RFC 9113, section 7). */
enum nk_h2_code {
    NK_H2_NO_ERROR,
    NK_H2_PROTOCOL_ERROR,
    NK_H2_INTERNAL_ERROR,
    NK_H2_FLOW_CONTROL_ERROR,
    NK_H2_SETTINGS_TIMEOUT,
    NK_H2_STREAM_CLOSED,
    NK_H2_FRAME_SIZE_ERROR,
    NK_H2_REFUSED_STREAM, /* nothing was done with it: safe to ask again */
    NK_H2_CANCEL,
    NK_H2_COMPRESSION_ERROR,
    NK_H2_CONNECT_ERROR,
    NK_H2_ENHANCE_YOUR_CALM,
    NK_H2_INADEQUATE_SECURITY,
    NK_H2_HTTP_1_1_REQUIRED,
};

/* What one peer may cost. A limit of frames counts them in each `period_ms`; who exceeds one loses
 * the connection (ENHANCE_YOUR_CALM, NK_ELIMIT). nk_h2_limits_default has the numbers. */
struct nk_h2_limits {
    uint32_t max_head_bytes;    /* names, values and 32 for each field (section 6.5.2), decoded */
    uint32_t max_headers;       /* fields, cookies counted before they are joined */
    uint32_t streams;           /* open at a time by the peer: MAX_CONCURRENT_STREAMS */
    uint32_t stream_window;     /* bytes of one body that may wait unused: INITIAL_WINDOW_SIZE */
    uint32_t connection_window; /* of all bodies together; 65535 or more */
    uint32_t max_queued;        /* bytes of frames other than DATA that wait to be sent */
    uint32_t max_memory;        /* bytes that nghttp2 and the streams take; beyond: NK_ENOMEM */
    uint32_t continuations;     /* CONTINUATION frames of one head */
    uint32_t period_ms;
    uint32_t resets;     /* streams that the peer resets, or makes us reset (CVE-2023-44487) */
    uint32_t pings;      /* PING */
    uint32_t settings;   /* SETTINGS */
    uint32_t priorities; /* PRIORITY and PRIORITY_UPDATE, above two for each new stream */
    uint32_t empties;    /* DATA without a byte that does not end its stream */
    uint32_t updates;    /* WINDOW_UPDATE, above four for each DATA frame that we sent */
    uint32_t strays;     /* GOAWAY, frames of unknown types, and frames of streams that are over */
};
void nk_h2_limits_default(struct nk_h2_limits *lim);

/* What the machine tells its caller, in nk_h2_feed, nk_h2_output and nk_h2_free only. `owner` is
 * the connection's, `call` the caller's pointer for the stream. A handler may call everything below
 * but those three. All are required, but `begin` on a client. A stream that began ends by exactly
 * one `gone`, or by the caller's own nk_h2_reset; no handler is called for it afterwards. */
struct nk_h2_handler {
    /* Server: a request begins. Sets the arena for its head and the caller's pointer, both good
     * until its end. Not 0: no (REFUSED_STREAM), and nothing more comes of it. */
    int (*begin)(void *owner, uint32_t stream, struct nk_arena **arena, void **call);
    /* The head is complete: it is valid during the call, its texts as long as the stream's arena.
     * keep_alive is true; a request has exactly one Host, made from :authority, and it is the first
     * header; cookies are one header; chunked says that a body of unknown length comes. Interim
     * answers (1xx) are skipped. */
    void (*head)(void *owner, void *call, uint32_t stream, const struct nk_http_head *head);
    /* A piece of the body, valid during the call; count it with nk_h2_consumed once it is used. */
    void (*body)(void *owner, void *call, uint32_t stream, struct nk_str bytes);
    /* The message is complete (trailers were checked and dropped; Content-Length holds). */
    void (*end)(void *owner, void *call, uint32_t stream);
    /* The message is refused; neither head, body nor end comes any more. NK_EINVAL: malformed (what
     * nghttp2 finds, it resets by itself: `gone` follows); NK_ELIMIT: over max_head_bytes or
     * max_headers; NK_EUNSUPPORTED: CONNECT, "*", an expectation; NK_ENOMEM: the arena is used up.
     * A server answers or resets; an answer to a stream that is reset already goes nowhere. A
     * client's stream is reset by itself. */
    void (*refused)(void *owner, void *call, uint32_t stream, int error, const char *why);
    /* Up to `max` bytes of the body to send into `p`: how many. 0 and not *end: nothing now; asks
     * again after nk_h2_resume. *end: that was all. Negative: the stream is reset. */
    ptrdiff_t (*take)(void *owner, void *call, uint32_t stream, char *p, size_t max, bool *end);
    /* The stream is over. NO_ERROR: the answer went whole. Otherwise one of the two sides reset it,
     * or the connection failed. `why` is good during the call, also in `refused`. */
    void (*gone)(void *owner, void *call, uint32_t stream, enum nk_h2_code code, const char *why);
};

struct nk_h2;

/* A connection; the first SETTINGS wait in its output. `handler` must outlive it. NULL when memory
 * is out. */
struct nk_h2 *nk_h2_new(bool server, const struct nk_h2_limits *lim,
                        const struct nk_h2_handler *handler, void *owner) NK_CHECKED;
/* Calls `gone` for each stream that is still open. NULL is fine. */
void nk_h2_free(struct nk_h2 *h);

/* Is that the start of a client's preface (section 3.4)? 0 yes, all 24 bytes; NK_EAGAIN so far;
 * NK_EINVAL no. For ports that take both HTTP/1.1 and HTTP/2 with prior knowledge. */
int nk_h2_sniff(struct nk_str bytes) NK_CHECKED;

/* Takes all bytes. `now_ms` is any monotonic clock. Errors end the connection: NK_EINVAL (the peer
 * broke the protocol), NK_ELIMIT (a limit above), NK_ENOMEM; fault stage "http2". Then `gone` has
 * been called for every stream, GOAWAY waits in the output, and the caller closes after sending it;
 * the same error comes back for whatever is fed later. */
int nk_h2_feed(struct nk_h2 *h, struct nk_str bytes, int64_t now_ms, struct nk_fault *f) NK_CHECKED;
/* Appends what may be sent now, about `max` bytes (a frame other than DATA is never split), asking
 * `take` for bodies within the peer's windows. 0, or NK_ENOMEM, NK_ELIMIT (out is full): close. */
int nk_h2_output(struct nk_h2 *h, struct nk_buf *out, size_t max) NK_CHECKED;
/* Would nk_h2_output have something? */
bool nk_h2_has_output(const struct nk_h2 *h);

/* Server: the answer's head; with has_body, `take` follows. Framing and hop-by-hop headers are
 * dropped, content_length is written. Copies what it needs. An answer whose body does not have
 * content_length bytes is reset, never completed. One that is complete before its request leaves the
 * stream open: what still comes of the body is thrown away, the window stays closed, `gone` follows when
 * the request is complete. Who does not want to wait that long resets it (NO_ERROR, section 8.1); a
 * request that was refused is reset by itself. NK_EINVAL: a head that the HTTP/1.1 writer would
 * refuse too, or a second answer; NK_ELIMIT: over max_queued; NK_ENOTFOUND: the stream is over. */
int nk_h2_answer(struct nk_h2 *h, uint32_t stream, const struct nk_http_head *head,
                 bool has_body) NK_CHECKED;
/* Server: an interim answer, 100 or 103, without headers. */
int nk_h2_interim(struct nk_h2 *h, uint32_t stream, int status) NK_CHECKED;
/* Client: a request; Host becomes :authority. `scheme` is "https" or "http". `arena` is for the
 * head of the answer. NK_EFULL: no further stream now (nk_h2_may_request), after GOAWAY never. */
int nk_h2_request(struct nk_h2 *h, const char *scheme, const struct nk_http_head *head,
                  bool has_body, struct nk_arena *arena, void *call, uint32_t *stream) NK_CHECKED;
bool nk_h2_may_request(const struct nk_h2 *h);
/* There is something to take again. */
void nk_h2_resume(struct nk_h2 *h, uint32_t stream);
/* n bytes of the body are used: the peer may send as many again. Nothing else opens its windows.
 * What a stream that ends has not counted is given back to the connection by itself. */
void nk_h2_consumed(struct nk_h2 *h, uint32_t stream, size_t n);
/* Ends a stream; no handler is called for it any more, its arena is not used any more. */
void nk_h2_reset(struct nk_h2 *h, uint32_t stream, enum nk_h2_code code);

/* No new streams (section 6.8): the first call sends GOAWAY for a later time and a PING; when its
 * answer proves that the peer has seen it (or at a second call), the final GOAWAY with the last
 * stream that is served. A client just stops. Streams that are open go on to their end. */
void nk_h2_shutdown(struct nk_h2 *h);
/* Nothing more will come or go but what is in the output: close when that is sent. */
bool nk_h2_is_over(const struct nk_h2 *h);
size_t nk_h2_stream_count(const struct nk_h2 *h);
/* Sends a PING unless one is on its way; is its answer outstanding? For liveness. */
void nk_h2_ping(struct nk_h2 *h);
bool nk_h2_awaits_pong(const struct nk_h2 *h);
/* Does the peer's window alone hold this stream's body back? For the caller's write timeout. */
bool nk_h2_is_stalled(const struct nk_h2 *h, uint32_t stream);
