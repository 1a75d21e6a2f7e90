/* SPDX-License-Identifier: Apache-2.0
 *
 * form.h - private to field: one result on its way through a filter.
 */
#pragma once

#include "field/walk.h"

struct field_run {
    const struct nk_field_ask *ask;
    struct field_states pointers; /* of the ask */
    bool hides;                   /* something may not be read */
    bool applies; /* or what is not declared is dropped: only what can be looked into passes */
    bool wraps;   /* the client may have put an MCP result into the text */
    bool error;   /* the result is an error: it has no declared shape */
    struct nk_arena *arena;
    struct nk_buf *out;
    struct nk_field_report *report;
    struct nk_fault *fault;
};

/* A value that is filtered: as text, absent when nothing of it is left. */
struct field_value {
    struct nk_str text;
    bool same; /* it is what it was */
};

/* Filters entry `at` of a document. NK_EDENIED, NK_ELIMIT, NK_ENOMEM, NK_EUNSUPPORTED. */
int field_run_value(struct field_run *r, const struct nk_json *doc, uint32_t at,
                    struct field_value *out) NK_CHECKED;
/* Filters a text that should be the JSON of a value. *found is false, and nothing is done, when it is none. */
int field_run_text(struct field_run *r, struct nk_str text, struct field_value *out,
                   bool *found) NK_CHECKED;
/* The result is an error: it has no declared shape, and only what may not be read is taken out. */
void field_run_is_error(struct field_run *r);
/* What stands for parts that were left out. */
struct nk_str field_notice(const struct field_run *r);
/* NK_EDENIED when the result needs a declared shape: it has no value at all. */
int field_run_without(struct field_run *r) NK_CHECKED;

/* The forms of tool results: form.c has those with parts, form_lambda.c the answers of functions. */
int field_form_parts(struct field_run *r, enum nk_field_form form, const struct nk_json *doc,
                     uint32_t at) NK_CHECKED;
int field_form_lambda(struct field_run *r, const struct nk_json *doc, uint32_t at) NK_CHECKED;

/* Clients that hand the results of MCP on to a model write them into one text: a CallToolResult, its parts, or one part.
 * When entry 0 of the document is such, it is filtered as one, *found is true, and *out has it in the same
 * wrapping. */
int field_form_wrapped(struct field_run *r, const struct nk_json *doc, struct field_value *out,
                       bool *found) NK_CHECKED;

/* Writes member `name` of a document as it stands there. */
void field_put_member(struct nk_buf *out, const struct nk_json *doc, uint32_t name);
