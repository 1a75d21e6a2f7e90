/* SPDX-License-Identifier: Apache-2.0
 *
 * judge.h - a decision with more than two outcomes, made of Cedar's policies and nothing else. Every policy is asked;
 * an annotation on a forbid says what becomes of it when it is satisfied:
 *
 *   (none)                            it forbids; nothing waives it
 *   @decision("step_up")              it forbids until a person has agreed to this very call
 *   @decision("redact:/json/pointer") it forbids no call, but takes that part out of the result
 *
 * Without a permit that is satisfied nothing is allowed, whatever is waived. A forbid that errs in a strict set is a
 * plain one. For the gate and for those who decide its records again.
 */
#pragma once

#include "cedar/partial.h"

enum nk_tool_outcome {
    NK_TOOL_REFUSE,
    NK_TOOL_STEP_UP, /* a person who is asked, and agrees, makes it NK_TOOL_ALLOW */
    NK_TOOL_ALLOW,
};
/* "refuse", "step_up", "allow". */
const char *nk_tool_outcome_name(enum nk_tool_outcome outcome);

struct nk_tool_judgement {
    enum nk_tool_outcome outcome;
    struct nk_cedar_answer
        answer;                  /* allow: the outcome is ALLOW; reasons: what made it what it is */
    const struct nk_str *waived; /* ids of forbids that were satisfied and did not decide */
    size_t waived_count;
    const struct nk_str *redact; /* JSON Pointers */
    size_t redact_count;
};

/* Decides; `approved`: a person has agreed. As nk_cedar_authorize. */
int nk_tool_judge(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                  const struct nk_cedar_request *req, bool approved, struct nk_arena *a,
                  struct nk_tool_judgement *out) NK_CHECKED;
/* Could it be anything but NK_TOOL_REFUSE, whatever is not known yet? */
int nk_tool_judge_open(const struct nk_cedar_policies *p, const struct nk_cedar_entities *entities,
                       const struct nk_cedar_partial_request *req, struct nk_arena *a,
                       bool *out) NK_CHECKED;
/* Are all annotations "decision" of the set ones that mean something, on forbids? NK_EINVAL (stage "policy"). */
int nk_tool_judge_check(const struct nk_cedar_policies *p, struct nk_fault *f) NK_CHECKED;
