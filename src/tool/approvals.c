/* SPDX-License-Identifier: Apache-2.0
 *
 * approvals.c - tools.json as the list of what somebody approved. Digests are made anew while it is read,
 * never taken from the file: the sha256 that stands there must be the same, which tells of a definition that
 * was changed by hand and not approved again.
 */
#include "tool/approvals.h"

#include <stdlib.h>

#include "base/scan.h"
#include "json/canonical.h"
#include "tool/tool.h"

enum { VALUES_MAX = 4 << 20, DEPTH_MAX = 128 };

struct nk_str nk_tool_member_name(enum nk_tool_member member)
{
    static const char *const names[NK_TOOL_MEMBERS] = {
        "name", "title", "description", "inputSchema", "outputSchema", "annotations",
    };
    return nk_str(names[member]);
}

/* The same as nk_tool_definition_digest, without the name; members in the order of RFC 8785. */
static int digest_nameless(const struct nk_json *doc, uint32_t at, struct nk_digest *out)
{
    static const enum nk_tool_member sorted[] = {
        NK_TOOL_ANNOTATIONS, NK_TOOL_DESCRIPTION, NK_TOOL_INPUT, NK_TOOL_OUTPUT, NK_TOOL_TITLE,
    };
    struct nk_buf b;
    int rc = 0;
    nk_buf_init(&b, NK_TRUST_FILE_MAX);
    nk_buf_add_char(&b, '{');
    for (size_t i = 0; i < NK_COUNT(sorted) && rc == 0; i++) {
        struct nk_str name = nk_tool_member_name(sorted[i]);
        uint32_t value = nk_json_get(doc, at, name);
        if (value == NK_JSON_NONE)
            continue;
        nk_json_put_name(&b, name);
        rc = nk_json_canonical(doc, value, NK_CANONICAL_JCS, &b, NULL);
    }
    nk_buf_add_char(&b, '}');
    rc = rc ? rc : b.error;
    if (rc == 0)
        *out = nk_sha256(nk_buf_str(&b));
    nk_buf_free(&b);
    return rc;
}

int tool_digests(const struct nk_json *doc, uint32_t at, struct nk_digest *digest,
                 struct nk_digest *nameless)
{
    int rc = nk_tool_definition_digest(doc, at, digest);
    return rc ? rc : digest_nameless(doc, at, nameless);
}

bool tool_member_same(const struct nk_json *a, uint32_t at, const struct nk_json *b, uint32_t bt,
                      enum nk_tool_member member)
{
    uint32_t x = nk_json_get(a, at, nk_tool_member_name(member));
    uint32_t y = nk_json_get(b, bt, nk_tool_member_name(member));
    if (x == NK_JSON_NONE || y == NK_JSON_NONE)
        return x == y;
    struct nk_buf one, two;
    nk_buf_init(&one, NK_TRUST_FILE_MAX);
    nk_buf_init(&two, NK_TRUST_FILE_MAX);
    bool same = nk_json_canonical(a, x, NK_CANONICAL_JCS, &one, NULL) == 0 &&
                nk_json_canonical(b, y, NK_CANONICAL_JCS, &two, NULL) == 0 && !one.error &&
                !two.error && nk_str_eq(nk_buf_str(&one), nk_buf_str(&two));
    nk_buf_free(&one);
    nk_buf_free(&two);
    return same;
}

/* tools.json --------------------------------------------------------------------------------------
 */
static int wrong(struct nk_fault *f, size_t number, struct nk_str name, const char *what)
{
    return nk_fault_set(f, NK_EINVAL, "tools", 0, "tool %zu of the file (%.*s): %s", number,
                        NK_FMT(nk_str_sub(name, 0, 80)), what);
}

static int read_one(struct nk_approvals *out, uint32_t at, struct nk_approval *to,
                    struct nk_arena *a, struct nk_fault *f)
{
    const struct nk_json *doc = &out->doc;
    *to = (struct nk_approval){
        .server = nk_json_string(doc, nk_json_get(doc, at, NK_STR("server")), a),
        .name = nk_json_string(doc, nk_json_get(doc, at, NK_STR("name")), a),
        .since = nk_json_string(doc, nk_json_get(doc, at, NK_STR("approved")), a),
        .at = at,
    };
    size_t number = out->n + 1;
    if (!to->server.n || !to->name.n)
        return wrong(f, number, to->name, "it needs \"server\" and \"name\", texts");
    int rc = tool_digests(doc, at, &to->digest, &to->nameless);
    if (rc == NK_ENOMEM)
        return nk_fault_set(f, rc, "tools", 0, "no memory for the approved tools");
    if (rc)
        return wrong(f, number, to->name, "a number or its size is more than can be approved");
    char hex[2 * NK_SHA256_SIZE];
    nk_scan_hex(hex, (const char *)to->digest.b, NK_SHA256_SIZE);
    if (!nk_json_is(doc, nk_json_get(doc, at, NK_STR("sha256")), (struct nk_str){hex, sizeof hex}))
        return wrong(f, number, to->name,
                     "\"sha256\" is not that of the definition, which was changed without being "
                     "approved: put it back, or take it out and approve the tool again");
    return 0;
}

static int by_name(const void *x, const void *y)
{
    const struct nk_approval *a = x, *b = y;
    int order = nk_str_cmp(a->server, b->server);
    return order ? order : nk_str_cmp(a->name, b->name);
}

int nk_approvals_read(struct nk_str file, struct nk_arena *a, struct nk_approvals *out,
                      struct nk_fault *f)
{
    static const struct nk_json_limits limits = {NK_TRUST_FILE_MAX, DEPTH_MAX, VALUES_MAX};
    *out = (struct nk_approvals){0};
    if (!file.p)
        return 0;
    int rc = nk_json_parse(&limits, file, a, &out->doc, f);
    if (rc)
        return rc;
    int64_t format = 0;
    uint32_t tools = nk_json_get(&out->doc, 0, NK_STR("tools"));
    if (nk_json_i64(&out->doc, nk_json_get(&out->doc, 0, NK_STR("format")), &format) ||
        format != 1 || tools == NK_JSON_NONE || nk_json_type(&out->doc, tools) != NK_JSON_ARRAY)
        return nk_fault_set(f, NK_EINVAL, "tools", 0,
                            "this is no list of approved tools: {\"format\":1,\"tools\":[…]}");
    size_t n = out->doc.tape[tools].count;
    if (n > NK_TRUST_TOOLS_MAX)
        return nk_fault_set(f, NK_ELIMIT, "tools", 0, "%zu tools, at most %d", n,
                            NK_TRUST_TOOLS_MAX);
    out->list = nk_arena_array(a, n ? n : 1, sizeof *out->list);
    if (!out->list)
        return nk_fault_set(f, NK_ENOMEM, "tools", 0, "no memory for the approved tools");
    for (uint32_t i = nk_json_first(&out->doc, tools); i != NK_JSON_NONE;
         i = nk_json_next(&out->doc, tools, i), out->n++) {
        rc = read_one(out, i, &out->list[out->n], a, f);
        if (rc)
            return rc;
    }
    qsort(out->list, out->n, sizeof *out->list, by_name);
    for (size_t i = 1; i < out->n; i++)
        if (by_name(&out->list[i - 1], &out->list[i]) == 0)
            return wrong(f, i + 1, out->list[i].name, "it is there twice");
    return 0;
}

const struct nk_approval *nk_approvals_find(const struct nk_approvals *approvals,
                                            struct nk_str server, struct nk_str name)
{
    struct nk_approval key = {.server = server, .name = name};
    return approvals->n ? bsearch(&key, approvals->list, approvals->n, sizeof key, by_name) : NULL;
}
