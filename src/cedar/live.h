/* SPDX-License-Identifier: Apache-2.0
 *
 * live.h - changes to a store of entities that is in use: one entity at a time, whole or not at all,
 * between two decisions. Only a sealed store with nothing below it can be changed, and stores above it
 * (one request's) must be made anew.
 *
 * What it costs: one entity, however many there are, as long as no other entity is in it. When others
 * are and its ancestors change, a walk over the store, and theirs are found anew. Memory of what was
 * replaced is used again, so a store grows with the most that it ever held; what stays are names of
 * types and attributes, uids that were ever named as parents, and, in a bound store, what an entity
 * knows of more than a dozen scopes.
 */
#pragma once

#include "cedar/cedar.h"

/* Puts an entity into the store, in the place of one of the same uid. Nothing given here needs to
 * outlive the call. NK_EINVAL (attrs or tags are no records; it would be its own ancestor), NK_ELIMIT,
 * NK_ENOMEM: then nothing has changed. */
int nk_cedar_entities_put(struct nk_cedar_entities *e, struct nk_cedar_uid uid,
                          const struct nk_cedar_uid *parents, size_t parent_count,
                          const struct nk_cedar_value *attrs, const struct nk_cedar_value *tags,
                          struct nk_fault *f) NK_CHECKED;
/* Takes it out. NK_ENOTFOUND, NK_ENOMEM: then nothing has changed. */
int nk_cedar_entities_remove(struct nk_cedar_entities *e, struct nk_cedar_uid uid,
                             struct nk_fault *f) NK_CHECKED;
