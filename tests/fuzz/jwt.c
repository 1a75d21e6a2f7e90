/* SPDX-License-Identifier: Apache-2.0
 *
 * jwt.c - any bytes as a credential, and any claims behind a good signature. Input that begins with
 * '{' is signed as the claims of a token with the gate's own key; "H{…}" is signed as a header; all
 * else is the credential as it stands. Nothing but a token that this target signed may be accepted,
 * a verdict must be the same from the cache, and the principal must stand on its own memory.
 */
#include "ident/ident.h"

#include "jose_kit.h"

static const uint64_t seed[2] = {5, 6};
static const int64_t now = 1800000000000;
static const struct nk_config_claim attributes[] = {{{"dept", 4}, {"department", 10}},
                                                    {{"a.b", 3}, {"ab", 2}}};
static const struct nk_config_issuer issuer = {.issuer = {"i", 1},
                                               .audience = {"a", 1},
                                               .clock_skew = 60000,
                                               .principal_type = {"User", 4},
                                               .principal_claim = {"sub", 3},
                                               .groups_claim = {"r.g", 3},
                                               .attributes = attributes,
                                               .attribute_count = 2};
static const struct nk_config config = {.issuers = &issuer, .issuer_count = 1};
static struct nk_arena life;
static struct nk_ident *ident;
static struct kit_key key;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool cond)
{
    if (!cond)
        abort();
}

static void setup(void)
{
    struct nk_buf jwks;
    key = kit_key("k", "EdDSA", 0);
    nk_buf_init(&jwks, 65536);
    kit_jwks(&key, 1, &jwks);
    struct nk_str set = nk_buf_str(&jwks);
    nk_arena_init(&life, 8 << 20);
    must(nk_ident_new(&config, NK_STR(""), &set, seed, &life, &ident, NULL) == 0);
    nk_ident_set_budget(ident, 0);
    nk_buf_free(&jwks);
}

/* Reads every byte of the principal, for the sanitizer. */
static void touch(const struct nk_principal *p)
{
    struct nk_arena a;
    const struct nk_principal *copy;
    nk_arena_init(&a, 1 << 20);
    must(nk_principal_copy(p, &a, &copy) == 0);
    must(nk_str_eq(copy->id, p->id) && p->id.n > 0 && copy->attr_count <= 2);
    nk_arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nk_str in = {(const char *)data, size}, credential = in;
    struct nk_buf token;
    const struct nk_principal *p[2];
    int rc[2];
    bool is_claims = size && data[0] == '{', is_header = size > 1 && data[0] == 'H';
    if (!ident)
        setup();
    nk_buf_init(&token, 1 << 20);
    if (size <= 8192 && (is_claims || is_header)) {
        struct nk_str header = NK_STR("{\"alg\":\"EdDSA\",\"kid\":\"k\"}");
        struct nk_str claims =
            NK_STR("{\"iss\":\"i\",\"aud\":\"a\",\"sub\":\"s\",\"exp\":1800000300}");
        kit_sign(&key, is_header ? nk_str_sub(in, 1, size) : header, is_claims ? in : claims,
                 &token);
        credential = nk_buf_str(&token);
    }
    for (int i = 0; i < 2; i++) {
        struct nk_arena a;
        struct nk_fault f = {0};
        nk_arena_init(&a, 1 << 20);
        rc[i] = nk_ident_verify(ident, credential, now, &a, &p[i], &f);
        must((rc[i] == 0) == (p[i] != NULL) && (rc[i] == 0 || f.message[0]));
        must(rc[i] != NK_ENOMEM);
        if (p[i])
            touch(p[i]);
        nk_arena_free(&a);
    }
    must(rc[0] == rc[1] && (rc[0] != 0 || token.n));
    nk_buf_free(&token);
    return 0;
}
