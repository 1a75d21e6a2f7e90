/* SPDX-License-Identifier: Apache-2.0
 *
 * convert.h - policies in their other forms: Cedar's JSON (docs.cedarpolicy.com, "JSON policy
 * format") both ways, policy text made from a policy, and text laid out anew.
 *
 * Text, JSON and the policy in memory say the same: what one can say is not lost in another. Only
 * an [action] alone in its list is "entity" in JSON, as the reference writes it, and JSON keeps no
 * comments.
 */
#pragma once

#include "cedar/cedar.h"

/* Reading -----------------------------------------------------------------------------------------
 */
/* Adds one policy or template in JSON form under `id`. `json` and `id` must live as long as the set.
 * Strict: unknown and missing members, wrong shapes, an expression with two operators are refused.
 * NK_EINVAL, NK_ELIMIT (nested too deeply), NK_ECONFLICT (double id), NK_ENOMEM; fault stage "cedar"
 * or "json", offset and message say the byte. On an error nothing is added. */
int nk_cedar_policy_add_json(struct nk_cedar_policies *p, struct nk_str json, struct nk_str id,
                             struct nk_fault *f) NK_CHECKED;
/* Adds a whole set: {"staticPolicies": {id: policy}, "templates": {id: template}, "templateLinks":
 * [{"templateId", "newId", "values": {slot: entity}}]}, each member may be absent. A policy or
 * template is an object or policy text; staticPolicies may also be an array of them or one text,
 * whose ids are then policy0, policy1 … */
int nk_cedar_policies_add_json(struct nk_cedar_policies *p, struct nk_str json,
                               struct nk_fault *f) NK_CHECKED;

/* Writing -----------------------------------------------------------------------------------------
 * To the end of `out`; 0, NK_ENOTFOUND (no such id), NK_ELIMIT or NK_ENOMEM (of out).
 */
/* One policy or template as JSON; of a link with its entities filled in. */
int nk_cedar_policy_put_json(const struct nk_cedar_policies *p, struct nk_str id,
                             struct nk_buf *out) NK_CHECKED;
/* The whole set in the form that nk_cedar_policies_add_json reads. */
int nk_cedar_policies_put_json(const struct nk_cedar_policies *p, struct nk_buf *out) NK_CHECKED;
/* Policy text without comments, parentheses only where they are needed. A path of `has` with parts
 * that only JSON can say is written out: x has "a b" && x["a b"] has c. */
int nk_cedar_policy_put_text(const struct nk_cedar_policies *p, struct nk_str id,
                             struct nk_buf *out) NK_CHECKED;
/* All policies and templates in order of loading; links as the policies that they are. Ids are not
 * part of the text. */
int nk_cedar_policies_put_text(const struct nk_cedar_policies *p, struct nk_buf *out) NK_CHECKED;

/* Layout ------------------------------------------------------------------------------------------
 */
enum { NK_CEDAR_WIDTH = 80, NK_CEDAR_INDENT = 2 }; /* what people are used to */

/* Lays policy text out anew, comments included, in lines of at most `width` characters where that
 * is possible (20..1000), `indent` spaces a level (0..16). The same text comes out when the result
 * goes in again. NK_EINVAL or NK_ELIMIT as nk_cedar_policies_add says; memory while it works comes
 * from `a`. `out` gets the text only on success. */
int nk_cedar_format(struct nk_str text, unsigned width, unsigned indent, struct nk_arena *a,
                    struct nk_buf *out, struct nk_fault *f) NK_CHECKED;
