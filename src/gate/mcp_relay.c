/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_relay.c - see mcp_relay.h. Nothing of a question is believed before all of them are read: their number, what they ask for,
 * and that they are forms, because a link that a server has somebody open is not shown by us.
 */
#include "gate/mcp_relay.h"

#include "gate/mcp_bridge.h"
#include "gate/mcp_tool.h"
#include "gate/mcp_wait.h"

enum { ASKS_MAX = 256 << 10, ANSWERS_MAX = 60 << 10 };

bool gate_mcp_asks(const struct nk_txn *t, const struct nk_mcp_message *m)
{
    return m->kind == NK_MCP_RESULT && !gate_mcp(t)->is_new &&
           nk_json_is(&m->doc, nk_json_get(&m->doc, m->result, NK_STR("resultType")),
                      NK_STR("input_required"));
}

bool gate_mcp_relays(const struct nk_txn *t)
{
    const struct gate_mcp_relay *r = gate_mcp(t)->relay;
    return r && r->asks.p;
}

/* May the server ask this? */
static bool may_ask(const struct nk_txn *t, const struct nk_json *doc, uint32_t question,
                    struct nk_arena *a)
{
    uint32_t params = nk_json_get(doc, question, NK_STR("params"));
    uint32_t mode = nk_json_get(doc, params, NK_STR("mode"));
    struct nk_str method = nk_json_string(doc, nk_json_get(doc, question, NK_STR("method")), a);
    int needs = method.p ? gate_mcp_needs(method) : -1;
    return needs > 0 && !((unsigned)needs & ~gate_mcp_offers(t)) &&
           (params == NK_JSON_NONE || nk_json_type(doc, params) == NK_JSON_OBJECT) &&
           (mode == NK_JSON_NONE || nk_json_is(doc, mode, NK_STR("form")));
}

static int check(const struct nk_txn *t, const struct nk_json *doc, uint32_t result,
                 struct nk_arena *a, struct nk_fault *f)
{
    uint32_t list = nk_json_get(doc, result, NK_STR("inputRequests")), count = 0;
    uint32_t state = nk_json_get(doc, result, NK_STR("requestState"));
    const struct gate_mcp_tool *tool = gate_mcp(t)->tool;
    bool good = !(tool && tool->filters) && gate_mcp_may_wait(t) && doc->text.n <= ASKS_MAX &&
                (list == NK_JSON_NONE || nk_json_type(doc, list) == NK_JSON_OBJECT) &&
                (state == NK_JSON_NONE || nk_json_type(doc, state) == NK_JSON_STRING);
    for (uint32_t i = nk_json_first(doc, list); i != NK_JSON_NONE && good;
         i = nk_json_next(doc, list, i))
        good = ++count <= GATE_MCP_QUESTIONS && may_ask(t, doc, i + 1, a);
    return good ? 0
                : nk_fault_set(f, NK_EINVAL, "mcp", 0,
                               "the server asks for what it may not ask for");
}

int gate_mcp_relay_keep(struct nk_txn *t, const struct nk_mcp_message *m, struct nk_fault *f)
{
    struct gate_mcp *own = gate_mcp(t);
    int rc = check(t, &m->doc, m->result, t->scratch, f);
    if (rc)
        return rc;
    if (!own->relay)
        own->relay = nk_arena_alloc(t->arena, sizeof *own->relay);
    struct gate_mcp_relay *r = own->relay;
    if (!r)
        return NK_ENOMEM;
    if (r->rounds++ == GATE_MCP_ROUNDS)
        return nk_fault_set(f, NK_ELIMIT, "mcp", 0, "the server asks again and again");
    uint32_t state = nk_json_get(&m->doc, m->result, NK_STR("requestState"));
    *r = (struct gate_mcp_relay){.asks = nk_arena_copy(t->arena, m->doc.text), .rounds = r->rounds};
    if (state != NK_JSON_NONE)
        r->state = nk_arena_copy(t->arena, nk_json_span(&m->doc, state));
    return r->asks.p && (state == NK_JSON_NONE || r->state.p) ? 0 : NK_ENOMEM;
}

void gate_mcp_put_answers(const struct nk_txn *t, struct nk_buf *out)
{
    const struct gate_mcp_relay *r = gate_mcp(t)->relay;
    if (r && r->answers.n)
        nk_buf_printf(out, "\"inputResponses\":{%.*s},", NK_FMT(r->answers));
    if (r && r->state.p)
        nk_buf_printf(out, "\"requestState\":%.*s,", NK_FMT(r->state));
}

/* The request is read and decided anew, with its answers. */
static unsigned send_again(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    m->relay->asks = (struct nk_str){NULL, 0};
    m->has_result = false;
    m->ask = (struct nk_mcp_ask){.op = NK_MCP_POST};
    if (gate_mcp_ask(t))
        return gate_mcp_refused(t);
    if (m->ask.op == NK_MCP_CALL_TOOL)
        return gate_mcp_call_tool(t);
    if (gate_mcp_forward(t))
        return gate_mcp_refused(t);
    unsigned fx = gate_record_decision(t);
    return fx | gate_mcp_cross(t, gate_mcp_crossed_over);
}

static unsigned give_up(struct nk_txn *t, const char *how)
{
    gate_mcp(t)->relay->asks = (struct nk_str){NULL, 0};
    gate_mcp_refuse(t, NK_REFUSAL_unanswered, NK_MCP_FAILED, "receive", NK_STR(""));
    unsigned fx = gate_mcp_answer_refusal(t);
    return fx | gate_record_outcome(t, how);
}

static unsigned answered(struct nk_txn *t, enum gate_mcp_waited how,
                         const struct nk_mcp_message *answer);

/* The open question of the message; NK_JSON_NONE: there is none left. */
static uint32_t question_of(const struct nk_json *doc, uint32_t result, uint32_t at)
{
    uint32_t list = nk_json_get(doc, result, NK_STR("inputRequests"));
    uint32_t i = nk_json_first(doc, list);
    for (; i != NK_JSON_NONE && at; at--)
        i = nk_json_next(doc, list, i);
    return i;
}

static int read_asks(struct nk_txn *t, struct nk_mcp_message *m)
{
    struct nk_json doc;
    struct nk_fault f = {0};
    int rc = gate_read_json(t, gate_mcp(t)->relay->asks, ASKS_MAX, t->scratch, &doc, &f);
    return rc ? rc : nk_mcp_read(&doc, t->scratch, m, &f);
}

unsigned gate_mcp_relay(struct nk_txn *t)
{
    struct nk_mcp_message m;
    unsigned fx = 0;
    if (read_asks(t, &m))
        return give_up(t, "out_of_memory");
    uint32_t i = question_of(&m.doc, m.result, gate_mcp(t)->relay->at);
    if (i == NK_JSON_NONE)
        return send_again(t);
    uint32_t params = nk_json_get(&m.doc, i + 1, NK_STR("params"));
    struct nk_str method =
        nk_json_string(&m.doc, nk_json_get(&m.doc, i + 1, NK_STR("method")), t->scratch);
    int rc = gate_mcp_question(t, method,
                               params == NK_JSON_NONE ? NK_STR("{}") : nk_json_span(&m.doc, params),
                               answered, &fx);
    return rc ? give_up(t, "not_asked") : fx;
}

static unsigned answered(struct nk_txn *t, enum gate_mcp_waited how,
                         const struct nk_mcp_message *answer)
{
    static const char *const names[] = {[GATE_MCP_ANSWERED] = "declined",
                                        [GATE_MCP_UNANSWERED] = "not_answered",
                                        [GATE_MCP_CANCELLED] = "cancelled",
                                        [GATE_MCP_RELOADED] = "reloaded"};
    struct gate_mcp_relay *r = gate_mcp(t)->relay;
    struct nk_mcp_message m;
    if (how != GATE_MCP_ANSWERED || answer->kind != NK_MCP_RESULT ||
        nk_json_type(&answer->doc, answer->result) != NK_JSON_OBJECT)
        return give_up(t, names[how]);
    if (read_asks(t, &m))
        return give_up(t, "out_of_memory");
    struct nk_str name = nk_json_span(&m.doc, question_of(&m.doc, m.result, r->at)),
                  said = nk_json_span(&answer->doc, answer->result);
    if (r->answers.n + name.n + said.n > ANSWERS_MAX)
        return give_up(t, "too_large");
    r->answers = nk_arena_printf(t->arena, "%.*s%s%.*s:%.*s", NK_FMT(r->answers),
                                 r->answers.n ? "," : "", NK_FMT(name), NK_FMT(said));
    r->at++;
    return r->answers.p ? gate_mcp_relay(t) : give_up(t, "out_of_memory");
}
