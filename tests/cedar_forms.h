/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar_forms.h - the property of all forms of a policy: what is written from it and read again is the
 * same policy. For unit tests and fuzz targets.
 */
#pragma once

#include "cedar/convert.h"
#include "cedar/parse.h"
#include "cedar/template.h"

enum { FORMS_MOST = 64 << 20 };

/* Is there a path of `has` that only JSON can say? Text says it in other words. */
static bool forms_only_json(const struct cedar_node *e)
{
    for (uint32_t i = 0; e->kind == CEDAR_NODE_HAS && e->path_n > 1 && i < e->path_n; i++) {
        struct cedar_lexer lexer = {.text = e->path[i]};
        struct cedar_token token;
        if (!cedar_lex(&lexer, &token) || token.kind != CEDAR_IDENT ||
            token.text.n != e->path[i].n || !cedar_name_free(e->path[i]))
            return true;
    }
    for (const struct cedar_node *kid = e->kid; kid; kid = kid->next)
        if (forms_only_json(kid))
            return true;
    return false;
}

static bool forms_in_text(const struct cedar_policy *policy)
{
    for (const struct cedar_condition *c = policy->conditions; c; c = c->next)
        if (forms_only_json(c->body))
            return false;
    return true;
}

static const struct cedar_policy *forms_first(const struct nk_cedar_policies *p)
{
    return p->n ? p->items[0] : p->template_n ? p->templates[0] : NULL;
}

/* The policy read again from `form`; NULL with the message in *f. */
static const struct cedar_policy *forms_read(struct nk_arena *a, struct nk_str form, bool json,
                                             struct nk_fault *f)
{
    struct nk_cedar_policies *p = nk_cedar_policies_new(a);
    struct nk_str copy = nk_arena_copy(a, form);
    int rc = !p || !copy.p ? NK_ENOMEM
             : json        ? nk_cedar_policy_add_json(p, copy, NK_STR("x"), f)
                           : nk_cedar_policies_add(p, copy, NK_STR("x"), false, f);
    return rc ? NULL : forms_first(p);
}

/* NULL, or which form of the policy is another policy. `out` is scratch. */
static const char *forms_differ(const struct cedar_policy *policy, struct nk_arena *a,
                                struct nk_buf *out, struct nk_fault *f)
{
    nk_buf_clear(out);
    cedar_policy_put_json(policy, out);
    const struct cedar_policy *read = forms_read(a, nk_buf_str(out), true, f);
    if (!read || !cedar_policy_same(policy, read))
        return "JSON";
    nk_buf_clear(out);
    cedar_policy_put_text(policy, out);
    if (out->error)
        return forms_in_text(policy) ? "text too long" : NULL;
    read = forms_read(a, nk_buf_str(out), false, f);
    if (!forms_in_text(policy))
        return read || f->code == NK_ELIMIT ? NULL : "text of JSON";
    return read && cedar_policy_same(policy, read) ? NULL : "text";
}
