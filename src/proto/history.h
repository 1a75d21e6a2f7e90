/* SPDX-License-Identifier: Apache-2.0
 *
 * history.h - tool calls and their results in the conversation that a request brings along. A result answers a
 * call that stands before it and has no result yet; any other is refused, unless the provider keeps a part of the
 * conversation: a text that nobody asked for would reach the model as if a tool had said it, past the rules for
 * that tool's results.
 */
#pragma once

#include "proto/proto.h"

enum { NK_HISTORY_OPEN = 4096, NK_HISTORY_RESULTS = 65536 };

/* A call without a result. */
struct nk_history_call {
    struct nk_str id, name;
    struct nk_str arguments; /* JSON text; absent: none that is JSON */
    int64_t message;         /* that it stands in */
    int64_t turn, calls;     /* as the session was when it was made */
};

struct nk_history {
    struct nk_arena *arena;
    bool elsewhere; /* a part of the conversation is kept by the provider */
    int64_t message;
    int64_t turn;            /* answers of the model so far, this one included */
    int64_t last, in_answer; /* the last message with calls, and how many it has */
    struct nk_history_call *open;
    size_t open_count, open_cap;
    struct nk_tool_result *results;
    size_t result_count, result_cap;
};

/* A call in message number h->message. Two of one id in a message are an error; one of an earlier message that was
 * never answered is forgotten. */
int nk_history_call(struct nk_history *h, const struct nk_history_call *call,
                    struct nk_fault *f) NK_CHECKED;
/* The result at entry `at` for the call of this id or, where a dialect has none (absent), of this name. */
int nk_history_result(struct nk_history *h, struct nk_str id, struct nk_str name, uint32_t at,
                      struct nk_fault *f) NK_CHECKED;
