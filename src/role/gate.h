/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.h - the gate's process: client connections on one side, rings to courier and scribe on the
 * other, and between them one nk_txn for each request. Private to the gate's files.
 *
 * An idle connection is this struct and nothing else: buffers, parser and transaction exist only
 * while a request does, in the request's own arena.
 */
#pragma once

#include "role/gate_conn.h"
#include "role/role.h"
#include "role/stats.h"
#include "role/wire.h"

enum {
    GATE_READ_SIZE = 64 << 10,
    GATE_NO_SLOT = UINT32_MAX & 0x7fffffff,
};

struct gate_listener {
    struct nk_watch watch;
    struct gate *gate;
    struct nk_tls *tls;
    bool admin;
};

struct gate_slot {
    struct gate_conn *conn; /* NULL: free, or to be cancelled */
    uint32_t generation;
    uint32_t next; /* in the list of free ones, or of those to be cancelled */
};

struct gate_telemetry {
    uint64_t key[2]; /* what the ids of traces are made with */
    uint64_t made;   /* random words so far */
    uint32_t decisions;
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
    uint32_t generation;        /* of the slot taken last: no two slots ever have the same */
    struct gate_request *spare; /* requests to be used again, each with one block of memory */
    size_t spare_count;
    struct gate_conn *conns;   /* all */
    struct gate_conn *dirty;   /* with bytes that may leave: gate_reply.c */
    struct gate_conn *blocked; /* with records or calls that had no room: gate_ring.c */
    struct gate_conn *paused;  /* with a new request left unread: gate_pause.c */
    struct nk_timer pause_timer;
    int64_t full_since_us; /* 0: the audit log takes new requests */
    size_t conn_count;
    uint32_t in_flight;
    uint64_t requests;
    bool accepting_stopped, draining;
    bool woken;       /* by the answers' eventfd, since the last sleep */
    int64_t slept_us; /* when the last sleep began; 0: it has been looked at */
    struct nk_timer drain_timer, fetch_timer, accept_timer;
    size_t fetch_count;                    /* issuers */
    int64_t *fetch_due_us, *fetched_at_us; /* for each issuer: next and last fetch */
    struct nk_buf *fetched;                /* for each issuer: document under way */
    struct nk_control prepared_with;       /* descriptors that come into use by COMMIT */
    struct nk_tls *prepared_tls[NK_ROLE_LISTENERS_MAX];
    struct gate_telemetry telemetry;
    char read_buffer[GATE_READ_SIZE];
};

/* gate_conn.c */
void gate_conn_accept(struct nk_watch *w, uint32_t events);
void gate_conn_run(struct gate_conn *c);
void gate_conn_close(struct gate_conn *c);
void gate_conn_deadline(struct gate_conn *c, int64_t after_ms);
void gate_request_done(struct gate_conn *c);
/* Frees a closed connection when no list holds it any more. */
void gate_conn_bury(struct gate_conn *c);

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
size_t gate_audit_need(const struct gate *g);
bool gate_audit_full(const struct gate *g);

/* gate_pause.c: true when the connection's next request is left unread for now. */
bool gate_pause(struct gate_conn *c);
void gate_pause_end(struct gate *g);
bool gate_pause_may_sleep(struct gate *g);

/* gate_fetch.c: key sets of issuers, through the courier. */
int gate_fetch_start(struct gate *g) NK_CHECKED;
void gate_fetch_arrived(struct gate *g, const struct nk_ring_record *rec);

/* gate_telemetry.c: a request's marks on the way (begin, judging, judged), and its end. */
int gate_telemetry_start(struct gate *g) NK_CHECKED;
void gate_telemetry_begin(struct gate *g, struct nk_gate_env *env);
void gate_telemetry_judging(struct gate_conn *c);
void gate_telemetry_judged(struct gate_conn *c);
void gate_telemetry_over(struct gate_conn *c, bool cut);

void gate_admin_answer(struct gate_conn *c, const struct nk_http_head *head);

struct nk_setup *gate_setup_load(const struct nk_role_start *s, const struct nk_bundle *b,
                                 uint32_t generation, struct nk_fault *f) NK_CHECKED;
