/* SPDX-License-Identifier: Apache-2.0
 *
 * session.h - conversations between requests: what was said, what the client gave along, and calls that wait for the
 * client or a person. In memory, in one gate, bounded in number, size and time; a reload or a restart forgets all.
 * A conversation belongs to who began it: its key is made of the proven principal, the agent and the session's id.
 */
#pragma once

#include "agent/attributes.h"
#include "agent/model.h"
#include "crypt/crypt.h"

enum {
    NK_AGENT_SESSIONS = 256,            /* the one that was not used longest goes */
    NK_AGENT_SESSION_BYTES = 512 << 10, /* one larger than that loses its oldest turns */
    NK_AGENT_SESSION_MS = 3600000,      /* since it was used */
    NK_AGENT_WAIT_MS = 600000,          /* for the client or a person */
    NK_AGENT_MESSAGES = 256,            /* of one conversation, */
    NK_AGENT_KEPT = 128, /* and as many as are kept for the next request: whole turns */
    NK_AGENT_USES = 32,  /* tools that one answer asks for */
};

/* A tool that the model asked for, on its way to a result. */
struct nk_agent_use {
    struct nk_str id, name, arguments; /* as the model gave them */
    bool done, failed;
    struct nk_str result; /* text, when it is done */
    bool waits;           /* for the client */
    bool asks;            /* for a person: to `approval`, and nothing else … */
    bool agreed;          /* … who did: never set in what is kept */
    struct nk_digest approval;
};

/* What is kept of a conversation. Slices belong to whoever filled it. */
struct nk_agent_memory {
    struct nk_model_message *messages; /* room for NK_AGENT_MESSAGES */
    size_t message_count;
    struct nk_agent_attributes session, prompt;
    struct nk_str invocation; /* what the client has to answer; absent: nothing waits */
    int64_t wait_until_ms;
    int64_t
        idle_ms; /* unused for that long it is over; 0, or more than that: NK_AGENT_SESSION_MS */
    struct nk_agent_use uses[NK_AGENT_USES];
    size_t use_count;
};

struct nk_agent_sessions;

/* Of one gate; NULL when memory is out. */
struct nk_agent_sessions *nk_agent_sessions_new(void) NK_CHECKED;
void nk_agent_sessions_free(struct nk_agent_sessions *s);
struct nk_digest nk_agent_session_key(const struct nk_principal *p, struct nk_str agent,
                                      struct nk_str session);
/* A copy of what is known, in `a`; empty when there is nothing. What waits is taken out: it is answered once. */
int nk_agent_session_take(struct nk_agent_sessions *s, const struct nk_digest *key, int64_t now_ms,
                          struct nk_arena *a, struct nk_agent_memory *out) NK_CHECKED;
/* Keeps a copy. NK_ELIMIT: it is too large even without its older turns; then it is forgotten. */
int nk_agent_session_put(struct nk_agent_sessions *s, const struct nk_digest *key, int64_t now_ms,
                         const struct nk_agent_memory *m) NK_CHECKED;
void nk_agent_session_forget(struct nk_agent_sessions *s, const struct nk_digest *key);
