/* SPDX-License-Identifier: Apache-2.0
 *
 * @NAME@.h - see cmd/@NAME@.c. argv[0] is "@NAME@"; returns the exit status.
 */
#pragma once

int nk_cmd_@NAME@(int argc, char **argv);
