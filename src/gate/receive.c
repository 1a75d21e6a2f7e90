/* SPDX-License-Identifier: Apache-2.0
 *
 * receive.c - the upstream's answer. A whole answer is read as strict JSON before its first byte
 * goes on; a stream is cut into events, each read as strict JSON: text flows through at once, a
 * tool call is held until it is complete and decided (calls.h). What breaks its own format does not pass.
 */
#include "agent/model.h"
#include "gate/calls.h"
#include "gate/driver.h"

/* Headers of the answer that clients know how to use; all others stay behind. */
static bool returns(struct nk_str name)
{
    return nk_str_eq_nocase(name, NK_STR("content-type")) ||
           nk_str_eq_nocase(name, NK_STR("retry-after")) ||
           nk_str_eq_nocase(name, NK_STR("request-id")) || nk_str_starts(name, NK_STR("openai-")) ||
           nk_str_starts(name, NK_STR("anthropic-")) || nk_str_starts(name, NK_STR("x-ratelimit-"));
}

bool gate_answer_is_type(const struct nk_http_head *h, struct nk_str type)
{
    struct nk_str rest = nk_http_get(h, NK_STR("content-type"));
    return rest.p && nk_str_eq_nocase(nk_str_trim(nk_str_cut(&rest, ';')), type);
}

/* Only identity was asked for, so that each byte can be read here. */
static bool is_encoded(const struct nk_http_head *h)
{
    struct nk_str coding = nk_http_get(h, NK_STR("content-encoding"));
    return coding.p && !nk_str_eq_nocase(coding, NK_STR("identity"));
}

/* The answer does not pass: an answer of ours in its place, or the end of a stream that has begun.
 */
unsigned gate_answer_failed(struct nk_txn *t, enum nk_refusal_id id, struct nk_str reason)
{
    struct nk_gate_state *s = t->state;
    gate_refuse(t, id, "receive", NK_STR(""), reason);
    if (s->began)
        return gate_cut_stream(t, id, NK_STR(""));
    unsigned fx = gate_answer_refusal(t) | NK_FX_ABORT;
    s->phase = NK_PHASE_OVER;
    return fx | gate_record_outcome(t, gate_refusal_name(id));
}

static int copy_headers(struct nk_txn *t, const struct nk_http_head *h, size_t extra)
{
    struct nk_http_header *out = nk_arena_array(t->arena, h->header_count + extra, sizeof *out);
    size_t n = 0;
    if (!out)
        return NK_ENOMEM;
    for (size_t i = 0; i < h->header_count; i++) {
        if (!returns(h->headers[i].name))
            continue;
        out[n] = (struct nk_http_header){nk_arena_copy(t->arena, h->headers[i].name),
                                         nk_arena_copy(t->arena, h->headers[i].value)};
        if (!out[n].name.p || !out[n].value.p)
            return NK_ENOMEM;
        n++;
    }
    t->reply_head = (struct nk_http_head){.status = h->status,
                                          .headers = out,
                                          .header_count = n,
                                          .content_length = -1,
                                          .keep_alive = true};
    return 0;
}

unsigned gate_receive_stream(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    nk_http_add(&t->reply_head, NK_STR("cache-control"), NK_STR("no-cache, no-transform"));
    nk_http_add(&t->reply_head, NK_STR("x-accel-buffering"), NK_STR("no"));
    t->reply_head.chunked = true;
    s->streaming = true;
    s->began = true;
    s->status = t->reply_head.status;
    return NK_FX_HEAD;
}

static unsigned begin_stream(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    s->stream = s->reading->dialect->stream_new(s->reading, t->arena);
    if (!s->stream)
        return gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("stream state"));
    return gate_receive_stream(t);
}

unsigned gate_receive_check(struct nk_txn *t, const struct nk_http_head *h, const char *who)
{
    t->state->upstream_status = h->status;
    if (h->status == 401 || h->status == 403)
        return gate_answer_failed(t, NK_REFUSAL_upstream_credential,
                                  nk_arena_printf(t->arena, "%s answered 401 or 403", who));
    if (h->status < 200 || (h->status >= 300 && h->status < 400))
        return gate_answer_failed(
            t, NK_REFUSAL_bad_answer,
            nk_arena_printf(t->arena, "%s answered with a redirect or 1xx", who));
    if (is_encoded(h))
        return gate_answer_failed(
            t, NK_REFUSAL_bad_answer,
            nk_arena_printf(t->arena, "%s's answer is compressed, unasked", who));
    return 0;
}

unsigned gate_receive_head(struct nk_txn *t, const struct nk_http_head *h)
{
    struct nk_gate_state *s = t->state;
    unsigned fx = gate_receive_check(t, h, "upstream");
    if (fx)
        return fx;
    if (copy_headers(t, h, 4))
        return gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("headers of the answer"));
    nk_http_add(&t->reply_head, NK_STR("x-request-id"), s->id);
    if (h->status == 200 && s->call.stream && gate_answer_is_type(h, NK_STR("text/event-stream")))
        return begin_stream(t);
    if (!gate_answer_is_type(h, NK_STR("application/json")))
        return gate_answer_failed(t, NK_REFUSAL_bad_answer,
                                  NK_STR("upstream's answer is not JSON"));
    return 0;
}

int gate_event_parse(struct nk_txn *t, const struct nk_sse_event *e, struct nk_json *data,
                     struct nk_fault *f)
{
    *data = (struct nk_json){0};
    if (!e->data.p || nk_str_eq(e->data, NK_STR("[DONE]")))
        return 0;
    return gate_read_json(t, e->data, t->setup->config.limits.event_bytes, &t->state->event_arena,
                          data, f);
}

int gate_event_pieces(struct nk_txn *t, const struct nk_sse_event *e,
                      struct nk_model_stream *stream, const struct nk_model_piece **pieces,
                      size_t *n, struct nk_fault *f)
{
    struct nk_json data;
    *pieces = NULL;
    *n = 0;
    nk_arena_reset(&t->state->event_arena);
    int rc = gate_event_parse(t, e, &data, f);
    return rc ? rc : nk_model_stream_event(stream, e, &data, &t->state->event_arena, pieces, n, f);
}

static int stream_event(struct nk_txn *t, const struct nk_sse_event *e, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_json data;
    enum nk_stream_verdict verdict = NK_STREAM_PASS;
    const struct nk_tool_use *calls = NULL;
    size_t count = 0;
    nk_arena_reset(&s->event_arena);
    int rc = gate_event_parse(t, e, &data, f);
    if (!rc)
        rc = s->reading->dialect->stream_event(s->stream, e, &data, &verdict, &calls, &count, f);
    if (rc)
        return rc;
    if (verdict == NK_STREAM_HOLD) {
        nk_buf_add(&s->held, e->raw);
        return s->held.error;
    }
    return gate_calls_stream(t, e, calls, count, f);
}

/* Records of decisions, and NK_FX_DATA when something may go on. */
static unsigned effects_of(const struct nk_txn *t)
{
    return (t->record_count || t->record_lost ? NK_FX_RECORD : 0) | (t->out.n ? NK_FX_DATA : 0);
}

/* Takes all whole events out. */
static unsigned take_events(struct nk_txn *t, int rc, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_sse_event e;
    while (!rc) {
        rc = nk_sse_next(&s->sse, &e, f);
        s->events += !rc;
        if (!rc)
            rc = stream_event(t, &e, f);
    }
    struct nk_reply so_far;
    s->complete = s->reading->dialect->stream_end(s->stream, &so_far);
    s->usage = so_far.usage;
    s->finish = so_far.finish;
    s->reply_model = so_far.model;
    if (rc != NK_EAGAIN)
        return gate_answer_failed(
            t, rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory : NK_REFUSAL_bad_answer,
            nk_arena_copy(t->arena, nk_str(f->code ? f->message : "event over a limit")));
    return effects_of(t);
}

unsigned gate_receive_events(struct nk_txn *t, int rc,
                             int (*take)(struct nk_txn *t, const struct nk_sse_event *e,
                                         struct nk_fault *f),
                             struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_sse_event e;
    while (!rc) {
        rc = nk_sse_next(&s->sse, &e, f);
        s->events += !rc;
        if (!rc)
            rc = take(t, &e, f);
    }
    if (rc != NK_EAGAIN)
        return gate_answer_failed(
            t, rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory : NK_REFUSAL_bad_answer,
            nk_arena_copy(t->arena, nk_str(f->code ? f->message : "event over a limit")));
    return t->out.n ? NK_FX_DATA : 0;
}

static unsigned receive_stream(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_fault f;
    nk_fault_none(&f);
    int rc = nk_sse_feed(&t->state->sse, bytes, &f);
    return take_events(t, rc, &f);
}

unsigned gate_receive_data(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_gate_state *s = t->state;
    s->reply_bytes += (int64_t)bytes.n;
    if (s->streaming)
        return receive_stream(t, bytes);
    nk_buf_add(&s->reply, bytes);
    if (s->reply.error)
        return gate_answer_failed(t, NK_REFUSAL_bad_answer,
                                  NK_STR("answer over limits.reply_bytes"));
    return 0;
}

static int read_reply(struct nk_txn *t, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct nk_json doc;
    struct nk_reply reply = {.usage = {-1, -1}};
    int rc = gate_read_json(t, nk_buf_str(&s->reply), t->setup->config.limits.reply_bytes,
                            t->scratch, &doc, f);
    if (rc || s->upstream_status > 299)
        return rc;
    rc = s->reading->dialect->parse_reply(s->reading, &doc, t->arena, &reply, f);
    s->usage = reply.usage;
    s->finish = reply.finish;
    s->reply_model = reply.model;
    return rc || !reply.tool_count ? rc : gate_calls_reply(t, &doc, &reply, f);
}

static unsigned end_stream(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f;
    nk_fault_none(&f);
    nk_sse_end(&s->sse);
    unsigned fx = take_events(t, 0, &f);
    if (s->phase == NK_PHASE_OVER)
        return fx;
    if (!s->complete || s->held.n || nk_sse_pending(&s->sse))
        return gate_answer_failed(t, NK_REFUSAL_upstream_failed,
                                  NK_STR("stream ended before it was complete"));
    s->phase = NK_PHASE_OVER;
    return fx | gate_record_outcome(t, "complete") | NK_FX_END;
}

unsigned gate_receive_end(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f;
    nk_fault_none(&f);
    if (s->streaming)
        return end_stream(t);
    int rc = read_reply(t, &f);
    if (rc)
        return gate_answer_failed(
            t, rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory : NK_REFUSAL_bad_answer,
            nk_arena_printf(t->arena, "%s at byte %zu", f.message, f.offset));
    s->status = t->reply_head.status;
    t->reply_head.content_length = (int64_t)s->reply.n;
    t->out = s->reply; /* moved */
    nk_buf_init(&s->reply, 0);
    s->phase = NK_PHASE_OVER;
    return gate_record_outcome(t, s->upstream_status < 300 ? "complete" : "upstream_error") |
           NK_FX_HEAD | NK_FX_DATA | NK_FX_END;
}

enum nk_refusal_id gate_refusal_of(int how)
{
    static const enum nk_refusal_id ids[] = {
        [NK_UPSTREAM_BROKEN] = NK_REFUSAL_upstream_failed,
        [NK_UPSTREAM_TIMEOUT] = NK_REFUSAL_upstream_timeout,
        [NK_UPSTREAM_BUSY] = NK_REFUSAL_upstream_busy,
        [NK_UPSTREAM_NO_CONNECTION] = NK_REFUSAL_upstream_no_connection,
        [NK_UPSTREAM_STALLED] = NK_REFUSAL_upstream_stalled,
        [NK_UPSTREAM_TOO_LONG] = NK_REFUSAL_upstream_too_long,
    };
    NK_MUST(how >= 0 && how < (int)NK_COUNT(ids));
    return ids[how];
}

unsigned gate_receive_fail(struct nk_txn *t, int how, struct nk_str why)
{
    return gate_answer_failed(t, gate_refusal_of(how), nk_arena_copy(t->arena, why));
}
