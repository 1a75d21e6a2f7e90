/* SPDX-License-Identifier: Apache-2.0
 *
 * store_schema.c - a policy store with a schema keeps to it: its policies, templates, links and entities are validated
 * (strict mode) when it is loaded, and one that does not hold keeps the whole configuration out. Either form of a
 * schema is taken; clients are shown the JSON form, as the API has it.
 */
#include "gate/store.h"

#include "cedar/schema.h"

enum { SCHEMA_MAX = 16 << 20, SCRATCH_MAX = 256 << 20, DIAGS_MAX = 16, NAMES_MAX = 1 << 20 };

/* White space may stand before the brace of JSON; the text form never begins with one. */
static bool is_json(struct nk_str text)
{
    size_t i = 0;
    while (i < text.n &&
           (text.p[i] == ' ' || text.p[i] == '\n' || text.p[i] == '\r' || text.p[i] == '\t'))
        i++;
    return i < text.n && text.p[i] == '{';
}

static int keep(struct nk_arena *a, struct nk_buf *b, struct nk_str *out)
{
    *out = b->error ? (struct nk_str){NULL, 0} : nk_arena_copy(a, nk_buf_str(b));
    nk_buf_free(b);
    return out->p ? 0 : NK_ENOMEM;
}

/* The namespaces of a schema are the names of its members. */
static int write_namespaces(struct nk_store *s, struct nk_arena *a, struct nk_fault *f)
{
    static const struct nk_json_limits lim = {SCHEMA_MAX, 128, 1 << 22};
    struct nk_json doc;
    struct nk_buf names;
    int rc = nk_json_parse_any_name(&lim, s->schema, a, &doc, f);
    if (rc)
        return rc;
    nk_buf_init(&names, NAMES_MAX);
    nk_buf_add_char(&names, '[');
    for (uint32_t i = nk_json_first(&doc, 0); i != NK_JSON_NONE; i = nk_json_next(&doc, 0, i)) {
        nk_buf_add(&names, names.n > 1 ? NK_STR(",") : NK_STR(""));
        nk_buf_add(&names, nk_json_span(&doc, i));
    }
    nk_buf_add_char(&names, ']');
    return keep(a, &names, &s->namespaces);
}

static int write_json(struct nk_store *s, const struct nk_cedar_schema *schema, struct nk_str text,
                      struct nk_arena *a, struct nk_fault *f)
{
    struct nk_buf json;
    int rc = 0;
    s->schema = text;
    if (!is_json(text)) {
        nk_buf_init(&json, SCHEMA_MAX);
        nk_cedar_schema_write_json(schema, &json);
        rc = keep(a, &json, &s->schema);
    }
    return rc ? rc : write_namespaces(s, a, f);
}

static int validate(const struct nk_store *s, const struct nk_cedar_schema *schema,
                    struct nk_str entities, struct nk_cedar_diags *d, struct nk_arena *scratch)
{
    const struct nk_cedar_validation strict = {.level = 0};
    int rc = nk_cedar_validate(schema, s->policies, &strict, scratch, d, NULL);
    if (!rc && entities.n)
        rc = nk_cedar_validate_entities(schema, entities, scratch, d);
    return rc;
}

/* `action in` knows the groups that the schema declares. */
static int add_actions(struct nk_store *s, const struct nk_cedar_schema *schema, struct nk_arena *a,
                       struct nk_fault *f)
{
    struct nk_cedar_entities *top = nk_cedar_entities_new(a, s->entities);
    int rc = top ? nk_cedar_entities_add_actions(top, schema, a) : NK_ENOMEM;
    if (!rc)
        rc = nk_cedar_entities_seal(top, f);
    if (!rc)
        s->entities = top;
    return rc;
}

int gate_store_schema(struct nk_store *s, struct nk_str text, struct nk_str entities,
                      struct nk_arena *a, struct nk_fault *f)
{
    const struct nk_cedar_schema *schema = NULL;
    struct nk_arena scratch;
    struct nk_cedar_diags *d = nk_cedar_diags_new(a, DIAGS_MAX);
    if (!d)
        return NK_ENOMEM;
    nk_arena_init(&scratch, SCRATCH_MAX);
    int rc = is_json(text) ? nk_cedar_schema_parse_json(text, a, d, &schema)
                           : nk_cedar_schema_parse(text, a, d, &schema);
    if (!rc)
        rc = validate(s, schema, entities, d, &scratch);
    if (rc)
        (void)!nk_cedar_diags_fault(d, f);
    nk_arena_free(&scratch);
    if (!rc)
        rc = add_actions(s, schema, a, f);
    return rc ? rc : write_json(s, schema, text, a, f);
}
