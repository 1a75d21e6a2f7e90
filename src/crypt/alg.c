/* SPDX-License-Identifier: Apache-2.0
 *
 * alg.c - the table of signature algorithms. "none" is not a row. The costs are measured on one
 * core of a server of 2024 (bench/ident.c); only their proportions matter.
 */
#include "crypt/jwk.h"

static const struct nk_jws_alg algs[] = {
    /* name, kind, JWK curve, libcrypto's curve, hash, hash size, signature size, cost */
    {"RS256", NK_JWS_RSA, NULL, NULL, "SHA256", 32, 0, 30},
    {"RS384", NK_JWS_RSA, NULL, NULL, "SHA384", 48, 0, 30},
    {"RS512", NK_JWS_RSA, NULL, NULL, "SHA512", 64, 0, 30},
    {"PS256", NK_JWS_PSS, NULL, NULL, "SHA256", 32, 0, 30},
    {"PS384", NK_JWS_PSS, NULL, NULL, "SHA384", 48, 0, 30},
    {"PS512", NK_JWS_PSS, NULL, NULL, "SHA512", 64, 0, 30},
    {"ES256", NK_JWS_ECDSA, "P-256", "P-256", "SHA256", 32, 64, 70},
    {"ES384", NK_JWS_ECDSA, "P-384", "P-384", "SHA384", 48, 96, 650},
    {"ES512", NK_JWS_ECDSA, "P-521", "P-521", "SHA512", 64, 132, 750},
    {"EdDSA", NK_JWS_EDDSA, "Ed25519", NULL, NULL, 0, 64, 110},
    {"Ed25519", NK_JWS_EDDSA, "Ed25519", NULL, NULL, 0, 64, 110},
    {"HS256", NK_JWS_HMAC, NULL, NULL, "SHA256", 32, 32, 5},
    {"HS384", NK_JWS_HMAC, NULL, NULL, "SHA384", 48, 48, 5},
    {"HS512", NK_JWS_HMAC, NULL, NULL, "SHA512", 64, 64, 5},
};

const struct nk_jws_alg *nk_jws_alg_find(struct nk_str name)
{
    for (size_t i = 0; i < NK_COUNT(algs); i++)
        if (nk_str_eq(nk_str(algs[i].name), name))
            return &algs[i];
    return NULL;
}
