/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.h - hexadecimal, base64 and base64url (RFC 4648), strict: no white space, no line breaks,
 * no stray bits, so that each value has exactly one spelling. And dates as in RFC 3339.
 */
#pragma once

#include "base/buf.h"

/* base64url without padding (RFC 7515, section 2). Appends the bytes to `out`; NK_EINVAL on any
 * byte outside the alphabet, on padding, on a length of 1 mod 4 or on non-zero trailing bits. */
int nk_base64url_decode(struct nk_str text, struct nk_buf *out) NK_CHECKED;
/* base64 with the required padding (RFC 4648, section 4). */
int nk_base64_decode(struct nk_str text, struct nk_buf *out) NK_CHECKED;
void nk_base64url_encode(struct nk_str bytes, struct nk_buf *out);
void nk_base64_encode(struct nk_str bytes, struct nk_buf *out);
/* Lower-case hexadecimal of exactly `n` bytes; NK_EINVAL otherwise. */
int nk_hex_decode(struct nk_str text, void *out, size_t n) NK_CHECKED;

/* Milliseconds since 1970-01-01T00:00:00Z as "2026-11-22T02:35:00.123Z". Times outside the
 * years 0000 to 9999 come out as the nearest end of that range. */
void nk_time_format(int64_t unix_ms, struct nk_buf *out);
