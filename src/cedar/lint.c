/* SPDX-License-Identifier: Apache-2.0
 *
 * lint.c - see lint.h. Each rule is one function over one policy.
 */
#include "cedar/lint.h"

#include "base/utf8.h"
#include "cedar/parse.h"

static void add(struct nk_cedar_diags *d, const struct cedar_policy *policy,
                enum nk_cedar_diag_code code, struct cedar_span span, struct nk_str a,
                struct nk_str b)
{
    struct nk_cedar_diag diag = {.code = code,
                                 .policy = policy->id,
                                 .text = policy->text,
                                 .offset = span.offset,
                                 .end = span.end,
                                 .args = {a, b}};
    nk_cedar_diags_add(d, &diag);
}

/* `permit` or `forbid` of a policy: behind its annotations. */
static struct cedar_span effect(const struct cedar_policy *policy)
{
    uint32_t at = policy->span.offset;
    for (const struct cedar_annotation *a = policy->annotations; a; a = a->next)
        at = a->span.end;
    while (at < policy->scope[0].span.offset && policy->text.p[at] != 'p' &&
           policy->text.p[at] != 'f')
        at++;
    return policy->span.end ? (struct cedar_span){at, at + 6} : policy->span;
}

static void has_id(const struct cedar_policy *policy, struct nk_cedar_diags *d)
{
    const struct cedar_annotation *a = policy->annotations;
    while (a && !(nk_str_eq(a->name, NK_STR("id")) && a->has_value && a->value.n))
        a = a->next;
    if (!a && policy->span.end)
        add(d, policy, NK_CEDAR_DIAG_LINT_NO_ID, effect(policy), policy->id, NK_STR(""));
}

/* Never applies -----------------------------------------------------------------------------------
 */
static bool is_never(const struct cedar_condition *c)
{
    const struct nk_cedar_value *v = c->body->constant;
    return v && v->kind == CEDAR_BOOL && v->as.truth == c->unless;
}

static void applies(const struct cedar_policy *policy, struct nk_cedar_diags *d)
{
    const struct cedar_scope *action = &policy->scope[CEDAR_ACTION];
    if (action->list && action->n == 0)
        add(d, policy, NK_CEDAR_DIAG_LINT_NEVER, action->span, NK_STR(""), NK_STR(""));
    for (const struct cedar_condition *c = policy->conditions; c; c = c->next)
        if (is_never(c))
            add(d, policy, NK_CEDAR_DIAG_LINT_NEVER, c->span, NK_STR(""), NK_STR(""));
}

/* A forbid that may err ---------------------------------------------------------------------------
 *
 * An attribute is guarded when somewhere in the policy `has` asks for it, of the same thing. Whether
 * that is asked first, only the validator can tell; here it is enough that somebody thought of it. */
static bool asks_for(const struct cedar_node *has, uint32_t i, const struct cedar_node *attr)
{
    if (attr->kind != CEDAR_NODE_ATTR || !nk_str_eq(has->path[i], attr->name))
        return false;
    return i == 0 ? cedar_expr_same(has->kid, attr->kid) : asks_for(has, i - 1, attr->kid);
}

static bool is_guard(const struct cedar_node *node, const struct cedar_node *attr)
{
    if (node->kind == CEDAR_NODE_HAS)
        for (uint32_t i = 0; i < node->path_n; i++)
            if (asks_for(node, i, attr))
                return true;
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
        if (is_guard(kid, attr))
            return true;
    return false;
}

static bool is_guarded(const struct cedar_policy *policy, const struct cedar_node *attr)
{
    for (const struct cedar_condition *c = policy->conditions; c; c = c->next)
        if (is_guard(c->body, attr))
            return true;
    return false;
}

static struct nk_str source(const struct cedar_policy *policy, struct cedar_span span)
{
    return nk_str_sub(policy->text, span.offset, span.end);
}

static void guarded(const struct cedar_policy *policy, const struct cedar_node *node,
                    struct nk_cedar_diags *d)
{
    if (node->kind == CEDAR_NODE_ATTR && node->span.end && !is_guarded(policy, node))
        add(d, policy, NK_CEDAR_DIAG_LINT_UNGUARDED, node->mark, node->name,
            source(policy, node->kid->span));
    for (const struct cedar_node *kid = node->kid; kid; kid = kid->next)
        guarded(policy, kid, d);
}

void nk_cedar_lint(const struct nk_cedar_policies *p, bool typed, struct nk_cedar_diags *d)
{
    for (size_t i = 0; i < p->n + p->template_n; i++) {
        const struct cedar_policy *policy = i < p->n ? p->items[i] : p->templates[i - p->n];
        if (policy->link_of)
            continue;
        has_id(policy, d);
        if (typed) /* the validator knows better */
            continue;
        applies(policy, d);
        for (const struct cedar_condition *c = policy->conditions; c && policy->forbid; c = c->next)
            guarded(policy, c->body, d);
    }
}

/* Text --------------------------------------------------------------------------------------------
 */
static bool is_hidden(int32_t c)
{
    return c == 0xad || c == 0x200b || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x2069) || c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f);
}

void nk_cedar_lint_text(struct nk_str text, struct nk_cedar_diags *d)
{
    for (size_t at = 0, from = 0; at < text.n; from = at) {
        int32_t c = nk_utf8_next(text, &at);
        if (c < 0)
            return;
        if (!is_hidden(c))
            continue;
        struct nk_str code = nk_arena_printf(d->arena, "U+%04X", (unsigned)c);
        struct nk_cedar_diag diag = {.code = NK_CEDAR_DIAG_LINT_HIDDEN,
                                     .text = text,
                                     .offset = from,
                                     .end = at,
                                     .args = {code.p ? code : NK_STR("?")}};
        nk_cedar_diags_add(d, &diag);
    }
}
