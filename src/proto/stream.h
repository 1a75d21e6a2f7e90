/* SPDX-License-Identifier: Apache-2.0
 *
 * stream.h - what all streamed answers have in common. A kind of stream is one function that reads
 * an event into the assembly; whether the event passes follows from the assembly alone: hold while
 * a call is open, release when the last open one became complete, pass otherwise.
 */
#pragma once

#include "proto/assembly.h"

struct nk_stream {
    /* Reads one event; `type` is its "type" member, or absent. */
    int (*read)(struct nk_stream *s, const struct nk_sse_event *e, const struct nk_json *data,
                struct nk_str type, struct nk_fault *f);
    /* Writes one without the calls that were refused. 0, NK_ENOMEM or NK_ELIMIT. */
    int (*edit)(struct nk_stream *s, const struct nk_sse_event *e, const struct nk_json *data,
                struct nk_buf *out);
    struct nk_assembly calls;
    struct nk_arena scratch; /* for reading one event; what lasts is copied into the assembly */
    struct nk_usage usage;
    int64_t input, cache_written, cache_read; /* anthropic: parts of usage.input_tokens */
    int64_t blocks;                           /* anthropic: content blocks begun */
    uint64_t finished[2];                     /* chat: choices that gave a finish_reason */
    uint64_t said[2];                         /* chat: choices that have text */
    struct nk_str frame; /* chat, once a call was refused: a chunk without its choices */
    int64_t sequence;    /* responses, likewise: number of the next event; -1: as it comes */
    struct nk_str model, finish; /* as far as told; nothing depends on them */
    bool begun;                  /* an event with data was read */
    bool done;                   /* the stream said that it is complete */
};

struct nk_stream *nk_stream_make(struct nk_arena *a,
                                 int (*read)(struct nk_stream *, const struct nk_sse_event *,
                                             const struct nk_json *, struct nk_str,
                                             struct nk_fault *),
                                 int (*edit)(struct nk_stream *, const struct nk_sse_event *,
                                             const struct nk_json *, struct nk_buf *));
/* The stream_event, stream_edit and stream_end of every dialect. */
int nk_stream_event(struct nk_stream *s, const struct nk_sse_event *e, const struct nk_json *data,
                    enum nk_stream_verdict *verdict, const struct nk_tool_use **calls,
                    size_t *call_count, struct nk_fault *f);
int nk_stream_edit(struct nk_stream *s, const struct nk_sse_event *e, const struct nk_json *data,
                   struct nk_buf *out, struct nk_fault *f);
bool nk_stream_end(const struct nk_stream *s, struct nk_reply *so_far);
/* Keeps a copy of member `name` when it is a plain, short text; else *to stays as it is. */
void nk_stream_note(struct nk_stream *s, const struct nk_json *doc, uint32_t obj,
                    struct nk_str name, struct nk_str *to);
