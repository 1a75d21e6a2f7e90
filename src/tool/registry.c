/* SPDX-License-Identifier: Apache-2.0
 *
 * registry.c - the tools that exist: approved definitions, put together with what the configuration's rules say
 * of them. See tool.h.
 */
#include "tool/tool.h"

#include <stdlib.h>

#include "base/map.h"
#include "tool/fields.h"
#include "tool/trust.h"
#include "tool/type.h"

struct nk_tools {
    struct nk_tool *list; /* by full name */
    size_t n;
    struct nk_map by_full;
};

struct making {
    const struct nk_config *config;
    struct nk_arena *a;
    struct nk_tools *tools;
    struct nk_fault *f;
};

static const char stage[] = "tools";
static const struct nk_str client = {"client", 6};
enum { WORST = NK_TOOL_EFFECT_EXTERNAL | NK_TOOL_DESTRUCTIVE };

static int no_memory(struct making *m)
{
    return nk_fault_set(m->f, NK_ENOMEM, stage, 0, "out of memory");
}

static bool fits(struct nk_str pattern, struct nk_str full)
{
    if (nk_str_ends(pattern, NK_STR("*")))
        return nk_str_starts(full, nk_str_sub(pattern, 0, pattern.n - 1));
    return nk_str_eq(pattern, full);
}

static const struct nk_config_tool_rule *rule_of(const struct nk_config *c, struct nk_str full)
{
    for (size_t i = 0; i < c->tools.rule_count; i++)
        if (fits(c->tools.rules[i].tool, full))
            return &c->tools.rules[i];
    return NULL;
}

static unsigned groups_of(const struct nk_config_tool_rule *rule)
{
    unsigned groups = 0;
    for (size_t i = 0; rule && i < rule->group_count; i++)
        for (unsigned k = 0; k < NK_TOOL_GROUPS; k++)
            if (nk_str_eq(rule->groups[i].text, nk_tool_group_name(k)))
                groups |= 1u << k;
    return groups ? groups : WORST;
}

struct nk_str nk_tool_group_name(unsigned i)
{
    static const struct nk_str names[] = {
        {"read", 4},  {"effect_internal", 15}, {"effect_external", 15}, {"destructive", 11},
        {"money", 5}, {"credential", 10},
    };
    return names[i];
}

/* Fields ------------------------------------------------------------------------------------------ */

static int take_fields(struct making *m, struct nk_tool *t, const struct nk_config_tool_rule *rule)
{
    struct nk_str result = rule ? rule->result : NK_STR("refuse");
    struct nk_field_setup setup = {.output = t->output,
                                   .shape = nk_str_eq(result, NK_STR("strip"))  ? NK_FIELD_STRIP
                                            : nk_str_eq(result, NK_STR("pass")) ? NK_FIELD_PASS
                                                                                : NK_FIELD_REFUSE};
    struct nk_tool_fields fields;
    struct nk_fault inner = {0};
    int rc = nk_tool_fields_new(rule ? rule->fields : NULL, rule ? rule->field_count : 0,
                                (struct nk_str){NULL, 0}, &setup, m->a, &fields, &inner);
    t->classes = fields.classes;
    t->class_count = fields.class_count;
    t->rules = fields.rules;
    return rc ? nk_fault_set(m->f, rc, stage, inner.offset, "tools.rules: %.*s: %s",
                             NK_FMT(t->full), inner.message)
              : 0;
}

/* Definitions ------------------------------------------------------------------------------------- */

static int take_schema(struct making *m, const struct nk_tool *t, const struct nk_json *doc,
                       uint32_t at, const char *member, const struct nk_schema **out)
{
    struct nk_fault inner = {0};
    uint32_t schema = nk_json_get(doc, at, nk_str(member));
    if (schema == NK_JSON_NONE)
        return 0;
    int rc = nk_schema_new(nk_json_span(doc, schema), m->a, out, &inner);
    return rc ? nk_fault_set(m->f, rc, stage, doc->tape[schema].start, "%.*s: %s%s%s",
                             NK_FMT(t->full), member, inner.message[0] == '/' ? "" : ": ",
                             inner.message)
              : 0;
}

static int find_upstream(struct making *m, struct nk_tool *t)
{
    t->upstream = SIZE_MAX;
    if (nk_str_eq(t->server, client))
        return 0;
    size_t i = nk_config_upstream_index(m->config, t->server);
    if (i < m->config->upstream_count) {
        t->upstream = i;
        return 0;
    }
    return nk_fault_set(m->f, NK_ENOTFOUND, stage, 0,
                        "%.*s: there is no upstream \"%.*s\"; add it to `upstreams`, or revoke the "
                        "tool (nakoso tools revoke)",
                        NK_FMT(t->full), NK_FMT(t->server));
}

static int put_tool(struct making *m, struct nk_tool *t, struct nk_str server, struct nk_str name)
{
    struct nk_str parts[] = {server, NK_STR("___"), name};
    t->server = server;
    t->name = name;
    t->full = nk_arena_join(m->a, parts, NK_COUNT(parts));
    if (!t->full.p)
        return no_memory(m);
    if (t->full.n > NK_TOOL_NAME_MAX || !name.n)
        return nk_fault_set(m->f, NK_ELIMIT, stage, 0, "%.*s: a full name has 1 to %d bytes",
                            (int)(t->full.n > 80 ? 80 : t->full.n), t->full.p, NK_TOOL_NAME_MAX);
    t->groups = groups_of(rule_of(m->config, t->full));
    int rc = find_upstream(m, t);
    if (!rc)
        rc = nk_map_put(&m->tools->by_full, t->full, t);
    if (rc == NK_ECONFLICT)
        return nk_fault_set(m->f, rc, stage, 0, "two tools have the full name %.*s",
                            NK_FMT(t->full));
    m->tools->n += !rc;
    return rc;
}

static int take_definition(struct making *m, const struct nk_approvals *all,
                           const struct nk_approval *one)
{
    struct nk_tool *t = &m->tools->list[m->tools->n];
    const struct nk_json *doc = &all->doc;
    int rc = put_tool(m, t, one->server, one->name);
    t->digest = one->digest;
    t->definition = nk_json_span(doc, one->at);
    t->title = nk_json_string(doc, nk_json_get(doc, one->at, NK_STR("title")), m->a);
    t->description = nk_json_string(doc, nk_json_get(doc, one->at, NK_STR("description")), m->a);
    if (!rc)
        rc = take_schema(m, t, doc, one->at, "inputSchema", &t->input);
    if (!rc)
        rc = take_schema(m, t, doc, one->at, "outputSchema", &t->output);
    if (!rc && t->input)
        rc = nk_tool_type_of(nk_schema_document(t->input), m->a, &t->type);
    if (rc == NK_ELIMIT && !m->f->code)
        return nk_fault_set(m->f, rc, stage, 0, "%.*s: inputSchema has more than %d types",
                            NK_FMT(t->full), NK_TOOL_TYPES_MAX);
    return rc ? rc : take_fields(m, t, rule_of(m->config, t->full));
}

/* Tools of clients that a rule names and nobody has defined: their arguments stay unknown. */
static int take_named(struct making *m, const struct nk_config_tool_rule *rule)
{
    struct nk_str prefix = NK_STR("client___");
    if (!nk_str_starts(rule->tool, prefix) || nk_str_ends(rule->tool, NK_STR("*")) ||
        nk_map_get(&m->tools->by_full, rule->tool))
        return 0;
    struct nk_tool *t = &m->tools->list[m->tools->n];
    int rc = put_tool(m, t, client, nk_str_sub(rule->tool, prefix.n, rule->tool.n));
    return rc ? rc : take_fields(m, t, rule_of(m->config, t->full));
}

static int by_full(const void *x, const void *y)
{
    return nk_str_cmp(((const struct nk_tool *)x)->full, ((const struct nk_tool *)y)->full);
}

/* A star in the middle would look as if it meant something. */
static int check_rules(struct making *m)
{
    for (size_t i = 0; i < m->config->tools.rule_count; i++) {
        struct nk_str pattern = m->config->tools.rules[i].tool;
        ptrdiff_t star = nk_str_find(pattern, '*');
        if (star >= 0 && (size_t)star + 1 != pattern.n)
            return nk_fault_set(m->f, NK_EINVAL, stage, 0,
                                "tools.rules[%zu].tool \"%.*s\": * stands at the end alone", i,
                                NK_FMT(pattern));
    }
    return 0;
}

static int take_all(struct making *m, struct nk_str file, const uint64_t seed[2])
{
    struct nk_approvals all = {.n = 0};
    int rc = check_rules(m);
    if (!rc)
        rc = nk_approvals_read(file, m->a, &all, m->f);
    size_t room = all.n + m->config->tools.rule_count + 1;
    if (rc)
        return rc;
    m->tools->list = nk_arena_array(m->a, room, sizeof *m->tools->list);
    nk_map_init(&m->tools->by_full, m->a, seed);
    if (!m->tools->list)
        return no_memory(m);
    for (size_t i = 0; i < all.n && !rc; i++)
        rc = take_definition(m, &all, &all.list[i]);
    for (size_t i = 0; i < m->config->tools.rule_count && !rc; i++)
        rc = take_named(m, &m->config->tools.rules[i]);
    if (rc)
        return rc == NK_ENOMEM ? no_memory(m) : rc;
    qsort(m->tools->list, m->tools->n, sizeof *m->tools->list, by_full);
    nk_map_init(&m->tools->by_full, m->a, seed); /* the tools have moved */
    for (size_t i = 0; i < m->tools->n && !rc; i++)
        rc = nk_map_put(&m->tools->by_full, m->tools->list[i].full, &m->tools->list[i]);
    return rc ? no_memory(m) : 0;
}

int nk_tools_new(const struct nk_config *c, struct nk_str file, const uint64_t seed[2],
                 struct nk_arena *a, const struct nk_tools **out, struct nk_fault *f)
{
    struct nk_fault own = {0};
    struct making m = {c, a, nk_arena_alloc(a, sizeof(struct nk_tools)), f ? f : &own};
    *out = m.tools;
    return m.tools ? take_all(&m, file, seed) : no_memory(&m);
}

size_t nk_tools_count(const struct nk_tools *t)
{
    return t->n;
}

const struct nk_tool *nk_tools_at(const struct nk_tools *t, size_t i)
{
    return i < t->n ? &t->list[i] : NULL;
}

const struct nk_tool *nk_tools_find(const struct nk_tools *t, struct nk_str full)
{
    return nk_map_get(&t->by_full, full);
}

const struct nk_tool *nk_tools_find_of(const struct nk_tools *t, struct nk_str server,
                                       struct nk_str name)
{
    char full[NK_TOOL_NAME_MAX];
    if (server.n + 3 + name.n > sizeof full || !server.n || !name.n)
        return NULL;
    memcpy(full, server.p, server.n);
    memcpy(full + server.n, "___", 3);
    memcpy(full + server.n + 3, name.p, name.n);
    const struct nk_tool *found = nk_tools_find(t, (struct nk_str){full, server.n + 3 + name.n});
    return found && nk_str_eq(found->server, server) ? found : NULL;
}
