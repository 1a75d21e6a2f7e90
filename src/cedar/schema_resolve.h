/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_resolve.h - what the files share that resolve the names of a schema: schema_resolve.c (types),
 * schema_names.c (what is declared) and schema_actions.c (actions, groups, ancestors).
 */
#pragma once

#include "cedar/schema_model.h"

#include <stdlib.h>

enum {
    CHAIN_MOST = 1000 /* most types and common types inside each other while they are resolved */
};

enum reference { REFERENCE_COMMON, REFERENCE_ENTITY, REFERENCE_EITHER };
enum common_state { COMMON_NEW, COMMON_OPEN, COMMON_DONE };

struct common {
    const struct cedar_schema_common *decl;
    struct nk_str space;
    enum common_state state;
    const struct cedar_type *type; /* once done; NULL: it is wrong */
};

struct resolver {
    struct nk_cedar_schema *s;
    struct nk_cedar_diags *diags;
    struct nk_map commons; /* full name -> struct common */
    unsigned depth;
};

/* What a name means: one of the three. */
struct target {
    struct common *common;
    const struct cedar_etype *etype;
    const struct cedar_type *builtin;
};

int cedar_resolve_memory(struct resolver *r);
int cedar_resolve_deep(struct resolver *r, struct cedar_span span);
int cedar_resolve_wrong(struct resolver *r, enum nk_cedar_diag_code code, struct cedar_span span,
                        struct nk_str a, struct nk_str b);
/* "space::name"; absent without memory. */
struct nk_str cedar_resolve_full(struct resolver *r, struct nk_str space, struct nk_str name);
bool cedar_resolve_name(struct resolver *r, struct nk_str space, struct nk_str name,
                        enum reference kind, struct target *out);
/* An entity type that is declared (the types of actions are not). */
int cedar_resolve_etype(struct resolver *r, struct nk_str space, const struct cedar_schema_ref *ref,
                        const struct cedar_etype **out) NK_CHECKED;
const struct cedar_type *cedar_resolve_extension(struct nk_str name);
int cedar_resolve_type(struct resolver *r, struct nk_str space, const struct cedar_schema_type *t,
                       const struct cedar_type **out) NK_CHECKED;
/* The same for what must be a record; NULL is { }. */
int cedar_resolve_shape(struct resolver *r, struct nk_str space, const struct cedar_schema_type *t,
                        struct nk_str what, const struct cedar_type **out) NK_CHECKED;
/* The passes. */
int cedar_resolve_names(struct resolver *r) NK_CHECKED;
int cedar_resolve_actions(struct resolver *r) NK_CHECKED;
int cedar_resolve_ancestors(struct resolver *r) NK_CHECKED;
