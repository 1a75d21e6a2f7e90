/* SPDX-License-Identifier: Apache-2.0
 *
 * decimal.h - numbers of JSON as what they are written as: decimals, compared digit by digit. Nothing is
 * rounded, so two that differ never become one. The one place where a double is made is RFC 8785, which
 * asks for it.
 */
#pragma once

#include "json/json.h"

/* ± digits × 10^exponent. The digits are a part of the number's text, from the first to the last that is not
 * zero, perhaps with a '.' among them; without any it is zero. */
struct nk_decimal {
    bool negative; /* never of zero */
    struct nk_str digits;
    uint32_t n;       /* digits, '.' not counted */
    int64_t exponent; /* of the last one; huge ones stop at ± 2^60 */
};

/* Of a text that the JSON parser has taken as a number. */
struct nk_decimal nk_decimal(struct nk_str text);
int nk_decimal_cmp(const struct nk_decimal *a, const struct nk_decimal *b);
bool nk_decimal_is_whole(const struct nk_decimal *d);
/* Is it a whole multiple of `of`, which is above zero and has at most 18 digits? */
bool nk_decimal_is_multiple(const struct nk_decimal *d, const struct nk_decimal *of);
/* A whole number of 0 to INT64_MAX, which stands for all above it, too; NK_EINVAL: it is none. */
int nk_decimal_count(const struct nk_decimal *d, int64_t *out) NK_CHECKED;

/* Writes it so that equal numbers are written the same, with every digit: "0", "-12", "15e-1". */
void nk_decimal_put(const struct nk_decimal *d, struct nk_buf *out);
/* Writes the nearest double as ECMAScript does (RFC 8785, section 3.2.2.3). NK_EINVAL: there is none. */
int nk_decimal_put_double(const struct nk_decimal *d, struct nk_buf *out) NK_CHECKED;
