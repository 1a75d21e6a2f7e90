/* SPDX-License-Identifier: Apache-2.0
 *
 * view.c - see view.h.
 */
#include "cedar/view.h"

#include "cedar/parse.h"

static struct nk_cedar_uid named_by(const struct cedar_scope *scope)
{
    return scope->n ? scope->uids[0].uid : (struct nk_cedar_uid){{NULL, 0}, {NULL, 0}};
}

static void look(const struct cedar_policy *p, struct nk_cedar_policy_view *out)
{
    *out =
        (struct nk_cedar_policy_view){.id = p->id,
                                      .forbid = p->forbid,
                                      .statement = nk_str_sub(p->text, p->span.offset, p->span.end),
                                      .principal = named_by(&p->scope[CEDAR_PRINCIPAL]),
                                      .resource = named_by(&p->scope[CEDAR_RESOURCE]),
                                      .action_count = p->scope[CEDAR_ACTION].n,
                                      .policy = p};
    if (p->link_of)
        out->link_of = p->link_of->id;
}

void nk_cedar_policy_view(const struct nk_cedar_policies *p, size_t i,
                          struct nk_cedar_policy_view *out)
{
    NK_MUST(i < p->n);
    look(p->items[i], out);
}

void nk_cedar_template_view(const struct nk_cedar_policies *p, size_t i,
                            struct nk_cedar_policy_view *out)
{
    NK_MUST(i < p->template_n);
    look(p->templates[i], out);
}

bool nk_cedar_policy_find(const struct nk_cedar_policies *p, struct nk_str id,
                          struct nk_cedar_policy_view *out)
{
    const struct cedar_policy *found = cedar_policies_find(p, id);
    if (found && !found->slots)
        look(found, out);
    return found && !found->slots;
}

struct nk_cedar_uid nk_cedar_view_action(const struct nk_cedar_policy_view *v, size_t i)
{
    const struct cedar_scope *scope = &v->policy->scope[CEDAR_ACTION];
    NK_MUST(i < scope->n);
    return scope->uids[i].uid;
}
