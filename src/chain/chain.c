/* SPDX-License-Identifier: Apache-2.0
 *
 * chain.c - one line of the audit log, made and checked; see chain.h. Lines are written through the
 * same JSON reader that reads them, or are letter by letter as usual (shape.h), so a record that no
 * verifier could read never gets in: a gate that was taken over can lie in its own facts, but cannot
 * end a line, number a record or repeat "n".
 *
 * The chain's own members come first, in this order and in one spelling only. A checker may
 * therefore compare bytes, and two checkers cannot read two numbers from one line.
 */
#include "chain/merkle.h"
#include "chain/shape.h"

static const struct nk_json_limits line_limits = {
    .max_bytes = NK_CHAIN_LINE_MAX, .max_depth = 64, .max_values = 65536};

struct nk_digest nk_chain_leaf(struct nk_str line)
{
    struct nk_str parts[2] = {{"", 1}, line}; /* 0x00: RFC 9162, section 2.1.1 */
    return nk_sha256_parts(parts, 2);
}

void nk_chain_init(struct nk_chain *c)
{
    memset(c, 0, sizeof *c);
}

static void move_on(struct nk_chain *c, struct nk_str line)
{
    c->last = nk_chain_leaf(line);
    nk_merkle_add(&c->tree, c->last);
}

/* A line feed ends a record; other controls have no business in one either. JSON would take some of
 * them between its tokens. */
static int check_bytes(struct nk_str s, struct nk_fault *f)
{
    size_t at = nk_shape_control(s);
    return at == s.n ? 0
                     : nk_fault_set(f, NK_EINVAL, "chain", at, "control byte 0x%02x in a record",
                                    (unsigned char)s.p[at]);
}

static int parse(struct nk_str line, struct nk_arena *a, struct nk_json *doc, struct nk_fault *f)
{
    int r = check_bytes(line, f);
    if (r == 0)
        r = nk_json_parse(&line_limits, line, a, doc, f);
    if (r == 0 && nk_json_type(doc, 0) != NK_JSON_OBJECT)
        r = nk_fault_set(f, NK_EINVAL, "chain", 0, "a record must be a JSON object");
    return r;
}

int nk_chain_append(struct nk_chain *c, uint64_t gate, uint64_t seq, struct nk_str facts,
                    struct nk_arena *a, struct nk_buf *out, struct nk_fault *f)
{
    size_t start = out->n;
    struct nk_json doc;
    if (out->error)
        return out->error;
    if (facts.n > NK_CHAIN_LINE_MAX)
        return nk_fault_set(f, NK_ELIMIT, "chain", facts.n, "a record has at most %d bytes",
                            NK_CHAIN_LINE_MAX);
    nk_buf_add(out, NK_STR("{\"n\":"));
    nk_buf_add_u64(out, c->tree.size);
    nk_buf_add(out, NK_STR(",\"prev\":\""));
    nk_buf_add_hex(out, c->last.b, sizeof c->last.b);
    nk_buf_add(out, NK_STR("\",\"gate\":"));
    nk_buf_add_u64(out, gate);
    nk_buf_add(out, NK_STR(",\"seq\":"));
    nk_buf_add_u64(out, seq);
    nk_buf_add_char(out, ',');
    nk_buf_add(out, facts);
    nk_buf_add_char(out, '}');
    nk_buf_add_char(out, '\n');
    if (out->error) {
        int r = out->error;
        out->n = start;
        out->error = 0;
        return nk_fault_set(f, r, "chain", 0, "no room for a record");
    }
    struct nk_str line = {out->p + start, out->n - start - 1};
    bool ordinary = line.n <= NK_CHAIN_LINE_MAX && nk_shape_is_ordinary(facts, a);
    int r = ordinary ? 0 : parse(line, a, &doc, f);
    if (r == 0 && facts.p[0] != '"')
        r = nk_fault_set(f, NK_EINVAL, "chain", 0, "a record's members begin with a quote");
    if (r) {
        out->n = start;
        return r;
    }
    move_on(c, line);
    return 0;
}

static bool take(struct nk_str *s, struct nk_str literal)
{
    if (!nk_str_starts(*s, literal))
        return false;
    *s = nk_str_sub(*s, literal.n, s->n);
    return true;
}

static bool take_u64(struct nk_str *s, uint64_t *out)
{
    size_t n = 0;
    while (n < s->n && n < 20 && s->p[n] >= '0' && s->p[n] <= '9')
        n++;
    if (nk_str_to_u64(nk_str_sub(*s, 0, n), out))
        return false;
    *s = nk_str_sub(*s, n, s->n);
    return true;
}

int nk_chain_line_read(struct nk_str line, struct nk_chain_line *out)
{
    enum { HEX = 2 * NK_SHA256_SIZE };
    if (!take(&line, NK_STR("{\"n\":")) || !take_u64(&line, &out->n) ||
        !take(&line, NK_STR(",\"prev\":\"")) ||
        nk_hex_decode(nk_str_sub(line, 0, HEX), out->prev.b, NK_SHA256_SIZE))
        return NK_EINVAL;
    line = nk_str_sub(line, HEX, line.n);
    if (!take(&line, NK_STR("\",\"gate\":")) || !take_u64(&line, &out->gate) ||
        !take(&line, NK_STR(",\"seq\":")) || !take_u64(&line, &out->seq) ||
        !take(&line, NK_STR(",\"")) || !nk_str_ends(line, NK_STR("}")))
        return NK_EINVAL;
    return 0;
}

int nk_chain_check(struct nk_chain *c, struct nk_str line, struct nk_arena *a, struct nk_json *doc,
                   struct nk_fault *f)
{
    struct nk_chain_line at;
    int r = parse(line, a, doc, f);
    if (r)
        return r;
    if (nk_chain_line_read(line, &at))
        return nk_fault_set(f, NK_EINVAL, "chain", 0,
                            "a record must begin with n, prev, gate and seq");
    if (at.n != c->tree.size)
        return nk_fault_set(f, NK_EINVAL, "chain", 0, "record %llu stands where %llu is due",
                            (unsigned long long)at.n, (unsigned long long)c->tree.size);
    if (!nk_digest_eq(at.prev, c->last))
        return nk_fault_set(f, NK_ECRYPTO, "chain", 0,
                            "prev of record %llu is not the hash of the record before it",
                            (unsigned long long)at.n);
    move_on(c, line);
    return 0;
}
