/* SPDX-License-Identifier: Apache-2.0
 *
 * driver.c - see driver.h. Events go to the driver; what receive.c would know of one answer is forgotten when the
 * next call begins, so that each outcome's record speaks of its own call.
 */
#include "gate/a2a.h"
#include "gate/agent.h"
#include "gate/mcp.h"

const struct gate_driver *gate_driver_of(enum nk_local local)
{
    switch (local) {
    case NK_LOCAL_MCP:
        return &gate_mcp_driver;
    case NK_LOCAL_A2A:
        return &gate_a2a_driver;
    case NK_LOCAL_AGENT:
        return &gate_agent_driver;
    default:
        return NULL;
    }
}

unsigned gate_drive(struct nk_txn *t, const struct nk_event *e)
{
    struct nk_gate_state *s = t->state;
    const struct gate_driver *d = s->driver;
    unsigned fx = 0;
    switch (e->type) {
    case NK_EV_REQUEST_END:
        s->phase = NK_PHASE_ANSWER;
        fx = d->start(t);
        break;
    case NK_EV_ANSWER:
        fx = d->head(t, e->head);
        break;
    case NK_EV_ANSWER_DATA:
        fx = d->data(t, e->bytes);
        break;
    case NK_EV_ANSWER_END:
        fx = d->end(t);
        break;
    case NK_EV_ANSWER_FAIL:
        fx = d->fail(t, e->fail, e->bytes);
        break;
    case NK_EV_NEXT:
        fx = d->next ? d->next(t) : 0;
        break;
    case NK_EV_WAKE:
        fx = d->wake ? d->wake(t) : 0;
        break;
    case NK_EV_TOLD:
        fx = d->told ? d->told(t, e->bytes) : 0;
        break;
    default:
        break;
    }
    NK_MUST(!(fx & NK_FX_CALL) || !(fx & (NK_FX_END | NK_FX_CUT)));
    if (fx & (NK_FX_END | NK_FX_CUT) && !(fx & NK_FX_PARK))
        s->phase = NK_PHASE_OVER;
    return fx;
}

/* What receive knew of the exchange before. */
static void forget_exchange(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    nk_buf_clear(&s->reply);
    nk_buf_clear(&s->held);
    nk_sse_free(&s->sse);
    nk_sse_init(&s->sse, (size_t)t->setup->config.limits.event_bytes);
    s->route = NULL;
    s->stream = NULL;
    s->streaming = s->complete = false;
    s->upstream_status = 0;
    s->usage = (struct nk_usage){-1, -1};
    s->finish = s->reply_model = s->strange = (struct nk_str){NULL, 0};
    s->reply_bytes = s->events = s->tool_calls = 0;
}

/* Of call n, from 1; who makes more calls than there are numbers has the first ones told. */
static uint32_t span_of(uint32_t n)
{
    return NK_SPAN_CALL + n <= NK_SPAN_LAST ? NK_SPAN_CALL + n : 0;
}

int gate_call_again(struct nk_txn *t, size_t upstream, const char *method, struct nk_str target,
                    size_t room)
{
    forget_exchange(t);
    t->state->exchange++;
    t->state->spans += t->state->spans <= NK_SPAN_LAST;
    t->call = (struct nk_gate_call){.upstream = upstream, .span = span_of(t->state->spans)};
    t->call.head =
        (struct nk_http_head){.method = nk_str(method), .target = target, .content_length = -1};
    t->call.head.headers = nk_arena_array(t->arena, room, sizeof *t->call.head.headers);
    return t->call.head.headers ? 0 : NK_ENOMEM;
}

int gate_call_new(struct nk_txn *t, size_t upstream, const char *method, struct nk_str target,
                  size_t room)
{
    t->state->call_number++;
    t->state->exchange = 0;
    return gate_call_again(t, upstream, method, target, room);
}

void gate_call_resume(struct nk_txn *t, const struct nk_gate_call *call)
{
    forget_exchange(t);
    t->call = *call;
}

void gate_call_is_of_tool(struct nk_txn *t, struct nk_str full)
{
    t->call.about.operation = NK_STR("execute_tool");
    if (nk_tools_find(t->setup->tools, full))
        t->call.about.name = full;
}

void gate_call_header(struct nk_txn *t, const char *name, struct nk_str value)
{
    nk_http_add(&t->call.head, nk_str(name), value);
}

void gate_call_body(struct nk_txn *t, struct nk_str body)
{
    t->call.body = body;
    t->call.head.content_length = body.n ? (int64_t)body.n : -1;
}

int gate_call_authorize(struct nk_txn *t)
{
    t->state->context = (struct nk_str){NULL, 0};
    t->state->judged = false;
    return gate_authorize(t);
}
