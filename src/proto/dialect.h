/* SPDX-License-Identifier: Apache-2.0
 *
 * dialect.h - what the files of this module share: the dialects' tables and the three things that all
 * of them do alike (find a credential, let headers through a list, begin a call).
 */
#pragma once

#include "proto/proto.h"

#define DIALECT(name) extern const struct nk_dialect nk_dialect_##name;
#include "proto/proto.def"
#undef DIALECT

/* The value of `Authorization: Bearer` or of `x-api-key`, whichever the client sent. Absent: there
 * is none. Empty (p != NULL, n == 0): an Authorization header of another scheme, an empty value, or
 * several values that differ; such a request proves nothing and must be refused, because the next
 * reader of it might choose the other one. */
struct nk_str nk_dialect_credential(const struct nk_http_head *h);

/* Is `name` one of the `n` lower-case header names? */
bool nk_dialect_allows(const char *const *names, size_t n, struct nk_str name);
/* The beginning that calls of all dialects share: the body is an object without doubles of the members
 * that are `decided` about (see nk_member_no_doubles), and it names a model. Local operations have no
 * body: 0. */
int nk_dialect_model(struct nk_call *call, const char *const *decided, size_t n, struct nk_arena *a,
                     struct nk_fault *f) NK_CHECKED;

/* What a dialect has that the gate answers by itself: nothing goes upstream, so no answer, no stream and no
 * list of models comes from there. */
bool nk_dialect_forwards_nothing(struct nk_str name);
int nk_dialect_no_reply(const struct nk_call *call, const struct nk_json *body, struct nk_arena *a,
                        struct nk_reply *out, struct nk_fault *f) NK_CHECKED;
struct nk_stream *nk_dialect_no_stream(const struct nk_call *call, struct nk_arena *a);
void nk_dialect_no_models(const struct nk_str *models, size_t n, bool one, struct nk_buf *out);
