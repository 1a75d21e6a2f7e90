/* SPDX-License-Identifier: Apache-2.0
 *
 * schema.h - Cedar schemas and what they are for: which entities, actions and contexts exist, and whether
 * policies, entities and requests keep to it. A policy that is valid (strict mode) cannot fail at evaluation
 * but for three reasons: an entity that is not there, an extension value out of range, an integer overflow
 * (proven for the language's formal model, cedar-policy/cedar-spec, cedar-lean). Rules:
 * docs.cedarpolicy.com, "Schema", "Policy validation", and the reference implementation, version 4.13.
 *
 * Ownership: everything is allocated in the arena given; texts are viewed and must outlive the schema. A
 * schema does not change once it is made and may be used by many validations. What is wrong goes to a list of
 * diagnostics (cedar/diag.h).
 */
#pragma once

#include "cedar/cedar.h"
#include "cedar/diag.h"

struct nk_cedar_schema;

/* Reads a schema: `.cedarschema` text, or its JSON form. 0 and *out, or NK_EINVAL, NK_ELIMIT, NK_ENOMEM with
 * the reason in *d. Refused: undefined names, double declarations, common types that contain themselves,
 * actions that are members of themselves, names of the empty namespace that another namespace hides (RFC 70).
 */
int nk_cedar_schema_parse(struct nk_str text, struct nk_arena *a, struct nk_cedar_diags *d,
                          const struct nk_cedar_schema **out) NK_CHECKED;
int nk_cedar_schema_parse_json(struct nk_str text, struct nk_arena *a, struct nk_cedar_diags *d,
                               const struct nk_cedar_schema **out) NK_CHECKED;
/* Writes a schema in either form; out->error when there is no room. JSON of a schema that was text and back
 * again is the same, declaration by declaration; white space and comments are not kept. Text: 0, or
 * NK_EUNSUPPORTED: what JSON says cannot be said as text (a shape that is a common type; an entity type that
 * a common type of the same name hides); then *f says which. */
void nk_cedar_schema_write_json(const struct nk_cedar_schema *s, struct nk_buf *out);
int nk_cedar_schema_write(const struct nk_cedar_schema *s, struct nk_buf *out,
                          struct nk_fault *f) NK_CHECKED;

/* Validates every policy, template and link of a set. */
struct nk_cedar_validation {
    bool permissive; /* the rules for types are looser; nothing is proven then. Default: strict */
    bool
        leveled; /* also: no policy reads entities more than `level` steps from the request (RFC 76) */
    uint32_t level;
};

/* What was found out about one policy. */
struct nk_cedar_verdict {
    bool valid; /* no error; warnings may be there */
    bool
        never_errs; /* proven, in strict mode: for requests and entities that keep to the schema its
                         evaluation cannot err */
    bool no_action; /* warning: no action fits its scope */
    bool impossible; /* warning: it applies to no request (also when no_action) */
};

/* Verdicts in order of loading: first all that nk_cedar_policies_count counts, then the templates (see
 * cedar/template.h); NULL when only the list is wanted. Time grows with policies × the kinds of requests
 * that their scopes admit. `scratch` holds what is needed meanwhile, *d the reasons. 0 when all are valid,
 * NK_EINVAL, NK_ENOMEM. */
int nk_cedar_validate(const struct nk_cedar_schema *s, const struct nk_cedar_policies *p,
                      const struct nk_cedar_validation *how, struct nk_arena *scratch,
                      struct nk_cedar_diags *d, struct nk_cedar_verdict *verdicts) NK_CHECKED;

/* Does the entity keep to the schema? attrs and tags are records or NULL. Actions must be as the schema
 * declares them. 0 or NK_EINVAL with the reason in *d. */
int nk_cedar_validate_entity(const struct nk_cedar_schema *s, struct nk_cedar_uid uid,
                             const struct nk_cedar_uid *parents, size_t parent_count,
                             const struct nk_cedar_value *attrs, const struct nk_cedar_value *tags,
                             struct nk_cedar_diags *d) NK_CHECKED;
/* Does the request: are the types of principal and resource what the action applies to, and is the context
 * what it says? */
int nk_cedar_validate_request(const struct nk_cedar_schema *s, const struct nk_cedar_request *r,
                              struct nk_cedar_diags *d) NK_CHECKED;

/* Adds all of Cedar's entity JSON, read with the schema's help: where the schema says entity or extension
 * type, the escapes __entity and __extn may be left out ("10.0.0.1" for an ipaddr, {"type","id"} for an
 * entity). Every entity is validated. 0 or an error with the reason in *d; then some may have been added. */
int nk_cedar_entities_parse_typed(struct nk_cedar_entities *e, const struct nk_cedar_schema *s,
                                  struct nk_str json, struct nk_arena *a,
                                  struct nk_cedar_diags *d) NK_CHECKED;
/* Validates entity JSON that is read without the schema's help (nk_cedar_entities_parse): escapes must be
 * there. Nothing is kept but the reasons; `scratch` holds what is needed meanwhile. */
int nk_cedar_validate_entities(const struct nk_cedar_schema *s, struct nk_str json,
                               struct nk_arena *scratch, struct nk_cedar_diags *d) NK_CHECKED;
/* Is some action a member of another? Then a store needs nk_cedar_entities_add_actions. */
bool nk_cedar_schema_has_groups(const struct nk_cedar_schema *s);
/* A context for `action`, read in the same way; NK_ENOTFOUND when the schema has no such action. */
int nk_cedar_context_parse_typed(const struct nk_cedar_schema *s, struct nk_cedar_uid action,
                                 const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                                 const struct nk_cedar_value **out,
                                 struct nk_cedar_diags *d) NK_CHECKED;
/* Adds the schema's actions and their groups, so that `action in` knows them. NK_ECONFLICT when one is there
 * already, NK_ENOMEM. */
int nk_cedar_entities_add_actions(struct nk_cedar_entities *e, const struct nk_cedar_schema *s,
                                  struct nk_arena *a) NK_CHECKED;
