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
static inline const char *forms_differ(const struct cedar_policy *policy, struct nk_arena *a,
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

/* NULL, or what is wrong with the layout of a text that the parser has accepted. */
static inline const char *forms_layout(struct nk_str text, unsigned width, struct nk_arena *a,
                                       struct nk_buf *out, struct nk_fault *f)
{
    nk_buf_clear(out);
    if (nk_cedar_format(text, width, NK_CEDAR_INDENT, a, out, f))
        return "no layout";
    struct nk_str once = nk_arena_copy(a, nk_buf_str(out));
    nk_buf_clear(out);
    if (nk_cedar_format(once, width, NK_CEDAR_INDENT, a, out, f))
        return "no layout of the layout";
    return nk_str_eq(once, nk_buf_str(out)) ? NULL : "not stable";
}

/* Does the text under the node say the node? Its marks lie in it, and so do its children. */
static bool forms_span(const struct cedar_node *e, struct nk_str text, struct nk_arena *a)
{
    const struct cedar_policy *read;
    struct nk_str parts[] = {NK_STR("permit(principal,action,resource) when { "),
                             nk_str_sub(text, e->span.offset, e->span.end), NK_STR("\n};")};
    struct nk_str all = nk_arena_join(a, parts, 3);
    if (e->span.offset >= e->span.end || e->span.end > text.n || e->mark.offset < e->span.offset ||
        e->mark.offset >= e->mark.end || e->mark.end > e->span.end)
        return false;
    read = all.p ? forms_read(a, all, false, NULL) : NULL;
    if (!read)
        return false;
    struct cedar_node alone = *e, *body = read->conditions->body;
    alone.minus = 0;
    alone.label = (struct nk_str){NULL, 0};
    if (!cedar_expr_same(&alone, body))
        return false;
    for (const struct cedar_node *kid = e->kid; kid; kid = kid->next)
        if (kid->span.offset < e->span.offset || kid->span.end > e->span.end ||
            !forms_span(kid, text, a))
            return false;
    return true;
}

static bool forms_inside(struct cedar_span inner, struct cedar_span outer)
{
    return inner.offset >= outer.offset && inner.offset < inner.end && inner.end <= outer.end;
}

/* All spans of a policy that came as text. */
static inline bool forms_spans(const struct cedar_policy *p, struct nk_arena *a)
{
    static const char first[] = "par"; /* principal, action, resource */
    struct nk_str text = p->text;
    bool ok = p->span.end <= text.n && text.p[p->span.end - 1] == ';';
    for (const struct cedar_annotation *n = p->annotations; ok && n; n = n->next)
        ok = forms_inside(n->span, p->span) && text.p[n->span.offset] == '@';
    for (unsigned var = 0; ok && var <= CEDAR_RESOURCE; var++) {
        const struct cedar_scope *s = &p->scope[var];
        ok = forms_inside(s->span, p->span) && text.p[s->span.offset] == first[var];
        for (uint32_t i = 0; ok && i < (s->slot ? 1 : s->n); i++)
            ok = forms_inside(s->spans[i], s->span) &&
                 (text.p[s->spans[i].offset] == '?') == s->slot;
        ok = ok && (!s->type.p || forms_inside(s->type_span, s->span));
    }
    for (const struct cedar_condition *c = p->conditions; ok && c; c = c->next)
        ok = forms_inside(c->span, p->span) && forms_inside(c->body->span, c->span) &&
             text.p[c->span.end - 1] == '}' && text.p[c->span.offset] == (c->unless ? 'u' : 'w') &&
             forms_span(c->body, text, a);
    return ok;
}
