/* SPDX-License-Identifier: Apache-2.0
 *
 * role.h - what a role is given when it starts, and what it says to the warden.
 *
 * The control channel between a role and the warden is in control.h, the rings between roles in
 * ring.h.
 */
#pragma once

#include "base/arena.h"
#include "edge/tls.h"
#include "role/bundle.h"
#include "role/control.h"
#include "role/ring.h"

/* An audit ring. When its gate has ended, the scribe stores what it holds, says DRAINED and closes
 * it. */
struct nk_role_audit {
    uint32_t slot, instance;
    bool ended;
    struct nk_role_ring ring;
};

struct nk_role_start {
    enum nk_role role;
    uint32_t slot;       /* pair number, from 0; gate k and courier k share rings */
    uint32_t instance;   /* random number of this start: the audit records' gate number */
    uint32_t generation; /* of the configuration in `bundle` */
    uint64_t seed[2];    /* random, for nk_map_init */
    int control; /* non-blocking; watch it with EPOLLIN (not edge-triggered), then nk_control_recv */
    struct nk_arena arena;
    struct nk_bundle bundle; /* opened; the part for this role */
    int listeners
        [NK_ROLE_LISTENERS_MAX]; /* gate: as in config.listen, non-blocking; runner: its one */
    uint32_t listener_count;
    int admin;                          /* gate: listener of metrics and health, or -1 */
    struct nk_tls_tickets tickets;      /* gate */
    struct nk_role_ring calls, answers; /* gate, courier */
    struct nk_role_ring audit;          /* gate */
    int mail;                           /* gate: where it finds what others tell it … */
    int mails[NK_ROLE_PAIRS_MAX]; /* … and where it tells the gate of a slot, itself as well */
    uint32_t mail_count;          /* 0: there is neither, and no `used` */
    int used;                     /* gate: memory file, struct nk_used of all gates */
    struct nk_role_audit *audits; /* scribe */
    uint32_t audit_count;
    int stats;     /* memory file for nk_stats_open */
    uint32_t page; /* of it that this role writes */
    int state_dir; /* scribe: the directory of config.audit, opened; else -1 */
};

/* Each is a program of its own that returns its exit status. */
int nk_gate_main(struct nk_role_start *s);
int nk_courier_main(struct nk_role_start *s);
int nk_scribe_main(struct nk_role_start *s);
int nk_runner_main(struct nk_role_start *s);

struct nk_role_entry {
    const char *name; /* "gate" */
    enum nk_role role;
    int (*run)(struct nk_role_start *s);
};

/* After exec with "--role NAME": opens the log, ignores SIGINT, SIGTERM, SIGHUP, SIGUSR2 and
 * SIGPIPE (DRAIN is what ends a role), receives START, opens the bundle, runs that entry: the exit status. */
int nk_role_enter(const char *name, const struct nk_role_entry *roles, size_t count);
/* Gives up all that the role's line in roles.def does not promise. To be called once, when all is
 * opened that needs more than the promise, and before the first byte from the network is read.
 * Closes nothing. */
int nk_role_confine(const struct nk_role_start *s, struct nk_fault *f) NK_CHECKED;
/* Takes turns of 100 us on its processor. A role that waits for little and often runs at once when it is awakened then, not
 * when the one that awakened it has used up a turn of its own (sched_setattr(2), sched_runtime, from Linux 6.12 on; its
 * share stays the same). Elsewhere, and where it is not allowed, nothing changes. */
void nk_role_take_short_turns(void);
/* Opens a ring from its three descriptors, ready to wake either side; NULL when it is not one. */
struct nk_ring *nk_role_ring_open(const struct nk_role_ring *ring, bool producer) NK_CHECKED;
/* Closes those descriptors that are there and sets them to -1. */
void nk_role_ring_close(struct nk_role_ring *ring);
/* "gate", its promise (words of confine.def), and what it may at worst do: the rows of roles.def. */
const char *nk_role_name(enum nk_role role);
const char *nk_role_promise(enum nk_role role);
const char *nk_role_worst(enum nk_role role);

/* What a role says. */
int nk_role_ready(const struct nk_role_start *s, const struct nk_fault *why_not) NK_CHECKED;
int nk_role_prepared(const struct nk_role_start *s, uint32_t generation,
                     const struct nk_fault *why_not) NK_CHECKED;
int nk_role_drained(const struct nk_role_start *s, uint32_t instance) NK_CHECKED;
