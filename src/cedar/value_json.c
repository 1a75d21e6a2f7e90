/* SPDX-License-Identifier: Apache-2.0
 *
 * value_json.c - Cedar's JSON form of values and entities (docs.cedarpolicy.com, "Entities and
 * context syntax"):
 *
 *   {"__entity": {"type": "User", "id": "alice"}} an entity
 *   {"__extn": {"fn": "ip", "arg": "10.0.0.1"}}   an extension value; "args": [...] for several
 *   true, 7, "text", [...], {...}                 the rest as it looks; null, 1.5: errors
 *
 * Stricter than the reference in one point: an object with a member __entity, __extn or __expr is
 * that escape and nothing else. A misspelt one is an error here, not a record.
 */
#include "cedar/entities.h"
#include "cedar/ext.h"

enum {
    ENTITIES_BYTES = 256 << 20,
    ENTITIES_DEPTH = 256,
    ENTITIES_VALUES = 1 << 26,
    VALUE_DEPTH = 256, /* recursion here; JSON's own limit may be higher */
};

struct reading {
    const struct nk_json *doc;
    struct nk_arena *arena;
    struct nk_fault *fault;
    unsigned depth;
};

static int bad(const struct reading *r, uint32_t at, int code, const char *why)
{
    size_t offset = at == NK_JSON_NONE ? 0 : r->doc->tape[at].start;
    return nk_fault_set(r->fault, code, "cedar", offset, "byte %zu: %s", offset, why);
}

static int read_value(struct reading *r, uint32_t at, const struct nk_cedar_value **out);

static int read_string(struct reading *r, uint32_t at, struct nk_str *out, const char *why)
{
    if (at == NK_JSON_NONE || nk_json_type(r->doc, at) != NK_JSON_STRING)
        return bad(r, at, NK_EINVAL, why);
    *out = nk_json_string(r->doc, at, r->arena);
    return out->p ? 0 : bad(r, at, NK_ENOMEM, "out of memory");
}

/* {"type","id"}; other members are ignored, as the reference does. */
static int read_uid_plain(struct reading *r, uint32_t at, struct nk_cedar_uid *out)
{
    int rc = read_string(r, nk_json_get(r->doc, at, NK_STR("type")), &out->type,
                         "an entity needs a string \"type\"");
    if (rc)
        return rc;
    if (!nk_cedar_type_ok(out->type))
        return bad(r, at, NK_EINVAL, "this is not the name of an entity type");
    return read_string(r, nk_json_get(r->doc, at, NK_STR("id")), &out->id,
                       "an entity needs a string \"id\"");
}

static int read_uid(struct reading *r, uint32_t at, struct nk_cedar_uid *out)
{
    uint32_t inner = nk_json_get(r->doc, at, NK_STR("__entity"));
    if (at == NK_JSON_NONE || nk_json_type(r->doc, at) != NK_JSON_OBJECT)
        return bad(r, at, NK_EINVAL, "expected an entity: {\"type\", \"id\"}");
    return read_uid_plain(r, inner == NK_JSON_NONE ? at : inner, out);
}

static int read_entity(struct reading *r, uint32_t at, const struct nk_cedar_value **out)
{
    struct nk_cedar_uid uid;
    int rc = read_uid_plain(r, at, &uid);
    if (rc)
        return rc;
    *out = nk_cedar_entity(r->arena, uid);
    return *out ? 0 : bad(r, at, NK_ENOMEM, "out of memory");
}

/* The arguments of an extension value; more than the function takes is an error. */
static int read_args(struct reading *r, uint32_t at, const struct nk_cedar_value **args, size_t *n)
{
    uint32_t one = nk_json_get(r->doc, at, NK_STR("arg"));
    uint32_t many = nk_json_get(r->doc, at, NK_STR("args"));
    *n = 0;
    if ((one == NK_JSON_NONE) == (many == NK_JSON_NONE))
        return bad(r, at, NK_EINVAL, "an extension value needs \"arg\" or \"args\"");
    if (one != NK_JSON_NONE) {
        *n = 1;
        return read_value(r, one, &args[0]);
    }
    if (nk_json_type(r->doc, many) != NK_JSON_ARRAY)
        return bad(r, many, NK_EINVAL, "\"args\" must be an array");
    for (uint32_t item = nk_json_first(r->doc, many); item != NK_JSON_NONE;
         item = nk_json_next(r->doc, many, item)) {
        if (*n == CEDAR_EXT_ARGS)
            return bad(r, item, NK_EINVAL, "too many arguments");
        int rc = read_value(r, item, &args[(*n)++]);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_extension(struct reading *r, uint32_t at, const struct nk_cedar_value **out)
{
    const struct nk_cedar_value *args[CEDAR_EXT_ARGS];
    struct cedar_call call = {.arena = r->arena};
    struct nk_str name;
    size_t n;
    int rc = read_string(r, nk_json_get(r->doc, at, NK_STR("fn")), &name,
                         "an extension value needs a string \"fn\"");
    if (rc)
        return rc;
    const struct cedar_ext *ext = cedar_ext_find(name);
    if (!ext)
        return bad(r, at, NK_EINVAL, "there is no extension function of this name");
    rc = read_args(r, at, args, &n);
    if (rc)
        return rc;
    *out = cedar_ext_call(ext, &call, args, n);
    return *out ? 0 : bad(r, at, call.code, call.what);
}

static int read_members(struct reading *r, uint32_t at, const struct nk_cedar_value **out)
{
    struct nk_cedar_member *members =
        nk_arena_array(r->arena, r->doc->tape[at].count, sizeof *members);
    size_t n = 0;
    if (!members)
        return bad(r, at, NK_ENOMEM, "out of memory");
    for (uint32_t name = nk_json_first(r->doc, at); name != NK_JSON_NONE;
         name = nk_json_next(r->doc, at, name), n++) {
        int rc = read_string(r, name, &members[n].name, "expected a name");
        if (!rc)
            rc = read_value(r, name + 1, &members[n].value);
        if (rc)
            return rc;
    }
    int rc = cedar_record_new(r->arena, members, n, out);
    return rc ? bad(r, at, rc, "this record is too large or has a name twice") : 0;
}

static int read_items(struct reading *r, uint32_t at, const struct nk_cedar_value **out)
{
    const struct nk_cedar_value **items =
        nk_arena_array(r->arena, r->doc->tape[at].count, sizeof *items);
    size_t n = 0;
    if (!items)
        return bad(r, at, NK_ENOMEM, "out of memory");
    for (uint32_t item = nk_json_first(r->doc, at); item != NK_JSON_NONE;
         item = nk_json_next(r->doc, at, item)) {
        int rc = read_value(r, item, &items[n++]);
        if (rc)
            return rc;
    }
    int rc = cedar_set_new(r->arena, items, n, out);
    return rc ? bad(r, at, rc, "this set is too large") : 0;
}

static int read_object(struct reading *r, uint32_t at, const struct nk_cedar_value **out)
{
    uint32_t entity = nk_json_get(r->doc, at, NK_STR("__entity"));
    uint32_t extension = nk_json_get(r->doc, at, NK_STR("__extn"));
    if (nk_json_get(r->doc, at, NK_STR("__expr")) != NK_JSON_NONE)
        return bad(r, at, NK_EINVAL, "__expr is no longer part of Cedar");
    if (entity == NK_JSON_NONE && extension == NK_JSON_NONE)
        return read_members(r, at, out);
    if (r->doc->tape[at].count != 1)
        return bad(r, at, NK_EINVAL, "an escape must be the only member of its object");
    return entity != NK_JSON_NONE ? read_entity(r, entity, out) : read_extension(r, extension, out);
}

static int read_scalar(struct reading *r, uint32_t at, const struct nk_cedar_value **out)
{
    struct nk_str text;
    int64_t number;
    int rc = 0;
    switch (nk_json_type(r->doc, at)) {
    case NK_JSON_TRUE:
    case NK_JSON_FALSE:
        *out = nk_json_type(r->doc, at) == NK_JSON_TRUE ? &cedar_true : &cedar_false;
        break;
    case NK_JSON_INT:
        rc = nk_json_i64(r->doc, at, &number);
        *out = rc ? NULL : nk_cedar_long(r->arena, number);
        break;
    case NK_JSON_STRING:
        rc = read_string(r, at, &text, "expected a string");
        *out = rc ? NULL : nk_cedar_string(r->arena, text);
        break;
    default:
        return bad(r, at, NK_EINVAL,
                   "Cedar has neither null nor numbers with fractions, and "
                   "integers must fit in 64 bits");
    }
    return rc || *out ? rc : bad(r, at, NK_ENOMEM, "out of memory");
}

static int read_value(struct reading *r, uint32_t at, const struct nk_cedar_value **out)
{
    enum nk_json_type type = nk_json_type(r->doc, at);
    if (type != NK_JSON_OBJECT && type != NK_JSON_ARRAY)
        return read_scalar(r, at, out);
    if (r->depth == VALUE_DEPTH)
        return bad(r, at, NK_ELIMIT, "this value is nested too deeply");
    r->depth++;
    int rc = type == NK_JSON_OBJECT ? read_object(r, at, out) : read_items(r, at, out);
    r->depth--;
    return rc;
}

int nk_cedar_value_parse(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                         const struct nk_cedar_value **out, struct nk_fault *f)
{
    struct reading r = {.doc = doc, .arena = a, .fault = f};
    return read_value(&r, at, out);
}

/* An object whose members are values: attributes and tags. Escapes mean nothing at this level. */
static int read_attributes(struct reading *r, uint32_t at, bool needed,
                           const struct nk_cedar_value **out)
{
    *out = NULL;
    if (at == NK_JSON_NONE && !needed)
        return 0;
    if (at == NK_JSON_NONE || nk_json_type(r->doc, at) != NK_JSON_OBJECT)
        return bad(r, at, NK_EINVAL, "an entity needs an object \"attrs\"; \"tags\" is one too");
    return read_members(r, at, out);
}

static int read_parents(struct reading *r, uint32_t at, struct nk_cedar_uid **out, size_t *n)
{
    if (at == NK_JSON_NONE || nk_json_type(r->doc, at) != NK_JSON_ARRAY)
        return bad(r, at, NK_EINVAL, "an entity needs an array \"parents\"");
    *n = 0;
    *out = nk_arena_array(r->arena, r->doc->tape[at].count, sizeof **out);
    if (!*out)
        return bad(r, at, NK_ENOMEM, "out of memory");
    for (uint32_t item = nk_json_first(r->doc, at); item != NK_JSON_NONE;
         item = nk_json_next(r->doc, at, item)) {
        int rc = read_uid(r, item, &(*out)[(*n)++]);
        if (rc)
            return rc;
    }
    return 0;
}

static int read_one_entity(struct reading *r, uint32_t at, struct nk_cedar_entities *e)
{
    const struct nk_cedar_value *attrs, *tags;
    struct nk_cedar_uid uid, *parents;
    size_t n;
    int rc = read_uid(r, nk_json_get(r->doc, at, NK_STR("uid")), &uid);
    if (!rc)
        rc = read_parents(r, nk_json_get(r->doc, at, NK_STR("parents")), &parents, &n);
    if (!rc)
        rc = read_attributes(r, nk_json_get(r->doc, at, NK_STR("attrs")), true, &attrs);
    if (!rc)
        rc = read_attributes(r, nk_json_get(r->doc, at, NK_STR("tags")), false, &tags);
    if (rc)
        return rc;
    rc = nk_cedar_entities_add(e, uid, parents, n, attrs, tags);
    if (rc == NK_ECONFLICT && cedar_entities_repeats(e, uid, parents, n, attrs, tags))
        return 0;
    return rc ? bad(r, at, rc, "this entity is there already, or memory is out") : 0;
}

int nk_cedar_entities_parse(struct nk_cedar_entities *e, struct nk_str json, struct nk_fault *f)
{
    static const struct nk_json_limits limits = {ENTITIES_BYTES, ENTITIES_DEPTH, ENTITIES_VALUES};
    struct nk_arena *arena = cedar_entities_arena(e);
    struct nk_json doc;
    int rc = nk_json_parse_any_name(&limits, json, arena, &doc, f);
    if (rc)
        return rc;
    struct reading r = {.doc = &doc, .arena = arena, .fault = f};
    if (nk_json_type(&doc, 0) != NK_JSON_ARRAY)
        return bad(&r, 0, NK_EINVAL, "expected an array of entities");
    for (uint32_t item = nk_json_first(&doc, 0); !rc && item != NK_JSON_NONE;
         item = nk_json_next(&doc, 0, item))
        rc = read_one_entity(&r, item, e);
    return rc;
}
