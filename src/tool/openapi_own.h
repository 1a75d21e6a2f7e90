/* SPDX-License-Identifier: Apache-2.0
 *
 * openapi_own.h - a document on its way to tools: what openapi.c (operations) and openapi_schema.c (references and
 * schemas) share. Private to this module.
 */
#pragma once

#include "tool/openapi.h"

enum openapi_where { OPENAPI_PATH, OPENAPI_QUERY, OPENAPI_HEADER, OPENAPI_BODY };

struct openapi_argument {
    struct nk_str name;
    enum openapi_where where;
    bool required;
};

struct openapi {
    const struct nk_json *doc;
    struct nk_arena *a;
    struct nk_fault *f;
    uint32_t wrong; /* what the fault is about */
    bool is_30;     /* its schemas are not yet JSON Schema */
    unsigned depth; /* of the schema that is written */
    /* the operation */
    struct openapi_argument arguments[NK_OPENAPI_ARGUMENTS];
    size_t argument_count;
    bool open;                /* the body takes more than it declares */
    struct nk_buf properties; /* "name":{…},… */
};

/* Sets the fault, NK_EUNSUPPORTED: this cannot be said. */
int openapi_refuse(struct openapi *o, uint32_t at, const char *why);
/* What entry `at` names, if it is a reference, of one or several steps. */
int openapi_resolve(struct openapi *o, uint32_t *at) NK_CHECKED;
/* Appends a schema as JSON Schema 2020-12. */
int openapi_put_schema(struct openapi *o, uint32_t at, struct nk_buf *out) NK_CHECKED;
/* Appends the place of an entry as a JSON Pointer: "#/paths/~1x/post". */
void openapi_put_place(const struct nk_json *doc, uint32_t at, struct nk_arena *a,
                       struct nk_buf *out);
