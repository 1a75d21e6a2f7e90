/* SPDX-License-Identifier: Apache-2.0
 *
 * a2a.h - the gateway for A2A: a client's message is read, judged and written anew for the agent that it is for; what the
 * agent says is read message by message and written anew before it goes on. Private to gate.
 *
 *   a2a.c          endpoints made ready; which requests are theirs; the driver
 *   a2a_ask.c      the client's request: version, method, what it is about, the judge
 *   a2a_forward.c  the call to the agent
 *   a2a_answer.c   the agent's answer, whole or as a stream
 *   a2a_filter.c   members of messages: ids sealed for who asks, data without what may not be read
 *   a2a_card.c     agent cards
 *
 * A task belongs to the principal that began it, and so does its context: their ids are sealed texts (bound.h), which are
 * none in anybody else's hands. Nothing is stored.
 */
#pragma once

#include "field/field.h"
#include "gate/driver.h"
#include "gate/oauth.h"
#include "proto/a2a.h"
#include "tool/fields.h"

struct nk_a2a { /* an endpoint of the configuration, resolved */
    const struct nk_config_a2a *config;
    size_t upstream;
    struct nk_config_text agent;    /* its name */
    const struct gate_oauth *oauth; /* NULL: it is no protected resource */
    struct gate_door door;
    struct nk_str card_path;      /* of the card that we show */
    struct nk_tool_fields fields; /* of what the agent says */
    unsigned text_class;          /* its number; class_count: texts have none */
    int64_t card_until_ms;        /* until then the agent's card is known to be the approved one */
};

/* state->drive: one request. Texts live in the transaction's arena or its body. */
struct gate_a2a {
    struct nk_a2a *endpoint;
    enum nk_a2a_op op;
    bool is_new; /* it speaks 1.0, not 0.3 */
    bool
        is_check; /* the call that runs looks at the agent's card, before the one that was asked for */
    struct nk_str id;        /* of the request, as it is written */
    struct nk_str body;      /* for the agent */
    struct nk_str task;      /* the agent's id of a task that the request names, or absent */
    struct nk_str context;   /* of a context */
    struct nk_str recipient; /* URL for notifications, or absent */
    struct nk_field_ask fields;
    bool hides;      /* something may not be read: only what can be looked into passes */
    bool hides_text; /* … and texts do not pass */
    int64_t hidden;  /* fields and parts that did not pass */
};

static inline struct gate_a2a *gate_a2a(const struct nk_txn *t)
{
    return t->state->drive;
}
static inline const struct nk_config_upstream *gate_a2a_upstream(const struct nk_txn *t)
{
    return &t->setup->config.upstreams[gate_a2a(t)->endpoint->upstream];
}

/* Makes the endpoints of the configuration ready. */
int gate_a2a_load(struct nk_setup *s, struct nk_fault *f) NK_CHECKED;
/* Is it a request to one of them? Then dialect, endpoint and state are set. 0, or after gate_refuse. */
int gate_a2a_match(struct nk_txn *t) NK_CHECKED;
extern const struct gate_driver gate_a2a_driver;
/* Its members: a2a_answer.c. */
unsigned gate_a2a_head(struct nk_txn *t, const struct nk_http_head *h);
unsigned gate_a2a_data(struct nk_txn *t, struct nk_str bytes);
unsigned gate_a2a_end(struct nk_txn *t);

/* Refuses with an error of JSON-RPC: NK_EDENIED. */
NK_COLD int gate_a2a_refuse(struct nk_txn *t, enum nk_refusal_id id, int code, const char *stage,
                            struct nk_str detail);

/* Reads the request, judges it, and says what goes to the agent. 0, or a negative NK_E… after gate_refuse. Decisions that
 * led there are recorded (*fx), but for the last one, about the method itself. */
int gate_a2a_ask(struct nk_txn *t, unsigned *fx) NK_CHECKED;
/* Writes the call, or that which looks at the agent's card first; txn->call. 0, or after gate_refuse. */
int gate_a2a_forward(struct nk_txn *t) NK_CHECKED;
int gate_a2a_forward_check(struct nk_txn *t) NK_CHECKED;

/* Asks about each data class of the endpoint, with a record each (*fx). 0, or after gate_refuse. */
int gate_a2a_ask_fields(struct nk_txn *t, unsigned *fx) NK_CHECKED;
/* What becomes of the members of a request, or of an answer (struct nk_a2a_visit); memory of `a` is needed meanwhile. */
struct nk_a2a_visit gate_a2a_visit(struct nk_txn *t, bool is_answer, struct nk_arena *a);

/* Is it the approved card? NK_EDENIED, with the digest that it has in the fault. NK_EINVAL: it is no card. */
int gate_a2a_check_card(struct nk_txn *t, const struct nk_json *doc, uint32_t card,
                        struct nk_str approved, struct nk_arena *a, struct nk_fault *f) NK_CHECKED;
/* Appends the card as this client may see it. */
int gate_a2a_put_card(struct nk_txn *t, const struct nk_json *doc, uint32_t card,
                      struct nk_arena *a, struct nk_buf *out, struct nk_fault *f) NK_CHECKED;
