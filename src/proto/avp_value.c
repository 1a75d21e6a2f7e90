/* SPDX-License-Identifier: Apache-2.0
 *
 * avp_value.c - values and entities as Verified Permissions writes them, as Cedar values. An AttributeValue is
 * an object with one member, whose name is the type; extension values are made by the same functions that
 * policies call.
 */
#include "cedar/ext.h"
#include "proto/avp.h"
#include "proto/member.h"

static const char stage[] = "proto";

static int bad(const struct nk_json *doc, uint32_t at, int code, const char *what,
               struct nk_fault *f)
{
    return nk_fault_set(f, code, stage, at < doc->n ? doc->tape[at].start : 0, "%s", what);
}

static int keep(const struct nk_json *doc, uint32_t at, const struct nk_cedar_value *made,
                const struct nk_cedar_value **out, struct nk_fault *f)
{
    *out = made;
    return made ? 0 : bad(doc, at, NK_ENOMEM, "out of memory", f);
}

int nk_avp_entity(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                  struct nk_cedar_uid *out, struct nk_fault *f)
{
    int rc = nk_member_expect(doc, at, NK_STR("entity"), NK_JSON_OBJECT, f);
    if (!rc)
        rc = nk_member_string(doc, at, NK_STR("entityType"), false, a, &out->type, f);
    if (!rc)
        rc = nk_member_string(doc, at, NK_STR("entityId"), true, a, &out->id, f);
    if (!rc && !out->type.p)
        rc = nk_member_missing(doc, at, NK_STR("entityType"), f);
    if (!rc && !out->id.p)
        rc = nk_member_missing(doc, at, NK_STR("entityId"), f);
    if (!rc && !nk_cedar_type_ok(out->type))
        rc = bad(doc, at, NK_EINVAL, "\"entityType\" is not the name of an entity type", f);
    return rc;
}

static int read_value(const struct nk_json *doc, uint32_t at, unsigned depth, struct nk_arena *a,
                      const struct nk_cedar_value **out, struct nk_fault *f);

static int read_long(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                     const struct nk_cedar_value **out, struct nk_fault *f)
{
    int64_t v;
    if (nk_json_i64(doc, at, &v))
        return bad(doc, at, NK_EINVAL, "\"long\" must be an integer of 64 bits", f);
    return keep(doc, at, nk_cedar_long(a, v), out, f);
}

static int read_bool(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                     const struct nk_cedar_value **out, struct nk_fault *f)
{
    enum nk_json_type type = nk_json_type(doc, at);
    if (type != NK_JSON_TRUE && type != NK_JSON_FALSE)
        return bad(doc, at, NK_EINVAL, "\"boolean\" must be true or false", f);
    return keep(doc, at, nk_cedar_bool(a, type == NK_JSON_TRUE), out, f);
}

static int read_string(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                       const struct nk_cedar_value **out, struct nk_fault *f)
{
    int rc = nk_member_expect(doc, at, NK_STR("string"), NK_JSON_STRING, f);
    return rc ? rc : keep(doc, at, nk_cedar_string(a, nk_json_string(doc, at, a)), out, f);
}

static int read_reference(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                          const struct nk_cedar_value **out, struct nk_fault *f)
{
    struct nk_cedar_uid uid;
    int rc = nk_avp_entity(doc, at, a, &uid, f);
    return rc ? rc : keep(doc, at, nk_cedar_entity(a, uid), out, f);
}

/* {"ipaddr": "10.0.0.1"}: the function of this name, called with that text. */
static int read_extension(const struct nk_json *doc, uint32_t at, const char *function,
                          struct nk_arena *a, const struct nk_cedar_value **out, struct nk_fault *f)
{
    struct cedar_call call = {.arena = a};
    const struct nk_cedar_value *text = NULL;
    const struct cedar_ext *ext = cedar_ext_find(nk_str(function));
    int rc = nk_member_expect(doc, at, nk_str(function), NK_JSON_STRING, f);
    NK_MUST(ext);
    if (!rc)
        rc = keep(doc, at, nk_cedar_string(a, nk_json_string(doc, at, a)), &text, f);
    if (rc)
        return rc;
    *out = cedar_ext_call(ext, &call, &text, 1);
    return *out ? 0 : bad(doc, at, call.code, call.what, f);
}

static int read_set(const struct nk_json *doc, uint32_t at, unsigned depth, struct nk_arena *a,
                    const struct nk_cedar_value **out, struct nk_fault *f)
{
    int rc = nk_member_expect(doc, at, NK_STR("set"), NK_JSON_ARRAY, f);
    if (rc)
        return rc;
    size_t n = 0;
    const struct nk_cedar_value **items = nk_arena_array(a, doc->tape[at].count + 1, sizeof *items);
    if (!items)
        return bad(doc, at, NK_ENOMEM, "out of memory", f);
    for (uint32_t i = nk_json_first(doc, at); i != NK_JSON_NONE && !rc;
         i = nk_json_next(doc, at, i))
        rc = read_value(doc, i, depth, a, &items[n++], f);
    return rc ? rc : keep(doc, at, nk_cedar_set(a, items, n), out, f);
}

static int read_members(const struct nk_json *doc, uint32_t at, unsigned depth, struct nk_arena *a,
                        struct nk_cedar_member **out, size_t *n, struct nk_fault *f)
{
    int rc = nk_member_expect(doc, at, NK_STR("record"), NK_JSON_OBJECT, f);
    *n = 0;
    if (rc)
        return rc;
    struct nk_cedar_member *members = nk_arena_array(a, doc->tape[at].count + 1, sizeof *members);
    *out = members;
    if (!members)
        return bad(doc, at, NK_ENOMEM, "out of memory", f);
    for (uint32_t i = nk_json_first(doc, at); i != NK_JSON_NONE && !rc;
         i = nk_json_next(doc, at, i), ++*n) {
        members[*n].name = nk_json_string(doc, i, a);
        rc = members[*n].name.p ? read_value(doc, i + 1, depth, a, &members[*n].value, f)
                                : bad(doc, i, NK_ENOMEM, "out of memory", f);
    }
    return rc;
}

static int read_record(const struct nk_json *doc, uint32_t at, unsigned depth, struct nk_arena *a,
                       const struct nk_cedar_value **out, struct nk_fault *f)
{
    struct nk_cedar_member *members;
    size_t n;
    int rc = read_members(doc, at, depth, a, &members, &n, f);
    return rc ? rc : keep(doc, at, nk_cedar_record(a, members, n), out, f);
}

/* Recursion has a limit of its own: JSON's may be higher. */
static int read_value(const struct nk_json *doc, uint32_t at, unsigned depth, struct nk_arena *a,
                      const struct nk_cedar_value **out, struct nk_fault *f)
{
    static const struct {
        const char *member, *function;
    } extensions[] = {{"ipaddr", "ip"},
                      {"decimal", "decimal"},
                      {"datetime", "datetime"},
                      {"duration", "duration"}};
    static const struct {
        const char *member;
        int (*read)(const struct nk_json *, uint32_t, struct nk_arena *,
                    const struct nk_cedar_value **, struct nk_fault *);
    } plain[] = {{"string", read_string},
                 {"long", read_long},
                 {"boolean", read_bool},
                 {"entityIdentifier", read_reference}};
    if (nk_json_type(doc, at) != NK_JSON_OBJECT || doc->tape[at].count != 1)
        return bad(doc, at, NK_EINVAL,
                   "a value is an object with one member, such as {\"long\": 1}", f);
    if (depth == 0)
        return bad(doc, at, NK_ELIMIT, "sets and records are nested too deeply", f);
    uint32_t name = nk_json_first(doc, at);
    for (size_t i = 0; i < NK_COUNT(plain); i++)
        if (nk_json_is(doc, name, nk_str(plain[i].member)))
            return plain[i].read(doc, name + 1, a, out, f);
    for (size_t i = 0; i < NK_COUNT(extensions); i++)
        if (nk_json_is(doc, name, nk_str(extensions[i].member)))
            return read_extension(doc, name + 1, extensions[i].function, a, out, f);
    if (nk_json_is(doc, name, NK_STR("set")))
        return read_set(doc, name + 1, depth - 1, a, out, f);
    if (nk_json_is(doc, name, NK_STR("record")))
        return read_record(doc, name + 1, depth - 1, a, out, f);
    return bad(doc, at, NK_EINVAL,
               "a value is one of boolean, entityIdentifier, long, string, set, record, ipaddr, "
               "decimal, datetime, duration",
               f);
}

int nk_avp_value(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                 const struct nk_cedar_value **out, struct nk_fault *f)
{
    return read_value(doc, at, NK_AVP_DEPTH, a, out, f);
}

int nk_avp_record(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                  const struct nk_cedar_value **out, struct nk_fault *f)
{
    return read_record(doc, at, NK_AVP_DEPTH, a, out, f);
}

int nk_avp_members(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                   struct nk_cedar_member **out, size_t *n, struct nk_fault *f)
{
    return read_members(doc, at, NK_AVP_DEPTH, a, out, n, f);
}
