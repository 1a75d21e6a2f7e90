/* SPDX-License-Identifier: Apache-2.0
 *
 * set.c - see set.h.
 */
#include "chain/set.h"

#include "cedar/template.h"

int nk_set_configure(struct nk_set *s, const struct nk_config *c, struct nk_arena *a)
{
    struct nk_str *upstreams = nk_arena_array(a, c->upstream_count, sizeof *upstreams);
    struct nk_set_model *models = nk_arena_array(a, c->model_count, sizeof *models);
    if (!upstreams || !models)
        return NK_ENOMEM;
    for (size_t i = 0; i < c->upstream_count; i++)
        upstreams[i] = c->upstreams[i].name;
    for (size_t i = 0; i < c->model_count; i++) {
        models[i] =
            (struct nk_set_model){.name = c->models[i].name, .upstream = c->models[i].upstream};
        const struct nk_config_upstream *u = nk_config_upstream_named(c, models[i].upstream);
        if (u)
            models[i].dialect = u->dialect;
    }
    s->upstreams = upstreams;
    s->upstream_count = c->upstream_count;
    s->models = models;
    s->model_count = c->model_count;
    s->errors_deny = c->policy_errors_deny;
    return 0;
}

static struct nk_str hexadecimal(const struct nk_tool *t, struct nk_arena *a)
{
    char room[2 * NK_SHA256_SIZE];
    struct nk_buf b = {.p = room, .cap = sizeof room, .max = sizeof room};
    if (t->definition.p)
        nk_buf_add_hex(&b, t->digest.b, sizeof t->digest.b);
    return nk_arena_copy(a, nk_buf_str(&b));
}

int nk_set_tools(struct nk_set *s, const struct nk_tools *tools, struct nk_arena *a)
{
    struct nk_set_tool *list = nk_arena_array(a, nk_tools_count(tools) + 1, sizeof *list);
    if (!list)
        return NK_ENOMEM;
    for (size_t i = 0; i < nk_tools_count(tools); i++) {
        const struct nk_tool *t = nk_tools_at(tools, i);
        struct nk_str *groups = nk_arena_array(a, NK_TOOL_GROUPS, sizeof *groups);
        list[i] = (struct nk_set_tool){
            .name = t->full, .server = t->server, .groups = groups, .sha256 = hexadecimal(t, a)};
        if (!groups || !list[i].sha256.p)
            return NK_ENOMEM;
        for (unsigned k = 0; k < NK_TOOL_GROUPS; k++)
            if (t->groups >> k & 1)
                groups[list[i].group_count++] = nk_tool_group_name(k);
    }
    s->tools = list;
    s->tool_count = nk_tools_count(tools);
    return 0;
}

static void write_tools(const struct nk_set *s, struct nk_buf *out)
{
    nk_buf_add(out, NK_STR(",\"tools\":["));
    for (size_t i = 0; i < s->tool_count; i++) {
        const struct nk_set_tool *t = &s->tools[i];
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("name"), t->name);
        nk_json_put_member(out, NK_STR("server"), t->server);
        nk_json_put_name(out, NK_STR("groups"));
        nk_buf_add_char(out, '[');
        for (size_t k = 0; k < t->group_count; k++) {
            nk_buf_add(out, k ? NK_STR(",") : NK_STR(""));
            nk_json_put_string(out, t->groups[k]);
        }
        nk_buf_add_char(out, ']');
        nk_json_put_member(out, NK_STR("sha256"), t->sha256);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
}

void nk_set_write(const struct nk_set *s, struct nk_buf *out)
{
    nk_buf_printf(out, "{\"format\":%d,%s\"policies\":[", s->tool_count ? 3 : 1 + s->errors_deny,
                  s->errors_deny ? "\"errors\":\"deny\"," : "");
    for (size_t i = 0; i < s->policy_count; i++) {
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("name"), s->policies[i].name);
        nk_json_put_member(out, NK_STR("text"), s->policies[i].text);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
    nk_json_put_member(out, NK_STR("entities"), s->entities);
    nk_buf_add(out, NK_STR(",\"upstreams\":["));
    for (size_t i = 0; i < s->upstream_count; i++) {
        if (i)
            nk_buf_add_char(out, ',');
        nk_json_put_string(out, s->upstreams[i]);
    }
    nk_buf_add(out, NK_STR("],\"models\":["));
    for (size_t i = 0; i < s->model_count; i++) {
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("name"), s->models[i].name);
        nk_json_put_member(out, NK_STR("upstream"), s->models[i].upstream);
        nk_json_put_member(out, NK_STR("dialect"), s->models[i].dialect);
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
    if (s->tool_count)
        write_tools(s, out);
    nk_buf_add_char(out, '}');
}

int nk_set_digest(const struct nk_set *s, struct nk_digest *out)
{
    struct nk_buf text;
    nk_buf_init(&text, NK_SET_MAX);
    nk_set_write(s, &text);
    int r = text.error;
    if (r == 0)
        *out = nk_sha256(nk_buf_str(&text));
    nk_buf_free(&text);
    return r;
}

/* Reading -----------------------------------------------------------------------------------------
 */
static uint32_t list_of(const struct nk_json *doc, struct nk_str name, uint32_t *count)
{
    uint32_t at = nk_json_get(doc, 0, name);
    if (at == NK_JSON_NONE || nk_json_type(doc, at) != NK_JSON_ARRAY)
        return NK_JSON_NONE;
    *count = doc->tape[at].count;
    return at;
}

static struct nk_str text_of(const struct nk_json *doc, uint32_t at, struct nk_str name,
                             struct nk_arena *a)
{
    return nk_json_string(doc, nk_json_get(doc, at, name), a);
}

static int read_policies(const struct nk_json *doc, struct nk_arena *a, struct nk_set *out)
{
    uint32_t count, list = list_of(doc, NK_STR("policies"), &count);
    struct nk_set_policy *p = list == NK_JSON_NONE ? NULL : nk_arena_array(a, count, sizeof *p);
    if (!p)
        return list == NK_JSON_NONE ? NK_EINVAL : NK_ENOMEM;
    out->policies = p;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        p->name = text_of(doc, i, NK_STR("name"), a);
        p->text = text_of(doc, i, NK_STR("text"), a);
        if (!p->name.p || !p->text.p)
            return NK_EINVAL;
        p++;
    }
    out->policy_count = count;
    return 0;
}

static int read_upstreams(const struct nk_json *doc, struct nk_arena *a, struct nk_set *out)
{
    uint32_t count, list = list_of(doc, NK_STR("upstreams"), &count);
    struct nk_str *p = list == NK_JSON_NONE ? NULL : nk_arena_array(a, count, sizeof *p);
    if (!p)
        return list == NK_JSON_NONE ? NK_EINVAL : NK_ENOMEM;
    out->upstreams = p;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        *p = nk_json_string(doc, i, a);
        if (!p->p)
            return NK_EINVAL;
        p++;
    }
    out->upstream_count = count;
    return 0;
}

static int read_models(const struct nk_json *doc, struct nk_arena *a, struct nk_set *out)
{
    uint32_t count, list = list_of(doc, NK_STR("models"), &count);
    struct nk_set_model *p = list == NK_JSON_NONE ? NULL : nk_arena_array(a, count, sizeof *p);
    if (!p)
        return list == NK_JSON_NONE ? NK_EINVAL : NK_ENOMEM;
    out->models = p;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        p->name = text_of(doc, i, NK_STR("name"), a);
        p->upstream = text_of(doc, i, NK_STR("upstream"), a);
        p->dialect = text_of(doc, i, NK_STR("dialect"), a);
        if (!p->name.p || !p->upstream.p || !p->dialect.p)
            return NK_EINVAL;
        p++;
    }
    out->model_count = count;
    return 0;
}

static int read_groups(const struct nk_json *doc, uint32_t list, struct nk_arena *a,
                       struct nk_set_tool *out)
{
    if (list == NK_JSON_NONE || nk_json_type(doc, list) != NK_JSON_ARRAY)
        return NK_EINVAL;
    struct nk_str *p = nk_arena_array(a, doc->tape[list].count + 1, sizeof *p);
    if (!p)
        return NK_ENOMEM;
    out->groups = p;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        p[out->group_count] = nk_json_string(doc, i, a);
        if (!p[out->group_count++].p)
            return NK_EINVAL;
    }
    return 0;
}

static int read_tools(const struct nk_json *doc, struct nk_arena *a, struct nk_set *out)
{
    uint32_t count, list = list_of(doc, NK_STR("tools"), &count);
    struct nk_set_tool *p = list == NK_JSON_NONE ? NULL : nk_arena_array(a, count, sizeof *p);
    if (!p)
        return list == NK_JSON_NONE ? NK_EINVAL : NK_ENOMEM;
    out->tools = p;
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        p->name = text_of(doc, i, NK_STR("name"), a);
        p->server = text_of(doc, i, NK_STR("server"), a);
        p->sha256 = text_of(doc, i, NK_STR("sha256"), a);
        int r = read_groups(doc, nk_json_get(doc, i, NK_STR("groups")), a, p);
        if (r || !p->name.p || !p->server.p || !p->sha256.p)
            return r ? r : NK_EINVAL;
        p++;
    }
    out->tool_count = count;
    return 0;
}

/* Format 3 has tools; of those without, format 2 is a set in which errors deny, and nothing else. */
static bool read_format(const struct nk_json *doc, bool *errors_deny, bool *has_tools)
{
    int64_t format = 0;
    *errors_deny = nk_json_is(doc, nk_json_get(doc, 0, NK_STR("errors")), NK_STR("deny"));
    *has_tools = nk_json_get(doc, 0, NK_STR("tools")) != NK_JSON_NONE;
    return nk_json_i64(doc, nk_json_get(doc, 0, NK_STR("format")), &format) == 0 &&
           format == (*has_tools     ? 3
                      : *errors_deny ? 2
                                     : 1);
}

int nk_set_read(struct nk_str text, struct nk_arena *a, struct nk_set *out, struct nk_fault *f)
{
    static const struct nk_json_limits limits = {NK_SET_MAX, 4, 1 << 20};
    struct nk_json doc;
    bool has_tools;
    *out = (struct nk_set){.policy_count = 0};
    int r = nk_json_parse(&limits, text, a, &doc, f);
    if (r)
        return r;
    if (!read_format(&doc, &out->errors_deny, &has_tools))
        return nk_fault_set(f, NK_EUNSUPPORTED, "set", 0,
                            "not a policy set of a format that this version knows");
    r = read_policies(&doc, a, out);
    if (r == 0)
        r = read_upstreams(&doc, a, out);
    if (r == 0)
        r = read_models(&doc, a, out);
    if (r == 0 && has_tools)
        r = read_tools(&doc, a, out);
    out->entities = text_of(&doc, 0, NK_STR("entities"), a);
    if (r == 0 && !out->entities.p)
        r = NK_EINVAL;
    return r ? nk_fault_set(f, r, "set", 0, "not a whole policy set") : 0;
}

/* Making ready --------------------------------------------------------------------------------
 */
int nk_set_policies(const struct nk_set *s, struct nk_arena *a, struct nk_cedar_policies **out,
                    struct nk_fault *f)
{
    struct nk_cedar_policies *all = nk_cedar_policies_new(a);
    for (size_t i = 0; all && i < s->policy_count; i++) {
        struct nk_str base = s->policies[i].name;
        struct nk_fault inner = {.code = 0};
        if (nk_str_ends(base, NK_STR(".cedar")))
            base.n -= 6;
        struct nk_str prefix = nk_arena_printf(a, "%.*s.", NK_FMT(base));
        int r = prefix.p ? nk_cedar_policies_add(all, s->policies[i].text, prefix, true, &inner)
                         : NK_ENOMEM;
        if (r == 0 && !s->takes_templates && nk_cedar_templates_count(all) > 0)
            r = nk_fault_set(&inner, NK_EUNSUPPORTED, "policy", 0,
                             "\"%.*s\" is a template, and nothing here links it: write the entity "
                             "in place of ?principal or ?resource",
                             NK_FMT(nk_cedar_template_id(all, 0)));
        if (r)
            return nk_fault_set(f, r, "policy", inner.offset, "policy file %.*s: %s",
                                NK_FMT(s->policies[i].name),
                                inner.code ? inner.message : "out of memory");
    }
    int r = all ? nk_cedar_policies_seal(all, f) : NK_ENOMEM;
    if (r)
        return nk_fault_set(f, r, "policy", 0, "out of memory");
    nk_cedar_policies_strict(all, s->errors_deny);
    *out = all;
    return 0;
}

/* Adds an entity unless the entities file has described it already. */
static int add_entity(struct nk_cedar_entities *e, struct nk_cedar_uid uid,
                      const struct nk_cedar_uid *parent, const struct nk_cedar_value *attrs)
{
    int r = nk_cedar_entities_add(e, uid, parent, parent ? 1 : 0, attrs, NULL);
    return r == NK_ECONFLICT ? 0 : r;
}

static int add_model(struct nk_cedar_entities *e, const struct nk_set_model *m, struct nk_arena *a)
{
    struct nk_cedar_uid parent = {NK_STR("Upstream"), m->upstream};
    const struct nk_cedar_member attrs[] = {
        {NK_STR("dialect"), nk_cedar_string(a, m->dialect)},
        {NK_STR("upstream"), nk_cedar_string(a, m->upstream)},
    };
    if (!attrs[0].value || !attrs[1].value)
        return NK_ENOMEM;
    const struct nk_cedar_value *record = nk_cedar_record(a, attrs, NK_COUNT(attrs));
    if (!record)
        return NK_ENOMEM;
    return add_entity(e, (struct nk_cedar_uid){NK_STR("Model"), m->name}, &parent, record);
}

static const struct nk_cedar_uid all_tools = {{"Gateway", 7}, {"tools", 5}};

/* The action and the resource of calls of the tool. */
static int add_tool(struct nk_cedar_entities *e, const struct nk_set_tool *t, struct nk_arena *a)
{
    struct nk_cedar_uid parent = {NK_STR("Upstream"), t->server};
    struct nk_cedar_uid *groups = nk_arena_array(a, t->group_count + 1, sizeof *groups);
    if (!groups)
        return NK_ENOMEM;
    groups[0] = (struct nk_cedar_uid){NK_STR("Action"), NK_STR("CallTool")};
    for (size_t i = 0; i < t->group_count; i++)
        groups[i + 1] = (struct nk_cedar_uid){NK_STR("Action"), t->groups[i]};
    /* Of these an entities file describes nothing: it would change what a policy's groups mean. */
    int r = nk_cedar_entities_add(e, (struct nk_cedar_uid){NK_STR("Action"), t->name}, groups,
                                  t->group_count + 1, NULL, NULL);
    if (r == 0)
        r = add_entity(e, (struct nk_cedar_uid){NK_STR("Tool"), t->name}, &parent, NULL);
    if (r == 0)
        r = add_entity(e, parent, &all_tools, NULL);
    return r;
}

int nk_set_entities(const struct nk_set *s, struct nk_arena *a, struct nk_cedar_entities **out,
                    struct nk_fault *f)
{
    struct nk_fault inner = {.code = 0};
    struct nk_cedar_entities *e = nk_cedar_entities_new(a, NULL);
    int r = e ? 0 : NK_ENOMEM;
    if (r == 0 && s->entities.n)
        r = nk_cedar_entities_parse(e, s->entities, &inner);
    for (size_t i = 0; r == 0 && i < s->tool_count; i++)
        if ((r = add_tool(e, &s->tools[i], a)) == NK_ECONFLICT)
            r = nk_fault_set(&inner, NK_ECONFLICT, "entities", 0,
                             "Action::\"%.*s\" is a registered tool's; describe nothing of it",
                             NK_FMT(s->tools[i].name));
    for (size_t i = 0; r == 0 && i < s->upstream_count; i++)
        r = add_entity(e, (struct nk_cedar_uid){NK_STR("Upstream"), s->upstreams[i]}, NULL, NULL);
    for (size_t i = 0; r == 0 && i < s->model_count; i++)
        r = add_model(e, &s->models[i], a);
    if (r == 0)
        r = nk_cedar_entities_seal(e, &inner);
    *out = e;
    return r ? nk_fault_set(f, r, "entities", inner.offset, "entities: %s",
                            inner.code ? inner.message : "out of memory")
             : 0;
}
