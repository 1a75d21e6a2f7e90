/* SPDX-License-Identifier: Apache-2.0
 *
 * plan.h - what the index may take from a policy, and what is left for its code. See index.h.
 */
#pragma once

#include "cedar/index.h"

struct cedar_plan_guard {
    struct cedar_guard on;
    enum cedar_guard_mode mode;
    const struct nk_cedar_value *constant;
    struct cedar_tests before; /* what is left when this one is not taken */
};

struct cedar_plan {
    struct cedar_term terms[CEDAR_LEVELS]; /* by variable */
    struct cedar_plan_guard guards[CEDAR_GUARD_ROW];
    unsigned guard_n;
    struct cedar_tests rest;
};

/* 0 or NK_ENOMEM; lists of uids that a set of entities became live in `a`. */
int cedar_plan(const struct cedar_policy *policy, struct nk_arena *a,
               struct cedar_plan *out) NK_CHECKED;
/* The guard that a test is (HAS behind it not looked at), if it is one. */
bool cedar_plan_guard(const struct cedar_node *node, bool want, struct cedar_plan_guard *out);
