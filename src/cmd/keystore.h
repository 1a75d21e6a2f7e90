/* SPDX-License-Identifier: Apache-2.0
 *
 * keystore.h - the API key file while a command edits it: locked, read whole, replaced whole. Two
 * commands at a time wait for each other; a reader (a gate that reloads) sees the old file or the
 * new one; a crash or a full disk leaves the old one.
 */
#pragma once

#include "ident/keyfile.h"

struct nk_keystore {
    struct nk_str path;      /* links followed, NUL-terminated */
    struct nk_str directory; /* NUL-terminated */
    int lock;                /* descriptor of the directory, or -1 */
    bool exists;
    unsigned owner, group; /* of the old file, for the new one */
    struct nk_keyfile file;
};

/* Reads the file (none: an empty one); with `edit` takes the lock first. Nothing is edited that
 * cannot be read: NK_EINVAL … of nk_keyfile_parse, NK_EIO, NK_EDENIED. Close it in any case. */
int nk_keystore_open(struct nk_keystore *s, const char *path, bool edit, struct nk_arena *a,
                     struct nk_fault *f) NK_CHECKED;
/* Puts these entries in the file's place, mode 0600. Refuses what could not be read again. */
int nk_keystore_write(struct nk_keystore *s, const struct nk_keyfile_entry *entries, size_t n,
                      struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
void nk_keystore_close(struct nk_keystore *s);
