/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.h - see cmd/replay.c. argv[0] is "replay"; returns the exit status: 0, 1 (a decision
 * differs, or a record cannot be decided), 2 (wrong usage).
 */
#pragma once

int nk_cmd_replay(int argc, char **argv);
