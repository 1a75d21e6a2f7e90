/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi.c - operations; see openapi.h. Each is written whole, or taken back and noted as left out.
 */
#include "tool/openapi_own.h"

enum { PATH_MAX_BYTES = 512, OFFER_BYTES = 16 << 20, NOTES_BYTES = 1 << 20, NAME_MAX_BYTES = 100 };

struct writing {
    struct openapi o;
    struct nk_openapi *out;
    struct nk_openapi_way *ways;
    struct nk_buf tools, notes;
};

static uint32_t get(const struct openapi *o, uint32_t at, const char *name)
{
    return nk_json_get(o->doc, at, nk_str(name));
}

static bool is_true(const struct openapi *o, uint32_t at, const char *name)
{
    uint32_t v = get(o, at, name);
    return v != NK_JSON_NONE && nk_json_type(o->doc, v) == NK_JSON_TRUE;
}

static bool is_type(const struct openapi *o, uint32_t schema, const char *type)
{
    uint32_t v = get(o, schema, "type");
    return v != NK_JSON_NONE && nk_json_is(o->doc, v, nk_str(type));
}

/* Arguments ------------------------------------------------------------------------------------- */

static struct openapi_argument *find(struct openapi *o, struct nk_str name)
{
    for (size_t i = 0; i < o->argument_count; i++)
        if (nk_str_eq(o->arguments[i].name, name))
            return &o->arguments[i];
    return NULL;
}

/* Puts the description of a parameter into its schema, which was written just now and may have one of its own. */
static void describe(struct openapi *o, uint32_t at, uint32_t schema)
{
    struct nk_buf *b = &o->properties;
    uint32_t text = get(o, at, "description");
    if (text == NK_JSON_NONE || get(o, schema, "description") != NK_JSON_NONE || b->error ||
        b->n < 2 || b->p[b->n - 1] != '}' || nk_json_type(o->doc, text) != NK_JSON_STRING)
        return;
    b->n--;
    nk_buf_add(b, b->p[b->n - 1] == '{' ? NK_STR("\"description\":") : NK_STR(",\"description\":"));
    nk_buf_add(b, nk_json_span(o->doc, text));
    nk_buf_add_char(b, '}');
}

static int add_argument(struct openapi *o, uint32_t at, struct nk_str name,
                        enum openapi_where where, uint32_t schema)
{
    if (!name.n || name.n > NAME_MAX_BYTES || find(o, name))
        return openapi_refuse(o, at, "an argument without a name, or two of one name");
    if (o->argument_count == NK_OPENAPI_ARGUMENTS)
        return openapi_refuse(o, at, "too many arguments");
    if (o->argument_count)
        nk_buf_add_char(&o->properties, ',');
    o->arguments[o->argument_count++] = (struct openapi_argument){.name = name, .where = where};
    nk_json_put_string(&o->properties, name);
    nk_buf_add_char(&o->properties, ':');
    return openapi_put_schema(o, schema, &o->properties);
}

/* Names that stand in a list with commas. */
static bool is_plain(struct nk_str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] > '~' || name.p[i] == ',' || name.p[i] == '"' ||
            name.p[i] == '\\')
            return false;
    return true;
}

static int read_where(struct openapi *o, uint32_t at, enum openapi_where *out)
{
    uint32_t in = get(o, at, "in");
    if (in != NK_JSON_NONE && nk_json_is(o->doc, in, NK_STR("path")))
        *out = OPENAPI_PATH;
    else if (in != NK_JSON_NONE && nk_json_is(o->doc, in, NK_STR("query")))
        *out = OPENAPI_QUERY;
    else if (in != NK_JSON_NONE && nk_json_is(o->doc, in, NK_STR("header")))
        *out = OPENAPI_HEADER;
    else
        return openapi_refuse(o, at, "a parameter that is not in path, query or header");
    return 0;
}

/* In the forms that are the usual ones for their places. */
static int check_style(struct openapi *o, uint32_t at, enum openapi_where where, uint32_t schema)
{
    uint32_t style = get(o, at, "style"), explode = get(o, at, "explode"), to = schema;
    if (schema == NK_JSON_NONE)
        return openapi_refuse(o, at, "a parameter without a schema");
    if (style != NK_JSON_NONE &&
        !nk_json_is(o->doc, style, where == OPENAPI_QUERY ? NK_STR("form") : NK_STR("simple")))
        return openapi_refuse(o, style, "a style that is not served");
    int rc = openapi_resolve(o, &to);
    if (rc)
        return rc;
    bool list = is_type(o, to, "array");
    if (is_type(o, to, "object") || (list && where != OPENAPI_QUERY) ||
        (list && explode != NK_JSON_NONE && nk_json_type(o->doc, explode) == NK_JSON_FALSE))
        return openapi_refuse(o, at, "a parameter that is an object, or a list joined into one");
    return 0;
}

/* OpenAPI says that these are described elsewhere. */
static bool is_passed_over(struct nk_str name)
{
    return nk_str_is_nocase(name, "accept") || nk_str_is_nocase(name, "content-type") ||
           nk_str_is_nocase(name, "authorization");
}

static int read_parameter(struct openapi *o, uint32_t at)
{
    enum openapi_where where = OPENAPI_QUERY;
    int rc = openapi_resolve(o, &at);
    if (rc)
        return rc;
    struct nk_str name = nk_json_string(o->doc, get(o, at, "name"), o->a);
    uint32_t schema = get(o, at, "schema"), in = get(o, at, "in");
    bool required = is_true(o, at, "required");
    if (in != NK_JSON_NONE && nk_json_is(o->doc, in, NK_STR("cookie")) && !required)
        return 0;
    rc = read_where(o, at, &where);
    if (rc || (where == OPENAPI_HEADER && is_passed_over(name)))
        return rc;
    if (!is_plain(name))
        return openapi_refuse(o, at, "a parameter with such a name");
    struct openapi_argument *known = find(o, name); /* the operation's own counts more */
    if (known && known->where == where)
        return 0;
    rc = check_style(o, at, where, schema);
    if (!rc)
        rc = add_argument(o, at, name, where, schema);
    if (rc)
        return rc;
    describe(o, at, schema);
    o->arguments[o->argument_count - 1].required = required;
    return 0;
}

static int read_parameters(struct openapi *o, uint32_t of)
{
    uint32_t list = get(o, of, "parameters");
    int rc = 0;
    for (uint32_t i = nk_json_first(o->doc, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(o->doc, list, i))
        rc = read_parameter(o, i);
    return rc;
}

/* Bodies ---------------------------------------------------------------------------------------- */

static int collect(struct openapi *o, uint32_t at, unsigned depth);

static int collect_properties(struct openapi *o, uint32_t schema)
{
    uint32_t list = get(o, schema, "properties");
    int rc = 0;
    for (uint32_t i = nk_json_first(o->doc, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(o->doc, list, i)) {
        struct nk_str name = nk_json_string(o->doc, i, o->a);
        if (!name.p)
            return NK_ENOMEM;
        if (!is_true(o, i + 1, "readOnly"))
            rc = add_argument(o, i, name, OPENAPI_BODY, i + 1);
    }
    return rc;
}

static int collect_parts(struct openapi *o, uint32_t schema, unsigned depth)
{
    uint32_t parts = get(o, schema, "allOf");
    int rc = 0;
    for (uint32_t i = nk_json_first(o->doc, parts); i != NK_JSON_NONE && !rc;
         i = nk_json_next(o->doc, parts, i))
        rc = collect(o, i, depth + 1);
    return rc;
}

/* What a body's object has becomes arguments; allOf adds up. */
static int collect(struct openapi *o, uint32_t at, unsigned depth)
{
    static const char *const others[] = {"oneOf", "anyOf", "not", "if", "patternProperties"};
    uint32_t schema = at;
    int rc = openapi_resolve(o, &schema);
    if (!rc && depth == NK_OPENAPI_DEPTH)
        rc = openapi_refuse(o, at, "a schema that contains itself, or is nested too deep");
    if (rc)
        return rc;
    for (size_t i = 0; i < NK_COUNT(others); i++)
        if (get(o, schema, others[i]) != NK_JSON_NONE)
            return openapi_refuse(o, schema, "a body that is one of several things");
    uint32_t type = get(o, schema, "type"), more = get(o, schema, "additionalProperties");
    if (type != NK_JSON_NONE && !is_type(o, schema, "object"))
        return openapi_refuse(o, schema, "a body that is no object");
    if (type == NK_JSON_NONE && get(o, schema, "properties") == NK_JSON_NONE &&
        get(o, schema, "allOf") == NK_JSON_NONE && get(o, schema, "required") == NK_JSON_NONE)
        return openapi_refuse(o, schema, "a body of any kind");
    o->open |= more != NK_JSON_NONE && nk_json_type(o->doc, more) != NK_JSON_FALSE;
    rc = collect_properties(o, schema);
    if (!rc)
        rc = collect_parts(o, schema, depth);
    uint32_t required = get(o, schema, "required");
    for (uint32_t i = nk_json_first(o->doc, required); i != NK_JSON_NONE && !rc;
         i = nk_json_next(o->doc, required, i)) {
        struct openapi_argument *a = find(o, nk_json_string(o->doc, i, o->a));
        if (a && a->where == OPENAPI_BODY)
            a->required = true;
    }
    return rc;
}

/* The schema of a body or answer in JSON; NK_JSON_NONE: it has none. */
static uint32_t json_schema(const struct openapi *o, uint32_t of)
{
    uint32_t content = get(o, of, "content");
    return nk_json_get(o->doc, nk_json_get(o->doc, content, NK_STR("application/json")),
                       NK_STR("schema"));
}

static int read_body(struct openapi *o, uint32_t operation, bool takes_one)
{
    uint32_t body = get(o, operation, "requestBody");
    if (body == NK_JSON_NONE)
        return 0;
    int rc = openapi_resolve(o, &body);
    if (rc)
        return rc;
    uint32_t schema = json_schema(o, body);
    if (!takes_one)
        return openapi_refuse(o, body, "a body of GET or DELETE");
    if (schema == NK_JSON_NONE)
        return openapi_refuse(o, body, "a body that is not application/json, or has no schema");
    return collect(o, schema, 0);
}

/* Answers --------------------------------------------------------------------------------------- */

/* The schema of the one answer of success that has one; NK_JSON_NONE: there is none, or there are several. */
static uint32_t answer_schema(struct openapi *o, uint32_t operation)
{
    uint32_t list = get(o, operation, "responses"), found = NK_JSON_NONE;
    for (uint32_t i = nk_json_first(o->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(o->doc, list, i)) {
        uint32_t answer = i + 1;
        struct nk_str status = nk_json_string(o->doc, i, o->a);
        if (!nk_str_starts(status, NK_STR("2")) || openapi_resolve(o, &answer))
            continue;
        uint32_t schema = json_schema(o, answer);
        if (schema != NK_JSON_NONE && found != NK_JSON_NONE)
            return NK_JSON_NONE;
        found = schema != NK_JSON_NONE ? schema : found;
    }
    return found;
}

/* Says what is left out, why, and where in the document the reason stands. */
static void note(struct writing *w, uint32_t of, const char *what)
{
    const struct nk_json_value *v = &w->o.doc->tape[of], *why = &w->o.doc->tape[w->o.wrong];
    bool within = v->start <= why->start && why->end <= v->end;
    openapi_put_place(w->o.doc, within ? w->o.wrong : of, w->o.a, &w->notes);
    nk_buf_printf(&w->notes, ": %s%s", what, w->o.f->message);
    if (!within) {
        nk_buf_add(&w->notes, NK_STR(" (at "));
        openapi_put_place(w->o.doc, w->o.wrong, w->o.a, &w->notes);
        nk_buf_add_char(&w->notes, ')');
    }
    nk_buf_add_char(&w->notes, '\n');
    *w->o.f = (struct nk_fault){0};
}

/* A result whose form cannot be said is one whose form is not looked at; that is said. */
static int put_output(struct writing *w, uint32_t operation)
{
    struct openapi *o = &w->o;
    uint32_t schema = answer_schema(o, operation), to = schema;
    struct nk_buf b;
    *o->f = (struct nk_fault){0};
    if (schema == NK_JSON_NONE)
        return 0;
    nk_buf_init(&b, NK_OPENAPI_BYTES);
    int rc = openapi_resolve(o, &to);
    if (!rc && !is_type(o, to, "object"))
        rc = openapi_refuse(o, to, "an answer that is no object");
    if (!rc)
        rc = openapi_put_schema(o, schema, &b);
    if (!rc) {
        nk_buf_add(&w->tools, NK_STR(",\"outputSchema\":"));
        nk_buf_add(&w->tools, nk_buf_str(&b));
    }
    nk_buf_free(&b);
    o->depth = 0;
    if (rc == NK_EUNSUPPORTED) {
        note(w, operation, "no outputSchema: ");
        rc = 0;
    }
    return rc;
}

/* Operations ------------------------------------------------------------------------------------ */

static bool is_name(struct nk_str s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i], low = (char)(c | 0x20);
        if (!(low >= 'a' && low <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return s.n >= 1 && s.n <= NAME_MAX_BYTES;
}

/* Each part in braces is an argument of the path, and each of those stands there. */
static int check_path(struct openapi *o, uint32_t at, struct nk_str path)
{
    size_t parts = 0, arguments = 0;
    if (path.n > PATH_MAX_BYTES || !nk_str_starts(path, NK_STR("/")) || !is_plain(path))
        return openapi_refuse(o, at, "a path that cannot be one");
    for (struct nk_str rest = path; rest.p;) {
        nk_str_cut(&rest, '{');
        if (!rest.p)
            break;
        struct openapi_argument *a = find(o, nk_str_cut(&rest, '}'));
        if (!a || a->where != OPENAPI_PATH || !rest.p)
            return openapi_refuse(o, at, "a part of the path is no parameter of it");
        a->required = true;
        parts++;
    }
    for (size_t i = 0; i < o->argument_count; i++)
        arguments += o->arguments[i].where == OPENAPI_PATH;
    return parts == arguments ? 0
                              : openapi_refuse(o, at, "a parameter of the path is not in the path");
}

static void put_input(struct writing *w)
{
    const struct openapi *o = &w->o;
    bool first = true;
    nk_buf_add(&w->tools, NK_STR(",\"inputSchema\":{\"type\":\"object\",\"properties\":{"));
    nk_buf_add(&w->tools, nk_buf_str(&o->properties));
    nk_buf_add_char(&w->tools, '}');
    for (size_t i = 0; i < o->argument_count; i++) {
        if (!o->arguments[i].required)
            continue;
        nk_buf_add(&w->tools, first ? NK_STR(",\"required\":[") : NK_STR(","));
        nk_json_put_string(&w->tools, o->arguments[i].name);
        first = false;
    }
    if (!first)
        nk_buf_add_char(&w->tools, ']');
    if (!o->open)
        nk_buf_add(&w->tools, NK_STR(",\"additionalProperties\":false"));
    nk_buf_add_char(&w->tools, '}');
}

/* Names of the arguments that go there, with commas; absent: none. */
static struct nk_str names_of(struct openapi *o, enum openapi_where where)
{
    struct nk_str all = {NULL, 0};
    for (size_t i = 0; i < o->argument_count; i++)
        if (o->arguments[i].where == where)
            all = nk_arena_printf(o->a, "%.*s%s%.*s", NK_FMT(all), all.n ? "," : "",
                                  NK_FMT(o->arguments[i].name));
    return all;
}

static int put_texts(struct writing *w, uint32_t operation, struct nk_str name)
{
    struct openapi *o = &w->o;
    uint32_t summary = get(o, operation, "summary"), text = get(o, operation, "description");
    nk_buf_add_char(&w->tools, '{');
    nk_json_put_member(&w->tools, NK_STR("name"), name);
    if (text == NK_JSON_NONE)
        text = summary;
    else if (summary != NK_JSON_NONE) {
        nk_buf_add(&w->tools, NK_STR(",\"title\":"));
        nk_buf_add(&w->tools, nk_json_span(o->doc, summary));
    }
    if (text == NK_JSON_NONE)
        return 0;
    nk_buf_add(&w->tools, NK_STR(",\"description\":"));
    nk_buf_add(&w->tools, nk_json_span(o->doc, text));
    return 0;
}

static int put_operation(struct writing *w, uint32_t item, struct nk_str path, const char *method,
                         uint32_t operation)
{
    struct openapi *o = &w->o;
    struct nk_str name = nk_json_string(o->doc, get(o, operation, "operationId"), o->a);
    bool takes_body = method[0] == 'P'; /* POST, PUT, PATCH */
    o->argument_count = 0;
    o->open = false;
    o->depth = 0;
    nk_buf_clear(&o->properties);
    if (!is_name(name))
        return openapi_refuse(o, operation,
                              "operationId is missing, or is not 1 to 100 of A-Z a-z 0-9 _ -");
    int rc = read_parameters(o, operation);
    if (!rc)
        rc = read_parameters(o, item);
    if (!rc)
        rc = read_body(o, operation, takes_body);
    if (!rc)
        rc = check_path(o, operation, path);
    if (!rc && o->properties.error)
        rc = openapi_refuse(o, operation, "too large");
    if (!rc)
        rc = put_texts(w, operation, name);
    if (rc)
        return rc;
    put_input(w);
    rc = put_output(w, operation);
    nk_buf_add_char(&w->tools, '}');
    w->ways[w->out->count++] = (struct nk_openapi_way){
        .name = name,
        .method = nk_str(method),
        .path = path,
        .query = takes_body ? names_of(o, OPENAPI_QUERY) : (struct nk_str){NULL, 0},
        .headers = names_of(o, OPENAPI_HEADER)};
    return rc;
}

static int take_operation(struct writing *w, uint32_t item, struct nk_str path, const char *method,
                          uint32_t operation)
{
    size_t before = w->tools.n;
    if (w->out->count == NK_OPENAPI_TOOLS)
        return nk_fault_set(w->o.f, NK_ELIMIT, "openapi", 0, "more than %d operations",
                            NK_OPENAPI_TOOLS);
    if (w->out->count)
        nk_buf_add_char(&w->tools, ',');
    int rc = put_operation(w, item, path, method, operation);
    if (rc != NK_EUNSUPPORTED)
        return rc;
    w->tools.n = before;
    w->out->left_out_count++;
    note(w, operation, "");
    return 0;
}

static int take_path(struct writing *w, uint32_t at)
{
    static const struct {
        const char *name, *method;
    } methods[] = {{"get", "GET"},       {"post", "POST"}, {"put", "PUT"},    {"patch", "PATCH"},
                   {"delete", "DELETE"}, {"head", NULL},   {"options", NULL}, {"trace", NULL}};
    struct openapi *o = &w->o;
    struct nk_str path = nk_json_string(o->doc, at, o->a);
    uint32_t item = at + 1;
    int rc = openapi_resolve(o, &item);
    for (size_t i = 0; i < NK_COUNT(methods) && !rc; i++) {
        uint32_t operation = get(o, item, methods[i].name);
        if (operation == NK_JSON_NONE)
            continue;
        rc = methods[i].method
                 ? take_operation(w, item, path, methods[i].method, operation)
                 : openapi_refuse(o, operation, "a method that tools are not called by");
        if (rc == NK_EUNSUPPORTED && !methods[i].method) {
            w->out->left_out_count++;
            note(w, operation, "");
            rc = 0;
        }
    }
    if (rc != NK_EUNSUPPORTED)
        return rc;
    w->out->left_out_count++; /* a reference that leads nowhere */
    note(w, at + 1, "");
    return 0;
}

/* The path of the first server: requests go there. */
static void take_base(struct writing *w)
{
    struct openapi *o = &w->o;
    uint32_t servers = get(o, 0, "servers");
    uint32_t url = nk_json_get(o->doc, nk_json_first(o->doc, servers), NK_STR("url"));
    struct nk_str rest = url == NK_JSON_NONE ? NK_STR("") : nk_json_string(o->doc, url, o->a);
    ptrdiff_t host = nk_str_search(rest, NK_STR("://"));
    if (host >= 0) {
        rest = nk_str_sub(rest, (size_t)host + 3, rest.n);
        size_t slash = 0;
        while (slash < rest.n && rest.p[slash] != '/')
            slash++;
        rest = nk_str_sub(rest, slash, rest.n);
    }
    while (nk_str_ends(rest, NK_STR("/")))
        rest.n--;
    bool plain =
        is_plain(rest) && nk_str_search(rest, NK_STR("{")) < 0 && (!rest.n || rest.p[0] == '/');
    if (!plain && !openapi_refuse(o, url, "its path is not taken"))
        return;
    if (!plain)
        note(w, url, "");
    w->out->base = plain ? rest : NK_STR("");
}

bool nk_openapi_is(const struct nk_json *doc)
{
    return nk_json_type(doc, 0) == NK_JSON_OBJECT &&
           (nk_json_get(doc, 0, NK_STR("openapi")) != NK_JSON_NONE ||
            nk_json_get(doc, 0, NK_STR("swagger")) != NK_JSON_NONE);
}

static int read_version(struct openapi *o)
{
    uint32_t at = get(o, 0, "openapi");
    struct nk_str version = nk_json_string(o->doc, at, o->a);
    o->is_30 = nk_str_starts(version, NK_STR("3.0."));
    if (!o->is_30 && !nk_str_starts(version, NK_STR("3.1.")))
        return nk_fault_set(o->f, NK_EUNSUPPORTED, "openapi", 0,
                            "OpenAPI 3.0 and 3.1 are read (\"openapi\": \"3.1.0\"), and this is "
                            "another version");
    if (nk_json_type(o->doc, get(o, 0, "paths")) != NK_JSON_OBJECT)
        return nk_fault_set(o->f, NK_EINVAL, "openapi", 0, "there are no \"paths\"");
    return 0;
}

int nk_openapi_read(const struct nk_json *doc, struct nk_arena *a, struct nk_openapi *out,
                    struct nk_fault *f)
{
    struct writing *w = nk_arena_alloc(a, sizeof *w);
    struct nk_fault own = {0};
    *out = (struct nk_openapi){.count = 0};
    if (!w)
        return NK_ENOMEM;
    w->o = (struct openapi){.doc = doc, .a = a, .f = &own};
    w->out = out;
    w->ways = nk_arena_array(a, NK_OPENAPI_TOOLS, sizeof *w->ways);
    nk_buf_init(&w->tools, OFFER_BYTES);
    nk_buf_init(&w->notes, NOTES_BYTES);
    nk_buf_init(&w->o.properties, NK_OPENAPI_BYTES);
    int rc = w->ways ? read_version(&w->o) : NK_ENOMEM;
    uint32_t paths = get(&w->o, 0, "paths");
    nk_buf_add(&w->tools, NK_STR("{\"tools\":["));
    if (!rc)
        take_base(w);
    for (uint32_t i = rc ? NK_JSON_NONE : nk_json_first(doc, paths); i != NK_JSON_NONE && !rc;
         i = nk_json_next(doc, paths, i))
        rc = take_path(w, i);
    nk_buf_add(&w->tools, NK_STR("]}"));
    if (!rc)
        rc = w->tools.error ? w->tools.error : w->notes.error;
    out->ways = w->ways;
    out->tools = rc ? out->tools : nk_arena_copy(a, nk_buf_str(&w->tools));
    out->left_out = rc ? out->left_out : nk_arena_copy(a, nk_buf_str(&w->notes));
    nk_buf_free(&w->tools);
    nk_buf_free(&w->notes);
    nk_buf_free(&w->o.properties);
    if (rc && own.code)
        return nk_fault_set(f, own.code, "openapi", own.offset, "%s", own.message);
    return rc ? rc : out->tools.p && out->left_out.p ? 0 : NK_ENOMEM;
}
