/* SPDX-License-Identifier: Apache-2.0
 *
 * hidden.h - what is in a text and not on the screen: inner to src/tool.
 */
#pragma once

#include "tool/trust.h"

/* Calls `found` once for each rule that the text breaks, with the bytes [from, to) of the first place. */
void tool_hidden(struct nk_str text,
                 void (*found)(void *to, enum nk_trust_rule rule, size_t from, size_t end),
                 void *to);
