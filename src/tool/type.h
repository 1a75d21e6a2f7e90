/* SPDX-License-Identifier: Apache-2.0
 *
 * type.h - what arguments are in policies: the Cedar type that a tool's input schema comes to. As in the tools of
 * Cedar's own project and Amazon Bedrock AgentCore: string -> String, integer -> Long, number -> decimal, boolean ->
 * Bool, array -> Set, object -> record, whose members are optional unless `required`. What has none of these types
 * for sure (several types, a free object, a tuple) is a String that holds the value's canonical JSON, so that a
 * policy can still see it. A null is as if the member were not there.
 *
 * A decimal of Cedar has four digits behind the point; more are cut off. Numbers that are too large for their
 * type are refused.
 */
#pragma once

#include "json/json.h"

enum nk_tool_kind {
    NK_TOOL_STRING,
    NK_TOOL_LONG,
    NK_TOOL_BOOL,
    NK_TOOL_DECIMAL,
    NK_TOOL_JSON, /* a String */
    NK_TOOL_SET,
    NK_TOOL_RECORD,
};

struct nk_tool_member_type {
    struct nk_str name;
    const struct nk_tool_type *type;
    bool required; /* and never null */
};

struct nk_tool_type {
    enum nk_tool_kind kind;
    const struct nk_tool_type *item;           /* SET */
    const struct nk_tool_member_type *members; /* RECORD: in the schema's order */
    uint32_t member_n;
};

enum { NK_TOOL_TYPES_MAX = 4096, NK_TOOL_TYPE_DEPTH = 16 };

/* The type of the values that the schema `doc` takes, which must be an object's; otherwise a record without
 * members. NK_ELIMIT, NK_ENOMEM. */
int nk_tool_type_of(const struct nk_json *doc, struct nk_arena *a,
                    const struct nk_tool_type **out) NK_CHECKED;
/* Writes entry `at`, which keeps to the schema, as Cedar JSON. Members that the type does not know are not
 * written: *undeclared is then a list of their names, at most 64, as JSON ("a","b"), otherwise empty. NK_EINVAL (stage
 * "arguments"): a number is too large; NK_ENOMEM. */
int nk_tool_put_cedar(const struct nk_tool_type *type, const struct nk_json *doc, uint32_t at,
                      struct nk_buf *out, struct nk_buf *undeclared, struct nk_fault *f) NK_CHECKED;
