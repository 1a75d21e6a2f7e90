/* SPDX-License-Identifier: Apache-2.0
 *
 * avp_entities.c - the entities of a question: a list in the API's own form, or Cedar's JSON in a string. What
 * may not be among them is looked for in both before anything is believed: actions (they come from the
 * schema), and what comes from a token alone.
 */
#include "proto/avp.h"
#include "proto/member.h"

struct entities {
    const struct nk_json *doc;
    const struct nk_str *closed;
    size_t closed_count;
    struct nk_arena *arena;
    struct nk_cedar_entities *into;
    struct nk_fault *fault;
};

static int bad(const struct entities *e, uint32_t at, int code, const char *what)
{
    return nk_fault_set(e->fault, code, "proto", at < e->doc->n ? e->doc->tape[at].start : 0,
                        "\"entities\": %s", what);
}

static bool is_action(struct nk_str type)
{
    return nk_str_eq(type, NK_STR("Action")) || nk_str_ends(type, NK_STR("::Action"));
}

static int check_type(const struct entities *e, uint32_t at, struct nk_str type)
{
    if (is_action(type))
        return bad(e, at, NK_EINVAL, "an action cannot be among them");
    for (size_t i = 0; i < e->closed_count; i++)
        if (nk_str_eq(type, e->closed[i]))
            return bad(e, at, NK_EINVAL, "principals and their groups come from the token alone");
    return 0;
}

static int read_parents(const struct entities *e, uint32_t item, const struct nk_cedar_uid **out,
                        size_t *n)
{
    uint32_t list;
    int rc = nk_member_of(e->doc, item, NK_STR("parents"), NK_JSON_ARRAY, &list, e->fault);
    size_t count = list == NK_JSON_NONE || rc ? 0 : e->doc->tape[list].count;
    struct nk_cedar_uid *parents = nk_arena_array(e->arena, count + 1, sizeof *parents);
    *n = 0;
    if (!rc && !parents)
        rc = bad(e, item, NK_ENOMEM, "out of memory");
    for (uint32_t i = nk_json_first(e->doc, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(e->doc, list, i))
        rc = nk_avp_entity(e->doc, i, e->arena, &parents[(*n)++], e->fault);
    *out = parents;
    return rc;
}

static int read_map(const struct entities *e, uint32_t item, const char *name,
                    const struct nk_cedar_value **out)
{
    uint32_t at;
    *out = NULL;
    int rc = nk_member_of(e->doc, item, nk_str(name), NK_JSON_OBJECT, &at, e->fault);
    return rc || at == NK_JSON_NONE ? rc : nk_avp_record(e->doc, at, e->arena, out, e->fault);
}

static int add_item(const struct entities *e, uint32_t item)
{
    const struct nk_cedar_value *attrs = NULL, *tags = NULL;
    const struct nk_cedar_uid *parents = NULL;
    struct nk_cedar_uid uid;
    size_t n = 0;
    int rc = nk_member_expect(e->doc, item, NK_STR("entityList"), NK_JSON_OBJECT, e->fault);
    if (!rc)
        rc = nk_avp_entity(e->doc, nk_member_get(e->doc, item, NK_STR("identifier")), e->arena,
                           &uid, e->fault);
    if (!rc)
        rc = check_type(e, item, uid.type);
    if (!rc)
        rc = read_parents(e, item, &parents, &n);
    if (!rc)
        rc = read_map(e, item, "attributes", &attrs);
    if (!rc)
        rc = read_map(e, item, "tags", &tags);
    if (rc)
        return rc;
    rc = nk_cedar_entities_add(e->into, uid, parents, n, attrs, tags);
    if (rc == NK_ECONFLICT) /* the API takes the last of several; they are read from the end */
        return 0;
    return rc ? bad(e, item, rc, "an entity cannot be kept") : 0;
}

static int read_list(const struct entities *e, uint32_t list)
{
    int rc = nk_member_expect(e->doc, list, NK_STR("entityList"), NK_JSON_ARRAY, e->fault);
    size_t n = 0, count = rc ? 0 : e->doc->tape[list].count;
    uint32_t *items = nk_arena_array(e->arena, count + 1, sizeof *items);
    if (!rc && !items)
        rc = bad(e, list, NK_ENOMEM, "out of memory");
    if (rc)
        return rc;
    for (uint32_t i = nk_json_first(e->doc, list); i != NK_JSON_NONE;
         i = nk_json_next(e->doc, list, i))
        items[n++] = i;
    while (n && !rc)
        rc = add_item(e, items[--n]);
    return rc;
}

/* The types of the uids alone; the rest is read by the engine's own reader. */
static int check_json(const struct entities *e, const struct nk_json *inner)
{
    int rc = 0;
    if (nk_json_type(inner, 0) != NK_JSON_ARRAY)
        return bad(e, 0, NK_EINVAL, "\"cedarJson\" holds no list");
    for (uint32_t i = nk_json_first(inner, 0); i != NK_JSON_NONE && !rc;
         i = nk_json_next(inner, 0, i)) {
        uint32_t uid = nk_json_get(inner, i, NK_STR("uid"));
        uint32_t escaped = nk_json_get(inner, uid, NK_STR("__entity"));
        uint32_t type = nk_json_get(inner, escaped == NK_JSON_NONE ? uid : escaped, NK_STR("type"));
        struct nk_str text = nk_json_string(inner, type, e->arena);
        rc = check_type(e, 0, text);
    }
    return rc;
}

static int read_json(const struct entities *e, uint32_t at)
{
    static const struct nk_json_limits lim = {NK_AVP_BODY_MAX, 128, 1 << 20};
    struct nk_json inner;
    int rc = nk_member_expect(e->doc, at, NK_STR("cedarJson"), NK_JSON_STRING, e->fault);
    if (rc)
        return rc;
    struct nk_str text = nk_json_string(e->doc, at, e->arena);
    if (!text.p)
        return bad(e, at, NK_ENOMEM, "out of memory");
    rc = nk_json_parse_any_name(&lim, text, e->arena, &inner, e->fault);
    if (!rc)
        rc = check_json(e, &inner);
    return rc ? rc : nk_cedar_entities_parse(e->into, text, e->fault);
}

int nk_avp_entities(const struct nk_call *call, const struct nk_str *closed, size_t n,
                    struct nk_arena *a, struct nk_cedar_entities *into, struct nk_fault *f)
{
    const struct nk_json *doc = &call->body;
    const struct entities e = {doc, closed, n, a, into, f};
    uint32_t at = nk_avp_call(call)->entities;
    if (at == NK_JSON_NONE)
        return 0;
    uint32_t list = nk_member_get(doc, at, NK_STR("entityList")),
             json = nk_member_get(doc, at, NK_STR("cedarJson"));
    if ((list == NK_JSON_NONE) == (json == NK_JSON_NONE))
        return bad(&e, at, NK_EINVAL, "either entityList or cedarJson is expected");
    return list != NK_JSON_NONE ? read_list(&e, list) : read_json(&e, json);
}
