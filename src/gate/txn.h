/* SPDX-License-Identifier: Apache-2.0
 *
 * txn.h - the facts of one transaction, in the order in which the stages add them, and the stages.
 * Private to gate.
 */
#pragma once

#include "gate/counts.h"
#include "gate/kept.h"

struct gate_driver;

/* Ids, HTTP status and texts of refusals: refusal.def. */
enum nk_refusal_id {
    NK_REFUSAL_NONE,
#define NK_REFUSAL(id, status, en, ja) NK_REFUSAL_##id,
#include "gate/refusal.def"
#undef NK_REFUSAL
    NK_REFUSAL_COUNT,
};

enum { GATE_HEADERS_MAX = 4 };

enum nk_phase { NK_PHASE_HEAD, NK_PHASE_BODY, NK_PHASE_ANSWER, NK_PHASE_OVER };

/* Where a stage leaves the transaction when it cannot go on. */
struct nk_gate_refusal {
    enum nk_refusal_id id;
    const char *stage;
    struct nk_str detail; /* what exactly; safe for the client */
    struct nk_str reason; /* why, for the record alone; "" when detail says it all */
};

struct nk_gate_state {
    struct nk_gate_env env;
    enum nk_phase phase;
    int64_t started_ms, now_ms;
    struct nk_str id;    /* our request id */
    struct nk_str trace; /* W3C trace id in hexadecimal, or absent */
    bool has_parent;     /* the client's context, which is then `parent` */
    struct nk_trace parent, own;
    bool japanese;
    /* match */
    const struct nk_http_head *head;
    const struct nk_dialect *dialect;
    struct nk_str segment;
    /* identify */
    struct nk_str document;         /* for everybody, that is asked for; absent: none */
    const struct gate_oauth *oauth; /* the protected resource that is asked for, or NULL */
    const struct nk_ident_certificate *certificate; /* of the connection, or NULL */
    const struct nk_principal *principal;
    struct nk_str token; /* that proved it, where an upstream may need it; absent: another proof */
    /* parse */
    struct nk_buf body;
    struct nk_call call;
    struct nk_digest body_digest;
    bool proves_later; /* who signed the request is known when its body is */
    /* locate */
    const struct nk_model *model;
    const struct nk_hook *hook;   /* that was asked, or NULL */
    const struct nk_store *asked; /* a policy store */
    struct nk_cedar_uid resource;
    /* authorize */
    struct nk_str context, entities; /* Cedar JSON, exactly what was decided on … */
    const struct nk_cedar_value *given;
    struct nk_cedar_entities *store; /* … and as values, with those of the configuration below */
    struct nk_cedar_answer answer;
    bool judged;
    struct nk_gate_refusal refusal;
    struct nk_http_header headers[GATE_HEADERS_MAX]; /* of an answer of our own */
    size_t header_count;
    struct nk_str told; /* what a policy store answered, for the record: items of a JSON list */
    /* forward */
    struct nk_json_edit *edits; /* of the body, by place; of this step */
    size_t edit_count, edit_cap;
    const struct gate_driver *driver; /* NULL: one call, whose answer receive.c has */
    void *drive;                      /* its own state */
    uint32_t call_number;             /* of a driver's calls, from 1; 0: it is the only one */
    uint32_t exchange;                /* of that call, from 1 */
    uint32_t spans;                   /* of a driver's calls: how many there were */
    uint32_t lane;                    /* of the call that the present event is about */
    struct gate_results results;      /* of tools, in the request */
    /* receive */
    const struct nk_call *reading; /* `call`, or what it became in the upstream's dialect */
    int status;                    /* sent to the client */
    int upstream_status;
    const struct nk_route *route; /* NULL: not known */
    bool streaming, began, complete;
    struct nk_buf reply; /* whole answers */
    struct nk_sse sse;   /* streams */
    struct nk_stream *stream;
    struct nk_arena event_arena; /* of one event */
    struct nk_buf held;          /* events of a tool call that is not complete */
    struct nk_usage usage;
    struct nk_str finish, reply_model;
    int64_t events; /* of a stream */
    int64_t reply_bytes;
    struct nk_str strange; /* about the answer, for its record: members, a comma before each */
    int64_t tool_calls, calls_refused;
};

/* Stages: 0 to go on, NK_EAGAIN to wait for an event, or a negative NK_E… after gate_refuse. */
int gate_match(struct nk_txn *t);
/* Takes over the client's trace context, and starts a span of our own when requests are traced. */
void gate_trace(struct nk_txn *t);
/* May this header of the client's trace context go upstream? What goes in its place, or absent. */
bool gate_trace_forwards(const struct nk_txn *t, struct nk_str header);
struct nk_str gate_trace_header(struct nk_txn *t);
int gate_identify(struct nk_txn *t);
/* The second half of identify, where a signature is over a body that had to come first. */
int gate_prove(struct nk_txn *t);
int gate_parse(struct nk_txn *t);
/* Reads strict JSON of at most `max` bytes, as deep and large as limits.json_… allow. As nk_json_parse. */
int gate_read_json(const struct nk_txn *t, struct nk_str text, int64_t max, struct nk_arena *a,
                   struct nk_json *doc, struct nk_fault *f) NK_CHECKED;
int gate_locate(struct nk_txn *t);
int gate_limit(struct nk_txn *t);
int gate_authorize(struct nk_txn *t);
int gate_forward(struct nk_txn *t);

/* Marks the transaction as refused (the first refusal stays). Returns NK_EDENIED, or NK_ENOMEM. */
NK_COLD int gate_refuse(struct nk_txn *t, enum nk_refusal_id id, const char *stage,
                        struct nk_str detail, struct nk_str reason);
/* Puts the refusal into the client's dialect: head and body of the answer. Returns the effects. */
unsigned gate_answer_refusal(struct nk_txn *t);
/* The same in the middle of a stream. */
unsigned gate_cut_stream(struct nk_txn *t, enum nk_refusal_id id, struct nk_str detail);
const char *gate_refusal_name(enum nk_refusal_id id);
/* In the language of the client. */
const char *gate_refusal_text(const struct nk_txn *t, enum nk_refusal_id id);

/* Adds the decision's or the outcome's audit record (record): NK_FX_RECORD. */
unsigned gate_record_decision(struct nk_txn *t);
unsigned gate_record_outcome(struct nk_txn *t, const char *how);

/* Puts the facts for the judge together, once (context, entities, given, store). NK_ENOMEM, NK_ELIMIT, or
 * what sealing the entities says. */
int gate_facts(struct nk_txn *t, struct nk_fault *f);

/* The head of an answer of our own in the form of `d`, whose body stands in txn->out; `refused`: why, or NULL. */
unsigned gate_reply(struct nk_txn *t, const struct nk_dialect *d, int status, const char *refused);
/* The answer of a policy store into txn->out, or a refusal. */
int gate_answer_store(struct nk_txn *t);
/* Adds the principal, as the proof of identity has it, to another store of entities. */
int gate_add_principal(struct nk_txn *t, struct nk_cedar_entities *into);
/* Answers lists of models from the configuration: what this principal may invoke. */
unsigned gate_answer_models(struct nk_txn *t);
/* Would the judge permit `action` on this model? For lists; decides exactly as authorize does. */
int gate_judge(struct nk_txn *t, struct nk_str action, struct nk_cedar_uid resource,
               struct nk_cedar_answer *out);
