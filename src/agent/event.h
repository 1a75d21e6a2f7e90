/* SPDX-License-Identifier: Apache-2.0
 *
 * event.h - what an agent says in Bedrock's words: events of its answer (chunk, trace, returnControl), the event that a
 * function of AWS Lambda gets, and the request that a tool of its own path gets.
 * Sources: the service model of bedrock-agent-runtime, and "Configure Lambda functions to send information that an
 * Amazon Bedrock agent elicits" of the Bedrock user guide.
 */
#pragma once

#include "agent/session.h"

/* A tool as an agent calls it; texts are the configuration's. */
struct nk_agent_way {
    struct nk_str action;       /* name of the action group */
    struct nk_str function;     /* name of the tool */
    struct nk_str method, path; /* of its API, or absent: a function */
};

/* Whose answer it is. */
struct nk_agent_who {
    struct nk_str name, id, alias, session;
    bool is_inline; /* the client describes it: events do not name it */
};

/* The arguments as the form of Lambda has them; `arguments` is a JSON object whose document is `doc`. */
struct nk_agent_lambda {
    const struct nk_agent_way *way;
    const struct nk_agent_who *who;
    const struct nk_json *arguments;
    struct nk_str input; /* of the user, or "" */
    const struct nk_agent_attributes *session, *prompt;
    const struct nk_principal *principal;
};
void nk_agent_put_lambda(const struct nk_agent_lambda *l, struct nk_arena *a, struct nk_buf *out);

/* What a function answered: the body, and the attributes that it wants to change. *body is absent when there is none.
 * NK_EINVAL: it is no answer in that form. */
struct nk_agent_answer {
    struct nk_str body;
    bool failed;
    struct nk_agent_pair session[NK_AGENT_PAIRS_MAX], prompt[NK_AGENT_PAIRS_MAX];
    size_t session_count, prompt_count;
};
int nk_agent_read_lambda(const struct nk_json *doc, struct nk_arena *a, struct nk_agent_answer *out,
                         struct nk_fault *f) NK_CHECKED;

/* Path and query of a tool's own request, and its body (empty: none) from what is left of the arguments. NK_EINVAL: an
 * argument of the path is missing, or is none that a path can have. */
int nk_agent_put_rest(const struct nk_agent_way *way, const struct nk_json *arguments,
                      struct nk_arena *a, struct nk_buf *target, struct nk_buf *body,
                      struct nk_fault *f) NK_CHECKED;

/* Events of the answer, framed. */
void nk_agent_put_chunk(struct nk_str text, struct nk_buf *out);
/* `trace` is the content of "orchestrationTrace". */
void nk_agent_put_trace(const struct nk_agent_who *who, struct nk_str trace, struct nk_buf *out);
/* One entry of invocationInputs; the caller puts brackets and commas. */
void nk_agent_put_invocation(const struct nk_agent_way *way, const struct nk_agent_use *use,
                             struct nk_arena *a, struct nk_buf *out);
void nk_agent_put_control(struct nk_str invocation, struct nk_str inputs, struct nk_buf *out);
/* The parameters of a call as traces and inputs have them: [{"name","type","value"} …]. */
void nk_agent_put_parameters(const struct nk_json *arguments, struct nk_arena *a,
                             struct nk_buf *out);
