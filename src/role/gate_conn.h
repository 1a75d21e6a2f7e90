/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_conn.h - a client's connection and the requests on it. Private to the gate's files.
 *
 * A connection is a socket and a framing; a stream is one request and its answer. HTTP/1.1 has one
 * stream at a time, embedded in its connection; HTTP/2 has many, each as long as its request. What
 * steps, records, calls and answers (gate_stream.c, gate_reply.c, gate_ring.c) knows streams alone.
 */
#pragma once

#include "edge/loop.h"
#include "edge/sock.h"
#include "gate/gate.h"
#include "role/gate_mail.h"

/* Records of one request that wait for room in the audit ring: as a rule; and at most, of a few steps. */
enum { GATE_RECORDS_FEW = 4, GATE_RECORDS_MAX = 2 * NK_TXN_RECORDS, GATE_READS_A_TURN = 4 };

struct gate;
struct gate_conn;
struct gate_h2;
struct gate_stream;

enum stream_state {
    STREAM_IDLE,   /* between requests */
    STREAM_HEAD,   /* first byte seen, head incomplete */
    STREAM_BODY,   /* head seen, body incomplete */
    STREAM_BUSY,   /* the request is complete or refused; its answer is not */
    STREAM_LINGER, /* answered; the rest of what the client sends is thrown away */
    STREAM_DEAD,   /* closed; freed at the end of the batch */
};

/* One call upstream, and what has come of its answer. A request has one as a rule, which is a part of it; those beside it lie
 * in its arena, and are used again when they are over. */
struct gate_call {
    struct gate_call *next;
    uint32_t lane;      /* nk_gate_call.lane */
    uint32_t slot;      /* index in gate->slots, or GATE_NO_SLOT: it is over, or there was none */
    uint32_t ungranted; /* answer bytes received and not yet granted again */
    bool waiting;       /* some of the call is not in the ring yet */
    bool head_sent;     /* its first record is */
    bool answer_begun;  /* something of the answer has come */
    bool failed;        /* so that the transaction has heard of it */
    size_t upstream;
    uint32_t span; /* nk_gate_call.span, when it is told */
    int status;    /* of the answer; 0: none came */
    struct nk_gate_about about;
    struct nk_str method;
    int64_t begun_us;
    struct nk_str wire, body; /* its head, encoded; its body */
    size_t sent;              /* bytes of the body in the ring already */
    uint64_t answer_at;       /* bytes of the answer's body that have come */
};

struct gate_slot {
    struct gate_stream *stream; /* NULL: free, or to be cancelled */
    struct gate_call *call;     /* of its request */
    uint32_t generation;
    uint32_t next; /* in the list of free ones, or of those to be cancelled */
};

/* One request; lives in its own arena. */
struct gate_request {
    struct nk_arena arena;
    struct gate_request *next_spare;
    struct nk_http_parser *parser; /* HTTP/1.1 alone */
    struct nk_txn *txn;            /* NULL on admin connections, and until it begins */
    int64_t started_us, decided_us, first_byte_us;
    int64_t judging_us, judged_us; /* read anew, where they are told; else 0 */
    int64_t wall_us;               /* real time less the loop's, once something was told; else 0 */
    int64_t wake_us;               /* when the transaction wants a step; 0: never */
    uint32_t call_slot, call_generation; /* of the last call, also when it is over */
    struct gate_call call;               /* the first */
    bool body_complete;                  /* nothing more of it is on the wire */
    bool asks_head;             /* HEAD: the answer has no body, whatever its headers say */
    bool chunked;               /* the answer is */
    bool close_after;           /* the client or we want no further request on this connection */
    bool held;                  /* the framing needs it still: the answer's head, or the arena */
    bool shared;                /* the stream that it came by has it beside the one below */
    struct gate_stream *parked; /* where it goes on without a client (gate_park.c), or NULL */
    struct nk_str *records;     /* `few`, or of the arena */
    size_t record_count, record_own; /* the first ones that wait have memory of their own */
    struct nk_str few[GATE_RECORDS_FEW];
};

struct gate_stream {
    struct gate_conn *conn; /* outlives its streams */
    struct nk_timer timer;
    int64_t deadline_us; /* what ends the present state; 0: nothing */
    uint64_t hold_until; /* strict audit: records that must be durable before bytes leave */
    struct gate_request *req;
    struct nk_buf out; /* bytes of the answer that the framing has not taken yet */
    struct gate_stream *next_dirty, *next_blocked, *next_paused; /* lists; see struct gate */
    enum stream_state state;
    bool dirty, blocked, paused;
    bool answered; /* complete or cut; only records or the framing keep the request */
};

/* What differs between HTTP/1.1 (gate_h1.c) and HTTP/2 (gate_h2.c). */
struct gate_framing {
    void (*run)(struct gate_conn *c);      /* reads what there is */
    void (*resume)(struct gate_stream *s); /* takes up a request that was paused */
    /* The answer becomes bytes: its head, the body that waits in txn->out, its end; `cut`: without
     * being complete. Nothing leaves before `flush`. */
    void (*head)(struct gate_stream *s);
    void (*data)(struct gate_stream *s);
    void (*end)(struct gate_stream *s, bool cut);
    void (*flush)(struct gate_stream *s); /* sends what there is: records allow it */
    /* Is it not its client that keeps the answer waiting? NULL: it is. */
    bool (*moves)(const struct gate_stream *s);
    void (*fail)(struct gate_stream *s); /* gives the stream up, and what cannot go on without */
    void (*drain)(struct gate_conn *c);  /* asks the client for no more requests */
    void (*close)(struct gate_conn *c);  /* frees what the framing has */
    void (*bury)(struct gate_stream *s); /* frees a dead stream that is on no list */
};

extern const struct gate_framing gate_h1, gate_h2;

struct gate_conn {
    struct nk_watch watch;
    struct gate *gate;
    const struct gate_framing *framing;
    struct nk_sock sock;
    bool admin, readable, writable, gone, close_after_flush;
    bool shaking;    /* stands in a line of gate_shake.c */
    bool fresh;      /* its framing is not known yet: HTTP/2 is offered and no byte has come */
    uint8_t sniffed; /* bytes of HTTP/2's preface that came so far */
    union {
        struct nk_buf rest;    /* HTTP/1.1: bytes behind the current request (pipelining) */
        struct gate_h2 *h2;    /* HTTP/2 */
        struct nk_later later; /* closed: to be freed */
    };
    struct gate_conn *next_shaking;
    struct gate_conn *prev, *next; /* list of all */
    /* HTTP/1.1: the request. HTTP/2: the connection itself, as there stream 0 is. Dead: closed. */
    struct gate_stream stream;
};

/* gate_h2.c. The first bytes of a fresh connection: true when they were taken, as HTTP/2's preface
 * (or its beginning) or because the connection is closed. */
bool gate_h2_begins(struct gate_conn *c, struct nk_str in);
/* The first n bytes of that preface. */
struct nk_str gate_h2_preface(size_t n);
/* Sends what all connections have that were asked to: the last step of a flush. */
void gate_h2_send_all(struct gate *g);
/* The configuration is new: connections that began under the old one end, gracefully. */
void gate_h2_renew(struct gate *g);
