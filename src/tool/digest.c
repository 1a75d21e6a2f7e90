/* SPDX-License-Identifier: Apache-2.0
 *
 * digest.c - what a definition is: the members that people approve, as one digest. See tool.h.
 */
#include "tool/tool.h"

#include "json/canonical.h"

/* In the order of the canonical form. Of MCP's `Tool` icons and _meta do not count: neither reaches a model. */
static const struct nk_str members[] = {
    {"annotations", 11}, {"description", 11},  {"inputSchema", 11},
    {"name", 4},         {"outputSchema", 12}, {"title", 5},
};

int nk_tool_definition_digest(const struct nk_json *doc, uint32_t at, struct nk_digest *out)
{
    struct nk_buf b;
    int rc = 0;
    if (nk_json_type(doc, at) != NK_JSON_OBJECT ||
        nk_json_type(doc, nk_json_get(doc, at, NK_STR("name"))) != NK_JSON_STRING)
        return NK_EINVAL;
    nk_buf_init(&b, NK_TOOLS_FILE_MAX);
    nk_buf_add_char(&b, '{');
    for (size_t i = 0; !rc && i < NK_COUNT(members); i++) {
        uint32_t value = nk_json_get(doc, at, members[i]);
        if (value == NK_JSON_NONE)
            continue;
        nk_json_put_name(&b, members[i]);
        rc = nk_json_canonical(doc, value, NK_CANONICAL_JCS, &b, NULL);
    }
    nk_buf_add_char(&b, '}');
    if (!rc)
        rc = b.error;
    if (!rc)
        *out = nk_sha256(nk_buf_str(&b));
    nk_buf_free(&b);
    return rc;
}
