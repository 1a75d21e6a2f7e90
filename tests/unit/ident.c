/* SPDX-License-Identifier: Apache-2.0
 *
 * ident.c - proofs to principals: tests/cases/ident/claims.cases with fresh keys, each token cold
 * and cached; then keys, rotation, budgets, and what must never be accepted.
 */
#include "ident/ident.h"

#include <openssl/crypto.h>
#include "blocks.h"
#include "ident/apikey.h"
#include "ident/keyfile.h"
#include "jose_kit.h"
#include "tap.h"

enum { KEYS = 10 };
static const int64_t now = 1800000000000;
static const uint64_t seed[2] = {3, 4};
static const struct nk_config_claim attributes[] = {
    {{"dept", 4}, {"department", 10}},
    {{"level", 5}, {"level", 5}},
    {{"on_call", 7}, {"onCall", 6}},
    {{"wards", 5}, {"wards", 5}},
    {{"https://x.example/unit", 22}, {"unit", 4}},
};
static const struct nk_config_issuer issuers[] = {
    {.issuer = {"https://idp.example", 19},
     .audience = {"nakoso", 6},
     .clock_skew = 60000,
     .principal_type = {"User", 4},
     .principal_claim = {"sub", 3},
     .groups_claim = {"realm_access.roles", 18},
     .attributes = attributes,
     .attribute_count = NK_COUNT(attributes)},
    {.issuer = {"https://two.example", 19},
     .audience = {"nakoso", 6},
     .principal_type = {"Agent", 5},
     .principal_claim = {"azp", 3}},
};
static const struct nk_config config = {
    .issuers = issuers, .issuer_count = 2, .keys = {"/etc/nakoso/keys.jsonl", 22}};
static struct kit_key keys[KEYS];

/* A gate's view: the table, and an arena for each request. */
struct fixture {
    struct nk_arena life, request;
    struct nk_ident *id;
};

static void make_keys(void)
{
    static const char *const algs[KEYS] = {"ES256", "RS256", "RS384", "RS512", "PS256",
                                           "PS384", "PS512", "ES384", "ES512", "EdDSA"};
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    for (size_t i = 0; i < KEYS; i++) {
        if (algs[i][1] == 'S' && algs[i][0] != 'E') {
            EVP_PKEY_up_ref(rsa); /* one modulus for all: what differs is the algorithm */
            keys[i] = (struct kit_key){algs[i], nk_jws_alg_find(nk_str(algs[i])), rsa};
        } else {
            keys[i] = kit_key(algs[i], algs[i], 0);
        }
    }
    EVP_PKEY_free(rsa);
}

static int setup(struct fixture *t, struct nk_str keyfile, struct nk_fault *f)
{
    struct nk_buf jwks;
    nk_buf_init(&jwks, 1 << 20);
    kit_jwks(keys, KEYS, &jwks);
    struct nk_str sets[2] = {nk_buf_str(&jwks), {NULL, 0}};
    nk_arena_init(&t->life, 8 << 20);
    nk_arena_init(&t->request, 1 << 20);
    int rc = nk_ident_new(&config, keyfile, sets, seed, &t->life, &t->id, f);
    nk_buf_free(&jwks);
    return rc;
}

static void teardown(struct fixture *t)
{
    nk_ident_free(t->id);
    nk_arena_free(&t->life);
    nk_arena_free(&t->request);
}

static int prove(struct fixture *t, struct nk_str credential, int64_t at,
                 const struct nk_principal **out, struct nk_fault *f)
{
    *f = (struct nk_fault){0};
    nk_arena_reset(&t->request);
    return nk_ident_verify(t->id, credential, at, &t->request, out, f);
}

static void put_list(struct nk_buf *out, const struct nk_str *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        nk_buf_printf(out, "%s%.*s", i ? "," : "", NK_FMT(list[i]));
}

static void render(const struct nk_principal *p, struct nk_buf *out)
{
    nk_buf_printf(out, "%.*s::\"%.*s\" ", NK_FMT(p->type), NK_FMT(p->id));
    if (p->group_count) {
        nk_buf_add(out, NK_STR("groups "));
        put_list(out, p->groups, p->group_count);
        nk_buf_add_char(out, ' ');
    }
    for (size_t i = 0; i < p->attr_count; i++) {
        const struct nk_attr *a = &p->attrs[i];
        nk_buf_printf(out, "%.*s=", NK_FMT(a->name));
        if (a->type == NK_ATTR_STRING)
            nk_buf_printf(out, "\"%.*s\" ", NK_FMT(a->string));
        else if (a->type == NK_ATTR_INT)
            nk_buf_printf(out, "%lld ", (long long)a->integer);
        else if (a->type == NK_ATTR_BOOL)
            nk_buf_printf(out, "%s ", a->integer ? "true" : "false");
        else {
            nk_buf_add_char(out, '[');
            put_list(out, a->strings, a->string_count);
            nk_buf_add(out, NK_STR("] "));
        }
    }
    for (size_t i = 0; i < p->actor_count; i++)
        nk_buf_printf(out, "%s%.*s%s%.*s%s", i ? "," : "actors ", NK_FMT(p->actors[i].id),
                      p->actors[i].issuer.p ? "@" : "", NK_FMT(p->actors[i].issuer),
                      i + 1 == p->actor_count ? " " : "");
    nk_buf_printf(out, "until %lld", (long long)p->expires_ms);
}

struct claims_case {
    struct fixture *t;
    char title[256];
    const struct kit_key *key;
    char header[1024], claims[4096];
    int ran;
};

static void run_claims(struct claims_case *c, struct nk_str expect)
{
    struct nk_buf header, token, got[2];
    nk_buf_init(&header, 4096);
    nk_buf_init(&token, 65536);
    if (c->header[0])
        nk_buf_add(&header, nk_str(c->header));
    else
        kit_header(c->key, &header);
    kit_sign(c->key, nk_buf_str(&header), nk_str(c->claims), &token);
    for (int pass = 0; pass < 2; pass++) { /* cold, then from the cache: the same answer */
        const struct nk_principal *p = NULL;
        struct nk_fault f;
        int rc = prove(c->t, nk_buf_str(&token), now, &p, &f);
        nk_buf_init(&got[pass], 4096);
        nk_buf_printf(&got[pass], "%s ", rc ? nk_error_name(rc) : "ok");
        if (rc)
            nk_buf_add(&got[pass], nk_str(f.message));
        else
            render(p, &got[pass]);
    }
    struct nk_str want = expect, first = nk_buf_str(&got[0]), code = nk_str_cut(&want, ' ');
    bool is_ok = nk_str_eq(code, NK_STR("ok"));
    bool same = is_ok ? nk_str_eq(first, expect)
                      : nk_str_starts(first, code) && (!want.p || nk_str_search(first, want) >= 0);
    tap_ok(same && nk_str_eq(first, nk_buf_str(&got[1])), "%s: %.*s", c->title, NK_FMT(first));
    c->ran++;
    nk_buf_free(&header);
    nk_buf_free(&token);
    nk_buf_free(&got[0]);
    nk_buf_free(&got[1]);
}

static void on_line(void *ctx, struct nk_str word, struct nk_str text)
{
    struct claims_case *c = ctx;
    if (nk_str_eq(word, NK_STR("case"))) {
        snprintf(c->title, sizeof c->title, "%.*s", NK_FMT(text));
        c->header[0] = 0;
        c->key = &keys[0];
    } else if (nk_str_eq(word, NK_STR("header"))) {
        snprintf(c->header, sizeof c->header, "%.*s", NK_FMT(text));
    } else if (nk_str_eq(word, NK_STR("claims"))) {
        snprintf(c->claims, sizeof c->claims, "%.*s", NK_FMT(text));
    } else if (nk_str_eq(word, NK_STR("key"))) {
        for (size_t i = 0; i < KEYS; i++)
            if (nk_str_eq(text, nk_str(keys[i].kid)))
                c->key = &keys[i];
    } else {
        run_claims(c, text);
    }
}

static void sign(const struct kit_key *key, const char *sub, struct nk_buf *token)
{
    struct nk_buf header, claims;
    nk_buf_init(&header, 1024);
    nk_buf_init(&claims, 1024);
    nk_buf_init(token, 65536);
    kit_header(key, &header);
    nk_buf_printf(&claims,
                  "{\"iss\":\"https://idp.example\",\"aud\":\"nakoso\",\"sub\":\"%s\","
                  "\"exp\":1800000300}",
                  sub);
    kit_sign(key, nk_buf_str(&header), nk_buf_str(&claims), token);
    nk_buf_free(&header);
    nk_buf_free(&claims);
}

/* Each character of a token changed: never accepted, and never for the wrong reason of a crash. */
static void test_tampering(struct fixture *t)
{
    static const size_t which[] = {0, 1, 4, 9};
    for (size_t k = 0; k < NK_COUNT(which); k++) {
        struct nk_buf token;
        const struct nk_principal *p;
        struct nk_fault f;
        int accepted = 0;
        sign(&keys[which[k]], "eve", &token);
        for (size_t i = 0; i < token.n; i++) {
            char was = token.p[i];
            token.p[i] = was == 'A' ? 'B' : 'A';
            accepted += prove(t, nk_buf_str(&token), now, &p, &f) == 0;
            token.p[i] = was;
        }
        for (size_t n = 0; n < token.n; n++)
            accepted += prove(t, nk_str_sub(nk_buf_str(&token), 0, n), now, &p, &f) == 0;
        tap_ok(accepted == 0 && prove(t, nk_buf_str(&token), now, &p, &f) == 0,
               "%s: a changed or shortened token is refused", keys[which[k]].kid);
        nk_buf_add(&token, NK_STR(".e30"));
        TAP_CHECK(prove(t, nk_buf_str(&token), now, &p, &f) == NK_EINVAL);
        nk_buf_free(&token);
    }
}

static void add_key(struct nk_buf *file, const char *key, const char *id, int64_t expires,
                    int64_t revoked)
{
    static const struct nk_str groups[] = {{"receptionist", 12}, {"staff", 5}};
    struct nk_keyfile_entry e = {.id = nk_str(id),
                                 .digest = nk_sha256(nk_str(key)),
                                 .type = NK_STR("User"),
                                 .principal = nk_str(id),
                                 .groups = groups,
                                 .group_count = 2,
                                 .created_ms = now - 1000,
                                 .expires_ms = expires,
                                 .revoked_ms = revoked};
    nk_keyfile_put(&e, file);
}

static void test_keys(void)
{
    struct nk_buf file;
    struct fixture t;
    struct nk_fault f = {0};
    const struct nk_principal *p;
    char mine[NK_APIKEY_SIZE + 1], other[NK_APIKEY_SIZE + 1];
    unsigned char random[NK_APIKEY_RANDOM] = {1, 2, 3};
    nk_apikey_make(random, mine);
    random[0] = 9;
    nk_apikey_make(random, other);
    nk_buf_init(&file, 65536);
    add_key(&file, mine, "aaaaaaaaaaaa", INT64_MAX, INT64_MAX);
    add_key(&file, "sk-imported-0123456789", "bbbbbbbbbbbb", INT64_MAX, INT64_MAX);
    add_key(&file, "sk-expires-0123456789", "cccccccccccc", now + 1000, INT64_MAX);
    add_key(&file, "sk-revoked-0123456789", "dddddddddddd", INT64_MAX, now - 10);
    add_key(&file, "a.b.looks-like-a-token", "eeeeeeeeeeee", INT64_MAX, INT64_MAX);
    if (!tap_ok(setup(&t, nk_buf_str(&file), &f) == 0, "key file read %s", f.message))
        return;
    nk_buf_free(&file); /* nothing of it is needed any more */
    struct nk_buf got;
    nk_buf_init(&got, 1024);
    TAP_CHECK(prove(&t, nk_str(mine), now, &p, &f) == 0);
    if (p)
        render(p, &got);
    TAP_CHECK(nk_str_starts(nk_buf_str(&got),
                            NK_STR("User::\"aaaaaaaaaaaa\" groups receptionist,staff until 92")));
    TAP_CHECK(p && strcmp(p->proof, "key") == 0 && nk_str_eq(p->source, NK_STR("aaaaaaaaaaaa")));
    nk_buf_free(&got);
    TAP_CHECK(prove(&t, NK_STR("sk-imported-0123456789"), now, &p, &f) == 0);
    TAP_CHECK(prove(&t, NK_STR("a.b.looks-like-a-token"), now, &p, &f) == 0);
    TAP_CHECK(prove(&t, NK_STR("sk-expires-0123456789"), now + 999, &p, &f) == 0);
    TAP_CHECK(prove(&t, NK_STR("sk-expires-0123456789"), now + 1000, &p, &f) == NK_EEXPIRED && !p);
    TAP_CHECK(prove(&t, NK_STR("sk-revoked-0123456789"), now, &p, &f) == NK_EDENIED && !p &&
              strstr(f.message, "dddddddddddd is revoked"));
    TAP_CHECK(prove(&t, nk_str(other), now, &p, &f) == NK_EDENIED && !p &&
              !strstr(f.message, other));
    other[30] = other[30] == 'a' ? 'b' : 'a';
    TAP_CHECK(prove(&t, nk_str(other), now, &p, &f) == NK_EINVAL && strstr(f.message, "damaged"));
    TAP_CHECK(prove(&t, nk_str_sub(nk_str(mine), 0, 64), now, &p, &f) == NK_EINVAL);
    TAP_CHECK(prove(&t, NK_STR("sk-unknown"), now, &p, &f) == NK_EDENIED);
    TAP_CHECK(prove(&t, NK_STR(""), now, &p, &f) == NK_EINVAL);
    TAP_CHECK(prove(&t, (struct nk_str){NULL, 0}, now, &p, &f) == NK_EINVAL);
    teardown(&t);
    f = (struct nk_fault){0};
    TAP_CHECK(setup(&t, NK_STR("{}\n"), &f) == NK_EINVAL &&
              strstr(f.message, "keys.jsonl, line 1"));
    nk_arena_free(&t.life);
}

static void test_limits(struct fixture *t)
{
    enum { BIG = NK_IDENT_MAX_CREDENTIAL + 1 };
    char *big = malloc(BIG);
    const struct nk_principal *p;
    struct nk_fault f;
    memset(big, 'a', BIG);
    big[10] = big[20] = '.';
    TAP_CHECK(prove(t, (struct nk_str){big, BIG}, now, &p, &f) == NK_ELIMIT);
    TAP_CHECK(prove(t, (struct nk_str){big, BIG - 1}, now, &p, &f) != 0);
    free(big);
}

static void test_rotation(void)
{
    struct fixture t;
    struct nk_buf token, jwks;
    struct nk_fault f = {0};
    const struct nk_principal *p;
    size_t issuer = 99;
    if (!TAP_CHECK(setup(&t, NK_STR(""), &f) == 0))
        return;
    sign(&keys[9], "alice", &token);
    TAP_CHECK(prove(&t, nk_buf_str(&token), now, &p, &f) == 0);
    TAP_CHECK(!nk_ident_wants_jwks(t.id, &issuer));
    /* The old set stays when the new one is damaged. */
    f = (struct nk_fault){0};
    TAP_CHECK(nk_ident_set_jwks(t.id, 0, NK_STR("{\"keys\":[]}"), &f) == NK_EINVAL &&
              strstr(f.message, "the key set of https://idp.example: no usable key"));
    TAP_CHECK(nk_ident_jwks(t.id, 0)->count == KEYS && nk_ident_jwks(t.id, 1)->count == 0);
    TAP_CHECK(prove(&t, nk_buf_str(&token), now, &p, &f) == 0);
    /* A new set with a new key under the same name: the cached token is worth nothing. */
    struct kit_key fresh = kit_key("EdDSA", "EdDSA", 0), next = kit_key("next", "EdDSA", 0);
    nk_buf_init(&jwks, 65536);
    kit_jwks(&fresh, 1, &jwks);
    TAP_CHECK(nk_ident_set_jwks(t.id, 0, nk_buf_str(&jwks), NULL) == 0);
    TAP_CHECK(prove(&t, nk_buf_str(&token), now, &p, &f) == NK_EDENIED && !p);
    TAP_CHECK(!nk_ident_wants_jwks(t.id, &issuer));
    nk_buf_free(&token);
    /* A key that is not there yet: refused, and the hint to fetch. */
    sign(&next, "alice", &token);
    TAP_CHECK(prove(&t, nk_buf_str(&token), now, &p, &f) == NK_EDENIED);
    TAP_CHECK(nk_ident_wants_jwks(t.id, &issuer) && issuer == 0);
    TAP_CHECK(!nk_ident_wants_jwks(t.id, &issuer));
    struct kit_key both[2] = {fresh, next};
    nk_buf_clear(&jwks);
    kit_jwks(both, 2, &jwks);
    TAP_CHECK(nk_ident_set_jwks(t.id, 0, nk_buf_str(&jwks), NULL) == 0);
    TAP_CHECK(prove(&t, nk_buf_str(&token), now, &p, &f) == 0);
    /* The same set again keeps the cache; one that takes the key away empties it. */
    nk_ident_set_budget(t.id, 1);
    TAP_CHECK(nk_ident_set_jwks(t.id, 0, nk_buf_str(&jwks), NULL) == 0);
    nk_buf_clear(&jwks);
    TAP_CHECK(prove(&t, nk_buf_str(&token), now, &p, &f) == 0);
    kit_jwks(&fresh, 1, &jwks);
    TAP_CHECK(nk_ident_set_jwks(t.id, 0, nk_buf_str(&jwks), NULL) == 0);
    TAP_CHECK(prove(&t, nk_buf_str(&token), now, &p, &f) == NK_EDENIED);
    nk_buf_free(&token);
    nk_buf_free(&jwks);
    EVP_PKEY_free(fresh.key);
    EVP_PKEY_free(next.key);
    teardown(&t);
}

static void test_issuers(struct fixture *t)
{
    /* The second issuer has no keys yet; and the first one's key proves nothing for it. */
    static const char claims[] =
        "{\"iss\":\"https://two.example\",\"aud\":\"nakoso\",\"azp\":\"bot\",\"exp\":1800000300}";
    struct nk_buf token, jwks;
    const struct nk_principal *p;
    struct nk_fault f;
    size_t issuer = 99;
    struct kit_key mine = kit_key("ES256", "ES256", 0); /* the name of a key of issuer 1 */
    while (nk_ident_wants_jwks(t->id, &issuer))         /* of the cases before */
        TAP_CHECK(issuer == 0);
    nk_buf_init(&token, 65536);
    nk_buf_init(&jwks, 65536);
    kit_sign(&keys[0], NK_STR("{\"alg\":\"ES256\",\"kid\":\"ES256\"}"), nk_str(claims), &token);
    TAP_CHECK(prove(t, nk_buf_str(&token), now, &p, &f) == NK_EAGAIN);
    TAP_CHECK(nk_ident_wants_jwks(t->id, &issuer) && issuer == 1);
    kit_jwks(&mine, 1, &jwks);
    TAP_CHECK(nk_ident_set_jwks(t->id, 1, nk_buf_str(&jwks), NULL) == 0);
    TAP_CHECK(prove(t, nk_buf_str(&token), now, &p, &f) == NK_EDENIED &&
              strstr(f.message, "signature"));
    nk_buf_clear(&token);
    kit_sign(&mine, NK_STR("{\"alg\":\"ES256\"}"), nk_str(claims), &token); /* the only key */
    TAP_CHECK(prove(t, nk_buf_str(&token), now, &p, &f) == 0 && p &&
              nk_str_eq(p->type, NK_STR("Agent")) && strcmp(p->proof, "jwt") == 0 &&
              nk_str_eq(p->source, issuers[1].issuer));
    nk_buf_free(&token);
    nk_buf_free(&jwks);
    EVP_PKEY_free(mine.key);
}

static void test_budget(void)
{
    struct fixture t;
    struct nk_buf token[3];
    struct nk_fault f = {0};
    const struct nk_principal *p;
    if (!TAP_CHECK(setup(&t, NK_STR(""), &f) == 0))
        return;
    for (int i = 0; i < 3; i++) {
        char sub[] = {'u', (char)('0' + i), 0};
        sign(&keys[0], sub, &token[i]); /* ES256: 70 us each */
    }
    nk_ident_set_budget(t.id, 100);
    TAP_CHECK(prove(&t, nk_buf_str(&token[0]), now, &p, &f) == 0);
    TAP_CHECK(prove(&t, nk_buf_str(&token[1]), now, &p, &f) == 0); /* overdraws once */
    TAP_CHECK(prove(&t, nk_buf_str(&token[2]), now, &p, &f) == NK_EFULL && !p);
    TAP_CHECK(prove(&t, nk_buf_str(&token[0]), now, &p, &f) == 0); /* cached: free */
    TAP_CHECK(prove(&t, nk_buf_str(&token[2]), now + 399, &p, &f) == NK_EFULL);
    TAP_CHECK(prove(&t, nk_buf_str(&token[2]), now + 499, &p, &f) == 0);
    /* A cached token is judged by the clock of each request. */
    TAP_CHECK(prove(&t, nk_buf_str(&token[0]), 1800000359999, &p, &f) == 0);
    TAP_CHECK(prove(&t, nk_buf_str(&token[0]), 1800000360000, &p, &f) == NK_EEXPIRED && !p);
    for (int i = 0; i < 3; i++)
        nk_buf_free(&token[i]);
    teardown(&t);
}

/* Counts what libcrypto asks of the heap; our own memory is the arenas'. */
static size_t allocations;

static void *count_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    allocations++;
    return malloc(n);
}

static void *count_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    allocations++;
    return realloc(p, n);
}

static void count_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

static void test_no_memory(struct fixture *t)
{
    struct nk_buf token;
    const struct nk_principal *p;
    struct nk_fault f;
    sign(&keys[1], "cached", &token);
    TAP_CHECK(prove(t, nk_buf_str(&token), now, &p, &f) == 0);
    TAP_CHECK(prove(t, nk_buf_str(&token), now, &p, &f) == 0);
    size_t before = allocations, life = t->life.used, request = t->request.used;
    int rc = 0;
    for (int i = 0; i < 100; i++)
        rc |= prove(t, nk_buf_str(&token), now, &p, &f);
    printf("# rc %d, libcrypto's allocations %zu before, %zu more; arenas %zu %zu more\n", rc,
           before, allocations - before, t->life.used - life, t->request.used - request);
    TAP_CHECK(rc == 0 && before > 0 && allocations == before && t->life.used == life &&
              t->request.used == request);
    nk_buf_free(&token);
}

/* The principal of a transaction stays what it is while the cache turns over. */
static void test_lifetime(struct fixture *t)
{
    struct nk_buf token;
    struct nk_arena mine;
    const struct nk_principal *p, *q;
    struct nk_fault f = {0};
    nk_arena_init(&mine, 65536);
    sign(&keys[9], "first", &token);
    TAP_CHECK(nk_ident_verify(t->id, nk_buf_str(&token), now, &mine, &p, &f) == 0);
    nk_buf_free(&token);
    nk_ident_set_budget(t->id, 0);
    int bad = 0;
    for (int i = 0; i < NK_IDENT_CACHE_ENTRIES / 16; i++) {
        char sub[16];
        snprintf(sub, sizeof sub, "u%d", i);
        sign(&keys[9], sub, &token);
        bad += prove(t, nk_buf_str(&token), now, &q, &f) != 0 || !nk_str_eq(q->id, nk_str(sub));
        nk_buf_free(&token);
    }
    TAP_CHECK(bad == 0 && nk_str_eq(p->id, NK_STR("first")));
    nk_arena_free(&mine);
}

/* A certificate names somebody where the configuration says so, and as long as it is good. */
static void test_certificates(void)
{
    struct nk_arena a;
    struct nk_fault f = {0};
    struct nk_ident *id;
    const struct nk_principal *p;
    const struct nk_config named = {.certificate_type = {"Service", 7}};
    const struct nk_ident_certificate c = {.name = NK_STR("spiffe://prod/agent"),
                                           .kind = "uri",
                                           .until_ms = now + 1000,
                                           .sha256 = {{0xab, 0xcd}}};
    nk_arena_init(&a, 8 << 20);
    TAP_CHECK(nk_ident_new(&named, NK_STR(""), NULL, seed, &a, &id, &f) == 0);
    TAP_CHECK(nk_ident_by_certificate(id, &c, now, &a, &p, &f) == 0);
    tap_ok(nk_str_eq(p->type, NK_STR("Service")) && nk_str_eq(p->id, c.name) &&
               p->id.p != c.name.p && !strcmp(p->proof, "certificate") && p->group_count == 0 &&
               p->expires_ms == c.until_ms,
           "a certificate names a principal of its own");
    tap_ok(p->attr_count == 2 && nk_str_eq(p->attrs[0].name, NK_STR("name")) &&
               nk_str_eq(p->attrs[0].string, c.name) &&
               nk_str_eq(p->attrs[1].name, NK_STR("nameType")) &&
               nk_str_eq(p->attrs[1].string, NK_STR("uri")),
           "its name is an attribute, too");
    tap_ok(p->source.n == 71 && nk_str_starts(p->source, NK_STR("sha256:abcd0000")), "%.*s",
           NK_FMT(p->source));
    TAP_CHECK(nk_ident_by_certificate(id, &c, now + 1000, &a, &p, &f) == NK_EEXPIRED && !p);
    struct nk_arena tiny;
    nk_arena_init(&tiny, 64);
    f = (struct nk_fault){0};
    TAP_CHECK(nk_ident_by_certificate(id, &c, now, &tiny, &p, &f) == NK_ENOMEM && !p);
    nk_arena_free(&tiny);
    nk_ident_free(id);
    const struct nk_config unnamed = {.listen_count = 0};
    f = (struct nk_fault){0};
    TAP_CHECK(nk_ident_new(&unnamed, NK_STR(""), NULL, seed, &a, &id, &f) == 0);
    TAP_CHECK(nk_ident_by_certificate(id, &c, now, &a, &p, &f) == NK_ENOTFOUND && !p);
    nk_ident_free(id);
    nk_arena_free(&a);
}

int main(void)
{
    struct fixture t;
    struct nk_fault f = {0};
    struct claims_case c = {.t = &t};
    TAP_CHECK(CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free) == 1);
    make_keys();
    if (!tap_ok(setup(&t, NK_STR(""), &f) == 0, "setup %s", f.message))
        return tap_done();
    nk_ident_set_budget(t.id, 0);
    TAP_CHECK(blocks_read("tests/cases/ident/claims.cases", on_line, &c) && c.ran > 70);
    test_tampering(&t);
    test_limits(&t);
    test_issuers(&t);
    test_no_memory(&t);
    test_lifetime(&t);
    teardown(&t);
    test_keys();
    test_rotation();
    test_budget();
    test_certificates();
    for (size_t i = 0; i < KEYS; i++)
        EVP_PKEY_free(keys[i].key);
    return tap_done();
}
