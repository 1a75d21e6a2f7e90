/* SPDX-License-Identifier: Apache-2.0
 *
 * wire.h - what gate, courier and scribe say to each other through the rings: record types, and the
 * one encoding of a message head. Integers are little-endian; strings have a 32-bit length in
 * front. Both sides check everything that they read; neither trusts the other.
 */
#pragma once

#include "base/reader.h"
#include "gate/route.h"
#include "http/http.h"

/* gate -> courier */
enum nk_wire_call {
    NK_WIRE_CALL = 1,  /* head: struct nk_wire_call_head; body: first piece */
    NK_WIRE_BODY,      /* more of the body */
    NK_WIRE_ABORT,     /* the client is gone or the judge said no: close the upstream connection */
    NK_WIRE_CREDIT,    /* u32: this many more bytes of body may be sent for the stream */
    NK_WIRE_FETCH,     /* fetch a URL (issuer i's key set): head: u32 issuer index; the record's
                         generation is the configuration's, here and in the answer */
    NK_WIRE_TELEMETRY, /* of a request that is over: wire_telemetry.h; generation as above */
};

/* courier -> gate */
enum nk_wire_answer {
    NK_WIRE_HEAD = 16, /* head: encoded response head; body: first piece, maybe all */
    NK_WIRE_DATA,      /* more of the body */
    NK_WIRE_FAIL, /* head: u32 NK_WIRE_FAIL_…, route; body: text for the log; the stream is over */
    NK_WIRE_FETCHED, /* u32 issuer index, u32 status (0: failed, body is the reason); body: document
                      */
    NK_WIRE_MORE,    /* more pieces of a FETCHED document, NK_WIRE_END on the last */
};

/* gate -> scribe */
enum nk_wire_scribe {
    NK_WIRE_RECORD = 32, /* payload: members of one audit record; see chain.h */
};

/* Bytes of a gate's audit ring that have to be free before it takes one more request: for what decides that one, and for
 * the end of each that is under way. */
static inline size_t nk_wire_audit_room(size_t under_way)
{
    return (80 << 10) + under_way * (2 << 10);
}

enum nk_wire_flags {
    NK_WIRE_END = 1, /* nothing more of this message follows */
    /* CALL and BODY, HEAD and DATA: from this bit on, how many bytes of body came before, modulo
     * 2^24. A piece that is lost, cut, doubled or out of place is noticed and ends the message. */
    NK_WIRE_PLACE_SHIFT = 8,
};

enum nk_wire_fail {
    NK_WIRE_FAIL_CONNECT = 1,   /* no connection: 502 */
    NK_WIRE_FAIL_TLS,           /* certificate or handshake: 502 */
    NK_WIRE_FAIL_PROTOCOL,      /* not HTTP, over a limit, cut short: 502 */
    NK_WIRE_FAIL_TIMEOUT,       /* no answer within first_byte_timeout: 504 */
    NK_WIRE_FAIL_BUSY,          /* no slot, descriptor or endpoint is free: 503 */
    NK_WIRE_FAIL_NO_CONNECTION, /* none within connect_timeout: 504 */
    NK_WIRE_FAIL_STALLED,       /* silence for idle_timeout: 504 */
    NK_WIRE_FAIL_TOO_LONG,      /* not over within timeout: 504 */
    NK_WIRE_FAIL_COUNT,
};

/* First grant of bytes of an answer's body for each stream; the gate gives more by NK_WIRE_CREDIT.
 */
enum { NK_WIRE_FIRST_CREDIT = 262144 };

/* The flags of a piece of body that has `before` bytes before it. */
static inline uint32_t nk_wire_flags(uint64_t before, bool end)
{
    return (uint32_t)(before << NK_WIRE_PLACE_SHIFT) | (end ? NK_WIRE_END : 0);
}
/* Are these the flags of that piece, be it the last or not? */
static inline bool nk_wire_flags_ok(uint32_t flags, uint64_t before)
{
    return (flags & ~(uint32_t)NK_WIRE_END) == nk_wire_flags(before, false);
}

struct nk_wire_call_head {
    uint32_t upstream;        /* index in the configuration */
    uint32_t config;          /* generation of the configuration it was decided under */
    int64_t body_bytes;       /* exact length of the whole body */
    struct nk_str subject;    /* of nk_gate_call; empty: none */
    struct nk_http_head http; /* method, target, headers; framing headers and credential excluded */
};

/* Appends the encoding. `route` NULL: the first endpoint, at once. */
void nk_wire_put_call(const struct nk_wire_call_head *h, struct nk_buf *out);
void nk_wire_put_answer(const struct nk_http_head *h, const struct nk_route *route,
                        struct nk_buf *out);
void nk_wire_put_fail(uint32_t code, const struct nk_route *route, struct nk_buf *out);
/* Decodes; headers and attempts are allocated in `a`, strings are views of `in`. NK_EINVAL,
 * NK_ELIMIT (more than max_headers), NK_ENOMEM. */
int nk_wire_get_call(struct nk_str in, uint32_t max_headers, struct nk_arena *a,
                     struct nk_wire_call_head *out) NK_CHECKED;
int nk_wire_get_answer(struct nk_str in, uint32_t max_headers, struct nk_arena *a,
                       struct nk_http_head *out, struct nk_route *route) NK_CHECKED;
int nk_wire_get_fail(struct nk_str in, struct nk_arena *a, uint32_t *code,
                     struct nk_route *route) NK_CHECKED;
