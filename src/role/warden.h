/* SPDX-License-Identifier: Apache-2.0
 *
 * warden.h - starts, watches, restarts, reloads; parses no network byte. Runs until it is told to
 * stop by SIGTERM or SIGINT: then the gates drain first, the couriers after them, the scribe last,
 * so that every record is stored.
 */
#pragma once

#include "config/config.h"
#include "role/role.h"

struct nk_warden_options {
    int64_t grace_ms;  /* how long gates may take to finish what is in flight; 0: 30 s */
    int64_t settle_ms; /* a role that served so long has not crashed "again"; 0: 2 s */
};

/* Returns the exit status: 0 after a stop that was asked for, 1 when it could not start (the log
 * says why). */
int nk_warden_run(const char *config_file, const struct nk_warden_options *options);
/* Sends one command ("reload", "status") to the warden behind the Unix socket `path`; its answer is
 * appended to `out`. 0, NK_EIO with a fault when nobody answers. */
int nk_warden_ask(const char *path, const char *command, struct nk_buf *out,
                  struct nk_fault *f) NK_CHECKED;
