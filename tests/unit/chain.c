/* SPDX-License-Identifier: Apache-2.0
 *
 * chain.c - the audit chain against tests/cases/chain/, and what case files cannot say: every proof
 * of every tree of 1 to 70 leaves against the definition of RFC 9162, with wrong bits.
 */
#include "chain/chain.h"

#include "tap.h"

enum { LEAVES = 70, ALL_BITS = 20 };

static struct nk_str slurp(const char *path, struct nk_arena *a)
{
    FILE *in = fopen(path, "r");
    if (!tap_ok(in, "open %s", path))
        exit(1);
    char *p = nk_arena_alloc(a, 1 << 20);
    size_t n = fread(p, 1, (1 << 20) - 1, in);
    fclose(in);
    return (struct nk_str){p, n};
}

/* \n, \t, \r, \\ and \xNN as the bytes that they stand for. */
static struct nk_str unescape(struct nk_str s, struct nk_arena *a)
{
    char *to = nk_arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\\') {
            to[n++] = s.p[i];
            continue;
        }
        unsigned char byte = 0;
        switch (s.p[++i]) {
        case 'n':
            byte = '\n';
            break;
        case 't':
            byte = '\t';
            break;
        case 'r':
            byte = '\r';
            break;
        case 'x':
            if (nk_hex_decode(nk_str_sub(s, i + 1, i + 3), &byte, 1))
                exit(1);
            i += 2;
            break;
        default:
            byte = (unsigned char)s.p[i];
        }
        to[n++] = (char)byte;
    }
    return (struct nk_str){to, n};
}

static struct nk_digest digest(struct nk_str hex)
{
    struct nk_digest d;
    if (nk_hex_decode(hex, d.b, sizeof d.b))
        exit(1);
    return d;
}

static const char *name_of(int code)
{
    return code ? nk_error_name(code) : "ok";
}

/* merkle.cases ------------------------------------------------------------------------------------
 */
struct tree {
    struct nk_digest leaves[LEAVES], roots[LEAVES + 1];
    size_t n;
    struct nk_merkle m;
};

static void tree_add(struct tree *t, struct nk_str data)
{
    if (t->n == 0)
        t->roots[0] = nk_merkle_root(&t->m);
    t->leaves[t->n++] = nk_chain_leaf(data);
    nk_merkle_add(&t->m, t->leaves[t->n - 1]);
    t->roots[t->n] = nk_merkle_root(&t->m);
}

static bool path_is(const struct nk_digest *path, size_t n, struct nk_str list)
{
    size_t at = 0;
    if (nk_str_eq(list, NK_STR("-")))
        return n == 0;
    while (list.p)
        if (at == n || !nk_digest_eq(path[at++], digest(nk_str_cut(&list, ','))))
            return false;
    return at == n;
}

static void merkle_case(struct tree *t, struct nk_str line, struct nk_arena *a)
{
    struct nk_str rest = line, kind = nk_str_cut(&rest, ' '), first = nk_str_cut(&rest, ' ');
    struct nk_digest *path;
    size_t count;
    uint64_t x = 0, size = 0;
    if (nk_str_eq(kind, NK_STR("leaf"))) {
        unsigned char data[64];
        size_t n = nk_str_eq(first, NK_STR("-")) ? 0 : first.n / 2;
        if (n && nk_hex_decode(first, data, n))
            exit(1);
        tree_add(t, (struct nk_str){(const char *)data, n});
        return;
    }
    if (nk_str_to_u64(first, &x))
        exit(1);
    if (nk_str_eq(kind, NK_STR("root"))) {
        tap_ok(nk_digest_eq(t->roots[x], digest(rest)), "root of %d", (int)x);
        return;
    }
    if (nk_str_to_u64(nk_str_cut(&rest, ' '), &size))
        exit(1);
    if (nk_str_eq(kind, NK_STR("inclusion")))
        tap_ok(nk_merkle_prove(t->leaves, size, x, a, &path, &count) == 0 &&
                   path_is(path, count, rest) &&
                   nk_merkle_verify(t->leaves[x], x, size, path, count, t->roots[size]) == 0,
               "inclusion of %d in %d", (int)x, (int)size);
    else
        tap_ok(nk_merkle_prove_consistency(t->leaves, x, size, a, &path, &count) == 0 &&
                   path_is(path, count, rest) &&
                   nk_merkle_verify_consistency(x, t->roots[x], size, t->roots[size], path,
                                                count) == 0,
               "consistency of %d with %d", (int)x, (int)size);
}

/* Every proof of small trees ----------------------------------------------------------------------
 */
static struct nk_digest pair(struct nk_digest l, struct nk_digest r)
{
    struct nk_str parts[3] = {
        NK_STR("\x01"), {(const char *)l.b, sizeof l.b}, {(const char *)r.b, sizeof r.b}};
    return nk_sha256_parts(parts, 3);
}

/* The definition, section 2.1.1, written as it stands there. */
static struct nk_digest root_by_definition(const struct nk_digest *leaves, size_t n)
{
    size_t k = 1;
    if (n == 0)
        return nk_sha256(NK_STR(""));
    if (n == 1)
        return leaves[0];
    while (2 * k < n)
        k *= 2;
    return pair(root_by_definition(leaves, k), root_by_definition(leaves + k, n - k));
}

static void flip(struct nk_digest *d, int bit)
{
    d->b[bit / 8] ^= (unsigned char)(1 << bit % 8);
}

/* One statement: an inclusion or a consistency proof. */
struct claim {
    bool inclusion;
    uint64_t x, size;
    struct nk_digest first; /* leaf, or old root */
    struct nk_digest root;
    struct nk_digest path[16];
    size_t count;
};

static bool holds(const struct claim *c)
{
    return (c->inclusion ? nk_merkle_verify(c->first, c->x, c->size, c->path, c->count, c->root)
                         : nk_merkle_verify_consistency(c->x, c->first, c->size, c->root, c->path,
                                                        c->count)) == 0;
}

/* Counts the damaged forms of a true claim that are believed nevertheless. */
static int believed(const struct claim *c, bool all_bits)
{
    int lies = 0;
    struct claim d = *c;
    for (int bit = 0; bit < 256; bit += all_bits ? 1 : 8) {
        int b = all_bits ? bit : bit + (bit / 8 + (int)c->x) % 8;
        for (size_t i = 0; i < c->count; i++) {
            flip(&d.path[i], b);
            lies += holds(&d);
            flip(&d.path[i], b);
        }
        flip(&d.first, b);
        /* An empty log is consistent with any, but only as the empty log. */
        lies += holds(&d);
        flip(&d.first, b);
        flip(&d.root, b);
        lies += holds(&d) && (c->inclusion || c->x > 0);
        flip(&d.root, b);
    }
    d.count = c->count + 1;
    lies += holds(&d);
    d.count = c->count - 1;
    lies += c->count && holds(&d);
    return lies;
}

/* The same proof for another place: only the true one may be believed. */
static int misplaced(const struct claim *c)
{
    int lies = 0;
    struct claim d = *c;
    for (d.x = 0; d.x < c->size + 3; d.x++)
        lies += d.x != c->x && holds(&d);
    return lies;
}

static int claims_of_size(const struct tree *t, size_t size, struct nk_arena *a, int *lies)
{
    int failed = 0;
    for (int kind = 0; kind < 2; kind++)
        for (uint64_t x = 0; x < size + (kind == 0); x++) {
            struct nk_digest *path;
            struct claim c = {.inclusion = kind == 1, .x = x, .size = size, .root = t->roots[size]};
            c.first = kind ? t->leaves[x] : t->roots[x];
            if (kind ? nk_merkle_prove(t->leaves, size, x, a, &path, &c.count)
                     : nk_merkle_prove_consistency(t->leaves, x, size, a, &path, &c.count))
                exit(1);
            memcpy(c.path, path, c.count * sizeof *path);
            failed += !holds(&c);
            *lies += believed(&c, size <= ALL_BITS) + (kind ? misplaced(&c) : 0);
        }
    return failed;
}

static void small_trees(struct nk_arena *a)
{
    static struct tree t;
    int wrong_roots = 0, failed = 0, lies = 0;
    struct nk_digest *path;
    size_t count;
    for (int i = 0; i < LEAVES; i++) {
        char data[16];
        int n = snprintf(data, sizeof data, "leaf %d", i);
        tree_add(&t, (struct nk_str){data, (size_t)n});
        wrong_roots += !nk_digest_eq(t.roots[t.n], root_by_definition(t.leaves, t.n));
        failed += claims_of_size(&t, t.n, a, &lies);
    }
    tap_ok(wrong_roots == 0, "roots of 1..%d leaves are as defined", LEAVES);
    tap_ok(failed == 0, "each inclusion and consistency proof of 1..%d leaves holds", LEAVES);
    tap_ok(lies == 0, "no proof with a wrong bit, length or place holds (%d did)", lies);
    TAP_CHECK(nk_merkle_prove(t.leaves, 5, 5, a, &path, &count) == NK_EINVAL);
    TAP_CHECK(nk_merkle_prove_consistency(t.leaves, 6, 5, a, &path, &count) == NK_EINVAL);
    TAP_CHECK(nk_merkle_verify(t.leaves[0], 0, 0, NULL, 0, t.roots[0]) == NK_EINVAL);
    TAP_CHECK(nk_merkle_verify_consistency(0, t.roots[0], 0, t.roots[0], NULL, 0) == 0);
    TAP_CHECK(nk_merkle_verify_consistency(0, t.roots[1], 0, t.roots[1], NULL, 0) == NK_ECRYPTO);
}

/* A tree of 2^63 leaves and one more: no shift or path may run over. */
static void large_tree(void)
{
    static struct nk_merkle_prover p;
    struct nk_digest d = {{1}};
    TAP_CHECK(nk_merkle_prover_begin(&p, UINT64_MAX, UINT64_MAX - 1) == 0 && p.path_count == 63);
    TAP_CHECK(nk_merkle_prover_begin(&p, UINT64_MAX, 0) == 0 && p.path_count == 64);
    TAP_CHECK(nk_merkle_prover_begin_consistency(&p, ((uint64_t)1 << 63) + 1, UINT64_MAX) == 0 &&
              p.path_count == 65);
    TAP_CHECK(nk_merkle_verify(d, UINT64_MAX - 1, UINT64_MAX, p.path, 63, d) == NK_ECRYPTO);
    TAP_CHECK(nk_merkle_verify(d, 0, UINT64_MAX, p.path, 64, d) == NK_ECRYPTO);
    TAP_CHECK(nk_merkle_verify(d, 0, UINT64_MAX, p.path, 65, d) == NK_EINVAL);
}

/* Lines -------------------------------------------------------------------------------------------
 */
static void facts_case(struct nk_str line, struct nk_arena *a)
{
    struct nk_str rest = line, want = nk_str_cut(&rest, ' ');
    struct nk_chain c, before;
    struct nk_buf out;
    struct nk_fault f = {0};
    struct nk_json doc;
    nk_chain_init(&c);
    nk_buf_init(&out, 1 << 20);
    nk_buf_add(&out, NK_STR("kept"));
    if (nk_chain_append(&c, 7, 1, NK_STR("\"a\":1"), a, &out, &f))
        exit(1);
    before = c;
    size_t was = out.n;
    int r = nk_chain_append(&c, 7, 2, unescape(rest, a), a, &out, &f);
    bool ok = nk_str_eq(nk_str(name_of(r)), want);
    if (r)
        ok = ok && out.n == was && memcmp(&c, &before, sizeof c) == 0 && f.code == r;
    else /* what is written can be read back */
        ok = ok &&
             nk_chain_check(&before, nk_str_sub(nk_buf_str(&out), was, out.n - 1), a, &doc, &f) ==
                 0 &&
             memcmp(&c, &before, sizeof c) == 0;
    tap_ok(ok, "facts %.*s: %s (%s)", NK_FMT(rest), name_of(r), f.message);
    nk_buf_free(&out);
}

static void lines(struct nk_arena *a)
{
    static char big[NK_CHAIN_LINE_MAX];
    struct nk_chain c, check;
    struct nk_json doc;
    struct nk_chain_line at;
    struct nk_buf out;
    struct nk_fault f = {0};
    nk_chain_init(&c);
    nk_chain_init(&check);
    nk_buf_init(&out, 1 << 20);
    TAP_CHECK(nk_chain_append(&c, 1, 0, NK_STR("\"a\":1"), a, &out, &f) == 0);
    TAP_CHECK(nk_str_eq(
        nk_buf_str(&out),
        NK_STR(
            "{\"n\":0,\"prev\":\"0000000000000000000000000000000000000000000000000000000000000000"
            "\",\"gate\":1,\"seq\":0,\"a\":1}\n")));
    size_t first = out.n;
    TAP_CHECK(nk_chain_append(&c, UINT64_MAX, UINT64_MAX, NK_STR("\"a\":2"), a, &out, &f) == 0);
    struct nk_str l0 = nk_str_sub(nk_buf_str(&out), 0, first - 1);
    struct nk_str l1 = nk_str_sub(nk_buf_str(&out), first, out.n - 1);
    TAP_CHECK(nk_chain_line_read(l1, &at) == 0 && at.n == 1 && at.gate == UINT64_MAX &&
              at.seq == UINT64_MAX && nk_digest_eq(at.prev, nk_chain_leaf(l0)));
    TAP_CHECK(nk_chain_check(&check, l1, a, &doc, &f) == NK_EINVAL); /* not the first */
    f.code = 0;
    TAP_CHECK(nk_chain_check(&check, l0, a, &doc, &f) == 0);
    TAP_CHECK(nk_json_get(&doc, 0, NK_STR("a")) != NK_JSON_NONE);
    TAP_CHECK(nk_chain_check(&check, l0, a, &doc, &f) == NK_EINVAL); /* not twice */

    /* No byte of the line is free: each change is seen in it or by the next line. */
    char copy[512];
    int unseen = 0;
    for (size_t i = 0; i < l1.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            struct nk_chain trial = check;
            memcpy(copy, l1.p, l1.n);
            copy[i] ^= (char)(1 << bit);
            int r = nk_chain_check(&trial, (struct nk_str){copy, l1.n}, a, &doc, NULL);
            unseen += r == 0 && nk_digest_eq(trial.last, c.last);
            nk_arena_reset(a);
        }
    tap_ok(unseen == 0, "each flipped bit of a line is seen");

    memset(big, 'x', sizeof big);
    memcpy(big, "\"a\":\"", 5);
    big[sizeof big - 1] = '"';
    f.code = 0;
    TAP_CHECK(nk_chain_append(&c, 0, 0, (struct nk_str){big, sizeof big}, a, &out, &f) ==
              NK_ELIMIT);
    nk_buf_free(&out);
    nk_buf_init(&out, 16);
    TAP_CHECK(nk_chain_append(&c, 0, 0, NK_STR("\"a\":1"), a, &out, NULL) == NK_ELIMIT &&
              out.n == 0);
    nk_buf_free(&out);
}

/* Checkpoints -------------------------------------------------------------------------------------
 */
static void sign_again(const struct nk_checkpoint *c, const unsigned char key[32],
                       struct nk_str note)
{
    unsigned char seed[32], mine[32];
    struct nk_buf out;
    for (unsigned i = 0; i < 32; i++)
        seed[i] = (unsigned char)(i + 1);
    if (nk_ed25519_public(seed, mine) || memcmp(mine, key, 32) != 0)
        return;
    nk_buf_init(&out, 1 << 16);
    bool same = nk_checkpoint_sign(c, seed, &out) == 0 && nk_str_eq(nk_buf_str(&out), note);
    bool plain =
        nk_str_search(note, NK_STR("extension")) < 0 && nk_str_search(note, NK_STR("witness")) < 0;
    if (plain)
        tap_ok(same, "signing %.*s again gives the same note", NK_FMT(c->origin));
    nk_buf_free(&out);
}

static void checkpoint_case(struct nk_str title, struct nk_str want, struct nk_str key,
                            struct nk_str note, struct nk_arena *a)
{
    struct nk_checkpoint c = {.size = 0};
    struct nk_fault f = {0};
    unsigned char public_key[32];
    struct nk_str origin, expect = nk_str_cut(&want, ' ');
    uint64_t size = 0;
    if (nk_checkpoint_key_parse(key, &origin, public_key))
        exit(1);
    note = unescape(note, a);
    int r = nk_checkpoint_open(note, public_key, &c, &f);
    bool ok = nk_str_eq(expect, nk_str(name_of(r))) && f.code == r && f.offset <= note.n;
    if (r == 0)
        ok = ok && nk_str_to_u64(nk_str_cut(&want, ' '), &size) == 0 && c.size == size &&
             nk_digest_eq(c.root, digest(want)) && nk_str_eq(c.origin, origin);
    tap_ok(ok, "checkpoint: %.*s: %s (%s)", NK_FMT(title), name_of(r), f.message);
    if (r == 0)
        sign_again(&c, public_key, note);
}

static void key_case(struct nk_str line)
{
    struct nk_str origin, rest = line, want = nk_str_cut(&rest, ' ');
    unsigned char key[32];
    struct nk_buf out;
    int r = nk_checkpoint_key_parse(rest, &origin, key);
    nk_buf_init(&out, 1024);
    if (r == 0)
        nk_checkpoint_key(origin, key, &out);
    tap_ok(nk_str_eq(want, nk_str(name_of(r))) && (r || nk_str_eq(nk_buf_str(&out), rest)),
           "key %.*s", NK_FMT(rest));
    nk_buf_free(&out);
}

static void note_bits(struct nk_arena *a)
{
    unsigned char seed[32] = {9}, key[32];
    struct nk_buf out;
    struct nk_checkpoint back, c = {.origin = NK_STR("log.example/a"), .size = 12};
    int believed_notes = 0;
    nk_buf_init(&out, 1 << 16);
    if (nk_ed25519_public(seed, key) || nk_checkpoint_sign(&c, seed, &out))
        exit(1);
    char *copy = nk_arena_alloc(a, out.n);
    for (size_t i = 0; i < out.n * 8; i++) {
        memcpy(copy, out.p, out.n);
        copy[i / 8] ^= (char)(1 << i % 8);
        believed_notes += nk_checkpoint_open((struct nk_str){copy, out.n}, key, &back, NULL) == 0;
    }
    tap_ok(believed_notes == 0, "no checkpoint with a flipped bit is accepted");
    static const char *const bad[] = {"", "a b", "a+b", "a\nb", "\xff", "a\xc2\xa0", "a\x7f\xff"};
    for (size_t i = 0; i < NK_COUNT(bad); i++) {
        c.origin = nk_str(bad[i]);
        TAP_CHECK(nk_checkpoint_sign(&c, seed, &out) == NK_EINVAL);
    }
    nk_buf_free(&out);
}

int main(void)
{
    static struct tree t;
    struct nk_arena a;
    struct nk_str text, want = {0}, key = {0}, title = {0};
    nk_arena_init(&a, 256 << 20);

    for (text = slurp("tests/cases/chain/merkle.cases", &a); text.p;) {
        struct nk_str line = nk_str_cut(&text, '\n');
        if (line.n && line.p[0] != '#')
            merkle_case(&t, line, &a);
    }
    for (text = slurp("tests/cases/chain/facts.cases", &a); text.p;) {
        struct nk_str line = nk_str_cut(&text, '\n');
        if (line.n && line.p[0] != '#')
            facts_case(line, &a);
    }
    for (text = slurp("tests/cases/chain/key.cases", &a); text.p;) {
        struct nk_str line = nk_str_cut(&text, '\n');
        if (line.n && line.p[0] != '#')
            key_case(line);
    }
    for (text = slurp("tests/cases/chain/checkpoint.cases", &a); text.p;) {
        struct nk_str line = nk_str_cut(&text, '\n');
        if (nk_str_starts(line, NK_STR("# ")))
            title = nk_str_sub(line, 2, line.n);
        else if (nk_str_starts(line, NK_STR("key ")))
            key = nk_str_sub(line, 4, line.n);
        else if (nk_str_starts(line, NK_STR("note ")))
            checkpoint_case(title, want, key, nk_str_sub(line, 5, line.n), &a);
        else if (line.n)
            want = line;
    }
    nk_arena_reset(&a);
    small_trees(&a);
    large_tree();
    lines(&a);
    note_bits(&a);
    nk_arena_free(&a);
    return tap_done();
}
