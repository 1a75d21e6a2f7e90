/* SPDX-License-Identifier: Apache-2.0
 *
 * fields.h - fields of results with their data classes, from the configuration: of a tool, or of an agent.
 */
#pragma once

#include "config/tools.h"
#include "field/field.h"

struct nk_tool_fields {
    const struct nk_str *classes; /* each once; the rules count them from 0 */
    size_t class_count;
    const struct nk_field_rules *rules;
};

/* `setup` says what is known of the shape; its rules are `list`, which has to live as long as the result. `also`: one
 * more class, the last one if it is new; or absent. NK_EINVAL, NK_ELIMIT and what nk_field_rules_new says, with
 * the reason in the fault; NK_ENOMEM. */
int nk_tool_fields_new(const struct nk_config_tool_field *list, size_t n, struct nk_str also,
                       const struct nk_field_setup *setup, struct nk_arena *a,
                       struct nk_tool_fields *out, struct nk_fault *f) NK_CHECKED;
/* The number of the class; class_count: it is none of them. */
unsigned nk_tool_fields_class(const struct nk_tool_fields *fields, struct nk_str name);
