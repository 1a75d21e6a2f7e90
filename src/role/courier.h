/* SPDX-License-Identifier: Apache-2.0
 *
 * courier.h - private to the courier. Its parts, from the inside out:
 *
 *   courier_config.c    one generation of the configuration: upstreams, credentials, key-set URLs
 *   exchange.c          one request and its answer, over a link; time limits; the one retry
 *   link.c              connections: made, kept, reused, closed
 *   courier_call.c      a call of the gate is an exchange between a ring and an upstream
 *   courier_fetch.c     a key set is an exchange whose answer is kept until it is whole
 *   courier.c           rings, the control channel, life
 *
 * An exchange holds a link while it runs; an idle link waits in its upstream's pool; both hold
 * their generation, so that a reload ends nothing that is in flight.
 */
#pragma once

#include "config/config.h"
#include "edge/loop.h"
#include "role/origin.h"
#include "role/resolve.h"
#include "role/role.h"
#include "role/stats.h"
#include "role/wire.h"

struct courier;
struct exchange;

enum {
    COURIER_STREAMS = 65536,
    COURIER_READ = 32768, /* bytes of one read from an upstream */
    COURIER_HEAD = 16384, /* largest head of an answer */
    COURIER_HEADERS = 128,
    COURIER_ROOM = COURIER_READ + 2 * COURIER_HEAD + 256, /* of the ring, before a read */
    COURIER_FETCH_MAX = 262144,                           /* largest key set */
};

struct link {
    struct nk_watch watch;
    struct nk_timer timer; /* idle: how long it is kept */
    struct nk_later later;
    struct courier *c;
    struct upstream *up;
    struct nk_sock sock;
    struct exchange *x;       /* NULL: idle, or closed */
    struct link *next, *prev; /* in the pool, newest first */
    bool connecting;
    bool established; /* bytes of a request were taken, so any handshake is over */
    bool reused;
    bool needs_read; /* TLS must read before it can write */
    bool closed;
};

struct upstream {
    struct courier_config *config;
    struct nk_origin origin;
    struct nk_tls *tls; /* NULL: plain */
    struct nk_tls_session session;
    struct nk_str auth_name, auth_value; /* absent: none is sent */
    int64_t connect_us, first_byte_us, idle_us;
    size_t pool_max, pool_count;
    struct link *pool;
    struct nk_addresses addresses;
    int64_t fresh_until;
    bool public_only; /* addresses from name servers must not be suspect */
    bool looking_up;
    struct exchange *waiting; /* for the address */
};

struct courier_config {
    struct courier *c;
    uint32_t generation;
    size_t refs;
    struct nk_arena arena;
    struct nk_bundle bundle;
    struct nk_config config;
    struct nk_str hosts;
    struct upstream *upstreams; /* as in config.upstreams */
    struct upstream *key_sets;  /* as in config.issuers; those from files are empty */
};

/* What an exchange is for. */
struct exchange_kind {
    /* How many bytes may be read now; 0 pauses until exchange_resume. */
    size_t (*allow)(struct exchange *x);
    /* What one read brought: the head (once, first), a piece of the body, the end (then *x is freed
     * by nk_loop_later). */
    void (*answer)(struct exchange *x, const struct nk_http_head *head, struct nk_str body,
                   bool end);
    /* It is over; enum nk_wire_fail. */
    void (*fail)(struct exchange *x, int code, const char *why);
    void (*free)(struct nk_later *l);
};

struct exchange {
    const struct exchange_kind *kind;
    struct courier *c;
    struct upstream *up;
    struct link *link;
    struct exchange *next_waiting;
    struct nk_later later;
    struct nk_timer timer;
    int64_t deadline;
    struct nk_arena arena;
    struct nk_http_parser *parser;
    uint64_t max_body;
    struct nk_buf out; /* the request, as far as it may have to be sent (again) */
    size_t sent;
    bool complete;  /* the whole request is in `out` (or was sent) */
    bool delivered; /* and sent */
    bool safe;      /* may be sent twice: GET, HEAD, OPTIONS */
    bool is_head;
    bool answered; /* a byte of the answer came */
    bool retried, paused, over;
    size_t address; /* the one being tried */
};

struct courier {
    struct nk_loop *loop;
    struct nk_role_start *start;
    struct nk_resolver *resolver;
    struct nk_tls *system_tls; /* NULL: see tls_fault */
    struct nk_fault tls_fault;
    struct nk_stats stats;
    struct nk_ring *calls, *answers;
    struct nk_role_ring call_fds, answer_fds;
    struct nk_watch call_watch, answer_watch, control;
    struct courier_config *current, *previous, *prepared;
    struct call **slots;   /* by stream */
    uint32_t *newest;      /* by stream: generation of the latest call; 0: none yet */
    struct call *blocked;  /* have something to read or say, but the ring is full */
    struct fetch *fetches; /* running, or on their way into the ring */
    size_t live;           /* calls */
    struct nk_buf scratch; /* heads on their way */
    char *read;            /* COURIER_READ bytes */
    struct nk_timer grace;
    bool draining;
};

/* courier_config.c */
struct courier_config *courier_config_new(struct courier *c, uint32_t generation, int bundle,
                                          struct nk_fault *f) NK_CHECKED;
void courier_config_drop(struct courier_config *g);
struct courier_config *courier_config_find(struct courier *c, uint32_t generation);

/* link.c */
struct link *link_take(struct upstream *up) NK_CHECKED; /* from the pool, or NULL */
struct link *link_connect(struct upstream *up, const struct nk_address *to) NK_CHECKED;
void link_keep(struct link *l); /* into the pool, or closed */
void link_close(struct link *l);
void link_watch(struct link *l);
void link_close_pool(struct upstream *up);

/* exchange.c: `head` and `body` are sent or copied; `complete`: nothing more follows. */
void exchange_start(struct exchange *x, struct nk_str head, struct nk_str body, bool complete);
void exchange_more(struct exchange *x, struct nk_str body, bool complete);
void exchange_resume(struct exchange *x);
void exchange_cancel(
    struct exchange *x); /* closes the link at once; *x is freed, `fail` not called */
void exchange_fail(struct exchange *x, int code, const char *why);
void exchange_ready(struct link *l, uint32_t events);
/* Finds addresses of x->up, then calls exchange_addressed; `why` NULL: there are some. */
void courier_look_up(struct exchange *x);
void exchange_addressed(struct exchange *x, const char *why);

/* courier_call.c and courier_fetch.c */
void courier_call(struct courier *c, const struct nk_ring_record *rec);
void courier_body(struct courier *c, const struct nk_ring_record *rec);
void courier_abort(struct courier *c, const struct nk_ring_record *rec);
void courier_credit(struct courier *c, const struct nk_ring_record *rec);
bool courier_unblock(struct courier *c); /* true: some went on */
void courier_abort_all(struct courier *c);
void courier_fetch(struct courier *c, const struct nk_ring_record *rec);
bool courier_fetch_answers(struct courier *c);
bool courier_fetch_is_pending(const struct courier *c); /* has a document to say */
