/* SPDX-License-Identifier: Apache-2.0
 *
 * duration.c - duration("1d2h3m4s5ms"): a sign and at least one quantity, units in this order and
 * at most once each; an int64 of milliseconds (docs.cedarpolicy.com, "duration", RFC 80).
 */
#include "cedar/ext.h"

static bool digit(struct nk_str s, size_t at)
{
    return at < s.n && s.p[at] >= '0' && s.p[at] <= '9';
}

static const struct {
    struct nk_str name;
    uint64_t ms;
} units[] = {
    {{"d", 1}, 86400000}, {{"h", 1}, 3600000}, {{"m", 1}, 60000}, {{"s", 1}, 1000}, {{"ms", 2}, 1}};

/* The unit written at s, or NK_COUNT(units). "ms" has to be tried before "m". */
static size_t find_unit(struct nk_str s)
{
    for (size_t i = NK_COUNT(units); i-- > 0;)
        if (nk_str_starts(s, units[i].name))
            return i;
    return NK_COUNT(units);
}

/* The sum in *sum; false when the text is none, *fits false when it is one but too large. */
static bool parse(struct nk_str s, uint64_t *sum, bool *fits)
{
    size_t next = 0, at = 0; /* first unit that may still come */
    *sum = 0;
    *fits = true;
    while (at < s.n) {
        uint64_t quantity = 0;
        size_t start = at;
        for (; digit(s, at); at++)
            if (__builtin_mul_overflow(quantity, 10u, &quantity) ||
                __builtin_add_overflow(quantity, (uint64_t)(s.p[at] - '0'), &quantity))
                *fits = false;
        size_t unit = find_unit(nk_str_sub(s, at, s.n));
        if (at == start || unit < next || unit == NK_COUNT(units))
            return false;
        if (__builtin_mul_overflow(quantity, units[unit].ms, &quantity) ||
            __builtin_add_overflow(*sum, quantity, sum))
            *fits = false;
        at += units[unit].name.n;
        next = unit + 1;
    }
    return next > 0;
}

const struct nk_cedar_value *cedar_duration_new(struct cedar_call *c,
                                                const struct nk_cedar_value *const *args)
{
    struct nk_str text = args[0]->as.string;
    bool negative = nk_str_starts(text, NK_STR("-")), fits;
    uint64_t sum;
    if (!parse(nk_str_sub(text, negative, text.n), &sum, &fits))
        return cedar_fail(c, "extension error: not a duration");
    if (!fits || sum > (uint64_t)INT64_MAX + negative)
        return cedar_fail(c, "extension error: duration out of range");
    return cedar_call_number(c, CEDAR_DURATION, (int64_t)(negative ? 0 - sum : sum));
}

const struct nk_cedar_value *cedar_duration_milliseconds(struct cedar_call *c,
                                                         const struct nk_cedar_value *const *args)
{
    return cedar_call_number(c, CEDAR_LONG, args[0]->as.number);
}

/* The others round towards zero. */
const struct nk_cedar_value *cedar_duration_seconds(struct cedar_call *c,
                                                    const struct nk_cedar_value *const *args)
{
    return cedar_call_number(c, CEDAR_LONG, args[0]->as.number / 1000);
}

const struct nk_cedar_value *cedar_duration_minutes(struct cedar_call *c,
                                                    const struct nk_cedar_value *const *args)
{
    return cedar_call_number(c, CEDAR_LONG, args[0]->as.number / 60000);
}

const struct nk_cedar_value *cedar_duration_hours(struct cedar_call *c,
                                                  const struct nk_cedar_value *const *args)
{
    return cedar_call_number(c, CEDAR_LONG, args[0]->as.number / 3600000);
}

const struct nk_cedar_value *cedar_duration_days(struct cedar_call *c,
                                                 const struct nk_cedar_value *const *args)
{
    return cedar_call_number(c, CEDAR_LONG, args[0]->as.number / 86400000);
}
