/* SPDX-License-Identifier: Apache-2.0
 *
 * warden_upgrade.h - from one binary to the next: see warden_upgrade.c for the story. Private to the
 * warden's files.
 */
#pragma once

#include "edge/loop.h"
#include "role/control.h"

enum { WARDEN_VERSION_MAX = 32, WARDEN_SAID_MAX = 4096 };
/* So many bundles are in "sealed" of the state: the first version that had a state knew no more roles. */
enum { WARDEN_SEALED_FIRST = NK_ROLE_RUNNER };

struct warden;
struct warden_child;
struct warden_client;
struct warden_pair;
struct warden_setup;

enum warden_upgrade_stage {
    WARDEN_UPGRADE_NONE,
    /* the old binary */
    WARDEN_UPGRADE_WAIT,  /* for a running reload */
    WARDEN_UPGRADE_ASK,   /* the new one for its protocol */
    WARDEN_UPGRADE_CHECK, /* the new one reads the configuration and the state */
    /* the new binary, in the same process */
    WARDEN_UPGRADE_SET,    /* the scribe keeps the policies that are to be named */
    WARDEN_UPGRADE_START,  /* new pairs beside the old ones */
    WARDEN_UPGRADE_LEAVE,  /* the old ones finish what they have */
    WARDEN_UPGRADE_RUNNER, /* it is the runner's turn, if there is one */
    WARDEN_UPGRADE_SCRIBE, /* … the scribe's */
    WARDEN_UPGRADE_UNDO,   /* new pairs did not come up: they go, and the old binary comes back */
};

/* Another binary, run with two or three words; what it said and how it ended. */
struct warden_probe {
    struct warden *warden;
    int pid, binary;
    struct nk_watch pid_watch, out;
    struct nk_timer timer;
    size_t size;
    char said[WARDEN_SAID_MAX];
    void (*done)(struct warden *w, bool good, const char *said);
};

struct warden_upgrade {
    enum warden_upgrade_stage stage;
    char path[256];                   /* of the binary: what a restart would run */
    char version[WARDEN_VERSION_MAX]; /* of the other binary */
    int binary;     /* the other one: the new one before exec, the old one after it */
    int self;       /* this one, for the way back; opened before exec */
    bool is_undone; /* this binary was left and came back: `why` */
    char why[240];
    struct warden_setup *setup; /* of the old binary, until there is no way back */
    int64_t started;            /* the warden's, Unix time */
    uint64_t layout;            /* of the counters: nk_stats_layout */
    struct nk_timer timer;
    struct warden_probe probe;
};

/* warden_probe.c: runs w->upgrade.binary as "nakoso WORD…"; `state` >= 0 is its descriptor 3. */
int warden_probe_start(struct warden *w, const char *const *words, int state,
                       void (*done)(struct warden *w, bool good, const char *said)) NK_CHECKED;
void warden_probe_end(struct warden *w);

/* warden_state.c: everything in a sealed memory file; its descriptor or NK_E…. `pairs` are those
 * that the other binary is to find. */
int warden_state_write(struct warden *w, struct warden_pair *pairs) NK_CHECKED;
/* Whether the descriptors of the state live through exec. */
int warden_state_share(struct warden *w, struct warden_pair *pairs, bool share) NK_CHECKED;
/* warden_state_read.c: fills `w` from the file. Touches no descriptor. */
int warden_state_read(struct warden *w, int fd, struct nk_fault *f) NK_CHECKED;

/* warden_upgrade.c */
void warden_upgrade_init(struct warden *w); /* at the start: which file is this? */
void warden_upgrade(struct warden *w, struct warden_client *client);
/* Becomes the open file w->upgrade.binary; returns when that cannot be, with nothing changed. */
int warden_upgrade_exec(struct warden *w, struct warden_pair *pairs) NK_CHECKED;
/* Without success: answers, and nakoso goes on as it is. */
void warden_upgrade_fail(struct warden *w, const char *why);
/* Nothing is under way any more. */
void warden_upgrade_over(struct warden *w, const char *answer);
/* warden_replace.c: in the new binary */
int warden_adopt(struct warden *w, struct nk_fault *f) NK_CHECKED; /* all that the state names */
void warden_upgrade_begin(struct warden *w);
void warden_replace_progress(struct warden *w);
void warden_upgrade_progress(struct warden *w); /* a child became ready or ended, a reload ended */
/* A child is dead; true when that is the upgrade's affair. */
bool warden_upgrade_death(struct warden_child *c);
/* The scribe has tried to keep the policies of the new configuration. */
void warden_upgrade_vote(struct warden *w);
void warden_upgrade_end(struct warden *w); /* the warden stops */
bool warden_upgrade_runs(const struct warden *w);
