/* SPDX-License-Identifier: Apache-2.0
 *
 * double.c - a decimal as ECMAScript would write it once it had read it: the nearest IEEE 754 double, in the
 * fewest digits that lead back to it (ECMA-262, Number::toString). Up to fifteen digits go there and back
 * unchanged, so almost no number needs what is below: whole arithmetic on long numbers, which is slow and
 * exact. Sixteen digits and more are first guessed in floating point and then put right.
 */
#include "json/decimal.h"

#include <stdio.h>

enum {
    SAFE_DIGITS = 15, /* DBL_DIG */
    LONGEST = 17,     /* digits that tell all doubles apart */
    KEPT = 800,       /* no point between two doubles has more digits */
    HIGH = 309,       /* decimal point's place at most, and at least */
    LOW = -324,
    WORDS = 220, /* room for 10^1124 × 2^1100 */
    MANTISSA = 52,
};
static const uint64_t infinite = UINT64_C(0x7ff) << MANTISSA;

/* A whole number, lowest word first. */
struct big {
    uint32_t w[WORDS];
    size_t n;
};

/* b × by + add */
static void multiply(struct big *b, uint32_t by, uint32_t add)
{
    uint64_t carry = add;
    for (size_t i = 0; i < b->n; i++) {
        carry += (uint64_t)b->w[i] * by;
        b->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) {
        NK_MUST(b->n < WORDS);
        b->w[b->n++] = (uint32_t)carry;
    }
}

static void raise_ten(struct big *b, int64_t power)
{
    for (; power >= 9; power -= 9)
        multiply(b, 1000000000, 0);
    for (; power > 0; power--)
        multiply(b, 10, 0);
}

static void raise_two(struct big *b, int power)
{
    for (; power >= 31; power -= 31)
        multiply(b, UINT32_C(1) << 31, 0);
    multiply(b, UINT32_C(1) << power, 0);
}

static int compare(const struct big *a, const struct big *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    for (size_t i = a->n; i-- > 0;)
        if (a->w[i] != b->w[i])
            return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

/* Digits as numbers, first to last: value = digits × 10^exponent. */
struct digits {
    unsigned char d[KEPT + 1];
    size_t n;
    int64_t exponent;
};

/* What is behind the digits kept is only known not to be zero: one more digit says so. */
static struct digits take_digits(const struct nk_decimal *from)
{
    struct digits d = {.n = 0, .exponent = from->exponent};
    for (size_t i = 0; i < from->digits.n && d.n < KEPT; i++)
        if (from->digits.p[i] != '.')
            d.d[d.n++] = (unsigned char)(from->digits.p[i] - '0');
    if (d.n < from->n) {
        d.exponent += (int64_t)(from->n - d.n) - 1;
        d.d[d.n++] = 1;
    }
    return d;
}

/* Sign of d - mantissa × 2^power. */
static int against(const struct digits *d, uint64_t mantissa, int power)
{
    struct big left = {.n = 0},
               right = {.w = {(uint32_t)mantissa, (uint32_t)(mantissa >> 32)}, .n = 2};
    for (size_t i = 0; i < d->n; i++)
        multiply(&left, 10, d->d[i]);
    raise_ten(d->exponent >= 0 ? &left : &right, d->exponent >= 0 ? d->exponent : -d->exponent);
    raise_two(power >= 0 ? &right : &left, power >= 0 ? power : -power);
    while (right.n && right.w[right.n - 1] == 0)
        right.n--;
    return compare(&left, &right);
}

/* A positive double's bits as mantissa × 2^power. */
static uint64_t split(uint64_t bits, int *power)
{
    uint64_t fraction = bits & ((UINT64_C(1) << MANTISSA) - 1);
    int e = (int)(bits >> MANTISSA);
    *power = (e ? e : 1) - 1075;
    return e ? fraction | UINT64_C(1) << MANTISSA : fraction;
}

static int against_bits(const struct digits *d, uint64_t bits)
{
    int power;
    uint64_t mantissa = split(bits, &power);
    return against(d, mantissa, power);
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

/* A double that is not far away. */
static uint64_t guess(const struct digits *d)
{
    double v = 0;
    size_t n = d->n < LONGEST ? d->n : LONGEST;
    int64_t e = d->exponent + (int64_t)(d->n - n);
    for (size_t i = 0; i < n; i++)
        v = v * 10 + d->d[i];
    for (; e >= 22; e -= 22)
        v *= 1e22;
    for (; e > 0; e--)
        v *= 10;
    for (; e <= -22; e += 22)
        v /= 1e22;
    for (; e < 0; e++)
        v /= 10;
    return bits_of(v) < infinite ? bits_of(v) : infinite - 1;
}

/* The nearest double's bits, of two the even one. */
static uint64_t nearest(const struct digits *d)
{
    uint64_t bits = guess(d);
    int power;
    while (bits > 0 && against_bits(d, bits) < 0)
        bits--;
    while (bits + 1 < infinite && against_bits(d, bits + 1) >= 0)
        bits++;
    uint64_t mantissa = split(bits, &power);
    int beyond = against(d, 2 * mantissa + 1, power - 1);
    return bits + (beyond > 0 || (beyond == 0 && (bits & 1)));
}

/* The next decimal of `n` digits. */
static void step_up(struct digits *d, size_t n)
{
    for (; d->n < n; d->exponent--)
        d->d[d->n++] = 0;
    while (d->n > 1 && d->d[d->n - 1] == 9) {
        d->n--;
        d->exponent++;
    }
    if (d->d[d->n - 1]++ < 9)
        return;
    d->d[0] = 1;
    d->exponent++;
}

/* The fewest digits that lead back to the double. */
static struct digits shortest(uint64_t bits)
{
    double v;
    struct digits d = {.n = 0};
    bool is_power = !(bits & ((UINT64_C(1) << MANTISSA) - 1)), is_subnormal = !(bits >> MANTISSA);
    memcpy(&v, &bits, sizeof v);
    for (int n = is_subnormal ? 1 : SAFE_DIGITS; n <= LONGEST; n++) {
        char text[40];
        int length = snprintf(text, sizeof text, "%.*e", n - 1, v);
        struct nk_decimal rounded = nk_decimal((struct nk_str){text, (size_t)length});
        d = take_digits(&rounded);
        if (n == LONGEST || nearest(&d) == bits)
            break;
        /* Above a power of two doubles are wider apart than below it: the next decimal may lead back where
         * the nearer one does not. */
        struct digits next = d;
        step_up(&next, (size_t)n);
        if (is_power && nearest(&next) == bits)
            return next;
    }
    return d;
}

static void put_digits(struct nk_buf *out, const struct digits *d, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        nk_buf_add_char(out, i < d->n ? (char)('0' + d->d[i]) : '0');
}

/* ECMA-262, Number::toString, radix 10; `point` is n there: the decimal point's place. */
static void put_number(struct nk_buf *out, const struct digits *d)
{
    int64_t point = d->exponent + (int64_t)d->n;
    if (point > 0 && point <= 21) {
        put_digits(out, d, 0, (size_t)point);
        if ((size_t)point < d->n) {
            nk_buf_add_char(out, '.');
            put_digits(out, d, (size_t)point, d->n);
        }
    } else if (point <= 0 && point > -6) {
        nk_buf_add(out, NK_STR("0."));
        for (int64_t i = point; i < 0; i++)
            nk_buf_add_char(out, '0');
        put_digits(out, d, 0, d->n);
    } else {
        put_digits(out, d, 0, 1);
        if (d->n > 1)
            nk_buf_add_char(out, '.');
        put_digits(out, d, 1, d->n);
        nk_buf_add(out, point > 0 ? NK_STR("e+") : NK_STR("e-"));
        nk_buf_add_i64(out, point > 0 ? point - 1 : 1 - point);
    }
}

int nk_decimal_put_double(const struct nk_decimal *d, struct nk_buf *out)
{
    int64_t point = d->exponent + d->n;
    if (!d->n || point < LOW) {
        nk_buf_add_char(out, '0');
        return 0;
    }
    if (point > HIGH)
        return NK_EINVAL;
    struct digits digits = take_digits(d);
    if (d->n > SAFE_DIGITS || point < -300 || point > 300) {
        uint64_t bits = nearest(&digits);
        if (bits >= infinite)
            return NK_EINVAL;
        if (!bits) {
            nk_buf_add_char(out, '0');
            return 0;
        }
        digits = shortest(bits);
    }
    if (d->negative)
        nk_buf_add_char(out, '-');
    put_number(out, &digits);
    return 0;
}
