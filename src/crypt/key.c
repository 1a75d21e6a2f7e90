/* SPDX-License-Identifier: Apache-2.0
 *
 * key.c - public keys from their numbers (RFC 7518 section 6, RFC 8037 section 2), with the checks
 * that make a signature mean something: sizes, odd exponents, points on their curve, no ROCA
 * moduli. Numbers must be written in the one form that the RFC gives: no leading zero octet in an
 * RSA number, coordinates at full length.
 */
#include "crypt/key.h"

#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

enum { RSA_MIN_BITS = 2048, RSA_MAX_BITS = 8192, EXPONENT_MIN = 65537, EXPONENT_MAX_BYTES = 8 };

int nk_key_bytes(struct nk_str text, struct nk_arena *a, struct nk_str *out)
{
    struct nk_buf b;
    *out = (struct nk_str){NULL, 0};
    if (!text.p || text.n == 0)
        return NK_EINVAL;
    nk_buf_init(&b, text.n + 3);
    int rc = nk_base64url_decode(text, &b);
    if (rc == 0)
        *out = nk_arena_copy(a, nk_buf_str(&b));
    if (b.p)
        nk_secret_wipe(b.p, b.n);
    nk_buf_free(&b);
    return rc == 0 && !out->p ? NK_ENOMEM : rc;
}

static int no(const char **why, const char *text)
{
    *why = text;
    return NK_ECRYPTO;
}

/* Makes a key of `type` ("RSA", "EC") from parameters; takes the builder's content. */
static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return key;
}

static EVP_PKEY *rsa_key(struct nk_str n, struct nk_str e)
{
    EVP_PKEY *key = NULL;
    BIGNUM *bn = BN_bin2bn((const unsigned char *)n.p, (int)n.n, NULL);
    BIGNUM *be = BN_bin2bn((const unsigned char *)e.p, (int)e.n, NULL);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    if (bn && be && bld && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn) == 1 &&
        OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, be) == 1)
        key = from_params("RSA", bld);
    OSSL_PARAM_BLD_free(bld);
    BN_free(be);
    BN_free(bn);
    return key;
}

int nk_key_rsa(struct nk_str n, struct nk_str e, struct nk_jwk *key, const char **why)
{
    uint64_t exponent = 0;
    if (!n.p || !e.p || n.p[0] == 0 || e.p[0] == 0)
        return no(why, "`n` or `e` is missing, malformed or begins with a zero octet");
    if (n.n > RSA_MAX_BITS / 8)
        return no(why, "the RSA modulus is longer than 8192 bits");
    if (n.n < RSA_MIN_BITS / 8 || (n.n == RSA_MIN_BITS / 8 && !(n.p[0] & 0x80)))
        return no(why, "the RSA modulus is shorter than 2048 bits");
    if (e.n > EXPONENT_MAX_BYTES)
        return no(why, "the RSA exponent is longer than 64 bits");
    for (size_t i = 0; i < e.n; i++)
        exponent = exponent << 8 | (unsigned char)e.p[i];
    if (exponent < EXPONENT_MIN || exponent % 2 == 0)
        return no(why, "the RSA exponent is even or below 65537");
    if (n.p[n.n - 1] % 2 == 0)
        return no(why, "the RSA modulus is even");
    if (nk_is_roca_modulus(n))
        return no(why, "the RSA key was made by a faulty chip (ROCA, CVE-2017-15361)");
    key->key = rsa_key(n, e);
    key->signature_size = (int)n.n;
    key->cost = (int)((size_t)key->alg->cost * n.n * n.n / (256 * 256));
    return key->key ? 0 : no(why, "libcrypto refuses the RSA key");
}

int nk_key_ec(struct nk_str x, struct nk_str y, struct nk_jwk *key, const char **why)
{
    size_t size = (size_t)key->alg->signature_size / 2;
    unsigned char point[1 + 132];
    if (x.n != size || y.n != size)
        return no(why, "`x` or `y` does not have the length of the curve's coordinates");
    NK_MUST(1 + 2 * size <= sizeof point);
    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    memcpy(point + 1, x.p, size);
    memcpy(point + 1 + size, y.p, size);
    OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
    if (bld &&
        OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, key->alg->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size) == 1)
        key->key = from_params("EC", bld);
    OSSL_PARAM_BLD_free(bld);
    EVP_PKEY_CTX *ctx = key->key ? EVP_PKEY_CTX_new_from_pkey(NULL, key->key, NULL) : NULL;
    bool ok = ctx && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok ? 0 : no(why, "the point is not on its curve");
}

int nk_key_ed25519(struct nk_str x, struct nk_jwk *key, const char **why)
{
    if (x.n != NK_ED25519_KEY_SIZE)
        return no(why, "`x` is not 32 bytes");
    key->key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)x.p, x.n);
    return key->key ? 0 : no(why, "libcrypto refuses the Ed25519 key");
}

int nk_key_prime(struct nk_jwk *key)
{
    EVP_PKEY_CTX *ctx = NULL; /* belongs to key->primed */
    key->primed = EVP_MD_CTX_new();
    if (!key->primed)
        return NK_ENOMEM;
    if (EVP_DigestVerifyInit_ex(key->primed, &ctx, key->alg->digest, NULL, NULL, key->key, NULL) !=
        1)
        return NK_ECRYPTO;
    if (key->alg->kind != NK_JWS_PSS)
        return 0;
    /* RFC 7518, section 3.5: the salt is as long as the hash, and MGF1 uses the same hash. */
    bool ok = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
              EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, key->alg->digest, NULL) == 1;
    return ok ? 0 : NK_ECRYPTO;
}

void nk_key_free(struct nk_jwk *key)
{
    EVP_MD_CTX_free(key->primed);
    EVP_PKEY_free(key->key);
    if (key->secret.p)
        nk_secret_wipe((char *)(uintptr_t)key->secret.p, key->secret.n);
    *key = (struct nk_jwk){.kid = {NULL, 0}};
}
