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

/* SHA-256 (FIPS 180-4) of the slices one behind the other. Never fails: a libcrypto without SHA-256
 * is a broken installation (NK_MUST). */
struct nk_digest nk_sha256(struct nk_str s);
struct nk_digest nk_sha256_parts(const struct nk_str *parts, size_t n);

/* The same digests from a context that its owner keeps: half the time of nk_sha256 and no memory
 * taken, because OpenSSL 3 looks an algorithm up by name at each use unless somebody keeps it. For
 * the hot paths. Not thread-safe (roles are single-threaded). */
struct nk_hasher {
    struct evp_md_ctx_st *ctx;
    struct evp_md_st *sha256;
};
/* 0, NK_ENOMEM, or NK_ECRYPTO when libcrypto has no SHA-256. */
int nk_hasher_init(struct nk_hasher *h) NK_CHECKED;
void nk_hasher_free(struct nk_hasher *h);
struct nk_digest nk_hasher_sha256(const struct nk_hasher *h, struct nk_str s);
struct nk_digest nk_hasher_sha256_parts(const struct nk_hasher *h, const struct nk_str *parts,
                                        size_t n);

/* Compares in constant time. */
bool nk_digest_eq(struct nk_digest a, struct nk_digest b);

/* Ed25519 (RFC 8032). `seed` is the 32-byte private key. 0 or NK_ECRYPTO. */
int nk_ed25519_public(const unsigned char seed[32], unsigned char public_key[32]) NK_CHECKED;
int nk_ed25519_sign(const unsigned char seed[32], struct nk_str message,
                    unsigned char signature[64]) NK_CHECKED;
int nk_ed25519_verify(const unsigned char public_key[32], struct nk_str message,
                      const unsigned char signature[64]) NK_CHECKED;
