/* SPDX-License-Identifier: Apache-2.0
 *
 * gate_conn.h - a client's connection and the request on it. Private to the gate's files.
 */
#pragma once

#include "edge/loop.h"
#include "edge/sock.h"
#include "gate/gate.h"

enum { GATE_RECORDS_MAX = 4 }; /* records of one request that wait for room in the audit ring */

struct gate;

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
    struct gate_request *next_spare;
    struct nk_http_parser *parser;
    struct nk_txn *txn; /* NULL on admin connections */
    int64_t started_us, decided_us, first_byte_us;
    int64_t judging_us, judged_us;       /* read anew, where they are told; else 0 */
    uint32_t call_slot, call_generation; /* of the call, also when it is over */
    uint32_t slot;                       /* index in gate->slots, or GATE_NO_SLOT */
    bool call_waiting;                   /* some of the call is not in the ring yet */
    bool body_complete;                  /* nothing more of it is on the wire */
    bool chunked;                        /* the answer is */
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
    bool admin, readable, writable, gone, dirty, blocked, paused, close_after_flush;
    bool answered;       /* complete or cut; only records keep the request */
    int64_t deadline_us; /* what ends the present state; 0: nothing */
    uint64_t hold_until; /* strict audit: records that must be durable before bytes leave */
    struct gate_request *req;
    struct nk_buf out;  /* bytes that the socket has not taken yet */
    struct nk_buf rest; /* bytes behind the current request (pipelining) */
    struct gate_conn *next_dirty, *next_blocked, *next_paused; /* lists; see struct gate */
    struct gate_conn *prev, *next;                             /* list of all */
};
