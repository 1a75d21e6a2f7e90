/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_verify.h - reads a whole audit log and believes nothing in it but one public key: each
 * line against the one before it, the tree against each signed checkpoint, policy sets against
 * their names, the files beside them. Read-only.
 */
#pragma once

#include "edge/ledger_read.h"

struct nk_ledger_report {
    /* What holds, up to the first problem. */
    uint64_t size;         /* records */
    struct nk_digest root; /* of their tree */
    uint64_t checkpoints;  /* signed notes that fit */
    uint64_t covered;      /* size of the largest of these: records from here on are chained, but
                            * nobody has signed them yet */
    uint64_t sets, sets_missing; /* policy sets that are there; that records name but are not */
    char key[512];               /* the key that was believed, as signed-note writes it */
    /* The first problem; code 0: none. */
    int code;
    char message[256];
    char file[96];         /* in the directory, or empty */
    uint64_t record;       /* UINT64_MAX: not a record's */
    uint64_t line, offset; /* of the bad line in the file; line from 1, 0: the whole file */
};

/* `key`: a verifier key, or absent: then key.pub is believed, which proves only that the log fits
 * itself. Returns out->code: 0, NK_ECRYPTO (something was changed, cut off, or signed by another
 * key), NK_EINVAL (something is not of its form), or NK_EIO, NK_ENOMEM, NK_ENOTFOUND. */
int nk_ledger_verify(int dir, struct nk_str key, struct nk_ledger_report *out) NK_CHECKED;
