/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_assert.c - what a value is by itself: its type, one of some values, within bounds (JSON Schema
 * validation, section 6).
 */
#include "json/schema_run.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "json/canonical.h"

enum { CANONICAL_MAX = 64 << 20 };

static unsigned type_of(const struct schema_run *r, uint32_t at)
{
    struct nk_decimal d;
    switch (nk_json_type(r->doc, at)) {
    case NK_JSON_NULL:
        return SCHEMA_NULL;
    case NK_JSON_FALSE:
    case NK_JSON_TRUE:
        return SCHEMA_BOOLEAN;
    case NK_JSON_INT:
        return SCHEMA_INTEGER;
    case NK_JSON_NUMBER:
        d = nk_decimal(nk_json_span(r->doc, at));
        return nk_decimal_is_whole(&d) ? SCHEMA_INTEGER : SCHEMA_NUMBER;
    case NK_JSON_STRING:
        return SCHEMA_STRING;
    case NK_JSON_ARRAY:
        return SCHEMA_ARRAY;
    default:
        return SCHEMA_OBJECT;
    }
}

/* "a string", or "a string or null". */
static void put_types(struct nk_buf *out, unsigned types)
{
    static const char *const names[] = {"null",     "true or false", "an integer", "a number",
                                        "a string", "an array",      "an object"};
    if (types & SCHEMA_NUMBER)
        types &= ~(unsigned)SCHEMA_INTEGER;
    for (unsigned i = 0, some = 0; i < NK_COUNT(names); i++)
        if (types >> i & 1)
            nk_buf_printf(out, "%s%s", some++ ? " or " : "", names[i]);
}

static int assert_type(struct schema_run *r, const struct schema_node *n,
                       const struct schema_spot *spot)
{
    unsigned type = type_of(r, spot->at);
    struct nk_buf must, is;
    if (n->types & type)
        return 0;
    nk_buf_init(&must, 256);
    nk_buf_init(&is, 256);
    put_types(&must, n->types);
    put_types(&is, type);
    int rc = schema_refuse(r, spot, "must be %.*s, is %.*s", NK_FMT(nk_buf_str(&must)),
                           NK_FMT(nk_buf_str(&is)));
    nk_buf_free(&must);
    nk_buf_free(&is);
    return rc;
}

static int assert_values(struct schema_run *r, const struct schema_node *n,
                         const struct schema_spot *spot)
{
    struct nk_buf own;
    bool choice = !n->choices.list, constant = !n->constant.list;
    if (choice && constant)
        return 0;
    nk_buf_init(&own, CANONICAL_MAX);
    int rc = nk_json_canonical(r->doc, spot->at, NK_CANONICAL_EXACT, &own, NULL);
    if (!rc)
        rc = schema_spend(r, (int64_t)own.n / 16 + n->choices.n / 4);
    for (uint32_t i = 0; !rc && !choice && i < n->choices.n; i++)
        choice = nk_str_eq(n->choices.list[i], nk_buf_str(&own));
    constant |= !rc && !constant && nk_str_eq(n->constant.list[0], nk_buf_str(&own));
    nk_buf_free(&own);
    if (!rc && !choice)
        rc = schema_refuse(r, spot, "is none of the values of enum");
    if (!rc && !constant)
        rc = schema_refuse(r, spot, "is not the value of const");
    return rc;
}

static int assert_number(struct schema_run *r, const struct schema_node *n,
                         const struct schema_spot *spot)
{
    struct nk_decimal d = nk_decimal(nk_json_span(r->doc, spot->at));
    if (n->minimum.is_set && nk_decimal_cmp(&d, &n->minimum.number) < 0)
        return schema_refuse(r, spot, "is below minimum");
    if (n->maximum.is_set && nk_decimal_cmp(&d, &n->maximum.number) > 0)
        return schema_refuse(r, spot, "is above maximum");
    if (n->above.is_set && nk_decimal_cmp(&d, &n->above.number) <= 0)
        return schema_refuse(r, spot, "is not above exclusiveMinimum");
    if (n->below.is_set && nk_decimal_cmp(&d, &n->below.number) >= 0)
        return schema_refuse(r, spot, "is not below exclusiveMaximum");
    if (n->multiple.is_set && !nk_decimal_is_multiple(&d, &n->multiple.number))
        return schema_refuse(r, spot, "is no multiple of multipleOf");
    return schema_spend(r, (int64_t)d.digits.n / 16);
}

static int64_t characters(struct nk_str s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static int assert_string(struct schema_run *r, const struct schema_node *n,
                         const struct schema_spot *spot)
{
    if (!n->pattern && n->min_length == 0 && n->max_length == INT64_MAX)
        return 0;
    struct nk_str s = nk_json_string(r->doc, spot->at, r->a);
    if (!s.p)
        return NK_ENOMEM;
    int64_t length = characters(s);
    if (length < n->min_length)
        return schema_refuse(r, spot, "is shorter than %lld characters", (long long)n->min_length);
    if (length > n->max_length)
        return schema_refuse(r, spot, "is longer than %lld characters", (long long)n->max_length);
    int rc = schema_spend(r, (int64_t)s.n / 16);
    if (rc || !n->pattern)
        return rc;
    rc = nk_pattern_find(n->pattern, s, r->a, &r->steps);
    if (rc == NK_ELIMIT)
        return schema_spend(r, 1);
    return rc == 0 ? schema_refuse(r, spot, "does not fit pattern") : rc == 1 ? 0 : rc;
}

/* Equal items have equal canonical forms; sorted, they are neighbours. */
static int by_text(const void *x, const void *y)
{
    return nk_str_cmp(*(const struct nk_str *)x, *(const struct nk_str *)y);
}

static int find_twice(struct schema_run *r, const struct schema_spot *spot, struct nk_buf *text,
                      struct nk_str *items, size_t *ends, bool *found)
{
    uint32_t n = 0;
    for (uint32_t i = nk_json_first(r->doc, spot->at); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, spot->at, i)) {
        int rc = nk_json_canonical(r->doc, i, NK_CANONICAL_EXACT, text, NULL);
        if (rc)
            return rc;
        ends[n++] = text->n;
    }
    for (uint32_t i = 0; i < n; i++)
        items[i] = nk_str_sub(nk_buf_str(text), i ? ends[i - 1] : 0, ends[i]);
    qsort(items, n, sizeof *items, by_text);
    for (uint32_t i = 1; i < n; i++)
        *found |= nk_str_eq(items[i - 1], items[i]);
    return schema_spend(r, (int64_t)text->n / 16 + 2 * (int64_t)n);
}

static int assert_unique(struct schema_run *r, const struct schema_spot *spot)
{
    uint32_t n = r->doc->tape[spot->at].count;
    struct nk_str *items = nk_arena_array(r->a, n + 1, sizeof *items);
    size_t *ends = nk_arena_array(r->a, n + 1, sizeof *ends);
    bool found = false;
    struct nk_buf text;
    if (!items || !ends)
        return NK_ENOMEM;
    nk_buf_init(&text, CANONICAL_MAX);
    int rc = find_twice(r, spot, &text, items, ends, &found);
    nk_buf_free(&text);
    return rc ? rc : found ? schema_refuse(r, spot, "has an item twice (uniqueItems)") : 0;
}

static int assert_array(struct schema_run *r, const struct schema_node *n,
                        const struct schema_spot *spot)
{
    int64_t count = r->doc->tape[spot->at].count;
    if (count < n->min_items)
        return schema_refuse(r, spot, "has fewer than %lld items", (long long)n->min_items);
    if (count > n->max_items)
        return schema_refuse(r, spot, "has more than %lld items", (long long)n->max_items);
    return n->is_unique ? assert_unique(r, spot) : 0;
}

static int assert_needs(struct schema_run *r, const struct schema_spot *spot,
                        const struct nk_str *names, uint32_t n)
{
    int rc = schema_spend(r, 1 + (int64_t)n * r->doc->tape[spot->at].count / 16);
    for (uint32_t i = 0; !rc && i < n; i++)
        if (nk_json_get(r->doc, spot->at, names[i]) == NK_JSON_NONE)
            rc = schema_refuse(r, spot, "lacks the member \"%.*s\"",
                               (int)(names[i].n < 64 ? names[i].n : 64), names[i].p);
    return rc;
}

static int assert_object(struct schema_run *r, const struct schema_node *n,
                         const struct schema_spot *spot)
{
    int64_t count = r->doc->tape[spot->at].count;
    if (count < n->min_properties)
        return schema_refuse(r, spot, "has fewer than %lld members", (long long)n->min_properties);
    if (count > n->max_properties)
        return schema_refuse(r, spot, "has more than %lld members", (long long)n->max_properties);
    int rc = assert_needs(r, spot, n->required.list, n->required.n);
    for (uint32_t i = 0; !rc && i < n->dependent_required.n; i++) {
        const struct schema_named *named = &n->dependent_required.list[i];
        if (nk_json_get(r->doc, spot->at, named->name) != NK_JSON_NONE)
            rc = assert_needs(r, spot, named->needs, named->need_n);
    }
    return rc;
}

int schema_assert(struct schema_run *r, const struct schema_node *n, const struct schema_spot *spot)
{
    int rc = n->types ? assert_type(r, n, spot) : 0;
    if (!rc)
        rc = assert_values(r, n, spot);
    if (rc)
        return rc;
    switch (nk_json_type(r->doc, spot->at)) {
    case NK_JSON_INT:
    case NK_JSON_NUMBER:
        return assert_number(r, n, spot);
    case NK_JSON_STRING:
        return assert_string(r, n, spot);
    case NK_JSON_ARRAY:
        return assert_array(r, n, spot);
    case NK_JSON_OBJECT:
        return assert_object(r, n, spot);
    default:
        return 0;
    }
}
