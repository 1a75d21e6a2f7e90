/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.c - see reader.h.
 */
#include "base/reader.h"

struct nk_reader nk_reader(struct nk_str in)
{
    return (struct nk_reader){.in = in};
}

size_t nk_read_left(const struct nk_reader *r)
{
    return r->error ? 0 : r->in.n - r->at;
}

/* The place of the next n bytes, or NULL. */
NK_INLINE const char *take(struct nk_reader *r, size_t n)
{
    if (r->error || n > r->in.n - r->at) {
        r->error = NK_EINVAL;
        return NULL;
    }
    r->at += n;
    return r->in.p + r->at - n;
}

struct nk_str nk_read_bytes(struct nk_reader *r, size_t n)
{
    const char *p = take(r, n);
    return (struct nk_str){p, p ? n : 0};
}

static uint64_t read_be(struct nk_reader *r, size_t n)
{
    struct nk_str s = nk_read_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | (unsigned char)s.p[i];
    return v;
}

/* Written out, four bytes are one load. */
NK_INLINE uint32_t load_u32le(const char *at)
{
    const unsigned char *p = (const void *)at;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint8_t nk_read_u8(struct nk_reader *r)
{
    return (uint8_t)read_be(r, 1);
}

uint16_t nk_read_u16be(struct nk_reader *r)
{
    return (uint16_t)read_be(r, 2);
}

uint32_t nk_read_u32be(struct nk_reader *r)
{
    return (uint32_t)read_be(r, 4);
}

uint64_t nk_read_u64be(struct nk_reader *r)
{
    return read_be(r, 8);
}

uint32_t nk_read_u32le(struct nk_reader *r)
{
    const char *p = take(r, 4);
    return p ? load_u32le(p) : 0;
}

uint64_t nk_read_u64le(struct nk_reader *r)
{
    const char *p = take(r, 8);
    return p ? load_u32le(p) | (uint64_t)load_u32le(p + 4) << 32 : 0;
}

struct nk_str nk_read_str32(struct nk_reader *r)
{
    uint32_t n = nk_read_u32le(r);
    const char *p = take(r, n);
    return (struct nk_str){p, p ? n : 0};
}
