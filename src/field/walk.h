/* SPDX-License-Identifier: Apache-2.0
 *
 * walk.h - private to field: one walk over a value that writes it without what may not be read.
 */
#pragma once

#include "field/rules.h"

/* An automaton, and which of its actions are done. */
struct field_layer {
    const struct field_states *states;
    uint64_t denied;
};

enum { FIELD_LAYERS = 2 };

struct field_walk {
    struct field_layer layers[FIELD_LAYERS]; /* states NULL: none */
    bool look_into_texts;
    struct nk_arena *arena;
    uint32_t hidden;  /* counted on */
    uint64_t classes; /* bits are added */
    struct nk_fault *fault;
};

enum field_end {
    FIELD_AS_IT_WAS, /* nothing was written */
    FIELD_CHANGED,   /* `out` has it */
    FIELD_GONE,      /* nothing is left; nothing was written */
};

/* Entry `at` of the document. A root that is replaced or masked is written so. NK_ELIMIT, NK_ENOMEM. */
int field_walk_value(struct field_walk *w, const struct nk_json *doc, uint32_t at,
                     struct nk_buf *out, enum field_end *end) NK_CHECKED;

/* Reads text that is the JSON of an array or object, or of a string that is such a text, and so on. 0; NK_EINVAL: it
 * is none; NK_ENOMEM. */
int field_text_parse(struct nk_str text, struct nk_arena *a, struct nk_json *doc) NK_CHECKED;
/* Does it look as if somebody could read an object in it, whether it is JSON or not? */
bool field_text_suspect(struct nk_str text);
