/* SPDX-License-Identifier: Apache-2.0
 *
 * ident.c - microseconds for one proof: each algorithm cold (read, checked, signature verified) and
 * cached, an API key among 1,000, and a SHA-256 of 400 bytes. Prints the median of several rounds.
 * RSA keys have 2048 bits; the token is of the usual size, some 500 bytes.
 */
#include "ident/ident.h"

#include <stdio.h>
#include <time.h>
#include "ident/apikey.h"
#include "ident/keyfile.h"
#include "jose_kit.h"

enum { ROUNDS = 9, TOKENS = 32, KEYS = 1000 };

static const int64_t now = 1800000000000;
static const uint64_t seed[2] = {1, 2};

struct bench {
    struct nk_arena life, request;
    struct nk_ident *id;
    struct nk_buf token[TOKENS];
    struct nk_buf
        jwks[2]; /* the same keys, spelled in two ways: putting one in empties the cache */
};

static double clock_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void verify(struct bench *b, struct nk_str credential)
{
    const struct nk_principal *p;
    struct nk_fault f = {0};
    nk_arena_reset(&b->request);
    if (nk_ident_verify(b->id, credential, now, &b->request, &p, &f)) {
        fprintf(stderr, "bench: %s\n", f.message);
        exit(1);
    }
}

static void make_tokens(struct bench *b, const struct kit_key *key)
{
    for (int i = 0; i < TOKENS; i++) {
        struct nk_buf header, claims;
        nk_buf_init(&header, 1024);
        nk_buf_init(&claims, 4096);
        nk_buf_init(&b->token[i], 65536);
        kit_header(key, &header);
        nk_buf_printf(&claims,
                      "{\"iss\":\"https://idp.example\",\"aud\":[\"nakoso\",\"account\"],"
                      "\"sub\":\"7f0b0a1c-%04d\",\"exp\":1800000300,\"iat\":1799999990,"
                      "\"jti\":\"0a4f7f0e-8a8e-4e7c-8f63-0f1b2f6c7d11\",\"azp\":\"frontend\","
                      "\"scope\":\"openid profile\",\"realm_access\":{\"roles\":[\"receptionist\","
                      "\"staff\"]},\"dept\":\"reception\",\"level\":3}",
                      i);
        kit_sign(key, nk_buf_str(&header), nk_buf_str(&claims), &b->token[i]);
        nk_buf_free(&header);
        nk_buf_free(&claims);
    }
}

static void bench_alg(struct bench *b, const char *alg, int bits)
{
    struct kit_key key = kit_key("k", alg, bits);
    double cold[ROUNDS], cached[ROUNDS];
    make_tokens(b, &key);
    for (int i = 0; i < 2; i++) {
        nk_buf_init(&b->jwks[i], 65536);
        kit_jwks(&key, 1, &b->jwks[i]);
        nk_buf_add(&b->jwks[i], nk_str(i ? " " : ""));
    }
    for (int r = 0; r < ROUNDS; r++) {
        if (nk_ident_set_jwks(b->id, 0, nk_buf_str(&b->jwks[r & 1]), NULL))
            exit(1);
        double start = clock_us();
        for (int i = 0; i < TOKENS; i++)
            verify(b, nk_buf_str(&b->token[i]));
        cold[r] = (clock_us() - start) / TOKENS;
        start = clock_us();
        for (int i = 0; i < 100 * TOKENS; i++)
            verify(b, nk_buf_str(&b->token[i % TOKENS]));
        cached[r] = (clock_us() - start) / (100 * TOKENS);
    }
    qsort(cold, ROUNDS, sizeof *cold, compare);
    qsort(cached, ROUNDS, sizeof *cached, compare);
    printf("%-8s %4d  %4zu bytes  cold %8.1f us  cached %6.2f us\n", alg, bits, b->token[0].n,
           cold[ROUNDS / 2], cached[ROUNDS / 2]);
    for (int i = 0; i < TOKENS; i++)
        nk_buf_free(&b->token[i]);
    nk_buf_free(&b->jwks[0]);
    nk_buf_free(&b->jwks[1]);
    EVP_PKEY_free(key.key);
}

static void make_keys(struct nk_buf *file, char one[NK_APIKEY_SIZE + 1])
{
    nk_buf_init(file, 4 << 20);
    for (int i = 0; i < KEYS; i++) {
        unsigned char random[NK_APIKEY_RANDOM] = {(unsigned char)i, (unsigned char)(i >> 8)};
        nk_apikey_make(random, one);
        static const struct nk_str groups[] = {{"receptionist", 12}};
        struct nk_keyfile_entry e = {.id = nk_apikey_id(nk_str(one)),
                                     .digest = nk_sha256(nk_str(one)),
                                     .type = NK_STR("User"),
                                     .principal = NK_STR("john"),
                                     .groups = groups,
                                     .group_count = 1,
                                     .created_ms = now,
                                     .expires_ms = INT64_MAX,
                                     .revoked_ms = INT64_MAX};
        nk_keyfile_put(&e, file);
    }
}

static void bench_rest(struct bench *b, struct nk_str key)
{
    enum { N = 20000 };
    double keys[ROUNDS], hash[ROUNDS];
    char text[400] = "x";
    unsigned sum = 0;
    for (int r = 0; r < ROUNDS; r++) {
        double start = clock_us();
        for (int i = 0; i < N; i++)
            verify(b, key);
        keys[r] = (clock_us() - start) / N;
        start = clock_us();
        for (int i = 0; i < N; i++)
            sum += nk_sha256((struct nk_str){text, sizeof text}).b[0];
        hash[r] = (clock_us() - start) / N;
    }
    qsort(keys, ROUNDS, sizeof *keys, compare);
    qsort(hash, ROUNDS, sizeof *hash, compare);
    printf("API key, one of %d: %.2f us\n", KEYS, keys[ROUNDS / 2]);
    printf("SHA-256 of 400 bytes: %.2f us%s\n", hash[ROUNDS / 2], sum == 1 ? "." : "");
}

int main(void)
{
    static const struct nk_config_claim attributes[] = {{{"dept", 4}, {"department", 10}},
                                                        {{"level", 5}, {"level", 5}}};
    static const struct nk_config_issuer issuer = {.issuer = {"https://idp.example", 19},
                                                   .audience = {"nakoso", 6},
                                                   .principal_type = {"User", 4},
                                                   .principal_claim = {"sub", 3},
                                                   .groups_claim = {"realm_access.roles", 18},
                                                   .attributes = attributes,
                                                   .attribute_count = 2};
    static const struct nk_config config = {.issuers = &issuer, .issuer_count = 1};
    struct bench b;
    struct nk_buf file;
    struct nk_fault f = {0};
    char key[NK_APIKEY_SIZE + 1];
    make_keys(&file, key);
    nk_arena_init(&b.life, 64 << 20);
    nk_arena_init(&b.request, 1 << 20);
    if (nk_ident_new(&config, nk_buf_str(&file), NULL, seed, &b.life, &b.id, &f)) {
        fprintf(stderr, "bench: %s\n", f.message);
        return 1;
    }
    nk_buf_free(&file);
    nk_ident_set_budget(b.id, 0);
    bench_rest(&b, nk_str(key));
    bench_alg(&b, "RS256", 2048);
    bench_alg(&b, "RS256", 4096);
    bench_alg(&b, "PS256", 2048);
    bench_alg(&b, "ES256", 0);
    bench_alg(&b, "ES384", 0);
    bench_alg(&b, "ES512", 0);
    bench_alg(&b, "EdDSA", 0);
    nk_ident_free(b.id);
    nk_arena_free(&b.life);
    nk_arena_free(&b.request);
    return 0;
}
