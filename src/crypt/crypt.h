/* SPDX-License-Identifier: Apache-2.0
 *
 * crypt.h - the few cryptographic functions that Nakoso needs, over OpenSSL 3's EVP. Randomness and
 * keys come in as arguments.
 */
#pragma once

#include "base/encode.h"

enum { NK_SHA256_SIZE = 32, NK_ED25519_KEY_SIZE = 32, NK_ED25519_SIG_SIZE = 64 };

struct nk_digest {
    unsigned char b[NK_SHA256_SIZE];
};

/* SHA-256 (FIPS 180-4) of the slices one behind the other. Never fails and takes no memory. */
struct nk_digest nk_sha256(struct nk_str s);
struct nk_digest nk_sha256_parts(const struct nk_str *parts, size_t n);

/* HMAC (RFC 2104) with SHA-256. Never fails and takes no memory. */
struct nk_digest nk_hmac_sha256(struct nk_str key, struct nk_str message);

/* Compares in constant time. */
bool nk_digest_eq(struct nk_digest a, struct nk_digest b);

/* Ed25519 (RFC 8032). `seed` is the 32-byte private key. 0 or NK_ECRYPTO. */
int nk_ed25519_public(const unsigned char seed[32], unsigned char public_key[32]) NK_CHECKED;
int nk_ed25519_sign(const unsigned char seed[32], struct nk_str message,
                    unsigned char signature[64]) NK_CHECKED;
int nk_ed25519_verify(const unsigned char public_key[32], struct nk_str message,
                      const unsigned char signature[64]) NK_CHECKED;
