/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.c - a schema's text becomes nodes. Subschemas are loaded one after the other from a list, not by
 * recursion; references are resolved when all nodes and their anchors are known, and what they lead to
 * is loaded, too.
 */
#include "json/schema_own.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "json/canonical.h"

enum { TEMP_CEILING = 16 << 20, CANONICAL_MAX = 1 << 20, MULTIPLE_DIGITS = 18 };

/* What a keyword's value is, and so how it is read. */
enum kind {
    NODE,
    NODES,
    NAMED,
    PATTERNED,
    NEEDED,
    NAMES,
    COUNT,
    BOUND,
    MULTIPLE,
    FLAG,
    TYPE,
    CHOICES,
    CONSTANT,
    PATTERN,
    DEFINITIONS,
    REF,
    DYNAMIC_REF,
    ID,
    ANCHOR,
    DYNAMIC_ANCHOR,
    ITEMS,
    ADDITIONAL_ITEMS,
    DEPENDENCIES,
    REFUSED,
};

static const struct keyword {
    struct nk_str name;
    enum kind kind;
    size_t at; /* of the field in the node */
} keywords[] = {
/* clang-format off */
#define KEYWORD(text, kind, member) {{text, sizeof(text) - 1}, kind, offsetof(struct schema_node, member)},
/* clang-format on */
#include "json/schema.def"
#undef KEYWORD
};

int schema_fail(struct schema_loader *l, int code, uint32_t at, const char *fmt, ...)
{
    char what[160];
    struct nk_buf where;
    va_list args;
    if (l->code)
        return l->code;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    nk_buf_init(&where, 4096);
    schema_pointer(&l->s->doc, at, &where);
    l->code = nk_fault_set(l->f, code, "schema", l->s->doc.tape[at].start, "%.*s: %s",
                           (int)(where.n < 100 ? where.n : 100), where.p ? where.p : "", what);
    nk_buf_free(&where);
    return l->code;
}

static void no_memory(struct schema_loader *l)
{
    if (!l->code)
        l->code = nk_fault_set(l->f, NK_ENOMEM, "schema", 0, "out of memory");
}

static void *array(struct schema_loader *l, size_t count, size_t size)
{
    void *p = l->code ? NULL : nk_arena_array(l->a, count + 1, size);
    if (!p)
        no_memory(l);
    return p;
}

struct schema_node *schema_node_at(struct schema_loader *l, uint32_t at, uint32_t resource)
{
    enum nk_json_type type = nk_json_type(&l->s->doc, at);
    if (l->by_entry[at] || l->code)
        return l->by_entry[at];
    if (type != NK_JSON_OBJECT && type != NK_JSON_TRUE && type != NK_JSON_FALSE) {
        schema_fail(l, NK_EINVAL, at, "a schema is an object, true or false");
        return NULL;
    }
    if (l->node_n == NK_SCHEMA_NODES) {
        schema_fail(l, NK_ELIMIT, at, "more than %d subschemas", NK_SCHEMA_NODES);
        return NULL;
    }
    struct schema_node *n = nk_arena_alloc(l->a, sizeof *n);
    if (!n) {
        no_memory(l);
        return NULL;
    }
    *n = (struct schema_node){.at = at,
                              .resource = resource,
                              .refuses = type == NK_JSON_FALSE,
                              .says_nothing = type != NK_JSON_FALSE && !l->s->doc.tape[at].count,
                              .max_length = INT64_MAX,
                              .max_items = INT64_MAX,
                              .min_contains = 1,
                              .max_contains = INT64_MAX,
                              .max_properties = INT64_MAX};
    l->nodes[l->node_n++] = n;
    return l->by_entry[at] = n;
}

static bool expect(struct schema_loader *l, uint32_t at, enum nk_json_type type, const char *what)
{
    bool is = nk_json_type(&l->s->doc, at) == type;
    if (!is)
        schema_fail(l, NK_EINVAL, at, "must be %s", what);
    return is && !l->code;
}

static struct nk_str text(struct schema_loader *l, uint32_t at)
{
    struct nk_str s = {NULL, 0};
    if (expect(l, at, NK_JSON_STRING, "a string")) {
        s = nk_json_string(&l->s->doc, at, l->a);
        if (!s.p)
            no_memory(l);
    }
    return s;
}

/* Lists and objects of subschemas --------------------------------------------------------------- */

static void load_nodes(struct schema_loader *l, const struct schema_node *n, uint32_t at,
                       struct schema_nodes *out)
{
    const struct nk_json *doc = &l->s->doc;
    if (!expect(l, at, NK_JSON_ARRAY, "a list of schemas"))
        return;
    out->list = array(l, doc->tape[at].count, sizeof(const struct schema_node *));
    for (uint32_t i = nk_json_first(doc, at); out->list && i != NK_JSON_NONE;
         i = nk_json_next(doc, at, i))
        out->list[out->n++] = schema_node_at(l, i, n->resource);
}

static const struct nk_pattern *load_pattern(struct schema_loader *l, uint32_t at)
{
    const struct nk_pattern *p = NULL;
    const char *why = "";
    struct nk_str s = text(l, at);
    int rc = l->code ? l->code : nk_pattern_new(s, l->a, &p, &why);
    if (rc)
        schema_fail(l, rc, at, "the pattern %s", why);
    return rc ? NULL : p;
}

static void load_names(struct schema_loader *l, uint32_t at, struct nk_str **list, uint32_t *n)
{
    const struct nk_json *doc = &l->s->doc;
    if (!expect(l, at, NK_JSON_ARRAY, "a list of names"))
        return;
    *list = array(l, doc->tape[at].count, sizeof **list);
    for (uint32_t i = nk_json_first(doc, at); !l->code && i != NK_JSON_NONE;
         i = nk_json_next(doc, at, i))
        (*list)[(*n)++] = text(l, i);
}

static int by_name(const void *x, const void *y)
{
    return nk_str_cmp(((const struct schema_named *)x)->name,
                      ((const struct schema_named *)y)->name);
}

static void load_named(struct schema_loader *l, const struct schema_node *n, uint32_t at,
                       enum kind kind, struct schema_named_list *out)
{
    const struct nk_json *doc = &l->s->doc;
    if (!expect(l, at, NK_JSON_OBJECT, "an object"))
        return;
    out->n = 0;
    out->list = array(l, doc->tape[at].count, sizeof *out->list);
    for (uint32_t i = nk_json_first(doc, at); !l->code && i != NK_JSON_NONE;
         i = nk_json_next(doc, at, i)) {
        struct schema_named *named = &out->list[out->n++];
        named->name = text(l, i);
        if (kind == PATTERNED)
            named->pattern = load_pattern(l, i);
        if (kind == NEEDED)
            load_names(l, i + 1, &named->needs, &named->need_n);
        else
            named->node = schema_node_at(l, i + 1, n->resource);
    }
    if (!l->code)
        qsort(out->list, out->n, sizeof *out->list, by_name);
}

/* What draft-07 had in one keyword and 2020-12 has in two. */
static void load_dependencies(struct schema_loader *l, struct schema_node *n, uint32_t at)
{
    const struct nk_json *doc = &l->s->doc;
    if (!expect(l, at, NK_JSON_OBJECT, "an object"))
        return;
    size_t room = doc->tape[at].count;
    n->dependent_required.list = array(l, room, sizeof *n->dependent_required.list);
    n->dependent_schemas.list = array(l, room, sizeof *n->dependent_schemas.list);
    for (uint32_t i = nk_json_first(doc, at); !l->code && i != NK_JSON_NONE;
         i = nk_json_next(doc, at, i)) {
        bool names = nk_json_type(doc, i + 1) == NK_JSON_ARRAY;
        struct schema_named_list *to = names ? &n->dependent_required : &n->dependent_schemas;
        struct schema_named *named = &to->list[to->n++];
        named->name = text(l, i);
        if (names)
            load_names(l, i + 1, &named->needs, &named->need_n);
        else
            named->node = schema_node_at(l, i + 1, n->resource);
    }
}

/* Single values ----------------------------------------------------------------------------------
 */
static struct nk_decimal number(struct schema_loader *l, uint32_t at)
{
    enum nk_json_type type = nk_json_type(&l->s->doc, at);
    if (type != NK_JSON_INT && type != NK_JSON_NUMBER)
        schema_fail(l, NK_EINVAL, at, "must be a number");
    return l->code ? (struct nk_decimal){.n = 0} : nk_decimal(nk_json_span(&l->s->doc, at));
}

static void load_count(struct schema_loader *l, uint32_t at, int64_t *out)
{
    struct nk_decimal d = number(l, at);
    if (!l->code && nk_decimal_count(&d, out))
        schema_fail(l, NK_EINVAL, at, "must be a whole number, 0 or more");
}

static void load_multiple(struct schema_loader *l, uint32_t at, struct schema_bound *out)
{
    *out = (struct schema_bound){number(l, at), true};
    if (!l->code && (out->number.negative || !out->number.n))
        schema_fail(l, NK_EINVAL, at, "must be above zero");
    if (!l->code && out->number.n > MULTIPLE_DIGITS)
        schema_fail(l, NK_ELIMIT, at, "has more than %d digits", MULTIPLE_DIGITS);
}

static unsigned type_of(struct schema_loader *l, uint32_t at)
{
    static const struct {
        struct nk_str name;
        unsigned type;
    } types[] = {
        {{"null", 4}, SCHEMA_NULL},       {{"boolean", 7}, SCHEMA_BOOLEAN},
        {{"integer", 7}, SCHEMA_INTEGER}, {{"number", 6}, SCHEMA_NUMBER | SCHEMA_INTEGER},
        {{"string", 6}, SCHEMA_STRING},   {{"array", 5}, SCHEMA_ARRAY},
        {{"object", 6}, SCHEMA_OBJECT},
    };
    for (size_t i = 0; i < NK_COUNT(types); i++)
        if (nk_json_is(&l->s->doc, at, types[i].name))
            return types[i].type;
    schema_fail(l, NK_EINVAL, at, "there is no such type");
    return 0;
}

static void load_type(struct schema_loader *l, struct schema_node *n, uint32_t at)
{
    const struct nk_json *doc = &l->s->doc;
    if (nk_json_type(doc, at) != NK_JSON_ARRAY) {
        n->types = type_of(l, at);
        return;
    }
    for (uint32_t i = nk_json_first(doc, at); i != NK_JSON_NONE; i = nk_json_next(doc, at, i))
        n->types |= type_of(l, i);
    if (!n->types)
        schema_fail(l, NK_EINVAL, at, "names no type");
}

static struct nk_str canonical(struct schema_loader *l, uint32_t at)
{
    struct nk_buf b;
    struct nk_str out = {NULL, 0};
    nk_buf_init(&b, CANONICAL_MAX);
    if (!nk_json_canonical(&l->s->doc, at, NK_CANONICAL_EXACT, &b, NULL))
        out = nk_arena_copy(l->a, nk_buf_str(&b));
    nk_buf_free(&b);
    if (!out.p)
        no_memory(l);
    return out;
}

static void load_values(struct schema_loader *l, uint32_t at, enum kind kind,
                        struct schema_texts *out)
{
    const struct nk_json *doc = &l->s->doc;
    if (kind == CHOICES && !expect(l, at, NK_JSON_ARRAY, "a list of values"))
        return;
    out->list = array(l, kind == CHOICES ? doc->tape[at].count : 1, sizeof *out->list);
    if (out->list && kind == CONSTANT)
        out->list[out->n++] = canonical(l, at);
    for (uint32_t i = kind == CHOICES ? nk_json_first(doc, at) : NK_JSON_NONE;
         out->list && i != NK_JSON_NONE; i = nk_json_next(doc, at, i))
        out->list[out->n++] = canonical(l, i);
    if (!l->code && !out->n)
        schema_fail(l, NK_EINVAL, at, "names no value");
}

/* Names and references ---------------------------------------------------------------------------- */

static void load_anchor(struct schema_loader *l, const struct schema_node *n, uint32_t at,
                        bool is_dynamic)
{
    struct nk_str name = text(l, at);
    if (!l->code && schema_anchor(l->s, n->resource, name))
        schema_fail(l, NK_ECONFLICT, at, "the anchor is there twice");
    if (!l->code && l->s->anchor_n == SCHEMA_ANCHORS)
        schema_fail(l, NK_ELIMIT, at, "more than %d anchors", SCHEMA_ANCHORS);
    if (!l->code)
        l->s->anchors[l->s->anchor_n++] = (struct schema_anchor){name, n->resource, n, is_dynamic};
}

static void load_ref(struct schema_loader *l, struct schema_node *n, uint32_t at, bool is_dynamic)
{
    if (expect(l, at, NK_JSON_STRING, "a reference"))
        l->pending[l->pending_n++] = (struct schema_pending){n, at, is_dynamic};
}

/* A schema with an $id is a resource of its own: references below it are relative to it. */
static void load_id(struct schema_loader *l, struct schema_node *n)
{
    struct nk_schema *s = l->s;
    uint32_t at = nk_json_get(&s->doc, n->at, NK_STR("$id"));
    if (at == NK_JSON_NONE)
        return;
    struct nk_str id = text(l, at);
    if (!l->code && id.n && id.p[0] == '#' && l->dialect == SCHEMA_DRAFT_07) {
        load_anchor(l, n, at, false); /* as draft-07 named anchors; the sign is cut off below */
        if (!l->code)
            s->anchors[s->anchor_n - 1].name = nk_str_sub(id, 1, id.n);
        return;
    }
    id = schema_resolve(l, s->resources[n->resource].base, id);
    if (s->resource_n == SCHEMA_RESOURCES)
        schema_fail(l, NK_ELIMIT, at, "more than %d schemas with an $id", SCHEMA_RESOURCES);
    if (l->code)
        return;
    if (n->at == 0) {
        s->resources[0].base = id;
        return;
    }
    s->resources[s->resource_n] = (struct schema_resource){id, n->at};
    n->resource = s->resource_n++;
}

/* One keyword, and one node ------------------------------------------------------------------------ */

static void load_items(struct schema_loader *l, struct schema_node *n, uint32_t at)
{
    bool is_list = nk_json_type(&l->s->doc, at) == NK_JSON_ARRAY;
    if (is_list && l->dialect == SCHEMA_2020_12)
        schema_fail(l, NK_EINVAL, at, "must be a schema; a list is prefixItems");
    else if (is_list)
        load_nodes(l, n, at, &n->prefix);
    else
        n->items = schema_node_at(l, at, n->resource);
}

static void load_older(struct schema_loader *l, struct schema_node *n, enum kind kind, uint32_t at)
{
    uint32_t items = nk_json_get(&l->s->doc, n->at, NK_STR("items"));
    if (kind == DEPENDENCIES && l->dialect == SCHEMA_DRAFT_07)
        load_dependencies(l, n, at);
    if (kind == ADDITIONAL_ITEMS && l->dialect != SCHEMA_2020_12 && items != NK_JSON_NONE &&
        nk_json_type(&l->s->doc, items) == NK_JSON_ARRAY)
        n->items = schema_node_at(l, at, n->resource);
}

static void load_reference(struct schema_loader *l, struct schema_node *n, enum kind kind,
                           uint32_t at)
{
    struct schema_named_list definitions = {NULL, 0};
    if (kind == REF || kind == DYNAMIC_REF)
        load_ref(l, n, at, kind == DYNAMIC_REF);
    else if (kind == ANCHOR || kind == DYNAMIC_ANCHOR)
        load_anchor(l, n, at, kind == DYNAMIC_ANCHOR);
    else if (kind == DEFINITIONS)
        load_named(l, n, at, NAMED, &definitions);
    else if (kind == REFUSED)
        schema_fail(l, NK_EUNSUPPORTED, at, "this keyword is not supported");
}

static void load_assertion(struct schema_loader *l, struct schema_node *n, enum kind kind,
                           void *field, uint32_t at)
{
    switch (kind) {
    case NAMES:
        load_names(l, at, &n->required.list, &n->required.n);
        break;
    case COUNT:
        load_count(l, at, field);
        break;
    case BOUND:
        *(struct schema_bound *)field = (struct schema_bound){number(l, at), true};
        break;
    case MULTIPLE:
        load_multiple(l, at, field);
        break;
    case FLAG:
        *(bool *)field = nk_json_type(&l->s->doc, at) == NK_JSON_TRUE;
        if (!*(bool *)field)
            (void)expect(l, at, NK_JSON_FALSE, "true or false");
        break;
    case TYPE:
        load_type(l, n, at);
        break;
    case CHOICES:
    case CONSTANT:
        load_values(l, at, kind, field);
        break;
    case PATTERN:
        n->pattern = load_pattern(l, at);
        break;
    default:
        break;
    }
}

static void load_keyword(struct schema_loader *l, struct schema_node *n, const struct keyword *k,
                         uint32_t at)
{
    void *field = (char *)n + k->at;
    switch (k->kind) {
    case NODE:
        *(const struct schema_node **)field = schema_node_at(l, at, n->resource);
        break;
    case NODES:
        load_nodes(l, n, at, field);
        break;
    case NAMED:
    case PATTERNED:
    case NEEDED:
        load_named(l, n, at, k->kind, field);
        break;
    case ITEMS:
        load_items(l, n, at);
        break;
    case ADDITIONAL_ITEMS:
    case DEPENDENCIES:
        load_older(l, n, k->kind, at);
        break;
    default:
        load_assertion(l, n, k->kind, field, at);
        load_reference(l, n, k->kind, at);
    }
}

static void load_node(struct schema_loader *l, struct schema_node *n)
{
    const struct nk_json *doc = &l->s->doc;
    uint32_t ref = nk_json_get(doc, n->at, NK_STR("$ref"));
    if (nk_json_type(doc, n->at) != NK_JSON_OBJECT)
        return;
    if (ref != NK_JSON_NONE &&
        l->dialect == SCHEMA_DRAFT_07) { /* what stands beside it is not read */
        load_ref(l, n, ref, false);
        return;
    }
    load_id(l, n);
    for (uint32_t i = nk_json_first(doc, n->at); !l->code && i != NK_JSON_NONE;
         i = nk_json_next(doc, n->at, i))
        for (size_t k = 0; k < NK_COUNT(keywords); k++)
            if (nk_json_is(doc, i, keywords[k].name)) {
                load_keyword(l, n, &keywords[k], i + 1);
                break;
            }
    l->s->has_unevaluated |= n->unevaluated_items || n->unevaluated_properties;
}

/* The whole ---------------------------------------------------------------------------------------- */

static void find_dialect(struct schema_loader *l)
{
    static const struct {
        struct nk_str uri;
        enum schema_dialect dialect;
    } known[] = {
        {{"json-schema.org/draft/2020-12/schema", 36}, SCHEMA_2020_12},
        {{"json-schema.org/draft/2019-09/schema", 36}, SCHEMA_2019_09},
        {{"json-schema.org/draft-07/schema", 31}, SCHEMA_DRAFT_07},
    };
    uint32_t at = nk_json_get(&l->s->doc, 0, NK_STR("$schema"));
    if (at == NK_JSON_NONE)
        return;
    struct nk_str uri = text(l, at);
    if (nk_str_ends(uri, NK_STR("#")))
        uri.n--;
    for (size_t i = 0; i < NK_COUNT(known); i++)
        if (nk_str_ends(uri, known[i].uri)) {
            l->dialect = known[i].dialect;
            return;
        }
    schema_fail(l, NK_EUNSUPPORTED, at,
                "this dialect of JSON Schema is not known: write 2020-12, 2019-09 or draft-07");
}

static int load(struct schema_loader *l)
{
    struct nk_schema *s = l->s;
    l->by_entry = nk_arena_array(&l->temp, s->doc.n, sizeof *l->by_entry);
    l->nodes = nk_arena_array(&l->temp, NK_SCHEMA_NODES, sizeof *l->nodes);
    l->pending = nk_arena_array(&l->temp, 2 * NK_SCHEMA_NODES, sizeof *l->pending);
    s->resources = array(l, SCHEMA_RESOURCES, sizeof *s->resources);
    s->anchors = array(l, SCHEMA_ANCHORS, sizeof *s->anchors);
    if (!l->by_entry || !l->nodes || !l->pending || l->code) {
        no_memory(l);
        return l->code;
    }
    s->resources[0] = (struct schema_resource){NK_STR(""), 0};
    s->resource_n = 1;
    find_dialect(l);
    s->root = schema_node_at(l, 0, 0);
    for (uint32_t done = 0; !l->code && (l->loaded_n < l->node_n || done < l->pending_n);) {
        if (l->loaded_n < l->node_n)
            load_node(l, l->nodes[l->loaded_n++]);
        else
            schema_refer(l, &l->pending[done++]);
    }
    return l->code;
}

int nk_schema_new(struct nk_str text, struct nk_arena *a, const struct nk_schema **out,
                  struct nk_fault *f)
{
    static const struct nk_json_limits limits = {NK_SCHEMA_BYTES, NK_SCHEMA_DEPTH,
                                                 8 * NK_SCHEMA_NODES};
    struct nk_schema *s = nk_arena_alloc(a, sizeof *s);
    struct nk_str own = s && text.n <= NK_SCHEMA_BYTES ? nk_arena_copy(a, text) : text;
    struct schema_loader l = {.s = s, .a = a, .f = f};
    if (!s || !own.p)
        return nk_fault_set(f, NK_ENOMEM, "schema", 0, "out of memory");
    int rc = nk_json_parse(&limits, own, a, &s->doc, f);
    if (rc)
        return rc;
    nk_arena_init(&l.temp, TEMP_CEILING);
    rc = load(&l);
    nk_arena_free(&l.temp);
    *out = s;
    return rc;
}

const struct nk_json *nk_schema_document(const struct nk_schema *s)
{
    return &s->doc;
}
