/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_streams.h - the one stream that a client has at an endpoint with several servers (GET of the revisions with sessions):
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
};

struct gate_mcp_streams {
    size_t next;                 /* the server that is called next; all are: their number */
    size_t open;                 /* lanes that run */
    enum nk_refusal_id why;      /* of the first that failed otherwise than by having no stream */
    struct gate_mcp_lane *lanes; /* one for each server, in the endpoint's order */
};

/* Does the request concern the streams of several servers? */
bool gate_mcp_is_streams(const struct nk_txn *t);
/* Is there one that can be asked? A server of the other generation has no such stream for this client. */
bool gate_mcp_has_streams(const struct nk_txn *t);
/* Begins them after the judge permitted it: effects. */
unsigned gate_mcp_streams(struct nk_txn *t);
/* The driver's events while they run. */
unsigned gate_mcp_streams_next(struct nk_txn *t);
unsigned gate_mcp_streams_head(struct nk_txn *t, const struct nk_http_head *h);
unsigned gate_mcp_streams_data(struct nk_txn *t, struct nk_str bytes);
unsigned gate_mcp_streams_end(struct nk_txn *t);
unsigned gate_mcp_streams_fail(struct nk_txn *t, int fail, struct nk_str why);
unsigned gate_mcp_streams_gone(struct nk_txn *t);
void gate_mcp_streams_free(struct nk_txn *t);

/* An event of the server that speaks now has this id: appends what the client's stands for, which says of each server how far
 * its stream has come. NK_ELIMIT, NK_ENOMEM. */
int gate_mcp_streams_put_id(struct nk_txn *t, struct nk_str id, struct nk_buf *out) NK_CHECKED;
