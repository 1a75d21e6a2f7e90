/* SPDX-License-Identifier: Apache-2.0
 *
 * node.h - what the parser, the JSON form, the printer and whoever explains policies know about nodes
 * in common.
 */
#pragma once

#include "cedar/ast.h"

/* "principal", "action", "resource", "context"; a NUL is behind each. */
extern const struct nk_str cedar_var_names[CEDAR_VARS];
/* AND, OR, SUM, PRODUCT: any number of operands, two at least. */
bool cedar_is_chain(enum cedar_node_kind kind);
/* The sign or name of an operator that has operands and nothing else: "&&", "<=", "contains"; "+" for
 * SUM, "neg" for NEG. NULL for all other kinds. */
const char *cedar_op_name(enum cedar_node_kind kind, unsigned op);
/* The kind of such an operator and its `op`; CEDAR_NODE_KINDS when there is none. */
enum cedar_node_kind cedar_op_kind(struct nk_str name, uint8_t *op);
/* How many operands an operator that is written as a method has, its object included; 0 for others.
 */
unsigned cedar_method_argc(enum cedar_node_kind kind);
/* Appends a child behind *tail (the place of the next child's pointer). 0, or NK_ELIMIT: the node
 * becomes deeper than CEDAR_DEPTH. */
int cedar_node_add(struct cedar_node *node, struct cedar_node ***tail,
                   struct cedar_node *kid) NK_CHECKED;
