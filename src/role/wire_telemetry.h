/* SPDX-License-Identifier: Apache-2.0
 *
 * wire_telemetry.h - what a gate tells its courier of one request that is over: NK_WIRE_TELEMETRY. Times are
 * microseconds; those within the request count from its first byte, and are -1 where it did not come so far.
 */
#pragma once

#include "base/buf.h"
#include "otel/trace.h"

enum { NK_WIRE_TELEMETRY_MAX = 4096, NK_WIRE_POLICIES = 8, NK_WIRE_TEXT_MAX = 512 };

enum nk_wire_text {
    NK_WIRE_REQUEST, /* as in struct nk_txn_facts */
    NK_WIRE_METHOD,
    NK_WIRE_ROUTE,
    NK_WIRE_OPERATION,
    NK_WIRE_DIALECT,
    NK_WIRE_GENAI,
    NK_WIRE_MODEL,
    NK_WIRE_MODEL_SENT,
    NK_WIRE_MODEL_ANSWERED,
    NK_WIRE_FINISH,
    NK_WIRE_STAGE,
    NK_WIRE_PRINCIPAL,    /* what the configuration lets out of it */
    NK_WIRE_ABOUT_METHOD, /* as in struct nk_gate_about */
    NK_WIRE_ABOUT_OPERATION,
    NK_WIRE_ABOUT_NAME,
    NK_WIRE_ABOUT_ERROR,
    NK_WIRE_POLICY, /* the first of NK_WIRE_POLICIES */
    NK_WIRE_TEXTS = NK_WIRE_POLICY + NK_WIRE_POLICIES,
};

enum nk_wire_telemetry_flags {
    NK_WIRE_HAS_PARENT = 1,
    NK_WIRE_TRACED = 2,
    NK_WIRE_JUDGED = 4,
    NK_WIRE_ALLOWED = 8,
    NK_WIRE_STREAMED = 16,
    NK_WIRE_CUT = 32, /* the answer ended before its end */
    NK_WIRE_TLS = 64, /* the client came over it */
    NK_WIRE_HTTP2 = 128,
    NK_WIRE_PART =
        256, /* one of several calls of a request that goes on: it began at `judging`, and is over */
    NK_WIRE_FLAGS = 512,
};

struct nk_wire_telemetry {
    struct nk_trace own, parent;
    uint32_t flags, refusal;
    uint32_t status, upstream_status;
    uint32_t upstream;                     /* UINT32_MAX: none was called */
    uint32_t call_stream, call_generation; /* of the call, for the courier to find it */
    uint32_t span;                         /* NK_WIRE_PART: below the request's; else 0 */
    int64_t end_unix;                      /* since 1970 */
    int64_t took;                          /* from the first byte to the end */
    int64_t judging, judged, first_byte;   /* since the first byte */
    int64_t input_tokens, output_tokens;   /* -1: not known */
    int64_t reply_bytes, events, tool_calls;
    struct nk_str
        text[NK_WIRE_TEXTS]; /* absent or empty: not known; at most NK_WIRE_TEXT_MAX bytes */
};

/* Writes into `to` (NK_WIRE_TELEMETRY_MAX bytes); returns the length, or 0 when it does not fit. Texts that
 * are too long are left out. */
size_t nk_wire_put_telemetry(const struct nk_wire_telemetry *t, char *to);
/* Reads; texts are views of `in`. NK_EINVAL for what no gate writes: lengths, flags, times out of order,
 * texts that are not UTF-8, a refusal that is not below `refusals`. */
int nk_wire_get_telemetry(struct nk_str in, uint32_t refusals,
                          struct nk_wire_telemetry *out) NK_CHECKED;
