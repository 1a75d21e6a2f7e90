/* SPDX-License-Identifier: Apache-2.0
 *
 * options.h - the options of a sub-command as one table: which there are, and where their values
 * go. Private to src/cmd.
 */
#pragma once

#include <stdbool.h>
#include "base/macro.h"

struct nk_option {
    const char *name;   /* "--policies" */
    const char **value; /* takes a value, which goes here; or NULL */
    bool *flag;         /* takes none, and is set */
};

/* Reads the options among argv[1] …; everything else (also "-", and all behind "--") is a word, and
 * the words end up at argv[1] … argv[*words]. 0, or NK_EINVAL after a message on stderr that begins
 * with `command`: an unknown option, one without its value, one given twice. */
int nk_options_read(const char *command, int argc, char **argv, const struct nk_option *options,
                    size_t n, int *words) NK_CHECKED;
