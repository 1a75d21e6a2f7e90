/* SPDX-License-Identifier: Apache-2.0
 *
 * utf8.h - UTF-8 as in RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF.
 */
#pragma once

#include "base/str.h"

/* Offset of the first byte that is not part of valid UTF-8, or s.n when all is valid. */
size_t nk_utf8_check(struct nk_str s);
/* Decodes the character at s.p[*at] and moves *at behind it; -1 on invalid input (*at unchanged) or
 * at the end. */
int32_t nk_utf8_next(struct nk_str s, size_t *at);
/* Writes a scalar value (not a surrogate, <= 0x10FFFF) as 1 to 4 bytes; returns the count. */
size_t nk_utf8_put(char out[4], uint32_t scalar);
