/* SPDX-License-Identifier: Apache-2.0
 *
 * valid_data.h - what valid_data.c (are data as the schema says?) gives to valid_json.c (reading data with the
 * schema's help).
 */
#pragma once

#include "cedar/schema.h"
#include "cedar/schema_model.h"

/* All groups that an action is in, allocated in `a`; NULL: no memory. */
struct nk_cedar_uid *cedar_action_parents(const struct cedar_action *action, struct nk_arena *a);
/* Is the value one of this type? */
bool cedar_value_fits(const struct nk_cedar_value *v, const struct cedar_type *type);
