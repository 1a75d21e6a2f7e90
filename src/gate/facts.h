/* SPDX-License-Identifier: Apache-2.0
 *
 * facts.h - what is known of a request when it is over, for those who count and tell. Nothing here is of the
 * prompt, the answer or a credential, and texts that a client or a provider chose are left out unless the
 * configuration knows them or they look like a name.
 */
#pragma once

#include "gate/gate.h"
#include "otel/trace.h"

/* Spans below that of the request: nk_trace_child. */
enum { NK_SPAN_DECISION = 1, NK_SPAN_CALL = 2 };

struct nk_txn_facts {
    struct nk_str request; /* our request id; absent before the head was read */
    bool is_traced, has_parent;
    struct nk_trace parent, own; /* own: of this request's span, when it is traced */
    struct nk_str method;        /* of HTTP; "_OTHER" for one that HTTP does not name */
    struct nk_str route;         /* "/v1/chat/completions"; absent where no operation matched */
    struct nk_str operation, dialect;
    struct nk_str
        genai; /* gen_ai.operation.name: "chat", "embeddings"; absent for what uses no model */
    struct nk_str model,
        model_sent; /* as configured: what clients name, what the upstream is told */
    struct nk_str model_answered, finish;
    size_t upstream; /* index in the configuration; SIZE_MAX: none was called */
    struct nk_str principal_type, principal_id;
    bool judged, allowed, streamed;
    int refusal; /* 0, or an id for nk_refusal_name */
    struct nk_str stage;
    const struct nk_str *policies; /* that determined the decision */
    size_t policy_count;
    int status, upstream_status; /* 0: none was sent, none came */
    struct nk_usage usage;
    int64_t reply_bytes, events, tool_calls;
};

/* Slices live as long as the transaction. */
void nk_txn_facts(const struct nk_txn *t, struct nk_txn_facts *out);

/* Rows of refusal.def; ids are 1 to nk_refusal_count() - 1. */
int nk_refusal_count(void);
const char *nk_refusal_name(int id);
const char *nk_refusal_english(int id);
int nk_refusal_status(int id);

/* Does a text look like the name of a model or a reason: at most 128 letters, digits and . _ - : / @ +? */
bool nk_is_name_like(struct nk_str s);
