/* SPDX-License-Identifier: Apache-2.0
 *
 * policy_text.c - see policy_text.h.
 */
#include "cmd/policy_text.h"

#include <stdio.h>
#include <stdlib.h>

static enum nk_lang of_environment(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < NK_COUNT(names); i++) {
        struct nk_str value = nk_str(getenv(names[i]));
        if (value.n)
            return nk_str_starts(value, NK_STR("ja")) ? NK_LANG_JA : NK_LANG_EN;
    }
    return NK_LANG_EN;
}

int nk_lang_of(const char *command, const char *option, enum nk_lang *out)
{
    struct nk_str name = nk_str(option);
    if (!option)
        *out = of_environment();
    else if (nk_str_eq(name, NK_STR("en")) || nk_str_eq(name, NK_STR("ja")))
        *out = nk_str_eq(name, NK_STR("ja")) ? NK_LANG_JA : NK_LANG_EN;
    else {
        fprintf(stderr, "nakoso %s: --lang is en or ja\n", command);
        return NK_EINVAL;
    }
    return 0;
}

void nk_policy_put_answer(struct nk_buf *out, const struct nk_cedar_answer *answer)
{
    nk_json_put_member(out, NK_STR("decision"), answer->allow ? NK_STR("allow") : NK_STR("deny"));
    nk_json_put_name(out, NK_STR("reasons"));
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < answer->reason_count; i++) {
        nk_buf_add(out, i ? NK_STR(",") : NK_STR(""));
        nk_json_put_string(out, answer->reasons[i]);
    }
    nk_buf_add_char(out, ']');
    nk_json_put_name(out, NK_STR("errors"));
    nk_buf_add_char(out, '[');
    for (size_t i = 0; i < answer->error_count; i++) {
        nk_buf_add(out, i ? NK_STR(",{") : NK_STR("{"));
        nk_json_put_member(out, NK_STR("policy"), answer->errors[i].policy);
        nk_json_put_member(out, NK_STR("error"), nk_str(answer->errors[i].what));
        nk_buf_add_char(out, '}');
    }
    nk_buf_add_char(out, ']');
}
