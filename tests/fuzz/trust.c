/* SPDX-License-Identifier: Apache-2.0
 *
 * trust.c - any bytes as an answer of tools/list, or as tools.json (input that begins with 'A').
 *
 * What must hold: nothing is read outside its memory; a list that was approved as it stands is approved
 * when it is judged again, each tool by its own digest, and by no other; every finding has its place and
 * an excerpt that nothing hides in; a text is looked at in time that its length bounds.
 */
#include "base/utf8.h"
#include "tool/text.h"
#include "tool/tool.h"
#include "tool/trust.h"

#include <stdlib.h>

static const struct nk_json_limits limits = {1 << 20, 64, 1 << 16};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void check_excerpt(struct nk_str s)
{
    must(s.p && s.n <= NK_TRUST_EXCERPT_MAX + 16 && nk_utf8_check(s) == s.n);
    for (size_t at = 0; at < s.n;) {
        int32_t c = nk_utf8_next(s, &at);
        must(tool_sight(c) == TOOL_SEEN || c == ' ');
    }
}

static void check_findings(const struct nk_json *doc, uint32_t at, struct nk_arena *a)
{
    struct nk_trust_findings found;
    if (nk_trust_inspect(doc, at, NULL, NK_STR("s"), a, &found, NULL))
        return;
    must(found.n <= found.total && found.n <= NK_TRUST_FINDINGS_MAX);
    for (size_t i = 0; i < found.n; i++) {
        must(found.list[i].where.n && found.list[i].where.p[0] == '/');
        must(nk_json_type(doc, found.list[i].at) == NK_JSON_STRING);
        check_excerpt(found.list[i].excerpt);
    }
}

/* tools.json with all of the tools that can be approved. */
static void approve(const struct nk_json *doc, const struct nk_trust_tool *t, size_t n,
                    struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"format\":1,\"tools\":["));
    for (size_t i = 0; i < n; i++) {
        if (t[i].state == NK_TRUST_MALFORMED || t[i].state == NK_TRUST_TWICE)
            continue;
        nk_buf_add(out, out->p[out->n - 1] == '[' ? NK_STR("") : NK_STR(","));
        nk_buf_add(out, NK_STR("{\"server\":\"s\""));
        for (int m = 0; m < NK_TOOL_MEMBERS; m++) {
            struct nk_str name = nk_tool_member_name((enum nk_tool_member)m);
            uint32_t value = nk_json_get(doc, t[i].at, name);
            if (value == NK_JSON_NONE)
                continue;
            nk_json_put_name(out, name);
            nk_buf_add(out, nk_json_span(doc, value));
        }
        nk_buf_add(out, NK_STR(",\"sha256\":\""));
        nk_buf_add_hex(out, t[i].digest.b, sizeof t[i].digest.b);
        nk_buf_add(out, NK_STR("\"}"));
    }
    nk_buf_add(out, NK_STR("]}"));
}

static void judge(struct nk_str in, struct nk_arena *a)
{
    struct nk_approvals none = {0}, all;
    struct nk_trust_tool *before, *after;
    size_t n, again;
    struct nk_json doc;
    struct nk_buf file;
    if (nk_json_parse(&limits, in, a, &doc, NULL) ||
        nk_trust_judge(&none, NK_STR("s"), &doc, 0, a, &before, &n, NULL))
        return;
    nk_buf_init(&file, 8 << 20);
    approve(&doc, before, n, &file);
    must(nk_approvals_read(nk_buf_str(&file), a, &all, NULL) == 0);
    must(nk_trust_judge(&all, NK_STR("s"), &doc, 0, a, &after, &again, NULL) == 0 && again == n);
    for (size_t i = 0; i < n; i++) {
        check_findings(&doc, before[i].at, a);
        bool out = before[i].state == NK_TRUST_MALFORMED || before[i].state == NK_TRUST_TWICE;
        must(before[i].state != NK_TRUST_APPROVED);
        must(after[i].state == (out ? before[i].state : NK_TRUST_APPROVED));
        must(out || nk_digest_eq(after[i].digest, after[i].approval->digest));
    }
    must(nk_trust_judge(&all, NK_STR("t"), &doc, 0, a, &after, &again, NULL) == 0);
    for (size_t i = 0; i < again; i++)
        must(after[i].state != NK_TRUST_APPROVED);
    nk_buf_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_arena a;
    struct nk_approvals out;
    struct nk_str in = {(const char *)data, size};
    if (size == 0)
        return 0;
    nk_arena_init(&a, 64 << 20);
    if (data[0] == 'A')
        (void)!nk_approvals_read(nk_str_sub(in, 1, size), &a, &out, NULL);
    else
        judge(in, &a);
    nk_arena_free(&a);
    return 0;
}
