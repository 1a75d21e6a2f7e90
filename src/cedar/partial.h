/* SPDX-License-Identifier: Apache-2.0
 *
 * partial.h - decisions while a part of the request or of the entities is not known yet (partial
 * evaluation, after RFC 95 of Cedar). What the known parts settle is settled; of each policy that
 * they do not settle a residual is left: a policy in the ordinary language that mentions only what it
 * still depends on.
 *
 * A completion is a request and a store that agree with everything known. Under every completion a
 * residual does what its policy does: it is satisfied, not satisfied, or errs. Evaluation order stays,
 * and nothing that may err is dropped before what decides.
 *
 * Ownership: results live in the arena given and view the policies, the entities and the request.
 */
#pragma once

#include "cedar/schema.h"

/* What is not known of one entity. It is in the store, or `all` is set. */
struct nk_cedar_unknown {
    struct nk_cedar_uid uid;
    bool all;                   /* everything, also whether it exists */
    bool tags;                  /* it may have any */
    bool ancestors;             /* it may have any; those in the store count for nothing */
    const struct nk_str *attrs; /* may be absent or have any value */
    size_t attr_count;
};

struct nk_cedar_partial_request {
    /* Of principal and resource the id may be unknown (id.p is NULL): then all of the entity is. */
    struct nk_cedar_uid principal, action, resource;
    const struct nk_cedar_value *context; /* what is known, a record; NULL means {} */
    const struct nk_str *context_attrs;   /* of the context; may be absent or have any value */
    size_t context_attr_count;
    bool context_open; /* the context may have any attributes beside the known ones */
    const struct nk_cedar_unknown *entities;
    size_t entity_count;
    /* Or NULL. With a schema, completions have to keep to it, and types settle more. */
    const struct nk_cedar_schema *schema;
};

enum nk_cedar_outcome {
    NK_CEDAR_SATISFIED, /* under every completion */
    NK_CEDAR_NOT_SATISFIED,
    NK_CEDAR_ERRS,
    NK_CEDAR_RESIDUAL, /* it depends */
};

enum nk_cedar_settled { NK_CEDAR_UNDECIDED, NK_CEDAR_ALLOW, NK_CEDAR_DENY };

struct cedar_policy;

struct nk_cedar_residual {
    struct nk_str id;
    bool forbid;
    enum nk_cedar_outcome outcome;
    const char *what;                  /* ERRS: static words; else NULL */
    bool may_err;                      /* RESIDUAL: some completion may make it err */
    bool never;                        /* RESIDUAL: it errs or is not satisfied */
    const struct cedar_policy *policy; /* what is left, also when SATISFIED; else the policy */
};

struct nk_cedar_partial {
    /* The decision if no completion changes it. A forbid that errs is skipped, or denies when the
     * set is strict. */
    enum nk_cedar_settled decision;
    const struct nk_str *reasons; /* that are sure: forbids of a deny, permits otherwise */
    size_t reason_count;
    const struct nk_cedar_residual *policies; /* all of the set, in order of loading */
    size_t policy_count;
};

/* Does the request keep to its schema, if there is one, as far as it is known: the action, the types of
 * principal and resource, the context? 0 or NK_EINVAL. */
int nk_cedar_partial_check(const struct nk_cedar_partial_request *req,
                           struct nk_fault *f) NK_CHECKED;
/* Evaluates as far as it is known. `entities` is sealed, or NULL for none. 0, NK_ENOMEM, or NK_EINVAL
 * (the context is no record). */
int nk_cedar_partial(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                     const struct nk_cedar_partial_request *req, struct nk_arena *a,
                     struct nk_cedar_partial *out) NK_CHECKED;
/* The residual as policy text, or as Cedar's JSON; errors stick to `out`. */
void nk_cedar_residual_put_text(const struct nk_cedar_residual *r, struct nk_buf *out);
void nk_cedar_residual_put_json(const struct nk_cedar_residual *r, struct nk_buf *out);
