/* SPDX-License-Identifier: Apache-2.0
 *
 * schema_own.h - a schema as schema.c makes it and schema_check.c asks it: one node for each subschema,
 * with what its keywords say.
 */
#pragma once

#include "json/decimal.h"
#include "json/pattern.h"
#include "json/schema.h"

enum schema_type {
    SCHEMA_NULL = 1,
    SCHEMA_BOOLEAN = 2,
    SCHEMA_INTEGER = 4,
    SCHEMA_NUMBER = 8,
    SCHEMA_STRING = 16,
    SCHEMA_ARRAY = 32,
    SCHEMA_OBJECT = 64,
};

struct schema_node;

struct schema_nodes {
    const struct schema_node **list;
    uint32_t n;
};

/* Something about members of a name, or of names that a pattern finds. */
struct schema_named {
    struct nk_str name;
    const struct nk_pattern *pattern;
    const struct schema_node *node;
    struct nk_str *needs; /* dependentRequired */
    uint32_t need_n;
};
struct schema_named_list {
    struct schema_named *list;
    uint32_t n;
};

struct schema_texts { /* names, or values in their canonical form */
    struct nk_str *list;
    uint32_t n;
};

struct schema_bound {
    struct nk_decimal number;
    bool is_set;
};

struct schema_node {
    uint32_t at;       /* its entry in the document */
    uint32_t resource; /* what its references are relative to */
    bool refuses;      /* `false` */
    bool says_nothing; /* `true` or {} */
    bool is_unique;
    unsigned types; /* enum schema_type; 0: any */
    struct schema_texts choices, constant;
    struct schema_bound minimum, maximum, above, below, multiple;
    int64_t min_length, max_length;
    const struct nk_pattern *pattern;
    struct schema_nodes prefix;
    const struct schema_node *items, *contains, *unevaluated_items;
    int64_t min_items, max_items, min_contains, max_contains;
    struct schema_named_list properties, patterns, dependent_schemas, dependent_required;
    const struct schema_node *additional, *names, *unevaluated_properties;
    struct schema_texts required;
    int64_t min_properties, max_properties;
    const struct schema_node *ref, *dynamic_ref;
    struct nk_str dynamic_name; /* absent: dynamic_ref is an ordinary reference */
    struct schema_nodes all, any, one;
    const struct schema_node * not, *condition, *then, *otherwise;
};

struct schema_resource {
    struct nk_str base; /* its $id as a whole URI; "" */
    uint32_t root;      /* entry */
};

struct schema_anchor {
    struct nk_str name;
    uint32_t resource;
    const struct schema_node *node;
    bool is_dynamic;
};

enum { SCHEMA_RESOURCES = 64, SCHEMA_ANCHORS = 1024 };

struct nk_schema {
    struct nk_json doc;
    const struct schema_node *root;
    struct schema_resource *resources;
    uint32_t resource_n;
    struct schema_anchor *anchors;
    uint32_t anchor_n;
    bool has_unevaluated;
};

/* A reference that is not resolved yet. */
struct schema_pending {
    struct schema_node *node;
    uint32_t at; /* of the text */
    bool is_dynamic;
};

enum schema_dialect { SCHEMA_2020_12, SCHEMA_2019_09, SCHEMA_DRAFT_07 };

struct schema_loader {
    struct nk_schema *s;
    struct nk_arena *a;
    struct nk_arena temp;
    struct nk_fault *f;
    enum schema_dialect dialect;
    struct schema_node **by_entry; /* one for each entry of the document */
    struct schema_node **nodes;    /* in the order of loading */
    uint32_t node_n, loaded_n;
    struct schema_pending *pending;
    uint32_t pending_n;
    int code; /* the first error */
};

/* Notes the first error, at entry `at`; returns its code. */
int schema_fail(struct schema_loader *l, int code, uint32_t at, const char *fmt, ...)
    NK_PRINTF(4, 5) NK_COLD;
/* The node of entry `at`, which is loaded later when it is new; NULL: an error is noted. */
struct schema_node *schema_node_at(struct schema_loader *l, uint32_t at, uint32_t resource);
/* The base of `ref` resolved against `base` (RFC 3986, as far as ids of schemas need it). */
struct nk_str schema_resolve(struct schema_loader *l, struct nk_str base, struct nk_str ref);
/* Fills in what a reference leads to. */
void schema_refer(struct schema_loader *l, const struct schema_pending *p);
/* The anchor of that name in a resource, or NULL. */
const struct schema_anchor *schema_anchor(const struct nk_schema *s, uint32_t resource,
                                          struct nk_str name);
/* The JSON Pointer (RFC 6901) of entry `at`. */
void schema_pointer(const struct nk_json *doc, uint32_t at, struct nk_buf *out);
