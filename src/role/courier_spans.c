/* SPDX-License-Identifier: Apache-2.0
 *
 * courier_spans.c - one request as spans:
 *
 *     "POST /v1/chat/completions"   SERVER    the request, from its first byte to the answer's last
 *       "authorize"                 INTERNAL  reading the call and judging it
 *       "chat gpt-4o"               CLIENT    the call; its span id goes upstream as traceparent
 *       "tools/call ehr___patient"  CLIENT    of requests that make several calls (MCP, agents, A2A): each one
 *
 * and a refusal or fault as one log record. Names are those of OpenTelemetry's semantic conventions 1.41.0
 * where they have one (http, server, url, error, user, gen_ai); the rest begin with "nakoso.". What the
 * conventions want and is left out on purpose: the path of an operation that does not exist, the host that
 * the client named and its address, for they are the client's to choose; and everything of prompt and
 * answer.
 */
#include "role/courier_telemetry.h"

#include <stdio.h>
#include <string.h>
#include "gate/counts.h"

enum { NAME_MAX_BYTES = 640 };

static uint64_t at(const struct nk_wire_telemetry *r, int64_t offset)
{
    return (uint64_t)(r->end_unix - r->took + offset) * 1000;
}

static void put(struct courier_telemetry *t, const struct nk_otel_span *s)
{
    struct courier_export *e = &t->exports[NK_OTEL_TRACES];
    nk_buf_clear(&t->item);
    nk_otel_put_span(s, e->form, &t->item);
    courier_export_put(e, t->item.error ? NK_STR("") : nk_buf_str(&t->item));
}

static const char *decision_of(const struct nk_wire_telemetry *r)
{
    if (!(r->flags & NK_WIRE_JUDGED))
        return "refused";
    return r->flags & NK_WIRE_ALLOWED ? "allow" : "deny";
}

static void add_decision(struct nk_otel_attributes *a, const struct nk_wire_telemetry *r)
{
    int64_t n = 0;
    while (n < NK_WIRE_POLICIES && r->text[NK_WIRE_POLICY + n].n)
        n++;
    nk_otel_add_text(a, NK_STR("nakoso.decision"), nk_str(decision_of(r)));
    if (n)
        nk_otel_add(a, (struct nk_otel_attribute){.key = NK_STR("nakoso.policies"),
                                                  .type = NK_OTEL_TEXTS,
                                                  .texts = &r->text[NK_WIRE_POLICY],
                                                  .number = n});
}

static void add_refusal(struct nk_otel_attributes *a, const struct nk_wire_telemetry *r)
{
    nk_otel_add_text(a, NK_STR("nakoso.request.id"), r->text[NK_WIRE_REQUEST]);
    if (!r->refusal)
        return;
    nk_otel_add_text(a, NK_STR("nakoso.refusal.id"), nk_str(nk_refusal_name((int)r->refusal)));
    nk_otel_add_text(a, NK_STR("nakoso.refusal.stage"), r->text[NK_WIRE_STAGE]);
}

static void add_principal(struct nk_otel_attributes *a, const struct courier_config *g,
                          const struct nk_wire_telemetry *r)
{
    bool hash = nk_str_eq(g->config.telemetry.principal, NK_STR("hash"));
    nk_otel_add_text(a, hash ? NK_STR("user.hash") : NK_STR("user.id"), r->text[NK_WIRE_PRINCIPAL]);
}

/* What kind of failure: our own word for it, else the status (conventions, error.type). */
static struct nk_str error_type(const struct nk_wire_telemetry *r, uint32_t status, char room[16])
{
    if (r->refusal)
        return nk_str(nk_refusal_name((int)r->refusal));
    snprintf(room, 16, "%u", status);
    return nk_str(room);
}

/* MCP and tools (conventions for generative AI: MCP, execute_tool, invoke_agent). */
static void add_about(struct nk_otel_attributes *a, const struct nk_wire_telemetry *r)
{
    static const struct {
        struct nk_str operation, key;
    } names[] = {{{"execute_tool", 12}, {"gen_ai.tool.name", 16}},
                 {{"invoke_agent", 12}, {"gen_ai.agent.name", 17}},
                 {{"chat", 4}, {"gen_ai.request.model", 20}}};
    struct nk_str operation = r->text[NK_WIRE_ABOUT_OPERATION];
    nk_otel_add_text(a, NK_STR("mcp.method.name"), r->text[NK_WIRE_ABOUT_METHOD]);
    nk_otel_add_text(a, NK_STR("gen_ai.operation.name"), operation);
    for (size_t i = 0; i < NK_COUNT(names); i++)
        if (nk_str_eq(operation, names[i].operation))
            nk_otel_add_text(a, names[i].key, r->text[NK_WIRE_ABOUT_NAME]);
}

static void put_request(struct courier_telemetry *t, const struct courier_config *g,
                        const struct nk_wire_telemetry *r)
{
    struct nk_otel_attributes a = {.n = 0};
    char name[NAME_MAX_BYTES], type[16];
    struct nk_str method = r->text[NK_WIRE_METHOD], route = r->text[NK_WIRE_ROUTE];
    bool other = nk_str_eq(method, NK_STR("_OTHER"));
    snprintf(name, sizeof name, "%.*s%s%.*s", NK_FMT(other ? NK_STR("HTTP") : method),
             route.n ? " " : "", NK_FMT(route));
    bool ours = r->status >= 500 || r->refusal; /* else the answer may say that it failed */
    struct nk_str said = ours ? (struct nk_str){NULL, 0} : r->text[NK_WIRE_ABOUT_ERROR];
    bool failed = r->status >= 500 || r->flags & NK_WIRE_CUT || said.n;
    nk_otel_add_text(&a, NK_STR("http.request.method"), method);
    nk_otel_add_text(&a, NK_STR("url.scheme"),
                     r->flags & NK_WIRE_TLS ? NK_STR("https") : NK_STR("http"));
    if (r->flags & NK_WIRE_HTTP2) /* of HTTP/1, it may be either */
        nk_otel_add_text(&a, NK_STR("network.protocol.version"), NK_STR("2"));
    nk_otel_add_text(&a, NK_STR("http.route"), route);
    if (route.n && nk_str_find(route, '*') < 0)
        nk_otel_add_text(&a, NK_STR("url.path"), route);
    if (r->status)
        nk_otel_add_number(&a, NK_STR("http.response.status_code"), r->status);
    if (failed)
        nk_otel_add_text(&a, NK_STR("error.type"),
                         ours     ? error_type(r, r->status, type)
                         : said.n ? said
                                  : NK_STR("client_gone"));
    add_about(&a, r);
    add_refusal(&a, r);
    add_decision(&a, r);
    add_principal(&a, g, r);
    put(t, &(struct nk_otel_span){.trace = r->own,
                                  .parent = r->flags & NK_WIRE_HAS_PARENT ? r->parent.span : NULL,
                                  .name = nk_str(name),
                                  .kind = NK_OTEL_SERVER,
                                  .start = at(r, 0),
                                  .end = at(r, r->took),
                                  .attributes = &a,
                                  .failed = failed});
}

static void put_decision(struct courier_telemetry *t, const struct nk_wire_telemetry *r)
{
    struct nk_otel_attributes a = {.n = 0};
    struct nk_otel_span s = {.parent = r->own.span,
                             .name = NK_STR("authorize"),
                             .kind = NK_OTEL_INTERNAL,
                             .start = at(r, r->judging),
                             .end = at(r, r->judged),
                             .attributes = &a};
    add_decision(&a, r);
    nk_trace_child(&r->own, NK_SPAN_DECISION, &s.trace);
    put(t, &s);
}

static void add_genai(struct nk_otel_attributes *a, const struct nk_wire_telemetry *r)
{
    const struct nk_str *text = r->text;
    if (!text[NK_WIRE_GENAI].n)
        return;
    nk_otel_add_text(a, NK_STR("gen_ai.operation.name"), text[NK_WIRE_GENAI]);
    nk_otel_add_text(a, NK_STR("gen_ai.provider.name"), text[NK_WIRE_DIALECT]);
    nk_otel_add_text(a, NK_STR("gen_ai.request.model"), text[NK_WIRE_MODEL_SENT]);
    nk_otel_add_text(a, NK_STR("gen_ai.response.model"), text[NK_WIRE_MODEL_ANSWERED]);
    if (text[NK_WIRE_FINISH].n)
        nk_otel_add(a, (struct nk_otel_attribute){.key = NK_STR("gen_ai.response.finish_reasons"),
                                                  .type = NK_OTEL_TEXTS,
                                                  .texts = &text[NK_WIRE_FINISH],
                                                  .number = 1});
    if (r->flags & NK_WIRE_STREAMED) {
        nk_otel_add(a, (struct nk_otel_attribute){.key = NK_STR("gen_ai.request.stream"),
                                                  .type = NK_OTEL_BOOL,
                                                  .number = true});
        nk_otel_add(a,
                    (struct nk_otel_attribute){.key = NK_STR("gen_ai.response.time_to_first_chunk"),
                                               .type = NK_OTEL_SECONDS,
                                               .number = r->first_byte - r->judged});
    }
    nk_otel_add_number(a, NK_STR("gen_ai.usage.input_tokens"), r->input_tokens);
    nk_otel_add_number(a, NK_STR("gen_ai.usage.output_tokens"), r->output_tokens);
}

/* What every call has, whatever it is about. */
static void add_exchange(struct nk_otel_attributes *a, const struct courier_config *g,
                         const struct nk_wire_telemetry *r, bool resent)
{
    const struct upstream *up = &g->upstreams[r->upstream];
    /* Of several endpoints the audit record says which one answered; a guess would be worse than nothing. */
    const struct nk_origin *origin = up->endpoint_count == 1 ? &up->endpoints[0].origin : NULL;
    nk_otel_add_text(a, NK_STR("http.request.method"), r->text[NK_WIRE_METHOD]);
    if (origin && origin->host[0]) {
        nk_otel_add_text(a, NK_STR("server.address"), nk_str(origin->host));
        nk_otel_add_number(a, NK_STR("server.port"), origin->port);
    }
    if (r->upstream_status)
        nk_otel_add_number(a, NK_STR("http.response.status_code"), r->upstream_status);
    if (resent)
        nk_otel_add_number(a, NK_STR("http.request.resend_count"), 1);
    nk_otel_add_text(a, NK_STR("nakoso.upstream"), g->config.upstreams[r->upstream].name);
}

static void add_call(struct nk_otel_attributes *a, const struct courier_config *g,
                     const struct nk_wire_telemetry *r, bool resent)
{
    add_genai(a, r);
    add_exchange(a, g, r, resent);
    nk_otel_add_text(a, NK_STR("nakoso.model"), r->text[NK_WIRE_MODEL]);
    if (r->flags & NK_WIRE_STREAMED)
        nk_otel_add_number(a, NK_STR("nakoso.stream.events"), r->events);
    nk_otel_add_number(a, NK_STR("nakoso.tool_calls"), r->tool_calls);
}

static void put_call(struct courier_telemetry *t, const struct courier_config *g,
                     const struct nk_wire_telemetry *r, int64_t resend_unix)
{
    struct nk_otel_attributes a = {.n = 0};
    struct nk_otel_event events[2];
    char name[NAME_MAX_BYTES], type[16];
    bool genai = r->text[NK_WIRE_GENAI].n != 0;
    snprintf(name, sizeof name, "%.*s %.*s",
             NK_FMT(r->text[genai ? NK_WIRE_GENAI : NK_WIRE_METHOD]),
             NK_FMT(r->text[genai ? NK_WIRE_MODEL_SENT : NK_WIRE_ROUTE]));
    struct nk_otel_span s = {.parent = r->own.span,
                             .name = nk_str(name),
                             .kind = NK_OTEL_CLIENT,
                             .start = at(r, r->judged == -1 ? 0 : r->judged),
                             .end = at(r, r->took),
                             .attributes = &a,
                             .events = events,
                             .failed =
                                 r->refusal || r->upstream_status >= 400 || r->flags & NK_WIRE_CUT};
    uint64_t resent = (uint64_t)resend_unix * 1000;
    if (resend_unix)
        events[s.event_count++] =
            (struct nk_otel_event){NK_STR("nakoso.resend"), resent < s.start ? s.start
                                                            : resent > s.end ? s.end
                                                                             : resent};
    if (r->first_byte != -1)
        events[s.event_count++] =
            (struct nk_otel_event){NK_STR("nakoso.first_byte"), at(r, r->first_byte)};
    add_call(&a, g, r, resend_unix != 0);
    if (s.failed)
        nk_otel_add_text(&a, NK_STR("error.type"),
                         r->refusal || r->upstream_status >= 400
                             ? error_type(r, r->upstream_status, type)
                             : NK_STR("client_gone"));
    nk_trace_child(&r->own, NK_SPAN_CALL, &s.trace);
    put(t, &s);
}

static void put_part(struct courier_telemetry *t, const struct courier_config *g,
                     const struct nk_wire_telemetry *r, int64_t resend_unix)
{
    const struct nk_str *text = r->text;
    struct nk_otel_attributes a = {.n = 0};
    char name[NAME_MAX_BYTES], type[16];
    struct nk_str what = text[text[NK_WIRE_ABOUT_METHOD].n      ? NK_WIRE_ABOUT_METHOD
                              : text[NK_WIRE_ABOUT_OPERATION].n ? NK_WIRE_ABOUT_OPERATION
                                                                : NK_WIRE_METHOD];
    struct nk_str which = text[NK_WIRE_ABOUT_NAME];
    bool failed = r->flags & NK_WIRE_CUT || r->upstream_status >= 400;
    snprintf(name, sizeof name, "%.*s%s%.*s", NK_FMT(what), which.n ? " " : "", NK_FMT(which));
    struct nk_otel_span s = {.parent = r->own.span,
                             .name = nk_str(name),
                             .kind = NK_OTEL_CLIENT,
                             .start = at(r, r->judging),
                             .end = at(r, r->took),
                             .attributes = &a,
                             .failed = failed};
    add_about(&a, r);
    add_exchange(&a, g, r, resend_unix != 0);
    if (failed)
        nk_otel_add_text(&a, NK_STR("error.type"),
                         r->upstream_status >= 400 ? error_type(r, r->upstream_status, type)
                                                   : NK_STR("_OTHER"));
    nk_trace_child(&r->own, (unsigned char)r->span, &s.trace);
    put(t, &s);
}

void courier_spans_put(struct courier_telemetry *t, const struct courier_config *g,
                       const struct nk_wire_telemetry *r, int64_t resend_unix)
{
    if (r->flags & NK_WIRE_PART) {
        if (r->upstream < g->config.upstream_count)
            put_part(t, g, r, resend_unix);
        return;
    }
    put_request(t, g, r);
    if (r->flags & NK_WIRE_JUDGED && r->judged != -1)
        put_decision(t, r);
    if (r->upstream < g->config.upstream_count)
        put_call(t, g, r, resend_unix);
}

void courier_log_put(struct courier_telemetry *t, const struct courier_config *g,
                     const struct nk_wire_telemetry *r)
{
    enum { WARN = 13, ERROR = 17 };
    struct courier_export *e = &t->exports[NK_OTEL_LOGS];
    struct nk_otel_attributes a = {.n = 0};
    char body[NAME_MAX_BYTES];
    bool fault = nk_refusal_status((int)r->refusal) >= 500;
    bool traced = r->flags & NK_WIRE_TRACED;
    snprintf(body, sizeof body, "%s: %s", nk_refusal_name((int)r->refusal),
             nk_refusal_english((int)r->refusal));
    add_refusal(&a, r);
    add_decision(&a, r);
    nk_otel_add_text(&a, NK_STR("http.route"), r->text[NK_WIRE_ROUTE]);
    nk_otel_add_text(&a, NK_STR("nakoso.model"), r->text[NK_WIRE_MODEL]);
    if (r->status)
        nk_otel_add_number(&a, NK_STR("http.response.status_code"), r->status);
    add_principal(&a, g, r);
    struct nk_otel_log log = {.trace = traced ? r->own : r->parent,
                              .time = at(r, r->took),
                              .severity = fault ? ERROR : WARN,
                              .severity_text = fault ? NK_STR("ERROR") : NK_STR("WARN"),
                              .body = nk_str(body),
                              .event = fault ? NK_STR("nakoso.fault") : NK_STR("nakoso.refusal"),
                              .attributes = &a,
                              .in_trace = traced || r->flags & NK_WIRE_HAS_PARENT};
    nk_buf_clear(&t->item);
    nk_otel_put_log(&log, e->form, &t->item);
    courier_export_put(e, t->item.error ? NK_STR("") : nk_buf_str(&t->item));
}
