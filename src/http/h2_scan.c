/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_scan.c - each frame header before nghttp2 sees it: what one peer may cost.
 *
 * HTTP/2 lets a peer ask for work by frames that cost it nothing. Each kind is counted in periods of
 * time, on the connection; who exceeds a limit loses it. Kinds that honest peers send in proportion
 * to something have a bonus for that. And a frame for a stream that is over by the peer's own doing
 * is an error of the connection (section 5.1), while one for a stream that we have reset may have
 * been on its way and is only counted.
 */
#include "http/h2_own.h"

enum { PRIORITY_UPDATE = 0x10 }; /* RFC 9218, section 7.1 */

void nk_h2_period(struct nk_h2 *h, int64_t now_ms)
{
    if (now_ms - h->counts.began_ms >= h->lim.period_ms || now_ms < h->counts.began_ms)
        h->counts = (struct nk_h2_counts){.began_ms = now_ms};
}

void nk_h2_count(struct nk_h2 *h, uint32_t *counter, uint64_t limit, const char *what)
{
    if (++*counter > limit)
        nk_h2_fail(h, NK_ELIMIT, NK_H2_ENHANCE_YOUR_CALM, what);
}

void nk_h2_begun(struct nk_h2 *h, uint32_t id)
{
    uint32_t steps = (id - h->newest + 1) / 2;
    h->begun = (steps < 64 ? h->begun << steps : 0) | 1;
    h->newest = id;
}

static uint32_t frame_length(const unsigned char *head)
{
    return (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
}

/* HEADERS or DATA for a stream that is neither open nor new. */
static void scan_closed(struct nk_h2 *h, uint32_t id)
{
    uint32_t steps = (h->newest - id) / 2;
    if (steps < 64 && !(h->begun >> steps & 1))
        nk_h2_fail(h, NK_EINVAL, NK_H2_PROTOCOL_ERROR, "a frame for a stream that was skipped");
    else if (id > h->forgiving)
        nk_h2_fail(h, NK_EINVAL, NK_H2_STREAM_CLOSED, "a frame for a stream that is closed");
    else
        nk_h2_count(h, &h->counts.strays, h->lim.strays, "too many frames for closed streams");
}

/* DATA beyond a window (section 6.9.1), before any of it is taken: nghttp2 would hand it on first. */
static void scan_window(struct nk_h2 *h, uint32_t id)
{
    int32_t length = (int32_t)frame_length(h->head);
    if (length > nghttp2_session_get_local_window_size(h->session) ||
        length > nghttp2_session_get_stream_local_window_size(h->session, (int32_t)id))
        nk_h2_fail(h, NK_EINVAL, NK_H2_FLOW_CONTROL_ERROR, "a body beyond its window");
}

/* Streams of the other side and stream 0 are nghttp2's to refuse. */
static void scan_stream(struct nk_h2 *h, uint32_t id, bool headers)
{
    if (id % 2 == 0)
        return;
    if (nk_h2_find(h, id)) {
        if (!headers)
            scan_window(h, id);
        return;
    }
    if (id <= h->newest) {
        scan_closed(h, id);
    } else if (headers && h->server) {
        nk_h2_begun(h, id);
        h->counts.opened++;
    }
}

/* Too small for what its flags say it holds (section 4.2)? */
static bool is_short(const unsigned char *head)
{
    uint32_t need = head[4] & NGHTTP2_FLAG_PADDED ? 1 : 0;
    if (head[3] == NGHTTP2_HEADERS && head[4] & NGHTTP2_FLAG_PRIORITY)
        need += 5;
    return (head[3] == NGHTTP2_HEADERS || head[3] == NGHTTP2_DATA) && frame_length(head) < need;
}

void nk_h2_scan(struct nk_h2 *h)
{
    struct nk_h2_counts *c = &h->counts;
    const struct nk_h2_limits *lim = &h->lim;
    const unsigned char *b = h->head;
    uint32_t id = (uint32_t)(b[5] & 0x7f) << 24 | (uint32_t)b[6] << 16 | (uint32_t)b[7] << 8 | b[8];
    if (is_short(b))
        nk_h2_fail(h, NK_EINVAL, NK_H2_FRAME_SIZE_ERROR, "a frame too short for its flags");
    switch (b[3]) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
        scan_stream(h, id, b[3] == NGHTTP2_HEADERS);
        break;
    case NGHTTP2_PRIORITY:
    case PRIORITY_UPDATE:
        if (id == 0 && b[3] == NGHTTP2_PRIORITY) /* section 6.3; nghttp2 looks at none any more */
            nk_h2_fail(h, NK_EINVAL, NK_H2_PROTOCOL_ERROR, "PRIORITY on stream 0");
        nk_h2_count(h, &c->priorities, lim->priorities + 2ull * c->opened,
                    "too many PRIORITY frames");
        break;
    case NGHTTP2_RST_STREAM:
        nk_h2_count(h, &c->resets, lim->resets, "too many streams are reset");
        break;
    case NGHTTP2_SETTINGS:
        nk_h2_count(h, &c->settings, lim->settings, "too many SETTINGS frames");
        break;
    case NGHTTP2_PING:
        nk_h2_count(h, &c->pings, lim->pings, "too many PING frames");
        break;
    case NGHTTP2_WINDOW_UPDATE:
        nk_h2_count(h, &c->updates, lim->updates + 4ull * c->sent, "too many WINDOW_UPDATE frames");
        break;
    case NGHTTP2_CONTINUATION:
    case NGHTTP2_PUSH_PROMISE:
        break; /* nghttp2's: counted for each head, never allowed */
    default:
        nk_h2_count(h, &c->strays, lim->strays, "too many frames of other types");
    }
}
