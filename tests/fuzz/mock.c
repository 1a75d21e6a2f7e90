/* SPDX-License-Identifier: Apache-2.0
 *
 * mock.c - any bytes as a script of the scripted model, and as text that it obeys. A script that is
 * read answers a request; a call that it obeys to has a name and a JSON object.
 */
#include "cmd/mock.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void check_plan(const struct nk_mock_plan *p)
{
    const struct nk_json_limits lim = {1 << 20, 32, 1 << 16};
    for (size_t i = 0; i < p->call_count; i++) {
        struct nk_arena a;
        struct nk_json doc;
        nk_arena_init(&a, 1 << 24);
        must(p->calls[i].name.n > 0);
        must(nk_json_parse(&lim, p->calls[i].arguments, &a, &doc, NULL) == 0);
        must(nk_json_type(&doc, 0) == NK_JSON_OBJECT);
        nk_arena_free(&a);
    }
    must(p->pace_us >= 0 && p->delay_us >= 0 && p->pieces >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct nk_mock_script script;
    struct nk_arena a;
    struct nk_fault f = {0};
    struct nk_http_head head = {.method = NK_STR("POST"), .target = NK_STR("/v1/messages")};
    struct nk_str text = {(const char *)data, size};
    struct nk_mock_ask ask = {.head = &head, .model = NK_STR("m"), .text = text, .last = text};
    nk_arena_init(&a, (size_t)64 << 20);
    int rc = nk_mock_script_parse(text, &a, &script, &f);
    must(rc == f.code && (rc == 0 || (f.offset > 0 && f.message[0])));
    for (struct nk_mock_rule *r = rc ? NULL : script.rules; r; r = r->next)
        check_plan(&r->plan);
    if (!rc) {
        struct nk_mock_plan p = nk_mock_decide(&script, &ask, &a);
        check_plan(&p);
    }
    struct nk_mock_plan obeyed = nk_mock_default();
    nk_mock_obey(text, &a, &obeyed);
    check_plan(&obeyed);
    nk_arena_free(&a);
    return 0;
}
