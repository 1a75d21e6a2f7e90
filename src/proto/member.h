/* SPDX-License-Identifier: Apache-2.0
 *
 * member.h - members of a JSON object with the type that a dialect gives them. A missing member and
 * a null are the same ("not given"); any other type is NK_EINVAL, stage "proto", with the member's
 * name in the message and its place as the offset. Object index NK_JSON_NONE has no members.
 */
#pragma once

#include "json/json.h"

/* The member's entry, or NK_JSON_NONE when it is missing or null. */
uint32_t nk_member_get(const struct nk_json *doc, uint32_t obj, struct nk_str name);
/* *out is absent when not given, otherwise non-empty unless `may_be_empty`. */
int nk_member_string(const struct nk_json *doc, uint32_t obj, struct nk_str name, bool may_be_empty,
                     struct nk_arena *a, struct nk_str *out, struct nk_fault *f) NK_CHECKED;
/* *out is false when not given. */
int nk_member_bool(const struct nk_json *doc, uint32_t obj, struct nk_str name, bool *out,
                   struct nk_fault *f) NK_CHECKED;
/* An integer of 0 or more; *out stays as it is when not given. */
int nk_member_count(const struct nk_json *doc, uint32_t obj, struct nk_str name, int64_t *out,
                    struct nk_fault *f) NK_CHECKED;
/* Entry of an array or object; NK_JSON_NONE when not given. */
int nk_member_of(const struct nk_json *doc, uint32_t obj, struct nk_str name,
                 enum nk_json_type type, uint32_t *out, struct nk_fault *f) NK_CHECKED;
/* NK_EINVAL unless entry i is of that type; `what` names it for the message. */
int nk_member_expect(const struct nk_json *doc, uint32_t i, struct nk_str what,
                     enum nk_json_type type, struct nk_fault *f) NK_CHECKED;
/* Fault for a required member that is not given. */
int nk_member_missing(const struct nk_json *doc, uint32_t obj, struct nk_str name,
                      struct nk_fault *f) NK_CHECKED;

/* Refuses an object that has, beside or instead of one of the `names` that are decided about, a
 * member that some readers take for it: encoding/json of Go matches names without case (and folds
 * U+017F to s and U+212A to k), so "Model" would choose another model there than we decided on. The
 * names are ASCII in lower case. */
int nk_member_no_doubles(const struct nk_json *doc, uint32_t obj, const char *const *names,
                         size_t n, struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
