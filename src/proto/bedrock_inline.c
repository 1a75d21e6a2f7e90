/* SPDX-License-Identifier: Apache-2.0
 *
 * bedrock_inline.c - see bedrock_inline.h. A function's parameters become a JSON Schema that is written here, member by
 * member: nothing of the client's text becomes part of another structure.
 */
#include "proto/bedrock_inline.h"

#include "proto/member.h"

struct reading {
    const struct nk_json *doc;
    struct nk_arena *a;
    struct nk_fault *f;
};

static int refuse(struct reading *r, const char *what)
{
    return nk_fault_set(r->f, NK_EINVAL, "proto", 0, "%s", what);
}

static int no_memory(struct reading *r)
{
    return nk_fault_set(r->f, NK_ENOMEM, "proto", 0, "out of memory");
}

static int text(struct reading *r, uint32_t of, const char *name, bool required, struct nk_str *out)
{
    int rc = nk_member_string(r->doc, of, nk_str(name), false, r->a, out, r->f);
    if (!rc && required && !out->p)
        rc = nk_member_missing(r->doc, of, nk_str(name), r->f);
    return rc;
}

/* What changes who runs what, what is known or what is watched, and is not served: a client that sends it counts on it. */
static int refuse_unserved(struct reading *r)
{
    static const char *const members[] = {
        "knowledgeBases",      "guardrailConfiguration",     "promptOverrideConfiguration",
        "collaborators",       "collaboratorConfigurations", "promptCreationConfigurations",
        "customOrchestration", "customerEncryptionKeyArn"};
    static const struct {
        const char *name, *only;
    } fixed[] = {{"agentCollaboration", "DISABLED"}, {"orchestrationType", "DEFAULT"}};
    for (size_t i = 0; i < NK_COUNT(members); i++)
        if (nk_member_get(r->doc, 0, nk_str(members[i])) != NK_JSON_NONE)
            return nk_fault_set(r->f, NK_EINVAL, "proto", 0, "\"%s\" is not served", members[i]);
    for (size_t i = 0; i < NK_COUNT(fixed); i++) {
        uint32_t at = nk_member_get(r->doc, 0, nk_str(fixed[i].name));
        if (at != NK_JSON_NONE && !nk_json_is(r->doc, at, nk_str(fixed[i].only)))
            return nk_fault_set(r->f, NK_EINVAL, "proto", 0, "\"%s\" other than %s is not served",
                                fixed[i].name, fixed[i].only);
    }
    return 0;
}

/* Functions ------------------------------------------------------------------------------------- */

static bool is_name(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char low = (char)(s.p[i] | 0x20);
        if (!(low >= 'a' && low <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '_' &&
            s.p[i] != '-')
            return false;
    }
    return s.n >= 1 && s.n <= 100;
}

/* "name":{"type":…,"description":…} */
static int put_parameter(struct reading *r, uint32_t at, struct nk_str name, struct nk_buf *out)
{
    static const char *const types[] = {"array", "boolean", "integer", "number", "string"};
    struct nk_str type = {NULL, 0}, description = {NULL, 0};
    size_t i = 0;
    int rc = nk_member_expect(r->doc, at, name, NK_JSON_OBJECT, r->f);
    if (!rc)
        rc = text(r, at, "type", true, &type);
    if (!rc)
        rc = text(r, at, "description", false, &description);
    if (rc)
        return rc;
    while (i < NK_COUNT(types) && !nk_str_eq(type, nk_str(types[i])))
        i++;
    if (i == NK_COUNT(types))
        return refuse(r, "the type of a parameter is array, boolean, integer, number or string");
    nk_json_put_name(out, name);
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("type"), type);
    if (i == 0) /* some models take no array without it */
        nk_buf_add(out, NK_STR(",\"items\":{}"));
    if (description.p)
        nk_json_put_member(out, NK_STR("description"), description);
    nk_buf_add_char(out, '}');
    return 0;
}

static int put_parameters(struct reading *r, uint32_t list, struct nk_buf *out,
                          struct nk_buf *required)
{
    for (uint32_t i = nk_json_first(r->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, list, i)) {
        struct nk_str name = nk_json_string(r->doc, i, r->a);
        bool must = false;
        if (!name.p)
            return no_memory(r);
        int rc = put_parameter(r, i + 1, name, out);
        if (!rc)
            rc = nk_member_bool(r->doc, i + 1, NK_STR("required"), &must, r->f);
        if (rc)
            return rc;
        if (must && required->n > 1)
            nk_buf_add_char(required, ',');
        if (must)
            nk_json_put_string(required, name);
    }
    return 0;
}

static int read_schema(struct reading *r, uint32_t of, struct nk_agent_function *out)
{
    struct nk_buf b, required;
    uint32_t list;
    int rc = nk_member_of(r->doc, of, NK_STR("parameters"), NK_JSON_OBJECT, &list, r->f);
    if (rc)
        return rc;
    nk_buf_init(&b, NK_AGENT_FUNCTION_BYTES);
    nk_buf_init(&required, NK_AGENT_FUNCTION_BYTES);
    nk_buf_add(&b, NK_STR("{\"type\":\"object\",\"properties\":{"));
    nk_buf_add_char(&required, '[');
    rc = put_parameters(r, list, &b, &required);
    nk_buf_add(&b, NK_STR("},\"required\":"));
    nk_buf_add(&b, nk_buf_str(&required));
    nk_buf_add(&b, NK_STR("]}"));
    if (!rc && (b.error || required.error))
        rc = b.error == NK_ELIMIT || required.error == NK_ELIMIT
                 ? refuse(r, "the parameters of a function are too long")
                 : no_memory(r);
    if (!rc) {
        out->schema = nk_arena_copy(r->a, nk_buf_str(&b));
        rc = out->schema.p ? 0 : no_memory(r);
    }
    nk_buf_free(&b);
    nk_buf_free(&required);
    return rc;
}

static int read_function(struct reading *r, uint32_t at, struct nk_agent_function *out)
{
    struct nk_str confirms = {NULL, 0};
    int rc = nk_member_expect(r->doc, at, NK_STR("functions"), NK_JSON_OBJECT, r->f);
    if (!rc)
        rc = text(r, at, "name", true, &out->name);
    if (!rc && !is_name(out->name))
        rc = refuse(r, "the name of a function is 1 to 100 of A-Z a-z 0-9 _ -");
    if (!rc)
        rc = text(r, at, "description", false, &out->description);
    if (!rc)
        rc = text(r, at, "requireConfirmation", false, &confirms);
    if (!rc && confirms.p && !nk_str_eq(confirms, NK_STR("DISABLED")) &&
        !nk_str_eq(confirms, NK_STR("ENABLED")))
        rc = refuse(r, "\"requireConfirmation\" is ENABLED or DISABLED");
    out->confirms = nk_str_eq(confirms, NK_STR("ENABLED"));
    return rc ? rc : read_schema(r, at, out);
}

static int read_functions(struct reading *r, uint32_t group, struct nk_agent_group *out)
{
    uint32_t schema, list = NK_JSON_NONE;
    int rc = nk_member_of(r->doc, group, NK_STR("functionSchema"), NK_JSON_OBJECT, &schema, r->f);
    if (!rc)
        rc = nk_member_of(r->doc, schema, NK_STR("functions"), NK_JSON_ARRAY, &list, r->f);
    if (rc || list == NK_JSON_NONE)
        return rc;
    size_t n = r->doc->tape[list].count;
    struct nk_agent_function *all = nk_arena_array(r->a, n + 1, sizeof *all);
    if (n > NK_AGENT_FUNCTIONS_MAX)
        return refuse(r, "an action group has too many functions");
    if (!all)
        return no_memory(r);
    for (uint32_t i = nk_json_first(r->doc, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(r->doc, list, i))
        rc = read_function(r, i, &all[out->function_count++]);
    out->functions = all;
    return rc;
}

/* Groups ---------------------------------------------------------------------------------------- */

static int read_executor(struct reading *r, uint32_t group, struct nk_agent_group *out)
{
    uint32_t executor;
    struct nk_str control = {NULL, 0};
    int rc =
        nk_member_of(r->doc, group, NK_STR("actionGroupExecutor"), NK_JSON_OBJECT, &executor, r->f);
    if (!rc)
        rc = text(r, executor, "customControl", false, &control);
    if (!rc && control.p && !nk_str_eq(control, NK_STR("RETURN_CONTROL")))
        rc = refuse(r, "\"customControl\" is RETURN_CONTROL");
    out->returns = control.p != NULL;
    return rc;
}

static int read_group(struct reading *r, uint32_t at, struct nk_agent_group *out)
{
    int rc = nk_member_expect(r->doc, at, NK_STR("actionGroups"), NK_JSON_OBJECT, r->f);
    if (!rc)
        rc = text(r, at, "actionGroupName", true, &out->name);
    if (!rc && nk_member_get(r->doc, at, NK_STR("parentActionGroupSignature")) != NK_JSON_NONE)
        rc = refuse(r, "\"parentActionGroupSignature\" is not served");
    if (!rc)
        rc = read_executor(r, at, out);
    if (!rc)
        rc = read_functions(r, at, out);
    if (!rc && out->returns && !out->function_count)
        rc = refuse(r, "an action group that returns control says its functions "
                       "(functionSchema; apiSchema is not served)");
    return rc;
}

static int read_groups(struct reading *r, struct nk_agent_brought *out)
{
    uint32_t list;
    int rc = nk_member_of(r->doc, 0, NK_STR("actionGroups"), NK_JSON_ARRAY, &list, r->f);
    if (rc || list == NK_JSON_NONE)
        return rc;
    size_t n = r->doc->tape[list].count;
    struct nk_agent_group *all = nk_arena_array(r->a, n + 1, sizeof *all);
    if (n > NK_AGENT_GROUPS_MAX)
        return refuse(r, "\"actionGroups\" has too many entries");
    if (!all)
        return no_memory(r);
    for (uint32_t i = nk_json_first(r->doc, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(r->doc, list, i))
        rc = read_group(r, i, &all[out->group_count++]);
    out->groups = all;
    return rc;
}

int nk_agent_read_brought(const struct nk_json *doc, struct nk_arena *a,
                          const struct nk_agent_brought **out, struct nk_fault *f)
{
    struct reading r = {doc, a, f};
    struct nk_agent_brought *b = nk_arena_alloc(a, sizeof *b);
    int64_t idle = 0;
    if (!b)
        return no_memory(&r);
    int rc = refuse_unserved(&r);
    if (!rc)
        rc = text(&r, 0, "foundationModel", true, &b->model);
    if (!rc)
        rc = text(&r, 0, "instruction", true, &b->instruction);
    if (!rc && b->instruction.n > NK_AGENT_INSTRUCTION_MAX)
        rc = refuse(&r, "\"instruction\" is too long");
    if (!rc)
        rc = nk_member_count(doc, 0, NK_STR("idleSessionTTLInSeconds"), &idle, f);
    b->idle_ms = idle < 86400 ? idle * 1000 : 86400000;
    if (!rc)
        rc = read_groups(&r, b);
    *out = b;
    return rc;
}
