/* SPDX-License-Identifier: Apache-2.0
 *
 * file.h - whole files, read and written with care: only regular files, never more than a stated
 * size, secrets only when nobody else can read them. And the configuration file, which is where
 * they are named.
 */
#pragma once

#include "config/config.h"

enum nk_file_care {
    NK_FILE_PUBLIC, /* anybody may read it; only its owner and group may write it */
    NK_FILE_SECRET, /* only its owner may read it */
};

/* Reads a file of at most `max` bytes into `a` (NUL-terminated behind its n bytes). NK_EIO,
 * NK_EDENIED (the mode is too open; the message has the chmod to run), NK_ELIMIT, NK_EINVAL (not a
 * regular file), NK_ENOMEM; the message names the file. */
int nk_file_read(const char *path, size_t max, enum nk_file_care care, struct nk_arena *a,
                 struct nk_str *out, struct nk_fault *f) NK_CHECKED;
/* Makes a new file that is whole and durable or not there at all; NK_ECONFLICT when it exists. */
int nk_file_create(const char *path, unsigned mode, struct nk_str bytes,
                   struct nk_fault *f) NK_CHECKED;
/* The directory part of `path` made absolute, without a slash at its end; absent on an error. */
struct nk_str nk_file_directory(const char *path, struct nk_arena *a) NK_CHECKED;

/* Reads a configuration file (YAML); paths in it become absolute. Messages begin with
 * "FILE:LINE:COLUMN: ". */
int nk_config_load(const char *file, struct nk_arena *a, struct nk_config *out,
                   struct nk_fault *f) NK_CHECKED;
/* The same from text; `name` is what messages call the file. */
int nk_config_load_text(struct nk_str text, const char *name, struct nk_str directory,
                        struct nk_arena *a, struct nk_config *out, struct nk_fault *f) NK_CHECKED;
