/* SPDX-License-Identifier: Apache-2.0
 *
 * recorded.h - the policy set that a record of the audit log names, made ready to decide again: kept
 * as long as records name the same one. Private to src/cmd.
 */
#pragma once

#include "chain/replay.h"
#include "chain/set.h"

struct nk_recorded {
    int dir; /* of the log */
    struct nk_arena arena;
    char name[2 * NK_SHA256_SIZE + 1]; /* of the set at hand */
    bool has_set;
    struct nk_set set;
    struct nk_cedar_entities *entities; /* sealed */
};

void nk_recorded_init(struct nk_recorded *r, int dir);
void nk_recorded_free(struct nk_recorded *r);
/* Makes ready the set of a parsed record: its texts and entities live until the next call gives
 * *is_new. NK_ENOTFOUND (the log does not have it), NK_ECRYPTO (it was changed), NK_EIO or what
 * nk_set_read says. */
int nk_recorded_load(struct nk_recorded *r, const struct nk_json *record, bool *is_new,
                     struct nk_fault *f) NK_CHECKED;

/* Appends User::"alice" Action Model::"m", safe for a terminal, as a line about a record begins. */
void nk_recorded_put_request(struct nk_buf *out, struct nk_cedar_uid principal,
                             struct nk_cedar_uid action, struct nk_cedar_uid resource);
/* Appends allow [a b error in c: what]. */
void nk_recorded_put_verdict(struct nk_buf *out, const struct nk_replay_verdict *v);
