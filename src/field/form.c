/* SPDX-License-Identifier: Apache-2.0
 *
 * form.c - results that are made of parts, of which one is the value:
 *
 *   MCP        {"content":[{"type":"text","text":…},…],"structuredContent":VALUE,"isError":…}   CallToolResult
 *   OpenAI     {"role":"tool","tool_call_id":…,"content":"…" or [{"type":"text","text":…}]}     chat completions
 *              {"type":"function_call_output","call_id":…,"output":"…" or [{"type":"input_text",…}]}   responses
 *   Anthropic  {"type":"tool_result","tool_use_id":…,"content":"…" or [{"type":"text",…}],"is_error":…}
 *   Bedrock    {"toolUseId":…,"status":…,"content":[{"json":VALUE},{"text":…}]}                 Converse
 *
 * Without a VALUE, the one text is it. The parts of a filtered result are written from the filtered value alone, so
 * nothing that stood in them can be in the output: a text twin is not compared or edited but made. Of several texts
 * nobody says which is the value, so none is taken.
 */
#include "field/form.h"

struct form {
    const char *content[2]; /* the member with the parts, by its names */
    const char *value;      /* the member with the value, NULL: none */
    const char *pass[8];    /* other members that pass: scalars, and cache_control */
    const char *error;      /* member that says that this is an error */
    const char *error_word; /* its value then; NULL: true */
    bool typed;             /* parts have a "type" */
};

static const struct form mcp = {.content = {"content"},
                                .value = "structuredContent",
                                .pass = {"isError", "resultType"},
                                .error = "isError",
                                .typed = true};
static const struct form openai = {
    .content = {"content", "output"},
    .pass = {"role", "tool_call_id", "name", "type", "call_id", "id", "status"},
    .typed = true};
static const struct form anthropic = {.content = {"content"},
                                      .pass = {"type", "tool_use_id", "is_error", "cache_control"},
                                      .error = "is_error",
                                      .typed = true};
static const struct form bedrock = {.content = {"content"},
                                    .pass = {"toolUseId", "status", "type"},
                                    .error = "status",
                                    .error_word = "error"};

static const struct form *form_of(enum nk_field_form form)
{
    switch (form) {
    case NK_FIELD_MCP:
        return &mcp;
    case NK_FIELD_OPENAI:
        return &openai;
    case NK_FIELD_ANTHROPIC:
        return &anthropic;
    default:
        return &bedrock;
    }
}

/* What the parts are. */
struct parts {
    uint32_t content; /* entry of the string or array; NK_JSON_NONE: there is none */
    uint32_t value;   /* entry of the value that is no text */
    uint32_t text;    /* entry of the first text; with a value, of the first that looks like JSON */
    uint32_t texts, values, others;
    struct nk_str type; /* of text parts */
};

static int bad(const struct field_run *r, const struct nk_json *doc, uint32_t at, const char *what)
{
    return nk_fault_set(r->fault, NK_EINVAL, "field", doc->tape[at].start, "this tool result %s",
                        what);
}

static bool is_text_type(const struct nk_json *doc, uint32_t type)
{
    return nk_json_is(doc, type, NK_STR("text")) || nk_json_is(doc, type, NK_STR("input_text")) ||
           nk_json_is(doc, type, NK_STR("output_text"));
}

static void sort_part(const struct form *form, const struct nk_json *doc, uint32_t part,
                      struct parts *p)
{
    uint32_t type = nk_json_get(doc, part, NK_STR("type"));
    uint32_t text = nk_json_get(doc, part, NK_STR("text"));
    uint32_t json = form->typed ? NK_JSON_NONE : nk_json_get(doc, part, NK_STR("json"));
    bool is_text = text != NK_JSON_NONE && nk_json_type(doc, text) == NK_JSON_STRING &&
                   (!form->typed || is_text_type(doc, type));
    if (json != NK_JSON_NONE) {
        p->values++;
        p->value = json;
    } else if (is_text) {
        p->texts++;
        p->text = p->text == NK_JSON_NONE ? text : p->text;
        if (form->typed)
            p->type = nk_str_sub(nk_json_span(doc, type), 1, nk_json_span(doc, type).n - 1);
    } else {
        p->others++;
    }
}

/* Finds content, value and texts. */
static int sort_parts(struct field_run *r, const struct form *form, const struct nk_json *doc,
                      uint32_t at, struct parts *p)
{
    *p = (struct parts){NK_JSON_NONE, NK_JSON_NONE, NK_JSON_NONE, 0, 0, 0, NK_STR("text")};
    if (at == NK_JSON_NONE || nk_json_type(doc, at) != NK_JSON_OBJECT)
        return bad(r, doc, 0, "is no object");
    for (size_t i = 0; i < 2 && form->content[i] && p->content == NK_JSON_NONE; i++)
        p->content = nk_json_get(doc, at, nk_str(form->content[i]));
    if (form == &openai && nk_json_get(doc, at, NK_STR("output")) == p->content)
        p->type = NK_STR("input_text");
    uint32_t value = form->value ? nk_json_get(doc, at, nk_str(form->value)) : NK_JSON_NONE;
    if (p->content != NK_JSON_NONE && nk_json_type(doc, p->content) == NK_JSON_STRING) {
        p->text = p->content;
        p->texts = 1;
    } else if (p->content != NK_JSON_NONE && nk_json_type(doc, p->content) == NK_JSON_ARRAY) {
        for (uint32_t i = nk_json_first(doc, p->content); i != NK_JSON_NONE;
             i = nk_json_next(doc, p->content, i))
            sort_part(form, doc, i, p);
    } else if (p->content != NK_JSON_NONE && nk_json_type(doc, p->content) != NK_JSON_NULL) {
        return bad(r, doc, p->content, "has content that is neither text nor a list");
    }
    if (value != NK_JSON_NONE) {
        p->value = value;
        p->values = 1;
    }
    return 0;
}

static bool is_error(const struct form *form, const struct nk_json *doc, uint32_t at)
{
    uint32_t entry = form->error ? nk_json_get(doc, at, nk_str(form->error)) : NK_JSON_NONE;
    if (entry == NK_JSON_NONE)
        return false;
    return form->error_word ? nk_json_is(doc, entry, nk_str(form->error_word))
                            : nk_json_type(doc, entry) == NK_JSON_TRUE;
}

/* Filters the value, wherever it is. *from_text says where it was; *found, whether there is one. */
static int filter_parts(struct field_run *r, const struct nk_json *doc, const struct parts *p,
                        struct field_value *value, bool *found)
{
    *found = false;
    *value = (struct field_value){0};
    if (p->values == 1) {
        *found = true;
        return field_run_value(r, doc, p->value, value);
    }
    if (p->values == 0 && p->texts == 1) {
        struct nk_str text = nk_json_string(doc, p->text, r->arena);
        if (!text.p)
            return nk_fault_set(r->fault, NK_ENOMEM, "field", 0, "out of memory");
        return field_run_text(r, text, value, found);
    }
    return 0;
}

/* Writing ---------------------------------------------------------------------------------------- */

void field_put_member(struct nk_buf *out, const struct nk_json *doc, uint32_t name)
{
    if (out->n && out->p[out->n - 1] != '{')
        nk_buf_add_char(out, ',');
    nk_buf_add(out, nk_json_span(doc, name));
    nk_buf_add_char(out, ':');
    nk_buf_add(out, nk_json_span(doc, name + 1));
}

static void put_part(struct nk_buf *out, const struct form *form, const struct parts *p,
                     struct nk_str text)
{
    nk_buf_add(out, out->n && out->p[out->n - 1] == '[' ? NK_STR("{") : NK_STR(",{"));
    if (form->typed)
        nk_json_put_member(out, NK_STR("type"), p->type);
    nk_json_put_member(out, NK_STR("text"), text);
    nk_buf_add_char(out, '}');
}

/* The parts anew. */
static void put_content(struct field_run *r, const struct form *form, const struct nk_json *doc,
                        const struct parts *p, const struct field_value *value, bool left_out)
{
    struct nk_buf *out = r->out;
    bool is_string = p->content != NK_JSON_NONE && nk_json_type(doc, p->content) == NK_JSON_STRING;
    if (is_string && value->same && !p->values)
        nk_buf_add(out, nk_json_span(doc, p->content));
    else if (is_string)
        nk_json_put_string(out, value->text.p ? value->text : field_notice(r));
    if (is_string)
        return;
    nk_buf_add_char(out, '[');
    if (value->text.p && p->values && !form->value) {
        nk_buf_add(out, NK_STR("{\"json\":"));
        nk_buf_add(out, value->text);
        nk_buf_add_char(out, '}');
    } else if (value->text.p && p->texts) {
        put_part(out, form, p, value->text);
    }
    if (left_out)
        put_part(out, form, p, field_notice(r));
    nk_buf_add_char(out, ']');
}

static bool passes(const struct form *form, const struct nk_json *doc, uint32_t name)
{
    enum nk_json_type type = nk_json_type(doc, name + 1);
    for (size_t i = 0; i < NK_COUNT(form->pass) && form->pass[i]; i++)
        if (nk_json_is(doc, name, nk_str(form->pass[i])))
            return (type != NK_JSON_ARRAY && type != NK_JSON_OBJECT) ||
                   nk_json_is(doc, name, NK_STR("cache_control"));
    return false;
}

static void put_result(struct field_run *r, const struct form *form, const struct nk_json *doc,
                       uint32_t at, const struct parts *p, const struct field_value *value,
                       bool left_out)
{
    struct nk_buf *out = r->out;
    nk_buf_add_char(out, '{');
    for (uint32_t name = nk_json_first(doc, at); name != NK_JSON_NONE;
         name = nk_json_next(doc, at, name)) {
        if (name + 1 == p->content) {
            nk_json_put_name(out, nk_json_string(doc, name, r->arena));
            put_content(r, form, doc, p, value, left_out);
        } else if (name + 1 == p->value && value->text.p) {
            nk_json_put_name(out, nk_str(form->value));
            nk_buf_add(out, value->text);
        } else if (passes(form, doc, name)) {
            field_put_member(out, doc, name);
        }
    }
    if (p->content == NK_JSON_NONE && (left_out || form == &mcp)) {
        nk_json_put_name(out, nk_str(form->content[0]));
        put_content(r, form, doc, p, value, left_out);
    }
    nk_buf_add_char(out, '}');
}

/* A result of MCP that is not complete is a question to the client, or a task: it has no value, and its texts are
 * prose. */
static int check_complete(struct field_run *r, const struct form *form, const struct nk_json *doc,
                          uint32_t at)
{
    uint32_t type = form == &mcp ? nk_json_get(doc, at, NK_STR("resultType")) : NK_JSON_NONE;
    if (type == NK_JSON_NONE || nk_json_is(doc, type, NK_STR("complete")))
        return 0;
    return nk_fault_set(r->fault, NK_EDENIED, "field", doc->tape[type].start,
                        "a result that is not complete cannot be filtered");
}

/* The value of an error has no declared shape: where shapes are looked at, it does not pass. */
static void leave_out_value(struct field_run *r, const struct form *form, struct parts *p)
{
    if (!form->value || p->values == 0 || !r->ask->rules || r->ask->rules->shape == NK_FIELD_PASS)
        return;
    p->value = NK_JSON_NONE;
    p->values = 0;
    p->others++;
}

/* A result to which no filter applies, but for a value that was left out. */
static void put_as_it_is(struct field_run *r, const struct form *form, const struct nk_json *doc,
                         uint32_t at, const struct parts *p)
{
    if (!form->value || p->values || nk_json_get(doc, at, nk_str(form->value)) == NK_JSON_NONE) {
        nk_buf_add(r->out, nk_json_span(doc, at));
        return;
    }
    nk_buf_add_char(r->out, '{');
    for (uint32_t name = nk_json_first(doc, at); name != NK_JSON_NONE;
         name = nk_json_next(doc, at, name))
        if (!nk_json_is(doc, name, nk_str(form->value)))
            field_put_member(r->out, doc, name);
    nk_buf_add_char(r->out, '}');
}

int field_form_parts(struct field_run *r, enum nk_field_form kind, const struct nk_json *doc,
                     uint32_t at)
{
    const struct form *form = form_of(kind);
    struct field_value value;
    struct parts p;
    bool found;
    r->wraps = form != &mcp;
    int rc = sort_parts(r, form, doc, at, &p);
    rc = rc ? rc : check_complete(r, form, doc, at);
    if (rc)
        return rc;
    if (r->error || is_error(form, doc, at)) {
        field_run_is_error(r);
        leave_out_value(r, form, &p);
    }
    rc = filter_parts(r, doc, &p, &value, &found);
    if (!rc && !found)
        rc = field_run_without(r);
    if (rc)
        return rc;
    if (!r->applies) {
        put_as_it_is(r, form, doc, at, &p);
        return 0;
    }
    /* One text may be the value's twin, or the value itself; all other parts are left out. */
    bool twin = p.texts > 0 && found;
    uint32_t lost = p.others + p.texts - twin + (p.values > 1 ? p.values : 0);
    r->report->left_out += lost;
    put_result(r, form, doc, at, &p, &value, lost || (found && !value.text.p));
    return 0;
}
