/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_list.c - a server's list of tools, as a client may see it. Each list is judged as `nakoso tools diff` judges one: a tool
 * that is not what was approved, or that the list has twice, is not listed. Where policies decide about what nobody
 * approved (mcp.unapproved), nobody has looked at it either: what `approve --all` would leave out is not listed. What is strange
 * is told in the outcome's record. Members that the digest does not cover (_meta, icons) are not passed on.
 */
#include "gate/mcp_tool.h"

enum {
    TOLD_MAX = 32, /* tools, and what is said of them, in one record */
    TOLD_BYTES = 16 << 10,
    READ_MAX = 256, /* of one answer: definitions that nobody approved whose texts are looked at */
};

struct judged { /* a list, while it is judged */
    struct nk_txn *t;
    const struct nk_json *doc;
    struct nk_arena *a;
    size_t n, approved, fresh, read, told, more;
    struct nk_trust_findings found; /* of the tool at hand */
    struct nk_buf record;
};

static const char *const shown[] = {"title", "description", "inputSchema", "outputSchema",
                                    "annotations"};

/* Clients check results against outputSchema, and one from which something was taken may not keep to it. */
static bool is_shown(const struct nk_tool *tool, const char *member)
{
    return !(tool && tool->class_count && nk_str_eq(nk_str(member), NK_STR("outputSchema")));
}

static void put_definition(const struct nk_json *doc, uint32_t item, const struct nk_tool *tool,
                           struct nk_str name, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("name"), name);
    for (size_t i = 0; i < NK_COUNT(shown); i++) {
        uint32_t at = nk_json_get(doc, item, nk_str(shown[i]));
        if (at == NK_JSON_NONE || !is_shown(tool, shown[i]))
            continue;
        nk_json_put_name(out, nk_str(shown[i]));
        nk_buf_add(out, nk_json_span(doc, at));
    }
    nk_buf_add_char(out, '}');
}

/* What is strange about it -----------------------------------------------------------------------
 */
static const char *error_of(const struct nk_trust_findings *found)
{
    for (size_t i = 0; i < found->n; i++)
        if (nk_trust_rule_level(found->list[i].rule) == NK_TRUST_ERROR)
            return nk_trust_rule_id(found->list[i].rule);
    return NULL;
}

/* Would a person have to look at it before anybody uses it? */
static bool is_strange(const struct judged *j, const struct nk_trust_tool *tool)
{
    return tool->state != NK_TRUST_NEW || tool->likeness == NK_TRUST_LOOKALIKE ||
           error_of(&j->found);
}

static void put_seen(struct judged *j, const char *member, struct nk_str text)
{
    struct nk_buf seen;
    nk_buf_init(&seen, TOLD_BYTES);
    nk_trust_put_seen(&seen, nk_str_sub(text, 0, NK_TOOL_NAME_MAX));
    nk_json_put_member(&j->record, nk_str(member), nk_buf_str(&seen));
    nk_buf_free(&seen);
}

/* {"name":"get_patlent","state":"new","like":"get_patient","server":"ehr","likeness":"near"}; or "finds": the first error */
static void tell(struct judged *j, const struct nk_trust_tool *tool)
{
    static const char *const likenesses[] = {"unlike", "near", "namesake", "lookalike"};
    const char *error = error_of(&j->found);
    if (j->told == TOLD_MAX || j->record.n > TOLD_BYTES / 2) {
        j->more++;
        return;
    }
    nk_buf_add(&j->record, j->told++ ? NK_STR(",{") : NK_STR("{"));
    if (tool->name.n)
        put_seen(j, "name", tool->name);
    nk_json_put_member(&j->record, NK_STR("state"), nk_str(nk_trust_state_name(tool->state)));
    if (tool->like) {
        put_seen(j, "like", tool->like->name);
        nk_json_put_member(&j->record, NK_STR("server"), tool->like->server);
        nk_json_put_member(&j->record, NK_STR("likeness"), nk_str(likenesses[tool->likeness]));
    }
    if (error)
        nk_json_put_member(&j->record, NK_STR("finds"), nk_str(error));
    nk_buf_add_char(&j->record, '}');
}

/* A server that offers thousands of tools must not keep a gate from everybody else. */
static bool is_read(const struct judged *j)
{
    return j->read <= READ_MAX;
}

static int inspect(struct judged *j, const struct nk_trust_tool *tool, struct nk_fault *f)
{
    j->found.n = j->found.total = 0;
    if (tool->state == NK_TRUST_APPROVED || tool->state == NK_TRUST_MALFORMED)
        return 0;
    j->read++;
    if (!is_read(j))
        return 0;
    return nk_trust_inspect(j->doc, tool->at, j->t->setup->approvals, gate_mcp_upstream(j->t)->name,
                            j->a, &j->found, f);
}

/* For the outcome's record; nothing when all is as approved. */
static int keep_record(struct judged *j)
{
    struct nk_gate_state *s = j->t->state;
    struct nk_buf *b = &j->record;
    s->strange = (struct nk_str){NULL, 0};
    if (j->approved == j->n)
        return 0;
    struct nk_str told = nk_arena_copy(j->a, nk_buf_str(b));
    nk_buf_clear(b);
    nk_buf_printf(b, ",\"tools\":{\"offered\":%zu,\"approved\":%zu,\"new\":%zu,\"strange\":[", j->n,
                  j->approved, j->fresh);
    nk_buf_add(b, told);
    nk_buf_printf(b, "],\"more\":%zu}", j->more);
    s->strange = b->error ? (struct nk_str){NULL, 0} : nk_arena_copy(j->t->arena, nk_buf_str(b));
    return s->strange.p ? 0 : NK_ENOMEM;
}

/* The list ---------------------------------------------------------------------------------------
 */
/* Appends it, if this client may call it. */
static int put_tool(struct judged *j, const struct nk_trust_tool *tool, struct nk_buf *out)
{
    struct nk_tool_ask ask;
    struct nk_fault f = {0};
    bool may = false, approved = tool->state == NK_TRUST_APPROVED;
    struct nk_str full = nk_arena_printf(j->a, "%.*s___%.*s", NK_FMT(gate_mcp_upstream(j->t)->name),
                                         NK_FMT(tool->name));
    if (!full.p)
        return NK_ENOMEM;
    int rc = gate_tool_ask(j->t, full, &ask, &f);
    if (!rc && !approved && (ask.tool || !gate_mcp(j->t)->endpoint->config->is_open))
        return 0;
    if (!rc)
        rc = nk_tool_may_list(&ask, j->a, &may, &f);
    if (rc == NK_ENOMEM || (!rc && !may))
        return rc;
    if (rc) /* what cannot be asked about is not offered */
        return 0;
    if (out->n > 1)
        nk_buf_add_char(out, ',');
    struct nk_str name = gate_mcp_name(j->t, tool->name, j->a);
    put_definition(j->doc, tool->at, ask.tool, name, out);
    return name.p ? 0 : NK_ENOMEM;
}

static int take_tool(struct judged *j, const struct nk_trust_tool *tool, struct nk_buf *out,
                     struct nk_fault *f)
{
    int rc = inspect(j, tool, f);
    if (rc)
        return rc;
    j->approved += tool->state == NK_TRUST_APPROVED;
    j->fresh += tool->state == NK_TRUST_NEW;
    if (tool->state == NK_TRUST_APPROVED || (is_read(j) && !is_strange(j, tool)))
        return put_tool(j, tool, out);
    tell(j, tool);
    return 0;
}

int gate_mcp_put_tools(struct nk_txn *t, const struct nk_json *doc, uint32_t list,
                       struct nk_arena *a, struct nk_buf *out, struct nk_fault *f)
{
    struct judged *j = nk_arena_alloc(a, sizeof *j);
    struct nk_trust_tool *tools;
    if (!j)
        return NK_ENOMEM;
    *j = (struct judged){.t = t, .doc = doc, .a = a};
    int rc = nk_trust_judge(t->setup->approvals, gate_mcp_upstream(t)->name, doc, list, a, &tools,
                            &j->n, f);
    if (rc)
        return rc;
    nk_buf_init(&j->record, TOLD_BYTES);
    for (size_t i = 0; i < j->n && !rc; i++)
        rc = take_tool(j, &tools[i], out, f);
    if (!rc)
        rc = keep_record(j);
    nk_buf_free(&j->record);
    return rc;
}
