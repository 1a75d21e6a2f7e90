/* SPDX-License-Identifier: Apache-2.0
 *
 * describe.c - registered tools as declarations of a Cedar schema: for each an action that is a member of CallTool and
 * of its groups, with the types of its arguments. They follow a schema that has the types User, Agent, Service
 * and Tool and these actions; policy/nakoso.cedarschema is one.
 */
#include "tool/tool.h"
#include "tool/type.h"

/* A string of Cedar. */
static void put_name(struct nk_buf *out, struct nk_str s)
{
    nk_buf_add_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            nk_buf_add_char(out, '\\');
        if (c < 0x20 || c == 0x7f)
            nk_buf_printf(out, "\\u{%x}", c);
        else
            nk_buf_add_char(out, s.p[i]);
    }
    nk_buf_add_char(out, '"');
}

static void put_type(struct nk_buf *out, const struct nk_tool_type *t)
{
    static const char *const names[] = {"String", "Long", "Bool", "decimal", "String"};
    if (t->kind == NK_TOOL_SET) {
        nk_buf_add(out, NK_STR("Set<"));
        put_type(out, t->item);
        nk_buf_add_char(out, '>');
    } else if (t->kind == NK_TOOL_RECORD) {
        nk_buf_add_char(out, '{');
        for (uint32_t i = 0; i < t->member_n; i++) {
            nk_buf_add(out, i ? NK_STR(", ") : NK_STR(""));
            put_name(out, t->members[i].name);
            nk_buf_add(out, t->members[i].required ? NK_STR(": ") : NK_STR("?: "));
            put_type(out, t->members[i].type);
        }
        nk_buf_add_char(out, '}');
    } else {
        nk_buf_add(out, nk_str(names[t->kind]));
    }
}

static void put_tool(struct nk_buf *out, const struct nk_tool *t)
{
    nk_buf_add(out, NK_STR("action "));
    put_name(out, t->full);
    nk_buf_add(out, NK_STR(" in [CallTool"));
    for (unsigned i = 0; i < NK_TOOL_GROUPS; i++)
        if (t->groups >> i & 1)
            nk_buf_printf(out, ", %.*s", NK_FMT(nk_tool_group_name(i)));
    nk_buf_add(out,
               NK_STR("] appliesTo {\n  principal: [User, Agent, Service],\n  resource: [Tool],\n"
                      "  context: {\n    "));
    if (t->type) {
        nk_buf_add(out, NK_STR("input: "));
        put_type(out, t->type);
        nk_buf_add(out, NK_STR(",\n    undeclared?: Set<String>,\n    "));
    }
    nk_buf_add(out, NK_STR("session: ToolSession,\n    actor?: Actor,\n    strength: String,\n"
                           "    dialect: String,\n  },\n};\n"));
}

void nk_tools_put_schema(const struct nk_tools *tools, struct nk_buf *out)
{
    if (nk_tools_count(tools))
        nk_buf_add(out, NK_STR("\n// The registered tools.\n"));
    for (size_t i = 0; i < nk_tools_count(tools); i++)
        put_tool(out, nk_tools_at(tools, i));
}
