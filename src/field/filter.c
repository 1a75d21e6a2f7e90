/* SPDX-License-Identifier: Apache-2.0
 *
 * filter.c - from a question to the filtered result: what applies, the value's declared shape, then its fields.
 * See field.h. The shape comes first, because a filtered value lacks what its schema may require.
 */
#include "field/form.h"

#include "json/schema.h"

static int no_memory(const struct field_run *r)
{
    return nk_fault_set(r->fault, NK_ENOMEM, "field", 0, "out of memory");
}

static bool hides(const struct nk_field_ask *ask)
{
    return (ask->denied & nk_field_classes(ask->rules)) || ask->pointer_count > 0;
}

static enum nk_field_shape shape_of(const struct nk_field_ask *ask)
{
    return ask->rules ? ask->rules->shape : NK_FIELD_PASS;
}

bool nk_field_applies(const struct nk_field_ask *ask)
{
    return hides(ask) || shape_of(ask) != NK_FIELD_PASS;
}

struct nk_str field_notice(const struct field_run *r)
{
    return r->ask->japanese
               ? NK_STR("[このツールの結果の一部は省かれました。閲覧が許可されていないか、"
                        "内容を確認できない形式のためです。]")
               : NK_STR("[Parts of this tool's result were left out: they may not be read here, "
                        "or are of a form that cannot be checked.]");
}

/* The declared shape ---------------------------------------------------------------------------- */

static int denied(const struct field_run *r, const char *why)
{
    return nk_fault_set(r->fault, NK_EDENIED, "field", 0,
                        "the tool's result is not as its output schema has it: %s", why);
}

int field_run_without(struct field_run *r)
{
    if (r->error || shape_of(r->ask) == NK_FIELD_PASS)
        return 0;
    return denied(r, "it has no JSON value");
}

/* Drops what the schema does not speak of: *doc and *at become those of what is left. */
static int strip(struct field_run *r, struct nk_json *doc, uint32_t *at)
{
    struct field_walk w = {
        .layers = {{&r->ask->rules->declared, ~(uint64_t)0}}, .arena = r->arena, .fault = r->fault};
    static const struct nk_json_limits limits = {UINT32_MAX - 1, NK_FIELD_DEPTH_MAX,
                                                 (1u << 27) - 1};
    struct nk_buf left;
    enum field_end end;
    nk_buf_init(&left, r->out->max);
    int rc = field_walk_value(&w, doc, *at, &left, &end);
    if (!rc && end == FIELD_CHANGED) {
        struct nk_str text = nk_arena_copy(r->arena, nk_buf_str(&left));
        rc = text.p ? nk_json_parse(&limits, text, r->arena, doc, r->fault) : no_memory(r);
        *at = 0;
        r->report->stripped += w.hidden;
    }
    nk_buf_free(&left);
    return rc;
}

static int check_shape(struct field_run *r, struct nk_json *doc, uint32_t *at)
{
    enum nk_field_shape shape = shape_of(r->ask);
    struct nk_fault why = {0};
    if (r->error || shape == NK_FIELD_PASS)
        return 0;
    int rc = shape == NK_FIELD_STRIP ? strip(r, doc, at) : 0;
    if (rc)
        return rc;
    if (rc)
        return rc;
    rc = nk_schema_check(r->ask->rules->output, doc, *at, r->arena, &why);
    if (rc == NK_ENOMEM)
        return no_memory(r);
    return rc ? denied(r, why.message) : 0;
}

void field_run_is_error(struct field_run *r)
{
    r->error = true;
    r->applies = r->hides;
}

/* The value ------------------------------------------------------------------------------------- */

/* Prose has no fields: a string that is no JSON inside cannot be looked into. */
static int is_prose(struct field_run *r, const struct nk_json *doc, uint32_t at, bool *prose)
{
    struct nk_json inside;
    *prose = false;
    if (!r->hides || nk_json_type(doc, at) != NK_JSON_STRING)
        return 0;
    struct nk_str text = nk_json_string(doc, at, r->arena);
    int rc = text.p ? field_text_parse(text, r->arena, &inside) : NK_ENOMEM;
    *prose = rc == NK_EINVAL;
    return rc == NK_ENOMEM ? no_memory(r) : 0;
}

/* Takes out what may not be read. */
static int hide(struct field_run *r, const struct nk_json *doc, uint32_t at,
                struct field_value *value)
{
    const struct nk_field_rules *rules = r->ask->rules;
    struct field_walk w = {
        .layers = {{rules ? &rules->paths : NULL, r->ask->denied}, {&r->pointers, ~(uint64_t)0}},
        .look_into_texts = true,
        .arena = r->arena,
        .fault = r->fault};
    struct nk_buf left;
    enum field_end end;
    bool prose;
    int rc = is_prose(r, doc, at, &prose);
    if (rc || prose) {
        r->report->left_out += prose;
        return rc;
    }
    nk_buf_init(&left, r->out->max);
    rc = field_walk_value(&w, doc, at, &left, &end);
    if (!rc && end != FIELD_GONE) {
        value->same = end == FIELD_AS_IT_WAS;
        value->text =
            value->same ? nk_json_span(doc, at) : nk_arena_copy(r->arena, nk_buf_str(&left));
        rc = value->text.p ? 0 : no_memory(r);
    }
    r->report->hidden += w.hidden;
    r->report->classes |= w.classes;
    nk_buf_free(&left);
    return rc;
}

/* An error has no declared shape. Where the rules rely on one, nobody knows where in it the fields are. */
static bool is_unknown(const struct field_run *r)
{
    return r->error && r->hides && shape_of(r->ask) != NK_FIELD_PASS;
}

int field_run_value(struct field_run *r, const struct nk_json *doc, uint32_t at,
                    struct field_value *out)
{
    struct nk_json now = *doc;
    uint32_t place = at;
    *out = (struct field_value){0};
    if (is_unknown(r)) {
        r->report->left_out++;
        return 0;
    }
    int rc = check_shape(r, &now, &place);
    if (rc)
        return rc;
    bool stripped = now.text.p != doc->text.p;
    if (r->hides) {
        rc = hide(r, &now, place, out);
        out->same = out->same && !stripped;
    } else {
        *out = (struct field_value){nk_json_span(&now, place), !stripped};
    }
    return rc;
}

int field_run_text(struct field_run *r, struct nk_str text, struct field_value *out, bool *found)
{
    static const struct nk_json_limits limits = {UINT32_MAX - 1, NK_FIELD_DEPTH_MAX,
                                                 (1u << 27) - 1};
    struct nk_json doc;
    *out = (struct field_value){0};
    *found = false;
    if (is_unknown(r))
        return 0;
    int rc = nk_json_parse(&limits, text, r->arena, &doc, NULL);
    *found = rc == 0;
    if (rc)
        return rc == NK_ENOMEM ? no_memory(r) : 0;
    if (r->wraps) {
        bool wrapped;
        rc = field_form_wrapped(r, &doc, out, &wrapped);
        if (rc || wrapped)
            return rc;
    }
    return field_run_value(r, &doc, 0, out);
}

/* The question ---------------------------------------------------------------------------------- */

static int read_pointers(struct field_run *r)
{
    size_t n = r->ask->pointer_count;
    if (n == 0)
        return 0;
    if (n > NK_FIELD_RULES_MAX)
        return nk_fault_set(r->fault, NK_ELIMIT, "field", 0, "more than %d pointers",
                            NK_FIELD_RULES_MAX);
    struct field_path *paths = nk_arena_array(r->arena, n, sizeof *paths);
    struct field_action *actions = nk_arena_array(r->arena, n, sizeof *actions);
    if (!paths || !actions)
        return no_memory(r);
    for (size_t i = 0; i < n; i++) {
        int rc = field_pointer_parse(r->ask->pointers[i], r->arena, &paths[i], r->fault);
        if (rc)
            return rc;
    }
    return field_states_of_paths(paths, actions, n, r->arena, &r->pointers, r->fault);
}

static int begin(struct field_run *r)
{
    *r->report = (struct nk_field_report){0};
    r->hides = hides(r->ask);
    r->applies = r->hides || shape_of(r->ask) == NK_FIELD_STRIP;
    if (r->ask->error)
        field_run_is_error(r);
    return read_pointers(r);
}

static int finish(struct field_run *r, size_t from, struct nk_str was)
{
    struct nk_str now = nk_str_sub(nk_buf_str(r->out), from, r->out->n);
    r->report->changed = !nk_str_eq(now, was);
    if (r->out->error)
        return nk_fault_set(r->fault, r->out->error, "field", 0, "the result is too large");
    return 0;
}

static int filter_value(struct field_run *r, const struct nk_json *doc, uint32_t at)
{
    struct field_value value;
    int rc = field_run_value(r, doc, at, &value);
    if (!rc)
        nk_buf_add(r->out, value.text.p ? value.text : NK_STR("null"));
    return rc;
}

int nk_field_filter(const struct nk_field_ask *ask, enum nk_field_form form,
                    const struct nk_json *doc, uint32_t at, struct nk_arena *a, struct nk_buf *out,
                    struct nk_field_report *report, struct nk_fault *f)
{
    struct field_run r = {.ask = ask, .arena = a, .out = out, .report = report, .fault = f};
    size_t from = out->n;
    int rc = begin(&r);
    if (rc)
        return rc;
    if (!nk_field_applies(ask))
        nk_buf_add(out, nk_json_span(doc, at));
    else if (form == NK_FIELD_VALUE)
        rc = filter_value(&r, doc, at);
    else if (form == NK_FIELD_LAMBDA || form == NK_FIELD_ACTION)
        rc = field_form_lambda(&r, doc, at);
    else
        rc = field_form_parts(&r, form, doc, at);
    return rc ? rc : finish(&r, from, nk_json_span(doc, at));
}

int nk_field_filter_text(const struct nk_field_ask *ask, struct nk_str text, struct nk_arena *a,
                         struct nk_buf *out, struct nk_field_report *report, struct nk_fault *f)
{
    struct field_run r = {.ask = ask, .arena = a, .out = out, .report = report, .fault = f};
    struct field_value value = {0};
    size_t from = out->n;
    bool found = false;
    int rc = begin(&r);
    if (!rc && nk_field_applies(ask))
        rc = field_run_text(&r, text, &value, &found);
    if (!rc && !found && nk_field_applies(ask))
        rc = field_run_without(&r);
    if (rc)
        return rc;
    bool pass = !r.applies || (found && value.same);
    if (!pass && !found)
        report->left_out++;
    nk_buf_add(out, pass ? text : value.text.p ? value.text : field_notice(&r));
    return finish(&r, from, text);
}
