/* SPDX-License-Identifier: Apache-2.0
 *
 * proof.c - see proof.h. A token of a policy store is cached under a digest of its own kind, so that it is
 * never taken for a proof of who asks, nor the reverse; what the cache remembers is that its signature held.
 */
#include "ident/proof.h"

#include "ident/apikey.h"
#include "ident/claims.h"
#include "ident/own.h"

/* Is this key's secret derived from `secret`? */
static bool is_made_with(const struct ident_key *key, struct nk_str secret)
{
    char text[NK_SIGV4_SECRET_SIZE + 1];
    nk_sigv4_secret(secret, key->principal.source, text);
    struct nk_digest d = nk_sha256(nk_str(text));
    nk_secret_wipe(text, sizeof text);
    return nk_digest_eq(d, key->digest);
}

int nk_ident_set_sigv4(struct nk_ident *id, struct nk_str secret, struct nk_fault *f)
{
    if (secret.p && secret.n < NK_SIGV4_MASTER_MIN)
        return nk_fault_set(f, NK_EINVAL, "keys", 0,
                            "identity.sigv4_secret has under %d characters; let `nakoso key create "
                            "--sigv4` make it",
                            NK_SIGV4_MASTER_MIN);
    for (size_t i = 0; i < id->signers.cap; i++) {
        const struct ident_key *key = id->signers.slots[i].value;
        if (!key)
            continue;
        if (!secret.p)
            return nk_fault_set(f, NK_ECONFLICT, "keys", 0,
                                "key %.*s signs requests, which needs identity.sigv4_secret",
                                NK_FMT(key->principal.source));
        if (!is_made_with(key, secret))
            return nk_fault_set(f, NK_ECONFLICT, "keys", 0,
                                "key %.*s was made with another secret than "
                                "identity.sigv4_secret; restore that one, or make a new key",
                                NK_FMT(key->principal.source));
    }
    id->signing = secret;
    return 0;
}

static int verify_signature(const struct nk_ident *id, const struct nk_http_head *h,
                            const struct nk_sigv4 *s, struct nk_str payload, struct nk_str key_id,
                            struct nk_fault *f)
{
    char secret[NK_SIGV4_SECRET_SIZE + 1];
    nk_sigv4_secret(id->signing, key_id, secret);
    int rc = nk_sigv4_verify(h, s, payload, nk_str(secret), f);
    nk_secret_wipe(secret, sizeof secret);
    return rc == NK_ECRYPTO ? NK_EDENIED : rc;
}

int nk_ident_verify_sigv4(struct nk_ident *id, const struct nk_http_head *h, struct nk_str service,
                          struct nk_str payload, int64_t now_ms, struct nk_arena *a,
                          const struct nk_principal **out, struct nk_fault *f)
{
    char key_id[NK_SIGV4_KEY_SIZE];
    const struct ident_key *key = NULL;
    struct nk_sigv4 s;
    *out = NULL;
    int rc = nk_sigv4_read(h, &s, f);
    if (rc == 0 && nk_sigv4_key_id(s.key, key_id))
        key = nk_map_get(&id->signers, nk_str(key_id));
    if (rc == 0 && !key)
        rc = nk_fault_set(f, NK_EDENIED, "keys", 0, "the access key %.*s is not in the key file",
                          NK_FMT(nk_str_sub(s.key, 0, 64)));
    if (rc == 0)
        rc = nk_sigv4_check(h, &s, service, now_ms, f);
    if (rc == 0)
        rc = ident_check_key(key, now_ms, f);
    if (rc || !payload.p)
        return rc;
    rc = verify_signature(id, h, &s, payload, key->principal.source, f);
    if (rc)
        return rc;
    rc = nk_principal_copy(&key->principal, a, out);
    return rc ? nk_fault_set(f, rc, "ident", 0, "out of memory") : 0;
}

static struct nk_digest store_digest(struct nk_str token)
{
    return nk_sha256_parts((struct nk_str[]){NK_STR("token of a policy store:"), token}, 2);
}

static bool is_known(const struct nk_ident *id, const struct ident_issuer *issuer,
                     const struct nk_digest *digest)
{
    const struct nk_cache_entry *e = nk_cache_get(&id->cache, digest);
    return e && e->issuer == issuer->index && e->generation == issuer->generation;
}

/* The signature, unless it is known to hold. */
static int prove_token(struct nk_ident *id, struct ident_issuer *issuer, const struct nk_jws *jws,
                       const struct nk_claims *claims, struct nk_str token, int64_t now_ms,
                       struct nk_fault *f)
{
    const struct nk_principal nobody = {.type = NK_STR(""), .id = NK_STR(""), .proof = "jwt"};
    struct nk_digest digest = store_digest(token);
    const struct nk_jwk *key = NULL;
    if (is_known(id, issuer, &digest))
        return 0;
    int rc = ident_find_key(issuer, jws, &key, f);
    if (rc)
        return rc;
    if (!ident_spend(id, key->cost, now_ms))
        return nk_fault_set(f, NK_EFULL, "token", 0,
                            "the budget of signature checks is used up for now");
    rc = nk_jws_verify(jws, key, f);
    if (rc)
        return rc == NK_ENOMEM ? rc : NK_EDENIED;
    const struct nk_cache_entry e = {.digest = digest,
                                     .from_ms = claims->from_ms,
                                     .until_ms = claims->until_ms,
                                     .issuer = issuer->index,
                                     .generation = issuer->generation,
                                     .principal = &nobody};
    nk_cache_put(&id->cache, &e);
    return 0;
}

int nk_ident_claims(struct nk_ident *id, size_t issuer, const struct nk_str *audiences, size_t n,
                    struct nk_str token, int64_t now_ms, struct nk_arena *a, struct nk_json *out,
                    struct nk_fault *f)
{
    struct nk_claims claims = {0};
    struct nk_jws jws;
    NK_MUST(issuer < id->issuer_count);
    struct ident_issuer *at = &id->issuers[issuer];
    if (token.n > NK_IDENT_MAX_CREDENTIAL)
        return nk_fault_set(f, NK_ELIMIT, "token", 0, "a token of more than 16 KiB");
    int rc = ident_read_token(token, a, &jws, out, f);
    if (rc == 0 && !nk_json_is(out, nk_json_get(out, 0, NK_STR("iss")), at->config->issuer))
        rc = nk_fault_set(f, NK_EDENIED, "token", 0, "claim iss does not name %.*s",
                          NK_FMT(at->config->issuer));
    if (rc == 0)
        rc = nk_claims_check(out, at->config, audiences, n, a, &claims, f);
    if (rc == 0)
        rc = ident_check_time(claims.from_ms, claims.until_ms, now_ms, f);
    if (rc == 0)
        rc = prove_token(id, at, &jws, &claims, token, now_ms, f);
    return rc;
}
