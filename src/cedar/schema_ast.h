/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_ast.h - a schema as it was written, from either of its two forms: namespaces with their
 * declarations in order, names not yet resolved. Both writers print it; schema_resolve.c makes of
 * it what the validator uses. Everything lives in the schema's arena and does not change.
 */
#pragma once

#include "cedar/ast.h"
#include "cedar/diag.h"
#include "json/json.h"

enum {
    CEDAR_SCHEMA_TEXT = 64 << 20, /* most bytes of one schema */
    CEDAR_SCHEMA_DEPTH = 100,     /* most types inside each other, common types included */
};

enum cedar_form {
    CEDAR_FORM_BOOL,
    CEDAR_FORM_LONG,
    CEDAR_FORM_STRING,
    CEDAR_FORM_SET,       /* of element */
    CEDAR_FORM_RECORD,    /* of attrs */
    CEDAR_FORM_ENTITY,    /* name: an entity type */
    CEDAR_FORM_EITHER,    /* name: a common type or an entity type */
    CEDAR_FORM_EXTENSION, /* name: "ipaddr" … */
    CEDAR_FORM_COMMON,    /* name: a common type */
};

struct cedar_schema_type {
    uint8_t form; /* enum cedar_form */
    uint32_t n;   /* attributes */
    struct cedar_span span;
    struct nk_str name;
    struct cedar_schema_type *element;
    struct cedar_schema_attr *attrs; /* in order */
};

struct cedar_schema_attr {
    struct nk_str name;
    bool optional;
    struct cedar_span span; /* of the name */
    struct cedar_schema_type *type;
    const struct cedar_annotation *annotations;
    struct cedar_schema_attr *next;
};

/* A name that refers to something declared elsewhere. */
struct cedar_schema_ref {
    struct nk_str name; /* of a type; absent: of an action without one */
    struct nk_str id;   /* of an action */
    struct cedar_span span;
    struct cedar_schema_ref *next;
};

/* What all declarations have. */
struct cedar_schema_head {
    struct nk_str name;
    struct cedar_span span; /* of the name */
    const struct cedar_annotation *annotations;
};

struct cedar_schema_common {
    struct cedar_schema_head head;
    struct cedar_schema_type *type;
    struct cedar_schema_common *next;
};

struct cedar_schema_entity {
    struct cedar_schema_head head;
    bool is_enum;
    struct cedar_schema_ref *choices; /* of an enum: ids, one at least */
    struct cedar_schema_ref *parents;
    struct cedar_schema_type *shape; /* NULL: { } */
    struct cedar_schema_type *tags;  /* or NULL */
    struct cedar_schema_entity *next;
};

struct cedar_schema_action {
    struct cedar_schema_head head;
    bool has_parents; /* `memberOf` is there, even if empty */
    bool has_applies; /* `appliesTo` is there */
    struct cedar_schema_ref *parents;
    struct cedar_schema_ref *principals, *resources;
    struct cedar_schema_type *context; /* NULL: { } */
    struct cedar_schema_action *next;
};

struct cedar_schema_space {
    struct cedar_schema_head head; /* name "": the empty namespace */
    struct cedar_schema_common *commons, **commons_tail;
    struct cedar_schema_entity *entities, **entities_tail;
    struct cedar_schema_action *actions, **actions_tail;
    struct cedar_schema_space *next;
};

/* While a schema is read. */
struct cedar_schema_reading {
    struct nk_arena *arena;
    struct nk_str text;
    struct cedar_schema_space *spaces, **tail;
    struct nk_cedar_diags *diags;
};

/* A new namespace behind the others; NULL: no memory. */
struct cedar_schema_space *cedar_schema_space_new(struct cedar_schema_reading *r,
                                                  struct nk_str name);
/* The two readers. 0, or the error that is noted in r->diags. */
int cedar_schema_read_text(struct cedar_schema_reading *r) NK_CHECKED;
int cedar_schema_read_json(struct cedar_schema_reading *r) NK_CHECKED;

/* Notes what is wrong at `span` of r->text; returns NK_EINVAL. `args` has NK_CEDAR_DIAG_ARGS items
 * or is NULL. */
int cedar_schema_wrong(struct cedar_schema_reading *r, enum nk_cedar_diag_code code,
                       struct cedar_span span, const struct nk_str *args);
/* May common types have this name? Names of JSON's own types may not be taken. */
bool cedar_schema_common_ok(struct nk_str name);
/* Is this a path of names, A::B? Its parts may not be keywords; __cedar may be one. */
bool cedar_schema_path_ok(struct nk_str name);
/* Is one of its parts __cedar? Then nothing may be declared in it. */
bool cedar_schema_path_reserved(struct nk_str path);
