/* SPDX-License-Identifier: Apache-2.0
 *
 * key.h - from the numbers of a JWK to a key of libcrypto. Private to this module.
 */
#pragma once

#include "crypt/jwk.h"

/* Strict base64url to bytes in `a`. NK_EINVAL when malformed, absent or empty; NK_ENOMEM. */
int nk_key_bytes(struct nk_str text, struct nk_arena *a, struct nk_str *out) NK_CHECKED;

/* Each sets key->key (RSA: signature_size and cost too). 0, NK_ENOMEM, or NK_ECRYPTO with the
 * reason in *why. */
int nk_key_rsa(struct nk_str n, struct nk_str e, struct nk_jwk *key, const char **why) NK_CHECKED;
int nk_key_ec(struct nk_str x, struct nk_str y, struct nk_jwk *key, const char **why) NK_CHECKED;
int nk_key_ed25519(struct nk_str x, struct nk_jwk *key, const char **why) NK_CHECKED;

/* Makes key->primed. 0, NK_ENOMEM or NK_ECRYPTO. */
int nk_key_prime(struct nk_jwk *key) NK_CHECKED;
void nk_key_free(struct nk_jwk *key);
