/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi_schema.c - references and schemas; see openapi.h. Schemas are copied keyword by keyword: what 3.0 says in its
 * own way (nullable, exclusiveMinimum as a flag) becomes JSON Schema, what is about documentation is dropped.
 */
#include "tool/openapi_own.h"

enum { HOPS_MAX = 16 };

/* What stands behind a keyword. */
enum content { DATA, SCHEMA, SCHEMAS, LIST_OF_SCHEMAS, DROPPED, REFUSED };

static const struct {
    const char *name;
    enum content content;
} keywords[] = {
    {"properties", SCHEMAS},
    {"patternProperties", SCHEMAS},
    {"dependentSchemas", SCHEMAS},
    {"allOf", LIST_OF_SCHEMAS},
    {"anyOf", LIST_OF_SCHEMAS},
    {"oneOf", LIST_OF_SCHEMAS},
    {"prefixItems", LIST_OF_SCHEMAS},
    {"items", SCHEMA},
    {"additionalProperties", SCHEMA},
    {"not", SCHEMA},
    {"if", SCHEMA},
    {"then", SCHEMA},
    {"else", SCHEMA},
    {"contains", SCHEMA},
    {"propertyNames", SCHEMA},
    {"unevaluatedItems", SCHEMA},
    {"unevaluatedProperties", SCHEMA},
    {"nullable", DROPPED}, /* said by "type" */
    {"example", DROPPED},
    {"examples", DROPPED},
    {"xml", DROPPED},
    {"externalDocs", DROPPED},
    {"discriminator", DROPPED},
    {"$schema", DROPPED},
    {"$comment", DROPPED},
    {"$defs", DROPPED}, /* references into them are followed */
    {"$id", REFUSED},
    {"$anchor", REFUSED},
    {"$dynamicAnchor", REFUSED},
    {"$dynamicRef", REFUSED},
};

int openapi_refuse(struct openapi *o, uint32_t at, const char *why)
{
    o->wrong = at;
    return nk_fault_set(o->f, NK_EUNSUPPORTED, "openapi",
                        at < o->doc->n ? o->doc->tape[at].start : 0, "%s", why);
}

/* References ------------------------------------------------------------------------------------ */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A part of a pointer in a fragment: percent-coding first (RFC 3986), then ~0 and ~1 (RFC 6901). Absent: not valid. */
static struct nk_str decode(struct nk_str part, struct nk_arena *a)
{
    const struct nk_str none = {NULL, 0};
    char *p = nk_arena_alloc(a, part.n + 1);
    size_t n = 0, k = 0;
    for (size_t i = 0; p && i < part.n; i++) {
        char c = part.p[i];
        if (c == '%') {
            int high = part.n - i > 2 ? hex(part.p[i + 1]) : -1;
            int low = part.n - i > 2 ? hex(part.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return none;
            c = (char)(high * 16 + low);
            i += 2;
        }
        p[n++] = c;
    }
    for (size_t i = 0; p && i < n; i++) {
        bool coded = p[i] == '~';
        if (coded && (i + 1 == n || (p[i + 1] != '0' && p[i + 1] != '1')))
            return none;
        p[k++] = coded ? (p[++i] == '1' ? '/' : '~') : p[i];
    }
    return p ? (struct nk_str){p, k} : none;
}

static uint32_t step(const struct nk_json *doc, uint32_t at, struct nk_str part)
{
    uint64_t index, i = 0;
    if (nk_json_type(doc, at) == NK_JSON_OBJECT)
        return nk_json_get(doc, at, part);
    if (nk_json_type(doc, at) != NK_JSON_ARRAY || nk_str_to_u64(part, &index))
        return NK_JSON_NONE;
    uint32_t item = nk_json_first(doc, at);
    for (; item != NK_JSON_NONE && i < index; i++)
        item = nk_json_next(doc, at, item);
    return item;
}

int openapi_resolve(struct openapi *o, uint32_t *at)
{
    for (int hops = 0;; hops++) {
        uint32_t ref = nk_json_get(o->doc, *at, NK_STR("$ref")), to = 0;
        if (nk_json_type(o->doc, *at) != NK_JSON_OBJECT ||
            nk_json_type(o->doc, ref) != NK_JSON_STRING || ref == NK_JSON_NONE)
            return 0;
        struct nk_str rest = nk_json_string(o->doc, ref, o->a);
        if (!nk_str_starts(rest, NK_STR("#/")))
            return openapi_refuse(o, ref, "a reference to another document");
        if (hops == HOPS_MAX)
            return openapi_refuse(o, ref, "a reference that leads to itself");
        rest = nk_str_sub(rest, 2, rest.n);
        while (rest.p && to != NK_JSON_NONE) {
            struct nk_str part = decode(nk_str_cut(&rest, '/'), o->a);
            to = part.p ? step(o->doc, to, part) : NK_JSON_NONE;
        }
        if (to == NK_JSON_NONE)
            return openapi_refuse(o, ref, "a reference to nothing in this document");
        *at = to;
    }
}

/* Schemas --------------------------------------------------------------------------------------- */

static bool is_true(const struct nk_json *doc, uint32_t object, const char *name)
{
    uint32_t at = nk_json_get(doc, object, nk_str(name));
    return at != NK_JSON_NONE && nk_json_type(doc, at) == NK_JSON_TRUE;
}

static enum content content_of(struct nk_str name)
{
    for (size_t i = 0; i < NK_COUNT(keywords); i++)
        if (nk_str_eq(name, nk_str(keywords[i].name)))
            return keywords[i].content;
    return nk_str_starts(name, NK_STR("x-")) ? DROPPED : DATA;
}

static void comma(struct nk_buf *out)
{
    char last = out->n ? out->p[out->n - 1] : '{';
    if (last != '{' && last != '[')
        nk_buf_add_char(out, ',');
}

static int put_schemas(struct openapi *o, uint32_t at, struct nk_buf *out)
{
    bool map = nk_json_type(o->doc, at) == NK_JSON_OBJECT;
    int rc = 0;
    nk_buf_add_char(out, map ? '{' : '[');
    for (uint32_t i = nk_json_first(o->doc, at); i != NK_JSON_NONE && !rc;
         i = nk_json_next(o->doc, at, i)) {
        comma(out);
        if (map) {
            nk_buf_add(out, nk_json_span(o->doc, i));
            nk_buf_add_char(out, ':');
        }
        rc = openapi_put_schema(o, map ? i + 1 : i, out);
    }
    nk_buf_add_char(out, map ? '}' : ']');
    return rc;
}

/* What 3.0 says in its own way; true: it is said, or not to be said. */
static bool put_own(const struct openapi *o, uint32_t object, struct nk_str name, uint32_t value,
                    struct nk_buf *out)
{
    bool low = nk_str_eq(name, NK_STR("minimum")), high = nk_str_eq(name, NK_STR("maximum"));
    bool flag =
        nk_json_type(o->doc, value) == NK_JSON_TRUE || nk_json_type(o->doc, value) == NK_JSON_FALSE;
    if (!o->is_30)
        return false;
    if (nk_str_eq(name, NK_STR("type")) && is_true(o->doc, object, "nullable")) {
        comma(out);
        nk_buf_add(out, NK_STR("\"type\":["));
        nk_buf_add(out, nk_json_span(o->doc, value));
        nk_buf_add(out, NK_STR(",\"null\"]"));
        return true;
    }
    if ((low && is_true(o->doc, object, "exclusiveMinimum")) ||
        (high && is_true(o->doc, object, "exclusiveMaximum"))) {
        comma(out);
        nk_buf_add(out, low ? NK_STR("\"exclusiveMinimum\":") : NK_STR("\"exclusiveMaximum\":"));
        nk_buf_add(out, nk_json_span(o->doc, value));
        return true;
    }
    return flag && (nk_str_eq(name, NK_STR("exclusiveMinimum")) ||
                    nk_str_eq(name, NK_STR("exclusiveMaximum")));
}

static int put_keyword(struct openapi *o, uint32_t object, uint32_t i, struct nk_buf *out)
{
    struct nk_str name = nk_json_string(o->doc, i, o->a);
    enum content content = content_of(name);
    if (!name.p)
        return NK_ENOMEM;
    if (content == REFUSED)
        return openapi_refuse(o, i, "a schema with anchors, or an id of its own");
    if (content == DROPPED || put_own(o, object, name, i + 1, out))
        return 0;
    comma(out);
    nk_buf_add(out, nk_json_span(o->doc, i));
    nk_buf_add_char(out, ':');
    if (content == SCHEMA)
        return openapi_put_schema(o, i + 1, out);
    if (content != DATA)
        return put_schemas(o, i + 1, out);
    nk_buf_add(out, nk_json_span(o->doc, i + 1));
    return 0;
}

static bool has_siblings(const struct openapi *o, uint32_t at)
{
    for (uint32_t i = nk_json_first(o->doc, at); i != NK_JSON_NONE; i = nk_json_next(o->doc, at, i))
        if (!nk_json_is(o->doc, i, NK_STR("$ref")) &&
            !nk_json_is(o->doc, i, NK_STR("description")) &&
            !nk_json_is(o->doc, i, NK_STR("summary")))
            return true;
    return false;
}

int openapi_put_schema(struct openapi *o, uint32_t at, struct nk_buf *out)
{
    uint32_t to = at;
    enum nk_json_type type = nk_json_type(o->doc, at);
    if (type == NK_JSON_TRUE || type == NK_JSON_FALSE) {
        nk_buf_add(out, nk_json_span(o->doc, at));
        return 0;
    }
    int rc = openapi_resolve(o, &to);
    if (!rc && to != at && !o->is_30 && has_siblings(o, at))
        rc = openapi_refuse(o, at, "a reference with other keywords beside it");
    if (!rc && nk_json_type(o->doc, to) != NK_JSON_OBJECT)
        rc = openapi_refuse(o, at, "a schema is an object");
    if (!rc && o->depth == NK_OPENAPI_DEPTH)
        rc = openapi_refuse(o, at, "a schema that contains itself, or is nested too deep");
    if (rc)
        return rc;
    o->depth++;
    nk_buf_add_char(out, '{');
    for (uint32_t i = nk_json_first(o->doc, to); i != NK_JSON_NONE && !rc && !out->error;
         i = nk_json_next(o->doc, to, i))
        rc = put_keyword(o, to, i, out);
    nk_buf_add_char(out, '}');
    o->depth--;
    return rc                        ? rc
           : out->error == NK_ELIMIT ? openapi_refuse(o, at, "a schema that is too large")
                                     : out->error;
}

/* Places ---------------------------------------------------------------------------------------- */

static void put_part(struct nk_str name, struct nk_buf *out)
{
    nk_buf_add_char(out, '/');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '~' || name.p[i] == '/')
            nk_buf_add(out, name.p[i] == '~' ? NK_STR("~0") : NK_STR("~1"));
        else
            nk_buf_add_char(out, name.p[i]);
    }
}

void openapi_put_place(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                       struct nk_buf *out)
{
    uint32_t in = 0;
    nk_buf_add_char(out, '#');
    while (at != NK_JSON_NONE && in != NK_JSON_NONE && in != at) {
        bool map = nk_json_type(doc, in) == NK_JSON_OBJECT;
        uint32_t i = nk_json_first(doc, in), next = NK_JSON_NONE;
        size_t number = 0;
        for (; i != NK_JSON_NONE; i = nk_json_next(doc, in, i), number++) {
            uint32_t v = map ? i + 1 : i;
            if (at == i || (doc->tape[v].start <= doc->tape[at].start &&
                            doc->tape[at].end <= doc->tape[v].end)) {
                next = at == i ? at : v;
                break;
            }
        }
        if (i != NK_JSON_NONE && map)
            put_part(nk_json_string(doc, i, a), out);
        else if (i != NK_JSON_NONE)
            nk_buf_printf(out, "/%zu", number);
        in = next;
    }
}
