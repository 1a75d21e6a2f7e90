/* SPDX-License-Identifier: Apache-2.0
 *
 * decimal.c - decimal("12.34"): a sign, digits, a point and one to four digits, kept as an int64 of
 * ten-thousandths, so -922337203685477.5808 to 922337203685477.5807 (docs.cedarpolicy.com,
 * "decimal").
 */
#include "cedar/ext.h"

enum { DIGITS = 4 };

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Appends decimal digits to *v, downwards: the negative range is the larger one. */
static bool add_digits(int64_t *v, struct nk_str digits)
{
    for (size_t i = 0; i < digits.n; i++)
        if (__builtin_mul_overflow(*v, 10, v) || __builtin_sub_overflow(*v, digits.p[i] - '0', v))
            return false;
    return true;
}

static bool all_digits(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!digit(s.p[i]))
            return false;
    return s.n > 0;
}

const struct nk_cedar_value *cedar_decimal_new(struct cedar_call *c,
                                               const struct nk_cedar_value *const *args)
{
    struct nk_str text = args[0]->as.string;
    bool negative = nk_str_starts(text, NK_STR("-"));
    if (negative)
        text = nk_str_sub(text, 1, text.n);
    struct nk_str fraction = text, whole = nk_str_cut(&fraction, '.');
    if (!fraction.p || !all_digits(whole) || !all_digits(fraction))
        return cedar_fail(c, "extension error: not a decimal");
    if (fraction.n > DIGITS)
        return cedar_fail(c, "extension error: a decimal has at most four digits after the point");
    int64_t v = 0;
    bool fits = add_digits(&v, whole) && add_digits(&v, fraction);
    for (size_t i = fraction.n; fits && i < DIGITS; i++)
        fits = !__builtin_mul_overflow(v, 10, &v);
    if (!fits || (!negative && __builtin_sub_overflow(0, v, &v)))
        return cedar_fail(c, "extension error: decimal out of range");
    return cedar_call_number(c, CEDAR_DECIMAL, v);
}

const struct nk_cedar_value *cedar_decimal_lt(struct cedar_call *c,
                                              const struct nk_cedar_value *const *args)
{
    return nk_cedar_bool(c->arena, args[0]->as.number < args[1]->as.number);
}

const struct nk_cedar_value *cedar_decimal_le(struct cedar_call *c,
                                              const struct nk_cedar_value *const *args)
{
    return nk_cedar_bool(c->arena, args[0]->as.number <= args[1]->as.number);
}

const struct nk_cedar_value *cedar_decimal_gt(struct cedar_call *c,
                                              const struct nk_cedar_value *const *args)
{
    return nk_cedar_bool(c->arena, args[0]->as.number > args[1]->as.number);
}

const struct nk_cedar_value *cedar_decimal_ge(struct cedar_call *c,
                                              const struct nk_cedar_value *const *args)
{
    return nk_cedar_bool(c->arena, args[0]->as.number >= args[1]->as.number);
}
