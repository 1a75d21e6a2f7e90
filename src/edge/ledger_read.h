/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_read.h - the lines of an audit log in order, from any record on, without trusting any of
 * them. Read-only: works beside a running scribe.
 *
 * A log is a directory of segments "00000000000000000000.jsonl", each named by the number of its
 * first record. A record's number is known from where it stands, so that a damaged line does not
 * hide which one it is.
 */
#pragma once

#include "chain/chain.h"

enum { NK_LEDGER_NAME_SIZE = 64 };

struct nk_ledger_line {
    uint64_t n;         /* record number by position */
    struct nk_str text; /* without LF; valid until the next call */
    uint64_t segment;   /* number of the first record of its file: see nk_ledger_segment_name */
    uint64_t line;      /* in the file, from 1 */
    uint64_t offset;    /* of the line's first byte in the file */
};

void nk_ledger_segment_name(uint64_t first, char name[NK_LEDGER_NAME_SIZE]);

/* Numbers of the segments of a directory in ascending order, allocated in `a`; none is no error.
 * NK_EIO, NK_ENOMEM. */
int nk_ledger_segments(int dir, struct nk_arena *a, uint64_t **firsts, size_t *count,
                       struct nk_fault *f) NK_CHECKED;

struct nk_ledger_reader;

/* Begins at record `from`. NULL: the directory cannot be read, or no segment holds the record:
 * NK_ENOTFOUND. `dir` stays the caller's and must stay open. */
struct nk_ledger_reader *nk_ledger_reader_open(int dir, uint64_t from,
                                               struct nk_fault *f) NK_CHECKED;
/* Begins at a place inside a segment that is known to be the start of record `n`, which is line
 * `line` of it. */
struct nk_ledger_reader *nk_ledger_reader_open_at(int dir, uint64_t segment, uint64_t offset,
                                                  uint64_t n, uint64_t line,
                                                  struct nk_fault *f) NK_CHECKED;
/* The next line: 0; NK_EAGAIN at the end of the log (out->text is what stands there without an LF:
 * normally nothing; call again when the log may have grown); NK_EINVAL (a segment inside the log
 * ends in mid-line, or is missing), NK_ELIMIT (line over NK_CHAIN_LINE_MAX), NK_EIO. *out says
 * where in each case. */
int nk_ledger_reader_next(struct nk_ledger_reader *r, struct nk_ledger_line *out,
                          struct nk_fault *f) NK_CHECKED;
void nk_ledger_reader_close(struct nk_ledger_reader *r);
