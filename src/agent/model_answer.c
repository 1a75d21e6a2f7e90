/* SPDX-License-Identifier: Apache-2.0
 *
 * model_answer.c - answers, whole and streamed. Tool calls, usage and the end are read by the dialect itself
 * (proto/stream.h), which holds them to its rules; here only what is said is added, in its order. A whole answer is
 * one event of a stream that is kept.
 */
#include "agent/model_own.h"

#include <string.h>

static int out_of_memory(struct nk_fault *f)
{
    return model_fault(f, NK_ENOMEM, "out of memory");
}

void model_close(struct nk_model_stream *s)
{
    s->open = false;
}

/* Begins a part: kept, it needs a place. */
static int begin(struct nk_model_stream *s, enum nk_model_part_type type, struct nk_fault *f)
{
    if (s->part_count == NK_MODEL_MAX_PARTS)
        return model_fault(f, NK_ELIMIT, "too many parts in one answer");
    if (s->keep && s->part_count == s->part_room) {
        size_t room = s->part_room ? s->part_room * 2 : 4;
        struct nk_model_part *parts = nk_arena_array(s->arena, room, sizeof *parts);
        if (!parts)
            return out_of_memory(f);
        if (s->part_count)
            memcpy(parts, s->parts, s->part_count * sizeof *parts);
        s->parts = parts;
        s->part_room = room;
    }
    if (s->keep)
        s->parts[s->part_count] = (struct nk_model_part){.type = type, .text = {"", 0}};
    s->cap = 0;
    s->part_count++;
    return 0;
}

static int keep_text(struct nk_model_stream *s, struct nk_str more, struct nk_fault *f)
{
    struct nk_str *text = &s->parts[s->part_count - 1].text;
    if (more.n == 0)
        return 0;
    if (more.n > NK_MODEL_MAX_TEXT - s->total)
        return model_fault(f, NK_ELIMIT, "an answer of more than 8 MiB of text");
    if (more.n > s->cap - text->n) {
        size_t cap = s->cap ? s->cap : 256;
        while (cap - text->n < more.n)
            cap *= 2;
        char *p = nk_arena_alloc(s->arena, cap);
        if (!p)
            return out_of_memory(f);
        if (text->n)
            memcpy(p, text->p, text->n);
        text->p = p;
        s->cap = cap;
    }
    memcpy((char *)text->p + text->n, more.p, more.n);
    text->n += more.n;
    s->total += more.n;
    return 0;
}

static int add_piece(struct nk_model_stream *s, const struct nk_model_part *what, bool begins,
                     struct nk_fault *f)
{
    if (s->piece_count == s->piece_room) {
        size_t room = s->piece_room ? s->piece_room * 2 : 4;
        struct nk_model_piece *pieces = nk_arena_array(s->scratch, room, sizeof *pieces);
        if (!pieces)
            return out_of_memory(f);
        if (s->piece_count)
            memcpy(pieces, s->pieces, s->piece_count * sizeof *pieces);
        s->pieces = pieces;
        s->piece_room = room;
    }
    s->pieces[s->piece_count++] =
        (struct nk_model_piece){.part = s->part_count - 1, .begins = begins, .what = *what};
    return 0;
}

int model_say(struct nk_model_stream *s, const struct nk_model_part *fragment, struct nk_fault *f)
{
    if (fragment->text.n == 0 && fragment->signature.n == 0)
        return 0;
    bool begins = !s->open;
    int rc = begins ? begin(s, fragment->type, f) : 0;
    if (!rc && s->keep)
        rc = keep_text(s, fragment->text, f);
    if (!rc && s->keep && fragment->signature.n) {
        struct nk_model_part *p = &s->parts[s->part_count - 1];
        p->signature = nk_arena_copy(s->arena, fragment->signature);
        rc = p->signature.p ? 0 : out_of_memory(f);
    }
    s->open = true;
    return rc ? rc : add_piece(s, fragment, begins, f);
}

int model_say_whole(struct nk_model_stream *s, const struct nk_model_part *part, struct nk_fault *f)
{
    model_close(s);
    int rc = begin(s, part->type, f);
    if (!rc && s->keep) {
        struct nk_model_part *kept = &s->parts[s->part_count - 1];
        *kept = *part;
        kept->text = nk_arena_copy(s->arena, part->text);
        rc = kept->text.p ? 0 : out_of_memory(f);
    }
    return rc ? rc : add_piece(s, part, true, f);
}

int model_say_call(struct nk_model_stream *s, const struct nk_tool_use *use, struct nk_fault *f)
{
    struct nk_str text = use->arguments;
    size_t i = 0;
    while (i < text.n && strchr(" \t\r\n", text.p[i]))
        i++;
    if (use->hosted)
        return model_fault(f, NK_EINVAL, "an answer calls a tool that runs at the provider");
    if (use->id.n == 0 || i == text.n || text.p[i] != '{')
        return model_fault(f, NK_EINVAL, "a tool call has no id, or its arguments are no object");
    /* Id and name are in the arena already (proto/assembly.h). */
    const struct nk_model_part p = {
        .type = NK_MODEL_TOOL_USE, .text = text, .id = use->id, .name = use->name};
    return model_say_whole(s, &p, f);
}

int nk_model_stream_event(struct nk_model_stream *s, const struct nk_sse_event *e,
                          const struct nk_json *data, struct nk_arena *scratch,
                          const struct nk_model_piece **pieces, size_t *count, struct nk_fault *f)
{
    enum nk_stream_verdict verdict;
    const struct nk_tool_use *calls;
    size_t call_count;
    *count = 0;
    s->scratch = scratch;
    s->pieces = NULL;
    s->piece_count = s->piece_room = 0;
    int rc = s->api->dialect->stream_event(s->calls, e, data, &verdict, &calls, &call_count, f);
    if (!rc && data->n)
        rc = s->api->event(s, data, f);
    for (size_t i = 0; !rc && i < call_count; i++)
        rc = model_say_call(s, &calls[i], f);
    *pieces = s->pieces;
    *count = rc ? 0 : s->piece_count;
    return rc;
}

/* Some providers say that they just ended where they want tools to be used. */
static enum nk_model_stop stop_of(const struct nk_model_stream *s, struct nk_str finish, bool calls)
{
    enum nk_model_stop stop = s->api->stop(finish);
    return calls && (stop == NK_MODEL_STOP_END || stop == NK_MODEL_STOP_UNKNOWN)
               ? NK_MODEL_STOP_TOOL_USE
               : stop;
}

bool nk_model_stream_end(const struct nk_model_stream *s, struct nk_model_answer *so_far)
{
    struct nk_reply reply;
    bool done = s->api->dialect->stream_end(s->calls, &reply);
    *so_far = (struct nk_model_answer){.parts = s->parts,
                                       .count = s->keep ? s->part_count : 0,
                                       .stop = stop_of(s, reply.finish, s->calls->calls.count > 0),
                                       .finish = reply.finish,
                                       .stopped_by = s->stopped_by,
                                       .model = reply.model,
                                       .usage = s->usage};
    so_far->usage.input = reply.usage.input_tokens;
    so_far->usage.output = reply.usage.output_tokens;
    if (s->calls->cache_read > 0)
        so_far->usage.cache_read = s->calls->cache_read;
    if (s->calls->cache_written > 0)
        so_far->usage.cache_write = s->calls->cache_written;
    return done;
}

int nk_model_read(const struct nk_dialect *d, const struct nk_json *body, struct nk_arena *a,
                  struct nk_model_answer *out, struct nk_fault *f)
{
    const struct nk_call call = {.dialect = d, .endpoint = &d->endpoints[0]};
    struct nk_reply reply = {.usage = {-1, -1}};
    struct nk_model_stream *s = nk_model_stream_new(d, true, a);
    if (!s)
        return out_of_memory(f);
    s->scratch = a;
    int rc = d->parse_reply(&call, body, a, &reply, f);
    if (!rc)
        rc = s->api->read(s, body, reply.tools, reply.tool_count, f);
    *out = (struct nk_model_answer){.parts = s->parts,
                                    .count = rc ? 0 : s->part_count,
                                    .stop = stop_of(s, reply.finish, reply.tool_count > 0),
                                    .finish = reply.finish,
                                    .stopped_by = s->stopped_by,
                                    .model = reply.model,
                                    .usage = s->usage};
    out->usage.input = reply.usage.input_tokens;
    out->usage.output = reply.usage.output_tokens;
    return rc;
}
