/* SPDX-License-Identifier: Apache-2.0
 *
 * jwk.h - the public keys of a token issuer: JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037)
 * read once into keys that are ready to verify. A key fixes its one algorithm here, before any
 * token is seen; what a token's header says can only agree with it (RFC 8725, section 3.1).
 *
 * The algorithm of a key is its `alg`; without one it is what the curve allows, and RS256 for RSA
 * (OpenID Connect's default). Keys that cannot verify a signature (`use` other than "sig",
 * `key_ops` without "verify") and keys of kinds not known here are left out, as RFC 7517 section 5
 * says. So are weak and broken keys (RSA under 2048 or over 8192 bits, an exponent that is even or
 * below 65537, the ROCA pattern, a point off its curve): tokens signed with them find no key. The
 * set as a whole is refused when it is ambiguous or gives secrets away: two keys with one `kid`,
 * symmetric keys, private parts.
 */
#pragma once

#include "crypt/crypt.h"
#include "json/json.h"

enum nk_jws_kind { NK_JWS_HMAC, NK_JWS_RSA, NK_JWS_PSS, NK_JWS_ECDSA, NK_JWS_EDDSA };

/* One row of the table of algorithms (RFC 7518 section 3.1, RFC 8037, RFC 9864). */
struct nk_jws_alg {
    const char *name;
    enum nk_jws_kind kind;
    const char *curve;  /* JWK `crv`; NULL for RSA and HMAC */
    const char *group;  /* libcrypto's name of the curve; NULL where it has none */
    const char *digest; /* libcrypto's name of the hash; NULL: the algorithm has its own */
    int digest_size;    /* bytes */
    int signature_size; /* exact, in bytes; 0: the size of the RSA modulus */
    int cost;           /* microseconds of one verification, roughly (RSA: of 2048 bits) */
};

struct nk_jwk {
    struct nk_str kid; /* absent when the key has none */
    const struct nk_jws_alg *alg;
    struct evp_pkey_st *key;      /* NULL for HMAC */
    struct evp_md_ctx_st *primed; /* a context ready to verify, copied for each use */
    struct nk_str secret;         /* HMAC alone */
    int signature_size;           /* exact, in bytes */
    int cost;                     /* microseconds of one verification, roughly; for budgets */
};

enum {
    NK_JWKS_MAX_KEYS = 64,
    NK_JWKS_MAX_BYTES = 256 * 1024,
    NK_JWKS_SYMMETRIC = 1, /* flag: take symmetric keys (all of them or none) */
};

struct nk_jwks {
    struct nk_arena arena; /* kids, secrets */
    struct nk_jwk keys[NK_JWKS_MAX_KEYS];
    size_t count;
    size_t skipped;      /* keys left out */
    struct nk_fault why; /* why the first of them was left out */
};

/* Reads {"keys":[…]} or a single JWK. Without NK_JWKS_SYMMETRIC in `flags` a symmetric key is an
 * error: a gateway that could make tokens is no judge of them. On success the caller owes
 * nk_jwks_free. A set from which nothing is left is an error that says why. NK_EINVAL, NK_ELIMIT,
 * NK_ENOMEM, NK_ECONFLICT (duplicate kid), NK_EDENIED (secret parts), NK_ECRYPTO. */
int nk_jwks_parse(struct nk_str text, unsigned flags, struct nk_jwks *out,
                  struct nk_fault *f) NK_CHECKED;
/* The same for an object that has been read already. */
int nk_jwks_read(const struct nk_json *doc, uint32_t set, unsigned flags, struct nk_jwks *out,
                 struct nk_fault *f) NK_CHECKED;
void nk_jwks_free(struct nk_jwks *set);
/* The key with this kid; for an absent kid the only key of the set. NULL otherwise. */
const struct nk_jwk *nk_jwks_find(const struct nk_jwks *set, struct nk_str kid);

/* The algorithm of this name, or NULL. */
const struct nk_jws_alg *nk_jws_alg_find(struct nk_str name);
/* Does the RSA modulus (big-endian) have the fingerprint of CVE-2017-15361 (ROCA)? */
bool nk_is_roca_modulus(struct nk_str modulus);
