/* SPDX-License-Identifier: Apache-2.0
 *
 * jose.c - Wycheproof's vectors for JSON Web Signatures and keys (signature, key and the JWS part
 * of crypto) through nk_jwks_read, nk_jws_parse and nk_jws_verify. What differs on purpose is
 * listed in tests/cases/jose/deliberate.cases. The gateway takes public keys alone; rows with
 * symmetric keys run with NK_JWKS_SYMMETRIC, and once more without it, where each must be refused.
 */
#include "crypt/jws.h"
#include "tap.h"

enum { FILE_MAX = 8 << 20 };

struct tally {
    int rows, as_expected, deliberate;
};

static struct nk_str read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return (struct nk_str){NULL, 0};
    char *p = malloc(FILE_MAX);
    size_t n = fread(p, 1, FILE_MAX, f);
    fclose(f);
    return (struct nk_str){p, n};
}

/* Is "<file> <id> <verdict> …" a line of the list? */
static bool is_deliberate(struct nk_str list, const char *file, int64_t id, const char *verdict)
{
    char want[64];
    snprintf(want, sizeof want, "%s %lld %s ", file, (long long)id, verdict);
    while (list.p)
        if (nk_str_starts(nk_str_cut(&list, '\n'), nk_str(want)))
            return true;
    return false;
}

static bool is_symmetric(const struct nk_json *doc, uint32_t keys)
{
    uint32_t list = nk_json_get(doc, keys, NK_STR("keys"));
    uint32_t first = list == NK_JSON_NONE ? keys : nk_json_first(doc, list);
    return nk_json_is(doc, nk_json_get(doc, first, NK_STR("kty")), NK_STR("oct"));
}

static int verify(const struct nk_json *doc, uint32_t keys, unsigned flags, struct nk_str token,
                  struct nk_fault *f)
{
    struct nk_jwks set;
    struct nk_jws jws;
    struct nk_arena a;
    nk_arena_init(&a, 1 << 20);
    int rc = nk_jwks_read(doc, keys, flags, &set, f);
    if (rc)
        return rc;
    rc = nk_jws_parse(token, &a, &jws, f);
    if (rc == 0) {
        const struct nk_jwk *key = nk_jwks_find(&set, jws.kid);
        rc = key ? nk_jws_verify(&jws, key, f) : NK_ENOTFOUND;
    }
    nk_jwks_free(&set);
    nk_arena_free(&a);
    return rc;
}

static void run_row(const char *file, const struct nk_json *doc, uint32_t keys, uint32_t row,
                    struct nk_str list, struct tally *t)
{
    struct nk_arena a;
    struct nk_fault f = {0};
    int64_t id = -1;
    nk_arena_init(&a, 1 << 20);
    uint32_t jws = nk_json_get(doc, row, NK_STR("jws"));
    if (jws == NK_JSON_NONE)
        return;
    struct nk_str token = nk_json_string(doc, jws, &a);
    if (!token.p)
        token = nk_json_span(doc, jws); /* the JSON serialization, as it would be sent */
    if (nk_json_i64(doc, nk_json_get(doc, row, NK_STR("tcId")), &id))
        abort();
    bool want = nk_json_is(doc, nk_json_get(doc, row, NK_STR("result")), NK_STR("valid"));
    bool symmetric = is_symmetric(doc, keys);
    bool on_purpose = is_deliberate(list, file, id, want ? "refused" : "accepted");
    int rc = verify(doc, keys, symmetric ? NK_JWKS_SYMMETRIC : 0, token, &f);
    struct nk_str comment = nk_json_string(doc, nk_json_get(doc, row, NK_STR("comment")), &a);
    tap_ok((rc == 0) == (want != on_purpose), "%s %d %.*s: %s%s %s", file, (int)id, NK_FMT(comment),
           want ? "valid" : "invalid", on_purpose ? ", on purpose not" : "", f.message);
    if (symmetric && want)
        tap_ok(verify(doc, keys, 0, token, NULL) == NK_EDENIED, "%s %d: no symmetric key at a gate",
               file, (int)id);
    t->rows++;
    t->as_expected += (rc == 0) == want;
    t->deliberate += (rc == 0) != want && on_purpose;
    nk_arena_free(&a);
}

static void run_file(const char *name, int rows, struct nk_str list)
{
    char path[128];
    snprintf(path, sizeof path, "../shared/data/jose/json_web_%s_dev.json", name);
    struct nk_str text = read_file(path);
    const struct nk_json_limits lim = {FILE_MAX, 32, 1 << 20};
    struct nk_arena a;
    struct nk_json doc;
    struct nk_fault f = {0};
    struct tally t = {0};
    if (!text.p) {
        tap_skip(name, "no ../shared/data/jose");
        return;
    }
    nk_arena_init(&a, 64 << 20);
    if (!tap_ok(nk_json_parse(&lim, text, &a, &doc, &f) == 0, "%s is JSON %s", name, f.message))
        return;
    uint32_t groups = nk_json_get(&doc, 0, NK_STR("testGroups"));
    for (uint32_t g = nk_json_first(&doc, groups); g != NK_JSON_NONE;
         g = nk_json_next(&doc, groups, g)) {
        uint32_t keys = nk_json_get(&doc, g, NK_STR("public"));
        if (keys == NK_JSON_NONE || nk_json_type(&doc, keys) != NK_JSON_OBJECT)
            keys = nk_json_get(&doc, g, NK_STR("private"));
        uint32_t tests = nk_json_get(&doc, g, NK_STR("tests"));
        for (uint32_t i = nk_json_first(&doc, tests); i != NK_JSON_NONE;
             i = nk_json_next(&doc, tests, i))
            run_row(name, &doc, keys, i, list, &t);
    }
    printf("# %s: %d signature rows, %d as expected, %d otherwise on purpose\n", name, t.rows,
           t.as_expected, t.deliberate);
    tap_ok(t.rows >= rows && t.as_expected + t.deliberate == t.rows, "%s: all %d rows ran", name,
           t.rows);
    nk_arena_free(&a);
    free((char *)(uintptr_t)text.p);
}

int main(void)
{
    struct nk_str list = read_file("tests/cases/jose/deliberate.cases");
    if (!tap_ok(list.p != NULL, "tests/cases/jose/deliberate.cases"))
        return tap_done();
    run_file("signature", 284, list);
    run_file("key", 19, list);
    run_file("crypto", 34, list);
    free((char *)(uintptr_t)list.p);
    return tap_done();
}
