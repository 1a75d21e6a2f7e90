/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_own.h - private to the h2 files: a connection, its streams, and what the files call of each
 * other. nghttp2 keeps frames, HPACK, stream states and windows; what is kept here is what it does
 * not know: the caller's pointers, what frames cost, the head that is being received.
 *
 *   h2.c        the connection: bytes in, bytes out, how it ends
 *   h2_memory.c what it allocates
 *   h2_scan.c   frame headers, before nghttp2 sees them: what one peer may cost
 *   h2_recv.c   nghttp2's callbacks -> the caller's handlers
 *   h2_head.c   header blocks -> heads, under the rules of HTTP/1.1
 *   h2_send.c   heads and bodies to send
 */
#pragma once

#include "http/h2.h"

#include <nghttp2/nghttp2.h>

enum { NK_H2_FRAME_HEAD = 9, NK_H2_PREFACE = NGHTTP2_CLIENT_MAGIC_LEN };

struct nk_h2_stream {
    uint32_t id;
    struct nk_h2_stream *prev, *next;
    struct nk_arena *arena;
    void *call;
    size_t unused;        /* bytes of the received body that are not consumed yet */
    int64_t left;         /* bytes of the body to send by content_length; -1: not known */
    enum nk_h2_code last; /* what to reset it with behind an early answer */
    const char *why;      /* it ends, once known; static */
    int interims;         /* 1xx answers that were skipped */
    bool head_seen, refused;
    bool silent;      /* the caller did not want it, or let go of it: no handler any more */
    bool dropped;     /* so its reset is not the peer's doing */
    bool head_method; /* HEAD: the answer has no body */
    bool answered;    /* head sent, or the request of a client */
    bool waits;       /* `take` had nothing */
    bool here_done, there_done;
};

/* Bytes of a field in the text of the block. */
struct nk_h2_span {
    uint32_t name, name_n, value, value_n;
};

/* A header block that is being received. HPACK makes them come one at a time. */
struct nk_h2_block {
    struct nk_buf text;   /* names and values */
    struct nk_buf fields; /* struct nk_h2_span each */
    size_t size, count;   /* decoded, as section 6.5.2 counts; also of what is not kept */
    bool over;            /* a limit is exceeded: nothing more is kept */
};

/* Frames of the present period. */
struct nk_h2_counts {
    int64_t began_ms;
    uint32_t resets, pings, settings, priorities, empties, updates, strays;
    uint32_t opened, sent; /* streams, DATA frames: what some limits grow with */
};

struct nk_h2 {
    nghttp2_session *session;
    struct nk_h2_limits lim;
    const struct nk_h2_handler *handler;
    void *owner;
    bool server;
    struct nk_h2_memory *blocks; /* all that nghttp2 and the streams hold */
    size_t memory;               /* its bytes */
    bool starved;                /* an allocation has failed: nghttp2 is not called any more */
    struct nk_h2_stream *streams;
    size_t stream_count;
    struct nk_h2_block block;
    struct nk_h2_counts counts;
    struct nk_buf queue; /* whole frames other than DATA that wait to be sent */
    bool pulling;        /* nk_h2_output asks for bodies */
    size_t room;         /* bytes of bodies that it still takes */
    /* Scanner: bytes of the frame header so far, or bytes of the preface or payload to come. */
    unsigned char head[NK_H2_FRAME_HEAD];
    size_t head_n, left;
    uint32_t newest;    /* highest stream that the peer (a client: we) began */
    uint64_t begun;     /* one bit for each of the last 64 up to it: was it begun, or skipped? */
    uint32_t forgiving; /* up to here, frames of streams that are over may have been on their way */
    /* The end. */
    struct nk_fault fault; /* code not 0: the connection has failed */
    enum nk_h2_code code;
    bool failed; /* the fault is told: GOAWAY queued, no stream left */
    bool goaway_sent, goaway_got;
    int leaving; /* nk_h2_shutdown: 1 the first GOAWAY is out, 2 the final one */
    bool pinging;
};

/* h2.c. The first failure wins; it takes effect once nghttp2 has returned. Returns what an nghttp2
 * callback returns to stop it. */
int nk_h2_fail(struct nk_h2 *h, int error, enum nk_h2_code code, const char *why);
struct nk_h2_stream *nk_h2_find(const struct nk_h2 *h, uint32_t id);
void nk_h2_leave(struct nk_h2 *h);

/* h2_memory.c. */
nghttp2_mem nk_h2_memory_of(struct nk_h2 *h);
/* Deletes the session and gives everything back. */
void nk_h2_memory_end(struct nk_h2 *h);
struct nk_h2_stream *nk_h2_stream_new(struct nk_h2 *h);
void nk_h2_stream_free(struct nk_h2 *h, struct nk_h2_stream *s);

/* h2_scan.c. Judges the frame header in h->head; may fail. */
void nk_h2_scan(struct nk_h2 *h);
/* One more of something that is counted. */
void nk_h2_count(struct nk_h2 *h, uint32_t *counter, uint64_t limit, const char *what);
void nk_h2_period(struct nk_h2 *h, int64_t now_ms);
/* A stream with a number above all others was begun. */
void nk_h2_begun(struct nk_h2 *h, uint32_t id);

/* h2_recv.c. */
void nk_h2_set_callbacks(nghttp2_session_callbacks *callbacks);
/* Tells the caller that the message is refused, unless it has let go of the stream. */
void nk_h2_refuse(struct nk_h2 *h, struct nk_h2_stream *s, int error, const char *why);
/* Ends the stream for the caller and frees it. */
void nk_h2_gone(struct nk_h2 *h, struct nk_h2_stream *s, enum nk_h2_code code, const char *why);

/* h2_head.c. */
void nk_h2_block_begin(struct nk_h2 *h);
int nk_h2_block_field(struct nk_h2 *h, const struct nk_h2_stream *s, struct nk_str name,
                      struct nk_str value);
/* The block is complete: calls head or refused, or skips an interim answer. `last`: no body. */
void nk_h2_block_end(struct nk_h2 *h, struct nk_h2_stream *s, bool last);

/* h2_send.c. */
ssize_t nk_h2_read_body(nghttp2_session *session, int32_t id, uint8_t *p, size_t n, uint32_t *flags,
                        nghttp2_data_source *source, void *owner);
