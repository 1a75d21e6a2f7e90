/* SPDX-License-Identifier: Apache-2.0
 *
 * counts.h - what is known of a request when it is over, for those who count and tell. Nothing here is of the
 * prompt, the answer or a credential, and texts that a client or a provider chose are left out unless the
 * configuration knows them or they look like a name.
 */
#pragma once

#include "gate/gate.h"
#include "otel/trace.h"

/* Spans below that of the request: nk_trace_child. */
/* Spans below a request's. Its one call is NK_SPAN_CALL; calls of a driver count on from there. */
enum { NK_SPAN_DECISION = 1, NK_SPAN_CALL = 2, NK_SPAN_LAST = 255 };

/* What is counted of every request: cheap. */
struct nk_txn_counts {
    bool judged, allowed, streamed, called; /* called: an upstream */
    size_t policies;                        /* that determined the decision */
    int refusal;                            /* 0, or an id for nk_refusal_name */
    int upstream_status;                    /* 0: none came */
    struct nk_str genai;   /* gen_ai.operation.name; absent for what uses no model */
    struct nk_str dialect; /* absent where no operation matched */
    struct nk_usage usage;
    int64_t events, tool_calls;
};

/* What is told of one, beside that. */
struct nk_txn_facts {
    struct nk_str request; /* our request id; absent before the head was read */
    bool is_traced, has_parent;
    struct nk_trace parent, own; /* own: of this request's span, when it is traced */
    struct nk_str method;        /* of HTTP; "_OTHER" for one that HTTP does not name */
    struct nk_str route;         /* "/v1/chat/completions"; absent where no operation matched */
    struct nk_str operation;
    struct nk_str model, model_sent; /* as configured: what clients name, what is sent upstream */
    struct nk_str model_answered, finish;
    size_t upstream; /* index in the configuration, when one was called */
    struct nk_str principal_type, principal_id;
    struct nk_gate_about about; /* the request */
    bool has_parts;             /* there were several calls, each told for itself */
    struct nk_str stage;
    const struct nk_str *policies; /* counts.policies of them */
    int status;                    /* 0: none was sent */
    int64_t reply_bytes;
};

/* Slices live as long as the transaction. */
void nk_txn_counts(const struct nk_txn *t, struct nk_txn_counts *out);
void nk_txn_facts(const struct nk_txn *t, struct nk_txn_facts *out);

/* Is there something to tell: a span of a trace that is kept, or (if they are told) a refusal? */
bool nk_txn_is_told(const struct nk_txn *t, bool refusals);

/* Rows of refusal.def; ids are 1 to nk_refusal_count() - 1. */
int nk_refusal_count(void);
const char *nk_refusal_name(int id);
const char *nk_refusal_english(int id);
int nk_refusal_status(int id);

/* Does a text look like the name of a model or a reason: at most 128 letters, digits and . _ - : / @ +? */
bool nk_is_name_like(struct nk_str s);
