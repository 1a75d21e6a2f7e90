/* SPDX-License-Identifier: Apache-2.0
 *
 * lines.h - a file or standard input line by line, as it comes: a command that answers each line can
 * stand in a pipe. Private to src/cmd.
 */
#pragma once

#include "base/buf.h"

enum { NK_LINES_MAX = 64 << 20 }; /* most bytes of one line */

struct nk_lines {
    const char *path;
    int fd;
    struct nk_buf b; /* what was read and is not yet behind us */
    size_t at;       /* of the next line in b */
    size_t seen;     /* no line feed before this place */
    uint64_t n;      /* lines given out */
    bool end;
};

/* "-" is standard input. NK_EIO. */
int nk_lines_open(struct nk_lines *l, const char *path, struct nk_fault *f) NK_CHECKED;
/* The next line without its end, empty ones left out; valid until the next call. NK_ENOTFOUND at the
 * end (no fault is set), NK_ELIMIT, NK_ENOMEM, NK_EIO. */
int nk_lines_next(struct nk_lines *l, struct nk_str *line, struct nk_fault *f) NK_CHECKED;
void nk_lines_close(struct nk_lines *l);
