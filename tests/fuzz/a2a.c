/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a - messages of clients and agents. The first line is a method, the rest parameters or a result; both versions are
 * tried, in both directions. What is written is strict JSON, is written again as itself, holds no id that has not gone
 * through the caller's hands, and of what the caller takes out nothing.
 */
#include <stdint.h>
#include "proto/a2a.h"

static const struct nk_json_limits limits = {1 << 20, 64, 1 << 16};
static const char sealed[] = "\"\\u0001sealed\""; /* no input is taken that says this by itself */

struct hands {
    bool takes; /* data and all that is free away */
};

static int value(void *ctx, enum nk_a2a_kind kind, const struct nk_json *doc, uint32_t at,
                 struct nk_buf *out, struct nk_fault *f)
{
    const struct hands *h = ctx;
    (void)f;
    if (kind == NK_A2A_ID_TASK || kind == NK_A2A_ID_CONTEXT || kind == NK_A2A_ID_PAGE) {
        nk_buf_add(out, nk_str(sealed));
        return 0;
    }
    if (h->takes && kind != NK_A2A_ROLE && kind != NK_A2A_RECIPIENT && kind != NK_A2A_TEXT)
        return NK_ENOTFOUND;
    nk_buf_add(out, nk_json_span(doc, at));
    return 0;
}

/* Is there a member of this name anywhere whose value is not the sealed one? */
static bool has_open(const struct nk_json *doc, const char *name)
{
    for (uint32_t i = 0; i + 1 < doc->n; i++)
        if (nk_json_type(doc, i) == NK_JSON_OBJECT) {
            uint32_t at = nk_json_get(doc, i, nk_str(name));
            if (at != NK_JSON_NONE && !nk_str_eq(nk_json_span(doc, at), nk_str(sealed)))
                return true;
        }
    return false;
}

static void check(enum nk_a2a_op op, const struct nk_json *doc, struct nk_a2a_visit *v)
{
    const struct hands *h = v->ctx;
    struct nk_fault f = {0};
    struct nk_buf one, two;
    struct nk_json again;
    nk_buf_init(&one, 1 << 22);
    nk_buf_init(&two, 1 << 22);
    if (!nk_a2a_write(op, doc, 0, v, &one, &f)) {
        int rc = nk_json_parse(&limits, nk_buf_str(&one), v->a, &again, &f);
        NK_MUST(rc == 0 || rc == NK_ELIMIT || rc == NK_ENOMEM);
        if (!rc && h->takes && v->is_answer) {
            NK_MUST(!has_open(&again, "contextId") && !has_open(&again, "taskId"));
            NK_MUST(nk_json_get(&again, 0, NK_STR("data")) == NK_JSON_NONE);
        }
        if (!rc) {
            NK_MUST(!nk_a2a_write(op, &again, 0, v, &two, &f));
            NK_MUST(nk_str_eq(nk_buf_str(&one), nk_buf_str(&two)));
        }
    }
    nk_buf_free(&one);
    nk_buf_free(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct nk_arena a;
    struct nk_str text = {(const char *)data, n}, method = nk_str_cut(&text, '\n');
    struct nk_json doc;
    struct nk_fault f = {0};
    nk_arena_init(&a, 1 << 25);
    int rc = text.p ? nk_json_parse(&limits, text, &a, &doc, &f) : NK_EINVAL;
    for (unsigned i = 0; !rc && i < 8; i++) {
        struct hands h = {.takes = i & 1};
        struct nk_a2a_visit v = {.value = value,
                                 .ctx = &h,
                                 .is_new = i & 2,
                                 .is_answer = i & 4,
                                 .gone = NK_STR("gone"),
                                 .a = &a};
        enum nk_a2a_op op = nk_a2a_op(method, v.is_new);
        if (op < NK_A2A_OPS)
            check(op, &doc, &v);
    }
    nk_arena_free(&a);
    return 0;
}
