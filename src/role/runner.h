/* SPDX-License-Identifier: Apache-2.0
 *
 * runner.h - private to the half of the runner that talks: to couriers as an MCP server over Streamable HTTP, to the
 * servers that the other half starts by lines of JSON on their standard input and output. Its parts:
 *
 *   runner.c          the control channel, the configuration, life
 *   runner_conn.c     a courier's connection: requests are read, answers and streams written
 *   runner_route.c    what a request asks for
 *   runner_session.c  a session and its process: begun, watched, ended
 *   runner_relay.c    messages on their way: which answer belongs to which request
 *   runner_start.c    the other half, which starts programs                        (runner_start.h)
 */
#pragma once

#include "config/config.h"
#include "edge/loop.h"
#include "edge/sock.h"
#include "http/http.h"
#include "proto/mcp.h"
#include "role/role.h"
#include "role/stats.h"

enum {
    RUNNER_READ = 65536,
    RUNNER_ID = 32,       /* of a session: hexadecimal digits */
    RUNNER_HIGH = 1 << 20 /* bytes that wait for a courier: then the server is not read */
};

struct runner_config {
    struct runner_config *next; /* old ones */
    uint32_t generation;
    struct nk_arena arena;
    struct nk_config config;
};

/* A connection has one request at a time. */
enum conn_state {
    CONN_READING, /* a request, or nothing yet */
    CONN_WAITING, /* for the server's answer */
    CONN_STREAM,  /* GET: what the server says on its own account */
    CONN_ENDING,  /* the answer is written; it is kept or closed when the socket has it */
};

struct conn {
    struct runner *runner;
    struct nk_sock sock;
    struct nk_watch watch;
    struct nk_timer timer; /* a stream says from time to time that it lives */
    struct nk_later later;
    struct conn *next, *prev; /* of all */
    struct nk_arena arena;    /* of one request */
    struct nk_http_parser *parser;
    struct nk_buf body, out;
    enum conn_state state;
    bool close_after;
    bool streams; /* the head of an event stream is out */
    bool gone;    /* to be closed when the batch is over */
    /* WAITING, STREAM */
    struct session *session;
    struct conn *newer;     /* WAITING: the next older request of the session */
    struct nk_str id;       /* of the request, as it is written */
    struct nk_str progress; /* its progressToken, as it is written; absent: none */
    int64_t number;         /* what the server knows it by */
};

enum session_state {
    SESSION_STARTING, /* asked for */
    SESSION_RUNNING,
    SESSION_ENDING, /* nobody finds it; its process is to go, ever less gently */
};

struct session {
    struct runner *runner;
    struct session *next, *prev;
    struct nk_later later;
    struct nk_timer timer;
    const struct nk_config_upstream *server; /* of the running configuration */
    char id[RUNNER_ID + 1];
    enum session_state state;
    uint32_t instance;                          /* of its process */
    bool once;                                  /* it is for one request */
    bool answered;                              /* the first message */
    bool paused;                                /* its output is not read */
    bool terminated;                            /* SIGTERM was sent */
    struct nk_watch in, out, err;               /* -1: closed */
    struct nk_buf to_server, from_server, said; /* said: of a line of its standard error */
    struct nk_buf held;                         /* events for the next stream */
    size_t scanned;                             /* from_server has no line end before */
    struct conn *waiting;                       /* requests, the newest first */
    struct conn *stream;
    int64_t numbers, used_us;
    int64_t said_since_us; /* the second whose lines are counted */
    uint32_t said_lines;
};

struct runner {
    struct nk_loop *loop;
    struct nk_role_start *start;
    struct nk_stats stats;
    struct nk_watch control, starter, listener;
    struct nk_timer grace;
    struct runner_config *config, *prepared, *old; /* old: sessions that end speak of them */
    struct conn *conns;
    struct session *sessions;
    size_t conn_count;
    uint32_t instances;
    struct nk_arena scratch; /* of one message */
    char *read;              /* RUNNER_READ bytes */
    unsigned user;           /* ours; nobody else may connect */
    bool draining, stirred;  /* stirred: something may be closed, or over */
};

/* runner_conn.c */
void conn_accept(struct nk_watch *listener, uint32_t events);
void conn_close(struct conn *c);
/* A whole answer; `session` (or absent) goes into Mcp-Session-Id. */
void conn_answer(struct conn *c, int status, struct nk_str body, struct nk_str session);
/* The same with an error of JSON-RPC for the request, if it had an id. */
void conn_refuse(struct conn *c, int status, const char *why);
/* One event of a stream, which begins with it. */
void conn_event(struct conn *c, struct nk_str message);
void conn_stream_begin(struct conn *c);
void conn_stream_end(struct conn *c);
void conn_sweep(struct runner *r); /* closes those that are gone */

/* runner_route.c */
void runner_route(struct conn *c);
/* Largest body for this head. */
size_t runner_body_max(const struct runner *r, const struct nk_http_head *h);

/* runner_session.c */
struct session *session_new(struct conn *c, const struct nk_config_upstream *server, bool once);
struct session *session_find(struct runner *r, const struct nk_config_upstream *server,
                             struct nk_str id);
void session_end(struct session *s, const char *why); /* why NULL: it was to end */
void session_started(struct runner *r, struct nk_control *m);
void session_gone(struct runner *r, const struct nk_control *m);
void session_write(struct session *s);  /* what waits for its standard input */
void session_resume(struct session *s); /* reads its output again, if its streams have room */
int session_order(struct runner *r, enum nk_control_kind kind, uint32_t instance,
                  uint32_t grace_ms);

/* runner_relay.c */
/* A message of the client, which is read already, for the server. False: it takes no more now. */
bool relay_to_server(struct session *s, struct conn *c, const struct nk_mcp_message *m) NK_CHECKED;
/* One line of the server. The reason, when it is no message. */
const char *relay_from_server(struct session *s, struct nk_str line);
void relay_held(struct session *s); /* a stream has come: what waited for it */
void relay_cancel(struct conn *c);  /* its client has left */
