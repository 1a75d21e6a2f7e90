/* SPDX-License-Identifier: Apache-2.0
 *
 * otel.h - what there is to tell, and how OpenTelemetry writes it: OTLP 1.x (opentelemetry-proto, stable for
 * these three signals), as protobuf or in its JSON form. Names of attributes follow one version of the
 * semantic conventions, which every message says by its schema URL: 1.41.0, the last that holds those for
 * HTTP and for generative AI together.
 *
 * Items (spans, log records, metrics) are written one by one and kept as bytes; a request is an envelope
 * around some of them. Texts must be valid UTF-8. All times are nanoseconds since 1970.
 */
#pragma once

#include "otel/trace.h"

enum nk_otel_form { NK_OTEL_PROTOBUF, NK_OTEL_JSON };
enum nk_otel_signal { NK_OTEL_TRACES, NK_OTEL_LOGS, NK_OTEL_METRICS, NK_OTEL_SIGNALS };

enum nk_otel_type { NK_OTEL_TEXT, NK_OTEL_INT, NK_OTEL_BOOL, NK_OTEL_SECONDS, NK_OTEL_TEXTS };

struct nk_otel_attribute {
    struct nk_str key;
    enum nk_otel_type type;
    struct nk_str text;
    int64_t number;             /* INT, BOOL; SECONDS: microseconds, sent as a double of seconds */
    const struct nk_str *texts; /* TEXTS: `number` of them */
};

/* A list that is filled up; what is beyond its end is left out (see nk_otel_add). */
enum { NK_OTEL_ATTRIBUTES = 32 };
struct nk_otel_attributes {
    struct nk_otel_attribute at[NK_OTEL_ATTRIBUTES];
    size_t n;
};

enum nk_otel_kind { NK_OTEL_INTERNAL = 1, NK_OTEL_SERVER = 2, NK_OTEL_CLIENT = 3 };

struct nk_otel_event {
    struct nk_str name;
    uint64_t time;
};

struct nk_otel_span {
    struct nk_trace trace;
    const unsigned char *parent; /* NK_SPAN_ID_SIZE bytes; NULL: none */
    struct nk_str name;
    enum nk_otel_kind kind;
    uint64_t start, end;
    const struct nk_otel_attributes *attributes;
    const struct nk_otel_event *events;
    size_t event_count;
    bool failed; /* status ERROR; otherwise it is left unset, as instrumentation has to */
};

struct nk_otel_log {
    bool in_trace; /* `trace` is there */
    struct nk_trace trace;
    uint64_t time;
    unsigned severity; /* 13 WARN, 17 ERROR: Log Data Model, severity fields */
    struct nk_str severity_text, body, event;
    const struct nk_otel_attributes *attributes;
};

enum nk_otel_metric_kind { NK_OTEL_GAUGE, NK_OTEL_SUM, NK_OTEL_HISTOGRAM };

/* A value, or a histogram: bounds[i] is the upper bound (inclusive) of counts[i], the last count is without
 * bound. Sum and bounds are in units of 1 / scale. */
struct nk_otel_point {
    const struct nk_otel_attributes *attributes;
    uint64_t value;
    uint64_t sum, scale;
    const uint64_t *bounds, *counts;
    size_t bound_count;
};

/* Sums are monotonic; sums and histograms are cumulative from `start` on. */
struct nk_otel_metric {
    struct nk_str name, unit, description;
    enum nk_otel_metric_kind kind;
    uint64_t start, time;
    const struct nk_otel_point *points;
    size_t point_count;
};

void nk_otel_add(struct nk_otel_attributes *a, struct nk_otel_attribute one);
/* Nothing is added for an absent text or a negative number. */
void nk_otel_add_text(struct nk_otel_attributes *a, struct nk_str key, struct nk_str text);
void nk_otel_add_number(struct nk_otel_attributes *a, struct nk_str key, int64_t number);

/* Append one item in a form. */
void nk_otel_put_span(const struct nk_otel_span *s, enum nk_otel_form form, struct nk_buf *out);
void nk_otel_put_log(const struct nk_otel_log *l, enum nk_otel_form form, struct nk_buf *out);
void nk_otel_put_metric(const struct nk_otel_metric *m, enum nk_otel_form form, struct nk_buf *out);

/* A request: begin (`out` is emptied), items of the same form, end. `mark` is the writer's. */
struct nk_otel_request {
    enum nk_otel_signal signal;
    enum nk_otel_form form;
    struct nk_buf *out;
    size_t mark[2];
};
void nk_otel_begin(struct nk_otel_request *r, const struct nk_otel_attributes *resource,
                   struct nk_str version);
void nk_otel_item(struct nk_otel_request *r, struct nk_str item);
void nk_otel_end(struct nk_otel_request *r);
/* "/v1/traces": what is put behind the endpoint. */
const char *nk_otel_path(enum nk_otel_signal signal);
