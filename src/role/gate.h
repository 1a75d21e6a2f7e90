/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.h - the gate's process: client connections on one side, rings to courier and scribe on the
 * other, and between them one nk_txn for each request. Private to the gate's files.
 *
 * An idle connection is its struct (gate_conn.h) and nothing else: buffers, parser and transaction
 * exist only while a request does, in the request's own arena.
 */
#pragma once

#include "role/gate_conn.h"
#include "role/gate_telemetry.h"
#include "role/gate_tls.h"
#include "role/role.h"
#include "role/stats.h"
#include "role/wire.h"

enum {
    GATE_READ_SIZE = 64 << 10,
    GATE_DRAIN_BATCH = 256, /* answers taken from the ring before sockets have their turn */
    GATE_NO_SLOT = UINT32_MAX & 0x7fffffff,
    GATE_REQUEST_BLOCK = 6 << 10, /* what an ordinary request takes */
};

struct gate_listener {
    struct nk_watch watch;
    struct gate *gate;
    struct nk_tls *tls;
    bool admin, http2;
};

struct gate {
    struct nk_role_start *start;
    struct nk_loop *loop;
    struct nk_setup *setup, *prepared;
    struct nk_ring *calls, *answers, *audit;
    struct nk_watch answers_watch, audit_watch, control_watch;
    struct nk_stats stats;
    struct gate_listener listeners[NK_ROLE_LISTENERS_MAX + 1];
    size_t listener_count, spare_count;
    struct gate_slot *slots;
    uint32_t slot_count, free_slot, cancel_slot; /* lists; cancel: the courier must be told */
    uint32_t generation;               /* of the slot taken last: no two slots ever have the same */
    struct nk_arena scratch;           /* of one step of any request */
    struct nk_buf call_head;           /* on its way to the courier */
    struct gate_request *spare;        /* to be used again, each with one block of memory */
    struct gate_conn *conns;           /* all */
    struct gate_stream *dirty;         /* with bytes that may leave: gate_reply.c */
    struct gate_stream *blocked;       /* with records or calls that had no room: gate_ring.c */
    struct gate_stream *paused;        /* with a new request left unread: gate_pause.c */
    struct gate_conn *sending;         /* HTTP/2, with frames for the socket: gate_h2.c */
    size_t h2_streams, h2_early_bytes; /* of all connections: open; of bodies that wait unread */
    int64_t abuse_told_us;             /* when the log last heard of a client that did too much */
    struct gate_conn *shake_first[3], *shake_last[3]; /* who waits for a turn: gate_shake.c */
    uint32_t shake_steps;                             /* of handshakes, in this batch */
    int64_t full_since_us;                            /* 0: the audit log takes new requests */
    int64_t refused_since_us; /* the second whose refused_lines are counted */
    uint32_t refused_lines;   /* in the log: of clients that TLS refused */
    size_t conn_count;
    uint32_t in_flight;
    uint64_t requests;
    bool accepting_stopped, draining;
    bool woken;       /* by the answers' eventfd, since the last sleep */
    int64_t slept_us; /* when the last sleep began; 0: it has been looked at */
    struct nk_timer drain_timer, fetch_timer, accept_timer, pause_timer;
    size_t fetch_count;                    /* issuers */
    int64_t *fetch_due_us, *fetched_at_us; /* for each issuer: next and last fetch */
    struct nk_buf *fetched;                /* for each issuer: document under way */
    struct nk_control prepared_with;       /* descriptors that come into use by COMMIT */
    struct nk_tls *prepared_tls[NK_ROLE_LISTENERS_MAX];
    struct gate_telemetry telemetry;
    struct gate_mail mail;
    char read_buffer[GATE_READ_SIZE];
};

/* gate_conn.c */
void gate_conn_accept(struct nk_watch *w, uint32_t events);
void gate_conn_close(struct gate_conn *c);
void gate_conn_bury(struct gate_conn *c); /* frees what is closed, when no list holds it */
/* How long a connection may wait for its next request, in milliseconds. */
int64_t gate_conn_patience(const struct gate *g);

/* gate_stream.c: a request's life; its events, as the framing reads them. */
int gate_request_new(struct gate_stream *s) NK_CHECKED; /* its memory */
/* Its transaction: a request counts from its whole head on, so that one that trickles in takes no
 * other's place, and no room in the audit ring. */
int gate_request_begin(struct gate_stream *s) NK_CHECKED;
void gate_request_head(struct gate_stream *s, const struct nk_http_head *head);
void gate_request_body(struct gate_stream *s, struct nk_str bytes);
void gate_request_end(struct gate_stream *s);
/* The framing or a limit refused the client (NK_E…). */
void gate_request_bad(struct gate_stream *s, int code, const char *why);
void gate_request_done(struct gate_stream *s);
/* The same when it is answered, unless records or the framing keep it. */
void gate_request_settle(struct gate_stream *s);
void gate_stream_init(struct gate_stream *s, struct gate_conn *c);
void gate_stream_deadline(struct gate_stream *s, int64_t after_ms);
void gate_stream_wake(struct gate_stream *s); /* NK_FX_WAKE */
/* The client is gone; what remains of the stream waits for its records. */
void gate_stream_end(struct gate_stream *s);
/* Frees a dead stream when no list holds it any more. */
void gate_stream_bury(struct gate_stream *s);

/* gate_h1.c: an answer of our own on the operators' listener. */
void gate_reply_whole(struct gate_stream *s, int status, struct nk_str type, struct nk_str body);

/* gate_reply.c: carries out the effects of a step; flushes what may leave. */
void gate_effects(struct gate_stream *s, unsigned fx);
void gate_mark_dirty(struct gate_stream *s);
void gate_flush_early(struct gate_stream *s); /* what it was just given, before the batch ends */
void gate_flush_all(struct gate *g);
bool gate_has_flushable(struct gate *g);

/* gate_ring.c */
int gate_slots_new(struct gate *g, uint32_t n) NK_CHECKED;
void gate_call_start(struct gate_stream *s);
void gate_call_deadline(struct gate_stream *s);
void gate_call_timeout(struct gate_stream *s);
bool gate_call_runs(const struct gate_stream *s); /* is an answer to come? */
void gate_call_abort(struct gate_stream *s);      /* all that run */
void gate_call_drop(struct gate_stream *s, uint32_t lane);
void gate_call_forget(struct gate_stream *s);
bool gate_records_put(struct gate_stream *s);
void gate_block(struct gate_stream *s);
void gate_unblock_all(struct gate *g);
bool gate_blocked_may_sleep(struct gate *g);
size_t gate_answers_drain(struct gate *g); /* records; GATE_DRAIN_BATCH: there may be more */
void gate_courier_lost(struct gate *g);
void gate_credit(struct gate_stream *s);
size_t gate_audit_need(const struct gate *g);
bool gate_audit_full(const struct gate *g);

/* gate_pause.c: true when the next request is left unread for now. */
bool gate_pause(struct gate_stream *s);
void gate_pause_end(struct gate *g);
bool gate_pause_may_sleep(struct gate *g);

/* gate_fetch.c: key sets of issuers, through the courier. */
int gate_fetch_start(struct gate *g) NK_CHECKED;
void gate_fetch_arrived(struct gate *g, const struct nk_ring_record *rec);

void gate_admin_answer(struct gate_stream *s, const struct nk_http_head *head);
struct nk_setup *gate_setup_load(const struct nk_role_start *s, const struct nk_bundle *b,
                                 uint32_t generation, struct nk_fault *f) NK_CHECKED;
/* All that validation by policy.schema has to say of the bundle's policies and entities, warnings included, as
 * text. 0: they are valid, or there is no schema. */
int gate_setup_diagnose(const struct nk_bundle *b, bool japanese, struct nk_buf *out) NK_CHECKED;
