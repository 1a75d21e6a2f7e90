/* SPDX-License-Identifier: Apache-2.0
 *
 * eval.h - the evaluator's state for one request.
 */
#pragma once

#include "cedar/ast.h"
#include "cedar/entities.h"

struct cedar_eval {
    struct cedar_call call; /* arena and the first error of the policy at hand */
    unsigned depth;         /* nodes inside each other; the parser's limit is checked again here */
    const struct nk_cedar_entities *entities;
    const struct nk_cedar_value *vars[CEDAR_VARS];
    /* The entities of principal, action and resource, looked up when first asked for. */
    const struct cedar_entity *known[CEDAR_CONTEXT];
    bool looked_up[CEDAR_CONTEXT];
};

/* The value of an expression, or NULL: e->call says why. */
const struct nk_cedar_value *cedar_eval(struct cedar_eval *e, const struct cedar_node *node);
/* Its truth in *out; false when it could not be evaluated or is no bool. */
bool cedar_eval_bool(struct cedar_eval *e, const struct cedar_node *node, bool *out);
/* The entity of principal, action or resource, or NULL when it is not known. */
static inline const struct cedar_entity *cedar_eval_known(struct cedar_eval *e, enum cedar_var var)
{
    if (!e->looked_up[var])
        e->known[var] = cedar_entities_find(e->entities, &e->vars[var]->as.entity);
    e->looked_up[var] = true;
    return e->known[var];
}

/* The same of any entity value. */
const struct cedar_entity *cedar_eval_entity(struct cedar_eval *e,
                                             const struct nk_cedar_value *value);
/* Is it `uid` itself or a descendant? */
bool cedar_eval_in(struct cedar_eval *e, const struct nk_cedar_value *value,
                   const struct cedar_uid *uid);
/* Does text match the literal parts between wildcards (see cedar_unescape_pattern)? */
bool cedar_like(struct nk_str text, const struct nk_str *parts, uint32_t n);
