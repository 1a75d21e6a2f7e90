/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_round.h - calls to servers whose answers do not go to the client as they come. An errand is one such call; a round is a
 * request that concerns several servers: one errand after the other, and one answer made of theirs. A server that
 * does not answer is left out, which the log says; it takes no other part of the request with it. Private to gate.
 */
#pragma once

#include "gate/mcp.h"

/* What came of an errand. Texts live in the transaction's arena. */
struct gate_mcp_reply {
    int status;            /* of HTTP; 0: no answer came */
    struct nk_str session; /* Mcp-Session-Id, or absent */
    struct nk_str text;    /* the message that answers the request; absent: none did */
    const char *why;       /* why not, a static string, or NULL */
};

struct gate_mcp_errand {
    struct nk_str
        id; /* of the request, as it is written; absent: it is a notification, and no message answers it */
    unsigned (*then)(struct nk_txn *t, const struct gate_mcp_reply *r); /* effects */
    struct gate_mcp_reply reply;
    const struct gate_driver *before; /* whose place was taken, … */
    struct gate_driver driver;        /* … by one that differs in what comes of the call alone */
    bool streams;
    bool is_exchange; /* of a call whose outcome comes later */
};

/* The call that was written into txn->call is one of ours: `then` is called when it is over and its outcome recorded.
 * NK_ENOMEM. */
int gate_mcp_send(struct nk_txn *t, struct nk_str id,
                  unsigned (*then)(struct nk_txn *t, const struct gate_mcp_reply *r)) NK_CHECKED;
/* The same of an exchange of a call whose outcome is recorded later. */
int gate_mcp_exchange(struct nk_txn *t, struct nk_str id,
                      unsigned (*then)(struct nk_txn *t,
                                       const struct gate_mcp_reply *r)) NK_CHECKED;
/* The outcome's record of a call to the server that is chosen; `reason` may be empty. */
unsigned gate_mcp_record(struct nk_txn *t, const char *how, struct nk_str reason);

/* Streams, errands, calls that are parked and those that join them take the place of gate_mcp_driver (state->driver), which
 * sees nothing of them then. state->drive stays, and their `free` is this. */
void gate_mcp_free_all(struct nk_txn *t);

/* Does the request concern all servers, or a server after the other until one answers? */
bool gate_mcp_is_round(const struct nk_txn *t);
/* Begins one that the judge permitted: effects. */
unsigned gate_mcp_round(struct nk_txn *t);
/* The same for a request whose decision has been recorded, and whose bodies nobody needs. */
unsigned gate_mcp_round_late(struct nk_txn *t);
