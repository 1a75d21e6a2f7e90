/* SPDX-License-Identifier: Apache-2.0
 *
 * offer.h - the list of tools that a request offers to the model, while it is being read.
 */
#pragma once

#include "proto/proto.h"

struct nk_offer {
    struct nk_arena *arena;
    struct nk_tool_use *tools;
    size_t n, cap;
};

/* Adds one tool; its name is not empty. */
int nk_offer_add(struct nk_offer *o, struct nk_str name, bool hosted,
                 struct nk_fault *f) NK_CHECKED;
/* Reads the string member `member` of object `tool` as the name and adds it; a missing name is an
 * error. */
int nk_offer_named(struct nk_offer *o, const struct nk_json *doc, uint32_t tool,
                   struct nk_str member, bool hosted, struct nk_fault *f) NK_CHECKED;
/* The tool added last is hosted, and stands at tape entry `tool`; its members `url` and `connector` (either may be NULL)
 * say which server it is, if it is a remote one. */
int nk_offer_place(struct nk_offer *o, const struct nk_json *doc, uint32_t tool, const char *url,
                   const char *connector, struct nk_fault *f) NK_CHECKED;
