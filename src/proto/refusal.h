/* SPDX-License-Identifier: Apache-2.0
 *
 * refusal.h - why a request is refused, for its dialect to put into its own form.
 */
#pragma once

#include "base/str.h"

struct nk_refusal {
    int status;       /* HTTP status: 400, 401, 403, 404, 413, 429, 500, 502, 503, 504 */
    const char *code; /* stable id: "policy_denied", "no_credential" …; see gate/refusal.def */
    struct nk_str message; /* what, which policy, what to do; safe for the client */
    struct nk_str request; /* our request id */
    struct nk_str subject; /* as of the call, or absent */
    const char *kind;      /* or NULL */
    int code_number;       /* as of the call */
    struct nk_str data;
};
