/* SPDX-License-Identifier: Apache-2.0
 *
 * mcp_join.c - see mcp_park.h: the call that brings an answer. It is read, decided and recorded like any call, then goes on where the
 * one before stopped. The answer reaches the server only when the other one is there to read what comes of it.
 */
#include "gate/mcp_bridge.h"
#include "gate/mcp_park.h"
#include "gate/mcp_tool.h"
#include "gate/mcp_wait.h"

enum { JOIN_MS = 3000, KEEP_ALIVE_MS = 15000, HEADERS_MAX = 6, VERSION = '1' };

/* What the client says ---------------------------------------------------------------------------
 */
static int no_question(struct nk_txn *t)
{
    return gate_mcp_refuse(t, NK_REFUSAL_bad_request, NK_MCP_INVALID_PARAMS, "parse",
                           NK_STR("requestState answers no open question; call again without it."));
}

/* One number for one question among those of all gates. */
static uint64_t name_of(struct nk_str plain)
{
    struct nk_digest d = nk_sha256(plain);
    uint64_t out = 0;
    for (size_t i = 0; i < sizeof out; i++)
        out = out << 8 | d.b[i];
    return out;
}

static bool is_digest(struct nk_str part, const struct nk_digest *d)
{
    return part.n == sizeof d->b && nk_str_eq(part, (struct nk_str){(const char *)d->b, part.n});
}

/* What a person had agreed to when the call began, it goes on with. */
static int take_agreed(struct nk_txn *t, struct nk_str part)
{
    struct nk_digest *agreed;
    if (part.n != sizeof agreed->b)
        return part.n ? NK_ENOTFOUND : 0;
    agreed = nk_arena_alloc(t->arena, sizeof *agreed);
    if (!agreed)
        return NK_ENOMEM;
    for (size_t i = 0; i < part.n; i++)
        agreed->b[i] = (uint8_t)part.p[i];
    gate_mcp(t)->agreed = agreed;
    return 0;
}

static int take_state(struct nk_txn *t, struct nk_str plain)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_used *used = t->state->env.used;
    uint64_t table, generation, revision, until;
    uint64_t *numbers[] = {&table,
                           &generation,
                           &m->park->holder.slot,
                           &m->park->holder.instance,
                           &m->park->holder.number,
                           &m->park->asked,
                           &revision,
                           &until};
    struct nk_str rest = plain, version = nk_str_cut(&rest, ' '), asks, agreed;
    struct nk_digest call;
    for (size_t i = 0; i < NK_COUNT(numbers); i++)
        if (!rest.p || nk_str_to_u64(nk_str_cut(&rest, ' '), numbers[i]))
            return NK_ENOTFOUND;
    if (version.n != 1 || version.p[0] != VERSION || !gate_mcp_get_part(&rest, &asks) ||
        !gate_mcp_get_part(&rest, &agreed) || !gate_mcp_get_part(&rest, &m->own_id) ||
        !gate_mcp_get_part(&rest, &m->session.id) || !gate_mcp_get_part(&rest, &m->park->id))
        return NK_ENOTFOUND;
    int rc = gate_mcp_digest_call(t, &call);
    if (rc)
        return rc;
    if (!used || table != used->id || generation != t->setup->generation ||
        !is_digest(asks, &call) || revision >= NK_MCP_2026_07_28)
        return NK_ENOTFOUND;
    m->park->revision = (enum nk_mcp_revision)revision;
    rc = take_agreed(t, agreed);
    return rc ? rc : nk_used_once(used, name_of(plain), (int64_t)until, t->state->now_ms);
}

/* The client's answer, as the server will get it. */
static struct nk_str answer_of(const struct nk_txn *t)
{
    const struct nk_mcp_message *m = &gate_mcp(t)->message;
    uint32_t answers = nk_json_get(&m->doc, m->params, NK_STR("inputResponses"));
    uint32_t at = nk_json_get(&m->doc, answers, NK_STR("nakoso_question"));
    return nk_json_type(&m->doc, at) == NK_JSON_OBJECT
               ? nk_arena_copy(t->arena, nk_json_span(&m->doc, at))
               : (struct nk_str){NULL, 0};
}

static struct nk_str token_of(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    uint32_t at = nk_json_get(&m->message.doc, m->ask.meta, NK_STR("progressToken"));
    return at == NK_JSON_NONE ? (struct nk_str){NULL, 0}
                              : nk_arena_copy(t->arena, nk_json_span(&m->message.doc, at));
}

static bool may_bring(const struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    enum nk_mcp_op op = m->ask.op;
    return m->is_new &&
           (op == NK_MCP_CALL_TOOL || op == NK_MCP_GET_PROMPT || op == NK_MCP_READ_RESOURCE) &&
           (gate_mcp_is_bridged(t, m->server) || gate_mcp_is_unknown(t));
}

/* Only a server with sessions has asked like that; any other text may be the server's own. */
static int open_state(struct nk_txn *t, uint32_t at, struct nk_str *plain)
{
    struct gate_mcp *m = gate_mcp(t);
    struct nk_str state = nk_json_string(&m->message.doc, at, t->arena);
    int rc =
        state.p ? gate_mcp_unseal(t, NK_STR("parked"), NK_STR(""), state, plain) : NK_ENOTFOUND;
    if (!rc)
        m->old |= 1U << m->server;
    return rc;
}

/* Joining ----------------------------------------------------------------------------------------
 */
static unsigned tell(struct nk_txn *t, const char *what)
{
    return gate_mcp_park_tell(t, &gate_mcp(t)->park->holder, nk_str(what));
}

static unsigned failed(struct nk_txn *t, const char *why)
{
    return gate_answer_failed(t, NK_REFUSAL_unanswered, nk_str(why));
}

unsigned gate_mcp_join(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    const struct nk_gate_env *env = &t->state->env;
    struct nk_str text =
        nk_arena_printf(t->arena, "a%u %u %llu %llu", (unsigned)env->slot, (unsigned)env->instance,
                        (unsigned long long)env->number, (unsigned long long)m->park->asked);
    m->bridge->revision = m->park->revision;
    if (!m->session.id.n)
        m->session.id.p = NULL;
    if (!text.p || !env->waits || gate_mcp_park_wait(t, false))
        return failed(t, "too many calls wait for an answer");
    t->wake_ms = JOIN_MS;
    return gate_mcp_park_tell(t, &m->park->holder, text) | NK_FX_WAKE;
}

static int begin_stream(struct nk_txn *t, unsigned *fx)
{
    struct nk_http_head *h = &t->reply_head;
    *h = (struct nk_http_head){.status = 200, .content_length = -1, .keep_alive = true};
    h->headers = nk_arena_array(t->arena, HEADERS_MAX, sizeof *h->headers);
    if (!h->headers)
        return NK_ENOMEM;
    nk_http_add(h, NK_STR("x-request-id"), t->state->id);
    nk_http_add(h, NK_STR("content-type"), NK_STR("text/event-stream"));
    *fx |= gate_receive_stream(t);
    return 0;
}

static unsigned wake_later(struct nk_txn *t)
{
    t->wake_ms = KEEP_ALIVE_MS;
    return NK_FX_WAKE;
}

/* The server has the answer: what it says next is the answer to this call. */
static unsigned posted(struct nk_txn *t, const struct gate_mcp_reply *r)
{
    unsigned fx = 0;
    if (r->status < 200 || r->status >= 300 || r->why)
        return failed(t, "the server does not take the answer") | tell(t, "x");
    gate_mcp(t)->park->state = GATE_PARK_READS;
    t->state->upstream_status = 200;
    if (begin_stream(t, &fx))
        return gate_answer_failed(t, NK_REFUSAL_out_of_memory, NK_STR("headers of the answer")) |
               tell(t, "x");
    return fx | tell(t, "m") | wake_later(t);
}

static unsigned post(struct nk_txn *t)
{
    struct gate_mcp_park *p = gate_mcp(t)->park;
    struct nk_str body =
        nk_arena_printf(t->arena, "{\"jsonrpc\":\"2.0\",\"id\":%.*s,\"result\":%.*s}",
                        NK_FMT(p->id), NK_FMT(p->answer));
    p->state = GATE_PARK_POSTS;
    return !body.p || gate_mcp_kept_send(t, body, (struct nk_str){NULL, 0}, posted)
               ? failed(t, "out of memory") | tell(t, "x")
               : NK_FX_CALL;
}

/* Reading ----------------------------------------------------------------------------------------
 */
static unsigned read_piece(struct nk_txn *t, struct nk_str bytes)
{
    unsigned fx = gate_mcp_data(t, bytes);
    if (fx & (NK_FX_END | NK_FX_CUT)) /* a question has told the other one itself */
        return fx & NK_FX_TELL ? fx : fx | tell(t, "x");
    return fx | tell(t, "m") | wake_later(t);
}

static unsigned read_end(struct nk_txn *t)
{
    return gate_mcp(t)->has_result
               ? gate_mcp_end(t)
               : gate_answer_failed(t, NK_REFUSAL_upstream_failed,
                                    NK_STR("the stream ended before the answer"));
}

int gate_mcp_join_progress(const struct nk_txn *t, const struct nk_mcp_message *m,
                           struct nk_arena *a, struct nk_str *out, bool *lost)
{
    const struct gate_mcp_park *p = gate_mcp(t)->park;
    uint32_t at = nk_json_get(&m->doc, m->params, NK_STR("progressToken"));
    struct nk_buf whole;
    if (!p || at == NK_JSON_NONE || !nk_str_eq(m->method, NK_STR("notifications/progress")))
        return 0;
    *lost = !p->token.p;
    if (*lost)
        return 0;
    struct nk_json_edit edit = {m->doc.tape[at].start, m->doc.tape[at].end, p->token};
    nk_buf_init(&whole, m->doc.text.n + p->token.n);
    int rc = nk_json_splice(m->doc.text, &edit, 1, &whole);
    if (!rc)
        *out = nk_arena_copy(a, nk_buf_str(&whole));
    nk_buf_free(&whole);
    return rc ? rc : out->p ? 0 : NK_ENOMEM;
}

static unsigned join_told(struct nk_txn *t, struct nk_str bytes)
{
    const struct gate_mcp_park *p = gate_mcp(t)->park;
    char what = bytes.n ? bytes.p[0] : '\0';
    struct nk_str rest = nk_str_sub(bytes, 1, bytes.n);
    if (p->state == GATE_PARK_JOINS && what == '+')
        return post(t);
    if (p->state == GATE_PARK_JOINS && what == '-')
        return failed(t, "the call that asked is over");
    if (p->state != GATE_PARK_READS)
        return 0;
    if (what == 'd')
        return read_piece(t, rest);
    if (what == 'e')
        return read_end(t);
    return what == 'f'
               ? gate_answer_failed(t, NK_REFUSAL_upstream_failed, nk_arena_copy(t->arena, rest))
               : 0;
}

static unsigned join_wake(struct nk_txn *t)
{
    const struct gate_mcp_park *p = gate_mcp(t)->park;
    if (p->state == GATE_PARK_JOINS)
        return failed(t, "the call that asked is over") | tell(t, "x");
    if (p->state != GATE_PARK_READS)
        return 0;
    nk_buf_add(&t->out, NK_STR(": \n\n")); /* or somebody between us takes the stream for dead */
    return NK_FX_DATA | wake_later(t);
}

unsigned gate_mcp_join_gone(struct nk_txn *t)
{
    const struct gate_mcp *m = gate_mcp(t);
    unsigned fx = m->tool && m->ask.op == NK_MCP_CALL_TOOL ? gate_mcp_end_tool(t, "client_gone")
                                                           : gate_record_outcome(t, "client_gone");
    return fx | tell(t, "x");
}

static const struct gate_driver join_driver = {
    .name = "mcp join",
    .head = gate_mcp_head,
    .data = gate_mcp_data,
    .end = gate_mcp_end,
    .fail = gate_receive_fail,
    .wake = join_wake,
    .told = join_told,
    .gone = gate_mcp_join_gone,
    .free = gate_mcp_free_all,
};

int gate_mcp_join_ask(struct nk_txn *t)
{
    struct gate_mcp *m = gate_mcp(t);
    uint32_t at = nk_json_get(&m->message.doc, m->message.params, NK_STR("requestState"));
    struct nk_str plain;
    if (at == NK_JSON_NONE || !may_bring(t))
        return 0;
    int rc = open_state(t, at, &plain);
    if (rc == NK_ENOTFOUND)
        return gate_mcp_is_bridged(t, m->server) ? no_question(t) : 0;
    m->park = rc ? NULL : nk_arena_alloc(t->arena, sizeof *m->park);
    if (!m->park)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR(""));
    *m->park = (struct gate_mcp_park){
        .state = GATE_PARK_JOINS, .answer = answer_of(t), .token = token_of(t)};
    t->state->driver = &join_driver;
    if (!m->park->answer.p)
        return gate_mcp_refuse(t, NK_REFUSAL_bad_request, NK_MCP_INVALID_PARAMS, "parse",
                               NK_STR("inputResponses has no answer to \"nakoso_question\"."));
    rc = take_state(t, plain);
    if (rc == NK_ENOMEM)
        return gate_refuse(t, NK_REFUSAL_out_of_memory, "parse", NK_STR(""), NK_STR(""));
    return rc ? no_question(t) : 0;
}
