/* SPDX-License-Identifier: Apache-2.0
 *
 * converse.h - Bedrock's Converse and ConverseStream (docs.aws.amazon.com/bedrock/latest/APIReference, "Converse") as a
 * conversation: requests read into struct nk_model_request, answers written from struct nk_model_answer.
 *
 * What is asked for and cannot be passed on is refused, never left out: guardrails, prompts that are stored elsewhere,
 * documents, videos, files in S3. Left out are hints on speed and cost: cache points, performanceConfig, serviceTier,
 * requestMetadata.
 */
#pragma once

#include "agent/model.h"

/* Reads the body of a request; all lives in `a` and in the body. `model` and `stream` are the caller's to set. NK_EINVAL
 * (stage "converse": malformed), NK_EUNSUPPORTED (well-formed, and refused): the message names the member; NK_ELIMIT,
 * NK_ENOMEM. */
int nk_converse_read(const struct nk_json *body, struct nk_arena *a, struct nk_model_request *out,
                     struct nk_fault *f) NK_CHECKED;

/* Appends the body of an answer. `ms`: how long it took. */
void nk_converse_write(const struct nk_model_answer *answer, int64_t ms, struct nk_buf *out);

/* Appends the events of a stream (proto/eventstream.h). A piece that ends the part before it says so by itself. */
struct nk_converse_stream {
    size_t part; /* the part that is open, if `open` */
    bool begun, open;
};
void nk_converse_put_piece(struct nk_converse_stream *s, const struct nk_model_piece *piece,
                           struct nk_buf *out);
/* The last events: why it stopped, and what it used. */
void nk_converse_put_end(struct nk_converse_stream *s, const struct nk_model_answer *answer,
                         int64_t ms, struct nk_buf *out);
