/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_model.h - a schema whose names are resolved: entity types and actions with their types,
 * ancestors and what they apply to. It does not change once it is made.
 */
#pragma once

#include "base/map.h"
#include "cedar/schema_ast.h"
#include "cedar/type.h"

/* An entity type of a schema; also the type of a namespace's actions, which is only referred to. */
struct cedar_etype {
    struct nk_str name;
    uint32_t index;
    bool is_action, is_enum;
    uint32_t choice_n, ancestor_n;
    const struct nk_str *choices;           /* of an enum, sorted by cedar_name_cmp */
    const struct cedar_type *shape;         /* record */
    const struct cedar_type *tags;          /* or NULL */
    const struct cedar_type *self;          /* the type of its entities */
    const struct cedar_etype **ancestors;   /* all types that its entities may be in, by index */
    const struct cedar_schema_entity *decl; /* NULL: is_action */
};

struct cedar_action {
    struct cedar_uid uid;
    uint32_t index, ancestor_n, principal_n, resource_n;
    const struct cedar_etype *type;
    const struct cedar_etype **principals, **resources;
    const struct cedar_action **ancestors; /* all groups that it is in, by index */
    const struct cedar_type *context;      /* record */
    const struct cedar_schema_action *decl;
};

struct nk_cedar_schema {
    struct nk_arena *arena;
    struct nk_str text;
    bool json; /* the text is JSON */
    struct cedar_schema_space *spaces;
    struct cedar_types types;
    struct cedar_etype **etypes;
    struct cedar_action **actions;
    uint32_t etype_n, action_n;
    struct nk_map etype_names;    /* full name -> struct cedar_etype */
    struct cedar_action **by_uid; /* open addressing */
    size_t by_uid_cap;
};

/* Fills in what the validator needs from s->spaces. 0, or an error noted in the list. */
int cedar_schema_resolve(struct nk_cedar_schema *s, struct nk_cedar_diags *d) NK_CHECKED;
const struct cedar_etype *cedar_schema_etype(const struct nk_cedar_schema *s, struct nk_str name);
const struct cedar_action *cedar_schema_action(const struct nk_cedar_schema *s,
                                               const struct cedar_uid *uid);
/* May entities of type a be in (or be) entities of type b? */
bool cedar_etype_in(const struct cedar_etype *a, const struct cedar_etype *b);
/* Is action a in b, or b itself? */
bool cedar_action_in(const struct cedar_action *a, const struct cedar_action *b);
/* Is the id one of an enum's? True for all other types. */
bool cedar_etype_has(const struct cedar_etype *type, struct nk_str id);
/* Is this the name of a type of actions: Action, or …::Action? */
bool cedar_type_is_action(struct nk_str name);
/* "Did you mean": the nearest declared name, or absent. */
struct nk_str cedar_schema_near_type(const struct nk_cedar_schema *s, struct nk_str name,
                                     struct nk_arena *a);
struct nk_str cedar_schema_near_action(const struct nk_cedar_schema *s, struct nk_cedar_uid uid,
                                       struct nk_arena *a);
/* Type::"id" as it is written in a policy; absent without memory. */
struct nk_str cedar_uid_name(struct nk_cedar_uid uid, struct nk_arena *a);
/* The ids of an enum as they would be written, the first few; absent without memory. */
struct nk_str cedar_etype_choices(const struct cedar_etype *type, struct nk_arena *a);
