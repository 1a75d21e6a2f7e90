/* SPDX-License-Identifier: Apache-2.0
 *
 * base.c - slices, arena, buffer, reader, map, UTF-8, encodings: the data in
 * tests/cases/base/text.cases first, then what has state.
 */
#include "base/encode.h"
#include "base/map.h"
#include "base/reader.h"
#include "base/scan.h"
#include "base/utf8.h"

#include "cases.h"
#include "tap.h"

static void add_number(struct nk_buf *out, int rc, int64_t v)
{
    if (rc)
        nk_buf_add(out, nk_str(nk_error_name(rc)));
    else
        nk_buf_add_i64(out, v);
}

static void add_upper_hex(struct nk_buf *out, int rc, struct nk_str bytes)
{
    if (rc)
        nk_buf_add(out, nk_str(nk_error_name(rc)));
    for (size_t i = 0; !rc && i < bytes.n; i++)
        nk_buf_printf(out, "%02X", (unsigned char)bytes.p[i]);
}

/* Decodes, and on success encodes again: there is one spelling. */
static void run_base64(struct nk_str in, bool url, struct nk_buf *out)
{
    struct nk_buf bytes, again;
    nk_buf_init(&bytes, in.n / 4 * 3 + 2);
    nk_buf_init(&again, 1000);
    int rc = url ? nk_base64url_decode(in, &bytes) : nk_base64_decode(in, &bytes);
    add_upper_hex(out, rc, nk_buf_str(&bytes));
    (url ? nk_base64url_encode : nk_base64_encode)(nk_buf_str(&bytes), &again);
    if (rc == 0 && !nk_str_eq(nk_buf_str(&again), in))
        nk_buf_add(out, NK_STR(" spelt otherwise"));
    nk_buf_free(&bytes);
    nk_buf_free(&again);
}

static void run_kind(struct nk_str kind, struct nk_str in, struct nk_buf *out)
{
    int64_t i = 0;
    uint64_t u = 0;
    char bytes[3];
    if (nk_str_eq(kind, NK_STR("utf8"))) {
        size_t at = nk_utf8_check(in);
        nk_buf_printf(out, at == in.n ? "ok" : "%zu", at);
    } else if (nk_str_eq(kind, NK_STR("int"))) {
        int rc = nk_str_to_i64(in, &i);
        add_number(out, rc, i);
    } else if (nk_str_eq(kind, NK_STR("uint"))) {
        int rc = nk_str_to_u64(in, &u);
        if (rc)
            add_number(out, rc, 0);
        else
            nk_buf_add_u64(out, u);
    } else if (nk_str_eq(kind, NK_STR("hex"))) {
        int rc = nk_hex_decode(in, bytes, sizeof bytes);
        add_upper_hex(out, rc, (struct nk_str){bytes, sizeof bytes});
    } else if (nk_str_eq(kind, NK_STR("time"))) {
        if (nk_str_to_i64(in, &i) == 0)
            nk_time_format(i, out);
    } else {
        run_base64(in, nk_str_eq(kind, NK_STR("base64url")), out);
    }
}

static void run_case(const struct case_line *c, void *ctx)
{
    (void)ctx;
    char *exact = malloc(c->n ? c->n : 1);
    memcpy(exact, c->input, c->n);
    struct nk_str want = nk_str(c->expect), kind = nk_str_cut(&want, ' ');
    struct nk_buf out;
    nk_buf_init(&out, 1000);
    run_kind(kind, (struct nk_str){exact, c->n}, &out);
    tap_ok(nk_str_eq(nk_buf_str(&out), want), "text.cases:%d %s (came: %.*s)", c->line, c->expect,
           NK_FMT(nk_buf_str(&out)));
    nk_buf_free(&out);
    free(exact);
}

static void test_str(void)
{
    TAP_CHECK(!nk_str(NULL).p && nk_str_eq(nk_str(NULL), nk_str("")));
    TAP_CHECK(nk_str_cmp(NK_STR("a"), NK_STR("ab")) < 0 &&
              nk_str_cmp(NK_STR("b"), NK_STR("ab")) > 0);
    TAP_CHECK(nk_str_cmp(NK_STR("\xff"), NK_STR("a")) > 0 && !nk_str_cmp(NK_STR(""), nk_str(NULL)));
    TAP_CHECK(nk_str_eq_nocase(NK_STR("Host-1"), NK_STR("hOST-1")));
    TAP_CHECK(!nk_str_eq_nocase(NK_STR("@"), NK_STR("`")) &&
              !nk_str_eq_nocase(NK_STR("é"), NK_STR("É")));
    TAP_CHECK(nk_str_starts(NK_STR("abc"), NK_STR("ab")) &&
              !nk_str_starts(NK_STR("a"), NK_STR("ab")));
    TAP_CHECK(nk_str_ends(NK_STR("abc"), NK_STR("bc")) && !nk_str_ends(NK_STR("c"), NK_STR("bc")));
    TAP_CHECK(nk_str_find(NK_STR("abc"), 'c') == 2 && nk_str_find(NK_STR("abc"), 'x') == -1);
    TAP_CHECK(nk_str_search(NK_STR("abcabd"), NK_STR("abd")) == 3 &&
              nk_str_search(NK_STR("a"), NK_STR("ab")) == -1);
    TAP_CHECK(nk_str_eq(nk_str_sub(NK_STR("abc"), 1, 99), NK_STR("bc")) &&
              nk_str_sub(NK_STR("abc"), 9, 2).n == 0);
    TAP_CHECK(nk_str_eq(nk_str_trim(NK_STR(" \ta b\t ")), NK_STR("a b")) &&
              nk_str_trim(NK_STR(" ")).n == 0);
    struct nk_str rest = NK_STR("a,,b,");
    int parts = 0;
    char seen[8] = "";
    while (rest.p && parts < 7) {
        struct nk_str part = nk_str_cut(&rest, ',');
        seen[parts++] = part.n ? part.p[0] : '-';
    }
    TAP_CHECK(parts == 4 && strcmp(seen, "a-b-") == 0);
    TAP_CHECK(nk_secret_eq(NK_STR("abc"), NK_STR("abc")) &&
              !nk_secret_eq(NK_STR("abc"), NK_STR("abd")));
    TAP_CHECK(!nk_secret_eq(NK_STR(""), NK_STR("a")) && !nk_secret_eq(NK_STR("ab"), NK_STR("a")));
    char secret[4] = "key";
    nk_secret_wipe(secret, sizeof secret);
    TAP_CHECK(memcmp(secret, "\0\0\0\0", 4) == 0);
}

static void test_fault(void)
{
    struct nk_fault f = {0};
    TAP_CHECK(nk_fault_set(&f, NK_EINVAL, "x", 7, "first %d", 1) == NK_EINVAL);
    TAP_CHECK(nk_fault_set(&f, NK_ELIMIT, "y", 8, "second") == NK_ELIMIT);
    TAP_CHECK(f.code == NK_EINVAL && f.offset == 7 && strcmp(f.message, "first 1") == 0);
    TAP_CHECK(nk_fault_set(NULL, NK_ENOMEM, "x", 0, "none") == NK_ENOMEM);
    TAP_CHECK(strcmp(nk_error_name(NK_EFULL), "EFULL") == 0 &&
              strcmp(nk_error_name(-99), "E?") == 0);
    TAP_CHECK(strcmp(nk_error_name(0), "OK") == 0 && strcmp(nk_error_name(5), "E?") == 0);
    bool whole = true;
    for (int pad = 0; pad < 4; pad++) {
        struct nk_fault g = {0};
        char text[400] = "xyz";
        for (size_t i = 0; i < 100; i++)
            memcpy(text + pad + 3 * i, "あ", 4);
        nk_fault_set(&g, NK_EINVAL, "x", 0, "%s", text);
        whole = whole && nk_utf8_check(nk_str(g.message)) == strlen(g.message);
        whole = whole && strlen(g.message) > sizeof g.message - 5;
    }
    tap_ok(whole, "a long message is not cut inside a character");
}

static void test_arena(void)
{
    struct nk_arena a;
    nk_arena_init(&a, 20000);
    bool aligned = true, zero = true;
    for (size_t i = 0; i < 100; i++) {
        unsigned char *p = nk_arena_alloc(&a, i);
        aligned = aligned && p && (uintptr_t)p % 16 == 0;
        for (size_t k = 0; p && k < i; k++) {
            zero = zero && p[k] == 0;
            p[k] = 0xAA;
        }
    }
    TAP_CHECK(aligned && zero && a.used <= 20000);
    TAP_CHECK(!nk_arena_alloc(&a, 20000) && !nk_arena_alloc(&a, SIZE_MAX) &&
              !nk_arena_alloc(&a, SIZE_MAX - 40));
    TAP_CHECK(!nk_arena_array(&a, SIZE_MAX / 2, 3));
    struct nk_str parts[] = {NK_STR("ab"), NK_STR(""), {NULL, 0}, NK_STR("c")};
    struct nk_str s = nk_arena_join(&a, parts, 4);
    TAP_CHECK(nk_str_eq(s, NK_STR("abc")) && s.p[3] == 0);
    s = nk_arena_printf(&a, "%d-%s", 12, "x");
    TAP_CHECK(nk_str_eq(s, NK_STR("12-x")) && s.p[4] == 0);
    nk_arena_reset(&a);
    TAP_CHECK(a.used <= 4096);
    unsigned char *p = nk_arena_alloc(&a, 64);
    TAP_CHECK(p && p[0] == 0 && p[63] == 0);
    nk_arena_free(&a);
    TAP_CHECK(a.used == 0 && nk_arena_copy(&a, NK_STR("again")).p);
    nk_arena_free(&a);
    nk_arena_init(&a, 200);
    TAP_CHECK(nk_arena_alloc(&a, 100) && a.used <= 200);
    TAP_CHECK(!nk_arena_alloc(&a, 100) && a.used <= 200);
    nk_arena_free(&a);
}

static void test_arena_resize(void)
{
    struct nk_arena a;
    nk_arena_init(&a, 100000);
    char *other = nk_arena_alloc(&a, 100);
    char *p = nk_arena_resize(&a, NULL, 0, 10);
    memcpy(p, "0123456789", 10);
    char *q = nk_arena_resize(&a, p, 10, 1000);
    TAP_CHECK(q == p);
    q = nk_arena_resize(&a, q, 1000, 9000);
    TAP_CHECK(q && q != p && memcmp(q, "0123456789", 10) == 0);
    q = nk_arena_resize(&a, q, 9000, 60000);
    TAP_CHECK(q && memcmp(q, "0123456789", 10) == 0 && a.used < 70000);
    TAP_CHECK(!nk_arena_resize(&a, q, 60000, 99000) && !nk_arena_resize(&a, q, 60000, SIZE_MAX));
    TAP_CHECK(memcmp(q, "0123456789", 10) == 0 && other[99] == 0);
    TAP_CHECK(nk_arena_resize(&a, q, 60000, 20) == q && nk_arena_alloc(&a, 30000) == q + 32);
    nk_arena_free(&a);
}

static void test_buf(void)
{
    struct nk_buf b;
    nk_buf_init(&b, 10);
    TAP_CHECK(nk_buf_str(&b).n == 0 && nk_buf_str(&b).p);
    nk_buf_add(&b, NK_STR("01234"));
    nk_buf_printf(&b, "%s", "56789");
    tap_ok(b.error == 0 && nk_str_eq(nk_buf_str(&b), NK_STR("0123456789")),
           "printf up to the maximum");
    nk_buf_add(&b, NK_STR(""));
    TAP_CHECK(b.error == 0);
    nk_buf_add_char(&b, 'x');
    TAP_CHECK(b.error == NK_ELIMIT && b.n == 10);
    nk_buf_drop(&b, 4);
    nk_buf_add_char(&b, 'x');
    TAP_CHECK(b.error == NK_ELIMIT && nk_str_eq(nk_buf_str(&b), NK_STR("456789")));
    nk_buf_clear(&b);
    nk_buf_add_i64(&b, -12);
    nk_buf_add_u64(&b, 0);
    nk_buf_add_hex(&b, "\x0f\xa0", 2);
    TAP_CHECK(b.error == 0 && nk_str_eq(nk_buf_str(&b), NK_STR("-1200fa0")));
    nk_buf_printf(&b, "%d", 100);
    TAP_CHECK(b.error == NK_ELIMIT && b.n == 8);
    nk_buf_free(&b);
    nk_buf_init(&b, 100);
    nk_buf_add_i64(&b, INT64_MIN);
    nk_buf_add_u64(&b, UINT64_MAX);
    TAP_CHECK(nk_str_eq(nk_buf_str(&b), NK_STR("-922337203685477580818446744073709551615")));
    nk_buf_add_hex(&b, "", SIZE_MAX);
    TAP_CHECK(b.error == NK_ELIMIT);
    nk_buf_free(&b);
    nk_buf_init(&b, 300);
    for (int i = 0; i < 300; i++)
        nk_buf_printf(&b, "%d", i % 10);
    TAP_CHECK(b.error == 0 && b.n == 300 && b.p[299] == '9');
    TAP_CHECK(!nk_buf_reserve(&b, 1) && b.error == NK_ELIMIT);
    nk_buf_free(&b);
}

static void test_base64_room(void)
{
    struct nk_buf b;
    nk_buf_init(&b, 32);
    int rc = nk_base64url_decode(NK_STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &b);
    tap_ok(rc == 0 && b.n == 32, "a digest decodes into a buffer of its size");
    nk_buf_clear(&b);
    nk_buf_add_char(&b, 'x');
    rc = nk_base64url_decode(NK_STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &b);
    TAP_CHECK(rc == NK_ELIMIT && b.n == 1);
    nk_buf_free(&b);
}

static void test_reader(void)
{
    struct nk_reader r = nk_reader(NK_STR("\x01\x02\x03\x04\x05\x06\x07\x08\x02\0\0\0ab!"));
    TAP_CHECK(nk_read_u8(&r) == 1 && nk_read_u16be(&r) == 0x0203 && nk_read_u8(&r) == 4);
    r.at = 0;
    TAP_CHECK(nk_read_u64be(&r) == 0x0102030405060708 &&
              nk_str_eq(nk_read_str32(&r), NK_STR("ab")));
    TAP_CHECK(nk_read_left(&r) == 1 && !r.error);
    TAP_CHECK(nk_read_u16be(&r) == 0 && r.error == NK_EINVAL && nk_read_left(&r) == 0);
    TAP_CHECK(nk_read_u8(&r) == 0 && !nk_read_bytes(&r, 0).p && !nk_read_str32(&r).p);
    r = nk_reader(NK_STR("\x01\x02\x03\x04\x05\x06\x07\x08"));
    TAP_CHECK(nk_read_u64le(&r) == 0x0807060504030201);
    r = nk_reader(NK_STR("\x01\x02\x03\x04\xff\xff\xff\xff"));
    TAP_CHECK(nk_read_u32be(&r) == 0x01020304 && !nk_read_str32(&r).p && r.error);
    r = nk_reader((struct nk_str){NULL, 0});
    TAP_CHECK(nk_read_bytes(&r, 0).n == 0 && !r.error && nk_read_u32le(&r) == 0 && r.error);
}

/* The values are CPython's (3.11, siphash13), whose key is zero under PYTHONHASHSEED=0. */
static void test_hash(void)
{
    static const struct {
        const char *text;
        uint64_t hash;
    } rows[] = {
        {"a", 0x407448d2b89b1813},
        {"role", 0x3100efae45e879},
        {"content", 0xa7db06668cad9adb},
        {"12345678", 0x3489982430560a87},
        {"123456789abcdef", 0xf3543d992ba71328},
        {"0123456789abcdef0", 0xf738bb4f30801228},
    };
    const uint64_t zero[2] = {0, 0}, other[2] = {1, 0};
    for (size_t i = 0; i < NK_COUNT(rows); i++)
        tap_ok(nk_hash(zero, nk_str(rows[i].text)) == rows[i].hash &&
                   nk_hash(other, nk_str(rows[i].text)) != rows[i].hash,
               "SipHash-1-3 of %s", rows[i].text);
}

static void test_map(void)
{
    const uint64_t seed[2] = {1, 2};
    struct nk_arena a;
    struct nk_map m;
    int values[1000];
    bool all = true;
    nk_arena_init(&a, 1 << 20);
    nk_map_init(&m, &a, seed);
    TAP_CHECK(!nk_map_get(&m, NK_STR("none")));
    for (int i = 0; i < 1000; i++)
        all = all && nk_map_put(&m, nk_arena_printf(&a, "k%d", i), &values[i]) == 0;
    for (int i = 0; i < 1000; i++)
        all = all && nk_map_get(&m, nk_arena_printf(&a, "k%d", i)) == &values[i];
    TAP_CHECK(all && m.count == 1000 && !nk_map_get(&m, NK_STR("k1000")));
    TAP_CHECK(nk_map_put(&m, NK_STR("k7"), &values[8]) == NK_ECONFLICT);
    TAP_CHECK(nk_map_get(&m, NK_STR("k7")) == &values[7] && m.count == 1000);
    TAP_CHECK(nk_map_put(&m, NK_STR(""), &values[0]) == 0 &&
              nk_map_get(&m, NK_STR("")) == &values[0]);
    nk_arena_free(&a);
    nk_arena_init(&a, 100);
    nk_map_init(&m, &a, seed);
    TAP_CHECK(nk_map_put(&m, NK_STR("a"), &values[0]) == NK_ENOMEM && !nk_map_get(&m, NK_STR("a")));
    nk_arena_free(&a);
}

/* Every scalar there and back, and every two-byte beginning against the table's own reading. */
static void test_utf8(void)
{
    bool all = true;
    for (uint32_t c = 0; c <= 0x10FFFF; c = c == 0xD7FF ? 0xE000 : c + 1) {
        char p[4];
        size_t n = nk_utf8_put(p, c), at = 0;
        struct nk_str s = {p, n};
        all = all && nk_utf8_next(s, &at) == (int32_t)c && at == n && nk_utf8_check(s) == n;
        all = all && (c < 0x80 || nk_scan_wide(p, p + n) == p + n);
        at = 0;
        all = all && (n == 1 || nk_utf8_next(nk_str_sub(s, 0, n - 1), &at) == -1);
    }
    tap_ok(all, "each scalar value is written, read and checked alike");
    int valid = 0;
    for (uint32_t v = 0xE00000; v <= 0xEFFFFF; v++) {
        char p[3] = {(char)(v >> 16), (char)(v >> 8), (char)v};
        bool ok = nk_utf8_check((struct nk_str){p, 3}) == 3;
        valid += ok;
        all = all && ok == (nk_scan_wide(p, p + 3) == p + 3);
    }
    tap_ok(all && valid == 61440,
           "three bytes are a character as often as there are such characters");
}

/* Sequences of one script in a row, one of them spoilt: what the vector form reads many at a time
 * against the reading one by one. */
static void test_utf8_runs(void)
{
    static const char *const scripts[] = {"\u0436", "\u5225", "\u0e44", "\ud55c", "\U0001f600"};
    bool same = true;
    for (size_t k = 0; k < NK_COUNT(scripts); k++) {
        char run[64];
        size_t one = strlen(scripts[k]), n = 12 * one;
        for (size_t i = 0; i < n; i++)
            run[i] = scripts[k][i % one];
        for (size_t at = 0; at < n * 256 * 4; at++) {
            size_t i = at % n, size = n - at / n / 256;
            char kept = run[i];
            run[i] = (char)(at / n);
            struct nk_str s = {run, size};
            size_t good = 0;
            while (nk_utf8_next(s, &good) >= 0) {
            }
            same = same && nk_utf8_check(s) == good;
            run[i] = kept;
        }
    }
    tap_ok(same, "runs of one script are read as one by one, whichever byte is wrong");
}

static bool scans_as_loop(char *p, size_t n, size_t at, int c)
{
    static char copy[256];
    const char *here = p + (at < n ? at : n), *end = p + n;
    if (at < n)
        p[at] = (char)c;
    bool escape = at < n && (c < 0x20 || c == '"' || c == '\\'), wide = at < n && c > 0x7F;
    bool same = nk_scan_plain(p, end) == (escape || wide ? here : end) &&
                nk_scan_ascii(p, end) == (wide ? here : end);
    size_t copied = nk_scan_copy(copy, p, n);
    same = same && copied == (escape ? at : n) && memcmp(copy, p, copied) == 0;
    if (at < n)
        p[at] = 'x';
    return same;
}

static bool hex_as_printed(const char *p, size_t n)
{
    struct nk_buf fast, slow;
    nk_buf_init(&fast, 1000);
    nk_buf_init(&slow, 1000);
    nk_buf_add_hex(&fast, p, n);
    for (size_t i = 0; i < n; i++)
        nk_buf_printf(&slow, "%02x", (unsigned char)p[i]);
    bool same = nk_str_eq(nk_buf_str(&fast), nk_buf_str(&slow));
    nk_buf_free(&fast);
    nk_buf_free(&slow);
    return same;
}

/* Do the scans over n bytes, all letters but for the one at `at`, end where a plain loop does? */
static bool sets_as_loop(const char *text, size_t n, size_t at)
{
    static const char words[] = "-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *end = text + n, *here = text + at;
    unsigned char c = (unsigned char)*here;
    bool word = c && strchr(words, c), control = (c < 32 && c != '\t') || c == 127;
    return nk_scan_word(text, end) == (word ? end : here) &&
           nk_scan_text(text, end) == (control ? here : end) &&
           nk_scan_line(text, end) == (c == '\n' || c == '\r' ? here : end);
}

/* The same text in capitals, with each other byte that has the same low bits at its place. */
static bool nocase_as_loop(const char *text, size_t n, size_t at)
{
    char other[40];
    bool same = true;
    int c = (unsigned char)text[at];
    bool letter = ((c | 32) >= 'a' && (c | 32) <= 'z');
    memset(other, 'K', n);
    for (int flip = 0; flip < 256; flip += 32) {
        other[at] = (char)(c ^ flip);
        bool alike = flip == 0 || (flip == 32 && letter);
        same =
            same && alike == nk_str_eq_nocase((struct nk_str){text, n}, (struct nk_str){other, n});
    }
    return same;
}

/* Header names, values and hexadecimal digits: each byte at each place of short and long texts. */
static void test_scan_sets(void)
{
    char text[40];
    bool sets = true, hex = true, nocase = true;
    for (size_t n = 1; n <= sizeof text; n++) {
        memset(text, 'k', n);
        for (size_t i = 0; i < n * 256; i++) {
            size_t at = i / 256;
            text[at] = (char)i;
            sets = sets && sets_as_loop(text, n, at);
            nocase = nocase && nocase_as_loop(text, n, at);
            hex = hex && (n % 7 || hex_as_printed(text, n));
            text[at] = 'k';
        }
    }
    tap_ok(sets, "words, texts and lines end where a plain loop ends them");
    tap_ok(hex, "hexadecimal digits come as printf writes them");
    tap_ok(nocase, "letters alone compare without case, at each place");
}

/* The vector walks against a byte-by-byte reading, at each place and length. */
static void test_scan(void)
{
    bool same = true;
    for (size_t n = 0; n < 140; n = n == 40 ? 120 : n + 1) {
        char *p = malloc(n ? n : 1); /* a read behind it is seen */
        memset(p, 'x', n);
        for (size_t at = 0; at <= n; at++)
            for (int c = 0; c < 256; c++)
                same = same && scans_as_loop(p, n, at, c);
        memset(p, ' ', n);
        for (size_t at = 0; at <= n; at++) {
            for (int c = 0; c < 256; c++) {
                if (at < n)
                    p[at] = (char)c;
                bool stop = at < n && c != ' ' && c != '\t' && c != '\n' && c != '\r';
                same = same && nk_scan_space(p, p + n) == (stop ? p + at : p + n);
            }
            if (at < n)
                p[at] = ' ';
        }
        free(p);
    }
    tap_ok(same, "scans stop at the same bytes as a plain loop");
}

int main(void)
{
    TAP_CHECK(cases_read("tests/cases/base/text.cases", run_case, NULL) > 50);
    test_str();
    test_fault();
    test_arena();
    test_arena_resize();
    test_buf();
    test_base64_room();
    test_reader();
    test_hash();
    test_map();
    test_utf8();
    test_utf8_runs();
    test_scan_sets();
    test_scan();
    return tap_done();
}
