/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_est.c - any bytes as a policy in Cedar's JSON, as a set in that form, as the JSON of one
 * expression, and as policy text to lay out. What is accepted must be the same policy in each of its
 * forms, and its layout must not change when it is laid out again.
 */
#include "cedar_forms.h"

#include <stdlib.h>

enum { CEILING = 64 << 20, MOST = 1 << 16, OUT_MOST = 4 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void all_forms(const struct nk_cedar_policies *p, struct nk_arena *a, struct nk_buf *out)
{
    for (size_t i = 0; i < p->n + p->template_n; i++) {
        struct nk_fault f = {0};
        const char *wrong =
            forms_differ(i < p->n ? p->items[i] : p->templates[i - p->n], a, out, &f);
        must(!wrong || f.code == NK_ENOMEM || out->error);
    }
}

static void one(struct nk_arena *a, struct nk_str json, struct nk_buf *out)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    struct nk_fault f = {0};
    int rc = nk_cedar_policy_add_json(p, json, NK_STR("x"), &f);
    must((rc == 0) == (f.code == 0) && f.offset <= json.n &&
         p->n + p->template_n == (rc == 0 ? 1 : 0));
    if (rc == 0)
        all_forms(p, a, out);
}

static void expression(struct nk_arena *a, struct nk_str json, struct nk_buf *out)
{
    struct nk_str parts[] = {
        NK_STR("{\"effect\":\"permit\",\"principal\":{\"op\":\"All\"},\"action\":{"
               "\"op\":\"All\"},\"resource\":{\"op\":\"All\"},\"conditions\":[{"
               "\"kind\":\"when\",\"body\":"),
        json, NK_STR("}]}")};
    struct nk_str all = nk_arena_join(a, parts, 3);
    if (all.p)
        one(a, all, out);
}

static void set(struct nk_arena *a, struct nk_str json, struct nk_buf *out)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(a), *q = nk_cedar_policies_new(a);
    if (nk_cedar_policies_add_json(p, json, NULL)) {
        must(p->n + p->template_n == 0);
        return;
    }
    all_forms(p, a, out);
    nk_buf_clear(out);
    if (nk_cedar_policies_put_json(p, out))
        return;
    struct nk_str once = nk_arena_copy(a, nk_buf_str(out));
    nk_buf_clear(out);
    struct nk_fault f = {0};
    if (!once.p || nk_cedar_policies_add_json(q, once, &f) == NK_ENOMEM)
        return;
    must(f.code == 0 && nk_cedar_policies_put_json(q, out) == 0 &&
         nk_str_eq(once, nk_buf_str(out)));
}

static void text(struct nk_arena *a, struct nk_str s, struct nk_buf *out)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    struct nk_fault f = {0};
    if (nk_cedar_policies_add(p, s, NK_STR("x"), false, NULL))
        return;
    all_forms(p, a, out);
    const char *wrong = forms_layout(s, NK_CEDAR_WIDTH, a, out, &f);
    must(!wrong || f.code == NK_ENOMEM || f.code == NK_ELIMIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_buf out;
    struct nk_str input = {(const char *)data, size};
    if (size > MOST)
        return 0;
    nk_arena_init(&a, CEILING);
    nk_buf_init(&out, OUT_MOST);
    one(&a, input, &out);
    expression(&a, input, &out);
    set(&a, input, &out);
    text(&a, input, &out);
    nk_buf_free(&out);
    nk_arena_free(&a);
    return 0;
}
