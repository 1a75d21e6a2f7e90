/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.h - where a request stands among the calls that led to it: W3C Trace Context (2021), the header
 * `traceparent`. Ids are kept as bytes, as OTLP sends them.
 */
#pragma once

#include "base/buf.h"

enum {
    NK_TRACE_ID_SIZE = 16,
    NK_SPAN_ID_SIZE = 8,
    NK_TRACEPARENT_SIZE = 55, /* bytes of a header of version 00 */
    NK_TRACE_SAMPLED = 1,     /* of the flags: whoever called records this trace */
};

struct nk_trace {
    unsigned char id[NK_TRACE_ID_SIZE];
    unsigned char span[NK_SPAN_ID_SIZE];
    uint8_t flags;
};

/* Reads a value of the header (section 3.2): version 00 exactly, a later one as far as 00 goes. NK_EINVAL for
 * anything else, for version ff and for ids that are all zero. */
int nk_trace_parse(struct nk_str value, struct nk_trace *out) NK_CHECKED;
/* Appends the header's value, version 00; of the flags only those that this version knows. */
void nk_trace_write(const struct nk_trace *t, struct nk_buf *out);
/* A new trace (or, with a parent, a new span of its trace) made of random words; no id is all zero. */
void nk_trace_start(const uint64_t random[3], const struct nk_trace *parent, struct nk_trace *out);
/* Span `n` (1, 2 …) below the one of `t`: an id that follows from its own. */
void nk_trace_child(const struct nk_trace *t, unsigned char n, struct nk_trace *out);
/* Is this trace one of the one in `n` that are kept? Decided by the trace id's last seven bytes, which are
 * random by the specification (Trace Context level 2, section 3.2.2.3), so that every one who asks for the
 * same share keeps the same traces. */
bool nk_trace_is_one_in(const struct nk_trace *t, uint64_t n);
