/* SPDX-License-Identifier: Apache-2.0
 *
 * est_set.c - adds JSON to a policy set: one policy, or a whole set of policies, templates and links
 * (convert.h). Whatever fails, the set is then as it was before.
 */
#include "cedar/convert.h"
#include "cedar/est.h"
#include "cedar/template.h"

enum { MOST_VALUES = 1 << 26, MOST_LEVELS = 1 << 20 };

static const struct nk_json_limits limits = {CEDAR_TEXT, MOST_LEVELS, MOST_VALUES};

/* A set while its JSON is read: the policies so far, not yet in the set. */
struct adding {
    struct cedar_est est;
    struct nk_cedar_policies *set;
    struct cedar_policy *first, **tail;
    size_t policies, templates;
};

static bool keep(struct adding *a, uint32_t at, struct cedar_policy *policy, struct nk_str id,
                 bool template)
{
    if (!policy)
        return false;
    if (template != (policy->slots != 0))
        return cedar_est_fail(&a->est, at, NK_EINVAL,
                              template ? "this template has no slot: ?principal or ?resource"
                                       : "this policy has a slot: it belongs into \"templates\"");
    policy->id = id;
    policy->next = NULL;
    *a->tail = policy;
    a->tail = &policy->next;
    a->policies += !template;
    a->templates += template;
    return true;
}

/* Policies of the text at string `at`, linked by `next`. The message's line and column are those in
 * the text, its offset is the string's. */
static struct cedar_policy *text(struct adding *a, uint32_t at)
{
    struct nk_fault inner = {.code = 0};
    struct cedar_parser parser = {.arena = a->est.arena, .fault = &inner};
    if (!cedar_est_string(&a->est, at, &parser.lexer.text))
        return NULL;
    struct cedar_policy *list = cedar_parse_policies(&parser);
    if (parser.code)
        return cedar_est_fail(&a->est, at, parser.code, inner.message);
    return list;
}

/* A policy or template as an object or as text. */
static bool one(struct adding *a, uint32_t at, struct nk_str id, bool template)
{
    if (nk_json_type(a->est.doc, at) != NK_JSON_STRING)
        return keep(a, at, cedar_est_policy(&a->est, at), id, template);
    struct cedar_policy *policy = text(a, at);
    if (!a->est.code && (!policy || policy->next))
        return cedar_est_fail(&a->est, at, NK_EINVAL, "this text must be one policy, and one only");
    return keep(a, at, policy, id, template);
}

static bool by_id(struct adding *a, uint32_t at, bool template)
{
    struct nk_str id;
    if (nk_json_type(a->est.doc, at) != NK_JSON_OBJECT)
        return cedar_est_fail(&a->est, at, NK_EINVAL,
                              "expected an object of policies by their ids");
    for (uint32_t i = nk_json_first(a->est.doc, at); i != NK_JSON_NONE;
         i = nk_json_next(a->est.doc, at, i))
        if (!cedar_est_string(&a->est, i, &id) || !one(a, i + 1, id, template))
            return false;
    return true;
}

static struct nk_str numbered(struct adding *a, uint32_t at, size_t i)
{
    struct nk_str id = nk_arena_printf(a->est.arena, "policy%zu", i);
    if (!id.p)
        cedar_est_fail(&a->est, at, NK_ENOMEM, "out of memory");
    return id;
}

static bool array(struct adding *a, uint32_t at)
{
    size_t n = 0;
    for (uint32_t i = nk_json_first(a->est.doc, at); i != NK_JSON_NONE;
         i = nk_json_next(a->est.doc, at, i))
        if (!one(a, i, numbered(a, at, n++), false))
            return false;
    return !a->est.code;
}

static bool whole_text(struct adding *a, uint32_t at)
{
    size_t n = 0;
    for (struct cedar_policy *next, *item = text(a, at); item; item = next) {
        next = item->next;
        if (!keep(a, at, item, numbered(a, at, n++), false))
            return false;
    }
    return !a->est.code;
}

static bool statics(struct adding *a, uint32_t at)
{
    if (at == NK_JSON_NONE)
        return true;
    if (nk_json_type(a->est.doc, at) == NK_JSON_ARRAY)
        return array(a, at);
    return nk_json_type(a->est.doc, at) == NK_JSON_STRING ? whole_text(a, at) : by_id(a, at, false);
}

static bool append(struct adding *a, uint32_t at)
{
    int rc = a->est.code ? a->est.code : cedar_policies_reserve(a->set, a->policies, a->templates);
    if (rc)
        return cedar_est_fail(&a->est, at, rc, "no room for so many policies");
    *a->tail = NULL;
    for (struct cedar_policy *item = a->first; item; item = item->next)
        if (!cedar_policies_append(a->set, item))
            return cedar_est_fail(&a->est, at, NK_ECONFLICT, "two policies have the same id");
    return true;
}

static bool link(struct adding *a, uint32_t at)
{
    struct cedar_est_member m[] = {
        {"templateId", false, 0}, {"newId", false, 0}, {"values", false, 0}};
    struct nk_cedar_slot_value values[CEDAR_VARS];
    struct nk_fault inner = {.code = 0};
    struct nk_str from, id;
    size_t n = 0;
    if (!cedar_est_members(&a->est, at, m, NK_COUNT(m)) ||
        !cedar_est_string(&a->est, m[0].at, &from) || !cedar_est_string(&a->est, m[1].at, &id))
        return false;
    if (nk_json_type(a->est.doc, m[2].at) != NK_JSON_OBJECT)
        return cedar_est_fail(&a->est, m[2].at, NK_EINVAL, "expected an object of slots");
    for (uint32_t i = nk_json_first(a->est.doc, m[2].at); i != NK_JSON_NONE;
         i = nk_json_next(a->est.doc, m[2].at, i), n++)
        if (n == NK_COUNT(values))
            return cedar_est_fail(&a->est, i, NK_EINVAL, "the slots are ?principal and ?resource");
        else if (!cedar_est_string(&a->est, i, &values[n].slot) ||
                 !cedar_est_uid(&a->est, i + 1, &values[n].uid))
            return false;
    int rc = nk_cedar_policies_link(a->set, from, id, values, n, &inner);
    return rc == 0 || cedar_est_fail(&a->est, at, rc, inner.message);
}

static bool links(struct adding *a, uint32_t at)
{
    if (at == NK_JSON_NONE)
        return true;
    if (nk_json_type(a->est.doc, at) != NK_JSON_ARRAY)
        return cedar_est_fail(&a->est, at, NK_EINVAL, "expected an array of links");
    for (uint32_t i = nk_json_first(a->est.doc, at); i != NK_JSON_NONE;
         i = nk_json_next(a->est.doc, at, i))
        if (!link(a, i))
            return false;
    return true;
}

static bool read_set(struct adding *a)
{
    struct cedar_est_member m[] = {
        {"staticPolicies", true, 0}, {"templates", true, 0}, {"templateLinks", true, 0}};
    return cedar_est_members(&a->est, 0, m, NK_COUNT(m)) && statics(a, m[0].at) &&
           (m[1].at == NK_JSON_NONE || by_id(a, m[1].at, true)) && append(a, 0) &&
           links(a, m[2].at);
}

static bool read_one(struct adding *a, struct nk_str id)
{
    struct cedar_policy *policy = cedar_est_policy(&a->est, 0);
    return policy && keep(a, 0, policy, id, policy->slots != 0) && append(a, 0);
}

/* One policy with an id, or a set. */
static int add(struct nk_cedar_policies *p, struct nk_str json, const struct nk_str *id,
               struct nk_fault *f)
{
    struct nk_json doc;
    size_t n = p->n, template_n = p->template_n;
    int rc = nk_json_parse_any_name(&limits, json, p->arena, &doc, f);
    if (rc)
        return rc;
    struct adding a = {.est = {.doc = &doc, .arena = p->arena, .fault = f}, .set = p};
    a.tail = &a.first;
    bool ok = id ? read_one(&a, *id) : read_set(&a);
    if (!ok)
        cedar_policies_cut(p, n, template_n);
    return a.est.code;
}

int nk_cedar_policy_add_json(struct nk_cedar_policies *p, struct nk_str json, struct nk_str id,
                             struct nk_fault *f)
{
    return add(p, json, &id, f);
}

int nk_cedar_policies_add_json(struct nk_cedar_policies *p, struct nk_str json, struct nk_fault *f)
{
    return add(p, json, NULL, f);
}
