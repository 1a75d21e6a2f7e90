/* SPDX-License-Identifier: Apache-2.0
 *
 * type.c - see type.h: the type that a schema comes to.
 */
#include "tool/type.h"

struct infer {
    const struct nk_json *doc;
    struct nk_arena *a;
    uint32_t count;
    int depth;
    int code;
};

static const struct nk_tool_type json = {.kind = NK_TOOL_JSON};
static const struct nk_tool_type nothing = {.kind = NK_TOOL_RECORD};
static const struct nk_tool_type scalars[] = {
    {.kind = NK_TOOL_STRING},
    {.kind = NK_TOOL_LONG},
    {.kind = NK_TOOL_BOOL},
    {.kind = NK_TOOL_DECIMAL},
};

static const struct nk_tool_type *infer(struct infer *x, uint32_t at, bool *nullable);

static const struct nk_tool_type *scalar(enum nk_tool_kind kind)
{
    return &scalars[kind];
}

static uint32_t get(const struct infer *x, uint32_t at, const char *name)
{
    return nk_json_get(x->doc, at, nk_str(name));
}

/* What "#/$defs/x" names: plain names alone, since a type that is not told is only less handy. */
static uint32_t follow(const struct infer *x, uint32_t at)
{
    struct nk_str ref = nk_json_span(x->doc, at);
    uint32_t to = 0;
    ref = nk_str_sub(ref, 1, ref.n - 1);
    if (nk_str_find(ref, '\\') >= 0 || nk_str_find(ref, '~') >= 0 || nk_str_find(ref, '%') >= 0 ||
        !nk_str_starts(ref, NK_STR("#/")))
        return NK_JSON_NONE;
    ref = nk_str_sub(ref, 2, ref.n);
    while (ref.p && to != NK_JSON_NONE)
        to = nk_json_get(x->doc, to, nk_str_cut(&ref, '/'));
    return to;
}

/* `Cedar` reads these members of an object as something else. */
static bool is_reserved(const struct infer *x, uint32_t name)
{
    return nk_json_is(x->doc, name, NK_STR("__entity")) ||
           nk_json_is(x->doc, name, NK_STR("__extn")) || nk_json_is(x->doc, name, NK_STR("__expr"));
}

static bool is_required(const struct infer *x, uint32_t list, uint32_t name)
{
    struct nk_str n = nk_json_string(x->doc, name, x->a);
    for (uint32_t i = nk_json_first(x->doc, list); list != NK_JSON_NONE && i != NK_JSON_NONE;
         i = nk_json_next(x->doc, list, i))
        if (nk_json_is(x->doc, i, n))
            return true;
    return false;
}

static const struct nk_tool_type *record(struct infer *x, uint32_t at)
{
    uint32_t properties = get(x, at, "properties"), required = get(x, at, "required");
    uint32_t count = properties == NK_JSON_NONE ? 0 : x->doc->tape[properties].count;
    struct nk_tool_type *t = nk_arena_alloc(x->a, sizeof *t);
    struct nk_tool_member_type *m = nk_arena_array(x->a, count + 1, sizeof *m);
    if (!t || !m) {
        x->code = NK_ENOMEM;
        return &json;
    }
    *t = (struct nk_tool_type){.kind = NK_TOOL_RECORD, .members = m};
    for (uint32_t i = count ? nk_json_first(x->doc, properties) : NK_JSON_NONE; i != NK_JSON_NONE;
         i = nk_json_next(x->doc, properties, i), m++) {
        bool nullable = false;
        if (is_reserved(x, i))
            return &json;
        *m = (struct nk_tool_member_type){nk_json_string(x->doc, i, x->a),
                                          infer(x, i + 1, &nullable), is_required(x, required, i)};
        m->required &= !nullable;
        if (!m->name.p)
            x->code = NK_ENOMEM;
    }
    t->member_n = count;
    return t;
}

static const struct nk_tool_type *set(struct infer *x, uint32_t at)
{
    uint32_t items = get(x, at, "items");
    bool nullable = false;
    struct nk_tool_type *t = nk_arena_alloc(x->a, sizeof *t);
    if (!t)
        x->code = NK_ENOMEM;
    if (!t || nk_json_type(x->doc, items) != NK_JSON_OBJECT || items == NK_JSON_NONE ||
        get(x, at, "prefixItems") != NK_JSON_NONE)
        return &json;
    *t = (struct nk_tool_type){.kind = NK_TOOL_SET, .item = infer(x, items, &nullable)};
    if (nullable)
        t->item = &json;
    return t;
}

/* Of one type's name. */
static const struct nk_tool_type *named(struct infer *x, uint32_t at, uint32_t name)
{
    static const char *const names[] = {"string", "integer", "boolean", "number"};
    for (size_t i = 0; i < NK_COUNT(names); i++)
        if (nk_json_is(x->doc, name, nk_str(names[i])))
            return scalar((enum nk_tool_kind)i);
    if (nk_json_is(x->doc, name, NK_STR("array")))
        return set(x, at);
    uint32_t properties = get(x, at, "properties");
    bool known = properties != NK_JSON_NONE && x->doc->tape[properties].count;
    return nk_json_is(x->doc, name, NK_STR("object")) && known ? record(x, at) : &json;
}

/* Two possible types as one. */
static const struct nk_tool_type *join(const struct nk_tool_type *a, const struct nk_tool_type *b)
{
    bool numbers = a && (a->kind == NK_TOOL_LONG || a->kind == NK_TOOL_DECIMAL) &&
                   (b->kind == NK_TOOL_LONG || b->kind == NK_TOOL_DECIMAL);
    if (!a || a == b)
        return b;
    return numbers ? scalar(NK_TOOL_DECIMAL) : &json;
}

static const struct nk_tool_type *of_types(struct infer *x, uint32_t at, uint32_t type,
                                           bool *nullable)
{
    const struct nk_tool_type *all = NULL;
    if (nk_json_type(x->doc, type) != NK_JSON_ARRAY)
        return named(x, at, type);
    for (uint32_t i = nk_json_first(x->doc, type); i != NK_JSON_NONE;
         i = nk_json_next(x->doc, type, i)) {
        if (nk_json_is(x->doc, i, NK_STR("null")))
            *nullable = true;
        else
            all = join(all, named(x, at, i));
    }
    return all ? all : &json;
}

static const struct nk_tool_type *of_values(struct infer *x, uint32_t list, bool *nullable)
{
    const struct nk_tool_type *all = NULL;
    for (uint32_t i = nk_json_first(x->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(x->doc, list, i)) {
        enum nk_json_type type = nk_json_type(x->doc, i);
        if (type == NK_JSON_NULL)
            *nullable = true;
        else
            all = join(all, type == NK_JSON_STRING                          ? scalar(NK_TOOL_STRING)
                            : type == NK_JSON_INT                           ? scalar(NK_TOOL_LONG)
                            : type == NK_JSON_TRUE || type == NK_JSON_FALSE ? scalar(NK_TOOL_BOOL)
                                                                            : &json);
    }
    return all ? all : &json;
}

static bool is_null_type(const struct infer *x, uint32_t at)
{
    return nk_json_is(x->doc, get(x, at, "type"), NK_STR("null"));
}

static const struct nk_tool_type *of_choices(struct infer *x, uint32_t list, bool *nullable)
{
    const struct nk_tool_type *all = NULL;
    for (uint32_t i = nk_json_first(x->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(x->doc, list, i)) {
        if (is_null_type(x, i))
            *nullable = true;
        else
            all = join(all, infer(x, i, nullable));
    }
    return all ? all : &json;
}

static const struct nk_tool_type *of_schema(struct infer *x, uint32_t at, bool *nullable)
{
    static const char *const choices[] = {"anyOf", "oneOf"};
    uint32_t type = get(x, at, "type"), ref = get(x, at, "$ref"), values = get(x, at, "enum");
    if (type != NK_JSON_NONE)
        return of_types(x, at, type, nullable);
    if (ref != NK_JSON_NONE) {
        uint32_t to = follow(x, ref);
        return to == NK_JSON_NONE ? &json : infer(x, to, nullable);
    }
    for (size_t i = 0; i < NK_COUNT(choices); i++) {
        uint32_t list = get(x, at, choices[i]);
        if (list != NK_JSON_NONE)
            return of_choices(x, list, nullable);
    }
    uint32_t all = get(x, at, "allOf");
    if (all != NK_JSON_NONE && x->doc->tape[all].count == 1)
        return infer(x, nk_json_first(x->doc, all), nullable);
    return values == NK_JSON_NONE ? &json : of_values(x, values, nullable);
}

/* Recursion ends: NK_TOOL_TYPE_DEPTH; a schema that refers to itself has no type. */
static const struct nk_tool_type *infer(struct infer *x, uint32_t at, bool *nullable)
{
    if (nk_json_type(x->doc, at) != NK_JSON_OBJECT)
        return &json; /* true: anything */
    if (++x->count > NK_TOOL_TYPES_MAX)
        x->code = NK_ELIMIT;
    if (x->code || x->depth == NK_TOOL_TYPE_DEPTH)
        return &json;
    x->depth++;
    const struct nk_tool_type *t = of_schema(x, at, nullable);
    x->depth--;
    return t;
}

int nk_tool_type_of(const struct nk_json *doc, struct nk_arena *a, const struct nk_tool_type **out)
{
    struct infer x = {.doc = doc, .a = a};
    bool nullable = false;
    const struct nk_tool_type *t = infer(&x, 0, &nullable);
    *out = t->kind == NK_TOOL_RECORD ? t : &nothing;
    return x.code;
}
