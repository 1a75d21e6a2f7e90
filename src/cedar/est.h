/* SPDX-License-Identifier: Apache-2.0
 *
 * est.h - private to the JSON form of convert.h (the reference calls it EST): what its reader of
 * policies and its reader of expressions share.
 */
#pragma once

#include "cedar/parse.h"

/* Reading JSON; the first error stays, as in the parser of text. */
struct cedar_est {
    const struct nk_json *doc;
    struct nk_arena *arena;
    struct nk_fault *fault;
    int code;
    unsigned depth; /* expressions inside each other */
};

/* One member that an object may have. `at` becomes its value's entry, or NK_JSON_NONE. */
struct cedar_est_member {
    const char *name;
    bool optional;
    uint32_t at;
};

/* Notes an error at entry `at`; returns NULL. */
void *cedar_est_fail(struct cedar_est *r, uint32_t at, int code, const char *why);
/* The same, NK_EINVAL, for the string at `at`, which is shown behind `why`. */
void *cedar_est_fail_name(struct cedar_est *r, uint32_t at, const char *why);
/* The members of object `at`: those of the list, no others. */
bool cedar_est_members(struct cedar_est *r, uint32_t at, struct cedar_est_member *list, size_t n);
bool cedar_est_string(struct cedar_est *r, uint32_t at, struct nk_str *out);
bool cedar_est_type(struct cedar_est *r, uint32_t at, struct nk_str *out);
/* {"type","id"} or {"__entity":{"type","id"}}. */
bool cedar_est_uid(struct cedar_est *r, uint32_t at, struct nk_cedar_uid *out);
/* An expression, NULL on an error. */
struct cedar_node *cedar_est_expr(struct cedar_est *r, uint32_t at);

/* The policy at entry `at`, its id not yet given; NULL on an error. */
struct cedar_policy *cedar_est_policy(struct cedar_est *r, uint32_t at);
