/* SPDX-License-Identifier: Apache-2.0
 *
 * template.c - see template.h. A link is a copy of the template's head: three scopes, of which one
 * or two are filled in, and pointers to all the rest.
 */
#include "cedar/template.h"

#include "cedar/parse.h"

static const struct nk_str slot_names[] = {{"?principal", 10}, {NULL, 0}, {"?resource", 9}};

size_t nk_cedar_templates_count(const struct nk_cedar_policies *p)
{
    return p->template_n;
}

struct nk_str nk_cedar_template_id(const struct nk_cedar_policies *p, size_t i)
{
    NK_MUST(i < p->template_n);
    return p->templates[i]->id;
}

static int fail(struct nk_fault *f, int code, struct nk_str id, const char *what, struct nk_str of)
{
    return nk_fault_set(f, code, "cedar", 0, "link \"%.*s\": %s \"%.*s\"", NK_FMT(id), what,
                        NK_FMT(of));
}

/* The variable whose slot has this name, or CEDAR_VARS. */
static unsigned slot_of(struct nk_str name)
{
    for (unsigned var = 0; var < NK_COUNT(slot_names); var++)
        if (slot_names[var].p && nk_str_eq(slot_names[var], name))
            return var;
    return CEDAR_VARS;
}

/* Puts one value into its scope. */
static int fill(struct nk_cedar_policies *p, struct cedar_policy *link,
                const struct nk_cedar_slot_value *value, struct nk_fault *f)
{
    unsigned var = slot_of(value->slot);
    if (var == CEDAR_VARS || !link->scope[var].slot)
        return fail(f, NK_EINVAL, link->id, "the template has no slot", value->slot);
    if (link->scope[var].uids)
        return fail(f, NK_EINVAL, link->id, "there are two values for", value->slot);
    if (!nk_cedar_type_ok(value->uid.type))
        return fail(f, NK_EINVAL, link->id, "this is no entity type:", value->uid.type);
    struct cedar_uid *own = nk_arena_alloc(p->arena, sizeof *own);
    if (!own)
        return fail(f, NK_ENOMEM, link->id, "out of memory for", value->slot);
    *own = cedar_uid(value->uid);
    link->scope[var].uids = own;
    link->scope[var].n = 1;
    return 0;
}

int nk_cedar_policies_link(struct nk_cedar_policies *p, struct nk_str template_id, struct nk_str id,
                           const struct nk_cedar_slot_value *values, size_t n, struct nk_fault *f)
{
    const struct cedar_policy *from = cedar_policies_find(p, template_id);
    if (!from || !from->slots)
        return fail(f, NK_ENOTFOUND, id, "there is no template", template_id);
    if (cedar_policies_find(p, id))
        return fail(f, NK_ECONFLICT, id, "this id is taken; it was to be a link of", template_id);
    struct cedar_policy *link = nk_arena_alloc(p->arena, sizeof *link);
    int rc = link ? cedar_policies_reserve(p, 1, 0) : NK_ENOMEM;
    if (rc)
        return fail(f, rc, id, "no room for a link of", template_id);
    *link = *from;
    link->id = id;
    link->slots = 0;
    link->next = NULL;
    link->link_of = from;
    for (size_t i = 0; i < n && !rc; i++)
        rc = fill(p, link, &values[i], f);
    for (unsigned var = 0; var < NK_COUNT(slot_names) && !rc; var++)
        if (link->scope[var].slot && !link->scope[var].uids)
            rc = fail(f, NK_EINVAL, id, "there is no value for", slot_names[var]);
    if (!rc)
        NK_MUST(cedar_policies_append(p, link));
    return rc;
}
