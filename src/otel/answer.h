/* SPDX-License-Identifier: Apache-2.0
 *
 * answer.h - what a collector says to a request (OTLP specification, "OTLP/HTTP Response"), and when it is to
 * be tried again.
 */
#pragma once

#include "base/arena.h"
#include "otel/otel.h"

enum nk_otel_verdict {
    NK_OTEL_ACCEPTED,
    NK_OTEL_AGAIN, /* 429, 502, 503, 504: the same bytes, later */
    NK_OTEL_NEVER, /* anything else: drop them */
};
enum nk_otel_verdict nk_otel_verdict(int status);

/* How long to wait before try `attempt` (1 is the first that repeats), in milliseconds: what Retry-After says
 * in seconds (its other form, a date, counts as not given), otherwise a second, doubled each time up to 32,
 * with up to half as much again by chance, so that many who lost the same collector do not return at once. */
int64_t nk_otel_wait_ms(unsigned attempt, struct nk_str retry_after, uint64_t random);

/* What was not taken of a request that was accepted. */
struct nk_otel_partial {
    int64_t rejected;
    struct nk_str message; /* in `a`, or a view of the body; may be absent */
};
/* Reads the body of an answer with status 200; an empty one says that all was taken. NK_EINVAL when it is not
 * of the form; NK_ENOMEM. */
int nk_otel_read_partial(enum nk_otel_signal signal, enum nk_otel_form form, struct nk_str body,
                         struct nk_arena *a, struct nk_otel_partial *out) NK_CHECKED;
