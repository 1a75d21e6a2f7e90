/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp - messages of clients. The first line is Mcp-Name and Mcp-Param-To (cut at a tab), the rest the message. A message
 * that is read is read again as the same from its own canonical parts, and headers are taken only if what they
 * decode to is what the body says.
 */
#include <stdint.h>
#include "proto/mcp.h"

static const char schema[] = "{\"properties\":{\"to\":{\"x-mcp-header\":\"To\"}}}";
static const struct nk_json_limits limits = {1 << 20, 64, 1 << 16};

static void check_headers(struct nk_str line, const struct nk_mcp_message *m,
                          const struct nk_mcp_ask *ask, struct nk_arena *a)
{
    struct nk_str param = line, name = nk_str_cut(&param, '\t'), to;
    struct nk_http_header list[] = {{NK_STR("mcp-protocol-version"), ask->version},
                                    {NK_STR("mcp-method"), m->method},
                                    {NK_STR("mcp-name"), name},
                                    {NK_STR("mcp-param-to"), param}};
    struct nk_http_head head = {.headers = list, .header_count = param.p ? 4 : 3};
    struct nk_fault f = {0};
    struct nk_json tool;
    NK_MUST(!nk_json_parse(&limits, nk_str(schema), a, &tool, &f));
    if (!nk_mcp_headers(&head, m, ask, a, &f) && nk_mcp_has_header(ask->op))
        NK_MUST(nk_str_eq(nk_mcp_header_decode(name, a), ask->subject));
    uint32_t at = nk_json_get(&m->doc, ask->arguments, NK_STR("to"));
    if (nk_mcp_param_headers(&head, &tool, &m->doc, ask->arguments, a, &f) ||
        nk_json_type(&m->doc, at) != NK_JSON_STRING || at == NK_JSON_NONE)
        return;
    to = nk_json_string(&m->doc, at, a);
    NK_MUST(param.p && nk_str_eq(nk_mcp_header_decode(param, a), to));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct nk_arena a;
    struct nk_str text = {(const char *)data, n}, line = nk_str_cut(&text, '\n');
    struct nk_json doc;
    struct nk_mcp_message m;
    struct nk_mcp_ask ask;
    struct nk_fault f = {0};
    nk_arena_init(&a, 1 << 24);
    if (text.p && !nk_json_parse(&limits, text, &a, &doc, &f) && !nk_mcp_read(&doc, &a, &m, &f)) {
        bool asks = m.kind == NK_MCP_REQUEST || m.kind == NK_MCP_NOTIFICATION;
        NK_MUST(asks == (m.method.n > 0) && (m.kind != NK_MCP_REQUEST || m.id.n));
        if (asks && !nk_mcp_ask(&m, &a, &ask, &f))
            check_headers(line, &m, &ask, &a);
    }
    struct nk_str coded = nk_mcp_header_encode(line, &a);
    NK_MUST(line.n > 4096 || (coded.p && nk_str_eq(nk_mcp_header_decode(coded, &a), line)));
    nk_arena_free(&a);
    return 0;
}
