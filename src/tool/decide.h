/* SPDX-License-Identifier: Apache-2.0
 *
 * decide.h - one decision on its way: what decide.c (the question) and tell.c (the answer in words and as a
 * record) share. Private to this module.
 */
#pragma once

#include "tool/tool.h"
#include "tool/type.h"

struct tool_asking {
    const struct nk_tool_ask *ask;
    struct nk_arena *a;
    struct nk_tool_verdict *out;
    struct nk_fault *f; /* why the arguments are not taken */
    struct nk_json doc; /* the arguments */
    struct nk_cedar_request req;
    struct nk_str context; /* as Cedar JSON */
    bool judged, approved;
    struct nk_str class_context;
    struct nk_cedar_answer *classes; /* one for each of the tool's; NULL: not asked */
};

/* Fills in `why` and `record`. NK_ENOMEM, NK_ELIMIT. */
int tool_tell(struct tool_asking *q) NK_CHECKED;
