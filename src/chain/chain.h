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

enum {
    NK_CHAIN_LINE_MAX = 131072,      /* bytes of a line, LF excluded */
    NK_CHECKPOINT_NOTE_MAX = 131072, /* bytes of a signed note: room for a score of witnesses */
    NK_MERKLE_PATH_MAX = 64, /* digests of an inclusion proof; a consistency proof has one more */
};

struct nk_digest nk_chain_leaf(struct nk_str line);

/* Merkle tree of RFC 9162 as its right edge: edge[i] is the root of the perfect subtree of 2^i
 * leaves that belongs to bit i of the size, and unused where that bit is zero. */
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
 * byte below 0x20) from gate instance `gate` with that instance's own sequence number, and moves
 * the chain on. The line is parsed before it counts (scratch memory from `a`), so what is written
 * can always be read: NK_EINVAL or NK_ELIMIT when `facts` would break the framing, would repeat one
 * of the chain's own members or is no JSON, NK_ENOMEM; chain and `out` are then unchanged. */
int nk_chain_append(struct nk_chain *c, uint64_t gate, uint64_t seq, struct nk_str facts,
                    struct nk_arena *a, struct nk_buf *out, struct nk_fault *f) NK_CHECKED;

/* Checks one stored line (without LF) against the chain and moves it on: NK_EINVAL (or NK_ELIMIT,
 * NK_ENOMEM) when it is not the expected JSON form or number, NK_ECRYPTO when "prev" does not fit;
 * the chain is then unchanged. *doc is the parsed line. */
int nk_chain_check(struct nk_chain *c, struct nk_str line, struct nk_arena *a, struct nk_json *doc,
                   struct nk_fault *f) NK_CHECKED;
/* What a line says of itself, without looking at any chain: NK_EINVAL when it is none. */
struct nk_chain_line {
    uint64_t n, gate, seq;
    struct nk_digest prev;
};
int nk_chain_line_read(struct nk_str line, struct nk_chain_line *out) NK_CHECKED;

/* Inclusion and consistency proofs (RFC 9162, sections 2.1.3 and 2.1.4) over all leaf hashes. *path
 * is in `a`. NK_EINVAL when the arguments do not fit each other (or a path cannot have that
 * length), NK_ECRYPTO when the proof does not hold. A log of size 0 is consistent with each by an
 * empty path. */
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

/* The same proofs from leaves that come one by one, so that a log of any length is proven with
 * constant memory: begin, add all leaves 0 .. size-1 in order, then read `path`. */
struct nk_merkle_prover {
    uint64_t next;         /* the leaf that nk_merkle_prover_add takes */
    size_t at;             /* range being hashed, 0 .. path_count */
    struct nk_merkle tree; /* of that range so far */
    size_t path_count;
    uint8_t place[NK_MERKLE_PATH_MAX + 1];                             /* of range i in `path` */
    uint64_t from[NK_MERKLE_PATH_MAX + 1], to[NK_MERKLE_PATH_MAX + 1]; /* leaves, ascending */
    struct nk_digest path[NK_MERKLE_PATH_MAX + 1];
};
int nk_merkle_prover_begin(struct nk_merkle_prover *p, uint64_t size, uint64_t n) NK_CHECKED;
int nk_merkle_prover_begin_consistency(struct nk_merkle_prover *p, uint64_t old_size,
                                       uint64_t size) NK_CHECKED;
void nk_merkle_prover_add(struct nk_merkle_prover *p, struct nk_digest leaf);

/* Checkpoints: c2sp.org/tlog-checkpoint on c2sp.org/signed-note. */
struct nk_checkpoint {
    struct nk_str origin;
    uint64_t size;
    struct nk_digest root;
};
/* The origin must be good as a key name too: UTF-8 without white space, controls and '+', 1 to 255
 * bytes (NK_EINVAL otherwise). Appends the whole note. */
bool nk_checkpoint_origin_ok(struct nk_str origin);
int nk_checkpoint_sign(const struct nk_checkpoint *c, const unsigned char seed[32],
                       struct nk_buf *out) NK_CHECKED;
/* Parses and verifies; the key name of the signature line must be the origin. Signatures of other
 * keys are ignored, one of this key that fails refuses the note: NK_EINVAL for the form, NK_ELIMIT,
 * NK_ECRYPTO when this key has not (validly) signed. out->origin is a view of `note`. */
int nk_checkpoint_open(struct nk_str note, const unsigned char public_key[32],
                       struct nk_checkpoint *out, struct nk_fault *f) NK_CHECKED;
/* The verifier key as signed-note writes it: "<origin>+<hex key hash>+<base64 of 0x01 || key>". */
void nk_checkpoint_key(struct nk_str origin, const unsigned char public_key[32],
                       struct nk_buf *out);
/* Reads such a string; *origin is a view of it. NK_EINVAL, NK_EUNSUPPORTED (not Ed25519),
 * NK_ECRYPTO (the key hash is another key's). */
int nk_checkpoint_key_parse(struct nk_str text, struct nk_str *origin,
                            unsigned char public_key[32]) NK_CHECKED;
