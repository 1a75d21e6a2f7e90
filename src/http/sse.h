/* SPDX-License-Identifier: Apache-2.0
 *
 * sse.h - server-sent events (WHATWG HTML, section 9.2) cut from a byte stream: each event with its
 * raw bytes, so that it can be passed on exactly as it came, held back or dropped.
 */
#pragma once

#include "base/buf.h"

struct nk_sse_event {
    struct nk_str raw;   /* all bytes of the event, the blank line included */
    struct nk_str event; /* last "event:" value, or absent */
    struct nk_str data;  /* "data:" lines joined by LF; absent when there was none */
};

struct nk_sse {
    struct nk_buf pending; /* bytes fed; those before `consumed` are done with */
    struct nk_buf joined;  /* scratch for multi-line data */
    size_t max_event;
    size_t consumed; /* first byte of the next event */
    size_t scanned;  /* how far `pending` has been searched for a blank line */
    size_t line;     /* start of the line that is being searched */
    bool began;      /* the first event is out: no byte order mark any more */
    bool ended;      /* nk_sse_end was called */
};

enum { NK_SSE_FEED_MAX = 1 << 20 };

/* max_event: the largest event in bytes, then NK_ELIMIT. */
void nk_sse_init(struct nk_sse *s, size_t max_event);
void nk_sse_free(struct nk_sse *s);
/* Appends bytes of the stream, at most NK_SSE_FEED_MAX; take all events out before feeding more. */
int nk_sse_feed(struct nk_sse *s, struct nk_str bytes, struct nk_fault *f) NK_CHECKED;
/* No more bytes will come: a CR at the very end need not wait for its LF. */
void nk_sse_end(struct nk_sse *s);
/* The next whole event: 0; NK_EAGAIN when more bytes are needed; NK_ELIMIT; NK_EINVAL (stage "sse")
 * on invalid UTF-8 or NUL. A block of comments, or a lone blank line, is an event without data: the
 * raws put together are the stream. Views are valid until the next call on `s`. */
int nk_sse_next(struct nk_sse *s, struct nk_sse_event *out, struct nk_fault *f) NK_CHECKED;
/* Bytes that are not yet a whole event. */
size_t nk_sse_pending(const struct nk_sse *s);
