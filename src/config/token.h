/* SPDX-License-Identifier: Apache-2.0
 *
 * token.h - the identity that tools get: identity.tool_tokens. See config.h and ident/token.h.
 */
#pragma once

#include "config/upstream.h"

struct nk_config_token {
    struct nk_str issuer;    /* absent: no tool gets a token */
    struct nk_str key;       /* "file:PATH" or "env:NAME": the one that signs */
    struct nk_str other_key; /* the next one, or the one before; absent: none */
    int64_t lifetime;
    const struct nk_config_text *attributes;
    size_t attribute_count;
};
