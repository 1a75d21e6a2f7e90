/* SPDX-License-Identifier: Apache-2.0
 *
 * token - the identity that tools get: what is in it, who may say what, and that our own reader of key sets and tokens
 * takes it. The key is that of RFC 8037, appendix A, whose thumbprint is in A.3. npm's jose verifies the tokens of a
 * running gateway in tests/e2e/tool_identity.
 */
#include "crypt/jws.h"
#include "ident/token.h"
#include "tap.h"

enum { NOW = 1763800000, CEILING = 1 << 20 };

static const char seed[] = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n";
static struct nk_arena arena;

static const struct nk_str groups[] = {{"receptionist", 12}};
static const struct nk_attr attrs[] = {
    {.name = {"ward", 4}, .type = NK_ATTR_STRING, .string = {"3\"B", 3}},
    {.name = {"secret", 6}, .type = NK_ATTR_STRING, .string = {"x", 1}},
    {.name = {"level", 5}, .type = NK_ATTR_INT, .integer = 7},
    {.name = {"night", 5}, .type = NK_ATTR_BOOL, .integer = 1}};
static const struct nk_principal john = {.type = {"User", 4},
                                         .id = {"john.doe", 8},
                                         .groups = groups,
                                         .group_count = 1,
                                         .attrs = attrs,
                                         .attr_count = 4};
static const struct nk_config_text told[] = {{{"ward", 4}}, {{"level", 5}}, {{"night", 5}}};
static const struct nk_str actors[] = {{"clinic-agent", 12}, {"front-desk", 10}};

static struct nk_str claims_of(struct nk_token_about about)
{
    struct nk_buf b;
    nk_buf_init(&b, CEILING);
    about.principal = &john;
    about.id = NK_STR("r-1");
    int rc = nk_token_claims(&about, &b);
    struct nk_str s = rc ? (struct nk_str){NULL, 0} : nk_arena_copy(&arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return s;
}

static void claims_are(struct nk_token_about about, const char *what, const char *wanted)
{
    struct nk_str got = claims_of(about);
    if (!tap_ok(nk_str_eq(got, nk_str(wanted)), "claims: %s", what))
        printf("# %.*s\n", NK_FMT(got));
}

static int sign(const struct nk_token_key *key, struct nk_str claims, struct nk_str *out)
{
    const struct nk_token_frame frame = {.issuer = NK_STR("https://gate.test"),
                                         .audience = NK_STR("https://ehr.test/mcp"),
                                         .more = NK_STR(".1"),
                                         .now_ms = (int64_t)NOW * 1000 + 999,
                                         .lifetime_ms = 60000};
    struct nk_buf b;
    nk_buf_init(&b, CEILING);
    int rc = nk_token_sign(key, &frame, claims, &arena, &b);
    *out = rc ? (struct nk_str){NULL, 0} : nk_arena_copy(&arena, nk_buf_str(&b));
    nk_buf_free(&b);
    return rc;
}

/* The token's payload, once its signature holds by the key set. */
static struct nk_str verified(struct nk_str token, const struct nk_jwks *set)
{
    struct nk_jws jws;
    struct nk_fault f = {0};
    struct nk_str text = {NULL, 0};
    if (nk_jws_parse(token, &arena, &jws, &f) == 0 &&
        nk_jws_verify(&jws, nk_jwks_find(set, jws.kid), &f) == 0)
        text = jws.payload;
    if (!text.p)
        printf("# %s\n", f.message);
    return text;
}

static void tokens(void)
{
    struct nk_token_key keys[2];
    static struct nk_jwks set;
    struct nk_buf jwks;
    struct nk_fault f = {0};
    struct nk_str token, other;
    static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000001";
    int rc = nk_token_key_read(nk_str(seed), &arena, &keys[0]);
    tap_ok(rc == 0 && nk_str_eq(keys[0].kid, NK_STR("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")),
           "the thumbprint of RFC 8037, A.3");
    rc = nk_token_key_read(nk_str(zeros), &arena, &keys[1]);
    nk_buf_init(&jwks, CEILING);
    nk_token_jwks(keys, 2, &jwks);
    tap_ok(rc == 0 && nk_jwks_parse(nk_buf_str(&jwks), 0, &set, &f) == 0 && set.count == 2,
           "a key set of two keys, without secret parts");
    struct nk_str claims = claims_of((struct nk_token_about){.actors = actors, .actor_count = 1});
    rc = sign(&keys[0], claims, &token);
    tap_ok(rc == 0 && sign(&keys[1], claims, &other) == 0 && !nk_str_eq(token, other),
           "it is signed");
    struct nk_str payload = verified(token, &set);
    tap_ok(
        nk_str_eq(payload, NK_STR("{\"iss\":\"https://gate.test\",\"aud\":\"https://ehr.test/mcp\","
                                  "\"sub\":\"john.doe\",\"principal_type\":\"User\",\"groups\":["
                                  "\"receptionist\"],\"act\":{\"sub\":\"clinic-agent\"},\"jti\":"
                                  "\"r-1.1\",\"iat\":1763800000,\"nbf\":1763800000,\"exp\":"
                                  "1763800060}")),
        "its claims: %.*s", NK_FMT(payload));
    tap_ok(verified(other, &set).p != NULL, "that of the other key holds as well");
    nk_jwks_free(&set);
    nk_buf_free(&jwks);
}

static void refusals(void)
{
    static const struct {
        const char *what, *claims;
    } bad[] = {{"no JSON", "{\"sub\":"},
               {"no object", "[\"sub\"]"},
               {"nobody", "{\"jti\":\"1\"}"},
               {"a number for a subject", "{\"sub\":1,\"jti\":\"1\"}"},
               {"an issuer of its own", "{\"sub\":\"x\",\"iss\":\"y\",\"jti\":\"1\"}"},
               {"an audience of its own", "{\"sub\":\"x\",\"aud\":\"y\",\"jti\":\"1\"}"},
               {"an end of its own", "{\"sub\":\"x\",\"exp\":9999999999,\"jti\":\"1\"}"},
               {"a subject twice", "{\"sub\":\"x\",\"sub\":\"y\",\"jti\":\"1\"}"},
               {"an id that is no text", "{\"sub\":\"x\",\"jti\":1}"}};
    static const char *const keys[] = {
        "", "9d61", "zz61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f6000"};
    struct nk_token_key key, other;
    struct nk_str token;
    int rc = nk_token_key_read(nk_str(seed), &arena, &key);
    for (size_t i = 0; i < NK_COUNT(bad); i++)
        tap_ok(rc == 0 && sign(&key, nk_str(bad[i].claims), &token) == NK_EINVAL,
               "not signed: claims with %s", bad[i].what);
    for (size_t i = 0; i < NK_COUNT(keys); i++)
        tap_ok(nk_token_key_read(nk_str(keys[i]), &arena, &other) == NK_EINVAL, "no key: \"%s\"",
               keys[i]);
    struct nk_str many[NK_TOKEN_ACTORS + 1];
    for (size_t i = 0; i < NK_COUNT(many); i++)
        many[i] = NK_STR("a");
    tap_ok(claims_of((struct nk_token_about){.actors = many, .actor_count = NK_COUNT(many)}).p ==
               NULL,
           "more actors than a token may have");
}

int main(void)
{
    nk_arena_init(&arena, CEILING);
    claims_are((struct nk_token_about){.tool = {"ehr___get_patient", 17}}, "a person and a tool",
               "{\"sub\":\"john.doe\",\"principal_type\":\"User\",\"groups\":[\"receptionist\"],"
               "\"tool\":\"ehr___get_patient\",\"jti\":\"r-1\"}");
    claims_are((struct nk_token_about){.attributes = told, .attribute_count = 3},
               "attributes that are told, and no other",
               "{\"sub\":\"john.doe\",\"principal_type\":\"User\",\"groups\":[\"receptionist\"],"
               "\"attributes\":{\"ward\":\"3\\\"B\",\"level\":7,\"night\":true},\"jti\":\"r-1\"}");
    claims_are((struct nk_token_about){.actors = actors, .actor_count = 2},
               "who acts now, and who acted before",
               "{\"sub\":\"john.doe\",\"principal_type\":\"User\",\"groups\":[\"receptionist\"],"
               "\"act\":{\"sub\":\"clinic-agent\",\"act\":{\"sub\":\"front-desk\"}},\"jti\":"
               "\"r-1\"}");
    tokens();
    refusals();
    nk_arena_free(&arena);
    return tap_done();
}
