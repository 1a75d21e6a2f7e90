/* SPDX-License-Identifier: Apache-2.0
 *
 * tools.h - the configuration of tools; see config.h.
 */
#pragma once

#include "config/upstream.h"

struct nk_config_tool_field {
    struct nk_str path;       /* "$.medical.*" */
    struct nk_str data_class; /* "medical" */
    struct nk_str hide;       /* drop, mask, mask_type, mask_length, replace */
    struct nk_str with;       /* absent: null */
};

struct nk_config_tool_rule {
    struct nk_str tool; /* a full name, or its beginning and '*' */
    const struct nk_config_text *groups;
    size_t group_count; /* 0: the worst */
    const struct nk_config_tool_field *fields;
    size_t field_count;
    struct nk_str result; /* refuse, strip, pass */
};

struct nk_config_tools {
    struct nk_str file; /* absent: no tool has a definition */
    const struct nk_config_tool_rule *rules;
    size_t rule_count;
};
