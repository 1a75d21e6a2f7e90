/* SPDX-License-Identifier: Apache-2.0
 *
 * h2.c - the connection: bytes in, bytes out, and how it ends.
 *
 * Received bytes go to nghttp2 one frame at a time, each frame header whole and only after
 * h2_scan.c has seen it, and what nghttp2 wants to send in return (but bodies) is taken from it
 * right away into `queue`. So how the network cut the bytes changes nothing, a violation is known
 * before the next frame is looked at, and the queue has a maximum: a peer that makes us answer and
 * does not read loses the connection. Bodies are never taken before nk_h2_output asks.
 */
#include "http/h2_own.h"

#include <stdlib.h>
#include <string.h>

void nk_h2_limits_default(struct nk_h2_limits *lim)
{
    *lim = (struct nk_h2_limits){
        .max_head_bytes = 32 << 10,
        .max_headers = 100,
        .streams = 100,
        .stream_window = 256 << 10,
        .connection_window = 1 << 20,
        .max_queued = 128 << 10,
        .max_memory = 512 << 10,
        .continuations = 8,
        .period_ms = 10000,
        .resets = 200,
        .pings = 200,
        .settings = 50,
        .priorities = 200,
        .empties = 100,
        .updates = 1000,
        .strays = 1000,
    };
}

struct nk_h2_stream *nk_h2_find(const struct nk_h2 *h, uint32_t id)
{
    if (h->failed || h->starved || id == 0 || id > INT32_MAX)
        return NULL;
    struct nk_h2_stream *s = nghttp2_session_get_stream_user_data(h->session, (int32_t)id);
    /* nghttp2 knows a client's stream only once its head is taken out. */
    if (!s && !h->server)
        for (s = h->streams; s && s->id != id;)
            s = s->next;
    return s;
}

/* The rates of nghttp2 are switched off where they read the clock; ours take it as an argument. Old
 * priorities (RFC 7540) are declined, which leaves no tree to attack. */
static void set_options(nghttp2_option *o, const struct nk_h2_limits *lim)
{
    nghttp2_option_set_no_auto_window_update(o, 1);
    nghttp2_option_set_max_outbound_ack(o, (size_t)lim->pings + lim->settings + 2);
    nghttp2_option_set_max_continuations(o, lim->continuations);
    nghttp2_option_set_stream_reset_rate_limit(o, UINT64_MAX, UINT64_MAX);
    nghttp2_option_set_peer_max_concurrent_streams(o, lim->streams);
    nghttp2_option_set_max_reserved_remote_streams(o, 0);
    nghttp2_option_set_no_closed_streams(o, 1);
}

static int open_session(struct nk_h2 *h)
{
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    nghttp2_mem mem = nk_h2_memory_of(h);
    int rc = nghttp2_session_callbacks_new(&callbacks);
    if (!rc)
        rc = nghttp2_option_new(&option);
    if (!rc) {
        nk_h2_set_callbacks(callbacks);
        set_options(option, &h->lim);
        rc = h->server ? nghttp2_session_server_new3(&h->session, callbacks, h, option, &mem)
                       : nghttp2_session_client_new3(&h->session, callbacks, h, option, &mem);
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return rc;
}

/* Our part of the preface (section 3.4). */
static int send_settings(struct nk_h2 *h)
{
    const struct nk_h2_limits *lim = &h->lim;
    nghttp2_settings_entry entries[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, lim->stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, lim->max_head_bytes},
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h->server ? lim->streams : 0},
    };
    int rc = nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, entries, NK_COUNT(entries));
    if (!rc)
        rc = nghttp2_session_set_local_window_size(h->session, NGHTTP2_FLAG_NONE, 0,
                                                   (int32_t)lim->connection_window);
    return rc;
}

/* Errors after which an nghttp2 session is of no use. */
static void fatal(struct nk_h2 *h, ssize_t rc)
{
    switch (rc) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        nk_h2_fail(h, NK_EINVAL, NK_H2_PROTOCOL_ERROR, "not the preface of HTTP/2");
        break;
    case NGHTTP2_ERR_FLOODED:
        nk_h2_fail(h, NK_ELIMIT, NK_H2_ENHANCE_YOUR_CALM, "too many frames that ask for an answer");
        break;
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
        nk_h2_fail(h, NK_ELIMIT, NK_H2_ENHANCE_YOUR_CALM, "too many CONTINUATION frames");
        break;
    default:
        nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for the connection");
    }
}

/* Takes from nghttp2 what it has: all but bodies, and bodies while `pulling`. */
static void take_frames(struct nk_h2 *h, struct nk_buf *out)
{
    const uint8_t *p;
    while (!h->fault.code && !out->error) {
        ssize_t n = nghttp2_session_mem_send(h->session, &p);
        if (n < 0)
            fatal(h, n);
        if (n <= 0)
            return;
        nk_buf_add(out, (struct nk_str){(const char *)p, (size_t)n});
        if (out == &h->queue && out->error)
            nk_h2_fail(h, NK_ELIMIT, NK_H2_ENHANCE_YOUR_CALM,
                       "the peer does not read what it asks for");
    }
}

struct nk_h2 *nk_h2_new(bool server, const struct nk_h2_limits *lim,
                        const struct nk_h2_handler *handler, void *owner)
{
    struct nk_h2 *h = calloc(1, sizeof *h);
    if (!h)
        return NULL;
    h->lim = *lim;
    h->server = server;
    h->handler = handler;
    h->owner = owner;
    h->left = server ? NK_H2_PREFACE : 0;
    nk_buf_init(&h->queue, lim->max_queued);
    nk_buf_init(&h->block.text, lim->max_head_bytes);
    nk_buf_init(&h->block.fields, (size_t)lim->max_headers * sizeof(struct nk_h2_span));
    if (!open_session(h) && !send_settings(h))
        take_frames(h, &h->queue); /* the preface comes first, whatever happens */
    if (!h->queue.n || h->fault.code) {
        nk_h2_free(h);
        return NULL;
    }
    return h;
}

void nk_h2_free(struct nk_h2 *h)
{
    if (!h)
        return;
    while (h->streams)
        nk_h2_gone(h, h->streams, NK_H2_CANCEL, "the connection is closed");
    nk_h2_memory_end(h);
    nk_buf_free(&h->queue);
    nk_buf_free(&h->block.text);
    nk_buf_free(&h->block.fields);
    free(h);
}

int nk_h2_sniff(struct nk_str bytes)
{
    struct nk_str preface = {NGHTTP2_CLIENT_MAGIC, NK_H2_PREFACE};
    struct nk_str start = nk_str_sub(bytes, 0, NK_H2_PREFACE);
    if (!nk_str_starts(preface, start))
        return NK_EINVAL;
    return start.n < NK_H2_PREFACE ? NK_EAGAIN : 0;
}

int nk_h2_fail(struct nk_h2 *h, int error, enum nk_h2_code code, const char *why)
{
    if (!h->fault.code)
        h->code = code;
    nk_fault_set(&h->fault, error, "http2", 0, "%s", why);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static void put_u32(struct nk_buf *b, uint32_t v)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        nk_buf_add_char(b, (char)(v >> shift));
}

/* GOAWAY (section 6.8) where nghttp2 sends none: after what it calls fatal, it sends nothing more. */
static void put_goaway(struct nk_h2 *h)
{
    struct nk_str why = nk_str(h->fault.message);
    h->queue.error = 0;
    h->queue.max = h->lim.max_queued + NK_H2_FRAME_HEAD + 8 + sizeof h->fault.message;
    put_u32(&h->queue, (uint32_t)(8 + why.n) << 8 | NGHTTP2_GOAWAY);
    nk_buf_add_char(&h->queue, NGHTTP2_FLAG_NONE);
    put_u32(&h->queue, 0);
    put_u32(&h->queue, (uint32_t)nghttp2_session_get_last_proc_stream_id(h->session));
    put_u32(&h->queue, h->code);
    nk_buf_add(&h->queue, why);
}

/* Makes a fault take effect. Returns the error, if any. */
static int settle(struct nk_h2 *h)
{
    if (!h->fault.code || h->failed)
        return h->fault.code;
    if (!h->goaway_sent)
        put_goaway(h);
    h->failed = true;
    while (h->streams)
        nk_h2_gone(h, h->streams, h->code, h->fault.message);
    return h->fault.code;
}

/* What nghttp2 wants to say is taken behind the header and the end of a frame, not behind each piece
 * of it: then a frame that breaks two rules breaks the same one however it comes. */
static void pass(struct nk_h2 *h, const void *p, size_t n, bool take)
{
    ssize_t rc = nghttp2_session_mem_recv(h->session, p, n);
    if (rc < 0)
        fatal(h, rc);
    if (take)
        take_frames(h, &h->queue);
}

static void pass_frame_head(struct nk_h2 *h)
{
    h->head_n = 0;
    h->left = (size_t)h->head[0] << 16 | (size_t)h->head[1] << 8 | h->head[2];
    nk_h2_scan(h);
    if (!h->fault.code)
        pass(h, h->head, sizeof h->head, true);
}

int nk_h2_feed(struct nk_h2 *h, struct nk_str bytes, int64_t now_ms, struct nk_fault *f)
{
    nk_h2_period(h, now_ms);
    while (bytes.n && !h->fault.code) {
        size_t n = h->left;
        if (n) {
            n = n < bytes.n ? n : bytes.n;
            h->left -= n;
            pass(h, bytes.p, n, h->left == 0);
        } else {
            n = sizeof h->head - h->head_n;
            n = n < bytes.n ? n : bytes.n;
            memcpy(h->head + h->head_n, bytes.p, n);
            h->head_n += n;
            if (h->head_n == sizeof h->head)
                pass_frame_head(h);
        }
        bytes = nk_str_sub(bytes, n, bytes.n);
    }
    int rc = settle(h);
    return rc ? nk_fault_set(f, rc, h->fault.stage, 0, "%s", h->fault.message) : 0;
}

int nk_h2_output(struct nk_h2 *h, struct nk_buf *out, size_t max)
{
    if (!h->failed)
        take_frames(h, &h->queue);
    (void)settle(h);
    nk_buf_add(out, nk_buf_str(&h->queue));
    h->room = max > h->queue.n ? max - h->queue.n : 0;
    nk_buf_free(&h->queue);
    if (!h->failed) {
        h->pulling = true;
        take_frames(h, out);
        h->pulling = false;
        (void)settle(h);
        nk_buf_add(out, nk_buf_str(&h->queue));
        nk_buf_free(&h->queue);
    }
    return out->error;
}

bool nk_h2_has_output(const struct nk_h2 *h)
{
    if (h->fault.code) /* its last word is still to come, or in the queue */
        return !h->failed || h->queue.n;
    return h->queue.n || nghttp2_session_want_write(h->session);
}

/* The final GOAWAY: streams up to the last one that was begun are served. */
void nk_h2_leave(struct nk_h2 *h)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(h->session);
    h->leaving = 2;
    if (nghttp2_submit_goaway(h->session, NGHTTP2_FLAG_NONE, last, NGHTTP2_NO_ERROR, NULL, 0))
        nk_h2_fail(h, NK_ENOMEM, NK_H2_INTERNAL_ERROR, "out of memory for the connection");
}

void nk_h2_shutdown(struct nk_h2 *h)
{
    if (h->fault.code || h->leaving == 2)
        return;
    if (!h->server || h->leaving == 1) {
        nk_h2_leave(h);
        return;
    }
    h->leaving = 1;
    if (nghttp2_submit_shutdown_notice(h->session) ||
        nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, (const uint8_t *)"leaving "))
        nk_h2_leave(h);
}

bool nk_h2_is_over(const struct nk_h2 *h)
{
    return h->fault.code || !nghttp2_session_want_read(h->session);
}

size_t nk_h2_stream_count(const struct nk_h2 *h)
{
    return h->stream_count;
}

void nk_h2_ping(struct nk_h2 *h)
{
    if (h->fault.code || h->pinging)
        return;
    h->pinging = !nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, (const uint8_t *)"liveness");
}

bool nk_h2_awaits_pong(const struct nk_h2 *h)
{
    return h->pinging;
}
