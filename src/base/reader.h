/* SPDX-License-Identifier: Apache-2.0
 *
 * reader.h - reads binary formats from a slice with a sticky error: a read past the end yields zero
 * and marks the reader, so a parser reads a whole header and looks once.
 */
#pragma once

#include "base/str.h"

struct nk_reader {
    struct nk_str in;
    size_t at; /* next byte; <= in.n */
    int error; /* 0, or NK_EINVAL once a read went past the end */
};

struct nk_reader nk_reader(struct nk_str in);
size_t nk_read_left(const struct nk_reader *r);
uint8_t nk_read_u8(struct nk_reader *r);
uint16_t nk_read_u16be(struct nk_reader *r);
uint32_t nk_read_u32be(struct nk_reader *r);
uint64_t nk_read_u64be(struct nk_reader *r);
uint32_t nk_read_u32le(struct nk_reader *r);
uint64_t nk_read_u64le(struct nk_reader *r);
/* The next n bytes as a view; absent on a short input. */
struct nk_str nk_read_bytes(struct nk_reader *r, size_t n);
/* A string with a 32-bit little-endian length in front; absent on a short input. */
struct nk_str nk_read_str32(struct nk_reader *r);
