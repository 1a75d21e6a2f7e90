/* SPDX-License-Identifier: Apache-2.0
 *
 * audit_args.h - what the commands over an audit log share: their options, the key, one line of
 * text that is safe to print. Private to src/cmd.
 */
#pragma once

#include "edge/ledger_read.h"

enum { NK_AUDIT_WORDS = 4 };

struct nk_audit_args {
    uint64_t from, to; /* records, both inclusive; to: UINT64_MAX when not given */
    const char *request, *key, *policies;
    bool json, consistency;
    const char *words[NK_AUDIT_WORDS]; /* what is no option */
    int word_count;
};

/* Reads the options named in `allowed` (their first letters behind "--": "fturkpjc" …) and words:
 * 0, or NK_EINVAL with a message on stderr. argv[0] is skipped. */
int nk_audit_args_read(int argc, char **argv, const char *allowed,
                       struct nk_audit_args *out) NK_CHECKED;
/* Opens the directory of a log; -1 with a message on stderr. */
int nk_audit_dir(const char *path);
/* The verifier key: of --key (a file or the key itself) or of key.pub. 0 or an error with a message
 * on stderr; *text lives in `a`. */
int nk_audit_key(int dir, const char *option, struct nk_arena *a, struct nk_str *text) NK_CHECKED;
/* Appends `s` without anything that a terminal would obey: controls and directional overrides
 * become
 * '?'. */
void nk_audit_put_safe(struct nk_buf *out, struct nk_str s);
/* Writes the buffer to stdout and empties it; false (with a message) when that fails. */
bool nk_audit_print(struct nk_buf *out);

/* The sub-commands of `nakoso audit`; argv[0] is their name. */
int nk_audit_show(int argc, char **argv);
int nk_audit_prove(int argc, char **argv);
int nk_audit_verify_proof(int argc, char **argv);
