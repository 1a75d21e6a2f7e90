/* SPDX-License-Identifier: Apache-2.0
 *
 * explain.h - why a request was decided as it was: which policies matched, which erred, which nearly
 * matched, and of each the tree of its clauses with the value of every operand.
 *
 * How near a policy is: the fewest of its conditions that would have to come out otherwise for it to
 * match. Each scope clause is one condition; so is each part of a `when` or `unless` that is not
 * itself made of &&, ||, ! and if-then-else. An && needs all of its parts, an || the cheapest of
 * them; a part that errs has to change, one that is constant cannot.
 */
#pragma once

#include "cedar/cedar.h"

enum { NK_CEDAR_NEVER = INT32_MAX }; /* no change of conditions is enough */

/* An expression of a policy and what it came to. */
struct nk_cedar_part {
    struct nk_str text;                 /* as the policy says it, its white space made single */
    const struct nk_cedar_value *value; /* NULL: it errs */
    const char *error;                  /* static, when it errs */
    bool logic;                         /* made of conditions: &&, ||, !, if-then-else */
    bool constant;                      /* the same for every request */
    bool path;                  /* an attribute or a variable: nothing but its value to say */
    bool passed_over;           /* the decision did not look at it: && or || had decided */
    bool change;                /* one of the fewest conditions that would have to change */
    bool unknown;               /* an entity of which the next two would tell, had it been
                                           among the entities */
    const struct nk_str *names; /* behind an operand of `has` or an attribute that is not
                                           there: the names that there are */
    size_t name_count;
    const struct nk_cedar_uid *within; /* behind an operand of `in`: what it is in, all ancestors */
    size_t within_count;
    struct nk_cedar_part *first, *next; /* operands; the sibling */
};

/* Its truth in *out; false when it errs or is no bool. */
bool nk_cedar_part_truth(const struct nk_cedar_part *part, bool *out);

enum nk_cedar_clause_kind {
    NK_CEDAR_CLAUSE_PRINCIPAL,
    NK_CEDAR_CLAUSE_ACTION,
    NK_CEDAR_CLAUSE_RESOURCE,
    NK_CEDAR_CLAUSE_WHEN,
    NK_CEDAR_CLAUSE_UNLESS,
};

struct nk_cedar_clause {
    enum nk_cedar_clause_kind kind;
    bool any;   /* a scope clause that says nothing: `principal` */
    bool holds; /* as the policy needs it: an `unless` holds when its expression is false */
    struct nk_cedar_part *part; /* the expression; of a scope clause the comparison */
};

enum nk_cedar_state { NK_CEDAR_MATCHED, NK_CEDAR_ERRED, NK_CEDAR_NEAR };

struct nk_cedar_why {
    struct nk_str id;
    bool forbid;
    enum nk_cedar_state state;
    /* Conditions to change so that it matches; of one that matched: so that it does not. */
    uint32_t distance;
    const struct nk_cedar_clause *clauses;
    size_t clause_count;
};

struct nk_cedar_explanation {
    struct nk_cedar_answer answer;
    /* All that matched, then all that erred, in order of loading; then those that did neither, the
     * nearest first; of equally near ones first those whose scope fits the request better, then
     * those that were loaded first. */
    const struct nk_cedar_why *policies;
    size_t count;
    size_t left_out; /* policies further away than these */
};

/* Decides and explains, with the `near` nearest of the policies that did not match. `entities` is
 * sealed or NULL. All of it lives in `a`. Errors as of nk_cedar_authorize. */
int nk_cedar_explain(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                     const struct nk_cedar_request *req, size_t near, struct nk_arena *a,
                     struct nk_cedar_explanation *out) NK_CHECKED;
