/* SPDX-License-Identifier: Apache-2.0
 *
 * digest.c - SHA-256 (FIPS 180-4) with libcrypto's plain functions. OpenSSL 3 would rather have EVP
 * used, but EVP looks the algorithm up by name and takes memory at each digest, unless somebody
 * keeps a context, and even then it takes memory; the core may keep nothing. For 400 bytes,
 * measured with OpenSSL 3.0 on one core: 0.27 us here, 0.35 with a kept context, 0.65 with
 * EVP_sha256(), 0.75 with EVP_Q_digest. Hence the one place where a deprecation warning is
 * silenced.
 */
#include "crypt/crypt.h"

#include <openssl/sha.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

struct nk_digest nk_sha256(struct nk_str s)
{
    return nk_sha256_parts(&s, 1);
}

struct nk_digest nk_sha256_parts(const struct nk_str *parts, size_t n)
{
    struct nk_digest d;
    SHA256_CTX ctx;
    NK_MUST(SHA256_Init(&ctx) == 1);
    for (size_t i = 0; i < n; i++)
        NK_MUST(parts[i].n == 0 || SHA256_Update(&ctx, parts[i].p, parts[i].n) == 1);
    NK_MUST(SHA256_Final(d.b, &ctx) == 1);
    return d;
}

bool nk_digest_eq(struct nk_digest a, struct nk_digest b)
{
    return nk_secret_eq((struct nk_str){(const char *)a.b, sizeof a.b},
                        (struct nk_str){(const char *)b.b, sizeof b.b});
}
