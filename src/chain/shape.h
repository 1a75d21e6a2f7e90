/* SPDX-License-Identifier: Apache-2.0
 *
 * shape.h - private to chain: records that look as records usually do. Almost all are: the decision
 * that allowed a call, and its outcome. Their names and brackets stand in tables (shape_*.def), so
 * they are compared, not read; only what differs from record to record is looked at. That is a
 * quarter of the work of reading a record as JSON, which is most of what the scribe does.
 */
#pragma once

#include "json/json.h"

/* Are these the members of an ordinary record? Then they are strict JSON inside an object that has no
 * such names yet, no name stands twice, and no byte is a control. "No" only says that somebody has to
 * read them. `a` is for what is read; its content is not needed afterwards. */
bool nk_shape_is_ordinary(struct nk_str members, struct nk_arena *a);
/* Offset of the first byte below 0x20; s.n when there is none. */
size_t nk_shape_control(struct nk_str s);
