/* SPDX-License-Identifier: Apache-2.0
 *
 * ast.h - what the parser makes of policy text: policies, their scopes and conditions. All of it is
 * immutable once loaded and lives in the policy set's arena.
 *
 * Chains (a && b && c, a + b - c) are one node with many children: depth is then what a reader sees
 * as nesting. A chain has no chain of its kind as its first child: (a && b) && c is a && b && c. A
 * part that is constant carries its value (`constant`) beside its form: the evaluator uses the value,
 * everything that prints or analyses policies the form.
 */
#pragma once

#include "cedar/ext.h"

enum {
    CEDAR_DEPTH = 250,        /* most nesting of an expression, and of the parser */
    CEDAR_NAME = 4096,        /* most bytes of a type's name */
    CEDAR_ANNOTATIONS = 256,  /* most annotations on one policy */
    CEDAR_TEXT = 64 << 20,    /* most bytes of one policy text */
    CEDAR_POLICIES = 1 << 24, /* most policies in a set */
};

/* Bytes [offset, end) of the policy's text; both 0 when it did not come as text. */
struct cedar_span {
    uint32_t offset, end;
};

enum cedar_node_kind {
    CEDAR_NODE_CONST,        /* constant: bool, long, string, entity */
    CEDAR_NODE_VAR,          /* op: enum cedar_var */
    CEDAR_NODE_AND,          /* children joined by && */
    CEDAR_NODE_OR,           /* by || */
    CEDAR_NODE_NOT,          /* ! child */
    CEDAR_NODE_NEG,          /* - child */
    CEDAR_NODE_IF,           /* condition, then, else */
    CEDAR_NODE_EQ,           /* a == b; op 1: a != b */
    CEDAR_NODE_LESS,         /* op: enum cedar_order */
    CEDAR_NODE_IN,           /* a in b */
    CEDAR_NODE_SUM,          /* children, each added or (minus) subtracted */
    CEDAR_NODE_PRODUCT,      /* children joined by * */
    CEDAR_NODE_CONTAINS,     /* a.contains(b) */
    CEDAR_NODE_CONTAINS_ALL, /* a.containsAll(b) */
    CEDAR_NODE_CONTAINS_ANY, /* a.containsAny(b) */
    CEDAR_NODE_IS_EMPTY,     /* a.isEmpty() */
    CEDAR_NODE_HAS_TAG,      /* a.hasTag(b) */
    CEDAR_NODE_GET_TAG,      /* a.getTag(b) */
    CEDAR_NODE_ATTR,         /* child.name, child["name"] */
    CEDAR_NODE_HAS,          /* child has path[0].path[1]… */
    CEDAR_NODE_LIKE,   /* child like path[0]*path[1]*…: the literal parts between wildcards */
    CEDAR_NODE_IS,     /* child is name; with a second child: child is name in second */
    CEDAR_NODE_SET,    /* [children] */
    CEDAR_NODE_RECORD, /* {name: child}, the name is in the child's label */
    CEDAR_NODE_CALL,   /* ext(children) */
    CEDAR_NODE_KINDS,
};

enum cedar_var { CEDAR_PRINCIPAL, CEDAR_ACTION, CEDAR_RESOURCE, CEDAR_CONTEXT, CEDAR_VARS };
enum cedar_order { CEDAR_LT, CEDAR_LE, CEDAR_GT, CEDAR_GE };

struct cedar_node {
    uint8_t kind;   /* enum cedar_node_kind */
    uint8_t op;     /* see there */
    uint8_t minus;  /* as a child of SUM: is subtracted */
    uint16_t depth; /* 1 + the deepest child */
    uint32_t n;     /* children */
    uint32_t path_n;
    struct cedar_span span;  /* all of it, children included, parentheses around it not */
    struct cedar_span mark;  /* what makes it: the operator (of a chain: the first); the name of an
                               attribute, method or function; the path of HAS, the pattern of LIKE,
                               the type of IS; otherwise as span */
    struct cedar_node *kid;  /* first child */
    struct cedar_node *next; /* next child of the same parent */
    const struct nk_cedar_value *constant; /* or NULL */
    struct nk_str name;                    /* ATTR, IS */
    struct nk_str label;                   /* as a child of RECORD */
    const struct nk_str *path;             /* HAS, LIKE */
    const struct cedar_ext *ext;           /* CALL */
};

enum cedar_scope_kind {
    CEDAR_SCOPE_ANY,
    CEDAR_SCOPE_EQ,    /* == uids[0] */
    CEDAR_SCOPE_IN,    /* in uids[0], or for an action: in any of uids */
    CEDAR_SCOPE_IS,    /* is type */
    CEDAR_SCOPE_IS_IN, /* is type in uids[0] */
};

struct cedar_scope {
    uint8_t kind; /* enum cedar_scope_kind */
    bool list;    /* written as [ … ] */
    uint32_t n;
    bool slot; /* ?principal or ?resource stands for uids[0]: in a template uids is NULL, n 0 */
    const struct cedar_uid *uids;
    const struct cedar_span *spans; /* of each uid, or of the slot */
    struct nk_str type;
    struct cedar_span type_span;
    struct cedar_span span; /* from `principal` to the end */
};

struct cedar_condition {
    bool unless;
    struct cedar_span span; /* from `when` to the brace */
    struct cedar_node *body;
    struct cedar_condition *next;
};

struct cedar_annotation {
    struct nk_str name, value;
    bool has_value;
    struct cedar_span span; /* from '@' to the end */
    struct cedar_annotation *next;
};

struct cedar_policy {
    struct nk_str id;
    bool forbid;
    uint8_t slots;                                /* bits 1 << enum cedar_var: a template's slots */
    struct nk_str text;                           /* all of the text that it was read from */
    struct cedar_span span;                       /* from the first annotation to ';' */
    const struct cedar_policy *link_of;           /* the template, or NULL */
    struct cedar_scope scope[CEDAR_RESOURCE + 1]; /* principal, action, resource */
    const struct cedar_condition *conditions;     /* in order; NULL: always */
    const struct cedar_annotation *annotations;   /* in order */
    struct cedar_policy *next;                    /* while its text is being read */
};

struct nk_cedar_policies {
    struct nk_arena *arena;
    struct cedar_policy **items;      /* what decides: policies and links, in order of loading */
    struct cedar_policy **templates;  /* what only waits to be linked, in order of loading */
    struct cedar_policy **index;      /* both by id, open addressing; NULL: a free place */
    const struct cedar_index *sealed; /* of the first sealed_n policies; see index.h */
    size_t n, cap, template_n, template_cap, index_cap, sealed_n;
    bool strict; /* a forbid that errs denies */
};
