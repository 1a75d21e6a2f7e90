/* SPDX-License-Identifier: Apache-2.0
 *
 * role.h - what a role is given when it starts, and the control channel between it and the warden.
 *
 *     warden --fork, exec--> "nakoso --role gate", descriptor 3 is one end of a SOCK_SEQPACKET pair
 *     warden --START---> descriptors and numbers: nk_role_enter makes a struct nk_role_start of it
 *     role   --READY---> warden
 *     warden --PREPARE-> all roles build the next configuration beside the running one
 *     role   --PREPARED> warden; then COMMIT for all when all could, else ABANDON for all
 *     warden --RINGS---> the peer died: these are the new rings; nothing comes on the old ones
 *     warden --DRAIN---> finish and exit with 0; the end of the channel means the same
 *
 * A message is one struct nk_control, sent as it is: both ends are the same binary. The warden
 * believes nothing in it but the kinds that a role may send. The ring protocol is in ring.h.
 */
#pragma once

#include "base/arena.h"
#include "edge/tls.h"
#include "role/bundle.h"
#include "role/ring.h"

enum nk_role { NK_ROLE_WARDEN, NK_ROLE_GATE, NK_ROLE_COURIER, NK_ROLE_SCRIBE, NK_ROLE_COUNT };

enum {
    NK_ROLE_PAIRS_MAX = 64,   /* gate + courier pairs */
    NK_ROLE_AUDITS_MAX = 128, /* audit rings of the scribe: one a gate, and some of dead gates */
    NK_ROLE_LISTENERS_MAX = 16,
    NK_ROLE_CONTROL_FD = 3,
};

/* The descriptors of one ring; -1 where there is none. */
struct nk_role_ring {
    int memfd;   /* made by nk_ring_create */
    int eventfd; /* wakes the consumer, which watches it with EPOLLIN | EPOLLET, never reads it */
    int backfd;  /* wakes the producer (space came, records became durable), watched the same way */
};

/* An audit ring: entries of one slot are in order of age, and all but the last belong to gates that
 * are dead. The scribe stores what those hold, then says DRAINED and closes them. */
struct nk_role_audit {
    uint32_t slot, instance;
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
    struct nk_bundle bundle;              /* opened; the part for this role */
    int listeners[NK_ROLE_LISTENERS_MAX]; /* gate: as in config.listen, non-blocking */
    uint32_t listener_count;
    int admin;                          /* gate: listener of metrics and health, or -1 */
    struct nk_tls_tickets tickets;      /* gate */
    struct nk_role_ring calls, answers; /* gate, courier */
    struct nk_role_ring audit;          /* gate */
    struct nk_role_audit *audits;       /* scribe */
    uint32_t audit_count;
    int stats;     /* memory file for nk_stats_open; page: nk_stats_page(role, slot) */
    int state_dir; /* scribe: the directory of config.audit, opened; else -1 */
};

/* Each is a program of its own that returns its exit status. */
int nk_gate_main(struct nk_role_start *s);
int nk_courier_main(struct nk_role_start *s);
int nk_scribe_main(struct nk_role_start *s);

struct nk_role_entry {
    const char *name; /* "gate" */
    enum nk_role role;
    int (*run)(struct nk_role_start *s);
};

/* After exec with "--role NAME": opens the log, ignores SIGINT, SIGTERM, SIGHUP and SIGPIPE (DRAIN
 * is what ends a role), receives START, opens the bundle, runs that entry: the exit status. */
int nk_role_enter(const char *name, const struct nk_role_entry *roles, size_t count);
/* Gives up all that the role's line in roles.def does not promise. To be called once, when all is
 * opened that needs more than the promise, and before the first byte from the network is read.
 * Closes nothing. */
int nk_role_confine(const struct nk_role_start *s, struct nk_fault *f) NK_CHECKED;
/* Opens a ring from its three descriptors, ready to wake either side; NULL when it is not one. */
struct nk_ring *nk_role_ring_open(const struct nk_role_ring *ring, bool producer) NK_CHECKED;
/* Closes those descriptors that are there and sets them to -1. */
void nk_role_ring_close(struct nk_role_ring *ring);
/* "gate", its promise (words of confine.def), and what it may at worst do: the rows of roles.def. */
const char *nk_role_name(enum nk_role role);
const char *nk_role_promise(enum nk_role role);
const char *nk_role_worst(enum nk_role role);

/* The control channel ------------------------------------------------------------------------ */
enum nk_control_kind {
    /* warden -> role */
    NK_CONTROL_START = 1,
    NK_CONTROL_AUDIT, /* scribe: `audit` of `slot` and `instance` is new; older ones of the slot
                         are of dead gates */
    NK_CONTROL_RINGS, /* gate, courier: `calls` and `answers` are new, the peer was started anew */
    NK_CONTROL_PREPARE, /* `bundle`, `generation`; gate: `listeners`, `admin` (unchanged ones are
                           duplicates of the same socket) */
    NK_CONTROL_COMMIT,  /* run on what was prepared as `generation`. Roles get it one after the
                           other: a courier takes calls of a prepared generation, too */
    NK_CONTROL_ABANDON, /* forget what was prepared */
    NK_CONTROL_DRAIN, /* accept nothing more, finish what is in flight within `grace_ms`, exit(0) */
    NK_CONTROL_TICKETS, /* gate: from now on with these `tickets` */
    NK_CONTROL_PING,    /* are you there? nk_control_recv answers, and returns NK_EAGAIN */
    /* role -> warden */
    NK_CONTROL_READY,    /* serves; with `code` != 0 it cannot, `text` says why, and it exits */
    NK_CONTROL_PREPARED, /* `generation` could (code 0) or could not (`text`) be built */
    NK_CONTROL_DRAINED,  /* scribe: all records of the dead gate `instance` are durable */
    NK_CONTROL_PONG,
};

struct nk_control {
    enum nk_control_kind kind;
    uint32_t generation, slot, instance, grace_ms;
    int code;       /* 0 or NK_E… */
    char text[240]; /* NUL-terminated */
    /* Descriptors: -1 is none. The receiver owns them. */
    int bundle;
    struct nk_role_ring calls, answers, audit;
    int listeners[NK_ROLE_LISTENERS_MAX];
    uint32_t listener_count;
    int admin;
    struct nk_tls_tickets tickets; /* START, TICKETS; to gates only */
    /* START only */
    enum nk_role role;
    uint64_t seed[2];
    uint32_t audit_count; /* so many AUDIT messages follow */
    uint32_t log_level;   /* enum nk_log_level */
    int stats, state_dir;
};

/* A message of that kind with no descriptors. */
void nk_control_init(struct nk_control *m, enum nk_control_kind kind);
/* Sends with duplicates of the descriptors; the caller keeps its own. NK_EAGAIN when the other side
 * does not read, NK_EIO when it is gone. */
int nk_control_send(int fd, const struct nk_control *m) NK_CHECKED;
/* The next message: 0, NK_EAGAIN when there is none, NK_EIO when the other side is gone (a role
 * then drains and exits), NK_EINVAL for what is not a message. Descriptors are close-on-exec. */
int nk_control_recv(int fd, struct nk_control *out) NK_CHECKED;
/* Closes the descriptors that came with a message (listeners: the first listener_count). */
void nk_control_close(struct nk_control *m);

int nk_role_ready(const struct nk_role_start *s, const struct nk_fault *why_not) NK_CHECKED;
int nk_role_prepared(const struct nk_role_start *s, uint32_t generation,
                     const struct nk_fault *why_not) NK_CHECKED;
int nk_role_drained(const struct nk_role_start *s, uint32_t instance) NK_CHECKED;
