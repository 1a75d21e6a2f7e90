/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd.h - the sub-commands, from cmd.def. Each takes its own arguments, argv[0] being its name, and
 * returns the exit status: 0, 1 for a failure, 2 for wrong usage.
 */
#pragma once

#define COMMAND(name, text) int nk_cmd_##name(int argc, char **argv);
#include "cmd/cmd.def"
#undef COMMAND

/* Runs the sub-command argv[0]. */
int nk_cmd_dispatch(int argc, char **argv);
/* The value of "-c FILE" when it is the only argument, else NULL after a line of usage. */
const char *nk_cmd_only_config(int argc, char **argv);
