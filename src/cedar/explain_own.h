/* SPDX-License-Identifier: Apache-2.0
 *
 * explain_own.h - what explain.c (which policies, and how near) and explain_tree.c (their clauses)
 * share.
 */
#pragma once

#include "cedar/eval.h"
#include "cedar/explain.h"

/* What it takes for an expression to be false, true: conditions to change. */
struct cedar_cost {
    uint32_t to[2];
};
struct cedar_cost cedar_explain_cost(struct cedar_eval *e, const struct cedar_node *node);
/* The same for a scope clause: 0, 1 or NK_CEDAR_NEVER. */
uint32_t cedar_explain_scope_cost(struct cedar_eval *e, const struct cedar_policy *policy, int var,
                                  bool want);
uint32_t cedar_explain_sum(uint32_t a, uint32_t b);

/* CEDAR_NODE_AND, _OR, _NOT or _IF when the expression is made of conditions by it; any other kind
 * when it is a condition itself. */
enum cedar_node_kind cedar_explain_logic(const struct cedar_node *node);
/* The value of an expression; NULL with its error in e->call.what, unless memory is out. An error of
 * an earlier one is forgotten. */
const struct nk_cedar_value *cedar_explain_value(struct cedar_eval *e,
                                                 const struct cedar_node *node);
bool cedar_explain_scope(struct cedar_eval *e, int var, const struct cedar_scope *scope);

/* Fills why->clauses and marks what would have to change. 0 or NK_ENOMEM. */
int cedar_explain_clauses(struct cedar_eval *e, const struct cedar_policy *policy,
                          struct nk_cedar_why *why) NK_CHECKED;
