/* SPDX-License-Identifier: Apache-2.0
 *
 * key.h - see cmd/key.c. argv[0] is "key"; returns the exit status.
 */
#pragma once

int nk_cmd_key(int argc, char **argv);
