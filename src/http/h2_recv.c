/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_recv.c - what nghttp2 saw becomes what the caller hears. nghttp2 judges frames, stream states
 * and the pseudo-headers; here each stream has one ending, and a stream that the caller has let go
 * of, or that is refused, is silent from then on.
 */
#include "http/h2_own.h"

#include <string.h>

void nk_h2_refuse(struct nk_h2 *h, struct nk_h2_stream *s, int error, const char *why)
{
    if (s->silent || s->refused || s->head_seen)
        return;
    s->refused = true;
    s->last = error == NK_EINVAL ? NK_H2_PROTOCOL_ERROR : NK_H2_NO_ERROR;
    h->handler->refused(h->owner, s->call, s->id, error, why);
}

void nk_h2_gone(struct nk_h2 *h, struct nk_h2_stream *s, enum nk_h2_code code, const char *why)
{
    struct nk_h2_stream copy = *s;
    nk_h2_stream_free(h, s);
    if (!copy.silent)
        h->handler->gone(h->owner, copy.call, copy.id, code, why);
}

static void said_end(struct nk_h2 *h, struct nk_h2_stream *s)
{
    s->there_done = true;
    if (!s->silent && !s->refused)
        h->handler->end(h->owner, s->call, s->id);
}

static struct nk_h2_stream *find(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int begin_stream(struct nk_h2 *h, uint32_t id)
{
    struct nk_h2_stream *s = nk_h2_stream_new(h);
    if (!s || nghttp2_session_set_stream_user_data(h->session, (int32_t)id, s))
        return nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for the connection");
    s->id = id;
    if (h->handler->begin(h->owner, id, &s->arena, &s->call)) {
        s->silent = s->dropped = true;
        if (nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, (int32_t)id,
                                      NGHTTP2_REFUSED_STREAM))
            return nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for a reset");
    }
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct nk_h2 *h = owner;
    (void)session;
    nk_h2_block_begin(h);
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        return begin_stream(h, (uint32_t)frame->hd.stream_id);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_n, const uint8_t *value, size_t value_n, uint8_t flags,
                     void *owner)
{
    struct nk_h2 *h = owner;
    struct nk_h2_stream *s = find(session, frame->hd.stream_id);
    (void)flags;
    if (!s)
        return 0;
    return nk_h2_block_field(h, s, (struct nk_str){(const char *)name, name_n},
                             (struct nk_str){(const char *)value, value_n});
}

/* Left to itself, nghttp2 would drop the field and go on. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_n, const uint8_t *value,
                             size_t value_n, uint8_t flags, void *owner)
{
    (void)session, (void)frame, (void)name, (void)name_n, (void)value, (void)value_n;
    (void)flags, (void)owner;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* A stream error that nghttp2 found; it has queued the reset. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *owner)
{
    struct nk_h2 *h = owner;
    struct nk_h2_stream *s = find(session, frame->hd.stream_id);
    if (!s)
        return 0;
    s->why = error == NGHTTP2_ERR_HTTP_HEADER ? "a header field that HTTP/2 forbids"
             : error == NGHTTP2_ERR_HTTP_MESSAGING
                 ? "a pseudo-header is missing, or Content-Length "
                   "is not the length of the body"
             : error == NGHTTP2_ERR_FLOW_CONTROL ? "a window is exceeded"
                                                 : "a frame that its stream does not allow";
    if (frame->hd.type == NGHTTP2_HEADERS)
        nk_h2_refuse(h, s, NK_EINVAL, s->why);
    return 0;
}

/* Nobody reads what comes of its body: refused, let go of, or answered already. */
static bool is_unwanted(const struct nk_h2 *h, const struct nk_h2_stream *s)
{
    return s->silent || s->refused || (h->server && s->here_done);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n,
                   void *owner)
{
    struct nk_h2 *h = owner;
    struct nk_h2_stream *s = find(session, id);
    (void)flags;
    if (!s)
        return 0;
    s->unused += n;
    if (!is_unwanted(h, s))
        h->handler->body(h->owner, s->call, s->id, (struct nk_str){(const char *)p, n});
    return 0;
}

/* Gives bytes that nobody reads back to the connection; the stream's own window runs dry. */
static void give_back(struct nk_h2 *h, struct nk_h2_stream *s)
{
    if (s->unused && nghttp2_session_consume_connection(h->session, s->unused))
        nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for a window");
    s->unused = 0;
}

static void got_data(struct nk_h2 *h, struct nk_h2_stream *s, const nghttp2_frame *frame)
{
    bool last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (!last && frame->hd.length == frame->data.padlen)
        nk_h2_count(h, &h->counts.empties, h->lim.empties, "too many empty DATA frames");
    if (s && is_unwanted(h, s))
        give_back(h, s);
    if (s && last)
        said_end(h, s);
}

static void got_ping(struct nk_h2 *h, const nghttp2_ping *ping)
{
    if (!(ping->hd.flags & NGHTTP2_FLAG_ACK))
        return;
    if (memcmp(ping->opaque_data, "liveness", sizeof ping->opaque_data) == 0)
        h->pinging = false;
    else if (h->leaving == 1)
        nk_h2_leave(h);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct nk_h2 *h = owner;
    struct nk_h2_stream *s = find(session, frame->hd.stream_id);
    bool last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (s && !s->head_seen && !s->refused)
            nk_h2_block_end(h, s, last);
        if (s && last)
            said_end(h, s);
        break;
    case NGHTTP2_DATA:
        got_data(h, s, frame);
        break;
    case NGHTTP2_RST_STREAM:
        if (s)
            s->why = "the peer reset the stream";
        break;
    case NGHTTP2_PING:
        got_ping(h, &frame->ping);
        break;
    case NGHTTP2_GOAWAY:
        h->goaway_got = true;
        break;
    default:
        break;
    }
    return h->fault.code ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *owner)
{
    struct nk_h2 *h = owner;
    struct nk_h2_stream *s = find(session, id);
    if (!s)
        return 0;
    (void)nghttp2_session_set_stream_user_data(session, id, NULL);
    give_back(h, s);
    bool whole = h->server ? s->here_done : s->there_done && s->head_seen && !s->refused;
    if (h->server && whole)
        code = NGHTTP2_NO_ERROR; /* our reset behind an early answer takes nothing back */
    else if (code == NGHTTP2_NO_ERROR && !whole)
        code = s->last ? s->last : NGHTTP2_CANCEL;
    if (code > NGHTTP2_HTTP_1_1_REQUIRED)
        code = NGHTTP2_INTERNAL_ERROR; /* section 7: unknown codes are no more than that */
    nk_h2_gone(h, s, (enum nk_h2_code)code,
               s->why                   ? s->why
               : code == NK_H2_NO_ERROR ? "complete"
                                        : "the stream is reset");
    return 0;
}

/* What nghttp2 had to reset because of the peer counts as if the peer had (CVE-2025-8671). */
static void sent_reset(struct nk_h2 *h, struct nk_h2_stream *s, const nghttp2_frame *frame)
{
    uint32_t id = (uint32_t)frame->hd.stream_id, code = frame->rst_stream.error_code;
    if (id % 2 && id > h->forgiving)
        h->forgiving = id;
    if (code == NGHTTP2_NO_ERROR || (s && s->dropped))
        return;
    /* Section 6.9.2; nghttp2 blames the stream alone. */
    if (code == NGHTTP2_FLOW_CONTROL_ERROR && h->head[3] == NGHTTP2_SETTINGS)
        nk_h2_fail(h, NK_EINVAL, NK_H2_FLOW_CONTROL_ERROR, "SETTINGS push a window beyond 2^31-1");
    else
        nk_h2_count(h, &h->counts.resets, h->lim.resets, "too many streams are reset");
}

static void sent_goaway(struct nk_h2 *h, const nghttp2_goaway *goaway)
{
    if (goaway->last_stream_id != INT32_MAX)
        h->forgiving = UINT32_MAX; /* later streams are ignored without a word */
    if (goaway->error_code == NGHTTP2_NO_ERROR)
        return;
    char why[sizeof h->fault.message] = "the peer broke the protocol";
    size_t n = goaway->opaque_data_len < sizeof why ? goaway->opaque_data_len : sizeof why - 1;
    if (n) {
        memcpy(why, goaway->opaque_data, n);
        why[n] = 0;
    }
    h->goaway_sent = true;
    nk_h2_fail(h, goaway->error_code == NGHTTP2_ENHANCE_YOUR_CALM ? NK_ELIMIT : NK_EINVAL,
               (enum nk_h2_code)goaway->error_code, why);
}

/* An answer is complete. What is left of a request that was taken is the caller's to wait for. */
static void sent_end(struct nk_h2 *h, struct nk_h2_stream *s)
{
    s->here_done = true;
    if (h->server && s->refused && !s->there_done &&
        nghttp2_submit_rst_stream(h->session, NGHTTP2_FLAG_NONE, (int32_t)s->id, s->last))
        nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for a reset");
}

/* The bytes are on their way already: a failure takes effect behind them. */
static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *owner)
{
    struct nk_h2 *h = owner;
    struct nk_h2_stream *s = find(session, frame->hd.stream_id);
    switch (frame->hd.type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        h->counts.sent += frame->hd.type == NGHTTP2_DATA;
        if (s && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            sent_end(h, s);
        break;
    case NGHTTP2_RST_STREAM:
        sent_reset(h, s, frame);
        break;
    case NGHTTP2_GOAWAY:
        sent_goaway(h, &frame->goaway);
        break;
    default:
        break;
    }
    return 0;
}

void nk_h2_set_callbacks(nghttp2_session_callbacks *c)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(c, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, on_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, on_sent);
}
