/* SPDX-License-Identifier: Apache-2.0
 *
 * control.h - the control channel between the warden and a role.
 *
 *     warden --fork, exec--> "nakoso --role gate", descriptor 3 is one end of a SOCK_SEQPACKET pair
 *     warden --START---> descriptors and numbers: nk_role_enter makes a struct nk_role_start of it
 *     role   --READY---> warden
 *     warden --PREPARE-> all roles build the next configuration beside the running one
 *     role   --PREPARED> warden; then COMMIT for all when all could, else ABANDON for all
 *     warden --RINGS---> the peer died: these are the new rings; nothing comes on the old ones
 *     warden --DRAIN---> finish and exit with 0; the end of the channel means the same
 *
 * A message is one struct nk_control, sent as it is. After an upgrade the two ends are of different
 * versions, so the struct only ever grows at its end: what a shorter message lacks is as
 * nk_control_init leaves it, what a longer one has more is not read, and a kind that the receiver
 * does not know is passed over. The warden believes nothing in a message but the kinds that a role
 * may send.
 */
#pragma once

#include "edge/tls.h"

enum nk_role { NK_ROLE_WARDEN, NK_ROLE_GATE, NK_ROLE_COURIER, NK_ROLE_SCRIBE, NK_ROLE_COUNT };

enum {
    NK_ROLE_PAIRS_MAX = 64,   /* gate + courier pairs */
    NK_ROLE_AUDITS_MAX = 256, /* audit rings of the scribe: two a gate during an upgrade, and some
                                 of dead gates */
    NK_ROLE_LISTENERS_MAX = 16,
    NK_ROLE_CONTROL_FD = 3,
};

/* The descriptors of one ring; -1 where there is none. */
struct nk_role_ring {
    int memfd;   /* made by nk_ring_create */
    int eventfd; /* wakes the consumer, which watches it with EPOLLIN | EPOLLET and never reads it
                  */
    int backfd;  /* wakes the producer (space came, records became durable), watched the same way */
};

/* Numbers are for ever: new kinds come at the end. */
enum nk_control_kind {
    /* warden -> role */
    NK_CONTROL_START = 1,
    NK_CONTROL_AUDIT, /* scribe: `audit` of the gate `instance` in `slot` is new */
    NK_CONTROL_RINGS, /* gate, courier: `calls` and `answers` are new, the peer was started anew */
    NK_CONTROL_PREPARE, /* `bundle`, `generation`; gate: `listeners`, `admin` (unchanged ones are
                           duplicates of the same socket) */
    NK_CONTROL_COMMIT,  /* run on what was prepared as `generation`. Roles get it one after the
                           other: a courier takes calls of a prepared generation, too */
    NK_CONTROL_ABANDON, /* forget what was prepared */
    NK_CONTROL_DRAIN,   /* accept nothing more, finish what is in flight within `grace_ms`, exit(0);
                           a second one says how long that may take from now on. The scribe stores
                           what has come; without a grace it leaves the rest to its successor */
    NK_CONTROL_PING,    /* are you there? nk_control_recv answers, and returns NK_EAGAIN */
    /* role -> warden */
    NK_CONTROL_READY,    /* serves; with `code` != 0 it cannot, `text` says why, and it exits */
    NK_CONTROL_PREPARED, /* `generation` could (code 0) or could not (`text`) be built */
    NK_CONTROL_DRAINED,  /* scribe: all records of the gate `instance`, which ended, are durable */
    NK_CONTROL_PONG,
    /* warden -> role */
    NK_CONTROL_ENDED,   /* scribe: the gate `instance` is gone, its ring gets nothing more */
    NK_CONTROL_TICKETS, /* gate: from now on with these `tickets` */
    NK_CONTROL_MAIL,    /* gate: `mail` is where the gate of `slot` is told something */
    NK_CONTROL_KINDS,
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
    /* START only */
    enum nk_role role;
    uint64_t seed[2];
    uint32_t audit_count; /* so many AUDIT messages follow */
    uint32_t log_level;   /* enum nk_log_level */
    int stats, state_dir;
    uint32_t page;                 /* of the counters: nk_stats_page */
    uint32_t ended;                /* AUDIT: 1 when the gate is gone already */
    struct nk_tls_tickets tickets; /* START, TICKETS; to gates only */
    int mail;                      /* START: what others tell this gate; MAIL */
    uint32_t mail_count;           /* so many MAIL messages follow, behind those of AUDIT */
};

/* A message of that kind with no descriptors. */
void nk_control_init(struct nk_control *m, enum nk_control_kind kind);
/* Sends with duplicates of the descriptors; the caller keeps its own. NK_EAGAIN when the other side
 * does not read, NK_EIO when it is gone. */
int nk_control_send(int fd, const struct nk_control *m) NK_CHECKED;
/* The next message: 0, NK_EAGAIN when there is none (or one that is not for the caller), NK_EIO
 * when the other side is gone (a role then drains and exits), NK_EINVAL for what is not a message.
 * Descriptors are close-on-exec. */
int nk_control_recv(int fd, struct nk_control *out) NK_CHECKED;
/* Closes the descriptors that came with a message (listeners: the first listener_count). */
void nk_control_close(struct nk_control *m);
