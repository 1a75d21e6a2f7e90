/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.h - the gate's process: client connections on one side, rings to courier and scribe on the
 * other, and between them one nk_txn for each request. Private to the gate's files.
 *
 * An idle connection is this struct and nothing else: buffers, parser and transaction exist only
 * while a request does, in the request's own arena.
 */
#pragma once

#include "edge/loop.h"
#include "edge/sock.h"
#include "gate/gate.h"
#include "role/role.h"
#include "role/stats.h"
#include "role/wire.h"

enum {
    GATE_READ_SIZE = 64 << 10,
    GATE_NO_SLOT = UINT32_MAX & 0x7fffffff,
    GATE_RECORDS_MAX = 4, /* records of one request that wait for room in the audit ring */
};

struct gate;

struct gate_listener {
    struct nk_watch watch;
    struct gate *gate;
    struct nk_tls *tls;
    bool admin;
};

enum conn_state {
    CONN_IDLE,   /* between requests */
    CONN_HEAD,   /* first byte seen, head incomplete */
    CONN_BODY,   /* head seen, body incomplete */
    CONN_BUSY,   /* the request is complete or refused; its answer is not */
    CONN_LINGER, /* answered; the rest of what the client sends is thrown away */
    CONN_DEAD,   /* closed; freed at the end of the batch */
};

/* One request; lives in its own arena. */
struct gate_request {
    struct nk_arena arena;
    struct nk_http_parser *parser;
    struct nk_txn *txn; /* NULL on admin connections */
    int64_t started_us, decided_us;
    uint32_t slot;      /* index in gate->slots, or GATE_NO_SLOT */
    bool call_waiting;  /* some of the call is not in the ring yet */
    bool body_complete; /* nothing more of it is on the wire */
    bool chunked;       /* the answer is */
    bool close_after;   /* the client or we want no further request on this connection */
    bool answer_begun;  /* something of the answer has come */
    bool head_sent;     /* the call's first record is in the ring */
    struct nk_str wire; /* the call's head, encoded */
    size_t call_sent;   /* bytes of txn->call.body in the ring already */
    uint32_t ungranted; /* answer bytes received and not yet granted again */
    uint64_t answer_at; /* bytes of the answer's body that have come */
    struct nk_str records[GATE_RECORDS_MAX];
    size_t record_count;
};

struct gate_conn {
    struct nk_watch watch;
    struct nk_timer timer;
    struct nk_later later;
    struct gate *gate;
    struct nk_sock sock;
    enum conn_state state;
    bool admin, readable, writable, gone, dirty, blocked, close_after_flush;
    bool answered;       /* complete or cut; only records keep the request */
    int64_t deadline_us; /* what ends the present state; 0: nothing */
    uint64_t hold_until; /* strict audit: records that must be durable before bytes leave */
    struct gate_request *req;
    struct nk_buf out;                           /* bytes that the socket has not taken yet */
    struct nk_buf rest;                          /* bytes behind the current request (pipelining) */
    struct gate_conn *next_dirty, *next_blocked; /* lists of those with work waiting */
    struct gate_conn *prev, *next;               /* list of all */
};

struct gate_slot {
    struct gate_conn *conn; /* NULL: free, or to be cancelled */
    uint32_t generation;
    uint32_t next; /* in the list of free ones, or of those to be cancelled */
};

struct gate {
    struct nk_role_start *start;
    struct nk_loop *loop;
    struct nk_setup *setup, *prepared;
    struct nk_ring *calls, *answers, *audit;
    struct nk_watch answers_watch, audit_watch, control_watch;
    struct nk_stats stats;
    struct gate_listener listeners[NK_ROLE_LISTENERS_MAX + 1];
    size_t listener_count;
    struct gate_slot *slots;
    uint32_t slot_count, free_slot, cancel_slot; /* lists; cancel: the courier must be told */
    uint32_t generation; /* of the slot taken last: no two slots ever have the same */
    struct gate_conn *conns, *dirty, *blocked; /* blocked: see gate_ring.c */
    size_t conn_count;
    uint32_t in_flight;
    uint64_t requests;
    bool accepting_stopped, draining;
    struct nk_timer drain_timer, fetch_timer, accept_timer;
    size_t fetch_count;                    /* issuers */
    int64_t *fetch_due_us, *fetched_at_us; /* for each issuer: next and last fetch */
    struct nk_buf *fetched;                /* for each issuer: document under way */
    struct nk_control prepared_with;       /* descriptors that come into use by COMMIT */
    struct nk_tls *prepared_tls[NK_ROLE_LISTENERS_MAX];
    char read_buffer[GATE_READ_SIZE];
};

/* gate_conn.c */
void gate_conn_accept(struct nk_watch *w, uint32_t events);
void gate_conn_run(struct gate_conn *c);
void gate_conn_close(struct gate_conn *c);
void gate_conn_deadline(struct gate_conn *c, int64_t after_ms);
void gate_request_done(struct gate_conn *c);

/* gate_reply.c: carries out the effects of a step; flushes what may leave. */
void gate_effects(struct gate_conn *c, unsigned fx);
void gate_mark_dirty(struct gate_conn *c);
void gate_flush_all(struct gate *g);
bool gate_has_flushable(struct gate *g);
void gate_reply_whole(struct gate_conn *c, int status, struct nk_str type, struct nk_str body);

/* gate_ring.c */
int gate_slots_new(struct gate *g, uint32_t n) NK_CHECKED;
void gate_call_start(struct gate_conn *c);
void gate_call_deadline(struct gate_conn *c);
void gate_call_timeout(struct gate_conn *c);
void gate_call_abort(struct gate_conn *c);
void gate_call_forget(struct gate_conn *c);
bool gate_records_put(struct gate_conn *c);
void gate_block(struct gate_conn *c);
void gate_unblock_all(struct gate *g);
bool gate_blocked_may_sleep(struct gate *g);
bool gate_answers_drain(struct gate *g);
void gate_courier_lost(struct gate *g);
void gate_credit(struct gate_conn *c);
bool gate_audit_full(const struct gate *g);

/* gate_fetch.c: key sets of issuers, through the courier. */
int gate_fetch_start(struct gate *g) NK_CHECKED;
void gate_fetch_arrived(struct gate *g, const struct nk_ring_record *rec);

void gate_admin_answer(struct gate_conn *c, const struct nk_http_head *head);

struct nk_setup *gate_setup_load(const struct nk_role_start *s, const struct nk_bundle *b,
                                 uint32_t generation, struct nk_fault *f) NK_CHECKED;
