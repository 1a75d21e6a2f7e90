/* SPDX-License-Identifier: Apache-2.0
 *
 * approvals.h - what the reader of tools.json and the judge of a list share: inner to src/tool.
 */
#pragma once

#include "tool/trust.h"

/* The digest of a definition, and that of the definition without its name. NK_EINVAL, NK_ELIMIT,
 * NK_ENOMEM. */
int tool_digests(const struct nk_json *doc, uint32_t at, struct nk_digest *digest,
                 struct nk_digest *nameless) NK_CHECKED;
/* Is this member the same in both definitions, or missing in both? False too when memory is out. */
bool tool_member_same(const struct nk_json *a, uint32_t at, const struct nk_json *b, uint32_t bt,
                      enum nk_tool_member member);
