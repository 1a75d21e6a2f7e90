/* SPDX-License-Identifier: Apache-2.0
 *
 * template.h - policy templates (docs.cedarpolicy.com, "Policy templates"): a policy whose scope
 * has ?principal or ?resource in place of an entity. It decides nothing itself; a link gives each
 * of its slots an entity and is a policy like any other.
 */
#pragma once

#include "cedar/cedar.h"

/* Templates that the set holds; they are not among nk_cedar_policies_count. */
size_t nk_cedar_templates_count(const struct nk_cedar_policies *p);
/* The id of one of them, i < count, in order of loading. */
struct nk_str nk_cedar_template_id(const struct nk_cedar_policies *p, size_t i);

struct nk_cedar_slot_value {
    struct nk_str slot; /* "?principal" or "?resource" */
    struct nk_cedar_uid uid;
};

/* Adds the policy `id`: the template with each slot replaced by its value. It shares the template's
 * conditions and annotations. The strings must live as long as the set. NK_ENOTFOUND (no template
 * `template_id`), NK_EINVAL (a slot without a value or with two, a value for a slot that the
 * template has not, a uid of no type), NK_ECONFLICT (`id` is there already), NK_ELIMIT, NK_ENOMEM;
 * then nothing is added. */
int nk_cedar_policies_link(struct nk_cedar_policies *p, struct nk_str template_id, struct nk_str id,
                           const struct nk_cedar_slot_value *values, size_t n,
                           struct nk_fault *f) NK_CHECKED;
