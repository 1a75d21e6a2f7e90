/* SPDX-License-Identifier: Apache-2.0
 *
 * chain.h - the audit log as a data structure: JSON Lines, each line bound to the one before it and
 * all of them to a Merkle tree. A line is
 *
 *     {"n":17,"prev":"<64 hex>","gate":0,"seq":9, …facts… }
 *
 * Its leaf hash is SHA-256(0x00 || line without LF), as in RFC 9162, section 2.1; "prev" is the
 * leaf hash of line n-1 (64 zeros for n = 0), so one hash serves chain and tree. Checkpoints are
 * C2SP tlog checkpoints: signed notes over origin, size and root, by Ed25519. The functions here
 * are pure; the scribe writes, `nakoso audit` reads.
 */
#pragma once

#include "crypt/crypt.h"
#include "json/json.h"

struct nk_digest nk_chain_leaf(struct nk_str line);

/* Merkle tree of RFC 9162 as its right edge: one digest for each one-bit of the size. */
struct nk_merkle {
    uint64_t size;
    struct nk_digest edge[64];
};
void nk_merkle_init(struct nk_merkle *m);
void nk_merkle_add(struct nk_merkle *m, struct nk_digest leaf);
struct nk_digest nk_merkle_root(const struct nk_merkle *m);

/* State of a log at its end: what the next line needs. */
struct nk_chain {
    struct nk_digest last; /* leaf hash of the last line; zero for an empty log */
    struct nk_merkle tree; /* tree.size is the next "n" */
};
void nk_chain_init(struct nk_chain *c);
/* Appends to `out` the line for `facts` (a JSON object's members without braces: "\"kind\":…", no
 * byte below 0x20) from gate number `gate` with that gate's own sequence number, and moves the
 * chain on. NK_EINVAL when `facts` could break the framing; the chain is then unchanged. */
int nk_chain_append(struct nk_chain *c, uint32_t gate, uint64_t seq, struct nk_str facts,
                    struct nk_buf *out) NK_CHECKED;

/* Checks one stored line (without LF) against the chain and moves it on: NK_EINVAL when it is not
 * the expected JSON form or number, NK_ECRYPTO when "prev" does not fit. *doc is the parsed line.
 */
int nk_chain_check(struct nk_chain *c, struct nk_str line, struct nk_arena *a, struct nk_json *doc,
                   struct nk_fault *f) NK_CHECKED;

/* Inclusion and consistency proofs (RFC 9162, sections 2.1.3 and 2.1.4) over all leaf hashes. *path
 * is in `a`. NK_EINVAL when the arguments do not fit each other. */
int nk_merkle_prove(const struct nk_digest *leaves, uint64_t size, uint64_t n, struct nk_arena *a,
                    struct nk_digest **path, size_t *path_count) NK_CHECKED;
int nk_merkle_verify(struct nk_digest leaf, uint64_t n, uint64_t size, const struct nk_digest *path,
                     size_t path_count, struct nk_digest root) NK_CHECKED;
int nk_merkle_prove_consistency(const struct nk_digest *leaves, uint64_t old_size, uint64_t size,
                                struct nk_arena *a, struct nk_digest **path,
                                size_t *path_count) NK_CHECKED;
int nk_merkle_verify_consistency(uint64_t old_size, struct nk_digest old_root, uint64_t size,
                                 struct nk_digest root, const struct nk_digest *path,
                                 size_t path_count) NK_CHECKED;

/* Checkpoints: c2sp.org/tlog-checkpoint on c2sp.org/signed-note. */
struct nk_checkpoint {
    struct nk_str origin;
    uint64_t size;
    struct nk_digest root;
};
int nk_checkpoint_sign(const struct nk_checkpoint *c, const unsigned char seed[32],
                       struct nk_buf *out) NK_CHECKED;
/* Parses and verifies; the key name of the signature line must be the origin. */
int nk_checkpoint_open(struct nk_str note, const unsigned char public_key[32],
                       struct nk_checkpoint *out, struct nk_fault *f) NK_CHECKED;
/* The verifier key as signed-note writes it: "<origin>+<hex key hash>+<base64 of 0x01 || key>". */
void nk_checkpoint_key(struct nk_str origin, const unsigned char public_key[32],
                       struct nk_buf *out);
