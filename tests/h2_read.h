/* SPDX-License-Identifier: Apache-2.0
 *
 * h2_read.h - frames that came out as one readable line each. Heads are decoded by nghttp2's HPACK
 * decoder, everything else is read here, so a frame that is not well formed shows.
 */
#pragma once

#include <nghttp2/nghttp2.h>
#include "base/reader.h"
#include "h2_names.h"

struct h2_reader {
    struct nk_buf pending, block;
    nghttp2_hd_inflater *hpack;
    const char *who;
    bool settings, windows, pings, last; /* say these too */
    bool magic;                          /* the client's preface comes first */
    int64_t table;                       /* HPACK's, from an acknowledgement on; -1: as it is */
    size_t frames;
};

static inline void h2_reader_init(struct h2_reader *r, const char *who, bool client)
{
    *r = (struct h2_reader){.who = who, .magic = client, .table = -1};
    nk_buf_init(&r->pending, 8 << 20);
    nk_buf_init(&r->block, 1 << 20);
    if (nghttp2_hd_inflate_new(&r->hpack))
        abort();
}

static inline void h2_reader_free(struct h2_reader *r)
{
    nghttp2_hd_inflate_del(r->hpack);
    nk_buf_free(&r->pending);
    nk_buf_free(&r->block);
}

static inline void h2_say_fields(struct h2_reader *r, struct nk_buf *out)
{
    const uint8_t *in = (const uint8_t *)r->block.p;
    size_t left = r->block.n;
    int flags;
    do {
        nghttp2_nv nv;
        ssize_t n = nghttp2_hd_inflate_hd2(r->hpack, &nv, &flags, in, left, 1);
        if (n < 0)
            abort();
        in += n;
        left -= (size_t)n;
        if (flags & NGHTTP2_HD_INFLATE_EMIT)
            nk_buf_printf(out, " %.*s=%.*s", (int)nv.namelen, (const char *)nv.name,
                          (int)nv.valuelen, (const char *)nv.value);
    } while (!(flags & NGHTTP2_HD_INFLATE_FINAL));
    nghttp2_hd_inflate_end_headers(r->hpack);
    nk_buf_clear(&r->block);
}

/* Bytes, or how many when there are many. */
static inline void h2_say_bytes(struct nk_str s, struct nk_buf *out)
{
    if (s.n > 40)
        nk_buf_printf(out, "bytes=%zu", s.n);
    else
        nk_buf_printf(out, "data=%.*s", NK_FMT(s));
}

static inline bool h2_hidden(const struct h2_reader *r, unsigned type)
{
    return (type == H2_SETTINGS && !r->settings) || (type == H2_WINDOW_UPDATE && !r->windows) ||
           (type == H2_PING && !r->pings);
}

static inline void h2_say_payload(struct h2_reader *r, unsigned type, unsigned flags,
                                  struct nk_str payload, struct nk_buf *out)
{
    struct nk_reader in = nk_reader(payload);
    switch (type) {
    case H2_DATA:
        nk_buf_add_char(out, ' ');
        h2_say_bytes(payload, out);
        break;
    case H2_HEADERS:
    case H2_CONTINUATION:
        nk_buf_add(&r->block, payload);
        if (flags & 4)
            h2_say_fields(r, out);
        break;
    case H2_RST_STREAM:
        nk_buf_printf(out, " %s", h2_code_name(nk_read_u32be(&in)));
        break;
    case H2_SETTINGS:
        nk_buf_printf(out, "%s", flags & 1 ? " ack" : "");
        while (nk_read_left(&in) >= 6) {
            unsigned id = nk_read_u16be(&in);
            nk_buf_printf(out, " %s=%u", id < NK_COUNT(h2_settings) ? h2_settings[id] : "?",
                          nk_read_u32be(&in));
        }
        break;
    case H2_PING:
        nk_buf_printf(out, "%s data=%.*s", flags & 1 ? " ack" : "", NK_FMT(payload));
        break;
    case H2_GOAWAY: {
        uint32_t last = nk_read_u32be(&in);
        nk_buf_printf(out, " %s", h2_code_name(nk_read_u32be(&in)));
        if (r->last)
            nk_buf_printf(out, " last=%u", last);
        break;
    }
    case H2_WINDOW_UPDATE:
        nk_buf_printf(out, " increment=%u", nk_read_u32be(&in));
        break;
    default:
        break;
    }
}

/* Says all whole frames of `bytes` and of what was left before. */
static inline void h2_say_frames(struct h2_reader *r, struct nk_str bytes, struct nk_buf *out)
{
    nk_buf_add(&r->pending, bytes);
    if (r->magic && r->pending.n >= NGHTTP2_CLIENT_MAGIC_LEN) {
        if (memcmp(r->pending.p, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) != 0)
            abort();
        nk_buf_drop(&r->pending, NGHTTP2_CLIENT_MAGIC_LEN);
        r->magic = false;
    }
    while (r->pending.n >= 9) {
        struct nk_reader in = nk_reader(nk_buf_str(&r->pending));
        size_t n = (size_t)nk_read_u8(&in) << 16;
        n |= nk_read_u16be(&in);
        unsigned type = nk_read_u8(&in), flags = nk_read_u8(&in);
        uint32_t stream = nk_read_u32be(&in);
        if (r->pending.n < 9 + n)
            return;
        r->frames++;
        if (type == H2_SETTINGS && flags & 1 && r->table >= 0 &&
            nghttp2_hd_inflate_change_table_size(r->hpack, (size_t)r->table))
            abort();
        if (!h2_hidden(r, type)) {
            nk_buf_printf(out, "%s %s", r->who, type < H2_KNOWN ? h2_types[type] : "?");
            if (type != H2_GOAWAY && type != H2_PING && type != H2_SETTINGS)
                nk_buf_printf(out, " stream=%u", stream);
            if ((type == H2_DATA || type == H2_HEADERS) && flags & 1)
                nk_buf_printf(out, " end_stream");
            h2_say_payload(r, type, flags, nk_str_sub(in.in, 9, 9 + n), out);
            nk_buf_add_char(out, '\n');
        }
        nk_buf_drop(&r->pending, 9 + n);
    }
}
