/* SPDX-License-Identifier: Apache-2.0
 *
 * anthropic.h - what the files of the dialect "anthropic" share.
 */
#pragma once

#include "proto/assembly.h"
#include "proto/stream.h"

/* Places in the dialect's table of endpoints. */
enum nk_anthropic_kind {
    NK_ANTHROPIC_MESSAGES,
    NK_ANTHROPIC_COUNT,
    NK_ANTHROPIC_MODELS,
    NK_ANTHROPIC_MODEL,
};

enum nk_anthropic_kind nk_anthropic_kind(const struct nk_call *call);

int nk_anthropic_parse_call(struct nk_call *call, struct nk_arena *a,
                            struct nk_fault *f) NK_CHECKED;
/* The members of a request to create a message but "model" and "stream": Bedrock has them elsewhere. */
int nk_anthropic_parse_message(struct nk_call *call, struct nk_arena *a,
                               struct nk_fault *f) NK_CHECKED;
int nk_anthropic_parse_reply(const struct nk_call *call, const struct nk_json *body,
                             struct nk_arena *a, struct nk_reply *out,
                             struct nk_fault *f) NK_CHECKED;
int nk_anthropic_read(struct nk_stream *s, const struct nk_sse_event *e, const struct nk_json *data,
                      struct nk_str type, struct nk_fault *f) NK_CHECKED;
/* Answers without their refused calls: edit.h. */
int nk_anthropic_edit_reply(const struct nk_call *call, const struct nk_json *body,
                            const struct nk_str *refused, struct nk_arena *a, struct nk_buf *out,
                            struct nk_fault *f) NK_CHECKED;
int nk_anthropic_edit(struct nk_assembly *s, const struct nk_json *doc,
                      struct nk_buf *out) NK_CHECKED;
int nk_anthropic_stream_edit(struct nk_stream *s, const struct nk_sse_event *e,
                             const struct nk_json *data, struct nk_buf *out) NK_CHECKED;
