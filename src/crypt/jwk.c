/* SPDX-License-Identifier: Apache-2.0
 *
 * jwk.c - reads a key set: first the rules for the set as a whole, then each key. A key is in one
 * of three states: taken, left out (with a reason), or a reason to refuse the set. See jwk.h; the
 * making of keys from numbers is in key.c.
 */
#include "crypt/key.h"

#include <string.h>
#include <openssl/evp.h>

struct reading {
    const struct nk_json *doc;
    struct nk_jwks *set;
    unsigned flags;
    bool no_memory; /* a value could not be kept: not the same as a malformed one */
    struct nk_fault *f;
};

enum { KID_MAX = 256 };

/* Leaves a key out: not an error. */
static int skip(struct reading *r, uint32_t at, const char *why)
{
    r->set->skipped++;
    nk_fault_set(&r->set->why, NK_EUNSUPPORTED, "jwks", nk_json_span(r->doc, at).p - r->doc->text.p,
                 "a key was left out: %s", why);
    return 0;
}

static int refuse(struct reading *r, int code, uint32_t at, const char *why)
{
    return nk_fault_set(r->f, code, "jwks", nk_json_span(r->doc, at).p - r->doc->text.p, "%s", why);
}

static uint32_t member(struct reading *r, uint32_t key, const char *name)
{
    return nk_json_get(r->doc, key, nk_str(name));
}

static bool member_is(struct reading *r, uint32_t key, const char *name, const char *content)
{
    return nk_json_is(r->doc, member(r, key, name), nk_str(content));
}

/* The text of a member; absent when it is no string. */
static struct nk_str text_of(struct reading *r, uint32_t at)
{
    struct nk_str text = nk_json_string(r->doc, at, &r->set->arena);
    if (!text.p && at != NK_JSON_NONE && nk_json_type(r->doc, at) == NK_JSON_STRING)
        r->no_memory = true;
    return text;
}

/* The bytes of a base64url member, kept in the set's arena; absent when missing or malformed. */
static struct nk_str bytes(struct reading *r, uint32_t key, const char *name)
{
    struct nk_str out;
    if (nk_key_bytes(text_of(r, member(r, key, name)), &r->set->arena, &out) == NK_ENOMEM)
        r->no_memory = true;
    return out;
}

static bool has_private_part(struct reading *r, uint32_t key)
{
    static const char *const names[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    for (size_t i = 0; i < NK_COUNT(names); i++)
        if (member(r, key, names[i]) != NK_JSON_NONE)
            return true;
    return false;
}

static bool may_verify(struct reading *r, uint32_t key)
{
    uint32_t use = member(r, key, "use"), ops = member(r, key, "key_ops");
    if (use != NK_JSON_NONE && !nk_json_is(r->doc, use, NK_STR("sig")))
        return false;
    if (ops == NK_JSON_NONE)
        return true;
    if (nk_json_type(r->doc, ops) != NK_JSON_ARRAY)
        return false;
    for (uint32_t i = nk_json_first(r->doc, ops); i != NK_JSON_NONE;
         i = nk_json_next(r->doc, ops, i))
        if (nk_json_is(r->doc, i, NK_STR("verify")))
            return true;
    return false;
}

static const char *default_alg(struct reading *r, uint32_t key)
{
    if (member_is(r, key, "kty", "RSA"))
        return "RS256";
    if (member_is(r, key, "crv", "P-256"))
        return "ES256";
    if (member_is(r, key, "crv", "P-384"))
        return "ES384";
    if (member_is(r, key, "crv", "P-521"))
        return "ES512";
    return member_is(r, key, "crv", "Ed25519") ? "EdDSA" : "";
}

/* The algorithm of the key: its `alg` if that fits its type and curve. NULL when it does not. */
static const struct nk_jws_alg *alg_of(struct reading *r, uint32_t key)
{
    static const char *const types[] = {
        [NK_JWS_HMAC] = "oct", [NK_JWS_RSA] = "RSA",   [NK_JWS_PSS] = "RSA",
        [NK_JWS_ECDSA] = "EC", [NK_JWS_EDDSA] = "OKP",
    };
    uint32_t at = member(r, key, "alg");
    struct nk_str name = at == NK_JSON_NONE ? nk_str(default_alg(r, key)) : text_of(r, at);
    /* Key sets are met that name P-521's algorithm after the curve; the curve leaves no doubt. */
    if (nk_str_eq(name, NK_STR("ES521")) && member_is(r, key, "crv", "P-521"))
        name = NK_STR("ES512");
    const struct nk_jws_alg *alg = name.p ? nk_jws_alg_find(name) : NULL;
    if (!alg || !member_is(r, key, "kty", types[alg->kind]))
        return NULL;
    return !alg->curve || member_is(r, key, "crv", alg->curve) ? alg : NULL;
}

static int make_key(struct reading *r, uint32_t at, struct nk_jwk *key, const char **why)
{
    int rc = NK_ECRYPTO;
    key->signature_size = key->alg->signature_size;
    key->cost = key->alg->cost;
    switch (key->alg->kind) {
    case NK_JWS_HMAC:
        key->secret = bytes(r, at, "k");
        *why = "the secret is shorter than the hash";
        return key->secret.n >= (size_t)key->alg->digest_size ? 0 : NK_ECRYPTO;
    case NK_JWS_RSA:
    case NK_JWS_PSS:
        rc = nk_key_rsa(bytes(r, at, "n"), bytes(r, at, "e"), key, why);
        break;
    case NK_JWS_ECDSA:
        rc = nk_key_ec(bytes(r, at, "x"), bytes(r, at, "y"), key, why);
        break;
    case NK_JWS_EDDSA:
        rc = nk_key_ed25519(bytes(r, at, "x"), key, why);
        break;
    }
    return rc ? rc : nk_key_prime(key);
}

static int read_key(struct reading *r, uint32_t at, struct nk_str kid)
{
    bool symmetric = member_is(r, at, "kty", "oct");
    if (symmetric != ((r->flags & NK_JWKS_SYMMETRIC) != 0))
        return refuse(r, NK_EDENIED, at,
                      symmetric
                          ? "a symmetric key has no place in a set of public keys: take it out"
                          : "a set of symmetric keys holds a key of another kind");
    if (!symmetric && has_private_part(r, at))
        return refuse(r, NK_EDENIED, at,
                      "a key holds its private part: publish the public part alone, and renew it");
    if (!may_verify(r, at))
        return skip(r, at, "its `use` or `key_ops` is not to verify signatures");
    struct nk_jwk *key = &r->set->keys[r->set->count];
    *key = (struct nk_jwk){.kid = kid, .alg = alg_of(r, at)};
    if (!key->alg && !r->no_memory)
        return skip(r, at, "its `alg`, `kty` and `crv` are unknown or do not fit together");
    const char *why = "it is malformed";
    int rc = r->no_memory ? NK_ENOMEM : make_key(r, at, key, &why);
    if (rc == 0) {
        r->set->count++;
        return 0;
    }
    nk_key_free(key);
    return rc == NK_ENOMEM || r->no_memory ? refuse(r, NK_ENOMEM, at, "out of memory")
                                           : skip(r, at, why);
}

static int read_kid(struct reading *r, uint32_t at, struct nk_str *seen, size_t n)
{
    uint32_t member_at = member(r, at, "kid");
    seen[n] = (struct nk_str){NULL, 0};
    if (member_at == NK_JSON_NONE)
        return 0;
    struct nk_str kid = nk_json_string(r->doc, member_at, &r->set->arena);
    if (!kid.p || kid.n > KID_MAX)
        return refuse(r, NK_EINVAL, at, "a `kid` is not a string of at most 256 bytes");
    seen[n] = nk_arena_copy(&r->set->arena, kid);
    if (!seen[n].p)
        return refuse(r, NK_ENOMEM, at, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (seen[i].p && nk_str_eq(seen[i], kid))
            return refuse(r, NK_ECONFLICT, at, "two keys have the same `kid`");
    return 0;
}

static int read_set(struct reading *r, uint32_t keys)
{
    struct nk_str kids[NK_JWKS_MAX_KEYS];
    size_t n = 0;
    int rc = 0;
    for (uint32_t i = nk_json_first(r->doc, keys); i != NK_JSON_NONE && rc == 0;
         i = nk_json_next(r->doc, keys, i), n++) {
        if (n == NK_JWKS_MAX_KEYS)
            return refuse(r, NK_ELIMIT, i, "more than 64 keys");
        if (nk_json_type(r->doc, i) != NK_JSON_OBJECT)
            return refuse(r, NK_EINVAL, i, "a key is not an object");
        rc = read_kid(r, i, kids, n);
        if (rc == 0)
            rc = read_key(r, i, kids[n]);
    }
    return rc;
}

int nk_jwks_read(const struct nk_json *doc, uint32_t set, unsigned flags, struct nk_jwks *out,
                 struct nk_fault *f)
{
    struct reading r = {.doc = doc, .set = out, .flags = flags, .f = f};
    memset(out, 0, sizeof *out);
    nk_arena_init(&out->arena, 4 * (size_t)NK_JWKS_MAX_BYTES);
    uint32_t keys = nk_json_get(doc, set, NK_STR("keys"));
    int rc = 0;
    if (keys == NK_JSON_NONE && nk_json_get(doc, set, NK_STR("kty")) != NK_JSON_NONE) {
        struct nk_str kid;
        rc = read_kid(&r, set, &kid, 0);
        if (rc == 0)
            rc = read_key(&r, set, kid);
    } else if (keys == NK_JSON_NONE || nk_json_type(doc, keys) != NK_JSON_ARRAY) {
        rc = nk_fault_set(f, NK_EINVAL, "jwks", 0, "not a key set: no \"keys\" list");
    } else {
        rc = read_set(&r, keys);
    }
    if (rc == 0 && out->count == 0)
        rc = nk_fault_set(f, NK_EINVAL, "jwks", out->why.offset, "no usable key%s%s",
                          out->skipped ? "; " : "", out->why.message);
    if (rc)
        nk_jwks_free(out);
    return rc;
}

int nk_jwks_parse(struct nk_str text, unsigned flags, struct nk_jwks *out, struct nk_fault *f)
{
    const struct nk_json_limits lim = {
        .max_bytes = NK_JWKS_MAX_BYTES, .max_depth = 8, .max_values = 8192};
    struct nk_arena scratch;
    struct nk_json doc;
    nk_arena_init(&scratch, 8 * (size_t)NK_JWKS_MAX_BYTES);
    int rc = nk_json_parse(&lim, text, &scratch, &doc, f);
    if (rc == 0)
        rc = nk_jwks_read(&doc, 0, flags, out, f);
    nk_arena_free(&scratch);
    return rc;
}

void nk_jwks_free(struct nk_jwks *set)
{
    for (size_t i = 0; i < set->count; i++)
        nk_key_free(&set->keys[i]);
    nk_arena_free(&set->arena);
    set->count = 0;
}

const struct nk_jwk *nk_jwks_find(const struct nk_jwks *set, struct nk_str kid)
{
    if (!kid.p)
        return set->count == 1 ? &set->keys[0] : NULL;
    for (size_t i = 0; i < set->count; i++)
        if (set->keys[i].kid.p && nk_str_eq(set->keys[i].kid, kid))
            return &set->keys[i];
    return NULL;
}
