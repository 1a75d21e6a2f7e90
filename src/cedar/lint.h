/* SPDX-License-Identifier: Apache-2.0
 *
 * lint.h - what is allowed in a policy and yet hardly what its author wants. Warnings alone; what is
 * wrong with a policy, the validator says.
 */
#pragma once

#include "cedar/cedar.h"
#include "cedar/diag.h"

/* Adds to `d` what it finds in the policies and templates of `p`: a policy without an id of its own.
 * And, when no schema lets the validator tell (`typed` false), one that never applies, and a forbid
 * that may err, and so be skipped, because an attribute is not there. Memory comes from d->arena. */
void nk_cedar_lint(const struct nk_cedar_policies *p, bool typed, struct nk_cedar_diags *d);
/* Characters of a policy text that a reader cannot see, or that turn the direction of what he reads:
 * he would not read what is decided. */
void nk_cedar_lint_text(struct nk_str text, struct nk_cedar_diags *d);
