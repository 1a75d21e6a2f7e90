/* SPDX-License-Identifier: Apache-2.0
 *
 * gate.h - one request from its first byte to its record, as a pure state machine: events come in
 * (bytes of the client, answers of the upstream, durability, time), effects go out. It opens
 * nothing and waits for nothing; the same code runs behind sockets and in tests in virtual time.
 * What framing carried the request (HTTP/1.1, HTTP/2) is unknown here.
 */
#pragma once

#include "gate/route.h"
#include "gate/setup.h"
#include "gate/used.h"
#include "gate/wait.h"

enum nk_event_type {
    NK_EV_REQUEST,     /* head of the request is complete: .head */
    NK_EV_BODY,        /* a piece of its body: .bytes */
    NK_EV_REQUEST_END, /* the request is complete */
    NK_EV_ANSWER,      /* head of the upstream's answer: .head */
    NK_EV_ANSWER_DATA, /* a piece of it: .bytes */
    NK_EV_ANSWER_END,  /* it is complete */
    NK_EV_ANSWER_FAIL, /* it will not come, or breaks off: .fail (enum nk_upstream_fail), .bytes:
                          why */
    NK_EV_WAKE,        /* the time that NK_FX_WAKE asked for has come */
    NK_EV_TOLD,        /* another transaction brought what this one waits for: .bytes */
    NK_EV_NEXT,        /* the step that NK_FX_NEXT asked for */
    NK_EV_CLIENT_GONE, /* the client left */
    NK_EV_BAD_REQUEST, /* the framing refused the client's bytes: .fail (NK_E…), .bytes: why */
};

enum nk_upstream_fail {
    NK_UPSTREAM_BROKEN,
    NK_UPSTREAM_TIMEOUT, /* no answer within first_byte_timeout */
    NK_UPSTREAM_BUSY,
    NK_UPSTREAM_NO_CONNECTION, /* none within connect_timeout */
    NK_UPSTREAM_STALLED,       /* silence for idle_timeout */
    NK_UPSTREAM_TOO_LONG,      /* not over within timeout */
};

struct nk_event {
    enum nk_event_type type;
    int64_t unix_ms;                 /* wall clock */
    const struct nk_http_head *head; /* lives as long as the transaction's arena */
    struct nk_str bytes;             /* valid during the call */
    int fail;
    uint32_t lane;                /* ANSWER…: of the call that it is about */
    const struct nk_route *route; /* ANSWER, ANSWER_FAIL: where the call went; NULL: unknown. Lives
                                     as long as the transaction's arena */
};

/* Effects of a step, to be carried out in this order; a set of bits. A call may fail at once, which is a
 * step of its own: so it comes last, and never together with END or CUT. */
enum nk_effect {
    NK_FX_RECORD = 1,  /* publish txn->records before anything below */
    NK_FX_ABORT = 2,   /* cancel the upstream call, or all of them */
    NK_FX_HEAD = 4,    /* send the answer's head: txn->reply_head */
    NK_FX_DATA = 8,    /* send txn->out (then empty it) */
    NK_FX_END = 16,    /* the answer is complete */
    NK_FX_CUT = 32,    /* close the client's connection without completing the answer */
    NK_FX_WAKE = 64,   /* NK_EV_WAKE after txn->wake_ms, in place of any time asked for before */
    NK_FX_CALL = 128,  /* send txn->call upstream; no other one runs in its lane */
    NK_FX_TELL = 256,  /* behind the records: give txn->tell to the transaction that it names */
    NK_FX_DROP = 512,  /* as ABORT, of the call in the lane txn->drop alone */
    NK_FX_NEXT = 1024, /* behind the call: a step NK_EV_NEXT, for one more call beside it */
    NK_FX_PARK =
        2048, /* with END: the answer is complete, but the transaction and its call go on without a client, until
                        * CUT; told whatever is for its number. Not where several calls run */
};

/* Of one step: as a rule; and at most: a decision for each tool call of an answer, and more. */
enum { NK_TXN_RECORDS_FEW = 4, NK_TXN_RECORDS = 160 };

/* A vetted call, ready to be written anew by the courier. */
/* What one of several calls is about, for its span: words of OpenTelemetry's conventions, and names that the
 * configuration knows. All may be absent. */
struct nk_gate_about {
    struct nk_str method;    /* mcp.method.name */
    struct nk_str operation; /* gen_ai.operation.name */
    struct nk_str name;      /* of the tool, model or agent */
    struct nk_str error;     /* error.type of an answer that says that it failed; else absent */
};

struct nk_gate_call {
    size_t upstream; /* index in the configuration */
    uint32_t span; /* one of several: its number below the request's span, to 255; 0: it has none */
    struct nk_gate_about about;
    uint32_t lane; /* among those of this request that run beside one another; 0: alone */
    struct nk_http_head head; /* no credential, no framing headers */
    struct nk_str body;
    /* The verified token of who asks, for an upstream that gets one of its own in exchange (RFC 8693): for the
     * courier and the authorization server alone. Set by nk_gate_step; absent everywhere else. */
    struct nk_str subject;
};

struct nk_gate_state; /* facts of the running transaction: gate/txn.h */

struct nk_txn {
    struct nk_arena *arena;   /* the caller's: holds the transaction and all that it keeps */
    struct nk_arena *scratch; /* of nk_gate_env */
    struct nk_setup *setup;
    struct nk_gate_state *state;
    struct nk_str *records; /* members of audit records, see chain.h; `few`, or of `scratch` */
    size_t record_count;
    struct nk_str few[NK_TXN_RECORDS_FEW];
    bool record_lost;         /* one could not be written: the step that wanted it is cut */
    int64_t wake_ms;          /* of NK_FX_WAKE, from now; 0: not at all */
    struct nk_gate_call call; /* its texts live until its answer has ended or failed */
    uint32_t drop;            /* of NK_FX_DROP */
    struct nk_tell tell;
    struct nk_http_head reply_head;
    struct nk_buf out; /* bytes of the answer's body, unframed */
};

/* What a gate knows beside the configuration. */
struct nk_gate_env {
    uint32_t instance;      /* of this gate: part of request ids */
    uint64_t number;        /* of this request */
    uint32_t in_flight;     /* requests under way in this gate, this one not counted */
    bool audit_full;        /* the audit log takes no records now: refuse */
    uint32_t slot;          /* of this gate among those that run */
    struct nk_waits *waits; /* of this gate; NULL: nothing can wait here */
    void *owner;            /* whose transaction it is, for that table */
    struct nk_used *used;   /* of all gates; NULL: nothing can be good for once */
    const struct nk_ident_certificate *certificate; /* the client's; NULL: none. Copied. */
    /* What one step alone needs, for all transactions of a gate: each step begins by emptying it. So it
     * stays warm, and a transaction that waits for its upstream holds little. Of what a step returns,
     * records lie there, until the next step of any transaction. */
    struct nk_arena *scratch;
    bool is_traced; /* a span is made of this request; `random` makes its ids */
    uint64_t random[3];
};

/* Starts a transaction (the setup is held until nk_txn_free). NULL when memory is out. */
struct nk_txn *nk_txn_new(struct nk_arena *a, struct nk_setup *setup,
                          const struct nk_gate_env *env) NK_CHECKED;
/* One step; returns the effects. After NK_FX_END or NK_FX_CUT further events change nothing. */
unsigned nk_gate_step(struct nk_txn *t, const struct nk_event *e);
void nk_txn_free(struct nk_txn *t);

/* For logs and metrics, once known. */
/* Did the judge decide, and how many policies erred meanwhile? */
bool nk_txn_judged(const struct nk_txn *t);
size_t nk_txn_policy_errors(const struct nk_txn *t);
/* The stage that refused, a static string, or NULL. */
const char *nk_txn_refused_by(const struct nk_txn *t);
/* True when the judge allowed, false when anything refused. */
bool nk_txn_allowed(const struct nk_txn *t);
