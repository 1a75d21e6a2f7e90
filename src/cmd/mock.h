/* SPDX-License-Identifier: Apache-2.0
 *
 * mock.h - `nakoso mock`: plays an OpenAI and Anthropic API from a script, for tests, scenarios,
 * the demo and benchmarks. Not for production: it authenticates nobody and believes everything.
 */
#pragma once

#include "cmd/mock_script.h"
#include "http/http.h"
#include "proto/proto.h"

/* What a request asks, as the scripted model sees it. */
struct nk_mock_ask {
    const struct nk_http_head *head;
    const struct nk_dialect *dialect;
    const struct nk_endpoint *endpoint; /* NULL: there is none */
    struct nk_str segment;
    struct nk_json body;
    struct nk_str model;
    struct nk_str text; /* everything it reads, message by message */
    struct nk_str last; /* the last message */
    bool stream;
    bool usage_wanted; /* chat: stream_options.include_usage */
    bool tool_result;  /* the last message is a tool's answer */
};

/* An answer, ready to be sent: `out` holds the head and all of the body. Streams are cut at `ends`,
 * so that they can be sent piece by piece. */
struct nk_mock_answer {
    struct nk_buf *out;
    struct nk_arena *arena;
    size_t *ends; /* offsets in out behind the head and behind each event */
    size_t end_count, end_cap;
    struct nk_buf piece; /* one event while it is written */
    uint64_t number;     /* of the request, for ids */
    struct nk_str model; /* to be told */
    struct nk_mock_plan plan;
    int64_t input_tokens, output_tokens;
    int64_t sequence; /* responses: events so far */
};

/* Reads the body: model, texts and so on. NK_EINVAL on what is no JSON object. */
int nk_mock_read(struct nk_mock_ask *ask, struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
/* The plan of the first rule that holds, with echo and obey carried out. */
struct nk_mock_plan nk_mock_decide(struct nk_mock_script *s, const struct nk_mock_ask *ask,
                                   struct nk_arena *a);

/* Writes the whole answer into ans->out. */
int nk_mock_answer(struct nk_mock_script *s, const struct nk_mock_ask *ask,
                   struct nk_mock_answer *ans) NK_CHECKED;

/* For the dialects' files: one event (name NULL: none) whose data is ans->piece, and the bodies. */
void nk_mock_event(struct nk_mock_answer *ans, const char *name);
/* Cuts `text` in the pieces of the plan; *at moves on, absent at the end. */
struct nk_str nk_mock_piece(const struct nk_mock_answer *ans, struct nk_str text, size_t *at);
void nk_mock_openai(const struct nk_mock_ask *ask, struct nk_mock_answer *ans, struct nk_buf *body);
void nk_mock_responses(const struct nk_mock_ask *ask, struct nk_mock_answer *ans,
                       struct nk_buf *body);
void nk_mock_anthropic(const struct nk_mock_ask *ask, struct nk_mock_answer *ans,
                       struct nk_buf *body);
void nk_mock_embeddings(const struct nk_mock_ask *ask, struct nk_mock_answer *ans,
                        struct nk_buf *body);

int nk_cmd_mock(int argc, char **argv);
