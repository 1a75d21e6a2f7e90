/* SPDX-License-Identifier: Apache-2.0
 *
 * agent.h - agents inside a transaction: the loop model -> decision -> tool -> field decision -> model. Each call to the
 * model and each tool is judged about the principal who sent the request, whatever the model says, and has its
 * records. Private to gate.
 *
 *   agent.c        agents of the configuration; which request is for which
 *   agent_inline.c an agent that its client describes
 *   agent_turn.c   the driver: calls begin, answers come, the client's answer ends
 *   agent_model.c  the conversation, to the model and back
 *   agent_stream.c the model's words, as it writes them
 *   agent_tool.c   tools: decided, called, answered; or handed to the client, or to a person
 *   agent_mcp.c    tools that MCP servers have
 */
#pragma once

#include "agent/event.h"
#include "agent/model.h"
#include "field/field.h"
#include "gate/driver.h"
#include "gate/tool.h"
#include "proto/mcp.h"

struct gate_agent_tool { /* of an agent */
    const struct nk_config_action *action;
    struct nk_agent_way way;
    struct nk_str full;         /* "clinic___get_patient" */
    size_t upstream;            /* index in the configuration; SIZE_MAX: the client runs it */
    const struct nk_tool *tool; /* NULL: not registered; the client of an inline agent brought it */
    bool confirms;              /* that client wants a person to agree to each call */
    enum nk_mcp_revision *speaks;      /* an MCP server, as far as known; NULL: it is none */
    struct nk_str description, schema; /* as it is offered to the model */
};

struct nk_agent { /* an entry of the configuration, resolved */
    const struct nk_config_agent *config;
    const struct nk_model *model;
    struct gate_agent_tool *tools;
    size_t tool_count;
};

/* What a tool's result may show, from its decision on until it is there. */
struct gate_agent_view {
    uint64_t denied;
    const struct nk_str *redact;
    size_t redact_count;
};

enum gate_agent_doing {
    GATE_AGENT_MODEL,
    GATE_AGENT_TOOL,
    GATE_AGENT_LEAVE, /* ends the session with an MCP server: the call has its outcome already */
    GATE_AGENT_NEXT
};

enum gate_agent_mcp_step {
    GATE_AGENT_MCP_DISCOVER,
    GATE_AGENT_MCP_INITIALIZE,
    GATE_AGENT_MCP_INITIALIZED,
    GATE_AGENT_MCP_CALL,
    GATE_AGENT_MCP_LEAVE,
};
struct gate_agent_mcp { /* one call */
    enum gate_agent_mcp_step step;
    const struct gate_agent_tool *tool;
    const struct nk_agent_use *use;
    enum nk_mcp_revision revision; /* that is spoken with the server */
    struct nk_str session;         /* absent: none */
    bool streams;                  /* the answer is a stream of events */
};

/* One request of an agent. */
struct gate_drive_agent {
    const struct nk_agent *agent;
    const struct nk_agent_call *asked;
    struct nk_agent_who who;
    struct nk_digest key;  /* of the session */
    struct nk_arena arena; /* the conversation */
    struct nk_arena step;  /* of one call: what is said and heard */
    struct nk_agent_memory memory;
    enum gate_agent_doing doing;
    bool stepping; /* a step of our own is on its way: NK_FX_WAKE */
    size_t at;     /* of the tools that are asked for: the next one */
    struct gate_agent_view view;
    struct gate_agent_mcp mcp;
    struct nk_model_stream *stream; /* of the model's answer, as it comes; NULL: it comes whole */
    bool said;                      /* … and words of it went to the client */
    int64_t turns, calls, tokens_in, tokens_out;
    unsigned traces;
    struct nk_buf body, target; /* of the running call */
};

int gate_agents_load(struct nk_setup *s, struct nk_fault *f) NK_CHECKED;
/* Is it a request for an agent? Then dialect, endpoint and driver are set. */
bool gate_agent_match(struct nk_txn *t);
int gate_agent_locate(struct nk_txn *t);
extern const struct gate_driver gate_agent_driver;

/* agent_inline.c: the agent of the configuration that inline agents choose from; NULL: there is none. */
const struct nk_agent *gate_agent_inline(const struct nk_setup *s);
/* Makes the agent of this request. 0, or a negative NK_E… after gate_refuse. */
int gate_agent_take_brought(struct nk_txn *t, struct nk_str session);

/* agent_turn.c: goes on with what is next. Effects. */
unsigned gate_agent_next(struct nk_txn *t);
/* Ends the answer with an exception, before or in the stream. */
unsigned gate_agent_give_up(struct nk_txn *t, enum nk_refusal_id id, struct nk_str detail,
                            struct nk_str reason);
/* The head of the answer, if it has not been sent. */
unsigned gate_agent_begin(struct nk_txn *t);
/* All is said: keeps the conversation and ends the answer; `fx` are the effects so far. */
unsigned gate_agent_finish(struct nk_txn *t, unsigned fx);
/* Adds an event of the trace, when the client wants one: the content of "orchestrationTrace". */
void gate_agent_trace(struct nk_txn *t, struct nk_str members);

/* agent_model.c; an answer that comes as it is written: agent_stream.c */
unsigned gate_agent_ask_model(struct nk_txn *t);
unsigned gate_agent_hear_model(struct nk_txn *t);
void gate_agent_stream_head(struct nk_txn *t, const struct nk_http_head *h);
unsigned gate_agent_stream_data(struct nk_txn *t, struct nk_str bytes);
int gate_agent_stream_end(struct nk_txn *t, struct nk_model_answer *out,
                          struct nk_fault *f) NK_CHECKED;
/* Adds the user's words, or the results of the tools that were asked for. NK_ELIMIT, NK_ENOMEM. */
int gate_agent_add_text(struct gate_drive_agent *d, enum nk_model_role role,
                        struct nk_str text) NK_CHECKED;
int gate_agent_add_results(struct gate_drive_agent *d) NK_CHECKED;

/* agent_tool.c: decides about the next tool: it is called, answered, or left for the client. */
const struct gate_agent_tool *gate_agent_tool_of(const struct nk_agent *g, struct nk_str full);
unsigned gate_agent_use_tool(struct nk_txn *t);
unsigned gate_agent_hear_tool(struct nk_txn *t);
unsigned gate_agent_lose_tool(struct nk_txn *t, struct nk_str why);
/* The call that was decided does not go out: the model reads the refusal's text, the record says `why`. */
unsigned gate_agent_keep_back(struct nk_txn *t, enum nk_refusal_id id, struct nk_str why);
/* The event that hands control over, and what the client answered to it. False: it answers nothing that was asked. */
bool gate_agent_take_results(struct nk_txn *t);
unsigned gate_agent_hand_over(struct nk_txn *t);

/* agent_mcp.c: begins the call of a tool that is allowed. Effects; the driver may be another one then (mcp_pin.h). */
unsigned gate_agent_mcp_begin(struct nk_txn *t, const struct gate_agent_tool *tool,
                              const struct nk_agent_use *use);
void gate_agent_mcp_head(struct nk_txn *t, const struct nk_http_head *h);
/* An answer is there. Was it but a step to the call? Then *fx are the effects of the next one. */
bool gate_agent_mcp_goes_on(struct nk_txn *t, unsigned *fx);
/* The answer as text, without what may not be read. As nk_field_filter. */
int gate_agent_mcp_read(struct nk_txn *t, const struct nk_field_ask *ask, struct nk_buf *out,
                        struct nk_field_report *report, bool *failed,
                        struct nk_fault *f) NK_CHECKED;
/* Ends the session, if there is one: NK_FX_CALL or 0. */
unsigned gate_agent_mcp_leave(struct nk_txn *t);
