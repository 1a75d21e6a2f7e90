/* SPDX-License-Identifier: Apache-2.0
 *
 * scribe.h - the inside of the scribe, for scribe.c (its life), scribe_store.c (records into the
 * ledger) and scribe_settings.c (what a configuration means to it). Private to these.
 */
#pragma once

#include "config/config.h"
#include "edge/ledger.h"
#include "edge/loop.h"
#include "role/role.h"
#include "role/stats.h"
#include "role/wire.h"

/* What the scribe takes from one configuration; built whole or not at all. */
struct scribe_settings {
    struct nk_arena arena;
    struct nk_bundle bundle; /* mapped, unless it is the one of the start */
    bool owns_bundle;
    uint32_t generation;
    struct nk_config config;
    struct nk_str set; /* canonical form of the policy set: set.h */
    struct nk_digest set_digest, config_digest;
    const unsigned char *key; /* Ed25519 seed */
};

/* One gate instance's records. */
struct scribe_ring {
    struct nk_role_audit given;
    struct nk_ring *ring; /* NULL: the entry is free */
    struct nk_watch watch;
    struct scribe *scribe;
    uint64_t next;  /* number of the next record that the ledger does not have */
    bool is_broken; /* what is in it makes no sense */
    bool has_lied;  /* published what is no record; said once */
};

struct scribe {
    struct nk_role_start *start;
    struct nk_loop *loop;
    struct nk_watch control, warden; /* its channel, and its pidfd */
    struct nk_stats stats;
    struct nk_ledger *ledger;
    unsigned char key[NK_ED25519_KEY_SIZE]; /* the ledger signs with it */
    struct scribe_settings *settings, *prepared;
    struct scribe_ring rings[NK_ROLE_AUDITS_MAX];
    struct nk_timer tick; /* armed while records come: then rings are not watched */
    struct nk_timer mark; /* the next checkpoint */
    bool ticking, marking, announced;
    bool is_full;  /* the ledger cannot be written now */
    bool is_owing; /* the warden does not know yet that a dead gate's ring is empty */
    bool is_draining;
    int64_t drain_until; /* monotonic us: then it ends whatever is left */
    int64_t stay_until;  /* until then it does not end, even if nothing is left */
    int64_t sync_due;    /* 0: everything is durable */
    int64_t oldest_us;   /* when the oldest record arrived that is not; 0: there is none */
    uint64_t own_seq;    /* of the scribe's own records */
    uint64_t taken;      /* records of the last turn */
    size_t first_ring;   /* where the next round begins, so that none comes first always */
};

/* scribe_settings.c. NULL with a fault. `bundle` >= 0 is opened and owned; -1: the start's. */
struct scribe_settings *scribe_settings_new(const struct nk_role_start *start, int bundle,
                                            uint32_t generation, struct nk_fault *f) NK_CHECKED;
void scribe_settings_free(struct scribe_settings *s);
/* Can a running scribe go on under `b`? NK_ECONFLICT when the log itself would be another. */
int scribe_settings_follow(const struct scribe_settings *a, const struct scribe_settings *b,
                           struct nk_fault *f) NK_CHECKED;

/* scribe_store.c */
/* Takes over an audit ring (the descriptors are then the scribe's). */
int scribe_ring_add(struct scribe *s, const struct nk_role_audit *given) NK_CHECKED;
/* The gate is gone: the warden hears DRAINED when all of its records are durable. */
void scribe_ring_ended(struct scribe *s, uint32_t instance);
/* Takes what the rings hold into the ledger and writes it; syncs when that is due or `now`. True when
 * there was anything. Sets is_full. */
bool scribe_store(struct scribe *s, bool now);
/* Signs a checkpoint. */
void scribe_mark(struct scribe *s);
/* Is there a record in any ring? */
bool scribe_has_backlog(struct scribe *s);
/* Writes a record of the scribe's own: `members` begins with a comma, or is empty. */
void scribe_note(struct scribe *s, const char *event, struct nk_str members);
