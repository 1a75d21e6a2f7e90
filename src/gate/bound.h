/* SPDX-License-Identifier: Apache-2.0
 *
 * bound.h - texts that a client keeps for us: sealed (crypt/seal.h) for one endpoint, the servers behind it and the principal, so
 * that whoever else holds one holds nothing, and no table has to be kept. Private to gate.
 */
#pragma once

#include "config/upstream.h"
#include "gate/txn.h"

struct gate_bound {                       /* what a sealed text is good for */
    struct nk_str purpose;                /* "session", "task" … */
    struct nk_str path;                   /* of the endpoint */
    struct nk_str session;                /* or empty */
    const struct nk_config_text *servers; /* names of what is behind it, in order */
    size_t server_count;
};

/* Appends it in base64url. NK_ELIMIT, NK_ENOMEM, NK_ECRYPTO. */
int gate_bound_seal(const struct nk_txn *t, const struct gate_bound *to, const struct nk_buf *plain,
                    struct nk_buf *out) NK_CHECKED;
/* The reverse, a copy in the transaction's arena. NK_ENOTFOUND: it is none of these. */
int gate_bound_unseal(const struct nk_txn *t, const struct gate_bound *to, struct nk_str text,
                      struct nk_str *out) NK_CHECKED;
/* Texts behind one another, each with its length. */
void gate_put_part(struct nk_buf *b, struct nk_str part);
bool gate_get_part(struct nk_str *from, struct nk_str *part);
