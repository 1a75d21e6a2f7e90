/* SPDX-License-Identifier: Apache-2.0
 *
 * canonical.c - canonical JSON against tests/cases/json/canonical.cases, and that its own output is its
 * own canonical form; exact decimals against arithmetic on small numbers.
 */
#include "json/canonical.h"

#include "json/decimal.h"

#include "cases.h"
#include "dice.h"
#include "tap.h"

static const struct nk_json_limits limits = {1 << 20, 128, 1 << 17};

static int canonical(struct nk_str text, enum nk_canonical how, struct nk_buf *out)
{
    struct nk_arena a;
    struct nk_json doc;
    nk_arena_init(&a, 64 << 20);
    nk_buf_clear(out);
    int rc = nk_json_parse(&limits, text, &a, &doc, NULL);
    if (!rc)
        rc = nk_json_canonical(&doc, 0, how, out, NULL);
    nk_arena_free(&a);
    return rc;
}

static void run_case(const struct case_line *c, void *ctx)
{
    struct nk_buf out, again;
    bool exact = strncmp(c->expect, "exact ", 6) == 0;
    enum nk_canonical how = exact ? NK_CANONICAL_EXACT : NK_CANONICAL_JCS;
    struct nk_str want = nk_str(exact ? c->expect + 6 : c->expect);
    (void)ctx;
    nk_buf_init(&out, 1 << 20);
    nk_buf_init(&again, 1 << 20);
    int rc = canonical((struct nk_str){c->input, c->n}, how, &out);
    if (strcmp(c->expect, "refuse") == 0)
        tap_ok(rc == NK_EINVAL, "canonical.cases:%d refused", c->line);
    else
        tap_ok(!rc && nk_str_eq(nk_buf_str(&out), want) &&
                   !canonical(nk_buf_str(&out), how, &again) && nk_str_eq(nk_buf_str(&again), want),
               "canonical.cases:%d came: %.*s", c->line, NK_FMT(nk_buf_str(&out)));
    nk_buf_free(&out);
    nk_buf_free(&again);
}

static struct nk_decimal spelled(int64_t v, int shift, char text[64])
{
    int n = snprintf(text, 64, "%lld%s", (long long)v, shift ? "e" : "");
    if (shift)
        snprintf(text + n, 64 - (size_t)n, "%d", shift);
    return nk_decimal(nk_str(text));
}

/* Whole numbers, each written with a random power of ten. */
static bool decimals_hold(struct dice *d)
{
    static const int64_t tens[] = {1, 10, 100, 1000};
    char text[2][64];
    int64_t x = (int64_t)roll(d, 4000) - 2000, y = 1 + (int64_t)roll(d, 60);
    unsigned i = roll(d, 4), j = roll(d, 4);
    struct nk_decimal a = spelled(x * tens[i], -(int)i, text[0]),
                      b = spelled(y * tens[j], -(int)j, text[1]);
    int64_t count = -1;
    bool counts = nk_decimal_count(&a, &count) == 0;
    return (nk_decimal_cmp(&a, &b) > 0) == (x > y) && (nk_decimal_cmp(&a, &b) == 0) == (x == y) &&
           nk_decimal_is_multiple(&a, &b) == (x % y == 0) && nk_decimal_is_whole(&a) &&
           counts == (x >= 0) && (!counts || count == x);
}

int main(void)
{
    struct dice d = {.state = 7};
    int good = 0;
    TAP_CHECK(cases_read("tests/cases/json/canonical.cases", run_case, NULL) > 30);
    for (int i = 0; i < 20000; i++)
        good += decimals_hold(&d);
    tap_ok(good == 20000, "decimals agree with integers: %d of 20000", good);
    struct nk_decimal tenth = nk_decimal(NK_STR("0.1")), x = nk_decimal(NK_STR("0.30")),
                      y = nk_decimal(NK_STR("3.05")), e = nk_decimal(NK_STR("1e999999999999"));
    TAP_CHECK(nk_decimal_is_multiple(&x, &tenth) && !nk_decimal_is_multiple(&y, &tenth));
    TAP_CHECK(nk_decimal_is_multiple(&e, &tenth) && nk_decimal_cmp(&e, &y) > 0);
    return tap_done();
}
