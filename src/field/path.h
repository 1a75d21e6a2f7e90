/* SPDX-License-Identifier: Apache-2.0
 *
 * path.h - private to field: a path as a list of steps from the root of a value.
 */
#pragma once

#include "field/field.h"

enum field_step_kind {
    FIELD_NAME,  /* a member of this name */
    FIELD_INDEX, /* the element of this number */
    FIELD_TOKEN, /* of a JSON Pointer: the member of this name, or the element of this number */
    FIELD_ANY,   /* each member and each element */
};

enum { FIELD_NO_INDEX = NK_JSON_NONE };

struct field_step {
    enum field_step_kind kind;
    bool deep; /* of the value, and of everything that stands in it */
    struct nk_str name;
    uint32_t index; /* FIELD_TOKEN that is no number: FIELD_NO_INDEX */
};

struct field_path {
    const struct field_step *steps;
    uint32_t n; /* 0: the root */
};

/* "$.a[0]..b". Errors as nk_field_rules_new has them. */
int field_path_parse(struct nk_str text, struct nk_arena *a, struct field_path *out,
                     struct nk_fault *f) NK_CHECKED;
/* "/a/0/b" (RFC 6901); every step is a FIELD_TOKEN. */
int field_pointer_parse(struct nk_str text, struct nk_arena *a, struct field_path *out,
                        struct nk_fault *f) NK_CHECKED;
