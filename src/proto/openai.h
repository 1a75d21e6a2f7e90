/* SPDX-License-Identifier: Apache-2.0
 *
 * openai.h - what the files of the dialect "openai" share.
 */
#pragma once

#include "proto/assembly.h"
#include "proto/stream.h"

/* Places in the dialect's table of endpoints. */
enum nk_openai_kind {
    NK_OPENAI_CHAT,
    NK_OPENAI_RESPONSES,
    NK_OPENAI_EMBEDDINGS,
    NK_OPENAI_MODELS,
    NK_OPENAI_MODEL,
};

enum nk_openai_kind nk_openai_kind(const struct nk_call *call);

int nk_openai_parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
int nk_openai_parse_reply(const struct nk_call *call, const struct nk_json *body,
                          struct nk_arena *a, struct nk_reply *out, struct nk_fault *f) NK_CHECKED;

/* Object `usage`: prompt_tokens and completion_tokens, or input_tokens and output_tokens. */
int nk_openai_usage(const struct nk_json *doc, uint32_t obj, struct nk_usage *out,
                    struct nk_fault *f) NK_CHECKED;
/* Chat: the tool calls of `message` or `delta` go into the assembly. */
int nk_openai_chat_calls(struct nk_assembly *s, const struct nk_json *doc, int64_t choice,
                         uint32_t message, bool whole, struct nk_arena *scratch,
                         struct nk_fault *f) NK_CHECKED;
int nk_openai_chat_read(struct nk_stream *s, const struct nk_sse_event *e,
                        const struct nk_json *data, struct nk_str type,
                        struct nk_fault *f) NK_CHECKED;
/* Responses: array `output` of a whole answer; items that the assembly has already are compared,
 * others are added and completed. */
int nk_openai_output(struct nk_assembly *s, const struct nk_json *doc, uint32_t response,
                     struct nk_arena *scratch, struct nk_fault *f) NK_CHECKED;
int nk_openai_responses_read(struct nk_stream *s, const struct nk_sse_event *e,
                             const struct nk_json *data, struct nk_str type,
                             struct nk_fault *f) NK_CHECKED;
