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

struct nk_str nk_read_bytes(struct nk_reader *r, size_t n)
{
    if (r->error || n > nk_read_left(r)) {
        r->error = NK_EINVAL;
        return (struct nk_str){NULL, 0};
    }
    struct nk_str s = nk_str_sub(r->in, r->at, r->at + n);
    r->at += n;
    return s;
}

static uint64_t read_be(struct nk_reader *r, size_t n)
{
    struct nk_str s = nk_read_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++)
        v = v << 8 | (unsigned char)s.p[i];
    return v;
}

static uint64_t read_le(struct nk_reader *r, size_t n)
{
    struct nk_str s = nk_read_bytes(r, n);
    uint64_t v = 0;
    for (size_t i = s.n; i-- > 0;)
        v = v << 8 | (unsigned char)s.p[i];
    return v;
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
    return (uint32_t)read_le(r, 4);
}

uint64_t nk_read_u64le(struct nk_reader *r)
{
    return read_le(r, 8);
}

struct nk_str nk_read_str32(struct nk_reader *r)
{
    return nk_read_bytes(r, nk_read_u32le(r));
}
