/* SPDX-License-Identifier: Apache-2.0
 *
 * cedar.h - Cedar 4.5 (docs.cedarpolicy.com): policies are parsed once into an immutable set; a
 * decision meets the policies whose scope matches and runs their conditions. Default deny, forbid
 * overrides permit, a policy whose evaluation errs is skipped and reported. What is not supported is
 * refused when the set is loaded, never ignored.
 *
 * Ownership: everything is allocated in the arena given to the constructor; slices handed in must
 * live as long as what they are put in. Nothing here has global state.
 */
#pragma once

#include "json/json.h"

struct nk_cedar_uid {
    struct nk_str type; /* "User", "Nakoso::Model" */
    struct nk_str id;   /* unescaped */
};

/* Is this the name of an entity type: identifiers joined by "::", none of them reserved? */
bool nk_cedar_type_ok(struct nk_str name);

/* Values ------------------------------------------------------------------------------------------
 */
struct nk_cedar_value; /* immutable; shared freely within the arena's life */

/* Constructors return NULL when memory is out. */
const struct nk_cedar_value *nk_cedar_bool(struct nk_arena *a, bool v);
const struct nk_cedar_value *nk_cedar_long(struct nk_arena *a, int64_t v);
const struct nk_cedar_value *nk_cedar_string(struct nk_arena *a, struct nk_str v);
const struct nk_cedar_value *nk_cedar_entity(struct nk_arena *a, struct nk_cedar_uid uid);
/* items need not be sorted or unique: the set takes care of it. */
const struct nk_cedar_value *nk_cedar_set(struct nk_arena *a,
                                          const struct nk_cedar_value *const *items, size_t n);
struct nk_cedar_member {
    struct nk_str name;
    const struct nk_cedar_value *value;
};
/* Names must be unique (NULL otherwise). */
const struct nk_cedar_value *nk_cedar_record(struct nk_arena *a,
                                             const struct nk_cedar_member *members, size_t n);
/* Cedar's JSON value form (with __entity and __extn); NK_EINVAL with the offset in *f. */
int nk_cedar_value_parse(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                         const struct nk_cedar_value **out, struct nk_fault *f) NK_CHECKED;

/* Entities ----------------------------------------------------------------------------------------
 */
struct nk_cedar_entities;

/* An empty store. Lookups that fail go on in `below` (may be NULL, otherwise sealed before this one
 * is): the per-request store with the principal lies over the whole-life store with models and
 * groups. Entities below reach no ancestor through entities above. */
struct nk_cedar_entities *nk_cedar_entities_new(struct nk_arena *a,
                                                const struct nk_cedar_entities *below) NK_CHECKED;
/* Adds one entity; attrs and tags are records or NULL (NK_EINVAL otherwise). NK_ECONFLICT when uid
 * is in this store already; one of the same uid in a store below is hidden, not merged. */
int nk_cedar_entities_add(struct nk_cedar_entities *e, struct nk_cedar_uid uid,
                          const struct nk_cedar_uid *parents, size_t parent_count,
                          const struct nk_cedar_value *attrs,
                          const struct nk_cedar_value *tags) NK_CHECKED;
/* Adds all of Cedar's entity JSON: [{"uid","attrs","parents","tags"?}]. */
int nk_cedar_entities_parse(struct nk_cedar_entities *e, struct nk_str json,
                            struct nk_fault *f) NK_CHECKED;
/* Must be called once after the last add: computes ancestors, refuses cycles (NK_EINVAL). */
int nk_cedar_entities_seal(struct nk_cedar_entities *e, struct nk_fault *f) NK_CHECKED;

/* Policies ----------------------------------------------------------------------------------------
 */
struct nk_cedar_policies;

struct nk_cedar_policies *nk_cedar_policies_new(struct nk_arena *a) NK_CHECKED;
/* Parses policy text, which must live as long as the set, and adds its policies and templates
 * (template.h). The id is the @id annotation when `use_id` is set and there is one with a value,
 * otherwise "<prefix><index in this text>". NK_EINVAL, NK_ELIMIT, NK_ECONFLICT (double id) with file
 * offset; fault stage "cedar", and the message names line and column. On an error nothing of this
 * text is added. */
int nk_cedar_policies_add(struct nk_cedar_policies *p, struct nk_str text, struct nk_str prefix,
                          bool use_id, struct nk_fault *f) NK_CHECKED;
/* Those that decide: templates are not counted, their links are. */
size_t nk_cedar_policies_count(const struct nk_cedar_policies *p);
/* Makes the set ready to decide: conditions to code, policies into an index over their scopes, in
 * the set's arena. The first decision does it when nobody did (and NK_ENOMEM is then its result);
 * policies added later make it necessary again. A set that was sealed is not changed by decisions.
 * NK_ENOMEM, NK_ELIMIT. */
int nk_cedar_policies_seal(struct nk_cedar_policies *p, struct nk_fault *f) NK_CHECKED;
/* Makes decisions over this sealed store faster: each entity remembers which scopes of the set it
 * matches. It changes no answer; a store is bound to one set at a time, and decisions over others
 * work as before. Before that set is freed, the store is freed or bound to another one. NK_ENOMEM, NK_ELIMIT. */
int nk_cedar_bind(struct nk_cedar_policies *p, struct nk_cedar_entities *e,
                  struct nk_fault *f) NK_CHECKED;
/* With `on`, a forbid that errs denies: it is among the reasons as if it were satisfied. Without
 * (at first, and as Cedar has it), a policy that errs is skipped, a forbid too. */
void nk_cedar_policies_strict(struct nk_cedar_policies *p, bool on);
bool nk_cedar_policies_is_strict(const struct nk_cedar_policies *p);

/* Decision ----------------------------------------------------------------------------------------
 */
struct nk_cedar_request {
    struct nk_cedar_uid principal, action, resource;
    const struct nk_cedar_value *context; /* a record; NULL means {} */
};

struct nk_cedar_error {
    struct nk_str policy; /* id */
    const char *what;     /* static: "type error", "attribute not found" … */
};

struct nk_cedar_answer {
    bool allow;
    const struct nk_str *reasons; /* ids of the determining policies, in order of loading */
    size_t reason_count;
    const struct nk_cedar_error *errors; /* policies that erred, in order of loading */
    size_t error_count;
};

/* Decides. `entities` is sealed, or NULL for none. Memory for the answer comes from `a`: none for one
 * reason and no error, otherwise the lists. So does memory for evaluation: none but for sets and
 * records that a condition makes, for what extension functions return, and for hundreds of matching
 * policies. An arena that is reset after each decision asks the system for nothing. 0, NK_ENOMEM, or NK_EINVAL (the context is no record); on an error the answer is deny
 * without reasons. */
int nk_cedar_authorize(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                       const struct nk_cedar_request *req, struct nk_arena *a,
                       struct nk_cedar_answer *out) NK_CHECKED;
/* Everything that a decision rests on, for those who read annotations: all permits and forbids that are
 * satisfied (in a strict set also forbids that err, which are among the errors, too), in order of loading. */
struct nk_cedar_found {
    const struct nk_str *permits, *forbids; /* ids */
    size_t permit_count, forbid_count;
    const struct nk_cedar_error *errors;
    size_t error_count;
};
/* As nk_cedar_authorize. */
int nk_cedar_find(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                  const struct nk_cedar_request *req, struct nk_arena *a,
                  struct nk_cedar_found *out) NK_CHECKED;
/* Value of annotation `name` of policy `id` ("" when it has no value), or absent. */
struct nk_str nk_cedar_annotation(const struct nk_cedar_policies *p, struct nk_str id,
                                  struct nk_str name);
