/* SPDX-License-Identifier: Apache-2.0
 *
 * valid_json.c - entities and contexts as JSON, read with a schema at hand (docs.cedarpolicy.com, "Entities JSON
 * format"): where it says which type stands there, the escapes may be left out. {"type","id"} is then an
 * entity and not a record, "10.0.0.1" an ipaddr and not a string. What is written with escapes is read too.
 */
#include "cedar/valid_data.h"

#include "cedar/entities.h"
#include "cedar/ext.h"

enum { DATA_BYTES = 1 << 30, DATA_DEPTH = 512, DATA_VALUES = (1 << 27) - 1 };

static const struct nk_str none = {NULL, 0};

struct reading {
    const struct nk_cedar_schema *s;
    const struct nk_json *doc;
    struct nk_arena *arena;
    struct nk_cedar_diags *diags;
    bool escaped; /* the schema does not help: entities and extension values have escapes */
};

static int wrong(struct reading *r, uint32_t at, const char *why)
{
    struct nk_cedar_diag diag = {
        .code = NK_CEDAR_DIAG_FORM, .text = r->doc->text, .args = {nk_str(why), none, none}};
    if (at < r->doc->n) {
        diag.offset = r->doc->tape[at].start;
        diag.end = r->doc->tape[at].end;
    }
    nk_cedar_diags_add(r->diags, &diag);
    return NK_EINVAL;
}

static int no_memory(struct reading *r)
{
    struct nk_cedar_diag diag = {.code = NK_CEDAR_DIAG_MEMORY};
    nk_cedar_diags_add(r->diags, &diag);
    return NK_ENOMEM;
}

static uint32_t get(const struct reading *r, uint32_t at, const char *name)
{
    return nk_json_get(r->doc, at, nk_str(name));
}

static int untyped(struct reading *r, uint32_t at, const struct nk_cedar_value **out)
{
    struct nk_fault f = {0};
    int rc = nk_cedar_value_parse(r->doc, at, r->arena, out, &f);
    return rc ? wrong(r, at,
                      *f.message ? nk_arena_copy(r->diags->arena, nk_str(f.message)).p
                                 : "this is no value of Cedar")
              : 0;
}

/* {"type": …, "id": …}, in "__entity" or not. Further members mean nothing. */
static int read_uid(struct reading *r, uint32_t at, struct nk_cedar_uid *out)
{
    uint32_t inner = get(r, at, "__entity");
    at = inner == NK_JSON_NONE ? at : inner;
    uint32_t type = get(r, at, "type"), id = get(r, at, "id");
    if (nk_json_type(r->doc, at) != NK_JSON_OBJECT || type == NK_JSON_NONE || id == NK_JSON_NONE ||
        nk_json_type(r->doc, type) != NK_JSON_STRING || nk_json_type(r->doc, id) != NK_JSON_STRING)
        return wrong(r, at, "an entity is {\"type\": …, \"id\": …}, both strings");
    *out = (struct nk_cedar_uid){nk_json_string(r->doc, type, r->arena),
                                 nk_json_string(r->doc, id, r->arena)};
    if (!out->type.p || !out->id.p)
        return no_memory(r);
    return nk_cedar_type_ok(out->type) ? 0 : wrong(r, type, "this is no name of an entity type");
}

static int typed_entity(struct reading *r, uint32_t at, const struct nk_cedar_value **out)
{
    struct nk_cedar_uid uid;
    int rc = read_uid(r, at, &uid);
    if (rc)
        return rc;
    *out = nk_cedar_entity(r->arena, uid);
    return *out ? 0 : no_memory(r);
}

static int construct(struct reading *r, uint32_t at, struct nk_str name, struct nk_str text,
                     const struct nk_cedar_value **out)
{
    const struct cedar_ext *ext = cedar_ext_find(name);
    const struct nk_cedar_value *arg = nk_cedar_string(r->arena, text);
    struct cedar_call call = {.arena = r->arena};
    if (!arg)
        return no_memory(r);
    if (!ext || ext->method)
        return wrong(r, at, "there is no extension function of this name");
    *out = cedar_ext_call(ext, &call, &arg, 1);
    if (*out)
        return 0;
    return call.code == NK_ENOMEM ? no_memory(r) : wrong(r, at, call.what);
}

/* "1.5", {"fn": "decimal", "arg": "1.5"}, or the latter in "__extn". */
static int typed_ext(struct reading *r, uint32_t at, enum cedar_kind kind,
                     const struct nk_cedar_value **out)
{
    static const char *const names[] = {"decimal", "ip", "datetime", "duration"};
    uint32_t fn = get(r, at, "fn"), arg = get(r, at, "arg");
    if (nk_json_type(r->doc, at) == NK_JSON_STRING) {
        struct nk_str text = nk_json_string(r->doc, at, r->arena);
        return text.p ? construct(r, at, nk_str(names[kind - CEDAR_DECIMAL]), text, out)
                      : no_memory(r);
    }
    if (fn == NK_JSON_NONE || arg == NK_JSON_NONE)
        return untyped(r, at, out);
    struct nk_str name = nk_json_string(r->doc, fn, r->arena);
    struct nk_str text = nk_json_string(r->doc, arg, r->arena);
    if (!name.p || !text.p)
        return wrong(r, at, "`fn` and `arg` are strings");
    return construct(r, at, name, text, out);
}

static int typed(struct reading *r, uint32_t at, const struct cedar_type *type,
                 const struct nk_cedar_value **out);

static int typed_set(struct reading *r, uint32_t at, const struct cedar_type *element,
                     const struct nk_cedar_value **out)
{
    uint32_t n = 0;
    if (nk_json_type(r->doc, at) != NK_JSON_ARRAY)
        return wrong(r, at, "the schema says that a set stands here");
    const struct nk_cedar_value **items =
        nk_arena_array(r->arena, r->doc->tape[at].count, sizeof *items);
    if (!items)
        return no_memory(r);
    for (uint32_t item = nk_json_first(r->doc, at); item != NK_JSON_NONE;
         item = nk_json_next(r->doc, at, item)) {
        int rc = typed(r, item, element, &items[n++]);
        if (rc)
            return rc;
    }
    *out = nk_cedar_set(r->arena, items, n);
    return *out ? 0 : no_memory(r);
}

/* Members get the type that `shape` gives them; `other` (or NULL: none) is the type of all others. */
static int typed_members(struct reading *r, uint32_t at, const struct cedar_type *shape,
                         const struct cedar_type *other, const struct nk_cedar_value **out)
{
    uint32_t n = 0;
    if (nk_json_type(r->doc, at) != NK_JSON_OBJECT)
        return wrong(r, at, "the schema says that a record stands here");
    struct nk_cedar_member *members =
        nk_arena_array(r->arena, r->doc->tape[at].count, sizeof *members);
    if (!members)
        return no_memory(r);
    for (uint32_t name = nk_json_first(r->doc, at); name != NK_JSON_NONE;
         name = nk_json_next(r->doc, at, name), n++) {
        members[n].name = nk_json_string(r->doc, name, r->arena);
        const struct cedar_type_attr *attr =
            shape && members[n].name.p ? cedar_type_attr(shape, members[n].name) : NULL;
        const struct cedar_type *type = attr ? attr->type : other;
        int rc = !members[n].name.p ? no_memory(r)
                 : type             ? typed(r, name + 1, type, &members[n].value)
                                    : untyped(r, name + 1, &members[n].value);
        if (rc)
            return rc;
    }
    *out = nk_cedar_record(r->arena, members, n);
    return *out ? 0 : no_memory(r);
}

/* Recursion ends: types are no deeper than CEDAR_TYPE_DEPTH. */
static int typed(struct reading *r, uint32_t at, const struct cedar_type *type,
                 const struct nk_cedar_value **out)
{
    switch ((enum cedar_type_kind)type->kind) {
    case CEDAR_TYPE_ENTITY:
    case CEDAR_TYPE_ANY_ENTITY:
        return typed_entity(r, at, out);
    case CEDAR_TYPE_EXT:
        return typed_ext(r, at, (enum cedar_kind)type->ext, out);
    case CEDAR_TYPE_SET:
        return typed_set(r, at, type->of.element, out);
    case CEDAR_TYPE_RECORD:
        return typed_members(r, at, type, NULL, out);
    default:
        return untyped(r, at, out);
    }
}

/* Entities ---------------------------------------------------------------------------------------------- */

static int read_parents(struct reading *r, uint32_t at, struct nk_cedar_uid **out, size_t *n)
{
    *n = 0;
    if (at == NK_JSON_NONE || nk_json_type(r->doc, at) != NK_JSON_ARRAY)
        return wrong(r, at, "an entity needs an array \"parents\"");
    *out = nk_arena_array(r->arena, r->doc->tape[at].count, sizeof **out);
    if (!*out)
        return no_memory(r);
    for (uint32_t item = nk_json_first(r->doc, at); item != NK_JSON_NONE;
         item = nk_json_next(r->doc, at, item)) {
        int rc = read_uid(r, item, &(*out)[(*n)++]);
        if (rc)
            return rc;
    }
    return 0;
}

/* What validation adds to the list concerns the entity that begins here. */
static void place(struct reading *r, uint32_t at, const struct nk_cedar_diag *before)
{
    struct nk_cedar_diag *d = before ? before->next : r->diags->first;
    for (; d; d = d->next)
        if (!d->text.p) {
            d->text = r->doc->text;
            d->offset = r->doc->tape[at].start;
            d->end = r->doc->tape[at].end;
        }
}

static int read_entity(struct reading *r, uint32_t at, struct nk_cedar_entities *e)
{
    const struct nk_cedar_value *attrs = NULL, *tags = NULL;
    const struct nk_cedar_diag *before = r->diags->last;
    struct nk_cedar_uid uid, *parents = NULL;
    uint32_t own = get(r, at, "attrs"), own_tags = get(r, at, "tags");
    size_t n = 0;
    int rc = read_uid(r, get(r, at, "uid"), &uid);
    if (!rc && own == NK_JSON_NONE)
        rc = wrong(r, at, "an entity needs an object \"attrs\"");
    if (!rc)
        rc = read_parents(r, get(r, at, "parents"), &parents, &n);
    if (rc)
        return rc;
    const struct cedar_etype *type = r->escaped ? NULL : cedar_schema_etype(r->s, uid.type);
    rc = typed_members(r, own, type ? type->shape : NULL, NULL, &attrs);
    if (!rc && own_tags != NK_JSON_NONE)
        rc = typed_members(r, own_tags, NULL, type ? type->tags : NULL, &tags);
    if (!rc)
        rc = nk_cedar_validate_entity(r->s, uid, parents, n, attrs, tags, r->diags);
    place(r, at, before);
    if (rc || !e)
        return rc;
    struct cedar_uid own_uid = cedar_uid(uid);
    const struct cedar_action *action = cedar_schema_action(r->s, &own_uid);
    if (action) { /* also the groups of its groups, whether or not these are in the data */
        parents = cedar_action_parents(action, r->arena);
        n = action->ancestor_n;
    }
    if (!parents)
        return no_memory(r);
    rc = nk_cedar_entities_add(e, uid, parents, n, attrs, tags);
    if (rc == NK_ECONFLICT && cedar_entities_repeats(e, uid, parents, n, attrs, tags))
        return 0;
    return rc == NK_ENOMEM ? no_memory(r) : rc ? wrong(r, at, "this entity is there already") : 0;
}

/* `e` may be NULL: then entities are only looked at. */
static int read_entities(struct nk_cedar_entities *e, const struct nk_cedar_schema *s,
                         struct nk_str json, bool escaped, struct nk_arena *a,
                         struct nk_cedar_diags *d)
{
    static const struct nk_json_limits limits = {DATA_BYTES, DATA_DEPTH, DATA_VALUES};
    struct nk_json doc;
    struct nk_fault f = {0};
    int rc = nk_json_parse_any_name(&limits, json, a, &doc, &f);
    if (rc) {
        nk_cedar_diags_syntax(d, json, &f);
        return rc;
    }
    struct reading r = {s, &doc, a, d, escaped};
    if (nk_json_type(&doc, 0) != NK_JSON_ARRAY)
        return wrong(&r, 0, "expected an array of entities");
    for (uint32_t item = nk_json_first(&doc, 0); item != NK_JSON_NONE;
         item = nk_json_next(&doc, 0, item)) {
        int one = read_entity(&r, item, e);
        rc = rc ? rc : one;
        if (rc && e)
            break;
    }
    return rc;
}

int nk_cedar_entities_parse_typed(struct nk_cedar_entities *e, const struct nk_cedar_schema *s,
                                  struct nk_str json, struct nk_arena *a, struct nk_cedar_diags *d)
{
    return read_entities(e, s, json, false, a, d);
}

int nk_cedar_validate_entities(const struct nk_cedar_schema *s, struct nk_str json,
                               struct nk_arena *scratch, struct nk_cedar_diags *d)
{
    return read_entities(NULL, s, json, true, scratch, d);
}

int nk_cedar_context_parse_typed(const struct nk_cedar_schema *s, struct nk_cedar_uid action,
                                 const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                                 const struct nk_cedar_value **out, struct nk_cedar_diags *d)
{
    struct reading r = {s, doc, a, d, false};
    struct cedar_uid uid = cedar_uid(action);
    const struct cedar_action *found = cedar_schema_action(s, &uid);
    if (!found)
        return NK_ENOTFOUND;
    return typed_members(&r, at, found->context, NULL, out);
}
