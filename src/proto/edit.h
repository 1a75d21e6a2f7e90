/* SPDX-License-Identifier: Apache-2.0
 *
 * edit.h - answers without the tool calls that were refused. A client runs what it finds in an answer,
 * so a refused call must not be there in any form; and a client waits for the result of each call that
 * it finds, so nothing may be left that asks for one. In its place stands text that says what was refused
 * and why, in the form that the API has for text; what is left keeps its order, and its numbers have
 * no gaps, because SDKs put fragments together by number. Everything else stays byte by byte.
 */
#pragma once

#include "proto/assembly.h"

/* Writes one member of an object in another way, or leaves it out: true; false: it stays as it is. `name` is
 * the entry of its name, its value is the next one. */
typedef bool nk_edit_member(void *ctx, const struct nk_json *doc, uint32_t name,
                            struct nk_buf *out);
/* Writes object `obj` with `member` asked about each of its members. */
void nk_edit_object(const struct nk_json *doc, uint32_t obj, nk_edit_member *member, void *ctx,
                    struct nk_buf *out);
/* The member as it is, with a comma before it where one is needed. */
void nk_edit_keep(const struct nk_json *doc, uint32_t name, struct nk_buf *out);
/* Element `i` of an array as it is, likewise. */
void nk_edit_keep_item(const struct nk_json *doc, uint32_t i, struct nk_buf *out);
/* A comma, unless the last byte opens an object or array. */
void nk_edit_comma(struct nk_buf *out);

/* Is anything of this choice refused; what is left for the client to run? */
size_t nk_edit_refused(const struct nk_assembly *s, int64_t choice);
size_t nk_edit_left(const struct nk_assembly *s, int64_t choice);
/* What is said in place of the choice's refused calls, as one JSON string; behind `before`, if it is not empty. */
void nk_edit_put_text(const struct nk_assembly *s, int64_t choice, struct nk_str before,
                      struct nk_buf *out);

/* Begins an event of a stream whose data is one JSON value, and ends it: what came in several lines between the
 * two becomes one. `name` may be absent. */
size_t nk_edit_event(struct nk_str name, struct nk_buf *out);
void nk_edit_event_end(size_t from, struct nk_buf *out);
