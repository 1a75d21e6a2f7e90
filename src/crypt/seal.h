/* SPDX-License-Identifier: Apache-2.0
 *
 * seal.h - texts that we give away and get back: nobody else can read or change them. AES-256-SIV (RFC 5297):
 * it needs no random number, so the core can seal, and the same text under the same key is the same
 * sealed text. Whoever wants two to differ puts something that differs in.
 */
#pragma once

#include "crypt/crypt.h"

enum { NK_SEAL_KEY_SIZE = 64, NK_SEAL_OVERHEAD = 16 };

struct nk_seal_key {
    unsigned char b[NK_SEAL_KEY_SIZE];
};

/* The key for one purpose ("mcp session"), from a secret of any length (HKDF with SHA-256, RFC 5869; the purpose
 * is its info). */
struct nk_seal_key nk_seal_key(struct nk_str secret, struct nk_str purpose);
/* Appends the sealed bytes, NK_SEAL_OVERHEAD more than `text` has (not empty). What is `bound` is not in them, and
 * has to be the same when they are opened. NK_ECRYPTO, NK_ELIMIT, NK_ENOMEM. */
int nk_seal(const struct nk_seal_key *key, struct nk_str bound, struct nk_str text,
            struct nk_buf *out) NK_CHECKED;
/* The reverse; NK_ECRYPTO: not sealed by this key for this, or changed since. */
int nk_unseal(const struct nk_seal_key *key, struct nk_str bound, struct nk_str sealed,
              struct nk_buf *out) NK_CHECKED;
