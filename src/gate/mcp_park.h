/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_park.h - what a server with sessions asks in the middle of a call (MCP 2025-11-25, client: elicitation, sampling, roots),
 * for a client that has none. Such a client gets a question as the result of its call, and calls again with the answer (2026-07-28,
 * basic, patterns, multi round-trip requests). The server's stream cannot wait for that in anybody's request, so the
 * first call's transaction keeps it, parked (NK_FX_PARK), and the next one joins it, in whichever gate it is:
 *
 *   the client             the joining call                       the parked one            the server
 *   call again, answer ->  decided anew; "a": I am here       ->  "+": come, or "-": no
 *                          the answer, in the server's session                          ->  202
 *                          "m": more                          ->  "d": an event         <-  the rest of its stream
 *                          … read as any answer is, until         "e": that was all; "f": it broke off
 *
 * A second question parks the stream again ("p"); whoever joins and leaves early says so ("x"). What they tell each other
 * goes by NK_FX_TELL: a letter, then decimal numbers, or bytes of the stream.
 *
 * requestState is a sealed text: where the call is parked, the server's session, principal, endpoint and servers, what was
 * called with exactly which arguments, and what a person had agreed to. It is good once, until question_timeout and until
 * the next reload; a principal may have eight calls parked in a gate. Nobody who comes: the server is told that its call
 * is cancelled. Private to gate.
 */
#pragma once

#include "gate/mcp_round.h"

struct gate_mcp_peer { /* a transaction, in one of the gates */
    uint64_t slot, instance, number;
};

enum gate_mcp_parked {
    GATE_PARK_ASKS,   /* the server has asked, in this very step */
    GATE_PARK_HOLDS,  /* parked */
    GATE_PARK_LEAVES, /* parked no longer; the server is being told */
    GATE_PARK_JOINS,  /* a call that brings an answer: waits for the one that is parked, */
    GATE_PARK_POSTS,  /* tells the server, */
    GATE_PARK_READS,  /* gets the rest of its stream */
};

struct gate_mcp_park {
    enum gate_mcp_parked state;
    /* The question that is open: method and params as the client gets them, id as JSON. */
    struct nk_str method, params, id;
    uint64_t asked; /* questions before it, of this call */
    /* Of the one that is parked. */
    struct gate_mcp_peer reader; /* number 0: nobody has joined */
    bool may_send, is_over;
    struct nk_str why; /* why the stream broke off, or absent */
    size_t sent;       /* of the event that is on its way (state->held) */
    int64_t until_ms;  /* … for the reader, or somebody who joins */
    /* Of the one that joins. */
    struct gate_mcp_peer holder;
    struct nk_str answer;          /* to the server: a result, as JSON */
    struct nk_str token;           /* what the client knows its progress by, as JSON, or absent */
    enum nk_mcp_revision revision; /* that the session speaks */
};

/* The call as it is asked for: operation, server, name, arguments. First step alone. NK_ENOMEM, NK_ELIMIT, NK_EINVAL. */
int gate_mcp_digest_call(const struct nk_txn *t, struct nk_digest *out) NK_CHECKED;

/* A message on the stream that answers the request: is it a question that a client without a session may get? Then it
 * is kept, and *taken. NK_EINVAL: the server asks for what it may not ask for. */
int gate_mcp_park_take(struct nk_txn *t, const struct nk_mcp_message *m, bool *taken,
                       struct nk_fault *f) NK_CHECKED;
/* Is there one that nobody has been asked yet? */
bool gate_mcp_has_question(const struct nk_txn *t);
/* Asks it, by the result: effects. */
unsigned gate_mcp_park(struct nk_txn *t);

/* If the request brings an answer: what it answers is known from then on. 0, or after gate_refuse. */
int gate_mcp_join_ask(struct nk_txn *t);
/* It is permitted: joins. txn->call is written. Effects. */
unsigned gate_mcp_join(struct nk_txn *t);
/* The client is gone; also that of the one that is parked. */
unsigned gate_mcp_join_gone(struct nk_txn *t);
/* How far the call is, is told by what the client of the first one knew it by: *out is the same for this client, or absent: it is
 * no such notification. *lost: this client does not want to know. */
int gate_mcp_join_progress(const struct nk_txn *t, const struct nk_mcp_message *m,
                           struct nk_arena *a, struct nk_str *out, bool *lost) NK_CHECKED;

/* Both: in the table of those who can be told something. NK_EFULL. */
int gate_mcp_park_wait(struct nk_txn *t, bool holds) NK_CHECKED;
void gate_mcp_park_free(struct nk_txn *t);
/* txn->tell to the other one. NK_FX_TELL. */
unsigned gate_mcp_park_tell(struct nk_txn *t, const struct gate_mcp_peer *to, struct nk_str text);
/* requestState for the question that is open, of the call that is parked at `at`; absent: memory is out, or it is too long. */
struct nk_str gate_mcp_park_seal(struct nk_txn *t, const struct gate_mcp_peer *at);
