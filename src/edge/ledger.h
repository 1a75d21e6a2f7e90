/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger.h - the audit log on disk, as its one writer sees it. The directory holds
 *
 *   00000000000000000000.jsonl …  segments of the chain, named by their first record (chain.h)
 *   checkpoint                    the latest signed note, replaced atomically
 *   checkpoints                   all of them, each followed by an empty line
 *   key.pub                       the key that signs them, as signed-note writes it
 *   sets/<sha256>.json            the policy sets that records name (set.h)
 *   state                         where the chain stands, so that a start need not read it all;
 * signed torn-<time>                   what was cut off the end after a crash, kept for the eye
 *   lock                          held by the writer
 *
 * Appending is in three steps, so that many records share the expensive one: append (memory), write
 * (one system call), sync (fdatasync). Bytes stay in memory until they are synced: whatever the
 * disk refuses is tried again, and neither lost nor doubled.
 */
#pragma once

#include "chain/chain.h"

struct nk_ledger;

struct nk_ledger_options {
    struct nk_str origin;      /* name of the log in checkpoints: see nk_checkpoint_origin_ok */
    const unsigned char *seed; /* Ed25519 seed, 32 bytes; must outlive the ledger */
    int64_t unix_ms;           /* now, for the name of a torn file */
    uint64_t segment_bytes;    /* a segment that is this long is the last one's; 0: 256 MiB */
    uint64_t read_all_bytes; /* a log up to this size is read from its first record at the start, a
                              * longer one from `state` on; 0: 16 MiB */
};

/* What the start found. */
struct nk_ledger_opening {
    uint64_t size;       /* records */
    uint64_t read;       /* records that were read and checked */
    uint64_t checkpoint; /* size of the latest checkpoint; 0: none */
    uint64_t torn_bytes; /* cut off the end; 0: nothing */
    char torn_file[64];
    struct nk_digest torn_digest; /* SHA-256 of that file */
};

/* Opens or makes the log in `dir`, which stays the caller's and must stay open. NULL with a fault
 * that says what to do: NK_ECONFLICT (another writer, or another origin), NK_ECRYPTO (the log was
 * cut or changed below a signed checkpoint, or the key is another), NK_EIO, NK_EFULL. */
struct nk_ledger *nk_ledger_open(int dir, const struct nk_ledger_options *o,
                                 struct nk_fault *f) NK_CHECKED;
/* Frees it; syncs nothing. */
void nk_ledger_close(struct nk_ledger *l);
const struct nk_ledger_opening *nk_ledger_opening(const struct nk_ledger *l);

/* Takes one record: NK_EINVAL or NK_ELIMIT when `facts` cannot be a record (see nk_chain_append),
 * NK_EFULL when as much as fits waits to be synced. */
int nk_ledger_append(struct nk_ledger *l, uint64_t gate, uint64_t seq, struct nk_str facts,
                     struct nk_fault *f) NK_CHECKED;
/* Is there room for one more record of any size? */
bool nk_ledger_has_room(const struct nk_ledger *l);
/* Gives all that was appended to the kernel. NK_EFULL when the disk takes no more (full, over a
 * quota or broken: the fault says which): everything is kept for the next try. */
int nk_ledger_write(struct nk_ledger *l, struct nk_fault *f) NK_CHECKED;
/* The same, and makes it durable. Does nothing when all is durable already. */
int nk_ledger_sync(struct nk_ledger *l, struct nk_fault *f) NK_CHECKED;
/* Syncs, signs the tree as it stands and stores the note; does nothing when no record is new. */
int nk_ledger_checkpoint(struct nk_ledger *l, struct nk_fault *f) NK_CHECKED;
/* The same, and leaves the state for a quick start: at the writer's orderly end. */
int nk_ledger_finish(struct nk_ledger *l, struct nk_fault *f) NK_CHECKED;
/* Stores the policy set with this digest (of `text`) if it is not there yet, durably. */
int nk_ledger_put_set(struct nk_ledger *l, struct nk_digest digest, struct nk_str text,
                      struct nk_fault *f) NK_CHECKED;

/* Records appended, given to the kernel, and durable; and the size of the latest checkpoint. */
uint64_t nk_ledger_size(const struct nk_ledger *l);
uint64_t nk_ledger_written(const struct nk_ledger *l);
uint64_t nk_ledger_durable(const struct nk_ledger *l);
uint64_t nk_ledger_checkpointed(const struct nk_ledger *l);
/* Bytes that the next start would have to read: a checkpoint makes them few. */
uint64_t nk_ledger_start_bytes(const struct nk_ledger *l);
/* The highest sequence number of a gate instance's records, as far as the log's end says (the last
 * few hundred instances): a scribe that comes after a killed one skips up to it. */
bool nk_ledger_last_seq(const struct nk_ledger *l, uint64_t gate, uint64_t *seq);
