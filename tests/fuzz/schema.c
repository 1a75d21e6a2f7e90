/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c - [schema, value] from anybody. Whatever the schema says, a check ends; asked twice it says the same; with the
 * question what is described it says the same, and what is described stands in what is described; the value's canonical
 * form keeps to the schema as the value does, and is its own canonical form. What a type makes of an object is JSON.
 */
#include "json/canonical.h"
#include "json/schema.h"
#include "tool/type.h"

#include <stdlib.h>

static const struct nk_json_limits limits = {1 << 16, 64, 1 << 14};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static bool has(const unsigned char *bits, uint32_t i)
{
    return bits[i / 8] >> i % 8 & 1;
}

/* A part that is described stands in one that is. */
static void check_described(const struct nk_json *doc, uint32_t at, const unsigned char *bits)
{
    bool is_object = nk_json_type(doc, at) == NK_JSON_OBJECT;
    if (!is_object && nk_json_type(doc, at) != NK_JSON_ARRAY)
        return;
    for (uint32_t i = nk_json_first(doc, at); i != NK_JSON_NONE; i = nk_json_next(doc, at, i)) {
        uint32_t value = is_object ? i + 1 : i;
        must(has(bits, i) == has(bits, value));
        must(!has(bits, value) || has(bits, at));
        check_described(doc, value, bits);
    }
}

/* The same value in its canonical form: a double may be another number, every digit may not. */
static void check_canonical(const struct nk_schema *s, const struct nk_json *doc, uint32_t at,
                            int rc, struct nk_arena *a)
{
    struct nk_buf one, two;
    struct nk_json again;
    nk_buf_init(&one, 1 << 20);
    nk_buf_init(&two, 1 << 20);
    must(nk_json_canonical(doc, at, NK_CANONICAL_EXACT, &one, NULL) == 0);
    must(nk_json_parse(&limits, nk_buf_str(&one), a, &again, NULL) == 0 ||
         one.n > limits.max_bytes);
    if (one.n <= limits.max_bytes) {
        must(nk_json_canonical(&again, 0, NK_CANONICAL_EXACT, &two, NULL) == 0);
        must(nk_str_eq(nk_buf_str(&one), nk_buf_str(&two)));
        if (rc == 0 || rc == NK_EINVAL)
            must(nk_schema_check(s, &again, 0, a, NULL) == rc);
    }
    nk_buf_clear(&one);
    nk_buf_clear(&two);
    if (nk_json_canonical(doc, at, NK_CANONICAL_JCS, &one, NULL) == 0 &&
        one.n <= limits.max_bytes) {
        must(nk_json_parse(&limits, nk_buf_str(&one), a, &again, NULL) == 0);
        must(nk_json_canonical(&again, 0, NK_CANONICAL_JCS, &two, NULL) == 0);
        must(nk_str_eq(nk_buf_str(&one), nk_buf_str(&two)));
    }
    nk_buf_free(&one);
    nk_buf_free(&two);
}

static void check_type(const struct nk_schema *s, const struct nk_json *doc, uint32_t at,
                       struct nk_arena *a)
{
    const struct nk_tool_type *type;
    struct nk_buf out, undeclared;
    struct nk_json again;
    if (nk_tool_type_of(nk_schema_document(s), a, &type))
        return;
    nk_buf_init(&out, 1 << 20);
    nk_buf_init(&undeclared, 1 << 20);
    if (nk_tool_put_cedar(type, doc, at, &out, &undeclared, NULL) == 0) {
        static const struct nk_json_limits wide = {1 << 20, 256, 1 << 17};
        must(nk_json_parse(&wide, nk_buf_str(&out), a, &again, NULL) == 0);
    }
    nk_buf_free(&out);
    nk_buf_free(&undeclared);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_json doc;
    const struct nk_schema *s;
    const unsigned char *described;
    nk_arena_init(&a, 64 << 20);
    if (nk_json_parse(&limits, (struct nk_str){(const char *)data, size}, &a, &doc, NULL) == 0 &&
        nk_json_type(&doc, 0) == NK_JSON_ARRAY && doc.tape[0].count == 2) {
        uint32_t schema = nk_json_first(&doc, 0), value = nk_json_next(&doc, 0, schema);
        if (nk_schema_new(nk_json_span(&doc, schema), &a, &s, NULL) == 0) {
            int rc = nk_schema_check(s, &doc, value, &a, NULL);
            must(nk_schema_check(s, &doc, value, &a, NULL) == rc);
            int same = nk_schema_check_declared(s, &doc, value, &a, &described, NULL);
            must(same == rc || rc == NK_ELIMIT || same == NK_ELIMIT || same == NK_ENOMEM);
            if (same == 0)
                check_described(&doc, value, described);
            check_canonical(s, &doc, value, rc, &a);
            if (rc == 0)
                check_type(s, &doc, value, &a);
        }
    }
    nk_arena_free(&a);
    return 0;
}
