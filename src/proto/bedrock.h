/* SPDX-License-Identifier: Apache-2.0
 *
 * bedrock.h - what the files of the dialect "bedrock" share, and what the gate asks of it beside its table.
 */
#pragma once

#include "proto/proto.h"

/* Places in the dialect's table of endpoints. */
enum nk_bedrock_kind {
    NK_BEDROCK_CONVERSE,
    NK_BEDROCK_CONVERSE_STREAM,
    NK_BEDROCK_INVOKE,
    NK_BEDROCK_INVOKE_STREAM,
};

enum nk_bedrock_kind nk_bedrock_kind(const struct nk_call *call);
/* Does the body go on as it is, for a model of the same family; or is it Converse's, to be translated? */
static inline bool nk_bedrock_is_invoke(enum nk_bedrock_kind kind)
{
    return kind == NK_BEDROCK_INVOKE || kind == NK_BEDROCK_INVOKE_STREAM;
}

int nk_bedrock_parse_call(struct nk_call *call, struct nk_arena *a, struct nk_fault *f) NK_CHECKED;

/* The name and status of the error that clients of Bedrock get where the upstream answered with `status` (400 and
 * more). */
const char *nk_bedrock_error(int status, int *out);
/* Body of an error: {"message":"…"}. */
void nk_bedrock_put_error(struct nk_str message, struct nk_buf *out);
