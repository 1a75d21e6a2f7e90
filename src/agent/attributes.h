/* SPDX-License-Identifier: Apache-2.0
 *
 * attributes.h - what tools are told about a conversation: attributes that the client gave or a tool answered, and, above
 * all of them, who asks, as it was proven. Names that say who asks are reserved: whatever a client or a tool sends
 * under them is dropped, in any case of letters, so nothing that a tool answers can change who the next one serves.
 */
#pragma once

#include "ident/ident.h"
#include "proto/bedrock_agent.h"

struct nk_agent_attributes {
    struct nk_agent_pair pairs[NK_AGENT_PAIRS_MAX];
    size_t n;
};

/* Is it role, username, sub, groups, email, tenant, or an attribute of the proven principal? */
bool nk_agent_is_reserved(const struct nk_principal *p, struct nk_str name);
/* Takes over what is not reserved; a name that is there already gets the new value. Texts are not copied. NK_ELIMIT:
 * there would be too many; then some are taken. */
int nk_agent_attributes_add(struct nk_agent_attributes *to, const struct nk_principal *p,
                            const struct nk_agent_pair *pairs, size_t n) NK_CHECKED;
/* A JSON object of texts: those pairs, and behind them who asks: username and sub (its id), groups (separated by commas),
 * and each attribute of the principal, its value as text (a list as JSON). */
void nk_agent_attributes_write(const struct nk_agent_attributes *of, const struct nk_principal *p,
                               struct nk_buf *out);
