/* SPDX-License-Identifier: Apache-2.0
 *
 * used.h - what is good for once, at all gates together: a table in memory that they share, of what was used, until it
 * would have ended anyway. No lock: an entry is one word, and whoever enters one looks behind himself, so that of
 * two who use the same at the same time at most one succeeds.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

enum { NK_USED = 4095, NK_USED_PROBES = 64 };

struct nk_used {
    uint64_t id; /* random, of this table: what was to be used by another one's word is not */
    uint64_t list[NK_USED]; /* its end (Unix, seconds), and 32 bits of what it is */
};

/* Uses `what`, a number that nothing else is likely to have. 0; NK_ENOTFOUND: it was used, or is over; NK_EFULL:
 * there is no room to note it. */
int nk_used_once(struct nk_used *u, uint64_t what, int64_t until_ms, int64_t now_ms) NK_CHECKED;
