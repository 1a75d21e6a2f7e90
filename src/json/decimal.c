/* SPDX-License-Identifier: Apache-2.0
 *
 * decimal.c - see decimal.h.
 */
#include "json/decimal.h"

enum { DIVISOR_DIGITS = 18 };
static const int64_t far = INT64_C(1) << 60;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The number behind 'e'; huge ones stop at `far`. */
static int64_t read_exponent(struct nk_str s)
{
    bool negative = s.n && s.p[0] == '-';
    int64_t v = 0;
    for (size_t i = s.n && !is_digit(s.p[0]) ? 1 : 0; i < s.n; i++)
        v = v > far / 16 ? far : v * 10 + (s.p[i] - '0');
    return negative ? -v : v;
}

struct nk_decimal nk_decimal(struct nk_str text)
{
    struct nk_decimal d = {.negative = text.n && text.p[0] == '-'};
    size_t from = d.negative, e = from, point, last;
    while (e < text.n && text.p[e] != 'e' && text.p[e] != 'E')
        e++;
    for (point = from; point < e && text.p[point] != '.';)
        point++;
    for (last = e; last > from && (text.p[last - 1] == '0' || text.p[last - 1] == '.');)
        last--;
    while (from < last && (text.p[from] == '0' || text.p[from] == '.'))
        from++;
    if (from == last)
        return (struct nk_decimal){.digits = {text.p, 0}};
    d.digits = nk_str_sub(text, from, last);
    d.n = (uint32_t)(last - from) - (from < point && point < last);
    d.exponent = last <= point ? (int64_t)(point - last) : -(int64_t)(last - point - 1);
    if (e < text.n)
        d.exponent += read_exponent(nk_str_sub(text, e + 1, text.n));
    return d;
}

/* The next digit from *at on, or 0 behind the last. */
static int next_digit(const struct nk_decimal *d, size_t *at)
{
    if (*at < d->digits.n && d->digits.p[*at] == '.')
        ++*at;
    return *at < d->digits.n ? d->digits.p[(*at)++] - '0' : 0;
}

int nk_decimal_cmp(const struct nk_decimal *a, const struct nk_decimal *b)
{
    int sign = a->negative ? -1 : 1;
    if (a->negative != b->negative || !a->n || !b->n)
        return (a->n ? sign : 0) - (b->n ? (b->negative ? -1 : 1) : 0);
    int64_t top = a->exponent + a->n, other = b->exponent + b->n;
    if (top != other)
        return top < other ? -sign : sign;
    for (size_t i = 0, j = 0; i < a->digits.n || j < b->digits.n;) {
        int x = next_digit(a, &i), y = next_digit(b, &j);
        if (x != y)
            return x < y ? -sign : sign;
    }
    return 0;
}

bool nk_decimal_is_whole(const struct nk_decimal *d)
{
    return !d->n || d->exponent >= 0;
}

/* a × b mod `mod`, all below 10^18. */
static uint64_t times(uint64_t a, uint64_t b, uint64_t mod)
{
    uint64_t product = 0;
    for (; b; b >>= 1) {
        if (b & 1)
            product = (product + a) % mod;
        a = 2 * a % mod;
    }
    return product;
}

/* d = D × 10^e and of = M × 10^k. The last digit of D is not zero, so with e < k there is no whole multiple;
 * otherwise what counts is D × 10^(e-k) mod M. */
bool nk_decimal_is_multiple(const struct nk_decimal *d, const struct nk_decimal *of)
{
    uint64_t mod = 0, rest = 0, power = 10;
    if (!d->n)
        return true;
    for (size_t i = 0; i < of->digits.n;)
        mod = mod * 10 + (unsigned)next_digit(of, &i);
    NK_MUST(of->n > 0 && of->n <= DIVISOR_DIGITS);
    if (d->exponent < of->exponent)
        return false;
    for (size_t i = 0; i < d->digits.n;)
        rest = (rest * 10 + (unsigned)next_digit(d, &i)) % mod;
    for (uint64_t e = (uint64_t)(d->exponent - of->exponent); e; e >>= 1) {
        if (e & 1)
            rest = times(rest, power, mod);
        power = times(power, power, mod);
    }
    return rest == 0;
}

int nk_decimal_count(const struct nk_decimal *d, int64_t *out)
{
    int64_t v = 0;
    if (d->negative || !nk_decimal_is_whole(d))
        return NK_EINVAL;
    *out = INT64_MAX;
    if (d->n && d->exponent + d->n > 18)
        return 0;
    for (size_t i = 0; i < d->digits.n;)
        v = v * 10 + next_digit(d, &i);
    for (int64_t e = 0; d->n && e < d->exponent; e++)
        v *= 10;
    *out = v;
    return 0;
}

void nk_decimal_put(const struct nk_decimal *d, struct nk_buf *out)
{
    if (!d->n) {
        nk_buf_add_char(out, '0');
        return;
    }
    if (d->negative)
        nk_buf_add_char(out, '-');
    for (size_t i = 0; i < d->digits.n; i++)
        if (d->digits.p[i] != '.')
            nk_buf_add_char(out, d->digits.p[i]);
    if (d->exponent) {
        nk_buf_add_char(out, 'e');
        nk_buf_add_i64(out, d->exponent);
    }
}
