/* SPDX-License-Identifier: Apache-2.0
 *
 * ident.c - from a credential to a principal. The SHA-256 of what the client sent is looked up in
 * the table of API keys, then in the cache of verified tokens; only what is in neither and has the
 * form of a JWT is read. Checks that cost little come before the one that costs much, the
 * signature, and that one has a budget; no claim is believed before it.
 *
 * Digests are compared as they are, without regard to time: nobody can choose the SHA-256 of what
 * they send so as to walk towards a stored one byte by byte.
 */
#include "ident/own.h"

#include "ident/apikey.h"
#include "ident/claims.h"
#include "ident/keyfile.h"
#include "ident/proof.h"

#include <string.h>

enum { SCRATCH = 1 << 20 };

static struct nk_str digest_str(const struct nk_digest *d)
{
    return (struct nk_str){(const char *)d->b, sizeof d->b};
}

static int load_keys(struct nk_ident *id, const struct nk_config *cfg, struct nk_str text,
                     struct nk_arena *a, struct nk_fault *f)
{
    struct nk_keyfile file;
    struct nk_str name = nk_arena_copy(a, cfg->keys.n ? cfg->keys : NK_STR("keys"));
    if (!name.p)
        return NK_ENOMEM;
    int rc = nk_keyfile_parse(text, name.p, id->keys.seed, a, &file, f);
    for (size_t i = 0; i < file.count && rc == 0; i++) {
        const struct nk_keyfile_entry *e = &file.entries[i];
        struct ident_key *key = nk_arena_alloc(a, sizeof *key);
        if (!key)
            return NK_ENOMEM;
        *key = (struct ident_key){
            .principal = {.serial = ++id->serials,
                          .type = e->type,
                          .id = e->principal,
                          .groups = e->groups,
                          .group_count = e->group_count,
                          .proof = e->signs ? "sigv4" : "key",
                          .source = e->id,
                          .expires_ms = e->expires_ms},
            .revoked_ms = e->revoked_ms,
            .digest = e->digest,
        };
        /* The secret of a key that signs is never sent: whoever sends it is refused. */
        rc = e->signs ? nk_map_put(&id->signers, e->id, key)
                      : nk_map_put(&id->keys, digest_str(&e->digest), key);
    }
    return rc;
}

static int load_issuers(struct nk_ident *id, const struct nk_config *cfg, const struct nk_str *jwks,
                        struct nk_arena *a, struct nk_fault *f)
{
    if (cfg->issuer_count == 0)
        return 0;
    if (cfg->issuer_count > NK_IDENT_MAX_ISSUERS)
        return nk_fault_set(f, NK_ELIMIT, "config", 0, "more than 64 issuers");
    id->issuers = nk_arena_array(a, cfg->issuer_count, sizeof *id->issuers);
    if (!id->issuers)
        return NK_ENOMEM;
    for (size_t i = 0; i < cfg->issuer_count; i++) {
        struct ident_issuer *issuer = &id->issuers[id->issuer_count++];
        issuer->config = &cfg->issuers[i];
        issuer->index = (uint32_t)i;
        int rc = nk_map_put(&id->by_name, issuer->config->issuer, issuer);
        if (rc)
            return nk_fault_set(f, rc, "config", 0, "issuer %.*s is there twice",
                                NK_FMT(issuer->config->issuer));
        if (jwks && jwks[i].p)
            rc = nk_ident_set_jwks(id, i, jwks[i], f);
        if (rc)
            return rc;
    }
    return nk_cache_init(&id->cache, id->keys.seed, a);
}

int nk_ident_new(const struct nk_config *cfg, struct nk_str keys, const struct nk_str *jwks,
                 const uint64_t seed[2], struct nk_arena *a, struct nk_ident **out,
                 struct nk_fault *f)
{
    struct nk_ident *id = nk_arena_alloc(a, sizeof *id);
    *out = NULL;
    if (!id)
        return nk_fault_set(f, NK_ENOMEM, "ident", 0, "out of memory");
    nk_map_init(&id->keys, a, seed);
    nk_map_init(&id->signers, a, seed);
    nk_map_init(&id->by_name, a, seed);
    nk_arena_init(&id->scratch, SCRATCH);
    nk_ident_set_budget(id, NK_IDENT_VERIFY_BUDGET);
    id->certificate_type = cfg->certificate_type;
    int rc = load_keys(id, cfg, keys, a, f);
    if (rc == 0)
        rc = load_issuers(id, cfg, jwks, a, f);
    if (rc) {
        nk_ident_free(id);
        return nk_fault_set(f, rc, "ident", 0, "out of memory");
    }
    *out = id;
    return 0;
}

void nk_ident_free(struct nk_ident *id)
{
    for (size_t i = 0; i < id->issuer_count; i++)
        nk_jwks_free(&id->issuers[i].jwks);
    id->issuer_count = 0;
    nk_arena_free(&id->scratch);
}

int nk_ident_set_jwks(struct nk_ident *id, size_t issuer, struct nk_str jwks, struct nk_fault *f)
{
    struct nk_jwks fresh;
    NK_MUST(issuer < id->issuer_count);
    struct ident_issuer *at = &id->issuers[issuer];
    struct nk_digest text = nk_sha256(jwks);
    if (at->jwks.count && memcmp(&text, &at->text, sizeof text) == 0)
        return 0;
    struct nk_fault why = {0};
    int rc = nk_jwks_parse(jwks, 0, &fresh, &why);
    if (rc)
        return nk_fault_set(f, rc, "jwks", why.offset, "the key set of %.*s: %s",
                            NK_FMT(at->config->issuer), why.message);
    nk_jwks_free(&at->jwks);
    at->jwks = fresh;
    at->text = text;
    at->generation++;
    return 0;
}

const struct nk_jwks *nk_ident_jwks(const struct nk_ident *id, size_t issuer)
{
    NK_MUST(issuer < id->issuer_count);
    return &id->issuers[issuer].jwks;
}

bool nk_ident_wants_jwks(struct nk_ident *id, size_t *issuer)
{
    for (size_t i = 0; i < id->issuer_count; i++) {
        if (!id->issuers[i].is_wanted)
            continue;
        id->issuers[i].is_wanted = false;
        *issuer = i;
        return true;
    }
    return false;
}

void nk_ident_set_budget(struct nk_ident *id, int64_t us_per_second)
{
    NK_MUST(us_per_second >= 0 && us_per_second <= 1000000000);
    id->budget = us_per_second;
    id->budget_left = us_per_second;
    id->budget_at_ms = INT64_MIN;
}

/* A bucket that fills at `budget` a second and holds a second's worth. It may be overdrawn once, so
 * that a dear signature passes however small the budget is. */
bool ident_spend(struct nk_ident *id, int cost_us, int64_t now_ms)
{
    if (id->budget == 0)
        return true;
    if (id->budget_at_ms == INT64_MIN)
        id->budget_at_ms = now_ms;
    int64_t passed = now_ms - id->budget_at_ms;
    int64_t gain = passed > 0 ? (passed < 1000 ? passed : 1000) * id->budget / 1000 : 0;
    if (gain > 0) { /* a fraction waits for its rest: small budgets fill as well */
        id->budget_at_ms = now_ms;
        id->budget_left += gain;
        if (id->budget_left > id->budget)
            id->budget_left = id->budget;
    }
    if (id->budget_left <= 0)
        return false;
    id->budget_left -= cost_us;
    return true;
}

int ident_check_time(int64_t from_ms, int64_t until_ms, int64_t now_ms, struct nk_fault *f)
{
    if (now_ms >= until_ms)
        return nk_fault_set(f, NK_EEXPIRED, "token", 0, "the token expired %lld seconds ago",
                            (long long)(now_ms - until_ms) / 1000);
    if (now_ms < from_ms)
        return nk_fault_set(f, NK_EEXPIRED, "token", 0, "the token is good only in %lld seconds",
                            (long long)(from_ms - now_ms + 999) / 1000);
    return 0;
}

int ident_check_key(const struct ident_key *key, int64_t now_ms, struct nk_fault *f)
{
    if (now_ms >= key->revoked_ms)
        return nk_fault_set(f, NK_EDENIED, "key", 0, "key %.*s is revoked",
                            NK_FMT(key->principal.source));
    if (now_ms >= key->principal.expires_ms)
        return nk_fault_set(f, NK_EEXPIRED, "key", 0, "key %.*s has expired",
                            NK_FMT(key->principal.source));
    return 0;
}

/* RFC 8725, section 3.11: a token of another kind (logout, DPoP proof, security event) that the
 * same issuer signed is no access token. */
static bool is_access_token(struct nk_str typ)
{
    static const char *const types[] = {"JWT", "at+jwt", "application/at+jwt", "application/jwt"};
    for (size_t i = 0; i < NK_COUNT(types); i++)
        if (nk_str_eq_nocase(typ, nk_str(types[i])))
            return true;
    return !typ.p;
}

int ident_find_key(struct ident_issuer *issuer, const struct nk_jws *jws, const struct nk_jwk **key,
                   struct nk_fault *f)
{
    if (issuer->jwks.count == 0) {
        issuer->is_wanted = true;
        return nk_fault_set(f, NK_EAGAIN, "token", 0, "the keys of %.*s have not been fetched yet",
                            NK_FMT(issuer->config->issuer));
    }
    *key = nk_jwks_find(&issuer->jwks, jws->kid);
    if (*key)
        return 0;
    issuer->is_wanted = jws->kid.p != NULL;
    return nk_fault_set(f, NK_EDENIED, "token", 0, "%s of issuer %.*s",
                        jws->kid.p ? "the token's key is not in the set"
                                   : "the token names no key, and there are several in the set",
                        NK_FMT(issuer->config->issuer));
}

/* The issuer and the key that the token says it comes from; nothing is proven yet. */
static int find_key(struct nk_ident *id, const struct nk_jws *jws, const struct nk_json *claims,
                    struct ident_issuer **issuer, const struct nk_jwk **key, struct nk_fault *f)
{
    struct nk_str iss = nk_json_string(claims, nk_json_get(claims, 0, NK_STR("iss")), &id->scratch);
    *issuer = iss.p ? nk_map_get(&id->by_name, iss) : NULL;
    if (!*issuer)
        return nk_fault_set(f, NK_EDENIED, "token", 0,
                            "claim iss is missing or names no configured issuer");
    return ident_find_key(*issuer, jws, key, f);
}

int ident_read_token(struct nk_str token, struct nk_arena *a, struct nk_jws *jws,
                     struct nk_json *doc, struct nk_fault *f)
{
    const struct nk_json_limits lim = {NK_IDENT_MAX_CREDENTIAL, 16, 4096};
    int rc = nk_jws_parse(token, a, jws, f);
    if (rc == 0 && !is_access_token(jws->typ))
        rc = nk_fault_set(f, NK_EDENIED, "token", 0, "its `typ` is not that of an access token");
    if (rc == 0)
        rc = nk_json_parse(&lim, jws->payload, a, doc, f);
    if (rc == 0 && nk_json_type(doc, 0) != NK_JSON_OBJECT)
        rc = nk_fault_set(f, NK_EINVAL, "token", 0, "the claims are not an object");
    return rc;
}

/* Does one of the n texts stand in a claim: a list of strings, or words in one? */
static bool has_word(const struct nk_json *doc, uint32_t at, struct nk_str word, struct nk_arena *a)
{
    bool is_list = nk_json_type(doc, at) == NK_JSON_ARRAY;
    for (uint32_t i = is_list ? nk_json_first(doc, at) : at; i != NK_JSON_NONE;
         i = is_list ? nk_json_next(doc, at, i) : NK_JSON_NONE) {
        struct nk_str rest = nk_json_string(doc, i, a);
        while (rest.p)
            if (nk_str_eq(nk_str_cut(&rest, ' '), word))
                return true;
    }
    return false;
}

static bool is_from(const struct nk_ident_resource *r, struct nk_str issuer)
{
    size_t i = 0;
    while (i < r->issuer_count && !nk_str_eq(r->issuers[i], issuer))
        i++;
    return i < r->issuer_count;
}

static int check_scopes(const struct nk_ident_resource *r, const struct nk_json *doc,
                        struct nk_arena *a, struct nk_fault *f)
{
    for (size_t i = 0; i < r->scope_count; i++)
        if (!has_word(doc, nk_json_get(doc, 0, NK_STR("scope")), r->scopes[i], a) &&
            !has_word(doc, nk_json_get(doc, 0, NK_STR("scp")), r->scopes[i], a))
            return nk_fault_set(f, NK_ECONFLICT, "token", 0, "the token lacks the scope %.*s",
                                NK_FMT(r->scopes[i]));
    return 0;
}

/* With a resource the token has to be meant for it, and not for us as a whole. */
static int verify_token(struct nk_ident *id, const struct nk_ident_resource *resource,
                        struct nk_str token, int64_t now_ms, struct nk_claims *claims,
                        struct ident_issuer **issuer, struct nk_fault *f)
{
    struct nk_config_issuer meant;
    const struct nk_jwk *key = NULL;
    struct nk_jws jws;
    struct nk_json doc;
    int rc = ident_read_token(token, &id->scratch, &jws, &doc, f);
    if (rc == 0)
        rc = find_key(id, &jws, &doc, issuer, &key, f);
    if (rc == 0) {
        meant = *(*issuer)->config;
        meant.audience = resource ? resource->audience : meant.audience;
        rc = nk_claims_read(&doc, &meant, &id->scratch, claims, f);
    }
    if (rc == 0 && resource && !is_from(resource, meant.issuer))
        rc = nk_fault_set(f, NK_EDENIED, "token", 0, "tokens of %.*s are not taken here",
                          NK_FMT(meant.issuer));
    if (rc == 0)
        rc = ident_check_time(claims->from_ms, claims->until_ms, now_ms, f);
    if (rc == 0 && !ident_spend(id, key->cost, now_ms))
        rc = nk_fault_set(f, NK_EFULL, "token", 0,
                          "the budget of signature checks is used up for now");
    if (rc == 0)
        rc = nk_jws_verify(&jws, key, f);
    return rc || !resource ? rc : check_scopes(resource, &doc, &id->scratch, f);
}

static int from_token(struct nk_ident *id, const struct nk_ident_resource *resource,
                      struct nk_str token, const struct nk_digest *digest, int64_t now_ms,
                      struct nk_arena *a, const struct nk_principal **out, struct nk_fault *f)
{
    struct nk_claims claims;
    struct ident_issuer *issuer = NULL;
    int rc = verify_token(id, resource, token, now_ms, &claims, &issuer, f);
    if (rc == 0) {
        claims.principal.serial = ++id->serials;
        const struct nk_cache_entry e = {.digest = *digest,
                                         .from_ms = claims.from_ms,
                                         .until_ms = claims.until_ms,
                                         .issuer = issuer->index,
                                         .generation = issuer->generation,
                                         .principal = &claims.principal};
        nk_cache_put(&id->cache, &e);
        rc = nk_principal_copy(&claims.principal, a, out);
    }
    nk_arena_reset(&id->scratch);
    return rc;
}

/* What a token is cached under. What it proves to one resource it does not prove to another. */
static struct nk_digest cached_as(const struct nk_ident_resource *resource,
                                  struct nk_digest of_token)
{
    if (!resource)
        return of_token;
    return nk_sha256_parts((struct nk_str[]){NK_STR("token of a resource:"), digest_str(&of_token),
                                             resource->audience},
                           3);
}

static int verify(struct nk_ident *id, const struct nk_ident_resource *resource,
                  struct nk_str credential, int64_t now_ms, struct nk_arena *a,
                  const struct nk_principal **out, struct nk_fault *f)
{
    if (!credential.p || credential.n == 0)
        return nk_fault_set(f, NK_EINVAL, "ident", 0, "an empty credential");
    if (credential.n > NK_IDENT_MAX_CREDENTIAL)
        return nk_fault_set(f, NK_ELIMIT, "ident", 0, "a credential of more than 16 KiB");
    struct nk_digest digest = nk_sha256(credential);
    const struct ident_key *key = nk_map_get(&id->keys, digest_str(&digest));
    if (key) {
        int rc = ident_check_key(key, now_ms, f);
        return rc ? rc : nk_principal_copy(&key->principal, a, out);
    }
    if (nk_apikey_has_prefix(credential))
        return nk_apikey_ok(credential)
                   ? nk_fault_set(f, NK_EDENIED, "key", 0, "key %.*s is not in the key file",
                                  NK_FMT(nk_apikey_id(credential)))
                   : nk_fault_set(f, NK_EINVAL, "key", 0, "a damaged API key: its check is wrong");
    if (id->issuer_count == 0 || nk_str_find(credential, '.') < 0)
        return nk_fault_set(f, NK_EDENIED, "key", 0, "no known API key, and not a token");
    digest = cached_as(resource, digest);
    const struct nk_cache_entry *e = nk_cache_get(&id->cache, &digest);
    if (!e || e->generation != id->issuers[e->issuer].generation)
        return from_token(id, resource, credential, &digest, now_ms, a, out, f);
    int rc = ident_check_time(e->from_ms, e->until_ms, now_ms, f);
    return rc ? rc : nk_principal_copy(e->principal, a, out);
}

int nk_ident_verify(struct nk_ident *id, struct nk_str credential, int64_t now_ms,
                    struct nk_arena *a, const struct nk_principal **out, struct nk_fault *f)
{
    return nk_ident_verify_for(id, NULL, credential, now_ms, a, out, f);
}

int nk_ident_verify_for(struct nk_ident *id, const struct nk_ident_resource *resource,
                        struct nk_str credential, int64_t now_ms, struct nk_arena *a,
                        const struct nk_principal **out, struct nk_fault *f)
{
    struct nk_fault first;
    nk_fault_none(&first);
    *out = NULL;
    int rc = verify(id, resource, credential, now_ms, a, out, &first);
    if (rc == NK_ECRYPTO || rc == NK_EUNSUPPORTED)
        rc = NK_EDENIED; /* to the caller a bad signature is a refusal like the others */
    return rc ? nk_fault_set(f, rc, first.stage ? first.stage : "ident", first.offset, "%s",
                             first.code ? first.message : "out of memory")
              : 0;
}

int nk_ident_by_certificate(const struct nk_ident *id, const struct nk_ident_certificate *c,
                            int64_t now_ms, struct nk_arena *a, const struct nk_principal **out,
                            struct nk_fault *f)
{
    char source[7 + 2 * NK_SHA256_SIZE];
    struct nk_buf b = {.p = source, .cap = sizeof source, .max = sizeof source};
    struct nk_attr attrs[] = {{.name = NK_STR("name"), .string = c->name},
                              {.name = NK_STR("nameType"), .string = nk_str(c->kind)}};
    *out = NULL;
    if (!id->certificate_type.p)
        return nk_fault_set(f, NK_ENOTFOUND, "certificate", 0,
                            "no names are taken from certificates "
                            "(identity.certificates.principal_type)");
    if (now_ms >= c->until_ms)
        return nk_fault_set(f, NK_EEXPIRED, "certificate", 0, "the client's certificate expired");
    nk_buf_add(&b, NK_STR("sha256:"));
    nk_buf_add_hex(&b, c->sha256.b, sizeof c->sha256.b);
    struct nk_principal p = {.type = id->certificate_type,
                             .id = c->name,
                             .attrs = attrs,
                             .attr_count = NK_COUNT(attrs),
                             .proof = "certificate",
                             .source = nk_buf_str(&b),
                             .expires_ms = c->until_ms};
    int rc = b.error ? b.error : nk_principal_copy(&p, a, out);
    return rc ? nk_fault_set(f, rc, "ident", 0, "out of memory") : 0;
}
