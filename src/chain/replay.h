/* SPDX-License-Identifier: Apache-2.0
 *
 * replay.h - decides a recorded request again. The gate records exactly the bytes that the judge
 * saw, so the same policies must come to the same decision, for the same reasons, with the same
 * errors.
 */
#pragma once

#include "cedar/cedar.h"

struct nk_replay_error {
    struct nk_str policy, what;
};

/* A decision, as recorded or as made now. */
struct nk_replay_verdict {
    bool allow;
    const struct nk_str *reasons;
    size_t reason_count;
    const struct nk_replay_error *errors;
    size_t error_count;
};

struct nk_replay {
    bool judged; /* the record holds a judge's decision; nothing below is set otherwise */
    struct nk_cedar_uid principal, action, resource;
    struct nk_replay_verdict recorded, now;
    bool
        same_beside; /* of a tool call: outcome, what was waived and redacted, and each data class */
    bool same;       /* that, decision, reasons and errors are equal */
    bool same_decision; /* at least the decision is */
};

/* `record` is a parsed line (see nk_chain_check) and `entities` the sealed store of the policy set
 * that it names. Everything made lives in `a`. NK_EINVAL when the record says that it was judged
 * but what the judge saw cannot be read, NK_ENOMEM. */
int nk_replay_record(const struct nk_json *record, const struct nk_cedar_policies *policies,
                     const struct nk_cedar_entities *entities, struct nk_arena *a,
                     struct nk_replay *out, struct nk_fault *f) NK_CHECKED;
