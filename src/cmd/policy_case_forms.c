/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_case_forms.c - the other forms of a test's policies: the JSON that it expects, and that
 * text, JSON and layout that we write read back as the same policies.
 */
#include "cmd/policy_case.h"

#include "cedar/ast.h"
#include "cedar/convert.h"

static bool same_scalar(const struct nk_json *x, uint32_t i, const struct nk_json *y, uint32_t k,
                        struct nk_arena *a)
{
    enum nk_json_type type = nk_json_type(x, i);
    if (type == NK_JSON_STRING)
        return nk_json_is(y, k, nk_json_string(x, i, a));
    return nk_str_eq(nk_json_span(x, i), nk_json_span(y, k));
}

/* As deep as its limits let JSON be (nk_input_limits). */
bool nk_case_same_json(const struct nk_json *x, uint32_t i, const struct nk_json *y, uint32_t k,
                       struct nk_arena *a)
{
    enum nk_json_type type = nk_json_type(x, i);
    if (type != nk_json_type(y, k))
        return false;
    if (type != NK_JSON_ARRAY && type != NK_JSON_OBJECT)
        return same_scalar(x, i, y, k, a);
    if (x->tape[i].count != y->tape[k].count)
        return false;
    bool object = type == NK_JSON_OBJECT, same = true;
    uint32_t other = nk_json_first(y, k);
    for (uint32_t at = nk_json_first(x, i); same && at != NK_JSON_NONE;
         at = nk_json_next(x, i, at)) {
        uint32_t value = object ? nk_json_get(y, k, nk_json_string(x, at, a)) : other;
        same = value != NK_JSON_NONE && nk_case_same_json(x, object ? at + 1 : at, y, value, a);
        other = object ? other : nk_json_next(y, k, other);
    }
    return same;
}

/* The JSON of one policy; empty when it cannot be written. */
static struct nk_str json_of(struct nk_case *c, const struct nk_cedar_policies *p, struct nk_str id,
                             struct nk_buf *b)
{
    nk_buf_clear(b);
    if (nk_cedar_policy_put_json(p, id, b) || b->error)
        return NK_STR("");
    return nk_arena_copy(c->arena, nk_buf_str(b));
}

void nk_case_forms(struct nk_case *c, const struct nk_json *doc, uint32_t list)
{
    struct nk_buf b;
    nk_buf_init(&b, NK_INPUT_MAX);
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE; i = nk_json_next(doc, list, i)) {
        struct nk_json form;
        struct nk_str id = nk_json_string(doc, i, c->arena);
        struct nk_str text = json_of(c, c->input.policies, id, &b);
        bool same = !nk_json_parse_any_name(&nk_input_limits, text, c->arena, &form, NULL) &&
                    nk_case_same_json(doc, i + 1, &form, 0, c->arena);
        nk_case_result(c, same, nk_arena_printf(c->arena, "JSON form of %.*s", NK_FMT(id)),
                       nk_json_span(doc, i + 1), text);
    }
    nk_buf_free(&b);
}

/* Round trips -------------------------------------------------------------------------------------
 */
/* JSON that is read and written again is the same to the byte. */
static void through_json(struct nk_case *c, struct nk_str id, struct nk_str json, struct nk_buf *b)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(c->arena);
    struct nk_fault f = {.code = 0};
    struct nk_str again = NK_STR("");
    if (p && !nk_cedar_policy_add_json(p, json, id, &f))
        again = json_of(c, p, id, b);
    nk_case_result(c, json.n && nk_str_eq(json, again),
                   nk_arena_printf(c->arena, "JSON of %.*s read again", NK_FMT(id)), json,
                   f.code ? nk_str(f.message) : again);
}

/* Text that was laid out is the same policy, and stays as it is when it is laid out again. */
static void through_layout(struct nk_case *c, struct nk_str id, struct nk_str text,
                           struct nk_str json, struct nk_buf *b)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(c->arena);
    struct nk_fault f = {.code = 0};
    struct nk_str once = NK_STR(""), again = NK_STR("");
    nk_buf_clear(b);
    if (!nk_cedar_format(text, NK_CEDAR_WIDTH, NK_CEDAR_INDENT, c->arena, b, &f))
        once = nk_arena_copy(c->arena, nk_buf_str(b));
    nk_buf_clear(b);
    bool stable = once.n &&
                  !nk_cedar_format(once, NK_CEDAR_WIDTH, NK_CEDAR_INDENT, c->arena, b, &f) &&
                  nk_str_eq(once, nk_buf_str(b));
    nk_case_result(c, stable, nk_arena_printf(c->arena, "layout of %.*s is stable", NK_FMT(id)),
                   once, f.code ? nk_str(f.message) : nk_buf_str(b));
    if (p && once.n && !nk_cedar_policies_add(p, once, NK_STR("policy"), false, &f))
        again = json_of(c, p, NK_STR("policy0"), b);
    nk_case_result(c, nk_str_eq(json, again),
                   nk_arena_printf(c->arena, "layout of %.*s means the same", NK_FMT(id)), json,
                   f.code ? nk_str(f.message) : again);
}

/* Text that is read again is the same policy. */
static void through_text(struct nk_case *c, struct nk_str id, struct nk_str json, struct nk_buf *b)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(c->arena);
    struct nk_fault f = {.code = 0};
    struct nk_str again = NK_STR(""), text = NK_STR("");
    nk_buf_clear(b);
    if (p && !nk_cedar_policy_put_text(c->input.policies, id, b) && !b->error)
        text = nk_arena_copy(c->arena, nk_buf_str(b));
    if (text.n && !nk_cedar_policies_add(p, text, NK_STR("policy"), false, &f))
        again = json_of(c, p, NK_STR("policy0"), b);
    nk_case_result(c, json.n && nk_str_eq(json, again),
                   nk_arena_printf(c->arena, "text of %.*s read again", NK_FMT(id)), json,
                   f.code ? nk_str(f.message) : again);
    through_layout(c, id, text, json, b);
}

void nk_case_round_trips(struct nk_case *c)
{
    const struct nk_cedar_policies *p = c->input.policies;
    struct nk_buf b;
    nk_buf_init(&b, NK_INPUT_MAX);
    for (size_t i = 0; i < p->n + p->template_n; i++) {
        struct nk_str id = i < p->n ? p->items[i]->id : p->templates[i - p->n]->id;
        struct nk_str json = json_of(c, p, id, &b);
        through_json(c, id, json, &b);
        through_text(c, id, json, &b);
    }
    nk_buf_free(&b);
}

/* Schemas -----------------------------------------------------------------------------------------
 */
static struct nk_str schema_json(struct nk_case *c, const struct nk_cedar_schema *schema)
{
    struct nk_buf b;
    nk_buf_init(&b, NK_INPUT_MAX);
    nk_cedar_schema_write_json(schema, &b);
    struct nk_str json = b.error || !b.n ? NK_STR("") : nk_arena_copy(c->arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return json;
}

static void schema_again(struct nk_case *c, struct nk_str what, struct nk_str text,
                         struct nk_str json)
{
    const struct nk_cedar_schema *schema;
    struct nk_fault f = {.code = 0};
    struct nk_str again = NK_STR("");
    if (!nk_input_schema_text(text, c->arena, &schema, &f))
        again = schema_json(c, schema);
    nk_case_result(c, json.n && nk_str_eq(json, again), what, json,
                   f.code ? nk_str(f.message) : again);
}

void nk_case_schema(struct nk_case *c, const struct nk_json *doc, uint32_t expected)
{
    struct nk_str json = schema_json(c, c->input.schema);
    struct nk_fault f = {.code = 0};
    struct nk_json form;
    struct nk_buf b;
    nk_buf_init(&b, NK_INPUT_MAX);
    schema_again(c, NK_STR("JSON of the schema read again"), json, json);
    int rc = nk_cedar_schema_write(c->input.schema, &b, &f);
    if (rc != NK_EUNSUPPORTED) /* JSON says more than text can */
        schema_again(c, NK_STR("text of the schema read again"),
                     rc || !b.n ? NK_STR("") : nk_arena_copy(c->arena, nk_buf_str(&b)), json);
    nk_buf_free(&b);
    if (expected == NK_JSON_NONE)
        return;
    bool same = !nk_json_parse_any_name(&nk_input_limits, json, c->arena, &form, NULL) &&
                nk_case_same_json(doc, expected, &form, 0, c->arena);
    nk_case_result(c, same, NK_STR("JSON form of the schema"), nk_json_span(doc, expected), json);
}
