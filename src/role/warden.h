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
    int64_t grace_ms;    /* how long gates may take to finish what is in flight; 0: config.grace */
    int64_t settle_ms;   /* a role that served so long has not crashed "again"; 0: 2 s */
    int64_t patience_ms; /* how long another version may take to answer, or to start; 0: 20 s */
};

/* What a warden and its successor of another version must have in common: the state that is handed
 * over, the control channel, audit rings. The versions in between are in `nakoso
 * --upgrade-protocol`. */
enum { NK_WARDEN_PROTOCOL_LEAST = 1, NK_WARDEN_PROTOCOL = 1 };

/* Returns the exit status: 0 after a stop that was asked for, 1 when it could not start (the log
 * says why). */
int nk_warden_run(const char *config_file, const struct nk_warden_options *options);
/* The same as the successor of a warden that has replaced itself by this program (src/role/
 * warden_upgrade.c): `state` is the memory file that it left. */
int nk_warden_adopt(const char *config_file, int state);
/* Could a warden go on from that file with this configuration? Touches nothing. */
int nk_warden_may_adopt(int state, const struct nk_config *config, struct nk_fault *f) NK_CHECKED;
/* Prints the line that says which protocols this binary speaks, and its version; returns 0. */
int nk_warden_print_protocol(void);
/* Sends one command ("reload", "upgrade", "status") to the warden behind the Unix socket `path`; its answer is
 * appended to `out`. 0, NK_EIO with a fault when nobody answers. */
int nk_warden_ask(const char *path, const char *command, struct nk_buf *out,
                  struct nk_fault *f) NK_CHECKED;
