/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_streams.h - the one stream that a client has at an endpoint with several servers (GET of the revisions with sessions,
 * subscriptions/listen of 2026-07-28):
 * each server that offers one is called in a lane of its own, and what they say goes on as it comes, each message judged and
 * renamed as on one server's stream. The client's begins with the first of theirs and ends with the last. The
 * decision is one, and recorded before the first call; each call has its outcome. Private to gate.
 */
#pragma once

#include "gate/mcp_round.h"

enum { GATE_MCP_EVENT_ID = 256 }; /* of a server's own id; a longer one is not taken up again */

struct gate_mcp_lane { /* of one server: what receive knows of one answer */
    struct nk_sse sse;
    struct nk_buf last; /* the server's id of its last event */
    uint32_t call_number;
    int status;
    int64_t bytes, events;
    bool runs, streams;
    bool knows_secrets, has_secrets; /* of struct gate_mcp */
    bool is_awaited;                 /* it has not acknowledged the subscription */
};

struct gate_mcp_streams {
    size_t next;                    /* the server that is called next; all are: their number */
    size_t open;                    /* lanes that run */
    uint32_t calls;                 /* so far */
    struct gate_mcp_listen *listen; /* mcp_listen.c; NULL: it is a GET */
    enum nk_refusal_id why;      /* of the first that failed otherwise than by having no stream */
    struct gate_mcp_lane *lanes; /* one for each server, in the endpoint's order */
};

/* Does the request concern the streams of several servers? */
bool gate_mcp_is_streams(const struct nk_txn *t);
/* Is there one that can be asked? A server of the other generation has no such stream for this client. */
bool gate_mcp_has_streams(const struct nk_txn *t);
/* Has it, as far as is known? */
bool gate_mcp_may_stream(const struct nk_txn *t, size_t server);
/* Begins them after the judge permitted it, with a driver of their own: effects. */
unsigned gate_mcp_streams(struct nk_txn *t);
void gate_mcp_streams_free(struct nk_txn *t);

/* An event of the server that speaks now has this id: appends what the client's stands for, which says of each server how far
 * its stream has come. NK_ELIMIT, NK_ENOMEM. */
int gate_mcp_streams_put_id(struct nk_txn *t, struct nk_str id, struct nk_buf *out) NK_CHECKED;

/* mcp_listen.c: subscriptions/listen. */
/* Does the client say what it wants to hear of? */
bool gate_mcp_listens(const struct nk_txn *t);
/* Prepares it, and the body for each server; the first step alone. NK_ENOMEM, NK_ELIMIT. */
int gate_mcp_listen_new(struct nk_txn *t) NK_CHECKED;
void gate_mcp_listen_free(struct nk_txn *t);
/* Absent: the client wants nothing of this server. */
struct nk_str gate_mcp_listen_body(const struct nk_txn *t, size_t server);
/* The entry of params.notifications.resourceSubscriptions, and what it is for the server that is chosen. */
uint32_t gate_mcp_subscriptions(const struct nk_mcp_message *m);
int gate_mcp_put_subscriptions(const struct nk_txn *t, struct nk_buf *out) NK_CHECKED;
/* Is it a message that is the server's alone, since the client has one of all? Then it is taken. NK_EINVAL: not as the protocol has it. */
bool gate_mcp_listen_takes(const struct nk_txn *t, const struct nk_mcp_message *m);
int gate_mcp_listen_take(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                         struct nk_fault *f) NK_CHECKED;
/* What has come in txn->out goes on behind the acknowledgement, or waits for it: effects. */
unsigned gate_mcp_listen_pass(struct nk_txn *t);
unsigned gate_mcp_listen_wake(struct nk_txn *t);
/* The last message, when all servers have ended: NK_FX_DATA or 0. */
unsigned gate_mcp_listen_end(struct nk_txn *t);
