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

/* The place of function_call, the older way to make one call, among a choice's calls. */
enum { NK_OPENAI_LEGACY_CALL = -1 };

enum nk_openai_kind nk_openai_kind(const struct nk_call *call);

int nk_openai_parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
int nk_openai_parse_reply(const struct nk_call *call, const struct nk_json *body,
                          struct nk_arena *a, struct nk_reply *out, struct nk_fault *f) NK_CHECKED;

/* Calls and results in the conversation (history.h): the array `list`, which is there; items of "input". `elsewhere`: the provider keeps a part of it. */
int nk_openai_chat_history(struct nk_call *call, uint32_t list, struct nk_arena *a,
                           struct nk_fault *f) NK_CHECKED;
int nk_openai_items_history(struct nk_call *call, bool elsewhere, struct nk_arena *a,
                            struct nk_fault *f) NK_CHECKED;

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
/* The call of item `item`, which stands at `position` of a final list, or NULL. */
struct nk_assembly_call *nk_openai_item_call(struct nk_assembly *s, const struct nk_json *doc,
                                             uint32_t item, int64_t position,
                                             struct nk_arena *scratch);

/* Answers without their refused calls: edit.h. */
int nk_openai_edit_reply(const struct nk_call *call, const struct nk_json *body,
                         const struct nk_str *refused, struct nk_arena *a, struct nk_buf *out,
                         struct nk_fault *f) NK_CHECKED;
int nk_openai_chat_edit(struct nk_assembly *s, const struct nk_json *doc, struct nk_arena *a,
                        struct nk_buf *out) NK_CHECKED;
int nk_openai_chat_stream_edit(struct nk_stream *s, const struct nk_sse_event *e,
                               const struct nk_json *data, struct nk_buf *out) NK_CHECKED;
int nk_openai_items_edit(struct nk_assembly *s, const struct nk_json *doc, struct nk_arena *a,
                         struct nk_buf *out) NK_CHECKED;
int nk_openai_items_stream_edit(struct nk_stream *s, const struct nk_sse_event *e,
                                const struct nk_json *data, struct nk_buf *out) NK_CHECKED;
/* The edit_call of the dialect: results of refused calls that a previous_response_id brings back. */
int nk_openai_edit_call(const struct nk_call *call, struct nk_arena *a,
                        struct nk_json_edit edits[NK_CALL_EDITS], size_t *n,
                        struct nk_fault *f) NK_CHECKED;
