/* SPDX-License-Identifier: Apache-2.0
 *
 * driver.h - who handles a request's answer. Most requests are one call upstream and its answer, and receive.c
 * has them. A driver makes several calls of one request, one after the other: it fills txn->call, returns
 * NK_FX_CALL, gets the answer's events, and goes on, until it ends the client's answer itself.
 * Private to gate.
 *
 *  - One call at a time in each lane, and most drivers have one lane. NK_FX_CALL comes with nothing running in the
 *    lane that txn->call names, or with NK_FX_ABORT, which ends what runs in all. After `end` and `fail` nothing runs in state->lane;
 *    pieces of an exchange that is over never arrive.
 *  - Calls beside one another begin in steps of their own: NK_FX_CALL with NK_FX_NEXT, until `next` has begun the last.
 *    What receive knows of "the" answer is then the driver's to exchange (mcp_streams.c).
 *  - Each call has its decision's record before it (in the same step, or an earlier one) and its outcome's
 *    record behind it, also when it fails or the client leaves: gate_record_decision and
 *    gate_record_outcome, which say the number of the call, or gate_record_members.
 *  - The answer is the driver's: NK_FX_HEAD once (txn->reply_head), NK_FX_DATA as often as it likes (txn->out), also
 *    in a step that calls, and NK_FX_END or NK_FX_CUT at last, which never come with NK_FX_CALL.
 *  - What is given to txn->call lives until that call's `end` or `fail`: in the transaction's arena or the driver's own
 *    memory, not in txn->scratch.
 */
#pragma once

#include "gate/receive.h"

/* Each returns effects (enum nk_effect). A member that may be NULL says so. */
struct gate_driver {
    const char *name;
    /* The request is complete; of the stages only those of the head have run (gate_body_stages runs the others).
     * NULL: all stages run, and the call that `forward` wrote is the first one. */
    unsigned (*start)(struct nk_txn *t);
    /* What NK_FX_NEXT asked for: the next call begins. NULL: it is never asked for. */
    unsigned (*next)(struct nk_txn *t);
    unsigned (*head)(struct nk_txn *t, const struct nk_http_head *h);
    unsigned (*data)(struct nk_txn *t, struct nk_str bytes);
    unsigned (*end)(struct nk_txn *t);
    unsigned (*fail)(struct nk_txn *t, int fail, struct nk_str why); /* enum nk_upstream_fail */
    /* The time that was asked for by NK_FX_WAKE. NULL: it asks for none. */
    unsigned (*wake)(struct nk_txn *t);
    /* What another transaction brought (NK_FX_TELL). NULL: it waits for none. */
    unsigned (*told)(struct nk_txn *t, struct nk_str bytes);
    /* The client is gone: the last records, NK_FX_RECORD or 0; what runs is cancelled. NULL: the outcome "client_gone". */
    unsigned (*gone)(struct nk_txn *t);
    /* Frees what is not in the transaction's arena (state->drive). NULL: nothing. */
    void (*free)(struct nk_txn *t);
};

/* The driver of operations that the gate answers by itself; NULL: there is none. */
const struct gate_driver *gate_driver_of(enum nk_local local);

/* parse, locate, authorize and forward, as every request has them. 0, or a negative NK_E… after gate_refuse. */
int gate_body_stages(struct nk_txn *t);
/* Answers and records a refusal before anything was sent to the client: effects. */
unsigned gate_refused(struct nk_txn *t);

enum nk_refusal_id gate_refusal_of(int fail); /* enum nk_upstream_fail */
/* The refusal as the event that ends a stream, into txn->out. */
void gate_refusal_event(struct nk_txn *t);

/* Begins the next call: forgets what receive knew of the one before (whose outcome has been recorded), counts it in
 * state->call_number, and empties txn->call but for its upstream and `room` headers, to be set by gate_call_header.
 * NK_ENOMEM. */
int gate_call_new(struct nk_txn *t, size_t upstream, const char *method, struct nk_str target,
                  size_t room) NK_CHECKED;
/* Begins another exchange of the call that runs, with the same upstream and number: one decision and one outcome are for
 * all of them. As gate_call_new. */
int gate_call_again(struct nk_txn *t, size_t upstream, const char *method, struct nk_str target,
                    size_t room) NK_CHECKED;
/* Takes up a call that was begun and not sent, behind exchanges that came between. */
void gate_call_resume(struct nk_txn *t, const struct nk_gate_call *call);
/* The call is one of a tool (its full name), for those who look at spans. */
void gate_call_is_of_tool(struct nk_txn *t, struct nk_str full);
/* The name is lower case. A credential never stands here: the courier adds it. */
void gate_call_header(struct nk_txn *t, const char *name, struct nk_str value);
/* Body (empty: a call without one) and its length. */
void gate_call_body(struct nk_txn *t, struct nk_str body);

/* Says to the upstream of the call for whom it is called, if the configuration gives it a token (ident/token.h):
 * `actor` is the id of the agent that acts for the principal, `tool` the full name of what is called; both may be absent.
 * Takes one header. NK_ENOMEM, NK_ELIMIT. */
int gate_call_identity(struct nk_txn *t, struct nk_str actor, struct nk_str tool) NK_CHECKED;

/* Judges the call that state->call and ->resource describe now. Facts and answers of a step do not outlive it, so the
 * decision is to be recorded in the same step. 0, or a negative NK_E… after gate_refuse. */
int gate_call_authorize(struct nk_txn *t) NK_CHECKED;
/* The principal's store of this step (after gate_facts), and in it `one` as a child of `parent`, for a question about
 * something that no configuration declares. NULL: memory is out. */
struct nk_cedar_entities *gate_store_within(struct nk_txn *t, struct nk_cedar_uid one,
                                            struct nk_cedar_uid parent);
/* Adds the record of a decision that another judge's question led to (a tool's, a field's): `facts` are members of "facts" beside those of
 * the request, `members` follow them: cedar, entities, decision and the like, each with a comma before it. */
unsigned gate_record_members(struct nk_txn *t, struct nk_str facts, struct nk_str members);
/* Adds an outcome's record with these facts, `"name":{…}`: NK_FX_RECORD. */
unsigned gate_record_end(struct nk_txn *t, const char *how, struct nk_str facts);

/* An answer's media type, whatever parameters it has. */
bool gate_answer_is_type(const struct nk_http_head *h, struct nk_str type);
/* The answer does not pass: one of ours in its place, or the end of a stream that has begun. */
unsigned gate_answer_failed(struct nk_txn *t, enum nk_refusal_id id, struct nk_str reason);

/* One event of an answer, or of time: gate.c. */
unsigned gate_drive(struct nk_txn *t, const struct nk_event *e);
