/* SPDX-License-Identifier: Apache-2.0
 *
 * value_write.h - values as text that reads back as the same value: Cedar's own notation, and the
 * JSON form of nk_cedar_value_parse.
 */
#pragma once

#include "cedar/cedar.h"

/* Appends User::"alice" with the id escaped as in a policy. */
void nk_cedar_uid_put(struct nk_buf *out, struct nk_cedar_uid uid);
/* Appends the value as a policy would write it: [1, 2], {"a": ip("10.0.0.0/8")}, User::"alice". */
void nk_cedar_value_put(struct nk_buf *out, const struct nk_cedar_value *value);
/* Appends the JSON form, with __entity and __extn. */
void nk_cedar_value_put_json(struct nk_buf *out, const struct nk_cedar_value *value);
