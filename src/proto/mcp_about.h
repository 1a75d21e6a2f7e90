/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_about.h - what servers say of themselves: the result of initialize (revisions with sessions) or of server/discover
 * (2026-07-28), which say the same in two forms. Read in either, and written as one server's in the form that the client
 * reads.
 */
#pragma once

#include "proto/mcp.h"

struct nk_mcp_about {
    struct nk_str name; /* of the server, as the operator calls it */
    const struct nk_json *doc;
    uint32_t at;        /* the result, of either form */
    bool is_translated; /* it speaks the other generation: what cannot be translated is left out */
};

/* Appends the result of initialize, or of server/discover if `as` is 2026-07-28. Of several servers the capabilities are
 * those that any of them has, and only those that are the same through a gateway; instructions stand behind
 * the names of their servers; the server's name is ours. NK_ENOMEM, NK_ELIMIT. */
int nk_mcp_put_about(const struct nk_mcp_about *list, size_t n, enum nk_mcp_revision as,
                     struct nk_arena *a, struct nk_buf *out) NK_CHECKED;
