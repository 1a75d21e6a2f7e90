/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_unknown.h - what is not known of a request, as people say it. Private to src/cmd.
 */
#pragma once

#include "cedar/partial.h"

/* Adds what a list names, its items divided by commas, to `req`, in the arena:
 *   context                    any attributes beside the known ones
 *   context.name               one attribute ["name"], also of the next three
 *   User::"alice"              all of an entity, also whether it exists
 *   User::"alice".name         one of its attributes
 *   User::"alice" tags, … ancestors
 * `principal` and `resource` stand for the request's entity. NK_EINVAL, NK_ENOMEM. */
int nk_unknown_read(struct nk_str list, struct nk_arena *a, struct nk_cedar_partial_request *req,
                    struct nk_fault *f) NK_CHECKED;
/* An entity, or User::? for one of which only the type is known: then the id is absent. */
int nk_unknown_uid(struct nk_str text, struct nk_arena *a, struct nk_cedar_uid *out,
                   struct nk_fault *f) NK_CHECKED;
