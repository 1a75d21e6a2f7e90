/* SPDX-License-Identifier: Apache-2.0
 *
 * digest.c - SHA-256 (FIPS 180-4) over EVP. Two ways in: nk_sha256, which needs nothing and asks
 * libcrypto for the algorithm each time, and nk_hasher, whose owner keeps the algorithm and a
 * context. The core may hold no globals, so nobody else could keep them. (The low-level
 * SHA256_Update would be as fast without a context, but OpenSSL 3 deprecates it, and with it goes
 * the choice of a FIPS provider.)
 */
#include "crypt/crypt.h"

#include <string.h>
#include <openssl/evp.h>

static struct nk_digest digest(EVP_MD_CTX *ctx, const EVP_MD *md, const struct nk_str *parts,
                               size_t n)
{
    struct nk_digest d;
    unsigned int size = 0;
    NK_MUST(ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1);
    for (size_t i = 0; i < n; i++)
        NK_MUST(parts[i].n == 0 || EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1);
    NK_MUST(EVP_DigestFinal_ex(ctx, d.b, &size) == 1 && size == sizeof d.b);
    return d;
}

struct nk_digest nk_sha256(struct nk_str s)
{
    return nk_sha256_parts(&s, 1);
}

struct nk_digest nk_sha256_parts(const struct nk_str *parts, size_t n)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct nk_digest d = digest(ctx, EVP_sha256(), parts, n);
    EVP_MD_CTX_free(ctx);
    return d;
}

int nk_hasher_init(struct nk_hasher *h)
{
    *h = (struct nk_hasher){.ctx = EVP_MD_CTX_new(), .sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)};
    if (h->ctx && h->sha256)
        return 0;
    int rc = h->ctx ? NK_ECRYPTO : NK_ENOMEM;
    nk_hasher_free(h);
    return rc;
}

void nk_hasher_free(struct nk_hasher *h)
{
    EVP_MD_CTX_free(h->ctx);
    EVP_MD_free(h->sha256);
    *h = (struct nk_hasher){NULL, NULL};
}

struct nk_digest nk_hasher_sha256(const struct nk_hasher *h, struct nk_str s)
{
    return digest(h->ctx, h->sha256, &s, 1);
}

struct nk_digest nk_hasher_sha256_parts(const struct nk_hasher *h, const struct nk_str *parts,
                                        size_t n)
{
    return digest(h->ctx, h->sha256, parts, n);
}

bool nk_digest_eq(struct nk_digest a, struct nk_digest b)
{
    return nk_secret_eq((struct nk_str){(const char *)a.b, sizeof a.b},
                        (struct nk_str){(const char *)b.b, sizeof b.b});
}
