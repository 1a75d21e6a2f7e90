/* SPDX-License-Identifier: Apache-2.0
 *
 * model_own.h - what the files of a conversation share: an API that models are talked to by, and an answer while it is
 * put together. Private to this module.
 */
#pragma once

#include "agent/model.h"
#include "proto/member.h"
#include "proto/stream.h"

struct model_api {
    const struct nk_dialect *dialect;
    const char *path;
    const char *version_header, *version; /* NULL: none */
    const char *const *extras;            /* names that nk_model_request.extra may have */
    size_t extra_count;
    /* Writes the members of the body behind "model" and "stream"; the request has been checked. */
    int (*write)(const struct nk_model_request *r, struct nk_buf *out, struct nk_fault *f);
    /* Reads a whole answer's parts, stop and usage; `tools` are its calls, complete and in their order. */
    int (*read)(struct nk_model_stream *s, const struct nk_json *body,
                const struct nk_tool_use *tools, size_t tool_count, struct nk_fault *f);
    /* Reads what is said in an event, all but tool calls. */
    int (*event)(struct nk_model_stream *s, const struct nk_json *data, struct nk_fault *f);
    enum nk_model_stop (*stop)(struct nk_str finish);
};

extern const struct model_api model_openai, model_anthropic;

struct nk_model_stream {
    const struct model_api *api;
    struct nk_arena *arena;
    struct nk_arena *scratch; /* of this event */
    bool keep;
    struct nk_stream *calls; /* the dialect's own reading: tool calls, usage, the end */
    struct nk_model_piece *pieces;
    size_t piece_count, piece_room;
    struct nk_model_part *parts; /* kept */
    size_t part_room;
    size_t part_count;  /* begun, kept or not */
    size_t cap, total;  /* bytes of the last part's memory, and of all texts */
    bool open;          /* the last part takes fragments */
    int64_t block;      /* anthropic: the content block that is open, or -1 */
    bool block_is_call; /* anthropic */
    struct nk_model_usage usage;
    struct nk_str stopped_by;
};

/* Says a fragment of text or reasoning, in the part that is open if it is of that type. Nothing to say: nothing. */
int model_say(struct nk_model_stream *s, const struct nk_model_part *fragment,
              struct nk_fault *f) NK_CHECKED;
/* Says a whole part. */
int model_say_whole(struct nk_model_stream *s, const struct nk_model_part *part,
                    struct nk_fault *f) NK_CHECKED;
/* The next fragment begins a part of its own. */
void model_close(struct nk_model_stream *s);
/* A complete call as a part. NK_EINVAL: of a hosted tool, without an id, or its arguments are no object. */
int model_say_call(struct nk_model_stream *s, const struct nk_tool_use *use,
                   struct nk_fault *f) NK_CHECKED;
int model_fault(struct nk_fault *f, int code, const char *what);

/* Requests: ,"name":TEXT for JSON that is there already; nothing when it is absent. */
void model_put_raw(struct nk_buf *out, const char *name, struct nk_str json);
void model_put_count(struct nk_buf *out, const char *name, int64_t v); /* nothing for 0 */
/* ,"name":["…",…]; nothing for none. */
void model_put_strings(struct nk_buf *out, const char *name, const struct nk_str *v, size_t n);
/* A comma, unless the last byte opens an array or object. */
void model_put_comma(struct nk_buf *out);
