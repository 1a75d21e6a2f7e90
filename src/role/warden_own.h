/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_own.h - the warden's own state, shared by its files:
 *
 *     warden.c         the loop, signals, start and stop
 *     warden_child.c   one role process: fork and exec, its messages, its death, its restart
 *     warden_ring.c    rings of pairs, audit rings of gates (dead ones until they are drained)
 *     warden_setup.c   one configuration: bundles and listeners
 *     warden_reload.c  PREPARE, votes, COMMIT or ABANDON
 *     warden_client.c  the Unix socket of `nakoso reload` and `nakoso status` */
#pragma once

#include "edge/log.h"
#include "edge/loop.h"
#include "role/stats.h"
#include "role/warden.h"
#include "role/warden_ticket.h"

enum {
    WARDEN_CLIENTS_MAX = 4,
    WARDEN_BACKOFF_FIRST_MS = 100,
    WARDEN_BACKOFF_MAX_MS = 5000,
    WARDEN_PING_MS = 10000,
    WARDEN_PINGS_MISSED_MAX = 3,
    WARDEN_VOTE_MS = 30000,
    WARDEN_COURIER_GRACE_MS = 2000,
    WARDEN_SCRIBE_GRACE_MS = 30000,
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
    enum warden_child_state state;
    int pid, control;
    unsigned crashes, pings_missed;
    bool has_vote; /* of the running reload, not given yet; or COMMIT not confirmed */
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

struct warden_client {
    struct warden *warden;
    struct nk_watch watch; /* fd -1: free */
    bool waits;            /* for the running reload */
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
    struct nk_timer vote;
    struct warden_tickets tickets;
    struct warden_pair *pairs;
    struct warden_child scribe;
    struct nk_role_audit audits[NK_ROLE_AUDITS_MAX];
    uint32_t audit_count;
    int state_dir, null_fd, stats_fd;
    struct nk_stats stats;
    struct nk_watch signals, client_listener;
    struct nk_timer ping, patience; /* patience: of the running phase of a stop */
    struct warden_client clients[WARDEN_CLIENTS_MAX];
    char client_path[128];
};

/* warden.c */
void warden_progress(struct warden *w); /* a child became ready or ended: what is next? */
void warden_stop(struct warden *w, int exit_code);
/* warden_child.c */
void warden_child_init(struct warden_child *c, struct warden *w, enum nk_role r, uint32_t slot);
void warden_child_start(struct warden_child *c);
void warden_child_send(struct warden_child *c, const struct nk_control *m);
void warden_child_drain(struct warden_child *c, int64_t grace_ms);
void warden_child_kill(struct warden_child *c);
void warden_child_ping(struct warden_child *c);
bool warden_child_is_up(const struct warden_child *c);
/* The i-th child: the scribe, then gate 0, courier 0, gate 1 …; NULL behind the last. */
struct warden_child *warden_child_at(struct warden *w, size_t i);
/* warden_ring.c */
int warden_ring_begin(struct warden *w);            /* all rings of all pairs */
void warden_ring_renew(struct warden_child *dead);  /* and tell the others */
bool warden_ring_ready(struct warden_child *child); /* its rings are fresh */
void warden_ring_drained(struct warden *w, uint32_t instance);
const struct nk_role_audit *warden_ring_audit(const struct warden *w, uint32_t slot);
void warden_ring_end(struct warden *w);
/* warden_setup.c */
struct warden_setup *warden_setup_load(struct warden *w, const struct warden_setup *old,
                                       struct nk_fault *f);
void warden_setup_free(struct warden_setup *s, const struct warden_setup *other);
void warden_setup_fill(const struct warden_setup *s, const struct warden_child *c,
                       struct nk_control *m); /* bundle, listeners, generation */
/* warden_reload.c */
void warden_reload(struct warden *w, struct warden_client *client);
void warden_reload_vote(struct warden_child *c, const struct nk_control *m);
void warden_reload_pong(struct warden_child *c);
void warden_reload_death(struct warden_child *c);
void warden_reload_timeout(struct nk_timer *t);
/* warden_client.c */
int warden_client_check(const char *path, struct nk_fault *f); /* NK_ECONFLICT: one answers */
int warden_client_begin(struct warden *w, struct nk_fault *f);
void warden_client_answer(struct warden *w, const char *text); /* to those who wait */
void warden_client_end(struct warden *w);
