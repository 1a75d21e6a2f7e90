/* SPDX-License-Identifier: Apache-2.0
 *
 * runner_start.h - the half of the runner that starts programs. It reads nothing but orders of the other half, which are
 * struct nk_control (control.h) on a pair of sockets:
 *
 *     RUN      start the server of upstream `slot` as process `instance`; back comes RUN with three
 *              descriptors (its standard input, output and error), or with `code` and `text`
 *     STOP     signal the process `instance` and its group
 *     GONE     back: it has ended
 *     PREPARE, COMMIT, ABANDON   as from the warden; back comes PREPARED
 *
 * The end of the channel ends it, and every program that it has started.
 */
#pragma once

#include "role/role.h"

/* Runs until the end of `control`; the exit status. The bundle of `s` is used up. */
int runner_starter(struct nk_role_start *s, int control);
