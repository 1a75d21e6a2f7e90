/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_own.h - the warden's own state, shared by its files:
 *
 *     warden.c         the loop, signals, start and stop
 *     warden_child.c   one role process: fork and exec, its messages, its death, its restart
 *     warden_ring.c    rings of pairs, audit rings of gates (dead ones until they are drained)
 *     warden_setup.c   one configuration: bundles and listeners
 *     warden_reload.c  PREPARE, votes, COMMIT or ABANDON
 *     warden_client.c  the Unix socket of `nakoso reload`, `nakoso upgrade` and `nakoso status`
 *     warden_probe.c   asks another binary whether it could take over
 *     warden_state.c   all of this as a sealed memory file, for the next binary
 *     warden_state_read.c … and back
 *     warden_upgrade.c from one binary to the next: checks, and exec
 *     warden_replace.c the new binary puts its own roles in the place of the old ones */
#pragma once

#include "edge/log.h"
#include "edge/loop.h"
#include "role/stats.h"
#include "role/warden.h"
#include "role/warden_ticket.h"
#include "role/warden_upgrade.h"

enum {
    WARDEN_CLIENTS_MAX = 4,
    WARDEN_BACKOFF_FIRST_MS = 100,
    WARDEN_BACKOFF_MAX_MS = 5000,
    WARDEN_PING_MS = 10000,
    WARDEN_PINGS_MISSED_MAX = 3,
    WARDEN_VOTE_MS = 30000,
    WARDEN_COURIER_GRACE_MS = 2000,
    WARDEN_SCRIBE_GRACE_MS = 30000,
    WARDEN_KILL_AFTER_MS = 1000,
};

enum warden_child_state {
    WARDEN_DOWN,
    WARDEN_STARTING, /* exec'd, not READY yet */
    WARDEN_READY,
    WARDEN_LEAVING, /* told to drain */
};

struct warden;

struct warden_child {
    struct warden *warden;
    enum nk_role role;
    uint32_t slot, instance;
    uint32_t page; /* of the counters */
    enum warden_child_state state;
    int pid, control;
    unsigned crashes, pings_missed;
    bool has_vote;    /* of the running reload, not given yet; or COMMIT not confirmed */
    bool is_outgoing; /* of the version before: it has a successor, or will have one */
    char version[WARDEN_VERSION_MAX];
    struct nk_watch pid_watch, control_watch;
    struct nk_timer restart, settle; /* settle: served long enough, crashes are forgotten */
};

struct warden_pair {
    struct warden_child gate, courier;
    struct nk_role_ring calls, answers;
    bool is_stale; /* new rings could not be made when a side died */
};

/* One address; a Unix socket has one descriptor for all gates, TCP one for each (SO_REUSEPORT). */
struct warden_listener {
    char address[128];
    bool is_shared;
    int fds[NK_ROLE_PAIRS_MAX];
};

/* A configuration with all that is open because of it. */
struct warden_setup {
    struct nk_arena arena;
    struct nk_config config;
    uint32_t generation;
    int sealed[NK_ROLE_COUNT]; /* bundle of each role */
    struct warden_listener listeners[NK_ROLE_LISTENERS_MAX];
    size_t listener_count;
    struct warden_listener admin; /* address "" : none */
};

enum warden_wait { WARDEN_WAITS_NOT, WARDEN_WAITS_RELOAD, WARDEN_WAITS_UPGRADE };

struct warden_client {
    struct warden *warden;
    struct nk_watch watch; /* fd -1: free */
    enum warden_wait waits;
    size_t size;
    char line[32];
};

enum warden_phase {
    WARDEN_BEGIN, /* not everything was ready yet: a death is the end */
    WARDEN_RUN,
    WARDEN_STOP_GATES,
    WARDEN_STOP_COURIERS,
    WARDEN_STOP_SCRIBE,
};

struct warden {
    const char *config_file;
    struct nk_warden_options options;
    struct nk_loop *loop;
    enum warden_phase phase;
    int exit_code;
    uint32_t workers, generations;     /* tried: no late vote counts for another one */
    struct warden_setup *setup, *next; /* next: while votes come in */
    bool is_committing;                /* all voted yes, not all have confirmed */
    bool is_reload_wanted;             /* asked for during an upgrade: comes behind it */
    struct nk_timer vote;
    struct warden_tickets tickets;
    struct warden_pair *pairs, *outgoing; /* outgoing: of the version before, during an upgrade */
    struct warden_child scribe;
    struct nk_role_audit audits[NK_ROLE_AUDITS_MAX];
    uint32_t audit_count;
    int mails[NK_ROLE_PAIRS_MAX][2]; /* of the gates: where each reads, where all write */
    uint32_t mail_count;
    int state_dir, null_fd, stats_fd;
    struct nk_stats stats;
    unsigned turn; /* of the counters' pages: see stats.h */
    struct nk_watch signals, client_listener;
    struct nk_timer ping, patience; /* patience: of the running phase of a stop */
    struct warden_client clients[WARDEN_CLIENTS_MAX];
    char client_path[128];
    struct warden_upgrade upgrade;
};

#include "role/warden_parts.h"
