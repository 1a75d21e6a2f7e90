/* SPDX-License-Identifier: Apache-2.0
 *
 * view.h - what a loaded policy says in its head: effect, scope, text. For those who list policies; nothing
 * here decides.
 */
#pragma once

#include "cedar/cedar.h"

struct cedar_policy;

struct nk_cedar_policy_view {
    struct nk_str id;
    bool forbid;
    struct nk_str
        statement; /* its text, from the first annotation to ';'; a link has its template's */
    struct nk_str link_of; /* id of the template, or absent */
    struct nk_cedar_uid principal,
        resource; /* what == or `in` names, a slot's value too; absent types: none */
    size_t action_count;
    const struct cedar_policy *policy;
};

/* Policy i < nk_cedar_policies_count, or template i < nk_cedar_templates_count, in order of loading. */
void nk_cedar_policy_view(const struct nk_cedar_policies *p, size_t i,
                          struct nk_cedar_policy_view *out);
void nk_cedar_template_view(const struct nk_cedar_policies *p, size_t i,
                            struct nk_cedar_policy_view *out);
/* The policy (not template) of this id, or false. */
bool nk_cedar_policy_find(const struct nk_cedar_policies *p, struct nk_str id,
                          struct nk_cedar_policy_view *out);
/* Action i of its scope. */
struct nk_cedar_uid nk_cedar_view_action(const struct nk_cedar_policy_view *v, size_t i);
