/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint.c - signed tree heads: c2sp.org/tlog-checkpoint, which is a c2sp.org/signed-note whose
 * text is
 *
 *     <origin> LF <size> LF <base64 of root> LF   (and extension lines, which we never write)
 *
 * then an empty line and one line for each signature: em dash, space, key name, space, base64 of
 * (4-byte key ID || signature). Any witness or monitor that speaks these formats can follow the
 * log. Nothing of a note is handed out before its signature holds.
 */
#include "chain/merkle.h"

#include "base/utf8.h"

enum { KEY_ID = 4, ALGORITHM_ED25519 = 1, ORIGIN_MAX = 255, SIGNATURES_MAX = 64 };

/* Unicode's White_Space property (PropList.txt), without the controls, which are refused anyway. */
static bool is_space(int32_t c)
{
    return c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

static bool key_name_ok(struct nk_str s)
{
    for (size_t at = 0; at < s.n;) {
        int32_t c = nk_utf8_next(s, &at);
        if (c < 0x20 || c == '+' || is_space(c))
            return false;
    }
    return s.n > 0;
}

bool nk_checkpoint_origin_ok(struct nk_str origin)
{
    return origin.n <= ORIGIN_MAX && key_name_ok(origin);
}

static void key_id(struct nk_str name, const unsigned char public_key[32], unsigned char id[KEY_ID])
{
    struct nk_str parts[3] = {name, NK_STR("\n\x01"), {(const char *)public_key, 32}};
    struct nk_digest d = nk_sha256_parts(parts, 3);
    memcpy(id, d.b, KEY_ID);
}

int nk_checkpoint_sign(const struct nk_checkpoint *c, const unsigned char seed[32],
                       struct nk_buf *out)
{
    unsigned char public_key[32], sig[KEY_ID + NK_ED25519_SIG_SIZE];
    size_t start = out->n;
    if (!nk_checkpoint_origin_ok(c->origin))
        return NK_EINVAL;
    int r = nk_ed25519_public(seed, public_key);
    if (r)
        return r;
    nk_buf_add(out, c->origin);
    nk_buf_add_char(out, '\n');
    nk_buf_add_u64(out, c->size);
    nk_buf_add_char(out, '\n');
    nk_base64_encode((struct nk_str){(const char *)c->root.b, sizeof c->root.b}, out);
    nk_buf_add_char(out, '\n');
    if (out->error)
        return out->error;
    key_id(c->origin, public_key, sig);
    r = nk_ed25519_sign(seed, nk_str_sub(nk_buf_str(out), start, out->n), sig + KEY_ID);
    if (r)
        return r;
    nk_buf_add(out, NK_STR("\n\xE2\x80\x94 "));
    nk_buf_add(out, c->origin);
    nk_buf_add_char(out, ' ');
    nk_base64_encode((struct nk_str){(const char *)sig, sizeof sig}, out);
    nk_buf_add_char(out, '\n');
    return out->error;
}

static int bad(struct nk_fault *f, struct nk_str note, const char *at, const char *what)
{
    return nk_fault_set(f, NK_EINVAL, "checkpoint", (size_t)(at - note.p), "%s", what);
}

/* Bytes that a note may hold at all, and the cut between text and signatures: the last empty line.
 */
static int cut_note(struct nk_str note, struct nk_str *text, struct nk_str *signatures,
                    struct nk_fault *f)
{
    if (note.n > NK_CHECKPOINT_NOTE_MAX)
        return nk_fault_set(f, NK_ELIMIT, "checkpoint", note.n, "a note has at most %d bytes",
                            NK_CHECKPOINT_NOTE_MAX);
    size_t valid = nk_utf8_check(note);
    if (valid < note.n)
        return bad(f, note, note.p + valid, "not UTF-8");
    for (size_t i = 0; i < note.n; i++)
        if ((unsigned char)note.p[i] < 0x20 && note.p[i] != '\n')
            return bad(f, note, note.p + i, "control byte");
    for (size_t i = note.n; i > 1; i--)
        if (note.p[i - 1] == '\n' && note.p[i - 2] == '\n') {
            *text = nk_str_sub(note, 0, i - 1);
            *signatures = nk_str_sub(note, i, note.n);
            return 0;
        }
    return bad(f, note, note.p + note.n, "no empty line before the signatures");
}

static int read_signature(struct nk_str note, struct nk_str line, struct nk_str *name,
                          struct nk_buf *raw, struct nk_fault *f)
{
    static const char dash[] = "\xE2\x80\x94 ";
    struct nk_str rest = line;
    if (!nk_str_starts(line, NK_STR(dash)))
        return bad(f, note, line.p, "a signature line begins with an em dash and a space");
    rest = nk_str_sub(rest, sizeof dash - 1, rest.n);
    *name = nk_str_cut(&rest, ' ');
    if (!rest.p || !key_name_ok(*name))
        return bad(f, note, line.p, "a signature line has a key name and a signature");
    nk_buf_clear(raw);
    int r = nk_base64_decode(rest, raw);
    if (r == NK_ENOMEM)
        return nk_fault_set(f, r, "checkpoint", 0, "out of memory");
    if (r || raw->n <= KEY_ID)
        return bad(f, note, rest.p, "a signature is base64 of more than four bytes");
    return 0;
}

/* Goes through the signature lines; 0 when this key has signed and each of its signatures holds. */
static int verify(struct nk_str note, struct nk_str text, struct nk_str lines, struct nk_str origin,
                  const unsigned char public_key[32], struct nk_buf *raw, struct nk_fault *f)
{
    unsigned char id[KEY_ID];
    size_t good = 0, count = 0;
    key_id(origin, public_key, id);
    if (!nk_str_ends(lines, NK_STR("\n")))
        return bad(f, note, lines.p + lines.n, "the last signature line does not end");
    lines.n--;
    while (lines.p) {
        struct nk_str name, line = nk_str_cut(&lines, '\n');
        int r = read_signature(note, line, &name, raw, f);
        if (r)
            return r;
        if (++count > SIGNATURES_MAX)
            return nk_fault_set(f, NK_ELIMIT, "checkpoint", (size_t)(line.p - note.p),
                                "more than %d signatures", SIGNATURES_MAX);
        if (!nk_str_eq(name, origin) || memcmp(raw->p, id, KEY_ID) != 0)
            continue;
        if (raw->n != KEY_ID + NK_ED25519_SIG_SIZE ||
            nk_ed25519_verify(public_key, text, (const unsigned char *)raw->p + KEY_ID))
            return nk_fault_set(f, NK_ECRYPTO, "checkpoint", (size_t)(line.p - note.p),
                                "the signature does not hold");
        good++;
    }
    return good ? 0
                : nk_fault_set(f, NK_ECRYPTO, "checkpoint", (size_t)(note.n),
                               "not signed by the key of this log");
}

static int read_root(struct nk_str text, struct nk_buf *raw, struct nk_digest *root)
{
    nk_buf_clear(raw);
    int r = nk_base64_decode(text, raw);
    if (r)
        return r;
    if (raw->n != sizeof root->b)
        return NK_EINVAL;
    memcpy(root->b, raw->p, sizeof root->b);
    return 0;
}

static int read_text(struct nk_str note, struct nk_str text, struct nk_buf *raw,
                     struct nk_checkpoint *out, struct nk_fault *f)
{
    struct nk_str rest = nk_str_sub(text, 0, text.n - 1);
    out->origin = nk_str_cut(&rest, '\n');
    struct nk_str size = nk_str_cut(&rest, '\n');
    if (!size.p || nk_str_to_u64(size, &out->size))
        return bad(f, note, text.p + out->origin.n, "the second line is the tree's size");
    struct nk_str root = nk_str_cut(&rest, '\n');
    if (!root.p || read_root(root, raw, &out->root))
        return bad(f, note, size.p + size.n, "the third line is the root hash in base64");
    while (rest.p) {
        struct nk_str extension = nk_str_cut(&rest, '\n');
        if (extension.n == 0)
            return bad(f, note, extension.p, "an extension line is empty");
    }
    return 0;
}

int nk_checkpoint_open(struct nk_str note, const unsigned char public_key[32],
                       struct nk_checkpoint *out, struct nk_fault *f)
{
    struct nk_str text, lines, rest;
    struct nk_checkpoint c = {.size = 0};
    struct nk_buf raw;
    int r = cut_note(note, &text, &lines, f);
    if (r)
        return r;
    rest = text;
    struct nk_str origin = nk_str_cut(&rest, '\n');
    if (!nk_checkpoint_origin_ok(origin))
        return bad(f, note, note.p, "the first line is the origin, which is the key's name too");
    nk_buf_init(&raw, NK_CHECKPOINT_NOTE_MAX);
    r = verify(note, text, lines, origin, public_key, &raw, f);
    if (r == 0)
        r = read_text(note, text, &raw, &c, f);
    nk_buf_free(&raw);
    if (r == 0)
        *out = c;
    return r;
}

void nk_checkpoint_key(struct nk_str origin, const unsigned char public_key[32], struct nk_buf *out)
{
    unsigned char id[KEY_ID], key[33] = {ALGORITHM_ED25519};
    key_id(origin, public_key, id);
    memcpy(key + 1, public_key, 32);
    nk_buf_add(out, origin);
    nk_buf_add_char(out, '+');
    nk_buf_add_hex(out, id, sizeof id);
    nk_buf_add_char(out, '+');
    nk_base64_encode((struct nk_str){(const char *)key, sizeof key}, out);
}

int nk_checkpoint_key_parse(struct nk_str text, struct nk_str *origin, unsigned char public_key[32])
{
    unsigned char id[KEY_ID], want[KEY_ID];
    struct nk_str rest = text, name = nk_str_cut(&rest, '+');
    struct nk_str hash = rest.p ? nk_str_cut(&rest, '+') : (struct nk_str){NULL, 0};
    struct nk_buf key;
    if (!rest.p || !nk_checkpoint_origin_ok(name) || nk_hex_decode(hash, id, sizeof id))
        return NK_EINVAL;
    nk_buf_init(&key, 1024);
    int r = nk_base64_decode(rest, &key);
    if (r == 0 && (key.n == 0 || key.p[0] != ALGORITHM_ED25519))
        r = key.n ? NK_EUNSUPPORTED : NK_EINVAL;
    if (r == 0 && key.n != 33)
        r = NK_EINVAL;
    if (r == 0) {
        memcpy(public_key, key.p + 1, 32);
        key_id(name, public_key, want);
        r = memcmp(id, want, sizeof id) ? NK_ECRYPTO : 0;
        *origin = name;
    }
    nk_buf_free(&key);
    return r;
}
