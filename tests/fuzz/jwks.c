/* SPDX-License-Identifier: Apache-2.0
 *
 * jwks.c - any bytes as a key set. What is taken must have a key ready to verify, sound sizes and
 * names that differ.
 */
#include "crypt/jws.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_jwks set;
    for (unsigned flags = 0; flags <= NK_JWKS_SYMMETRIC; flags++) {
        if (nk_jwks_parse((struct nk_str){(const char *)data, size}, flags, &set, NULL))
            continue;
        must(set.count > 0 && set.count <= NK_JWKS_MAX_KEYS);
        for (size_t i = 0; i < set.count; i++) {
            const struct nk_jwk *k = &set.keys[i];
            struct nk_jws jws = {.signed_part = NK_STR("a.b"),
                                 .signature = NK_STR("short"),
                                 .alg = nk_str(k->alg->name)};
            must(k->signature_size >= 32 && (k->alg->kind == NK_JWS_HMAC) == (flags != 0));
            must((k->key && k->primed) || k->secret.n >= 32);
            must(!k->kid.p || nk_jwks_find(&set, k->kid) == k);
            must(nk_jws_verify(&jws, k, NULL) == NK_ECRYPTO);
            char zeros[1024] = {0};
            jws.signature = (struct nk_str){zeros, (size_t)k->signature_size};
            must(nk_jws_verify(&jws, k, NULL) == NK_ECRYPTO);
        }
        nk_jwks_free(&set);
    }
    return 0;
}
