/* SPDX-License-Identifier: Apache-2.0
 *
 * operate.h - what Cedar's operators do with values. How the values come about is another matter:
 * the tree evaluator (eval.c) and the machine (machine.c) both end here, so that an operator has
 * one meaning. Each function returns NULL after noting the error in e->call.
 */
#pragma once

#include "cedar/eval.h"

static inline const struct nk_cedar_value *cedar_truth(bool v)
{
    return v ? &cedar_true : &cedar_false;
}

/* `v` if it has that kind. */
const struct nk_cedar_value *cedar_expect(struct cedar_eval *e, const struct nk_cedar_value *v,
                                          enum cedar_kind kind);
const struct nk_cedar_value *cedar_overflow(struct cedar_eval *e);
/* For the code of a constructor that failed: memory, or a value that is too large or too deep. */
const struct nk_cedar_value *cedar_no_room(struct cedar_eval *e, int code);
/* a < b, a <= b …: two longs, datetimes or durations. */
const struct nk_cedar_value *cedar_less(struct cedar_eval *e, enum cedar_order order,
                                        const struct nk_cedar_value *a,
                                        const struct nk_cedar_value *b);
/* a in b: b is an entity or a set of entities. */
const struct nk_cedar_value *cedar_in(struct cedar_eval *e, const struct nk_cedar_value *a,
                                      const struct nk_cedar_value *b);
/* v.name, v has path[0].path[1]… */
const struct nk_cedar_value *cedar_attr(struct cedar_eval *e, const struct nk_cedar_value *v,
                                        struct nk_str name);
const struct nk_cedar_value *cedar_has(struct cedar_eval *e, const struct nk_cedar_value *v,
                                       const struct nk_str *path, uint32_t n);
/* v.hasTag(name), v.getTag(name): v is an entity and name a string. */
const struct nk_cedar_value *cedar_has_tag(struct cedar_eval *e, const struct nk_cedar_value *v,
                                           const struct nk_cedar_value *name);
const struct nk_cedar_value *cedar_get_tag(struct cedar_eval *e, const struct nk_cedar_value *v,
                                           const struct nk_cedar_value *name);
