/* SPDX-License-Identifier: Apache-2.0
 *
 * rules.h - private to field: what nk_field_rules_new makes.
 */
#pragma once

#include "field/states.h"

struct nk_field_rules {
    struct field_states paths;
    struct field_states declared; /* NK_FIELD_STRIP */
    uint64_t classes;
    const struct nk_schema *output;
    enum nk_field_shape shape;
};
