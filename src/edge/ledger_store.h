/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_store.h - the inside of a ledger, for ledger.c (writing), ledger_open.c (the start),
 * ledger_mark.c (checkpoints and state). Private to these.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "edge/dirfile.h"
#include "edge/ledger.h"
#include "edge/ledger_notes.h"
#include "edge/ledger_read.h"

enum {
    NK_LEDGER_PENDING_MAX = 8 << 20, /* bytes that wait to be synced; so no crash tears more */
    NK_LEDGER_GATES = 512,           /* instances whose last sequence number is known */
    NK_LEDGER_STATE_EVERY = 4 << 20, /* bytes between two states */
    NK_LEDGER_STATE_MAX = 65536,
};

struct nk_ledger_gate {
    uint64_t gate, seq;
    uint64_t n; /* the record that said so: the oldest makes room */
};

struct nk_ledger {
    int dir, lock;
    int fd;                /* the last segment, for writing; -1: to be opened */
    uint64_t segment;      /* its first record */
    uint64_t base;         /* its bytes that are durable: where pending.p[0] belongs */
    struct nk_buf pending; /* lines that are not durable yet */
    size_t written;        /* bytes of `pending` that the kernel has */
    uint64_t written_n, durable_n;
    struct nk_chain chain;           /* at the end of `pending` */
    struct nk_checkpoint checkpoint; /* the latest; origin is the options' */
    uint64_t notes_size;             /* of `checkpoints`, whole notes only */
    uint64_t since_state;            /* bytes behind the place that `state` knows */
    struct nk_ledger_gate gates[NK_LEDGER_GATES];
    size_t gate_count, gate_hint;
    struct nk_ledger_options options;
    unsigned char public_key[32];
    struct nk_ledger_opening opening;
    struct nk_arena scratch;
    char origin[256];
};

/* Notes that record n of that instance has that number. */
void nk_ledger_saw(struct nk_ledger *l, uint64_t gate, uint64_t seq, uint64_t n);

/* The signed JSON of a state file, or absent when the signature does not hold. */
struct nk_str nk_ledger_state_open(struct nk_str file, const unsigned char public_key[32]);
/* Reads `state` into l (chain, segment, base, gates): NK_ENOTFOUND when there is none to trust. */
int nk_ledger_load_state(struct nk_ledger *l) NK_CHECKED;
/* Writes it, when that is due or `now`; a failure costs time at the next start and nothing else. */
void nk_ledger_save_state(struct nk_ledger *l, bool now);
