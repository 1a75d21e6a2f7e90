/* SPDX-License-Identifier: Apache-2.0
 *
 * partial_own.h - what the files of partial evaluation share: partial.c (policies and sets),
 * partial_expr.c (expressions), partial_node.c (nodes of residuals) and partial_known.c (what is known
 * of context and entities).
 */
#pragma once

#include "cedar/operate.h"
#include "cedar/partial.h"

enum { CEDAR_KIND_ANY = UINT8_MAX };

/* What is known of an expression. */
struct cedar_part {
    enum { CEDAR_PART_VALUE, CEDAR_PART_ERROR, CEDAR_PART_REST } state;
    bool may_err;                       /* REST: under some completion */
    bool never;                         /* REST: it is never true */
    uint8_t kind;                       /* REST: of its value, enum cedar_kind, or CEDAR_KIND_ANY */
    const struct nk_cedar_value *value; /* VALUE */
    const char *what;                   /* ERROR */
    const struct cedar_node *node;  /* REST: what is left to evaluate; otherwise the expression */
    struct nk_str type;             /* REST: of the entity that it is, or absent */
    const struct cedar_type *typed; /* REST: the schema's type of its value, or NULL */
};

/* What is there where it is asked for: `of` has the attribute `name`, or the tag that `tag` names. */
struct cedar_there {
    const struct cedar_node *of, *tag;
    struct nk_str name;
};

enum { CEDAR_THERE = 32 /* most that is remembered; forgetting some is safe */ };

struct cedar_partial {
    struct cedar_eval eval; /* of what is known; its arena holds all that is made */
    const struct nk_cedar_partial_request *req;
    const struct cedar_uid *uids;      /* of req->entities, with their hashes */
    const struct cedar_action *action; /* in the schema, or NULL */
    unsigned depth;                    /* of expressions inside each other */
    unsigned there_n;
    struct cedar_there there[CEDAR_THERE];
    bool out_of_memory;
};

/* What follows is evaluated only where `node`, which is left, was true. */
void cedar_part_true(struct cedar_partial *p, const struct cedar_node *node);
/* Is the attribute or tag that the node reads sure to be there? */
bool cedar_part_there(const struct cedar_partial *p, const struct cedar_node *node);

enum cedar_known { CEDAR_KNOWN, CEDAR_ABSENT, CEDAR_UNKNOWN };

struct cedar_part cedar_part(struct cedar_partial *p, const struct cedar_node *node);
/* Is its value of that kind, if it has one? */
static inline bool cedar_part_is(const struct cedar_part *part, enum cedar_kind kind)
{
    return part->state == CEDAR_PART_VALUE ? part->value->kind == kind : part->kind == kind;
}

/* An attribute of the context; KNOWN: *out is its value. */
enum cedar_known cedar_context_attr(const struct cedar_partial *p, struct nk_str name,
                                    const struct nk_cedar_value **out);
bool cedar_context_whole(const struct nk_cedar_partial_request *req);
/* May the attribute, the tags or the ancestors of this entity be other than the store says? */
bool cedar_attr_unknown(const struct cedar_partial *p, const struct cedar_uid *uid,
                        struct nk_str name);
/* Is the entity sure to exist? */
bool cedar_entity_sure(const struct cedar_partial *p, const struct nk_cedar_value *entity);
bool cedar_tags_unknown(const struct cedar_partial *p, const struct cedar_uid *uid);
bool cedar_ancestors_unknown(const struct cedar_partial *p, const struct nk_cedar_value *entity);
/* Does the schema rule out that entities of this type are in one of that? */
bool cedar_never_in(const struct cedar_partial *p, struct nk_str type, struct nk_str of);

/* `like` with these operands in place of its own. When that is nested too deeply, `original` itself,
 * which means the same. NULL: no memory. */
struct cedar_node *cedar_rest_node(struct cedar_partial *p, const struct cedar_node *like,
                                   const struct cedar_node *original,
                                   const struct cedar_part *parts, size_t n);
/* A node for the operand; NULL: no memory. */
struct cedar_node *cedar_part_node(struct cedar_partial *p, const struct cedar_part *part);
/* Appends an operand to a chain and dissolves one of the same kind; false: the chain is too deep. */
bool cedar_chain_add(struct cedar_partial *p, struct cedar_node *chain, struct cedar_node ***tail,
                     const struct cedar_part *part);
struct cedar_node *cedar_node_copy(struct cedar_partial *p, const struct cedar_node *node);
