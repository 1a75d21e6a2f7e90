/* SPDX-License-Identifier: Apache-2.0
 *
 * ledger_notes.h - the file `checkpoints` of a log: signed notes, each followed by an empty line.
 * Read-only, and nothing is verified here.
 */
#pragma once

#include "chain/chain.h"

/* Cuts the first whole note off *rest (without the empty line behind it); false when none is whole.
 */
bool nk_ledger_note_cut(struct nk_str *rest, struct nk_str *note);

struct nk_ledger_notes {
    int fd;
    uint64_t offset, line; /* of the next note in the file */
    struct nk_buf window;
    size_t at; /* window bytes that were handed out */
};

/* NK_ENOTFOUND when there is no such file, NK_EIO. */
int nk_ledger_notes_open(struct nk_ledger_notes *s, int dir) NK_CHECKED;
/* The next note (valid until the next call): 0; NK_EAGAIN at the end; NK_EINVAL when the rest is no
 * whole note; NK_ENOMEM, NK_EIO. s->offset and s->line say where, before the call. */
int nk_ledger_notes_next(struct nk_ledger_notes *s, struct nk_str *note) NK_CHECKED;
void nk_ledger_notes_close(struct nk_ledger_notes *s);
/* Appends the last whole note to `out` (nothing when there is none); *good is where the file's last
 * whole note ends, its empty line included, and *size the size of the file. */
int nk_ledger_notes_last(int dir, struct nk_buf *out, uint64_t *good, uint64_t *size) NK_CHECKED;
