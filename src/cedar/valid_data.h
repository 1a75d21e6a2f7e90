/* SPDX-License-Identifier: Apache-2.0
 *
 * valid_data.h - what valid_data.c (are data as the schema says?) gives to valid_json.c (reading data with the
 * schema's help).
 */
#pragma once

#include "cedar/schema.h"
#include "cedar/schema_model.h"

/* Is the value one of this type? */
bool cedar_value_fits(const struct nk_cedar_value *v, const struct cedar_type *type);
