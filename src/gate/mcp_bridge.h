/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_bridge.h - a client of one generation of the protocol before a server of the other. What servers speak is in the
 * configuration (upstreams[].mcp_revision). Messages are translated by proto/mcp_bridge.h; what is left is who has the session:
 *
 *   client with sessions, server without   the client's session has no part of the server's; what is said about the session
 *                                          ends here
 *   client without, server with sessions   we begin a session for this principal at this server, and keep it
 *
 * In a session that we keep, several requests of its principal may be under way at a time, from clients that know nothing of each other: so each
 * goes to the server under an id of ours. What one generation alone has (subscriptions, streams of their own, log levels) is neither
 * offered nor taken. Private to gate.
 */
#pragma once

#include "gate/mcp.h"

struct gate_mcp_reply;

/* What servers of which the configuration does not say it were found to speak, each until its time: of one gate. */
struct nk_mcp_spoken {
    int64_t until_ms; /* Unix; 0: not known */
    bool is_old;      /* with sessions alone */
};

enum { GATE_MCP_KEPT = 128, GATE_MCP_KEPT_ID = 256, GATE_MCP_KEPT_ABOUT = 3072 };

/* Sessions at servers, each of one principal, until they have not been used for a while: of one gate, until the next
 * reload. When there is no room, the one that was not used for longest is forgotten. */
struct nk_mcp_kept {
    struct nk_mcp_spoken *spoken; /* of each upstream */
    struct {
        struct nk_digest whose; /* endpoint, server, principal, and what the client can do */
        int64_t until_ms;       /* Unix; 0: none */
        enum nk_mcp_revision revision;
        uint16_t id_size, about_size; /* of about: 0: it was too long */
        char id[GATE_MCP_KEPT_ID], about[GATE_MCP_KEPT_ABOUT];
    } list[GATE_MCP_KEPT];
};

/* Goes on when the server can be asked, or cannot (`why` is then a static string): effects. */
typedef unsigned gate_mcp_crossed(struct nk_txn *t, const char *why);

struct gate_mcp_bridge { /* of a request to a server that has sessions, or may have */
    gate_mcp_crossed *then;
    struct nk_gate_call call; /* the client's, without a session */
    struct nk_str about; /* the server's answer to initialize; absent: it is not known any more */
    enum nk_mcp_revision revision;
    bool is_renewed;
    /* When the server did not take the request: is it being found out what it speaks, and the request as it was. */
    bool is_tried, is_guess;
    struct nk_gate_call first;
    struct nk_str first_body;
    struct nk_digest asks; /* what is asked for, exactly: see gate_mcp_digest_call */
};

/* Is this server of the endpoint one of the other generation than the client's? */
bool gate_mcp_is_bridged(const struct nk_txn *t, size_t server);
/* The server did not do what initialize asks for, as one that does not know it would answer. Is it to be asked what it speaks? */
bool gate_mcp_may_learn(const struct nk_txn *t, int status);
/* The reverse (mcp_find.c): a client of 2026-07-28, and a server that did not take its request, with this status and message (or absent).
 * May it have sessions alone? Once for each request. */
bool gate_mcp_may_find(struct nk_txn *t, int status, struct nk_str text);
/* Finds out, and makes the request again, translated or as it was: effects. */
unsigned gate_mcp_find(struct nk_txn *t);
/* It has begun a session, or did not: what is known of it. */
void gate_mcp_found(struct nk_txn *t, bool is_old);
/* Was it found? As the request began; for servers of the endpoint, by bits. */
unsigned gate_mcp_known_old(const struct nk_txn *t);
/* Is that not known? */
bool gate_mcp_is_unknown(const struct nk_txn *t);
/* Begins a session, or takes up the one that is kept, for the call that m->bridge has. */
unsigned gate_mcp_kept_begin(struct nk_txn *t);
/* Does the server that is asked now speak 2026-07-28 with us? */
bool gate_mcp_speaks_new(const struct nk_txn *t);
/* Does the other generation have what is asked for? 0, or a negative NK_E… after gate_refuse. */
int gate_mcp_check_bridge(struct nk_txn *t);

/* What a server may ask the client for: what the client can do, as far as the judge lets it be asked; forms alone, no links.
 * enum gate_mcp_can; and the same as ClientCapabilities. */
unsigned gate_mcp_offers(const struct nk_txn *t);
struct nk_str gate_mcp_abilities(const struct nk_txn *t);

/* Writes m->body anew for the server. The first step alone. */
int gate_mcp_bridge_body(struct nk_txn *t) NK_CHECKED;
/* The answer to the client's request; *out: its text so far, or absent. NK_EINVAL: it cannot be translated. */
int gate_mcp_bridge_answer(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                           struct nk_str *out, struct nk_fault *f) NK_CHECKED;
/* Is it something that the client's generation does not have on a stream of an answer? */
bool gate_mcp_is_lost(const struct nk_txn *t, const struct nk_mcp_message *m);

/* txn->call is written: the server gets it in a session of this principal, if it has sessions and the client has none.
 * Goes on with `then`, now or later: effects. */
unsigned gate_mcp_cross(struct nk_txn *t, gate_mcp_crossed *then);
/* The usual `then`: the call goes out, or the answer says that it cannot. */
unsigned gate_mcp_crossed_over(struct nk_txn *t, const char *why);
/* The server does not know the session (any more). Can another one be begun? Once for each request. */
bool gate_mcp_may_renew(const struct nk_txn *t);
unsigned gate_mcp_renew(struct nk_txn *t);
/* Another exchange in the session that txn is in: a message of ours, of this id or absent. NK_ENOMEM, NK_ELIMIT. */
int gate_mcp_kept_send(struct nk_txn *t, struct nk_str body, struct nk_str id,
                       unsigned (*then)(struct nk_txn *t,
                                        const struct gate_mcp_reply *r)) NK_CHECKED;
