/* SPDX-License-Identifier: Apache-2.0
 *
 * checkpoint.c - the input as a signed note, as the text of one that our key really signed (so that the
 * parser behind the signature is reached), as a file of notes, and as a verifier key.
 */
#include "chain/chain.h"
#include "edge/ledger_notes.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char seed[32] = {1, 2, 3};

/* A note over `text` by our key under the name that its first line says. */
static void sign(struct nk_str text, const unsigned char public_key[32], struct nk_buf *out)
{
    unsigned char signature[4 + NK_ED25519_SIG_SIZE];
    struct nk_str rest = text, name = nk_str_cut(&rest, '\n');
    struct nk_str parts[3] = {name, {"\n\x01", 2}, {(const char *)public_key, 32}};
    struct nk_digest id = nk_sha256_parts(parts, 3);
    memcpy(signature, id.b, 4);
    NK_MUST(nk_ed25519_sign(seed, text, signature + 4) == 0);
    nk_buf_add(out, text);
    nk_buf_add(out, NK_STR("\n\xE2\x80\x94 "));
    nk_buf_add(out, name);
    nk_buf_add_char(out, ' ');
    nk_base64_encode((struct nk_str){(const char *)signature, sizeof signature}, out);
    nk_buf_add_char(out, '\n');
}

/* What is accepted must say the same when it is signed again. */
static void check(struct nk_str note, const unsigned char public_key[32], bool plain)
{
    struct nk_checkpoint c;
    struct nk_buf again;
    if (nk_checkpoint_open(note, public_key, &c, NULL) != 0)
        return;
    nk_buf_init(&again, 1 << 20);
    NK_MUST(nk_checkpoint_sign(&c, seed, &again) == 0);
    NK_MUST(!plain || nk_str_starts(note, nk_str_sub(nk_buf_str(&again), 0, c.origin.n)));
    nk_buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char public_key[32], other[32];
    struct nk_str in = {(const char *)data, size}, rest = in, note, origin;
    struct nk_buf out;
    NK_MUST(nk_ed25519_public(seed, public_key) == 0);
    check(in, public_key, false);
    nk_buf_init(&out, 1 << 20);
    sign(in, public_key, &out);
    if (!out.error)
        check(nk_buf_str(&out), public_key, true);
    while (nk_ledger_note_cut(&rest, &note))
        NK_MUST(note.n > 0 && note.n < in.n);
    nk_buf_clear(&out);
    if (nk_checkpoint_key_parse(in, &origin, other) == 0) {
        nk_checkpoint_key(origin, other, &out);
        NK_MUST(nk_str_eq(nk_buf_str(&out), in));
    }
    nk_buf_free(&out);
    return 0;
}
