/* SPDX-License-Identifier: Apache-2.0
 *
 * ident_data.c - key sets and key files from tests/cases/ident, the form of API keys, and the cache
 * of verified tokens against a plain model.
 */
#include "blocks.h"
#include "crypt/jwk.h"
#include "ident/apikey.h"
#include "ident/cache.h"
#include "ident/keyfile.h"
#include "tap.h"

static const uint64_t seed[2] = {1, 2};

struct block {
    char title[256];
    struct nk_buf text;
    int cases;
};

/* "ok …" or "EINVAL message" against what the case expects. */
static void compare(const struct block *b, int rc, const char *ok_text, const struct nk_fault *f,
                    struct nk_str expect)
{
    char got[512], want[512];
    snprintf(got, sizeof got, "%s %s", rc ? nk_error_name(rc) : "ok", rc ? f->message : ok_text);
    snprintf(want, sizeof want, "%.*s", NK_FMT(expect));
    char *rest = strchr(want, ' ');
    if (rest)
        *rest++ = 0;
    size_t n = strlen(want);
    bool same = strncmp(got, want, n) == 0 && got[n] == ' ' && strstr(got, rest ? rest : "");
    tap_ok(same, "%s: %s", b->title, same ? want : got);
}

static void run_jwks(const struct block *b, struct nk_str expect)
{
    struct nk_jwks set;
    struct nk_fault f = {0};
    char text[512] = "";
    int rc = nk_jwks_parse(nk_buf_str(&b->text), 0, &set, &f);
    if (rc == 0) {
        int n = snprintf(text, sizeof text, "%zu keys", set.count);
        for (size_t i = 0; i < set.count && i < 4; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, " %s", set.keys[i].alg->name);
        if (set.skipped)
            snprintf(text + n, sizeof text - (size_t)n, "; left out %zu: %s", set.skipped,
                     strstr(set.why.message, ": ") + 2);
        nk_jwks_free(&set);
    }
    compare(b, rc, text, &f, expect);
}

/* What was read, written again, must be read to the same. */
static bool is_stable(const struct nk_keyfile *file)
{
    struct nk_buf once, twice;
    struct nk_arena a;
    struct nk_keyfile again;
    nk_buf_init(&once, 1 << 20);
    nk_buf_init(&twice, 1 << 20);
    nk_arena_init(&a, 1 << 20);
    for (size_t i = 0; i < file->count; i++)
        nk_keyfile_put(&file->entries[i], &once);
    int rc = nk_keyfile_parse(nk_buf_str(&once), "again", seed, &a, &again, NULL);
    for (size_t i = 0; rc == 0 && i < again.count; i++)
        nk_keyfile_put(&again.entries[i], &twice);
    bool same = rc == 0 && once.n > 0 && nk_str_eq(nk_buf_str(&once), nk_buf_str(&twice));
    nk_buf_free(&once);
    nk_buf_free(&twice);
    nk_arena_free(&a);
    return same;
}

static void run_keyfile(const struct block *b, struct nk_str expect)
{
    struct nk_keyfile file;
    struct nk_fault f = {0};
    struct nk_arena a;
    char text[64];
    nk_arena_init(&a, 4 << 20);
    int rc = nk_keyfile_parse(nk_buf_str(&b->text), "keys.jsonl", seed, &a, &file, &f);
    snprintf(text, sizeof text, "%zu", file.count);
    compare(b, rc, text, &f, expect);
    if (rc == 0)
        tap_ok(is_stable(&file), "%s: written and read again", b->title);
    nk_arena_free(&a);
}

static void on_line(void *ctx, struct nk_str word, struct nk_str text)
{
    struct block *b = ctx;
    if (nk_str_eq(word, NK_STR("case"))) {
        snprintf(b->title, sizeof b->title, "%.*s", NK_FMT(text));
        nk_buf_clear(&b->text);
        b->cases++;
    } else if (nk_str_eq(word, NK_STR("jwks"))) {
        nk_buf_add(&b->text, text);
    } else if (nk_str_eq(word, NK_STR("line"))) {
        nk_buf_add(&b->text, text);
        nk_buf_add_char(&b->text, '\n');
    } else if (b->text.n && b->text.p[0] == '{' && b->text.p[b->text.n - 1] == '}') {
        run_jwks(b, text);
    } else if (b->text.n && b->text.p[b->text.n - 1] == ']') {
        run_jwks(b, text);
    } else {
        run_keyfile(b, text);
    }
}

static void test_files(void)
{
    struct block b = {.cases = 0};
    nk_buf_init(&b.text, 1 << 20);
    TAP_CHECK(blocks_read("tests/cases/ident/jwks.cases", on_line, &b) && b.cases > 30);
    b.cases = 0;
    TAP_CHECK(blocks_read("tests/cases/ident/keyfile.cases", on_line, &b) && b.cases > 30);
    nk_buf_free(&b.text);
    struct nk_keyfile file;
    struct nk_arena a;
    struct nk_fault f = {0};
    nk_arena_init(&a, 1 << 20);
    TAP_CHECK(nk_keyfile_parse(NK_STR(""), "k", seed, &a, &file, NULL) == 0 && file.count == 0);
    TAP_CHECK(nk_keyfile_parse(NK_STR("{}"), "k", seed, &a, &file, &f) == NK_EINVAL &&
              strstr(f.message, "cut short"));
    nk_arena_free(&a);
}

static void test_apikey(void)
{
    unsigned char random[NK_APIKEY_RANDOM];
    char key[NK_APIKEY_SIZE + 1], bent[NK_APIKEY_SIZE + 1];
    for (size_t i = 0; i < sizeof random; i++)
        random[i] = (unsigned char)(i * 37 + 11);
    nk_apikey_make(random, key);
    struct nk_str s = nk_str(key);
    TAP_CHECK(s.n == NK_APIKEY_SIZE && nk_apikey_ok(s) && nk_apikey_id(s).n == 12);
    int missed = 0, swaps = 0;
    for (size_t i = 0; i < s.n; i++) {
        for (int c = 0x21; c < 0x7f; c++) {
            memcpy(bent, key, sizeof bent);
            bent[i] = (char)c;
            missed += c != key[i] && nk_apikey_ok(nk_str(bent));
        }
        memcpy(bent, key, sizeof bent);
        if (i + 1 < s.n && key[i] != key[i + 1]) {
            bent[i] = key[i + 1];
            bent[i + 1] = key[i];
            swaps += nk_apikey_ok(nk_str(bent));
        }
    }
    TAP_CHECK(missed == 0 && swaps == 0);
    TAP_CHECK(!nk_apikey_ok(nk_str_sub(s, 0, s.n - 1)) && !nk_apikey_ok(NK_STR("")));
    memset(random, 0xff, sizeof random);
    nk_apikey_make(random, key);
    TAP_CHECK(nk_apikey_ok(nk_str(key)) && nk_str_starts(nk_str(key), NK_STR("nk_777777777777_")));
    memset(random, 0, sizeof random);
    nk_apikey_make(random, bent);
    TAP_CHECK(nk_apikey_ok(nk_str(bent)) && strcmp(bent, key) != 0);
}

/* The i-th principal of the cache test: its size and content follow from i. */
static struct nk_principal nth(unsigned i, struct nk_str *groups, char *text)
{
    size_t n = i % 7, width = 1 + i * 31 % 900;
    memset(text, 'a' + (int)(i % 26), width);
    for (size_t g = 0; g < n; g++)
        groups[g] = (struct nk_str){text, width};
    return (struct nk_principal){.type = NK_STR("User"),
                                 .id = {text, width},
                                 .groups = groups,
                                 .group_count = n,
                                 .source = NK_STR("x"),
                                 .expires_ms = i};
}

static struct nk_digest digest_of(unsigned i)
{
    return nk_sha256((struct nk_str){(const char *)&i, sizeof i});
}

static bool is_nth(const struct nk_cache_entry *e, unsigned i)
{
    struct nk_str groups[8];
    char text[1024];
    struct nk_principal want = nth(i, groups, text);
    bool same = e->until_ms == i && e->principal->group_count == want.group_count &&
                nk_str_eq(e->principal->id, want.id);
    for (size_t g = 0; g < want.group_count && same; g++)
        same = nk_str_eq(e->principal->groups[g], want.groups[g]);
    return same;
}

static void test_cache(void)
{
    enum { N = 20000 };
    struct nk_arena a;
    struct nk_cache c;
    nk_arena_init(&a, 8 << 20);
    if (!TAP_CHECK(nk_cache_init(&c, seed, &a) == 0))
        return;
    size_t taken = a.used;
    int wrong = 0, lost = 0, gaps = 0;
    for (unsigned i = 0; i < N; i++) {
        struct nk_str groups[8];
        char text[1024];
        struct nk_principal p = nth(i, groups, text);
        struct nk_cache_entry e = {.digest = digest_of(i), .until_ms = i, .principal = &p};
        nk_cache_put(&c, &e);
        struct nk_digest d = digest_of(i);
        const struct nk_cache_entry *got = nk_cache_get(&c, &d);
        lost += !got || !is_nth(got, i);
        if (i % 997)
            continue;
        /* Whatever is still found is right, and what is lost is older than all that is found. */
        bool found = false;
        for (unsigned k = 0; k <= i; k++) {
            d = digest_of(k);
            got = nk_cache_get(&c, &d);
            wrong += got && !is_nth(got, k);
            gaps += found && !got;
            found |= got != NULL;
        }
    }
    TAP_CHECK(lost == 0);
    TAP_CHECK(wrong == 0);
    TAP_CHECK(gaps == 0);
    TAP_CHECK(c.count > 200 && c.count <= NK_IDENT_CACHE_ENTRIES && a.used == taken);
    for (unsigned i = 0; i < 3 * NK_IDENT_CACHE_ENTRIES; i++) {
        struct nk_principal p = {.type = NK_STR("User"), .id = NK_STR("x")};
        struct nk_cache_entry e = {.digest = digest_of(i), .until_ms = 1, .principal = &p};
        nk_cache_put(&c, &e);
    }
    TAP_CHECK(c.count == NK_IDENT_CACHE_ENTRIES);
    nk_arena_free(&a);
}

int main(void)
{
    test_files();
    test_apikey();
    test_cache();
    return tap_done();
}
