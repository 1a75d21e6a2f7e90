/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_schema.c - any bytes as a schema, as text and as JSON. What is accepted comes back from both forms as it
 * was, and is what policies are validated by: those that name its own first types, and any bytes up to a NUL
 * as policy text.
 */
#include "cedar/schema.h"

#include <stdlib.h>
#include <string.h>

enum { CEILING = 64 << 20, MOST = 1 << 16, KEPT = 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static struct nk_str written(struct nk_arena *a, const struct nk_cedar_schema *s, bool json)
{
    struct nk_buf b;
    nk_buf_init(&b, 16 << 20);
    struct nk_str out = {NULL, 0};
    if (json)
        nk_cedar_schema_write_json(s, &b);
    if ((json || nk_cedar_schema_write(s, &b, NULL) == 0) && !b.error)
        out = nk_arena_copy(a, nk_buf_str(&b));
    nk_buf_free(&b);
    return out;
}

static void comes_back(struct nk_arena *a, struct nk_cedar_diags *d,
                       const struct nk_cedar_schema *s)
{
    const struct nk_cedar_schema *again;
    struct nk_str json = written(a, s, true), text = written(a, s, false);
    int rc = json.p ? nk_cedar_schema_parse_json(json, a, d, &again) : NK_ENOMEM;
    must(rc == 0 || rc == NK_ENOMEM || rc == NK_ELIMIT || d->out_of_memory);
    if (rc == 0)
        must(nk_str_eq(written(a, again, true), json));
    rc = text.p ? nk_cedar_schema_parse(text, a, d, &again) : NK_ENOMEM;
    must(rc == 0 || rc == NK_ENOMEM || rc == NK_ELIMIT || d->out_of_memory);
    if (rc == 0)
        must(nk_str_eq(written(a, again, false), text));
}

static void validate(struct nk_arena *a, struct nk_cedar_diags *d, const struct nk_cedar_schema *s,
                     struct nk_str text)
{
    struct nk_cedar_validation how = {.leveled = text.n & 1, .level = text.n & 3};
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    struct nk_buf b;
    if (!p || nk_cedar_policies_add(p, text, NK_STR("p"), false, NULL))
        return;
    size_t before = d->errors;
    int rc = nk_cedar_validate(s, p, &how, a, d, NULL);
    must(rc == NK_ENOMEM || (rc == 0) == (d->errors == before));
    how.permissive = true;
    must(nk_cedar_validate(s, p, &how, a, d, NULL) <= 0);
    nk_buf_init(&b, 1 << 20);
    for (const struct nk_cedar_diag *i = d->first; i; i = i->next)
        nk_cedar_diag_print(i, NK_STR("f"), i->code & 1, &b);
    nk_buf_free(&b);
}

static void one(struct nk_str text, bool json, struct nk_str policies)
{
    struct nk_arena a;
    const struct nk_cedar_schema *s;
    nk_arena_init(&a, CEILING);
    struct nk_cedar_diags *d = nk_cedar_diags_new(&a, KEPT);
    int rc =
        json ? nk_cedar_schema_parse_json(text, &a, d, &s) : nk_cedar_schema_parse(text, &a, d, &s);
    must((rc == 0) == (d->errors == 0));
    if (rc == 0) {
        comes_back(&a, d, s);
        validate(&a, d, s,
                 NK_STR("permit (principal is User, action, resource) when { "
                        "principal has name.first && principal.name.first == \"a\" || "
                        "resource.hasTag(\"t\") && resource.getTag(\"t\") == context.x };"));
        validate(&a, d, s, policies);
    }
    nk_arena_free(&a);
}

/* The schema, a NUL, policies. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_str all = {(const char *)data, size};
    ptrdiff_t nul = nk_str_find(all, 0);
    if (size > MOST)
        return 0;
    struct nk_str text = nul < 0 ? all : nk_str_sub(all, 0, (size_t)nul);
    struct nk_str policies = nul < 0 ? NK_STR("") : nk_str_sub(all, (size_t)nul + 1, size);
    one(text, false, policies);
    one(text, true, policies);
    return 0;
}
