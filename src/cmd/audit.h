/* SPDX-License-Identifier: Apache-2.0
 *
 * audit.h - see cmd/audit.c. argv[0] is "audit"; returns the exit status: 0, 1 (something does not
 * hold, or cannot be read), 2 (wrong usage).
 */
#pragma once

int nk_cmd_audit(int argc, char **argv);
