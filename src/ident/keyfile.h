/* SPDX-License-Identifier: Apache-2.0
 *
 * keyfile.h - the file of API keys: JSON Lines, one object a line, each line ended by a newline (so
 * that a file that was cut short is noticed). No key is in it, only digests:
 *
 *   {"id":"k3x…","digest":"sha256:<64 hex digits>","type":"User","principal":"john",
 *    "groups":["receptionist"],"created":"2026-11-22T02:35:00.000Z","expires":"…","revoked":"…",
 *    "note":"front desk"}
 *
 * groups, expires, revoked, note and kind may be missing; "kind":"sigv4" is a key that signs (sigv4.h): its
 * digest is that of the derived secret, which tells whether the secret of the configuration is the one that
 * it was made with. Unknown members, two lines with one id or one
 * digest, and times that are no dates are errors: the gate does not start on a file that it only
 * half understands.
 *
 * A plain SHA-256 is right here, where it would be wrong for passwords: a key holds 256 random
 * bits, so there is no dictionary to try, and a slow hash would only make each request slow. An
 * imported key is as strong as whoever made it made it.
 */
#pragma once

#include "base/arena.h"
#include "crypt/crypt.h"

enum {
    NK_KEYFILE_MAX_BYTES = 32 << 20,
    NK_KEYFILE_MAX_LINE = 16 << 10,
    NK_KEYFILE_MAX_KEYS = 100000,
    NK_KEYFILE_MAX_GROUPS = 64,
    NK_KEYFILE_MAX_NAME = 256, /* principal, group, note: bytes */
};

struct nk_keyfile_entry {
    struct nk_str id;
    struct nk_digest digest;
    struct nk_str type, principal;
    const struct nk_str *groups;
    size_t group_count;
    int64_t created_ms, expires_ms; /* Unix; expires: INT64_MAX when never */
    int64_t revoked_ms;             /* INT64_MAX when not revoked */
    struct nk_str note;
    bool signs; /* "kind":"sigv4" */
};

struct nk_keyfile {
    const struct nk_keyfile_entry *entries;
    size_t count;
};

/* Reads the whole text; everything is copied into `a`. `name` is the file's name for messages.
 * NK_EINVAL, NK_ELIMIT, NK_ECONFLICT, NK_ENOMEM with the line in the message and its byte offset.
 */
int nk_keyfile_parse(struct nk_str text, const char *name, const uint64_t seed[2],
                     struct nk_arena *a, struct nk_keyfile *out, struct nk_fault *f) NK_CHECKED;
/* Appends one line. */
void nk_keyfile_put(const struct nk_keyfile_entry *e, struct nk_buf *out);
/* Would a line with these values be read again? NK_EINVAL with the reason otherwise. */
int nk_keyfile_check(const struct nk_keyfile_entry *e, struct nk_fault *f) NK_CHECKED;
/* "2026-11-22T02:35:00.123Z", the fraction optional, as Unix milliseconds. 0 or NK_EINVAL. */
int nk_keyfile_time(struct nk_str text, int64_t *unix_ms) NK_CHECKED;
