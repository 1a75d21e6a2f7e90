/* SPDX-License-Identifier: Apache-2.0
 *
 * dirfile.h - small files of one directory, read and replaced as a whole, relative to a descriptor
 * of the directory, so that a confined role can use them.
 */
#pragma once

#include "base/buf.h"

/* Appends the whole file to `out`: NK_ENOTFOUND, NK_ELIMIT (over out->max), NK_ENOMEM, NK_EIO. */
int nk_dir_read(int dir, const char *name, struct nk_buf *out) NK_CHECKED;
/* Writes "<name>.new" and renames it over `name`: a reader sees the old content or the new,
 * whatever happens. With `durable` that holds for a loss of power too, and it is on disk
 * afterwards. NK_EIO. */
int nk_dir_replace(int dir, const char *name, struct nk_str bytes, bool durable) NK_CHECKED;
/* Writes all of `bytes` at `offset`; NK_EIO (then any part of it may have been written). */
int nk_dir_write_at(int fd, struct nk_str bytes, uint64_t offset) NK_CHECKED;
/* Size of an open file, or -1. */
int64_t nk_dir_file_size(int fd);
