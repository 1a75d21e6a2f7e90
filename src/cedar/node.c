/* SPDX-License-Identifier: Apache-2.0
 *
 * node.c - see node.h: one table of the operators that have nothing but operands, and how children
 * are appended.
 */
#include "cedar/node.h"

const struct nk_str cedar_var_names[CEDAR_VARS] = {
    {"principal", 9}, {"action", 6}, {"resource", 8}, {"context", 7}};

static const struct {
    char name[12];
    uint8_t kind, op, argc; /* argc: of a method */
} operators[] = {
    {"&&", CEDAR_NODE_AND, 0, 0},
    {"||", CEDAR_NODE_OR, 0, 0},
    {"!", CEDAR_NODE_NOT, 0, 0},
    {"neg", CEDAR_NODE_NEG, 0, 0},
    {"==", CEDAR_NODE_EQ, 0, 0},
    {"!=", CEDAR_NODE_EQ, 1, 0},
    {"<", CEDAR_NODE_LESS, CEDAR_LT, 0},
    {"<=", CEDAR_NODE_LESS, CEDAR_LE, 0},
    {">", CEDAR_NODE_LESS, CEDAR_GT, 0},
    {">=", CEDAR_NODE_LESS, CEDAR_GE, 0},
    {"in", CEDAR_NODE_IN, 0, 0},
    {"+", CEDAR_NODE_SUM, 0, 0},
    {"-", CEDAR_NODE_SUM, 1, 0},
    {"*", CEDAR_NODE_PRODUCT, 0, 0},
    {"contains", CEDAR_NODE_CONTAINS, 0, 2},
    {"containsAll", CEDAR_NODE_CONTAINS_ALL, 0, 2},
    {"containsAny", CEDAR_NODE_CONTAINS_ANY, 0, 2},
    {"isEmpty", CEDAR_NODE_IS_EMPTY, 0, 1},
    {"hasTag", CEDAR_NODE_HAS_TAG, 0, 2},
    {"getTag", CEDAR_NODE_GET_TAG, 0, 2},
};

bool cedar_is_chain(enum cedar_node_kind kind)
{
    return kind == CEDAR_NODE_AND || kind == CEDAR_NODE_OR || kind == CEDAR_NODE_SUM ||
           kind == CEDAR_NODE_PRODUCT;
}

const char *cedar_op_name(enum cedar_node_kind kind, unsigned op)
{
    for (size_t i = 0; i < NK_COUNT(operators); i++)
        if (operators[i].kind == kind && operators[i].op == op)
            return operators[i].name;
    return NULL;
}

enum cedar_node_kind cedar_op_kind(struct nk_str name, uint8_t *op)
{
    for (size_t i = 0; i < NK_COUNT(operators); i++)
        if (nk_str_eq(name, nk_str(operators[i].name))) {
            *op = operators[i].op;
            return (enum cedar_node_kind)operators[i].kind;
        }
    return CEDAR_NODE_KINDS;
}

unsigned cedar_method_argc(enum cedar_node_kind kind)
{
    for (size_t i = 0; i < NK_COUNT(operators); i++)
        if (operators[i].kind == kind)
            return operators[i].argc;
    return 0;
}

int cedar_node_add(struct cedar_node *node, struct cedar_node ***tail, struct cedar_node *kid)
{
    **tail = kid;
    *tail = &kid->next;
    node->n++;
    if (kid->depth >= node->depth)
        node->depth = (uint16_t)(kid->depth + 1);
    return node->depth > CEDAR_DEPTH ? NK_ELIMIT : 0;
}
