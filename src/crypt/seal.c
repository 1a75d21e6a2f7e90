/* SPDX-License-Identifier: Apache-2.0
 *
 * seal.c - see seal.h.
 */
#include "crypt/seal.h"

#include <limits.h>
#include <openssl/evp.h>

/* RFC 5869: extract with no salt, then expand to two blocks. */
struct nk_seal_key nk_seal_key(struct nk_str secret, struct nk_str purpose)
{
    static const char salt[NK_SHA256_SIZE];
    struct nk_seal_key key;
    struct nk_digest prk = nk_hmac_sha256((struct nk_str){salt, sizeof salt}, secret), t = {{0}};
    struct nk_str prk_text = {(const char *)prk.b, sizeof prk.b};
    char room[NK_SHA256_SIZE + 64 + 1];
    NK_MUST(purpose.n <= 64);
    for (size_t i = 0; i < NK_SEAL_KEY_SIZE / NK_SHA256_SIZE; i++) {
        struct nk_buf b = {.p = room, .cap = sizeof room, .max = sizeof room};
        if (i)
            nk_buf_add(&b, (struct nk_str){(const char *)t.b, sizeof t.b});
        nk_buf_add(&b, purpose);
        nk_buf_add_char(&b, (char)(i + 1));
        t = nk_hmac_sha256(prk_text, nk_buf_str(&b));
        memcpy(key.b + i * sizeof t.b, t.b, sizeof t.b);
    }
    nk_secret_wipe(&prk, sizeof prk);
    nk_secret_wipe(&t, sizeof t);
    nk_secret_wipe(room, sizeof room);
    return key;
}

/* One pass; `tag` is written when sealing, and compared when opening. */
static int run(const struct nk_seal_key *key, bool seal, struct nk_str bound, struct nk_str text,
               unsigned char tag[NK_SEAL_OVERHEAD], unsigned char *to)
{
    EVP_CIPHER *siv = EVP_CIPHER_fetch(NULL, "AES-256-SIV", NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n;
    bool good = siv && ctx && EVP_CipherInit_ex2(ctx, siv, key->b, NULL, seal, NULL) == 1;
    if (good && !seal)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, NK_SEAL_OVERHEAD, tag) == 1;
    if (good)
        good = EVP_CipherUpdate(ctx, NULL, &n, (const unsigned char *)bound.p, (int)bound.n) == 1;
    if (good)
        good = EVP_CipherUpdate(ctx, to, &n, (const unsigned char *)text.p, (int)text.n) == 1 &&
               EVP_CipherFinal_ex(ctx, to + text.n, &n) == 1;
    if (good && seal)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, NK_SEAL_OVERHEAD, tag) == 1;
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(siv);
    return good ? 0 : NK_ECRYPTO;
}

int nk_seal(const struct nk_seal_key *key, struct nk_str bound, struct nk_str text,
            struct nk_buf *out)
{
    unsigned char tag[NK_SEAL_OVERHEAD];
    if (text.n == 0 || text.n > INT_MAX / 2 || bound.n > INT_MAX / 2)
        return NK_ELIMIT;
    char *to = nk_buf_reserve(out, text.n + NK_SEAL_OVERHEAD);
    if (!to)
        return out->error;
    int rc = run(key, true, bound, text, tag, (unsigned char *)to + NK_SEAL_OVERHEAD);
    if (rc)
        return rc;
    memcpy(to, tag, sizeof tag);
    out->n += text.n + NK_SEAL_OVERHEAD;
    return 0;
}

int nk_unseal(const struct nk_seal_key *key, struct nk_str bound, struct nk_str sealed,
              struct nk_buf *out)
{
    unsigned char tag[NK_SEAL_OVERHEAD];
    if (sealed.n <= NK_SEAL_OVERHEAD || sealed.n > INT_MAX / 2 || bound.n > INT_MAX / 2)
        return NK_ECRYPTO;
    struct nk_str text = nk_str_sub(sealed, NK_SEAL_OVERHEAD, sealed.n);
    char *to = nk_buf_reserve(out, text.n);
    if (!to)
        return out->error;
    memcpy(tag, sealed.p, sizeof tag);
    int rc = run(key, false, bound, text, tag, (unsigned char *)to);
    if (!rc)
        out->n += text.n;
    return rc;
}
