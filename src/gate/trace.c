/* SPDX-License-Identifier: Apache-2.0
 *
 * trace.c - the trace that a request belongs to: the client's when it sent a well-formed `traceparent`, else,
 * when requests are traced, one of our own. Whoever began the trace decides whether it is kept. The provider
 * is told of the span of the call, not of the client's (telemetry.propagate). See otel/trace.h.
 */
#include "gate/txn.h"

void gate_trace(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_str header = {NULL, 0};
    if (s->head)
        header = nk_http_get(s->head, NK_STR("traceparent"));
    s->has_parent = header.p && nk_trace_parse(header, &s->parent) == 0;
    if (s->has_parent)
        s->trace = nk_str_sub(header, 3, 35);
    if (!s->env.is_traced)
        return;
    nk_trace_start(s->env.random, s->has_parent ? &s->parent : NULL, &s->own);
    if (s->has_parent)
        return;
    if (nk_trace_is_one_in(&s->own, (uint64_t)t->setup->config.telemetry.sample))
        s->own.flags = NK_TRACE_SAMPLED;
    char *hex = nk_arena_resize(t->arena, NULL, 0, 2 * NK_TRACE_ID_SIZE);
    struct nk_buf b = {.p = hex, .cap = 2 * NK_TRACE_ID_SIZE, .max = 2 * NK_TRACE_ID_SIZE};
    if (!hex)
        return;
    nk_buf_add_hex(&b, s->own.id, sizeof s->own.id);
    s->trace = nk_buf_str(&b);
}

static bool is_own(const struct nk_txn *t)
{
    return t->state->env.is_traced &&
           nk_str_eq(t->setup->config.telemetry.propagate, NK_STR("own"));
}

bool gate_trace_forwards(const struct nk_txn *t, struct nk_str header)
{
    bool parent = nk_str_eq_nocase(header, NK_STR("traceparent"));
    if (!parent && !nk_str_eq_nocase(header, NK_STR("tracestate")))
        return true;
    if (is_own(t)) /* the state stays true for a new span of the same trace (section 3.5) */
        return !parent && t->state->has_parent;
    return !nk_str_eq(t->setup->config.telemetry.propagate, NK_STR("none"));
}

struct nk_str gate_trace_header(struct nk_txn *t)
{
    struct nk_trace call;
    char *room = is_own(t) ? nk_arena_resize(t->arena, NULL, 0, NK_TRACEPARENT_SIZE) : NULL;
    struct nk_buf b = {.p = room, .cap = NK_TRACEPARENT_SIZE, .max = NK_TRACEPARENT_SIZE};
    if (!room)
        return (struct nk_str){NULL, 0};
    nk_trace_child(&t->state->own, t->call.span ? (unsigned char)t->call.span : NK_SPAN_CALL,
                   &call);
    nk_trace_write(&call, &b);
    return nk_buf_str(&b);
}
