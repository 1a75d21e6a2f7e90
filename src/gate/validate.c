/* SPDX-License-Identifier: Apache-2.0
 *
 * validate.c - policies and entities of a configuration against its Cedar schema, before they decide
 * anything: a name that is mistyped in a `forbid` must not wait for the request that it should have stopped.
 * What the checkpoint itself puts into requests is described by policy/nakoso.cedarschema.
 */
#include "cedar/schema.h"
#include "gate/setup.h"

enum { KEPT = 100, CEILING = 512 << 20, LINE = 160, SCHEMA_MAX = 64 << 20 };

struct validation {
    const struct nk_setup_input *in;
    struct nk_arena arena;
    struct nk_cedar_diags *diags;
    const struct nk_tools *tools;
    const struct nk_cedar_schema *schema;
    struct nk_str whole; /* its text with tools */
};

/* The file that a diagnostic is about. */
static struct nk_str file_of(const struct validation *v, const struct nk_cedar_diag *d)
{
    for (size_t i = 0; i < v->in->policy_count; i++)
        if (d->text.p == v->in->policies[i].text.p)
            return v->in->policies[i].name;
    if (d->text.p == v->in->schema.p)
        return NK_STR("policy.schema");
    if (d->text.p == v->whole.p)
        return NK_STR("policy.schema and tools");
    return NK_STR("policy.entities");
}

static bool is_json(struct nk_str text)
{
    size_t i = 0;
    while (i < text.n && (text.p[i] == ' ' || (text.p[i] >= '\t' && text.p[i] <= '\r')))
        i++;
    return i < text.n && text.p[i] == '{';
}

/* The schema that the file has, alone. */
static int read_file(struct validation *v, const struct nk_cedar_schema **out, struct nk_fault *f)
{
    int rc = is_json(v->in->schema)
                 ? nk_cedar_schema_parse_json(v->in->schema, &v->arena, v->diags, out)
                 : nk_cedar_schema_parse(v->in->schema, &v->arena, v->diags, out);
    if (rc)
        return rc;
    return nk_cedar_schema_has_groups(*out)
               ? nk_fault_set(f, NK_EUNSUPPORTED, "policy", 0,
                              "policy.schema: groups of actions are not known to the checkpoint; "
                              "name the actions themselves")
               : 0;
}

/* The file's schema with the actions of registered tools behind it. */
static int read_schema(struct validation *v, struct nk_fault *f)
{
    const struct nk_cedar_schema *own = NULL;
    struct nk_buf text;
    int rc = read_file(v, &own, f);
    v->schema = own;
    if (rc || !v->tools || !nk_tools_count(v->tools))
        return rc;
    nk_buf_init(&text, SCHEMA_MAX);
    if (is_json(v->in->schema))
        rc = nk_cedar_schema_write(own, &text, f);
    else
        nk_buf_add(&text, v->in->schema);
    nk_tools_put_schema(v->tools, &text);
    v->whole = nk_arena_copy(&v->arena, nk_buf_str(&text));
    rc = rc ? rc : text.error ? text.error : v->whole.p ? 0 : NK_ENOMEM;
    nk_buf_free(&text);
    return rc ? rc : nk_cedar_schema_parse(v->whole, &v->arena, v->diags, &v->schema);
}

static int run(struct validation *v, const struct nk_cedar_policies *policies, struct nk_fault *f)
{
    static const struct nk_cedar_validation strict = {0};
    int rc = read_schema(v, f);
    if (rc)
        return rc;
    rc = nk_cedar_validate(v->schema, policies, &strict, &v->arena, v->diags, NULL);
    int other = v->in->entities.n
                    ? nk_cedar_validate_entities(v->schema, v->in->entities, &v->arena, v->diags)
                    : 0;
    return rc ? rc : other;
}

/* The first error in one line: where, what, and what to write instead. */
static int tell(const struct validation *v, int code, struct nk_fault *f)
{
    const struct nk_cedar_diag *d = v->diags->first;
    unsigned line = 0, column = 0;
    struct nk_buf what, help;
    while (d && nk_cedar_diag_severity(d->code) != NK_CEDAR_ERROR)
        d = d->next;
    if (!d)
        return nk_fault_set(f, code, "policy", 0, "policy.schema: cannot validate (%s)",
                            nk_error_name(code));
    nk_buf_init(&what, LINE);
    nk_buf_init(&help, LINE);
    nk_cedar_diag_message(d, false, &what);
    nk_cedar_diag_help(d, false, &help);
    nk_cedar_place(d->text, d->offset, &line, &column);
    struct nk_str file = file_of(v, d);
    nk_fault_set(f, code, "policy", d->offset,
                 "%.*s: line %u, column %u: %s: %.*s%s%.*s (%zu errors)", NK_FMT(file), line,
                 column, nk_cedar_diag_id(d->code), NK_FMT(nk_buf_str(&what)), help.n ? "; " : "",
                 NK_FMT(nk_buf_str(&help)), v->diags->errors);
    nk_buf_free(&what);
    nk_buf_free(&help);
    return code;
}

int nk_setup_validate(const struct nk_setup_input *in, const struct nk_tools *tools,
                      const struct nk_cedar_policies *policies, struct nk_buf *all, bool japanese,
                      struct nk_fault *f)
{
    struct validation v = {.in = in, .tools = tools};
    if (!in->schema.p)
        return 0;
    nk_arena_init(&v.arena, CEILING);
    v.diags = nk_cedar_diags_new(&v.arena, KEPT);
    struct nk_fault own = {0};
    int rc = v.diags ? run(&v, policies, &own) : NK_ENOMEM;
    for (struct nk_cedar_diag *d = v.diags && all ? v.diags->first : NULL; d; d = d->next)
        nk_cedar_diag_print(d, file_of(&v, d), japanese, all);
    if (rc && own.code)
        nk_fault_set(f, rc, "policy", 0, "%s", own.message);
    else if (rc && v.diags)
        rc = tell(&v, rc, f);
    else if (rc)
        rc = nk_fault_set(f, rc, "policy", 0, "out of memory");
    nk_arena_free(&v.arena);
    return rc;
}
