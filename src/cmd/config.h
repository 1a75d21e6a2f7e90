/* SPDX-License-Identifier: Apache-2.0
 *
 * config.h - see cmd/config.c. argv[0] is "config"; returns the exit status.
 */
#pragma once

int nk_cmd_config(int argc, char **argv);
