/* SPDX-License-Identifier: Apache-2.0
 *
 * sigv4.c - signed requests: tests/cases/ident/sigv4.cases, which says how a case is written; then keys and the
 * secrets that are derived for them.
 */
#include "blocks.h"
#include "ident/proof.h"
#include "tap.h"

enum { HEADERS = 16 };

static const char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
static const int64_t signed_ms = 1440938160000; /* 2015-08-30T12:36:00Z */

struct one {
    char title[128];
    struct nk_http_header headers[HEADERS];
    struct nk_http_head head;
    struct nk_str body;
    int64_t now_ms;
};

static int verify(struct one *c, struct nk_fault *f)
{
    char hex[2 * NK_SHA256_SIZE];
    struct nk_buf payload = {.p = hex, .cap = sizeof hex, .max = sizeof hex};
    struct nk_digest d = nk_sha256(c->body);
    struct nk_sigv4 s;
    nk_buf_add_hex(&payload, d.b, sizeof d.b);
    int rc = nk_sigv4_read(&c->head, &s, f);
    if (!rc)
        rc = nk_sigv4_check(&c->head, &s, NK_STR("service"), c->now_ms, f);
    return rc ? rc : nk_sigv4_verify(&c->head, &s, nk_buf_str(&payload), nk_str(secret), f);
}

static void on_line(void *ctx, struct nk_str word, struct nk_str text)
{
    struct one *c = ctx;
    int64_t seconds = 0;
    if (nk_str_eq(word, NK_STR("case"))) {
        *c = (struct one){.now_ms = signed_ms, .body = NK_STR("")};
        c->head.headers = c->headers;
        snprintf(c->title, sizeof c->title, "%.*s", NK_FMT(text));
    } else if (nk_str_eq(word, NK_STR(">")) && !c->head.method.p) {
        c->head.method = nk_str_cut(&text, ' ');
        c->head.target = text;
    } else if (nk_str_eq(word, NK_STR(">"))) {
        NK_MUST(c->head.header_count < HEADERS);
        c->headers[c->head.header_count].name = nk_str_cut(&text, ':');
        c->headers[c->head.header_count++].value = nk_str_trim(text);
    } else if (nk_str_eq(word, NK_STR("body"))) {
        c->body = text;
    } else if (nk_str_eq(word, NK_STR("now"))) {
        NK_MUST(nk_str_to_i64(text, &seconds) == 0);
        c->now_ms = signed_ms + seconds * 1000;
    } else if (nk_str_eq(word, NK_STR("expect"))) {
        struct nk_fault f = {0};
        char got[300];
        int rc = verify(c, &f);
        snprintf(got, sizeof got, "%s %s", rc ? nk_error_name(rc) : "ok", f.message);
        tap_ok(nk_str_starts(nk_str(got), text), "%s: %s", c->title, got);
    } else {
        tap_ok(false, "a line that nobody reads: %.*s", NK_FMT(word));
    }
}

static void test_keys(void)
{
    char key[NK_SIGV4_KEY_SIZE + 1], id[NK_SIGV4_KEY_SIZE];
    char one[NK_SIGV4_SECRET_SIZE + 1], other[NK_SIGV4_SECRET_SIZE + 1];
    nk_sigv4_key(NK_STR("abcdefgh2345"), key);
    tap_ok(strcmp(key, "NKSVABCDEFGH2345") == 0, "the access key of a key: %s", key);
    tap_ok(nk_sigv4_key_id(nk_str(key), id) && strcmp(id, "abcdefgh2345") == 0, "and back: %s", id);
    tap_ok(!nk_sigv4_key_id(NK_STR("AKIDEXAMPLE"), id), "a key of somebody else is none");
    tap_ok(!nk_sigv4_key_id(NK_STR("NKSVabcdefgh2345"), id), "nor one in small letters");
    tap_ok(!nk_sigv4_key_id(NK_STR("NKSVABCDEFGH/345"), id), "nor one with other characters");
    nk_sigv4_secret(NK_STR("0123456789abcdef0123456789abcdef"), NK_STR("abcdefgh2345"), one);
    tap_ok(strcmp(one, "SWauy-GI72gU-v1W4WQomOoFZbgHE1pmSarX4qif-Ac") == 0,
           "a secret is the HMAC of the id: %s", one);
    nk_sigv4_secret(NK_STR("0123456789abcdef0123456789abcdef"), NK_STR("abcdefgh2346"), other);
    tap_ok(strcmp(one, other) != 0, "another key has another secret");
    nk_sigv4_secret(NK_STR("1123456789abcdef0123456789abcdef"), NK_STR("abcdefgh2345"), other);
    tap_ok(strcmp(one, other) != 0,
           "and under another secret of the configuration it is another one");
}

/* RFC 4231, test cases 1, 2 and 6. */
static void test_hmac(void)
{
    static const struct {
        const char *key, *text, *expected;
    } cases[] = {
        {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
         "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    };
    char key[131], hex[65];
    for (size_t i = 0; i <= NK_COUNT(cases); i++) {
        bool last = i == NK_COUNT(cases);
        memset(key, 0xaa, sizeof key);
        struct nk_digest d =
            last ? nk_hmac_sha256((struct nk_str){key, sizeof key},
                                  NK_STR("Test Using Larger Than Block-Size Key - Hash Key First"))
                 : nk_hmac_sha256(nk_str(cases[i].key), nk_str(cases[i].text));
        struct nk_buf b = {.p = hex, .cap = sizeof hex, .max = sizeof hex};
        nk_buf_add_hex(&b, d.b, sizeof d.b);
        hex[64] = 0;
        tap_ok(strcmp(hex, last ? "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
                                : cases[i].expected) == 0,
               "HMAC of RFC 4231: %s", hex);
    }
}

int main(void)
{
    struct one c = {.now_ms = 0};
    tap_ok(blocks_read("tests/cases/ident/sigv4.cases", on_line, &c), "the cases are read");
    test_keys();
    test_hmac();
    return tap_done();
}
