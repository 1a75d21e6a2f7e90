/* SPDX-License-Identifier: Apache-2.0
 *
 * parse.h - the recursive-descent parser of policy text, in two files: parse_policy.c (policies,
 * annotations, scopes) and parse_expr.c (expressions). The first error stays; after it every
 * function returns NULL or false at once. Depth: every recursion passes cedar_parse_expr, which
 * counts.
 */
#pragma once

#include "cedar/lexer.h"
#include "cedar/node.h"

struct cedar_parser {
    struct cedar_lexer lexer;
    struct cedar_token token; /* the one not yet taken */
    size_t end;               /* past the last byte of the token taken last */
    struct nk_arena *arena;
    struct nk_fault *fault;
    int code;       /* 0, or the error */
    unsigned depth; /* expressions inside each other */
};

/* Notes an error at an offset of the text; returns NULL. */
void *cedar_parse_fail(struct cedar_parser *p, int code, size_t offset, const char *why);
/* The same for the token at hand: `expected` says what should stand there. */
void *cedar_parse_unexpected(struct cedar_parser *p, const char *expected);

void cedar_next(struct cedar_parser *p);
bool cedar_at(const struct cedar_parser *p, int kind);
bool cedar_at_word(const struct cedar_parser *p, struct nk_str word);
/* Takes the token if it is that one. */
bool cedar_take(struct cedar_parser *p, int kind);
bool cedar_take_word(struct cedar_parser *p, struct nk_str word);
/* Takes it or fails. */
bool cedar_need(struct cedar_parser *p, int kind, const char *expected);
/* Goes on with a list behind an item: true when another item follows, false at `close` (taken) or
 * on an error. A trailing comma is allowed. */
bool cedar_more(struct cedar_parser *p, int close);

/* The token at hand; what was taken since `offset`. */
struct cedar_span cedar_token_span(const struct cedar_parser *p);
struct cedar_span cedar_span_from(const struct cedar_parser *p, size_t offset);

/* Is this the type of an action: Action, Any::Name::Action? */
bool cedar_is_action_type(struct nk_str type);

/* Takes a quoted string and unescapes it. */
bool cedar_take_string(struct cedar_parser *p, struct nk_str *out);
/* A type's name, A::B, in its normal spelling without white space; if an entity's id follows
 * (A::B::"id"), *uid_follows is set and the string is the token at hand. */
bool cedar_take_type(struct cedar_parser *p, struct nk_str *out, bool *uid_follows);

/* 0, NK_ELIMIT (too long) or NK_EINVAL (no UTF-8): what must hold before a text is read. */
int cedar_check_text(struct nk_str text, struct nk_fault *f) NK_CHECKED;
/* An expression and its value if it is constant; NULL on an error. */
struct cedar_node *cedar_parse_expr(struct cedar_parser *p);
/* All policies up to the end, linked by `next`, ids not yet given; check p->code. */
struct cedar_policy *cedar_parse_policies(struct cedar_parser *p);

/* A policy set under construction: room for so many more (0, NK_ELIMIT, NK_ENOMEM), then each is
 * appended, to the templates if it has slots; false when its id is there already. */
int cedar_policies_reserve(struct nk_cedar_policies *p, size_t policies,
                           size_t templates) NK_CHECKED;
bool cedar_policies_append(struct nk_cedar_policies *p, struct cedar_policy *item) NK_CHECKED;
/* Takes out again what was appended since the set held so many of each. */
void cedar_policies_cut(struct nk_cedar_policies *p, size_t policies, size_t templates);
/* The policy or template of that id, or NULL. */
struct cedar_policy *cedar_policies_find(const struct nk_cedar_policies *p, struct nk_str id);

/* Writes them as text and as JSON (convert.h); errors stick to `out`. */
void cedar_expr_put_text(const struct cedar_node *e, struct nk_buf *out);
void cedar_policy_put_text(const struct cedar_policy *policy, struct nk_buf *out);
/* One scope clause (var: enum cedar_var); a string with its quotes. */
void cedar_scope_put_text(const struct cedar_scope *s, unsigned var, struct nk_buf *out);
void cedar_string_put_text(struct nk_str s, struct nk_buf *out);
void cedar_policy_put_json(const struct cedar_policy *policy, struct nk_buf *out);
/* Do both say the same? Where they stand, ids and parentheses do not count. */
bool cedar_expr_same(const struct cedar_node *a, const struct cedar_node *b);
bool cedar_policy_same(const struct cedar_policy *a, const struct cedar_policy *b);

/* Gives `node` its constant value if all its children have one (sets, records, extension calls that
 * succeed). 0 or NK_ENOMEM. */
int cedar_fold(struct nk_arena *a, struct cedar_node *node) NK_CHECKED;
