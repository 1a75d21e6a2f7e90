/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp.h - the gateway for MCP: a client's message is read, judged and written anew for the server that it concerns;
 * what the server sends is read message by message before it goes on. Private to gate.
 *
 *   mcp.c          endpoints made ready; which requests are theirs; the driver
 *   mcp_ask.c      the client's request: revision, session, what it is about, the judge
 *   mcp_forward.c  the call to the server
 *   mcp_answer.c   the server's answer, whole or as a stream
 *   mcp_result.c   what a result may hold: lists, names
 *   mcp_round.c    what concerns several servers: calls of our own, one after the other, and one answer
 *   mcp_errand.c   a call of our own
 *   mcp_streams.c  streams of several servers as one
 *   mcp_listen.c   subscriptions to several servers
 *   mcp_bridge.c   clients and servers of different generations
 *   mcp_kept.c     sessions for clients that have none
 *   mcp_find.c     which generation a server speaks
 *   mcp_uri.c      whose a resource is, in its URI
 *   mcp_session.c  session ids that hold all that they stand for
 *   mcp_wait.c     questions to a client while its request waits
 *   mcp_relay.c    those of a server of 2026-07-28
 *   mcp_park.c     those of a server with sessions, to a client that has none: the call that stays behind
 *   mcp_join.c     … and the one that brings the answer
 */
#pragma once

#include "gate/mcp_session.h"

/* Ids of requests that begin so are none of a client's. */
static const struct nk_str gate_mcp_own_id = {"nakoso-", 7};

struct nk_mcp { /* an endpoint of the configuration, resolved */
    const struct nk_config_mcp *config;
    size_t upstreams[NK_CONFIG_MCP_SERVERS]; /* of its servers */
    const struct gate_oauth *oauth;          /* gate/oauth.h; NULL: it is no protected resource */
};

/* state->drive: one request. Texts live in the transaction's arena or its body. */
struct gate_mcp {
    const struct nk_mcp *endpoint;
    struct nk_mcp_message message; /* its document is gone when the first step is over */
    struct nk_mcp_ask ask;
    enum nk_mcp_revision revision; /* that this request speaks */
    bool is_new;                   /* it is one without sessions */
    unsigned old;                  /* servers that were found to have sessions alone: bits */
    size_t server;                 /* of the endpoint */
    struct gate_mcp_session session;
    struct nk_str cursor; /* of a list of several servers: the server's own; empty: its beginning */
    struct nk_str name;   /* of the tool or prompt as the server knows it, or the URI */
    struct nk_str body;   /* for the server */
    struct nk_str own_id; /* of ours, by which a server may know the request, or absent */
    struct nk_str event; /* the server's id of the last event that the client has seen, or absent */
    struct nk_str owned; /* of what a server of several named: as it was written, or absent; */
    uint32_t owned_at;   /* its entry */
    enum nk_mcp_op answers;           /* what results on this request's stream are the results of */
    struct nk_str shown;              /* session id for the client; absent: none */
    struct gate_mcp_tool *tool;       /* a tool's call that was allowed, or NULL */
    struct nk_str approval;           /* what a person says to have agreed to, or absent */
    bool declined;                    /* a person was asked, and did not agree */
    struct gate_mcp_wait *wait;       /* a question that this request has asked, or NULL */
    struct nk_digest asked;           /* what a person is asked to agree to while it waits … */
    const struct nk_digest *agreed;   /* … and has; or NULL */
    struct gate_mcp_relay *relay;     /* gate/mcp_relay.h; NULL: the server has asked nothing */
    struct gate_mcp_park *park;       /* gate/mcp_park.h; NULL: the same */
    struct gate_mcp_errand *errand;   /* a call of our own that is under way, or NULL */
    struct gate_mcp_bridge *bridge;   /* gate/mcp_bridge.h; NULL: there is none */
    struct gate_mcp_round *round;     /* gate/mcp_round.h; NULL: the call is the client's */
    struct gate_mcp_streams *streams; /* gate/mcp_streams.h; NULL: there is one call at a time */
    bool has_result;                  /* the answer to the request has come */
    bool knows_secrets, has_secrets;  /* mcp_tool.c: is anything of the server's tools hidden? */
};

static inline struct gate_mcp *gate_mcp(const struct nk_txn *t)
{
    return t->state->drive;
}
static inline const struct nk_config_upstream *gate_mcp_upstream(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    return &t->setup->config.upstreams[m->endpoint->upstreams[m->server]];
}

/* Makes the endpoints of the configuration ready. */
int gate_mcp_load(struct nk_setup *s, const struct nk_setup_input *in,
                  struct nk_fault *f) NK_CHECKED;
/* Is it a request to one of them? Then dialect, endpoint and state are set. 0, or after gate_refuse. */
int gate_mcp_match(struct nk_txn *t) NK_CHECKED;
extern const struct gate_driver gate_mcp_driver;
/* Its members: mcp_answer.c. */
unsigned gate_mcp_head(struct nk_txn *t, const struct nk_http_head *h);
unsigned gate_mcp_data(struct nk_txn *t, struct nk_str bytes);
unsigned gate_mcp_end(struct nk_txn *t);
/* Parts of them: the client's head of a stream that this head begins; one event of a stream, into txn->out. */
unsigned gate_mcp_begin_stream(struct nk_txn *t, const struct nk_http_head *h);
int gate_mcp_take_event(struct nk_txn *t, const struct nk_sse_event *e, struct nk_fault *f);

/* Refuses with an error of JSON-RPC: NK_EDENIED. */
NK_COLD int gate_mcp_refuse(struct nk_txn *t, enum nk_refusal_id id, int code, const char *stage,
                            struct nk_str detail);

/* Reads the request, judges it, and says what goes to the server. 0, or a negative NK_E… after gate_refuse. */
int gate_mcp_ask(struct nk_txn *t);
/* What is said in MCP-Protocol-Version to the server that is chosen, or absent. */
struct nk_str gate_mcp_version(const struct nk_txn *t);
/* Writes m->body, the message for the server that is chosen; in the first step alone. 0, or NK_ENOMEM, NK_ELIMIT. */
int gate_mcp_write(struct nk_txn *t) NK_CHECKED;
/* The id, as it is written, by which the server that is chosen knows the request: the client's, or one of ours. */
struct nk_str gate_mcp_id(const struct nk_txn *t);
int gate_mcp_name_id(struct nk_txn *t) NK_CHECKED; /* makes one of ours, m->own_id */
/* Writes the call, txn->call; of a round, with the body that m->body is. */
int gate_mcp_forward(struct nk_txn *t);
/* The same with m->body as it is, as another exchange of the call. NK_ENOMEM, NK_ELIMIT. */
int gate_mcp_forward_again(struct nk_txn *t) NK_CHECKED;

/* The question about a resource or prompt of the server: entity, action, and the parent that policies may name. */
int gate_mcp_judge(struct nk_txn *t, enum nk_mcp_op op, struct nk_str id,
                   struct nk_cedar_answer *out) NK_CHECKED;
/* What the client says it can do, less what the judge does not let the server ask for. */
int gate_mcp_grant(struct nk_txn *t, unsigned *can) NK_CHECKED;
/* `declared`: an object of capabilities. Appends it without those that are not in `can`. */
int gate_mcp_put_capabilities(const struct nk_json *doc, uint32_t declared, unsigned can,
                              struct nk_arena *a, struct nk_buf *out) NK_CHECKED;
/* The capability that a server's request needs; 0: none ("ping"); -1: no request of a server. */
int gate_mcp_needs(struct nk_str method);
/* Is it a list that several servers have a part in? Then a cursor says whose part comes next. */
bool gate_mcp_is_shared_list(const struct nk_txn *t);
/* The name that clients use; absent when memory is out. */
struct nk_str gate_mcp_name(const struct nk_txn *t, struct nk_str name, struct nk_arena *a);
/* If a person's answer to us comes with the call: takes it out, and *body is the message without it. */
int gate_mcp_take_approval(struct nk_txn *t, struct nk_str *body) NK_CHECKED;

/* Whose a resource is, says its URI at an endpoint with several servers: "ehr+file:///a" is file:///a of the server ehr.
 * The URI for clients; absent when memory is out. */
struct nk_str gate_mcp_uri(const struct nk_txn *t, struct nk_str uri, struct nk_arena *a);
/* The reverse: the server and its own URI. false: it is none of this endpoint. */
bool gate_mcp_split_uri(const struct nk_txn *t, struct nk_str uri, size_t *server,
                        struct nk_str *own);
/* The URIs that a result of this kind, or a notification, has in it; *out is absent when there are none. */
int gate_mcp_own_uris(const struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                      struct nk_str *out) NK_CHECKED;
/* What a server's request is known by, for the client ("1:7" is 7 of the second server), and back. */
int gate_mcp_put_owned(const struct nk_txn *t, const struct nk_json *doc, uint32_t at,
                       struct nk_arena *a, struct nk_buf *out) NK_CHECKED;
bool gate_mcp_get_owned(const struct nk_txn *t, const struct nk_json *doc, uint32_t at,
                        size_t *server, struct nk_buf *out);

/* The result of the request as the client may see it: *out is absent when it goes on as it came. NK_EINVAL: it
 * breaks the protocol, and does not go on. */
int gate_mcp_result(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_arena *a,
                    struct nk_str *out, struct nk_fault *f) NK_CHECKED;
