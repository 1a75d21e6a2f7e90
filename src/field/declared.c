/* SPDX-License-Identifier: Apache-2.0
 *
 * declared.c - which members and items an output schema (JSON Schema 2020-12) speaks of, as an automaton: a place
 * is a subschema, and all that apply to one value are open together, whether they stand there themselves or
 * come by $ref, allOf, anyOf, oneOf, if, then, else or dependentSchemas. A member is declared when `properties`
 * of one of them has it, or a schema in `additionalProperties` or `unevaluatedProperties` takes it; an item when
 * `prefixItems`, `items`, `unevaluatedItems` or `contains` does. Where none speaks of members, or of items, all
 * of them are declared. `true` and {} say nothing, as a schema and as `additionalProperties`.
 *
 * This is not validation: it leaves a value of which validation can then say more.
 */
#include "field/states.h"

#include "base/utf8.h"

/* The place from which a part is dropped. */
enum { GONE = NK_JSON_NONE };

struct schema {
    struct field_source source;
    const struct nk_json *doc;
    struct nk_fault *fault;
};

static const struct schema *schema_of(const struct field_source *source)
{
    return NK_OF(source, const struct schema, source);
}

static int unsupported(const struct schema *s, uint32_t at, const char *what)
{
    return nk_fault_set(
        s->fault, NK_EUNSUPPORTED, "field", s->doc->tape[at].start,
        "output schema, byte %u: %s: what it declares cannot be told; refuse results "
        "that do not match instead of stripping them",
        s->doc->tape[at].start, what);
}

/* Member `name` of subschema `at`, or NK_JSON_NONE. */
static uint32_t keyword(const struct schema *s, uint32_t at, const char *name)
{
    return nk_json_get(s->doc, at, nk_str(name));
}

/* Is entry `at` a schema that says something? */
static bool says(const struct schema *s, uint32_t at)
{
    enum nk_json_type type = nk_json_type(s->doc, at);
    return at != NK_JSON_NONE &&
           (type == NK_JSON_FALSE || (type == NK_JSON_OBJECT && s->doc->tape[at].count > 0));
}

static bool is_schema(const struct schema *s, uint32_t at)
{
    return at != NK_JSON_NONE && nk_json_type(s->doc, at) == NK_JSON_OBJECT;
}

static bool speaks_of_members(const struct schema *s, uint32_t at)
{
    return keyword(s, at, "properties") != NK_JSON_NONE ||
           says(s, keyword(s, at, "additionalProperties")) ||
           says(s, keyword(s, at, "unevaluatedProperties"));
}

static bool speaks_of_items(const struct schema *s, uint32_t at)
{
    return keyword(s, at, "prefixItems") != NK_JSON_NONE || says(s, keyword(s, at, "items")) ||
           says(s, keyword(s, at, "unevaluatedItems")) ||
           keyword(s, at, "contains") != NK_JSON_NONE;
}

/* References ------------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    char low = (char)(c | 0x20);
    return c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* Undoes percent-encoding (RFC 3986, section 2.1); -1 when it is none. */
static ptrdiff_t percent_decode(struct nk_str in, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < in.n; i++) {
        out[n++] = in.p[i];
        if (in.p[i] != '%')
            continue;
        int high = i + 2 < in.n ? hex_digit(in.p[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(in.p[i + 2]) : -1;
        if (low < 0)
            return -1;
        out[n - 1] = (char)(high << 4 | low);
        i += 2;
    }
    return (ptrdiff_t)n;
}

/* The entry that a path of tokens leads to, or NK_JSON_NONE. */
static uint32_t entry_at(const struct nk_json *doc, const struct field_path *path)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < path->n && at != NK_JSON_NONE; i++) {
        const struct field_step *step = &path->steps[i];
        if (nk_json_type(doc, at) == NK_JSON_ARRAY) {
            uint32_t child = nk_json_first(doc, at);
            for (uint32_t k = 0; k < step->index && child != NK_JSON_NONE; k++)
                child = nk_json_next(doc, at, child);
            at = child;
        } else {
            at = nk_json_get(doc, at, step->name);
        }
    }
    return at;
}

/* Where the $ref in entry `ref` leads: into this document by a JSON Pointer, or nowhere that is known here. */
static int follow_ref(const struct schema *s, uint32_t ref, struct nk_arena *a, uint32_t *out)
{
    struct nk_str text = nk_json_string(s->doc, ref, a);
    char *plain = text.p ? nk_arena_alloc(a, text.n) : NULL;
    struct field_path path;
    if (!plain)
        return nk_json_type(s->doc, ref) == NK_JSON_STRING
                   ? NK_ENOMEM
                   : unsupported(s, ref, "this $ref is no text");
    if (!nk_str_starts(text, NK_STR("#")))
        return unsupported(s, ref, "a $ref to another document");
    ptrdiff_t n = percent_decode(nk_str_sub(text, 1, text.n), plain);
    struct nk_str pointer = {plain, n < 0 ? 0 : (size_t)n};
    if (n < 0 || (n > 0 && plain[0] != '/') || field_pointer_parse(pointer, a, &path, NULL))
        return unsupported(s, ref, "a $ref that is no JSON Pointer");
    *out = entry_at(s->doc, &path);
    return *out == NK_JSON_NONE ? unsupported(s, ref, "a $ref to nothing") : 0;
}

/* Opening --------------------------------------------------------------------------------------- */

static int check_keywords(const struct schema *s, uint32_t at)
{
    static const char *const no[] = {"patternProperties", "$dynamicRef", "$recursiveRef"};
    for (size_t i = 0; i < NK_COUNT(no); i++)
        if (keyword(s, at, no[i]) != NK_JSON_NONE)
            return unsupported(s, at, no[i]);
    if (at != 0 && keyword(s, at, "$id") != NK_JSON_NONE)
        return unsupported(s, at, "$id inside a schema");
    if (nk_json_type(s->doc, keyword(s, at, "items")) == NK_JSON_ARRAY &&
        keyword(s, at, "items") != NK_JSON_NONE)
        return unsupported(s, at, "items as a list (it is prefixItems now)");
    return 0;
}

/* What an opening still has to look at. */
struct opening {
    struct field_set seen;
    uint32_t *todo;
    uint32_t n, cap;
    struct nk_arena *arena;
};

static int open_later(struct opening *o, uint32_t at)
{
    if (at == NK_JSON_NONE || field_set_has(&o->seen, at))
        return 0;
    if (o->n == o->cap) {
        uint32_t cap = o->cap ? o->cap * 2 : 16;
        uint32_t *more = nk_arena_array(o->arena, cap, sizeof *more);
        if (!more)
            return NK_ENOMEM;
        if (o->n)
            memcpy(more, o->todo, o->n * sizeof *more);
        o->todo = more;
        o->cap = cap;
    }
    o->todo[o->n++] = at;
    return field_set_add(&o->seen, at, o->arena);
}

/* All values of the array or object that keyword `name` of `at` has. */
static int open_all(const struct schema *s, uint32_t at, const char *name, struct opening *o)
{
    uint32_t list = keyword(s, at, name);
    int rc = 0;
    if (list == NK_JSON_NONE)
        return 0;
    bool object = nk_json_type(s->doc, list) == NK_JSON_OBJECT;
    for (uint32_t i = nk_json_first(s->doc, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(s->doc, list, i))
        rc = open_later(o, object ? i + 1 : i);
    return rc;
}

/* What applies to the same value as subschema `at`. */
static int open_beside(const struct schema *s, uint32_t at, struct opening *o)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf", "dependentSchemas"};
    static const char *const single[] = {"if", "then", "else"};
    uint32_t ref = keyword(s, at, "$ref"), target = NK_JSON_NONE;
    int rc = ref == NK_JSON_NONE ? 0 : follow_ref(s, ref, o->arena, &target);
    rc = rc ? rc : open_later(o, target);
    for (size_t i = 0; i < NK_COUNT(lists) && !rc; i++)
        rc = open_all(s, at, lists[i], o);
    for (size_t i = 0; i < NK_COUNT(single) && !rc; i++)
        rc = open_later(o, keyword(s, at, single[i]));
    return rc;
}

/* Adds subschema `at` with all that apply beside it; those that speak of nothing are no places. */
static int open_schema(const struct schema *s, uint32_t at, struct nk_arena *a,
                       struct field_set *out)
{
    struct opening o = {.arena = a};
    int rc = open_later(&o, at);
    while (o.n > 0 && !rc) {
        uint32_t next = o.todo[--o.n];
        if (!is_schema(s, next))
            continue;
        rc = check_keywords(s, next);
        rc = rc ? rc : open_beside(s, next, &o);
        if (!rc && (speaks_of_members(s, next) || speaks_of_items(s, next)))
            rc = field_set_add(out, next, a);
    }
    return rc;
}

/* As a source of states ------------------------------------------------------------------------- */

static int schema_symbols(const struct field_source *source, const struct field_set *set,
                          struct field_symbols *out)
{
    const struct schema *s = schema_of(source);
    int rc = 0;
    for (uint32_t i = 0; i < set->n && set->at[i] != GONE; i++) {
        uint32_t list = keyword(s, set->at[i], "properties"), index = 0;
        uint32_t prefix = keyword(s, set->at[i], "prefixItems");
        for (uint32_t k = nk_json_first(s->doc, list); k != NK_JSON_NONE && !rc;
             k = nk_json_next(s->doc, list, k)) {
            struct nk_str name = nk_json_string(s->doc, k, out->arena);
            rc = name.p ? field_symbols_add(
                              out, &(struct field_symbol){.name = name, .index = FIELD_NO_INDEX})
                        : NK_ENOMEM;
        }
        for (uint32_t k = nk_json_first(s->doc, prefix); k != NK_JSON_NONE && !rc;
             k = nk_json_next(s->doc, prefix, k), index++)
            rc = field_symbols_add(out, &(struct field_symbol){.index = index, .item = true});
        if (rc)
            return rc;
    }
    return 0;
}

/* The schemas that one subschema has for a way down, at most two; NK_JSON_NONE: none. */
struct found {
    uint32_t one, more;
};

static uint32_t if_schema(const struct schema *s, uint32_t at)
{
    return is_schema(s, at) && says(s, at) ? at : NK_JSON_NONE;
}

static struct found find_member(const struct schema *s, uint32_t at,
                                const struct field_symbol *symbol)
{
    uint32_t list = keyword(s, at, "properties");
    uint32_t own = symbol->name.p ? nk_json_get(s->doc, list, symbol->name) : NK_JSON_NONE;
    if (own != NK_JSON_NONE)
        return (struct found){own, NK_JSON_NONE};
    return (struct found){if_schema(s, keyword(s, at, "additionalProperties")),
                          if_schema(s, keyword(s, at, "unevaluatedProperties"))};
}

static struct found find_item(const struct schema *s, uint32_t at,
                              const struct field_symbol *symbol)
{
    uint32_t prefix = keyword(s, at, "prefixItems"), contains = keyword(s, at, "contains");
    uint32_t item = nk_json_first(s->doc, prefix);
    for (uint32_t k = 0; k < symbol->index && item != NK_JSON_NONE; k++)
        item = nk_json_next(s->doc, prefix, item);
    if (item == NK_JSON_NONE) {
        item = if_schema(s, keyword(s, at, "items"));
        if (item == NK_JSON_NONE)
            item = if_schema(s, keyword(s, at, "unevaluatedItems"));
    }
    return (struct found){item, contains};
}

static int schema_step(const struct field_source *source, const struct field_set *set,
                       const struct field_symbol *symbol, struct nk_arena *a, struct field_set *out)
{
    const struct schema *s = schema_of(source);
    bool spoken = false, declared = false;
    int rc = 0;
    for (uint32_t i = 0; i < set->n && set->at[i] != GONE && !rc; i++) {
        uint32_t at = set->at[i];
        if (!(symbol->item ? speaks_of_items(s, at) : speaks_of_members(s, at)))
            continue;
        struct found found = symbol->item ? find_item(s, at, symbol) : find_member(s, at, symbol);
        spoken = true;
        declared |= found.one != NK_JSON_NONE || found.more != NK_JSON_NONE;
        if (found.one != NK_JSON_NONE)
            rc = open_schema(s, found.one, a, out);
        if (found.more != NK_JSON_NONE && !rc)
            rc = open_schema(s, found.more, a, out);
    }
    if (!rc && spoken && !declared)
        rc = field_set_add(out, GONE, a);
    return rc;
}

static int schema_action(const struct field_source *source, uint32_t place)
{
    (void)source;
    return place == GONE ? 0 : -1;
}

int field_states_of_schema(const struct nk_json *schema, struct nk_arena *a,
                           struct field_states *out, struct nk_fault *f)
{
    static const struct field_action drop = {.hide = NK_FIELD_DROP};
    struct schema s = {.source = {.actions = &drop,
                                  .symbols = schema_symbols,
                                  .step = schema_step,
                                  .action = schema_action},
                       .doc = schema,
                       .fault = f};
    struct nk_arena scratch;
    nk_arena_init(&scratch, 16 << 20);
    int rc = open_schema(&s, 0, &scratch, &s.source.start);
    if (rc == NK_ENOMEM || rc == NK_ELIMIT)
        rc = nk_fault_set(f, rc, "field", 0, "output schema: too much of it applies to one value");
    rc = rc ? rc : field_states_build(&s.source, a, out, f);
    nk_arena_free(&scratch);
    return rc;
}
