/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_text.h - what the commands over policies print alike: the language of their texts, answers
 * in JSON. Private to src/cmd.
 */
#pragma once

#include "cedar/explain.h"

enum nk_lang { NK_LANG_EN, NK_LANG_JA, NK_LANGS };

/* The language of --lang ("en", "ja"), or without it (NULL) of LC_ALL, LC_MESSAGES or LANG. 0, or
 * NK_EINVAL with a message on stderr that begins with `command`. */
int nk_lang_of(const char *command, const char *option, enum nk_lang *out) NK_CHECKED;

/* Appends the members "decision", "reasons" and "errors" of an answer to an object. */
void nk_policy_put_answer(struct nk_buf *out, const struct nk_cedar_answer *answer);
/* Appends an explanation as one JSON object and a line feed; policy_explain_json.c shows its form. */
void nk_policy_put_explanation(struct nk_buf *out, const struct nk_cedar_explanation *x);
