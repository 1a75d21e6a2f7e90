/* SPDX-License-Identifier: Apache-2.0
 *
 * signs.h - evidence that a text speaks to the model, whatever its wording: inner to src/tool.
 */
#pragma once

#include "tool/text.h"
#include "tool/trust.h"

/* Calls `found` once for each rule that is not yet in `seen` (bits 1 << rule) and for which signs stand together
 * (signs.def), with the bytes [from, to) of the folded text where they do. Adds the rule to `seen`. */
void tool_signs(struct tool_text *t, unsigned *seen,
                void (*found)(void *to, enum nk_trust_rule rule, size_t from, size_t end),
                void *to);
