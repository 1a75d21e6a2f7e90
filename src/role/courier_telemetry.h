/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_telemetry.h - telemetry on its way to the collector. Private to the courier. Its parts:
 *
 *   courier_telemetry.c  what gates tell becomes items of the queues; life
 *   courier_spans.c      one record as spans and a log record, under OpenTelemetry's names
 *   courier_metrics.c    the counters of all roles as metrics, told by the first courier alone
 *   courier_export.c     items become messages, messages are posted until they are taken or given up
 */
#pragma once

#include "otel/answer.h"
#include "otel/queue.h"
#include "role/courier.h"
#include "role/wire_telemetry.h"

enum {
    COURIER_HOST_MAX = 65,
    COURIER_MESSAGE_MAX = 512 << 10, /* bytes of items in one message; collectors take 4 MiB */
    COURIER_ENVELOPE_MAX = 16 << 10, /* bytes around them, and the largest item */
};

/* One signal's way out. */
struct courier_export {
    struct courier_telemetry *t;
    enum nk_otel_signal signal;
    enum nk_otel_form form; /* of what is in the queue */
    bool is_on, is_failing;
    struct nk_otel_queue queue; /* not for metrics */
    struct nk_buf body;         /* the message under way; it stays as it is until it is taken */
    size_t items;               /* in it */
    unsigned tries;
    struct nk_timer timer;
    struct courier_post *post; /* running, or NULL */
};

/* What the courier remembers of calls that were sent more than once, for the records about them. */
struct courier_resend {
    uint32_t stream, generation;
    int64_t at_unix; /* microseconds */
};
enum { COURIER_RESENDS = 256 };

struct courier_telemetry {
    struct courier *c;
    struct courier_export exports[NK_OTEL_SIGNALS];
    struct courier_resend resends[COURIER_RESENDS];
    size_t resend_count; /* all that ever were; the newest are kept */
    char host[COURIER_HOST_MAX];
    uint64_t random;
    struct nk_buf item; /* one that is being written */
    bool is_draining;
    struct nk_timer drain_timer;
};

/* courier_spans.c: append the items that a record asks for to the queues. `resend`: 0, or the time. */
void courier_spans_put(struct courier_telemetry *t, const struct courier_config *g,
                       const struct nk_wire_telemetry *r, int64_t resend_unix);
void courier_log_put(struct courier_telemetry *t, const struct courier_config *g,
                     const struct nk_wire_telemetry *r);

/* courier_metrics.c: all metrics as items of `r`; returns how many. */
size_t courier_metrics_put(struct courier_telemetry *t, struct nk_otel_request *r);

/* courier_export.c */
void courier_export_put(struct courier_export *e, struct nk_str item);
void courier_export_start(struct courier_export *e); /* on, or on with other settings, or off */
void courier_export_hurry(struct courier_export *e);
bool courier_export_is_busy(const struct courier_export *e);
void courier_export_free(struct courier_export *e);
