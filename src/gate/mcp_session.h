/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_session.h - what a session id stands for, and other texts that clients keep for us, sealed. A session of an endpoint
 * has a part for each of its servers. Private to gate.
 */
#pragma once

#include "crypt/seal.h"
#include "gate/driver.h"
#include "proto/mcp.h"

/* What a client can do for a server that asks, as far as the judge lets the server ask. */
enum gate_mcp_can {
    GATE_MCP_SAMPLE = 1,
    GATE_MCP_ELICIT = 2,
    GATE_MCP_ROOTS = 4,
    GATE_MCP_PERSON = 8, /* whatever the judge says of servers: we may ask a person through it */
};

struct gate_mcp_part {             /* of one server */
    enum nk_mcp_revision revision; /* that it speaks; NK_MCP_UNKNOWN: it was not there */
    struct nk_str id;              /* its own; absent: it has none */
    unsigned can;                  /* enum gate_mcp_can */
};

struct gate_mcp_session {
    int64_t until_ms;
    enum nk_mcp_revision revision; /* that the client was offered */
    struct gate_mcp_part
        *parts;       /* of all servers of the endpoint, in its order; NULL: there is no session */
    struct nk_str id; /* of the server that is asked now, */
    unsigned can;     /* and what it may ask for */
};

/* NK_ENOTFOUND: not a session of this principal at this endpoint, or over. */
int gate_mcp_open(struct nk_txn *t, struct nk_str id, struct gate_mcp_session *out) NK_CHECKED;
/* The id for the client; absent when memory is out, or the servers' ids are too long. */
struct nk_str gate_mcp_close(struct nk_txn *t, const struct gate_mcp_session *s);
/* From now on this server is the one that is asked; of a session, its part is the current one. */
void gate_mcp_choose(struct nk_txn *t, size_t server);
/* Can it be asked? Of a session: was it there when the session began? */
bool gate_mcp_is_there(const struct nk_txn *t, size_t server);

/* Sealed for this endpoint, its servers and the principal, in base64url, appended to `out`. What it is for and the
 * session (or absent) are bound as well. NK_ELIMIT, NK_ENOMEM, NK_ECRYPTO. */
int gate_mcp_seal(const struct nk_txn *t, struct nk_str purpose, struct nk_str session,
                  const struct nk_buf *plain, struct nk_buf *out) NK_CHECKED;
/* The reverse, a copy in the transaction's arena. NK_ENOTFOUND: it is none of these. */
int gate_mcp_unseal(const struct nk_txn *t, struct nk_str purpose, struct nk_str session,
                    struct nk_str text, struct nk_str *out) NK_CHECKED;
/* Texts behind one another, each with its length. */
void gate_mcp_put_part(struct nk_buf *b, struct nk_str part);
bool gate_mcp_get_part(struct nk_str *from, struct nk_str *part);

/* Appends the id of an event for the client, which says what its stream answers. */
int gate_mcp_put_event_id(struct nk_txn *t, struct nk_str id, struct nk_buf *out) NK_CHECKED;
/* Takes up the stream of which the client has seen the event of this id; *out is the server's id of it.
 * NK_ENOTFOUND: no event of this session. */
int gate_mcp_resume(struct nk_txn *t, struct nk_str id, struct nk_str *out) NK_CHECKED;
