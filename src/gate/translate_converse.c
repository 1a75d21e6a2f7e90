/* SPDX-License-Identifier: Apache-2.0
 *
 * translate_converse.c - answers for clients of Converse: read by the upstream's dialect into pieces, decided where
 * they are tool uses, and written as Bedrock's. Text flows through at once; a tool use comes when it is complete.
 */
#include "gate/calls.h"
#include "gate/translate.h"

/* What the outcome's record says of the answer. */
static void note(struct nk_gate_state *s, const struct nk_model_answer *a)
{
    s->usage = (struct nk_usage){a->usage.input, a->usage.output};
    s->finish = a->finish;
    s->reply_model = a->model;
}

/* Where nothing is left for the client to run, it must not be told to. */
static void settle(struct nk_model_answer *a, size_t released)
{
    if (a->stop == NK_MODEL_STOP_TOOL_USE && !released)
        a->stop = NK_MODEL_STOP_END;
}

/* A tool use that may reach the client stays; in place of another stands text that says why (calls.h). */
static int decide(struct nk_txn *t, struct nk_model_part *use, struct nk_fault *f)
{
    struct gate_translation *x = t->state->drive;
    const struct nk_tool_use call = {.id = use->id, .name = use->name, .arguments = use->text};
    struct nk_str text;
    size_t refused;
    int rc = gate_calls_decide(t, &call, 1, &text, &refused, f);
    if (rc || !refused)
        x->released += !rc;
    else
        *use = (struct nk_model_part){.type = NK_MODEL_TEXT, .text = text};
    return rc;
}

static unsigned head(struct nk_txn *t, const struct nk_http_head *h)
{
    struct nk_gate_state *s = t->state;
    struct gate_translation *x = s->drive;
    unsigned fx = gate_receive_check(t, h, "upstream");
    if (fx)
        return fx;
    bool streams = h->status == 200 && s->call.stream;
    if (!gate_answer_is_type(h, streams ? NK_STR("text/event-stream") : NK_STR("application/json")))
        return gate_answer_failed(
            t, NK_REFUSAL_bad_answer,
            NK_STR("upstream's answer is not of the type that was asked for"));
    if (!streams)
        return 0;
    x->stream = nk_model_stream_new(s->model->dialect, false, t->arena);
    if (!x->stream || gate_translate_head(t))
        return gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("stream state"));
    return NK_FX_HEAD;
}

static int put_event(struct nk_txn *t, const struct nk_sse_event *e, struct nk_fault *f)
{
    struct gate_translation *x = t->state->drive;
    const struct nk_model_piece *pieces;
    size_t n;
    int rc = gate_event_pieces(t, e, x->stream, &pieces, &n, f);
    for (size_t i = 0; !rc && i < n; i++) {
        struct nk_model_piece piece = pieces[i];
        if (piece.what.type == NK_MODEL_TOOL_USE)
            rc = decide(t, &piece.what, f);
        if (!rc)
            nk_converse_put_piece(&x->events, &piece, &t->out);
    }
    return rc ? rc : t->out.error;
}

static struct nk_str in_words(struct nk_txn *t, const struct nk_fault *f)
{
    return nk_arena_copy(t->arena, nk_str(f->code ? f->message : "an answer over a limit"));
}

static enum nk_refusal_id refusal_for(int rc)
{
    return rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory
           : rc == NK_EIO  ? NK_REFUSAL_upstream_failed
                           : NK_REFUSAL_bad_answer;
}

/* What a step has: records of decisions, and bytes that may go on. */
static unsigned effects_of(const struct nk_txn *t)
{
    return (t->record_count || t->record_lost ? NK_FX_RECORD : 0) | (t->out.n ? NK_FX_DATA : 0);
}

static unsigned take_events(struct nk_txn *t, int rc, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct gate_translation *x = s->drive;
    struct nk_model_answer so_far;
    struct nk_sse_event e;
    while (!rc) {
        rc = nk_sse_next(&s->sse, &e, f);
        s->events += !rc;
        if (!rc)
            rc = put_event(t, &e, f);
    }
    s->complete = nk_model_stream_end(x->stream, &so_far);
    note(s, &so_far);
    return rc == NK_EAGAIN ? effects_of(t)
                           : effects_of(t) | gate_answer_failed(t, refusal_for(rc), in_words(t, f));
}

static unsigned data(struct nk_txn *t, struct nk_str bytes)
{
    struct nk_gate_state *s = t->state;
    struct nk_fault f = {0};
    s->reply_bytes += (int64_t)bytes.n;
    if (s->streaming)
        return take_events(t, nk_sse_feed(&s->sse, bytes, &f), &f);
    nk_buf_add(&s->reply, bytes);
    return s->reply.error ? gate_answer_failed(t, NK_REFUSAL_bad_answer,
                                               NK_STR("answer over limits.reply_bytes"))
                          : 0;
}

static unsigned end_stream(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct gate_translation *x = s->drive;
    struct nk_model_answer answer;
    struct nk_fault f = {0};
    nk_sse_end(&s->sse);
    unsigned fx = take_events(t, 0, &f);
    if (s->phase == NK_PHASE_OVER)
        return fx;
    if (!s->complete || nk_sse_pending(&s->sse))
        return fx | gate_answer_failed(t, NK_REFUSAL_upstream_failed,
                                       NK_STR("stream ended before it was complete"));
    (void)nk_model_stream_end(x->stream, &answer);
    settle(&answer, x->released);
    nk_converse_put_end(&x->events, &answer, s->now_ms - s->started_ms, &t->out);
    return fx | gate_record_outcome(t, "complete") | NK_FX_DATA | NK_FX_END;
}

static int read_whole(struct nk_txn *t, struct nk_model_answer *out, struct nk_fault *f)
{
    struct nk_gate_state *s = t->state;
    struct gate_translation *x = s->drive;
    struct nk_model_part *parts;
    struct nk_json doc;
    int rc = gate_read_json(t, nk_buf_str(&s->reply), t->setup->config.limits.reply_bytes,
                            t->scratch, &doc, f);
    if (!rc)
        rc = nk_model_read(s->model->dialect, &doc, t->arena, out, f);
    if (rc)
        return rc;
    note(s, out);
    parts = nk_arena_array(t->scratch, out->count + 1, sizeof *parts);
    for (size_t i = 0; parts && !rc && i < out->count; i++) {
        parts[i] = out->parts[i];
        if (parts[i].type == NK_MODEL_TOOL_USE)
            rc = decide(t, &parts[i], f);
    }
    out->parts = parts;
    settle(out, x->released);
    return parts ? rc : NK_ENOMEM;
}

static unsigned end(struct nk_txn *t)
{
    struct nk_gate_state *s = t->state;
    struct nk_model_answer answer = {.count = 0};
    struct nk_fault f = {0};
    if (s->streaming)
        return end_stream(t);
    if (s->upstream_status >= 300)
        return gate_translate_error(t);
    int rc = read_whole(t, &answer, &f);
    if (rc)
        return effects_of(t) | gate_answer_failed(t, refusal_for(rc), in_words(t, &f));
    nk_converse_write(&answer, s->now_ms - s->started_ms, &t->out);
    unsigned fx = gate_reply(t, s->dialect, 200, NULL);
    return gate_record_outcome(t, "complete") | fx;
}

const struct gate_driver gate_converse = {
    .name = "converse", .head = head, .data = data, .end = end, .fail = gate_receive_fail};
