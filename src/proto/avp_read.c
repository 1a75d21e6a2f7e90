/* SPDX-License-Identifier: Apache-2.0
 *
 * avp_read.c - the bodies of Verified Permissions' operations. Members that an operation does not know are
 * passed over, as the service does; a question with one that is wrong is refused as a whole.
 */
#include "proto/avp.h"

#include "proto/member.h"

struct reading {
    struct nk_call *call;
    const struct nk_json *doc;
    struct nk_arena *a;
    struct nk_fault *f;
    struct nk_avp_call *out;
};

/* Notes which member is wrong; the first one stays. */
static int wrong(struct reading *r, int rc, const char *path)
{
    if (rc && !r->call->subject.p)
        r->call->subject = nk_str(path);
    return rc;
}

static int refuse(struct reading *r, const char *path, const char *what)
{
    return wrong(r, nk_fault_set(r->f, NK_EINVAL, "proto", 0, "\"%s\" %s", path, what), path);
}

static int read_text(struct reading *r, const char *name, bool required, struct nk_str *out)
{
    int rc = nk_member_string(r->doc, 0, nk_str(name), false, r->a, out, r->f);
    if (!rc && required && !out->p)
        rc = nk_member_missing(r->doc, 0, nk_str(name), r->f);
    return wrong(r, rc, name);
}

/* An entity that may be missing: then one that nobody can name stands there. */
static int read_entity(struct reading *r, uint32_t of, const char *name, struct nk_cedar_uid *out)
{
    uint32_t at = nk_member_get(r->doc, of, nk_str(name));
    *out = (struct nk_cedar_uid){NK_STR("__cedar::Unspecified"), NK_STR("")};
    return at == NK_JSON_NONE ? 0 : wrong(r, nk_avp_entity(r->doc, at, r->a, out, r->f), name);
}

static int read_action(struct reading *r, uint32_t of, struct nk_cedar_uid *out)
{
    uint32_t at = nk_member_get(r->doc, of, NK_STR("action"));
    *out = (struct nk_cedar_uid){NK_STR("__cedar::Unspecified"), NK_STR("")};
    if (at == NK_JSON_NONE)
        return 0;
    int rc = nk_member_expect(r->doc, at, NK_STR("action"), NK_JSON_OBJECT, r->f);
    if (!rc)
        rc = nk_member_string(r->doc, at, NK_STR("actionType"), false, r->a, &out->type, r->f);
    if (!rc)
        rc = nk_member_string(r->doc, at, NK_STR("actionId"), true, r->a, &out->id, r->f);
    if (!rc && (!out->type.p || !nk_cedar_type_ok(out->type)))
        return refuse(r, "action.actionType", "is not the name of a type");
    return !rc && !out->id.p ? refuse(r, "action.actionId", "is missing") : wrong(r, rc, "action");
}

/* The members of Cedar's JSON, one by one: a context is a record, whatever its members are called. */
static int read_json_members(struct reading *r, const struct nk_json *inner, struct nk_avp_ask *ask)
{
    int rc = 0;
    ask->context = nk_arena_array(r->a, inner->tape[0].count + 1, sizeof *ask->context);
    if (!ask->context)
        return nk_fault_set(r->f, NK_ENOMEM, "proto", 0, "out of memory");
    for (uint32_t i = nk_json_first(inner, 0); i != NK_JSON_NONE && !rc;
         i = nk_json_next(inner, 0, i)) {
        struct nk_cedar_member *m = &ask->context[ask->context_count++];
        m->name = nk_json_string(inner, i, r->a);
        rc = m->name.p ? nk_cedar_value_parse(inner, i + 1, r->a, &m->value, r->f)
                       : nk_fault_set(r->f, NK_ENOMEM, "proto", 0, "out of memory");
    }
    return rc;
}

/* Cedar's JSON in a string. */
static int read_context_json(struct reading *r, uint32_t at, struct nk_avp_ask *ask)
{
    static const struct nk_json_limits lim = {NK_AVP_BODY_MAX, 128, 1 << 20};
    struct nk_json *inner = nk_arena_alloc(r->a, sizeof *inner);
    int rc = nk_member_expect(r->doc, at, NK_STR("cedarJson"), NK_JSON_STRING, r->f);
    if (rc)
        return rc;
    struct nk_str text = nk_json_string(r->doc, at, r->a);
    if (!text.p || !inner)
        return nk_fault_set(r->f, NK_ENOMEM, "proto", 0, "out of memory");
    rc = nk_json_parse_any_name(&lim, text, r->a, inner, r->f);
    if (!rc && nk_json_type(inner, 0) != NK_JSON_OBJECT)
        rc = nk_fault_set(r->f, NK_EINVAL, "proto", 0, "\"context\" is no record");
    return rc ? rc : read_json_members(r, inner, ask);
}

static int read_context(struct reading *r, uint32_t of, struct nk_avp_ask *ask)
{
    uint32_t at = nk_member_get(r->doc, of, NK_STR("context"));
    if (at == NK_JSON_NONE)
        return 0;
    uint32_t map = nk_member_get(r->doc, at, NK_STR("contextMap"));
    uint32_t json = nk_member_get(r->doc, at, NK_STR("cedarJson"));
    if ((map == NK_JSON_NONE) == (json == NK_JSON_NONE))
        return refuse(r, "context", "has either contextMap or cedarJson");
    if (json != NK_JSON_NONE)
        return wrong(r, read_context_json(r, json, ask), "context.cedarJson");
    return wrong(r, nk_avp_members(r->doc, map, r->a, &ask->context, &ask->context_count, r->f),
                 "context.contextMap");
}

static bool has_token(const struct nk_avp_ask *ask)
{
    for (size_t i = 0; i < ask->context_count; i++)
        if (nk_str_eq(ask->context[i].name, NK_STR("token")))
            return true;
    return false;
}

static int read_ask(struct reading *r, uint32_t at, struct nk_avp_ask *ask)
{
    *ask = (struct nk_avp_ask){.at = at};
    bool token = nk_avp_has_token(r->out->op);
    if (token && nk_member_get(r->doc, at, NK_STR("principal")) != NK_JSON_NONE)
        return refuse(r, "principal", "comes from the token");
    int rc = read_entity(r, at, "principal", &ask->principal);
    if (!rc)
        rc = read_action(r, at, &ask->action);
    if (!rc)
        rc = read_entity(r, at, "resource", &ask->resource);
    if (!rc)
        rc = read_context(r, at, ask);
    if (!rc && token && has_token(ask))
        rc = refuse(r, "context", "must not have a member \"token\": it is filled from the token");
    return rc;
}

/* Entries of "requests"; at least one, at most `most`. */
static int read_requests(struct reading *r, size_t most, uint32_t *list, size_t *count)
{
    int rc = nk_member_of(r->doc, 0, NK_STR("requests"), NK_JSON_ARRAY, list, r->f);
    if (rc)
        return wrong(r, rc, "requests");
    *count = *list == NK_JSON_NONE ? 0 : r->doc->tape[*list].count;
    if (*count >= 1 && *count <= most)
        return 0;
    return most == NK_AVP_BATCH_MAX ? refuse(r, "requests", "must have 1 to 30 entries")
                                    : refuse(r, "requests", "must have 1 to 100 entries");
}

static bool same(struct nk_cedar_uid a, struct nk_cedar_uid b)
{
    return nk_str_eq(a.type, b.type) && nk_str_eq(a.id, b.id);
}

/* "Either the principal or the resource parameter must be identical across all requests." */
static int check_batch(struct reading *r)
{
    const struct nk_avp_ask *all = r->out->asks;
    bool principal = true, resource = true;
    for (size_t i = 1; i < r->out->ask_count; i++) {
        principal = principal && same(all[0].principal, all[i].principal);
        resource = resource && same(all[0].resource, all[i].resource);
    }
    return principal || resource
               ? 0
               : refuse(r, "requests", "must all have the same principal, or the same resource");
}

static int read_asks(struct reading *r)
{
    struct nk_avp_call *c = r->out;
    uint32_t list = NK_JSON_NONE;
    size_t n = 1, k = 0;
    int rc = nk_avp_is_batch(c->op) ? read_requests(r, NK_AVP_BATCH_MAX, &list, &n) : 0;
    if (rc)
        return rc;
    c->asks = nk_arena_array(r->a, n, sizeof *c->asks);
    if (!c->asks)
        return nk_fault_set(r->f, NK_ENOMEM, "proto", 0, "out of memory");
    c->ask_count = n;
    if (list == NK_JSON_NONE)
        return read_ask(r, 0, c->asks);
    for (uint32_t i = nk_json_first(r->doc, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(r->doc, list, i)) {
        rc = wrong(r, nk_member_expect(r->doc, i, NK_STR("requests"), NK_JSON_OBJECT, r->f),
                   "requests");
        if (!rc)
            rc = read_ask(r, i, &c->asks[k++]);
    }
    return rc ? rc : check_batch(r);
}

static int read_question(struct reading *r)
{
    struct nk_avp_call *c = r->out;
    int rc = read_text(r, "policyStoreId", true, &c->store);
    if (!rc && nk_avp_has_token(c->op)) {
        rc = read_text(r, "identityToken", false, &c->identity_token);
        if (!rc)
            rc = read_text(r, "accessToken", false, &c->access_token);
        if (!rc && !c->identity_token.p && !c->access_token.p)
            rc = refuse(r, "accessToken", "or \"identityToken\" is missing");
    }
    if (!rc)
        rc = wrong(r,
                   nk_member_of(r->doc, 0, NK_STR("entities"), NK_JSON_OBJECT, &c->entities, r->f),
                   "entities");
    return rc ? rc : read_asks(r);
}

static int read_refs(struct reading *r)
{
    struct nk_avp_call *c = r->out;
    uint32_t list = NK_JSON_NONE;
    size_t n = 0;
    int rc = read_requests(r, NK_AVP_POLICIES_MAX, &list, &n);
    if (rc)
        return rc;
    c->refs = nk_arena_array(r->a, n, sizeof *c->refs);
    if (!c->refs)
        return nk_fault_set(r->f, NK_ENOMEM, "proto", 0, "out of memory");
    for (uint32_t i = nk_json_first(r->doc, list); i != NK_JSON_NONE && !rc;
         i = nk_json_next(r->doc, list, i)) {
        struct nk_avp_ref *ref = &c->refs[c->ref_count++];
        rc = nk_member_string(r->doc, i, NK_STR("policyStoreId"), false, r->a, &ref->store, r->f);
        if (!rc)
            rc = nk_member_string(r->doc, i, NK_STR("policyId"), false, r->a, &ref->policy, r->f);
        if (!rc && (!ref->store.p || !ref->policy.p))
            rc = refuse(r, "requests", "must each have policyStoreId and policyId");
    }
    return wrong(r, rc, "requests");
}

static int read_page(struct reading *r)
{
    struct nk_avp_call *c = r->out;
    c->max_results = NK_AVP_PAGE;
    int rc = wrong(r, nk_member_count(r->doc, 0, NK_STR("maxResults"), &c->max_results, r->f),
                   "maxResults");
    if (!rc && (c->max_results < 1 || c->max_results > NK_AVP_PAGE_MAX))
        rc = refuse(r, "maxResults", "must be 1 to 50");
    return rc ? rc : read_text(r, "nextToken", false, &c->next);
}

/* EntityReference: {"unspecified": true} or {"identifier": {…}}. */
static int read_reference(struct reading *r, uint32_t filter, const char *name,
                          enum nk_avp_match *match, struct nk_cedar_uid *uid)
{
    uint32_t at = nk_member_get(r->doc, filter, nk_str(name));
    if (at == NK_JSON_NONE)
        return 0;
    uint32_t identifier = nk_member_get(r->doc, at, NK_STR("identifier"));
    *match = identifier == NK_JSON_NONE ? NK_AVP_UNSPECIFIED : NK_AVP_IDENTIFIER;
    if (identifier == NK_JSON_NONE)
        return nk_json_type(r->doc, nk_member_get(r->doc, at, NK_STR("unspecified"))) ==
                       NK_JSON_TRUE
                   ? 0
                   : refuse(r, "filter", "names an entity by identifier, or unspecified: true");
    return wrong(r, nk_avp_entity(r->doc, identifier, r->a, uid, r->f), "filter");
}

static int read_filter(struct reading *r)
{
    struct nk_avp_filter *x = &r->out->filter;
    uint32_t at;
    int rc = nk_member_of(r->doc, 0, NK_STR("filter"), NK_JSON_OBJECT, &at, r->f);
    if (rc || at == NK_JSON_NONE)
        return wrong(r, rc, "filter");
    rc = read_reference(r, at, "principal", &x->principal_match, &x->principal);
    if (!rc)
        rc = read_reference(r, at, "resource", &x->resource_match, &x->resource);
    if (!rc)
        rc = wrong(r,
                   nk_member_string(r->doc, at, NK_STR("policyType"), false, r->a, &x->type, r->f),
                   "filter");
    if (!rc && x->type.p && !nk_str_eq(x->type, NK_STR("STATIC")) &&
        !nk_str_eq(x->type, NK_STR("TEMPLATE_LINKED")))
        rc = refuse(r, "filter", "has a policyType other than STATIC and TEMPLATE_LINKED");
    if (!rc)
        rc = wrong(r,
                   nk_member_string(r->doc, at, NK_STR("policyTemplateId"), false, r->a,
                                    &x->template_id, r->f),
                   "filter");
    return rc;
}

/* A list with one entry at most, as the API has it. */
static int read_filters(struct reading *r)
{
    uint32_t at;
    int rc = nk_member_of(r->doc, 0, NK_STR("filters"), NK_JSON_ARRAY, &at, r->f);
    if (rc || at == NK_JSON_NONE)
        return wrong(r, rc, "filters");
    if (r->doc->tape[at].count > 1)
        return refuse(r, "filters", "may have one entry");
    return wrong(r,
                 nk_member_string(r->doc, nk_json_first(r->doc, at), NK_STR("principalEntityType"),
                                  false, r->a, &r->out->filter.principal_type, r->f),
                 "filters");
}

static int read_store(struct reading *r)
{
    return read_text(r, "policyStoreId", true, &r->out->store);
}

static int read_body(struct reading *r)
{
    struct nk_avp_call *c = r->out;
    int rc = 0;
    switch (c->op) {
    case NK_AVP_IS_AUTHORIZED:
    case NK_AVP_IS_AUTHORIZED_WITH_TOKEN:
    case NK_AVP_BATCH_IS_AUTHORIZED:
    case NK_AVP_BATCH_IS_AUTHORIZED_WITH_TOKEN:
        return read_question(r);
    case NK_AVP_BATCH_GET_POLICY:
        return read_refs(r);
    case NK_AVP_LIST_POLICY_STORES:
        return read_page(r);
    case NK_AVP_LIST_POLICIES:
        rc = read_filter(r);
        break;
    case NK_AVP_LIST_IDENTITY_SOURCES:
        rc = read_filters(r);
        break;
    case NK_AVP_GET_POLICY:
        rc = read_text(r, "policyId", true, &c->id);
        break;
    case NK_AVP_GET_POLICY_TEMPLATE:
        rc = read_text(r, "policyTemplateId", true, &c->id);
        break;
    case NK_AVP_GET_IDENTITY_SOURCE:
        rc = read_text(r, "identitySourceId", true, &c->id);
        break;
    default:
        break;
    }
    if (!rc)
        rc = read_store(r);
    return rc ? rc : read_page(r);
}

int nk_avp_parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f)
{
    struct nk_avp_call *out = nk_arena_alloc(a, sizeof *out);
    struct reading r = {call, &call->body, a, f, out};
    const struct nk_endpoint *first = nk_dialect_by_name(NK_STR("avp"))->endpoints;
    if (!out)
        return nk_fault_set(f, NK_ENOMEM, "proto", 0, "out of memory");
    if (call->body.n == 0 || nk_json_type(&call->body, 0) != NK_JSON_OBJECT)
        return nk_fault_set(f, NK_EINVAL, "proto", 0, "the body is no object");
    *out = (struct nk_avp_call){.op = (enum nk_avp_op)(call->endpoint - first),
                                .entities = NK_JSON_NONE};
    call->detail = out;
    return read_body(&r);
}

const struct nk_avp_call *nk_avp_call(const struct nk_call *call)
{
    return call->detail;
}
