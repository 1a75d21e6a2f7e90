/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_case.h - what `nakoso policy test` does with one test: decide its requests and compare with
 * what it expects. Reasons and errors are sets of policy ids. Private to src/cmd.
 */
#pragma once

#include "cmd/policy_input.h"

/* How tests went. A failure is a line "PLACE: WHAT: expected X, got Y". */
struct nk_case_tally {
    struct nk_buf out;
    uint64_t passed, failed;
};

/* The test at hand. */
struct nk_case {
    struct nk_case_tally *tally;
    struct nk_arena *arena; /* of this test */
    struct nk_str place;    /* the file, or the file with line and id */
    struct nk_input input;
};

/* Counts one more check; `what` is what was checked ("request 3"). */
void nk_case_result(struct nk_case *c, bool good, struct nk_str what, struct nk_str expected,
                    struct nk_str got);
/* Counts a check that came to no result at all. */
void nk_case_broken(struct nk_case *c, struct nk_str what, const struct nk_fault *f);
/* Is value i of x the same as value k of y? The order of members does not matter. */
bool nk_case_same_json(const struct nk_json *x, uint32_t i, const struct nk_json *y, uint32_t k,
                       struct nk_arena *a);
/* Compares the JSON forms of policies with those of object `list` (id: form). */
void nk_case_forms(struct nk_case *c, const struct nk_json *doc, uint32_t list);
/* Writes the schema as JSON and as text, and reads it again; compares the JSON with value `expected`
 * (NK_JSON_NONE: with nothing). */
void nk_case_schema(struct nk_case *c, const struct nk_json *doc, uint32_t expected);
/* Writes each policy as JSON and as text, and reads it again. */
void nk_case_round_trips(struct nk_case *c);
/* Validates the policies: does the member shouldValidate say the same, and policiesWithValidationErrors
 * (where they are given)? With `old`, a policy that fits no action may be valid or not: it was an
 * error up to Cedar 4.10 and is a warning since. */
void nk_case_validation(struct nk_case *c, const struct nk_json *doc, bool old);
/* Decides all of the member "requests" of object `at`. */
void nk_case_requests(struct nk_case *c, const struct nk_json *doc, uint32_t at);
