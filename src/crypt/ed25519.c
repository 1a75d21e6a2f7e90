/* SPDX-License-Identifier: Apache-2.0
 *
 * ed25519.c - Ed25519 signatures (RFC 8032, section 5.1) from raw keys. Each call builds its key
 * anew: checkpoints are signed once a second at most, and a key that lives only inside a call
 * cannot be left behind in memory.
 */
#include "crypt/crypt.h"

#include <openssl/evp.h>

int nk_ed25519_public(const unsigned char seed[32], unsigned char public_key[32])
{
    size_t size = NK_ED25519_KEY_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, size);
    bool ok = key && EVP_PKEY_get_raw_public_key(key, public_key, &size) == 1 &&
              size == NK_ED25519_KEY_SIZE;
    EVP_PKEY_free(key);
    return ok ? 0 : NK_ECRYPTO;
}

int nk_ed25519_sign(const unsigned char seed[32], struct nk_str message,
                    unsigned char signature[64])
{
    size_t size = NK_ED25519_SIG_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, NK_ED25519_KEY_SIZE);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok =
        key && ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
        EVP_DigestSign(ctx, signature, &size, (const unsigned char *)message.p, message.n) == 1 &&
        size == NK_ED25519_SIG_SIZE;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok ? 0 : NK_ECRYPTO;
}

int nk_ed25519_verify(const unsigned char public_key[32], struct nk_str message,
                      const unsigned char signature[64])
{
    EVP_PKEY *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, NK_ED25519_KEY_SIZE);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = key && ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, signature, NK_ED25519_SIG_SIZE,
                               (const unsigned char *)message.p, message.n) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    return ok ? 0 : NK_ECRYPTO;
}
