/* SPDX-License-Identifier: Apache-2.0
 *
 * json_oracle.c - the JSON parser beside jansson, a parser by other people: on each of many texts
 * both must accept or both refuse, and what they accept must mean the same. Two differences may be:
 * jansson refuses a number that does not fit a double, which we keep as text; and jansson loses a
 * NUL byte that stands behind a number or a word, which we refuse.
 * (jansson is told to refuse duplicates, to take any value at the top, and NUL in strings. It is
 * also told to read integers as doubles, as it refuses those over int64.)
 */
#include "json/json.h"

#include "json_texts.h"
#include "tap.h"

#include <jansson.h>

static const struct nk_json_limits limits = {1 << 20, 512, 1 << 20};

static bool same_value(const struct nk_json *d, uint32_t i, json_t *j, struct nk_arena *a);

static bool same_object(const struct nk_json *d, uint32_t i, json_t *j, struct nk_arena *a)
{
    if (json_object_size(j) != d->tape[i].count)
        return false;
    for (uint32_t k = nk_json_first(d, i); k != NK_JSON_NONE; k = nk_json_next(d, i, k)) {
        struct nk_str name = nk_json_string(d, k, a);
        struct nk_str z = nk_arena_copy(a, name);
        json_t *v = z.p ? json_object_get(j, z.p) : NULL;
        if (!v || !same_value(d, k + 1, v, a) || nk_json_get(d, i, name) != k + 1)
            return false;
    }
    return true;
}

static bool same_array(const struct nk_json *d, uint32_t i, json_t *j, struct nk_arena *a)
{
    uint32_t k = nk_json_first(d, i), at = 0;
    if (json_array_size(j) != d->tape[i].count)
        return false;
    for (; k != NK_JSON_NONE; k = nk_json_next(d, i, k), at++)
        if (!same_value(d, k, json_array_get(j, at), a))
            return false;
    return at == d->tape[i].count;
}

/* Recursion is as deep as the texts of json_texts.h are nested. */
static bool same_value(const struct nk_json *d, uint32_t i, json_t *j, struct nk_arena *a)
{
    struct nk_str s, span = nk_json_span(d, i);
    int64_t v;
    switch (nk_json_type(d, i)) {
    case NK_JSON_NULL:
        return json_is_null(j);
    case NK_JSON_FALSE:
        return json_is_false(j);
    case NK_JSON_TRUE:
        return json_is_true(j);
    case NK_JSON_INT:
        return json_is_real(j) && nk_json_i64(d, i, &v) == 0 && (double)v == json_real_value(j);
    case NK_JSON_NUMBER:
        s = nk_arena_copy(a, span);
        return json_is_real(j) && s.p && strtod(s.p, NULL) == json_real_value(j);
    case NK_JSON_STRING:
        s = nk_json_string(d, i, a);
        return json_is_string(j) && nk_json_is(d, i, s) &&
               nk_str_eq(s, (struct nk_str){json_string_value(j), json_string_length(j)});
    case NK_JSON_ARRAY:
        return json_is_array(j) && same_array(d, i, j, a);
    default:
        return json_is_object(j) && same_object(d, i, j, a);
    }
}

struct tally {
    int both, neither, range, nul, wrong;
};

static void compare(const char *text, size_t n, struct nk_arena *a, struct tally *t)
{
    struct nk_json d;
    struct nk_fault f = {0};
    json_error_t error;
    /* Memory of exactly this size: AddressSanitizer sees a read behind it. */
    char *exact = malloc(n ? n : 1);
    memcpy(exact, text, n);
    int rc = nk_json_parse(&limits, (struct nk_str){exact, n}, a, &d, &f);
    json_t *j = json_loadb(exact, n,
                           JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL |
                               JSON_DECODE_INT_AS_REAL,
                           &error);
    if (!rc && j && same_value(&d, 0, j, a)) {
        t->both++;
    } else if (rc && !j) {
        t->neither++;
    } else if (!rc && !j && json_error_code(&error) == json_error_numeric_overflow) {
        t->range++;
    } else if (rc && j && f.offset < n && text[f.offset] == 0) {
        t->nul++;
    } else {
        t->wrong++;
        if (t->wrong <= 10)
            tap_ok(false, "we say %s, jansson says %s: %.*s", rc ? f.message : "yes",
                   j ? "yes" : error.text, (int)n, text);
    }
    json_decref(j);
    nk_arena_reset(a);
    free(exact);
}

int main(void)
{
    struct tally t = {0};
    struct texts texts;
    struct nk_arena a;
    nk_arena_init(&a, 16 << 20);
    for (uint32_t i = 0; i < TEXT_COUNT; i++) {
        texts_next(&texts, i);
        compare(texts.text, texts.n, &a, &t);
    }
    nk_arena_free(&a);
    tap_ok(
        t.wrong == 0,
        "%d texts: %d read by both alike, %d refused by both, %d out of a double's range, %d NUL "
        "bytes lost by jansson",
        TEXT_COUNT, t.both, t.neither, t.range, t.nul);
    tap_ok(t.both > TEXT_COUNT / 5 && t.neither > TEXT_COUNT / 5 && t.range > 0,
           "the texts are of all kinds");
    return tap_done();
}
