/* SPDX-License-Identifier: Apache-2.0
 *
 * agent_stream.c - the words of an agent's model, as it writes them (streamFinalResponse). Each piece of text goes on at
 * once; a tool that the model asks for is held until the answer is complete, and decided as ever. That words come
 * before a tool call is known only when the call comes, so they are words to the client, too.
 */
#include "gate/agent.h"

#include "gate/calls.h"

static struct gate_drive_agent *of(struct nk_txn *t)
{
    return t->state->drive;
}

void gate_agent_stream_head(struct nk_txn *t, const struct nk_http_head *h)
{
    struct gate_drive_agent *d = of(t);
    if (!d->asked->streams || h->status != 200 ||
        !gate_answer_is_type(h, NK_STR("text/event-stream")))
        return;
    d->stream = nk_model_stream_new(d->agent->model->dialect, true, &d->arena);
    if (!d->stream)
        t->out.error = NK_ENOMEM;
}

static int take_event(struct nk_txn *t, const struct nk_sse_event *e, struct nk_fault *f)
{
    struct gate_drive_agent *d = of(t);
    const struct nk_model_piece *pieces;
    size_t n;
    int rc = gate_event_pieces(t, e, d->stream, &pieces, &n, f);
    for (size_t i = 0; !rc && i < n; i++) {
        if (pieces[i].what.type != NK_MODEL_TEXT || !pieces[i].what.text.n)
            continue;
        nk_agent_put_chunk(pieces[i].what.text, &t->out);
        d->said = true;
    }
    return rc ? rc : t->out.error;
}

static int take_events(struct nk_txn *t, struct nk_fault *f)
{
    struct nk_sse_event e;
    int rc = 0;
    while (!rc) {
        rc = nk_sse_next(&t->state->sse, &e, f);
        t->state->events += !rc;
        if (!rc)
            rc = take_event(t, &e, f);
    }
    return rc == NK_EAGAIN ? 0 : rc;
}

unsigned gate_agent_stream_data(struct nk_txn *t, struct nk_str bytes)
{
    struct gate_drive_agent *d = of(t);
    struct nk_fault f = {0};
    int rc = nk_sse_feed(&t->state->sse, bytes, &f);
    if (!rc)
        rc = take_events(t, &f);
    if (rc) {
        enum nk_refusal_id id = rc == NK_ENOMEM ? NK_REFUSAL_out_of_memory : NK_REFUSAL_bad_answer;
        d->doing = GATE_AGENT_NEXT;
        unsigned fx = gate_record_outcome(t, gate_refusal_name(id)) | NK_FX_ABORT;
        return fx |
               gate_agent_give_up(t, id, NK_STR(""), nk_arena_copy(t->arena, nk_str(f.message)));
    }
    return t->out.n ? gate_agent_begin(t) | NK_FX_DATA : 0;
}

int gate_agent_stream_end(struct nk_txn *t, struct nk_model_answer *out, struct nk_fault *f)
{
    struct gate_drive_agent *d = of(t);
    nk_sse_end(&t->state->sse);
    int rc = take_events(t, f);
    if (!rc && (!nk_model_stream_end(d->stream, out) || nk_sse_pending(&t->state->sse)))
        rc = nk_fault_set(f, NK_EINVAL, "agent", 0, "the stream ended before it was complete");
    return rc;
}
