/* SPDX-License-Identifier: Apache-2.0
 *
 * jws.c - takes a compact JWS apart and checks its signature. See jws.h. ECDSA signatures travel as
 * two numbers of exactly the size of the curve (RFC 7518, section 3.4); libcrypto wants them in
 * ASN.1, so they are wrapped here and nothing of ASN.1 ever comes from the token.
 */
#include "crypt/jws.h"

#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

enum { HEADER_MAX = 4096 };

static const char stage[] = "jws";

/* Decodes one part into the arena: the arena is the buffer's only owner, so no copy is left. */
static int decode(struct nk_str part, struct nk_arena *a, struct nk_str *out)
{
    char *space = nk_arena_alloc(a, part.n / 4 * 3 + 4);
    if (!space)
        return NK_ENOMEM;
    struct nk_buf b = {.p = space, .cap = part.n / 4 * 3 + 4, .max = part.n / 4 * 3 + 4};
    int rc = nk_base64url_decode(part, &b);
    *out = (struct nk_str){space, b.n};
    return rc;
}

static int read_header(struct nk_str header, struct nk_arena *a, struct nk_jws *out,
                       struct nk_fault *f)
{
    static const char *const refused[] = {"crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip"};
    const struct nk_json_limits lim = {.max_bytes = HEADER_MAX, .max_depth = 4, .max_values = 64};
    struct nk_json doc;
    int rc = nk_json_parse(&lim, header, a, &doc, f);
    if (rc)
        return rc;
    if (nk_json_type(&doc, 0) != NK_JSON_OBJECT)
        return nk_fault_set(f, NK_EINVAL, stage, 0, "the header is not an object");
    for (size_t i = 0; i < NK_COUNT(refused); i++)
        if (nk_json_get(&doc, 0, nk_str(refused[i])) != NK_JSON_NONE)
            return nk_fault_set(f, NK_EUNSUPPORTED, stage, 0, "the header has \"%s\"", refused[i]);
    struct nk_str *const into[] = {&out->alg, &out->kid, &out->typ};
    static const char *const names[] = {"alg", "kid", "typ"};
    for (size_t i = 0; i < NK_COUNT(names); i++) {
        uint32_t at = nk_json_get(&doc, 0, nk_str(names[i]));
        *into[i] = nk_json_string(&doc, at, a);
        if (at != NK_JSON_NONE && !into[i]->p)
            return nk_fault_set(f, NK_EINVAL, stage, 0, "\"%s\" is not a string", names[i]);
    }
    return out->alg.p ? 0 : nk_fault_set(f, NK_EINVAL, stage, 0, "the header has no \"alg\"");
}

int nk_jws_parse(struct nk_str text, struct nk_arena *a, struct nk_jws *out, struct nk_fault *f)
{
    struct nk_str rest = text, header;
    struct nk_str part[3];
    *out = (struct nk_jws){.alg = {NULL, 0}};
    for (size_t i = 0; i < NK_COUNT(part); i++) {
        if (!rest.p)
            return nk_fault_set(f, NK_EINVAL, stage, text.n, "fewer than three parts");
        part[i] = nk_str_cut(&rest, '.');
    }
    if (rest.p)
        return nk_fault_set(f, NK_EINVAL, stage, (size_t)(rest.p - text.p),
                            "more than three parts");
    if (part[0].n == 0 || part[2].n == 0)
        return nk_fault_set(f, NK_EINVAL, stage, 0, "an empty header or signature");
    if (part[0].n > HEADER_MAX)
        return nk_fault_set(f, NK_ELIMIT, stage, 0, "a header of more than 4096 bytes");
    struct nk_str *const into[] = {&header, &out->payload, &out->signature};
    for (size_t i = 0; i < NK_COUNT(part); i++) {
        int rc = decode(part[i], a, into[i]);
        if (rc)
            return nk_fault_set(f, rc, stage, (size_t)(part[i].p - text.p), "%s",
                                rc == NK_ENOMEM ? "out of memory" : "not strict base64url");
    }
    out->signed_part = nk_str_sub(text, 0, part[0].n + 1 + part[1].n);
    return read_header(header, a, out, f);
}

static int verify_hmac(const struct nk_jws *jws, const struct nk_jwk *key)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    const EVP_MD *md = EVP_get_digestbyname(key->alg->digest);
    if (!md || !HMAC(md, key->secret.p, (int)key->secret.n,
                     (const unsigned char *)jws->signed_part.p, jws->signed_part.n, mac, &size))
        return NK_ECRYPTO;
    bool same = nk_secret_eq((struct nk_str){(const char *)mac, size}, jws->signature);
    nk_secret_wipe(mac, sizeof mac);
    return same ? 0 : NK_ECRYPTO;
}

/* r || s -> ASN.1 (RFC 3279, section 2.2.3). Returns the length, or 0. */
static int ecdsa_to_der(struct nk_str raw, unsigned char *out)
{
    int half = (int)(raw.n / 2), size = 0;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn((const unsigned char *)raw.p, half, NULL);
    BIGNUM *s = BN_bin2bn((const unsigned char *)raw.p + half, half, NULL);
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        size = i2d_ECDSA_SIG(sig, &out);
    } else {
        BN_free(r);
        BN_free(s);
    }
    ECDSA_SIG_free(sig);
    return size < 0 ? 0 : size;
}

static int verify_public(const struct nk_jws *jws, const struct nk_jwk *key)
{
    unsigned char der[2 * 66 + 16];
    const unsigned char *sig = (const unsigned char *)jws->signature.p;
    size_t size = jws->signature.n;
    if (key->alg->kind == NK_JWS_ECDSA) {
        size = (size_t)ecdsa_to_der(jws->signature, der);
        sig = der;
    }
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx)
        return NK_ENOMEM;
    bool ok = size > 0 && EVP_MD_CTX_copy_ex(ctx, key->primed) == 1 &&
              EVP_DigestVerify(ctx, sig, size, (const unsigned char *)jws->signed_part.p,
                               jws->signed_part.n) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        ERR_clear_error(); /* a peer's bad signature must not fill libcrypto's list */
    return ok ? 0 : NK_ECRYPTO;
}

int nk_jws_verify(const struct nk_jws *jws, const struct nk_jwk *key, struct nk_fault *f)
{
    if (!nk_str_eq(jws->alg, nk_str(key->alg->name)))
        return nk_fault_set(f, NK_EDENIED, stage, 0,
                            "the header's \"alg\" is not the key's algorithm, %s", key->alg->name);
    if (jws->signature.n != (size_t)key->signature_size)
        return nk_fault_set(f, NK_ECRYPTO, stage, 0, "a signature of %zu bytes, not %d",
                            jws->signature.n, key->signature_size);
    int rc = key->alg->kind == NK_JWS_HMAC ? verify_hmac(jws, key) : verify_public(jws, key);
    return rc ? nk_fault_set(f, rc, stage, 0, "the signature does not hold") : 0;
}
