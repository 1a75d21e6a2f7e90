/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_approval.c - a person agrees to one call of one tool. What is shown comes from here: the reason, the tool and the
 * arguments as they would go to it; never what a model or a server says.
 *
 *   sessions     The question goes to the client in the stream that answers its call, which waits (mcp_wait.h), and is then
 *                decided again, with what was agreed to, in the same request.
 *   2026-07-28   The client gets it as the result, and calls again. What was asked comes back as a sealed text: it holds the
 *                digest of principal, session, tool and exact arguments, so an agreement to one thing is
 *                none to another; it ends after ten minutes; and it is good once, at the gate that asked,
 *                until the next reload. An agreement that comes to another worker is asked for anew.
 */
#include "gate/mcp_tool.h"
#include "gate/mcp_wait.h"

#include <stdlib.h>

enum { APPROVAL_MS = 10 * 60 * 1000, PLAIN_MAX = 512, SHOWN_MAX = 4096, QUESTION_MAX = 64 << 10 };
enum { VERSION = '1' };

static const struct nk_str key = {"nakoso_approval", 15};

static struct nk_str seal_approval(struct nk_txn *t, const struct nk_digest *what)
{
    const struct nk_gate_state *s = t->state;
    struct nk_buf plain, text;
    nk_buf_init(&plain, PLAIN_MAX);
    nk_buf_init(&text, 2 * PLAIN_MAX);
    nk_buf_printf(&plain, "%c %u %u %llu %lld ", VERSION, (unsigned)s->env.instance,
                  (unsigned)t->setup->generation, (unsigned long long)s->env.number,
                  (long long)(s->now_ms + APPROVAL_MS));
    nk_buf_add_hex(&plain, what->b, sizeof what->b);
    int rc = gate_mcp_seal(t, NK_STR("approval"), gate_mcp(t)->shown, &plain, &text);
    struct nk_str out = rc ? (struct nk_str){NULL, 0} : nk_arena_copy(t->arena, nk_buf_str(&text));
    nk_buf_free(&plain);
    nk_buf_free(&text);
    return out;
}

/* Notes that this one is used. NK_ENOTFOUND: it was; NK_EFULL: there is no room to note it. */
static int use(struct nk_txn *t, uint64_t number, int64_t until_ms)
{
    struct nk_mcp_used *used = t->setup->mcp_used;
    size_t room = GATE_MCP_APPROVALS;
    for (size_t i = 0; i < GATE_MCP_APPROVALS; i++) {
        bool live = used->list[i].until_ms > t->state->now_ms;
        if (live && used->list[i].number == number)
            return NK_ENOTFOUND;
        if (!live)
            room = i;
    }
    if (room == GATE_MCP_APPROVALS)
        return NK_EFULL;
    used->list[room].number = number;
    used->list[room].until_ms = until_ms;
    return 0;
}

int gate_mcp_use_approval(struct nk_txn *t, struct nk_str text, struct nk_digest *out)
{
    const struct nk_gate_state *s = t->state;
    struct nk_str rest;
    uint64_t part[4];
    int rc = gate_mcp_unseal(t, NK_STR("approval"), gate_mcp(t)->shown, text, &rest);
    if (rc)
        return rc;
    struct nk_str version = nk_str_cut(&rest, ' ');
    for (size_t i = 0; i < NK_COUNT(part); i++)
        if (!rest.p || nk_str_to_u64(nk_str_cut(&rest, ' '), &part[i]))
            return NK_ENOTFOUND;
    bool good = version.n == 1 && version.p[0] == VERSION && part[0] == s->env.instance &&
                part[1] == t->setup->generation && (int64_t)part[3] > s->now_ms &&
                !nk_hex_decode(rest, out->b, sizeof out->b);
    return good ? use(t, part[2], (int64_t)part[3]) : NK_ENOTFOUND;
}

/* Did the person agree? */
static bool agreed(const struct nk_json *doc, uint32_t answer)
{
    uint32_t content = nk_json_get(doc, answer, NK_STR("content"));
    uint32_t approve = nk_json_get(doc, content, NK_STR("approve"));
    return nk_json_is(doc, nk_json_get(doc, answer, NK_STR("action")), NK_STR("accept")) &&
           approve != NK_JSON_NONE && nk_json_type(doc, approve) == NK_JSON_TRUE;
}

/* params without what was for us. */
static int put_rest(const struct nk_json *doc, uint32_t params, struct nk_arena *a,
                    struct nk_buf *out)
{
    nk_buf_add_char(out, '{');
    for (uint32_t i = nk_json_first(doc, params); i != NK_JSON_NONE;
         i = nk_json_next(doc, params, i)) {
        struct nk_str name = nk_json_string(doc, i, a);
        if (!name.p)
            return NK_ENOMEM;
        if (nk_str_eq(name, NK_STR("inputResponses")) || nk_str_eq(name, NK_STR("requestState")))
            continue;
        nk_json_put_name(out, name);
        nk_buf_add(out, nk_json_span(doc, i + 1));
    }
    nk_buf_add_char(out, '}');
    return out->error;
}

static int without_approval(struct nk_txn *t, struct nk_str *body)
{
    const struct nk_mcp_message *m = &gate_mcp(t)->message;
    struct nk_buf params, whole;
    nk_buf_init(&params, m->doc.text.n + 1);
    nk_buf_init(&whole, m->doc.text.n + 1);
    int rc = put_rest(&m->doc, m->params, t->scratch, &params);
    struct nk_json_edit edit = {m->doc.tape[m->params].start, m->doc.tape[m->params].end,
                                nk_buf_str(&params)};
    if (!rc)
        rc = nk_json_splice(m->doc.text, &edit, 1, &whole);
    if (!rc) {
        *body = nk_arena_copy(t->arena, nk_buf_str(&whole));
        rc = body->p ? 0 : NK_ENOMEM;
    }
    nk_buf_free(&params);
    nk_buf_free(&whole);
    return rc;
}

int gate_mcp_take_approval(struct nk_txn *t, struct nk_str *body)
{
    struct gate_mcp *m = gate_mcp(t);
    const struct nk_json *doc = &m->message.doc;
    uint32_t answers = nk_json_get(doc, m->message.params, NK_STR("inputResponses"));
    uint32_t answer = nk_json_get(doc, answers, key);
    if (m->ask.op != NK_MCP_CALL_TOOL || answer == NK_JSON_NONE)
        return 0;
    if (agreed(doc, answer))
        m->approval = nk_json_string(
            doc, nk_json_get(doc, m->message.params, NK_STR("requestState")), t->arena);
    else
        m->declined = true;
    return without_approval(t, body);
}

/* Asking -----------------------------------------------------------------------------------------
 */
/* params of elicitation/create, or absent: memory is out. */
static struct nk_str question(struct nk_txn *t, const struct nk_tool_ask *ask, struct nk_str why)
{
    struct nk_str arguments = nk_str_sub(ask->arguments, 0, SHOWN_MAX);
    struct nk_str message =
        nk_arena_printf(t->scratch, "%.*s\n%.*s %.*s%s", NK_FMT(why), NK_FMT(ask->name),
                        NK_FMT(arguments), ask->arguments.n > arguments.n ? " …" : "");
    struct nk_buf b;
    nk_buf_init(&b, QUESTION_MAX);
    nk_buf_add(&b, gate_mcp(t)->revision >= NK_MCP_2025_11_25 ? NK_STR("{\"mode\":\"form\",")
                                                              : NK_STR("{"));
    nk_buf_add(&b, NK_STR("\"requestedSchema\":{\"type\":\"object\",\"properties\":{\"approve\":{"
                          "\"type\":\"boolean\",\"title\":\"Approve\"}},\"required\":["
                          "\"approve\"]}"));
    nk_json_put_member(&b, NK_STR("message"), message);
    nk_buf_add_char(&b, '}');
    struct nk_str out = b.error || !message.p ? (struct nk_str){NULL, 0}
                                              : nk_arena_copy(t->scratch, nk_buf_str(&b));
    nk_buf_free(&b);
    return out;
}

static unsigned ask_by_result(struct nk_txn *t, struct nk_str params, struct nk_tool_verdict *v)
{
    const struct gate_mcp *m = gate_mcp(t);
    struct nk_str state = seal_approval(t, &v->approval);
    if (!state.p)
        return gate_mcp_refuse_tool(t, NK_MCP_REFUSED, v);
    nk_buf_add(&t->out, NK_STR("{\"jsonrpc\":\"2.0\",\"id\":"));
    nk_buf_add(&t->out, m->message.id);
    nk_buf_add(&t->out,
               NK_STR(",\"result\":{\"resultType\":\"input_required\",\"inputRequests\":{"
                      "\"nakoso_approval\":{\"method\":\"elicitation/create\",\"params\":"));
    nk_buf_add(&t->out, params);
    nk_buf_add(&t->out, NK_STR("}}"));
    nk_json_put_member(&t->out, NK_STR("requestState"), state);
    nk_buf_add(&t->out, NK_STR("}}"));
    unsigned fx = gate_record_tool(t, v, m->message.id);
    return fx | gate_reply(t, t->state->dialect, 200, NULL);
}

static unsigned not_agreed(struct nk_txn *t, const char *how, struct nk_str detail)
{
    struct nk_tool_ask ask = {.name = t->state->resource.id};
    gate_mcp_refuse(t, NK_REFUSAL_policy_denied, NK_MCP_REFUSED, "authorize", detail);
    unsigned fx = gate_mcp_answer_refusal(t);
    return fx | gate_record_tool_end(t, &ask, gate_mcp(t)->message.id, how, 0, 0);
}

/* The call is read and decided anew: what a person said is one more fact. */
static unsigned answered(struct nk_txn *t, enum gate_mcp_waited how,
                         const struct nk_mcp_message *answer)
{
    if (how == GATE_MCP_RELOADED)
        return not_agreed(t, "reloaded",
                          NK_STR("The configuration changed meanwhile; call again."));
    if (how == GATE_MCP_UNANSWERED)
        return not_agreed(t, "not_answered", NK_STR("Nobody answered in time."));
    if (!agreed(&answer->doc, answer->result))
        return not_agreed(t, "declined", NK_STR("It was not agreed to."));
    gate_mcp(t)->agreed = &gate_mcp(t)->asked;
    gate_mcp(t)->ask = (struct nk_mcp_ask){.op = NK_MCP_POST}; /* what was read of it is gone */
    return gate_mcp_ask(t) ? gate_mcp_refused(t) : gate_mcp_call_tool(t);
}

unsigned gate_mcp_ask_person(struct nk_txn *t, const struct nk_tool_ask *ask,
                             struct nk_tool_verdict *v)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_str params = question(t, ask, v->why);
    unsigned fx = 0;
    if (!(m->session.can & GATE_MCP_PERSON) || !params.p)
        return gate_mcp_refuse_tool(t, NK_MCP_REFUSED, v);
    if (m->is_new)
        return ask_by_result(t, params, v);
    m->asked = v->approval;
    if (!gate_mcp_may_wait(t) || gate_mcp_question(t, "elicitation/create", params, answered, &fx))
        return gate_mcp_refuse_tool(t, NK_MCP_REFUSED, v);
    return fx | gate_record_tool(t, v, m->message.id);
}
