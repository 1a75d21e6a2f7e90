/* SPDX-License-Identifier: Apache-2.0
 *
 * jose_kit.h - plays the token issuer for tests and benchmarks: fresh keys, their JWKs, signatures.
 */
#pragma once

#include <stdlib.h>
#include <string.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include "crypt/jws.h"

struct kit_key {
    const char *kid;
    const struct nk_jws_alg *alg;
    EVP_PKEY *key;
};

__attribute__((unused)) static struct kit_key kit_key(const char *kid, const char *alg, int bits)
{
    struct kit_key k = {kid, nk_jws_alg_find(nk_str(alg)), NULL};
    switch (k.alg->kind) {
    case NK_JWS_RSA:
    case NK_JWS_PSS:
        k.key = EVP_RSA_gen((unsigned)bits);
        break;
    case NK_JWS_ECDSA:
        k.key = EVP_EC_gen(k.alg->group);
        break;
    default:
        k.key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
    if (!k.key)
        abort();
    return k;
}

static void kit_bytes(struct nk_buf *out, const char *name, const unsigned char *p, size_t n)
{
    nk_json_put_name(out, nk_str(name));
    nk_buf_add_char(out, '"');
    nk_base64url_encode((struct nk_str){(const char *)p, n}, out);
    nk_buf_add_char(out, '"');
}

static void kit_number(struct nk_buf *out, const struct kit_key *k, const char *name,
                       const char *param)
{
    unsigned char bytes[1024];
    BIGNUM *n = NULL;
    if (EVP_PKEY_get_bn_param(k->key, param, &n) != 1)
        abort();
    int size = k->alg->kind == NK_JWS_ECDSA ? k->alg->signature_size / 2 : BN_num_bytes(n);
    BN_bn2binpad(n, bytes, size);
    kit_bytes(out, name, bytes, (size_t)size);
    BN_free(n);
}

/* Appends the public JWK. */
__attribute__((unused)) static void kit_jwk(const struct kit_key *k, struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    nk_json_put_member(out, NK_STR("kid"), nk_str(k->kid));
    nk_json_put_member(out, NK_STR("alg"), nk_str(k->alg->name));
    nk_json_put_member(out, NK_STR("use"), NK_STR("sig"));
    if (k->alg->kind == NK_JWS_EDDSA) {
        unsigned char x[32];
        size_t n = sizeof x;
        EVP_PKEY_get_raw_public_key(k->key, x, &n);
        nk_buf_add(out, NK_STR(",\"kty\":\"OKP\",\"crv\":\"Ed25519\""));
        kit_bytes(out, "x", x, n);
    } else if (k->alg->kind == NK_JWS_ECDSA) {
        nk_json_put_member(out, NK_STR("kty"), NK_STR("EC"));
        nk_json_put_member(out, NK_STR("crv"), nk_str(k->alg->curve));
        kit_number(out, k, "x", OSSL_PKEY_PARAM_EC_PUB_X);
        kit_number(out, k, "y", OSSL_PKEY_PARAM_EC_PUB_Y);
    } else {
        nk_json_put_member(out, NK_STR("kty"), NK_STR("RSA"));
        kit_number(out, k, "n", OSSL_PKEY_PARAM_RSA_N);
        kit_number(out, k, "e", OSSL_PKEY_PARAM_RSA_E);
    }
    nk_buf_add_char(out, '}');
}

/* {"keys":[…]} of n keys. */
__attribute__((unused)) static void kit_jwks(const struct kit_key *keys, size_t n,
                                             struct nk_buf *out)
{
    nk_buf_add(out, NK_STR("{\"keys\":["));
    for (size_t i = 0; i < n; i++) {
        if (i)
            nk_buf_add_char(out, ',');
        kit_jwk(&keys[i], out);
    }
    nk_buf_add(out, NK_STR("]}"));
}

static size_t kit_ecdsa_raw(const struct kit_key *k, unsigned char *sig, size_t n)
{
    const unsigned char *p = sig;
    int half = k->alg->signature_size / 2;
    ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)n);
    BN_bn2binpad(ECDSA_SIG_get0_r(s), sig, half);
    BN_bn2binpad(ECDSA_SIG_get0_s(s), sig + half, half);
    ECDSA_SIG_free(s);
    return 2 * (size_t)half;
}

/* Appends header.payload.signature. */
__attribute__((unused)) static void kit_sign(const struct kit_key *k, struct nk_str header,
                                             struct nk_str payload, struct nk_buf *out)
{
    unsigned char sig[2048];
    size_t n = sizeof sig, start = out->n;
    EVP_PKEY_CTX *pctx = NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    nk_base64url_encode(header, out);
    nk_buf_add_char(out, '.');
    nk_base64url_encode(payload, out);
    if (EVP_DigestSignInit_ex(ctx, &pctx, k->alg->digest, NULL, NULL, k->key, NULL) != 1)
        abort();
    if (k->alg->kind == NK_JWS_PSS) {
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST);
    }
    if (EVP_DigestSign(ctx, sig, &n, (unsigned char *)out->p + start, out->n - start) != 1)
        abort();
    EVP_MD_CTX_free(ctx);
    if (k->alg->kind == NK_JWS_ECDSA)
        n = kit_ecdsa_raw(k, sig, n);
    nk_buf_add_char(out, '.');
    nk_base64url_encode((struct nk_str){(char *)sig, n}, out);
}

/* The usual header for the key. */
__attribute__((unused)) static void kit_header(const struct kit_key *k, struct nk_buf *out)
{
    nk_buf_printf(out, "{\"alg\":\"%s\",\"kid\":\"%s\",\"typ\":\"JWT\"}", k->alg->name, k->kid);
}
