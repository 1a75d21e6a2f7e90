/* SPDX-License-Identifier: Apache-2.0
 *
 * valid.h - what the files of the policy validator share: valid.c (policies and the kinds of requests that
 * they admit), valid_expr.c and valid_entity.c (one rule for each kind of expression), valid_caps.c (what is
 * known to be there) and valid_level.c (how far from the request a policy reads).
 *
 * An expression is checked in one environment: the types of principal and resource and the action. The answer
 * is its type, whether all of it is well typed, and its capabilities: attributes and tags that are there if
 * it evaluates to true. A type may be known although something inside is wrong; then checking goes on, so
 * that one run finds all mistakes. Rules: cedar-policy/cedar, validator/typecheck.rs.
 */
#pragma once

#include "cedar/schema.h"
#include "cedar/schema_model.h"

enum { CAPS_MOST = 2000 /* attributes and tags known to be there at one place of a policy */ };

/* What is known to be there: attribute `name` of on.path[0].path[1]…, or the tag that `tag` names. */
struct cap {
    uint64_t hash;
    const struct cedar_node *on;
    const struct nk_str *path;
    uint32_t path_n;
    struct nk_str name;
    const struct cedar_node *tag; /* NULL: an attribute */
};

/* A list without an order; never changed once made. */
struct caps {
    struct cap cap;
    uint32_t n; /* with all behind it */
    const struct caps *next;
};

struct answer {
    const struct cedar_type *type; /* NULL: cannot be told */
    bool ok;
    const struct caps *caps; /* NULL unless ok */
};

/* The type that a node has in the environment at hand, for levels. */
struct typed {
    const struct cedar_node *node;
    const struct cedar_type *type;
};

struct check {
    const struct nk_cedar_schema *s;
    const struct nk_cedar_validation *how;
    bool strict;
    struct cedar_types types;
    struct nk_arena *arena; /* as long as the validation */
    struct nk_arena work;   /* as long as one environment */
    struct nk_cedar_diags *diags;
    bool out_of_memory;

    const struct cedar_policy *policy;
    const struct nk_cedar_diag *before; /* the last diagnostic of earlier policies */
    size_t errors;                      /* of this policy */
    bool may_err;                       /* its evaluation could fail */
    bool quiet;                         /* what is wrong is reported elsewhere */

    const struct cedar_etype *principal, *resource; /* the environment */
    const struct cedar_action *action;
    struct nk_cedar_value action_value;

    struct typed *typed; /* open addressing; NULL: not wanted */
    size_t typed_n, typed_cap;
};

/* Types that an operand may have: bits. */
enum expected {
    EXPECT_BOOL = 1,
    EXPECT_LONG = 2,
    EXPECT_STRING = 4,
    EXPECT_SET = 8,
    EXPECT_RECORD = 16,
    EXPECT_ENTITY = 32,
    EXPECT_ENTITY_SET = 64,
    EXPECT_DECIMAL = 128,
    EXPECT_IP = 256,
    EXPECT_DATETIME = 512,
    EXPECT_DURATION = 1024,
};

/* Adds a diagnostic to the policy at hand, once for each place; the caller fills in its args. NULL: it is
 * there already, or the list is full. */
struct nk_cedar_diag *check_wrong(struct check *c, enum nk_cedar_diag_code code,
                                  struct cedar_span span);
/* The same with up to three names. */
void check_say(struct check *c, enum nk_cedar_diag_code code, struct cedar_span span,
               struct nk_str a, struct nk_str b, struct nk_str d);
/* Two types without a common one above them. */
void check_incompatible(struct check *c, struct cedar_span span, const struct cedar_type *a,
                        const struct cedar_type *b);

struct answer answer_ok(const struct cedar_type *type);
struct answer answer_fail(const struct cedar_type *type);
/* An expression; then it must have one of the expected types (`instead`: what to write if not, or NULL). */
struct answer check_node(struct check *c, const struct cedar_node *node, const struct caps *prior);
struct answer check_expect(struct check *c, const struct cedar_node *node, const struct caps *prior,
                           unsigned expected, const char *instead);
/* (a && b) of answers, where b was checked with what a says; a is neither false nor absent. */
struct answer check_and(struct check *c, struct answer a, struct answer b);

/* Rules of valid_entity.c */
struct answer check_attr(struct check *c, const struct cedar_node *node, const struct caps *prior);
struct answer check_has(struct check *c, const struct cedar_node *node, const struct caps *prior);
struct answer check_is(struct check *c, const struct cedar_node *node, const struct caps *prior);
struct answer check_in(struct check *c, const struct cedar_node *node, const struct caps *prior);
struct answer check_has_tag(struct check *c, const struct cedar_node *node,
                            const struct caps *prior);
struct answer check_get_tag(struct check *c, const struct cedar_node *node,
                            const struct caps *prior);
/* The attribute of a record or entity type; false: it has none, or not of one type. */
bool check_lookup(struct check *c, const struct cedar_type *type, struct nk_str name,
                  struct cedar_type_attr *out);
/* The value of a literal, or of the variable `action`; NULL for all else. */
const struct nk_cedar_value *check_literal(const struct check *c, const struct cedar_node *node);

/* Capabilities */
struct cap cap_attribute(const struct cedar_node *on, const struct nk_str *path, uint32_t path_n,
                         struct nk_str name);
struct cap cap_tag(const struct cedar_node *on, const struct cedar_node *tag);
bool caps_has(const struct caps *caps, const struct cap *cap);
const struct caps *caps_one(struct check *c, const struct cap *cap);
const struct caps *caps_union(struct check *c, const struct caps *a, const struct caps *b);
const struct caps *caps_both(struct check *c, const struct caps *a, const struct caps *b);

/* Levels: once the environment was checked without an error. */
void check_level(struct check *c, const struct cedar_node *body);
void check_scope_level(struct check *c);
