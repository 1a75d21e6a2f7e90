/* SPDX-License-Identifier: Apache-2.0
 *
 * encode.c - spans, log records, metrics and the envelope around them, field by field. The numbers and
 * names are those of opentelemetry/proto/{common,resource,trace,logs,metrics}/v1 and of the collector's
 * Export…ServiceRequest, whose three forms differ in names alone.
 */
#include "otel/out.h"

static const struct nk_otel_field key = {1, "key"}, value = {2, "value"};
static const struct nk_otel_field attributes_of_resource = {1, "attributes"};

void nk_otel_add(struct nk_otel_attributes *a, struct nk_otel_attribute one)
{
    if (a->n < NK_OTEL_ATTRIBUTES)
        a->at[a->n++] = one;
}

void nk_otel_add_text(struct nk_otel_attributes *a, struct nk_str name, struct nk_str text)
{
    if (text.p)
        nk_otel_add(a, (struct nk_otel_attribute){.key = name, .text = text});
}

void nk_otel_add_number(struct nk_otel_attributes *a, struct nk_str name, int64_t number)
{
    if (number >= 0)
        nk_otel_add(a,
                    (struct nk_otel_attribute){.key = name, .type = NK_OTEL_INT, .number = number});
}

/* AnyValue */
static void put_texts(struct nk_otel_out *o, const struct nk_str *texts, size_t n)
{
    static const struct nk_otel_field array = {5, "arrayValue"}, values = {1, "values"},
                                      text = {1, "stringValue"};
    size_t list = nk_out_open(o, array);
    nk_out_list(o, values);
    for (size_t i = 0; i < n; i++) {
        size_t item = nk_out_item(o, values);
        nk_out_text(o, text, texts[i]);
        nk_out_close(o, item);
    }
    nk_out_list_end(o);
    nk_out_close(o, list);
}

static void put_value(struct nk_otel_out *o, const struct nk_otel_attribute *a)
{
    static const struct nk_otel_field text = {1, "stringValue"}, boolean = {2, "boolValue"},
                                      integer = {3, "intValue"}, number = {4, "doubleValue"};
    if (a->type == NK_OTEL_TEXT)
        nk_out_text(o, text, a->text);
    else if (a->type == NK_OTEL_BOOL)
        nk_out_bool(o, boolean, a->number);
    else if (a->type == NK_OTEL_INT)
        nk_out_int(o, integer, a->number);
    else if (a->type == NK_OTEL_SECONDS)
        nk_out_double(o, number, (uint64_t)a->number, 1000000);
    else
        put_texts(o, a->texts, (size_t)a->number);
}

static void put_attributes(struct nk_otel_out *o, struct nk_otel_field f,
                           const struct nk_otel_attributes *a)
{
    if (!a || a->n == 0)
        return;
    nk_out_list(o, f);
    for (size_t i = 0; i < a->n; i++) {
        size_t item = nk_out_item(o, f);
        nk_out_text(o, key, a->at[i].key);
        size_t any = nk_out_open(o, value);
        put_value(o, &a->at[i]);
        nk_out_close(o, any);
        nk_out_close(o, item);
    }
    nk_out_list_end(o);
}

/* An item is a message without its field: in JSON with its braces, in protobuf the bytes alone. */
static void item_begin(struct nk_otel_out *o)
{
    if (o->form == NK_OTEL_JSON)
        nk_buf_add_char(o->b, '{');
}

static void item_end(struct nk_otel_out *o)
{
    if (o->form == NK_OTEL_JSON)
        nk_buf_add_char(o->b, '}');
}

static void put_events(struct nk_otel_out *o, const struct nk_otel_span *s)
{
    static const struct nk_otel_field events = {11, "events"}, time = {1, "timeUnixNano"},
                                      name = {2, "name"};
    if (s->event_count == 0)
        return;
    nk_out_list(o, events);
    for (size_t i = 0; i < s->event_count; i++) {
        size_t item = nk_out_item(o, events);
        nk_out_fixed(o, time, s->events[i].time);
        nk_out_text(o, name, s->events[i].name);
        nk_out_close(o, item);
    }
    nk_out_list_end(o);
}

void nk_otel_put_span(const struct nk_otel_span *s, enum nk_otel_form form, struct nk_buf *out)
{
    static const struct nk_otel_field trace = {1, "traceId"}, span = {2, "spanId"},
                                      parent = {4, "parentSpanId"}, name = {5, "name"},
                                      kind = {6, "kind"}, start = {7, "startTimeUnixNano"},
                                      end = {8, "endTimeUnixNano"}, attributes = {9, "attributes"},
                                      status = {15, "status"}, code = {3, "code"},
                                      flags = {16, "flags"};
    enum { STATUS_ERROR = 2 };
    struct nk_otel_out o = {out, form};
    item_begin(&o);
    nk_out_id(&o, trace, s->trace.id, sizeof s->trace.id);
    nk_out_id(&o, span, s->trace.span, sizeof s->trace.span);
    if (s->parent)
        nk_out_id(&o, parent, s->parent, NK_SPAN_ID_SIZE);
    nk_out_text(&o, name, s->name);
    nk_out_number(&o, kind, s->kind);
    nk_out_fixed(&o, start, s->start);
    nk_out_fixed(&o, end, s->end);
    put_attributes(&o, attributes, s->attributes);
    put_events(&o, s);
    if (s->failed) {
        size_t mark = nk_out_open(&o, status);
        nk_out_number(&o, code, STATUS_ERROR);
        nk_out_close(&o, mark);
    }
    nk_out_flags(&o, flags, s->trace.flags & NK_TRACE_SAMPLED);
    item_end(&o);
}

void nk_otel_put_log(const struct nk_otel_log *l, enum nk_otel_form form, struct nk_buf *out)
{
    static const struct nk_otel_field time = {1, "timeUnixNano"}, severity = {2, "severityNumber"},
                                      severity_text = {3, "severityText"}, body = {5, "body"},
                                      text = {1, "stringValue"}, attributes = {6, "attributes"},
                                      flags = {8, "flags"}, trace = {9, "traceId"},
                                      span = {10, "spanId"},
                                      observed = {11, "observedTimeUnixNano"},
                                      event = {12, "eventName"};
    struct nk_otel_out o = {out, form};
    item_begin(&o);
    nk_out_fixed(&o, time, l->time);
    nk_out_fixed(&o, observed, l->time);
    nk_out_number(&o, severity, l->severity);
    nk_out_text(&o, severity_text, l->severity_text);
    size_t mark = nk_out_open(&o, body);
    nk_out_text(&o, text, l->body);
    nk_out_close(&o, mark);
    put_attributes(&o, attributes, l->attributes);
    if (l->in_trace) {
        nk_out_flags(&o, flags, l->trace.flags & NK_TRACE_SAMPLED);
        nk_out_id(&o, trace, l->trace.id, sizeof l->trace.id);
        nk_out_id(&o, span, l->trace.span, sizeof l->trace.span);
    }
    nk_out_text(&o, event, l->event);
    item_end(&o);
}

static const struct nk_otel_field point_start = {2, "startTimeUnixNano"},
                                  point_time = {3, "timeUnixNano"};

static void put_point(struct nk_otel_out *o, const struct nk_otel_metric *m,
                      const struct nk_otel_point *p)
{
    static const struct nk_otel_field attributes = {7, "attributes"}, integer = {6, "asInt"};
    put_attributes(o, attributes, p->attributes);
    if (m->kind == NK_OTEL_SUM)
        nk_out_fixed(o, point_start, m->start);
    nk_out_fixed(o, point_time, m->time);
    nk_out_fixed(o, integer, p->value);
}

static void put_histogram(struct nk_otel_out *o, const struct nk_otel_metric *m,
                          const struct nk_otel_point *p)
{
    static const struct nk_otel_field attributes = {9, "attributes"}, count = {4, "count"},
                                      sum = {5, "sum"}, counts = {6, "bucketCounts"},
                                      bounds = {7, "explicitBounds"};
    uint64_t total = 0;
    for (size_t i = 0; i <= p->bound_count; i++)
        total += p->counts[i];
    put_attributes(o, attributes, p->attributes);
    nk_out_fixed(o, point_start, m->start);
    nk_out_fixed(o, point_time, m->time);
    nk_out_fixed(o, count, total);
    nk_out_double(o, sum, p->sum, p->scale);
    nk_out_fixeds(o, counts, p->counts, p->bound_count + 1);
    nk_out_doubles(o, bounds, p->bounds, p->bound_count, p->scale);
}

void nk_otel_put_metric(const struct nk_otel_metric *m, enum nk_otel_form form, struct nk_buf *out)
{
    static const struct nk_otel_field name = {1, "name"}, description = {2, "description"},
                                      unit = {3, "unit"}, points = {1, "dataPoints"},
                                      temporality = {2, "aggregationTemporality"},
                                      monotonic = {3, "isMonotonic"};
    static const struct nk_otel_field data[] = {
        [NK_OTEL_GAUGE] = {5, "gauge"},
        [NK_OTEL_SUM] = {7, "sum"},
        [NK_OTEL_HISTOGRAM] = {9, "histogram"},
    };
    enum { CUMULATIVE = 2 };
    struct nk_otel_out o = {out, form};
    item_begin(&o);
    nk_out_text(&o, name, m->name);
    nk_out_text(&o, description, m->description);
    nk_out_text(&o, unit, m->unit);
    size_t mark = nk_out_open(&o, data[m->kind]);
    nk_out_list(&o, points);
    for (size_t i = 0; i < m->point_count; i++) {
        size_t item = nk_out_item(&o, points);
        if (m->kind == NK_OTEL_HISTOGRAM)
            put_histogram(&o, m, &m->points[i]);
        else
            put_point(&o, m, &m->points[i]);
        nk_out_close(&o, item);
    }
    nk_out_list_end(&o);
    if (m->kind != NK_OTEL_GAUGE)
        nk_out_number(&o, temporality, CUMULATIVE);
    if (m->kind == NK_OTEL_SUM)
        nk_out_bool(&o, monotonic, true);
    nk_out_close(&o, mark);
    item_end(&o);
}

/* Requests ------------------------------------------------------------------------------------- */

static const struct envelope {
    struct nk_otel_field resources, scopes, items;
    const char *path;
} envelopes[] = {
    [NK_OTEL_TRACES] = {{1, "resourceSpans"}, {2, "scopeSpans"}, {2, "spans"}, "/v1/traces"},
    [NK_OTEL_LOGS] = {{1, "resourceLogs"}, {2, "scopeLogs"}, {2, "logRecords"}, "/v1/logs"},
    [NK_OTEL_METRICS] = {{1, "resourceMetrics"},
                         {2, "scopeMetrics"},
                         {2, "metrics"},
                         "/v1/metrics"},
};
static const struct nk_otel_field schema = {3, "schemaUrl"};
static const char schema_url[] = "https://opentelemetry.io/schemas/1.41.0";

const char *nk_otel_path(enum nk_otel_signal signal)
{
    return envelopes[signal].path;
}

void nk_otel_begin(struct nk_otel_request *r, const struct nk_otel_attributes *resource,
                   struct nk_str version)
{
    static const struct nk_otel_field resource_field = {1, "resource"}, scope_field = {1, "scope"},
                                      name = {1, "name"}, version_field = {2, "version"};
    const struct envelope *e = &envelopes[r->signal];
    struct nk_otel_out o = {r->out, r->form};
    nk_buf_clear(r->out);
    item_begin(&o);
    nk_out_list(&o, e->resources);
    r->mark[0] = nk_out_item(&o, e->resources);
    size_t mark = nk_out_open(&o, resource_field);
    put_attributes(&o, attributes_of_resource, resource);
    nk_out_close(&o, mark);
    nk_out_text(&o, schema, nk_str(schema_url));
    nk_out_list(&o, e->scopes);
    r->mark[1] = nk_out_item(&o, e->scopes);
    mark = nk_out_open(&o, scope_field);
    nk_out_text(&o, name, NK_STR("nakoso"));
    nk_out_text(&o, version_field, version);
    nk_out_close(&o, mark);
    nk_out_text(&o, schema, nk_str(schema_url));
    nk_out_list(&o, e->items);
}

void nk_otel_item(struct nk_otel_request *r, struct nk_str item)
{
    struct nk_otel_out o = {r->out, r->form};
    nk_out_whole(&o, envelopes[r->signal].items, item);
}

void nk_otel_end(struct nk_otel_request *r)
{
    struct nk_otel_out o = {r->out, r->form};
    nk_out_list_end(&o);
    nk_out_close(&o, r->mark[1]);
    nk_out_list_end(&o);
    nk_out_close(&o, r->mark[0]);
    nk_out_list_end(&o);
    item_end(&o);
}
